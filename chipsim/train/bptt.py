"""Training by backpropagation through time with a surrogate gradient, epoch by epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chipsim.errors import InputError
from chipsim.train import bilevel, checkpoint
from chipsim.train.data import Images
from chipsim.train.measure import accuracy, scaled
from chipsim.train.net import Net, forward
from chipsim.train.readout import decide, loss
from chipsim.train.settings import Dynamics, EpochRecord, Settings, cosine
from chipsim.train.shared import Shared, forward_shared
from chipsim.train.state import Bounds, Training, check_trace, tensors

Progress = Callable[[str], None]


def print_progress(line: str) -> None:
    """Print a line to stderr at once."""
    print(line, file=sys.stderr, flush=True)


def train(
    training: Training,
    data: tuple[Images, Images],
    settings: Settings,
    dynamics: Dynamics,
    checkpoint_path: Path | None = None,
    progress: Progress = print_progress,
) -> None:
    """Train ``training`` in place up to ``settings.epochs`` on ``data`` (training, test images).

    After every epoch a checkpoint is written to ``checkpoint_path``.  The order of the images
    depends on seed and epoch alone, so a resumed run ends as an uninterrupted one.  InputError if
    a trace could reach the clamp, which is checked before every step of the optimiser.
    """
    train_images, test_images = data
    train_images, held_out = _split(train_images, settings)
    begun, done_before = time.perf_counter(), len(training.epochs)
    for epoch in range(done_before + 1, settings.epochs + 1):
        epoch_begun = time.perf_counter()
        mean_loss, train_accuracy = _train_epoch(
            training, train_images, held_out, settings, dynamics, epoch
        )
        record = EpochRecord(
            epoch=epoch,
            loss=mean_loss,
            train=train_accuracy,
            test=accuracy(training.net, test_images, dynamics, shared(training, settings)),
            trace_bounds=_trace_bounds(training, dynamics),
            seconds=time.perf_counter() - epoch_begun,
        )
        training.epochs.append(record)
        if checkpoint_path is not None:
            keep(checkpoint_path, training, settings, dynamics)
        each = (time.perf_counter() - begun) / (epoch - done_before)
        progress(
            f"epoch {epoch}/{settings.epochs}  loss {record.loss:.5f}  "
            f"train {record.train:.2f} %  test {record.test:.2f} %  "
            f"{record.seconds:.0f} s, {each * (settings.epochs - epoch):.0f} s left"
        )


def keep(path: Path, training: Training, settings: Settings, dynamics: Dynamics) -> None:
    """Write where ``training`` stands to ``path``."""
    history = [asdict(epoch) for epoch in training.epochs]
    checkpoint.write(
        path, _asked(settings, dynamics), tensors(training), _optimisers(training), history
    )


def resume(path: Path, training: Training, settings: Settings, dynamics: Dynamics) -> None:
    """Bring the fresh ``training`` to where the run in ``path`` stopped.

    InputError if there is no such checkpoint, it is damaged, or it is of other settings.
    """
    asked = _asked(settings, dynamics)
    history = checkpoint.resume(path, asked, tensors(training), _optimisers(training))
    try:
        training.epochs.extend(EpochRecord(**record) for record in history)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: is no checkpoint of this training: {error}") from None


def _optimisers(training: Training) -> dict[str, torch.optim.Optimizer]:
    return {"both": training.optimiser}


def _asked(settings: Settings, dynamics: Dynamics) -> dict[str, dict[str, Any]]:
    return {"settings": asdict(settings), "dynamics": asdict(dynamics)}


def shared(training: Training, settings: Settings) -> Shared | None:
    """Return how the run's traces are shared, or None where every sample has its own."""
    return None if training.carried is None else Shared(training.carried, settings.batch)


def _trace_bounds(training: Training, dynamics: Dynamics) -> Bounds | None:
    """Return the largest traces: bounds on those of samples, checked, or the carried ones."""
    if training.carried is None:
        return check_trace(training.net, dynamics)
    first, second = (float(trace.abs().max()) for trace in training.carried)
    return first, second


def _split(images: Images, settings: Settings) -> tuple[Images, Images | None]:
    """Return the images to train on and those held out for the local rule."""
    if settings.validation == 0:
        return images, None
    if settings.rule != "hp" or settings.trace != "sample":
        raise InputError(
            "training: --validation trains the local rule of every sample's own trace; it needs "
            "--rule hp and --hebb sample"
        )
    kept = images.count - settings.validation
    if kept < 1:
        raise InputError(
            f"training: --validation {settings.validation} leaves none of {images.count} images; "
            "lower it"
        )
    return images.first(kept), Images(images.pixels[kept:], images.labels[kept:])


def _train_epoch(
    training: Training,
    images: Images,
    held_out: Images | None,
    settings: Settings,
    dynamics: Dynamics,
    epoch: int,
) -> tuple[float, float]:
    """Train on every image once; return the mean loss and the accuracy in percent."""
    order = np.random.default_rng([settings.seed, epoch]).permutation(images.count)
    batches = -(-images.count // settings.batch)
    total, right = 0.0, 0
    for index in range(batches):
        chosen = order[index * settings.batch : (index + 1) * settings.batch]
        share = cosine((epoch - 1) * batches + index, settings.epochs * batches)
        for group, rate in zip(
            training.optimiser.param_groups,
            (settings.weight_rate, settings.rule_rate),
            strict=True,
        ):
            group["lr"] = rate * share
        _trace_bounds(training, dynamics)
        if held_out is None:
            batch_loss, correct = _train_batch(training, images, chosen, dynamics)
        else:
            random = np.random.default_rng([settings.seed, epoch, index])
            asked = random.integers(held_out.count, size=min(settings.batch, held_out.count))
            batches_of_both = ((images, chosen), (held_out, asked))
            batch_loss, correct = _train_bilevel(training, batches_of_both, dynamics)
        total += batch_loss * len(chosen)
        right += correct
    return total / images.count, 100.0 * right / images.count


def _train_batch(
    training: Training,
    images: Images,
    chosen: NDArray[np.int64],
    dynamics: Dynamics,
) -> tuple[float, int]:
    """One optimiser step on the loss of the readout; return it and how many answers are right."""
    carried = None
    if training.carried is None:
        batch_loss, right = _loss_of(training.net, images, chosen, dynamics)
    else:
        image, labels = _batch(images, chosen, training.net.device)
        run, carried = forward_shared(training.net, image, training.carried, dynamics)
        batch_loss = loss(run.output, labels, dynamics)
        right = int((decide(run.output, dynamics).classes == labels).sum())
    training.optimiser.zero_grad()
    batch_loss.backward()  # type: ignore[no-untyped-call]
    training.optimiser.step()
    if training.carried is not None and carried is not None:
        for old, new in zip(training.carried, carried, strict=True):
            old.copy_(new)
    return float(batch_loss.detach()), right


def _train_bilevel(
    training: Training,
    batches: tuple[tuple[Images, NDArray[np.int64]], tuple[Images, NDArray[np.int64]]],
    dynamics: Dynamics,
) -> tuple[float, int]:
    """One step of the weights on training images, then one of the local rule on held out ones."""
    training_batch, held_out = batches
    batch_loss, right = _loss_of(training.net, *training_batch, dynamics)
    bilevel.inner_step(training.optimiser, batch_loss)
    bilevel.outer_step(
        training.optimiser,
        lambda: _loss_of(training.net, *training_batch, dynamics)[0],
        lambda: _loss_of(training.net, *held_out, dynamics)[0],
    )
    return float(batch_loss.detach()), right


def _loss_of(
    net: Net, images: Images, chosen: NDArray[np.int64], dynamics: Dynamics
) -> tuple[Tensor, int]:
    """Return the loss of the readout and how many answers are right."""
    image, labels = _batch(images, chosen, net.device)
    output = forward(net, image, dynamics).output
    right = int((decide(output, dynamics).classes == labels).sum())
    return loss(output, labels, dynamics), right


def _batch(
    images: Images, chosen: NDArray[np.int64], device: torch.device
) -> tuple[Tensor, Tensor]:
    labels = torch.from_numpy(images.labels[chosen]).to(device)
    return scaled(images.pixels[chosen], device), labels
