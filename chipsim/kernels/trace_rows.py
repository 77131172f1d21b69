"""The traces of axons after a step: decay, Hebbian change and clamp, in integers.

The rule is written out in `chipsim.quantise.fixed.FixedPlasticity`; ``tests/naive.py`` is the twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inner
from chipsim.kernels.integers import add32, mul32, round_shift, shift32
from chipsim.kernels.lanes import (
    LANES,
    add,
    add_saturated,
    least,
    load,
    most,
    multiply,
    multiply_upper,
    pairs,
    shift,
    shift_unsigned,
    store,
)
from chipsim.kernels.layout import NEAREST, STOCHASTIC
from chipsim.kernels.prefetch import prefetch

AHEAD = 8
"""Rows between the one that is updated and the one that memory is asked for: twice as fast where
traces are in no cache."""


@inner
def is_narrow(largest: int, rule: Any) -> Any:
    """Whether 16 bit hold the loss of a decay and pre-factors of up to ``largest``.

    They do for decays over 1/2 and most pre-factors, scaled for a shift of 17 or more.
    """
    decay, decay_bits, update_shift, _, _, rounding = rule
    loss, scaled = _scaled(decay, decay_bits, largest, update_shift)
    fits = decay_bits <= 16 and -32767 < loss <= 0 and update_shift < 32 and scaled < 32768
    return rounding != STOCHASTIC and fits


@inner
def _scaled(decay: int, decay_bits: int, pre: int, update_shift: int) -> Any:
    loss = (decay << max(16 - decay_bits, 0)) - 65536
    return loss, np.int64(pre) << max(17 - update_shift, 0)


@inner
def learn_rows(
    trace: Any, rows: Any, post: Any, own: Any, axons: Any, listed: Any, rule: Any
) -> None:
    """Update the traces of listed axons in 16 bit, by halves of products.

    ``H + H loss / 2**16 + post x / 2**(16 + by)``, each term rounded down or to nearest.  ``rows``
    is the place of the row of axon ``pre``, the row length and ``pre``, ``own`` the first factor
    and their number, ``listed`` the first axon, the last but one, and that of the whole run.
    Columns up to the end of a row may be written too.
    """
    decay, decay_bits, update_shift, clamp, _, rounding = rule
    index, value, _ = axons
    base, stride, pre = rows
    first, last, beyond = np.uint64(listed[0]), np.uint64(listed[1]), np.uint64(listed[2])
    start, nearest = base - pre * stride, rounding == NEAREST
    loss, _ = _scaled(decay, decay_bits, 0, update_shift)
    by = max(update_shift, 17) - 16
    rate, low, high = _all(loss), _all(-clamp), _all(clamp)
    # Rounding to nearest adds the highest bit that is cut off.
    cut_rate, top = _all(loss if nearest else 0), _all(15)
    half, down = _all(1 << (by - 1) if nearest else 0), _all(by)
    for h in range(first, last):
        at = start + index[h] * stride
        soon = start + index[min(h + np.uint64(AHEAD), beyond - np.uint64(1))] * stride
        _, scaled = _scaled(decay, decay_bits, value[h], update_shift)
        x = _all(scaled)
        for j in range(0, own[1], LANES):
            prefetch(trace, soon + j)
            old, factor = load(trace, at + j), load(post, own[0] + j)
            cut = shift_unsigned(multiply(old, cut_rate), top)
            kept = add(old, add(multiply_upper(old, rate), cut))
            change = shift(add(multiply_upper(factor, x), half), down)
            store(trace, at + j, least(most(add_saturated(kept, change), low), high))


@inner
def _all(x: int) -> Any:
    return pairs(np.int16(x), np.int16(x))


@inner
def learn_row(trace: Any, at: Any, post: Any, own: Any, pre: Any, fresh: bool, rule: Any) -> None:
    """Update one axon's traces, rounded down or to nearest, in 32 bit.

    A ``fresh`` row stands for zero.
    """
    decay, decay_bits, update_shift, clamp, _, rounding = rule
    nearest = rounding == NEAREST
    half_decay = np.int32((1 << (decay_bits - 1)) if nearest else 0)
    half_update = np.int32((1 << (update_shift - 1)) if nearest and update_shift > 0 else 0)
    bits, by = np.int32(decay_bits), np.int32(update_shift)
    # A bound wider than 32 bit would widen the whole loop.
    low, high = np.int32(-clamp), np.int32(clamp)
    rate, x = np.int32(0) if fresh else np.int32(decay), np.int32(pre)
    first, start = np.uint64(own[0]), np.uint64(at)
    for j in range(np.uint64(own[1])):
        kept = shift32(add32(mul32(np.int32(trace[start + j]), rate), half_decay), bits)
        change = shift32(add32(mul32(np.int32(post[first + j]), x), half_update), by)
        trace[start + j] = np.int16(min(max(add32(kept, change), low), high))


@inner
def count_clamped(trace: Any, at: Any, count: int, clamp: int) -> int:
    """Count the traces of a row that are at the clamp."""
    clamped, start = 0, np.uint64(at)
    for j in range(np.uint64(count)):
        clamped += trace[start + j] == clamp or trace[start + j] == -clamp
    return clamped


@inner
def learn_row_stochastic(
    trace: Any, at: Any, post: Any, own: Any, pre: Any, fresh: bool, rule: Any, noise: Any
) -> None:
    """As `learn_row` with stochastic rounding; ``noise`` is two streams and a first index."""
    decay, decay_bits, by, clamp, _, _ = rule
    kept_noise, change_noise, index = noise
    start = np.uint64(at)
    for j in range(own[1]):
        old = np.int64(0) if fresh else np.int64(trace[start + np.uint64(j)])
        kept = round_shift(old * decay, decay_bits, STOCHASTIC, kept_noise, index + j)
        change = np.int64(post[own[0] + j]) * np.int64(pre)
        change = round_shift(change, by, STOCHASTIC, change_noise, index + j)
        trace[start + np.uint64(j)] = np.int16(min(max(kept + change, -clamp), clamp))
