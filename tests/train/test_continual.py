"""Continual learning: variant E against plain numpy, tasks, resuming, the command."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
from mnist_files import SIDE, write_set
from plain_hp import run_variant

torch = pytest.importorskip("torch")

from chipsim.cli import train as cli  # noqa: E402
from chipsim.errors import InputError  # noqa: E402
from chipsim.train import continual, continual_training  # noqa: E402
from chipsim.train.continual_job import ContinualJob, train_continual  # noqa: E402
from chipsim.train.data import read_mnist  # noqa: E402
from chipsim.train.settings import VARIANTS, ContinualSettings  # noqa: E402

PIXELS = SIDE * SIDE
E = VARIANTS["E"]
SETTINGS = ContinualSettings(
    tasks=3, hidden=64, density=0.3, batch=20, weight_rate=5e-3, rule_images=40
)


def test_forward_equals_plain_variant_e():
    net = continual.new_net(SETTINGS, PIXELS)
    task = continual.new_task(SETTINGS, 1, PIXELS)
    random = np.random.default_rng(0)
    with torch.no_grad():
        for beta, alpha in zip(net.beta, net.alpha, strict=True):
            beta.copy_(torch.tensor(random.normal(0, 0.3, beta.shape)))
            alpha.fill_(0.5)
        for weight in net.weights:
            weight.mul_(4.0)
    image = random.random((3, PIXELS)).astype(np.float32)
    got = continual.forward(net, task, torch.tensor(image), E).detach().numpy()
    off = replace(net, alpha=(torch.zeros(1), torch.zeros(1)))
    without = continual.forward(off, task, torch.tensor(image), E).detach().numpy()
    assert not np.allclose(without, got)
    weights = [w.detach().double().numpy() for w in net.weights]
    masks = [m.double().numpy() for m in task.masks]
    for sample in range(3):
        arriving = np.tile(image[sample, task.order], (1, E.steps, 1))
        for n in (0, 1):
            gate = net.alpha[n].item() * (1 - masks[n].T)
            rate, slide = (t[n].detach().double().numpy() for t in (net.beta, net.eta))
            parts = (weights[n] * masks[n], np.zeros(SETTINGS.hidden), gate, rate, slide)
            spikes, _, u, _ = run_variant(*parts, arriving, E)
            arriving = spikes
        np.testing.assert_allclose(got[sample], (weights[2] * masks[2]) @ u[0], atol=1e-4)


def test_tasks_have_orders_and_masks_of_their_own():
    tasks = [continual.new_task(SETTINGS, n, PIXELS) for n in range(3)]
    assert tasks[0].order.tolist() == list(range(PIXELS))
    assert all(sorted(task.order) == list(range(PIXELS)) for task in tasks)
    assert tasks[1].order.tolist() != tasks[2].order.tolist()
    for one, other in zip(tasks[1].masks, tasks[2].masks, strict=True):
        assert 0.2 < float(one.mean()) < 0.4
        assert 0.02 < float((one * other).mean()) < 0.2
    again = continual.new_task(SETTINGS, 2, PIXELS)
    assert torch.equal(again.masks[1], tasks[2].masks[1])


@pytest.fixture
def sets(tmp_path):
    folder = write_set(tmp_path / "data", train=400, test=100)
    return read_mnist(folder, "train"), read_mnist(folder, "t10k")


@pytest.mark.parametrize("rule", ["hp", "gp"])
def test_learns_task_after_task(sets, rule):
    settings = replace(SETTINGS, rule=rule, epochs=4)
    training = continual_training.start(settings, PIXELS)
    before = [tensor.detach().clone() for tensor in training.net.rule()]
    continual_training.train(training, sets, settings, E, progress=lambda line: None)
    assert [len(learnt.test) for learnt in training.history] == [1, 2, 3]
    assert np.mean(training.history[-1].test) > 50.0
    moved = [
        not torch.equal(old, new) for old, new in zip(before, training.net.rule(), strict=True)
    ]
    assert all(moved) if rule == "hp" else not any(moved)
    dense = replace(settings, density=1.0)
    forgetful = continual_training.start(dense, PIXELS)
    continual_training.train(forgetful, sets, dense, E, progress=lambda line: None)
    assert forgetful.history[-1].test[0] < training.history[-1].test[0]


def make_job(folder, **changes) -> ContinualJob:
    data = write_set(folder / "data", train=100, test=50)
    job = ContinualJob(data, folder / "models" / "net.pt", SETTINGS, E, trace=folder / "t.npz")
    return replace(job, **changes)


def test_job_resumes_to_the_same_bytes(tmp_path):
    whole, broken = make_job(tmp_path / "a"), make_job(tmp_path / "b")

    def stop(line):
        if line.startswith("task 2/"):
            raise KeyboardInterrupt

    learnt = train_continual(whole, lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        train_continual(broken, stop)
    lines = []
    train_continual(replace(broken, resume=True), lines.append)
    assert lines[0] == "resumed after task 2 of 3"
    assert whole.out.read_bytes() == broken.out.read_bytes()
    assert not broken.unfinished.exists()
    record = json.loads(whole.out.with_suffix(".training.json").read_text())
    assert record["tasks"][-1]["test"] == learnt.test
    with pytest.raises(InputError, match="no checkpoint to resume from"):
        train_continual(replace(broken, resume=True), lines.append)


def test_command(tmp_path, capsys):
    job = make_job(tmp_path)
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    paths = ["--data", str(job.data), "--out", str(job.out), "--trace", str(job.trace)]
    words = [*paths, "--tasks", "2", "--hidden", "8", "--readout", "integrated"]
    args = parser.parse_args(
        ["train", "hp-continual", *words, "--limit", "60", "--rule", "gp", "--describe", "0"]
    )
    assert args.run(args) == 0
    out, err = capsys.readouterr()
    assert "2 tasks, test accuracy" in out
    assert "task 2/2" in err
    record = json.loads(job.out.with_suffix(".training.json").read_text())
    assert record["images"] == {"train": 60, "test": 50}
    assert record["rule"] == "gp continual"
    assert (record["described_task"], record["dynamics"]["readout"]) == (0, "integrated")
