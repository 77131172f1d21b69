"""What there is to do: files, overrides and choices; and how the files are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chipsim.chip import Chip
from chipsim.errors import InputError
from chipsim.faults.model import NO_FAULTS, Faults
from chipsim.load.chip_file import read_crossbar_chip
from chipsim.load.description import LoadedModel, read_model
from chipsim.load.traces import check_trace, first_samples, read_trace
from chipsim.network import PlasticityMode, Trace
from chipsim.results import Origin
from chipsim.simulate.tick.loop import MeshKind


class Progress(Protocol):
    """Told what is being done, so that long work can be watched."""

    def stage(self, name: str, total: int = 0, unit: str = "") -> Callable[[int], None]:
        """Begin a stage of ``total`` items; return the function that counts finished ones."""


class _Silent:
    def stage(self, name: str, total: int = 0, unit: str = "") -> Callable[[int], None]:
        return lambda count: None


SILENT: Progress = _Silent()
IN_MEMORY = Origin("in memory", "in memory", (), "in memory")


@dataclass(frozen=True)
class Choices:
    """How to map and simulate, apart from what.

    ``mesh_phases`` times only the first phases on the mesh (None: all).  ``threads`` and ``batch``
    change no result.  ``seed`` is that of every stochastic choice.  ``strict`` makes a phase that
    overruns, or a tick that misses its deadline, an error.  ``faults`` are those of the hardware.
    ``mesh`` ``"ideal"`` lets packets on a chip of processors arrive at once and gives cores all the
    time they need; ``learn`` refuses a kept mapping that does not learn.
    """

    plasticity: PlasticityMode = "running"
    placer: str = "hilbert"
    mesh_phases: int | None = None
    threads: int = 1
    batch: int = 25
    seed: int = 0
    strict: bool = False
    faults: Faults = NO_FAULTS
    mesh: MeshKind = "real"
    learn: bool = False


@dataclass(frozen=True)
class Job:
    """What to do: the files, the overrides and the choices.

    ``mapping`` names a kept mapping to run instead of making one (its plasticity mode and placer
    count, not those of ``choices``); ``limit`` takes the first samples of the trace only.
    """

    model: Path
    chip: str
    overrides: tuple[str, ...] = ()
    trace: Path | None = None
    mapping: Path | None = None
    limit: int | None = None
    choices: Choices = Choices()


def load(job: Job) -> tuple[LoadedModel, Chip, Trace]:
    """Read the model, the chip and the trace (the job's, or the one the model names)."""
    chip = read_crossbar_chip(job.chip, job.overrides)
    model, trace = load_network(job)
    return model, chip, trace


def load_network(job: Job) -> tuple[LoadedModel, Trace]:
    """Read the model and the trace, for whatever chip."""
    model = read_model(job.model)
    path = job.trace or model.trace
    if path is None:
        raise InputError(
            f"{job.model}: its description names no trace; give one with --trace FILE.npz "
            "(docs/traces.md)"
        )
    trace = read_trace(path)
    check_trace(trace, model.network)
    return model, trace if job.limit is None else first_samples(trace, job.limit)
