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

from chipsim.kernels.layout import NEAREST, STOCHASTIC, SUBTRACT, ZERO

LEAK, GAIN, RATE, ATTENUATE, POST, DECAY, UPDATE = 1, 2, 3, 4, 5, 6, 7
"""What a rounding is for: part of the key of its stochastic noise."""


@intrinsic  # type: ignore[misc]
def _mul32(_context: Any, a: Any, b: Any) -> Any:
    # numba widens int32 products to 64 bit, which quarters the vector width.
    def build(_ctx: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.mul(args[0], args[1])

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
def _add_row(total: Any, row: Any, x: int) -> None:
    """``total += x * row`` in 32 bit; the mapper guarantees that no sum overflows."""
    if x == 1:
        for i in range(len(row)):
            total[i] += np.int32(row[i])
    else:
        factor = np.int32(x)
        for i in range(len(row)):
            total[i] += _mul32(np.int32(row[i]), factor)


@njit
def _integrate(program: Any, s: int, t: int, activity: Any, state: Any, active: Any) -> None:
    """Add the input of slice ``s`` at step ``t`` to the sums of its channels."""
    sums, trace, live, buffer = state
    runs, slices = program.runs, program.slices
    stride, count = slices.stride[s], slices.count[s]
    for r in range(slices.run_ptr[s], slices.run_ptr[s + 1]):
        buffer[:, :stride] = 0
        source = activity[(t - runs.delay[r]) % program.slots]
        hits = 0
        for i in range(runs.count[r]):
            x = source[runs.source[r] + i]
            if x == 0:
                continue
            hits += 1
            at = runs.weight[r] + i * stride
            _add_row(buffer[0, :stride], program.weights[at : at + stride], x)
            if runs.trace[r] >= 0 and live[runs.row[r] + i]:
                at = runs.trace[r] + i * stride
                _add_row(buffer[1, :stride], trace[at : at + stride], x)
        active[r] = hits
        base = program.channels.first[runs.channel[r]] + slices.first[s]
        for j in range(count):
            sums[base + j] += buffer[0, j]
        if runs.trace[r] >= 0:
            base = program.channels.first[runs.trace_channel[r]] + slices.first[s]
            for j in range(count):
                sums[base + j] += buffer[1, j]


@njit
def _update_somas(
    program: Any, p: int, sample: int, t: int, sums: Any, u: Any, spikes: Any
) -> int:
    """Leak, add current and fire, for all neurons of population ``p``; return the overflows."""
    pops, channels, f = program.populations, program.channels, program.formats
    threshold, first = pops.threshold[p], pops.first[p]
    leak = _stream(f.seed, sample, t, LEAK, p)
    overflows = 0
    for j in range(pops.size[p]):
        n = first + j
        current = pops.bias[n]
        for c in range(pops.channel_ptr[p], pops.channel_ptr[p + 1]):
            total = _limit(sums[channels.first[c] + j], f.accumulator_bits, f.wrap)
            noise = _stream(f.seed, sample, t, GAIN, c)
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
def _learn_row(row: Any, post: Any, pre: int, fresh: bool, decay: int, bits: Any, clamp: int) -> int:
    """One axon's traces, rounded down or to nearest; ``fresh`` rows stand for zero."""
    decay_bits, shift, rounding = bits
    half_decay = np.int32((1 << (decay_bits - 1)) if rounding == NEAREST else 0)
    half_update = np.int32((1 << (shift - 1)) if rounding == NEAREST and shift > 0 else 0)
    factor, rate, limit = np.int32(pre), np.int32(decay), np.int32(clamp)
    clamped = 0
    for j in range(len(row)):
        old = np.int32(0) if fresh else np.int32(row[j])
        kept = np.int32(_mul32(old, rate) + half_decay) >> np.int32(decay_bits)
        change = np.int32(_mul32(np.int32(post[j]), factor) + half_update) >> np.int32(shift)
        new = np.int32(kept + change)
        clamped += new > limit or new < -limit
        row[j] = np.int16(min(max(new, -limit), limit))
    return clamped


@njit
def _learn_row_stochastic(
    row: Any, post: Any, pre: int, fresh: bool, decay: int, bits: Any, clamp: int, noise: Any
) -> int:
    """One axon's traces with stochastic rounding; ``noise`` is two streams and a first index."""
    decay_bits, shift, rounding = bits
    kept_noise, change_noise, index = noise
    clamped = 0
    for j in range(len(row)):
        old = np.int64(0) if fresh else np.int64(row[j])
        kept = _shift(old * decay, decay_bits, rounding, kept_noise, index + j)
        change = _shift(np.int64(post[j]) * pre, shift, rounding, change_noise, index + j)
        new = kept + change
        clamped += new > clamp or new < -clamp
        row[j] = np.int16(min(max(new, -clamp), clamp))
    return clamped


@njit
def _learn(
    program: Any, s: int, r: int, sample: int, t: int, activity: Any, state: Any, post: Any
) -> Any:
    """Decay and update the traces of run ``r`` of slice ``s``; return (axons learning, clamps)."""
    _, trace, live, _ = state
    runs, rules, slices, f = program.runs, program.rules, program.slices, program.formats
    k, stride, count = runs.rule[r], slices.stride[s], slices.count[s]
    source = activity[(t - runs.delay[r]) % program.slots]
    bits = (f.trace_decay_bits, rules.update_shift[k], f.rounding)
    rate_noise = _stream(f.seed, sample, t, RATE, k)
    attenuate_noise = _stream(f.seed, sample, t, ATTENUATE, k)
    learning, clamped = 0, 0
    for i in range(runs.count[r]):
        n = runs.pre[r] + i
        x = np.int64(source[runs.source[r] + i]) * rules.rate[rules.rate_first[k] + n]
        pre = _shift(x, rules.rate_shift[k], f.rounding, rate_noise, n)
        pre = _shift(pre * rules.attenuation[k, t], 15, f.rounding, attenuate_noise, n)
        learning += pre != 0
        fresh = not live[runs.row[r] + i]
        if fresh and pre == 0:
            continue  # a trace of zero stays exactly zero
        live[runs.row[r] + i] = True
        at = runs.trace[r] + i * stride
        row = trace[at : at + count]
        factors = post[slices.first[s] : slices.first[s] + count]
        if f.rounding == STOCHASTIC:
            noise = (
                _stream(f.seed, sample, t, DECAY, k),
                _stream(f.seed, sample, t, UPDATE, k),
                n * rules.post_size[k] + slices.first[s],
            )
            clamped += _learn_row_stochastic(
                row, factors, pre, fresh, rules.decay[k], bits, rules.clamp[k], noise
            )
        else:
            clamped += _learn_row(row, factors, pre, fresh, rules.decay[k], bits, rules.clamp[k])
    return learning, clamped


@njit
def _step(program: Any, p: int, sample: int, t: int, activity: Any, u: Any, state: Any, out: Any) -> None:
    """Population ``p`` at step ``t``: integrate, fire, learn."""
    pops, slices = program.populations, program.slices
    sums = state[0]
    spikes, active, learning, post, saturated, clamped = out
    for c in range(pops.channel_ptr[p], pops.channel_ptr[p + 1]):
        start = program.channels.first[c]
        sums[start : start + pops.size[p]] = 0
    for s in range(pops.slice_ptr[p], pops.slice_ptr[p + 1]):
        _integrate(program, s, t, activity, state, active)
    saturated[p] += _update_somas(program, p, sample, t, sums, u, spikes)
    first = pops.first[p]
    for j in range(pops.size[p]):
        activity[t % program.slots, program.inputs + first + j] = spikes[first + j]
    for k in range(pops.rule_ptr[p], pops.rule_ptr[p + 1]):
        _post_factors(program, k, sample, t, u[first : first + pops.size[p]], post)
        for s in range(pops.slice_ptr[p], pops.slice_ptr[p + 1]):
            for r in range(slices.run_ptr[s], slices.run_ptr[s + 1]):
                if program.runs.rule[r] == k:
                    hits, clamps = _learn(program, s, r, sample, t, activity, state, post)
                    learning[r] = hits
                    clamped[k] += clamps


@njit(cache=True, nogil=True)
def run_samples(program: Any, values: Any, first_sample: int, outcome: Any) -> None:
    """Run every sample of ``values`` from rest and fill ``outcome``.

    ``values (S, T or 1, inputs)`` are integers; a middle axis of 1 holds for all steps.
    ``first_sample`` is the number of the first one, so that noise does not depend on batches.
    """
    pops = program.populations
    steps = outcome.spikes.shape[1]
    sums = np.zeros(program.sums, np.int64)
    trace = np.zeros(program.traces, np.int16)
    live = np.zeros(program.rows, np.bool_)
    buffer = np.zeros((2, max(1, program.slices.stride.max())), np.int32)
    state = (sums, trace, live, buffer)
    post = np.zeros(max(1, program.neurons), np.int16)
    u = np.zeros(program.neurons, np.int64)
    spikes = np.zeros(program.neurons, np.uint8)
    activity = np.zeros((program.slots, program.inputs + program.neurons), np.int32)
    for n in range(values.shape[0]):
        u[:] = 0
        spikes[:] = 0
        activity[:] = 0
        live[:] = False
        for t in range(steps):
            activity[t % program.slots, : program.inputs] = values[n, min(t, values.shape[1] - 1)]
            out = (
                spikes,
                outcome.active[n, t],
                outcome.learning[n, t],
                post,
                outcome.saturated,
                outcome.clamped,
            )
            for p in range(len(pops.size)):
                _step(program, p, first_sample + n, t, activity, u, state, out)
            outcome.spikes[n, t] = spikes
        start, size = pops.first[program.readout], pops.size[program.readout]
        outcome.potential[n] = u[start : start + size]
