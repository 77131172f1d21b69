"""What several figures are drawn from: filled shapes, heat steps with their scale, unit choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from chipsim.report.figures.style import (
    HEAT,
    HEAT_IN_IMAGE,
    HEAT_TEXT_HIGH,
    HEAT_TEXT_LOW,
    axes_at,
)
from chipsim.units import format_quantity

FloatArray = NDArray[np.float64]


def fill(axes: Axes, shapes: Sequence[FloatArray], color: str, **look: Any) -> None:
    """Fill polygons, each of shape (corners, 2), with one colour as one path (small in SVG)."""
    if not shapes:
        return
    closed = [Path(np.vstack([shape, shape[:1]]), closed=True) for shape in shapes]
    path = Path.make_compound_path(*closed)
    axes.add_patch(PathPatch(path, facecolor=color, **({"edgecolor": "none"} | look)))


def rectangle(left: float, bottom: float, width: float, height: float) -> FloatArray:
    """Return the corners of a rectangle."""
    right, top = left + width, bottom + height
    return np.array([(left, bottom), (right, bottom), (right, top), (left, top)], np.float64)


def heat_step(value: float, top: float) -> int:
    """Return the step of `HEAT` for ``value`` on a scale from 0 to ``top``."""
    return min(int(len(HEAT) * value / top), len(HEAT) - 1) if top > 0 else 0


def heat_text(step: int) -> str:
    """Return the colour of text that reads on a step of `HEAT`."""
    return HEAT_TEXT_LOW if step < 5 else HEAT_TEXT_HIGH


def fill_heat(
    axes: Axes,
    shapes: Sequence[FloatArray],
    values: Sequence[float],
    top: float,
    as_image: bool = False,
) -> None:
    """Fill each polygon with the step of its value; very many of them better as an image."""
    colors = HEAT_IN_IMAGE if as_image else HEAT
    steps = [heat_step(value, top) for value in values]
    for step, color in enumerate(colors):
        chosen = [s for s, at in zip(shapes, steps, strict=True) if at == step]
        fill(axes, chosen, color, rasterized=as_image, antialiased=not as_image)


def pixels(
    axes: Axes,
    steps: NDArray[np.int64],
    colors: Sequence[str],
    extent: tuple[float, float, float, float],
) -> None:
    """Paint a grid as an image, row 0 at the top: ``steps`` index ``colors``, -1 is clear.

    ``extent`` is left, right, bottom, top.  For shapes too many to be drawn one by one; colours
    must not be themed.
    """
    palette = np.array([*(to_rgba(color) for color in colors), (0, 0, 0, 0)])
    image = (palette[steps] * 255).round().astype(np.uint8)
    axes.imshow(image, extent=extent, aspect="auto", interpolation="none")


def heat_scale(
    figure: Figure,
    place: tuple[float, float, float],
    top: float,
    text: str,
    unit: str = "",
    of_image: bool = False,
) -> None:
    """Draw the scale of `HEAT` at ``place`` (left, bottom, width in inches), 0 to ``top``."""
    axes = axes_at(figure, *place, 0.11)
    span = top if top > 0 else 1.0
    width = span / len(HEAT)
    for step, color in enumerate(HEAT_IN_IMAGE if of_image else HEAT):
        fill(axes, [rectangle(step * width, 0, width, 1)], color)
    axes.set(xlim=(0, span), ylim=(0, 1), yticks=[])
    axes.set_xticks([0, span / 3, 2 * span / 3, span])
    axes.set_xticklabels([_tick(value, unit) for value in axes.get_xticks()])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=2, pad=2)
    axes.set_title(text, fontsize=8, loc="left", pad=4)


def _tick(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.3g} %"
    return format_quantity(float(f"{value:.3g}"), unit)


def scaled(top: float, unit: str) -> tuple[float, str]:
    """Return the factor and the prefixed unit in which values up to ``top`` are written."""
    for factor, prefix in ((1.0, ""), (1e3, "m"), (1e6, "u"), (1e9, "n")):
        if top * factor >= 1 or top == 0:
            return factor, prefix + unit
    return 1e12, "p" + unit
