"""The report as one HTML file that needs nothing else: no server, no network, no fonts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from importlib.resources import files
from string import Template

from matplotlib.figure import Figure

from chipsim.report.figures import (
    chip_map,
    core_busy,
    energy_split,
    gantt,
    learning_curve,
    link_heat,
    processor_map,
    processor_ticks,
    raster,
    traffic_matrix,
)
from chipsim.report.figures.style import to_svg
from chipsim.report.processor.sections import PROCESSOR_SECTIONS
from chipsim.report.processor.sections import header as processor_header
from chipsim.report.schema import Arrays, Summary
from chipsim.report.sections import SECTIONS, header

FIGURES: Mapping[str, Callable[[Summary, Arrays], Figure | None]] = {
    "chip_map": chip_map.draw,
    "core_busy": core_busy.draw,
    "energy_split": energy_split.draw,
    "gantt": gantt.draw,
    "link_heat": link_heat.draw,
    "raster": raster.draw,
    "traffic_matrix": traffic_matrix.draw,
}
"""Every figure by name; a function returns None where a run has nothing for it to show."""

PROCESSOR_FIGURES: Mapping[str, Callable[[Summary, Arrays], Figure | None]] = {
    "processor_map": processor_map.draw,
    "processor_ticks": processor_ticks.draw,
    "energy_split": energy_split.draw,
    "gantt": gantt.draw,
    "learning": learning_curve.draw,
    "link_heat": link_heat.draw,
    "raster": raster.draw,
}
"""Those of a run on processors."""


def report_html(summary: Summary, arrays: Arrays) -> str:
    """Return the report of a run; the same run gives the same text.

    ``summary`` and ``arrays`` are as docs/report.md says (`chipsim.report.check.check` passes).
    Text from files is escaped.
    """
    on_processors = summary.get("kind") == "processors"
    drawn = PROCESSOR_FIGURES if on_processors else FIGURES
    sections = PROCESSOR_SECTIONS if on_processors else SECTIONS
    unpriced = on_processors and summary["energy_unknown"]
    figures = {
        name: "" if unpriced and name == "energy_split" else _figure(name, draw(summary, arrays))
        for name, draw in drawn.items()
    }
    main = "\n".join(
        f'<section id="{anchor}"><h2>{escape(title)}</h2>\n{section(summary, figures)}</section>'
        for anchor, title, section in sections
    )
    links = "".join(f'<a href="#{anchor}">{escape(title)}</a>' for anchor, title, _ in sections)
    name = f"{summary['model']['name']} on {summary['chip']['name']}"
    return Template(_resource("page.html")).substitute(
        title=escape(f"{name} - chipsim"),
        version=escape(summary["chipsim_version"]),
        schema=summary["schema"],
        style=_resource("report.css"),
        script=_resource("report.js"),
        header=processor_header(summary) if on_processors else header(summary),
        nav=f"<div>{links}</div>",
        main=main,
    )


def _figure(name: str, drawn: Figure | None) -> str:
    return "" if drawn is None else f"<figure>{to_svg(drawn, name)}</figure>"


def _resource(name: str) -> str:
    return (files("chipsim.report") / name).read_text(encoding="utf-8")
