"""The variants' tables, factors and formats, and what crossbar cores refuse."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.connectivity import Sparse
from chipsim.errors import InputError
from chipsim.network import Input, Trace
from chipsim.plasticity import PairSTDP
from chipsim.quantise.formats import FixedFormat
from chipsim.quantise.plasticity_mode import in_mode
from chipsim.quantise.quantise_network import quantise_network
from chipsim.quantise.tables import softmax_table
from chipsim.simulate.float_reference import run_float
from chipsim.simulate.functional import run_functional
from tests import naive
from tests.conftest import ARITHMETIC, random_convolution, random_network, random_slicing


def plastic(seed=1):
    """A network with plastic projections only."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    while not all(p.plasticity for p in network.projections):
        network = random_network(rng)
    return network


def with_rule(network, **changes):
    changed = [replace(p, plasticity=replace(p.plasticity, **changes)) for p in network.projections]
    return replace(network, projections=tuple(changed))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(u=st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=40))
def test_shares_are_a_softmax(u):
    """Within 2 % of the largest share: the tables' steps are 1/32 and 1/256."""
    fixed = quantise_network(with_rule(plastic(), post="softmax"), ARITHMETIC)
    rule = fixed.projections[0].plasticity
    lsb = fixed.population(fixed.projections[0].target).membrane_format.lsb
    rule = replace(rule, sliding=np.zeros(len(u), np.int32))
    shares = naive._posts(rule, u, naive.Rounder("nearest", 0), (0, 0, 0))
    e = np.exp((np.array(u) - max(u)) * lsb)
    ideal = e / e.sum()
    np.testing.assert_allclose(np.array(shares) / 2**15, ideal, atol=0.02 * ideal.max() + 1e-3)


def test_the_softmax_table():
    table = softmax_table(FixedFormat(16, 2.0**-15))
    assert table[0] == table[256] == 32767
    assert table[32] == round(32768 * np.exp(-1))
    assert table[384] == round(32768 / 1.5)


def test_the_sign_is_in_the_rates():
    network = plastic()
    up = quantise_network(network, ARITHMETIC).projections[0].plasticity
    down = quantise_network(with_rule(network, sign=-1), ARITHMETIC).projections[0].plasticity
    assert np.abs(up.rate + down.rate).max() <= 1  # halves round upwards


def test_a_mask_is_exact_and_a_matrix_as_fine_as_a_trace():
    network = plastic()
    masks = [np.ones(p.weight.T.shape, np.float32) for p in network.projections]
    for mask in masks:
        mask[::2] = 0
    for scale, shift in ((1.0, 0), (0.3, 15)):
        scaled = [
            replace(p, plasticity=replace(p.plasticity, factor=scale * mask))
            for p, mask in zip(network.projections, masks, strict=True)
        ]
        fixed = quantise_network(replace(network, projections=tuple(scaled)), ARITHMETIC)
        for projection, mask in zip(network.projections, masks, strict=True):
            (rule,) = (p.plasticity for p in fixed.projections if p.name == projection.name)
            assert rule.factor.shift == shift
            top = 1 if shift == 0 else 32767
            if mask.any():
                np.testing.assert_array_equal(rule.factor.value, top * mask)


def test_without_a_clamp_the_format_bounds():
    rule = quantise_network(with_rule(plastic(), clamp=None), ARITHMETIC).projections[0].plasticity
    assert rule.clamp == rule.trace_format.high


def test_a_carried_trace_starts_from_the_stored_one():
    fixed = quantise_network(with_rule(plastic(), state="carried", clamp=None), ARITHMETIC)
    for projection in fixed.projections:
        rule = projection.plasticity
        ideal = next(p for p in plastic().projections if p.name == projection.name).plasticity
        error = np.abs(rule.initial * rule.trace_format.lsb - ideal.stored_trace).max()
        assert error <= 0.5 * rule.trace_format.lsb
    none = with_rule(plastic(), state="carried", stored_trace=None)
    assert quantise_network(none, ARITHMETIC).projections[0].plasticity.initial is None


@pytest.mark.parametrize("seed", range(8))
def test_frozen_folds_factors_too(seed):
    network = random_convolution(np.random.default_rng(seed))
    plastic = [p for p in network.projections if p.plasticity]
    rule = plastic[0].plasticity
    if rule.stored_trace is None:
        return
    folded = next(p for p in in_mode(network, "frozen").projections if p.name == plastic[0].name)
    factor = 1.0 if rule.factor is None else rule.factor
    expected = plastic[0].weight + rule.alpha * (factor * rule.stored_trace).T
    np.testing.assert_allclose(folded.weight, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_fixed_point_follows_float(seed):
    """With 16 bits of everything a map of one step answers as in float, to a hundredth."""
    rng = np.random.default_rng(seed)
    network = replace(in_mode(random_convolution(rng), "off"), steps=1)
    inputs = [p for p in network.populations if isinstance(p.model, Input)]
    values = rng.random((5, 1, sum(p.size for p in inputs)))
    trace = Trace("random", graded=values)
    fixed = quantise_network(network, replace(ARITHMETIC, activation_bits=10, membrane_bits=32))
    answers = run_functional(fixed, random_slicing(network, rng), trace).answers
    ideal = run_float(network, trace)
    lsb = fixed.population("out").membrane_format.lsb
    spiking = any(p.activation is None for p in fixed.populations if p.name != "out")
    if not spiking or np.array_equal(answers.spikes, ideal.spikes):
        span = max(1.0, float(np.abs(ideal.potential).max()))
        np.testing.assert_allclose(answers.potential * lsb, ideal.potential, atol=0.03 * span)


def test_what_crossbars_refuse():
    network = plastic()
    first = network.projections[0]
    stdp = PairSTDP(0.1, 0.1, 20.0, 20.0, 0.0, 1.0)
    sparse = Sparse(np.zeros(2, np.int64), np.zeros(0, np.uint32))
    for change, words in (
        ({"stdp": stdp}, "STDP runs on chips of processors only"),
        ({"connectivity": sparse}, "give crossbar cores the full matrix"),
    ):
        projections = (replace(first, **change), *network.projections[1:])
        with pytest.raises(InputError, match=words):
            quantise_network(replace(network, projections=projections), ARITHMETIC)
    graded = random_convolution(np.random.default_rng(2))
    maps = [p for p in graded.projections if p.connectivity]
    learning = replace(maps[0], plasticity=network.projections[0].plasticity)
    others = tuple(p for p in graded.projections if p is not maps[0])
    with pytest.raises(InputError, match="cannot have traces of its own"):
        quantise_network(replace(graded, projections=(learning, *others)), ARITHMETIC)
