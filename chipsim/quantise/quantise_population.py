"""From populations to integers: inputs, neurons, what they send."""

from __future__ import annotations

import math

import numpy as np

from chipsim.chip import Arithmetic
from chipsim.errors import InputError
from chipsim.network import LIF, Adaptation, Graded, Input, Population, Projection, SentMembrane
from chipsim.quantise.fixed import (
    SPIKES,
    FixedActivation,
    FixedAdaptation,
    FixedInput,
    FixedPopulation,
    FixedSentMembrane,
    Levels,
)
from chipsim.quantise.formats import FixedFormat, quantise
from chipsim.quantise.gain import make_gain
from chipsim.quantise.tables import TABLE_ENTRIES, TANH_REACH, arguments

ADAPTATION_BITS = 32
MOST_FRACTION = 16

LEAST, MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
"""Normal numbers of single precision, in which the float reference runs."""


def quantise_input(population: Population, model: Input, arithmetic: Arithmetic) -> FixedInput:
    """Convert an input population; InputError if its maximum cannot be scaled."""
    if model.kind == "spikes":
        return FixedInput(population.name, population.size, "spikes", 1.0, 1)
    maximum = (1 << arithmetic.activation_bits) - 1
    if not LEAST <= model.maximum <= MOST:
        raise InputError(
            f"input {population.name!r}: its maximum is {model.maximum:.3g}; values from "
            f"{LEAST:.3g} to {MOST:.3g} can be scaled; rescale it and the weights together"
        )
    return FixedInput(population.name, population.size, "graded", model.maximum / maximum, maximum)


def levels_of(population: Population, projection: Projection, arithmetic: Arithmetic) -> Levels:
    """Return what ``projection`` takes from its source ``population``.

    Graded neurons' outputs and membranes have a sign, an input's values have none.
    """
    model = population.model
    if projection.membrane is not None:
        return _signed_levels(projection.membrane.maximum, arithmetic)
    if isinstance(model, Graded):
        return _signed_levels(model.maximum, arithmetic)
    return (
        quantise_input(population, model, arithmetic).levels if isinstance(model, Input) else SPIKES
    )


def _signed_levels(maximum: float, arithmetic: Arithmetic) -> Levels:
    high = max(1, (1 << (arithmetic.activation_bits - 1)) - 1)
    return Levels(maximum / high, high)


def neuron(population: Population) -> LIF:
    """Return the neuron's LIF model; a graded one is a LIF neuron that keeps nothing."""
    if isinstance(population.model, Input):
        raise TypeError(f"population {population.name!r} is an input")
    if isinstance(population.model, Graded):
        return LIF(threshold=1.0, decay=0.0, reset="none")
    return population.model


def quantise_population(
    population: Population,
    incoming: tuple[Projection, ...],
    membrane: FixedFormat,
    arithmetic: Arithmetic,
    steps: int,
    sent: SentMembrane | None = None,
) -> FixedPopulation:
    """Convert a population; its neurons' biases are those of the ``incoming`` projections.

    ``sent`` is how it sends its membrane.  InputError if that cannot be scaled.
    """
    model = neuron(population)
    bias = np.zeros(population.size)
    for projection in incoming:
        if projection.bias is not None:
            bias += projection.bias
    return FixedPopulation(
        name=population.name,
        size=population.size,
        membrane_format=membrane,
        threshold=max(1, round(model.threshold / membrane.lsb)),
        decay=round(model.decay * (1 << arithmetic.decay_bits)),
        decay_bits=arithmetic.decay_bits,
        reset=model.reset,
        reset_order=model.reset_order,
        fires=model.fires,
        bias=quantise(bias, membrane).astype(np.int32),
        refractory=model.refractory,
        adaptation=_adaptation(model.adaptation, membrane, arithmetic, steps),
        activation=_activation(population, membrane, arithmetic),
        sent_membrane=_sent_membrane(population.name, sent, membrane, arithmetic),
    )


def _activation(
    population: Population, membrane: FixedFormat, arithmetic: Arithmetic
) -> FixedActivation | None:
    model = population.model
    if not isinstance(model, Graded):
        return None
    levels = _signed_levels(model.maximum, arithmetic)
    reach = TANH_REACH if model.activation == "tanh" else model.maximum
    u = arguments(reach)
    values = {"tanh": np.tanh(u), "relu": np.maximum(u, 0.0), "linear": u}[model.activation]
    table = np.floor(values / levels.lsb + 0.5)
    per_step = np.array([membrane.lsb * TABLE_ENTRIES / (2 * reach)])
    gain = make_gain(per_step, arithmetic.gain_bits, population.name)
    return FixedActivation(
        gain=int(gain.factor[0]),
        shift=gain.shift,
        table=np.clip(table, -levels.maximum, levels.maximum).astype(np.int16),
        levels=levels,
    )


def _sent_membrane(
    name: str, sent: SentMembrane | None, membrane: FixedFormat, arithmetic: Arithmetic
) -> FixedSentMembrane | None:
    if sent is None:
        return None
    if not max(LEAST, membrane.lsb) <= sent.maximum <= MOST:
        raise InputError(
            f"population {name!r}: the membrane it sends ends at {sent.maximum:.3g}, beyond a step "
            f"of it ({membrane.lsb:.3g}, {membrane.bits} bits) or single precision; give "
            "membrane.maximum about the highest potential that occurs"
        )
    levels = _signed_levels(sent.maximum, arithmetic)
    gain = make_gain(np.array([membrane.lsb / levels.lsb]), arithmetic.gain_bits, name)
    return FixedSentMembrane(int(gain.factor[0]), gain.shift, levels, sent.steps == "last")


def _adaptation(
    adaptation: Adaptation | None, membrane: FixedFormat, arithmetic: Arithmetic, steps: int
) -> FixedAdaptation | None:
    """Give the rise of the threshold as many fraction bits as its largest value leaves room for."""
    if adaptation is None:
        return None
    strength = adaptation.strength.astype(np.float64) / membrane.lsb
    spikes = min(steps, 1.0 / max(1.0 - adaptation.decay, 1.0 / steps))
    # A threshold beyond the membrane's range is never reached, however far beyond.
    strength = np.minimum(strength, membrane.high + 1)
    largest = float(strength.max(initial=0.0)) * spikes + 1.0
    fraction = ADAPTATION_BITS - 1 - math.ceil(math.log2(largest))
    fraction = min(MOST_FRACTION, max(0, fraction))
    bits = arithmetic.trace_decay_bits
    return FixedAdaptation(
        decay=round(adaptation.decay * (1 << bits)),
        decay_bits=bits,
        fraction_bits=fraction,
        strength=np.round(strength * (1 << fraction)).astype(np.int64),
    )
