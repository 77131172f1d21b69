"""Random input spikes, step by step independent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def poisson(random: np.random.Generator, spikes: NDArray[np.bool_], probability: float) -> None:
    """Fill ``spikes`` (any shape) with spikes of ``probability`` per neuron and step."""
    spikes[...] = random.random(spikes.shape, np.float32) < probability
