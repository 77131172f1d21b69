"""Why no way leads somewhere: which routers are cut off, and by which dead links."""

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.mesh.cut_off import why_cut_off
from chipsim.mesh.dimension_order import multicast_tree
from chipsim.mesh.topology import board48, mesh, without


def test_the_island_and_its_dead_links_are_named():
    """A wall across a 4 x 3 mesh leaves a corner of two; it is named from either side."""
    wall = without(mesh(4, 3), links=[(2, 2), (3, 2), (2, 1)])
    for source, target in ((0, 3), (3, 0)):
        assert why_cut_off(wall, source, target) == (
            "routers (2, 0), (3, 0) are cut off by the dead links (2, 0) west, (2, 0) north, "
            "(3, 0) north (a dead router takes its links along)"
        )
    with pytest.raises(InputError, match=r"core 3 cannot be reached from router 0: routers \(2, 0"):
        multicast_tree(wall, 0, np.array([3]))


def test_a_dead_router_cannot_be_reached():
    dead = without(mesh(4, 3), routers=[5])
    assert why_cut_off(dead, 0, 5).startswith("router (1, 1) is cut off by the dead links (1, 1)")
    several = without(mesh(9, 3), routers=[5, 14, 23])
    assert "and 3 more are cut off by the dead links" in why_cut_off(several, 0, 8)


def test_a_place_without_a_router():
    with pytest.raises(InputError, match=r"core 7 cannot .*: there is no router at \(7, 0\)"):
        multicast_tree(board48(), 0, np.array([7]))
