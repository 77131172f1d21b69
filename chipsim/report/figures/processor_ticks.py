"""Ticks of processors: the busiest core through the first sample, and what cores spend time on."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from chipsim.report.figures.shapes import fill, rectangle
from chipsim.report.figures.style import (
    ALERT,
    INK,
    MUTED,
    NEUTRAL,
    axes_at,
    label,
    new_figure,
    styled,
    title,
)
from chipsim.report.numbers import count, percent
from chipsim.report.schema import Arrays, Summary

_LEFT, _WIDTH = 1.0, 8.4
_MOST = 24
_POINTS = 800
PARTS = (
    ("timer_cycles", "neurons, timer", "#0f7fc4"),
    ("spike_cycles", "packets", "#e08a00"),
    ("row_cycles", "synapses", "#0a9e76"),
    ("signal_cycles", "learning signals", "#c4699b"),
)


@styled
def draw(summary: Summary, arrays: Arrays) -> Figure:
    """Draw work against the deadline: by tick of the first sample, and by core."""
    rows = sorted(summary["cores"], key=lambda row: (-row["busy_cycles_max"], row["core"]))[:_MOST]
    height = 0.19 * len(rows)
    figure = new_figure(3.1 + height + 1.25)
    ticks = summary["ticks"]
    title(
        figure,
        f"The longest tick takes {count(summary['critical_core']['cycles'])} of "
        f"{count(ticks['cycles'])} cycles ({percent(ticks['slowdown'])})",
        "Above: work of the busiest core in each tick of the first sample, and packets that came "
        "late. Below: cycles of a tick by core, mean (bar) and longest (mark).",
    )
    _course(axes_at(figure, _LEFT, height + 1.5, _WIDTH, 1.9), arrays, ticks["cycles"])
    _cores(axes_at(figure, _LEFT, 0.75, _WIDTH, height), summary, rows)
    handles = [Patch(facecolor=color, label=name) for _, name, color in PARTS]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.1, 0.01), ncols=4)
    return figure


def _course(axes: Axes, arrays: Arrays, deadline: int) -> None:
    busiest, late = arrays["tick_busiest"], arrays["tick_late"]
    stretch = -(-busiest.size // _POINTS)
    starts = np.arange(0, busiest.size, stretch)
    work = np.maximum.reduceat(busiest, starts)
    axes.fill_between(starts, work, step="post", color=NEUTRAL, alpha=0.45, linewidth=0)
    axes.plot(starts, work, drawstyle="steps-post", color=NEUTRAL, linewidth=0.9)
    axes.axhline(deadline, color=ALERT, linewidth=1.2, linestyle=(0, (5, 2)))
    axes.set_xlim(0, max(busiest.size - 1, 1))
    axes.set_ylim(0, max(deadline, int(work.max(initial=0))) * 1.12)
    axes.set_ylabel("cycles", color=MUTED)
    axes.set_xlabel("tick" + (f" (longest of every {stretch})" if stretch > 1 else ""))
    if late.any():
        other = axes.twinx()
        other.bar(starts, np.add.reduceat(late, starts), width=stretch, color=ALERT, alpha=0.6)
        other.set_ylabel("late packets", color=ALERT)


def _cores(axes: Axes, summary: Summary, rows: list[dict[str, int]]) -> None:
    deadline, ticks = summary["ticks"]["cycles"], summary["ticks"]["count"]
    left = np.zeros(len(rows))
    for key, _, color in PARTS:
        width = np.array([row["counts"][key] / ticks for row in rows])  # type: ignore[index]
        bars = [
            rectangle(x, i - 0.36, w, 0.72)
            for i, (x, w) in enumerate(zip(left, width, strict=True))
        ]
        fill(axes, bars, color)
        left += width
    longest = [row["busy_cycles_max"] for row in rows]
    axes.plot(longest, range(len(rows)), linestyle="none", marker="|", markersize=9, color=INK)
    axes.axvline(deadline, color=ALERT, linewidth=1.2, linestyle=(0, (5, 2)))
    names = [label(str(row["slice"]), 20) for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=6.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, max([deadline, *longest]) * 1.05)
    axes.set_xlabel("cycles")
    axes.tick_params(axis="y", length=0)
