"""Reals into the formats of a processor: s16.15 states and U0.32 fractions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.kernels.processor.layout import FRACTION, ONE

LARGEST = 65535.0
"""The largest whole number of s16.15."""


def fixed(value: float, what: str) -> int:
    """Return ``value`` in s16.15, to the nearest; InputError naming ``what`` if it is too large."""
    if not abs(value) <= LARGEST:
        raise InputError(
            f"{what}: {value:g} does not fit S16.15, which holds -65536 to 65535; scale the "
            "population's weights, thresholds and biases down together"
        )
    return round(value * ONE)


def fixed_array(values: NDArray[np.floating], what: str) -> NDArray[np.int32]:
    """Return ``values`` in s16.15; InputError as `fixed`."""
    if values.size:
        fixed(float(np.abs(values).max()), what)
    return np.round(values.astype(np.float64) * ONE).astype(np.int32)


def fraction(value: float) -> int:
    """Return ``0 <= value <= 1`` in U0.32; 1 becomes 2^32, one more than the format holds."""
    return round(value * 2.0**32)


def loss(value: float, what: str) -> int:
    """Return a decay as ``value - 1`` in 2^-32 (`arithmetic.decay`); InputError below one half."""
    if value < 0.5:
        raise InputError(
            f"{what}: a decay of {value:g} a step is below 0.5, the least the e-prop program "
            "takes (a time constant of 1.45 steps); use a longer one"
        )
    return fraction(value) - (1 << 32)


def resolution(shift: int) -> float:
    """Return what one step of a weight of that shift is worth."""
    return 2.0 ** (shift - FRACTION)
