"""Snake placement: row by row, every other row backwards, so neighbours stay neighbours."""

from __future__ import annotations

from collections.abc import Sequence

from chipsim.chip import Mesh
from chipsim.mapping.model import Flow, Slice
from chipsim.mapping.place.order import along


def place(slices: Sequence[Slice], flows: Sequence[Flow], mesh: Mesh) -> tuple[int, ...]:
    """Return the router of each slice along the snake; DoesNotFitError if there are too few."""
    routers = (
        y * mesh.width + (x if y % 2 == 0 else mesh.width - 1 - x)
        for y in range(mesh.height)
        for x in range(mesh.width)
    )
    return along(routers, slices, mesh)
