"""The crossbar kernels and their plain twin agree bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.network import Input, Trace
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.functional import integer_values, run_functional
from tests import naive
from tests.conftest import (
    ARITHMETIC,
    random_convolution,
    random_membrane_variants,
    random_membranes,
    random_network,
    random_rank_order,
    random_slicing,
    random_variants,
)

MAKERS = [
    random_network,
    random_variants,
    random_convolution,
    random_rank_order,
    random_membranes,
    random_membrane_variants,
]


def random_trace(network, rng, samples):
    inputs = [p for p in network.populations if isinstance(p.model, Input)]
    population = inputs[0]
    if len(inputs) > 1:
        maxima = np.concatenate([np.full(p.size, p.model.maximum) for p in inputs])
        values = rng.random((samples, network.steps, len(maxima))) * maxima
        return Trace("random", graded=values * (rng.random(values.shape) < 0.7))
    if population.model.kind == "graded":
        if rng.random() < 0.5:
            held = rng.integers(0, 256, (samples, population.size)).astype(np.uint8)
            return Trace("random", scale=1 / 255, held=held)
        shape = (samples, network.steps, population.size)
        return Trace("random", scale=1 / 255, graded=rng.integers(0, 256, shape).astype(np.uint8))
    shape = (samples, network.steps, population.size)
    return Trace("random", spikes=(rng.random(shape) < 0.5).astype(np.uint8))


@settings(derandomize=True, deadline=None, max_examples=140)
@given(
    seed=st.integers(0, 2**32 - 1),
    rounding=st.sampled_from(["truncate", "nearest", "stochastic"]),
    overflow=st.sampled_from(["saturate", "wrap"]),
    weight_bits=st.sampled_from([16, 8, 4]),
    membrane_bits=st.sampled_from([24, 12]),
    trace_rounding=st.sampled_from(["same", "same", "truncate", "nearest", "stochastic"]),
    trace_decay=st.sampled_from(["dense", "lazy"]),
    make=st.sampled_from(MAKERS),
)
def test_equals_the_plain_twin(
    seed, rounding, overflow, weight_bits, membrane_bits, trace_rounding, trace_decay, make
):
    rng = np.random.default_rng(seed)
    network = make(rng)
    arithmetic = replace(
        ARITHMETIC,
        rounding=rounding,
        overflow=overflow,
        weight_bits=weight_bits,
        membrane_bits=membrane_bits,
        trace_rounding=trace_rounding,
        trace_decay=trace_decay,
    )
    fixed = quantise_network(network, arithmetic)
    trace = random_trace(network, rng, samples=3)
    activity = run_functional(fixed, random_slicing(network, rng), trace, seed=seed % 1000)
    values = integer_values(fixed.inputs, trace)
    spikes, potentials = naive.run_fixed(fixed, values, seed=seed % 1000)
    np.testing.assert_array_equal(activity.answers.spikes, spikes)
    np.testing.assert_array_equal(activity.answers.potential, potentials)


@pytest.mark.parametrize("rounding", ["truncate", "nearest", "stochastic"])
def test_slicing_threads_and_batches_change_nothing(rounding):
    rng = np.random.default_rng(7)
    network = random_network(rng)
    fixed = quantise_network(network, replace(ARITHMETIC, rounding=rounding))
    trace = random_trace(network, rng, samples=40)
    first = run_functional(fixed, random_slicing(network, rng), trace)
    for threads, batch in ((1, 40), (2, 4), (2, 7)):
        again = run_functional(
            fixed, random_slicing(network, rng), trace, threads=threads, batch=batch
        )
        np.testing.assert_array_equal(first.answers.spikes, again.answers.spikes)
        np.testing.assert_array_equal(first.answers.potential, again.answers.potential)
        assert first.saturated == again.saturated
        assert first.clamped == again.clamped


def test_noise_of_stochastic_rounding_follows_its_seed():
    rng = np.random.default_rng(12)
    network = random_network(rng)
    fixed = quantise_network(network, replace(ARITHMETIC, rounding="stochastic", membrane_bits=10))
    trace = random_trace(network, rng, samples=50)
    mapping = random_slicing(network, rng)
    one = run_functional(fixed, mapping, trace, seed=1)
    two = run_functional(fixed, mapping, trace, seed=2)
    assert not np.array_equal(one.answers.potential, two.answers.potential)


def test_counts_the_axons_with_input():
    rng = np.random.default_rng(11)
    network = random_network(rng)
    fixed = quantise_network(network, ARITHMETIC)
    trace = random_trace(network, rng, samples=4)
    activity = run_functional(fixed, random_slicing(network, rng), trace)
    values = activity.values
    for index, run in enumerate(activity.runs):
        if run.projection.source == "in" and run.projection.delay == 0:
            axons = slice(run.axons.first, run.axons.first + run.axons.count)
            for t in range(network.steps):
                expected = (values[:, min(t, values.shape[1] - 1), axons] != 0).sum(axis=1)
                np.testing.assert_array_equal(activity.active[:, t, index], expected)
