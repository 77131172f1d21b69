"""The table of a study: for the terminal, as CSV, as HTML."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from html import escape

from chipsim.report import markup
from chipsim.study import measures
from chipsim.study.measures import Scalar
from chipsim.study.model import Study, Value
from chipsim.study.outcome import Row, name_of

FRONT = "Pareto"
"""Head of the column that marks the front; in a cell, ``*``."""


def text_table(study: Study, rows: Sequence[Row]) -> str:
    """Return the table for a terminal, one line a point, and why points do not fit."""
    heads = [*(a.name for a in study.axes), *(measures.label(m) for m in study.measures)]
    cells = [heads, *(_cells(row) for row in rows)]
    if study.pareto:
        marks = [FRONT, *("*" if row.on_front else "" for row in rows)]
        cells = [[*line, mark] for line, mark in zip(cells, marks, strict=True)]
    words = [max(len(part) for part in head.split()) for head in cells[0]]
    widths = [max(words[i], *(len(line[i]) for line in cells[1:])) for i in range(len(cells[0]))]
    head_lines = _wrapped_heads(cells[0], widths)
    lines = [_aligned(line, widths, len(study.axes)) for line in [*head_lines, *cells[1:]]]
    lines += [f"does not fit: {name_of(r)}: {_first_line(r.message)}" for r in rows if not r.fits]
    return "".join(f"{_printable(line).rstrip()}\n" for line in lines)


def _cells(row: Row) -> list[str]:
    shown = [measures.written(path, value) for path, value in row.values.items()]
    if not row.fits:
        shown = ["does not fit" if i == 0 else "-" for i in range(len(shown))]
    return [*map(str, row.coordinates.values()), *shown]


def _wrapped_heads(heads: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    """Break each head over lines no wider than its column, the last line the lowest."""
    columns: list[list[str]] = []
    for head, width in zip(heads, widths, strict=True):
        lines = [""]
        for word in head.split():
            longer = f"{lines[-1]} {word}".strip()
            if len(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        columns.append(lines)
    height = max(len(lines) for lines in columns)
    padded = [[""] * (height - len(lines)) + lines for lines in columns]
    return [list(line) for line in zip(*padded, strict=True)]


def _aligned(line: Sequence[str], widths: Sequence[int], texts: int) -> str:
    return "  ".join(
        cell.ljust(width) if i < texts else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(line, widths, strict=True))
    )


def _first_line(message: str | None) -> str:
    return (message or "").partition("\n")[0]


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in line)


def csv_table(study: Study, rows: Sequence[Row]) -> str:
    """Return the table as CSV: axes, ``fits``, measures by their path in SI units, the front."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*(a.name for a in study.axes), "fits", *study.measures, "on_front", "message"])
    for row in rows:
        writer.writerow(
            [
                *row.coordinates.values(),
                _csv(row.fits),
                *(_csv(value) for value in row.values.values()),
                _csv(row.on_front),
                row.message or "",
            ]
        )
    return buffer.getvalue()


def _csv(value: Scalar) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def html_table(study: Study, rows: Sequence[Row]) -> str:
    """Return the table as sortable HTML."""
    heads = [*(a.name for a in study.axes), *(measures.label(m) for m in study.measures)]
    numeric = "-" * len(study.axes) + "n" * len(study.measures)
    front = [FRONT] if study.pareto else []
    return markup.table([*heads, *front], [_html_cells(row) for row in rows], numeric)


def _html_cells(row: Row) -> list[str]:
    cells = [_coordinate(value) for value in row.coordinates.values()]
    for index, (path, value) in enumerate(row.values.items()):
        if not row.fits and index == 0:
            cells.append(markup.text("does not fit", row.message or "", "k"))
        elif isinstance(value, str):
            cells.append(markup.text(value))
        else:
            number = None if value is None else float(value)
            cells.append(markup.number(number, measures.written(path, value)))
    if row.on_front is not None:
        star = "&#9733;" if row.on_front else ""
        cells.append(f'<td class="k" data-sort="{int(row.on_front)}">{star}</td>')
    return cells


def _coordinate(value: Value) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'<td class="k" data-sort="{value!r}">{escape(str(value))}</td>'
    return markup.text(str(value), kind="k")
