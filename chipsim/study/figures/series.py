"""A study's rows as series to draw: which points belong together and which colour they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.lines import Line2D

from chipsim.report.figures.style import label
from chipsim.study.model import Axis, Plot, Study, Value
from chipsim.study.outcome import Row

COLORS = ("#0f7fc4", "#e08a00", "#0a9e76", "#c4699b", "#8a63c9", "#d1552a", "#4aaee0", "#8f8f3a")
"""Okabe and Ito, "Color universal design", 2008, less yellow and black, as in a run's report."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True)
class Dot:
    """One point: ``x`` is the place on a numeric axis, else the index of the value."""

    x: float
    y: float
    on_front: bool
    name: str


@dataclass(frozen=True)
class Series:
    """Points drawn alike: one value of the series axis (``None``: all).

    ``size`` of the markers shrinks from series to series, so that none hides another of the same
    values.  ``runs`` are the points that differ in x only, joined by a line where x is an axis.
    """

    color: str
    marker: str
    size: float
    runs: tuple[tuple[Dot, ...], ...]
    handle: Line2D | None


def is_numeric(axis: Axis) -> bool:
    """Tell whether every value of the axis is a number."""
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in axis.values)


def series_of(study: Study, plot: Plot, rows: Sequence[Row]) -> tuple[Series, ...]:
    """Return the series of a plot, in the order of their axis; rows without x or y are left out."""
    axis = None if plot.series is None else study.axis(plot.series)
    values: tuple[Value | None, ...] = (None,) if axis is None else axis.values
    result = []
    for index, value in enumerate(values):
        color, marker = COLORS[index % len(COLORS)], MARKERS[index % len(MARKERS)]
        own = [row for row in rows if axis is None or row.coordinates[axis.name] == value]
        handle = None if axis is None else _handle(label(str(value), 20), color, marker)
        size = 5 + 1.6 * min(len(values) - 1 - index, 4)
        result.append(Series(color, marker, size, _runs(study, plot, own), handle))
    return tuple(result)


def _handle(name: str, color: str, marker: str) -> Line2D:
    return Line2D([], [], color=color, marker=marker, markersize=5, linewidth=1.4, label=name)


def _runs(study: Study, plot: Plot, rows: Sequence[Row]) -> tuple[tuple[Dot, ...], ...]:
    runs: dict[tuple[Value, ...], list[Dot]] = {}
    for row in rows:
        x, y = _x(study, plot, row), row.values[plot.y]
        if x is not None and isinstance(y, (int, float)):
            others = tuple(v for name, v in row.coordinates.items() if name != plot.x)
            dot = Dot(x, float(y), bool(row.on_front), _short_name(plot, row))
            runs.setdefault(others, []).append(dot)
    return tuple(tuple(sorted(run, key=lambda dot: dot.x)) for run in runs.values())


def _x(study: Study, plot: Plot, row: Row) -> float | None:
    axis = study.axis(plot.x)
    if axis is not None:
        return place_on(axis, row)
    value = row.values[plot.x]
    return float(value) if isinstance(value, (int, float)) else None


def place_on(axis: Axis, row: Row) -> float:
    """Return where a row stands on an axis: its number, or the index of its value."""
    coordinate = row.coordinates[axis.name]
    return float(coordinate if is_numeric(axis) else axis.values.index(coordinate))


def _short_name(plot: Plot, row: Row) -> str:
    """Return the coordinates that the colour does not tell."""
    parts = [
        f"{name} {value}" if isinstance(value, (int, float)) else str(value)
        for name, value in row.coordinates.items()
        if name != plot.series
    ]
    return label(", ".join(parts), 32)
