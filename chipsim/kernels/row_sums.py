"""Sums of rows of synapses, each times the value of its axon, 32 columns at a time.

Two rows are woven column by column, so that one instruction multiplies and adds both.  That leaves
the columns of a buffer in another order until `put_in_order`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inner
from chipsim.kernels.integers import add32, mul32, shift32
from chipsim.kernels.lanes import (
    LANES,
    add_sums,
    dot,
    load,
    load_sums,
    pairs,
    store_sums,
    unweave_first,
    unweave_second,
    weave_lower,
    weave_upper,
)
from chipsim.kernels.prefetch import prefetch

_HALF = LANES // 2


@inner
def _soon(index: Any, k: Any, end: Any) -> Any:
    return index[min(k, end - np.uint64(1))]


@inner
def add_rows(
    buffer: Any, table: Any, rows: Any, axons: Any, first: int, last: int, far: bool
) -> None:
    """``buffer += value[k] * row`` for the listed axons ``first <= k < last``.

    ``rows`` is the place of the row of axon ``pre``, the row length and ``pre``; values have 16
    bit.  In 32 bit; the mapper guarantees that no sum overflows.  Four rows a pass save three of
    four loads and stores of the buffer.  ``far`` rows may be in no cache: memory is asked for the
    next four meanwhile.
    """
    index, value, _ = axons
    base, stride, pre = rows
    # Unsigned places spare the test for one that counts from the end.
    k, end, start = np.uint64(first), np.uint64(last), base - pre * stride
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    while k + four <= end:
        p0, p1 = start + index[k] * stride, start + index[k + one] * stride
        p2, p3 = start + index[k + two] * stride, start + index[k + three] * stride
        x = pairs(np.int16(value[k]), np.int16(value[k + one]))
        y = pairs(np.int16(value[k + two]), np.int16(value[k + three]))
        s0, s1 = _soon(index, k + four, end), _soon(index, k + four + one, end)
        s2, s3 = _soon(index, k + four + two, end), _soon(index, k + four + three, end)
        for j in range(0, stride, LANES):
            if far:
                for soon in (s0, s1, s2, s3):
                    prefetch(table, start + soon * stride + j)
            a, b = load(table, p0 + j), load(table, p1 + j)
            c, d = load(table, p2 + j), load(table, p3 + j)
            low = add_sums(dot(weave_lower(a, b), x), dot(weave_lower(c, d), y))
            high = add_sums(dot(weave_upper(a, b), x), dot(weave_upper(c, d), y))
            store_sums(buffer, j, add_sums(load_sums(buffer, j), low))
            store_sums(buffer, j + _HALF, add_sums(load_sums(buffer, j + _HALF), high))
        k += four
    while k < end:
        other = min(k + one, end - one)
        p0, p1 = start + index[k] * stride, start + index[other] * stride
        x = pairs(np.int16(value[k]), np.int16(value[other] if other > k else 0))
        for j in range(0, stride, LANES):
            a, b = load(table, p0 + j), load(table, p1 + j)
            low, high = dot(weave_lower(a, b), x), dot(weave_upper(a, b), x)
            store_sums(buffer, j, add_sums(load_sums(buffer, j), low))
            store_sums(buffer, j + _HALF, add_sums(load_sums(buffer, j + _HALF), high))
        k += two


@inner
def add_factored_rows(
    buffer: Any, trace: Any, factor: Any, rows: Any, axons: Any, first: int, last: int
) -> None:
    """Add rows of traces, each trace times its factor, rounded; see `add_rows`.

    ``factor`` is the array of them, what a product is added before its shift, and the shift.  The
    buffer is in order.
    """
    index, value, _ = axons
    base, stride, pre = rows
    factors, half, shift = factor
    for k in range(first, last):
        row, x = np.uint64(base + (index[k] - pre) * stride), value[k]
        for j in range(np.uint64(stride)):
            product = mul32(np.int32(factors[row + j]), np.int32(trace[row + j]))
            buffer[j] = add32(buffer[j], mul32(shift32(add32(product, half), shift), x))


@inner
def put_in_order(buffer: Any, stride: int) -> None:
    """Bring the columns that `add_rows` left woven back in order."""
    for j in range(0, stride, LANES):
        low, high = load_sums(buffer, j), load_sums(buffer, j + _HALF)
        store_sums(buffer, j, unweave_first(low, high))
        store_sums(buffer, j + _HALF, unweave_second(low, high))
