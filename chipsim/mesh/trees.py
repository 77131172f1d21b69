"""Dimension-order (XY) trees: rows of port masks that the mesh follows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from chipsim.mesh.fabric import EAST, LOCAL, NORTH, SOUTH, WEST, Bytes, Fabric


def unicast_trees(fabric: Fabric) -> Bytes:
    """Return the XY way to each router: uint8 (routers, routers), row d leads to router d.

    A row serves packets from any source: it has the one output port, on the way to d, of every
    router.
    """
    router = np.arange(fabric.routers)
    x, y = router % fabric.width, router // fabric.width
    dx = x[:, None] - x[None, :]
    dy = y[:, None] - y[None, :]
    ports = np.select([dx > 0, dx < 0, dy > 0, dy < 0], [EAST, WEST, NORTH, SOUTH], default=LOCAL)
    return (1 << ports).astype(np.uint8)


def multicast_tree(fabric: Fabric, source: int, destinations: Iterable[int]) -> Bytes:
    """Return the XY multicast tree from router ``source``: uint8 (routers,).

    It is the union of the XY ways to all ``destinations`` (routers, the source allowed): along the
    row of the source, then up and down its columns.
    """
    masks = np.zeros(fabric.routers, dtype=np.uint8)
    x0, y0 = source % fabric.width, source // fabric.width
    for destination in destinations:
        x, y = destination % fabric.width, destination // fabric.width
        row = y0 * fabric.width
        masks[row + np.arange(x0, x)] |= 1 << EAST
        masks[row + np.arange(x + 1, x0 + 1)] |= 1 << WEST
        masks[x + fabric.width * np.arange(y0, y)] |= 1 << NORTH
        masks[x + fabric.width * np.arange(y + 1, y0 + 1)] |= 1 << SOUTH
        masks[destination] |= 1 << LOCAL
    return masks
