"""Pictures of a mesh under load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chipsim.chip import MESH_STEPS, TRIANGLE_STEPS
from chipsim.errors import InputError
from chipsim.mesh.curve import Point
from chipsim.mesh.fabric import Int64
from chipsim.mesh.topology import Topology

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
    _save(figure, path)


def plot_latencies(latencies: Mapping[str, Int64], path: str | Path) -> None:
    """Draw which share of deliveries took how many cycles or more, a line a kind, into a file.

    ``latencies`` maps a label to the latency of each delivery.  InputError as `plot_curve`.
    """
    matplotlib.rcParams["svg.hashsalt"] = "chipsim"
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for label, latency in latencies.items():
        cycles, count = np.unique(latency, return_counts=True)
        share = np.cumsum(count[::-1])[::-1] / latency.size
        axes.step(cycles, share, where="post", label=f"{label} ({latency.size:,})")
    axes.set_xlabel("latency, cycles")
    axes.set_ylabel("share of deliveries that take so long or longer")
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    _save(figure, path)


def plot_heat(
    topology: Topology, link_load: NDArray[np.float64], title: str, path: str | Path
) -> None:
    """Draw every link as an arrow coloured by its load (flits a cycle) into a file.

    ``link_load`` is (routers, ports), of which the first are links.

    An arrow keeps to the right of the line between its routers, so both directions are seen; links
    around the edges of a torus end halfway.  InputError as `plot_curve`.
    """
    matplotlib.rcParams["svg.hashsalt"] = "chipsim"
    steps = np.array(TRIANGLE_STEPS if topology.links == 6 else MESH_STEPS)
    router, port = np.nonzero(topology.leads[:, : topology.links] >= 0)
    x, y = router % topology.width, router // topology.width
    dx, dy = steps[port].T
    to = topology.leads[router, port] >> 3
    around = (abs(to % topology.width - x) > 1) | (abs(to // topology.width - y) > 1)
    length = np.where(around, 0.4, 0.8)
    side = max(4.0, min(12.0, 0.5 * max(topology.width, topology.height)))
    figure = Figure(figsize=(side + 1.2, side), layout="constrained")
    axes = figure.subplots()
    arrows = axes.quiver(
        x + 0.1 * dx + 0.09 * dy, y + 0.1 * dy - 0.09 * dx, dx * length, dy * length,
        link_load[router, port], angles="xy", scale_units="xy", scale=1, cmap="inferno_r",
        width=0.06 / max(topology.width, topology.height),
    )  # fmt: skip
    arrows.set_clim(0, None)
    figure.colorbar(arrows, label="load, flits a cycle", shrink=0.8)
    axes.set_xlim(-0.7, topology.width - 0.3)
    axes.set_ylim(-0.7, topology.height - 0.3)
    axes.set_aspect("equal")
    axes.set_xlabel("x")
    axes.set_ylabel("y")
    axes.set_title(title)
    _save(figure, path)


def _save(figure: Figure, path: str | Path) -> None:
    try:
        figure.savefig(path, metadata={"Date": None} if str(path).endswith(".svg") else None)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the plot cannot be written: {error}") from error
