"""Decays that are put off give the same bits, and are fewer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.network import LIF, Input, Network, Population, Projection, Trace
from chipsim.plasticity import HybridPlasticity
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.functional import run_functional
from tests.conftest import ARITHMETIC, random_slicing, random_variants
from tests.kernels.test_crossbar import random_trace

LAZY = replace(ARITHMETIC, trace_decay="lazy")


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    rounding=st.sampled_from(["truncate", "nearest", "stochastic"]),
    own=st.sampled_from(["same", "stochastic"]),
)
def test_same_bits_as_decaying_each_step(seed, rounding, own):
    rng = np.random.default_rng(seed)
    network = random_variants(rng)
    dense = replace(ARITHMETIC, rounding=rounding, trace_rounding=own)
    trace = random_trace(network, rng, samples=4)
    mapping = random_slicing(network, rng)
    eager = run_functional(quantise_network(network, dense), mapping, trace, seed=3)
    lazy = quantise_network(network, replace(dense, trace_decay="lazy"))
    later = run_functional(lazy, mapping, trace, seed=3)
    np.testing.assert_array_equal(later.answers.spikes, eager.answers.spikes)
    np.testing.assert_array_equal(later.answers.potential, eager.answers.potential)
    np.testing.assert_array_equal(later.learning, eager.learning)
    assert eager.decays is None


def one_axon(state):
    """An input neuron onto an integrator that learns from it."""
    rule = HybridPlasticity(
        alpha=1.0,
        beta=np.full(1, 0.5, np.float32),
        eta=np.full(1, -1.0, np.float32),
        rho=0.9,
        clamp=None,
        state=state,
    )
    weight = np.full((1, 1), 0.5, np.float32)
    return Network(
        "one",
        6,
        (Population("in", 1, Input("spikes")), Population("out", 1, LIF(1.0, 0.5, reset="none"))),
        (Projection("p", "in", "out", weight, plasticity=rule),),
        "out",
        "membrane",
    )


@pytest.mark.parametrize(
    ("state", "decays"),
    [
        # Input at steps 1 and 4: at 4 the decays of 2 and 3 are made up for; that of 5 never is.
        ("reset", [[0, 0, 0, 0, 2, 0], [0, 0, 0, 0, 2, 0]]),
        # Carried: that of 5 at the end, and in the second sample that of 0, at step 1.
        ("carried", [[0, 0, 0, 0, 2, 1], [0, 1, 0, 0, 2, 1]]),
    ],
)
def test_counts_by_hand(state, decays):
    network = one_axon(state)
    spikes = np.zeros((2, 6, 1), np.uint8)
    spikes[:, [1, 4]] = 1
    mapping = random_slicing(network, np.random.default_rng(0))
    activity = run_functional(quantise_network(network, LAZY), mapping, Trace("t", spikes=spikes))
    assert activity.decays is not None
    assert activity.decays[:, :, 0].tolist() == decays
    assert activity.learning[:, :, 0].tolist() == [[0, 1, 0, 0, 1, 0]] * 2
