"""The costs of ways to learn side by side, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chipsim.chip import Chip
from chipsim.energy.price import STATIC
from chipsim.learning_cost.cost import LearningCost
from chipsim.learning_cost.memory import fullest
from chipsim.report.numbers import count, percent
from chipsim.units import format_quantity

TITLES = {"none": "none", "lp": "LP", "hp": "HP", "gp": "GP"}

_KINDS = ("input", "spike", "membrane", "sum", "post", "error", "feedback", "label")
_MEANS = {
    "input": "from outside",
    "spike": "from layer to layer",
    "membrane": "from layer to layer, numbers",
    "sum": "parts of sums within a layer",
    "post": "post factors of local plasticity",
    "error": "errors to where the synapses are",
    "feedback": "errors to the layer before",
    "label": "what was right",
}

_RANGE = "by the ranges of the chip's constants"


def text_table(costs: Sequence[LearningCost], chip: Chip) -> str:
    """Return a table with a column for each cost, ending in a newline; the last column explains."""
    rows = [("a sample", *(TITLES[cost.method] for cost in costs), "")]
    rows += list(_rows(costs, chip))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for name, *cells, note in rows:
        columns = [cell.rjust(width) for cell, width in zip(cells, widths[1:-1], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *columns, note]).rstrip())
    return "\n".join(lines) + "\n"


def _rows(costs: Sequence[LearningCost], chip: Chip) -> Iterator[tuple[str, ...]]:
    def row(name: str, cells: Sequence[str], note: str = "") -> tuple[str, ...]:
        return (name, *cells, note)

    yield row("weights updated every", [_every(cost) for cost in costs], "samples")
    yield row("packets", [count(sum(cost.packets.values())) for cost in costs])
    for kind in _KINDS:
        if any(cost.packets.get(kind) for cost in costs):
            cells = [count(cost.packets.get(kind, 0.0)) for cost in costs]
            yield row(f"  {kind}", cells, _MEANS[kind])
    yield row("hops", [count(sum(cost.hops.values())) for cost in costs], "routers passed")
    yield row("payload", [_bits(sum(cost.bits.values())) for cost in costs], "at the sender")
    yield row("energy", [format_quantity(cost.energy.value, "J") for cost in costs])
    yield row("  at least", [format_quantity(cost.energy.low, "J") for cost in costs], _RANGE)
    yield row("  at most", [format_quantity(cost.energy.high, "J") for cost in costs])
    constants = {**chip.prices, STATIC: chip.static_power}
    for action in _largest_first(costs):
        cells = [_joules(cost, action) for cost in costs]
        yield row(f"  {action}", cells, constants[action].mark)
    yield row("  of it assumed", [percent(cost.assumed_share) for cost in costs])
    yield row("phases", [count(cost.phases) for cost in costs])
    yield row("samples/s", [count(cost.samples_per_s) for cost in costs])
    yield row("memory", ["fits" if cost.fits else "does not fit" for cost in costs], _why(costs))
    needed = [count(cost.cores_needed) for cost in costs]
    yield row("cores that hold it", needed, f"at least; the mapping has {costs[0].cores}")
    if any(cost.late for cost in costs):
        late = ["yes" if cost.late else "no" for cost in costs]
        yield row("late packets", late, "some miss the end of a phase")


def _every(cost: LearningCost) -> str:
    return "never" if cost.weights_every is None else count(cost.weights_every)


def _bits(bits: float) -> str:
    return f"{bits / 1000:,.0f} kbit"


def _largest_first(costs: Sequence[LearningCost]) -> list[str]:
    largest: dict[str, float] = {}
    for cost in costs:
        for action, amount in cost.by_action.items():
            largest[action] = max(largest.get(action, 0.0), amount.value)
    return sorted(largest, key=lambda action: (-largest[action], action))


def _joules(cost: LearningCost, action: str) -> str:
    amount = cost.by_action.get(action)
    return "-" if amount is None else format_quantity(amount.value, "J")


def _why(costs: Sequence[LearningCost]) -> str:
    """Name the memory that is the most over its budget, of the way to learn that needs the most."""
    use = max((fullest(cost.memory) for cost in costs), key=lambda use: use.used / use.budget)
    if use.used <= use.budget:
        return ""
    largest = sorted(use.items.items(), key=lambda item: -item[1])[:2]
    words = ", ".join(f"{name} {size}" for name, size in largest)
    return f"{use.memory} {use.used} of {use.budget} bytes ({words})"
