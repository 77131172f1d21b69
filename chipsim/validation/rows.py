"""A published figure beside a simulated one, and how a table of them is printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chipsim.units import format_quantity


@dataclass(frozen=True)
class Row:
    """One comparison, in SI units; ``source`` says where ``published`` comes from."""

    quantity: str
    published: float
    simulated: float
    unit: str
    source: str

    @property
    def deviation(self) -> float:
        """``simulated / published - 1``."""
        return self.simulated / self.published - 1.0


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| quantity | published | simulated | deviation | source of the published figure |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.quantity} | {format_quantity(row.published, row.unit)} "
        f"| {format_quantity(row.simulated, row.unit)} | {row.deviation:+.2%} | {row.source} |"
        for row in rows
    ]
    return "\n".join(lines)
