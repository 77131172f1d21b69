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
    projection_ptr: NDArray[np.int64]
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


class Projections(NamedTuple):
    """Where a projection's axons come from: ``source`` is their first place in the activity.

    ``first`` is the place of the first axon in the lists of active axons; ``rule`` the plasticity
    rule or -1.
    """

    source: NDArray[np.int64]
    size: NDArray[np.int64]
    delay: NDArray[np.int64]
    first: NDArray[np.int64]
    rule: NDArray[np.int64]


class Runs(NamedTuple):
    """Runs of axons of a slice: projection, axons, synapse rows, channels.

    ``pre`` is the first axon within the projection, ``weight`` and ``trace`` the place of its row
    (``trace`` is -1 without plasticity).
    """

    projection: NDArray[np.int64]
    pre: NDArray[np.int64]
    count: NDArray[np.int64]
    weight: NDArray[np.int64]
    channel: NDArray[np.int64]
    trace: NDArray[np.int64]
    trace_channel: NDArray[np.int64]


class Rules(NamedTuple):
    """Plasticity rules, see `chipsim.quantise.fixed.FixedPlasticity`."""

    projection: NDArray[np.int64]
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
    projections: Projections
    runs: Runs
    rules: Rules
    formats: Formats
    weights: NDArray[np.int16]
    inputs: int
    neurons: int
    slots: int
    sums: int
    axons: int
    traces: int
    readout: int


class Axons(NamedTuple):
    """A list of axons for every projection: which, with what, and where each axon would stand.

    Projection j's list starts at ``first[j]`` of ``index`` and ``value``; ``place`` is as long as
    all projections' axons and one more each, so that the axons ``a .. b-1`` of projection j are the
    entries ``place[first[j] + j + a] .. place[first[j] + j + b] - 1``.
    """

    index: NDArray[np.int64]
    value: NDArray[np.int32]
    place: NDArray[np.int64]


class State(NamedTuple):
    """What changes while a sample runs.

    ``active`` axons have input, ``plastic`` ones have input and a trace that is not all zero,
    ``learning`` ones a trace to decay or change (their value is the pre-factor).  ``live (axons,)``:
    the axon's traces are not all zero.
    """

    u: NDArray[np.int64]
    spikes: NDArray[np.uint8]
    activity: NDArray[np.int32]
    sums: NDArray[np.int64]
    buffer: NDArray[np.int32]
    trace: NDArray[np.int16]
    live: NDArray[np.bool_]
    post: NDArray[np.int16]
    active: Axons
    plastic: Axons
    learning: Axons


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
