"""One continual learning job from MNIST's folder to the trained network's files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from chipsim.train import continual_training, save
from chipsim.train.bptt import Progress, print_progress
from chipsim.train.data import read_mnist
from chipsim.train.files import check_suffix, torch_bytes, write_bytes
from chipsim.train.job import check_sizes
from chipsim.train.settings import ContinualSettings, Dynamics, Learnt


@dataclass(frozen=True)
class ContinualJob:
    """What to train on and where to: ``out`` is the checkpoint, with the record beside it."""

    data: Path
    out: Path
    settings: ContinualSettings
    dynamics: Dynamics
    resume: bool = False
    threads: int = 1

    @property
    def unfinished(self) -> Path:
        """Checkpoint of the run itself, from which it can be resumed; gone when it is done."""
        return self.out.with_suffix(".unfinished.pt")


def train_continual(job: ContinualJob, progress: Progress = print_progress) -> Learnt:
    """Learn shuffled images task after task; return what the network knows at the end.

    Writes ``job.out`` (a state_dict with the names of the authors' code; orders and masks follow
    from the seed) and the training record.  InputError for bad data, paths or settings.
    """
    check_suffix(job.out, ".pt")
    torch.set_num_threads(job.threads)
    train_images, test_images = read_mnist(job.data, "train"), read_mnist(job.data, "t10k")
    check_sizes(train_images, test_images)
    if job.settings.limit is not None:
        train_images = train_images.first(job.settings.limit)
    training = continual_training.start(job.settings, train_images.pixels.shape[1])
    if job.resume:
        continual_training.resume(job.unfinished, training, job.settings, job.dynamics)
        progress(f"resumed after task {len(training.history)} of {job.settings.tasks}")
    elif job.unfinished.exists():
        progress(f"{job.unfinished} of an earlier run will be replaced (--resume continues it)")
    images = (train_images, test_images)
    continual_training.train(training, images, job.settings, job.dynamics, job.unfinished, progress)
    state = {
        name: tensor.detach() for name, tensor in continual_training.tensors(training.net).items()
    }
    write_bytes(job.out, torch_bytes(state))
    record = {
        "format": "chipsim-training-1",
        "rule": f"{job.settings.rule} continual",
        "settings": asdict(job.settings),
        "dynamics": asdict(job.dynamics),
        "images": {"train": train_images.count, "test": test_images.count},
        "tasks": [asdict(learnt) for learnt in training.history],
        "seconds": sum(learnt.seconds for learnt in training.history),
        "torch": save.torch_version(),
        "threads": job.threads,
    }
    save.save_record(job.out.with_suffix(".training.json"), record)
    job.unfinished.unlink(missing_ok=True)
    return training.history[-1]
