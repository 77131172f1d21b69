"""The compiled wormhole mesh equals the simpy one: topologies, flits, channels, multicast."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.mesh import dimension_order, engine, topology, wormhole, wormhole_reference
from chipsim.mesh.checks import results_equal
from chipsim.mesh.fabric import Packets, make_fabric
from chipsim.mesh.rings import RING_CLASSES
from chipsim.mesh.wormhole_buffers import (
    HEAD,
    PACKET_SHIFT,
    REFRESH,
    TAKEN,
    TIME,
    refresh,
    wait_of,
)
from chipsim.mesh.wormhole_layout import make_channels, with_input
from chipsim.mesh.wormhole_records import channel_place, empty_state, lay_sizes


def random_traffic(rng, channels, multicast, phases, count, span, longest):
    """Return trees, packets and sizes drawn at random."""
    topo = channels.topology
    if multicast:
        sources = rng.integers(channels.injector_router.size, size=8)
        trees = np.array(
            [
                dimension_order.multicast_tree(
                    topo,
                    int(channels.injector_router[source]),
                    rng.choice(topo.cores, rng.integers(1, min(6, topo.cores) + 1), replace=False),
                )
                for source in sources
            ]
        )
        tree = rng.integers(8, size=count)
        injector = sources[tree]
    else:
        choices = dimension_order.tie_choices(topo)
        ways = [dimension_order.unicast_trees(topo, ties) for ties in (None, *range(choices))]
        trees = np.concatenate(ways)
        tree = rng.integers(len(trees), size=count)
        injector = rng.integers(channels.injector_router.size, size=count)
    phase = np.sort(rng.integers(phases, size=count))
    inject = rng.integers(span, size=count)
    order = np.lexsort((inject, phase))
    pointer = np.searchsorted(phase, np.arange(phases + 1))
    packets = Packets(pointer, injector[order], inject[order], tree[order])
    return trees, packets, rng.integers(1, longest + 1, size=count).astype(np.int32)


BUILDERS = (topology.mesh, topology.torus, topology.triangular)


@st.composite
def scenarios(draw):
    build = draw(st.sampled_from(BUILDERS))
    cores = draw(st.integers(1, 2))
    topo = build(draw(st.integers(1, 5)), draw(st.integers(1, 5)), cores)
    if min(topo.width, topo.height) > 1 and draw(st.integers(0, 3)) == 0:
        there = np.argwhere(topo.leads >= 0)
        router, port = there[draw(st.integers(0, len(there) - 1))].tolist()
        topo = topology.without(topo, links=((router, port),))
    vcs = draw(st.integers(1, 4))
    longest = draw(st.integers(1, 8))
    multicast = draw(st.booleans())
    cut_through = draw(st.booleans())
    hop_cycles = draw(st.integers(1, 5))
    head_stages = draw(st.integers(0, hop_cycles - 1))
    channels = make_channels(
        topo,
        vcs=vcs + vcs % 2 if topo.rings else vcs,
        buffer_flits=draw(st.integers(longest if cut_through else 1, 16)),
        hop_cycles=hop_cycles,
        credit_cycles=draw(st.integers(1, 3)),
        head_cycles=draw(st.integers(0, 3)),
        head_stages=head_stages,
        cut_through=cut_through,
        ring_classes=draw(st.sampled_from(RING_CLASSES)),
        link_interval=draw(st.integers(1, 3)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        shape = channels.delay.shape
        channels = replace(
            channels,
            delay=rng.integers(head_stages + 1, 20, shape).astype(np.int32),
            interval=rng.integers(1, 6, shape).astype(np.int32),
        )
    if topo.ports < 8 and draw(st.booleans()):
        channels = with_input(channels, 0, draw(st.integers(0, topo.height - 1)))
    phases, count = draw(st.integers(1, 3)), draw(st.sampled_from([3, 60, 150]))
    span = draw(st.sampled_from([1, 20, 300]))
    return channels, random_traffic(rng, channels, multicast, phases, count, span, longest)


def run_or_block(channels, trees, packets, flits, threads):
    """Return the results, None if packets block each other (the reference would hang)."""
    try:
        return wormhole.run_phases(channels, trees, packets, flits, threads=threads, detail=True)
    except InputError as error:
        if "deadlock" not in str(error):
            raise
        return None


@settings(derandomize=True, deadline=None, max_examples=120)
@given(scenarios(), st.integers(1, 2))
def test_equals_the_reference(scenario, threads):
    channels, (trees, packets, flits) = scenario
    fast = run_or_block(channels, trees, packets, flits, threads)
    if fast is None:
        assert flits.max() > channels.buffer_flits or channels.topology.damaged
        return
    slow = wormhole_reference.run_phases(channels, trees, packets, flits)
    assert results_equal(fast, slow)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.booleans())
def test_equals_the_one_flit_engine(seed, buffer_flits, multicast):
    rng = np.random.default_rng(seed)
    width, height = (int(n) for n in rng.integers(1, 7, size=2))
    stages = int(rng.integers(3))
    channels = make_channels(
        topology.mesh(width, height), buffer_flits=buffer_flits, head_stages=stages
    )
    trees, packets, flits = random_traffic(rng, channels, multicast, 3, 2000, 150, 1)
    fabric = make_fabric(width, height, buffer_flits=buffer_flits)
    one = engine.run_phases(fabric, trees, packets, detail=True)
    assert results_equal(one, wormhole.run_phases(channels, trees, packets, flits, detail=True))


@pytest.mark.parametrize(
    ("hop_cycles", "head_cycles", "head_stages", "constant"),
    [(3, 0, 0, 5), (5, 2, 0, 7), (5, 2, 2, 7), (5, 0, 4, 7)],
)
@pytest.mark.parametrize("flits", [1, 5])
def test_zero_load_latency_of_every_pair(hop_cycles, head_cycles, head_stages, constant, flits):
    topo = topology.mesh(8, 8)
    channels = make_channels(
        topo, vcs=2, hop_cycles=hop_cycles, head_cycles=head_cycles, head_stages=head_stages
    )
    source, target = (a.reshape(-1) for a in np.meshgrid(range(64), range(64), indexing="ij"))
    packets = Packets(np.arange(4097), source, np.zeros(4096, np.int64), target)
    size = np.full(4096, flits, np.int32)
    result = wormhole.run_phases(channels, dimension_order.unicast_trees(topo), packets, size)
    distance = abs(source % 8 - target % 8) + abs(source // 8 - target // 8)
    assert np.array_equal(result.latency_sum, constant + hop_cycles * distance + flits - 1)


@pytest.mark.parametrize(
    ("hop", "head", "stages", "flits", "buffer_flits", "rate"),
    [
        (3, 0, 0, 1, 4, 0.8),
        (3, 0, 0, 1, 8, 1.0),
        (5, 2, 0, 5, 8, 5 / 7),
        (5, 2, 2, 5, 8, 5 / 7),
        (5, 2, 2, 1, 8, 1 / 3),
        (5, 0, 0, 2000, 4, 4 / 7),
        (5, 0, 2, 2000, 4, 4 / 5),
    ],
)
def test_throughput_of_one_channel(hop, head, stages, flits, buffer_flits, rate):
    """Slots by the round trip, which is shorter where only heads take all of a hop."""
    topo = topology.mesh(3, 1)
    channels = make_channels(
        topo, buffer_flits=buffer_flits, hop_cycles=hop, head_cycles=head, head_stages=stages
    )
    count = 4000 if flits < 10 else 10
    packets = Packets(
        np.array([0, count]), np.zeros(count), np.zeros(count, np.int64), np.full(count, 2)
    )
    size = np.full(count, flits, np.int32)
    result = wormhole.run_phases(channels, dimension_order.unicast_trees(topo), packets, size)
    assert count * flits / result.last_arrival[0] == pytest.approx(rate, rel=0.01)


def test_a_torus_does_not_block_itself_where_one_class_of_channels_would():
    topo = topology.torus(4, 4)
    channels = make_channels(topo, vcs=2, buffer_flits=1)
    rng = np.random.default_rng(1)
    core = np.tile(np.arange(16), 200)
    packets = Packets(
        np.array([0, core.size]),
        core,
        np.repeat(np.arange(200), 16),
        (core + 2 + 8 * rng.integers(0, 2, core.size)) % 16,
    )
    flits = np.full(core.size, 6, np.int32)
    result = wormhole.run_phases(channels, dimension_order.unicast_trees(topo), packets, flits)
    assert result.deliveries[0] == core.size


def test_a_ring_needs_two_classes_of_channels():
    with pytest.raises(InputError, match="even number"):
        make_channels(topology.torus(4, 4), vcs=1)
    make_channels(topology.mesh(4, 4), vcs=1)


@pytest.mark.parametrize("stages", [-1, 5])
def test_flits_behind_a_head_take_a_cycle_at_least(stages):
    with pytest.raises(InputError, match=f"head_stages: {stages} given, 0 to 4 allowed"):
        make_channels(topology.mesh(4, 4), hop_cycles=5, head_stages=stages)
    channels = make_channels(topology.mesh(4, 4), hop_cycles=5, head_stages=4)
    with pytest.raises(InputError, match="4 given, 0 to 3 allowed, less than the cycles of any"):
        replace(channels, delay=channels.delay - 1)


def test_impossible_sizes_are_refused():
    topo = topology.mesh(2, 2)
    packets = Packets(np.array([0, 1]), np.zeros(1), np.zeros(1, np.int64), np.zeros(1))
    ways = dimension_order.unicast_trees(topo)
    with pytest.raises(InputError, match="has 0 flits"):
        wormhole.run_phases(make_channels(topo), ways, packets, np.array([0]))
    with pytest.raises(InputError, match=r"1 to 8 allowed \(cut-through"):
        wormhole.run_phases(make_channels(topo, cut_through=True), ways, packets, np.array([9]))
    with pytest.raises(InputError, match="2 sizes given for 1"):
        wormhole.run_phases(make_channels(topo), ways, packets, np.array([1, 1]))


def test_a_flit_that_waited_for_ages_is_still_ready():
    """Ready cycles are kept modulo 2^33: without the refresh this flit would seem to be ahead."""
    sizes = lay_sizes(make_channels(topology.mesh(2, 2), vcs=2))
    state = empty_state(sizes)
    old, ahead = channel_place(sizes, 0, 0) + 1, channel_place(sizes, 9, 1) + 3
    kept = TAKEN | HEAD | (77 << PACKET_SHIFT)
    state.memory[old] = kept | 500
    now = 500 + 2 * REFRESH
    state.memory[ahead] = kept | (now + 3)
    later = 500 + TIME - 10
    assert wait_of(int(state.memory[old]), later) == 11
    refresh(sizes, state, now)
    assert state.memory[old] == kept | now
    assert [wait_of(int(state.memory[old]), t) for t in (now, later)] == [0, 0]
    assert state.memory[ahead] == kept | (now + 3)
    assert np.count_nonzero(state.memory) == 2


def test_a_channel_is_given_without_waiting_for_the_switch():
    """Two heads come at once: both get channels, and their flits share the link one by one."""
    channels = make_channels(topology.mesh(2, 1, 2), vcs=2)
    packets = Packets(np.array([0, 2]), np.array([0, 1]), np.zeros(2), np.array([2, 3]))
    ways, flits = dimension_order.unicast_trees(channels.topology), np.full(2, 5, np.int32)
    result = wormhole.run_phases(channels, ways, packets, flits, detail=True)
    alone = 2 + 2 * 3 + 4
    assert sorted(result.arrivals.cycle - alone) == [4, 5]
