"""From a floating-point network to the integers a chip computes with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Arithmetic
from chipsim.errors import InputError
from chipsim.network import (
    LIF,
    HybridPlasticity,
    Input,
    Network,
    Population,
    Projection,
    attenuation,
    evaluation_order,
)
from chipsim.quantise.fixed import (
    FixedInput,
    FixedNetwork,
    FixedPlasticity,
    FixedPopulation,
    FixedProjection,
    Gain,
    QuantisationLoss,
)
from chipsim.quantise.formats import (
    FixedFormat,
    Rounding,
    covering_format,
    least_error_format,
    quantise,
    signal_to_noise_db,
)

TABLE_ENTRIES = 512
TABLE_REACH = 4.0
"""The post-factor table spans [-4, 4): beyond it tanh is within 7e-4 of +-1."""

ATTENUATION_BITS = 15
LEAST_SHIFT, MOST_SHIFT = -32, 46
MOST_UPDATE_SHIFT = 31
MOST_STEPS = 2**20
"""A factor a step is kept for every projection with attenuation."""
MOST_SLIDING = 2**31 - 1

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
        populations.append(_population(population, incoming, membrane, arithmetic))
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
            reach = _trace_reach(projection, rule, maximum, network.steps)
            current += abs(rule.alpha) * maximum * reach.sum()
    persistence = sum(model.decay**t for t in range(network.steps))
    return float(current.max(initial=0.0)) * persistence + 2.0 * model.threshold


def _trace_reach(
    projection: Projection, rule: HybridPlasticity, maximum: float, steps: int
) -> NDArray[np.float64]:
    """Bound |H_ij| for each presynaptic neuron i, since |tanh| <= 1; shape ``(n_pre,)``."""
    # Where the attenuation falls faster than the trace decays, its peak is not at the end.
    total = peak = 0.0
    for factor in attenuation(projection, steps)[:-1].tolist():
        total = rule.rho * total + factor
        peak = max(peak, total)
    return np.minimum(rule.clamp, np.abs(rule.beta.astype(np.float64)) * maximum * peak)


def _population(
    population: Population,
    incoming: tuple[Projection, ...],
    membrane: FixedFormat,
    arithmetic: Arithmetic,
) -> FixedPopulation:
    model = _lif(population)
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
    losses = [_loss(projection.name, "weight", weights, integers, fmt)]
    if projection.bias is not None:
        bias = projection.bias.astype(np.float64)
        membrane = target.membrane_format
        losses.append(_loss(projection.name, "bias", bias, quantise(bias, membrane), membrane))
    input_lsb = source.lsb if source else 1.0
    # Nothing is gained from weights of zero, whose scale is arbitrary; so with traces below.
    scale = fmt.lsb if integers.any() else 0.0
    factors = attenuation(projection, settings.steps)
    plasticity = None
    if projection.plasticity is not None:
        plasticity, lost = _plasticity(projection, projection.plasticity, source, target, settings)
        losses += lost
    fixed = FixedProjection(
        name=projection.name,
        source=projection.source,
        target=projection.target,
        delay=projection.delay,
        weight=integers.astype(np.int16),
        weight_format=fmt,
        gain=_gain(
            scale * input_lsb / target.membrane_format.lsb * factors,
            settings.arithmetic.gain_bits,
            projection.name,
        ),
        plasticity=plasticity,
    )
    return fixed, losses


def _gain(ratios: NDArray[np.float64], bits: int, name: str) -> Gain:
    """Hold real factors as signed integers over one power of two, as finely as ``bits`` allow."""
    largest = float(np.max(np.abs(ratios), initial=0.0))
    # Beyond 46 bits a 32-bit sum times any factor shifts to nothing.
    if largest <= 2.0 ** -(MOST_SHIFT + 1):
        return Gain(np.zeros(len(ratios), np.int32), 0)
    high = (1 << (bits - 1)) - 1
    shift = min(MOST_SHIFT, math.floor(math.log2(high / largest)))
    if shift < LEAST_SHIFT:
        raise InputError(
            f"projection {name!r}: the factor from its sums to the membrane is {largest:.3g}, "
            f"which a {bits}-bit gain cannot hold; set core.gain_bits higher or "
            "core.membrane_bits lower"
        )
    return Gain(np.round(ratios * 2.0**shift).astype(np.int32), shift)


def _plasticity(
    projection: Projection,
    rule: HybridPlasticity,
    source: FixedInput | None,
    target: FixedPopulation,
    settings: _Settings,
) -> tuple[FixedPlasticity, list[QuantisationLoss]]:
    arithmetic = settings.arithmetic
    maximum = source.maximum if source else 1
    input_lsb = source.lsb if source else 1.0
    rate_format = covering_format(float(np.abs(rule.beta).max(initial=0.0)), arithmetic.trace_bits)
    rate = quantise(rule.beta.astype(np.float64), rate_format)
    # A graded input's bits leave the product at the trace's width; a spike adds none.
    rate_shift = maximum.bit_length() if maximum > 1 else 0
    pre_lsb = input_lsb * rate_format.lsb * 2.0**rate_shift
    post_format = FixedFormat(arithmetic.post_bits, 2.0 ** -(arithmetic.post_bits - 1))
    reach = float(_trace_reach(projection, rule, input_lsb * maximum, settings.steps).max())
    high = (1 << (arithmetic.trace_bits - 1)) - 1
    product_lsb = pre_lsb * post_format.lsb
    update_shift = _covering_shift(reach / (high * product_lsb))
    trace_format = FixedFormat(arithmetic.trace_bits, product_lsb * 2.0**update_shift)
    factors = attenuation(projection, settings.steps)
    per_threshold = TABLE_ENTRIES / (2 * TABLE_REACH) / target.threshold
    post = _gain(np.array([per_threshold]), arithmetic.gain_bits, projection.name)
    sliding = np.round(rule.eta.astype(np.float64) * TABLE_ENTRIES / (2 * TABLE_REACH))
    clamp = int(min(high, round(min(rule.clamp / trace_format.lsb, high))))
    if clamp == 0:
        raise InputError(
            f"projection {projection.name!r}: its traces are clamped at {rule.clamp:.3g}, less "
            f"than half of {trace_format.lsb:.3g}, the least they can change by at its learning "
            f"rates (beta up to {np.abs(rule.beta).max(initial=0.0):.3g}); rescale beta, alpha "
            "and clamp"
        )
    scale = trace_format.lsb if rate.any() else 0.0
    losses = [
        _loss(projection.name, "learning rate", rule.beta.astype(np.float64), rate, rate_format)
    ]
    fixed = FixedPlasticity(
        trace_format=trace_format,
        gain=_gain(
            rule.alpha * scale * input_lsb / target.membrane_format.lsb * factors,
            arithmetic.gain_bits,
            projection.name,
        ),
        rate=rate.astype(np.int16),
        rate_shift=rate_shift,
        attenuation=np.round(factors * (1 << ATTENUATION_BITS)).astype(np.int32),
        table=_tanh_table(post_format),
        post_gain=int(post.factor[0]),
        post_shift=post.shift,
        sliding=np.clip(sliding, -MOST_SLIDING, MOST_SLIDING).astype(np.int32),
        decay=round(rule.rho * (1 << arithmetic.trace_decay_bits)),
        decay_bits=arithmetic.trace_decay_bits,
        update_shift=update_shift,
        clamp=clamp,
    )
    return fixed, losses


def _covering_shift(ratio: float) -> int:
    """Return the least shift that divides by ``ratio`` or more, as far as 32 bits allow."""
    if ratio <= 1.0:
        return 0
    # Only rates that never decay over more than 2**15 steps reach further: their traces saturate.
    return min(MOST_UPDATE_SHIFT, math.ceil(math.log2(ratio)))


def _tanh_table(fmt: FixedFormat) -> NDArray[np.int16]:
    arguments = (np.arange(TABLE_ENTRIES) / TABLE_ENTRIES * 2 - 1) * TABLE_REACH
    return quantise(np.tanh(arguments), fmt).astype(np.int16)


def _loss(
    projection: str,
    quantity: str,
    values: NDArray[np.float64],
    integers: NDArray[np.int64],
    fmt: FixedFormat,
) -> QuantisationLoss:
    # Half a step beyond the last integer still rounds to it: only what lies further was clipped.
    beyond = (values > (fmt.high + 0.5) * fmt.lsb) | (values < (fmt.low - 0.5) * fmt.lsb)
    return QuantisationLoss(
        projection=projection,
        quantity=quantity,
        fmt=fmt,
        values=values.size,
        clipped=int(beyond.sum()),
        snr_db=signal_to_noise_db(values, integers, fmt),
    )
