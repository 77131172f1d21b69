"""SpiNNaker chips and small networks for the mapper's tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.connectivity import Convolution, Sparse
from chipsim.network import LIF, Adaptation, Input, Network, Population, Projection
from chipsim.plasticity import PairSTDP, Reward
from chipsim.processor_chip import ProcessorChip
from chipsim.validation.spinnaker_memory import processor_chip

CELL = LIF(threshold=1.0, decay=0.9)
STDP = PairSTDP(0.01, 0.01, 20.0, 20.0, 0.0, 1.0)


def spinnaker1(*overrides: str) -> ProcessorChip:
    return processor_chip("spinnaker1", overrides)


def dense(source: str, target: str, n_pre: int, n_post: int, delay: int = 0) -> Projection:
    weight = np.ones((n_post, n_pre), np.float32)
    return Projection(f"{source}-{target}", source, target, weight, delay=delay)


def net(*parts: Population | Projection) -> Network:
    populations = tuple(part for part in parts if isinstance(part, Population))
    projections = tuple(part for part in parts if isinstance(part, Projection))
    return Network("net", 10, populations, projections, populations[-1].name)


def chain(*sizes: int) -> Network:
    """A feed-forward network: input, then layers l1, l2, ..."""
    names = ["in", *(f"l{i}" for i in range(1, len(sizes)))]
    populations = [Population("in", sizes[0], Input("spikes"))]
    populations += [
        Population(name, size, CELL) for name, size in zip(names[1:], sizes[1:], strict=True)
    ]
    projections = [
        dense(names[i], names[i + 1], sizes[i], sizes[i + 1]) for i in range(len(sizes) - 1)
    ]
    return net(*populations, *projections)


def sparse_projection(
    rng: np.random.Generator, n_pre: int, n_post: int, share: float
) -> Projection:
    """Random synapses from ``in`` to ``out``, with delays of 1 to 4 steps."""
    there = rng.random((n_pre, n_post)) < share
    starts = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int64)
    post = np.nonzero(there)[1].astype(np.uint32)
    delay = rng.integers(1, 5, post.size).astype(np.uint8)
    weight = np.ones(post.size, np.float32)
    return Projection(
        "sparse", "in", "out", weight, connectivity=Sparse(starts, post, delay), delay=1
    )


def convolution(
    source: tuple[int, int, int],
    kernels: int,
    kernel: int,
    stride: int,
    padding: int,
    channels_last: bool = False,
) -> Projection:
    """A convolution from ``in`` to ``out``."""
    height = (source[1] + 2 * padding - kernel) // stride + 1
    width = (source[2] + 2 * padding - kernel) // stride + 1
    shape = Convolution(source, (kernels, height, width), stride, padding, channels_last)
    weight = np.ones((kernels, source[0], kernel, kernel), np.float32)
    return Projection("conv", "in", "out", weight, connectivity=shape)


def stdp(projection: Projection, reward: str | None = None) -> Projection:
    """The projection with pair STDP, rewarded by input ``reward`` if that is given."""
    rule = STDP if reward is None else replace(STDP, reward=Reward(reward, 1000.0, 200.0))
    return replace(projection, stdp=rule)


def adaptive(size: int) -> LIF:
    return replace(CELL, adaptation=Adaptation(0.99, np.full(size, 0.1, np.float32)))
