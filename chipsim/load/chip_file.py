"""Reads a chip file (``docs/chip-file.md``) into a `Chip` or `ProcessorChip`, checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chipsim import chip as model
from chipsim.chip import Arithmetic, Chip, Core, Phase, price_path, special_link
from chipsim.config import Section, apply_overrides, read_yaml
from chipsim.errors import InputError
from chipsim.load import chip_schema as schema
from chipsim.load import processor_schema
from chipsim.load.chip_leaves import Leaves
from chipsim.load.chip_mesh import read_mesh
from chipsim.load.processor_chip import processor_chip_from_section
from chipsim.processor_chip import ProcessorChip
from chipsim.yaml_tree import shown

_CHIPS = Path(model.__file__).parent / "chips"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OPTIONAL = (
    *(f"mesh.{key}" for key in (*schema.MESH_OPTIONS, *schema.MESH_OTHERS)),
    *(f"energy.{key}" for kind in schema.CORE_KINDS.values() for key in kind.optional),
    *(f"core.{key}" for key in schema.ARITHMETIC_WORDS),
    *processor_schema.OPTIONAL,
)
"""What an override may add to a chip file that leaves it out."""


def shipped_chips() -> dict[str, Path]:
    """Return the chip files that come with chipsim, by name."""
    return {path.stem: path for path in sorted(_CHIPS.glob("*.yaml"))}


def read_chip(name_or_path: str, overrides: Sequence[str] = ()) -> Chip | ProcessorChip:
    """Read the chip file at a path, or the shipped chip of that name (``tianjic[.yaml]``).

    An existing file wins over a shipped chip.  ``overrides`` are ``"core.weight_bits=8"``.  Raises
    `InputError`, which names the place, for an unknown chip, a bad file or a bad override.
    """
    root = apply_overrides(read_yaml(_locate(name_or_path)), overrides, _OPTIONAL)
    return chip_from_section(root)


def read_crossbar_chip(name_or_path: str, overrides: Sequence[str] = ()) -> Chip:
    """Read the file of a crossbar chip as `read_chip` does; InputError if it has processors."""
    chip = read_chip(name_or_path, overrides)
    if isinstance(chip, ProcessorChip):
        raise InputError(f"chip {shown(name_or_path)}: a chip of crossbar cores is needed here")
    return chip


def _locate(name_or_path: str) -> Path:
    shipped = shipped_chips()
    path = Path(name_or_path)
    try:
        is_file, is_directory = path.is_file(), path.is_dir()
    except (OSError, ValueError):
        is_file = is_directory = False
    if is_file:
        return path
    name = name_or_path.removesuffix(".yaml")
    if name in shipped:
        return shipped[name]
    if is_directory:
        raise InputError(f"{path}: expected a chip file, this is a directory")
    raise InputError(
        f"chip {shown(name_or_path)}: no such file and no shipped chip of that name; "
        f"shipped chips: {', '.join(shipped)}"
    )


def chip_from_section(root: Section) -> Chip | ProcessorChip:
    """Build a chip of the parsed chip file ``root``; raises `InputError`.

    A file with a ``machine`` or a ``tick`` describes processors, any other synchronous crossbars.
    """
    name = root.text("chip")
    if not _NAME.fullmatch(name):
        raise root.error("chip", "expected a name of letters, digits, '.', '_' and '-'")
    if {"machine", "tick"} & set(root.keys()):
        return processor_chip_from_section(root, name)
    return _crossbar_chip(root, name)


def _crossbar_chip(root: Section, name: str) -> Chip:
    leaves = Leaves()
    clock = leaves.number(root, "clock", schema.CLOCK)
    mesh = read_mesh(root.section("mesh"), leaves)
    phase = _phase(root.section("phase"), leaves)
    core = _core(root.section("core"), leaves)
    kind = schema.CORE_KINDS[core.kind]
    energy = root.section("energy")
    actions = [*kind.actions, *(action for action in kind.optional if energy.has(action))]
    for action in actions:
        leaves.number(energy, action, schema.PRICE)
    prices = {action: leaves.constants[price_path(action)] for action in actions}
    for index in range(len(mesh.special)):
        link = special_link(index)
        if price_path(link) in leaves.constants:
            prices[link] = leaves.constants[price_path(link)]
    power = root.section("power")
    leaves.number(power, "static", schema.STATIC_POWER)
    root.finish()
    return Chip(
        name=name,
        clock_hz=clock,
        mesh=mesh,
        phase=phase,
        core=core,
        prices=prices,
        static_power=leaves.constants["power.static"],
        constants=leaves.constants,
        choices=leaves.choices,
    )


def _phase(section: Section, leaves: Leaves) -> Phase:
    phase = Phase(mode=leaves.word(section, "mode", Phase), **leaves.whole(section, schema.PHASE))
    if phase.mode == "fixed" and phase.sync_cycles >= phase.cycles:
        raise section.error(
            "sync_cycles",
            f"expected fewer than the {phase.cycles} cycles of the phase, got {phase.sync_cycles}",
        )
    return phase


def _core(section: Section, leaves: Leaves) -> Core:
    kind = leaves.word(section, "kind", Core)
    memory = section.section("memory")
    sizes = dict.fromkeys(schema.CORE_KINDS[kind].memories, schema.MEMORY)
    return Core(
        kind=kind,
        arithmetic=_arithmetic(section, leaves),
        memory=leaves.whole(memory, sizes),
        **leaves.whole(section, schema.CORE),
    )


def _arithmetic(section: Section, leaves: Leaves) -> Arithmetic:
    given = [key for key in schema.ARITHMETIC_WORDS if section.has(key)]
    formats: dict[str, Any] = {
        **{key: leaves.word(section, key, Arithmetic) for key in ("rounding", "overflow", *given)},
        **leaves.whole(section, schema.ARITHMETIC),
    }
    return Arithmetic(**formats)
