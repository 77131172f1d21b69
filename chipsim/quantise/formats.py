"""Fixed-point formats: what a b-bit integer stands for, and how numbers get into it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rounding = Literal["truncate", "nearest", "stochastic"]
Overflow = Literal["saturate", "wrap"]

IntArray = NDArray[np.int64]
RealArray = NDArray[np.float64]


@dataclass(frozen=True)
class FixedFormat:
    """``bits``-bit integers (two's complement if ``signed``), each step worth ``lsb``.

    With a power-of-two ``lsb`` this is the usual Qm.n: m integer bits, n fraction bits and,
    if signed, one sign bit.
    """

    bits: int
    lsb: float
    signed: bool = True

    @property
    def low(self) -> int:
        """Smallest integer."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest integer."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def name(self) -> str:
        """``Q0.15`` (``UQ...`` if unsigned), or ``int16 x 3.1e-05`` for a free scale."""
        exponent = math.log2(self.lsb)
        if exponent != round(exponent):
            return f"{'int' if self.signed else 'uint'}{self.bits} x {self.lsb:.4g}"
        fraction = -round(exponent)
        integer = self.bits - self.signed - fraction
        return f"{'Q' if self.signed else 'UQ'}{integer}.{fraction}"


def round_to_integer(
    scaled: RealArray, rounding: Rounding, rng: np.random.Generator | None = None
) -> IntArray:
    """Round real numbers to integers.

    ``truncate`` rounds towards minus infinity (an arithmetic shift), ``nearest`` halves upwards,
    ``stochastic`` up with a probability equal to the fraction (needs ``rng``).
    """
    if rounding == "truncate":
        return np.floor(scaled).astype(np.int64)
    if rounding == "nearest":
        return np.floor(scaled + 0.5).astype(np.int64)
    if rng is None:
        raise ValueError("stochastic rounding needs a random generator")
    return np.floor(scaled + rng.random(scaled.shape)).astype(np.int64)


def limit(integers: IntArray, fmt: FixedFormat, overflow: Overflow) -> IntArray:
    """Bring integers into the format's range by saturation or two's-complement wrapping."""
    if overflow == "saturate":
        return np.clip(integers, fmt.low, fmt.high)
    span = 1 << fmt.bits
    return (integers - fmt.low) % span + fmt.low


def quantise(
    values: RealArray,
    fmt: FixedFormat,
    rounding: Rounding = "nearest",
    overflow: Overflow = "saturate",
    rng: np.random.Generator | None = None,
) -> IntArray:
    """Turn real values into integers of ``fmt`` (same shape)."""
    return limit(round_to_integer(np.asarray(values) / fmt.lsb, rounding, rng), fmt, overflow)


def covering_format(largest: float, bits: int, signed: bool = True) -> FixedFormat:
    """Return the finest power-of-two format whose range includes ``+-largest``."""
    if largest <= 0.0:
        return FixedFormat(bits, 2.0 ** -(bits - signed), signed)
    high = (1 << (bits - signed)) - 1
    return FixedFormat(bits, 2.0 ** math.ceil(math.log2(largest / high)), signed)


def least_error_format(values: RealArray, bits: int) -> FixedFormat:
    """Return the signed format, of any scale, with the least squared rounding error.

    Tries clipping points from the largest magnitude down to 15 % of it: with few bits it pays to
    clip rare large weights.  Ties go to the widest range.
    """
    largest = float(np.max(np.abs(values), initial=0.0))
    if largest == 0.0:
        return covering_format(0.0, bits)
    high = (1 << (bits - 1)) - 1
    best, least = FixedFormat(bits, largest / high), math.inf
    for share in np.linspace(1.0, 0.15, 86):
        candidate = FixedFormat(bits, largest * float(share) / high)
        error = float(np.sum((values - quantise(values, candidate) * candidate.lsb) ** 2))
        if error < least:
            best, least = candidate, error
        elif error > 2.0 * least:
            break  # clipping costs ever more from here on
    return best


def signal_to_noise_db(values: RealArray, integers: IntArray, fmt: FixedFormat) -> float | None:
    """Signal-to-quantisation-noise ratio in dB; None where nothing was lost or nothing is there."""
    noise = float(np.sum((values - integers * fmt.lsb) ** 2))
    signal = float(np.sum(np.asarray(values) ** 2))
    if noise == 0.0 or signal == 0.0:
        return None
    return 10.0 * math.log10(signal / noise)
