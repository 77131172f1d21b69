"""The chips of a machine of processors as a topology: what links lead where."""

from __future__ import annotations

from dataclasses import replace

from chipsim.chip import TRIANGLE_STEPS
from chipsim.mesh.topology import Topology, triangular, without
from chipsim.processor_chip import Machine


def machine_topology(machine: Machine) -> Topology:
    """Return the routers and links of ``machine`` that are there and work.

    All shapes have SpiNNaker's six ports (east, north-east, north, west, south-west, south); router
    numbers are those of `Machine`.  InputError for a dead link or router that is not there.
    """
    whole = triangular(machine.columns, machine.rows)
    built = without(whole, machine.absent, _cut(machine)) if _cut(machine) else whole
    if machine.dead.routers or machine.dead.links:
        built = without(built, machine.dead.routers, machine.dead.links)
    return replace(built, name=f"{machine.shape} of {len(machine.working_routers)} routers")


def _cut(machine: Machine) -> list[tuple[int, int]]:
    """List the links of a triangular torus that a machine of this shape does not have."""
    if machine.shape not in ("board48", "mesh"):
        return []
    columns, rows = machine.columns, machine.rows
    wraps = (columns > 1, rows > 1)
    return [
        (y * columns + x, port)
        for y in range(rows)
        for x in range(columns)
        for port, (dx, dy) in enumerate(TRIANGLE_STEPS)
        if _leads_on(dx, dy, wraps)
        and (
            not (0 <= x + dx < columns and 0 <= y + dy < rows)
            or (machine.shape == "mesh" and dx and dy)
        )
    ]


def _leads_on(dx: int, dy: int, wraps: tuple[bool, bool]) -> bool:
    """Whether a torus has this link at all: not where it would lead back to its own router."""
    return bool((dx and wraps[0]) or (dy and wraps[1]))
