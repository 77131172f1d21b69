"""How a network learned on the chip: its error, sample by sample."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from chipsim.report.figures.style import NEUTRAL, TASK_COLORS, axes_at, new_figure, styled, title
from chipsim.report.numbers import plural
from chipsim.report.schema import Arrays, Summary

_WINDOWS = 40


@styled
def draw(summary: Summary, arrays: Arrays) -> Figure | None:
    """Draw the error of all samples and its running mean; None where nothing learned."""
    error = np.array(summary["learning"]["error"], np.float64)
    if error.size < 2:
        return None
    figure = new_figure(2.9)
    title(
        figure,
        f"Error over {plural(error.size, 'sample')} learned on the chip",
        "Grey: each sample. Line: mean of the samples around it.",
    )
    axes = axes_at(figure, 0.9, 0.5, 8.6, 1.75)
    axes.plot(error, linestyle="none", marker=".", markersize=2, color=NEUTRAL, rasterized=True)
    width = max(1, error.size // _WINDOWS)
    mean = np.convolve(error, np.ones(width) / width, mode="valid")
    axes.plot(np.arange(mean.size) + width / 2, mean, color=TASK_COLORS[1], linewidth=1.4)
    axes.set_ylim(0, None)
    axes.set_xlabel("sample")
    axes.set_ylabel("error")
    return figure
