"""What the chip computes does not depend on how the real mapper cut the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.network import LIF, Input, Network, Population, Projection, Trace
from chipsim.quantise.plasticity_mode import in_mode
from chipsim.simulate.functional import integer_values
from tests import naive
from tests.conftest import random_network
from tests.simulate.tiny import (
    random_run,
    random_trace,
    repeated,
    simulated,
    spike_trace,
    tiny_chip,
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    rounding=st.sampled_from(["nearest", "truncate", "stochastic"]),
    bits=st.sampled_from([16, 8, 4]),
    placer=st.sampled_from(["hilbert", "sequential", "snake"]),
)
def test_equals_the_plain_network(seed: int, rounding: str, bits: int, placer: str) -> None:
    chip = tiny_chip(f"core.rounding={rounding}", f"core.weight_bits={bits}")
    results = random_run(seed, chip=chip, placer=placer, seed=seed % 97)
    spikes, potentials = naive.run_fixed(results.fixed, results.activity.values, seed=seed % 97)
    np.testing.assert_array_equal(results.activity.answers.spikes, spikes)
    np.testing.assert_array_equal(results.activity.answers.potential, potentials)


def test_the_random_networks_are_really_cut() -> None:
    """Else the test above would show nothing: dendrites, learning, recurrence all occur."""
    runs = [random_run(seed) for seed in range(30)]
    roles = [{piece.role for piece in run.mapping.slices} for run in runs]
    assert sum("dendrite" in found for found in roles) > 8
    assert sum("whole" in found for found in roles) > 8
    assert {run.mapping.schedule.interval for run in runs} >= {1, 2}
    kinds = [{flow.kind for flow in run.mapping.flows} for run in runs]
    assert sum("post" in found for found in kinds) > 4
    assert sum(run.activity.answers.spikes.any() for run in runs) > 20


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_threads_and_batches_change_nothing(rounding: str) -> None:
    chip = tiny_chip(f"core.rounding={rounding}")
    first = random_run(21, 30, chip, threads=1, batch=30)
    for threads, batch in ((2, 3), (1, 1), (2, 30), (3, 7)):
        again = random_run(21, 30, chip, threads=threads, batch=batch)
        for name in ("values", "active", "learning"):
            expected, got = getattr(first.activity, name), getattr(again.activity, name)
            np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(again.activity.answers.spikes, first.activity.answers.spikes)
        assert again.activity.saturated == first.activity.saturated
        assert again.activity.clamped == first.activity.clamped


@pytest.mark.parametrize("seed", range(12))
def test_every_sample_starts_from_rest(seed: int) -> None:
    """The same samples again give the same spikes: nothing learned or held is carried over."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    trace = random_trace(network, rng, 3)
    results = simulated(network, tiny_chip(), repeated(trace, 2))
    spikes = results.activity.answers.spikes
    np.testing.assert_array_equal(spikes[:3], spikes[3:])


@pytest.mark.parametrize("seed", range(12))
def test_plasticity_off_is_the_network_without_rules(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    trace = random_trace(network, rng, 3)
    bare = replace(
        network, projections=tuple(replace(p, plasticity=None) for p in network.projections)
    )
    off = simulated(network, tiny_chip(), trace, plasticity="off")
    without = simulated(bare, tiny_chip(), trace)
    np.testing.assert_array_equal(off.activity.answers.spikes, without.activity.answers.spikes)
    np.testing.assert_array_equal(off.counters.by_core, without.counters.by_core)
    assert off.bill.total == without.bill.total


@pytest.mark.parametrize("seed", range(12))
def test_plasticity_frozen_is_the_network_with_folded_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    trace = random_trace(network, rng, 3)
    folded = []
    for p in network.projections:
        weight = p.weight
        if p.plasticity is not None:
            # W + alpha H, element by element; W is (post, pre), H is (pre, post).
            weight = weight.copy()
            for post, pre in np.ndindex(*weight.shape):
                change = np.float32(p.plasticity.alpha) * p.plasticity.stored_trace[pre, post]
                weight[post, pre] += change
        folded.append(replace(p, weight=weight, plasticity=None))
    frozen = simulated(network, tiny_chip(), trace, plasticity="frozen")
    plain = simulated(replace(network, projections=tuple(folded)), tiny_chip(), trace)
    np.testing.assert_array_equal(frozen.activity.answers.spikes, plain.activity.answers.spikes)
    np.testing.assert_array_equal(frozen.counters.by_core, plain.counters.by_core)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["running", "frozen", "off"]))
def test_the_float_reference_is_the_float_network(seed: int, mode: str) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    trace = random_trace(network, rng, 2)
    results = simulated(network, tiny_chip(), trace, plasticity=mode)  # type: ignore[arg-type]
    values = trace.values.astype(float) * trace.scale
    values = values[:, None] if trace.held is not None else values
    spikes, potentials = naive.run_float(in_mode(network, mode), values)  # type: ignore[arg-type]
    assert results.reference is not None
    # Single precision may fire one way and double the other where u meets the threshold.
    same = (results.reference.spikes == spikes).all(axis=(1, 2))
    close = np.isclose(results.reference.potential, potentials, rtol=1e-3, atol=1e-4).all(axis=1)
    assert (close | ~same).all()
    assert same.mean() >= 0.5


@pytest.mark.parametrize(("bits", "least"), [(16, 0.99), (8, 0.9), (4, 0.5)])
def test_fixed_point_follows_the_float_network(bits: int, least: float) -> None:
    """Spikes agree nearly everywhere at 16 bit, mostly at 8, and still more than half at 4."""
    agree, count = 0, 0
    for seed in range(40):
        results = random_run(seed, 2, tiny_chip(f"core.weight_bits={bits}"))
        assert results.reference is not None
        spikes = results.activity.answers.spikes
        agree += int((spikes == results.reference.spikes).sum())
        count += spikes.size
    assert agree / count >= least


def test_input_integers() -> None:
    """8-bit images at scale 1/255 are their own integers; several inputs lie side by side."""
    rng = np.random.default_rng(3)
    results = random_run(0)
    images = np.arange(256, dtype=np.uint8).reshape(1, 256)
    graded = Population("in", 256, Input("graded"))
    layer = Population("out", 1, LIF(0.5, 0.5))
    weights = rng.normal(0, 0.01, (1, 256)).astype(np.float32)
    network = Network("n", 1, (graded, layer), (Projection("p", "in", "out", weights),), "out")
    trace = Trace("ramp", scale=1 / 255, held=images)
    fixed = simulated(network, tiny_chip("core.axons=256"), trace).fixed
    np.testing.assert_array_equal(integer_values(fixed.inputs, trace)[0, 0], np.arange(256))
    halves = Trace("halves", scale=1.0, held=np.array([[0.5, 0.25] * 128]))
    np.testing.assert_array_equal(integer_values(fixed.inputs, halves)[0, 0], [128, 64] * 128)
    assert results.activity.values.dtype == np.int32


def test_a_single_sample_and_step() -> None:
    results = simulated(
        replace(random_network(np.random.default_rng(0)), steps=1),
        tiny_chip(),
        spike_trace(np.ones((1, 1, random_network(np.random.default_rng(0)).populations[0].size))),
    )
    assert results.activity.answers.spikes.shape[:2] == (1, 1)
