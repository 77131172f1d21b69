"""Pieces of the plain-text summary: aligned rows, rows of an energy table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chipsim.report.numbers import count, quantity_range, share, topology
from chipsim.report.schema import Summary
from chipsim.units import format_quantity

Section = Callable[[Summary], Iterator[str]]


def table(rows: Sequence[tuple[str, ...]], text_columns: tuple[int, ...] = (0,)) -> Iterator[str]:
    """Align rows: ``text_columns`` to the left, numbers to the right."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if i in text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  " + "  ".join(cells)


def energy_row(name: str, row: Mapping[str, Any], total: float) -> tuple[str, ...]:
    """Return a row of an energy table: name, joules, share, range, mark."""
    spread = quantity_range(row["low_j"], row["high_j"], "J")
    return (
        name,
        format_quantity(row["value_j"], "J"),
        share(row["value_j"], total),
        f"({spread})" if spread else "",
        row.get("mark", ""),
    )


def network_line(summary: Summary) -> str:
    """Return what network ran: its populations, size, steps and plasticity."""
    model = summary["model"]
    return (
        f"{model['name']}: {topology(summary)}, {count(model['neurons'])} neurons, "
        f"{count(model['synapses'])} synapses, {model['steps']} steps, "
        f"plasticity {summary['plasticity']}"
    )
