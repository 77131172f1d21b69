"""How many synapses a projection has where: from each presynaptic neuron onto a run of targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chipsim.connectivity import Convolution, Sparse
from chipsim.network import Projection

Int64 = NDArray[np.int64]

Counter = Callable[[int, int], Int64]
"""``counter(first, count)``: the synapses of each presynaptic neuron onto the target neurons
``first .. first+count-1``, int64 (n_pre,)."""


def synapse_counter(projection: Projection) -> Counter:
    """Return what counts the synapses of ``projection``.

    A dense projection has a synapse for every pair, whatever its weight.
    """
    connectivity = projection.connectivity
    if isinstance(connectivity, Sparse):
        return _sparse(connectivity)
    if isinstance(connectivity, Convolution):
        return _convolution(connectivity, projection.weight.shape[2:])
    n_pre = projection.weight.shape[1]
    return lambda first, count: np.full(n_pre, count, dtype=np.int64)


def stages_of(projection: Projection, added: int, slots: int) -> tuple[int, ...]:
    """Return the delay stages that the synapses of ``projection`` need, ascending.

    A synapse of d steps takes ``d + added`` ticks; stage 0 is those within ``slots`` ticks, each
    further stage as many more.
    """
    delay = _delays(projection)
    if projection.synapses == 0:
        return (0,)
    if delay is None:
        return ((projection.delay + added - 1) // slots,)
    stages = (np.unique(delay).astype(np.int64) + added - 1) // slots
    return tuple(np.unique(stages).tolist())


def at_stage(projection: Projection, stage: int, added: int, slots: int) -> Projection:
    """Return ``projection`` with only its synapses of one delay stage (see `stages_of`)."""
    sparse, delay = projection.connectivity, _delays(projection)
    if not isinstance(sparse, Sparse) or delay is None:
        return projection
    kept = (delay.astype(np.int64) + added - 1) // slots == stage
    before = np.concatenate([[0], np.cumsum(kept)])
    part = Sparse(before[sparse.starts], sparse.post[kept], delay[kept])
    return replace(projection, connectivity=part, weight=projection.weight[kept])


def senders(projection: Projection) -> NDArray[np.bool_]:
    """Return which presynaptic neurons have a synapse at all, (n_pre,)."""
    connectivity = projection.connectivity
    if isinstance(connectivity, Sparse):
        return np.diff(connectivity.starts) > 0
    if isinstance(connectivity, Convolution):
        return synapse_counter(projection)(0, connectivity.n_post) > 0
    return np.ones(projection.weight.shape[1], np.bool_)


def _delays(projection: Projection) -> NDArray[np.uint8] | None:
    """Return the delay of each synapse of a list in steps, None if all have the projection's."""
    connectivity = projection.connectivity
    if isinstance(connectivity, Sparse) and connectivity.post.size:
        return connectivity.delay
    return None


def is_uniform(projection: Projection) -> bool:
    """Whether every run of as many target neurons has the same synapses."""
    return projection.connectivity is None


def fan_in(projection: Projection) -> int:
    """Return the most synapses that one target neuron has in ``projection``."""
    connectivity = projection.connectivity
    if isinstance(connectivity, Sparse):
        return int(np.bincount(connectivity.post, minlength=1).max())
    return int(np.prod(projection.weight.shape[1:]))


def longest_delay(projection: Projection) -> int:
    """Return the longest delay of a synapse of ``projection``, in steps."""
    connectivity = projection.connectivity
    if isinstance(connectivity, Sparse) and connectivity.delay is not None:
        return int(connectivity.delay.max(initial=0))
    return projection.delay


def shortest_delay(projection: Projection) -> int:
    """Return the shortest delay of a synapse of ``projection``, in steps."""
    connectivity = projection.connectivity
    if isinstance(connectivity, Sparse) and connectivity.delay is not None:
        return int(connectivity.delay.min(initial=255)) if connectivity.delay.size else 0
    return projection.delay


def _sparse(sparse: Sparse) -> Counter:
    """Count by the synapses in order of their targets, sorted once."""
    n_pre = sparse.starts.size - 1
    ends = np.concatenate([[0], np.cumsum(np.bincount(sparse.post, minlength=1))])
    # numpy sorts 16-bit numbers in linear time.
    post = sparse.post.astype(np.uint16) if ends.size <= 1 << 16 else sparse.post
    pre = np.repeat(np.arange(n_pre, dtype=np.int32), np.diff(sparse.starts))
    pre = pre[np.argsort(post, kind="stable")]

    def count_onto(first: int, count: int) -> Int64:
        low, high = ends[min(first, ends.size - 1)], ends[min(first + count, ends.size - 1)]
        return np.bincount(pre[low:high], minlength=n_pre)

    return count_onto


def _convolution(convolution: Convolution, kernel: tuple[int, ...]) -> Counter:
    """Count kernel position by kernel position: all input channels have the same synapses."""
    channels, height, width = convolution.source_shape

    def count_onto(first: int, count: int) -> Int64:
        _, y, x = convolution.place(np.arange(first, first + count), convolution.target_shape)
        plane = np.zeros((height, width), dtype=np.int64)
        for dy in range(kernel[0]):
            for dx in range(kernel[1]):
                from_y = y * convolution.stride + dy - convolution.padding
                from_x = x * convolution.stride + dx - convolution.padding
                inside = (from_y >= 0) & (from_y < height) & (from_x >= 0) & (from_x < width)
                np.add.at(plane, (from_y[inside], from_x[inside]), 1)
        flat = plane.reshape(-1)
        return np.repeat(flat, channels) if convolution.channels_last else np.tile(flat, channels)

    return count_onto
