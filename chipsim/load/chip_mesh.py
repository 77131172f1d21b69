"""Reads the ``mesh`` part of a chip file, and says what of it cannot work."""

from __future__ import annotations

import re
from typing import Any

from chipsim.chip import STEP_NAMES, Dead, Mesh
from chipsim.config import Section
from chipsim.load import chip_schema as schema
from chipsim.load.chip_leaves import Leaves
from chipsim.yaml_tree import shown

_DEAD = re.compile(r"(core|router|link) (\d{1,4}),(\d{1,4})(?:,(\d))?(?: ([a-z-]+))?", re.ASCII)


def read_mesh(section: Section, leaves: Leaves) -> Mesh:
    """Read the mesh; raises `InputError` for what is wrong or would block itself for good."""
    numbers = leaves.whole(section, schema.MESH)
    options: dict[str, Any] = dict(leaves.given(section, schema.MESH_OPTIONS))
    if section.has("flow"):
        options["flow"] = leaves.word(section, "flow", Mesh)
    mesh = Mesh(
        topology=leaves.word(section, "topology", Mesh),
        routing=leaves.word(section, "routing", Mesh),
        multicast=leaves.word(section, "multicast", Mesh),
        io=_io(section, leaves),
        **numbers,
        **_defaults(section, numbers, options),
    )
    _check_io(section, mesh)
    _check_flow(section, mesh)
    _check_routing(section, mesh)
    _check_chips(section, mesh)
    if not section.has("dead"):
        return mesh
    dead = _dead(section, mesh)
    object.__setattr__(mesh, "dead", dead)
    _check_dead(section, mesh)
    return mesh


def _defaults(
    section: Section, numbers: dict[str, int], options: dict[str, Any]
) -> dict[str, Any]:
    """Fill in what other keys decide."""
    return options
