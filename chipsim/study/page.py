"""A study as one HTML file that needs nothing else, in the look of a run's report."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from matplotlib.figure import Figure

import chipsim
from chipsim.report import markup
from chipsim.report.figures.style import to_svg
from chipsim.report.numbers import plural
from chipsim.study import measures
from chipsim.study.model import Study
from chipsim.study.outcome import STUDY_SCHEMA, Row, name_of
from chipsim.study.tables import html_table


def study_html(study: Study, rows: Sequence[Row], figure: Figure | None) -> str:
    """Return the page; text from files is escaped."""
    picture = "" if figure is None else f"<figure>{to_svg(figure, 'study')}</figure>"
    sections = [
        ("pictures", "Pictures", picture),
        ("points", "Points", html_table(study, rows)),
        ("unfit", "What does not fit", _unfit(rows)),
    ]
    main = "\n".join(
        f'<section id="{anchor}"><h2>{escape(title)}</h2>\n{body}</section>'
        for anchor, title, body in sections
        if body
    )
    links = "".join(f'<a href="#{a}">{escape(title)}</a>' for a, title, body in sections if body)
    return Template(_resource("page.html")).substitute(
        title=escape(f"{study.name} - chipsim study"),
        version=escape(chipsim.__version__),
        schema=STUDY_SCHEMA,
        style=_resource("report.css"),
        script=_resource("report.js"),
        header=_header(study, rows),
        nav=f"<div>{links}</div>",
        main=main,
    )


def _header(study: Study, rows: Sequence[Row]) -> str:
    axes = "; ".join(f"{a.name}: {', '.join(map(str, a.values))}" for a in study.axes)
    lines = [f"<h1>{escape(study.name)}</h1>"]
    if study.about:
        lines.append(markup.paragraph(study.about))
    lines.append(markup.paragraph(f"{plural(len(rows), 'point')}: {axes}", "lead"))
    if study.pareto:
        lines.append(markup.paragraph(front_in_words(study, rows), "lead"))
    return "\n".join(lines)


def front_in_words(study: Study, rows: Sequence[Row]) -> str:
    """Say which points are on the Pareto front, of what."""
    goals = " and ".join(f"{o.direction} {measures.label(o.path)}" for o in study.pareto)
    found = "; ".join(name_of(row) for row in rows if row.on_front) or "none"
    return f"Pareto front ({goals}): {found}"


def _unfit(rows: Sequence[Row]) -> str:
    return markup.bullets(f"{name_of(row)}: {row.message}" for row in rows if not row.fits)


def _resource(name: str) -> str:
    return (files("chipsim.report") / name).read_text(encoding="utf-8")
