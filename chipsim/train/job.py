"""One training job from the data's folder to the trained network's files."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chipsim.errors import InputError
from chipsim.load.traces import write_trace
from chipsim.network import Trace
from chipsim.train import bptt, description, device, measure, save
from chipsim.train.data import Images, read_mnist
from chipsim.train.files import check_suffix, make_folder
from chipsim.train.settings import Dynamics, Settings, Summary
from chipsim.train.state import Training, start

TRACE_SAMPLES = 1000
STORED_TRACE_SAMPLES = 5000


@dataclass(frozen=True)
class Job:
    """What to train on and where to.

    ``out`` is the checkpoint (``.pt``); description, record and unfinished run are beside it.
    ``trace`` (``.npz``) takes the first test images, or is None for the folder ``traces``;
    ``device`` is as `chipsim.train.device.choose` has it.
    """

    data: Path
    out: Path
    trace: Path | None
    settings: Settings
    dynamics: Dynamics
    resume: bool = False
    threads: int = 1
    device: str = "auto"

    @property
    def unfinished(self) -> Path:
        """Checkpoint of the run itself, from which it can be resumed; gone when it is done."""
        return self.out.with_suffix(".unfinished.pt")


def train_hp(job: Job, progress: bptt.Progress = bptt.print_progress) -> Summary:
    """Train a hybrid-plasticity network on images, write its files and return what it does.

    Writes ``job.out``, the description (``.yaml``), the training record (``.training.json``) and
    the input trace.  InputError for bad data, paths or settings.
    """
    check_suffix(job.out, ".pt")
    torch.set_num_threads(job.threads)
    train_images, test_images = read_mnist(job.data, "train"), read_mnist(job.data, "t10k")
    check_sizes(train_images, test_images)
    if job.settings.limit is not None:
        train_images = train_images.first(job.settings.limit)
    trace = _write_test_trace(job, test_images)

    where = device.choose(job.device)
    training = start(job.settings, job.dynamics, train_images.pixels.shape[1], where)
    if job.resume:
        bptt.resume(job.unfinished, training, job.settings, job.dynamics)
        progress(f"resumed after epoch {len(training.epochs)} of {job.settings.epochs}")
    elif job.unfinished.exists():
        progress(f"{job.unfinished} of an earlier run will be replaced (--resume continues it)")
    images = (train_images, test_images)
    bptt.train(training, images, job.settings, job.dynamics, job.unfinished, progress)
    return _finish(job, training, images, trace)


def _finish(job: Job, training: Training, images: tuple[Images, Images], trace: Path) -> Summary:
    train_images, test_images = images
    samples = train_images.first(STORED_TRACE_SAMPLES)
    traces = training.carried
    if traces is None:
        traces = measure.stored_traces(training.net, samples, job.dynamics)
    shared = bptt.shared(training, job.settings)
    summary = measure.summarise(training.net, traces, test_images, job.dynamics, shared)
    save.save_weights(job.out, training.net, traces)
    description.save_image_network(job.out.with_suffix(".yaml"), training.net, job.dynamics, trace)
    record = _record(job, training, images, summary) | {"stored_trace_samples": samples.count}
    save.save_record(job.out.with_suffix(".training.json"), record)
    job.unfinished.unlink(missing_ok=True)
    return summary


def _record(
    job: Job, training: Training, images: tuple[Images, Images], summary: Summary
) -> dict[str, Any]:
    train_images, test_images = images
    return {
        "format": "chipsim-training-1",
        "rule": job.settings.rule,
        "settings": asdict(job.settings),
        "dynamics": asdict(job.dynamics),
        "train_images": {"count": train_images.count, "sha256": _digest(train_images)},
        "test_images": {"count": test_images.count, "sha256": _digest(test_images)},
        "epochs": [asdict(epoch) for epoch in training.epochs],
        "result": asdict(summary),
        "seconds": sum(epoch.seconds for epoch in training.epochs),
        "torch": save.torch_version(),
        "threads": job.threads,
        "device": training.net.device.type,
    }


def _digest(images: Images) -> str:
    """SHA-256 over pixels, then labels, a byte each."""
    labels = images.labels.astype(np.uint8)
    return hashlib.sha256(images.pixels.tobytes() + labels.tobytes()).hexdigest()


def _write_test_trace(job: Job, test_images: Images) -> Path:
    chosen = test_images.first(TRACE_SAMPLES)
    name = f"{job.out.stem}_test{chosen.count}"
    path = job.trace if job.trace is not None else Path("traces") / f"{name}.npz"
    check_suffix(path, ".npz")
    trace = Trace(name=path.stem, scale=1 / 255, held=chosen.pixels, labels=chosen.labels)
    make_folder(path)
    write_trace(path, trace)
    return path


def check_sizes(train_images: Images, test_images: Images) -> None:
    """Raise InputError unless training and test images are of one size."""
    train_pixels, test_pixels = train_images.pixels.shape[1], test_images.pixels.shape[1]
    if train_pixels != test_pixels:
        raise InputError(
            f"the training images have {train_pixels} pixels, the test images {test_pixels}; "
            "they must be of one data set"
        )
