"""Sequential placement: slices fill the mesh row by row."""

from __future__ import annotations

from collections.abc import Sequence

from chipsim.chip import Mesh
from chipsim.mapping.model import Flow, Slice
from chipsim.mapping.place.order import along


def place(slices: Sequence[Slice], flows: Sequence[Flow], mesh: Mesh) -> tuple[int, ...]:
    """Return the router of each slice, row-major; DoesNotFitError if there are too few."""
    return along(range(mesh.routers), slices, mesh)
