"""The way through chipsim, as one list of steps: the page to read first.

load -> quantise -> map (partition, place, route) -> simulate (cores, mesh) -> price -> report.
Each step is a function of the products before it; nothing is hidden between them.
"""

from __future__ import annotations

from dataclasses import replace

from chipsim.chip import Chip
from chipsim.energy.price import Bill, price
from chipsim.errors import DoesNotFitError, InputError
from chipsim.faults.model import Faults
from chipsim.faults.weights import flip_weights, stored_bits
from chipsim.job import IN_MEMORY, SILENT, Choices, Job, Progress, load, load_network
from chipsim.learning_cost.cost import LOCAL, Method
from chipsim.learning_cost.forward import without_traces
from chipsim.load.chip_file import read_chip
from chipsim.mapping.mapper import map_network
from chipsim.mapping.mapping_file import read_mapping
from chipsim.mapping.model import Mapping
from chipsim.mapping.processor import mapping_file as processor_mapping_file
from chipsim.network import Network, Trace
from chipsim.pipeline_processors import simulate_on_processors
from chipsim.processor_chip import ProcessorChip
from chipsim.quantise.fixed import FixedNetwork
from chipsim.quantise.plasticity_mode import in_mode
from chipsim.quantise.quantise_network import quantise_network
from chipsim.results import Origin, Results
from chipsim.simulate.counters import Counters, actions_of, count
from chipsim.simulate.float_reference import run_float
from chipsim.simulate.functional import run_functional
from chipsim.simulate.memory import check_memory
from chipsim.simulate.traffic import phase_count, run_mesh
from chipsim.simulate.workload import timed_tasks
from chipsim.tick_results import TickResults


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


def bill_for(chip: Chip, mapping: Mapping, counters: Counters) -> Bill:
    """Price a run's counters."""
    layers = {mapping.placement[part.index]: part.population for part in mapping.slices}
    seconds = counters.total_cycles / chip.clock_hz
    return price(chip, actions_of(chip), counters.by_core, layers, seconds)
