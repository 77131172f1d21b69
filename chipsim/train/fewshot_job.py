"""One few-shot training job from Omniglot's folder to the trained network's files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from chipsim.errors import InputError
from chipsim.train import device, fewshot_export, fewshot_training, save
from chipsim.train.bptt import Progress, print_progress
from chipsim.train.fewshot_training import FewShotResult
from chipsim.train.files import check_suffix
from chipsim.train.omniglot import DRAWERS, read_omniglot
from chipsim.train.settings import FewShotSettings


@dataclass(frozen=True)
class FewShotJob:
    """What to train on and where to.

    ``out`` is the checkpoint (``.pt``), with the training record beside it; ``cache`` a folder
    that keeps the decoded images, or None; ``test_ways`` the episodes to test.
    """

    data: Path
    out: Path
    cache: Path | None
    settings: FewShotSettings
    test_ways: tuple[int, ...]
    resume: bool = False
    threads: int = 1
    device: str = "auto"

    @property
    def unfinished(self) -> Path:
        """Checkpoint of the run itself, from which it can be resumed; gone when it is done."""
        return self.out.with_suffix(".unfinished.pt")


def train_fewshot(job: FewShotJob, progress: Progress = print_progress) -> list[FewShotResult]:
    """Train on Omniglot's background set and test on its evaluation set (unseen alphabets).

    Writes the models of `chipsim.train.fewshot_export.save_models` and the training record
    (``.training.json``).  InputError for bad data, paths or settings.
    """
    _check(job)
    torch.set_num_threads(job.threads)
    background = read_omniglot(job.data, "background", job.cache)
    evaluation = read_omniglot(job.data, "evaluation", job.cache)
    _check_characters(job, min(len(background), len(evaluation)))
    training = fewshot_training.start(job.settings, device.choose(job.device))
    if job.resume:
        fewshot_training.resume(job.unfinished, training, job.settings)
        progress(f"resumed after update {training.history[-1].updates}")
    elif job.unfinished.exists():
        progress(f"{job.unfinished} of an earlier run will be replaced (--resume continues it)")
    fewshot_training.train(training, background, job.settings, job.unfinished, progress)
    results = [
        fewshot_training.test(training.net, evaluation, job.settings, ways)
        for ways in job.test_ways
    ]
    state = {key: tensor.numpy() for key, tensor in save.plain(training.net.state_dict()).items()}
    fewshot_export.save_models(job.out, state, evaluation, job.test_ways, job.settings.shots)
    record = {
        "format": "chipsim-training-1",
        "rule": "hp few-shot",
        "settings": asdict(job.settings),
        "dynamics": asdict(fewshot_training.dynamics(job.settings)),
        "characters": {"background": len(background), "evaluation": len(evaluation)},
        "updates": [asdict(progressed) for progressed in training.history],
        "result": [asdict(result) for result in results],
        "seconds": sum(progressed.seconds for progressed in training.history),
        "torch": save.torch_version(),
        "threads": job.threads,
        "device": training.net.device.type,
    }
    save.save_record(job.out.with_suffix(".training.json"), record)
    job.unfinished.unlink(missing_ok=True)
    return results


def _check(job: FewShotJob) -> None:
    check_suffix(job.out, ".pt")
    settings = job.settings
    if settings.shots + settings.queries > DRAWERS:
        raise InputError(
            f"training: {settings.shots} shots and {settings.queries} queries of each character, "
            f"but Omniglot has {DRAWERS} drawings; lower --shots or --queries"
        )
    if max(job.test_ways) > settings.ways:
        raise InputError(
            f"training: --test-ways {max(job.test_ways)} with a network of {settings.ways} "
            "outputs; raise --ways"
        )


def _check_characters(job: FewShotJob, characters: int) -> None:
    if job.settings.ways > characters:
        raise InputError(
            f"training: --ways {job.settings.ways}, but {job.data} has {characters} characters"
        )
