"""XY routing: a packet goes along x first, then along y; a multicast tree unites such paths.

The paths to two targets share their x part as far as they can and never meet again once they have
parted, so their union is a tree; dimension order keeps it free of deadlock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chipsim.chip import Mesh
from chipsim.mapping.model import EAST, INPUT_PORT, LOCAL, NORTH, SOUTH, WEST, Flow, Route


def route(flows: Sequence[Flow], placement: Sequence[int], mesh: Mesh) -> tuple[Route, ...]:
    """Return the multicast tree of every flow, from its sender (input: ``mesh.io``)."""
    return tuple(_tree(flow, placement, mesh) for flow in flows)


def _tree(flow: Flow, placement: Sequence[int], mesh: Mesh) -> Route:
    source = source_router(flow, placement, mesh)
    ports: dict[int, int] = {}
    for target in flow.targets:
        for router, port in _path(source, placement[target], mesh.width):
            ports[router] = ports.get(router, 0) | port
    return Route(source, ports)


def source_router(flow: Flow, placement: Sequence[int], mesh: Mesh) -> int:
    """Return the router at which a flow enters the mesh."""
    if flow.source == INPUT_PORT:
        return mesh.io[1] * mesh.width + mesh.io[0]
    return placement[flow.source]


def _path(source: int, target: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield every router from source to target with the port the packet leaves by."""
    x, y = source % width, source // width
    to_x, to_y = target % width, target // width
    while x != to_x:
        yield y * width + x, EAST if to_x > x else WEST
        x += 1 if to_x > x else -1
    while y != to_y:
        yield y * width + x, NORTH if to_y > y else SOUTH
        y += 1 if to_y > y else -1
    yield target, LOCAL
