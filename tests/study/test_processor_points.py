"""Points on chips of processors: their measures, and what does not apply to them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chipsim.errors import InputError
from chipsim.faults.model import Faults
from chipsim.job import Choices
from chipsim.study import measures
from chipsim.study.model import Settings, SyntheticHP
from chipsim.study.point import compute, inputs_of, task_of
from chipsim.study.read import read_study

ROOT = Path(__file__).parents[2]
CUES = Settings(
    ROOT / "models" / "eprop_cues.pt",
    "spinnaker1",
    ("machine.shape=chip",),
    limit=1,
    choices=Choices(plasticity="off"),
)


def test_a_point_has_the_measures_of_both_kinds() -> None:
    record = json.loads(compute(task_of(CUES)))
    assert record["fits"]
    both = (*measures.DEFAULT, "traffic.late", "traffic.dropped_in_mesh", "ticks.slowdown")
    for path in both:
        assert measures.is_number(path)
        assert measures.value_of(record["report"], path) is not None, path
    assert measures.value_of(record["report"], "ticks.real_time") is True
    assert record["report"]["traffic"]["due"] == record["report"]["traffic"]["in_time"]


def test_what_does_not_fit_is_a_result() -> None:
    small = replace(CUES, overrides=(*CUES.overrides, "core.max_neurons=4"))
    record = json.loads(compute(task_of(small)))
    assert record["fits"] is False
    assert "cores" in record["message"]


def test_what_matters_changes_the_name() -> None:
    different = [
        CUES,
        replace(CUES, overrides=("core.send_spread=0.5",)),
        replace(CUES, choices=Choices(plasticity="off", mesh="ideal")),
        replace(CUES, choices=Choices()),
    ]
    assert len({task_of(settings).key for settings in different}) == len(different)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"choices": Choices(mesh_phases=3)}, "base.mesh_phases does not apply to spinnaker1"),
        ({"choices": Choices(faults=Faults(packet_drop=0.1))}, "base.fault does not apply"),
        ({"learning": "hp"}, "base.learning .* does not apply"),
        ({"model": SyntheticHP(16)}, "synthetic_hp does not apply"),
        ({"chip": "tianjic", "overrides": (), "choices": Choices(mesh="ideal")}, "of crossbars"),
    ],
)
def test_what_does_not_apply_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        inputs_of(replace(CUES, **change))  # type: ignore[arg-type]


def test_mesh_is_an_option_and_its_keys_are_the_chips(tmp_path: Path) -> None:
    file = tmp_path / "both.yaml"
    file.write_text(
        "base: {model: x.pt, chip: tianjic, mesh: ideal}\n"
        "axes: [{name: mesh, values: [real, ideal]}, {name: w, vary: mesh.width, values: [3]}]\n"
    )
    settings = [point.settings for point in read_study(file).points]
    assert [s.choices.mesh for s in settings] == ["real", "ideal"]
    assert {s.overrides for s in settings} == {("mesh.width=3",)}


def test_the_shipped_study_can_be_read() -> None:
    study = read_study(ROOT / "studies" / "spinnaker_congestion.yaml")
    assert len(study.points) == 8
    assert len({task_of(point.settings).key for point in study.points}) == 8
