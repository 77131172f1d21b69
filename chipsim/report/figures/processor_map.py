"""Chip map of processors: the cores in use on each chip, and how busy they are."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from chipsim.report.figures.mesh_axes import MeshPlace, mesh_axes, mesh_place
from chipsim.report.figures.shapes import FloatArray, fill, fill_heat, heat_scale, rectangle
from chipsim.report.figures.style import label, new_figure, population_colors, styled, title
from chipsim.report.numbers import count, plural
from chipsim.report.schema import Arrays, Summary

_SIDE = 0.92


@styled
def draw(summary: Summary, arrays: Arrays) -> Figure:
    """Draw the chips twice: whose core is where, and how much of a tick each works at most."""
    place = mesh_place(summary, panel=4.35)
    bottom = 0.78
    figure = new_figure(bottom + place.height + 0.6)
    used, available = count(summary["cores_used"]), plural(summary["cores_available"], "core")
    explanation = "A square is a chip, a small one a core in use. Colour: population."
    title(figure, f"{used} of {available} used", explanation)
    text = "Work of each core in its longest tick, as a share of the tick."
    title(figure, "How busy they are", text, left=5.15)
    occupancy = mesh_axes(figure, place, 0.4, bottom)
    across = math.ceil(math.sqrt(summary["chip"]["cores_per_router"]))
    for population, color in population_colors(summary).items():
        rows = [row for row in summary["cores"] if row["population"] == population]
        shapes = [_core(row["x"], row["y"], row["number"], across) for row in rows]
        fill(occupancy, shapes, color, rasterized=place.is_large)
    _legend(occupancy, summary, place)
    busy = mesh_axes(figure, place, 5.45, bottom)
    cores = summary["cores"]
    shares = [row["busy_cycles_max"] / summary["ticks"]["cycles"] for row in cores]
    shapes = [_core(row["x"], row["y"], row["number"], across) for row in cores]
    top = max(shares, default=0.0)
    fill_heat(busy, shapes, shares, top, as_image=place.is_large)
    heat_scale(figure, (5.45, 0.16, 2.6), top, "share of a tick", "%", place.is_large)
    return figure


def _core(x: int, y: int, number: int, across: int) -> FloatArray:
    """Return the place of a core within its chip."""
    cell = _SIDE / across
    row, column = divmod(number, across)
    left, bottom = x - _SIDE / 2 + column * cell, y + _SIDE / 2 - (row + 1) * cell
    return rectangle(left + 0.08 * cell, bottom + 0.08 * cell, 0.84 * cell, 0.84 * cell)


def _legend(axes: Axes, summary: Summary, place: MeshPlace) -> None:
    used = {row["population"] for row in summary["cores"]}
    handles = [
        Patch(facecolor=color, label=label(name, 16))
        for name, color in population_colors(summary).items()
        if name in used
    ]
    axes.legend(
        handles=handles[:8],
        loc="upper left",
        bbox_to_anchor=(0, -0.32 / place.height),
        ncols=3,
    )
