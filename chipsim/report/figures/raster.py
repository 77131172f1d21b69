"""Spike raster: every spike of the first sample, population by population."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chipsim.report.figures.shapes import fill, rectangle
from chipsim.report.figures.style import (
    INK,
    axes_at,
    label,
    new_figure,
    population_colors,
    styled,
    title,
)
from chipsim.report.numbers import count, in_model_order, plural
from chipsim.report.schema import Arrays, Summary

_PREFIX = "raster_"
_WIDTH = 6.0
_BOTTOM, _TOP, _GAP = 0.5, 0.62, 0.14
_LEFT = 1.25


@styled
def draw(summary: Summary, arrays: Arrays) -> Figure | None:
    """Draw one panel a population, with the rate of every neuron beside it.

    None where no raster was kept.
    """
    stored = {name.removeprefix(_PREFIX) for name in arrays if name.startswith(_PREFIX)}
    names = [name for name in in_model_order(stored, summary) if arrays[_PREFIX + name].size > 0]
    if not names:
        return None
    heights = [_height(arrays[_PREFIX + name].shape[1]) for name in names]
    figure = new_figure(_BOTTOM + sum(heights) + _GAP * (len(names) - 1) + _TOP)
    spikes = sum(int(arrays[_PREFIX + name].sum()) for name in names)
    title(
        figure,
        f"{plural(spikes, 'spike')} answer the first sample",
        "A mark is one spike: steps to the right, neurons upwards. At the right: spikes of each "
        "neuron over the sample.",
    )
    above = _BOTTOM + sum(heights) + _GAP * (len(names) - 1)
    for name, height in zip(names, heights, strict=True):
        above -= height
        last = name == names[-1]
        _panel(figure, summary, name, arrays[_PREFIX + name], (above, height), last)
        above -= _GAP
    return figure


def _height(neurons: int) -> float:
    """Return the height of a panel in inches: more for more neurons, but much less than so."""
    return float(np.clip(0.16 * neurons**0.5, 0.6, 3.2))


def _panel(
    figure: Figure,
    summary: Summary,
    name: str,
    raster: np.ndarray,
    place: tuple[float, float],
    last: bool,
) -> None:
    steps, neurons = raster.shape
    color = population_colors(summary).get(name, INK)
    axes = axes_at(figure, _LEFT, place[0], _WIDTH, place[1])
    rates = axes_at(figure, _LEFT + _WIDTH + 0.25, place[0], 1.9, place[1])
    _spikes(axes, raster, color, place[1])
    bars = enumerate(raster.sum(axis=0).tolist())
    shapes = [rectangle(0, neuron - 0.5, spikes, 1) for neuron, spikes in bars if spikes]
    fill(rates, shapes, color, antialiased=False, rasterized=True)
    for each in (axes, rates):
        each.set_ylim(-0.5, neurons - 0.5)
        each.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        each.xaxis.set_major_locator(MaxNLocator(10 if each is axes else 4, integer=True))
        each.tick_params(labelbottom=last)
    axes.set_xlim(-0.5, steps - 0.5)
    rates.set_xlim(0, max(steps, 1))
    rates.tick_params(labelleft=False)
    axes.text(
        -0.62 / _WIDTH,
        0.5,
        f"{label(name, 16)}\n{count(raster.sum())} spikes",
        transform=axes.transAxes,
        ha="center",
        va="center",
        rotation=90,
        color=color,
    )
    if last:
        axes.set_xlabel("step")
        rates.set_xlabel("spikes")


def _spikes(axes: Axes, raster: np.ndarray, color: str, height: float) -> None:
    """Draw spikes as dashes as long as a step, but never smaller than one can see."""
    steps, neurons = raster.shape
    when, who = np.nonzero(raster)
    half = max(0.36, 0.55 * steps / (72 * _WIDTH))
    thickness = float(np.clip(72 * height / neurons * 0.75, 0.9, 5.0))
    ends = np.stack([np.stack([when - half, who], 1), np.stack([when + half, who], 1)], axis=1)
    axes.add_collection(
        LineCollection(
            list(ends), colors=color, linewidths=thickness, antialiaseds=False, rasterized=True
        )
    )
