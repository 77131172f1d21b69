"""Crossbar cores in integer arithmetic, over all slices of a chip and all steps of a sample.

One call runs many samples.  Everything is a plain array, laid out as `chipsim.kernels.layout`
says.  ``tests/naive.py`` holds the plain twin: the same integers, one synapse at a time.
Learning is in `chipsim.kernels.plasticity`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.integers import add32, limit, mul32, round_shift, stream
from chipsim.kernels.layout import SUBTRACT, ZERO, Axons, State
from chipsim.kernels.plasticity import learn

FULL_RISE = 2**31 - 1
"""Where the state of an adaptive threshold saturates."""

LEAK, GAIN, ADAPT = 1, 2, 8
"""What a rounding is for (`chipsim.kernels.plasticity` has more): part of its noise's key."""


@inlined
def _add_rows(total: Any, table: Any, rows: Any, axons: Any, first: int, last: int) -> None:
    """``total += value[k] * row`` for the listed axons ``first <= k < last``.

    ``rows`` is the place of the row of axon ``pre``, the row length and ``pre``.  In 32 bit; the
    mapper guarantees that no sum overflows.  Four rows a pass save three of four loads and stores
    of the sums; unsigned places spare the test for a negative index.
    """
    index, value, _ = axons
    base, stride, pre = rows
    width = np.uint64(stride)
    k = first
    while k + 4 <= last:
        p0 = np.uint64(base + (index[k] - pre) * stride)
        p1 = np.uint64(base + (index[k + 1] - pre) * stride)
        p2 = np.uint64(base + (index[k + 2] - pre) * stride)
        p3 = np.uint64(base + (index[k + 3] - pre) * stride)
        x0, x1, x2, x3 = value[k], value[k + 1], value[k + 2], value[k + 3]
        for j in range(width):
            low = add32(mul32(np.int32(table[p0 + j]), x0), mul32(np.int32(table[p1 + j]), x1))
            high = add32(mul32(np.int32(table[p2 + j]), x2), mul32(np.int32(table[p3 + j]), x3))
            total[j] = add32(total[j], add32(low, high))
        k += 4
    while k < last:
        p0, x0 = np.uint64(base + (index[k] - pre) * stride), value[k]
        for j in range(width):
            total[j] = add32(total[j], mul32(np.int32(table[p0 + j]), x0))
        k += 1


@inlined
def _list_axons(program: Any, j: int, t: int, slots: int, state: Any) -> None:
    """List the axons of projection ``j`` that have input at step ``t``, and the live ones."""
    projection = program.projections[j]
    index, value, place = state.active
    plastic_index, plastic_value, plastic_place = state.plastic
    live, activity = state.live, state.activity[(t - projection.delay) % slots]
    source, first = projection.source, projection.first
    hits = lives = first
    for i in range(projection.size):
        place[first + j + i] = hits
        plastic_place[first + j + i] = lives
        x = activity[source + i]
        if x != 0:
            index[hits], value[hits] = i, x
            hits += 1
            if live[first + i]:
                plastic_index[lives], plastic_value[lives] = i, x
                lives += 1
    place[first + j + projection.size] = hits
    plastic_place[first + j + projection.size] = lives


@inlined
def _add_run(
    sums: Any, start: int, part: Any, rows: Any, table: Any, axons: Any, at: Any, buffer: Any
) -> Any:
    """Add the axons listed between the places ``at`` to the sums; return how many they are."""
    first, last = axons.place[at[0]], axons.place[at[1]]
    buffer[: part.stride] = 0
    _add_rows(buffer, table, rows, axons, first, last)
    for n in range(part.count):
        sums[start + part.first + n] += buffer[n]
    return last - first


@inlined
def _integrate(program: Any, s: int, state: Any, active: Any) -> None:
    """Add the input of slice ``s`` to the sums of its channels."""
    part = program.slices[s]
    sums, buffer, channels, runs = state.sums, state.buffer, program.channels, program.runs
    for r in range(part.runs, part.runs_end):
        run = runs[r]
        begin = program.projections[run.projection].first + run.projection + run.pre
        at = (begin, begin + run.count)
        start = channels[run.channel].first
        rows = (run.weight, part.stride, run.pre)
        active[r] = _add_run(sums, start, part, rows, program.weights, state.active, at, buffer)
        if run.trace >= 0:
            start = channels[run.trace_channel].first
            rows = (run.trace, part.stride, run.pre)
            _add_run(sums, start, part, rows, state.trace, state.plastic, at, buffer)


@inlined
def _currents(program: Any, p: int, sample: int, t: int, state: Any) -> None:
    """Turn the sums of population ``p`` into membrane currents, bias included."""
    population, f = program.populations[p], program.formats[0]
    first, current, sums = population.first, state.current, state.sums
    for j in range(population.size):
        current[j] = program.bias[first + j]
    for c in range(population.channels, population.channels_end):
        channel, factor = program.channels[c], program.factor[c, t]
        noise = stream(f.seed, sample, t, GAIN, c)
        for j in range(population.size):
            total = limit(sums[channel.first + j], f.accumulator_bits, f.wrap)
            current[j] += round_shift(total * factor, channel.shift, f.rounding, noise, j)


@inlined
def _fire(program: Any, p: int, sample: int, t: int, state: Any) -> int:
    """Leak, add current and fire, for all neurons of population ``p``; return the overflows."""
    population, f = program.populations[p], program.formats[0]
    current, u, spikes = state.current, state.u, state.spikes
    subtract, threshold = population.reset == SUBTRACT, population.threshold
    risen, waiting, strength = state.risen, state.waiting, program.adaptation
    noise = stream(f.seed, sample, t, LEAK, p)
    slow_noise = stream(f.seed, sample, t, ADAPT, p)
    overflows = 0
    for j in range(population.size):
        n = population.first + j
        v, fired = u[n], spikes[n] != 0
        if fired and population.reset == ZERO:
            v = np.int64(0)
        if fired and subtract and population.before_leak:
            v -= threshold
        v = round_shift(v * population.decay, f.decay_bits, f.rounding, noise, j)
        if fired and subtract and not population.before_leak:
            v -= threshold
        v += current[j]
        limited = limit(v, f.membrane_bits, f.wrap)
        overflows += limited != v
        u[n] = limited
        slow = risen[n] * population.adaptation_decay
        slow = round_shift(slow, population.adaptation_decay_bits, f.rounding, slow_noise, j)
        risen[n] = min(slow + strength[n], FULL_RISE) if fired else slow
        level = threshold + (risen[n] >> population.adaptation_fraction)
        waiting[n] = max(waiting[n] - 1, 0)
        reached = limited > level or (population.fires_at != 0 and limited == level)
        spikes[n] = reached and waiting[n] == 0
        if spikes[n] != 0:
            waiting[n] = population.refractory
    return overflows


@inlined
def _step(program: Any, p: int, sample: int, n: int, t: int, state: Any, outcome: Any) -> None:
    """Integrate, fire and learn: population ``p`` at step ``t``."""
    population, f = program.populations[p], program.formats[0]
    sums, activity, spikes = state.sums, state.activity, state.spikes
    for j in range(population.projections, population.projections_end):
        _list_axons(program, j, t, f.slots, state)
    for c in range(population.channels, population.channels_end):
        start = program.channels[c].first
        sums[start : start + population.size] = 0
    active = outcome.active[n, t]
    for s in range(population.slices, population.slices_end):
        _integrate(program, s, state, active)
    _currents(program, p, sample, t, state)
    outcome.saturated[p] += _fire(program, p, sample, t, state)
    if population.rules < population.rules_end:
        learn(program, p, sample, t, state, outcome.learning[n, t], outcome.clamped)
    slot = t % f.slots
    for i in range(population.size):
        activity[slot, f.inputs + population.first + i] = spikes[population.first + i]


@njit
def _axons(count: int, projections: int) -> Any:
    places = np.zeros(count + projections, np.int64)
    return Axons(np.zeros(count, np.int64), np.zeros(count, np.int32), places)


@njit
def _rest(program: Any) -> Any:
    """Make the state of a network at rest."""
    f, projections = program.formats[0], len(program.projections)
    return State(
        np.zeros(f.neurons, np.int64),
        np.zeros(f.neurons, np.uint8),
        np.zeros(f.neurons, np.int64),
        np.zeros(f.neurons, np.int64),
        np.zeros((f.slots, f.inputs + f.neurons), np.int32),
        np.zeros(f.sums, np.int64),
        np.zeros(f.neurons, np.int64),
        np.zeros(f.stride, np.int32),
        np.zeros(f.traces, np.int16),
        np.zeros(f.axons, np.bool_),
        np.zeros(f.neurons, np.int16),
        _axons(f.axons, projections),
        _axons(f.axons, projections),
        _axons(f.axons, projections),
    )


@compiled
def run_samples(program: Any, values: Any, first_sample: int, outcome: Any) -> None:
    """Run every sample of ``values`` from rest and fill ``outcome``.

    ``values (S, T or 1, inputs)`` are integers; a middle axis of 1 holds for all steps.
    ``first_sample`` is the number of the first one, so that noise does not depend on batches.
    """
    f = program.formats[0]
    readout = program.populations[f.readout]
    steps = outcome.spikes.shape[1]
    state = _rest(program)
    for n in range(values.shape[0]):
        state.u[:] = 0
        state.spikes[:] = 0
        state.risen[:] = 0
        state.waiting[:] = 0
        state.activity[:] = 0
        state.live[:] = False
        for t in range(steps):
            now = values[n, min(t, values.shape[1] - 1)]
            state.activity[t % f.slots, : f.inputs] = now
            for p in range(len(program.populations)):
                _step(program, p, first_sample + n, n, t, state, outcome)
            outcome.spikes[n, t] = state.spikes
        outcome.potential[n] = state.u[readout.first : readout.first + readout.size]
