"""Dense, sparse and convolutional projections as rows of synapses by presynaptic neuron."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.connectivity import Convolution, Sparse
from chipsim.network import Projection

_Index = NDArray[np.int64]


class Rows(NamedTuple):
    """Row i is ``starts[i] .. starts[i+1]-1``; ``delay`` in steps, ``post`` ascending in a row."""

    starts: _Index
    post: NDArray[np.uint32]
    weight: NDArray[np.float32]
    delay: NDArray[np.int64]


def rows_of(projection: Projection, n_pre: int, n_post: int) -> Rows:
    """Return the synapses of ``projection``."""
    form = projection.connectivity
    if isinstance(form, Sparse):
        delay = np.full(len(form.post), projection.delay, np.int64)
        if form.delay is not None:
            delay = form.delay.astype(np.int64)
        return Rows(form.starts, form.post, projection.weight, delay)
    if isinstance(form, Convolution):
        pre, post, weight = _convolution(form, projection.weight)
        order = np.lexsort((post, pre))
        starts = np.zeros(n_pre + 1, np.int64)
        np.cumsum(np.bincount(pre, minlength=n_pre), out=starts[1:])
        delay = np.full(len(pre), projection.delay, np.int64)
        return Rows(starts, post[order].astype(np.uint32), weight[order], delay)
    starts = np.arange(n_pre + 1, dtype=np.int64) * n_post
    targets = np.tile(np.arange(n_post, dtype=np.uint32), n_pre)
    weight = np.ascontiguousarray(projection.weight.T).reshape(-1)
    return Rows(starts, targets, weight, np.full(len(targets), projection.delay, np.int64))


def _convolution(
    form: Convolution, kernel: NDArray[np.float32]
) -> tuple[_Index, _Index, NDArray[np.float32]]:
    """Return presynaptic neuron, postsynaptic neuron and weight of every synapse."""
    _, height, width = form.source_shape
    _, rows, columns = form.target_shape
    o, i, dy, dx, y, x = (
        axis.reshape(-1) for axis in np.indices((*kernel.shape, rows, columns), sparse=False)
    )
    source_y = y * form.stride + dy - form.padding
    source_x = x * form.stride + dx - form.padding
    inside = (source_y >= 0) & (source_y < height) & (source_x >= 0) & (source_x < width)
    pre = (i * height + source_y) * width + source_x
    post = (o * rows + y) * columns + x
    return pre[inside], post[inside], kernel[o, i, dy, dx][inside]
