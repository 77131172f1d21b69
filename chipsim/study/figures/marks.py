"""What stands in a panel: lines or bars over an axis, points of one measure against another."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from chipsim.report.figures.style import ALERT, INK, MUTED
from chipsim.study.figures.series import Dot, Series, is_numeric, place_on
from chipsim.study.model import Axis, Plot, Study
from chipsim.study.outcome import Row


def lines(axes: Axes, axis: Axis, drawn: Sequence[Series]) -> None:
    """Join the points of each run; over values that are no numbers, by a thin line."""
    width = 1.4 if is_numeric(axis) else 0.7
    for series in drawn:
        for run in series.runs:
            xs, ys = [dot.x for dot in run], [dot.y for dot in run]
            axes.plot(
                xs, ys, color=series.color, marker=series.marker, markersize=series.size,
                linewidth=width, clip_on=False, zorder=3,
            )  # fmt: skip
    _rings(axes, [dot for series in drawn for run in series.runs for dot in run])


def bars(axes: Axes, axis: Axis, drawn: Sequence[Series]) -> None:
    """Draw a bar a point from zero, those of one value side by side."""
    runs = [(series, run) for series in drawn for run in series.runs]
    width = 0.72 / max(len(runs), 1)
    for index, (series, run) in enumerate(runs):
        shift = (index - (len(runs) - 1) / 2) * width
        places = [dot.x + shift for dot in run]
        axes.bar(places, [dot.y for dot in run], width * 0.92, color=series.color, zorder=3)
        _rings(axes, [Dot(dot.x + shift, dot.y, dot.on_front, dot.name) for dot in run])
    axes.set_ylim(bottom=0)


def points(axes: Axes, study: Study, plot: Plot, drawn: Sequence[Series]) -> None:
    """Draw measure against measure; with the objectives as axes, the front itself and names."""
    for series in drawn:
        dots = [dot for run in series.runs for dot in run]
        xs, ys = [dot.x for dot in dots], [dot.y for dot in dots]
        axes.plot(
            xs, ys, color=series.color, marker=series.marker, markersize=series.size,
            linestyle="none", clip_on=False, zorder=3,
        )  # fmt: skip
    dots = [dot for series in drawn for run in series.runs for dot in run]
    axes.margins(0.12)
    _rings(axes, dots)
    directions = {o.path: o.direction for o in study.pareto}
    if set(directions) == {plot.x, plot.y}:
        front = [dot for dot in dots if dot.on_front]
        _front(axes, front, directions[plot.x] == "minimise")
        _names(axes, front, directions[plot.y] == "minimise")


def crosses(axes: Axes, axis: Axis, rows: Sequence[Row]) -> None:
    """Mark on the x axis where a network does not fit."""
    places = sorted({place_on(axis, row) for row in rows if not row.fits})
    axes.plot(
        places, [0.0] * len(places),
        transform=axes.get_xaxis_transform(), linestyle="none", marker="x", markersize=6,
        markeredgewidth=1.6, color=ALERT, clip_on=False, zorder=4,
    )  # fmt: skip


def _rings(axes: Axes, dots: Sequence[Dot]) -> None:
    front = [dot for dot in dots if dot.on_front]
    axes.plot(
        [dot.x for dot in front], [dot.y for dot in front],
        linestyle="none", marker="o", markersize=12, fillstyle="none", markeredgewidth=1.0,
        color=INK, clip_on=False, zorder=4,
    )  # fmt: skip


def _front(axes: Axes, front: Sequence[Dot], low_x_is_good: bool) -> None:
    """Draw the best y that is to be had within each x, as stairs."""
    corners = sorted({(dot.x, dot.y) for dot in front})
    axes.plot(
        [x for x, _ in corners], [y for _, y in corners],
        drawstyle="steps-post" if low_x_is_good else "steps-pre",
        color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=2,
    )  # fmt: skip


def _names(axes: Axes, front: Sequence[Dot], low_y_is_good: bool) -> None:
    """Name the points of the front on the side where better points would be: there are none."""
    named: dict[tuple[float, float], list[str]] = {}
    for dot in front:
        named.setdefault((dot.x, dot.y), []).append(dot.name)
    low, high = axes.get_xlim()
    up, below = (-9, "top") if low_y_is_good else (9, "bottom")
    for (x, y), names in named.items():
        across = (x - low) / (high - low)
        edge = "left" if across < 0.3 else "right" if across > 0.7 else "center"
        axes.annotate(
            "\n".join(dict.fromkeys(names)), (x, y), (0, up), textcoords="offset points",
            ha=edge, va=below, fontsize=7.5, color=MUTED,
        )  # fmt: skip
