"""Packets of several flits that fork: branches on their own, and when they can block each other."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.mesh import dimension_order, topology, wormhole, wormhole_reference
from chipsim.mesh.checks import results_equal
from chipsim.mesh.fabric import Packets
from chipsim.mesh.rings import RING_CLASSES
from chipsim.mesh.wormhole_layout import make_channels

BUILDERS = (topology.mesh, topology.torus, topology.triangular)


def forking(rng, topo, count, span, longest):
    """Packets of random size on multicast trees of 8 random sources."""
    source = rng.integers(topo.cores, size=8)
    trees = np.array(
        [
            dimension_order.multicast_tree(
                topo,
                int(core) // topo.locals,
                rng.choice(topo.cores, rng.integers(1, topo.cores + 1), replace=False),
            )
            for core in source
        ]
    )
    tree = rng.integers(8, size=count)
    inject = np.sort(rng.integers(span, size=count))
    flits = rng.integers(1, longest + 1, size=count).astype(np.int32)
    return trees, Packets(np.array([0, count]), source[tree], inject, tree), flits


@st.composite
def scenarios(draw, count, room):
    """Channels and traffic; with ``room`` a packet fits a channel."""
    topo = draw(st.sampled_from(BUILDERS))(
        draw(st.integers(2, 5)), draw(st.integers(2, 5)), draw(st.integers(1, 2))
    )
    longest = draw(st.integers(2, 8))
    cut_through = room and draw(st.booleans())
    vcs = draw(st.integers(1, 4))
    hop_cycles = draw(st.integers(1, 4))
    channels = make_channels(
        topo,
        vcs=vcs + vcs % 2 if topo.rings else vcs,
        buffer_flits=draw(st.integers(longest, longest + 3) if room else st.integers(1, 10)),
        hop_cycles=hop_cycles,
        credit_cycles=draw(st.integers(1, 3)),
        head_cycles=draw(st.integers(0, 2)),
        head_stages=draw(st.integers(0, hop_cycles - 1)),
        cut_through=cut_through,
        ring_classes=draw(st.sampled_from(RING_CLASSES)),
        link_interval=draw(st.integers(1, 3)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return channels, forking(rng, topo, count, draw(st.sampled_from([1, 300])), longest)


def told(channels, trees, packets, flits):
    """Return the results, or what the error says if the packets block each other."""
    try:
        return wormhole.run_phases(channels, trees, packets, flits, detail=True)
    except InputError as error:
        return str(error)


def delivered_by(channels, trees, packets, flits, cycle):
    """Return how many deliveries the simpy mesh has made by ``cycle``."""
    mesh = wormhole_reference.MeshModel(channels, trees)
    for injector in np.unique(packets.injector).tolist():
        rows = np.flatnonzero(packets.injector == injector).tolist()
        queue = [(int(packets.inject[p]), p, int(packets.tree[p]), int(flits[p])) for p in rows]
        mesh.environment.process(mesh.source(injector, queue))
    mesh.environment.run(until=cycle)
    return len(mesh.arrived)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(scenarios(40, room=False))
def test_equals_the_reference_blocked_or_not(scenario):
    """What is delivered before the mesh stands still is the same, too."""
    channels, traffic = scenario
    fast = told(channels, *traffic)
    if not isinstance(fast, str):
        assert results_equal(fast, wormhole_reference.run_phases(channels, *traffic))
        return
    made, due = re.search(r"\(deadlock\): (\d+) of (\d+) deliveries", fast).groups()
    assert traffic[-1].max() > channels.buffer_flits
    assert delivered_by(channels, *traffic, cycle=2500) == int(made) < int(due)


@settings(derandomize=True, deadline=None, max_examples=250)
@given(scenarios(600, room=True))
def test_packets_that_fit_a_channel_never_block_each_other(scenario):
    channels, (trees, packets, flits) = scenario
    topo = channels.topology
    result = wormhole.run_phases(channels, trees, packets, flits)
    expected = np.zeros((topo.routers, topo.ports), np.int64)
    bits = trees[:, :, None] >> np.arange(topo.ports) & 1
    for tree in range(len(trees)):
        expected += bits[tree] * int(flits[packets.tree == tree].sum())
    assert np.array_equal(result.link_flits, expected)


def crossing(buffer_flits, cut_through, flits=8):
    """Two packets that fork at (1, 1) to the east and to the north, each first at one of the two.

    Packet 0 gives the turn of the north link to the core's input; 1 comes from the west, 2 from
    the core.
    """
    topo = topology.mesh(3, 3)
    channels = make_channels(topo, buffer_flits=buffer_flits, cut_through=cut_through)
    both = [dimension_order.multicast_tree(topo, source, np.array([5, 7])) for source in (3, 4)]
    trees = np.array([dimension_order.multicast_tree(topo, 3, np.array([7])), *both])
    packets = Packets(
        np.array([0, 3]), np.array([3, 3, 4]), np.array([0, 20, 23]), np.array([0, 1, 2])
    )
    return channels, trees, packets, np.array([1, flits, flits], np.int32)


@pytest.mark.parametrize("cut_through", [False, True])
def test_crossing_packets_pass_where_one_fits_a_channel(cut_through):
    """With one read position for all branches this stood still, cut-through or not."""
    scenario = crossing(8, cut_through)
    fast = wormhole.run_phases(*scenario, detail=True)
    assert results_equal(fast, wormhole_reference.run_phases(*scenario))
    # A branch waits for the other packet's 8 flits; with cut-through until they left the channel.
    alone, round_trip = 2 + 3 * 3 + 8 - 1, 3 + 2
    assert alone + 3 <= fast.latency_max[0] <= alone + 8 + round_trip * cut_through


@pytest.mark.parametrize("buffer_flits", [1, 4, 7])
def test_crossing_packets_longer_than_a_channel_are_told_to_block_each_other(buffer_flits):
    with pytest.raises(InputError, match="give channels room for the whole of a packet") as told:
        wormhole.run_phases(*crossing(buffer_flits, cut_through=False))
    assert (
        "1 of 5 deliveries made. "
        "packet 1 at router (1, 1) waits for the link north: packet 2 holds its channel; "
        "packet 2 at router (1, 1) waits for the link east: packet 1 holds its channel"
    ) in str(told.value)


def test_a_branch_does_not_wait_for_another():
    """Packet 1 forks at (1, 0); its link east is taken by a long packet, its link north is free."""
    topo = topology.mesh(4, 2)
    channels = make_channels(topo, buffer_flits=6)
    trees = np.array(
        [
            dimension_order.multicast_tree(topo, 1, np.array([3])),
            dimension_order.multicast_tree(topo, 0, np.array([3, 5])),
        ]
    )
    packets = Packets(np.array([0, 2]), np.array([1, 0]), np.array([0, 0]), np.array([0, 1]))
    flits = np.array([60, 6], np.int32)
    result = wormhole.run_phases(channels, trees, packets, flits, detail=True)
    assert result.arrivals.router.tolist() == [3, 3, 5]
    long, east, north = result.arrivals.cycle.tolist()
    assert north == 2 + 3 * 3 + 6 - 1
    assert long == 2 + 3 * 3 + 60 - 1
    assert east == long + 6


def test_cycles_are_exact_where_ready_times_wrap():
    """In a slot the cycle in which a flit is ready is kept modulo 2^33."""
    rng = np.random.default_rng(3)
    topo = topology.mesh(4, 4)
    channels = make_channels(topo, vcs=2, buffer_flits=4)
    trees, packets, flits = forking(rng, topo, 200, 100, 4)
    plain = wormhole.run_phases(channels, trees, packets, flits)
    late = Packets(packets.phase_ptr, packets.injector, packets.inject + 2**33 - 60, packets.tree)
    shifted = wormhole.run_phases(channels, trees, late, flits)
    assert plain.last_arrival[0] > 100
    assert shifted.last_arrival[0] == plain.last_arrival[0] + 2**33 - 60
    assert shifted.latency_sum[0] == plain.latency_sum[0]
