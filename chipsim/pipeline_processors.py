"""The way through chipsim on a chip of processors, where function and mesh are one loop.

map -> quantise -> simulate (tick by tick) -> price.
"""

from __future__ import annotations

from dataclasses import replace

from chipsim.connectivity import Sparse
from chipsim.errors import DoesNotFitError, InputError
from chipsim.faults.model import NO_FAULTS
from chipsim.job import IN_MEMORY, SILENT, Choices, Progress
from chipsim.mapping.processor.mapper import map_on_processors
from chipsim.mapping.processor.model import ProcessorMapping
from chipsim.network import Network, Trace
from chipsim.processor_chip import ProcessorChip
from chipsim.quantise.processor.quantise import quantise_for_processor
from chipsim.results import Origin
from chipsim.simulate.float_reference import run_float
from chipsim.simulate.tick.judgement import float_errors
from chipsim.simulate.tick.program import make_layout
from chipsim.simulate.tick.records import MISSES, OVER_MAX
from chipsim.simulate.tick.run import run_on_processors
from chipsim.tick_results import TickResults, price_run


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

    Function and mesh advance together, tick by tick.  Raises what `chipsim.pipeline.run` raises.
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
