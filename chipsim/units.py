"""Quantities with units: text such as ``"1.23 pJ"`` to SI floats and back.

Times, frequencies, energies and powers take SI prefixes; memory takes decimal (kB = 1000 B) and
IEC (KiB = 1024 B) prefixes, in bytes or bits.  A bare ``KB`` is refused because authors mean
either.  Values are in seconds, hertz, joules, watts and bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from chipsim.errors import InputError

Dimension = Literal["time", "frequency", "energy", "power", "memory", "number"]

_SI: Mapping[str, Fraction] = {
    "f": Fraction(1, 10**15),
    "p": Fraction(1, 10**12),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
}
_IEC: Mapping[str, Fraction] = {
    "": Fraction(1),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
}


def _scaled(symbol: str, prefixes: str) -> dict[str, Fraction]:
    """Units of ``symbol`` with each of ``prefixes`` (``1`` stands for none)."""
    return {p.strip("1") + symbol: _SI[p.strip("1")] for p in prefixes}


def _memory_units() -> dict[str, Fraction]:
    units: dict[str, Fraction] = {}
    for symbol, size in (("B", Fraction(1)), ("bit", Fraction(1, 8))):
        for prefixes in (_IEC, {p: _SI[p] for p in "kMG"}):
            units.update({prefix + symbol: factor * size for prefix, factor in prefixes.items()})
    return units


_UNITS: Mapping[Dimension, Mapping[str, Fraction]] = {
    "time": _scaled("s", "1munp"),
    "frequency": _scaled("Hz", "1kMG"),
    "energy": _scaled("J", "1munpf"),
    "power": _scaled("W", "1mun"),
    "memory": _memory_units(),
    "number": {"": Fraction(1)},
}
_SYMBOL: Mapping[Dimension, str] = {
    "time": "s",
    "frequency": "Hz",
    "energy": "J",
    "power": "W",
    "memory": "B",
    "number": "",
}
_EXAMPLE: Mapping[Dimension, str] = {
    "time": 'a time such as "16.8 us"',
    "frequency": 'a frequency such as "300 MHz"',
    "energy": 'an energy such as "0.8 pJ"',
    "power": 'a power such as "100 mW"',
    "memory": 'a memory size such as "64 KiB"',
    "number": 'a plain number such as "5040"',
}
_AMBIGUOUS = {"KB": "KiB (1024 B) or kB (1000 B)", "Kbit": "Kibit (1024 bit) or kbit (1000 bit)"}

_QUANTITY = re.compile(
    r"(?P<number>[-+]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?)"
    r"[ \t]*(?P<unit>\S*)"
)


def unit_symbol(dimension: Dimension) -> str:
    """Return the SI unit in which quantities of ``dimension`` are stored (``""`` for numbers)."""
    return _SYMBOL[dimension]


def expected_quantity(dimension: Dimension) -> str:
    """Return how messages call a quantity of ``dimension``: ``an energy such as "0.8 pJ"``."""
    return _EXAMPLE[dimension]


def parse_quantity(text: str, dimension: Dimension) -> float:
    """Read ``text``, a number and a unit of ``dimension``, and return its value in SI units.

    The result is the float nearest to the written decimal.  Raises `InputError` for anything that
    is not a number with an allowed unit, for a bare number where a unit is due, for ``KB``, for a
    memory size that is not a whole number of bytes and for a value beyond the range of a float.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise _wrong(text, dimension)
    unit = match["unit"].replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")
    units = _UNITS[dimension]
    if dimension == "memory" and unit in _AMBIGUOUS:
        raise InputError(f"{_shown(text)} is ambiguous: write {_AMBIGUOUS[unit]}")
    if unit not in units:
        raise _wrong(text, dimension)
    exact = Fraction(match["number"]) * units[unit]
    if dimension == "memory" and exact.denominator != 1:
        raise InputError(f"expected a whole number of bytes, got {_shown(text)}")
    return _as_float(exact, text)


def _as_float(exact: Fraction, text: str) -> float:
    try:
        value = float(exact)
    except OverflowError:
        value = math.inf
    if math.isinf(value) or (value == 0.0) != (exact == 0):
        raise InputError(f"{_shown(text)} is outside the range of floating point")
    return value


def _wrong(text: str, dimension: Dimension) -> InputError:
    message = f"expected {_EXAMPLE[dimension]}, got {_shown(text)}"
    if dimension != "number":
        message += f" (units: {', '.join(_UNITS[dimension])})"
    return InputError(message)


def _shown(text: str) -> str:
    short = text if len(text) <= 60 else text[:57] + "..."
    return '"' + short.encode("unicode_escape").decode("ascii") + '"'


def format_quantity(value: float, unit: str) -> str:
    """Return ``value`` (in SI units) with a prefix to four significant digits: ``"1.23 pJ"``.

    Bytes take IEC prefixes (``"64 KiB"``); a plain number (``unit=""``) takes none and is exact
    when whole.  For the units of `parse_quantity` only its prefixes are used, so that it reads the
    result again (a memory size only where four digits are exact); other units take all SI prefixes.
    """
    if unit == "":
        return f"{value:.0f}" if value == round(value, 0) and abs(value) < 1e15 else f"{value:.4g}"
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    prefixes = _IEC if unit == "B" else _prefixes(unit)
    fitting = [p for p, factor in prefixes.items() if abs(value) >= float(factor)]
    prefix = fitting[-1] if fitting else next(iter(prefixes))
    return f"{value / float(prefixes[prefix]):.4g} {prefix}{unit}"


def _prefixes(unit: str) -> Mapping[str, Fraction]:
    for dimension, symbol in _SYMBOL.items():
        if symbol == unit:
            allowed = _UNITS[dimension]
            return {p: factor for p, factor in _SI.items() if p + unit in allowed}
    return _SI


@dataclass(frozen=True)
class Bounds:
    """What a value may be: inclusive ``at_least`` and ``at_most``, exclusive ``above``."""

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None

    def hold(self, value: float) -> bool:
        """Tell whether ``value`` is within the bounds; NaN is not."""
        return not (
            value != value
            or (self.at_least is not None and value < self.at_least)
            or (self.at_most is not None and value > self.at_most)
            or (self.above is not None and value <= self.above)
        )

    def words(self, unit: str = "") -> str:
        """Return the bounds as words that follow "a number": `` from 2 to 16``."""
        low, high, above = (
            None if bound is None else format_quantity(bound, unit)
            for bound in (self.at_least, self.at_most, self.above)
        )
        if above is not None:
            return f" above {above}" + (f" and at most {high}" if high else "")
        if low is not None and high is not None:
            return f" from {low} to {high}"
        if low is not None:
            return f" of at least {low}"
        return f" of at most {high}" if high is not None else ""
