"""One continual learning job from MNIST's folder to the trained network's files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from chipsim.errors import InputError
from chipsim.train import continual_save, continual_training, device, save
from chipsim.train.bptt import Progress, print_progress
from chipsim.train.data import read_mnist
from chipsim.train.files import check_suffix
from chipsim.train.job import check_sizes
from chipsim.train.settings import ContinualSettings, Dynamics, Learnt


@dataclass(frozen=True)
class ContinualJob:
    """What to train on and where to.

    ``out`` is the checkpoint, with description and record beside it; ``trace`` takes the first
    test images as ``task`` sees them (None: the last task), or is None for the folder ``traces``.
    """

    data: Path
    out: Path
    settings: ContinualSettings
    dynamics: Dynamics
    task: int | None = None
    trace: Path | None = None
    resume: bool = False
    threads: int = 1
    device: str = "auto"

    @property
    def unfinished(self) -> Path:
        """Checkpoint of the run itself, from which it can be resumed; gone when it is done."""
        return self.out.with_suffix(".unfinished.pt")


def train_continual(job: ContinualJob, progress: Progress = print_progress) -> Learnt:
    """Learn shuffled images task after task; return what the network knows at the end.

    Writes ``job.out`` (see `chipsim.train.continual_save`), the description and the trace of one
    task, and the training record.  InputError for bad data, paths or settings.
    """
    check_suffix(job.out, ".pt")
    described = _described_task(job)
    torch.set_num_threads(job.threads)
    train_images, test_images = read_mnist(job.data, "train"), read_mnist(job.data, "t10k")
    check_sizes(train_images, test_images)
    if job.settings.limit is not None:
        train_images = train_images.first(job.settings.limit)
    pixels, where = train_images.pixels.shape[1], device.choose(job.device)
    training = continual_training.start(job.settings, pixels, where)
    if job.resume:
        continual_training.resume(job.unfinished, training, job.settings, job.dynamics)
        progress(f"resumed after task {len(training.history)} of {job.settings.tasks}")
    elif job.unfinished.exists():
        progress(f"{job.unfinished} of an earlier run will be replaced (--resume continues it)")
    images = (train_images, test_images)
    continual_training.train(training, images, job.settings, job.dynamics, job.unfinished, progress)
    tasks = continual_training.tasks(training, job.settings)
    continual_save.save_weights(job.out, training.net, tasks, described)
    trace = job.trace or Path("traces") / f"{job.out.stem}_task{described}.npz"
    continual_save.save_trace(trace, test_images, tasks[described])
    net, task = training.net, tasks[described]
    most = continual_training.largest_membrane(net, task, train_images, job.dynamics)
    description = job.out.with_suffix(".yaml")
    continual_save.save_description(description, net, job.dynamics, described, trace, most)
    record = {
        "format": "chipsim-training-1",
        "rule": f"{job.settings.rule} continual",
        "settings": asdict(job.settings),
        "dynamics": asdict(job.dynamics),
        "images": {"train": train_images.count, "test": test_images.count},
        "described_task": described,
        "tasks": [asdict(learnt) for learnt in training.history],
        "seconds": sum(learnt.seconds for learnt in training.history),
        "torch": save.torch_version(),
        "threads": job.threads,
        "device": training.net.device.type,
    }
    save.save_record(job.out.with_suffix(".training.json"), record)
    job.unfinished.unlink(missing_ok=True)
    return training.history[-1]


def _described_task(job: ContinualJob) -> int:
    """Return the task that description and trace are of; InputError if there is no such task."""
    last = job.settings.tasks - 1
    task = last if job.task is None else job.task
    if task > last:
        raise InputError(f"training: --describe {task}, but the tasks are 0 to {last}")
    return task
