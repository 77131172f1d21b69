"""Multicast trees reach exactly their cores, by short ways, around what is dead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DoesNotFitError
from chipsim.mapping.processor.machine import machine_topology
from chipsim.mapping.processor.trees import FROM_SOURCE, Tree, Ways, multicast_tree
from chipsim.mesh.topology import Topology, triangular, without
from chipsim.validation.spinnaker_memory import processor_chip
from tests.mapping.processor.proc_cases import spinnaker1

CORE = 1 << 6


def distances(topology: Topology, source: int) -> dict[int, int]:
    """Hops to every chip that can be reached, breadth first."""
    found = {source: 0}
    order = [source]
    for at in order:
        for lead in topology.leads[at, :6].tolist():
            if lead >= 0 and lead >> 3 not in found:
                found[lead >> 3] = found[at] + 1
                order.append(lead >> 3)
    return found


def check(topology: Topology, tree: Tree, source: int, targets: set[int]) -> None:
    """Follow the tree link by link: every chip once, cores at the targets only."""
    met = {source}
    frontier = [(source, FROM_SOURCE)]
    reached = set()
    while frontier:
        at, came = frontier.pop()
        assert tree[at][0] == came
        route = tree[at][1]
        if route & CORE:
            reached.add(at)
        assert route < 2 * CORE
        for port in range(6):
            if route >> port & 1:
                lead = int(topology.leads[at, port])
                assert lead >= 0
                assert lead >> 3 not in met
                met.add(lead >> 3)
                frontier.append((lead >> 3, lead & 7))
    assert reached == targets
    assert met == set(tree)


@st.composite
def machines(draw: st.DrawFn) -> Topology:
    topology = triangular(draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    links = np.argwhere(topology.leads[:, :6] >= 0).tolist()
    dead = draw(st.lists(st.sampled_from(links), max_size=6, unique_by=tuple)) if links else []
    return without(topology, [], [tuple(link) for link in dead]) if dead else topology


@given(machines(), st.data())
@settings(derandomize=True, max_examples=120, deadline=None)
def test_trees_reach_their_targets_and_nothing_else(
    topology: Topology, data: st.DataObject
) -> None:
    chip = st.integers(0, topology.routers - 1)
    source = data.draw(chip)
    there = distances(topology, source)
    targets = data.draw(st.sets(chip.filter(lambda c: c in there), min_size=1, max_size=12))
    tree = multicast_tree(Ways(topology), source, dict.fromkeys(targets, CORE))
    check(topology, tree, source, targets)


@pytest.mark.parametrize(
    "topology",
    [
        triangular(5, 4),
        machine_topology(spinnaker1("machine.shape=board4").machine),
        machine_topology(spinnaker1().machine),
        machine_topology(processor_chip("spinnaker2").machine),
    ],
    ids=lambda topology: topology.name,
)
def test_single_ways_are_shortest(topology: Topology) -> None:
    """Also on the hexagon of a board and on a mesh with holes."""
    ways = Ways(topology)
    alive = [r for r in range(topology.routers) if (topology.leads[r, :6] >= 0).any()]
    for source in alive[:: max(1, len(alive) // 8)]:
        for target, hops in distances(topology, source).items():
            way = ways.way(source, target)
            assert len(way) == hops
            assert not way or way[-1][1] == target


def test_the_longest_dimension_goes_first() -> None:
    ways = Ways(triangular(12, 12))
    assert [port for port, _ in ways.way(0, 5 + 12 * 2)] == [0, 0, 0, 1, 1]
    assert [port for port, _ in ways.way(0, 2 + 12 * 5)] == [2, 2, 2, 1, 1]
    assert [port for port, _ in ways.way(0, 10 + 12 * 2)] == [3, 3, 2, 2]


def test_around_a_dead_link_and_a_dead_chip() -> None:
    topology = machine_topology(spinnaker1('machine.dead=["router 1,0", "link 0,0 north"]').machine)
    way = Ways(topology).way(0, 2)
    assert len(way) == 3
    assert 1 not in [chip for _, chip in way]


def test_a_chip_that_is_cut_off() -> None:
    dead = '["link 0,0 east", "link 0,0 north-east", "link 0,0 north"]'
    topology = machine_topology(spinnaker1(f"machine.dead={dead}").machine)
    with pytest.raises(DoesNotFitError, match=r"chip 0,0 cannot be reached from chip 2,0: dead"):
        Ways(topology).way(2, 0)


def test_topologies_of_the_machines() -> None:
    board = machine_topology(spinnaker1().machine)
    assert int((board.leads[:, :6] >= 0).any(axis=1).sum()) == 48
    # A hexagon of 48 chips has 48 edge links, which lead to other boards (facts, 1.2).
    alive = np.flatnonzero((board.leads[:, :6] >= 0).any(axis=1))
    assert int((board.leads[alive, :6] < 0).sum()) == 48
    single = machine_topology(spinnaker1("machine.shape=chip").machine)
    assert single.routers == 1
    assert (single.leads[:, :6] < 0).all()
    mesh = machine_topology(processor_chip("spinnaker2").machine)
    assert (mesh.leads[:, [1, 4]] < 0).all()
    assert int((mesh.leads[:, :6] >= 0).any(axis=1).sum()) == 38
    assert mesh.leads[0, 0] >> 3 == 1
    assert mesh.leads[0, 3] < 0
