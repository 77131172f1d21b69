"""A result is named by all that determines it, and by nothing else."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.job import Choices
from chipsim.load.traces import write_trace
from chipsim.network import Trace
from chipsim.report.schema import KEYS
from chipsim.study import measures
from chipsim.study.model import Settings, SyntheticHP
from chipsim.study.point import Task, address, compute, inputs_of, task_of
from tests.study.conftest import images

MODELS = Path(__file__).parents[2] / "models"


def test_each_choice_changes_the_name(settings, tmp_path):
    other_trace = tmp_path / "other.npz"
    write_trace(other_trace, images(7))
    different = [
        settings,
        replace(settings, limit=3),
        replace(settings, model=SyntheticHP(17)),
        replace(settings, model=SyntheticHP(16, seed=1)),
        replace(settings, overrides=("core.weight_bits=8",)),
        replace(settings, overrides=("energy.sop=2 pJ",)),
        replace(settings, trace=other_trace),
        replace(settings, choices=Choices(placer="snake")),
        replace(settings, choices=Choices(plasticity="off")),
        replace(settings, choices=Choices(seed=1)),
        replace(settings, choices=Choices(mesh_phases=3)),
    ]
    assert len({task_of(s).key for s in different}) == len(different)


def test_what_changes_no_result_does_not_change_the_name(settings, tmp_path):
    moved = tmp_path / "moved.npz"
    shutil.copy(settings.trace, moved)
    same = [
        settings,
        replace(settings, trace=moved),
        replace(settings, choices=Choices(threads=4, batch=1)),
        replace(settings, chip="tianjic.yaml"),
    ]
    assert len({task_of(s).key for s in same}) == 1


def test_a_models_files_count_by_their_content(tmp_path):
    for name in ("hp_mnist.pt", "hp_mnist.yaml"):
        shutil.copy(MODELS / name, tmp_path)
    trace = tmp_path / "images.npz"
    write_trace(trace, images())
    here = Settings(tmp_path / "hp_mnist.pt", "tianjic", trace=trace)
    there = replace(here, model=(MODELS / "hp_mnist.pt"))
    assert task_of(here).key == task_of(there).key
    other = tmp_path / "other.pt"
    shutil.copy(MODELS / "hp_mnist.pt", other)
    description = (MODELS / "hp_mnist.yaml").read_text()
    other.with_suffix(".yaml").write_text(description.replace("decay: 0.4", "decay: 0.5", 1))
    assert task_of(replace(here, model=other)).key != task_of(here).key


def test_the_result_is_the_report_beside_its_inputs(settings):
    task = task_of(settings)
    text = compute(task)
    record = json.loads(text)
    assert address(record["inputs"]) == task.key == record["key"]
    assert record["fits"] is True
    assert record["report"]["accuracy"]["chip"] is None, "a synthetic network has no accuracy"
    assert "synthetic network" in record["report"]["warnings"][0]
    none = ("accuracy", "early_exit")
    single = (k.path for k in KEYS if not {"[", "*"} & set(k.path))
    for path in (path for path in single if path.split(".")[0] not in none):
        assert measures.value_of(record["report"], path) is not None
    assert compute(task) == text


def test_what_does_not_fit_is_a_result(settings):
    small = replace(settings, overrides=("mesh.width=2", "mesh.height=1"))
    record = json.loads(compute(task_of(small)))
    assert record["fits"] is False
    assert record["report"] is None
    assert "cores" in record["message"]


def test_a_worker_that_sees_other_files_refuses(settings):
    with pytest.raises(InputError, match="another chipsim, model, chip or trace"):
        compute(Task("0" * 64, settings))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"overrides": ("core.wait_bits=8",)}, 'did you mean "core.weight_bits"'),
        ({"overrides": ("core.weight_bits=99",)}, "from 2 to 16"),
        ({"chip": "tianjik"}, "no shipped chip"),
        ({"model": Path("nowhere.pt")}, "nowhere.pt"),
        ({"trace": Path("nowhere.npz")}, "nowhere.npz"),
        ({"trace": None}, "give base.trace"),
        ({"limit": 1000}, "has 6 samples"),
    ],
)
def test_what_is_wrong_is_known_before_anything_runs(settings, change, message):
    with pytest.raises(InputError, match=message):
        inputs_of(replace(settings, **change))


def test_images_of_another_size_are_known_before_anything_runs(settings, tmp_path):
    path = tmp_path / "narrow.npz"
    write_trace(path, Trace("narrow", held=np.ones((2, 10), np.uint8)))
    with pytest.raises(InputError, match="784"):
        inputs_of(replace(settings, trace=path))
