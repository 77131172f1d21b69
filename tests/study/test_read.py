"""A study file becomes points in a fixed order; every mistake is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from chipsim.errors import InputError
from chipsim.study.model import SyntheticHP
from chipsim.study.point import task_of
from chipsim.study.read import read_study

SHIPPED = Path(__file__).parents[2] / "studies"


def read(path: Path, *changes: tuple[str, str]):
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path.write_text(text)
    return read_study(path)


def test_points_are_the_cross_product_the_last_axis_fastest(study_file):
    study = read_study(study_file)
    assert [tuple(p.coordinates.values()) for p in study.points] == [
        (8, "running"),
        (8, "frozen"),
        (16, "running"),
        (16, "frozen"),
    ]
    assert study.points[1].settings.overrides == ("core.weight_bits=8",)
    assert study.points[1].settings.choices.plasticity == "frozen"


def test_paths_are_relative_to_the_study(study_file):
    settings = read_study(study_file).points[0].settings
    assert settings.trace == (study_file.parent / "images.npz").resolve()


def test_objectives_and_plots_are_measured_too(study_file):
    assert read_study(study_file).measures == (
        "energy_per_inference_j.value",
        "cores_used",
        "latency_s",
    )


def test_an_axis_reaches_into_the_model(study_file):
    study = read(
        study_file,
        ("{name: plasticity, values: [running, frozen]}",
         "{name: hidden, vary: model.synthetic_hp.hidden, values: [4, 32]}"),
        (", series: plasticity", ""),
    )  # fmt: skip
    assert study.points[1].settings.model == SyntheticHP(32)


def test_a_zip_varies_several_together(study_file):
    study = read(
        study_file,
        ("vary: core.weight_bits, values: [8, 16]",
         "zip: {core.weight_bits: [8, 16], core.trace_bits: [4, 12], placer: [snake, hilbert]}"),
    )  # fmt: skip
    assert study.axes[0].values == ("8 / 4 / snake", "16 / 12 / hilbert")
    settings = study.points[2].settings
    assert settings.overrides == ("core.weight_bits=16", "core.trace_bits=12")
    assert settings.choices.placer == "hilbert"


def test_labels_name_the_values(study_file):
    study = read(study_file, ("values: [8, 16]}", "values: [8, 16], labels: [narrow, wide]}"))
    assert study.axes[0].values == ("narrow", "wide")


MISTAKES = [
    ("plasticity, values: [running, frozen]", "plasticity, values: [running, frosen]",
     r'tiny.yaml:9:40: base.plasticity: .*did you mean "frozen"'),
    ("  limit: 2", "  limits: 2", r'tiny.yaml:6:3: base.limits: unknown key; did you mean "limit"'),
    ("  limit: 2", "  limit: 0", r"tiny.yaml:6:10: base.limit: expected a whole number"),
    ("chip: tianjic", "chip: 7", r"tiny.yaml:4:9: base.chip: expected text"),
    ("hidden: 16", "hiden: 16", r"tiny.yaml:3:.*: base.model.synthetic_hp.hid"),
    ("values: [8, 16]", "values: []", r"tiny.yaml:8:\d+: .*one or more values"),
    ("values: [8, 16]", "values: [8, 8]", r"two of its values are the same"),
    ("values: [8, 16]", "zip: {a: [1, 2], b: [1]}", r"lists of one length .* a: 2, b: 1"),
    ("values: [8, 16]", "values: [8], zip: {a: [1]}", r"one of the two"),
    ("name: plasticity,", "name: p, vary: core.weight_bits,", r'"core.weight_bits" occurs twice'),
    ("name: plasticity,", "name: plasticity, vary: model.x.y,", r"9:.*base.model.x: unknown key"),
    ("name: plasticity,", "name: plasticity, vary: chip.y,", r'9:.*"y" cannot be set in "tianjic"'),
    ("[energy_per_inference_j.value, cores_used]", "[energy]", r"tiny.yaml:10:10: measure: "),
    ("- {minimise: latency_s}", "- {minimise: chip.name}", r"13:.*chip.name.* is not a number"),
    ("- {minimise: latency_s}", "- {minimize: latency_s}", r"MEASURE"),
    ("- {minimise: latency_s}\n", "", r"two or more different measures"),
    ("series: plasticity", "series: placer", r"15:.*an axis besides x \(plasticity\)"),
    ("{x: weight bits,", "{x: weight_bits,", r"15:\d+: .*x: report.json has no single value"),
    ("cores_used, series", "cores_used, log: z, series", r"one of x, y, xy"),
    ("study: tiny", "sudy: tiny", r'tiny.yaml:1:1: sudy: unknown key; did you mean "study"'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_is_told_with_its_place(study_file, old, new, message):
    with pytest.raises(InputError, match=message):
        read(study_file, (old, new))


def test_too_many_points_are_refused(study_file):
    many = ", ".join(map(str, range(60000)))
    with pytest.raises(InputError, match="120000 points; at most 100000"):
        read(study_file, ("values: [8, 16]", f"values: [{many}]"))


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_studies_are_good(path):
    study = read_study(path)
    keys = [task_of(point.settings).key for point in study.points]
    assert len(set(keys)) == len(study.points)
    assert study.plots
