"""An energy with its range."""

from __future__ import annotations

from dataclasses import dataclass

from chipsim.chip import Constant


@dataclass(frozen=True)
class Amount:
    """Joules (or watts) with a low and a high bound."""

    value: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Amount) -> Amount:
        """Add two amounts; bounds add too, since one constant's error is shared by all its uses."""
        return Amount(self.value + other.value, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Amount:
        """Return the amount times a non-negative factor."""
        return Amount(self.value * factor, self.low * factor, self.high * factor)

    def as_dict(self) -> dict[str, float]:
        """Return ``{"value": ..., "low": ..., "high": ...}``."""
        return {"value": self.value, "low": self.low, "high": self.high}


def of(constant: Constant) -> Amount:
    """Return a constant's value and range."""
    return Amount(constant.value, constant.low, constant.high)
