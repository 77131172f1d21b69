"""The network as the chip holds it: integers, their formats and the shifts between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Arithmetic
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
class FixedPlasticity:
    """Hybrid plasticity (variant A) in integers.

    Per step t and synapse (i, j), with input ``x_i`` and membrane ``u_j``::

        pre_i  = (((x_i * rate[i]) >> rate_shift) * attenuation[t]) >> 15
        post_j = table[clip(((u_j * post_gain) >> post_shift) - sliding[j] + len(table) / 2)]
        H_ij   = clip(((H_ij * decay) >> decay_bits) + ((pre_i * post_j) >> update_shift))

    each shift rounded as the chip rounds, the clip at ``+-clamp``.  ``rate (n_pre,)`` is beta,
    ``sliding (n_post,)`` eta in table steps, ``table`` the hyperbolic tangent over [-4, 4).
    ``gain`` takes the trace's accumulator to the membrane and carries alpha.
    """

    trace_format: FixedFormat
    gain: Gain
    rate: Int16Array
    rate_shift: int
    attenuation: Int32Array
    table: Int16Array
    post_gain: int
    post_shift: int
    sliding: Int32Array
    decay: int
    decay_bits: int
    update_shift: int
    clamp: int


@dataclass(frozen=True)
class FixedProjection:
    """Synapses in integers; ``weight (n_pre, n_post)`` is row-major by presynaptic neuron."""

    name: str
    source: str
    target: str
    delay: int
    weight: Int16Array
    weight_format: FixedFormat
    gain: Gain
    plasticity: FixedPlasticity | None


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
class FixedPopulation:
    """LIF neurons in integers: threshold and bias in membrane steps, decay as a fraction."""

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


@dataclass(frozen=True)
class FixedInput:
    """An input population: integers 0 .. ``maximum``, each step worth ``lsb``."""

    name: str
    size: int
    kind: str
    lsb: float
    maximum: int


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

    def incoming(self, name: str) -> tuple[FixedProjection, ...]:
        """Return the projections onto ``name``, in file order."""
        return tuple(p for p in self.projections if p.target == name)
