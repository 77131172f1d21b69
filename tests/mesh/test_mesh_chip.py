"""The mesh of a chip: the one-flit engine or channels, the same where both do, every topology."""

from dataclasses import replace

import numpy as np
import pytest

from chipsim.chip import Dead, Mesh, SpecialLink
from chipsim.errors import InputError
from chipsim.mesh import dimension_order, topology, wormhole, wormhole_reference
from chipsim.mesh.checks import results_equal
from chipsim.mesh.chip_mesh import (
    channels_of,
    links_between_boards,
    links_between_chips,
    network_of,
    run_phases,
)
from chipsim.mesh.fabric import Fabric, Packets
from chipsim.mesh.wormhole_layout import make_channels, with_input

PLAIN = Mesh("mesh", 5, 4, "xy", "tree", 3, 8, 2, 64, 4, (0, 1))


def random_packets(mesh, count, seed):
    """Packets from cores and from the chip's input, on trees of a few targets each."""
    rng = np.random.default_rng(seed)
    topo = topology.topology_of(mesh)
    trees, roots = [], []
    for _ in range(10):
        injector = int(rng.choice([*mesh.working_cores, mesh.cores]))
        io = mesh.io[1] * mesh.width + mesh.io[0]
        router = io if injector == mesh.cores else mesh.router_of(injector)
        wanted = rng.choice(mesh.working_cores, 1 if mesh.multicast == "unicast" else 4, False)
        trees.append(dimension_order.multicast_tree(topo, router, wanted))
        roots.append(injector)
    tree = rng.integers(10, size=count)
    packets = Packets(
        np.array([0, count]), np.array(roots)[tree], np.sort(rng.integers(200, size=count)), tree
    )
    return np.array(trees), packets


def test_the_plain_mesh_is_the_one_flit_engine_and_equals_channels():
    trees, packets = random_packets(PLAIN, 600, 1)
    fast = network_of(PLAIN)
    assert isinstance(fast, Fabric)
    assert results_equal(
        run_phases(fast, trees, packets), run_phases(channels_of(PLAIN), trees, packets)
    )
    assert isinstance(network_of(replace(PLAIN, dead=Dead(cores=(3,)))), Fabric)


@pytest.mark.parametrize(
    "changes",
    [
        {"vcs": 4},
        {"topology": "torus", "vcs": 2, "io": (2, 2)},
        {"topology": "triangular", "vcs": 2, "io": (2, 2)},
        {"cores_per_router": 3},
        {"topology": "torus", "vcs": 2, "cores_per_router": 3},
        {"routing": "west_first", "multicast": "unicast"},
        {"routing": "odd_even", "multicast": "unicast", "vcs": 2, "cores_per_router": 2},
        {"dead": Dead(routers=(7,), links=((0, 0),))},
        {"chip_width": 5, "chip_height": 2, "chip_hop_cycles": 9, "chip_link_interval": 3},
        {"topology": "board48", "width": 8, "height": 8, "io": (3, 3)},
        {"topology": "board48", "width": 8, "height": 8, "dead": Dead(routers=(27,))},
        {"topology": "board_torus", "width": 12, "height": 12, "vcs": 2, "board_hop_cycles": 30},
        {"special": (SpecialLink(5, 0, 40, 7), SpecialLink(6, 1, 0, 5))},
    ],
)
def test_everything_arrives_on_every_kind_of_mesh(changes):
    mesh = replace(PLAIN, **changes)
    trees, packets = random_packets(mesh, 400, 2)
    results = run_phases(network_of(mesh), trees, packets)
    targets = np.array([sum(int(m).bit_count() for m in row >> mesh.links) for row in trees])
    assert results.deliveries[0] == targets[packets.tree].sum()
    if mesh.multicast == "unicast":
        flits = np.full(400, 3, np.int32)
        longer = run_phases(network_of(mesh), trees, packets, flits=flits)
        assert np.array_equal(longer.link_flits.sum(), 3 * results.link_flits.sum())
        assert longer.latency_sum[0] > results.latency_sum[0]


def test_ring_classes_are_those_of_the_chip():
    torus = replace(PLAIN, topology="torus", vcs=2)
    assert channels_of(torus).ring_classes == "dateline"
    assert channels_of(replace(torus, ring_classes="balanced")).ring_classes == "balanced"
    with pytest.raises(InputError, match="'upper' given, dateline or balanced allowed"):
        make_channels(topology.torus(4, 4), vcs=2, ring_classes="upper")


def test_a_chip_has_stages_for_heads():
    assert channels_of(PLAIN).head_stages == 0
    assert channels_of(replace(PLAIN, vcs=2, head_stages=2)).head_stages == 2


def test_links_between_chips():
    assert not links_between_chips(PLAIN).any()
    cut = replace(PLAIN, chip_width=5, chip_height=2, chip_hop_cycles=9)
    assert links_between_chips(cut).sum() == 2 * 5
    assert channels_of(cut).delay[links_between_chips(cut).nonzero()].tolist() == [9] * 10


def test_an_input_needs_a_port():
    with pytest.raises(InputError, match="no port is left"):
        with_input(make_channels(topology.triangular(4, 4, 2), vcs=2), 0, 0)
    with pytest.raises(InputError, match="four neighbours"):
        with_input(make_channels(topology.mesh(4, 4)), 1, 1)


def test_links_between_boards():
    assert not links_between_boards(PLAIN).any()
    boards = replace(PLAIN, topology="board_torus", width=12, height=12, vcs=2, board_hop_cycles=30)
    between = links_between_boards(boards)
    assert between.sum() == 3 * 48
    channels = channels_of(boards)
    assert (channels.delay[:, :6][between] == 30).all()
    assert (channels.delay[:, :6][~between] == 3).all()
    assert (channels.interval == 1).all()


def test_a_special_link_alone_takes_its_own_cycles():
    """Packets from (0, 0) to (2, 0): the second link is long, and lets a flit by every 7 cycles."""
    mesh = replace(PLAIN, special=(SpecialLink(1, 0, 40, 7),))
    trees = np.array([dimension_order.multicast_tree(topology.topology_of(mesh), 0, np.array([2]))])
    packets = Packets(np.array([0, 1, 4]), np.zeros(4), np.zeros(4, np.int64), np.zeros(4))
    results = run_phases(network_of(mesh), trees, packets, detail=True)
    assert results.arrivals.cycle.tolist() == [2 + 3 + 3 + 40 + extra for extra in (0, 0, 7, 14)]
    back = trees * 0
    back[0, [2, 1, 0]] = 2, 2, 16
    results = run_phases(network_of(mesh), back, replace(packets, injector=np.full(4, 2)))
    assert results.last_arrival[0] == 2 + 3 * 3


@pytest.mark.parametrize("seed", range(6))
def test_special_links_and_boards_equal_the_reference(seed):
    """Lengths and widths drawn link by link, on a mesh and on a board, to the cycle."""
    rng = np.random.default_rng(seed)
    mesh = PLAIN if seed % 2 else replace(PLAIN, topology="board48", width=8, height=8, io=(3, 3))
    leads = topology.topology_of(mesh).leads[:, : mesh.links]
    links = rng.permutation(np.argwhere(leads >= 0))[:20].tolist()
    cycles = rng.integers(0, 12, size=(20, 2)).tolist()
    mesh = replace(
        mesh, vcs=int(rng.integers(1, 4)), multicast="unicast",
        special=tuple(SpecialLink(*link, *own) for link, own in zip(links, cycles, strict=True)),
    )  # fmt: skip
    trees, packets = random_packets(mesh, 150, seed)
    flits = rng.integers(1, 4, size=150).astype(np.int32)
    channels = channels_of(mesh)
    fast = wormhole.run_phases(channels, trees, packets, flits, detail=True)
    assert results_equal(fast, wormhole_reference.run_phases(channels, trees, packets, flits))
