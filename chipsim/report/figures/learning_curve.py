"""How a network learned on the chip: its error by sample and batch, beside float."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chipsim.report.figures.style import NEUTRAL, TASK_COLORS, axes_at, new_figure, styled, title
from chipsim.report.numbers import plural
from chipsim.report.schema import Arrays, Summary

_POINTS = 40


@styled
def draw(summary: Summary, arrays: Arrays) -> Figure | None:
    """Draw the error of samples and of batches, and the float network's; None without learning."""
    learning = summary["learning"]
    error = np.array(learning["error"], np.float64)
    if error.size < 2:
        return None
    figure = new_figure(2.9)
    title(
        figure,
        f"Error over {plural(error.size, 'sample')} learned on the chip",
        "Grey: each sample. Lines: means of batches, on the chip and of the same network in float "
        "with plasticity off.",
    )
    axes = axes_at(figure, 0.9, 0.5, 8.6, 1.75)
    axes.plot(error, linestyle="none", marker=".", markersize=2, color=NEUTRAL, rasterized=True)
    width = -(-len(learning["by_batch"]) // _POINTS)
    groups = [learning["by_batch"][at : at + width] for at in range(0, error.size, width)]
    groups = [group for group in groups if group]
    _line(axes, groups, "float_error", NEUTRAL, "float, plasticity off")
    _line(axes, groups, "error", TASK_COLORS[1], "chip")
    axes.set_ylim(0, None)
    axes.set_xlabel("sample")
    axes.set_ylabel("error")
    axes.legend(loc="upper right", ncols=2)
    return figure


def _line(axes: Axes, groups: list[list[dict[str, Any]]], key: str, color: str, name: str) -> None:
    """Draw means of neighbouring batches, each at the middle of its samples."""
    if groups[0][0][key] is None:
        return
    sizes = np.array([sum(batch["samples"] for batch in group) for group in groups])
    means = [
        sum(batch[key] * batch["samples"] for batch in group) / size
        for group, size in zip(groups, sizes.tolist(), strict=True)
    ]
    middles = np.cumsum(sizes) - (sizes + 1) / 2
    axes.plot(middles, means, color=color, linewidth=1.4, marker=".", markersize=4, label=name)
