"""Core busy cycles and phase drain: what bounds the length of a phase."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from chipsim.report.figures.shapes import fill, rectangle
from chipsim.report.figures.style import (
    ALERT,
    INK,
    MUTED,
    NEUTRAL,
    axes_at,
    label,
    new_figure,
    population_colors,
    styled,
    title,
)
from chipsim.report.numbers import count, in_model_order, percent, phase_cycles
from chipsim.report.schema import Arrays, Summary

_LABELLED = 64
_DRAWN = 800
_POINTS = 800
_LEFT, _WIDTH = 0.75, 8.6


@styled
def draw(summary: Summary, arrays: Arrays) -> Figure:
    """Draw each core's busiest and mean phase, and when the mesh fell silent in each phase."""
    drains = arrays["phase_drain_cycles"]
    lower = 1.15 if drains.size else 0.0
    figure = new_figure(lower + (1.25 if lower else 0.55) + 2.3 + 0.75)
    rows = _rows(summary)
    phase = phase_cycles(summary)
    busiest = max((row["busy_cycles_max"] for row in rows), default=0)
    filled = percent(busiest / phase) if phase else "-"
    title(
        figure,
        f"The slowest core is done after {count(busiest)} of {count(phase)} cycles ({filled})",
        "Light: cycle of a phase by which the core was done at the latest. Dark: its work, mean "
        "over phases. Below: when the last packet of a phase arrived.",
    )
    axes = axes_at(figure, _LEFT, lower + (1.25 if lower else 0.55), _WIDTH, 2.3)
    _cores(axes, rows, summary, phase)
    if lower:
        _drains(axes_at(figure, _LEFT, 0.5, _WIDTH, lower), drains, phase)
    return figure


def _rows(summary: Summary) -> list[dict[str, Any]]:
    """Return the cores population by population, each the busiest first."""
    order = in_model_order((row["population"] for row in summary["cores"]), summary)
    return sorted(
        summary["cores"],
        key=lambda row: (order.index(row["population"]), -row["busy_cycles_max"], row["core"]),
    )


def _cores(axes: Axes, rows: list[dict[str, Any]], summary: Summary, phase: float) -> None:
    colors = population_colors(summary)
    for name, color in colors.items():
        for key, alpha in (("busy_cycles_max", 0.35), ("busy_cycles_mean", 1.0)):
            bars = [
                rectangle(place - 0.4, 0, 0.8, row[key])
                for place, row in enumerate(rows)
                if row["population"] == name
            ]
            fill(axes, bars, color, alpha=alpha, rasterized=len(rows) > _DRAWN)
    _phase_line(axes, phase)
    if len(rows) <= _LABELLED:
        axes.set_xticks(
            range(len(rows)), [str(row["core"]) for row in rows], rotation=90, fontsize=6.5
        )
    else:
        axes.set_xticks([])
    axes.set_xlim(-0.7, max(len(rows), 1) - 0.3)
    top = max([phase, *(row["busy_cycles_max"] for row in rows)])
    axes.set_ylim(0, top * 1.14 or 1)
    axes.tick_params(axis="x", length=0, pad=1)
    axes.set_xlabel("core", labelpad=1)
    _cycle_axis(axes)
    used = dict.fromkeys(row["population"] for row in rows)
    axes.legend(
        handles=[Patch(facecolor=colors[name], label=label(name, 18)) for name in used],
        loc="upper right",
        bbox_to_anchor=(1, 1.12),
        ncols=4,
    )


def _drains(axes: Axes, drains: np.ndarray, phase: float) -> None:
    """Draw the drain cycle of every phase; of many phases the latest of each stretch."""
    stretch = -(-drains.size // _POINTS)
    starts = np.arange(0, drains.size, stretch)
    latest = np.maximum.reduceat(drains, starts)
    axes.fill_between(starts, latest, step="post", color=NEUTRAL, alpha=0.45, linewidth=0)
    axes.plot(starts, latest, drawstyle="steps-post", color=NEUTRAL, linewidth=0.9)
    _phase_line(axes, phase)
    axes.set_xlim(0, max(drains.size - 1, 1))
    axes.set_ylim(0, max(phase, int(drains.max())) * 1.2 or 1)
    axes.set_xlabel("simulated phase" + (f" (latest of every {stretch})" if stretch > 1 else ""))
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    _cycle_axis(axes)
    axes.set_title("last arrival", fontsize=8.5, loc="left", color=INK)


def _phase_line(axes: Axes, phase: float) -> None:
    axes.axhline(phase, color=ALERT, linewidth=1.2, linestyle=(0, (5, 2)))
    axes.text(
        0.002, phase, "phase ends", color=ALERT, transform=axes.get_yaxis_transform(), va="bottom"
    )


def _cycle_axis(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_ylabel("cycles", color=MUTED)
    axes.grid(axis="y")
