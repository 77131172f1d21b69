"""Halves of the channels on rings: no way crosses both marked links, no circle can close."""

from dataclasses import replace
from graphlib import TopologicalSorter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.mesh import dimension_order, topology
from chipsim.mesh.curve import latency_curve
from chipsim.mesh.rings import RING_CLASSES, barred_halves
from chipsim.mesh.wormhole_layout import make_channels

BUILDERS = (topology.torus, topology.triangular)
BOOKSIM = {
    "dateline": {"uniform": 0.553, "tornado": 0.092, "bit-complement": 0.377},
    "balanced": {"uniform": 0.583, "tornado": 0.107, "bit-complement": 0.377},
}
"""What BookSim 2 takes in of load 0.95: 4 channels, 5 flits; dim_order and dim_order_bal."""


def straight_on(topo, tree, router, output):
    """Routers that a tree leaves by ``output``, one behind the other, from ``router`` on."""
    found = []
    while tree[router] >> output & 1:
        found.append(router)
        router = int(topo.leads[router, output]) >> 3
    return found


def entries(topo, tree, source):
    """Where a tree from router ``source`` enters rings: (router, input port or None, output)."""
    rest = [(source, None)]
    while rest:
        router, port = rest.pop()
        for output in range(topo.links):
            if tree[router] >> output & 1:
                if port is None or topo.axis[port] != topo.axis[output]:
                    yield router, port, output
                into, back = divmod(int(topo.leads[router, output]), 8)
                rest.append((into, back))


def random_tree(topo, rng):
    source = int(rng.integers(topo.routers))
    cores = rng.choice(topo.cores, rng.integers(1, min(12, topo.cores) + 1), replace=False)
    return source, dimension_order.multicast_tree(topo, source, cores)


sizes = st.integers(1, 9)
random = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.sampled_from(BUILDERS), sizes, sizes, random)
def test_what_is_barred_is_what_crosses_and_no_tree_crosses_both(build, width, height, rng):
    topo = build(width, height)
    for _ in range(10):
        source, tree = random_tree(topo, rng)
        barred = {name: barred_halves(topo, tree[None], name)[:, 0] for name in RING_CLASSES}
        for router, _, output in entries(topo, tree, source):
            ahead = straight_on(topo, tree, router, output)
            date, opposite = (bool(m[ahead, output].any()) for m in (topo.dateline, topo.opposite))
            found = {name: [int(half[router]) >> output & 1 for half in barred[name]]
                     for name in RING_CLASSES}  # fmt: skip
            assert found == {"balanced": [date, opposite], "dateline": [date, not date]}
            assert not (date and opposite)


def waits(topo, trees, packets, classes):
    """Which (router, output, half) a packet may hold while it waits for which: a graph.

    ``packets`` are pairs of a tree and the router the packet starts from.
    """
    graph = {}
    barred = barred_halves(topo, trees, classes)
    for number, source in packets:
        held = {}
        for router, port, output in entries(topo, trees[number], source):
            behind = []
            if port is not None:
                from_, back = divmod(int(topo.leads[router, port]), 8)
                behind = held[from_, back]
            halves = [h for h in (0, 1) if not barred[h, number, router] >> output & 1]
            for at in straight_on(topo, trees[number], router, output):
                now = [(at, output, half) for half in halves]
                for place in now:
                    same = [b for b in behind if at == router or b[2] == place[2]]
                    graph.setdefault(place, set()).update(same)
                held[at, output] = behind = now
    return graph


@pytest.mark.parametrize("classes", RING_CLASSES)
@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize(("width", "height"), [(8, 8), (5, 7), (9, 3), (6, 4), (2, 3), (12, 6)])
def test_no_circle_of_waiting_can_close(build, width, height, classes):
    """Dally and Seitz: the relation "held while waiting for" of all channels can be sorted."""
    topo = build(width, height)
    choices = range(dimension_order.tie_choices(topo))
    ways = np.concatenate([dimension_order.unicast_trees(topo, ties) for ties in choices])
    rng = np.random.default_rng(1)
    forks = [random_tree(topo, rng) for _ in range(300)]
    trees = np.array([*ways, *(tree for _, tree in forks)])
    packets = [(number, source) for number in range(len(ways)) for source in range(topo.routers)]
    packets += [(len(ways) + number, source) for number, (source, _) in enumerate(forks)]
    order = list(TopologicalSorter(waits(topo, trees, packets, classes)).static_order())
    assert {half for _, _, half in order} == {0, 1}


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize(("width", "height"), [(8, 8), (5, 4), (9, 6)])
def test_the_marked_links_are_half_way_apart(build, width, height):
    topo = build(width, height)
    for start, port in np.argwhere(topo.dateline).tolist():
        ring = [start]
        while (following := int(topo.leads[ring[-1], port]) >> 3) != start:
            ring.append(following)
        marked = [place for place, at in enumerate(ring) if topo.opposite[at, port]]
        assert marked == [len(ring) // 2]


def test_both_directions_of_a_torus_carry_as_much():
    topo = topology.torus(8, 8)
    load = np.zeros(4)
    for target in range(64):
        for source in range(64):
            tree = dimension_order.multicast_tree(topo, source, [target])
            load += [int((tree >> port & 1).sum()) for port in range(4)]
    assert np.array_equal(load, np.full(4, 64 * 64))


def folded_torus(vcs, classes):
    """An 8x8 torus whose links, and credits on their way back, take a cycle more."""
    topo = topology.torus(8, 8)
    channels = make_channels(topo, vcs=vcs, credit_cycles=3, ring_classes=classes)
    delay = channels.delay + (np.arange(topo.ports) < topo.links).astype(np.int32)
    return replace(channels, delay=delay)


@pytest.mark.parametrize("classes", RING_CLASSES)
@pytest.mark.parametrize("pattern", ["uniform", "tornado", "bit-complement"])
def test_overload_is_carried_as_by_booksim(pattern, classes):
    channels = folded_torus(4, classes)
    point = latency_curve(channels, pattern, [0.95], flits=5, warm_up=3000, window=4000)[0]
    assert point.accepted == pytest.approx(BOOKSIM[classes][pattern], rel=0.05)
