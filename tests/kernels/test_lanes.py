"""Vector operations agree with plain integers, whichever registers the processor has."""

import numpy as np
import pytest
from numba import njit

from chipsim.kernels import lanes
from chipsim.kernels.lanes import (
    LANES,
    dot,
    load,
    load_sums,
    multiply_upper,
    pairs,
    store,
    store_sums,
    unweave_first,
    unweave_second,
    weave_lower,
    weave_upper,
)

EDGES = np.array([-32768, -32767, -1, 0, 1, 2, 32766, 32767])
NO = ("+no", LANES)
REGISTERS = {"plain": (NO, NO, NO), "sse2": (NO, NO, ("+sse2", 8)), "own": lanes._REGISTERS}


def vectors(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-32768, 32768, (2, LANES)).astype(np.int16)
    a[: len(EDGES)], b[: len(EDGES)] = EDGES, EDGES[::-1]
    return a, b


def products(a, b, upper, sums):
    """Fill ``upper`` and ``sums`` by way of vectors; the kernel is compiled anew for each test."""

    @njit
    def fill(a, b, upper, sums):
        x, y = load(a, 0), load(b, 0)
        store(upper, 0, multiply_upper(x, y))
        store_sums(sums, 0, dot(x, y))

    fill(a, b, upper, sums)


@pytest.mark.parametrize("registers", list(REGISTERS))
def test_products(registers, monkeypatch):
    monkeypatch.setattr(lanes, "_REGISTERS", REGISTERS[registers])
    a, b = vectors(1)
    upper, sums = np.zeros(LANES, np.int16), np.zeros(LANES // 2, np.int32)
    products(a, b, upper, sums)
    wide = a.astype(np.int64) * b
    np.testing.assert_array_equal(upper, wide >> 16)
    np.testing.assert_array_equal(sums, wide[::2] + wide[1::2])


def test_woven_sums_come_back_in_order():
    @njit
    def fill(a, b, sums):
        x, y = load(a, 0), load(b, 0)
        one = pairs(np.int16(3), np.int16(-5))
        low, high = dot(weave_lower(x, y), one), dot(weave_upper(x, y), one)
        store_sums(sums, 0, low)
        store_sums(sums, LANES // 2, high)
        low, high = load_sums(sums, 0), load_sums(sums, LANES // 2)
        store_sums(sums, 0, unweave_first(low, high))
        store_sums(sums, LANES // 2, unweave_second(low, high))

    a, b = vectors(2)
    sums = np.zeros(LANES, np.int32)
    fill(a, b, sums)
    np.testing.assert_array_equal(sums, 3 * a.astype(np.int32) - 5 * b.astype(np.int32))
