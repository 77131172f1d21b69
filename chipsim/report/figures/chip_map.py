"""Chip map: where the slices lie, how full their cores are and what energy they take."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from chipsim.report.figures.mesh_axes import MeshPlace, mesh_axes, mesh_place
from chipsim.report.figures.shapes import (
    fill,
    fill_heat,
    heat_scale,
    heat_step,
    heat_text,
    rectangle,
    scaled,
)
from chipsim.report.figures.style import (
    INK,
    label,
    new_figure,
    population_colors,
    styled,
    title,
)
from chipsim.report.numbers import count, plural
from chipsim.report.schema import Arrays, Summary

_GAP = 0.08


@styled
def draw(summary: Summary, arrays: Arrays) -> Figure:
    """Draw the mesh twice: population and fill of every core, and energy of every core."""
    place = mesh_place(summary, panel=4.35)
    bottom = 0.78
    figure = new_figure(bottom + place.height + 0.6)
    used, available = count(summary["cores_used"]), plural(summary["cores_available"], "core")
    title(
        figure,
        f"{used} of {available} used",
        "Colour: population. Column at the left of a core and number: its fullest memory, in %.",
    )
    title(
        figure,
        "Where the energy goes",
        f"Energy of each core in one inference, in {_energy_unit(summary)[1]}; without mesh and "
        "static.",
        left=5.15,
    )
    occupancy = mesh_axes(figure, place, 0.4, bottom)
    _occupancy(occupancy, summary, place)
    _legend(occupancy, summary, place)
    energy = mesh_axes(figure, place, 5.45, bottom)
    _energy(energy, summary, place)
    factor, unit = _energy_unit(summary)
    top = max(row["energy_per_inference_j"] for row in summary["cores"]) if summary["cores"] else 0
    text = f"energy per inference ({unit})"
    heat_scale(figure, (5.45, 0.16, 2.6), top * factor, text, of_image=place.is_large)
    return figure


def _energy_unit(summary: Summary) -> tuple[float, str]:
    return scaled(max((row["energy_per_inference_j"] for row in summary["cores"]), default=0), "J")


def _occupancy(axes: Axes, summary: Summary, place: MeshPlace) -> None:
    large = place.is_large
    for population, color in population_colors(summary).items():
        rows = [row for row in summary["cores"] if row["population"] == population]
        side = 1 - _GAP
        corners = [(row["x"] - side / 2, row["y"] - side / 2) for row in rows]
        fill(
            axes,
            [rectangle(x, y, side, side) for x, y in corners],
            color,
            alpha=0.25,
            rasterized=large,
        )
        fill(
            axes,
            [
                rectangle(x, y, 0.2 * side, min(row["fill"], 1.0) * side)
                for (x, y), row in zip(corners, rows, strict=True)
            ],
            color,
            rasterized=large,
        )
        somas = [
            rectangle(row["x"] - 0.44, row["y"] - 0.44, 0.88, 0.88)
            for row in rows
            if row["role"] == "soma"
        ]
        fill(axes, somas, "none", edgecolor=color, linewidth=1.3, rasterized=large)
    for row in summary["cores"]:
        if place.has_labels:
            number = f"{100 * row['fill']:.0f}"
            axes.text(row["x"] + 0.1, row["y"], number, fontsize=6.5, ha="center", va="center")
    for row in _critical(summary):
        ring = rectangle(row["x"] - 0.5, row["y"] - 0.5, 1, 1)
        fill(axes, [ring], "none", edgecolor=INK, linewidth=1.6)


def _critical(summary: Summary) -> list[dict[str, int]]:
    critical = summary["critical_core"]["core"]
    return [row for row in summary["cores"] if row["core"] == critical and critical is not None]


def _legend(axes: Axes, summary: Summary, place: MeshPlace) -> None:
    handles = []
    for population, color in population_colors(summary).items():
        roles = {row["role"] for row in summary["cores"] if row["population"] == population}
        if roles:
            handles.append(Patch(facecolor=color, label=label(population, 16)))
        if "soma" in roles and len(roles) > 1:
            text = f"{label(population, 16)}: sums and somas"
            handles.append(
                Patch(facecolor=(color, 0.25), edgecolor=color, linewidth=1.3, label=text)
            )
    if _critical(summary):
        handles.append(Patch(facecolor="none", edgecolor=INK, label="most work in a phase"))
    axes.legend(
        handles=handles[:8],
        loc="upper left",
        bbox_to_anchor=(0, -0.32 / place.height),
        ncols=3,
    )


def _energy(axes: Axes, summary: Summary, place: MeshPlace) -> None:
    rows = summary["cores"]
    values = [row["energy_per_inference_j"] for row in rows]
    top = max(values, default=0.0)
    side = 1 - _GAP
    shapes = [rectangle(row["x"] - side / 2, row["y"] - side / 2, side, side) for row in rows]
    fill_heat(axes, shapes, values, top, as_image=place.is_large)
    if not place.has_labels:
        return
    factor = _energy_unit(summary)[0]
    for row, value in zip(rows, values, strict=True):
        color = heat_text(heat_step(value, top))
        text = f"{value * factor:.3g}"
        axes.text(row["x"], row["y"], text, fontsize=6.5, ha="center", va="center", color=color)
