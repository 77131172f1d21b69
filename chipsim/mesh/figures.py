"""Pictures of a mesh under load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from chipsim.errors import InputError
from chipsim.mesh.curve import Point

TOP = 8
"""Latencies above so many times the least are cut off: they say only that a mesh saturates."""


def plot_curve(curves: Mapping[str, list[Point]], path: str | Path) -> None:
    """Draw mean latency (and the 99th percentile, dashed) against offered load into a file.

    ``curves`` maps a label to the points of one mesh; loads it cannot carry end the line.
    InputError if the file cannot be written or its ending names no picture format.
    """
    matplotlib.rcParams["svg.hashsalt"] = "chipsim"
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for label, points in curves.items():
        stable = [point for point in points if point.packets and point.stable]
        loads = [point.offered for point in stable]
        (line,) = axes.plot(loads, [point.mean for point in stable], marker="o", ms=3, label=label)
        p99 = [point.p99 for point in stable]
        axes.plot(loads, p99, color=line.get_color(), ls="--", lw=0.8)
    axes.set_xlabel("offered load, flits a core and cycle")
    axes.set_ylabel("latency, cycles (mean; dashed: 99th percentile)")
    means = [
        point.mean
        for points in curves.values()
        for point in points
        if point.packets and point.stable
    ]
    if means:
        axes.set_ylim(0, TOP * min(means))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    try:
        figure.savefig(path, metadata={"Date": None} if str(path).endswith(".svg") else None)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the plot cannot be written: {error}") from error
