"""The shipped continual learning network, read from its files without torch."""

import json
from pathlib import Path

import numpy as np
import pytest

from chipsim.load.description import read_model
from chipsim.load.traces import read_trace
from chipsim.simulate.float_reference import run_float
from chipsim.simulate.samples import classes

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "hp_continual.pt"


@pytest.fixture(scope="module")
def record():
    return json.loads(MODEL.with_suffix(".training.json").read_text())


def test_answers_as_recorded(record):
    loaded = read_model(MODEL)
    trace = read_trace(loaded.trace)
    assert trace.held.shape == (500, 784)
    answers = run_float(loaded.network, trace)
    got = classes(answers, loaded.network.readout, loaded.network.readout_kind)
    share = 100.0 * float(np.mean(got == trace.labels))
    recorded = record["tasks"][-1]["test"][record["described_task"]]
    # 500 of 10,000 images: three standard errors of a share of 0.9 are 4 points.
    assert share == pytest.approx(recorded, abs=4.0)


def test_masks_are_thin_and_plasticity_is_beside_them(record):
    network = read_model(MODEL).network
    density = record["settings"]["density"]
    for projection in network.projections[:2]:
        rule = projection.plasticity
        inside = projection.weight.T != 0
        assert np.mean(inside) == pytest.approx(density, rel=0.05)
        assert not rule.factor[inside].any()
        assert np.mean(rule.factor) == pytest.approx(1.0 - density, rel=0.05)


def test_record_says_what_was_reached(record):
    tests = record["tasks"][-1]["test"]
    assert len(tests) == record["settings"]["tasks"] == 10
    assert np.mean(tests) > 90.0
    assert record["images"] == {"train": 30_000, "test": 10_000}


def test_reads_the_last_membranes():
    network = read_model(MODEL).network
    assert [p.membrane and p.membrane.steps for p in network.projections] == [None, None, "last"]
