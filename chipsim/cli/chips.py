"""``chipsim chips``: list the shipped chips, show a chip's constants, check a chip file."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

from chipsim.errors import InputError

if TYPE_CHECKING:
    from chipsim.chip import Chip, Constant
    from chipsim.processor_chip import ProcessorChip

_HEAD = ("constant", "value", "range", "mark", "source")
_LEAST_SOURCE_WIDTH = 30


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``chips`` to ``subparsers``."""
    parser = subparsers.add_parser(
        "chips",
        help="list chips, show a chip's constants, check a chip file",
        description="Without arguments, list the chips that come with chipsim.",
    )
    parser.add_argument(
        "chip",
        nargs="?",
        metavar="CHIP",
        help="show every constant of this chip (a name or a file) with range and provenance",
    )
    parser.add_argument(
        "--check", metavar="FILE", help="check this chip file and say if it is good"
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="replace a value of the chip, such as core.weight_bits=8 (may be repeated)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run ``chipsim chips`` as parsed; return the exit code.

    InputError if the chip or the file is wrong or the arguments contradict each other.
    """
    from chipsim.load.chip_file import read_chip

    if args.chip and args.check:
        raise InputError("give either CHIP or --check FILE, not both")
    if args.check:
        chip = read_chip(args.check, args.overrides)
        print(f"{args.check}: good: {_line(chip)}", *_cautions(chip), sep="\n")
    elif args.chip:
        print("\n".join(_table(read_chip(args.chip, args.overrides))))
    elif args.overrides:
        raise InputError("--set needs a chip: chipsim chips CHIP --set PATH=VALUE")
    else:
        _list_chips()
    return 0


def _list_chips() -> None:
    from chipsim.load.chip_file import read_chip, shipped_chips

    for name, path in shipped_chips().items():
        print(f"{name:<12} {_line(read_chip(str(path)))}")


def _cautions(chip: Chip | ProcessorChip) -> tuple[str, ...]:
    from chipsim.chip import Chip

    return chip.mesh.cautions if isinstance(chip, Chip) else chip.cautions


def _line(chip: Chip | ProcessorChip) -> str:
    """One line about ``chip``."""
    from chipsim.chip import Chip

    return _crossbar_line(chip) if isinstance(chip, Chip) else _processor_line(chip)


def _processor_line(chip: ProcessorChip) -> str:
    from chipsim.units import format_quantity

    machine, core = chip.machine, chip.core
    cores = sum(len(machine.working_cores(router)) for router in machine.working_routers)
    chips = "1 chip" if machine.chips == 1 else f"{machine.chips} chips"
    memory = f"{format_quantity(core.dtcm_bytes, 'B')} SRAM"
    if core.kind == "tcm":
        memory = (
            f"{format_quantity(core.itcm_bytes, 'B')} ITCM and "
            f"{format_quantity(core.dtcm_bytes, 'B')} DTCM"
        )
    return (
        f"{cores} processors for applications ({chips}, {machine.shape}), "
        f"{format_quantity(core.clock_hz, 'Hz')}, ticks of {format_quantity(chip.tick_s, 's')}, "
        f"{memory} a core, {format_quantity(chip.sdram.size_bytes, 'B')} SDRAM a chip, "
        f"{core.weight_bits}-bit weights"
    )


def _crossbar_line(chip: Chip) -> str:
    from chipsim.units import format_quantity

    mesh, core, arithmetic = chip.mesh, chip.core, chip.core.arithmetic
    phase = f"{chip.phase.mode} phases"
    if chip.phase.mode == "fixed":
        phase = f"phases of {format_quantity(chip.phase.cycles / chip.clock_hz, 's')}"
    memory = format_quantity(sum(core.memory.values()), "B")
    return (
        f"{mesh.built_cores} {core.kind} cores ({mesh.width} x {mesh.height} {mesh.topology}), "
        f"{format_quantity(chip.clock_hz, 'Hz')}, {phase}, {core.axons} axons x {core.columns} "
        f"columns of {arithmetic.native_bits} bit and {memory} a core, "
        f"{arithmetic.weight_bits}-bit weights"
    )


def _table(chip: Chip | ProcessorChip) -> list[str]:
    """Lines of the table of ``chip``'s constants; on a terminal the sources are wrapped."""
    rows = [_HEAD]
    for path, constant in chip.constants.items():
        rows.append((path, *_value_and_range(constant), constant.mark, constant.source))
    for path, choice in chip.choices.items():
        rows.append((path, choice.value, "", choice.mark, choice.source))
    rows[1:] = sorted(rows[1:], key=lambda row: _group(row[0], chip))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    indent = sum(widths) + 2 * len(widths)
    lines = [f"{chip.name}: {_line(chip)}", *_cautions(chip), ""]
    for row in rows:
        start = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        lines.extend(_wrapped(f"{start}  {row[4]}", indent))
    return lines


def _group(path: str, chip: Chip | ProcessorChip) -> int:
    """Place of ``path``'s part of the chip file: the clock first, prices last."""
    keys = (*chip.constants, *chip.choices)
    parts = list(dict.fromkeys(key.partition(".")[0] for key in keys))
    return parts.index(path.partition(".")[0])


def _value_and_range(constant: Constant) -> tuple[str, str]:
    from chipsim.units import format_quantity

    value, low, high = (
        format_quantity(number, constant.unit)
        for number in (constant.value, constant.low, constant.high)
    )
    return value, "" if constant.low == constant.high else f"{low} to {high}"


def _wrapped(line: str, indent: int) -> list[str]:
    if not sys.stdout.isatty():
        return [line]
    width = max(shutil.get_terminal_size().columns, indent + _LEAST_SOURCE_WIDTH)
    rest = textwrap.wrap(line[indent:], width - indent) or [""]
    return [line[:indent] + rest[0], *(" " * indent + part for part in rest[1:])]
