"""Mappings kept in a file: JSON that a person can read, one slice, flow or task a line.

Routers are written as their coordinates ``x,y`` (a core among several at a router as ``x,y,n``), a
route as the ports a packet leaves each router by: E, W, N, S, on a triangular torus also A
(north-east) and B (south-west), and L (to the core there; M, O, P to a second, third, fourth).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from chipsim.chip import Chip, Mesh
from chipsim.mapping import model
from chipsim.mapping.checks import check_mapping
from chipsim.mapping.json_node import Node, errors_in, read_json, write_lines
from chipsim.mapping.model import (
    Axons,
    Flow,
    FlowKind,
    Mapping,
    MemoryUse,
    Role,
    Route,
    Schedule,
    Slice,
    Task,
    TaskKind,
)
from chipsim.network import Network, PlasticityMode

FORMAT = "chipsim mapping 1"
LINK_LETTERS = {(1, 0): "E", (-1, 0): "W", (0, 1): "N", (0, -1): "S", (1, 1): "A", (-1, -1): "B"}
LOCAL_LETTERS = "LMOP"
MODES: dict[str, PlasticityMode] = {word: word for word in get_args(PlasticityMode)}
ROLES: dict[str, Role] = {word: word for word in get_args(Role)}
FLOW_KINDS: dict[str, FlowKind] = {word: word for word in get_args(FlowKind)}
TASK_KINDS: dict[str, TaskKind] = {word: word for word in get_args(TaskKind)}

HEADER = ("format", "network", "chip", "mesh", "plasticity", "placer", "interval", "depth")
LISTS = ("reasons", "schedule_reasons", "slices", "flows", "tasks", "memory")
SLICE = ("index", "population", "role", "neurons", "axons", "plastic", "core")
FLOW = (
    "kind", "source", "population", "neurons", "targets", "packets_per_neuron",
    "neurons_per_packet", "bits", "from", "route",
)  # fmt: skip
TASK = ("slice", "task", "offset", "cycles")
MEMORY = ("slice", "memory", "items", "budget")


def write_mapping(path: Path, mapping: Mapping, chip: Chip) -> None:
    """Write a mapping made for ``chip``: aside first, then renamed, so it is whole or absent.

    Raises InputError if the file cannot be written.
    """
    write_lines(path, _lines(mapping, chip.mesh))


def read_mapping(path: Path, network: Network, chip: Chip) -> Mapping:
    """Read a mapping of ``network`` onto ``chip`` and check it whole.

    Raises InputError naming file and key if it is malformed or of another network or chip, and
    DoesNotFitError if it exceeds a budget of this chip.
    """
    mapping = _parse(read_json(path), network, chip)
    with errors_in(path):
        check_mapping(mapping, network, chip)
    return mapping


def _lines(mapping: Mapping, mesh: Mesh) -> Iterator[str]:
    """Yield the file line by line: the header's entries, then each list, an item a line."""
    values = (
        FORMAT, mapping.network, mapping.chip, f"{mesh.width}x{mesh.height}", mapping.plasticity,
        mapping.placer, mapping.schedule.interval, mapping.schedule.depth,
    )  # fmt: skip
    yield "{\n"
    for name, value in zip(HEADER, values, strict=True):
        yield f"{json.dumps(name)}: {json.dumps(value)},\n"
    for name, rows in zip(LISTS, _rows(mapping, mesh), strict=True):
        body = ",\n".join(json.dumps(row) for row in rows)
        comma = "" if name == LISTS[-1] else ","
        yield f"{json.dumps(name)}: [{body and chr(10) + body + chr(10)}]{comma}\n"
    yield "}\n"


def _rows(mapping: Mapping, mesh: Mesh) -> tuple[list[object], ...]:
    slices: list[object] = [
        {
            "index": piece.index,
            "population": piece.population,
            "role": piece.role,
            "neurons": [piece.first, piece.count],
            "axons": [[run.projection, run.first, run.count] for run in piece.axons],
            "plastic": piece.plastic,
            "core": _core_name(core, mesh),
        }
        for piece, core in zip(mapping.slices, mapping.placement, strict=True)
    ]
    flows: list[object] = [
        {
            "kind": flow.kind,
            "source": flow.source,
            "population": flow.population,
            "neurons": [flow.first, flow.count],
            "targets": list(flow.targets),
            "packets_per_neuron": flow.packets_per_neuron,
            "neurons_per_packet": flow.neurons_per_packet,
            "bits": flow.bits,
            "from": _coordinates(route.source, mesh),
            "route": {
                _coordinates(r, mesh): _letters(mask, mesh) for r, mask in route.ports.items()
            },
        }
        for flow, route in zip(mapping.flows, mapping.routes, strict=True)
    ]
    tasks: list[object] = [
        {"slice": task.slice, "task": task.kind, "offset": task.offset, "cycles": task.cycles}
        for task in mapping.schedule.tasks
    ]
    memory: list[object] = [
        {"slice": i, "memory": use.memory, "items": dict(use.items), "budget": use.budget}
        for i, uses in enumerate(mapping.memory)
        for use in uses
    ]
    return list(mapping.reasons), list(mapping.schedule.reasons), slices, flows, tasks, memory


def _coordinates(router: int, mesh: Mesh) -> str:
    return f"{router % mesh.width},{router // mesh.width}"


def _core_name(core: int, mesh: Mesh) -> str:
    at = _coordinates(mesh.router_of(core), mesh)
    return at if mesh.cores_per_router == 1 else f"{at},{core % mesh.cores_per_router}"


def _ports(mesh: Mesh) -> dict[str, int]:
    """Return the letters of a router's ports with their bits."""
    letters = [LINK_LETTERS[step] for step in mesh.steps]
    letters += LOCAL_LETTERS[: mesh.cores_per_router]
    return {letter: 1 << port for port, letter in enumerate(letters)}


def _letters(mask: int, mesh: Mesh) -> str:
    return "".join(letter for letter, port in _ports(mesh).items() if mask & port)


def _parse(root: Node, network: Network, chip: Chip) -> Mapping:
    top = root.fields(HEADER + LISTS)
    top["format"].require(FORMAT)
    top["network"].require(network.name)
    top["chip"].require(chip.name)
    top["mesh"].require(f"{chip.mesh.width}x{chip.mesh.height}")
    slices, placement = _parse_slices(top["slices"], chip.mesh)
    flows, routes = _parse_flows(top["flows"], chip.mesh)
    return Mapping(
        network=network.name,
        chip=chip.name,
        plasticity=top["plasticity"].choice(MODES),
        slices=slices,
        placement=placement,
        flows=flows,
        routes=routes,
        schedule=Schedule(
            top["interval"].integer(1),
            top["depth"].integer(1),
            tuple(_parse_task(node) for node in top["tasks"].items()),
            tuple(node.text() for node in top["schedule_reasons"].items()),
        ),
        memory=_parse_memory(top["memory"]),
        placer=top["placer"].text(),
        reasons=tuple(node.text() for node in top["reasons"].items()),
    )


def _parse_slices(node: Node, mesh: Mesh) -> tuple[tuple[Slice, ...], tuple[int, ...]]:
    slices, placement = [], []
    for item in node.items():
        field = item.fields(SLICE)
        first, count = field["neurons"].items(2)
        axons = []
        for run in field["axons"].items():
            projection, low, number = run.items(3)
            axons.append(Axons(projection.text(), low.integer(), number.integer(1)))
        slices.append(
            Slice(
                field["index"].integer(),
                field["population"].text(),
                field["role"].choice(ROLES),
                first.integer(),
                count.integer(1),
                tuple(axons),
                field["plastic"].flag(),
            )
        )
        placement.append(_core(field["core"], mesh))
    return tuple(slices), tuple(placement)


def _parse_flows(node: Node, mesh: Mesh) -> tuple[tuple[Flow, ...], tuple[Route, ...]]:
    flows, routes = [], []
    for item in node.items():
        field = item.fields(FLOW)
        first, count = field["neurons"].items(2)
        flows.append(
            Flow(
                field["kind"].choice(FLOW_KINDS),
                field["source"].integer(model.INPUT_PORT),
                field["population"].text(),
                first.integer(),
                count.integer(1),
                tuple(target.integer() for target in field["targets"].items()),
                field["packets_per_neuron"].integer(1),
                field["neurons_per_packet"].integer(1),
                field["bits"].integer(),
            )
        )
        ports: dict[int, int] = {}
        for at, letters in field["route"].entries().items():
            router = _router(letters, at, mesh)
            ports[router] = _mask(letters, _ports(mesh))
        routes.append(Route(_router(field["from"], field["from"].text(), mesh), ports))
    return tuple(flows), tuple(routes)


def _parse_task(node: Node) -> Task:
    field = node.fields(TASK)
    return Task(
        field["slice"].integer(),
        field["task"].choice(TASK_KINDS),
        field["offset"].integer(),
        field["cycles"].integer(),
    )


def _parse_memory(node: Node) -> tuple[tuple[MemoryUse, ...], ...]:
    uses: dict[int, list[MemoryUse]] = {}
    for item in node.items():
        field = item.fields(MEMORY)
        items = {name: size.integer() for name, size in field["items"].entries().items()}
        use = MemoryUse(field["memory"].text(), items, field["budget"].integer())
        uses.setdefault(field["slice"].integer(), []).append(use)
    if list(uses) != list(range(len(uses))):
        node.refuse(f"the slices are not listed one after the other from 0 to {len(uses) - 1}")
    return tuple(tuple(held) for held in uses.values())


def _router(node: Node, coordinates: str, mesh: Mesh) -> int:
    """Return the router at ``x,y``, written in its one canonical form."""
    if not re.fullmatch(r"(0|[1-9][0-9]{0,8}),(0|[1-9][0-9]{0,8})", coordinates, re.ASCII):
        node.refuse(f"{coordinates!r} given, a router is written x,y")
    x, y = (int(part) for part in coordinates.split(","))
    if x >= mesh.width or y >= mesh.height:
        node.refuse(f"router {coordinates} is not on the {mesh.width}x{mesh.height} mesh")
    return y * mesh.width + x


def _core(node: Node, mesh: Mesh) -> int:
    """Return the core at ``x,y``, or at ``x,y,n`` where a router has several."""
    text = node.text()
    if mesh.cores_per_router == 1:
        return _router(node, text, mesh)
    at, _, number = text.rpartition(",")
    if number not in [str(local) for local in range(mesh.cores_per_router)]:
        node.refuse(f"{text!r} given, a core is written x,y,n, n below {mesh.cores_per_router}")
    return _router(node, at, mesh) * mesh.cores_per_router + int(number)


def _mask(node: Node, ports: dict[str, int]) -> int:
    letters = node.text()
    mask = 0
    for letter in letters:
        port = ports.get(letter, 0)
        if not port or mask & port:
            node.refuse(f"{letters!r} given, ports are {', '.join(ports)}, each at most once")
        mask |= port
    return mask
