"""Topologies: links match, ways are shortest and in dimension order, damage is gone around."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.mesh import dimension_order, fabric, topology, trees, wormhole
from chipsim.mesh.fabric import Packets
from chipsim.mesh.wormhole_layout import make_channels

BUILDERS = (topology.mesh, topology.torus, topology.triangular)


def distances(topo, target):
    """Hops from every router to ``target``, by search over the links backwards."""
    far = np.full(topo.routers, -1)
    far[target] = 0
    frontier = [target]
    while frontier:
        router = frontier.pop(0)
        for port in range(topo.links):
            into = int(topo.leads[router, port]) >> 3
            if topo.leads[router, port] >= 0 and far[into] < 0:
                far[into] = far[router] + 1
                frontier.append(into)
    return far


def walk(topo, ways, source, target):
    """Ports taken from ``source`` to ``target``."""
    at, ports = source, []
    while at != target:
        ports.append(int(ways[at]))
        at = int(topo.leads[at, ports[-1]]) >> 3
        assert len(ports) <= topo.routers
    return ports


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.sampled_from(BUILDERS), st.integers(1, 7), st.integers(1, 7), st.integers(0, 48))
def test_ways_are_shortest_and_in_dimension_order(build, width, height, target):
    topo = build(width, height)
    target %= topo.routers
    far = distances(topo, target)
    for ties in (None, *range(dimension_order.tie_choices(topo))):
        ways = dimension_order.port_ways(topo, target, ties)
        for source in range(topo.routers):
            ports = walk(topo, ways, source, target)
            assert len(ports) == far[source]
            axes = [int(topo.axis[port]) for port in ports]
            assert axes == sorted(axes)
            for axis in set(axes):
                assert len({port for port in ports if topo.axis[port] == axis}) == 1


@pytest.mark.parametrize(
    ("width", "height", "directions"), [(6, 4, "ENWS"), (6, 5, "EW"), (5, 4, "NS"), (5, 3, "")]
)
def test_the_choices_at_ties_are_all_directions_half_way_around(width, height, directions):
    topo = topology.torus(width, height)
    choices = range(dimension_order.tie_choices(topo))
    assert len(choices) == 2 ** (len(directions) // 2)
    found = set()
    for ties in choices:
        ways = dimension_order.port_ways(topo, 0, ties)
        taken = (int(ways[width // 2]), int(ways[height // 2 * width]))
        found.add(tuple("EWNS"[port] for port in taken if "EWNS"[port] in directions))
    in_x, in_y = ([d for d in pair if d in directions] for pair in ("EW", "NS"))
    assert found == {(*x, *y) for x in in_x or [""] for y in in_y or [""]}
    assert dimension_order.tie_choices(topology.without(topo, routers=(1,))) == 1
    assert dimension_order.tie_choices(topology.triangular(width, height)) == 1


@pytest.mark.parametrize("build", BUILDERS)
def test_links_lead_back_and_rings_have_one_dateline(build):
    topo = build(5, 4)
    for router, port in np.argwhere(topo.leads >= 0).tolist():
        into, back = divmod(int(topo.leads[router, port]), 8)
        assert topo.leads[into, back] == 8 * router + port
    if topo.rings:
        for start in range(topo.routers):
            for port in range(topo.links):
                at, passed = start, 0
                while True:
                    passed += int(topo.dateline[at, port])
                    at = int(topo.leads[at, port]) >> 3
                    if at == start:
                        break
                assert passed == 1
    assert topo.rings == (build is not topology.mesh)


def test_the_mesh_is_that_of_the_one_flit_engine():
    topo, plain = topology.mesh(5, 3), fabric.make_fabric(5, 3)
    assert np.array_equal(topo.leads, fabric.link_table(plain))
    assert np.array_equal(dimension_order.unicast_trees(topo), trees.unicast_trees(plain))
    for source in range(15):
        cores = np.random.default_rng(source).choice(15, 4, replace=False)
        one = dimension_order.multicast_tree(topo, source, cores)
        assert np.array_equal(one, trees.multicast_tree(plain, source, cores))


def test_mean_distances_are_the_closed_forms():
    mesh = [distances(topology.mesh(8, 8), target).mean() for target in range(64)]
    assert np.mean(mesh) == pytest.approx(2 * (64 - 1) / (3 * 8))
    torus = [distances(topology.torus(8, 8), target).mean() for target in range(64)]
    assert np.mean(torus) == pytest.approx(8 / 2)


@pytest.mark.parametrize("build", BUILDERS)
def test_packets_go_around_what_is_dead(build):
    whole = build(5, 5)
    topo = topology.without(whole, routers=(12,), links=((6, 0), (0, 2)))
    alive = np.array([router for router in range(25) if router != 12])
    channels = make_channels(topo, vcs=2, buffer_flits=8)
    source, target = (grid.reshape(-1) for grid in np.meshgrid(alive, alive))
    one_each = Packets(np.arange(source.size + 1), source, np.zeros(source.size, np.int64), target)
    flits = np.ones(source.size, np.int32)
    result = wormhole.run_phases(channels, dimension_order.unicast_trees(topo), one_each, flits)
    hops = np.array([distances(topo, t)[s] for s, t in zip(source, target, strict=True)])
    assert np.array_equal(result.latency_sum, 5 + 3 * hops)
    assert result.link_flits[12].sum() == 0
    assert result.link_flits[6, 0] == 0
    tree = dimension_order.multicast_tree(topo, 0, alive)
    assert tree[12] == 0


def test_what_is_cut_off_is_named():
    topo = topology.without(topology.mesh(3, 1), routers=(1,))
    with pytest.raises(InputError, match="core 2 cannot be reached from router 0"):
        dimension_order.multicast_tree(topo, 0, np.array([2]))
    one = Packets(np.array([0, 1]), np.zeros(1), np.zeros(1, np.int64), np.array([2]))
    channels, ways = make_channels(topo), dimension_order.unicast_trees(topo)
    with pytest.raises(InputError, match="no output port"):
        wormhole.run_phases(channels, ways, one, np.ones(1))
    with pytest.raises(InputError, match="dead router 9"):
        topology.without(topo, routers=(9,))
    with pytest.raises(InputError, match="there is none"):
        topology.without(topology.mesh(2, 2), links=((0, 1),))


@pytest.mark.parametrize(
    ("build", "sizes"), [(topology.mesh, (0, 1, 1)), (topology.torus, (2, 2, 5))]
)
def test_impossible_sizes_are_refused(build, sizes):
    with pytest.raises(InputError, match="allowed"):
        build(*sizes)
