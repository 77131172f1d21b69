"""Reads the ``mesh`` part of a chip file, and says what of it cannot work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chipsim.chip import BOARD_SIDE, TRIAD, Mesh
from chipsim.config import Section
from chipsim.load import chip_schema as schema
from chipsim.load.chip_leaves import Leaves
from chipsim.load.chip_parts import read_dead, read_special

_CHIP_KEYS = ("chip_width", "chip_height", "chip_hop_cycles", "chip_link_interval")


def read_mesh(section: Section, leaves: Leaves) -> Mesh:
    """Read the mesh; raises `InputError` for what is wrong or would block itself for good."""
    options: dict[str, Any] = dict(leaves.whole(section, schema.MESH))
    options |= leaves.given(section, schema.MESH_OPTIONS)
    topology = leaves.word(section, "topology", Mesh)
    for key in ("flow", "ring_classes"):
        if section.has(key):
            options[key] = leaves.word(section, key, Mesh)
    if topology not in ("mesh", "board48"):
        options.setdefault("vcs", 2)
    mesh = Mesh(
        topology=topology,
        routing=leaves.word(section, "routing", Mesh),
        multicast=leaves.word(section, "multicast", Mesh),
        io=_io(section, leaves),
        **options,
    )
    _check_size(section, mesh)
    _check_io(section, mesh)
    _check_flow(section, mesh)
    _check_routing(section, mesh)
    _check_chips(section, mesh)
    if section.has("links"):
        mesh = replace(mesh, special=read_special(section, mesh, leaves))
    _check_head_stages(section, mesh)
    return replace(mesh, dead=read_dead(section, mesh)) if section.has("dead") else mesh


def _io(section: Section, leaves: Leaves) -> tuple[int, int]:
    quantity = schema.IO
    pair = section.constants("io", quantity.dimension, 2, whole=True, bounds=quantity.bounds)
    for index, constant in enumerate(pair):
        leaves.constants[f"{section.path_of('io')}[{index}]"] = constant
    return int(pair[0].value), int(pair[1].value)


def _check_size(section: Section, mesh: Mesh) -> None:
    """Boards have their size, and slow links between boards are where boards are."""
    for key, size in (("width", mesh.width), ("height", mesh.height)):
        if mesh.topology == "board48" and size != BOARD_SIDE:
            raise section.error(key, f"expected {BOARD_SIDE} on a board48 topology, got {size}")
        if mesh.topology == "board_torus" and size % TRIAD:
            raise section.error(
                key,
                f"expected a multiple of {TRIAD} on a board_torus topology (triads of three "
                f"boards), got {size}",
            )
    for key in ("board_hop_cycles", "board_link_interval"):
        if section.has(key) and mesh.topology != "board_torus":
            raise section.error(key, "counts only between boards; use topology: board_torus")


def _check_io(section: Section, mesh: Mesh) -> None:
    """Input enters a mesh at its edge, where a port is free, and anything else anywhere."""
    x, y = mesh.io
    inside = x < mesh.width and y < mesh.height and y * mesh.width + x not in mesh.absent
    on_edge = x in (0, mesh.width - 1) or y in (0, mesh.height - 1)
    if not inside or (mesh.topology == "mesh" and not on_edge):
        where = "on the edge of" if mesh.topology == "mesh" else "in"
        place = f"{mesh.width} x {mesh.height} mesh (x in 0..{mesh.width - 1}, y in "
        place += f"0..{mesh.height - 1})"
        raise section.error(
            "io",
            f"expected a router {where} the {'48-chip board' if mesh.absent else place}, "
            f"got [{x}, {y}]",
        )


def _check_flow(section: Section, mesh: Mesh) -> None:
    """Channels must suffice for rings, ports for cores, buffers for whole packets."""
    if mesh.wraps and mesh.vcs % 2:
        raise section.error(
            "vcs" if section.has("vcs") else "topology",
            f"expected an even number of channels on a {mesh.topology} topology, got {mesh.vcs}: "
            "packets that cross the dateline take the upper half, or they could block each other "
            "in a ring (deadlock)",
        )
    if section.has("ring_classes") and not mesh.wraps:
        raise section.error(
            "ring_classes",
            "counts only where links go around; use topology: torus, triangular or board_torus",
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


def _check_head_stages(section: Section, mesh: Mesh) -> None:
    """Flits behind a head take a cycle at least for every hop."""
    hops = {
        "hop_cycles": mesh.hop_cycles,
        "chip_hop_cycles": mesh.chip_hop_cycles,
        "board_hop_cycles": mesh.board_hop_cycles,
    } | {f"links[{i}].hop_cycles": link.hop_cycles for i, link in enumerate(mesh.special)}
    given = {key: cycles for key, cycles in hops.items() if cycles}
    shortest = min(given, key=lambda key: given[key])
    if mesh.head_stages >= given[shortest]:
        raise section.error(
            "head_stages",
            f"expected less than the cycles of any hop, which the flits behind a head take without "
            f"these stages; {shortest} is {given[shortest]}, got {mesh.head_stages}",
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
