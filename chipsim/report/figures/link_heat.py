"""Link heat map: how busy every link of the mesh is, in both directions."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chipsim.chip import MESH_STEPS, TRIANGLE_STEPS
from chipsim.report.figures.mesh_axes import MeshPlace, mesh_axes, mesh_place
from chipsim.report.figures.shapes import FloatArray, fill, fill_heat, heat_scale, rectangle
from chipsim.report.figures.style import (
    ALERT,
    INK,
    NEUTRAL,
    axes_at,
    new_figure,
    population_colors,
    styled,
    title,
)
from chipsim.report.numbers import percent
from chipsim.report.schema import Arrays, Summary

_MOST = 20


@styled
def draw(summary: Summary, arrays: Arrays) -> Figure:
    """Draw an arrow a link, coloured by its load, and how the loads of all links are spread."""
    place = mesh_place(summary, panel=5.6)
    bottom = 0.78
    figure = new_figure(bottom + place.height + 0.6)
    loads = _loads(summary, arrays)
    top = float(loads.max(initial=0.0))
    hottest = summary["traffic"]["hottest_link"]
    text = (
        f"The hottest link, {hottest}, is busy {percent(summary['traffic']['max_link_load'])} "
        "of a phase"
        if hottest is not None
        else "No packet crossed a link"
    )
    title(
        figure,
        text,
        "An arrow is one direction of a link: the share of cycles in which a flit crosses it, over "
        "the whole run. Squares: routers whose core is used.",
    )
    axes = mesh_axes(figure, place, 0.4, bottom)
    _routers(axes, summary, place)
    _links(axes, summary, place, loads, top)
    heat_scale(figure, (0.4, 0.16, 2.6), top, "link load", "%", place.is_large)
    if top > 0:
        height = min(place.height - 0.3, 4.4)
        above = bottom + place.height - 0.3 - height
        _ranking(axes_at(figure, 7.35, above, 2.4, height), summary, loads)
    return figure


def _loads(summary: Summary, arrays: Arrays) -> FloatArray:
    """Return the load of every router's outgoing links, ``(routers, 4 or 6)``."""
    flits = arrays["link_flits"][:, :-1].astype(np.float64)
    most = flits.max(initial=0.0)
    # The summary knows over how many phases the flits were counted: it gives the hottest's load.
    return flits * (summary["traffic"]["max_link_load"] / most) if most else flits


def _routers(axes: Axes, summary: Summary, place: MeshPlace) -> None:
    for population, color in population_colors(summary).items():
        rows = [row for row in summary["cores"] if row["population"] == population]
        squares = [rectangle(r["x"] - 0.17, r["y"] - 0.17, 0.34, 0.34) for r in rows]
        fill(axes, squares, color, rasterized=place.is_large)


def _links(axes: Axes, summary: Summary, place: MeshPlace, loads: FloatArray, top: float) -> None:
    width = summary["chip"]["width"]
    used = np.argwhere(loads > 0)
    steps = _steps(loads)
    arrows = [_arrow(r % width, r // width, steps[port]) for r, port in used.tolist()]
    fill_heat(
        axes,
        arrows,
        [float(loads[r, p]) for r, p in used],
        top,
        as_image=place.is_large,
    )
    if top > 0:
        router, port = (int(i) for i in np.unravel_index(int(loads.argmax()), loads.shape))
        arrow = _arrow(router % width, router // width, steps[port])
        fill(axes, [arrow], "none", edgecolor=ALERT, linewidth=1.6)


def _steps(loads: FloatArray) -> tuple[tuple[int, int], ...]:
    """Return where the links lead: a router has four, or six on a triangular torus."""
    return TRIANGLE_STEPS if loads.shape[1] == len(TRIANGLE_STEPS) else MESH_STEPS


def _arrow(x: int, y: int, step: tuple[int, int]) -> FloatArray:
    """Return an arrow from router ``(x, y)`` by ``step``, to the right of the link's middle."""
    dx, dy = step
    along = np.array([0.2, 0.63, 0.63, 0.8, 0.63, 0.63, 0.2])
    across = np.array([0.035, 0.035, -0.005, 0.1, 0.205, 0.165, 0.165])
    # To the right of (dx, dy) lies (dy, -dx).
    return np.stack([x + along * dx + across * dy, y + along * dy - across * dx], axis=1)


def _link(x: int, y: int, step: tuple[int, int], summary: Summary) -> str:
    to_x, to_y = (x + step[0]) % summary["chip"]["width"], (y + step[1]) % summary["chip"]["height"]
    return f"({x},{y})->({to_x},{to_y})"


def _ranking(axes: Axes, summary: Summary, loads: FloatArray) -> None:
    """Draw the busiest links as bars, the hottest on top."""
    width = summary["chip"]["width"]
    order = np.argsort(-loads, axis=None, kind="stable")[:_MOST]
    order = order[loads.ravel()[order] > 0]
    values = loads.ravel()[order] * 100
    steps = _steps(loads)
    places = [divmod(i, len(steps)) for i in order.tolist()]
    names = [_link(r % width, r // width, steps[port], summary) for r, port in places]
    axes.barh(range(len(values)), values, height=0.7, color=[ALERT, *[NEUTRAL] * (len(values) - 1)])
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(_MOST - 0.4, -0.6)
    axes.set_xlim(0, values[0] * 1.05)
    axes.set_xlabel("busy share of a phase (%)")
    axes.set_title("busiest links", fontsize=8.5, loc="left", color=INK)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
