"""Faults of hardware while a network runs: packets that get lost, bits of state that flip.

What a fault hits is decided by a hash of the run's seed, the sample, the step and the thing hit, so
that it is the same for any batch and thread.  A packet that is lost to a slice is taken back out of
what the slice has added; nothing here runs where there are no faults.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inner
from chipsim.kernels.integers import add32, mix, mul32, shift32, stream
from chipsim.kernels.layout import TRUNCATE

AXON, SUM, FACTOR, MEMBRANE, TRACE = 11, 12, 13, 14, 15
"""What a fault hits: part of its noise's key (`chipsim.kernels.crossbar` has the ones before)."""

_GOLDEN = 0x9E3779B97F4A7C15


@inner
def _word(noise: Any, index: int) -> Any:
    return mix(noise + np.uint64(index) * np.uint64(_GOLDEN))


@inner
def _strikes(noise: Any, index: int, threshold: int) -> Any:
    """Whether a fault of probability ``threshold / 2**53`` happens."""
    return (_word(noise, index) >> np.uint64(11)) < np.uint64(threshold)


@inner
def lost_axon(program: Any, s: int, r: int, i: int, sample: int, t: int) -> Any:
    """Whether slice ``s`` missed the packet its run ``r`` hears axon ``i`` by at step ``t``."""
    faults, projection = program.faults[0], program.projections[program.runs[r].projection]
    sent = t - projection.delay
    if faults.held != 0 and projection.source < program.formats[0].inputs:
        sent = 0
    noise = stream(program.formats[0].seed, sample, sent, AXON, s)
    return _strikes(noise, program.packets[s, projection.source + i], faults.drop)


@inner
def hold_sums(program: Any, p: int, s: int, state: Any) -> None:
    """Keep the sums of slice ``s`` of population ``p`` as they are before it adds to them."""
    population, part = program.populations[p], program.slices[s]
    sums, before = state.sums, state.before
    for c in range(population.channels, population.channels_end):
        first = program.channels[c].first + part.first
        for n in range(first, first + part.count):
            before[n] = sums[n]


@inner
def lose_packets(program: Any, p: int, s: int, sample: int, t: int, state: Any, axons: Any) -> None:
    """Take back what slice ``s`` added for packets it did not get, and sums that got lost.

    ``axons (runs,)`` counts the axons with input.
    """
    part = program.slices[s]
    for r in range(part.runs, part.runs_end):
        run = program.runs[r]
        begin = program.projections[run.projection].first + run.projection + run.pre
        axons[r] -= _lose_rows(program, s, r, begin, sample, t, state)
        if run.trace >= 0:
            _lose_traces(program, s, r, begin, sample, t, state)
    if program.sends[s] != 0:
        _lose_sums(program, p, s, sample, t, state)


@inner
def _lose_rows(program: Any, s: int, r: int, begin: int, sample: int, t: int, state: Any) -> int:
    """Subtract the weights of axons whose packet is lost; return how many these are."""
    run, part = program.runs[r], program.slices[s]
    index, value, place = state.active
    sums, weights = state.sums, program.weights
    start = program.channels[run.channel].first + part.first
    lost = 0
    for k in range(place[begin], place[begin + run.count]):
        if lost_axon(program, s, r, index[k], sample, t):
            lost += 1
            row, x = run.weight + (index[k] - run.pre) * part.stride, np.int64(value[k])
            for n in range(part.count):
                sums[start + n] -= np.int64(weights[row + n]) * x
    return lost


@inner
def _lose_traces(program: Any, s: int, r: int, begin: int, sample: int, t: int, state: Any) -> None:
    run, part = program.runs[r], program.slices[s]
    rule = program.rules[program.projections[run.projection].rule]
    rounds = program.formats[0].rounding != TRUNCATE and rule.factor_shift > 0
    half = np.int32((1 << (rule.factor_shift - 1)) if rounds else 0)
    index, value, place = state.plastic
    sums, trace, factors = state.sums, state.trace, program.factors
    start = program.channels[run.trace_channel].first + part.first
    for k in range(place[begin], place[begin + run.count]):
        if lost_axon(program, s, r, index[k], sample, t):
            row, x = run.trace + (index[k] - run.pre) * part.stride, np.int64(value[k])
            for n in range(part.count):
                h = np.int32(trace[row + n])
                if rule.factored != 0:
                    product = mul32(np.int32(factors[row + n]), h)
                    h = shift32(add32(product, half), np.int32(rule.factor_shift))
                sums[start + n] -= np.int64(h) * x


@inner
def _lose_sums(program: Any, p: int, s: int, sample: int, t: int, state: Any) -> None:
    population, part = program.populations[p], program.slices[s]
    noise = stream(program.formats[0].seed, sample, t, SUM, s)
    sums, before = state.sums, state.before
    for n in range(part.first, part.first + part.count):
        if _strikes(noise, n, program.faults[0].drop):
            for c in range(population.channels, population.channels_end):
                first = program.channels[c].first
                sums[first + n] = before[first + n]


@inner
def hear_factors(program: Any, s: int, k: int, sample: int, t: int, state: Any) -> None:
    """Fill ``heard`` with the factors slice ``s`` gets for rule ``k``: zero where a packet is lost.

    A slice that owns its neurons needs no packet.
    """
    part, post, heard = program.slices[s], state.post, state.heard
    first = program.rules[k].sliding
    noise = stream(program.formats[0].seed, sample, t, FACTOR, s)
    for n in range(part.first, part.first + part.count):
        lost = program.sends[s] != 0 and _strikes(noise, n, program.faults[0].drop)
        heard[first + n] = np.int16(0) if lost else post[first + n]


@inner
def flip_state(program: Any, p: int, sample: int, t: int, state: Any) -> None:
    """Flip bits of the membranes of population ``p``, and of its traces, after step ``t``.

    At most one bit of a word, with the probability that any of its bits flips.
    """
    population, f = program.populations[p], program.formats[0]
    noise, u, bits = stream(f.seed, sample, t, MEMBRANE, p), state.u, f.membrane_bits
    for n in range(population.size):
        if _strikes(noise, n, program.faults[0].flip_membrane):
            u[population.first + n] = _flipped(u[population.first + n], bits, _word(noise, n))
    for s in range(population.slices, population.slices_end):
        for r in range(program.slices[s].runs, program.slices[s].runs_end):
            if program.runs[r].trace >= 0:
                _flip_traces(program, s, r, sample, t, state)


@inner
def _flipped(value: int, bits: int, word: Any) -> Any:
    """Return a ``bits``-bit number in two's complement with one bit flipped, which ``word`` picks.

    By the low 11 bits of the word, which `_strikes` did not look at.
    """
    bit = np.int64(((word & np.uint64(2047)) * np.uint64(bits)) >> np.uint64(11))
    half = np.int64(1) << np.int64(bits - 1)
    return (((np.int64(value) ^ (np.int64(1) << bit)) + half) & (2 * half - 1)) - half


@inner
def _flip_traces(program: Any, s: int, r: int, sample: int, t: int, state: Any) -> None:
    run, part, faults = program.runs[r], program.slices[s], program.faults[0]
    projection = program.projections[run.projection]
    k = projection.rule
    noise = stream(program.formats[0].seed, sample, t, TRACE, k)
    trace, live = state.trace, state.live
    for i in range(run.pre, run.pre + run.count):
        first = i * program.rules[k].post_size + part.first
        row = run.trace + (i - run.pre) * part.stride
        for n in range(part.count):
            if _strikes(noise, first + n, faults.flip_trace):
                if not live[projection.first + i]:
                    _wake(program, run.projection, i, state)
                word = _word(noise, first + n)
                trace[row + n] = np.int16(_flipped(trace[row + n], faults.trace_bits, word))


@inner
def _wake(program: Any, j: int, i: int, state: Any) -> None:
    """Write the zeros that the traces of axon ``i`` of projection ``j`` stood for."""
    trace, live = state.trace, state.live
    for s in range(len(program.slices)):
        part = program.slices[s]
        for r in range(part.runs, part.runs_end):
            run = program.runs[r]
            if run.projection == j and run.pre <= i < run.pre + run.count and run.trace >= 0:
                row = run.trace + (i - run.pre) * part.stride
                for n in range(row, row + part.stride):
                    trace[n] = 0
    live[program.projections[j].first + i] = True
