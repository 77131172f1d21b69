"""Adaptive routing: equal to the simpy mesh, shortest ways, no circle of turns, more throughput."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.mesh import dimension_order, topology, wormhole, wormhole_reference
from chipsim.mesh.adaptive import ADAPTIVE, permitted_ways, turns
from chipsim.mesh.checks import results_equal
from chipsim.mesh.curve import latency_curve
from chipsim.mesh.fabric import Packets
from chipsim.mesh.wormhole_layout import make_channels


def random_packets(rng, cores, phases, count, span, longest):
    """Unicast packets between random cores, and their sizes."""
    phase = np.sort(rng.integers(phases, size=count))
    inject = rng.integers(span, size=count)
    order = np.lexsort((inject, phase))
    pointer = np.searchsorted(phase, np.arange(phases + 1))
    source, target = rng.integers(cores, size=count), rng.integers(cores, size=count)
    flits = rng.integers(1, longest + 1, size=count).astype(np.int32)
    return Packets(pointer, source, inject[order], target), flits


@st.composite
def scenarios(draw):
    topo = topology.mesh(draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 2)))
    longest = draw(st.integers(1, 8))
    cut_through = draw(st.booleans())
    hop_cycles = draw(st.integers(1, 5))
    channels = make_channels(
        topo,
        vcs=draw(st.integers(1, 4)),
        buffer_flits=draw(st.integers(longest if cut_through else 1, 12)),
        hop_cycles=hop_cycles,
        credit_cycles=draw(st.integers(1, 3)),
        head_cycles=draw(st.integers(0, 3)),
        head_stages=draw(st.integers(0, hop_cycles - 1)),
        cut_through=cut_through,
        link_interval=draw(st.integers(1, 3)),
        routing=draw(st.sampled_from(ADAPTIVE)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, span = draw(st.sampled_from([3, 60, 200])), draw(st.sampled_from([1, 20, 300]))
    return channels, *random_packets(rng, topo.cores, draw(st.integers(1, 3)), count, span, longest)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(scenarios(), st.integers(1, 2))
def test_equals_the_reference(scenario, threads):
    channels, packets, flits = scenario
    ways = permitted_ways(channels.topology, channels.routing)
    fast = wormhole.run_phases(channels, ways, packets, flits, threads=threads, detail=True)
    assert results_equal(fast, wormhole_reference.run_phases(channels, ways, packets, flits))


@pytest.mark.parametrize("routing", ADAPTIVE)
@pytest.mark.parametrize(("width", "height"), [(7, 6), (6, 7), (1, 5), (5, 1)])
def test_no_circle_of_waiting_links_is_possible(routing, width, height):
    """Kahn's sort of "a packet in this link may wait for that one" over all reachable states."""
    topo = topology.mesh(width, height)
    ways, allowed = permitted_ways(topo, routing), turns(topo, routing)
    after: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for source in range(topo.routers):
        for target in range(topo.routers):
            states = {(source, topo.links)}
            far = abs(source % width - target % width) + abs(source // width - target // width)
            for left in range(far, -1, -1):
                following = set()
                for router, came in states:
                    mask = int(ways[target, router]) & int(allowed[router, came])
                    assert mask, "a packet is stranded"
                    assert (mask == 16) == (left == 0)
                    for port in range(4):
                        if mask >> port & 1:
                            into, back = divmod(int(topo.leads[router, port]), 8)
                            following.add((into, back))
                            if came != topo.links:
                                after.setdefault((router, came), set()).add((into, back))
                states = following
    waited = dict.fromkeys(after, 0) | {link: 0 for s in after.values() for link in s}
    for links in after.values():
        for link in links:
            waited[link] += 1
    free = [link for link, count in waited.items() if not count]
    sorted_out = 0
    while free:
        sorted_out += 1
        for link in after.get(free.pop(), ()):
            waited[link] -= 1
            if not waited[link]:
                free.append(link)
    assert sorted_out == len(waited)


@pytest.mark.parametrize("routing", ADAPTIVE)
def test_one_slot_and_long_worms_never_block_for_good(routing):
    topo = topology.mesh(5, 5)
    channels = make_channels(topo, buffer_flits=1, routing=routing)
    packets, flits = random_packets(np.random.default_rng(2), 25, 1, 4000, 50, 9)
    result = wormhole.run_phases(channels, permitted_ways(topo, routing), packets, flits)
    assert result.deliveries[0] == 4000


@pytest.mark.parametrize("routing", ADAPTIVE)
def test_adaptive_packets_take_shortest_ways_around_a_jam(routing):
    """Transpose traffic, which XY carries to 0.14, gets further when packets can choose."""
    topo = topology.mesh(8, 8)
    fixed = latency_curve(make_channels(topo, vcs=2), "transpose", [0.1, 0.25], window=3000)
    free = latency_curve(
        make_channels(topo, vcs=2, routing=routing), "transpose", [0.1, 0.25], window=3000
    )
    assert not fixed[1].stable
    assert free[1].accepted > fixed[1].accepted or free[1].stable
    hops = [point.link_load[:, :4].sum() / point.offered for point in (fixed[0], free[0])]
    assert hops[0] == pytest.approx(hops[1], rel=0.03)


def test_what_cannot_be_adaptive_is_refused():
    with pytest.raises(InputError, match="needs a whole mesh, a torus"):
        make_channels(topology.torus(4, 4), vcs=2, routing="odd_even")
    with pytest.raises(InputError, match="a damaged mesh"):
        make_channels(topology.without(topology.mesh(4, 4), routers=(5,)), routing="west_first")
    with pytest.raises(InputError, match="west_first, odd_even are adaptive"):
        make_channels(topology.mesh(4, 4), routing="north_last")
    topo = topology.mesh(4, 4)
    packets, flits = random_packets(np.random.default_rng(1), 16, 1, 3, 1, 1)
    channels = make_channels(topo, routing="west_first")
    for wrong in (dimension_order.unicast_trees(topo), permitted_ways(topo, "odd_even")[:5]):
        with pytest.raises(InputError, match=r"must be chipsim\.mesh\.adaptive\.permitted_ways"):
            wormhole.run_phases(channels, wrong, packets, flits)
