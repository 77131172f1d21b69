"""Pieces of HTML: escaped text, tables, badges.  Everything returned is safe to insert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from chipsim.report.numbers import count, percent
from chipsim.units import format_quantity

_MARKS = ("published", "derived", "measured", "assumed")


def text(value: str, hint: str = "", kind: str = "") -> str:
    """Return a table cell of text, with a tooltip; ``kind`` is ``w`` (wide) or ``k`` (kept)."""
    tip = f' title="{escape(hint)}"' if hint else ""
    look = f' class="{kind}"' if kind else ""
    return f"<td{look}{tip}>{escape(value)}</td>"


def number(value: float | None, shown: str, hint: str = "") -> str:
    """Return a cell that shows ``shown`` and sorts by ``value``; a dash for None."""
    tip = f' title="{escape(hint)}"' if hint else ""
    if value is None:
        return f'<td class="n" data-sort="-1e999"{tip}>-</td>'
    return f'<td class="n" data-sort="{value!r}"{tip}>{escape(shown)}</td>'


def whole(value: float) -> str:
    """Return a cell with a count."""
    return number(value, count(value))


def quantity(value: float, unit: str, hint: str = "") -> str:
    """Return a cell with a value in SI units."""
    return number(value, format_quantity(value, unit), hint)


def part(fraction: float | None) -> str:
    """Return a cell with a share."""
    return number(fraction, "" if fraction is None else percent(fraction))


def mark(name: str, source: str) -> str:
    """Return a cell with a provenance badge and its source as tooltip."""
    look = name if name in _MARKS else "other"
    badge = f'<span class="mark {look}" title="{escape(source)}">{escape(name)}</span>'
    return f'<td class="k">{badge}</td>'


def gauge(fraction: float, hint: str) -> str:
    """Return a cell with a bar filled by ``fraction`` and its number."""
    width = min(max(100 * fraction, 0.0), 100.0)
    full = " full" if fraction > 1 else ""
    return (
        f'<td class="n" data-sort="{fraction!r}" title="{escape(hint)}">'
        f'<span class="gauge{full}"><i style="width:{width:.1f}%"></i></span>'
        f"{percent(fraction)}</td>"
    )


def swatch(name: str, color: str) -> str:
    """Return a cell with a name behind a square of its colour."""
    square = f'<span class="swatch" style="background:{escape(color)}"></span>'
    return f'<td class="k">{square}{escape(name)}</td>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numeric: str = "") -> str:
    """Return a sortable table of cells; ``numeric`` has an ``n`` for each column of numbers.

    Returns nothing where there are no rows.
    """
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    if not body:
        return ""
    kinds = numeric.ljust(len(heads), "-")
    head = "".join(
        f'<th scope="col"{" class=n" if kind == "n" else ""}>'
        f'<button type="button">{escape(name)}</button></th>'
        for name, kind in zip(heads, kinds, strict=True)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def paragraph(value: str, kind: str = "") -> str:
    """Return a paragraph."""
    look = f' class="{kind}"' if kind else ""
    return f"<p{look}>{escape(value)}</p>"


def bullets(values: Iterable[str]) -> str:
    """Return a list, or nothing where it is empty."""
    items = "".join(f"<li>{escape(value)}</li>" for value in values)
    return f"<ul>{items}</ul>" if items else ""


def subtitle(value: str) -> str:
    """Return the heading of a part of a section."""
    return f"<h3>{escape(value)}</h3>"


def folded(title: str, content: str) -> str:
    """Return content that opens on a click."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>" if content else ""


def card(name: str, value: str, note: str = "", bad: bool = False) -> str:
    """Return a tile with one headline number."""
    below = f"<span>{escape(note)}</span>" if note else ""
    look = "card bad" if bad else "card"
    return f'<div class="{look}"><span>{escape(name)}</span><b>{escape(value)}</b>{below}</div>'


def page_top(title: str, lead: str, cards: Iterable[str], warnings: Sequence[str]) -> str:
    """Return the head of a page: title, what ran, the headline figures, the warnings if any."""
    said = bullets(warnings)
    return (
        f"<h1>{escape(title)}</h1>{paragraph(lead, 'lead')}"
        f'<div class="cards">{"".join(cards)}</div>'
        + (f'<div class="warnings"><b>Warnings</b>{said}</div>' if said else "")
    )
