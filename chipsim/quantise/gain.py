"""Factors between formats as the chip holds them: an integer and a shift."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.quantise.fixed import Gain

LEAST_SHIFT, MOST_SHIFT = -32, 46


def make_gain(ratios: NDArray[np.float64], bits: int, name: str) -> Gain:
    """Hold real factors as signed integers over one power of two, as finely as ``bits`` allow."""
    largest = float(np.max(np.abs(ratios), initial=0.0))
    # Beyond 46 bits a 32-bit sum times any factor shifts to nothing.
    if largest <= 2.0 ** -(MOST_SHIFT + 1):
        return Gain(np.zeros(len(ratios), np.int32), 0)
    high = (1 << (bits - 1)) - 1
    shift = min(MOST_SHIFT, math.floor(math.log2(high / largest)))
    if shift < LEAST_SHIFT:
        raise InputError(
            f"projection {name!r}: the factor from its sums to the membrane is {largest:.3g}, "
            f"which a {bits}-bit gain cannot hold; set core.gain_bits higher or "
            "core.membrane_bits lower"
        )
    return Gain(np.round(ratios * 2.0**shift).astype(np.int32), shift)
