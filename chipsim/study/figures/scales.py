"""Scales of a panel: units with prefixes, logarithmic ones, the values of an axis as ticks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from chipsim.report.figures.style import INK, label
from chipsim.report.numbers import count
from chipsim.study import measures
from chipsim.study.figures.series import is_numeric
from chipsim.study.model import Axis, Plot, Study
from chipsim.units import format_quantity

_STEPS_OF_A_DECADE = ((1.0, (1, 2, 3, 5, 7)), (2.0, (1, 2, 5)), (3.0, (1, 3)))
"""Up to so many decades a logarithmic scale has ticks at these multiples, beyond at powers only."""


def set_scales(axes: Axes, study: Study, plot: Plot) -> None:
    """Set scales, ticks and labels of both directions, of axes that hold all their marks."""
    axes.grid(axis="y")
    _measure_scale(axes.yaxis, plot.y, "y" in plot.log)
    axis = study.axis(plot.x)
    if axis is not None:
        axes.set_xlabel(axis.name)
        _axis_ticks(axes, axis, "x" in plot.log)
        return
    axes.set_xlabel(measures.label(plot.x))
    axes.grid(axis="x")
    _measure_scale(axes.xaxis, plot.x, "x" in plot.log)


def _measure_scale(axis: Any, path: str, log: bool) -> None:
    """Set the scale of a measure; ``axis`` is matplotlib's XAxis or YAxis."""
    if log:
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = axis.get_view_interval()
    if log and 0 < low < high:
        span = math.log10(high / low)
        steps = next((s for most, s in _STEPS_OF_A_DECADE if span <= most), (1,))
        axis.set_major_locator(LogLocator(subs=steps))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_written(path)))


def _axis_ticks(axes: Axes, axis: Axis, log: bool) -> None:
    """Put a tick at every value of the axis."""
    if not is_numeric(axis):
        names = [label(str(value), 14) for value in axis.values]
        axes.set_xticks(range(len(names)), names, color=INK)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.tick_params(axis="x", length=0)
        return
    if log:
        axes.set_xscale("log")
    axes.set_xticks([float(value) for value in axis.values], [str(v) for v in axis.values])
    axes.xaxis.set_minor_locator(NullLocator())


def _written(path: str) -> Callable[[float, int | None], str]:
    """Return how a tick of a measure is written."""
    unit = measures.key_of(path).unit

    def write(value: float, position: int | None) -> str:
        if unit == "fraction":
            return f"{100 * value:.4g} %"
        return format_quantity(value, unit) if unit in measures.SI_UNITS else count(value)

    return write
