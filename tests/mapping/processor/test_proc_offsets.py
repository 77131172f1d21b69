"""Ticks: every synapse acts a tick later at least, and no population waits longer than it must."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.processor.learning import learning_populations
from chipsim.mapping.processor.offsets import check_delays, make_offsets, signal_delay
from chipsim.network import Input, Network, Population
from chipsim.validation.spinnaker_memory import eprop_network
from tests.mapping.processor.proc_cases import (
    CELL,
    chain,
    dense,
    net,
    sparse_projection,
    spinnaker1,
)


def test_a_chain_is_a_pipeline() -> None:
    assert make_offsets(chain(3, 2, 2, 2)) == {"in": 0, "l1": 1, "l2": 2, "l3": 3}


def test_a_skip_connection_waits_and_recurrence_does_not() -> None:
    network = chain(3, 2, 2)
    skip, loop = dense("in", "l2", 3, 2), dense("l2", "l1", 2, 2, delay=2)
    network = replace(network, projections=(*network.projections, skip, loop))
    assert make_offsets(network) == {"in": 0, "l1": 1, "l2": 2}


def test_a_short_loop_is_refused() -> None:
    network = chain(3, 2, 2)
    back = dense("l2", "l1", 2, 2)
    with pytest.raises(InputError, match=r"(l1|l2) -> .* -> \1 is a loop without"):
        make_offsets(replace(network, projections=(*network.projections, back)))


def test_a_loop_of_one_step_over_two_populations_is_refused() -> None:
    """Two hops take two ticks, so a loop of two needs two steps of delay in all."""
    network = chain(3, 2, 2)
    with pytest.raises(InputError, match="loop"):
        make_offsets(
            replace(network, projections=(*network.projections, dense("l2", "l1", 2, 2, delay=1)))
        )


@st.composite
def networks(draw: st.DrawFn) -> Network:
    count = draw(st.integers(1, 5))
    names = [f"p{i}" for i in range(count)]
    populations = [Population("in", 2, Input("spikes"))]
    populations += [Population(name, 2, CELL) for name in names]
    projections = []
    for i, target in enumerate(names):
        for j, source in enumerate(["in", *names]):
            if draw(st.booleans()):
                least = 0 if j <= i else draw(st.integers(0, 1)) + 1 + j - i
                delay = draw(st.integers(least, least + 3))
                projections.append(
                    replace(dense(source, target, 2, 2, delay), name=f"{source}-{target}")
                )
    return net(*populations, *projections)


@given(networks())
@settings(derandomize=True, max_examples=80, deadline=None)
def test_offsets_are_the_least_that_do(network: Network) -> None:
    offsets = make_offsets(network)
    assert offsets["in"] == 0
    for p in network.projections:
        assert p.delay + offsets[p.target] - offsets[p.source] >= 1
    for name, offset in offsets.items():
        held = [
            p.delay + offset - offsets[p.source] == 1
            for p in network.incoming(name)
            if p.source != name
        ]
        assert offset == 0 or any(held)


def test_a_delay_beyond_the_last_stage() -> None:
    network = net(
        Population("in", 2, Input("spikes")), Population("l1", 2, CELL),
        dense("in", "l1", 2, 2, delay=145),
    )  # fmt: skip
    offsets = make_offsets(network)
    message = (
        "projection in-l1: delay 145 ticks .145 steps and 0 between the populations. exceeded max "
        "144 by 1: 16 slots of ring buffers after 8 delay stages; --set core.delay_stages=9"
    )
    with pytest.raises(DoesNotFitError, match=message):
        check_delays(network, spinnaker1(), offsets, "running")
    check_delays(network, spinnaker1("core.delay_stages=9"), offsets, "running")
    check_delays(network, spinnaker1("core.delay_slots=32"), offsets, "running")
    with pytest.raises(DoesNotFitError, match=r"max 2 by 143: .* more core.delay_slots and"):
        check_delays(
            network, spinnaker1("core.delay_slots=2", "core.delay_stages=0"), offsets, "running"
        )


def test_delays_by_synapse() -> None:
    projection = sparse_projection(np.random.default_rng(0), 4, 4, 1.0)
    network = net(Population("in", 4, Input("spikes")), Population("out", 4, CELL), projection)
    assert make_offsets(network) == {"in": 0, "out": 0}
    chip = spinnaker1("core.delay_slots=2", "core.delay_stages=0")
    with pytest.raises(DoesNotFitError, match="delay 4 ticks"):
        check_delays(network, chip, {"in": 0, "out": 0}, "running")


def test_the_signal_is_late_by_the_way_back() -> None:
    """Sent with the readout's step, used a tick later, when the layer is two steps further."""
    network = eprop_network(4, 6, 2, recurrent=True)
    offsets = make_offsets(network)
    assert offsets == {"input": 0, "hidden": 1, "readout": 2}
    assert signal_delay(network, offsets, "running") == 2
    assert signal_delay(network, offsets, "off") == 0
    assert learning_populations(network, "running") == ("hidden", "readout")


def test_the_index_of_a_synapse_leaves_no_room_for_a_delay() -> None:
    network = eprop_network(4, 6, 2, recurrent=True)
    slow = replace(network.projections[0], delay=3)
    network = replace(network, projections=(slow, *network.projections[1:]))
    offsets = make_offsets(network)
    with pytest.raises(DoesNotFitError, match=r"exceeded max 1 by 2: .*core.eprop_synapses=0"):
        check_delays(network, spinnaker1(), offsets, "running")
    check_delays(network, spinnaker1(), offsets, "frozen")
    check_delays(network, spinnaker1("core.eprop_synapses=0"), offsets, "running")


def test_a_rule_that_names_nothing() -> None:
    network = eprop_network(4, 6, 2, recurrent=True)
    assert network.learning is not None
    wrong = replace(network, learning=replace(network.learning, readout="in"))
    with pytest.raises(InputError, match="readout 'in' given; a population and a projection"):
        learning_populations(wrong, "running")
