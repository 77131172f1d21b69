"""The mesh of a chip: the one-flit engine or channels, the same where both do, every topology."""

from dataclasses import replace

import numpy as np
import pytest

from chipsim.chip import Dead, Mesh
from chipsim.errors import InputError
from chipsim.mesh import topology
from chipsim.mesh.checks import results_equal
from chipsim.mesh.chip_mesh import channels_of, links_between_chips, network_of, run_phases
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
        trees.append(topology.multicast_tree(topo, router, wanted))
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
