"""Mappings onto processors kept in a file: JSON that a person can read, one slice or key a line.

A core is written ``x,y,n``: chip and core on it.  Keys and masks are hexadecimal.  Routing tables
are not kept: they follow from the mapping.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from chipsim.mapping.json_node import Node, errors_in, read_json, write_lines
from chipsim.mapping.model import MemoryUse
from chipsim.mapping.processor.checks import check_mapping
from chipsim.mapping.processor.demand import make_demands
from chipsim.mapping.processor.model import (
    CoreSlice,
    KeyKind,
    KeySpace,
    ProcessorMapping,
    Program,
)
from chipsim.network import Network, PlasticityMode
from chipsim.processor_chip import Machine, ProcessorChip

FORMAT = "chipsim processor mapping 1"
MODES: dict[str, PlasticityMode] = {word: word for word in get_args(PlasticityMode)}
PROGRAMS: dict[str, Program] = {word: word for word in get_args(Program)}
KEY_KINDS: dict[str, KeyKind] = {word: word for word in get_args(KeyKind) if word != "delayed"}
STAGE = "stage "

HEADER = (
    "format", "network", "chip", "machine", "plasticity", "placer", "offsets", "signal_delay",
)  # fmt: skip
LISTS = ("reasons", "slices", "keys", "memory")
SLICE = ("index", "population", "program", "neurons", "core")
KEY = ("slice", "kind", "key", "mask", "targets")
MEMORY = ("slice", "memory", "items", "budget")


def write_mapping(path: Path, mapping: ProcessorMapping, chip: ProcessorChip) -> None:
    """Write a mapping made for ``chip``: aside first, then renamed, so it is whole or absent.

    Raises InputError if the file cannot be written.
    """
    write_lines(path, _lines(mapping, chip.machine))


def read_mapping(path: Path, network: Network, chip: ProcessorChip) -> ProcessorMapping:
    """Read a mapping of ``network`` onto ``chip`` and check it whole.

    Raises InputError naming file and key if it is malformed or of another network or chip, and
    DoesNotFitError if it exceeds a budget of this chip.
    """
    mapping = _parse(read_json(path), network, chip)
    with errors_in(path):
        demands = make_demands(network, chip, mapping.plasticity)
        check_mapping(mapping, network, chip, demands)
    return mapping


def _machine_name(machine: Machine) -> str:
    return f"{machine.shape} {machine.columns}x{machine.rows}x{machine.cores}"


def _lines(mapping: ProcessorMapping, machine: Machine) -> Iterator[str]:
    """Yield the file line by line: the header's entries, then each list, an item a line."""
    values: tuple[object, ...] = (
        FORMAT, mapping.network, mapping.chip, _machine_name(machine), mapping.plasticity,
        mapping.placer, dict(mapping.offsets), mapping.signal_delay,
    )  # fmt: skip
    yield "{\n"
    for name, value in zip(HEADER, values, strict=True):
        yield f"{json.dumps(name)}: {json.dumps(value)},\n"
    for name, rows in zip(LISTS, _rows(mapping, machine), strict=True):
        body = ",\n".join(json.dumps(row) for row in rows)
        comma = "" if name == LISTS[-1] else ","
        yield f"{json.dumps(name)}: [{body and chr(10) + body + chr(10)}]{comma}\n"
    yield "}\n"


def _rows(mapping: ProcessorMapping, machine: Machine) -> tuple[list[object], ...]:
    slices: list[object] = [
        {
            "index": piece.index,
            "population": piece.population,
            "program": piece.program,
            "neurons": [piece.first, piece.count],
            "core": _core_name(core, machine),
        }
        for piece, core in zip(mapping.slices, mapping.placement, strict=True)
    ]
    keys: list[object] = [
        {
            "slice": space.slice,
            "kind": f"{STAGE}{space.stage}" if space.stage else space.kind,
            "key": f"0x{space.key:08x}",
            "mask": f"0x{space.mask:08x}",
            "targets": list(space.targets),
        }
        for space in mapping.keys
    ]
    memory: list[object] = [
        {"slice": i, "memory": use.memory, "items": dict(use.items), "budget": use.budget}
        for i, uses in enumerate(mapping.memory)
        for use in uses
    ]
    return list(mapping.reasons), slices, keys, memory


def _core_name(core: int, machine: Machine) -> str:
    router, number = divmod(core, machine.cores)
    return f"{router % machine.columns},{router // machine.columns},{number}"


def _parse(root: Node, network: Network, chip: ProcessorChip) -> ProcessorMapping:
    top = root.fields(HEADER + LISTS)
    top["format"].require(FORMAT)
    top["network"].require(network.name)
    top["chip"].require(chip.name)
    top["machine"].require(_machine_name(chip.machine))
    pieces = [item.fields(SLICE) for item in top["slices"].items()]
    return ProcessorMapping(
        network=network.name,
        chip=chip.name,
        plasticity=top["plasticity"].choice(MODES),
        slices=tuple(_parse_slice(field) for field in pieces),
        placement=tuple(_core(field["core"], chip.machine) for field in pieces),
        offsets={name: node.integer() for name, node in top["offsets"].entries().items()},
        keys=tuple(_parse_key(item) for item in top["keys"].items()),
        memory=_parse_memory(top["memory"]),
        placer=top["placer"].text(),
        reasons=tuple(node.text() for node in top["reasons"].items()),
        signal_delay=top["signal_delay"].integer(),
    )


def _parse_slice(field: dict[str, Node]) -> CoreSlice:
    first, count = field["neurons"].items(2)
    return CoreSlice(
        field["index"].integer(),
        field["population"].text(),
        field["program"].choice(PROGRAMS),
        first.integer(),
        count.integer(1),
    )


def _parse_key(item: Node) -> KeySpace:
    field = item.fields(KEY)
    kind, stage = _kind(field["kind"])
    return KeySpace(
        field["slice"].integer(),
        kind,
        _hexadecimal(field["key"]),
        _hexadecimal(field["mask"]),
        tuple(target.integer() for target in field["targets"].items()),
        stage,
    )


def _kind(node: Node) -> tuple[KeyKind, int]:
    """Return kind and delay stage of a key: ``stage N`` is that of a delay extension."""
    found = re.fullmatch(STAGE + "([1-9][0-9]?)", node.text(), re.ASCII)
    if found:
        return "delayed", int(found[1])
    return node.choice(KEY_KINDS), 0


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


def _hexadecimal(node: Node) -> int:
    text = node.text()
    if not re.fullmatch(r"0x[0-9a-f]{8}", text, re.ASCII):
        node.refuse(f"{text!r} given, eight hexadecimal digits such as 0x00000040 are due")
    return int(text, 16)


def _core(node: Node, machine: Machine) -> int:
    """Return the core at ``x,y,n``, written in its one canonical form."""
    text = node.text()
    if not re.fullmatch(r"(0|[1-9][0-9]{0,8})(,(0|[1-9][0-9]{0,8})){2}", text, re.ASCII):
        node.refuse(f"{text!r} given, a core is written x,y,n: its chip and its number there")
    x, y, number = (int(part) for part in text.split(","))
    if x >= machine.columns or y >= machine.rows or number >= machine.cores:
        node.refuse(f"core {text} is not on the {_machine_name(machine)} machine")
    return (y * machine.columns + x) * machine.cores + number
