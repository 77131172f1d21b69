"""Rows, tables, page and picture of a study whose results are known."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from chipsim.study.figures.panels import draw
from chipsim.study.model import Objective
from chipsim.study.outcome import on_front, rows_of, study_json
from chipsim.study.page import front_in_words, study_html
from chipsim.study.read import read_study
from chipsim.study.tables import csv_table, text_table

REPORTS = [(4e-5, 3, 3e-4), (1e-5, 2, 2e-4), (2e-5, 6, 1e-4)]


@pytest.fixture
def study(study_file):
    return read_study(study_file)


@pytest.fixture
def rows(study):
    records = {
        f"k{i}": {
            "fits": True,
            "message": None,
            "report": {
                "energy_per_inference_j": {"value": energy},
                "cores_used": cores,
                "latency_s": latency,
            },
        }
        for i, (energy, cores, latency) in enumerate(REPORTS)
    }
    records["k3"] = {"fits": False, "message": "needs 9 cores <of 4>\nmore", "report": None}
    return rows_of(study, ["k0", "k1", "k2", "k3"], records)


def test_the_front_leaves_out_what_is_beaten_or_does_not_fit(rows):
    assert [row.on_front for row in rows] == [False, True, True, False]
    assert rows[3].values == dict.fromkeys(rows[0].values)


def test_directions_count():
    values = [{"cores_used": 1, "latency_s": 1.0}, {"cores_used": 2, "latency_s": 1.0}]
    goals = Objective("cores_used", "maximise"), Objective("latency_s", "minimise")
    assert on_front(goals, values) == [False, True]
    assert on_front((), values) == [None, None]


def test_study_json_names_each_points_result(study, rows):
    found = study_json(study, rows)
    assert [p["result"] for p in found["points"]] == [f"points/k{i}.json" for i in range(4)]
    assert found["points"][1]["values"]["latency_s"] == 2e-4
    assert found["points"][1]["coordinates"] == {"weight bits": 8, "plasticity": "frozen"}
    assert found["measures"][0]["unit"] == "J"


def test_csv_holds_every_value(study, rows):
    table = list(csv.DictReader(io.StringIO(csv_table(study, rows))))
    assert [float(row["latency_s"]) for row in table[:3]] == [3e-4, 2e-4, 1e-4]
    assert [row["on_front"] for row in table] == ["false", "true", "true", "false"]
    assert table[3]["fits"] == "false"
    assert table[3]["cores_used"] == ""
    assert table[3]["message"].startswith("needs 9 cores")


def test_the_terminal_table_is_aligned_and_says_what_does_not_fit(study, rows):
    lines = text_table(study, rows).splitlines()
    body = next(i for i, line in enumerate(lines) if line.startswith("8 "))
    assert lines[body].split() == ["8", "running", "40", "uJ", "3", "300", "us"]
    assert lines[body + 1].split() == ["8", "frozen", "10", "uJ", "2", "200", "us", "*"]
    assert lines[-1].endswith("weight bits 16, plasticity frozen: needs 9 cores <of 4>")
    assert "\x1b" not in text_table(replace(study, name="\x1b[31m"), rows)


def test_the_page_escapes_and_holds_the_picture(study, rows):
    page = study_html(replace(study, name="<b>"), rows, draw(study, rows))
    assert "<b>" not in page.split("<main>")[0].split("<header>")[1].replace("<b>Pareto", "")
    assert "&lt;of 4&gt;" in page
    assert page.count("<svg") == 1
    assert front_in_words(study, rows) in page


def test_the_picture_shows_what_fits(study, rows):
    figure = draw(study, rows)
    bars, front = figure.axes
    heights = sorted(patch.get_height() for patch in bars.patches)
    # x is a number, so lines are drawn and no bars.
    assert heights == []
    drawn = {tuple(line.get_ydata()) for line in bars.lines}
    assert (3, 6) in drawn, "running: 3 cores, then 6"
    assert (2,) in drawn, "frozen: 2 cores, the other does not fit"
    crosses = [line for line in bars.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[16]]
    stairs = [line for line in front.lines if line.get_drawstyle() == "steps-post"]
    assert [list(line.get_xdata()) for line in stairs] == [[1e-5, 2e-5]]


def test_no_plots_no_picture(study, rows):
    assert draw(replace(study, plots=()), rows) is None
    assert "<svg" not in study_html(study, rows, None)


def test_words_on_an_axis_make_bars(study, rows):
    plot = replace(study.plots[0], x="plasticity", series="weight bits")
    (panel,) = draw(replace(study, plots=(plot,)), rows).axes
    assert sorted(patch.get_height() for patch in panel.patches) == [2, 3, 6]
    assert panel.get_ylim()[0] == 0


def test_a_logarithmic_scale_has_ticks(study, rows):
    plot = replace(study.plots[0], log=("x", "y"))
    (panel,) = draw(replace(study, plots=(plot,)), rows).axes
    assert panel.get_yscale() == panel.get_xscale() == "log"
    low, high = panel.get_ylim()
    assert sum(low <= tick <= high for tick in panel.get_yticks()) >= 2
