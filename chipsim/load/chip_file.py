"""Reads a chip file (``docs/chip-file.md``) into a `Chip`, checked and with provenance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from chipsim import chip as model
from chipsim.chip import Arithmetic, Chip, Core, Phase
from chipsim.config import Section, apply_overrides, read_yaml
from chipsim.errors import InputError
from chipsim.load import chip_schema as schema
from chipsim.load.chip_leaves import Leaves
from chipsim.load.chip_mesh import read_mesh
from chipsim.yaml_tree import shown

_CHIPS = Path(model.__file__).parent / "chips"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def shipped_chips() -> dict[str, Path]:
    """Return the chip files that come with chipsim, by name."""
    return {path.stem: path for path in sorted(_CHIPS.glob("*.yaml"))}


def read_chip(name_or_path: str, overrides: Sequence[str] = ()) -> Chip:
    """Read the chip file at a path, or the shipped chip of that name (``tianjic[.yaml]``).

    An existing file wins over a shipped chip.  ``overrides`` are ``"core.weight_bits=8"``.  Raises
    `InputError`, which names the place, for an unknown chip, a bad file or a bad override.
    """
    root = apply_overrides(read_yaml(_locate(name_or_path)), overrides)
    return chip_from_section(root)


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


def chip_from_section(root: Section) -> Chip:
    """Build a chip of the parsed chip file ``root``; raises `InputError`."""
    leaves = Leaves()
    name = root.text("chip")
    if not _NAME.fullmatch(name):
        raise root.error("chip", "expected a name of letters, digits, '.', '_' and '-'")
    clock = leaves.number(root, "clock", schema.CLOCK)
    mesh = read_mesh(root.section("mesh"), leaves)
    phase = _phase(root.section("phase"), leaves)
    core = _core(root.section("core"), leaves)
    kind = schema.CORE_KINDS[core.kind]
    energy = root.section("energy")
    actions = [*kind.actions, *(action for action in kind.optional if energy.has(action))]
    for action in actions:
        leaves.number(energy, action, schema.PRICE)
    power = root.section("power")
    leaves.number(power, "static", schema.STATIC_POWER)
    root.finish()
    return Chip(
        name=name,
        clock_hz=clock,
        mesh=mesh,
        phase=phase,
        core=core,
        prices={action: leaves.constants[f"energy.{action}"] for action in actions},
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
    return Arithmetic(
        rounding=leaves.word(section, "rounding", Arithmetic),
        overflow=leaves.word(section, "overflow", Arithmetic),
        **leaves.whole(section, schema.ARITHMETIC),
    )
