"""Quantities: text to SI floats and back."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.units import Bounds, Dimension, format_quantity, parse_quantity, unit_symbol


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("16.8 us", "time", 16.8e-6),
        ("16.8 \N{MICRO SIGN}s", "time", 16.8e-6),
        ("2ms", "time", 2e-3),
        ("-3 ps", "time", -3e-12),
        ("300 MHz", "frequency", 300e6),
        ("1.23 pJ", "energy", 1.23e-12),
        (" 5e-1 fJ ", "energy", 5e-16),
        ("100 mW", "power", 0.1),
        ("64 KiB", "memory", 65536.0),
        ("64 kB", "memory", 64000.0),
        ("16KiB", "memory", 16384.0),
        ("12 bit", "memory", None),
        ("16 bit", "memory", 2.0),
        ("1 Mbit", "memory", 125000.0),
        ("1 Kibit", "memory", 128.0),
        ("1.5 B", "memory", None),
        ("1e-12", "number", 1e-12),
        (".5", "number", 0.5),
        ("5.", "number", 5.0),
    ],
)
def test_values(text: str, dimension: Dimension, value: float | None) -> None:
    """A quantity is the float nearest to what is written; bytes must be whole."""
    if value is None:
        with pytest.raises(InputError, match="whole number of bytes"):
            parse_quantity(text, dimension)
    else:
        assert parse_quantity(text, dimension) == value


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("3 ns", "energy", 'expected an energy such as "0.8 pJ", got "3 ns"'),
        ("3", "energy", r'got "3" \(units: J, mJ, uJ, nJ, pJ, fJ\)'),
        ("3 pj", "energy", "expected an energy"),
        ("3 MJ", "energy", "expected an energy"),
        ("16 KB", "memory", r"write KiB \(1024 B\) or kB \(1000 B\)"),
        ("16 Kbit", "memory", "write Kibit"),
        ("3 J", "number", 'expected a plain number such as "5040", got "3 J"'),
        ("", "time", "expected a time"),
        ("pJ", "energy", "expected an energy"),
        ("nan s", "time", "expected a time"),
        ("inf s", "time", "expected a time"),
        ("1_000 s", "time", "expected a time"),
        ("1/3 s", "time", "expected a time"),
        ("1 s s", "time", "expected a time"),
        ("0x10 s", "time", "expected a time"),
        ("1e999 s", "time", "outside the range of floating point"),
        ("1e-999 s", "time", "outside the range of floating point"),
        ("1e999999999999 s", "time", "expected a time"),
        ("9" * 5000 + " s", "time", r"\.\.\."),
        ("\x1b[31m", "time", r"\\x1b"),
    ],
)
def test_refused(text: str, dimension: Dimension, message: str) -> None:
    """Each wrong quantity is refused with words that say what was given."""
    with pytest.raises(InputError, match=message):
        parse_quantity(text, dimension)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.23e-12, "J", "1.23 pJ"),
        (1e-12, "J", "1 pJ"),
        (16.8e-6, "s", "16.8 us"),
        (65536, "B", "64 KiB"),
        (22528, "B", "22 KiB"),
        (1000, "B", "1000 B"),
        (3e8, "Hz", "300 MHz"),
        (0.1, "W", "100 mW"),
        (0.0, "W", "0 W"),
        (-2e-9, "s", "-2 ns"),
        (1e-18, "J", "0.001 fJ"),
        (5040, "", "5040"),
        (1234567, "", "1234567"),
        (0.123456, "", "0.1235"),
        (6.085e11, "SOP/s", "608.5 GSOP/s"),
        (float("inf"), "s", "inf s"),
        (float("inf"), "", "inf"),
    ],
)
def test_format(value: float, unit: str, text: str) -> None:
    """Values are shown with the prefix that leaves one to three digits before the point."""
    assert format_quantity(value, unit) == text


DIMENSIONS: tuple[Dimension, ...] = ("time", "frequency", "energy", "power", "number")


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.sampled_from(DIMENSIONS),
    st.floats(1e-30, 1e30) | st.floats(-1e30, -1e-30) | st.just(0.0),
)
def test_format_then_parse(dimension: Dimension, value: float) -> None:
    """What is shown can be read again, to the four digits shown."""
    again = parse_quantity(format_quantity(value, unit_symbol(dimension)), dimension)
    assert again == pytest.approx(value, rel=5.0001e-4)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.integers(0, 1023), st.sampled_from(["B", "KiB", "MiB", "GiB"]))
def test_whole_memory_is_exact(count: int, unit: str) -> None:
    """A whole number of an IEC unit survives the round trip."""
    value = parse_quantity(f"{count} {unit}", "memory")
    assert parse_quantity(format_quantity(value, "B"), "memory") == value


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.decimals(-(10**9), 10**9, allow_nan=False, places=6),
    st.sampled_from([("s", 0), ("ms", -3), ("us", -6), ("ns", -9), ("ps", -12)]),
)
def test_nearest_float(number: object, unit: tuple[str, int]) -> None:
    """Parsing rounds once: the value is the float nearest to the exact decimal."""
    symbol, power = unit
    exact = Fraction(str(number)) * Fraction(10) ** power
    assert parse_quantity(f"{number} {symbol}", "time") == float(exact)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(max_size=30))
def test_any_text(text: str) -> None:
    """No text raises anything but an `InputError`."""
    for dimension in (*DIMENSIONS, "memory"):
        with contextlib.suppress(InputError):
            assert isinstance(parse_quantity(text, dimension), float)


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "words"),
    [
        (Bounds(2, 16), (2, 16), (1.9, 17), " from 2 to 16"),
        (Bounds(at_least=0), (0,), (-1,), " of at least 0"),
        (Bounds(at_most=3), (3,), (4,), " of at most 3"),
        (Bounds(above=0, at_most=1), (1,), (0, 2), " above 0 and at most 1"),
        (Bounds(above=0), (1e-9,), (0,), " above 0"),
        (Bounds(), (1e300,), (), ""),
    ],
)
def test_bounds(
    bounds: Bounds, inside: tuple[float, ...], outside: tuple[float, ...], words: str
) -> None:
    """Bounds hold for what they say in words, never for NaN."""
    assert all(bounds.hold(value) for value in inside)
    assert not any(bounds.hold(value) for value in outside)
    assert not bounds.hold(float("nan"))
    assert bounds.words() == words
