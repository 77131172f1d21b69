"""Says why no way leads from one router to another where parts of a mesh are dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chipsim.chip import MESH_STEPS, STEP_NAMES, TRIANGLE_STEPS

if TYPE_CHECKING:  # topology says with this module why it finds no tree
    from chipsim.mesh.topology import Topology

MOST_NAMED = 6


def why_cut_off(topology: Topology, source: int, target: int) -> str:
    """Return in words which routers are cut off from the rest, and by which dead links.

    No way leads from router ``source`` to router ``target``.
    """
    island = min(_reached(topology, source), _reached(topology, target), key=len)
    steps = TRIANGLE_STEPS if topology.links == len(TRIANGLE_STEPS) else MESH_STEPS
    routers = [_at(topology, router) for router in sorted(island)]
    links = [
        f"{_at(topology, router)} {STEP_NAMES[steps[port]]}"
        for router, port in sorted(set(topology.broken))
        if router in island
    ]
    if not links:
        return f"there is no router at {', '.join(routers)}"
    verb = "is" if len(routers) == 1 else "are"
    return (
        f"{_few('router', routers)} {verb} cut off by the dead {_few('link', links)} (a dead "
        "router takes its links along)"
    )


def _reached(topology: Topology, start: int) -> set[int]:
    reached, waiting = {start}, [start]
    while waiting:
        for target in topology.leads[waiting.pop(), : topology.links].tolist():
            if target >= 0 and target >> 3 not in reached:
                reached.add(target >> 3)
                waiting.append(target >> 3)
    return reached


def _at(topology: Topology, router: int) -> str:
    return f"({router % topology.width}, {router // topology.width})"


def _few(noun: str, names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{noun}{'s' if len(names) > 1 else ''} {', '.join(names[:MOST_NAMED])}{more}"
