"""The picture of a study: one panel a plot, two a row; lines, bars or points by what x is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chipsim.report.figures.style import MUTED, axes_at, label, new_figure, styled
from chipsim.report.numbers import plural
from chipsim.study import measures
from chipsim.study.figures.marks import bars, crosses, lines, points
from chipsim.study.figures.scales import set_scales
from chipsim.study.figures.series import Series, is_numeric, series_of
from chipsim.study.model import Plot, Study
from chipsim.study.outcome import Row

_WIDTH, _HEIGHT = 4.05, 2.55
_LEFT, _STRIDE = 0.75, 5.0
_TOP, _ROW = 0.78, 4.0


@styled
def draw(study: Study, rows: Sequence[Row]) -> Figure | None:
    """Draw the plots of a study; None if it has none."""
    if not study.plots:
        return None
    count = -(-len(study.plots) // 2)
    figure = new_figure(count * _ROW, 10.0)
    for index, plot in enumerate(study.plots):
        down, across = divmod(index, 2)
        left = _LEFT + across * _STRIDE
        bottom = (count - down) * _ROW - _TOP - _HEIGHT
        _panel(axes_at(figure, left, bottom, _WIDTH, _HEIGHT), study, plot, rows)
    return figure


def _panel(axes: Axes, study: Study, plot: Plot, rows: Sequence[Row]) -> None:
    rows = [row for row in rows if plot.shows(row.coordinates)]
    drawn = series_of(study, plot, rows)
    axis = study.axis(plot.x)
    if axis is None:
        points(axes, study, plot, drawn)
    elif is_numeric(axis) or "y" in plot.log or plot.y.startswith("accuracy."):
        # Accuracies differ too little for bars, which begin at zero.
        lines(axes, axis, drawn)
    else:
        bars(axes, axis, drawn)
    if axis is not None:
        crosses(axes, axis, rows)
    set_scales(axes, study, plot)
    _head(axes, study, plot, drawn, rows)


def _head(
    axes: Axes, study: Study, plot: Plot, drawn: Sequence[Series], rows: Sequence[Row]
) -> None:
    """Write what the panel shows, what is left out, and which colour is which."""
    by = measures.label(plot.x) if study.axis(plot.x) is None else plot.x
    also = f" and {plot.series}" if plot.series is not None else ""
    only = "".join(f", {value}" for value in plot.where.values())
    heading = label(f"{measures.label(plot.y)} by {by}{also}{only}", 60)
    _above(axes, 0.5, heading[:1].upper() + heading[1:], fontsize=10.5, fontweight="bold")
    unfit = sum(not row.fits for row in rows)
    cross = ": cross" if study.axis(plot.x) is not None else ""
    notes = [f"{unfit} of {plural(len(rows), 'point')} do not fit{cross}"] if unfit else []
    if study.pareto:
        notes.append("ring: on the Pareto front")
    _above(axes, 0.29, "; ".join(notes), fontsize=8, color=MUTED)
    if plot.series is not None:
        axes.legend(
            handles=[s.handle for s in drawn if s.handle is not None],
            loc="lower left", bbox_to_anchor=(-0.12, 1.03), ncols=6,
        )  # fmt: skip


def _above(axes: Axes, inches: float, text: str, **look: Any) -> None:
    place = axes.transAxes
    axes.text(-0.12, 1 + inches / _HEIGHT, text, transform=place, va="bottom", **look)
