"""Reads the parts of a mesh that are not like the others: what is dead, links of their own."""

from __future__ import annotations

import re

from chipsim.chip import STEP_NAMES, Dead, Mesh, SpecialLink
from chipsim.config import Section
from chipsim.errors import InputError
from chipsim.load import chip_schema as schema
from chipsim.load.chip_leaves import Leaves
from chipsim.yaml_tree import shown

_DEAD = re.compile(r"(core|router|link) (\d{1,4}),(\d{1,4})(?:,(\d))?(?: ([a-z-]+))?", re.ASCII)


def read_special(section: Section, mesh: Mesh, leaves: Leaves) -> tuple[SpecialLink, ...]:
    """Read the list of links with cycles or a price of their own: ``{from: [0, 0], to: [1, 0]}``.

    Keeps a price at ``mesh.links[i].energy``.  InputError if there is no such link.
    """
    found: list[SpecialLink] = []
    for item in section.sections("links"):
        router = _router(item, "from", mesh)
        port = _port_to(item, mesh, router, _router(item, "to", mesh))
        if any((link.router, link.port) == (router, port) for link in found):
            raise item.error("", "this link is given twice; keep one")
        cycles = {"hop_cycles": 0, "link_interval": 0} | leaves.given(item, schema.LINK)
        if item.has("energy"):
            leaves.number(item, "energy", schema.PRICE)
        found.append(SpecialLink(router, port, cycles["hop_cycles"], cycles["link_interval"]))
    return tuple(found)


def _router(item: Section, key: str, mesh: Mesh) -> int:
    """Return the router whose [x, y] is at ``key``."""
    pair = item.constants(key, schema.IO.dimension, 2, whole=True, bounds=schema.IO.bounds)
    x, y = (int(constant.value) for constant in pair)
    if x >= mesh.width or y >= mesh.height or y * mesh.width + x in mesh.absent:
        raise item.error(key, f"[{x}, {y}] is not on the {mesh.width} x {mesh.height} mesh")
    return y * mesh.width + x


def _port_to(item: Section, mesh: Mesh, router: int, to: int) -> int:
    """Return the one port of ``router`` that leads to router ``to``."""
    ports = [port for port, step in enumerate(mesh.steps) if _after(mesh, router, *step) == to]
    if len(ports) != 1 or router == to:
        count = "no link leads" if not ports or router == to else f"{len(ports)} links lead"
        raise item.error("to", f"{count} there in one hop; name the two ends of one link")
    return ports[0]


def read_dead(section: Section, mesh: Mesh) -> Dead:
    """Read the list of what does not work: "core 3,4", "router 5,5", "link 0,1 east"."""
    cores, routers, links = [], [], []
    for number, text in enumerate(section.texts("dead")):
        match = _DEAD.fullmatch(text)
        if match is None:
            raise section.error(
                "dead",
                f'item {number}: expected "core x,y", "router x,y" or "link x,y DIRECTION" '
                f"(a core of several at a router: x,y,number), got {shown(text)}",
            )
        kind, x, y, local, direction = match.groups()
        if int(x) >= mesh.width or int(y) >= mesh.height:
            raise section.error(
                "dead", f"item {number}: {x},{y} is not on the {mesh.width} x {mesh.height} mesh"
            )
        router = int(y) * mesh.width + int(x)
        if router in mesh.absent:
            raise section.error("dead", f"item {number}: {x},{y} is not on the 48-chip board")
        try:
            if kind == "link":
                links.append((router, _port(mesh, router, direction, local)))
            elif direction is not None or (kind == "router" and local is not None):
                raise InputError("a direction belongs to a link, a third number to a core")
            elif kind == "core":
                cores.append(_core(mesh, router, local))
            else:
                routers.append(router)
        except InputError as error:
            raise section.error("dead", f"item {number}, {shown(text)}: {error}") from None
    if mesh.io[1] * mesh.width + mesh.io[0] in routers:
        raise section.error("dead", f"the router at which input enters, mesh.io {mesh.io}, is dead")
    if mesh.routing != "xy" and (routers or links):
        raise section.error(
            "dead",
            f"{mesh.routing} routing needs all routers and links: the turns it forbids leave no "
            "way around a dead one between some cores; use routing: xy",
        )
    return Dead(tuple(cores), tuple(routers), tuple(links))


def _core(mesh: Mesh, router: int, local: str | None) -> int:
    """Return the core number; InputError if there is no such core."""
    number = int(local or 0)
    if number >= mesh.cores_per_router:
        raise InputError(f"a router has {mesh.cores_per_router} cores, numbered from 0")
    return router * mesh.cores_per_router + number


def _port(mesh: Mesh, router: int, direction: str | None, local: str | None) -> int:
    """Return the link port of a direction; InputError if there is no such link."""
    names = [STEP_NAMES[step] for step in mesh.steps]
    if direction not in names or local is not None:
        raise InputError(f'write "link x,y DIRECTION", one of {", ".join(names)}')
    dx, dy = mesh.steps[names.index(direction)]
    if _after(mesh, router, dx, dy) is None:
        raise InputError("there is no link over the edge of a mesh")
    return names.index(direction)


def _after(mesh: Mesh, router: int, dx: int, dy: int) -> int | None:
    """Return the router that a link by (dx, dy) leads to, None if there is no such link."""
    x, y = router % mesh.width + dx, router // mesh.width + dy
    if not mesh.wraps and not (0 <= x < mesh.width and 0 <= y < mesh.height):
        return None
    after = y % mesh.height * mesh.width + x % mesh.width
    return None if {router, after} & mesh.absent else after
