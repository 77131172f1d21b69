"""Fabrics and XY trees."""

import numpy as np
import pytest

from chipsim.chip import Mesh
from chipsim.errors import InputError
from chipsim.mesh.fabric import EAST, NORTH, SOUTH, WEST, fabric, link_table, make_fabric
from chipsim.mesh.trees import multicast_tree, unicast_trees


def mesh(width, height, io):
    return Mesh("mesh", width, height, "xy", "tree", 3, 8, 2, 24, 4, io)


@pytest.mark.parametrize(
    ("io", "port"),
    [((0, 0), WEST), ((0, 2), WEST), ((3, 1), EAST), ((1, 0), SOUTH), ((2, 2), NORTH)],
)
def test_the_chip_input_takes_a_free_edge_port(io, port):
    built = fabric(mesh(4, 3, io))
    assert built.injectors == 13
    assert built.injector_router[12] == io[1] * 4 + io[0]
    assert built.injector_port[12] == port
    assert built.injector_router[:12].tolist() == list(range(12))
    used = link_table(built)
    assert 8 * built.injector_router[12] + port not in used


def test_an_input_inside_the_mesh_is_refused():
    with pytest.raises(InputError, match=r"\(1, 1\) has four neighbours"):
        fabric(mesh(4, 3, (1, 1)))
    with pytest.raises(InputError, match="outside"):
        fabric(mesh(4, 3, (4, 0)))


def test_two_inputs_on_one_port_are_refused():
    with pytest.raises(InputError, match="share"):
        make_fabric(3, 3, inputs=((0, 1), (0, 1)))


@pytest.mark.parametrize(
    "wrong",
    [{"width": 0}, {"height": 5000}, {"hop_cycles": 0}, {"buffer_flits": 0}, {"credit_cycles": 0}],
)
def test_sizes_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_fabric(**({"width": 2, "height": 2} | wrong))


def test_links_lead_to_the_facing_input_and_back():
    built = make_fabric(4, 3)
    table = link_table(built)
    assert (table >= 0).sum() == 2 * (3 * 3 + 4 * 2)
    for router, port in np.argwhere(table >= 0).tolist():
        into, entry = divmod(int(table[router, port]), 8)
        assert table[into, entry] == 8 * router + port


def test_a_multicast_tree_is_the_union_of_unicast_ways():
    built = make_fabric(5, 4)
    ways, table = unicast_trees(built), link_table(built)
    rng = np.random.default_rng(0)
    for _ in range(50):
        source = int(rng.integers(20))
        targets = rng.choice(20, 5, replace=False)
        union = np.zeros(20, np.uint8)
        for target in targets:
            router = source
            while router != target:
                union[router] |= ways[target, router]
                router = table[router, int(ways[target, router]).bit_length() - 1] >> 3
            union[target] |= ways[target, target]
        assert np.array_equal(multicast_tree(built, source, targets), union)
