"""Convolutional networks of variants B and C against plain numpy, and their training jobs."""

import json
from dataclasses import replace

import numpy as np
import pytest
from mnist_files import write_set
from plain_hp import run_variant

torch = pytest.importorskip("torch")

from chipsim.errors import InputError  # noqa: E402
from chipsim.train import measure, net, state, trained  # noqa: E402
from chipsim.train.data import read_mnist  # noqa: E402
from chipsim.train.job import Job, train_hp  # noqa: E402
from chipsim.train.settings import VARIANTS, Dynamics, Settings  # noqa: E402

SIDE, SAMPLES = 8, 3
SETTINGS = Settings(channels=(2, 3), hidden=6, batch=20, epochs=2)


def make(letter, **changes):
    dynamics = replace(VARIANTS[letter], steps=5, **{"clamp": 100.0, **changes})
    made = state.start(SETTINGS, dynamics, SIDE * SIDE).net
    random = np.random.default_rng(3)
    with torch.no_grad():
        for convolution in made.convolutions:
            convolution.weight.mul_(2.0)
            convolution.bias.copy_(torch.tensor(random.normal(0, 0.1, convolution.bias.shape)))
        for layer in made.layers:
            layer.weight.mul_(3.0)
        made.hidden.alpha.fill_(0.6)
        made.hidden.beta.copy_(torch.tensor(random.normal(0, 0.1, made.hidden.beta.shape)))
        made.hidden.eta.copy_(torch.tensor(random.normal(0, 0.3, made.hidden.eta.shape)))
    return made, dynamics, random.random((SAMPLES, SIDE * SIDE)).astype(np.float32)


def plain_convolved(convolution, maps, dynamics):
    """One sample's averaged spikes ``(steps, channels, side / 2, side / 2)``, loop by loop."""
    weight, bias = (t.detach().double().numpy() for t in vars(convolution).values())
    side = maps.shape[-1]
    u, s = (np.zeros((len(bias), side, side)) for _ in range(2))
    averaged = []
    for arriving in maps:
        padded = np.pad(arriving, ((0, 0), (1, 1), (1, 1)))
        for o, y, x in np.ndindex(*u.shape):
            current = bias[o] + (weight[o] * padded[:, y : y + 3, x : x + 3]).sum()
            reset = u[o, y, x] - dynamics.threshold * s[o, y, x]
            if dynamics.reset == "zero":
                reset = u[o, y, x] * (1 - s[o, y, x])
            u[o, y, x] = dynamics.decay * reset + current
        s = (u > dynamics.threshold).astype(float)
        averaged.append(s.reshape(len(bias), side // 2, 2, side // 2, 2).mean((2, 4)))
    return np.array(averaged)


@pytest.mark.parametrize("letter", ["B", "C"])
def test_forward_equals_plain_equations(letter):
    made, dynamics, image = make(letter)
    with torch.no_grad():
        run = net.forward(made, torch.tensor(image), dynamics)
        without = net.forward(
            replace(made, hidden=net.rated(made.hidden, Dynamics(positive_rates=True))),
            torch.tensor(image),
            replace(dynamics, positive_rates=False),
        )
    assert torch.equal(run.hidden.membranes, without.hidden.membranes) == (letter == "C")
    parts = [[t.detach().double().numpy() for t in vars(layer).values()] for layer in made.layers]
    if letter == "C":
        parts[0][3] = np.maximum(parts[0][3], 0.0)
    for sample in range(SAMPLES):
        maps = np.tile(image[sample].astype(float).reshape(1, 1, SIDE, SIDE), (5, 1, 1, 1))
        for convolution in made.convolutions:
            maps = plain_convolved(convolution, maps, dynamics)
        arriving = maps.transpose(0, 2, 3, 1).reshape(1, 5, -1)  # channels last
        np.testing.assert_allclose(run.arriving[sample].numpy(), arriving[0], atol=1e-12)
        spikes, _, u, _ = run_variant(*parts[0], arriving, dynamics)
        assert np.array_equal(run.hidden.spikes[sample].numpy(), spikes[0])
        np.testing.assert_allclose(run.hidden.membrane[sample].numpy(), u[0], atol=1e-5)
        _, _, u, _ = run_variant(*parts[1], spikes, replace(dynamics, tau=None))
        np.testing.assert_allclose(run.output.membrane[sample].numpy(), u[0], atol=1e-5)


def test_the_trace_matters_and_every_part_learns():
    made, dynamics, image = make("B")
    still = measure.stopped(made, (torch.zeros(12, 6), torch.zeros(6, 10)))[1]
    run, off = (net.forward(each, torch.tensor(image), dynamics) for each in (made, still))
    assert not torch.allclose(run.hidden.membranes, off.hidden.membranes, atol=1e-3)
    learning = [*vars(made.hidden).values(), made.output.weight, made.output.bias]
    learning += [t for each in made.convolutions for t in vars(each).values()]
    weights = torch.linspace(-1, 2, 10)
    gradients = torch.autograd.grad((run.output.spikes.mean(1) * weights).sum(), learning)
    assert all(float(gradient.abs().max()) > 0 for gradient in gradients)
    assert not made.output.alpha.requires_grad
    assert made.pixels == SIDE * SIDE


def test_clamp_in_reach_is_an_error():
    made, dynamics, image = make("B", clamp=0.05)
    with pytest.raises(InputError, match=r"beyond the clamp of 0\.05"):
        net.forward(made, torch.tensor(image), dynamics)
    still = replace(made, hidden=replace(made.hidden, alpha=torch.zeros(1)))
    net.forward(still, torch.tensor(image), dynamics)


@pytest.mark.parametrize(
    ("settings", "pixels", "message"),
    [
        (SETTINGS, 36, "fewer --channels"),
        (SETTINGS, 60, "fewer --channels"),
        (replace(SETTINGS, trace="batch"), 64, "give neither --channels nor"),
        (replace(SETTINGS, trace="batch", channels=()), 64, "nor another --variant"),
    ],
)
def test_impossible(settings, pixels, message):
    with pytest.raises(InputError, match=message):
        state.start(settings, VARIANTS["B"], pixels)


@pytest.mark.parametrize("readout", ["spike_count", "first_spike"])
def test_job(tmp_path, readout):
    data = write_set(tmp_path / "data")
    settings = Settings(channels=(8,), hidden=24, batch=20, epochs=4, weight_rate=5e-3)
    dynamics = replace(VARIANTS["B"], readout=readout)
    job = Job(data, tmp_path / "net.pt", tmp_path / "t.npz", settings, dynamics)
    summary = train_hp(job, lambda line: None)
    assert summary.running > 50.0
    assert (summary.steps < 9.5) == (readout == "first_spike")
    assert summary.rule["alpha2"] == 0.0
    back = trained.read(job.out)
    assert (back.settings, back.dynamics) == (settings, dynamics)
    answers = measure.answers(back.net, read_mnist(data, "t10k"), back.dynamics)
    assert (answers.accuracy, answers.steps) == (summary.running, summary.steps)
    record = json.loads(job.out.with_suffix(".training.json").read_text())
    assert record["epochs"][-1]["trace_bounds"] is None
    assert record["device"] in ("cpu", "cuda")
