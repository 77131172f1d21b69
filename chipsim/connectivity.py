"""How a projection joins its populations, where it is not simply dense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Convolution:
    """A kernel shared by all positions of a map.

    Neuron ``(c, y, x)`` of a population of ``channels`` maps is number
    ``(c * height + y) * width + x``.  The projection's ``weight`` is
    ``(channels_out, channels_in, kernel_height, kernel_width)``; target ``(o, y, x)`` takes source
    ``(i, y * stride + dy - padding, x * stride + dx - padding)`` with ``weight[o, i, dy, dx]``
    (cross-correlation, as frameworks have it), nothing beyond the edges.
    """

    source_shape: tuple[int, int, int]
    target_shape: tuple[int, int, int]
    stride: int = 1
    padding: int = 0


@dataclass(frozen=True, eq=False)
class Sparse:
    """Synapses listed row by row: presynaptic neuron i has ``starts[i] .. starts[i+1]-1``.

    ``starts`` is int64 (n_pre + 1,), ``post`` uint32 (synapses,) ascending within a row.  The
    projection's ``weight`` is (synapses,).  ``delay`` (uint8, steps) is that of each synapse, or
    None where the projection's own counts for all.
    """

    starts: NDArray[np.int64]
    post: NDArray[np.uint32]
    delay: NDArray[np.uint8] | None = None
