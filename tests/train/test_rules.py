"""What learns under each rule, and training with a trace that batches share."""

from dataclasses import replace

import numpy as np
import pytest
from mnist_files import SIDE, write_set

torch = pytest.importorskip("torch")

from chipsim.train import bptt, measure  # noqa: E402
from chipsim.train.data import read_mnist  # noqa: E402
from chipsim.train.job import Job, train_hp  # noqa: E402
from chipsim.train.settings import TASKS, Dynamics, Settings  # noqa: E402
from chipsim.train.shared import Shared  # noqa: E402
from chipsim.train.state import start  # noqa: E402

SETTINGS = Settings(epochs=2, hidden=16, batch=20, weight_rate=1e-2, rule_rate=1e-3)


@pytest.fixture
def sets(tmp_path):
    folder = write_set(tmp_path, train=300, test=100)
    return read_mnist(folder, "train"), read_mnist(folder, "t10k")


def changed(sets, settings):
    training = start(settings, Dynamics(), SIDE * SIDE)
    before = [{k: v.detach().clone() for k, v in vars(x).items()} for x in training.net.layers]
    bptt.train(training, sets, settings, Dynamics(), progress=lambda line: None)
    moved = {
        f"{name}{n}"
        for n, (old, layer) in enumerate(zip(before, training.net.layers, strict=True), start=1)
        for name, tensor in vars(layer).items()
        if not torch.equal(old[name], tensor)
    }
    return training, moved


EVERY = {"weight", "bias", "alpha", "beta", "eta"}
WHAT = {
    "hp": {f"{name}{n}" for name in EVERY for n in (1, 2)},
    "gp": {"weight1", "bias1", "weight2", "bias2"},
    "lp": {f"{name}2" for name in EVERY},
}


@pytest.mark.parametrize("rule", WHAT)
def test_what_learns(sets, rule):
    training, moved = changed(sets, replace(SETTINGS, rule=rule))
    assert moved == WHAT[rule]
    assert all(bool(layer.alpha.any()) == (rule != "gp") for layer in training.net.layers)
    assert training.epochs[-1].test > 30.0


def test_rules_start_from_the_same_weights():
    layers = [
        start(replace(SETTINGS, rule=r), Dynamics(), 9).net.layers for r in ("hp", "gp", "lp")
    ]
    for other in layers[1:]:
        assert all(torch.equal(a.weight, b.weight) for a, b in zip(layers[0], other, strict=True))


def test_output_scale():
    one, tenth = (start(replace(SETTINGS, output_scale=s), Dynamics(), 9) for s in (1.0, 0.1))
    assert torch.equal(one.net.layers[0].weight, tenth.net.layers[0].weight)
    assert torch.allclose(0.1 * one.net.layers[1].weight, tenth.net.layers[1].weight)
    assert TASKS["fashion"] == replace(TASKS["mnist"], output_scale=0.1)


def test_shared_trace_is_carried_and_decides(sets):
    settings = replace(SETTINGS, trace="batch")
    training, moved = changed(sets, settings)
    assert moved == WHAT["hp"]
    assert all(float(trace.abs().max()) > 0 for trace in training.carried)
    kept = [trace.clone() for trace in training.carried]
    images, dynamics = sets[1], Dynamics()
    shared = bptt.shared(training, settings)
    runs = [
        np.concatenate([run.output.membrane for _, run in measure.evaluate(*args)])
        for args in (
            (training.net, images, dynamics, shared),
            (training.net, images, dynamics, Shared(training.carried, 1)),
            (training.net, images, dynamics),
        )
    ]
    assert not np.allclose(runs[0], runs[1])
    assert not np.allclose(runs[0], runs[2])
    assert all(torch.equal(a, b) for a, b in zip(kept, training.carried, strict=True))


def test_shared_run_resumes_with_its_trace(tmp_path):
    settings = replace(SETTINGS, trace="batch")
    jobs = []
    for name in ("whole", "broken"):
        data = write_set(tmp_path / name / "data", train=100, test=40)
        out = tmp_path / name / "net.pt"
        jobs.append(Job(data, out, tmp_path / name / "t.npz", settings, Dynamics()))

    def stop(line):
        if line.startswith("epoch 1/"):
            raise KeyboardInterrupt

    train_hp(jobs[0], lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        train_hp(jobs[1], stop)
    train_hp(replace(jobs[1], resume=True), lambda line: None)
    assert jobs[0].out.read_bytes() == jobs[1].out.read_bytes()
    state = torch.load(jobs[0].out, weights_only=True)
    assert float(state["hebb1"].abs().max()) > 0
