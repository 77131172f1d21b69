"""Points that learn, points with faults, and plots of a part of the points."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chipsim.errors import InputError
from chipsim.faults.model import Faults
from chipsim.job import Choices
from chipsim.learning_cost.cost import WEIGHTS_EVERY
from chipsim.study.figures.panels import draw
from chipsim.study.measures import is_number, label, written
from chipsim.study.outcome import rows_of
from chipsim.study.point import compute, task_of
from chipsim.study.read import read_study
from tests.study.conftest import STUDY

LEARNING = STUDY.replace(
    "- {name: plasticity, values: [running, frozen]}", "- {name: learning, values: [lp, gp]}"
).replace("series: plasticity", "series: learning")


def test_learning_and_faults_are_options(study_file) -> None:
    text = LEARNING.replace(
        "limit: 2", "limit: 2\n  weights_every: 7\n  fault: {kind: weight_flip, rate: 0.01}"
    )
    study_file.write_text(text)
    settings = [point.settings for point in read_study(study_file).points]
    assert [s.learning for s in settings] == ["lp", "gp"] * 2
    assert {s.weights_every for s in settings} == {7}
    assert {s.choices.faults for s in settings} == {Faults(weight_flip=0.01)}


def test_without_them_nothing_learns_and_nothing_fails(study_file) -> None:
    for point in read_study(study_file).points:
        assert point.settings.learning is None
        assert point.settings.weights_every == WEIGHTS_EVERY
        assert point.settings.choices.faults == Faults()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning: lq", "one of none, lp, hp, gp"),
        ("weights_every: 0", "base.weights_every"),
        ("fault: {kind: weight_flop, rate: 0.1}", 'did you mean "weight_flip"'),
        ("fault: {kind: weight_flip, rate: 1.1}", "base.fault.rate"),
        ("fault: {kind: weight_flip}", "base.fault.rate: missing"),
        ("fault: {kind: weight_flip, rate: 0.1, seed: 1}", "base.fault.seed: unknown key"),
    ],
)
def test_mistakes_are_told(study_file, line: str, message: str) -> None:
    study_file.write_text(STUDY.replace("limit: 2", f"limit: 2\n  {line}"))
    with pytest.raises(InputError) as told:
        read_study(study_file)
    assert message in str(told.value)


def test_each_of_them_changes_the_name(settings) -> None:
    different = [
        settings,
        replace(settings, learning="none"),
        replace(settings, learning="hp"),
        replace(settings, learning="hp", weights_every=3),
        replace(settings, choices=Choices(faults=Faults(weight_flip=0.1))),
        replace(settings, choices=Choices(faults=Faults(packet_drop=0.1))),
        replace(settings, choices=Choices(faults=Faults(state_flip=0.1))),
    ]
    assert len({task_of(s).key for s in different}) == len(different)


def test_a_point_that_learns_has_its_cost(settings) -> None:
    costs = {}
    for method in ("none", "lp", "hp", "gp"):
        task = task_of(replace(settings, learning=method))
        costs[method] = json.loads(compute(task))["report"]["learning"]
        assert costs[method]["method"] == method
    packets = {method: cost["packets_per_sample"] for method, cost in costs.items()}
    assert packets["none"] < packets["lp"] < packets["hp"] < packets["gp"]
    assert "learning" not in json.loads(compute(task_of(settings)))["report"]


def test_measures_of_learning_are_known() -> None:
    assert is_number("learning.samples_per_s")
    assert is_number("learning.packets.error")
    assert not is_number("learning.fits")
    assert label("learning.packets.error") == "packets error"
    assert written("learning.energy_per_sample_j.value", 2e-6) == "2 uJ"


def test_a_plot_shows_where_it_says(study_file) -> None:
    text = STUDY.replace(
        "- {x: weight bits, y: cores_used, series: plasticity}",
        "- {x: weight bits, y: cores_used, where: {plasticity: frozen}}",
    )
    study_file.write_text(text)
    study = read_study(study_file)
    assert study.plots[0].where == {"plasticity": "frozen"}
    records = {}
    for index, _ in enumerate(study.points):
        report = {
            "cores_used": 10 + index,
            "latency_s": 1.0,
            "energy_per_inference_j": {"value": 1.0},
        }
        records[str(index)] = {"fits": True, "message": None, "report": report}
    rows = rows_of(study, list(records), records)
    figure = draw(study, rows)
    assert figure is not None
    first = figure.axes[0]
    shown = {y for line in first.lines for y in line.get_ydata() if y >= 10}
    # Points are 8 running, 8 frozen, 16 running, 16 frozen.
    assert shown == {11, 13}
    assert any(", frozen" in text.get_text() for text in first.texts)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("{plastic: frozen}", "no axis of this name (there are: weight bits, plasticity)"),
        ("{plasticity: off}", "expected a value of the axis (running, frozen)"),
    ],
)
def test_a_plot_of_no_points_is_refused(study_file, where: str, message: str) -> None:
    text = STUDY.replace("series: plasticity}", f"series: plasticity, where: {where}}}")
    study_file.write_text(text)
    with pytest.raises(InputError) as told:
        read_study(study_file)
    assert message in str(told.value)
