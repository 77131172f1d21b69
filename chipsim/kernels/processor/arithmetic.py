"""S16.15 arithmetic: products that are shifted down, rounded as the chip rounds.

A product is shifted after something is added to it: 0 truncates (towards minus infinity), half a
step rounds to nearest (halves up), noise below a step rounds stochastically.  Noise is ten bits of
a hash of what is computed, so it depends on no order; one hash serves the six roundings of an item.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.kernels.integers import mix, stream

NEURON, TRACE, SYNAPSE, UPDATE, FEEDBACK = 1, 2, 3, 4, 5
"""What a rounding is for: part of its noise's key."""

LOW, HIGH = -(2**31), 2**31 - 1
"""The range of a state."""

_STEP = np.uint64(0x9E3779B97F4A7C15)


@inlined
def key(formats: Any, tick: int, purpose: int, neuron: int) -> Any:
    """Start of the noise of one neuron and tick."""
    return stream(formats.seed, neuron, tick, purpose, 0)


@inlined
def noise(start: Any, item: Any) -> Any:
    """Sixty-four noisy bits of an item."""
    return mix(start + np.uint64(item) * _STEP)


@inlined
def part(word: Any, number: int) -> Any:
    """Ten bits of noise as a fraction of a step of 2^-15: part ``number`` (0 to 5) of a word."""
    bits = (word >> np.uint64(10 * number)) & np.uint64(1023)
    return np.int64(bits) << np.int64(5)


@inlined
def extra(formats: Any, word: Any, number: int) -> Any:
    """Return what the chip adds before it shifts by 15; ``word`` is the item's noise."""
    return part(word, number) if formats.stochastic != 0 else formats.half


@inlined
def extra_decay(formats: Any, word: Any, number: int) -> Any:
    """Return what the chip adds before it shifts by 32."""
    if formats.stochastic != 0:
        return part(word, number) << np.int64(17)
    return formats.half_decay


@inlined
def times(a: Any, b: Any, added: Any) -> Any:
    """Return ``a b`` of two s16.15, each within 32 bit."""
    return (np.int64(a) * np.int64(b) + added) >> np.int64(15)


@inlined
def share(x: Any, fraction: Any, added: Any) -> Any:
    """Return ``x`` times a U0.32."""
    return (np.int64(x) * np.int64(fraction) + added) >> np.int64(32)


@inlined
def decay(x: Any, loss: Any, added: Any) -> Any:
    """Return ``x`` times a U0.32 given as ``loss = fraction - 2^32``, to have 32-bit factors."""
    return np.int64(x) + ((np.int64(x) * np.int64(loss) + added) >> np.int64(32))


@inlined
def saturate(x: Any) -> Any:
    """Limit to 32 bit."""
    return min(max(x, np.int64(LOW)), np.int64(HIGH))
