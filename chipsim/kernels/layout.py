"""The arrays the crossbar kernels work on: a network on a chip as structures of arrays.

`chipsim.simulate.program` makes them.  All are plain numpy arrays and integers, so numba takes the
tuples as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TRUNCATE, NEAREST, STOCHASTIC = 0, 1, 2
SUBTRACT, ZERO, NONE = 0, 1, 2


class Populations(NamedTuple):
    """Neurons: one entry per non-input population; ``bias`` per neuron; neurons count from 0."""

    first: NDArray[np.int64]
    size: NDArray[np.int64]
    threshold: NDArray[np.int64]
    decay: NDArray[np.int64]
    reset: NDArray[np.int64]
    before_leak: NDArray[np.bool_]
    fires_at: NDArray[np.bool_]
    bias: NDArray[np.int64]
    channel_ptr: NDArray[np.int64]
    slice_ptr: NDArray[np.int64]
    rule_ptr: NDArray[np.int64]


class Channels(NamedTuple):
    """Accumulators: ``first`` neuron's place in the sums, gain per step and its shift."""

    first: NDArray[np.int64]
    factor: NDArray[np.int64]
    shift: NDArray[np.int64]


class Slices(NamedTuple):
    """Slices that hold synapses: neurons within their population, padded row length, runs."""

    first: NDArray[np.int64]
    count: NDArray[np.int64]
    stride: NDArray[np.int64]
    run_ptr: NDArray[np.int64]


class Runs(NamedTuple):
    """Runs of axons: source (index into the activity), synapse rows, channels, plasticity rule.

    ``trace`` is the place of the first trace row or -1, ``pre`` the first presynaptic neuron
    within the projection, ``row`` the first row in the liveness flags.
    """

    source: NDArray[np.int64]
    count: NDArray[np.int64]
    delay: NDArray[np.int64]
    weight: NDArray[np.int64]
    channel: NDArray[np.int64]
    trace: NDArray[np.int64]
    trace_channel: NDArray[np.int64]
    rule: NDArray[np.int64]
    pre: NDArray[np.int64]
    row: NDArray[np.int64]


class Rules(NamedTuple):
    """Plasticity rules, see `chipsim.quantise.fixed.FixedPlasticity`."""

    rate: NDArray[np.int64]
    rate_first: NDArray[np.int64]
    rate_shift: NDArray[np.int64]
    attenuation: NDArray[np.int64]
    table: NDArray[np.int64]
    post_gain: NDArray[np.int64]
    post_shift: NDArray[np.int64]
    sliding: NDArray[np.int64]
    post_first: NDArray[np.int64]
    post_size: NDArray[np.int64]
    decay: NDArray[np.int64]
    update_shift: NDArray[np.int64]
    clamp: NDArray[np.int64]


class Formats(NamedTuple):
    """Chip-wide arithmetic: bits, rounding mode, whether overflow wraps, and the noise seed."""

    accumulator_bits: int
    membrane_bits: int
    decay_bits: int
    trace_decay_bits: int
    rounding: int
    wrap: bool
    seed: int


class Program(NamedTuple):
    """A network on a chip, ready to run."""

    populations: Populations
    channels: Channels
    slices: Slices
    runs: Runs
    rules: Rules
    formats: Formats
    weights: NDArray[np.int16]
    inputs: int
    neurons: int
    slots: int
    sums: int
    traces: int
    rows: int
    readout: int


class Outcome(NamedTuple):
    """What a run leaves behind, by sample.

    ``spikes (S, T, neurons)``; ``active (S, T, runs)`` axons with input; ``learning (S, T, runs)``
    axons with a non-zero pre-factor; ``potential (S, readout neurons)`` final membrane;
    ``saturated (populations,)`` membrane updates that overflowed; ``clamped (rules,)`` trace
    updates that met the clamp.
    """

    spikes: NDArray[np.uint8]
    active: NDArray[np.uint16]
    learning: NDArray[np.uint16]
    potential: NDArray[np.int64]
    saturated: NDArray[np.int64]
    clamped: NDArray[np.int64]
