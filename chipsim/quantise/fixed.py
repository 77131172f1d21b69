"""The network as the chip holds it: integers, their formats and the shifts between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Arithmetic
from chipsim.connectivity import Convolution
from chipsim.quantise.formats import FixedFormat

Int16Array = NDArray[np.int16]
Int32Array = NDArray[np.int32]


@dataclass(frozen=True)
class Gain:
    """Integer factors between two formats: ``y = (x * factor[t]) >> shift``, rounded as the chip.

    ``factor (steps,)`` carries the presynaptic attenuation of step t.  A negative ``shift``, where
    the target is finer than the source, shifts left.
    """

    factor: Int32Array
    shift: int


@dataclass(frozen=True)
class Levels:
    """What a population sends: integers up to ``maximum`` (negative ones too), worth ``lsb``."""

    lsb: float
    maximum: int


SPIKES = Levels(1.0, 1)


@dataclass(frozen=True)
class TraceFactor:
    """A factor for each trace: ``factor * H`` is ``(value * H_int) >> shift``, rounded.

    ``value (n_pre, n_post)``; with ``shift`` 0 it is a mask of ones and zeros.  Rounded down where
    the chip truncates, else to nearest: it is no state, so nothing could stall.
    """

    value: Int16Array
    shift: int


@dataclass(frozen=True)
class FixedPlasticity:
    """Hybrid plasticity in integers.

    Per step t and synapse (i, j), with input ``x_i`` and membrane ``u_j``::

        pre_i = (((x_i * rate[i]) >> rate_shift) * attenuation[t]) >> 15
        z_j   = ((u_j * post_gain) >> post_shift) - sliding[j]
        H_ij  = clip(((H_ij * decay) >> decay_bits) + ((pre_i * post_j) >> update_shift))

    each shift rounded as the chip rounds, the last two as its ``trace_rounding`` says; the clip at
    ``+-clamp``.  ``rate (n_pre,)`` is beta with the sign of the update, ``sliding (n_post,)`` eta
    in steps of z.  The postsynaptic factor, with ``n = len(table) / 2``::

        tanh     post_j = table[clip(z_j + n)], the hyperbolic tangent over [-4, 4)
        linear   post_j = clip(z_j) at +-post_high
        softmax  e_j = table[min(max(z) - z_j, n - 1)], the exponential over (-8, 0]
                 S = sum(e), b such that n <= S >> b < 2 n
                 post_j = min((e_j * table[n + (S >> b) - n]) >> (b + log2(n)), post_high)

    where the second half of softmax's table holds reciprocals.  ``gain`` takes the trace's
    accumulator to the membrane and carries alpha; ``factor`` is that of each synapse, or None.
    ``initial (n_pre, n_post)`` is the trace that carried state starts from, None for zero.
    """

    trace_format: FixedFormat
    gain: Gain
    rate: Int16Array
    rate_shift: int
    attenuation: Int32Array
    post: Literal["tanh", "linear", "softmax"]
    post_high: int
    table: Int16Array
    post_gain: int
    post_shift: int
    sliding: Int32Array
    decay: int
    decay_bits: int
    update_shift: int
    clamp: int
    factor: TraceFactor | None = None
    carried: bool = False
    initial: Int16Array | None = None


@dataclass(frozen=True)
class FixedProjection:
    """Synapses in integers.

    ``weight (n_pre, n_post)`` is row-major by presynaptic neuron; a convolution's is its kernel
    ``(channels_out, channels_in, kernel_height, kernel_width)``.  ``membrane``: it carries the
    source's membranes, not its spikes.
    """

    name: str
    source: str
    target: str
    delay: int
    weight: Int16Array
    weight_format: FixedFormat
    gain: Gain
    plasticity: FixedPlasticity | None
    connectivity: Convolution | None = None
    membrane: bool = False

    @property
    def n_pre(self) -> int:
        """Number of presynaptic neurons."""
        return self.connectivity.n_pre if self.connectivity else self.weight.shape[0]

    @property
    def n_post(self) -> int:
        """Number of postsynaptic neurons."""
        return self.connectivity.n_post if self.connectivity else self.weight.shape[1]

    def block(self, pre: slice, post: slice) -> Int16Array:
        """Return the weights from neurons ``pre`` to ``post`` as a dense matrix."""
        if self.connectivity is None:
            return self.weight[pre, post]
        return self.connectivity.block(
            self.weight, np.arange(pre.start, pre.stop), np.arange(post.start, post.stop)
        )


@dataclass(frozen=True)
class FixedAdaptation:
    """A rising threshold in integers: ``a' = ((a * decay) >> decay_bits) + strength`` on a spike.

    ``a`` counts ``2**-fraction_bits`` membrane steps, so that it does not stall where its decay is
    slow; the threshold rises by ``a >> fraction_bits``.  ``strength (size,)``.
    """

    decay: int
    decay_bits: int
    fraction_bits: int
    strength: NDArray[np.int64]


@dataclass(frozen=True)
class FixedActivation:
    """The output of graded neurons: ``table[clip(((u * gain) >> shift) + len(table) / 2)]``.

    The shift rounds as the chip does.  ``levels`` says what the outputs are worth.
    """

    gain: int
    shift: int
    table: Int16Array
    levels: Levels


@dataclass(frozen=True)
class FixedSentMembrane:
    """A membrane as neurons send it: ``clip((u * gain) >> shift)`` at ``+-levels.maximum``.

    The shift rounds as the chip does.  ``last``: only in the last step of a sample.
    """

    gain: int
    shift: int
    levels: Levels
    last: bool


@dataclass(frozen=True)
class FixedPopulation:
    """LIF neurons in integers: threshold and bias in membrane steps, decay as a fraction.

    Neurons with an ``activation`` are graded: they keep nothing, do not fire, and send its output.
    ``sent_membrane`` is what projections take that carry the membrane.
    """

    name: str
    size: int
    membrane_format: FixedFormat
    threshold: int
    decay: int
    decay_bits: int
    reset: str
    reset_order: str
    fires: str
    bias: Int32Array
    refractory: int = 0
    adaptation: FixedAdaptation | None = None
    activation: FixedActivation | None = None
    sent_membrane: FixedSentMembrane | None = None

    @property
    def levels(self) -> Levels:
        """What the neurons send."""
        return self.activation.levels if self.activation else SPIKES


@dataclass(frozen=True)
class FixedInput:
    """An input population: integers 0 .. ``maximum``, each step worth ``lsb``."""

    name: str
    size: int
    kind: str
    lsb: float
    maximum: int

    @property
    def levels(self) -> Levels:
        """What the neurons send."""
        return Levels(self.lsb, self.maximum)


@dataclass(frozen=True)
class QuantisationLoss:
    """What fixed point cost one array: how many values were clipped, and the SNR left (dB).

    ``snr_db`` is None where nothing was lost.
    """

    projection: str
    quantity: str
    fmt: FixedFormat
    values: int
    clipped: int
    snr_db: float | None


@dataclass(frozen=True)
class FixedNetwork:
    """A whole network in integers.  ``populations`` come in order of evaluation within a step."""

    name: str
    steps: int
    arithmetic: Arithmetic
    inputs: tuple[FixedInput, ...]
    populations: tuple[FixedPopulation, ...]
    projections: tuple[FixedProjection, ...]
    readout: str
    readout_kind: str
    losses: tuple[QuantisationLoss, ...]

    def population(self, name: str) -> FixedPopulation:
        """Return the population called ``name``; KeyError if there is none."""
        for population in self.populations:
            if population.name == name:
                return population
        raise KeyError(name)

    @property
    def graded(self) -> frozenset[str]:
        """Names of the projections that carry numbers rather than spikes."""
        sending = {p.name for p in self.inputs if p.kind == "graded"}
        sending |= {p.name for p in self.populations if p.activation}
        return frozenset(p.name for p in self.projections if p.membrane or p.source in sending)

    def incoming(self, name: str) -> tuple[FixedProjection, ...]:
        """Return the projections onto ``name``, in file order."""
        return tuple(p for p in self.projections if p.target == name)
