"""Why a population takes the cores it takes, in words with numbers."""

from __future__ import annotations

from dataclasses import replace

from chipsim.chip import Chip
from chipsim.cores import crossbar
from chipsim.cores.crossbar import Shape
from chipsim.mapping.memory import CHECKS


def number(count: int, noun: str) -> str:
    """Return ``1 core``, ``2 cores``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def block_reason(chip: Chip, shape: Shape, block: int, size: int, noun: str = "neurons") -> str:
    """Say that ``block`` neurons of a shape fit a core and which budget keeps out one more."""
    one = noun.removesuffix("s") if block == 1 else noun
    fit = "fits" if block == 1 else "fit"
    if block >= size:
        return f"all {block} {noun} fit a core" if size > 1 else f"its {one} fits a core"
    return f"{block} {one} {fit} a core because {binding(chip, replace(shape, count=block + 1))}"


def split_reason(chip: Chip, shape: Shape) -> str:
    """Say which budget keeps the whole fan-in of one neuron (``shape``) from one core."""
    budget = _first_exceeded(chip, shape)
    if budget == "axons":
        return f"{shape.fan_in} inputs exceed {chip.core.axons} axons a core"
    return f"{number(shape.fan_in, 'input')} do not fit a core: {CHECKS[budget](chip, shape)}"


def _first_exceeded(chip: Chip, shape: Shape) -> str:
    """Name the first budget in the order of CHECKS that a shape exceeds."""
    return next(name for name, check in CHECKS.items() if check(chip, shape).exceeded)


def binding(chip: Chip, shape: Shape) -> str:
    """Say which budget a shape exceeds that is just too large."""
    budget = _first_exceeded(chip, shape)
    use = CHECKS[budget](chip, shape)
    if budget == "columns" and shape.integrates:
        arithmetic = chip.core.arithmetic
        traces = f" and {arithmetic.trace_bits}-bit traces" if shape.plastic else ""
        traces += " with factors" if shape.factor == "matrix" else ""
        columns = crossbar.columns_per_synapse(chip.core, shape)
        return (
            f"{arithmetic.weight_bits}-bit weights{traces} take {columns} of "
            f"{chip.core.columns} columns a synapse"
        )
    if budget == "phase":
        return (
            f"one more would need {use.used} cycles of the {use.limit} of a phase "
            f"({chip.phase.cycles} less {chip.phase.sync_cycles} to synchronise)"
        )
    return f"one more would need {use.budget} {use.used} {use.unit}".rstrip() + f" of {use.limit}"
