"""The way through chipsim, as one list of steps: the page to read first.

load -> quantise -> map (partition, place, route) -> simulate (cores, mesh) -> price -> report.
Each step is a function of the products before it; nothing is hidden between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from chipsim.chip import Chip
from chipsim.connectivity import Sparse
from chipsim.energy.price import Bill, price
from chipsim.errors import DoesNotFitError, InputError
from chipsim.faults.model import NO_FAULTS, Faults
from chipsim.faults.weights import flip_weights, stored_bits
from chipsim.learning_cost.cost import LOCAL, Method
from chipsim.learning_cost.forward import without_traces
from chipsim.load.chip_file import read_chip, read_crossbar_chip
from chipsim.load.description import LoadedModel, read_model
from chipsim.load.traces import check_trace, first_samples, read_trace
from chipsim.mapping.mapper import map_network
from chipsim.mapping.mapping_file import read_mapping
from chipsim.mapping.model import Mapping
from chipsim.mapping.processor import mapping_file as processor_mapping_file
from chipsim.mapping.processor.mapper import map_on_processors
from chipsim.mapping.processor.model import ProcessorMapping
from chipsim.network import Network, PlasticityMode, Trace
from chipsim.processor_chip import ProcessorChip
from chipsim.quantise.fixed import FixedNetwork
from chipsim.quantise.plasticity_mode import in_mode
from chipsim.quantise.processor.quantise import quantise_for_processor
from chipsim.quantise.quantise_network import quantise_network
from chipsim.results import Origin, Results
from chipsim.simulate.counters import Counters, actions_of, count
from chipsim.simulate.float_reference import run_float
from chipsim.simulate.functional import run_functional
from chipsim.simulate.memory import check_memory
from chipsim.simulate.tick.judgement import float_errors
from chipsim.simulate.tick.program import make_layout
from chipsim.simulate.tick.records import MISSES, OVER_MAX
from chipsim.simulate.tick.run import run_on_processors
from chipsim.simulate.tick.runner import MeshKind
from chipsim.simulate.traffic import phase_count, run_mesh
from chipsim.simulate.workload import timed_tasks
from chipsim.tick_results import TickResults, price_run


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


def run(job: Job, progress: Progress) -> Results | TickResults:
    """Do the whole job, from files, on the sort of chip it names.

    Raises
    ------
    InputError
        If a file or choice is wrong.
    DoesNotFitError
        If the network does not fit the chip, or misses a phase or tick under ``strict``.
    """
    progress.stage("load")
    processors = read_chip(job.chip, job.overrides)
    if isinstance(processors, ProcessorChip):
        return _run_on_processors(job, processors, progress)
    model, chip, trace = load(job)
    kept = read_mapping(job.mapping, model.network, chip) if job.mapping else None
    origin = Origin(str(job.model), job.chip, job.overrides, trace.name)
    return simulate(model.network, chip, trace, job.choices, progress, kept, origin, model.notes)


def _run_on_processors(job: Job, chip: ProcessorChip, progress: Progress) -> TickResults:
    model, trace = load_network(job)
    kept = None
    if job.mapping:
        kept = processor_mapping_file.read_mapping(job.mapping, model.network, chip)
    origin = Origin(str(job.model), job.chip, job.overrides, trace.name)
    return simulate_on_processors(
        model.network, chip, trace, job.choices, progress, kept, origin, model.notes
    )


def simulate_on_processors(
    network: Network,
    chip: ProcessorChip,
    trace: Trace,
    choices: Choices,
    progress: Progress = SILENT,
    kept: ProcessorMapping | None = None,
    origin: Origin = IN_MEMORY,
    notes: tuple[str, ...] = (),
) -> TickResults:
    """Map ``network`` onto processors (or take the ``kept`` mapping), run ``trace``, price it.

    Function and mesh advance together, tick by tick.  Raises what `run` raises.
    """
    mode = kept.plasticity if kept else choices.plasticity
    if choices.faults != NO_FAULTS:
        raise InputError("--fault: faults of processors are not simulated; leave it out")
    if choices.learn and mode != "running":
        raise InputError(
            f"--learn: the mapping is one with plasticity {mode}; "
            "make one that learns by `chipsim map --plasticity running`"
        )
    given = network
    fixed_synapses = tuple(replace(p, stdp=None) for p in network.projections)
    still = replace(network, learning=None, projections=fixed_synapses)
    network = network if mode == "running" else still
    progress.stage("map")
    placer = "sequential" if choices.placer == Choices.placer else choices.placer
    mapping = kept or map_on_processors(network, chip, mode, placer)
    progress.stage("quantise")
    fixed = quantise_for_processor(network, chip, mapping.offsets, choices.seed)
    layout = make_layout(chip, mapping, fixed)
    advance = progress.stage("simulate", trace.samples, "samples")
    activity = run_on_processors(
        fixed, layout, trace,
        mesh=choices.mesh, threads=choices.threads, advance=advance, judge=given,
    )  # fmt: skip
    reference = errors = None
    # The float network knows no lists of synapses.
    if not any(isinstance(p.connectivity, Sparse) for p in network.projections):
        progress.stage("float reference")
        reference = run_float(still, trace, choices.threads)
        errors = float_errors(given, trace, reference) if activity.error is not None else None
    missed = int(activity.counts[:, MISSES].sum())
    if choices.strict and missed:
        raise DoesNotFitError(
            f"{missed} ticks of cores missed their deadline of {chip.tick_cycles} cycles, by up to "
            f"{int(activity.counts[:, OVER_MAX].max())} (--strict); a longer tick or fewer neurons "
            "a core (core.max_neurons) gives them time"
        )
    return TickResults(
        origin=origin,
        chip=chip,
        network=network,
        fixed=fixed,
        mapping=mapping,
        labels=trace.labels,
        activity=activity,
        task=given.learning.task if given.learning and activity.error is not None else None,
        reference=reference,
        reference_error=errors,
        bill=price_run(chip, mapping, activity),
        notes=notes + chip.cautions,
    )


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
    sound, faults = fixed, choices.faults
    fixed, flips = flip_weights(sound, faults.weight_flip, choices.seed)
    progress.stage("map")
    mapping = kept or map_network(network, chip, mode, choices.placer)
    check_memory(fixed, mapping, trace)
    advance = progress.stage("simulate cores", trace.samples, "samples")
    activity = run_functional(
        fixed, mapping, trace,
        threads=choices.threads, batch=choices.batch, seed=choices.seed, faults=faults,
        advance=advance,
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
        notes=notes + chip.mesh.cautions + _what_was_wrong(faults, sound, flips),
    )


def _what_was_wrong(faults: Faults, sound: FixedNetwork, flips: int) -> tuple[str, ...]:
    """Say which faults a run had."""
    notes = []
    if faults.weight_flip:
        notes.append(
            f"fault: {flips:,} of {stored_bits(sound):,} stored bits of the weights are flipped "
            f"(weight_flip={faults.weight_flip:g})"
        )
    if faults.state_flip:
        notes.append(f"fault: bits of membranes and traces flip (state_flip={faults.state_flip:g})")
    if faults.packet_drop:
        notes.append(
            f"fault: packets get lost at the cores they are sent to (packet_drop="
            f"{faults.packet_drop:g}); traffic counts them as delivered"
        )
    return tuple(notes)


def simulate_learning(
    method: Method,
    network: Network,
    chip: Chip,
    trace: Trace,
    choices: Choices,
    progress: Progress = SILENT,
    origin: Origin = IN_MEMORY,
    notes: tuple[str, ...] = (),
) -> Results:
    """Run the forward pass that ``method`` learns by, all on the slices of the plastic network.

    `chipsim.learning_cost.cost.learning_cost` says what learning adds.  Raises what `run` raises.
    """
    choices = replace(choices, plasticity="running")
    if method in LOCAL:
        return simulate(network, chip, trace, choices, progress, None, origin, notes)
    plastic = map_network(network, chip, "running", choices.placer)
    kept = without_traces(plastic, in_mode(network, "off"), chip)
    return simulate(network, chip, trace, choices, progress, kept, origin, notes)


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


def bill_for(chip: Chip, mapping: Mapping, counters: Counters) -> Bill:
    """Price a run's counters."""
    layers = {mapping.placement[part.index]: part.population for part in mapping.slices}
    seconds = counters.total_cycles / chip.clock_hz
    return price(chip, actions_of(chip), counters.by_core, layers, seconds)
