"""Hilbert placement: slices close in order lie close in both directions of the mesh.

The Hilbert curve of the smallest square of ``2**k`` that covers the mesh, less the places outside
it (used for placement by Jin et al., ASPLOS 2023).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chipsim.chip import Mesh
from chipsim.mapping.model import Flow, Slice
from chipsim.mapping.place.order import along

Vector = tuple[int, int]


def place(slices: Sequence[Slice], flows: Sequence[Flow], mesh: Mesh) -> tuple[int, ...]:
    """Return the router of each slice along the curve; DoesNotFitError if there are too few."""
    return along(curve(mesh.width, mesh.height), slices, mesh)


def curve(width: int, height: int) -> Iterator[int]:
    """Yield every router of a mesh once, in the order of the Hilbert curve from router 0."""
    side = 1
    while side < max(width, height):
        side *= 2
    for x, y in _quadrants((0, 0), (1, 0), (0, 1), side, (width, height)):
        yield y * width + x


def _quadrants(
    corner: Vector, along_: Vector, across: Vector, side: int, size: Vector
) -> Iterator[Vector]:
    """Yield the places of a square that lie in the mesh.

    The curve runs from ``corner`` to the corner that lies ``side - 1`` steps ``along_``; the
    square extends ``across`` from there.
    """
    (x, y), (ax, ay), (cx, cy) = corner, along_, across
    far_x, far_y = x + (side - 1) * (ax + cx), y + (side - 1) * (ay + cy)
    if min(x, far_x) >= size[0] or min(y, far_y) >= size[1]:
        return
    if side == 1:
        yield corner
        return
    half = side // 2
    second = (x + half * cx, y + half * cy)
    third = (second[0] + half * ax, second[1] + half * ay)
    last = (x + (side - 1) * ax + (half - 1) * cx, y + (side - 1) * ay + (half - 1) * cy)
    yield from _quadrants(corner, across, along_, half, size)
    yield from _quadrants(second, along_, across, half, size)
    yield from _quadrants(third, along_, across, half, size)
    yield from _quadrants(last, (-cx, -cy), (-ax, -ay), half, size)
