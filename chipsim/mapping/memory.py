"""The budgets of a core: one check each, and how full each memory is.

A check tells how much of its budget a shape uses; what exceeds its limit does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chipsim.chip import Chip
from chipsim.cores import crossbar
from chipsim.cores.crossbar import Shape
from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.model import MemoryUse, Route, Slice
from chipsim.mapping.shapes import slice_name


@dataclass(frozen=True)
class Use:
    """How much of one budget is used; ``limit`` None means there is none."""

    budget: str
    used: int
    limit: int | None
    unit: str = ""

    @property
    def exceeded(self) -> bool:
        """Whether more is used than there is."""
        return self.limit is not None and self.used > self.limit

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if self.limit is None or not self.exceeded:
            return f"{self.budget} {self.used}{unit} of {self.limit}"
        excess = self.used - self.limit
        return f"{self.budget} {self.used}{unit} exceeded max {self.limit} by {excess}{unit}"


def check_axons(chip: Chip, shape: Shape) -> Use:
    """Fan-in against the axons of a core."""
    return Use("axons", shape.fan_in, chip.core.axons)


def check_columns(chip: Chip, shape: Shape) -> Use:
    """Neurons times columns a synapse against the columns of a core."""
    return Use("columns", crossbar.columns_used(chip.core, shape), chip.core.columns)


def check_accumulator(chip: Chip, shape: Shape) -> Use:
    """Greatest possible sum against the accumulator's range."""
    peak = crossbar.accumulator_peak(chip.core, shape)
    return Use("accumulator sum", peak, crossbar.accumulator_limit(chip.core))


def check_cycles(chip: Chip, shape: Shape) -> Use:
    """Cycles of the busiest phase of a core, learning in a phase of its own if it must."""
    cycles = crossbar.task_cycles(chip.core, shape)
    forward = cycles.get("integrate", 0) + cycles.get("soma", 0)
    busiest = max(forward, cycles.get("learn", 0))
    return Use("phase", busiest, crossbar.phase_budget(chip.phase), "cycles")


def _memory_check(memory: str) -> Callable[[Chip, Shape], Use]:
    def check(chip: Chip, shape: Shape) -> Use:
        used = sum(crossbar.memory_items(chip.core, shape)[memory].values())
        return Use(f"{memory} memory", used, _memory_budget(chip, memory), "bytes")

    check.__doc__ = f"Bytes in the {memory} memory of a core."
    return check


CHECKS: Mapping[str, Callable[[Chip, Shape], Use]] = {
    "axons": check_axons,
    "columns": check_columns,
    "accumulator": check_accumulator,
    "synapse": _memory_check("synapse"),
    "axon": _memory_check("axon"),
    "soma": _memory_check("soma"),
    "lut": _memory_check("lut"),
    "phase": check_cycles,
}
"""The checks of one slice on one core, in the order they are reported."""


def overruns(chip: Chip, shape: Shape) -> tuple[Use, ...]:
    """Return the budgets a shape exceeds; empty if it fits."""
    uses = (check(chip, shape) for check in CHECKS.values())
    return tuple(use for use in uses if use.exceeded)


def check_slices(chip: Chip, slices: Sequence[Slice], shapes: Sequence[Shape]) -> None:
    """Raise DoesNotFitError if a slice exceeds a budget of its core, naming every budget."""
    problems = [
        f"{slice_name(piece)}: {use}"
        for piece, shape in zip(slices, shapes, strict=True)
        for use in overruns(chip, shape)
    ]
    _refuse(problems)


def check_core_count(chip: Chip, slices: Sequence[Slice]) -> None:
    """Raise DoesNotFitError if there are more slices than cores."""
    use = Use("cores", len(slices), len(chip.mesh.working_cores))
    if use.exceeded:
        raise DoesNotFitError(f"chip {chip.name}: {use}")


def check_routers(chip: Chip, routes: Sequence[Route]) -> None:
    """Raise DoesNotFitError if a router's table, with or without a slice there, is too small."""
    budget = _memory_budget(chip, "router")
    problems = []
    for router, trees in enumerate(trees_by_router(chip, routes)):
        used = sum(crossbar.router_items(chip.mesh, trees).values())
        use = Use("router memory", used, budget, "bytes")
        if use.exceeded:
            x, y = router % chip.mesh.width, router // chip.mesh.width
            problems.append(f"router ({x}, {y}): {use} ({trees} multicast trees pass it)")
    _refuse(problems)


def trees_by_router(chip: Chip, routes: Sequence[Route]) -> tuple[int, ...]:
    """Count the multicast trees that pass each router; none where packets go to one target each.

    A unicast packet finds its way by the coordinates it carries and needs no table.
    """
    trees = [0] * chip.mesh.routers
    if chip.mesh.multicast == "tree":
        for route in routes:
            for router in route.ports:
                trees[router] += 1
    return tuple(trees)


def memory_use(
    chip: Chip, shapes: Sequence[Shape], placement: Sequence[int], routes: Sequence[Route]
) -> tuple[tuple[MemoryUse, ...], ...]:
    """List, for every slice, the memories of its core with what is in them, in bytes."""
    trees = trees_by_router(chip, routes)
    uses = []
    for shape, core in zip(shapes, placement, strict=True):
        items = crossbar.memory_items(chip.core, shape)
        items["router"] = crossbar.router_items(chip.mesh, trees[chip.mesh.router_of(core)])
        uses.append(
            tuple(MemoryUse(name, held, _memory_budget(chip, name)) for name, held in items.items())
        )
    return tuple(uses)


def _memory_budget(chip: Chip, memory: str) -> int:
    if memory not in chip.core.memory:
        given = ", ".join(sorted(chip.core.memory)) or "none"
        raise InputError(
            f"chip {chip.name}: core.memory.{memory} is missing (given: {given}); "
            "state its size in bytes"
        )
    return chip.core.memory[memory]


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        shown = list(problems[:5])
        if len(problems) > len(shown):
            shown.append(f"and {len(problems) - len(shown)} more")
        raise DoesNotFitError("\n".join(shown))
