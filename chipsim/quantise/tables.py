"""The look-up tables of a chip: hyperbolic tangent, softmax, outputs of graded neurons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.quantise.formats import FixedFormat, quantise

TABLE_ENTRIES = 512

TANH_REACH = 4.0
"""A table of the tangent spans [-4, 4): beyond it tanh is within 7e-4 of +-1."""

SOFTMAX_ENTRIES = TABLE_ENTRIES // 2
SOFTMAX_REACH = 8.0
"""The exponentials of softmax go down to exp(-8), a share of 3e-4 of the largest."""

Table = NDArray[np.int16]


def arguments(reach: float) -> NDArray[np.float64]:
    """Return what each entry of a table over ``[-reach, reach)`` stands for."""
    return (np.arange(TABLE_ENTRIES) / TABLE_ENTRIES * 2 - 1) * reach


def tanh_table(fmt: FixedFormat) -> Table:
    """Return the hyperbolic tangent over ``TANH_REACH``."""
    return quantise(np.tanh(arguments(TANH_REACH)), fmt).astype(np.int16)


def softmax_table(fmt: FixedFormat) -> Table:
    """Return the exponentials of 0 to ``-SOFTMAX_REACH``, then the reciprocals of 1 to 2."""
    falling = np.exp(-np.arange(SOFTMAX_ENTRIES) / SOFTMAX_ENTRIES * SOFTMAX_REACH)
    reciprocal = 1.0 / (1.0 + np.arange(SOFTMAX_ENTRIES) / SOFTMAX_ENTRIES)
    return quantise(np.concatenate([falling, reciprocal]), fmt).astype(np.int16)
