"""Plasticity running, frozen and off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.network import Network
from chipsim.quantise.plasticity_mode import in_mode
from tests.conftest import random_network, random_rule


@pytest.fixture
def network() -> Network:
    made = random_network(np.random.default_rng(4))
    rng = np.random.default_rng(0)
    projections = tuple(
        replace(p, plasticity=random_rule(rng, *p.weight.T.shape)) for p in made.projections
    )
    return replace(made, projections=projections)


def test_running_is_the_network_itself(network: Network) -> None:
    assert in_mode(network, "running") is network


def test_off_drops_the_rules_and_nothing_else(network: Network) -> None:
    off = in_mode(network, "off")
    for before, after in zip(network.projections, off.projections, strict=True):
        assert after.plasticity is None
        assert after.weight is before.weight
        assert replace(after, plasticity=before.plasticity) == before


def test_frozen_adds_alpha_times_the_stored_trace(network: Network) -> None:
    for before, after in zip(
        network.projections, in_mode(network, "frozen").projections, strict=True
    ):
        assert before.plasticity is not None
        assert after.plasticity is None
        alpha, trace = np.float32(before.plasticity.alpha), before.plasticity.stored_trace
        assert trace is not None
        for post, pre in np.ndindex(*before.weight.shape):
            expected = before.weight[post, pre] + alpha * trace[pre, post]
            assert after.weight[post, pre] == expected
        assert after.weight.flags.c_contiguous
        assert after.weight.dtype == np.float32


def test_frozen_needs_a_stored_trace(network: Network) -> None:
    first = network.projections[0]
    assert first.plasticity is not None
    bare = replace(first, plasticity=replace(first.plasticity, stored_trace=None))
    without = replace(network, projections=(bare, *network.projections[1:]))
    with pytest.raises(
        InputError, match=r"'a': plasticity frozen needs a stored trace.*running or off"
    ):
        in_mode(without, "frozen")
    assert in_mode(without, "off").projections[0].plasticity is None


@pytest.mark.parametrize("mode", ["frozen", "off"])
def test_a_network_without_rules_is_the_same_in_every_mode(network: Network, mode: str) -> None:
    off = in_mode(network, "off")
    again = in_mode(off, mode)  # type: ignore[arg-type]
    for before, after in zip(off.projections, again.projections, strict=True):
        np.testing.assert_array_equal(before.weight, after.weight)
