"""Timeline: which core works on what during the first inference."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from chipsim.report.figures.shapes import fill, pixels, rectangle
from chipsim.report.figures.style import (
    GRID,
    MUTED,
    NEUTRAL,
    TASK_COLORS,
    axes_at,
    label,
    new_figure,
    population_colors,
    styled,
    title,
)
from chipsim.report.numbers import in_model_order, phase_cycles, plural
from chipsim.report.schema import PROCESSOR_TASKS, Arrays, Summary
from chipsim.units import format_quantity

_LABELLED = 64
_LEFT, _WIDTH, _BOTTOM = 1.25, 8.5, 0.85
_PHASES_NUMBERED = 24
_DRAWN = 4000
_PIXELS = 2400


@styled
def draw(summary: Summary, arrays: Arrays) -> Figure | None:
    """Draw a row a core, population by population, and a bar a task.  None without tasks."""
    timeline = arrays["timeline"]
    if not timeline.size:
        return None
    rows = _rows(summary, set(timeline[:, 0].tolist()))
    height = float(np.clip(0.105 * len(rows), 0.6, 5.2))
    figure = new_figure(_BOTTOM + height + 0.85)
    microseconds = 1e6 / summary["chip"]["clock_hz"]
    end = int((timeline[:, 3] + timeline[:, 4]).max()) * microseconds
    starts = _phase_starts(timeline, phase_cycles(summary)) * microseconds
    title(
        figure,
        f"The first inference keeps {plural(len(rows), 'core')} at work for "
        f"{format_quantity(end * 1e-6, 's')}",
        "A bar is one task on one core; lines are the starts of phases. "
        "timeline.json shows the same in Perfetto.",
    )
    axes = axes_at(figure, _LEFT, _BOTTOM, _WIDTH, height)
    _phases(axes, starts)
    _tasks(axes, timeline, rows, microseconds)
    _populations(axes, summary, rows)
    axes.set_xlim(0, max(end, starts[-1] if starts.size else 0) * 1.005)
    axes.set_ylim(len(rows), 0)
    axes.set_xlabel("time from the start of the inference (us)")
    axes.spines["left"].set_visible(False)
    codes = sorted(set(timeline[:, 1].tolist()))
    handles = [Patch(facecolor=TASK_COLORS[code], label=PROCESSOR_TASKS[code]) for code in codes]
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(_LEFT / 10, 0.08 / (height + 1.7)),
        ncols=3,
    )
    return figure


def _rows(summary: Summary, cores: set[int]) -> dict[int, int]:
    """Return the row of every core that works."""
    owner = {row["core"]: row["population"] for row in summary["cores"]}
    order = in_model_order(owner.values(), summary)
    placed = sorted(
        cores, key=lambda core: (order.index(owner[core]) if core in owner else -1, core)
    )
    return {core: i for i, core in enumerate(placed)}


def _phase_starts(timeline: np.ndarray, cycles: float) -> np.ndarray:
    """Return where phases start, in cycles: at multiples, or (adaptive) at their first task."""
    phases, starts = timeline[:, 2], timeline[:, 3]
    last = int(phases.max())
    if cycles > 0 and np.array_equal(starts // cycles, phases):
        return np.arange(last + 1) * cycles
    return np.array([starts[phases == phase].min() for phase in np.unique(phases)], float)


def _phases(axes: Axes, starts: np.ndarray) -> None:
    for start in starts.tolist():
        axes.axvline(start, color=GRID, linewidth=0.7)
    stride = -(-starts.size // _PHASES_NUMBERED)
    for phase, start in enumerate(starts.tolist()):
        if phase % stride == 0:
            axes.text(
                start,
                1.0,
                f" {phase}",
                transform=axes.get_xaxis_transform(),
                fontsize=6.5,
                color=MUTED,
                va="bottom",
            )


def _tasks(axes: Axes, timeline: np.ndarray, rows: dict[int, int], microseconds: float) -> None:
    if len(timeline) > _DRAWN:
        end = float((timeline[:, 3] + timeline[:, 4]).max())
        pixels(axes, _grid(timeline, rows, end), TASK_COLORS, (0, end * microseconds, len(rows), 0))
        return
    for code, color in enumerate(TASK_COLORS):
        bars = [
            rectangle(start * microseconds, rows[core] + 0.1, cycles * microseconds, 0.8)
            for core, task, _, start, cycles in timeline.tolist()
            if task == code
        ]
        fill(axes, bars, color)


def _grid(timeline: np.ndarray, rows: dict[int, int], end: float) -> np.ndarray:
    """Return the task code of every row and stretch of time, -1 for none; the last task wins."""
    scale = _PIXELS / end
    grid = np.full((len(rows), _PIXELS), -1, np.int64)
    for core, task, _, start, cycles in timeline.tolist():
        first = int(start * scale)
        grid[rows[core], first : max(int((start + cycles) * scale), first + 1)] = task
    return grid


def _populations(axes: Axes, summary: Summary, rows: dict[int, int]) -> None:
    """Write the cores' numbers, and mark each population's stretch of rows at the left."""
    owner = {row["core"]: row["population"] for row in summary["cores"]}
    axes.tick_params(axis="y", length=0, pad=8)
    if len(rows) <= _LABELLED:
        axes.set_yticks([row + 0.5 for row in rows.values()], [str(c) for c in rows], fontsize=6)
    else:
        axes.set_yticks([])
    colors = population_colors(summary)
    transform = axes.get_yaxis_transform()
    for name in dict.fromkeys(owner.get(core, "") for core in rows):
        inside = [row for core, row in rows.items() if owner.get(core, "") == name]
        color = colors.get(name, NEUTRAL)
        strip = rectangle(-0.009, inside[0] + 0.1, 0.005, len(inside) - 0.2)
        fill(axes, [strip], color, transform=transform, clip_on=False)
        axes.text(
            -0.045,
            inside[0] + len(inside) / 2,
            label(name or "other", 14),
            transform=transform,
            color=color,
            ha="right",
            va="center",
        )
