"""What the chip computes: every step of every sample in the chip's own integers.

On a chip whose phases end at a barrier the mesh cannot change a result, so this runs ahead of the
mesh (`chipsim.simulate.traffic`), which only times what happened here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.faults.model import NO_FAULTS, Faults
from chipsim.kernels import crossbar, layout
from chipsim.mapping.model import Mapping
from chipsim.network import Trace
from chipsim.quantise.fixed import FixedInput, FixedNetwork
from chipsim.quantise.formats import round_to_integer
from chipsim.simulate.program import compile_program
from chipsim.simulate.program_rows import Run, fresh_memory, ordered_runs, state_at_rest
from chipsim.simulate.samples import SAMPLES_PER_CALL, Answers, in_chunks


@dataclass(frozen=True)
class Activity:
    """What happened on the cores, sample by sample and step by step.

    ``values (samples, steps or 1, inputs)`` are the integers that came in; ``active`` and
    ``learning`` ``(samples, steps, runs)`` count the axons of each run (order of ``runs``) that
    had input, and that changed traces, ``decays`` the decays of an axon's traces that were put off
    and made up for (None where all decay each step); ``saturated`` counts overflowing membrane
    updates by population, ``clamped`` trace updates that met the clamp, by plastic projection, and
    ``ended`` sent membranes that were beyond their maximum, by the population that sent them.
    """

    answers: Answers
    runs: tuple[Run, ...]
    values: NDArray[np.int32]
    active: NDArray[np.uint16]
    learning: NDArray[np.uint16]
    saturated: dict[str, int]
    clamped: dict[str, int]
    ended: dict[str, int]
    decays: NDArray[np.uint32] | None = None


def integer_values(inputs: tuple[FixedInput, ...], trace: Trace) -> NDArray[np.int32]:
    """Convert a trace to the chip's input integers, shape ``(samples, steps or 1, inputs)``.

    The trace's columns are the input populations side by side, in file order.
    """
    values = trace.values if trace.held is None else trace.values[:, None, :]
    integers = np.zeros(values.shape, np.int32)
    first = 0
    for population in inputs:
        columns = slice(first, first + population.size)
        integers[..., columns] = _to_integers(values[..., columns], trace.scale, population)
        first += population.size
    return integers


def _to_integers(
    values: NDArray[np.generic], scale: float, population: FixedInput
) -> NDArray[np.int64]:
    if population.kind == "spikes":
        return np.asarray(values != 0, np.int64)
    scaled = values.astype(np.float64) * (scale / population.lsb)
    integers: NDArray[np.int64] = round_to_integer(scaled, "nearest")
    return np.asarray(np.clip(integers, 0, population.maximum), np.int64)


def run_functional(
    fixed: FixedNetwork,
    mapping: Mapping,
    trace: Trace,
    *,
    threads: int = 1,
    batch: int = SAMPLES_PER_CALL,
    seed: int = 0,
    faults: Faults = NO_FAULTS,
    advance: Callable[[int], None] | None = None,
) -> Activity:
    """Run every sample of ``trace`` on the mapped network.

    The result does not depend on ``threads`` or ``batch``; ``seed`` is that of stochastic rounding
    and of ``faults`` (of packets and state: weights come with theirs).
    Where a trace is carried from sample to sample, they run one after the other on one thread.
    """
    runs = ordered_runs(fixed, mapping)
    values = integer_values(fixed.inputs, trace)
    program = compile_program(fixed, mapping, seed, faults, held=values.shape[1] == 1)
    samples, steps = trace.samples, fixed.steps
    rules = [p for pop in fixed.populations for p in fixed.incoming(pop.name) if p.plasticity]
    carried = any(p.plasticity.carried for p in rules if p.plasticity)
    lazy = fixed.arithmetic.trace_decay == "lazy"
    lasting = fresh_memory(fixed, mapping, program)
    whole = layout.Outcome(
        spikes=np.zeros((samples, steps, sum(p.size for p in fixed.populations)), np.uint8),
        active=np.zeros((samples, steps, len(runs)), np.uint16),
        learning=np.zeros((samples, steps, len(runs)), np.uint16),
        decays=np.zeros((samples, steps, len(runs) if lazy else 0), np.uint32),
        potential=np.zeros((samples, fixed.population(fixed.readout).size), np.int64),
        saturated=np.zeros((samples, len(fixed.populations)), np.int64),
        clamped=np.zeros((samples, max(1, len(rules))), np.int64),
        ended=np.zeros((samples, len(fixed.populations)), np.int64),
    )

    def run(first: int, last: int) -> None:
        part = layout.Outcome(
            spikes=whole.spikes[first:last],
            active=whole.active[first:last],
            learning=whole.learning[first:last],
            decays=whole.decays[first:last],
            potential=whole.potential[first:last],
            # Each call counts into a row of its own: no two threads share a counter.
            saturated=whole.saturated[first],
            clamped=whole.clamped[first],
            ended=whole.ended[first],
        )
        memory = lasting if carried else fresh_memory(fixed, mapping, program)
        state = state_at_rest(program, memory)
        crossbar.run_samples(program, values[first:last], first, state, part)

    in_chunks(run, samples, 1 if carried else threads, batch, advance)
    answers = Answers(
        tuple(p.name for p in fixed.populations),
        tuple(p.size for p in fixed.populations),
        whole.spikes,
        whole.potential.astype(np.float64),
    )
    overflows, clamps = whole.saturated.sum(axis=0), whole.clamped.sum(axis=0)
    ended = whole.ended.sum(axis=0)
    return Activity(
        answers=answers,
        runs=runs,
        values=values,
        active=whole.active,
        learning=whole.learning,
        saturated={p.name: int(overflows[i]) for i, p in enumerate(fixed.populations)},
        clamped={p.name: int(clamps[i]) for i, p in enumerate(rules)},
        ended={p.name: int(ended[i]) for i, p in enumerate(fixed.populations) if p.sent_membrane},
        decays=whole.decays if lazy else None,
    )
