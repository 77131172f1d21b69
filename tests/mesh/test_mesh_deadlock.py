"""Deadlock is told with the circle of packets that wait for each other."""

import re

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.mesh import dimension_order, engine, topology, wormhole
from chipsim.mesh.fabric import Packets, make_fabric
from chipsim.mesh.wormhole_layout import make_channels

WAITS = re.compile(
    r"packet (\d+) at router \((\d+), (\d+)\) waits for the link (\S+): packet (\d+) (holds|is)"
)


def circle(message):
    """Return (packet, x, y, link, next packet) of each wait that a message names."""
    found = WAITS.findall(message)
    assert found
    return [(int(a), int(x), int(y), link, int(b)) for a, x, y, link, b, _ in found]


def around_a_square():
    """Trees around the four routers of a 2 x 2 mesh, three hops each: a circle of turns."""
    order, ways = [0, 1, 3, 2], {0: 1, 1: 4, 3: 2, 2: 8}
    trees = np.zeros((4, 4), np.uint8)
    for tree in range(4):
        for step in range(3):
            at = order[(tree + step) % 4]
            trees[tree, at] = ways[at]
        trees[tree, order[(tree + 3) % 4]] = 16
    rows = [(order[tree], cycle, tree) for tree in range(4) for cycle in range(20)]
    injector, inject, tree = (np.array(column) for column in zip(*rows, strict=True))
    return trees, Packets(np.array([0, 80]), injector, inject, tree)


def blocked(run):
    with pytest.raises(InputError, match=r"phase 0 block each other for good \(deadlock\)") as told:
        run()
    return circle(str(told.value))


@pytest.mark.parametrize("mesh", ["one flit", "wormhole"])
def test_the_circle_closes_and_names_each_link_of_the_square(mesh):
    trees, packets = around_a_square()
    if mesh == "one flit":
        fabric = make_fabric(2, 2, buffer_flits=1)
        waits = blocked(lambda: engine.run_phases(fabric, trees, packets))
    else:
        channels = make_channels(topology.mesh(2, 2), buffer_flits=1)
        flits = np.full(80, 3, np.int32)
        waits = blocked(lambda: wormhole.run_phases(channels, trees, packets, flits))
    assert {(x, y, link) for _, x, y, link, _ in waits} == {
        (0, 0, "east"),
        (1, 0, "north"),
        (1, 1, "west"),
        (0, 1, "south"),
    }
    assert [packet for packet, *_ in waits[1:] + waits[:1]] == [wait[-1] for wait in waits]


def test_worms_that_fork_wait_for_each_other():
    """Two worms from both ends of a row, each to the other's end and up: each holds one half."""
    topo = topology.mesh(4, 2)
    channels = make_channels(topo, buffer_flits=1)
    rng = np.random.default_rng(4)
    sources = np.arange(8)
    trees = np.array(
        [dimension_order.multicast_tree(topo, s, rng.choice(8, 5, replace=False)) for s in sources]
    )
    source = np.tile(sources, 60)
    packets = Packets(np.array([0, 480]), source, np.repeat(np.arange(60), 8), source)
    waits = blocked(
        lambda: wormhole.run_phases(channels, trees, packets, np.full(480, 8, np.int32))
    )
    assert len(waits) >= 2
    assert [packet for packet, *_ in waits[1:] + waits[:1]] == [wait[-1] for wait in waits]


def test_ways_around_damage_can_block_each_other_and_say_so():
    topo = topology.without(topology.mesh(4, 4), routers=(5,))
    channels = make_channels(topo, buffer_flits=1)
    rng = np.random.default_rng(1)
    alive = np.array([router for router in range(16) if router != 5])
    source, target = rng.choice(alive, 3000), rng.choice(alive, 3000)
    packets = Packets(np.array([0, 3000]), source, np.zeros(3000, np.int64), target)
    trees = dimension_order.unicast_trees(topo)
    try:
        result = wormhole.run_phases(channels, trees, packets, np.full(3000, 9, np.int32))
    except InputError as error:
        waits = circle(str(error))
        assert [packet for packet, *_ in waits[1:] + waits[:1]] == [wait[-1] for wait in waits]
    else:
        assert result.deliveries[0] == 3000


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("mesh", ["one flit", "wormhole"])
def test_the_first_phase_that_blocks_is_named_on_any_number_of_threads(mesh, threads):
    """Phases 10 and 33 of 40 go around the square and block; the others send one packet each."""
    trees, square = around_a_square()
    alone = Packets(np.array([0, 1]), np.array([0]), np.array([0]), np.array([0]))
    parts = [square if phase in (10, 33) else alone for phase in range(40)]
    packets = Packets(
        np.cumsum([0, *(part.tree.size for part in parts)]),
        *(np.concatenate([getattr(p, n) for p in parts]) for n in ("injector", "inject", "tree")),
    )
    fabric = make_fabric(2, 2, buffer_flits=1)
    channels = make_channels(topology.mesh(2, 2), buffer_flits=1)
    flits = np.full(packets.tree.size, 3, np.int32)
    runs = {
        "one flit": lambda: engine.run_phases(fabric, trees, packets, threads),
        "wormhole": lambda: wormhole.run_phases(channels, trees, packets, flits, threads),
    }
    with pytest.raises(InputError, match=r"packets of phase 10 block .* waits for the link"):
        runs[mesh]()
