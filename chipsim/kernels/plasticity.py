"""Hybrid plasticity on crossbar cores, in integers: which traces learn from what, and when.

The rule is written out in `chipsim.quantise.fixed.FixedPlasticity`; its plain twin is in
``tests/naive.py``.  The arithmetic of a row is in `chipsim.kernels.trace_rows`, the postsynaptic
factors are in `chipsim.kernels.post_factors`, decays made up for later in
`chipsim.kernels.lazy_decay`.

A step only notes its pre- and postsynaptic factors (`learn`).  The traces take them when the next
step reads them (`learn_axons`), while they are in the nearest cache anyway, or at the end of the
sample if they outlast it (`settle`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inner
from chipsim.kernels.faults import hear_factors, lost_axon
from chipsim.kernels.integers import round_all, stream
from chipsim.kernels.layout import STOCHASTIC
from chipsim.kernels.post_factors import post_factors
from chipsim.kernels.trace_rows import (
    count_clamped,
    is_narrow,
    learn_row,
    learn_row_stochastic,
    learn_rows,
)

RATE, ATTENUATE, DECAY, UPDATE = 3, 4, 6, 7
"""What a rounding is for (`chipsim.kernels.crossbar` and `post_factors` have more): part of its
noise's key."""


@inner
def _pre_factors(program: Any, k: int, sample: int, t: int, state: Any) -> None:
    """List the axons whose traces decay or change, with ``x * beta * d_t``, for rule ``k``.

    Those listed are live from now on, and fresh where they were not before.
    """
    rule, f = program.rules[k], program.formats[0]
    j = rule.projection
    projection = program.projections[j]
    first, size = projection.first, projection.size
    live, fresh = state.live[first : first + size], state.fresh[first : first + size]
    decayed, pre = state.decayed[first : first + size], state.scratch
    _changes(program, k, sample, t, state)
    index, value, place = state.learning
    lazy, begin, hits = f.lazy != 0, np.uint64(first + j), np.uint64(first)
    largest, news = np.int64(0), False
    for i in range(np.uint64(size)):
        place[begin + i] = hits
        index[hits], value[hits] = i, pre[i]
        # A trace of zero that nothing is added to stays exactly zero; lazy ones decay when used.
        listed = (pre[i] != 0) | (live[i] & (not lazy))
        largest = max(largest, abs(pre[i]))
        fresh[i] = not live[i]
        news |= listed & fresh[i]
        live[i] |= listed
        decayed[i] = t if listed & lazy else decayed[i]
        hits += np.uint64(listed)
    place[begin + np.uint64(size)] = hits
    state.largest[k], state.news[k] = largest, news


@inner
def _changes(program: Any, k: int, sample: int, t: int, state: Any) -> None:
    """Fill ``scratch`` with the presynaptic factor of every axon of rule ``k``."""
    rule, f = program.rules[k], program.formats[0]
    projection = program.projections[rule.projection]
    size, source, pre = np.uint64(projection.size), projection.source, state.scratch
    rates = program.rate[rule.rate : rule.rate + projection.size]
    slot = (t - projection.delay) % f.slots
    activity = state.activity[slot, source : source + projection.size]
    for i in range(size):
        pre[i] = np.int64(activity[i]) * rates[i]
    noise = stream(f.seed, sample, t, RATE, k)
    round_all(pre, projection.size, rule.rate_shift, f.rounding, noise, 0)
    factor = program.attenuation[k, t]
    for i in range(size):
        pre[i] *= factor
    noise = stream(f.seed, sample, t, ATTENUATE, k)
    round_all(pre, projection.size, 15, f.rounding, noise, 0)


@inner
def _count_learning(program: Any, s: int, r: int, sample: int, t: int, state: Any) -> int:
    """Count the axons of run ``r`` of slice ``s`` whose traces change at step ``t``."""
    run = program.runs[r]
    index, value, place = state.learning
    begin = program.projections[run.projection].first + run.projection + run.pre
    first, last = place[begin], place[begin + run.count]
    learning = 0
    for x in value[first:last]:
        learning += x != 0
    if program.faults[0].drop != 0:
        for h in range(first, last):
            learning -= value[h] != 0 and lost_axon(program, s, r, index[h], sample, t)
    return learning


@inner
def learn_axons(
    program: Any, s: int, r: int, at: Any, sample: int, t: int, state: Any, clamped: Any
) -> None:
    """Give traces of run ``r`` of slice ``s`` what step ``t`` noted.

    ``at`` are places of the first axon and the last but one, of the run or a part of it;
    ``clamped (rules,)`` is added the traces that meet the clamp.
    """
    run, part, f = program.runs[r], program.slices[s], program.formats[0]
    projection = program.projections[run.projection]
    k = projection.rule
    rule = program.rules[k]
    bits, by, rounding = f.trace_decay_bits, rule.update_shift, f.trace_rounding
    constants = (rule.decay, bits, by, rule.clamp, rule.counted, rounding)
    own, rows = (rule.sliding + part.first, part.count), (run.trace, part.stride, run.pre)
    index, _, place = state.learning
    first, last = place[at[0]], place[at[1]]
    if program.faults[0].drop == 0 and is_narrow(state.largest[k], constants):
        if state.news[k]:
            _clear_fresh(state, projection.first, rows, first, last)
        # The axons after these, of the same run, are next.
        listed = (first, last, place[projection.first + run.projection + run.pre + run.count])
        learn_rows(state.trace, rows, state.post, own, state.learning, listed, constants)
    else:
        _learn_one_by_one(program, s, r, first, last, own, constants, sample, t, state)
    # Counted apart, and only where a trace can meet the clamp.
    if rule.counted != 0:
        for h in range(first, last):
            row = run.trace + (index[h] - run.pre) * part.stride
            clamped[k] += count_clamped(state.trace, row, part.count, rule.clamp)


@inner
def _clear_fresh(state: Any, axons: int, rows: Any, first: int, last: int) -> None:
    """Write the zeros that the traces of fresh axons stand for."""
    index, trace = state.learning.axon, state.trace
    base, stride, pre = rows
    for h in range(first, last):
        if state.fresh[axons + index[h]]:
            row = base + (index[h] - pre) * stride
            trace[row : row + stride] = 0


@inner
def _learn_one_by_one(
    program: Any, s: int, r: int, first: int, last: int, own: Any, rule: Any, sample: int, t: int,
    state: Any,
) -> None:  # fmt: skip
    """Update the traces of listed axons of any kind: with lost packets, wide factors, noise."""
    run, part, f = program.runs[r], program.slices[s], program.formats[0]
    projection = program.projections[run.projection]
    k, drops = projection.rule, program.faults[0].drop != 0
    index, value, _ = state.learning
    trace, post = state.trace, state.post
    if drops:
        hear_factors(program, s, k, sample, t, state)
        post = state.heard
    kept_noise = stream(f.seed, sample, t, DECAY, k)
    change_noise = stream(f.seed, sample, t, UPDATE, k)
    for h in range(first, last):
        i, pre = index[h], value[h]
        if drops and lost_axon(program, s, r, i, sample, t):
            pre = np.int32(0)
        fresh, row = state.fresh[projection.first + i], run.trace + (i - run.pre) * part.stride
        if f.trace_rounding == STOCHASTIC:
            noise = (kept_noise, change_noise, i * program.rules[k].post_size + part.first)
            learn_row_stochastic(trace, row, post, own, pre, fresh, rule, noise)
        else:
            learn_row(trace, row, post, own, pre, fresh, rule)


@inner
def settle(program: Any, p: int, sample: int, t: int, state: Any, clamped: Any) -> None:
    """Give all traces onto population ``p`` what step ``t`` noted."""
    population, runs = program.populations[p], program.runs
    for s in range(population.slices, population.slices_end):
        for r in range(program.slices[s].runs, program.slices[s].runs_end):
            if runs[r].trace >= 0:
                begin = program.projections[runs[r].projection].first + runs[r].projection
                begin += runs[r].pre
                at = (begin, begin + runs[r].count)
                learn_axons(program, s, r, at, sample, t, state, clamped)


@inner
def learn(program: Any, p: int, sample: int, t: int, state: Any, learning: Any) -> None:
    """Note what every plastic projection onto population ``p`` learns at step ``t``.

    ``sample`` is the sample's number in the whole trace.  ``learning (runs,)`` takes the numbers of
    axons whose traces change.
    """
    population, slices, runs = program.populations[p], program.slices, program.runs
    for k in range(population.rules, population.rules_end):
        _pre_factors(program, k, sample, t, state)
        post_factors(program, k, sample, t, population.first, state)
    for s in range(population.slices, population.slices_end):
        for r in range(slices[s].runs, slices[s].runs_end):
            if runs[r].trace >= 0:
                learning[r] = _count_learning(program, s, r, sample, t, state)
