"""Synthetic networks fire at the rate that was asked for, and are the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.network import Trace
from chipsim.quantise.plasticity_mode import in_mode
from chipsim.simulate.float_reference import run_float
from chipsim.study.model import SyntheticHP
from chipsim.study.synthetic import synthetic_hp, untrained
from tests.study.conftest import images


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.3])
def test_neurons_fire_at_the_stated_rates(rate):
    trace = images(20)
    network = synthetic_hp(SyntheticHP(200, seed=1, hidden_rate=rate, output_rate=0.1), trace)
    answers = run_float(in_mode(network, "off"), trace, 1)
    assert answers.of("hidden").mean() == pytest.approx(rate, rel=0.05)
    assert answers.of("output").mean() == pytest.approx(0.1, rel=0.15)


def test_the_seed_makes_the_network():
    trace = images()
    same, again, other = (synthetic_hp(SyntheticHP(8, seed=s), trace) for s in (3, 3, 4))
    for a, b, c in zip(same.projections, again.projections, other.projections, strict=True):
        np.testing.assert_array_equal(a.weight, b.weight)
        assert not np.array_equal(a.weight, c.weight)


def test_it_says_that_it_is_synthetic_and_has_no_labels():
    assert "means nothing" in synthetic_hp(SyntheticHP(8), images()).notes[0]
    assert untrained(images()).labels is None


@pytest.mark.parametrize(
    "trace",
    [
        Trace("narrow", held=np.ones((2, 10), np.uint8)),
        Trace("spikes", spikes=np.ones((2, 10, 784), np.uint8)),
        Trace("bright", held=np.full((2, 784), 255, np.uint8)),
    ],
    ids=lambda trace: trace.name,
)
def test_other_traces_are_refused(trace):
    with pytest.raises(InputError, match=trace.name):
        synthetic_hp(SyntheticHP(8), trace)


def test_a_rate_that_no_weights_reach_is_refused():
    dark = Trace("dark", held=np.zeros((2, 784), np.uint8))
    with pytest.raises(InputError, match="no weights reach a rate"):
        synthetic_hp(SyntheticHP(8), dark)
