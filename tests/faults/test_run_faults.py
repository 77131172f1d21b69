"""Runs with lost packets and flipping state beside the plain twin, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DoesNotFitError, InputError
from chipsim.faults.model import Faults
from chipsim.mapping.mapper import map_network
from chipsim.network import Trace
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.functional import integer_values, run_functional
from tests import naive
from tests.conftest import random_membrane_variants, random_network, random_variants
from tests.faults.plain_faults import PlainFaults
from tests.kernels.test_crossbar import random_trace
from tests.simulate.tiny import relay, simulated, spike_trace, tiny_chip

MAKERS = [random_network, random_variants, random_membrane_variants]


def case(seed: int, make: Any, **arithmetic: Any) -> tuple[Any, Any, Trace] | None:
    """A random network mapped onto a tiny chip; None where it does not fit."""
    rng = np.random.default_rng(seed)
    network = make(rng)
    chip = tiny_chip()
    try:
        mapping = map_network(network, chip)
    except DoesNotFitError:
        return None
    fixed = quantise_network(network, replace(chip.core.arithmetic, **arithmetic))
    return fixed, mapping, random_trace(network, rng, samples=3)


@settings(derandomize=True, deadline=None, max_examples=75)
@given(
    seed=st.integers(0, 2**32 - 1),
    rounding=st.sampled_from(["nearest", "stochastic", "truncate"]),
    decay=st.sampled_from(["dense", "lazy"]),
    make=st.sampled_from(MAKERS),
    drop=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    flip=st.sampled_from([0.0, 0.002, 0.05]),
)
def test_equals_the_plain_twin(
    seed: int, rounding: str, decay: str, make: Any, drop: float, flip: float
) -> None:
    flip = 0.0 if decay == "lazy" else flip
    found = case(seed, make, rounding=rounding, trace_decay=decay)
    if found is None:
        return
    fixed, mapping, trace = found
    faults = Faults(packet_drop=drop, state_flip=flip)
    activity = run_functional(fixed, mapping, trace, seed=seed % 1000, faults=faults)
    values = integer_values(fixed.inputs, trace)
    plain = PlainFaults(fixed, mapping, faults, seed % 1000, held=values.shape[1] == 1)
    spikes, potentials = naive.run_fixed(fixed, values, seed=seed % 1000, faults=plain)
    np.testing.assert_array_equal(activity.answers.spikes, spikes)
    np.testing.assert_array_equal(activity.answers.potential, potentials)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), make=st.sampled_from(MAKERS))
def test_threads_and_batches_change_nothing(seed: int, make: Any) -> None:
    found = case(seed, make)
    if found is None:
        return
    fixed, mapping, trace = found
    faults = Faults(packet_drop=0.2, state_flip=0.01)
    first, *others = (
        run_functional(fixed, mapping, trace, threads=threads, batch=batch, faults=faults)
        for threads, batch in ((1, 3), (2, 1), (1, 2))
    )
    for other in others:
        np.testing.assert_array_equal(first.answers.spikes, other.answers.spikes)
        np.testing.assert_array_equal(first.active, other.active)
        np.testing.assert_array_equal(first.learning, other.learning)


def test_faults_at_rate_zero_are_none() -> None:
    fixed, mapping, trace = case(5, random_network)  # type: ignore[misc]
    sound = run_functional(fixed, mapping, trace)
    # A rate too small to hit anything goes through all of the code.
    harmless = run_functional(fixed, mapping, trace, faults=Faults(0.0, 1e-15, 1e-15))
    np.testing.assert_array_equal(sound.answers.spikes, harmless.answers.spikes)
    np.testing.assert_array_equal(sound.active, harmless.active)


def test_nothing_arrives_where_every_packet_is_lost() -> None:
    results = simulated(
        relay(neurons=6, layers=2), tiny_chip(), spike_trace(np.ones((2, 4, 6))),
        faults=Faults(packet_drop=1.0),
    )  # fmt: skip
    assert not results.activity.answers.spikes.any()
    assert not results.activity.active.any()
    assert "packet_drop=1" in results.notes[0]


def test_lost_packets_are_as_many_as_the_rate_says() -> None:
    """A relay of whole slices: each input spike is a delivery, which makes a spike or not."""
    shape = (40, 20, 4)
    results = simulated(
        relay(neurons=4, steps=20), tiny_chip(), spike_trace(np.ones(shape)),
        faults=Faults(packet_drop=0.3), mesh_phases=5,
    )  # fmt: skip
    heard = results.activity.answers.spikes.mean()
    # 3,200 deliveries: a standard deviation of 0.008.
    assert abs(heard - 0.7) < 0.035


@pytest.mark.parametrize("rate", [0.001, 0.02])
def test_membranes_flip_as_often_as_the_rate_says(rate: float) -> None:
    """Neurons without input or leak rest at 0 until a bit flips."""
    network = relay(neurons=4, steps=1, decay=0.0)
    trace = spike_trace(np.zeros((2000, 1, 4)))
    results = simulated(network, tiny_chip(), trace, faults=Faults(state_flip=rate), mesh_phases=5)
    flipped = (results.activity.answers.potential != 0).mean()
    expected = 1 - (1 - rate) ** 24
    assert abs(flipped - expected) < 5 * (expected / 8000) ** 0.5


def test_a_faulty_run_needs_dense_decay() -> None:
    fixed, mapping, trace = case(5, random_network)  # type: ignore[misc]
    assert any(p.plasticity for p in fixed.projections)
    lazy = replace(fixed, arithmetic=replace(fixed.arithmetic, trace_decay="lazy"))
    with pytest.raises(InputError, match=r"core\.trace_decay=dense"):
        run_functional(lazy, mapping, trace, faults=Faults(state_flip=0.1))
