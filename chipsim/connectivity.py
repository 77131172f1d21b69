"""How a projection joins its populations, where it is not simply dense."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Values = TypeVar("Values", bound=np.generic)


@dataclass(frozen=True)
class Convolution:
    """A kernel shared by all positions of a map.

    Neuron ``(c, y, x)`` of a population of ``channels`` maps is number ``(c * height + y) * width +
    x``, or, if ``channels_last``, ``(y * width + x) * channels + c``; shapes are ``(channels,
    height, width)`` either way.  The projection's ``weight`` is ``(channels_out, channels_in,
    kernel_height, kernel_width)``; target ``(o, y, x)`` takes source ``(i, y * stride + dy -
    padding, x * stride + dx - padding)`` with ``weight[o, i, dy, dx]`` (cross-correlation, as
    frameworks have it), nothing beyond the edges.
    """

    source_shape: tuple[int, int, int]
    target_shape: tuple[int, int, int]
    stride: int = 1
    padding: int = 0
    channels_last: bool = False

    @property
    def n_pre(self) -> int:
        """Number of presynaptic neurons."""
        return math.prod(self.source_shape)

    @property
    def n_post(self) -> int:
        """Number of postsynaptic neurons."""
        return math.prod(self.target_shape)

    def place(self, neurons: Index, shape: tuple[int, int, int]) -> tuple[Index, Index, Index]:
        """Return channel, y and x of neurons of a population of this ``shape``."""
        channels, height, width = shape
        if self.channels_last:
            position, channel = np.divmod(neurons, channels)
        else:
            channel, position = np.divmod(neurons, height * width)
        return channel, position // width, position % width

    def by_channel(self, values: NDArray[Values]) -> NDArray[Values]:
        """Return ``values (channels_out,)`` for every target neuron, shape ``(n_post,)``."""
        channel, _, _ = self.place(np.arange(self.n_post), self.target_shape)
        return values[channel]

    def block(self, kernel: NDArray[Values], pre: Index, post: Index) -> NDArray[Values]:
        """Return the synapses from neurons ``pre`` to ``post`` as a dense matrix, zero where none.

        ``kernel`` is the projection's weight; the result has shape ``(len(pre), len(post))``.
        """
        channel_in, y_in, x_in = self.place(pre, self.source_shape)
        channel_out, y_out, x_out = self.place(post, self.target_shape)
        dy = y_in[:, None] + self.padding - self.stride * y_out
        dx = x_in[:, None] + self.padding - self.stride * x_out
        height, width = kernel.shape[2:]
        inside = (dy >= 0) & (dy < height) & (dx >= 0) & (dx < width)
        dy, dx = np.where(inside, dy, 0), np.where(inside, dx, 0)
        dense: NDArray[Values] = kernel[channel_out, channel_in[:, None], dy, dx]
        return np.where(inside, dense, np.zeros((), kernel.dtype))

    def window(
        self, kernel: tuple[int, int], first: int, count: int
    ) -> tuple[tuple[int, int], ...]:
        """Return the sources of the target neurons ``first .. first+count-1`` as runs.

        ``kernel`` is its height and width; a run is ``(first, count)`` of neighbouring neurons.
        """
        _, height, width = self.source_shape
        _, y, x = self.place(np.arange(first, first + count), self.target_shape)
        seen = np.zeros((height, width), np.bool_)
        for dy in range(kernel[0]):
            for dx in range(kernel[1]):
                row = y * self.stride + dy - self.padding
                column = x * self.stride + dx - self.padding
                there = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                seen[row[there], column[there]] = True
        channels = self.source_shape[0]
        flat = np.repeat(seen, channels) if self.channels_last else np.tile(seen.ravel(), channels)
        edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
        return tuple((int(a), int(b - a)) for a, b in edges.reshape(-1, 2))

    def synapses(self, kernel: tuple[int, int]) -> int:
        """Return how many synapses there are for a kernel of this height and width."""
        taps = 1
        for size, source, target in zip(
            kernel, self.source_shape[1:], self.target_shape[1:], strict=True
        ):
            at = np.arange(target)[:, None] * self.stride + np.arange(size) - self.padding
            taps *= int(((at >= 0) & (at < source)).sum())
        return taps * self.source_shape[0] * self.target_shape[0]


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
