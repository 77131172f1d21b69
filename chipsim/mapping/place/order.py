"""Placing slices along an order of the routers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from chipsim.chip import Mesh
from chipsim.errors import DoesNotFitError
from chipsim.mapping.model import Slice


def along(order: Iterable[int], slices: Sequence[Slice], mesh: Mesh) -> tuple[int, ...]:
    """Give slice i the i-th router of ``order``; DoesNotFitError if there are too few."""
    if len(slices) > mesh.routers:
        raise DoesNotFitError(
            f"cores {len(slices)} exceeded max {mesh.routers} ({mesh.width}x{mesh.height}) "
            f"by {len(slices) - mesh.routers}"
        )
    return tuple(islice(order, len(slices)))
