"""Placing slices along an order of the routers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from chipsim.chip import Mesh
from chipsim.errors import DoesNotFitError
from chipsim.mapping.model import Slice


def along(order: Iterable[int], slices: Sequence[Slice], mesh: Mesh) -> tuple[int, ...]:
    """Give slices the working cores of the routers in ``order``, one after the other.

    DoesNotFitError if there are too few.
    """
    working = set(mesh.working_cores)
    if len(slices) > len(working):
        dead = mesh.cores - len(working)
        raise DoesNotFitError(
            f"cores {len(slices)} exceeded max {len(working)} ({mesh.width}x{mesh.height}"
            f"{f', {dead} cores dead' if dead else ''}) by {len(slices) - len(working)}"
        )
    local = range(mesh.cores_per_router)
    cores = (router * mesh.cores_per_router + number for router in order for number in local)
    return tuple(islice((core for core in cores if core in working), len(slices)))
