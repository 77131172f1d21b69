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


def _record(*names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in names])


POPULATION = _record(
    "first", "size", "threshold", "decay", "reset", "before_leak", "fires_at",
    "channels", "channels_end", "slices", "slices_end", "projections", "projections_end",
    "rules", "rules_end", "refractory", "adaptation_decay", "adaptation_decay_bits",
    "adaptation_fraction",
)  # fmt: skip
"""A population: its first neuron and size, its LIF parameters as in
`chipsim.quantise.fixed.FixedPopulation`, its ranges of channels, slices, projections, rules, and
its refractory steps and adaptation as in `chipsim.quantise.fixed.FixedAdaptation`."""

CHANNEL = _record("first", "shift")
"""An accumulator: its first place in the sums and the shift of its gain."""

SLICE = _record("first", "count", "stride", "runs", "runs_end")
"""A slice that holds synapses: its neurons within the population, padded row length, runs."""

PROJECTION = _record("source", "size", "delay", "first", "rule")
"""A projection: the first place of its axons in the activity, their number, the delay, the first
place in the lists of axons, the plasticity rule or -1."""

RUN = _record("projection", "pre", "count", "weight", "channel", "trace", "trace_channel")
"""A run of axons of a slice: ``pre`` is the first axon within the projection, ``weight`` and
``trace`` the place of its row (``trace`` is -1 without plasticity)."""

RULE = _record(
    "projection", "rate", "rate_shift", "sliding", "post_size", "post_gain", "post_shift",
    "decay", "update_shift", "clamp",
)  # fmt: skip
"""A plasticity rule, as in `chipsim.quantise.fixed.FixedPlasticity`; ``rate`` and ``sliding`` are
first places in the arrays of that name."""

FORMATS = _record(
    "accumulator_bits", "membrane_bits", "decay_bits", "trace_decay_bits", "rounding", "wrap",
    "seed", "inputs", "neurons", "slots", "sums", "axons", "traces", "readout", "stride",
)  # fmt: skip
"""Chip-wide arithmetic, and the sizes of the state."""

Records = NDArray[np.void]


class Program(NamedTuple):
    """A network on a chip, ready to run: arrays of the records above, and what they point into.

    ``bias`` and ``adaptation (neurons,)``; ``factor (channels, steps)``; ``rate`` and ``sliding``
    of all rules; ``attenuation (rules, steps)``; ``table (rules, entries)``; ``weights`` of all
    runs.  Records rather than one array a field, because numba counts references array by array.
    """

    populations: Records
    channels: Records
    slices: Records
    projections: Records
    runs: Records
    rules: Records
    formats: Records
    bias: NDArray[np.int64]
    adaptation: NDArray[np.int64]
    factor: NDArray[np.int64]
    rate: NDArray[np.int64]
    sliding: NDArray[np.int64]
    attenuation: NDArray[np.int64]
    table: NDArray[np.int64]
    weights: NDArray[np.int16]


class Axons(NamedTuple):
    """A list of axons for every projection: which, with what, and where each axon would stand.

    Projection j's list starts at ``first[j]`` of ``axon`` and ``value``; ``place`` is as long as
    all projections' axons and one more each, so that the axons ``a .. b-1`` of projection j are the
    entries ``place[first[j] + j + a] .. place[first[j] + j + b] - 1``.
    """

    axon: NDArray[np.int64]
    value: NDArray[np.int32]
    place: NDArray[np.int64]


class State(NamedTuple):
    """What changes while a sample runs.

    ``risen`` is how far each threshold has risen, ``waiting`` the steps a neuron cannot fire yet.
    ``active`` axons have input, ``plastic`` ones have input and a trace that is not all zero,
    ``learning`` ones a trace to decay or change (their value is the pre-factor).  ``live``, by
    axon: its traces are not all zero.
    """

    u: NDArray[np.int64]
    spikes: NDArray[np.uint8]
    risen: NDArray[np.int64]
    waiting: NDArray[np.int64]
    activity: NDArray[np.int32]
    sums: NDArray[np.int64]
    current: NDArray[np.int64]
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
