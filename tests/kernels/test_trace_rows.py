"""Traces updated in 16-bit lanes, or in 32 bit, equal the rule in plain integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from chipsim.kernels.layout import NEAREST, TRUNCATE, Axons
from chipsim.kernels.trace_rows import is_narrow, learn_row, learn_rows

WIDTH, ROWS = 64, 5


@njit
def narrow(largest, rule):
    return is_narrow(largest, rule)


@njit
def by_lanes(trace, rows, post, own, axons, listed, rule):
    learn_rows(trace, rows, post, own, axons, listed, rule)


@njit
def one_by_one(trace, rows, post, own, axons, listed, rule):
    for h in range(listed[0], listed[1]):
        at = rows[0] + (axons.axon[h] - rows[2]) * rows[1]
        learn_row(trace, at, post, own, axons.value[h], False, rule)


def by_the_rule(h, pre, post, rule):
    decay, bits, by, clamp, _, rounding = rule
    half = 1 if rounding == NEAREST else 0
    kept = (h * decay + (half << (bits - 1))) >> bits
    change = (pre * post + ((half << by) >> 1)) >> by
    return max(-clamp, min(clamp, kept + change))


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    decay=st.floats(0.5, 1.0),
    bits=st.sampled_from([16, 12, 8, 1]),
    by=st.sampled_from([*range(14, 32), 0]),
    clamp=st.sampled_from([32767, 20000, 1]),
    rounding=st.sampled_from([NEAREST, TRUNCATE]),
    most=st.sampled_from([32767, 16384, 300]),
)
def test_rows_equal_the_rule(seed, decay, bits, by, clamp, rounding, most):
    rng = np.random.default_rng(seed)
    rule = (round(decay * (1 << bits)), bits, by, clamp, 0, rounding)
    post = rng.integers(-32767, 32768, WIDTH + 40).astype(np.int16)
    post[:4] = -32768, 32767, 0, -1
    value = rng.integers(-most, most + 1, ROWS).astype(np.int32)
    value[0] = most
    chosen = np.sort(rng.choice(8, ROWS, replace=False))
    axons = Axons(chosen.astype(np.int64), value, np.zeros(0, np.int64))
    trace = rng.integers(-clamp, clamp + 1, 8 * WIDTH).astype(np.int16)
    trace[:2] = clamp, -clamp
    count = int(rng.integers(1, WIDTH + 1))
    expected = trace.reshape(8, WIDTH).copy()
    for i, pre in zip(chosen, value, strict=True):
        for j in range(count):
            h = by_the_rule(int(expected[i, j]), int(pre), int(post[3 + j]), rule)
            expected[i, j] = h
    ways = [one_by_one] + [by_lanes] * narrow(most, rule)
    for way in ways:
        mine = trace.copy()
        way(mine, (0, WIDTH, 0), post, (3, count), axons, (0, ROWS, ROWS), rule)
        got = mine.reshape(8, WIDTH)[:, :count]
        np.testing.assert_array_equal(got, expected[:, :count])


@pytest.mark.parametrize(
    ("largest", "rule", "fits"),
    [
        (32767, (62259, 16, 18, 32767, 0, NEAREST), True),
        (32768, (62259, 16, 18, 32767, 0, NEAREST), False),
        (16383, (62259, 16, 16, 32767, 0, NEAREST), True),
        (16384, (62259, 16, 16, 32767, 0, NEAREST), False),
        (1, (32768, 16, 18, 32767, 0, NEAREST), False),
        (1, (65536, 16, 32, 32767, 0, NEAREST), False),
    ],
)
def test_what_16_bit_hold(largest, rule, fits):
    assert narrow(largest, rule) == fits
