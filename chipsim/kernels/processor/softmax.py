"""The error of the readout in S16.15: squared error, or cross-entropy with an integer softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inlined

EXPONENT_BITS = 20
"""``exp(-x)`` is 0 from x = 2^(20-15) = 32 on."""

FACTORS = np.round(np.exp(-(2.0 ** np.arange(-15, EXPONENT_BITS - 15))) * 2.0**32).astype(np.int64)
"""``exp(-2^(b-15))`` in U0.32: bit b's part of ``exp(-x)`` for x in s16.15."""


@inlined
def exponential(x: Any) -> Any:
    """``exp(-x / 2^15)`` in U1.31 for ``x >= 0``: the product of its bits' factors, truncated."""
    if x >= np.int64(1) << np.int64(EXPONENT_BITS):
        return np.int64(0)
    result = np.int64(1) << np.int64(31)
    for b in range(EXPONENT_BITS):
        if (np.int64(x) >> np.int64(b)) & np.int64(1):
            result = (result * FACTORS[b]) >> np.int64(32)
    return result


@inlined
def set_error(classification: int, output: Any, target: Any, error: Any) -> None:
    """Fill ``error`` with ``output - target``, or with ``softmax(output) - target``."""
    if classification == 0:
        for k in range(len(output)):
            error[k] = output[k] - target[k]
        return
    highest = np.int64(output[0])
    for k in range(len(output)):
        highest = max(highest, np.int64(output[k]))
    total = np.int64(0)
    for k in range(len(output)):
        total += exponential(highest - output[k])
    for k in range(len(output)):
        power = exponential(highest - output[k])
        error[k] = (power << np.int64(15)) // total - target[k]
