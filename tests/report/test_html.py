"""The HTML report: one file, the same bytes every time, nothing from files unescaped."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from chipsim.report import markup
from chipsim.report.html import report_html
from chipsim.report.sections import SECTIONS

EVIL = "<script>alert('x')</script>&\"$title"
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Structure(HTMLParser):
    """Records ids, and complains about tags that do not close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.scripts, self.links, self.wrong = [], [], 0, [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[k] for k in ("href", "xlink:href", "src") if k in found]
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def structure(page):
    found = Structure()
    found.feed(page)
    found.close()
    assert found.open == []
    assert found.wrong == []
    return found


def test_the_same_report_twice(example):
    assert report_html(*example) == report_html(*example)


def test_a_report_read_from_disk_renders_the_same(example):
    summary, arrays = example
    assert report_html(json.loads(json.dumps(summary, sort_keys=True)), arrays) == report_html(
        summary, arrays
    )


def test_one_self_contained_file(example):
    page = report_html(*example)
    found = structure(page)
    assert len(page) < 1_500_000
    assert found.scripts == 1
    assert len(found.ids) == len(set(found.ids))
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in found.links)
    assert {f"#{anchor}" for anchor, _, _ in SECTIONS} <= set(found.links)
    references = set(re.findall(r"url\(#([^)]+)\)", page))
    references |= {link[1:] for link in found.links if link.startswith("#")}
    assert references <= set(found.ids)
    assert not re.search(r"@import|url\((?!#)|<link|<img", page)
    assert page.count("<svg") == 7


def test_colours_follow_the_theme(example):
    page = report_html(*example)
    body = page[page.index("<body>") :]
    assert "var(--ink)" in body
    assert "#1d2733" not in body


def test_text_from_files_is_escaped(example):
    summary, arrays = example
    summary["model"]["name"] = EVIL
    summary["chip"] |= {"name": EVIL, "file": EVIL, "overrides": [EVIL]}
    summary["trace"]["name"] = EVIL
    summary["bounded_by"] = EVIL
    summary["warnings"] = summary["why_cores"] = summary["schedule"]["why"] = [EVIL]
    summary["assumed"]["constants"][0] |= {"path": EVIL, "source": EVIL}
    summary["energy_by_action"][EVIL] = summary["energy_by_action"].pop("static")
    summary["energy_by_action"][EVIL] |= {"mark": EVIL, "source": EVIL}
    summary["energy_by_layer"][EVIL] = summary["energy_by_layer"].pop("mesh")
    summary["traffic"]["by_kind"][EVIL] = summary["traffic"]["by_kind"].pop("spike")
    summary["traffic"]["hottest_link"] = EVIL
    summary["quantisation"][0] |= {"projection": EVIL, "format": EVIL, "quantity": EVIL}
    summary["model"]["populations"][1] |= {"name": EVIL, "model": EVIL}
    summary["model"]["projections"][0] |= {"name": EVIL, "source": EVIL, "plasticity": EVIL}
    summary["spikes_per_inference"][EVIL] = summary["spikes_per_inference"].pop("hidden")
    arrays[f"raster_{EVIL}"] = arrays.pop("raster_hidden")
    for row in summary["cores"]:
        row |= {"population": EVIL, "role": EVIL, "slice": EVIL}
        row["memory"] = {EVIL: {"used_bytes": 1, "budget_bytes": 2, "items": {EVIL: 1}}}
    page = report_html(summary, arrays)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert structure(page).scripts == 1


def test_names_with_odd_characters_are_drawn(example):
    summary, arrays = example
    summary["model"]["populations"][1]["name"] = "$\\frac$ \x00 神経 _^{"
    for row in summary["cores"]:
        if row["population"] == "hidden":
            row["population"] = "$\\frac$ \x00 神経 _^{"
    page = report_html(summary, arrays)
    assert "\x00" not in page.split("<svg", 1)[1].split("</svg>")[0]
    structure(page)


def test_one_core_without_anything(single_core):
    page = report_html(*single_core)
    structure(page)
    assert "no labels" in page
    assert "nan" not in page.lower().replace("nano", "")
    assert page.count("<svg") == 4


def test_a_null_hides_nothing(example):
    summary, arrays = example
    summary["accuracy"] = {"float": None, "chip": 0.5, "agreement": None}
    summary["traffic"] |= {"mean_latency_cycles": None, "max_latency_cycles": None}
    summary["critical_core"]["core"] = None
    assert "Chip 50.00 %." in report_html(summary, arrays)


def test_every_price_shows_its_source(example):
    page = report_html(*example)
    for action in example[0]["energy_by_action"].values():
        assert f'class="mark {action["mark"]}" title="{action["source"]}' in page


def test_many_cores_are_listed_in_part(example):
    summary, arrays = example
    summary["cores"] = [row | {"core": i} for i in range(11) for row in summary["cores"]]
    assert "The 400 busiest of 429 cores" in report_html(summary, arrays)


def test_a_table_sorts_by_value_not_by_text():
    cell = markup.quantity(1.5e-9, "J")
    assert 'data-sort="1.5e-09"' in cell
    assert ">1.5 nJ<" in cell
    assert markup.table(("a",), []) == ""


@pytest.mark.parametrize(("fraction", "width"), [(0.5, "50.0"), (1.7, "100.0"), (-1, "0.0")])
def test_a_gauge_stays_in_its_frame(fraction, width):
    assert f"width:{width}%" in markup.gauge(fraction, "")
