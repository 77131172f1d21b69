"""Weights with flipped bits: what a worn or irradiated memory holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chipsim.quantise.fixed import FixedNetwork

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
_RATE_BITS = 53
"""Random words are cut to the precision of a float, so that a rate of 1 is a threshold too."""


def flip_weights(network: FixedNetwork, rate: float, seed: int) -> tuple[FixedNetwork, int]:
    """Return ``network`` with each stored bit flipped at ``rate``, and how many were.

    Stored are the weights, and the traces that carried state starts from.  A number of b bits is
    stored in two's complement; bit ``bit`` of number n (row-major) of projection p flips where a
    hash of (seed, p, weight or trace, n, bit) falls below the rate.
    """
    if rate == 0.0:
        return network, 0
    projections, flips = [], 0
    for index, projection in enumerate(network.projections):
        keys = [_mix(_mix(seed + _GOLDEN) + (kind << 32) + index) for kind in range(2)]
        weight, count = _flipped(projection.weight, projection.weight_format.bits, keys[0], rate)
        flips += count
        rule = projection.plasticity
        if rule is not None and rule.initial is not None:
            initial, count = _flipped(rule.initial, rule.trace_format.bits, keys[1], rate)
            rule = replace(rule, initial=initial)
            flips += count
        projections.append(replace(projection, weight=weight, plasticity=rule))
    return replace(network, projections=tuple(projections)), flips


def stored_bits(network: FixedNetwork) -> int:
    """Return the bits that all weights and initial traces take."""
    bits = 0
    for projection in network.projections:
        bits += projection.weight.size * projection.weight_format.bits
        rule = projection.plasticity
        if rule is not None and rule.initial is not None:
            bits += rule.initial.size * rule.trace_format.bits
    return bits


def _flipped(
    numbers: NDArray[np.int16], bits: int, key: int, rate: float
) -> tuple[NDArray[np.int16], int]:
    words = numbers.astype(np.int64).reshape(-1) & ((1 << bits) - 1)
    threshold = np.uint64(round(rate * 2.0**_RATE_BITS))
    places = np.arange(words.size, dtype=np.uint64) * np.uint64(bits)
    count = 0
    for bit in range(bits):
        noise = _mix_array(np.uint64(key) + (places + np.uint64(bit)) * np.uint64(_GOLDEN))
        hit = (noise >> np.uint64(64 - _RATE_BITS)) < threshold
        words[hit] ^= 1 << bit
        count += int(np.count_nonzero(hit))
    signed = words - ((words >> (bits - 1)) << bits)
    return signed.astype(np.int16).reshape(numbers.shape), count


def _mix(x: int) -> int:
    """Finaliser of SplitMix64 (Steele et al. 2014) in plain integers."""
    x &= _WORD
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _WORD
    return x ^ (x >> 31)


def _mix_array(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """As `_mix`, of many words."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed
