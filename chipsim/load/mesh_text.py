"""Writes a mesh as the ``mesh`` part of a chip file, and reads it when it stands alone."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from chipsim.chip import STEP_NAMES, Mesh
from chipsim.config import Section
from chipsim.load.chip_leaves import Leaves
from chipsim.load.chip_mesh import read_mesh

_LISTS = ("io", "special", "dead")


def mesh_as_mapping(mesh: Mesh) -> dict[str, Any]:
    """Return plain data that `mesh_of` makes ``mesh`` of again; what has its default is left out.

    Channels are always there, since their default depends on the topology.
    """
    defaults = {field.name: field.default for field in fields(Mesh)}
    mapping = {
        name: getattr(mesh, name)
        for name in defaults
        if name not in _LISTS and (name == "vcs" or getattr(mesh, name) != defaults[name])
    }
    mapping["io"] = list(mesh.io)
    if mesh.special:
        mapping["links"] = [_special(mesh, index) for index in range(len(mesh.special))]
    if mesh.dead != defaults["dead"]:
        mapping["dead"] = _dead(mesh)
    return mapping


def mesh_of(section: Section) -> Mesh:
    """Read a mesh that stands alone; raises `InputError` as for a chip file."""
    mesh = read_mesh(section, Leaves())
    section.finish()
    return mesh


def _special(mesh: Mesh, index: int) -> dict[str, Any]:
    link = mesh.special[index]
    dx, dy = mesh.steps[link.port]
    x, y = link.router % mesh.width, link.router // mesh.width
    cycles = {"hop_cycles": link.hop_cycles, "link_interval": link.link_interval}
    return {
        "from": [x, y],
        "to": [(x + dx) % mesh.width, (y + dy) % mesh.height],
        **{key: value for key, value in cycles.items() if value},
    }


def _dead(mesh: Mesh) -> list[str]:
    def place(router: int) -> str:
        return f"{router % mesh.width},{router // mesh.width}"

    of = mesh.cores_per_router
    return [
        *(f"core {place(core // of)},{core % of}" for core in mesh.dead.cores),
        *(f"router {place(router)}" for router in mesh.dead.routers),
        *(f"link {place(router)} {STEP_NAMES[mesh.steps[p]]}" for router, p in mesh.dead.links),
    ]
