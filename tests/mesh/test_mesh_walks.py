"""The compiled check of packets and their ways equals a plain walk of each packet by itself."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.mesh import walks
from chipsim.mesh.checks import check_traffic, room_for_arrivals
from chipsim.mesh.fabric import LOCAL, Packets, link_table, make_fabric
from chipsim.mesh.trees import multicast_tree, unicast_trees

NAMES = {
    walks.OFF_EDGE: "no link",
    walks.DEAD_END: "no output port",
    walks.LOOP: "reaches a router twice",
}


def plain_walk(leads, tree, root):
    """Return the cores a tree reaches, in the order of the walk, or what is wrong with it."""
    seen, todo, cores = {root}, [root], []
    while todo:
        router = todo.pop()
        ports = int(tree[router])
        if ports == 0 or ports >> leads.shape[1]:
            return walks.DEAD_END
        cores += [router] if ports >> LOCAL else []
        for port in range(LOCAL):
            if ports >> port & 1:
                if leads[router, port] < 0:
                    return walks.OFF_EDGE
                after = int(leads[router, port]) >> 3
                if after in seen:
                    return walks.LOOP
                seen.add(after)
                todo.append(after)
    return cores


@st.composite
def traffics(draw):
    fabric = make_fabric(draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ways = unicast_trees(fabric)
    trees = [ways[rng.integers(fabric.routers)] for _ in range(draw(st.integers(1, 4)))]
    for _ in range(draw(st.integers(0, 3))):
        wanted = rng.integers(fabric.routers, size=rng.integers(1, 9))
        # Of the ways from anywhere, as a union: parts of it fork and parts of it are lines.
        trees.append(multicast_tree(fabric, int(rng.integers(fabric.routers)), wanted))
    trees = np.array(trees)
    wrong = rng.random(trees.shape) < draw(st.sampled_from([0, 0, 0.01, 0.1]))
    trees[wrong] = rng.integers(0, 64, wrong.sum())
    count = draw(st.integers(1, 40))
    bounds = np.sort(rng.integers(0, count + 1, draw(st.integers(0, 3))))
    packets = Packets(
        np.array([0, *bounds, count]),
        rng.integers(fabric.injectors, size=count).astype(np.int32),
        np.zeros(count, np.int64),
        rng.integers(len(trees), size=count).astype(np.int32),
    )
    return fabric, trees, packets


@settings(derandomize=True, deadline=None, max_examples=150)
@given(traffics(), st.integers(1, 2))
def test_packets_are_checked_like_each_alone(traffic, threads):
    fabric, trees, packets = traffic
    leads, roots = link_table(fabric), fabric.injector_router
    arguments = (leads, LOCAL, roots, trees, packets, threads)
    found = [
        plain_walk(leads, trees[tree], int(roots[injector]))
        for tree, injector in zip(packets.tree, packets.injector, strict=True)
    ]
    bad = [packet for packet, cores in enumerate(found) if isinstance(cores, int)]
    if bad:
        # A way that is wrong in two places is wrong whichever is named.
        with pytest.raises(InputError, match=f"packet {bad[0]} .*({'|'.join(NAMES.values())})"):
            check_traffic(*arguments, each=True)
        return
    cores, expected = check_traffic(*arguments, each=True)
    assert cores.tolist() == [len(reached) for reached in found]
    pointer = packets.phase_ptr
    sums = [sum(cores[a:b]) for a, b in pairwise(pointer)]
    assert expected.tolist() == sums
    nothing, same = check_traffic(*arguments, each=False)
    assert nothing.size == 0
    assert np.array_equal(same, expected)
    room = room_for_arrivals(leads, LOCAL, roots, trees, cores, packets)
    assert room.router.tolist() == [core for reached in found for core in sorted(reached)]


def test_packets_to_more_cores_than_a_byte_counts():
    """Each of two sources has a tree of its own size, both over 254 cores, asked for by turns."""
    fabric = make_fabric(20, 20)
    leads, roots = link_table(fabric), fabric.injector_router
    everyone = multicast_tree(fabric, 0, range(400))
    count = 12
    source = np.where(np.arange(count) % 3 == 0, 0, 5).astype(np.int32)
    one_row = np.zeros(count, np.int32)
    packets = Packets(np.array([0, count]), source, np.zeros(count, np.int64), one_row)
    cores, expected = check_traffic(
        leads, LOCAL, roots, everyone[None], packets, threads=1, each=True
    )
    # From router 5 the tree goes east along the row: 15 columns of 20.
    assert cores.tolist() == [400 if start == 0 else 300 for start in source]
    assert expected.tolist() == [cores.sum()]
