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
from chipsim.train.data import CLASSES, Images
from chipsim.train.explicit import forward_shared
from chipsim.train.hp import LayerRun, decide, forward
from chipsim.train.measure import Shared, accuracy, scaled
from chipsim.train.settings import Dynamics, EpochRecord, Settings, cosine
from chipsim.train.state import Training, check_trace, tensors

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
        loss, train_accuracy = _train_epoch(
            training, train_images, held_out, settings, dynamics, epoch
        )
        record = EpochRecord(
            epoch=epoch,
            loss=loss,
            train=train_accuracy,
            test=accuracy(training.layers, test_images, dynamics, shared(training, settings)),
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
        bounds = [tuple(record.pop("trace_bounds")) for record in history]
        kept = zip(history, bounds, strict=True)
        training.epochs.extend(EpochRecord(**record, trace_bounds=pair) for record, pair in kept)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: is no checkpoint of this training: {error}") from None


def _optimisers(training: Training) -> dict[str, torch.optim.Optimizer]:
    return {"both": training.optimiser}


def _asked(settings: Settings, dynamics: Dynamics) -> dict[str, dict[str, Any]]:
    return {"settings": asdict(settings), "dynamics": asdict(dynamics)}


def shared(training: Training, settings: Settings) -> Shared | None:
    """Return how the run's traces are shared, or None where every sample has its own."""
    return None if training.carried is None else Shared(training.carried, settings.batch)


def _trace_bounds(training: Training, dynamics: Dynamics) -> tuple[float, float]:
    """Return the largest traces: bounds on those of samples, checked, or the carried ones."""
    if training.carried is None:
        return check_trace(training.layers, dynamics)
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
            loss, correct = _train_batch(training, images, chosen, dynamics)
        else:
            random = np.random.default_rng([settings.seed, epoch, index])
            asked = random.integers(held_out.count, size=min(settings.batch, held_out.count))
            batches_of_both = ((images, chosen), (held_out, asked))
            loss, correct = _train_bilevel(training, batches_of_both, dynamics)
        total += loss * len(chosen)
        right += correct
    return total / images.count, 100.0 * right / images.count


def _train_batch(
    training: Training,
    images: Images,
    chosen: NDArray[np.int64],
    dynamics: Dynamics,
) -> tuple[float, int]:
    """One optimiser step on the mean squared error of the output spike rates."""
    labels = torch.from_numpy(images.labels[chosen])
    image = scaled(images.pixels[chosen])
    if training.carried is None:
        _, output = forward(*training.layers, image, dynamics)
    else:
        _, output, carried = forward_shared(*training.layers, image, training.carried, dynamics)
    loss = _loss(output, labels)
    training.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    training.optimiser.step()
    if training.carried is not None:
        for old, new in zip(training.carried, carried, strict=True):
            old.copy_(new)
    return float(loss.detach()), int((decide(output) == labels).sum())


def _train_bilevel(
    training: Training,
    batches: tuple[tuple[Images, NDArray[np.int64]], tuple[Images, NDArray[np.int64]]],
    dynamics: Dynamics,
) -> tuple[float, int]:
    """One step of the weights on training images, then one of the local rule on held out ones."""

    def loss_of(batch: tuple[Images, NDArray[np.int64]]) -> tuple[Tensor, int]:
        images, chosen = batch
        labels = torch.from_numpy(images.labels[chosen])
        _, output = forward(*training.layers, scaled(images.pixels[chosen]), dynamics)
        return _loss(output, labels), int((decide(output) == labels).sum())

    loss, correct = loss_of(batches[0])
    bilevel.inner_step(training.optimiser, loss)
    bilevel.outer_step(
        training.optimiser, lambda: loss_of(batches[0])[0], lambda: loss_of(batches[1])[0]
    )
    return float(loss.detach()), correct


def _loss(output: LayerRun, labels: Tensor) -> Tensor:
    """Return the mean squared error of the output spike rates."""
    target = torch.nn.functional.one_hot(labels, CLASSES).float()
    return torch.nn.functional.mse_loss(output.spikes.mean(1), target)
