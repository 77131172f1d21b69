"""Crossbar cores in integer arithmetic, over all slices of a chip and all steps of a sample.

One call runs many samples.  Everything is a plain array, laid out as `chipsim.kernels.layout`
says.  ``tests/naive.py`` holds the plain twin: the same integers, one synapse
at a time.  Helpers stand in this file because numba's cache does not see changes elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from chipsim.kernels.layout import NEAREST, STOCHASTIC, SUBTRACT, ZERO, Axons, State

LEAK, GAIN, RATE, ATTENUATE, POST, DECAY, UPDATE = 1, 2, 3, 4, 5, 6, 7
"""What a rounding is for: part of the key of its stochastic noise."""

FULL_TRACE = 32767


@intrinsic  # type: ignore[misc]
def _mul32(_context: Any, a: Any, b: Any) -> Any:
    # numba widens int32 products to 64 bit, which quarters the vector width.
    def build(_ctx: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.mul(args[0], args[1])

    return types.int32(types.int32, types.int32), build


@intrinsic  # type: ignore[misc]
def _shift32(_context: Any, a: Any, b: Any) -> Any:
    # An arithmetic shift right in 32 bit, for the same reason.
    def build(_ctx: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ashr(args[0], args[1])

    return types.int32(types.int32, types.int32), build


@intrinsic  # type: ignore[misc]
def _add32(_context: Any, a: Any, b: Any) -> Any:
    def build(_ctx: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.add(args[0], args[1])

    return types.int32(types.int32, types.int32), build


@njit(inline="always")
def _mix(x: Any) -> Any:
    """Finaliser of SplitMix64 (Steele et al. 2014): a bijection of 64-bit words."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(inline="always")
def _stream(seed: int, sample: int, step: int, purpose: int, item: int) -> Any:
    """Start of the noise of one kind of rounding at one step."""
    key = _mix(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    key = _mix(key + np.uint64(sample))
    return _mix(key + (np.uint64(step) << np.uint64(32)) + np.uint64(purpose * 65536 + item))


@njit(inline="always")
def _shift(x: int, shift: int, rounding: int, stream: Any, index: int) -> Any:
    """``x / 2**shift`` as the chip rounds: down, to nearest (halves up) or stochastically."""
    if shift <= 0:
        return x << np.int64(-shift)
    if rounding == NEAREST:
        return (x + (np.int64(1) << np.int64(shift - 1))) >> np.int64(shift)
    if rounding == STOCHASTIC:
        noise = _mix(stream + np.uint64(index) * np.uint64(0x9E3779B97F4A7C15))
        mask = (np.uint64(1) << np.uint64(shift)) - np.uint64(1)
        return (x + np.int64(noise & mask)) >> np.int64(shift)
    return x >> np.int64(shift)


@njit(inline="always")
def _limit(x: int, bits: int, wrap: bool) -> Any:
    """Saturate or wrap to ``bits`` bits, two's complement."""
    half = np.int64(1) << np.int64(bits - 1)
    if wrap:
        return ((x + half) & (2 * half - 1)) - half
    return min(max(x, -half), half - 1)


@njit
def _add_rows(total: Any, table: Any, rows: Any, index: Any, value: Any) -> None:
    """``total += value[k] * row`` for the table row of every axon ``index[k]``.

    ``rows`` is the place of the row of axon ``pre``, the row length and ``pre``.  In 32 bit; the
    mapper guarantees that no sum overflows.  Four rows a pass save three of four loads and stores
    of the sums; unsigned places spare the test for a negative index.
    """
    base, stride, pre = rows
    width, hits = np.uint64(stride), len(index)
    k = 0
    while k + 4 <= hits:
        p0 = np.uint64(base + (index[k] - pre) * stride)
        p1 = np.uint64(base + (index[k + 1] - pre) * stride)
        p2 = np.uint64(base + (index[k + 2] - pre) * stride)
        p3 = np.uint64(base + (index[k + 3] - pre) * stride)
        x0, x1, x2, x3 = value[k], value[k + 1], value[k + 2], value[k + 3]
        for j in range(width):
            low = _add32(_mul32(np.int32(table[p0 + j]), x0), _mul32(np.int32(table[p1 + j]), x1))
            high = _add32(_mul32(np.int32(table[p2 + j]), x2), _mul32(np.int32(table[p3 + j]), x3))
            total[j] = _add32(total[j], _add32(low, high))
        k += 4
    while k < hits:
        p0, x0 = np.uint64(base + (index[k] - pre) * stride), value[k]
        for j in range(width):
            total[j] = _add32(total[j], _mul32(np.int32(table[p0 + j]), x0))
        k += 1


@njit
def _list_axons(program: Any, j: int, t: int, state: Any) -> None:
    """List the axons of projection ``j`` that have input at step ``t``, and the live ones."""
    projections, active, plastic = program.projections, state.active, state.plastic
    source = state.activity[(t - projections.delay[j]) % program.slots]
    first = projections.first[j]
    hits = lives = first
    for i in range(projections.size[j]):
        active.place[first + j + i] = hits
        plastic.place[first + j + i] = lives
        x = source[projections.source[j] + i]
        if x != 0:
            active.index[hits], active.value[hits] = i, x
            hits += 1
            if state.live[first + i]:
                plastic.index[lives], plastic.value[lives] = i, x
                lives += 1
    active.place[first + j + projections.size[j]] = hits
    plastic.place[first + j + projections.size[j]] = lives


@njit
def _span(program: Any, r: int, axons: Any) -> Any:
    """Return where the axons of run ``r`` begin and end in a list."""
    j = program.runs.projection[r]
    at = program.projections.first[j] + j + program.runs.pre[r]
    return axons.place[at], axons.place[at + program.runs.count[r]]


@njit
def _add_run(program: Any, s: int, r: int, table: Any, base: int, channel: int, axons: Any, state: Any) -> int:
    """Add the listed axons of run ``r`` to the sums of ``channel``; return how many they are."""
    slices, buffer = program.slices, state.buffer
    stride = slices.stride[s]
    first, last = _span(program, r, axons)
    buffer[:stride] = 0
    rows = (base, stride, program.runs.pre[r])
    _add_rows(buffer, table, rows, axons.index[first:last], axons.value[first:last])
    start = program.channels.first[channel] + slices.first[s]
    sums = state.sums[start : start + slices.count[s]]
    for n in range(len(sums)):
        sums[n] += buffer[n]
    return last - first


@njit
def _integrate(program: Any, s: int, state: Any, active: Any) -> None:
    """Add the input of slice ``s`` to the sums of its channels."""
    runs = program.runs
    for r in range(program.slices.run_ptr[s], program.slices.run_ptr[s + 1]):
        weights, channel = program.weights, runs.channel[r]
        active[r] = _add_run(program, s, r, weights, runs.weight[r], channel, state.active, state)
        if runs.trace[r] >= 0:
            channel = runs.trace_channel[r]
            _add_run(program, s, r, state.trace, runs.trace[r], channel, state.plastic, state)


@njit
def _update_somas(program: Any, p: int, sample: int, t: int, state: Any) -> int:
    """Leak, add current and fire, for all neurons of population ``p``; return the overflows."""
    pops, channels, f = program.populations, program.channels, program.formats
    sums, u, spikes = state.sums, state.u, state.spikes
    threshold, first = pops.threshold[p], pops.first[p]
    leak = _stream(f.seed, sample, t, LEAK, p)
    overflows = 0
    for j in range(pops.size[p]):
        n = first + j
        current = pops.bias[n]
        for c in range(pops.channel_ptr[p], pops.channel_ptr[p + 1]):
            total = _limit(sums[channels.first[c] + j], f.accumulator_bits, f.wrap)
            noise = _stream(f.seed, sample, t, GAIN, c) if f.rounding == STOCHASTIC else leak
            current += _shift(
                total * channels.factor[c, t], channels.shift[c], f.rounding, noise, j
            )
        v = u[n]
        fired = spikes[n] != 0
        if fired and pops.reset[p] == ZERO:
            v = np.int64(0)
        if fired and pops.reset[p] == SUBTRACT and pops.before_leak[p]:
            v -= threshold
        v = _shift(v * pops.decay[p], f.decay_bits, f.rounding, leak, j)
        if fired and pops.reset[p] == SUBTRACT and not pops.before_leak[p]:
            v -= threshold
        v += current
        limited = _limit(v, f.membrane_bits, f.wrap)
        overflows += limited != v
        u[n] = limited
        spikes[n] = limited > threshold or (pops.fires_at[p] and limited == threshold)
    return overflows


@njit
def _post_factors(program: Any, k: int, sample: int, t: int, u: Any, post: Any) -> None:
    """Look up ``tanh(u / theta - eta)`` for every neuron that rule ``k`` ends on."""
    rules, f = program.rules, program.formats
    stream = _stream(f.seed, sample, t, POST, k)
    entries = rules.table.shape[1]
    for j in range(rules.post_size[k]):
        scaled = _shift(u[j] * rules.post_gain[k], rules.post_shift[k], f.rounding, stream, j)
        place = scaled - rules.sliding[rules.post_first[k] + j] + entries // 2
        post[j] = rules.table[k, min(max(place, 0), entries - 1)]


@njit
def _learn_row(
    trace: Any, at: Any, count: int, post: Any, pre: int, fresh: bool, rule: Any, rounding: int
) -> int:
    """One axon's traces, rounded down or to nearest; ``fresh`` rows stand for zero."""
    decay, decay_bits, update_shift, clamp = rule
    half_decay = np.int32((1 << (decay_bits - 1)) if rounding == NEAREST else 0)
    half_update = np.int32((1 << (update_shift - 1)) if rounding == NEAREST and update_shift > 0 else 0)
    bits, shift = np.int32(decay_bits), np.int32(update_shift)
    factor, limit = np.int32(pre), np.int32(clamp)
    rate = np.int32(0) if fresh else np.int32(decay)
    row = trace[at : at + np.uint64(count)]
    for j in range(count):
        kept = _shift32(_add32(_mul32(np.int32(row[j]), rate), half_decay), bits)
        change = _shift32(_add32(_mul32(np.int32(post[j]), factor), half_update), shift)
        row[j] = np.int16(min(max(_add32(kept, change), -limit), limit))
    # Counted apart, and only where the clamp is narrower than the format: counting inside the loop
    # would keep it from being vectorised.
    return _count_clamped(row, clamp) if clamp < FULL_TRACE else 0


@njit
def _count_clamped(row: Any, clamp: int) -> int:
    clamped = 0
    for value in row:
        clamped += value == clamp or value == -clamp
    return clamped


@njit
def _learn_row_stochastic(
    trace: Any, at: Any, count: int, post: Any, pre: int, fresh: bool, rule: Any, noise: Any
) -> int:
    """One axon's traces with stochastic rounding; ``noise`` is two streams and a first index."""
    decay, decay_bits, shift, clamp = rule
    kept_noise, change_noise, index = noise
    clamped = 0
    for j in range(np.uint64(count)):
        old = np.int64(0) if fresh else np.int64(trace[at + j])
        item = index + np.int64(j)
        kept = _shift(old * decay, decay_bits, STOCHASTIC, kept_noise, item)
        change = _shift(np.int64(post[j]) * pre, shift, STOCHASTIC, change_noise, item)
        new = min(max(kept + change, -clamp), clamp)
        clamped += new == clamp or new == -clamp
        trace[at + j] = np.int16(new)
    return clamped


@njit
def _pre_factors(program: Any, k: int, sample: int, t: int, state: Any) -> None:
    """List the axons whose traces decay or change, with ``x * beta * d_t``, for rule ``k``."""
    rules, projections, f, out = program.rules, program.projections, program.formats, state.learning
    j = rules.projection[k]
    first = projections.first[j]
    source = state.activity[(t - projections.delay[j]) % program.slots]
    rate_noise = _stream(f.seed, sample, t, RATE, k)
    attenuate_noise = _stream(f.seed, sample, t, ATTENUATE, k)
    hits = first
    for i in range(projections.size[j]):
        out.place[first + j + i] = hits
        x = np.int64(source[projections.source[j] + i])
        pre = np.int64(0)
        if x != 0:
            pre = x * rules.rate[rules.rate_first[k] + i]
            pre = _shift(pre, rules.rate_shift[k], f.rounding, rate_noise, i)
            pre = _shift(pre * rules.attenuation[k, t], 15, f.rounding, attenuate_noise, i)
        # A trace of zero that nothing is added to stays exactly zero.
        if pre != 0 or state.live[first + i]:
            out.index[hits], out.value[hits] = i, pre
            hits += 1
    out.place[first + j + projections.size[j]] = hits


@njit
def _learn(program: Any, s: int, r: int, sample: int, t: int, state: Any) -> Any:
    """Decay and update the traces of run ``r`` of slice ``s``; return (axons learning, clamps)."""
    runs, rules, slices, f = program.runs, program.rules, program.slices, program.formats
    j = runs.projection[r]
    k, stride, count = program.projections.rule[j], slices.stride[s], slices.count[s]
    rule = (rules.decay[k], f.trace_decay_bits, rules.update_shift[k], rules.clamp[k])
    own = state.post[slices.first[s] : slices.first[s] + count]
    kept_noise = _stream(f.seed, sample, t, DECAY, k)
    change_noise = _stream(f.seed, sample, t, UPDATE, k)
    first, last = _span(program, r, state.learning)
    learning, clamped = 0, 0
    for h in range(first, last):
        i, pre = state.learning.index[h], state.learning.value[h]
        fresh = not state.live[program.projections.first[j] + i]
        learning += pre != 0
        at = np.uint64(runs.trace[r] + (i - runs.pre[r]) * stride)
        if f.rounding == STOCHASTIC:
            noise = (kept_noise, change_noise, i * rules.post_size[k] + slices.first[s])
            clamped += _learn_row_stochastic(
                state.trace, at, count, own, np.int64(pre), fresh, rule, noise
            )
        else:
            clamped += _learn_row(state.trace, at, count, own, pre, fresh, rule, f.rounding)
    return learning, clamped


@njit
def _learn_all(program: Any, p: int, sample: int, t: int, state: Any, learning: Any, clamped: Any) -> None:
    """Let every plastic projection onto population ``p`` learn."""
    pops, slices, projections = program.populations, program.slices, program.projections
    u = state.u[pops.first[p] : pops.first[p] + pops.size[p]]
    for k in range(pops.rule_ptr[p], pops.rule_ptr[p + 1]):
        j = program.rules.projection[k]
        _pre_factors(program, k, sample, t, state)
        _post_factors(program, k, sample, t, u, state.post)
        for s in range(pops.slice_ptr[p], pops.slice_ptr[p + 1]):
            for r in range(slices.run_ptr[s], slices.run_ptr[s + 1]):
                if program.runs.projection[r] == j:
                    hits, clamps = _learn(program, s, r, sample, t, state)
                    learning[r] = hits
                    clamped[k] += clamps
        first = projections.first[j]
        for h in range(first, state.learning.place[first + j + projections.size[j]]):
            state.live[first + state.learning.index[h]] = True


@njit
def _step(program: Any, p: int, sample: int, n: int, t: int, state: Any, outcome: Any) -> None:
    """Population ``p`` at step ``t``: integrate, fire, learn."""
    pops = program.populations
    for j in range(pops.projection_ptr[p], pops.projection_ptr[p + 1]):
        _list_axons(program, j, t, state)
    for c in range(pops.channel_ptr[p], pops.channel_ptr[p + 1]):
        start = program.channels.first[c]
        state.sums[start : start + pops.size[p]] = 0
    for s in range(pops.slice_ptr[p], pops.slice_ptr[p + 1]):
        _integrate(program, s, state, outcome.active[n, t])
    outcome.saturated[p] += _update_somas(program, p, sample, t, state)
    if pops.rule_ptr[p] < pops.rule_ptr[p + 1]:
        _learn_all(program, p, sample, t, state, outcome.learning[n, t], outcome.clamped)
    first = pops.first[p]
    for i in range(pops.size[p]):
        state.activity[t % program.slots, program.inputs + first + i] = state.spikes[first + i]


@njit
def _axons(program: Any) -> Any:
    count = program.axons
    places = count + len(program.projections.size)
    return Axons(np.zeros(count, np.int64), np.zeros(count, np.int32), np.zeros(places, np.int64))


@njit
def _rest(program: Any) -> Any:
    """Make the state of a network at rest."""
    return State(
        np.zeros(program.neurons, np.int64),
        np.zeros(program.neurons, np.uint8),
        np.zeros((program.slots, program.inputs + program.neurons), np.int32),
        np.zeros(program.sums, np.int64),
        np.zeros(program.slices.stride.max(), np.int32),
        np.zeros(program.traces, np.int16),
        np.zeros(program.axons, np.bool_),
        np.zeros(program.neurons, np.int16),
        _axons(program),
        _axons(program),
        _axons(program),
    )


@njit(cache=True, nogil=True)
def run_samples(program: Any, values: Any, first_sample: int, outcome: Any) -> None:
    """Run every sample of ``values`` from rest and fill ``outcome``.

    ``values (S, T or 1, inputs)`` are integers; a middle axis of 1 holds for all steps.
    ``first_sample`` is the number of the first one, so that noise does not depend on batches.
    """
    pops = program.populations
    steps = outcome.spikes.shape[1]
    state = _rest(program)
    for n in range(values.shape[0]):
        state.u[:] = 0
        state.spikes[:] = 0
        state.activity[:] = 0
        state.live[:] = False
        for t in range(steps):
            now = values[n, min(t, values.shape[1] - 1)]
            state.activity[t % program.slots, : program.inputs] = now
            for p in range(len(pops.size)):
                _step(program, p, first_sample + n, n, t, state, outcome)
            outcome.spikes[n, t] = state.spikes
        start, size = pops.first[program.readout], pops.size[program.readout]
        outcome.potential[n] = state.u[start : start + size]
