"""Traffic matrix: packets from every core to every core, in the order of the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chipsim.report.figures.shapes import fill, fill_heat, heat_scale, pixels, rectangle
from chipsim.report.figures.style import (
    GRID,
    HEAT_IN_IMAGE,
    MUTED,
    NEUTRAL,
    axes_at,
    label,
    new_figure,
    population_colors,
    styled,
    title,
)
from chipsim.report.numbers import count, in_model_order
from chipsim.report.schema import Arrays, Summary

_FLOWS = 12
_SIDE = 5.4
_LABELLED = 48
_DRAWN = 3000
_PIXELS = 512


@dataclass(frozen=True)
class Group:
    """Cores drawn together: places ``first .. first+length-1`` of both axes."""

    name: str
    color: str
    first: int
    length: int

    @property
    def span(self) -> slice:
        """Its places."""
        return slice(self.first, self.first + self.length)


@styled
def draw(summary: Summary, arrays: Arrays) -> Figure | None:
    """Draw packets an inference from source (row) to destination (column).

    None where no packet was sent.
    """
    matrix = arrays["traffic_matrix"] / max(summary["trace"]["samples"], 1)
    cores, groups = _order(summary, matrix)
    if not cores or not matrix.any():
        return None
    bottom = 1.15
    figure = new_figure(bottom + _SIDE + 0.7)
    shown = matrix[np.ix_(cores, cores)]
    row, column = np.unravel_index(int(shown.argmax()), shown.shape)
    title(
        figure,
        f"Most packets go from core {cores[row]} to core {cores[column]}: "
        f"{count(float(shown.max()))} an inference",
        "Rows send, columns receive; a multicast packet counts at each of its destinations, and "
        "input as sent by the core at the input port.",
    )
    axes = axes_at(figure, 1.5, bottom, _SIDE, _SIDE)
    _cells(axes, shown, cores)
    _group_marks(axes, groups, len(cores))
    top, text = float(shown.max()), "packets per inference"
    heat_scale(figure, (1.5, 0.16, 2.6), top, text, of_image=_as_image(shown))
    _totals(figure, bottom, shown, groups)
    return figure


def _order(summary: Summary, matrix: np.ndarray) -> tuple[list[int], list[Group]]:
    """Return the cores in drawing order, grouped by population and role."""
    rows = summary["cores"]
    owned = {row["core"] for row in rows}
    busy = np.flatnonzero(matrix.any(axis=0) | matrix.any(axis=1)).tolist()
    members = [("no slice", NEUTRAL, [core for core in busy if core not in owned])]
    colors = population_colors(summary)
    for name in in_model_order((row["population"] for row in rows), summary):
        roles = sorted({row["role"] for row in rows if row["population"] == name})
        for role in roles:
            inside = [r["core"] for r in rows if (r["population"], r["role"]) == (name, role)]
            text = label(name, 14) + (f" {label(role, 9)}" if len(roles) > 1 else "")
            members.append((text, colors[name], sorted(inside)))
    cores: list[int] = []
    groups = []
    for text, color, inside in members:
        if inside:
            groups.append(Group(text, color, len(cores), len(inside)))
            cores += inside
    return cores, groups


def _cells(axes: Axes, shown: np.ndarray, cores: list[int]) -> None:
    size = len(cores)
    top = float(shown.max())
    used = np.argwhere(shown > 0).tolist()
    gap = 0.06 if size <= 80 else 0.0
    if _as_image(shown):
        coarse = _coarse(shown)
        steps = np.minimum(
            (coarse * (len(HEAT_IN_IMAGE) / top)).astype(np.int64), len(HEAT_IN_IMAGE) - 1
        )
        pixels(axes, np.where(coarse > 0, steps, -1), HEAT_IN_IMAGE, (0, size, size, 0))
    else:
        shapes = [rectangle(c + gap / 2, r + gap / 2, 1 - gap, 1 - gap) for r, c in used]
        fill_heat(axes, shapes, [float(shown[r, c]) for r, c in used], top)
    axes.set(xlim=(0, size), ylim=(size, 0), xlabel="destination core", ylabel="source core")
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(GRID)
    if size <= _LABELLED:
        names = [str(core) for core in cores]
        ticks = np.arange(size) + 0.5
        axes.set_xticks(ticks, names, rotation=90, fontsize=6)
        axes.set_yticks(ticks, names, fontsize=6)
    else:
        axes.set(xticks=[], yticks=[])
    axes.tick_params(length=0, pad=7)
    axes.xaxis.labelpad = 2
    axes.yaxis.labelpad = 2


def _as_image(shown: np.ndarray) -> bool:
    return int(np.count_nonzero(shown)) > _DRAWN


def _coarse(shown: np.ndarray) -> np.ndarray:
    """Return the matrix with at most `_PIXELS` rows and columns, each the most of some cores."""
    block = -(-len(shown) // _PIXELS)
    starts = np.arange(0, len(shown), block)
    rows = np.maximum.reduceat(shown, starts, axis=0)
    return np.asarray(np.maximum.reduceat(rows, starts, axis=1))


def _group_marks(axes: Axes, groups: list[Group], size: int) -> None:
    """Draw each group's colour along both axes, and lines where one ends."""
    thick = 0.011 * size
    for group in groups:
        first, length = group.first + 0.1, group.length - 0.2
        for strip in (
            rectangle(first, size + thick * 0.4, length, thick),
            rectangle(-1.4 * thick, first, thick, length),
        ):
            fill(axes, [strip], group.color, clip_on=False)
        if group.first:
            axes.axhline(group.first, color=GRID, linewidth=0.8)
            axes.axvline(group.first, color=GRID, linewidth=0.8)


def _totals(figure: Figure, bottom: float, shown: np.ndarray, groups: list[Group]) -> None:
    """List the packets between groups, the most first."""
    flows = [
        (float(shown[source.span, target.span].sum()), source, target)
        for source in groups
        for target in groups
    ]
    flows = sorted((f for f in flows if f[0] > 0), key=lambda f: (-f[0], f[1].first, f[2].first))
    flows = flows[:_FLOWS]
    height = 0.36 * len(flows)
    axes = axes_at(figure, 7.3, bottom + _SIDE - height - 0.2, 2.5, height)
    for i, (packets, source, target) in enumerate(flows):
        axes.barh(i + 0.22, packets, height=0.26, color=source.color)
        text = f"{source.name} to {target.name}: {count(packets)}"
        axes.text(0, i - 0.12, text, fontsize=7.5, color=MUTED)
    axes.set(xlim=(0, flows[0][0]), ylim=(len(flows) - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title("packets per inference", fontsize=8.5, loc="left")
