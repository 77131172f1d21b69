"""From a floating-point network to the integers a chip computes with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chipsim.chip import Arithmetic
from chipsim.errors import InputError
from chipsim.network import (
    LIF,
    Adaptation,
    Input,
    Network,
    Population,
    Projection,
    attenuation,
    evaluation_order,
)
from chipsim.quantise.fixed import (
    FixedAdaptation,
    FixedInput,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    QuantisationLoss,
)
from chipsim.quantise.formats import (
    FixedFormat,
    Rounding,
    covering_format,
    least_error_format,
    quantise,
)
from chipsim.quantise.gain import make_gain
from chipsim.quantise.loss import measure_loss
from chipsim.quantise.quantise_rule import quantise_rule, trace_reach

ADAPTATION_BITS = 32
MOST_FRACTION = 16
MOST_STEPS = 2**20
"""A factor a step is kept for every projection with attenuation."""

_LEAST, _MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
"""Normal numbers of single precision, in which the float reference runs."""


@dataclass(frozen=True)
class _Settings:
    arithmetic: Arithmetic
    steps: int
    weight_rounding: Rounding
    rng: np.random.Generator


def quantise_network(
    network: Network, arithmetic: Arithmetic, weight_rounding: Rounding = "nearest", seed: int = 0
) -> FixedNetwork:
    """Convert ``network`` to the chip's formats.

    Weights get the scale of least squared error, per projection; the membrane's power-of-two
    format covers the largest potential the weights can cause, so it saturates only where a plastic
    trace drives it there.  ``weight_rounding`` is how weights are rounded on the host (arithmetic
    on chip rounds as ``arithmetic.rounding`` says); ``seed`` matters for stochastic only.

    Raises
    ------
    InputError
        If a scale cannot be held in the chip's formats.
    """
    if network.steps > MOST_STEPS:
        raise InputError(
            f"network {network.name!r} runs {network.steps} steps a sample; {MOST_STEPS} is the "
            "most"
        )
    settings = _Settings(arithmetic, network.steps, weight_rounding, np.random.default_rng(seed))
    inputs = {
        p.name: _input(p, p.model, arithmetic)
        for p in network.populations
        if isinstance(p.model, Input)
    }
    populations: list[FixedPopulation] = []
    projections: list[FixedProjection] = []
    losses: list[QuantisationLoss] = []
    for name in evaluation_order(network):
        population = network.population(name)
        incoming = network.incoming(name)
        membrane = _membrane(network, population, arithmetic.membrane_bits)
        populations.append(_population(population, incoming, membrane, settings))
        for projection in incoming:
            source = inputs.get(projection.source)
            fixed, lost = _projection(projection, source, populations[-1], settings)
            projections.append(fixed)
            losses += lost
    return FixedNetwork(
        name=network.name,
        steps=network.steps,
        arithmetic=arithmetic,
        inputs=tuple(inputs.values()),
        populations=tuple(populations),
        projections=tuple(projections),
        readout=network.readout,
        readout_kind=network.readout_kind,
        losses=tuple(losses),
    )


def _input(population: Population, model: Input, arithmetic: Arithmetic) -> FixedInput:
    if model.kind == "spikes":
        return FixedInput(population.name, population.size, "spikes", 1.0, 1)
    maximum = (1 << arithmetic.activation_bits) - 1
    if not _LEAST <= model.maximum <= _MOST:
        raise InputError(
            f"input {population.name!r}: its maximum is {model.maximum:.3g}; values from "
            f"{_LEAST:.3g} to {_MOST:.3g} can be scaled; rescale it and the weights together"
        )
    return FixedInput(population.name, population.size, "graded", model.maximum / maximum, maximum)


def _lif(population: Population) -> LIF:
    if not isinstance(population.model, LIF):
        raise TypeError(f"population {population.name!r} is not LIF")
    return population.model


def _membrane(network: Network, population: Population, bits: int) -> FixedFormat:
    """Return the format that covers the largest potential; InputError if the threshold vanishes."""
    largest = _largest_potential(network, population)
    if not _LEAST <= largest <= _MOST:
        raise InputError(
            f"population {population.name!r}: its weights and inputs can drive its potential to "
            f"{largest:.3g}; {_LEAST:.3g} to {_MOST:.3g} can be scaled; rescale weights and "
            "threshold together"
        )
    membrane = covering_format(largest, bits)
    threshold = _lif(population).threshold
    if round(threshold / membrane.lsb) == 0:
        raise InputError(
            f"population {population.name!r}: its threshold {threshold:.3g} is less than half a "
            f"step of its {bits}-bit membrane, which must cover +-{largest:.3g}, so a step is "
            f"{membrane.lsb:.3g}; scale its weights down, or set core.membrane_bits higher"
        )
    return membrane


def _largest_potential(network: Network, population: Population) -> float:
    """Bound |u|: every input at its maximum with the sign of its weight, summed over the leak."""
    model = _lif(population)
    current = np.zeros(population.size)
    for projection in network.incoming(population.name):
        source = network.population(projection.source).model
        maximum = source.maximum if isinstance(source, Input) else 1.0
        current += maximum * np.abs(projection.weight.astype(np.float64)).sum(axis=1)
        if projection.bias is not None:
            current += np.abs(projection.bias.astype(np.float64))
        rule = projection.plasticity
        if rule is not None:
            reach = trace_reach(projection, rule, maximum, network.steps)
            current += abs(rule.alpha) * maximum * reach.sum()
    persistence = sum(model.decay**t for t in range(network.steps))
    return float(current.max(initial=0.0)) * persistence + 2.0 * model.threshold


def _population(
    population: Population,
    incoming: tuple[Projection, ...],
    membrane: FixedFormat,
    settings: _Settings,
) -> FixedPopulation:
    model, arithmetic = _lif(population), settings.arithmetic
    bias = np.zeros(population.size)
    for projection in incoming:
        if projection.bias is not None:
            bias += projection.bias
    return FixedPopulation(
        name=population.name,
        size=population.size,
        membrane_format=membrane,
        threshold=round(model.threshold / membrane.lsb),
        decay=round(model.decay * (1 << arithmetic.decay_bits)),
        decay_bits=arithmetic.decay_bits,
        reset=model.reset,
        reset_order=model.reset_order,
        fires=model.fires,
        bias=quantise(bias, membrane).astype(np.int32),
        refractory=model.refractory,
        adaptation=_adaptation(model.adaptation, membrane, settings),
    )


def _adaptation(
    adaptation: Adaptation | None, membrane: FixedFormat, settings: _Settings
) -> FixedAdaptation | None:
    """Give the rise of the threshold as many fraction bits as its largest value leaves room for."""
    if adaptation is None:
        return None
    strength = adaptation.strength.astype(np.float64) / membrane.lsb
    spikes = min(settings.steps, 1.0 / max(1.0 - adaptation.decay, 1.0 / settings.steps))
    # A threshold beyond the membrane's range is never reached, however far beyond.
    strength = np.minimum(strength, membrane.high + 1)
    largest = float(strength.max(initial=0.0)) * spikes + 1.0
    fraction = ADAPTATION_BITS - 1 - math.ceil(math.log2(largest))
    fraction = min(MOST_FRACTION, max(0, fraction))
    bits = settings.arithmetic.trace_decay_bits
    return FixedAdaptation(
        decay=round(adaptation.decay * (1 << bits)),
        decay_bits=bits,
        fraction_bits=fraction,
        strength=np.round(strength * (1 << fraction)).astype(np.int64),
    )


def _projection(
    projection: Projection,
    source: FixedInput | None,
    target: FixedPopulation,
    settings: _Settings,
) -> tuple[FixedProjection, list[QuantisationLoss]]:
    weights = np.ascontiguousarray(projection.weight.T, dtype=np.float64)
    fmt = least_error_format(weights, settings.arithmetic.weight_bits)
    integers = quantise(weights, fmt, settings.weight_rounding, rng=settings.rng)
    losses = [measure_loss(projection.name, "weight", weights, integers, fmt)]
    if projection.bias is not None:
        bias = projection.bias.astype(np.float64)
        membrane = target.membrane_format
        losses.append(
            measure_loss(projection.name, "bias", bias, quantise(bias, membrane), membrane)
        )
    input_lsb = source.lsb if source else 1.0
    # Nothing is gained from weights of zero, whose scale is arbitrary; so with traces below.
    scale = fmt.lsb if integers.any() else 0.0
    factors = attenuation(projection, settings.steps)
    plasticity = None
    if projection.plasticity is not None:
        plasticity, lost = quantise_rule(
            projection, projection.plasticity, source, target, settings.arithmetic, settings.steps
        )
        losses += lost
    fixed = FixedProjection(
        name=projection.name,
        source=projection.source,
        target=projection.target,
        delay=projection.delay,
        weight=integers.astype(np.int16),
        weight_format=fmt,
        gain=make_gain(
            scale * input_lsb / target.membrane_format.lsb * factors,
            settings.arithmetic.gain_bits,
            projection.name,
        ),
        plasticity=plasticity,
    )
    return fixed, losses
