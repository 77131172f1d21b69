"""Messages, hops, actions and memory of a backward pass beside a word-by-word recount."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.connectivity import Sparse
from chipsim.errors import InputError
from chipsim.learning_cost.cost import backward
from chipsim.learning_cost.messages import backward_messages
from chipsim.learning_cost.tasks import backward_actions
from chipsim.network import LIF, Input, Network, Population, Projection, SentMembrane
from chipsim.results import Results
from chipsim.simulate.counters import actions_of
from tests.conftest import random_membranes, random_network
from tests.learning_cost import brute
from tests.simulate.tiny import TINY, random_run, relay, simulated, spike_trace, tiny_chip


def run(seed: int, multicast: str, mode: str, make: Any, *overrides: str) -> Results:
    chip = tiny_chip(f"mesh.multicast={multicast}", *overrides)
    return random_run(seed, chip=chip, make=make, plasticity=mode)


CASES = {
    "seed": st.integers(0, 2**32 - 1),
    "multicast": st.sampled_from(["tree", "unicast"]),
    "mode": st.sampled_from(["running", "off"]),
    "payload": st.sampled_from([16, 64]),
    "make": st.sampled_from([random_network, random_membranes]),
}


@settings(derandomize=True, deadline=None, max_examples=30)
@given(**CASES)
def test_packets_are_the_words_that_must_travel(
    seed: int, multicast: str, mode: str, payload: int, make: Any
) -> None:
    results = run(seed, multicast, mode, make, f"mesh.payload_bits={payload}")
    expected = Counter(kind for kind, *_ in brute.packets(results))
    bits = Counter[str]()
    for kind, _, _, size in brute.packets(results):
        bits[kind] += size
    found, carried = Counter[str](), Counter[str]()
    for message in backward(results).messages:
        found[message.kind] += message.packets
        carried[message.kind] += message.packets * message.flow.bits
    assert +found == +expected
    assert +carried == +bits


@settings(derandomize=True, deadline=None, max_examples=30)
@given(**CASES)
def test_actions_and_hops_equal_the_recount(
    seed: int, multicast: str, mode: str, payload: int, make: Any
) -> None:
    results = run(
        seed, multicast, mode, make, f"mesh.payload_bits={payload}", "core.weight_bits=8",
    )  # fmt: skip
    expected = brute.actions(results)
    if "hop_bit" not in results.chip.prices:
        del expected["hop_bit"]
    back = backward(results)
    active = {
        (run.slice.index, run.axons.projection, run.axons.first): int(
            results.activity.active[:, :, i].sum()
        )
        for i, run in enumerate(results.activity.runs)
    }
    table = backward_actions(
        results.network,
        results.chip,
        results.mapping.slices,
        results.mapping.placement,
        back.messages,
        back.routes,
        active,
        results.counters.samples,
    )
    for index, action in enumerate(actions_of(results.chip)):
        counts = {int(core): int(table[core, index]) for core in np.flatnonzero(table[:, index])}
        assert counts == +expected.get(action, Counter()), action


def test_the_least_that_must_travel_is_a_word_a_neuron_and_step() -> None:
    """784-N-10 with N + 10 error words a step needs cores that hold whole layers."""
    results = simulated(
        relay(neurons=3, steps=4, layers=2), tiny_chip(), spike_trace([[[1] * 3] * 4])
    )
    assert [s.role for s in results.mapping.slices] == ["whole", "whole"]
    sent = Counter[str]()
    for message in backward(results).messages:
        sent[message.kind] += message.packets
    # The readout's errors stay on its core; the layer before hears of each of its neurons.
    assert sent == {"label": 1, "feedback": 3 * 4}


def test_memory_beside_a_hand_count() -> None:
    results = simulated(
        relay(neurons=3, steps=4, layers=2), tiny_chip(), spike_trace([[[1] * 3] * 4])
    )
    first, second = (
        {use.memory: dict(use.items) for use in uses} for uses in backward(results).memory
    )
    # 9 gradients of 16 bit; 3 axons of 1 bit in 4 steps.
    assert first["synapse"]["gradients"] == second["synapse"]["gradients"] == 18
    assert first["axon"]["input history"] == second["axon"]["input history"] == 2
    assert "errors of inputs" not in first["axon"]
    assert second["axon"]["errors of inputs"] == 3 * 4
    # 24-bit membranes of the 3 steps before the last.
    assert first["soma"]["stored membranes"] == second["soma"]["stored membranes"] == 27
    assert first["soma"]["errors"] == 3 * (2 + 2 * 4)


@pytest.mark.parametrize(("steps", "size"), [("all", 3 * 8 * 4), ("last", 3 * 8)])
def test_memory_of_membranes_that_were_heard(steps: Any, size: int) -> None:
    """3 axons of 8 bit, in 4 steps or in one."""
    network = relay(neurons=3, steps=4, layers=2)
    heard = replace(network.projections[1], membrane=SentMembrane(2.0, steps))
    results = simulated(
        replace(network, projections=(network.projections[0], heard)),
        tiny_chip(),
        spike_trace([[[1] * 3] * 4]),
    )
    _, second = ({use.memory: dict(use.items) for use in uses} for uses in backward(results).memory)
    assert second["axon"]["input history"] == size // 8


def test_only_dense_projections_are_known() -> None:
    sparse = Sparse(np.array([0, 1, 2]), np.array([0, 1], np.uint32))
    network = Network(
        "sparse",
        2,
        (Population("in", 2, Input("spikes")), Population("out", 2, LIF(0.5, 0.0))),
        (Projection("p", "in", "out", np.ones(2, np.float32), connectivity=sparse),),
        "out",
    )
    with pytest.raises(InputError, match="'p' is not dense"):
        backward_messages(network, tiny_chip(), ())
    assert TINY
