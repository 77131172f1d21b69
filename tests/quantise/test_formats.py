"""Fixed-point formats: their ranges, names, rounding and overflow."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.quantise.formats import (
    FixedFormat,
    covering_format,
    least_error_format,
    limit,
    quantise,
    round_to_integer,
    signal_to_noise_db,
)

FORMATS = st.builds(
    FixedFormat,
    bits=st.integers(2, 24),
    lsb=st.integers(-40, 20).map(lambda e: 2.0**e) | st.floats(1e-12, 1e6),
    signed=st.booleans(),
)
REALS = st.floats(-1e5, 1e5, allow_nan=False)


def plain(value: float, rounding: str) -> int:
    exact = Fraction(value)
    return math.floor(exact if rounding == "truncate" else exact + Fraction(1, 2))


@settings(derandomize=True, max_examples=200)
@given(st.lists(REALS, max_size=8), st.sampled_from(["truncate", "nearest"]))
def test_rounding(values: list[float], rounding: Any) -> None:
    got = round_to_integer(np.array(values, np.float64), rounding)
    # Adding a half to a double may itself round, but only where the fraction is within one ulp.
    wanted = [plain(v, rounding) for v in values]
    near = [abs(v - math.floor(v) - 0.5) < 1e-10 for v in values]
    assert all(a == b or n for a, b, n in zip(got.tolist(), wanted, near, strict=True))


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("truncate", [-2, -1, -1, 0, 0, 1]), ("nearest", [-1, -1, 0, 0, 1, 2])],
)
def test_halves(rounding: Any, expected: list[int]) -> None:
    values = np.array([-1.5, -1.0, -0.5, 0.0, 0.5, 1.5])
    assert round_to_integer(values, rounding).tolist() == expected


def test_stochastic_rounding_is_fair_and_seeded() -> None:
    values = np.full(20_000, -2.3)
    one = round_to_integer(values, "stochastic", np.random.default_rng(1))
    again = round_to_integer(values, "stochastic", np.random.default_rng(1))
    assert set(one.tolist()) == {-3, -2}
    # 0.3 of 20,000 with a standard deviation of 65; six of them
    assert abs((one == -3).sum() - 6000) < 390
    np.testing.assert_array_equal(one, again)
    whole = np.arange(-3.0, 4.0)
    np.testing.assert_array_equal(
        round_to_integer(whole, "stochastic", np.random.default_rng(0)), whole
    )


def test_stochastic_rounding_needs_a_generator() -> None:
    with pytest.raises(ValueError, match="random generator"):
        round_to_integer(np.zeros(1), "stochastic")


@settings(derandomize=True, max_examples=200)
@given(FORMATS, st.lists(st.integers(-(2**40), 2**40), max_size=8))
def test_overflow(fmt: FixedFormat, integers: list[int]) -> None:
    array = np.array(integers, np.int64)
    saturated, wrapped = limit(array, fmt, "saturate"), limit(array, fmt, "wrap")
    for x, s, w in zip(integers, saturated.tolist(), wrapped.tolist(), strict=True):
        assert s == max(fmt.low, min(fmt.high, x))
        assert fmt.low <= w <= fmt.high
        assert (w - x) % 2**fmt.bits == 0


@settings(derandomize=True, max_examples=200)
@given(FORMATS, st.lists(REALS, max_size=8), st.sampled_from(["truncate", "nearest", "stochastic"]))
def test_error_is_at_most_a_step_or_half(
    fmt: FixedFormat, values: list[float], rounding: Any
) -> None:
    array = np.array(values, np.float64)
    integers = quantise(array, fmt, rounding, rng=np.random.default_rng(0))
    assert ((integers >= fmt.low) & (integers <= fmt.high)).all()
    inside = (array >= fmt.low * fmt.lsb) & (array <= fmt.high * fmt.lsb)
    error = (integers * fmt.lsb - array)[inside]
    slack = 1e-9 * fmt.lsb + 1e-10
    bound = fmt.lsb / 2 if rounding == "nearest" else fmt.lsb
    assert (np.abs(error) <= bound + slack).all()
    if rounding == "truncate":
        assert (error <= slack).all()
    # Beyond the range: the nearest end.
    assert (integers[array > fmt.high * fmt.lsb + fmt.lsb] == fmt.high).all()
    assert (integers[array < fmt.low * fmt.lsb - fmt.lsb] == fmt.low).all()


@pytest.mark.parametrize(
    ("fmt", "low", "high", "name"),
    [
        (FixedFormat(16, 2.0**-15), -32768, 32767, "Q0.15"),
        (FixedFormat(8, 2.0**-4), -128, 127, "Q3.4"),
        (FixedFormat(8, 2.0**-8, signed=False), 0, 255, "UQ0.8"),
        (FixedFormat(8, 4.0), -128, 127, "Q9.-2"),
        (FixedFormat(4, 0.3), -8, 7, "int4 x 0.3"),
        (FixedFormat(4, 0.3, signed=False), 0, 15, "uint4 x 0.3"),
    ],
)
def test_ranges_and_names(fmt: FixedFormat, low: int, high: int, name: str) -> None:
    assert (fmt.low, fmt.high, fmt.name) == (low, high, name)


@settings(derandomize=True, max_examples=200)
@given(st.floats(1e-37, 1e38), st.integers(2, 32), st.booleans())
def test_the_covering_format_is_the_finest_that_covers(
    largest: float, bits: int, signed: bool
) -> None:
    fmt = covering_format(largest, bits, signed)
    assert math.log2(fmt.lsb).is_integer()
    # A few ulps of the logarithm decide at the very edge.
    assert fmt.high * fmt.lsb >= largest * (1 - 1e-12)
    assert fmt.high * fmt.lsb / 2 < largest * (1 + 1e-12)


def test_the_covering_format_of_nothing() -> None:
    assert covering_format(0.0, 8).name == "Q0.7"


def squared_error(values: Any, fmt: FixedFormat) -> float:
    return float(((values - quantise(values, fmt) * fmt.lsb) ** 2).sum())


@settings(derandomize=True, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3, 4, 8, 16]), st.floats(1e-30, 1e30))
def test_least_error_is_not_worse_than_the_largest_magnitude(
    seed: int, bits: int, size: float
) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.choice(["normal", "heavy", "one"])
    values = {
        "normal": lambda: rng.normal(0, 1, 60),
        "heavy": lambda: rng.standard_t(2, 60),
        "one": lambda: np.append(rng.normal(0, 1e-3, 60), 1.0),
    }[shape]()
    values = values * size
    fmt = least_error_format(values, bits)
    largest = float(np.abs(values).max())
    scaled = FixedFormat(bits, largest / ((1 << (bits - 1)) - 1))
    assert fmt.bits == bits
    assert 0.15 * scaled.lsb * (1 - 1e-12) <= fmt.lsb <= scaled.lsb
    assert squared_error(values, fmt) <= squared_error(values, scaled) * (1 + 1e-12)


def test_least_error_clips_rare_large_weights_of_few_bits() -> None:
    values = np.append(np.random.default_rng(0).normal(0, 0.1, 5000), 1.0)
    fmt = least_error_format(values, 4)
    assert fmt.lsb < 0.6 / 7
    exact = FixedFormat(4, 1.0 / 7)
    assert squared_error(values, fmt) < 0.5 * squared_error(values, exact)


@pytest.mark.parametrize("values", [[0.0, 0.0], [3e38, 0.0], [1e-45, -1e-45], []])
@pytest.mark.parametrize("bits", [2, 4, 16])
def test_least_error_of_hostile_weights(values: list[float], bits: int) -> None:
    array = np.array(values, np.float64)
    fmt = least_error_format(array, bits)
    assert 0 < fmt.lsb < math.inf
    restored = quantise(array, fmt) * fmt.lsb
    np.testing.assert_allclose(restored, array, rtol=1e-9)


def test_signal_to_noise() -> None:
    fmt = FixedFormat(8, 0.5)
    values = np.array([1.1, -2.0, 0.9])
    noise = 0.1**2 + 0.1**2
    signal = 1.1**2 + 2.0**2 + 0.9**2
    got = signal_to_noise_db(values, quantise(values, fmt), fmt)
    assert got == pytest.approx(10 * math.log10(signal / noise))
    exact = np.array([1.0, -2.0])
    assert signal_to_noise_db(exact, quantise(exact, fmt), fmt) is None
    assert signal_to_noise_db(np.zeros(2), np.zeros(2, np.int64), fmt) is None
