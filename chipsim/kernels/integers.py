"""Integer arithmetic as a chip does it: exact widths, rounding, overflow, noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from chipsim.kernels.compiled import inlined
from chipsim.kernels.layout import NEAREST, STOCHASTIC


def _in_32_bit(instruction: str) -> Callable[[Any, Any], Any]:
    """Return the LLVM instruction on two int32 as a function.

    numba widens products, sums and shifts of 32-bit integers to 64 bit, which quarters the width
    of a vector.
    """

    def typed(_typing_context: Any, a: Any, b: Any) -> Any:
        def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(*arguments)

        return types.int32(types.int32, types.int32), code

    return cast(Callable[[Any, Any], Any], intrinsic(typed))


def _lowest_bit(_typing_context: Any, word: Any) -> Any:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        zero_is_undefined = ir.Constant(ir.IntType(1), 1)
        return builder.cttz(arguments[0], zero_is_undefined)

    return types.int64(types.int64), code


lowest_bit = cast(Callable[[int], int], intrinsic(_lowest_bit))
"""The position of the lowest set bit of a 64-bit word that is not zero; numba has no such scan."""

mul32 = _in_32_bit("mul")
add32 = _in_32_bit("add")
shift32 = _in_32_bit("ashr")


@inlined
def mix(x: Any) -> Any:
    """Finaliser of SplitMix64 (Steele et al. 2014): a bijection of 64-bit words."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@inlined
def stream(seed: int, sample: int, step: int, purpose: int, item: int) -> Any:
    """Start of the noise of one kind of rounding at one step."""
    key = mix(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    key = mix(key + np.uint64(sample))
    return mix(key + (np.uint64(step) << np.uint64(32)) + np.uint64(purpose * 65536 + item))


@inlined
def round_shift(x: int, shift: int, rounding: int, noise: Any, index: int) -> Any:
    """``x / 2**shift`` as the chip rounds: down, to nearest (halves up) or stochastically.

    ``noise`` is a `stream` and ``index`` the item within it.
    """
    if shift <= 0:
        return x << np.int64(-shift)
    if rounding == NEAREST:
        return (x + (np.int64(1) << np.int64(shift - 1))) >> np.int64(shift)
    if rounding == STOCHASTIC:
        word = mix(noise + np.uint64(index) * np.uint64(0x9E3779B97F4A7C15))
        mask = (np.uint64(1) << np.uint64(shift)) - np.uint64(1)
        return (x + np.int64(word & mask)) >> np.int64(shift)
    return x >> np.int64(shift)


@inlined
def round_all(x: Any, count: int, shift: int, rounding: int, noise: Any, first: int) -> None:
    """Replace the first ``count`` numbers of an array by what `round_shift` makes of each.

    They are the items ``first`` and following of the noise.
    """
    size = np.uint64(count)
    if rounding == STOCHASTIC and shift > 0:
        for j in range(size):
            x[j] = round_shift(x[j], shift, STOCHASTIC, noise, np.int64(first) + np.int64(j))
        return
    half = np.int64(1) << np.int64(shift - 1) if rounding == NEAREST and shift > 0 else np.int64(0)
    down, up = np.int64(max(shift, 0)), np.int64(max(-shift, 0))
    for j in range(size):
        x[j] = ((x[j] << up) + half) >> down


@inlined
def limit(x: int, bits: int, wrap: int) -> Any:
    """Saturate or wrap to ``bits`` bits, two's complement."""
    half = np.int64(1) << np.int64(bits - 1)
    if wrap != 0:
        return ((x + half) & (2 * half - 1)) - half
    return min(max(x, -half), half - 1)
