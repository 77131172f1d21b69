"""Dimension-order routing: a packet goes along x first, then along y; a tree unites such paths.

On a triangular torus it goes along the diagonal between the two, on any torus the shorter way
around each ring.  On a mesh the paths to two targets share their x part as far as they can and
never meet again once they have parted, so their union is a tree; dimension order (and on rings the
two halves of the channels) keeps it free of deadlock.  Where routers or links are dead, the
paths are shortest ones around them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from chipsim.chip import Mesh
from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.model import EAST, INPUT_PORT, NORTH, SOUTH, WEST, Flow, Route
from chipsim.mesh.dimension_order import multicast_tree
from chipsim.mesh.topology import Topology, topology_of


def route(flows: Sequence[Flow], placement: Sequence[int], mesh: Mesh) -> tuple[Route, ...]:
    """Return the multicast tree of every flow, from its sender (input: ``mesh.io``).

    DoesNotFitError if dead routers or links cut a target off.
    """
    if mesh.topology != "mesh" or mesh.dead.routers or mesh.dead.links:
        topology = topology_of(mesh)
        return tuple(_searched(flow, placement, mesh, topology) for flow in flows)
    return tuple(_tree(flow, placement, mesh) for flow in flows)


def _tree(flow: Flow, placement: Sequence[int], mesh: Mesh) -> Route:
    source = source_router(flow, placement, mesh)
    ports: dict[int, int] = {}
    for target in flow.targets:
        core = placement[target]
        router = mesh.router_of(core)
        for at, port in _path(source, router, mesh.width):
            ports[at] = ports.get(at, 0) | port
        ports[router] = ports.get(router, 0) | mesh.local_bit(core)
    return Route(source, ports)


def _searched(flow: Flow, placement: Sequence[int], mesh: Mesh, topology: Topology) -> Route:
    source = source_router(flow, placement, mesh)
    cores = np.array([placement[target] for target in flow.targets], dtype=np.int64)
    try:
        masks = multicast_tree(topology, source, cores)
    except InputError as error:
        raise DoesNotFitError(
            f"flow from slice {flow.source}: {error}; see mesh.dead in the chip file"
        ) from None
    return Route(source, {int(at): int(masks[at]) for at in np.flatnonzero(masks)})


def source_router(flow: Flow, placement: Sequence[int], mesh: Mesh) -> int:
    """Return the router at which a flow enters the mesh."""
    if flow.source == INPUT_PORT:
        return mesh.io[1] * mesh.width + mesh.io[0]
    return mesh.router_of(placement[flow.source])


def _path(source: int, target: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield every router from source to just before target with the port the packet leaves by."""
    x, y = source % width, source // width
    to_x, to_y = target % width, target // width
    while x != to_x:
        yield y * width + x, EAST if to_x > x else WEST
        x += 1 if to_x > x else -1
    while y != to_y:
        yield y * width + x, NORTH if to_y > y else SOUTH
        y += 1 if to_y > y else -1
