"""Energy split: one inference by action and by place, with low-high ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from chipsim.report.figures.shapes import scaled
from chipsim.report.figures.style import (
    INK,
    MARKS,
    MUTED,
    NEUTRAL,
    axes_at,
    label,
    new_figure,
    population_colors,
    styled,
    title,
)
from chipsim.report.numbers import by_value, percent, share
from chipsim.report.schema import Arrays, Summary
from chipsim.units import format_quantity

_MOST = 14
_BAR = 0.27


@styled
def draw(summary: Summary, arrays: Arrays) -> Figure:
    """Draw horizontal bars, largest first; assumed prices are hatched, whiskers are ranges."""
    actions, layers = (
        by_value(summary[key])[:_MOST] for key in ("energy_by_action", "energy_by_layer")
    )
    rows = max(len(actions), len(layers), 3)
    bottom = 0.72
    figure = new_figure(bottom + rows * _BAR + 0.75)
    total = summary["energy_per_inference_j"]["value"]
    assumed = percent(summary["assumed"]["energy_share"])
    title(
        figure,
        f"{format_quantity(total, 'J')} an inference, by action",
        f"Hatched: the price is assumed ({assumed} of the energy). Whiskers: low to high.",
    )
    title(figure, "The same, by place", "Populations, mesh and static power.", left=5.6)
    unit = scaled(max([row["high_j"] for _, row in actions + layers], default=0.0), "J")
    places = [(1.25, actions), (6.45, layers)]
    for left, table in places:
        height = len(table) * _BAR
        if table:
            axes = axes_at(figure, left, bottom + (rows * _BAR - height), 2.55, height)
            _bars(axes, table, total, unit, _looks(table, summary))
    figure.legend(handles=_legend(actions), loc="lower left", bbox_to_anchor=(0.01, 0.02), ncols=4)
    return figure


def _looks(
    table: Sequence[tuple[str, Mapping[str, Any]]], summary: Summary
) -> list[tuple[str, bool]]:
    """Return colour and hatching of every bar: by mark for actions, by population for places."""
    populations = population_colors(summary)
    return [
        (MARKS.get(row["mark"], NEUTRAL), row["mark"] == "assumed")
        if "mark" in row
        else (populations.get(name, NEUTRAL), False)
        for name, row in table
    ]


def _bars(
    axes: Axes,
    table: Sequence[tuple[str, Mapping[str, Any]]],
    total: float,
    unit: tuple[float, str],
    looks: Sequence[tuple[str, bool]],
) -> None:
    factor, symbol = unit
    top = max(row["high_j"] for _, row in table) * factor or 1.0
    for i, ((_, row), (color, hatched)) in enumerate(zip(table, looks, strict=True)):
        value, low, high = (row[key] * factor for key in ("value_j", "low_j", "high_j"))
        axes.barh(i, value, height=0.64, facecolor=(color, 0.3) if hatched else color)
        axes.barh(i, value, height=0.64, linewidth=1, **_outline(color, hatched))
        if high > low:
            axes.plot([low, high], [i, i], color=INK, linewidth=1.1, solid_capstyle="butt")
            axes.plot([low, high], [i, i], color=INK, marker="|", markersize=5, linestyle="none")
        text = f"{format_quantity(row['value_j'], 'J')}  {share(row['value_j'], total)}"
        axes.text(max(value, high) + top * 0.03, i, text, va="center", fontsize=7.5, color=MUTED)
    axes.set_yticks(range(len(table)), [label(name, 20) for name, _ in table], color=INK)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlim(0, top * 1.02)
    axes.set_xlabel(f"energy ({symbol})")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _outline(color: str, hatched: bool) -> dict[str, Any]:
    # Apart from the fill: SVG output ignores the transparency of a hatched one.
    return {"facecolor": "none", "edgecolor": color, "hatch": "////" if hatched else None}


def _legend(actions: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Patch]:
    present = {row["mark"] for _, row in actions}
    handles = []
    for mark, color in MARKS.items():
        if mark in present:
            look = _outline(color, True) if mark == "assumed" else {"facecolor": color}
            handles.append(Patch(label=f"{mark} price", **look))
    return handles
