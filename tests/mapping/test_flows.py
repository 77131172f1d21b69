"""Which slice sends what to whom."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings

from chipsim.chip import Chip
from chipsim.errors import DoesNotFitError
from chipsim.mapping.flows import make_flows
from chipsim.mapping.model import INPUT_PORT, Axons, Flow, Slice
from chipsim.mapping.partition.balanced import partition
from chipsim.network import Network, PlasticityMode
from tests.mapping.cases import chain, dense, inputs, network, neurons, recurrent, tianjic, unicast
from tests.mapping.strategies import MODES, networks


def flows_of(net: Network, chip: Chip, mode: PlasticityMode) -> tuple[Flow, ...]:
    return make_flows(net, chip, partition(net, chip, mode).slices, mode)


def test_graded_input_is_packed_and_goes_to_each_part() -> None:
    flows = [f for f in flows_of(chain(784, 512, 10), tianjic(), "off") if f.kind == "input"]
    assert [(f.source, f.first, f.count) for f in flows] == [
        (INPUT_PORT, 0, 196),
        (INPUT_PORT, 196, 196),
        (INPUT_PORT, 392, 196),
        (INPUT_PORT, 588, 196),
    ]
    assert all((f.neurons_per_packet, f.bits, len(f.targets)) == (8, 64, 4) for f in flows)


def test_spike_input_goes_one_spike_a_packet() -> None:
    flows = flows_of(chain(100, 20, kind="spikes"), tianjic(), "off")
    assert flows == (Flow("input", INPUT_PORT, "input", 0, 100, (0,), bits=1),)


def test_a_plastic_split_layer() -> None:
    slices = partition(chain(300, 100, plastic=True), tianjic(), "running").slices
    assert [(s.role, s.first, s.count) for s in slices] == [
        ("dendrite", 0, 50),
        ("dendrite", 0, 50),
        ("soma", 0, 100),
        ("dendrite", 50, 50),
        ("dendrite", 50, 50),
    ]
    flows = flows_of(chain(300, 100, plastic=True), tianjic(), "running")
    assert flows == (
        Flow("input", -1, "input", 0, 150, (0, 3), neurons_per_packet=8, bits=64),
        Flow("input", -1, "input", 150, 150, (1, 4), neurons_per_packet=8, bits=64),
        Flow("sum", 0, "layer1", 0, 50, (2,), packets_per_neuron=1, bits=64),
        Flow("sum", 1, "layer1", 0, 50, (2,), packets_per_neuron=1, bits=64),
        Flow("post", 2, "layer1", 0, 50, (0, 1), bits=16),
        Flow("post", 2, "layer1", 50, 50, (3, 4), bits=16),
        Flow("sum", 3, "layer1", 50, 50, (2,), packets_per_neuron=1, bits=64),
        Flow("sum", 4, "layer1", 50, 50, (2,), packets_per_neuron=1, bits=64),
    )


def test_three_channels_take_two_packets() -> None:
    # One dendrite slice holds axons of both plastic projections: 4 sums of 32 bit.
    net = recurrent(300, 20, plastic=True)
    sums = [f for f in flows_of(net, tianjic(), "running") if f.kind == "sum"]
    assert [(f.packets_per_neuron, f.bits) for f in sums] == [(1, 64), (2, 64)]


def test_a_whole_recurrent_population_sends_to_itself() -> None:
    spikes = [f for f in flows_of(recurrent(50, 50), tianjic(), "off") if f.kind == "spike"]
    assert spikes == [Flow("spike", 0, "hidden", 0, 50, (0,), bits=1)]


def test_two_projections_to_one_slice_take_one_packet() -> None:
    a, b, c = inputs(5), neurons("b", 6), neurons("c", 7)
    net = network((a, b, c), (dense(a, b), dense(b, c), dense(b, c, delay=1, name="later")))
    spikes = [f for f in flows_of(net, tianjic(), "off") if f.kind == "spike"]
    assert spikes == [Flow("spike", 0, "b", 0, 6, (1,), bits=1)]


def test_runs_do_not_bridge_neurons_that_nobody_hears() -> None:
    net = chain(30, 4, kind="spikes")
    axons = (Axons("input-layer1", 0, 10), Axons("input-layer1", 20, 10))
    flows = make_flows(net, tianjic(), [Slice(0, "layer1", "whole", 0, 4, axons)], "off")
    assert [(flow.first, flow.count) for flow in flows] == [(0, 10), (20, 10)]


def test_unicast_sends_to_one_target_at_a_time() -> None:
    net = chain(300, 100, 10, plastic=True)
    tree = flows_of(net, tianjic(), "running")
    single = flows_of(net, unicast(tianjic()), "running")
    assert all(len(flow.targets) == 1 for flow in single)
    assert len(single) == sum(len(flow.targets) for flow in tree)


@pytest.mark.parametrize("payload", [7, 15, 31])
def test_a_value_wider_than_a_packet(payload: int) -> None:
    chip = tianjic()
    chip = replace(chip, mesh=replace(chip.mesh, payload_bits=payload))
    net = chain(300, 100, plastic=True)
    if payload < 16:
        with pytest.raises(DoesNotFitError, match=f"exceeded max {payload} bits of a packet"):
            flows_of(net, chip, "running")
    else:  # sums are cut: 64 bits in 3 packets
        sums = [f for f in flows_of(net, chip, "running") if f.kind == "sum"]
        assert {(f.packets_per_neuron, f.bits) for f in sums} == {(3, 22)}


def heard(slices: tuple[Slice, ...], net: Network, population: str) -> set[tuple[int, int]]:
    source = {p.name: p.source for p in net.projections}
    return {
        (neuron, s.index)
        for s in slices
        for run in s.axons
        if source[run.projection] == population
        for neuron in range(run.first, run.first + run.count)
    }


@given(net=networks(largest=400), mode=MODES)
@settings(derandomize=True, max_examples=40, deadline=None)
def test_every_message_once_in_the_longest_runs(net: Network, mode: PlasticityMode) -> None:
    slices = partition(net, tianjic(), mode).slices
    flows = make_flows(net, tianjic(), slices, mode)
    sent: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for flow in flows:
        kind = "axons" if flow.kind in ("input", "spike") else flow.kind
        pairs = sent.setdefault((kind, flow.population), [])
        for neuron in range(flow.first, flow.first + flow.count):
            pairs += [(neuron, target) for target in flow.targets]
            if flow.source != INPUT_PORT:
                sender = slices[flow.source]
                assert sender.population == flow.population
                assert sender.first <= neuron < sender.first + sender.count
                assert sender.role == ("dendrite" if flow.kind == "sum" else sender.role)
    for population in net.populations:
        pairs = sent.get(("axons", population.name), [])
        assert len(pairs) == len(set(pairs))
        assert set(pairs) == heard(slices, net, population.name)
        dendrites = [s for s in slices if s.population == population.name and s.role == "dendrite"]
        posts = sent.get(("post", population.name), [])
        learners = [s for s in dendrites if s.plastic]
        wanted = {(n, s.index) for s in learners for n in range(s.first, s.first + s.count)}
        assert len(posts) == len(set(posts))
        assert set(posts) == wanted
        sums = sent.get(("sum", population.name), [])
        assert len(sums) == sum(s.count for s in dendrites)
    for one, two in pairwise(flows):
        same = (one.kind, one.source, one.targets) == (two.kind, two.source, two.targets)
        assert not (same and one.first + one.count == two.first), "runs could be joined"
