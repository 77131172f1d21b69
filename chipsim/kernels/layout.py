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
TANH, LINEAR, SOFTMAX = 0, 1, 2


def _record(*names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in names])


POPULATION = _record(
    "first", "size", "threshold", "decay", "reset", "before_leak", "fires_at",
    "channels", "channels_end", "slices", "slices_end", "projections", "projections_end",
    "rules", "rules_end", "refractory", "adaptation_decay", "adaptation_decay_bits",
    "adaptation_fraction", "activation", "activation_gain", "activation_shift",
    "sent", "sent_gain", "sent_shift", "sent_maximum", "sent_last",
)  # fmt: skip
"""A population: its first neuron and size, its LIF parameters as in
`chipsim.quantise.fixed.FixedPopulation`, its ranges of channels, slices, projections, rules,
its refractory steps and adaptation as in `chipsim.quantise.fixed.FixedAdaptation`, and the number
of its table among the ``outputs``, -1 where it spikes, with its gain and shift.  ``sent`` is the
first place of its membranes in the activity, -1 where it does not send them, with the rest of
`chipsim.quantise.fixed.FixedSentMembrane`."""

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
    "decay", "update_shift", "clamp", "counted", "post", "post_high", "factored", "factor_shift",
    "carried",
)  # fmt: skip
"""A plasticity rule, as in `chipsim.quantise.fixed.FixedPlasticity`; ``rate`` and ``sliding`` are
first places in the arrays of that name.  ``counted``: traces can meet the clamp."""

FORMATS = _record(
    "accumulator_bits", "membrane_bits", "decay_bits", "trace_decay_bits", "rounding", "wrap",
    "seed", "inputs", "neurons", "slots", "sums", "axons", "traces", "readout", "stride",
    "trace_rounding", "lazy", "first_spike", "sent",
)  # fmt: skip
"""Chip-wide arithmetic, the sizes of the state (``sent`` membranes come after ``neurons`` in the
activity), and whether the readout's first spike decides."""

FAULTS = _record("drop", "flip_membrane", "flip_trace", "trace_bits", "held")
"""Faults of the hardware: the probability, in units of 2**-53, that a packet does not reach a core,
and that a bit of a membrane, of a trace flips in a step; the width of a trace; whether input values
are sent once a sample."""

Records = NDArray[np.void]


class Program(NamedTuple):
    """A network on a chip, ready to run: arrays of the records above, and what they point into.

    ``bias`` and ``adaptation (neurons,)``; ``factor (channels, steps)``; ``rate`` and ``sliding``
    of all rules; ``attenuation (rules, steps)``; ``table (rules, entries)``; ``outputs`` of graded
    neurons ``(tables, entries)``; ``weights`` of all runs; ``factors`` of their traces, in the
    places of these (empty where no trace has one); ``packets (slices, activity)``, by which
    packet a slice hears a neuron, and ``sends (slices,)``, whether its sums travel (both empty
    where no packet is lost).  Records rather than one array a field, because numba counts
    references array by array.
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
    outputs: NDArray[np.int64]
    weights: NDArray[np.int16]
    factors: NDArray[np.int16]
    faults: Records
    packets: NDArray[np.int64]
    sends: NDArray[np.int64]


class Axons(NamedTuple):
    """A list of axons for every projection: which, with what, and where each axon would stand.

    Projection j's list starts at ``first[j]`` of ``axon`` and ``value``; ``place`` is as long as
    all projections' axons and one more each, so that the axons ``a .. b-1`` of projection j are the
    entries ``place[first[j] + j + a] .. place[first[j] + j + b] - 1``.
    """

    axon: NDArray[np.int64]
    value: NDArray[np.int32]
    place: NDArray[np.int64]


class Memory(NamedTuple):
    """What may outlast a sample.

    ``trace`` by run, axon and neuron; ``live``, by axon: its traces are not all zero; ``decayed``,
    by axon, is the last step whose decay its traces have had (lazy decay only).
    """

    trace: NDArray[np.int16]
    live: NDArray[np.bool_]
    decayed: NDArray[np.int64]


class State(NamedTuple):
    """What changes while a sample runs; ``trace``, ``live``, ``decayed`` as in `Memory`.

    ``risen`` is how far each threshold has risen, ``waiting`` the steps a neuron cannot fire yet.
    ``post``, by rule and neuron, are postsynaptic factors; ``fresh``, by axon, says that its traces
    stand for zero until they take what the last step noted.  ``largest`` is the largest pre-factor
    of a rule by amount, and ``news`` that some axon of it is fresh.  ``active`` axons have input,
    ``plastic`` ones have input and a trace that is not all zero, ``learning`` ones a trace to decay
    or change (their value is the pre-factor).  ``scratch`` is as long as the most neurons or axons.
    ``before`` and ``heard`` are sums and postsynaptic factors kept where packets get lost.
    """

    u: NDArray[np.int64]
    spikes: NDArray[np.uint8]
    risen: NDArray[np.int64]
    waiting: NDArray[np.int64]
    activity: NDArray[np.int32]
    sums: NDArray[np.int64]
    current: NDArray[np.int64]
    scratch: NDArray[np.int64]
    buffer: NDArray[np.int32]
    trace: NDArray[np.int16]
    live: NDArray[np.bool_]
    decayed: NDArray[np.int64]
    fresh: NDArray[np.bool_]
    largest: NDArray[np.int64]
    news: NDArray[np.bool_]
    post: NDArray[np.int16]
    drive: NDArray[np.int64]
    active: Axons
    plastic: Axons
    learning: Axons
    before: NDArray[np.int64]
    heard: NDArray[np.int16]


class Outcome(NamedTuple):
    """What a run leaves behind, by sample.

    ``spikes (S, T, neurons)``, 1 too where a graded neuron sends a number other than 0; ``active
    (S, T, runs)`` axons with input; ``learning (S, T, runs)`` axons with a non-zero pre-factor;
    ``decays (S, T, runs)`` decays of an axon's traces that were put off and made up for (of length
    0 unless lazy); ``potential (S, readout neurons)`` its membrane at the end or, where
    the first spike decides, in that step; ``saturated (populations,)``
    membrane updates that overflowed; ``clamped (rules,)`` trace updates that met the clamp;
    ``ended (populations,)`` sent membranes that were beyond their maximum.
    """

    spikes: NDArray[np.uint8]
    active: NDArray[np.uint16]
    learning: NDArray[np.uint16]
    decays: NDArray[np.uint32]
    potential: NDArray[np.int64]
    saturated: NDArray[np.int64]
    clamped: NDArray[np.int64]
    ended: NDArray[np.int64]
