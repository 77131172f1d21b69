"""How far ring buffer entries are shifted: sPyNNaker's estimate of the largest sum.

The expected largest input of a neuron in a tick is its mean plus five standard deviations of
Poisson spikes, at least its largest weight and at most the sum of its weights; the weight scale
leaves a factor of two above it (sPyNNaker 7.4.1 ``population_vertex.py``).  Here each neuron's own
weights are taken, and the neuron with the largest sum counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chipsim.quantise.processor.connections import Rows

RATE = 0.03
"""Spikes a step (30 Hz) of every source: sPyNNaker's default."""

SIGMAS = 5.0
"""sPyNNaker's default."""

GROWTH = 4.0
"""Room for weights that learn, and for their sums, over those at the start (assumed).

Readouts of trained e-prop tasks have sums of up to 3.3 to 6 times the expected ones at the start.
"""

MOST_SHIFT = 16


def expected_sum(rows: Sequence[Rows], n_post: int, sign: int) -> float:
    """Return the largest sum a tick's spikes make at one of ``n_post`` neurons.

    ``sign`` 1 or -1 takes the weights of that sign alone, 0 all of them by magnitude.
    """
    mean, square, total, largest = np.zeros((4, n_post))
    for part in rows:
        weight = part.weight.astype(np.float64)
        weight = np.abs(weight) if sign == 0 else np.maximum(weight * sign, 0.0)
        mean += _by_neuron(part, weight, n_post)
        square += _by_neuron(part, weight * weight, n_post)
        np.maximum.at(largest, part.post, weight)
    total = mean.copy()
    expected = RATE * mean * (sign != 0) + SIGMAS * np.sqrt(RATE * square)
    return float(np.maximum(np.minimum(expected, total), largest).max(initial=0.0))


def covering_shift(largest: float) -> int:
    """Return the least shift whose ``2^shift`` is at least ``largest``: 0 to 16."""
    if largest <= 1.0:
        return 0
    return min(math.ceil(math.log2(largest)), MOST_SHIFT)


def _by_neuron(part: Rows, values: NDArray[np.float64], n_post: int) -> NDArray[np.float64]:
    return np.asarray(np.bincount(part.post, values, minlength=n_post), np.float64)
