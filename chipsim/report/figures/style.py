"""How all figures look: colours, fonts, titles, and how they become SVG.

Colours in `THEMED` turn into CSS variables in the SVG, so that one figure serves a light and a
dark page; as they stand they are the light theme.  Populations have fixed colours that read on
both (Okabe and Ito, "Color universal design", 2008, less yellow; further ones by Tol, "Colour
schemes", 2021, "muted").
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from chipsim.report.numbers import in_model_order
from chipsim.report.schema import Summary

INK = "#1d2733"
MUTED = "#5d6b7a"
GRID = "#dbe1e8"
EMPTY = "#f1f4f7"
ALERT = "#c8321e"
HEAT = (
    "#f9dea0",
    "#f8c877",
    "#f4ac53",
    "#ec8a3f",
    "#e06a3b",
    "#c5483f",
    "#a02e4b",
    "#751f51",
    "#481a47",
)
"""Nine steps from little to much."""
HEAT_IN_IMAGE = tuple(f"#{int(color[1:], 16) ^ 1:06x}" for color in HEAT)
"""`HEAT` for images, which cannot follow the page's theme, and for their scales: hardly
different to the eye, but not replaced by variables."""
HEAT_TEXT_LOW = "#2a1b10"
HEAT_TEXT_HIGH = "#fff6ea"
"""Text on the lower five and on the upper four steps of `HEAT`."""

THEMED: Mapping[str, str] = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    EMPTY: "--empty",
    ALERT: "--alert",
    HEAT_TEXT_LOW: "--heat-text-low",
    HEAT_TEXT_HIGH: "--heat-text-high",
    **{color: f"--heat-{i}" for i, color in enumerate(HEAT)},
}
"""Colour of a figure to the CSS variable that replaces it."""

_POPULATIONS = (
    "#0f7fc4",
    "#e08a00",
    "#0a9e76",
    "#c4699b",
    "#8a63c9",
    "#4aaee0",
    "#d1552a",
    "#8f8f3a",
    "#5f7fa8",
    "#b0555f",
)
NEUTRAL = "#8894a2"
"""What belongs to no population: mesh, static power."""

MARKS: Mapping[str, str] = {
    "published": "#3f6ea3",
    "derived": "#2f8f8a",
    "measured": "#7d62b3",
    "assumed": "#b8506b",
}
TASK_COLORS = ("#6b7f94", "#d1552a", "#8a63c9", "#d1552a", "#6b7f94")
"""Integrate, soma, learn; timer tasks and rows of processors."""

# Any: newer matplotlib types the keys as literals, older ones as text.
_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 1.1,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "legend.handlelength": 1.1,
    "legend.handleheight": 0.9,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0.0,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "chipsim",
}

styled = matplotlib.rc_context(_RC)
"""Decorator of every ``draw`` function: its figure gets this module's look."""


def new_figure(height: float, width: float = 10.0) -> Figure:
    """Return an empty figure of that size in inches, laid out by hand (see `axes_at`)."""
    figure = Figure(figsize=(width, height))
    FigureCanvasSVG(figure)
    return figure


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return axes at a place given in inches from the figure's lower left corner."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def title(figure: Figure, text: str, explanation: str, left: float = 0.02) -> None:
    """Write what one sees, and in smaller type how to read it."""
    across, up = figure.get_size_inches()
    x, y = left / across, 1 - 0.06 / up
    figure.text(x, y, text, fontsize=11, fontweight="bold", va="top")
    figure.text(x, y - 0.235 / up, explanation, fontsize=8, color=MUTED, va="top")


def label(text: str, length: int = 28) -> str:
    """Return a name from a file as a label: printable, and cut to ``length`` characters."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= length else plain[: length - 3] + "..."


def population_colors(summary: Summary) -> dict[str, str]:
    """Return the colour of every population that has cores or spikes, the same in all figures."""
    names = {row["population"] for row in summary["cores"]} | set(summary["spikes_per_inference"])
    order = in_model_order(names, summary)
    return {name: _POPULATIONS[i % len(_POPULATIONS)] for i, name in enumerate(order)}


def clear_frame(axes: Axes) -> None:
    """Remove spines and tick marks and keep the labels."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def to_svg(figure: Figure, name: str) -> str:
    """Return ``figure`` as an inline ``<svg>`` element: themed colours, ids that begin with name.

    The same figure gives the same text every time.
    """
    buffer = io.StringIO()
    # A name may hold characters the measuring font lacks; the browser has its own fonts.
    with matplotlib.rc_context(_RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format="svg", dpi=200, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    for color, variable in THEMED.items():
        svg = svg.replace(color, f"var({variable})")
    return svg
