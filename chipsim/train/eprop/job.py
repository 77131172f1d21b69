"""One e-prop training job from its settings to the trained network's files."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chipsim.errors import InputError
from chipsim.train.eprop import checkpoint, save
from chipsim.train.eprop.description import save_description
from chipsim.train.eprop.network import network_of
from chipsim.train.eprop.recipes import RECIPES
from chipsim.train.eprop.settings import Settings, Summary
from chipsim.train.eprop.training import (
    Training,
    evaluate,
    finished,
    iterate,
    start,
    test_trials,
    trained_weights,
)

Progress = Callable[[str], None]


def print_progress(line: str) -> None:
    """Print a line to stderr at once."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Job:
    """What to train and where to.

    ``out`` is the state dict (``.pt``); description, record and unfinished run are beside it.
    The run is kept every ``checkpoint_every`` iterations.  ``trace`` (``.npz``), if given, takes
    the inputs of the ``test_trials`` fresh trials that the network is measured on.
    """

    out: Path
    settings: Settings
    checkpoint_every: int
    test_trials: int = 512
    trace: Path | None = None
    resume: bool = False

    @property
    def unfinished(self) -> Path:
        """Checkpoint of the run itself, from which it can be resumed; gone when it is done."""
        return self.out.with_suffix(".unfinished.npz")


def train_eprop(job: Job, progress: Progress = print_progress) -> Summary:
    """Train a network with e-prop, write its files and return what it does.

    Writes ``job.out``, the training record (``.training.json``), the trace if one is asked for
    and, where descriptions have words for the network, the description (``.yaml``).  InputError
    for bad paths or settings, or if training diverges.
    """
    _check_suffix(job.out, ".pt")
    _check_suffix(job.trace, ".npz")
    training = start(job.settings)
    if job.resume:
        checkpoint.resume(job.unfinished, training, job.settings)
        done = len(training.records)
        progress(f"resumed after iteration {done} of {job.settings.iterations}")
    elif job.unfinished.exists():
        progress(f"{job.unfinished} of an earlier run will be replaced (--resume continues it)")
    seconds = _train(job, training, progress)
    summary = _finish(job, training, seconds, progress)
    job.unfinished.unlink(missing_ok=True)
    return summary


def _train(job: Job, training: Training, progress: Progress) -> float:
    """Train to the end, keeping the run at intervals; return the seconds it took."""
    began = time.perf_counter()
    first = len(training.records)
    while not finished(training, job.settings):
        iterate(training, job.settings)
        done = len(training.records)
        if done % job.checkpoint_every == 0 or finished(training, job.settings):
            checkpoint.write(job.unfinished, training, job.settings)
            each = (time.perf_counter() - began) / (done - first)
            progress(_line(job, training, each))
    return time.perf_counter() - began


def _line(job: Job, training: Training, seconds_each: float) -> str:
    """Return a line on the iterations since the last one."""
    task = RECIPES[job.settings.task].task
    done, wanted = len(training.records), job.settings.iterations
    last = training.records[-((done - 1) % job.checkpoint_every + 1) :]
    loss, score, rate = np.mean([(r.loss, r.score, r.rate) for r in last], axis=0)
    stage = f", stage {training.stage + 1} of {task.stages}" if job.settings.curriculum else ""
    return (
        f"iteration {done}/{wanted}: loss {loss:.4g}, {task.unit} {score:.4f}, {rate:.1f} Hz"
        f"{stage}, {1.0 / seconds_each:.1f}/s, {(wanted - done) * seconds_each:.0f} s left"
    )


def _finish(job: Job, training: Training, seconds: float, progress: Progress) -> Summary:
    settings = job.settings
    task = RECIPES[settings.task].task
    trials = list(test_trials(settings, job.test_trials))
    summary = evaluate(training, settings, trials)
    weights = trained_weights(training)
    save.save_weights(job.out, weights, settings.neurons)
    if job.trace is not None:
        save.save_trials(job.trace, trials, task)
    description = job.out.with_suffix(".yaml")
    steps = trials[0].steps
    save_description(description, network_of(weights, settings, steps), job.trace)
    save.save_record(
        job.out.with_suffix(".training.json"), _record(job, training, summary, seconds)
    )
    return summary


def _record(job: Job, training: Training, summary: Summary, seconds: float) -> dict[str, Any]:
    records = training.records
    return {
        "format": "chipsim-training-1",
        "rule": "eprop",
        "settings": save.plain(job.settings),
        "score": RECIPES[job.settings.task].task.unit,
        "iterations": {
            "stage": [record.stage for record in records],
            "loss": [_short(record.loss) for record in records],
            "score": [_short(record.score) for record in records],
            "rate_hz": [_short(record.rate) for record in records],
        },
        "result": asdict(summary) | {"last_50_mean_score": _last_mean(training, 50)},
        "seconds": seconds,
        "numpy": np.__version__,
    }


def _short(value: float) -> float:
    """Return six digits of a figure of which there are thousands."""
    return float(f"{value:.6g}")


def _last_mean(training: Training, count: int) -> float:
    return float(np.mean([record.score for record in training.records[-count:]]))


def _check_suffix(path: Path | None, suffix: str) -> None:
    if path is not None and path.suffix != suffix:
        raise InputError(f"{path}: must end in {suffix}; give for example {path.stem}{suffix}")
