"""Following a route through the mesh."""

from __future__ import annotations

from chipsim.chip import Mesh
from chipsim.errors import InputError
from chipsim.mapping.model import Route


def follow(route: Route, mesh: Mesh) -> dict[int, int]:
    """Return the hops to every core that a packet on this route is delivered to.

    Raises InputError if the route leaves the mesh or takes what is dead, comes to a router twice (a
    cycle, or a second delivery), has no port where it comes, or has ports where it never comes.
    """
    delivered: dict[int, int] = {}
    hops = {route.source: 0}
    waiting = [route.source]
    while waiting:
        router = waiting.pop()
        mask = route.ports.get(router, 0)
        if not 0 < mask < 1 << (mesh.links + mesh.cores_per_router):
            raise InputError(f"router {_at(router, mesh)} has no port to leave by")
        for number in range(mesh.cores_per_router):
            core = router * mesh.cores_per_router + number
            if mask & mesh.local_bit(core):
                delivered[core] = hops[router]
        for port in range(mesh.links):
            if mask >> port & 1:
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
    x = router % mesh.width + mesh.steps[port][0]
    y = router // mesh.width + mesh.steps[port][1]
    if not mesh.wraps and not (0 <= x < mesh.width and 0 <= y < mesh.height):
        raise InputError(f"the route leaves the mesh at router {_at(router, mesh)}")
    after = y % mesh.height * mesh.width + x % mesh.width
    opposite = mesh.steps.index((-mesh.steps[port][0], -mesh.steps[port][1]))
    links = {(router, port), (after, opposite)}
    if after in mesh.absent:
        raise InputError(f"the route leaves the board at router {_at(router, mesh)}")
    if after in mesh.dead.routers or links & set(mesh.dead.links):
        raise InputError(f"the route takes a dead link or router after {_at(router, mesh)}")
    return after


def _at(router: int, mesh: Mesh) -> str:
    return f"{router % mesh.width},{router // mesh.width}"
