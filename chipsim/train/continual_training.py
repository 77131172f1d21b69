"""Task after task: training of the continual learning network, and what it still knows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chipsim.train import checkpoint
from chipsim.train.bptt import Progress, print_progress
from chipsim.train.continual import ContinualNet, Task, forward, last_hidden, new_net, new_task
from chipsim.train.data import CLASSES, Images
from chipsim.train.measure import BATCH, scaled
from chipsim.train.settings import ContinualSettings, Dynamics, Learnt, cosine
from chipsim.train.state import CPU

PROBE = 200
"""Test images that are asked after each task; after the last one all are."""


@dataclass(frozen=True)
class ContinualTraining:
    """A run after ``len(history)`` tasks; training changes all of it in place.

    ``weights`` and ``rule`` are the optimisers of the weights and of the local rule.
    """

    net: ContinualNet
    weights: torch.optim.Adam
    rule: torch.optim.Adam
    history: list[Learnt]


def start(
    settings: ContinualSettings, pixels: int, device: torch.device = CPU
) -> ContinualTraining:
    """Return a fresh run with seeded parameters on ``device``."""
    net = new_net(settings, pixels, device)
    weights = torch.optim.Adam(net.weights, fused=True)
    return ContinualTraining(net, weights, torch.optim.Adam(net.rule()), [])


def train(
    training: ContinualTraining,
    data: tuple[Images, Images],
    settings: ContinualSettings,
    dynamics: Dynamics,
    checkpoint_path: Path | None = None,
    progress: Progress = print_progress,
) -> None:
    """Learn the tasks in ``training`` one after the other; after each, test all met so far.

    The order of the images depends on seed and task alone, so a resumed run ends as an
    uninterrupted one.
    """
    train_images, test_images = data
    pixels = train_images.pixels.shape[1]
    begun, done_before = time.perf_counter(), len(training.history)
    met = tasks(training, settings)
    for number in range(done_before, settings.tasks):
        task_begun = time.perf_counter()
        met.append(new_task(settings, number, pixels, training.net.device))
        _learn_task(training, met[number], number, train_images, settings, dynamics)
        if settings.rule == "hp" and number < settings.rule_tasks:
            _learn_rule(training, met, train_images, settings, dynamics)
        last = number == settings.tasks - 1
        asked = test_images if last else test_images.first(PROBE)
        tests = [accuracy(training.net, task, asked, dynamics) for task in met]
        training.history.append(Learnt(tests, time.perf_counter() - task_begun))
        if checkpoint_path is not None:
            keep(checkpoint_path, training, settings, dynamics)
        each = (time.perf_counter() - begun) / (number + 1 - done_before)
        progress(
            f"task {number + 1}/{settings.tasks}  test {tests[-1]:.2f} %  "
            f"mean of all {np.mean(tests):.2f} %  lowest {min(tests):.2f} %  "
            f"{each * (settings.tasks - number - 1):.0f} s left"
        )


def tasks(training: ContinualTraining, settings: ContinualSettings) -> list[Task]:
    """Return the tasks that ``training`` has learnt."""
    net = training.net
    pixels = net.weights[0].shape[1]
    return [new_task(settings, n, pixels, net.device) for n in range(len(training.history))]


def accuracy(net: ContinualNet, task: Task, images: Images, dynamics: Dynamics) -> float:
    """Return the share of ``images`` classified right as ``task``, in percent."""
    right = 0
    with torch.no_grad():
        for first in range(0, images.count, BATCH):
            part = slice(first, first + BATCH)
            readout = forward(net, task, scaled(images.pixels[part], net.device), dynamics)
            right += int((readout.argmax(1).cpu().numpy() == images.labels[part]).sum())
    return 100.0 * right / images.count


def largest_membrane(net: ContinualNet, task: Task, images: Images, dynamics: Dynamics) -> float:
    """Return the largest last potential, or smallest if farther from 0, of the second layer."""
    largest = 0.0
    with torch.no_grad():
        for first in range(0, images.count, BATCH):
            pixels = scaled(images.pixels[first : first + BATCH], net.device)
            last = last_hidden(net, task, pixels, dynamics)
            largest = max(largest, float(last.membrane.abs().max()))
    return largest


def keep(
    path: Path, training: ContinualTraining, settings: ContinualSettings, dynamics: Dynamics
) -> None:
    """Write where ``training`` stands to ``path``."""
    history = [asdict(learnt) for learnt in training.history]
    asked = _asked(settings, dynamics)
    checkpoint.write(path, asked, training.net.named(), _optimisers(training), history)


def resume(
    path: Path, training: ContinualTraining, settings: ContinualSettings, dynamics: Dynamics
) -> None:
    """Bring the fresh ``training`` to where the run in ``path`` stopped.

    InputError if there is no such checkpoint, it is damaged, or it is of other settings.
    """
    asked = _asked(settings, dynamics)
    records = checkpoint.resume(path, asked, training.net.named(), _optimisers(training))
    training.history.extend(Learnt(**record) for record in records)


def _learn_task(
    training: ContinualTraining,
    task: Task,
    number: int,
    images: Images,
    settings: ContinualSettings,
    dynamics: Dynamics,
) -> None:
    """Train the weights on ``task``; the optimiser forgets the task before."""
    training.weights.state.clear()
    batches = list(_batches([settings.seed, 2, number], images.count, settings.epochs, settings))
    for index, chosen in enumerate(batches):
        for group in training.weights.param_groups:
            group["lr"] = settings.weight_rate * cosine(index, len(batches))
        _step(training, training.weights, task, images, chosen, dynamics)


def _learn_rule(
    training: ContinualTraining,
    tasks: list[Task],
    images: Images,
    settings: ContinualSettings,
    dynamics: Dynamics,
) -> None:
    """Train the local rule on images of all tasks met so far, each batch of one of them."""
    seed = [settings.seed, 3, len(tasks)]
    random = np.random.default_rng([*seed, 0])
    count = min(settings.rule_images, images.count)
    for group in training.rule.param_groups:
        group["lr"] = settings.rule_rate
    for chosen in _batches(seed, images.count, 1, settings):
        if count <= 0:
            return
        count -= len(chosen)
        task = tasks[random.integers(len(tasks))]
        _step(training, training.rule, task, images, chosen, dynamics)


def _batches(
    seed: list[int], images: int, epochs: int, settings: ContinualSettings
) -> Iterator[NDArray[np.int64]]:
    for epoch in range(epochs):
        order = np.random.default_rng([*seed, epoch]).permutation(images)
        for first in range(0, images, settings.batch):
            yield order[first : first + settings.batch]


def _step(
    training: ContinualTraining,
    optimiser: torch.optim.Adam,
    task: Task,
    images: Images,
    chosen: NDArray[np.int64],
    dynamics: Dynamics,
) -> None:
    """One step of ``optimiser`` on the mean squared error of the readout."""
    where = training.net.device
    readout = forward(training.net, task, scaled(images.pixels[chosen], where), dynamics)
    labels = torch.from_numpy(images.labels[chosen]).to(where)
    target = torch.nn.functional.one_hot(labels, CLASSES)
    loss = torch.nn.functional.mse_loss(readout, target.to(readout.dtype))
    learning: list[Tensor] = optimiser.param_groups[0]["params"]
    for tensor, gradient in zip(learning, torch.autograd.grad(loss, learning), strict=True):
        tensor.grad = gradient
    optimiser.step()


def _optimisers(training: ContinualTraining) -> dict[str, torch.optim.Optimizer]:
    return {"weights": training.weights, "rule": training.rule}


def _asked(settings: ContinualSettings, dynamics: Dynamics) -> dict[str, dict[str, Any]]:
    return {"settings": asdict(settings), "dynamics": asdict(dynamics)}
