"""Axes on which one unit is one router of the mesh, x to the east and y to the north."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chipsim.report.figures.shapes import fill, rectangle
from chipsim.report.figures.style import EMPTY, axes_at, clear_frame
from chipsim.report.schema import Summary

_WHOLE = 400
_CELL = 0.55


@dataclass(frozen=True)
class MeshPlace:
    """The part of the mesh that is drawn (routers), its size on paper (inches), and its gaps."""

    left: int
    bottom: int
    right: int
    top: int
    width: float
    height: float
    gone: frozenset[tuple[int, int]]

    @property
    def cell(self) -> float:
        """Side of a core on paper, in inches."""
        return self.width / self.routers[0]

    @property
    def routers(self) -> tuple[int, int]:
        """Routers drawn in x and in y."""
        return self.right - self.left + 1, self.top - self.bottom + 1

    @property
    def is_large(self) -> bool:
        """Whether there are so many cores that their shapes belong into an image."""
        return self.routers[0] * self.routers[1] > 2 * _WHOLE

    @property
    def has_labels(self) -> bool:
        """Whether a core is large enough to hold a number."""
        return self.cell >= 0.24


def mesh_place(summary: Summary, panel: float) -> MeshPlace:
    """Fit the mesh into ``panel`` inches; of a large chip only the used cores and around."""
    width, height = summary["chip"]["width"], summary["chip"]["height"]
    left, bottom, right, top = 0, 0, width - 1, height - 1
    cores = summary["cores"]
    if width * height > _WHOLE and cores:
        left = max(min(row["x"] for row in cores) - 1, 0)
        right = min(max(row["x"] for row in cores) + 1, width - 1)
        bottom = max(min(row["y"] for row in cores) - 1, 0)
        top = min(max(row["y"] for row in cores) + 1, height - 1)
    across, up = right - left + 1, top - bottom + 1
    cell = min(panel / across, panel / up * 1.1, _CELL)
    gone = frozenset((row["x"], row["y"]) for row in summary["chip"].get("gone", ()))
    return MeshPlace(left, bottom, right, top, across * cell, up * cell, gone)


def mesh_axes(figure: Figure, place: MeshPlace, left: float, bottom: float) -> Axes:
    """Return axes with the empty cores drawn, at ``left, bottom`` inches in the figure."""
    axes = axes_at(figure, left, bottom, place.width, place.height)
    axes.set_xlim(place.left - 0.5, place.right + 0.5)
    axes.set_ylim(place.bottom - 0.5, place.top + 0.5)
    cells = [
        rectangle(x - 0.46, y - 0.46, 0.92, 0.92)
        for y in range(place.bottom, place.top + 1)
        for x in range(place.left, place.right + 1)
        if (x, y) not in place.gone
    ]
    if place.is_large:
        fill(axes, [rectangle(place.left - 0.5, place.bottom - 0.5, *place.routers)], EMPTY)
    else:
        fill(axes, cells, EMPTY)
    stride = max(1, round(0.24 / place.cell))
    axes.set_xticks(range(place.left, place.right + 1, stride))
    axes.set_yticks(range(place.bottom, place.top + 1, stride))
    clear_frame(axes)
    axes.tick_params(pad=1)
    axes.set_xlabel("x", labelpad=0)
    axes.set_ylabel("y", rotation=0, labelpad=4, va="center")
    return axes
