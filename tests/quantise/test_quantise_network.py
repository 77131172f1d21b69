"""From float to integers: every integer stands for the real number it came from."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import Arithmetic
from chipsim.cores import crossbar
from chipsim.errors import InputError
from chipsim.network import (
    LIF,
    Input,
    Network,
    Population,
    Projection,
    Trace,
    attenuation,
)
from chipsim.plasticity import HybridPlasticity
from chipsim.quantise import quantise_population, quantise_rule
from chipsim.quantise.fixed import FixedNetwork
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.functional import integer_values, run_functional
from tests import naive
from tests.conftest import ARITHMETIC, random_network, random_slicing

WIDTHS = st.builds(
    lambda weight, membrane, gain, trace: replace(
        ARITHMETIC, weight_bits=weight, membrane_bits=membrane, gain_bits=gain, trace_bits=trace
    ),
    st.sampled_from([16, 8, 4]),
    st.sampled_from([24, 32, 16]),
    st.sampled_from([16, 24, 8]),
    st.sampled_from([16, 8]),
)


def half_a_step(integers: Any, step: float, values: Any) -> bool:
    return bool((np.abs(np.asarray(integers) * step - values) <= step * (0.5 + 1e-9)).all())


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.integers(0, 2**32 - 1), WIDTHS)
def test_neurons(seed: int, arithmetic: Arithmetic) -> None:
    network = random_network(np.random.default_rng(seed))
    fixed = quantise_network(network, arithmetic)
    assert [p.name for p in fixed.populations] == ["hidden", "out"]
    for population in fixed.populations:
        model = network.population(population.name).model
        assert isinstance(model, LIF)
        step = population.membrane_format.lsb
        assert population.membrane_format.bits == arithmetic.membrane_bits
        assert half_a_step(population.threshold, step, model.threshold)
        assert half_a_step(population.decay, 2.0**-population.decay_bits, model.decay)
        bias = sum(
            (p.bias.astype(float) for p in network.incoming(population.name) if p.bias is not None),
            np.zeros(population.size),
        )
        assert half_a_step(population.bias, step, bias)
        words = (population.reset, population.reset_order, population.fires)
        assert words == (model.reset, model.reset_order, model.fires)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.integers(0, 2**32 - 1), WIDTHS)
def test_gains(seed: int, arithmetic: Arithmetic) -> None:
    """A sum times its gain is the current it stands for, within half a step of the factor."""
    network = random_network(np.random.default_rng(seed))
    fixed = quantise_network(network, arithmetic)
    for projection, held in zip(network.projections, in_order(network, fixed), strict=True):
        target = fixed.population(projection.target)
        source = next((i for i in fixed.inputs if i.name == projection.source), None)
        value = source.lsb if source else 1.0
        factors = attenuation(projection, network.steps)
        ratios = held.weight_format.lsb * value / target.membrane_format.lsb * factors
        check_gain(held.gain, ratios, arithmetic.gain_bits)
        if held.plasticity is not None:
            assert projection.plasticity is not None
            trace = held.plasticity.trace_format.lsb
            ratios = projection.plasticity.alpha * trace * value / target.membrane_format.lsb
            check_gain(held.plasticity.gain, ratios * factors, arithmetic.gain_bits)


def in_order(network: Network, fixed: FixedNetwork) -> list[Any]:
    return [next(f for f in fixed.projections if f.name == p.name) for p in network.projections]


def check_gain(gain: Any, ratios: Any, bits: int) -> None:
    assert half_a_step(gain.factor, 2.0**-gain.shift, ratios)
    high = 2 ** (bits - 1) - 1
    assert np.abs(gain.factor).max() <= high
    # As fine as the bits allow, up to the shift beyond which nothing is left of a 32-bit sum.
    if np.any(gain.factor) and gain.shift < 46:
        assert 2 * np.abs(ratios).max() * 2.0**gain.shift > high * (1 - 1e-9)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.integers(0, 2**32 - 1), WIDTHS)
def test_loss_rows_are_what_was_lost(seed: int, arithmetic: Arithmetic) -> None:
    network = random_network(np.random.default_rng(seed))
    fixed = quantise_network(network, arithmetic)
    rows = {(loss.projection, loss.quantity): loss for loss in fixed.losses}
    for projection, held in zip(network.projections, in_order(network, fixed), strict=True):
        weights = projection.weight.T.astype(float)
        check_row(rows.pop((projection.name, "weight")), weights, held.weight.astype(int))
        assert held.weight.shape == weights.shape
        membrane = fixed.population(projection.target).membrane_format
        if projection.bias is not None:
            bias = projection.bias.astype(float)
            row = rows.pop((projection.name, "bias"))
            assert row.fmt == membrane
            check_row(row, bias, np.floor(bias / membrane.lsb + 0.5))
        if held.plasticity is not None:
            assert projection.plasticity is not None
            rates = projection.plasticity.beta.astype(float)
            check_row(rows.pop((projection.name, "learning rate")), rates, held.plasticity.rate)
    assert not rows


def check_row(row: Any, values: Any, integers: Any) -> None:
    assert row.values == values.size
    restored = integers * row.fmt.lsb
    inside = (integers > row.fmt.low) & (integers < row.fmt.high)
    assert half_a_step(integers[inside], row.fmt.lsb, values[inside])
    beyond = np.abs(restored - values) > row.fmt.lsb * (0.5 + 1e-9)
    assert row.clipped == int(beyond.sum())
    noise = sum((a - b) ** 2 for a, b in zip(values.flat, restored.flat, strict=True))
    signal = sum(a**2 for a in values.flat)
    if noise == 0 or signal == 0:
        assert row.snr_db is None
    else:
        assert row.snr_db == pytest.approx(10 * math.log10(signal / noise), abs=1e-6)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.integers(0, 2**32 - 1), WIDTHS)
def test_plasticity_rule(seed: int, arithmetic: Arithmetic) -> None:
    """One step of one synapse, in integers and in real numbers, agrees to the formats' steps."""
    network = random_network(np.random.default_rng(seed))
    fixed = quantise_network(network, arithmetic)
    for projection, held in zip(network.projections, in_order(network, fixed), strict=True):
        rule, ideal = held.plasticity, projection.plasticity
        assert (rule is None) == (ideal is None)
        if rule is None or ideal is None:
            continue
        source = next((i for i in fixed.inputs if i.name == projection.source), None)
        value, maximum = (source.lsb, source.maximum) if source else (1.0, 1)
        # x * rate >> rate_shift, times post, is a change of the trace in steps of 2**-update_shift.
        rate_step = (
            rule.trace_format.lsb
            / 2.0**rule.update_shift
            * 2 ** (arithmetic.post_bits - 1)
            / 2.0**rule.rate_shift
            / value
        )
        assert half_a_step(rule.rate, rate_step, ideal.beta.astype(float))
        assert half_a_step(rule.sliding, 1 / 64, ideal.eta.astype(float))
        assert half_a_step(rule.decay, 2.0**-rule.decay_bits, ideal.rho)
        theta = fixed.population(projection.target).threshold
        assert rule.post_gain * 2.0**-rule.post_shift == pytest.approx(64 / theta, rel=2e-2)
        assert 0 < rule.clamp <= rule.trace_format.high
        full = rule.clamp == rule.trace_format.high
        assert full or half_a_step(rule.clamp, rule.trace_format.lsb, ideal.clamp)
        # The format holds the largest trace there can be at any step, or the clamp.
        trace = most = 0.0
        largest_rate = float(np.abs(ideal.beta).max()) * value * maximum
        for factor in attenuation(projection, network.steps)[:-1]:
            trace = min(ideal.clamp, ideal.rho * trace + largest_rate * factor)
            most = max(most, trace)
        assert rule.trace_format.high * rule.trace_format.lsb >= most * (1 - 1e-9)
        assert rule.clamp * rule.trace_format.lsb >= most - rule.trace_format.lsb
        # Every intermediate fits the kernel's 32 bits.
        pre = (maximum * int(np.abs(rule.rate.astype(int)).max()) >> rule.rate_shift) + 1
        post = int(np.abs(rule.table.astype(int)).max())
        assert pre * post + (1 << rule.update_shift >> 1) < 2**31
        assert rule.trace_format.high * rule.decay + (1 << rule.decay_bits >> 1) < 2**31


def test_traces_that_fade_before_the_end_are_covered() -> None:
    """The attenuation of step 0 is the largest: by the last step the trace has all but gone."""
    network = one_layer(steps=100, tau=5.0, rho=0.1, beta=1.0)
    rule = quantise_network(network, ARITHMETIC).projections[0].plasticity
    assert rule is not None
    # At least the first change: beta * x * d_0 = 1.
    assert 1.0 <= rule.trace_format.high * rule.trace_format.lsb <= 2.5


@pytest.mark.parametrize("gain_bits", [2, 8, 24])
def test_a_wide_membrane_of_narrow_weights_has_a_gain(gain_bits: int) -> None:
    """The factor from sums to membrane passes 2**28, which is a shift to the left."""
    widths = replace(ARITHMETIC, weight_bits=2, membrane_bits=32, gain_bits=gain_bits)
    fixed = quantise_network(one_layer(threshold=0.1, alpha=0.01), widths)
    gain = fixed.projections[0].gain
    assert gain.shift < (0 if gain_bits <= 8 else 8)
    assert np.any(gain.factor)
    trace = Trace("image", held=np.array([[1.0, 0.5, 0.0, 1.0]]))
    activity = run_functional(fixed, random_slicing(one_layer(), np.random.default_rng(0)), trace)
    spikes, potentials = naive.run_fixed(fixed, activity.values)
    np.testing.assert_array_equal(activity.answers.spikes, spikes)
    np.testing.assert_array_equal(activity.answers.potential, potentials)


def test_the_post_table_is_the_hyperbolic_tangent() -> None:
    fixed = quantise_network(one_layer(), ARITHMETIC)
    rule = fixed.projections[0].plasticity
    assert rule is not None
    assert rule.table.tolist() == [naive.tanh_entry(i, 512, 4.0, 16) for i in range(512)]


def test_weights_are_rounded_as_asked() -> None:
    network = random_network(np.random.default_rng(5))
    nearest, truncated, one, two = (
        quantise_network(network, replace(ARITHMETIC, weight_bits=4), rounding, seed)
        for rounding, seed in (
            ("nearest", 0),
            ("truncate", 0),
            ("stochastic", 1),
            ("stochastic", 2),
        )
    )
    weights = [np.concatenate([p.weight.ravel() for p in f.projections]).astype(int)
               for f in (nearest, truncated, one, two)]  # fmt: skip
    assert ((weights[0] - weights[1] >= 0) & (weights[0] - weights[1] <= 1)).all()
    assert (np.abs(weights[2] - weights[1]) <= 1).all()
    assert (weights[2] != weights[3]).any()
    assert (weights[0] != weights[1]).any()


def test_no_potential_overflows_a_membrane_made_to_cover() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        fixed = quantise_network(network, ARITHMETIC)
        population = network.populations[0]
        assert isinstance(population.model, Input)
        ones = np.ones((1, population.size))
        spikes = np.ones((1, network.steps, population.size), np.uint8)
        graded = population.model.kind == "graded"
        trace = Trace("most", held=ones) if graded else Trace("most", spikes=spikes)
        activity = run_functional(fixed, random_slicing(network, rng), trace)
        assert not any(activity.saturated.values())


def one_layer(
    weight: float | None = None,
    threshold: float = 0.35,
    bias: float | None = None,
    maximum: float = 1.0,
    decay: float = 0.4,
    steps: int = 5,
    tau: float | None = 40.0,
    **rule: float,
) -> Network:
    """Four graded inputs, three plastic neurons; ``rule`` overrides parts of the plasticity."""
    values = np.random.default_rng(0).normal(0, 0.5, (3, 4))
    weights = values if weight is None else np.full((3, 4), weight)
    given = {"alpha": 0.1, "beta": 0.1, "eta": 0.0, "rho": 0.95, "clamp": 4.0} | rule
    plasticity = HybridPlasticity(
        alpha=given["alpha"],
        beta=np.full(4, given["beta"], np.float32),
        eta=np.full(3, given["eta"], np.float32),
        rho=given["rho"],
        clamp=given["clamp"],
    )
    biases = None if bias is None else np.full(3, bias, np.float32)
    populations = (
        Population("in", 4, Input("graded", maximum)),
        Population("out", 3, LIF(threshold, decay)),
    )
    projection = Projection(
        "p", "in", "out", weights.astype(np.float32), biases, 0, tau, plasticity
    )
    return Network("one", steps, populations, (projection,), "out")


HOSTILE: dict[str, dict[str, Any]] = {
    "weights zero": {"weight": 0.0},
    "weights subnormal": {"weight": 1e-45},
    "weights tiny": {"weight": 1e-38},
    "weights huge": {"weight": 3e38},
    "weights large": {"weight": 1e37},
    "bias huge": {"bias": 3e38},
    "threshold tiny": {"threshold": 1e-9},
    "threshold tiniest": {"threshold": 5e-324},
    "nothing but a tiny threshold": {"weight": 0.0, "threshold": 5e-324, "alpha": 0.0},
    "threshold huge": {"threshold": 1e30},
    "threshold beyond float32": {"threshold": 1e300},
    "threshold at the end": {"threshold": 1.7e308},
    "alpha zero": {"alpha": 0.0},
    "alpha tiny": {"alpha": 1e-300},
    "alpha subnormal": {"alpha": 5e-324},
    "alpha huge": {"alpha": 1e300},
    "alpha negative": {"alpha": -1e3},
    "beta zero": {"beta": 0.0},
    "beta subnormal": {"beta": 1e-45},
    "beta tiny": {"beta": 1e-37},
    "beta huge": {"beta": 3e38},
    "beta large": {"beta": 1e10},
    "eta huge": {"eta": 3e38},
    "eta hugely negative": {"eta": -3e38},
    "clamp tiny": {"clamp": 1e-300},
    "clamp huge": {"clamp": 1e300},
    "rho zero": {"rho": 0.0},
    "rho one": {"rho": 1.0, "clamp": 1e9, "steps": 300},
    "maximum tiny": {"maximum": 5e-324},
    "maximum small": {"maximum": 1e-30},
    "maximum huge": {"maximum": 1e300},
    "maximum large": {"maximum": 1e30},
    "decay one": {"decay": 1.0, "steps": 1000},
    "tau tiny": {"tau": 1e-300},
    "tau huge": {"tau": 1e300},
    "all tiny": {"weight": 1e-38, "threshold": 1e-37, "alpha": 1e-30, "beta": 1e-30},
    "all huge": {"weight": 1e36, "threshold": 1e36, "alpha": 1e30, "beta": 1e5},
}

REFUSED = {
    "weights huge", "weights large", "maximum large", "bias huge", "threshold tiny",
    "threshold tiniest", "nothing but a tiny threshold", "threshold beyond float32",
    "threshold at the end", "alpha huge", "beta huge", "beta large", "clamp tiny",
    "maximum tiny", "maximum huge",
}  # fmt: skip


@pytest.mark.parametrize("bits", [16, 4])
@pytest.mark.parametrize("case", [name for name in HOSTILE if name not in REFUSED])
def test_hostile_parameters_still_compute(case: str, bits: int) -> None:
    """Quantised without a warning, run, and equal to the plain twin."""
    network = one_layer(**HOSTILE[case])
    population = network.populations[0].model
    assert isinstance(population, Input)
    images = np.random.default_rng(1).random((2, 4)) * population.maximum
    trace = Trace("hostile", held=images)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fixed = quantise_network(network, replace(ARITHMETIC, weight_bits=bits))
    assert all(p.threshold > 0 for p in fixed.populations)
    mapping = random_slicing(network, np.random.default_rng(2))
    activity = run_functional(fixed, mapping, trace)
    if network.steps <= 5:
        values = integer_values(fixed.inputs, trace)
        assert values.max() > 0
        spikes, potentials = naive.run_fixed(fixed, values)
        np.testing.assert_array_equal(activity.answers.spikes, spikes)
        np.testing.assert_array_equal(activity.answers.potential, potentials)


@pytest.mark.parametrize("bits", [16, 4])
@pytest.mark.parametrize("case", sorted(REFUSED))
def test_hostile_parameters_are_refused_in_words(case: str, bits: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as caught:
            quantise_network(one_layer(**HOSTILE[case]), replace(ARITHMETIC, weight_bits=bits))
    message = str(caught.value)
    # What is wrong, where, and what to do.
    assert any(name in message for name in ("'out'", "'in'", "'p'"))
    assert any(advice in message for advice in ("rescale", "scale its weights down"))


def test_steps_beyond_memory_are_refused_before_memory_is_taken() -> None:
    with pytest.raises(InputError, match="2000000000 steps a sample; 1048576 is the most"):
        quantise_network(one_layer(steps=2_000_000_000), ARITHMETIC)


def test_a_threshold_below_a_step_says_which_step() -> None:
    with pytest.raises(InputError, match=r"'out'.*1e-09.*24-bit membrane.*core\.membrane_bits"):
        quantise_network(one_layer(threshold=1e-9), ARITHMETIC)


def test_the_core_budgets_the_memory_that_the_integers_take() -> None:
    assert quantise_rule.TABLE_ENTRIES == crossbar.POST_TABLE_ENTRIES
    assert quantise_population.ADAPTATION_BITS == crossbar.ADAPTATION_BITS
