"""The arrays a chip of processors works on, flat over all its cores.

Raw s16.15 numbers are values times 2^15.  Neurons are numbered through all populations in file
order, inputs included.  `chipsim.quantise.processor` makes programs; numba takes the tuples as
they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FRACTION = 15
ONE = 1 << FRACTION

NO_RESET, SUBTRACT, ZERO = 0, 1, 2

RING, MEMBRANE, WEIGHT = 0, 1, 2
"""What saturated: columns of `State.saturated`."""

LAYER, READOUT = 0, 1
"""The two learners of e-prop: rows of `Learning.learners`."""

Records = NDArray[np.void]


def _record(*names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in names])


FORMATS = _record("neurons", "slots", "stochastic", "half", "half_decay", "seed")
"""``half`` and ``half_decay`` are added before a shift by 15 and by 32 (0 to truncate, half a
step to round to nearest); ``stochastic`` adds noise instead."""

POPULATION = _record(
    "source", "first", "size", "types", "shift", "shift_inhibitory", "reset", "before_leak",
    "fires_at", "refractory", "threshold", "decay", "adapts", "adaptation_decay",
)  # fmt: skip
"""``source`` 1 is an input.  LIF neurons: ``types`` is 1 for one signed ring buffer, 2 for an
excitatory and an inhibitory one; a ring entry times ``2^shift`` is a current in s16.15.  Decays are
U0.32."""

LEARNER = _record("population", "first", "size", "pre", "stride", "state", "column")
"""A population whose synapses learn: ``pre`` presynaptic columns, row length ``stride`` of its
synapse state, which begins at ``state``; its columns begin at ``column`` of `Learning.column`."""

EPROP = _record(
    "outputs", "classification", "continuous", "step_layer", "step_readout", "adam",
    "alpha", "rho", "kappa", "gain", "gain_fixed", "peak", "per_threshold",
    "half", "half_decay", "sum_shift", "half_sum", "gradient_shift", "rate_per_spike",
    "rate_target", "decay1", "decay2", "epsilon", "limit", "layer_column", "feedback",
    "feedback_decay",
)  # fmt: skip
"""Constants of the rule.  ``alpha``, ``rho`` and ``kappa`` are decays as ``d - 2^32``; ``gain`` is
``1 - kappa`` in U0.32, ``gain_fixed`` in s16.15; ``peak`` and ``per_threshold`` in s16.15.  The sum
of e is kept in steps of ``2^(sum_shift - 15)``, ``half_sum`` is added before its shift; the
gradient in steps of ``2^(gradient_shift - 30)``.
``rate_per_spike`` and ``rate_target`` (a batch's) are in 2^-32.  ``step_layer`` and
``step_readout`` are the learning rate of a continuous rule in 2^-32 steps of a weight.
``decay1`` and ``decay2`` are Adam's in U0.32, ``epsilon`` in raw gradient; weights stay within
``limit``.  The layer's neurons begin at column ``layer_column`` of the readout; ``feedback`` is 0
random, 1 symmetric, 2 adaptive, ``feedback_decay`` what an update leaves of it, in U0.32."""

LEARNING_CORE = _record("learner", "first", "count", "trace", "arrivals", "signal")
"""A core with plastic synapses: neurons ``first .. first+count-1`` (global), and where its part
of `Traces` begins."""


HISTORY = 16
"""Postsynaptic spikes a neuron remembers for STDP, as sPyNNaker's programs do."""

LEVELS = 4096
"""Ticks of dopamine a core remembers; what is older counts for nothing."""

NEVER = -(2**62)
"""The tick of the last spike of a row that had none."""

PROJECTION = _record(
    "source", "target", "size", "first", "starts", "signed", "learner", "column", "delay", "stdp",
    "later",
)  # fmt: skip
"""Synapses between two populations: ``size`` rows, whose ends are ``Fanout.starts[starts + i]``
counted from synapse ``first``.  Where they learn by e-prop, ``learner`` is not -1: row i is the
learner's column ``column + i`` and all delays are ``delay``.  ``stdp`` is the number of their STDP
rule, or -1.  Rows are processed ``later`` ticks after the spike: a delay extension sends it again
then."""

STDP = _record(
    "target", "post", "history", "synapse", "eligibles", "rewarded", "reward", "potentiation",
    "depression", "low", "high", "plus", "plus_length", "minus", "minus_length", "slow",
    "slow_length", "eligibility", "dopamine",
)  # fmt: skip
"""An STDP rule, of one projection: its target population and that one's first neuron ``post``,
whose spikes begin at ``history`` of `SpikePairs`; its first synapse, whose eligibility is at
``eligibles``; the global number of the neuron that sends ``reward``.  ``potentiation`` and
``depression`` are in 2^-15 of a weight's step, ``low`` and ``high`` in steps.  Tables of
exponentials begin at ``plus``, ``minus`` and ``slow`` (eligibility) of `Stdp.table`;
``eligibility`` and ``dopamine`` are decays of one tick in s16.15."""

STDP_CORE = _record("rule", "first", "count", "dopamine")
"""A core with the synapses of a rule onto its neurons ``first .. first+count-1`` (global); where
its dopamine begins in `SpikePairs`."""


class Fanout(NamedTuple):
    """Where a spike goes: projections by source population, and the ends of all their rows.

    Population p's projections are ``by_source[p] .. by_source[p + 1] - 1``; ``offset`` is the tick
    in which each population computes its step 0, ``steps`` those of a sample.
    """

    projections: Records
    by_source: NDArray[np.int64]
    starts: NDArray[np.int64]
    offset: NDArray[np.int64]


class Program(NamedTuple):
    """A network in integers.

    ``bias`` s16.15 and ``strength`` (of adaptation, s16.15) are int32 (neurons,).  Synapse k adds
    ``weight[k]`` at ``place[k] = (2 D + type) neurons + post`` from the slot of the tick in which
    its row is processed; a weight is uint16, or int16 in two's complement where the target has one
    signed ring buffer.
    """

    formats: Records
    populations: Records
    bias: NDArray[np.int32]
    strength: NDArray[np.int32]
    place: NDArray[np.uint32]
    weight: NDArray[np.uint16]


class State(NamedTuple):
    """What changes: membrane, adaptation (s16.15), refractory steps left and spikes, by neuron.

    ``ring (slots * 2 * neurons,)`` holds sums of weights; they saturate when a neuron reads them,
    so that the order of additions never matters.  ``saturated (populations, 3)`` counts.
    """

    v: NDArray[np.int32]
    a: NDArray[np.int32]
    waiting: NDArray[np.int32]
    spiked: NDArray[np.uint8]
    ring: NDArray[np.int32]
    saturated: NDArray[np.int64]


class Learning(NamedTuple):
    """e-prop on a layer and its readout.

    ``column`` tells for each column of each learner the place of its first synapse in
    `Program.weight` (synapse onto the learner's neuron j: that plus j); ``own`` the neuron of the
    learner that the column is itself, whose synapse does not learn, or -1.
    """

    constants: Records
    learners: Records
    column: NDArray[np.int64]
    own: NDArray[np.int64]


class Plastic(NamedTuple):
    """State of all plastic synapses, by postsynaptic neuron (`LEARNER`), and of their learners.

    ``epsilon`` and ``smooth`` (e-bar) are s16.15, ``total`` (sum of e) and ``gradient`` have a
    point of their own (`EPROP`); ``first`` and ``second`` are Adam's.  ``feedback (outputs * n,)``
    is B in s16.15; ``spikes (n,)`` counts a batch; ``output`` and ``error (outputs,)`` are y and E;
    ``updated (1,)`` is the tick of the last update.
    """

    epsilon: NDArray[np.int32]
    smooth: NDArray[np.int32]
    total: NDArray[np.int32]
    gradient: NDArray[np.int32]
    first: NDArray[np.int32]
    second: NDArray[np.int64]
    feedback: NDArray[np.int32]
    spikes: NDArray[np.int64]
    output: NDArray[np.int32]
    error: NDArray[np.int32]
    updated: NDArray[np.int64]


class Traces(NamedTuple):
    """What each learning core keeps of its presynaptic neurons, one part after the other.

    ``arrivals``: spikes by slot of the tick and column; ``trace``: their filtered sums (s16.15);
    ``signal``: the error of each output that came since the core's last step.
    """

    arrivals: NDArray[np.uint8]
    trace: NDArray[np.int32]
    signal: NDArray[np.int32]


class Stdp(NamedTuple):
    """All STDP rules, and their tables of exponentials in s16.15."""

    rules: Records
    table: NDArray[np.int32]


class SpikePairs(NamedTuple):
    """What STDP remembers.

    By row of a core: tick of its ``last`` spike and the trace ``pre`` at it.  By postsynaptic
    neuron of a rule: how often it ``fired``, and of the last `HISTORY` spikes ``when`` and the
    trace ``post`` at each.  By synapse of rewarded rules: ``eligible``, in 2^-15 of a weight's
    step.  By core: ``dopamine`` of the last `LEVELS` ticks; ``effect (LEVELS,)`` is scratch.
    """

    last: NDArray[np.int64]
    pre: NDArray[np.int32]
    fired: NDArray[np.int64]
    when: NDArray[np.int64]
    post: NDArray[np.int32]
    eligible: NDArray[np.int32]
    dopamine: NDArray[np.int32]
    effect: NDArray[np.int64]


def no_stdp() -> Stdp:
    """Return the rules of a network without STDP."""
    return Stdp(np.zeros(0, STDP), np.zeros(0, np.int32))


def spike_pairs(rows: int, neurons: int, synapses: int, cores: int) -> SpikePairs:
    """Return what STDP remembers before the first spike.

    Of ``rows`` of all cores, postsynaptic ``neurons`` of all rules, plastic ``synapses`` of
    rewarded rules, and ``cores``.
    """
    return SpikePairs(
        last=np.full(rows, NEVER, np.int64),
        pre=np.zeros(rows, np.int32),
        fired=np.zeros(neurons, np.int64),
        when=np.zeros(neurons * HISTORY, np.int64),
        post=np.zeros(neurons * HISTORY, np.int32),
        eligible=np.zeros(synapses, np.int32),
        dopamine=np.zeros(cores * LEVELS, np.int32),
        effect=np.zeros(LEVELS, np.int64),
    )


def new_state(program: Program) -> State:
    """Return ``program`` at rest."""
    formats = program.formats[0]
    neurons, slots = int(formats["neurons"]), int(formats["slots"])
    return State(
        v=np.zeros(neurons, np.int32),
        a=np.zeros(neurons, np.int32),
        waiting=np.zeros(neurons, np.int32),
        spiked=np.zeros(neurons, np.uint8),
        ring=np.zeros(slots * 2 * neurons, np.int32),
        saturated=np.zeros((len(program.populations), 3), np.int64),
    )


def no_learning() -> Learning:
    """Return the rule of a network that learns nothing."""
    none = np.zeros(0, np.int64)
    return Learning(np.zeros(1, EPROP), np.zeros(0, LEARNER), none, none)


def new_plastic(learning: Learning, feedback: NDArray[np.int32]) -> Plastic:
    """Return synapses that have learnt nothing; ``feedback (outputs, n)`` is B in s16.15."""
    synapses = int((learning.learners["size"] * learning.learners["stride"]).sum())
    outputs = int(learning.constants[0]["outputs"])
    return Plastic(
        epsilon=np.zeros(synapses, np.int32),
        smooth=np.zeros(synapses, np.int32),
        total=np.zeros(synapses, np.int32),
        gradient=np.zeros(synapses, np.int32),
        first=np.zeros(synapses, np.int32),
        second=np.zeros(synapses, np.int64),
        feedback=feedback.astype(np.int32).reshape(-1),
        spikes=np.zeros(int(learning.learners["size"][:1].sum()), np.int64),
        output=np.zeros(outputs, np.int32),
        error=np.zeros(outputs, np.int32),
        updated=np.zeros(1, np.int64),
    )


def learning_cores(
    learning: Learning, slots: int, slices: Sequence[tuple[int, int, int]]
) -> tuple[Records, Traces]:
    """Lay out cores that hold ``slices``: (learner, first global neuron, count) each."""
    cores = np.zeros(len(slices), LEARNING_CORE)
    columns = 0
    outputs = int(learning.constants[0]["outputs"])
    for number, (learner, first, count) in enumerate(slices):
        cores[number] = (learner, first, count, columns, slots * columns, number * outputs)
        columns += int(learning.learners[learner]["pre"])
    return cores, Traces(
        arrivals=np.zeros(slots * columns, np.uint8),
        trace=np.zeros(columns, np.int32),
        signal=np.zeros(len(slices) * outputs, np.int32),
    )
