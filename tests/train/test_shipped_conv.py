"""The shipped convolutional network does in float what it did in training."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from chipsim.load.description import read_model  # noqa: E402
from chipsim.load.traces import first_samples, read_trace  # noqa: E402
from chipsim.simulate.float_reference import run_float  # noqa: E402
from chipsim.simulate.samples import classes  # noqa: E402
from chipsim.train import trained  # noqa: E402
from chipsim.train.measure import scaled, stopped  # noqa: E402
from chipsim.train.net import forward  # noqa: E402
from chipsim.train.readout import decide  # noqa: E402
from chipsim.train.settings import VARIANTS  # noqa: E402

MODEL = Path(__file__).parents[2] / "models" / "hp_conv.pt"
SAMPLES = 40


@pytest.fixture(scope="module")
def net():
    return trained.read(MODEL)


@pytest.fixture(scope="module")
def trace():
    return first_samples(read_trace(read_model(MODEL).trace), SAMPLES)


def run(net, trace, dynamics):
    with torch.no_grad():
        return forward(net, scaled(trace.held, torch.device("cpu")), dynamics)


def test_same_spikes_and_answers(net, trace):
    assert net.dynamics == VARIANTS["B"]
    wanted = run(net.net, trace, net.dynamics)
    network = read_model(MODEL).network
    answers = run_float(network, trace)
    assert (answers.of("hidden") == wanted.hidden.spikes.numpy()).mean() > 0.9999
    given = classes(answers, "output", network.readout_kind)
    assert np.array_equal(given, decide(wanted.output, net.dynamics).classes.numpy())


def test_its_plasticity_acts(net, trace):
    _, off = stopped(net.net, net.traces)
    potentials = [run(each, trace, net.dynamics).hidden.membranes for each in (net.net, off)]
    assert float((potentials[0] - potentials[1]).abs().max()) > 0.05


def test_record_says_what_it_can(net):
    record = json.loads(MODEL.with_suffix(".training.json").read_text())
    assert record["result"]["running"] >= 98.0
    assert record["test_images"]["count"] == 10_000
    assert record["train_images"]["count"] == 60_000
    assert tuple(record["settings"]["channels"]) == net.settings.channels
