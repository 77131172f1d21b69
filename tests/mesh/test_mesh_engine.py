"""The compiled mesh equals the simpy mesh: every arrival, every link, any number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.mesh import engine, reference
from chipsim.mesh.checks import results_equal
from chipsim.mesh.fabric import Packets, make_fabric
from chipsim.mesh.trees import multicast_tree, unicast_trees


def packets(rows, phases=1):
    """Make packets from (phase, injector, inject, tree) rows, sorted by phase."""
    rows = sorted(rows, key=lambda row: row[0])
    counts = np.bincount([row[0] for row in rows], minlength=phases)
    return Packets(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([row[1] for row in rows], dtype=np.int32),
        np.array([row[2] for row in rows], dtype=np.int64),
        np.array([row[3] for row in rows], dtype=np.int32),
    )


@st.composite
def scenarios(draw):
    width, height = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    fabric = make_fabric(
        width,
        height,
        hop_cycles=draw(st.integers(1, 6)),
        buffer_flits=draw(st.integers(1, 9)),
        credit_cycles=draw(st.integers(1, 4)),
        inputs=((0, draw(st.integers(0, height - 1))),) if draw(st.booleans()) else (),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    trees, roots = [], []
    for _ in range(draw(st.integers(1, 12))):
        injector = int(rng.integers(fabric.injectors))
        wanted = rng.choice(
            fabric.routers, rng.integers(1, min(8, fabric.routers) + 1), replace=False
        )
        trees.append(multicast_tree(fabric, int(fabric.injector_router[injector]), wanted))
        roots.append(injector)
    phases = draw(st.integers(1, 4))
    span = draw(st.sampled_from([1, 10, 60, 400]))
    rows = []
    for _ in range(draw(st.sampled_from([0, 20, 100, 200]))):
        tree = int(rng.integers(len(trees)))
        rows.append((int(rng.integers(phases)), roots[tree], int(rng.integers(span)), tree))
    if draw(st.booleans()):
        rows.sort(key=lambda row: row[2])
    else:
        rows.sort(key=lambda row: (row[1], row[2]))
    return fabric, np.array(trees), packets(rows, phases)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(scenarios(), st.integers(1, 3))
def test_equals_the_reference(scenario, threads):
    fabric, trees, traffic = scenario
    fast = engine.run_phases(fabric, trees, traffic, threads=threads, detail=True)
    slow = reference.run_phases(fabric, trees, traffic)
    assert fast.arrivals is not None
    assert results_equal(fast, slow)
    plain = engine.run_phases(fabric, trees, traffic)
    assert plain.arrivals is None
    assert results_equal(plain, fast)


def uniform(fabric, load, cycles, seed):
    """Bernoulli packets to uniform destinations (one's own core included)."""
    rng = np.random.default_rng(seed)
    cycle, source = np.nonzero(rng.random((cycles, fabric.routers)) < load)
    return Packets(
        np.array([0, cycle.size], dtype=np.int64),
        source.astype(np.int32),
        cycle.astype(np.int64),
        rng.integers(0, fabric.routers, cycle.size).astype(np.int32),
    )


def test_equals_the_reference_under_overload():
    fabric = make_fabric(7, 3, buffer_flits=2)
    traffic = uniform(fabric, 0.9, 120, 1)
    trees = unicast_trees(fabric)
    fast = engine.run_phases(fabric, trees, traffic, detail=True)
    assert results_equal(fast, reference.run_phases(fabric, trees, traffic))
    assert fast.last_arrival[0] > 240


def test_phases_do_not_see_each_other():
    fabric = make_fabric(5, 4, buffer_flits=3)
    one = uniform(fabric, 0.5, 60, 3)
    count = one.tree.size
    many = Packets(
        np.arange(31, dtype=np.int64) * count,
        np.tile(one.injector, 30),
        np.tile(one.inject, 30),
        np.tile(one.tree, 30),
    )
    trees = unicast_trees(fabric)
    alone = engine.run_phases(fabric, trees, one)
    results = [engine.run_phases(fabric, trees, many, threads=n, detail=True) for n in (1, 2, 3)]
    for result in results:
        assert results_equal(result, results[0])
        assert (result.latency_sum == alone.latency_sum[0]).all()
        assert (result.last_arrival == alone.last_arrival[0]).all()
        assert np.array_equal(result.link_flits, 30 * alone.link_flits)


def test_far_apart_packets_and_empty_phases():
    fabric = make_fabric(3, 3)
    traffic = packets([(1, 0, 0, 8), (1, 0, 10**9, 8), (3, 4, 7, 0)], phases=5)
    result = engine.run_phases(fabric, unicast_trees(fabric), traffic)
    far, near = fabric.zero_load_latency(4), fabric.zero_load_latency(2)
    assert result.last_arrival.tolist() == [-1, 10**9 + far, -1, 7 + near, -1]
    assert result.latency_sum.tolist() == [0, 2 * far, 0, near, 0]
    assert result.latency_max.tolist() == [0, far, 0, near, 0]
    assert result.deliveries.tolist() == [0, 2, 0, 1, 0]


def test_no_phase_at_all():
    result = engine.run_phases(make_fabric(2, 2), np.zeros((0, 4), np.uint8), packets([], 0))
    assert result.deliveries.size == 0
    assert result.link_flits.sum() == 0


@pytest.mark.parametrize(
    ("row", "tree", "message"),
    [
        ((0, 9, 0, 0), [16, 0, 0, 0], "injector 9 given, 0 to 3 allowed"),
        ((0, 0, 0, 1), [16, 0, 0, 0], "tree 1 given, 0 to 0 allowed"),
        ((0, 0, -1, 0), [16, 0, 0, 0], "inject cycle -1 given"),
        ((0, 0, 0, 0), [2, 0, 0, 0], "leaves by a port where there is no link"),
        ((0, 0, 0, 0), [1, 0, 0, 0], "has no output port"),
        ((0, 0, 0, 0), [32, 0, 0, 0], "has no output port"),
        ((0, 0, 0, 0), [1, 2, 0, 0], "reaches a router twice"),
    ],
)
def test_bad_packets_and_trees_are_named(row, tree, message):
    with pytest.raises(InputError, match=message):
        engine.run_phases(make_fabric(2, 2), np.array([tree], np.uint8), packets([row]))


def test_unsorted_packets_of_an_injector_are_refused():
    traffic = packets([(0, 0, 5, 0), (0, 0, 4, 0)])
    with pytest.raises(InputError, match="sort each injector"):
        engine.run_phases(make_fabric(1, 1), np.array([[16]], np.uint8), traffic)


@pytest.mark.parametrize("pointer", [[1, 1], [0, 2], [0, 2, 1], []])
def test_bad_phase_pointers_are_refused(pointer):
    one = np.zeros(1, np.int32)
    traffic = Packets(np.array(pointer, np.int64), one, one.astype(np.int64), one)
    with pytest.raises(InputError, match="phase_ptr"):
        engine.run_phases(make_fabric(1, 1), np.array([[16]], np.uint8), traffic)


def test_bad_shapes_are_refused():
    one = np.zeros(1, np.int32)
    with pytest.raises(InputError, match=r"\(trees, 4\) needed"):
        engine.run_phases(make_fabric(2, 2), np.zeros((1, 3), np.uint8), packets([]))
    traffic = Packets(np.array([0, 1]), one, np.zeros(2, np.int64), one)
    with pytest.raises(InputError, match="one a packet"):
        engine.run_phases(make_fabric(1, 1), np.array([[16]], np.uint8), traffic)


def test_deadlock_is_reported():
    ring = np.zeros((4, 4), np.uint8)
    east, west, north, south, local = 1, 2, 4, 8, 16
    ways = {0: east, 1: north, 3: west, 2: south}
    order = [0, 1, 3, 2]
    for tree in range(4):
        for step in range(3):
            ring[tree, order[(tree + step) % 4]] = ways[order[(tree + step) % 4]]
        ring[tree, order[(tree + 3) % 4]] = local
    rows = [(1, order[tree], cycle, tree) for tree in range(4) for cycle in range(20)]
    rows += [(phase, order[0], 0, 0) for phase in (0, 2, 3)]
    with pytest.raises(InputError, match=r"phase 1 .* \(deadlock\)"):
        engine.run_phases(make_fabric(2, 2, buffer_flits=1), ring, packets(rows, 4))


def test_no_threads_are_refused():
    with pytest.raises(InputError, match="threads"):
        engine.run_phases(make_fabric(1, 1), np.array([[16]], np.uint8), packets([]), threads=0)
