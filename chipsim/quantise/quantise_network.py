"""From a floating-point network to the integers a chip computes with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Arithmetic
from chipsim.connectivity import Convolution, Sparse
from chipsim.errors import InputError
from chipsim.network import (
    LIF,
    Input,
    Network,
    Population,
    Projection,
    attenuation,
    evaluation_order,
)
from chipsim.quantise.fixed import (
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    Levels,
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
from chipsim.quantise.quantise_population import (
    LEAST,
    MOST,
    levels_of,
    neuron,
    quantise_input,
    quantise_population,
)
from chipsim.quantise.quantise_rule import quantise_rule, trace_reach
from chipsim.quantise.supported import check_supported

MOST_STEPS = 2**20
"""A factor a step is kept for every projection with attenuation."""


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
        If a scale cannot be held in the chip's formats, or the network has what no crossbar core
        computes.
    """
    check_supported(network)
    if network.steps > MOST_STEPS:
        raise InputError(
            f"network {network.name!r} runs {network.steps} steps a sample; {MOST_STEPS} is the "
            "most"
        )
    settings = _Settings(arithmetic, network.steps, weight_rounding, np.random.default_rng(seed))
    inputs = {
        p.name: quantise_input(p, p.model, arithmetic)
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
        populations.append(
            quantise_population(
                population,
                incoming,
                membrane,
                arithmetic,
                network.steps,
                network.sent_membrane(name),
            )
        )
        for projection in incoming:
            source = levels_of(network.population(projection.source), projection, arithmetic)
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


def _membrane(network: Network, population: Population, bits: int) -> FixedFormat:
    """Return the format that covers the largest potential; InputError if the threshold vanishes."""
    largest = _largest_potential(network, population)
    if not LEAST <= largest <= MOST:
        raise InputError(
            f"population {population.name!r}: its weights and inputs can drive its potential to "
            f"{largest:.3g}; {LEAST:.3g} to {MOST:.3g} can be scaled; rescale weights and "
            "threshold together"
        )
    membrane = covering_format(largest, bits)
    if not isinstance(population.model, LIF):
        return membrane
    threshold = population.model.threshold
    if round(threshold / membrane.lsb) == 0:
        raise InputError(
            f"population {population.name!r}: its threshold {threshold:.3g} is less than half a "
            f"step of its {bits}-bit membrane, which must cover +-{largest:.3g}, so a step is "
            f"{membrane.lsb:.3g}; scale its weights down, or set core.membrane_bits higher"
        )
    return membrane


def _largest_potential(network: Network, population: Population) -> float:
    """Bound |u|: every input at its maximum with the sign of its weight, summed over the leak."""
    model = neuron(population)
    current = np.zeros(population.size)
    for projection in network.incoming(population.name):
        source = network.population(projection.source).model
        spikes = 1.0 if projection.membrane is None else projection.membrane.maximum
        maximum = spikes if isinstance(source, LIF) else source.maximum
        current += maximum * _fan_in(projection)
        if projection.bias is not None:
            current += np.abs(projection.bias.astype(np.float64))
        rule = projection.plasticity
        if rule is not None:
            reach = trace_reach(projection, rule, maximum, network.steps)
            traces = reach.sum() if rule.factor is None else reach @ np.abs(rule.factor)
            current += abs(rule.alpha) * maximum * traces
    persistence = sum(model.decay**t for t in range(network.steps))
    return float(current.max(initial=0.0)) * persistence + 2.0 * model.threshold


def _fan_in(projection: Projection) -> NDArray[np.float64]:
    """Return the sum of |weight| onto each neuron; a convolution's edges count as its inside."""
    weights = np.abs(projection.weight.astype(np.float64))
    if isinstance(projection.connectivity, Convolution):
        return projection.connectivity.by_channel(weights.sum(axis=(1, 2, 3)))
    return np.asarray(weights.sum(axis=1))


def _projection(
    projection: Projection, source: Levels, target: FixedPopulation, settings: _Settings
) -> tuple[FixedProjection, list[QuantisationLoss]]:
    convolution = projection.connectivity
    assert not isinstance(convolution, Sparse)  # check_supported refused it
    laid_out = projection.weight if convolution else projection.weight.T
    weights = np.ascontiguousarray(laid_out, dtype=np.float64)
    fmt = least_error_format(weights, settings.arithmetic.weight_bits)
    integers = quantise(weights, fmt, settings.weight_rounding, rng=settings.rng)
    losses = [measure_loss(projection.name, "weight", weights, integers, fmt)]
    if projection.bias is not None:
        bias = projection.bias.astype(np.float64)
        membrane = target.membrane_format
        losses.append(
            measure_loss(projection.name, "bias", bias, quantise(bias, membrane), membrane)
        )
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
            scale * source.lsb / target.membrane_format.lsb * factors,
            settings.arithmetic.gain_bits,
            projection.name,
        ),
        plasticity=plasticity,
        connectivity=convolution,
        membrane=projection.membrane is not None,
    )
    return fixed, losses
