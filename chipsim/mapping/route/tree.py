"""Following a route through the mesh."""

from __future__ import annotations

from collections.abc import Mapping

from chipsim.chip import Mesh
from chipsim.errors import InputError
from chipsim.mapping.model import EAST, LOCAL, NORTH, SOUTH, WEST, Route

STEPS: Mapping[int, tuple[int, int]] = {
    EAST: (1, 0),
    WEST: (-1, 0),
    NORTH: (0, 1),
    SOUTH: (0, -1),
}
"""What a port of a router adds to x and y."""


def follow(route: Route, mesh: Mesh) -> dict[int, int]:
    """Return the hops to every router whose core a packet on this route is delivered to.

    Raises InputError if the route leaves the mesh, comes to a router twice (a cycle, or a second
    delivery), has no port where it comes, or has ports where it never comes.
    """
    delivered: dict[int, int] = {}
    hops = {route.source: 0}
    waiting = [route.source]
    while waiting:
        router = waiting.pop()
        mask = route.ports.get(router, 0)
        if not 0 < mask < 2 * LOCAL:
            raise InputError(f"router {_at(router, mesh)} has no port to leave by")
        if mask & LOCAL:
            delivered[router] = hops[router]
        for port in STEPS:
            if mask & port:
                after = _neighbour(router, port, mesh)
                if after in hops:
                    raise InputError(f"the route comes to router {_at(after, mesh)} twice")
                hops[after] = hops[router] + 1
                waiting.append(after)
    stray = sorted(set(route.ports) - set(hops))
    if stray:
        raise InputError(f"the route never comes to router {_at(stray[0], mesh)}, yet has ports")
    return delivered


def _neighbour(router: int, port: int, mesh: Mesh) -> int:
    x = router % mesh.width + STEPS[port][0]
    y = router // mesh.width + STEPS[port][1]
    if not (0 <= x < mesh.width and 0 <= y < mesh.height):
        raise InputError(f"the route leaves the mesh at router {_at(router, mesh)}")
    return y * mesh.width + x


def _at(router: int, mesh: Mesh) -> str:
    return f"{router % mesh.width},{router // mesh.width}"
