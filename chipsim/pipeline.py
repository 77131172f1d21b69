"""The way through chipsim, as one list of steps: the page to read first.

load -> quantise -> map (partition, place, route) -> simulate (cores, mesh) -> price -> report.
Each step is a function of the products before it; nothing is hidden between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chipsim.chip import Chip
from chipsim.energy.price import Bill, price
from chipsim.errors import DoesNotFitError, InputError
from chipsim.load.chip_file import read_chip
from chipsim.load.description import LoadedModel, read_model
from chipsim.load.traces import check_trace, first_samples, read_trace
from chipsim.mapping.mapper import map_network
from chipsim.mapping.mapping_file import read_mapping
from chipsim.mapping.model import Mapping
from chipsim.network import Network, PlasticityMode, Trace
from chipsim.quantise.plasticity_mode import in_mode
from chipsim.quantise.quantise_network import quantise_network
from chipsim.results import Origin, Results
from chipsim.simulate.counters import ACTIONS, Counters, count
from chipsim.simulate.float_reference import run_float
from chipsim.simulate.functional import run_functional
from chipsim.simulate.memory import check_memory
from chipsim.simulate.traffic import phase_count, run_mesh
from chipsim.simulate.workload import timed_tasks


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
    overruns an error.
    """

    plasticity: PlasticityMode = "running"
    placer: str = "hilbert"
    mesh_phases: int | None = None
    threads: int = 1
    batch: int = 25
    seed: int = 0
    strict: bool = False


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


def run(job: Job, progress: Progress) -> Results:
    """Do the whole job, from files.

    Raises
    ------
    InputError
        If a file or choice is wrong.
    DoesNotFitError
        If the network does not fit the chip, or misses a phase under ``strict``.
    """
    progress.stage("load")
    model, chip, trace = load(job)
    kept = read_mapping(job.mapping, model.network, chip) if job.mapping else None
    origin = Origin(str(job.model), job.chip, job.overrides, trace.name)
    return simulate(model.network, chip, trace, job.choices, progress, kept, origin, model.notes)


def simulate(
    network: Network,
    chip: Chip,
    trace: Trace,
    choices: Choices,
    progress: Progress = SILENT,
    kept: Mapping | None = None,
    origin: Origin = IN_MEMORY,
    notes: tuple[str, ...] = (),
) -> Results:
    """Map ``network`` onto ``chip`` (or take the ``kept`` mapping), run ``trace``, price it.

    Raises what `run` raises.
    """
    if not 0 <= choices.seed < 2**63:
        raise InputError(f"seed {choices.seed} given; 0 to 2**63 - 1 is allowed")
    mode = kept.plasticity if kept else choices.plasticity
    progress.stage("quantise")
    network = in_mode(network, mode)
    fixed = quantise_network(network, chip.core.arithmetic, seed=choices.seed)
    progress.stage("map")
    mapping = kept or map_network(network, chip, mode, choices.placer)
    check_memory(fixed, mapping, trace)
    advance = progress.stage("simulate cores", trace.samples, "samples")
    activity = run_functional(
        fixed, mapping, trace,
        threads=choices.threads, batch=choices.batch, seed=choices.seed, advance=advance,
    )  # fmt: skip
    progress.stage("float reference")
    reference = run_float(network, trace, choices.threads)
    tasks = timed_tasks(network, chip, mapping, activity)
    phases = phase_count(mapping, trace.samples * network.steps)
    simulated = min(phases, choices.mesh_phases or phases)
    advance = progress.stage("simulate mesh", simulated, "phases")
    mesh = run_mesh(
        fixed, chip, mapping, activity, tasks,
        limit=simulated, threads=choices.threads, advance=advance,
    )  # fmt: skip
    progress.stage("price")
    counters = count(fixed, chip, mapping, activity, tasks, mesh)
    if choices.strict and counters.overruns:
        raise DoesNotFitError(
            f"{counters.overruns} of {mesh.simulated} phases overran their {chip.phase.cycles} "
            "cycles (--strict); lengthen phase.cycles or use phase.mode=adaptive"
        )
    return Results(
        origin=origin,
        chip=chip,
        network=network,
        fixed=fixed,
        mapping=mapping,
        labels=trace.labels,
        activity=activity,
        reference=reference,
        tasks=tasks,
        mesh=mesh,
        counters=counters,
        bill=bill_for(chip, mapping, counters),
        notes=notes + chip.mesh.cautions,
    )


def load(job: Job) -> tuple[LoadedModel, Chip, Trace]:
    """Read the model, the chip and the trace (the job's, or the one the model names)."""
    chip = read_chip(job.chip, job.overrides)
    model = read_model(job.model)
    path = job.trace or model.trace
    if path is None:
        raise InputError(
            f"{job.model}: its description names no trace; give one with --trace FILE.npz "
            "(docs/traces.md)"
        )
    trace = read_trace(path)
    check_trace(trace, model.network)
    return model, chip, trace if job.limit is None else first_samples(trace, job.limit)


def bill_for(chip: Chip, mapping: Mapping, counters: Counters) -> Bill:
    """Price a run's counters."""
    layers = {mapping.placement[part.index]: part.population for part in mapping.slices}
    seconds = counters.total_cycles / chip.clock_hz
    return price(chip, ACTIONS, counters.by_core, layers, seconds)
