"""The shipped models in plain float64 numpy: same spikes as torch, accuracy as recorded."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import yaml
from plain_hp import PlainLayer, plain_decide, run_sample

from chipsim.load.traces import read_trace
from chipsim.train.settings import TASKS, Dynamics, Settings

torch = pytest.importorskip("torch")

from chipsim.train import hp, measure  # noqa: E402
from chipsim.train.data import Images  # noqa: E402
from chipsim.train.net import Net, forward  # noqa: E402
from chipsim.train.readout import decide  # noqa: E402
from chipsim.train.save import KEYS  # noqa: E402

ROOT = Path(__file__).parents[2]
SAMPLES = range(0, 1000, 50)
LABELS = {
    "mnist": [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
    "fashion": [9, 2, 1, 1, 6, 1, 4, 6, 5, 7],
}
LEAST = {"mnist": 98.2, "fashion": 88.0}


@pytest.fixture(scope="module", params=LABELS)
def task(request):
    return request.param


@pytest.fixture(scope="module")
def model(task):
    return ROOT / "models" / f"hp_{task}.pt"


@pytest.fixture(scope="module")
def record(model):
    return json.loads(model.with_suffix(".training.json").read_text())


@pytest.fixture(scope="module")
def state(model):
    return torch.load(model, weights_only=True)


@pytest.fixture(scope="module")
def trace(task):
    return read_trace(ROOT / "traces" / f"hp_{task}_test1000.npz")


def torch_layers(state, dtype):
    return tuple(
        hp.Layer(**{name: state[key.format(n)].to(dtype) for name, key in KEYS.items()})
        for n in (1, 2)
    )


def plain_layers(state):
    layers = []
    for layer in torch_layers(state, torch.float64):
        values = {item.name: getattr(layer, item.name).numpy() for item in fields(hp.Layer)}
        layers.append(PlainLayer(**{**values, "alpha": float(values["alpha"][0])}))
    return layers


@pytest.fixture(scope="module")
def plain_runs(state, trace):
    layers = plain_layers(state)
    return [run_sample(layers, trace.held[i] * trace.scale, Dynamics()) for i in SAMPLES]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_spike_counts_equal_plain_equations(state, trace, plain_runs, dtype):
    layers = torch_layers(state, dtype)
    image = torch.tensor(trace.held[list(SAMPLES)] * trace.scale, dtype=dtype)
    run = forward(Net((), *layers), image, Dynamics())
    hidden, output = run.hidden, run.output
    decided = decide(output, Dynamics()).classes
    for index, wanted in enumerate(plain_runs):
        assert np.array_equal(hidden.spikes[index].sum(0).numpy(), wanted.counts[0])
        assert np.array_equal(output.spikes[index].sum(0).numpy(), wanted.counts[1])
        assert decided[index] == plain_decide(wanted.counts[1], wanted.membrane)


def test_clamp_never_acted(plain_runs, record):
    for epoch in record["epochs"]:
        assert max(epoch["trace_bounds"]) <= Dynamics.clamp
    for run in plain_runs:
        bounds = record["epochs"][-1]["trace_bounds"]
        assert all(r <= b for r, b in zip(run.largest_trace, bounds, strict=True))


def test_accuracy_on_the_trace(state, trace, record):
    images = Images(trace.held, trace.labels)
    got = measure.accuracy(Net((), *torch_layers(state, torch.float32)), images, Dynamics())
    assert got == pytest.approx(record["result"]["running"], abs=2.0)


def test_record_says_enough_with_the_settings_of_the_task(record, task):
    assert record["result"]["running"] >= LEAST[task]
    assert record["test_images"]["count"] == 10_000
    assert Settings(**record["settings"]) == TASKS[task]
    assert Dynamics(**record["dynamics"]) == Dynamics()


def test_description_names_the_trace(model, task):
    description = yaml.safe_load(model.with_suffix(".yaml").read_text())
    assert description["model"] == f"hp_{task}"
    assert description["trace"] == f"../traces/hp_{task}_test1000.npz"
    assert [p["size"] for p in description["populations"]] == [784, 512, 10]


def test_trace_is_the_start_of_the_test_set(trace, task):
    assert (trace.samples, trace.neurons) == (1000, 784)
    assert trace.labels[:10].tolist() == LABELS[task]
