"""Reads the ``mesh`` part of a chip file, and says what of it cannot work."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from chipsim.chip import STEP_NAMES, Dead, Mesh
from chipsim.config import Section
from chipsim.errors import InputError
from chipsim.load import chip_schema as schema
from chipsim.load.chip_leaves import Leaves
from chipsim.yaml_tree import shown

_DEAD = re.compile(r"(core|router|link) (\d{1,4}),(\d{1,4})(?:,(\d))?(?: ([a-z-]+))?", re.ASCII)
_CHIP_KEYS = ("chip_width", "chip_height", "chip_hop_cycles", "chip_link_interval")


def read_mesh(section: Section, leaves: Leaves) -> Mesh:
    """Read the mesh; raises `InputError` for what is wrong or would block itself for good."""
    options: dict[str, Any] = dict(leaves.whole(section, schema.MESH))
    options |= leaves.given(section, schema.MESH_OPTIONS)
    topology = leaves.word(section, "topology", Mesh)
    if section.has("flow"):
        options["flow"] = leaves.word(section, "flow", Mesh)
    if topology != "mesh":
        options.setdefault("vcs", 2)
    mesh = Mesh(
        topology=topology,
        routing=leaves.word(section, "routing", Mesh),
        multicast=leaves.word(section, "multicast", Mesh),
        io=_io(section, leaves),
        **options,
    )
    _check_io(section, mesh)
    _check_flow(section, mesh)
    _check_routing(section, mesh)
    _check_chips(section, mesh)
    return replace(mesh, dead=_dead(section, mesh)) if section.has("dead") else mesh


def _io(section: Section, leaves: Leaves) -> tuple[int, int]:
    quantity = schema.IO
    pair = section.constants("io", quantity.dimension, 2, whole=True, bounds=quantity.bounds)
    for index, constant in enumerate(pair):
        leaves.constants[f"{section.path_of('io')}[{index}]"] = constant
    return int(pair[0].value), int(pair[1].value)


def _check_io(section: Section, mesh: Mesh) -> None:
    """Input enters a mesh at its edge, where a port is free, and a torus anywhere."""
    x, y = mesh.io
    inside = x < mesh.width and y < mesh.height
    on_edge = x in (0, mesh.width - 1) or y in (0, mesh.height - 1)
    if not inside or not (on_edge or mesh.wraps):
        where = "in" if mesh.wraps else "on the edge of"
        raise section.error(
            "io",
            f"expected a router {where} the {mesh.width} x {mesh.height} mesh "
            f"(x in 0..{mesh.width - 1}, y in 0..{mesh.height - 1}), got [{x}, {y}]",
        )


def _check_flow(section: Section, mesh: Mesh) -> None:
    """Channels must suffice for rings, ports for cores, buffers for whole packets."""
    if mesh.wraps and mesh.vcs % 2:
        raise section.error(
            "vcs" if section.has("vcs") else "topology",
            f"expected an even number of channels on a {mesh.topology} topology, got {mesh.vcs}: "
            "packets change to the upper half behind the dateline, or they could block each other "
            "in a ring (deadlock)",
        )
    most = schema.MOST_CORES_PER_ROUTER[mesh.topology]
    if mesh.cores_per_router > most:
        raise section.error(
            "cores_per_router",
            f"expected 1 to {most} on a {mesh.topology} topology, whose routers have eight ports "
            f"in all, got {mesh.cores_per_router}",
        )
    if mesh.header_bits and not mesh.flit_bits:
        raise section.error("header_bits", "counts only where flit_bits is given; add flit_bits")
    flits = mesh.flits(mesh.payload_bits)
    if mesh.flow == "cut_through" and flits > mesh.buffer_flits:
        raise section.error(
            "flow",
            f"cut_through needs buffers for a whole packet, {flits} flits, got buffer_flits "
            f"{mesh.buffer_flits}",
        )


def _check_routing(section: Section, mesh: Mesh) -> None:
    """Adaptive routing is for unicast packets on a mesh: only there its turns suffice."""
    if mesh.routing == "xy":
        return
    if mesh.topology != "mesh":
        raise section.error(
            "routing",
            f"expected xy on a {mesh.topology} topology, got {mesh.routing}: its forbidden turns "
            "keep packets from blocking each other (deadlock) only on a mesh",
        )
    if mesh.multicast != "unicast":
        raise section.error(
            "routing",
            f"{mesh.routing} is adaptive and needs multicast: unicast (a tree is fixed when it is "
            f"mapped), got multicast {mesh.multicast}",
        )


def _check_chips(section: Section, mesh: Mesh) -> None:
    """Several chips take all of their keys, and whole chips."""
    given = [key for key in _CHIP_KEYS if section.has(key)]
    if not given:
        return
    missing = [key for key in _CHIP_KEYS[:3] if key not in given]
    if missing:
        raise section.error(given[0], f"needs {', '.join(missing)} as well: chips in one mesh")
    for key, size, of in (
        ("chip_width", mesh.width, mesh.chip_width),
        ("chip_height", mesh.height, mesh.chip_height),
    ):
        if size % of:
            raise section.error(key, f"expected a divisor of {size}, got {of}: chips must be whole")


def _dead(section: Section, mesh: Mesh) -> Dead:
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
            "dead", f"{mesh.routing} routing needs all routers and links; use routing: xy"
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
    x, y = router % mesh.width + dx, router // mesh.width + dy
    if not mesh.wraps and not (0 <= x < mesh.width and 0 <= y < mesh.height):
        raise InputError("there is no link over the edge of a mesh")
    return names.index(direction)
