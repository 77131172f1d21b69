"""The pure function of a network on processors: packets arrive at once, cores have all the time.

Plain composition of the pieces a core runs: in each tick the timer task of every population, then
the rows of what fired, then the errors.  What a machine computes that is never late.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.processor.eprop import arrive, forget, learn, read_out, receive
from chipsim.kernels.processor.layout import (
    LAYER,
    LEVELS,
    READOUT,
    STDP_CORE,
    Fanout,
    Learning,
    Plastic,
    Program,
    Records,
    SpikePairs,
    Stdp,
    Traces,
    learning_cores,
    new_plastic,
    spike_pairs,
)
from chipsim.kernels.processor.neurons import add_row, rest, update_neurons
from chipsim.kernels.processor.stdp import forget_spikes, note_post, release, stdp_row
from chipsim.kernels.processor.update import fetch, next_batch, update, update_feedback


class Samples(NamedTuple):
    """Input spikes of S samples of T steps, and what the readout should say.

    Those of sample s, step t are ``neuron[first[s, t] : first[s, t + 1]]``, numbered through all
    populations.  ``target (S, T, outputs)`` in s16.15 counts where ``asked (S, T)``.
    """

    first: NDArray[np.int64]
    neuron: NDArray[np.uint32]
    target: NDArray[np.int32]
    asked: NDArray[np.uint8]


class Tutors(NamedTuple):
    """All that learns: e-prop with its synapses, traces and a core a learner; STDP likewise.

    A rule's rows are numbered as its projection's are in ``Fanout.starts``; ``rewards`` by rule
    wait for the next tick.
    """

    learning: Learning
    plastic: Plastic
    traces: Traces
    cores: Records
    stdp: Stdp
    pairs: SpikePairs
    stdp_cores: Records
    rewards: NDArray[np.int64]


class Lesson(NamedTuple):
    """How the run learns: an update after every ``batch`` samples by the next of ``rates``.

    ``learns`` 0 leaves all weights alone.  With ``batch`` 0 they move at every step.
    """

    learns: int
    batch: int
    rates: NDArray[np.int64]


class Outcome(NamedTuple):
    """What a run leaves, by sample.

    ``counts (S, neurons)`` of spikes, ``output (S, T, outputs)`` is y where something learns,
    ``potential (S, neurons)`` the final membranes.  ``raster (S, T, neurons)`` is filled if it has
    room, and may be (0, 0, 0).
    """

    counts: NDArray[np.int64]
    output: NDArray[np.int32]
    potential: NDArray[np.int32]
    raster: NDArray[np.uint8]


def new_tutors(
    program: Program, fanout: Fanout, learning: Learning, feedback: NDArray[np.int32], stdp: Stdp
) -> Tutors:
    """Return the tutors of a network that has learnt nothing, with one core for each learner."""
    slots, neurons = (int(program.formats[0][name]) for name in ("slots", "neurons"))
    slices = [(k, int(x["first"]), int(x["size"])) for k, x in enumerate(learning.learners)]
    cores, traces = learning_cores(learning, slots, slices)
    stdp_cores = np.zeros(len(stdp.rules), STDP_CORE)
    stdp_cores["rule"] = np.arange(len(stdp.rules))
    stdp_cores["dopamine"] = stdp_cores["rule"] * LEVELS
    return Tutors(
        learning=learning,
        plastic=new_plastic(learning, feedback),
        traces=traces,
        cores=cores,
        stdp=stdp,
        pairs=spike_pairs(
            len(fanout.starts), neurons * len(stdp.rules), len(program.weight), len(stdp_cores)
        ),
        stdp_cores=stdp_cores,
        rewards=np.zeros(len(stdp.rules), np.int64),
    )


@inlined
def _spikes_of_input(samples: Any, s: int, t: int, population: Any, fired: Any) -> int:
    n = 0
    for k in range(samples.first[s, t], samples.first[s, t + 1]):
        neuron = samples.neuron[k]
        if population.first <= neuron < population.first + population.size:
            fired[n] = neuron
            n += 1
    return n


@inlined
def _row(
    program: Any, state: Any, tutors: Any, projection: Any, i: int, low: int, high: int, tick: int
) -> None:
    """Let a row's weights learn before its synapses are added."""
    learning, stdp = tutors.learning, tutors.stdp
    if projection.learner >= 0:
        core, column = tutors.cores[projection.learner], projection.column + i
        if learning.constants[0].continuous != 0:
            fetch(program, state, learning, tutors.plastic, core, column)
        arrive(program, learning, tutors.traces, core, tick, projection.delay, column)
    if projection.stdp >= 0:
        core, row = tutors.stdp_cores[projection.stdp], projection.starts + i
        stdp_row(program, state, stdp, tutors.pairs, core, row, low, high, tick)


@inlined
def _deliver(
    program: Any, state: Any, fanout: Any, tutors: Any, learns: int, tick: int, now: int, p: int,
    fired: Any, n: Any,
) -> None:  # fmt: skip
    """Process the rows that are due in ``tick``, the sample's tick ``now``, of population ``p``.

    That is what it fired in the same tick, or before where a projection's rows come later.
    """
    for q in range(fanout.by_source[p], fanout.by_source[p + 1]):
        projection = fanout.projections[q]
        then = (now - projection.later) % len(n)
        for k in range(n[then, p] if now >= projection.later else 0):
            i = np.int64(fired[then, p, k]) - program.populations[p].first
            at = projection.starts + i
            low = projection.first + fanout.starts[at]
            high = projection.first + fanout.starts[at + 1]
            if learns != 0:
                _row(program, state, tutors, projection, i, low, high, tick)
            add_row(program, state, tick, low, high, projection.signed != 0)


@inlined
def _note(tutors: Any, p: int, tick: int, fired: Any, n: int) -> None:
    """Tell the STDP rules what population ``p`` fired: as their target, or as their reward."""
    for r in range(len(tutors.stdp.rules)):
        rule = tutors.stdp.rules[r]
        for k in range(n):
            if rule.target == p:
                note_post(tutors.stdp, tutors.pairs, r, np.int64(fired[k]), tick)
            if rule.rewarded != 0 and rule.reward == fired[k]:
                tutors.rewards[r] += 1


@inlined
def _timer(
    program: Any, state: Any, samples: Any, s: int, t: int, p: int, tick: int, fired: Any
) -> int:
    population = program.populations[p]
    if population.source != 0:
        return _spikes_of_input(samples, s, t, population, fired)
    first, size = population.first, population.size
    return update_neurons(program, state, p, first, size, tick, fired, 0)


@inlined
def _record(outcome: Any, s: int, t: int, fired: Any, n: int) -> None:
    for k in range(n):
        outcome.counts[s, fired[k]] += 1
        if len(outcome.raster) > 0:
            outcome.raster[s, t, fired[k]] = 1


@inlined
def _learn(
    program: Any, state: Any, tutors: Any, learns: int, tick: int, p: int, target: Any,
    asked: bool, output: Any,
) -> int:  # fmt: skip
    """Do the learning step of population ``p``, if any; return how many errors to send."""
    signals = 0
    learning, plastic, traces = tutors.learning, tutors.plastic, tutors.traces
    for number in range(len(learning.learners)):
        if learning.learners[number].population == p:
            core = tutors.cores[number]
            if learns != 0:
                signals = learn(
                    program, state, learning, plastic, traces, core, tick, target, asked
                )
            elif number == READOUT:
                read_out(program, state, learning, plastic, core, tick)
            if number == READOUT:
                for k in range(len(output)):
                    output[k] = plastic.output[k]
    return signals


@inlined
def _begin(tutors: Any, tick: int) -> None:
    """Begin a tick on all cores with reward: what came in the last one acts."""
    for r in range(len(tutors.stdp.rules)):
        if tutors.stdp.rules[r].rewarded != 0:
            core = tutors.stdp_cores[r]
            release(tutors.stdp, tutors.pairs, core, tutors.rewards[r], tick)
            tutors.rewards[r] = 0


@inlined
def _sample(
    program: Any, state: Any, fanout: Any, tutors: Any, samples: Any, learns: int, s: int,
    tick0: int, ticks: int, outcome: Any, fired: Any, n: Any,
) -> None:  # fmt: skip
    populations, steps = len(program.populations), samples.asked.shape[1]
    rest(state)
    forget(tutors.plastic, tutors.traces)
    forget_spikes(tutors.pairs)
    for now in range(ticks):
        tick, signals, at = tick0 + now, 0, now % len(n)
        _begin(tutors, tick)
        for p in range(populations):
            t = now - fanout.offset[p]
            n[at, p] = 0
            if 0 <= t < steps:
                n[at, p] = _timer(program, state, samples, s, t, p, tick, fired[at, p])
                _record(outcome, s, t, fired[at, p], n[at, p])
                if learns != 0:
                    _note(tutors, p, tick, fired[at, p], n[at, p])
                signals += _learn(
                    program, state, tutors, learns, tick, p, samples.target[s, t],
                    samples.asked[s, t] != 0, outcome.output[s, t],
                )  # fmt: skip
        for p in range(populations):
            _deliver(program, state, fanout, tutors, learns, tick, now, p, fired, n)
        for k in range(signals):
            receive(tutors.traces, tutors.cores[LAYER], k, tutors.plastic.error[k])


@inlined
def _update(program: Any, state: Any, tutors: Any, tick: int, rate: int) -> None:
    learning, plastic = tutors.learning, tutors.plastic
    for number in range(len(tutors.cores)):
        update(program, state, learning, plastic, tutors.cores[number], tick, rate)
    update_feedback(program, state, learning, plastic)
    next_batch(plastic)


@compiled
def run_ideal(
    program: Any, state: Any, fanout: Any, tutors: Any, samples: Any, lesson: Any, tick0: int,
    outcome: Any,
) -> int:  # fmt: skip
    """Run samples from tick ``tick0`` on, each from rest; return the tick after the last."""
    widest = 0
    for p in range(len(program.populations)):
        widest = max(widest, program.populations[p].size)
    remembered = 1
    for q in range(len(fanout.projections)):
        remembered = max(remembered, fanout.projections[q].later + 1)
    fired = np.zeros((remembered, len(program.populations), widest + 1), np.uint32)
    n = np.zeros((remembered, len(program.populations)), np.int64)
    ticks = samples.asked.shape[1] + fanout.offset.max()
    updates = 0
    for s in range(samples.asked.shape[0]):
        _sample(
            program, state, fanout, tutors, samples, lesson.learns, s, tick0, ticks, outcome,
            fired, n,
        )  # fmt: skip
        outcome.potential[s] = state.v
        tick0 += ticks
        learnt = lesson.learns != 0 and len(tutors.cores) > 0 and lesson.batch > 0
        if learnt and (s + 1) % lesson.batch == 0:
            _update(program, state, tutors, tick0, lesson.rates[updates])
            updates += 1
    return tick0
