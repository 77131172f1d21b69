"""Hybrid plasticity on crossbar cores, in integers: decay, clamp and Hebbian update of the traces.

The rule is written out in `chipsim.quantise.fixed.FixedPlasticity`; its plain twin is in
``tests/naive.py``.  The postsynaptic factors are in `chipsim.kernels.post_factors`, decays made up
for later in `chipsim.kernels.lazy_decay`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from chipsim.kernels.compiled import inlined
from chipsim.kernels.faults import hear_factors, lost_axon
from chipsim.kernels.integers import add32, mul32, round_shift, shift32, stream
from chipsim.kernels.layout import NEAREST, STOCHASTIC
from chipsim.kernels.post_factors import post_factors

RATE, ATTENUATE, DECAY, UPDATE = 3, 4, 6, 7
"""What a rounding is for (`chipsim.kernels.crossbar` and `post_factors` have more): part of its
noise's key."""

_WORD, _COUNT = ir.IntType(16), ir.IntType(32)
_SHORT = types.int16


def _call(builder: Any, name: str, arguments: Any) -> Any:
    kind = ir.FunctionType(_WORD, [a.type for a in arguments])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, arguments)


def _typed_product(_typing_context: Any, a: Any, b: Any, shift: Any, up: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        x, y, by, half = arguments
        # Widened factors would be hoisted out of the loop and every row pay for narrowing them.
        upper = _call(builder, "llvm.smul.fix.i16", (x, y, ir.Constant(_COUNT, 15)))
        return builder.ashr(builder.add(builder.ashr(upper, by), half), ir.Constant(_WORD, 1))

    return _SHORT(_SHORT, _SHORT, _SHORT, _SHORT), code


def _typed_sum(_typing_context: Any, a: Any, b: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call(builder, "llvm.sadd.sat.i16", arguments)

    return _SHORT(_SHORT, _SHORT), code


_product = cast(Callable[[Any, Any, Any, Any], Any], intrinsic(_typed_product))
"""``a * b / 2**(16 + shift)`` in 16 bit, rounded to nearest (halves up) where ``up`` is 1, down
where it is 0.  A factor of -32768 only beside one above -32767."""

_saturated_sum = cast(Callable[[Any, Any], Any], intrinsic(_typed_sum))


@inlined
def _pre_factors(program: Any, k: int, sample: int, t: int, state: Any) -> None:
    """List the axons whose traces decay or change, with ``x * beta * d_t``, for rule ``k``."""
    rule, f = program.rules[k], program.formats[0]
    j = rule.projection
    projection = program.projections[j]
    index, value, place = state.learning
    live, rates = state.live, program.rate
    activity = state.activity[(t - projection.delay) % f.slots]
    first = projection.first
    factor = program.attenuation[k, t]
    rate_noise = stream(f.seed, sample, t, RATE, k)
    attenuate_noise = stream(f.seed, sample, t, ATTENUATE, k)
    hits = first
    for i in range(projection.size):
        place[first + j + i] = hits
        x = np.int64(activity[projection.source + i])
        pre = np.int64(0)
        if x != 0:
            pre = x * rates[rule.rate + i]
            pre = round_shift(pre, rule.rate_shift, f.rounding, rate_noise, i)
            pre = round_shift(pre * factor, 15, f.rounding, attenuate_noise, i)
        # A trace of zero that nothing is added to stays exactly zero; lazy ones decay when used.
        if pre != 0 or (live[first + i] and f.lazy == 0):
            index[hits], value[hits] = i, pre
            hits += 1
    place[first + j + projection.size] = hits


@inlined
def _learn_row(trace: Any, at: Any, post: Any, own: Any, pre: Any, fresh: bool, rule: Any) -> int:
    """One axon's traces, rounded down or to nearest; return how many ended at the clamp.

    ``own`` is the first neuron and their number.  A ``fresh`` row stands for zero.
    """
    decay, decay_bits, update_shift, clamp, counted, _ = rule
    # 16 bit hold minus the loss of a decay over 1/2, and most pre-factors scaled for shifts >= 16.
    loss, widened = (decay << max(16 - decay_bits, 0)) - 65536, pre << max(16 - update_shift, 0)
    if not fresh and decay_bits <= 16 and -32767 < loss <= 0 and abs(widened) < 32768:
        _learn_row_narrow(trace, at, post, own, loss, widened, rule)
    else:
        _learn_row_wide(trace, at, post, own, pre, fresh, rule)
    # Counted apart, and only where a trace can meet the clamp: counting inside the loop would keep
    # it from being vectorised.
    return _count_clamped(trace, at, own[1], clamp) if counted != 0 else 0


@inlined
def _learn_row_wide(
    trace: Any, at: Any, post: Any, own: Any, pre: Any, fresh: bool, rule: Any
) -> None:
    decay, decay_bits, update_shift, clamp, _, rounding = rule
    nearest = rounding == NEAREST
    half_decay = np.int32((1 << (decay_bits - 1)) if nearest else 0)
    half_update = np.int32((1 << (update_shift - 1)) if nearest and update_shift > 0 else 0)
    bits, shift = np.int32(decay_bits), np.int32(update_shift)
    # A bound wider than 32 bit would widen the whole loop.
    low, high = np.int32(-clamp), np.int32(clamp)
    rate = np.int32(0) if fresh else np.int32(decay)
    first = np.uint64(own[0])
    for j in range(np.uint64(own[1])):
        kept = shift32(add32(mul32(np.int32(trace[at + j]), rate), half_decay), bits)
        change = shift32(add32(mul32(np.int32(post[first + j]), pre), half_update), shift)
        trace[at + j] = np.int16(min(max(add32(kept, change), low), high))


@inlined
def _learn_row_narrow(
    trace: Any, at: Any, post: Any, own: Any, loss: int, pre: int, rule: Any
) -> None:
    """Compute the same in 16 bit, ``H + H * loss / 2**16``: twice as many traces a vector."""
    _, _, update_shift, clamp, _, rounding = rule
    up, none = np.int16(rounding == NEAREST), np.int16(0)
    rate, x, shift = np.int16(loss), np.int16(pre), np.int16(max(update_shift - 16, 0))
    low, high = np.int16(-clamp), np.int16(clamp)
    first = np.uint64(own[0])
    for j in range(np.uint64(own[1])):
        old = trace[at + j]
        kept = _saturated_sum(old, _product(old, rate, none, up))
        change = _product(post[first + j], x, shift, up)
        trace[at + j] = min(max(_saturated_sum(kept, change), low), high)


@inlined
def _count_clamped(trace: Any, at: Any, count: int, clamp: int) -> int:
    clamped = 0
    for j in range(np.uint64(count)):
        clamped += trace[at + j] == clamp or trace[at + j] == -clamp
    return clamped


@inlined
def _learn_row_stochastic(
    trace: Any, at: Any, post: Any, own: Any, pre: Any, fresh: bool, rule: Any, noise: Any
) -> int:
    """As `_learn_row` with stochastic rounding; ``noise`` is two streams and a first index."""
    decay, decay_bits, shift, clamp, _, _ = rule
    kept_noise, change_noise, index = noise
    clamped = 0
    for j in range(own[1]):
        old = np.int64(0) if fresh else np.int64(trace[at + np.uint64(j)])
        kept = round_shift(old * decay, decay_bits, STOCHASTIC, kept_noise, index + j)
        change = np.int64(post[own[0] + j]) * np.int64(pre)
        change = round_shift(change, shift, STOCHASTIC, change_noise, index + j)
        new = min(max(kept + change, -clamp), clamp)
        clamped += new == clamp or new == -clamp
        trace[at + np.uint64(j)] = np.int16(new)
    return clamped


@inlined
def _learn_run(program: Any, s: int, r: int, sample: int, t: int, state: Any) -> Any:
    """Decay and update the traces of run ``r`` of slice ``s``; return (axons learning, clamps)."""
    run, part, f = program.runs[r], program.slices[s], program.formats[0]
    projection = program.projections[run.projection]
    k = projection.rule
    rule = program.rules[k]
    bits, shift, rounding = f.trace_decay_bits, rule.update_shift, f.trace_rounding
    constants = (rule.decay, bits, shift, rule.clamp, rule.counted, rounding)
    own = (part.first, part.count)
    trace, post, live = state.trace, state.post, state.live
    drops = program.faults[0].drop != 0
    if drops:
        hear_factors(program, s, sample, t, state)
        post = state.heard
    index, value, place = state.learning
    kept_noise = stream(f.seed, sample, t, DECAY, k)
    change_noise = stream(f.seed, sample, t, UPDATE, k)
    begin = projection.first + run.projection + run.pre
    learning = clamped = 0
    for h in range(place[begin], place[begin + run.count]):
        i, pre = index[h], value[h]
        if drops and lost_axon(program, s, r, i, sample, t):
            pre = np.int32(0)
        fresh = not live[projection.first + i]
        learning += pre != 0
        at = np.uint64(run.trace + (i - run.pre) * part.stride)
        if f.trace_rounding == STOCHASTIC:
            noise = (kept_noise, change_noise, i * rule.post_size + part.first)
            clamped += _learn_row_stochastic(trace, at, post, own, pre, fresh, constants, noise)
        else:
            clamped += _learn_row(trace, at, post, own, pre, fresh, constants)
    return learning, clamped


@inlined
def learn(program: Any, p: int, sample: int, n: int, t: int, state: Any, outcome: Any) -> None:
    """Let every plastic projection onto population ``p`` learn at step ``t`` of sample ``n``.

    ``sample`` is the sample's number in the whole trace.  Adds to the counts of ``outcome``.
    """
    population, slices, runs = program.populations[p], program.slices, program.runs
    live, decayed, lazy = state.live, state.decayed, program.formats[0].lazy != 0
    learning, clamped = outcome.learning[n, t], outcome.clamped
    for k in range(population.rules, population.rules_end):
        j = program.rules[k].projection
        projection = program.projections[j]
        _pre_factors(program, k, sample, t, state)
        post_factors(program, k, sample, t, population.first, state)
        for s in range(population.slices, population.slices_end):
            for r in range(slices[s].runs, slices[s].runs_end):
                if runs[r].projection == j:
                    hits, clamps = _learn_run(program, s, r, sample, t, state)
                    learning[r] = hits
                    clamped[k] += clamps
        index, _, place = state.learning
        for h in range(projection.first, place[projection.first + j + projection.size]):
            live[projection.first + index[h]] = True
            if lazy:
                decayed[projection.first + index[h]] = t
