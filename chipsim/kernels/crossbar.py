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
from chipsim.kernels.faults import flip_state, hold_sums, lose_packets
from chipsim.kernels.integers import add32, limit, mul32, round_shift, shift32, stream
from chipsim.kernels.layout import SUBTRACT, TRUNCATE, ZERO, Axons, State
from chipsim.kernels.lazy_decay import catch_up, finish
from chipsim.kernels.plasticity import learn
from chipsim.kernels.readout import keep_potential
from chipsim.kernels.sending import send_graded, send_membranes, send_spikes

FULL_RISE = 2**31 - 1
"""Where the state of an adaptive threshold saturates."""

LEAK, GAIN, ADAPT = 1, 2, 8
"""What a rounding is for (`chipsim.kernels.plasticity` and `sending` have more): part of its
noise's key."""


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
def _add_factored_run(
    program: Any, start: int, part: Any, run: Any, shift: int, state: Any, at: Any
) -> None:
    """Add the traces of the listed axons, each times its factor, to the sums."""
    index, value, place = state.plastic
    buffer, trace, factors = state.buffer, state.trace, program.factors
    rounds = program.formats[0].rounding != TRUNCATE and shift > 0
    half, by = np.int32((1 << (shift - 1)) if rounds else 0), np.int32(shift)
    buffer[: part.stride] = 0
    for k in range(place[at[0]], place[at[1]]):
        row, x = np.uint64(run.trace + (index[k] - run.pre) * part.stride), value[k]
        for j in range(np.uint64(part.stride)):
            product = mul32(np.int32(factors[row + j]), np.int32(trace[row + j]))
            buffer[j] = add32(buffer[j], mul32(shift32(add32(product, half), by), x))
    for n in range(part.count):
        state.sums[start + part.first + n] += buffer[n]


@inlined
def _integrate(program: Any, s: int, state: Any, active: Any) -> None:
    """Add the input of slice ``s`` to the sums of its channels."""
    part = program.slices[s]
    sums, buffer, channels, runs = state.sums, state.buffer, program.channels, program.runs
    for r in range(part.runs, part.runs_end):
        run = runs[r]
        begin = program.projections[run.projection].first + run.projection + run.pre
        at = (begin, begin + run.count)
        rule = program.projections[run.projection].rule
        factored = run.trace >= 0 and program.rules[rule].factored != 0
        # One call for both tables: a second would be compiled a second time.
        for kind in range(2 if run.trace >= 0 and not factored else 1):
            plastic = kind != 0
            start = channels[run.trace_channel if plastic else run.channel].first
            rows = (run.trace if plastic else run.weight, part.stride, run.pre)
            table = state.trace if plastic else program.weights
            axons = state.plastic if plastic else state.active
            count = _add_run(sums, start, part, rows, table, axons, at, buffer)
            if not plastic:
                active[r] = count
        if factored:
            start, shift = channels[run.trace_channel].first, program.rules[rule].factor_shift
            _add_factored_run(program, start, part, run, shift, state, at)


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
    """Integrate, fire, learn and send: population ``p`` at step ``t``."""
    population, f = program.populations[p], program.formats[0]
    sums = state.sums
    for j in range(population.projections, population.projections_end):
        _list_axons(program, j, t, f.slots, state)
    for c in range(population.channels, population.channels_end):
        start = program.channels[c].first
        sums[start : start + population.size] = 0
    if f.lazy != 0 and population.rules < population.rules_end:
        catch_up(program, p, sample, t, state, outcome.decays[n, t])
    active = outcome.active[n, t]
    faults = program.faults[0]
    for s in range(population.slices, population.slices_end):
        if faults.drop != 0:
            hold_sums(program, p, s, state)
        _integrate(program, s, state, active)
        if faults.drop != 0:
            lose_packets(program, p, s, sample, t, state, active)
    _currents(program, p, sample, t, state)
    outcome.saturated[p] += _fire(program, p, sample, t, state)
    if population.rules < population.rules_end:
        learn(program, p, sample, n, t, state, outcome)
    if population.activation >= 0:
        send_graded(program, p, sample, t, state)
    else:
        send_spikes(program, p, t, state)
    if population.sent >= 0:
        steps = outcome.spikes.shape[1]
        outcome.ended[p] += send_membranes(program, p, sample, t, steps, state)


@njit
def _axons(count: int, projections: int) -> Any:
    places = np.zeros(count + projections, np.int64)
    return Axons(np.zeros(count, np.int64), np.zeros(count, np.int32), places)


@njit
def _rest(program: Any, memory: Any) -> Any:
    """Make the state of a network at rest, with the traces of ``memory``."""
    f, projections = program.formats[0], len(program.projections)
    drops = program.faults[0].drop != 0
    return State(
        np.zeros(f.neurons, np.int64),
        np.zeros(f.neurons, np.uint8),
        np.zeros(f.neurons, np.int64),
        np.zeros(f.neurons, np.int64),
        np.zeros((f.slots, f.inputs + f.neurons + f.sent), np.int32),
        np.zeros(f.sums, np.int64),
        np.zeros(f.neurons, np.int64),
        np.zeros(f.stride, np.int32),
        memory.trace,
        memory.live,
        memory.decayed,
        np.zeros(f.neurons, np.int16),
        np.zeros(f.neurons, np.int64),
        _axons(f.axons, projections),
        _axons(f.axons, projections),
        _axons(f.axons, projections),
        np.zeros(f.sums if drops else 0, np.int64),
        np.zeros(f.neurons if drops else 0, np.int16),
    )


@inlined
def _forget(program: Any, state: Any) -> None:
    """Take the traces that no sample leaves to the next for zero."""
    for j in range(len(program.projections)):
        projection = program.projections[j]
        if projection.rule < 0 or program.rules[projection.rule].carried == 0:
            state.live[projection.first : projection.first + projection.size] = False


@compiled
def run_samples(program: Any, values: Any, first_sample: int, memory: Any, outcome: Any) -> None:
    """Run every sample of ``values`` from rest and fill ``outcome``.

    ``values (S, T or 1, inputs)`` are integers; a middle axis of 1 holds for all steps.
    ``first_sample`` is the number of the first one, so that noise does not depend on batches.
    ``memory`` holds the traces: carried ones come from it and are left in it.
    """
    f = program.formats[0]
    readout = program.populations[f.readout]
    steps = outcome.spikes.shape[1]
    state = _rest(program, memory)
    for n in range(values.shape[0]):
        state.u[:] = 0
        state.spikes[:] = 0
        state.risen[:] = 0
        state.waiting[:] = 0
        state.activity[:] = 0
        _forget(program, state)
        decided, potential = False, outcome.potential[n]
        for t in range(steps):
            now = values[n, min(t, values.shape[1] - 1)]
            state.activity[t % f.slots, : f.inputs] = now
            for p in range(len(program.populations)):
                _step(program, p, first_sample + n, n, t, state, outcome)
                if program.faults[0].flip_membrane != 0:
                    flip_state(program, p, first_sample + n, t, state)
            outcome.spikes[n, t] = state.spikes
            decided = keep_potential(
                f.first_spike != 0, decided, readout.first, state.u, state.spikes, potential
            )
        if f.lazy != 0:
            finish(program, first_sample + n, steps, state, outcome.decays[n, steps - 1])
