"""SpiNNaker's boards, and chips joined by slower links."""

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.mesh import boards, dimension_order, topology, wormhole, wormhole_reference
from chipsim.mesh.checks import results_equal
from chipsim.mesh.fabric import Packets
from chipsim.mesh.wormhole_layout import make_channels


def all_pairs(routers):
    """One packet alone in the mesh for each pair."""
    source, target = (grid.reshape(-1) for grid in np.meshgrid(routers, routers))
    count = source.size
    packets = Packets(np.arange(count + 1), source, np.zeros(count, np.int64), target)
    return packets, np.ones(count, np.int32)


def test_a_board_has_48_chips_in_a_hexagon():
    board = topology.board48()
    alive = np.flatnonzero((board.leads[:, :6] >= 0).any(axis=1))
    assert alive.size == 48
    assert {int(router) // 8: int((alive // 8 == router // 8).sum()) for router in alive} == {
        0: 5, 1: 6, 2: 7, 3: 8, 4: 7, 5: 6, 6: 5, 7: 4,
    }  # fmt: skip
    # A hexagon of 48 chips has 48 edge links, which lead to other boards (facts, 1.2).
    assert int((board.leads[alive, :6] < 0).sum()) == 48
    for router, port in np.argwhere(board.leads >= 0).tolist():
        into, back = divmod(int(board.leads[router, port]), 8)
        assert board.leads[into, back] == 8 * router + port


def test_every_chip_of_a_board_reaches_every_other_by_a_shortest_way():
    board = topology.board48()
    alive = np.flatnonzero((board.leads[:, :6] >= 0).any(axis=1))
    packets, flits = all_pairs(alive)
    trees = dimension_order.unicast_trees(board)
    result = wormhole.run_phases(make_channels(board), trees, packets, flits)
    dx = packets.tree % 8 - packets.injector % 8
    dy = packets.tree // 8 - packets.injector // 8
    hops = np.where(dx * dy > 0, np.maximum(abs(dx), abs(dy)), abs(dx) + abs(dy))
    assert np.array_equal(result.latency_sum, 5 + 3 * hops)


@pytest.mark.parametrize(("triads_x", "triads_y"), [(1, 1), (2, 1), (3, 2)])
def test_three_boards_tile_a_triad(triads_x, triads_y):
    torus = topology.board_torus(12 * triads_x, 12 * triads_y)
    assert (torus.width, torus.height) == (12 * triads_x, 12 * triads_y)
    board = boards.board_of(torus)
    corners, chips = np.unique(board, return_counts=True)
    assert corners.size == 3 * triads_x * triads_y
    assert (chips == 48).all()
    x, y = corners % torus.width, corners // torus.width
    assert ((x % 4 == 0) & ((x + y) % 12 == 0)).all()
    leaving = boards.crossing(torus, board)
    assert leaving.sum() == 48 * corners.size


def test_links_between_boards_are_slower():
    torus = topology.board_torus(12, 12)
    between = boards.crossing(torus, boards.board_of(torus))
    channels = boards.slower(make_channels(torus, vcs=2), between, hop_cycles=50, interval=7)
    packets, flits = all_pairs(np.arange(0, 144, 7))
    trees = dimension_order.unicast_trees(torus)
    result = wormhole.run_phases(channels, trees, packets, flits)
    for number in range(packets.tree.size):
        at, due = int(packets.injector[number]), 5
        while at != packets.tree[number]:
            port = int(trees[packets.tree[number], at]).bit_length() - 1
            due += 50 if between[at, port] else 3
            at = int(torus.leads[at, port]) >> 3
        assert result.latency_sum[number] == due


def test_chips_of_chips_equal_the_reference():
    """A 6 x 4 mesh on six chips of 2 x 2: long narrow links between them."""
    topo = topology.mesh(6, 4)
    channels = boards.joined(make_channels(topo, vcs=2), 2, 2, hop_cycles=20, interval=4)
    narrow = channels.interval[:, :4] == 4
    assert narrow.sum() == 2 * (2 * 4 + 6)
    rng = np.random.default_rng(5)
    source, target = rng.integers(24, size=(2, 400))
    packets = Packets(np.array([0, 400]), source, np.sort(rng.integers(300, size=400)), target)
    flits = rng.integers(1, 4, size=400).astype(np.int32)
    trees = dimension_order.unicast_trees(topo)
    fast = wormhole.run_phases(channels, trees, packets, flits, detail=True)
    assert results_equal(fast, wormhole_reference.run_phases(channels, trees, packets, flits))


def test_a_narrow_link_carries_a_flit_every_interval():
    channels = boards.joined(make_channels(topology.mesh(4, 1)), 2, 1, hop_cycles=10, interval=5)
    packets = Packets(np.array([0, 300]), np.zeros(300), np.zeros(300, np.int64), np.full(300, 3))
    trees = dimension_order.unicast_trees(channels.topology)
    result = wormhole.run_phases(channels, trees, packets, np.ones(300, np.int32))
    assert 300 * 5 <= result.last_arrival[0] <= 300 * 5 + 40


def test_impossible_boards_are_refused():
    with pytest.raises(InputError, match="width 0 given"):
        topology.board_torus(0, 12)
    with pytest.raises(InputError, match="not whole triads"):
        topology.board_torus(12, 8)
    with pytest.raises(InputError, match="cut out of 8 x 8"):
        topology.board48(8, 9)
    with pytest.raises(InputError, match="not whole triads"):
        boards.board_of(topology.triangular(12, 8))
    channels = make_channels(topology.mesh(4, 4))
    with pytest.raises(InputError, match="must divide the 4"):
        boards.joined(channels, 3, 2, 5, 1)
    with pytest.raises(InputError, match="interval: 0 given"):
        boards.joined(channels, 2, 2, 5, 0)
