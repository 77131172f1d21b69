"""Trained networks, read as `chipsim map` reads them, do in float what they did in training."""

from dataclasses import replace

import numpy as np
import pytest
from mnist_files import SIDE, write_set

torch = pytest.importorskip("torch")

from chipsim.load.description import read_model  # noqa: E402
from chipsim.load.traces import read_trace  # noqa: E402
from chipsim.network import Graded  # noqa: E402
from chipsim.simulate.float_reference import run_float  # noqa: E402
from chipsim.simulate.samples import classes, decision_steps  # noqa: E402
from chipsim.train import continual, trained  # noqa: E402
from chipsim.train.continual_job import ContinualJob, train_continual  # noqa: E402
from chipsim.train.data import read_mnist  # noqa: E402
from chipsim.train.job import Job, train_hp  # noqa: E402
from chipsim.train.measure import scaled  # noqa: E402
from chipsim.train.net import forward  # noqa: E402
from chipsim.train.readout import decide  # noqa: E402
from chipsim.train.settings import VARIANTS, ContinualSettings, Settings  # noqa: E402

CPU = torch.device("cpu")


def answers_of(out):
    loaded = read_model(out)
    trace = read_trace(loaded.trace)
    return loaded.network, run_float(loaded.network, trace)


@pytest.mark.parametrize(
    ("variant", "channels", "rule"),
    [
        ("A", (), "hp"),
        ("A", (), "gp"),
        ("A", (4,), "hp"),
        ("B", (), "hp"),
        ("B", (4,), "hp"),
        ("C", (4,), "hp"),
        ("C", (4,), "gp"),
    ],
)
def test_image_network(tmp_path, variant, channels, rule):
    data = write_set(tmp_path / "data", train=100, test=30)
    settings = Settings(
        channels=channels, hidden=16, batch=20, epochs=2, weight_rate=1e-2, rule=rule
    )
    job = Job(data, tmp_path / "net.pt", tmp_path / "t.npz", settings, VARIANTS[variant])
    train_hp(job, lambda line: None)
    back = trained.read(job.out)
    with torch.no_grad():
        shown = scaled(read_mnist(data, "t10k").pixels, CPU)
        run = forward(back.net, shown, back.dynamics)
    network, answers = answers_of(job.out)
    assert sum(isinstance(p.model, Graded) for p in network.populations) == len(channels)
    plastic = [p.plasticity is not None for p in network.projections[-2:]]
    assert plastic == [rule == "hp", rule == "hp" and variant == "A"]
    spikes = run.hidden.spikes.numpy()
    assert spikes.any()
    assert (answers.of("hidden") == spikes).mean() > 0.999
    np.testing.assert_allclose(
        answers.potential, run.output.membrane.numpy(), atol=0.05 if channels else 2e-3
    )


def test_first_spike_answers_as_in_training(tmp_path):
    data = write_set(tmp_path / "data", train=100, test=30)
    settings = Settings(hidden=16, batch=20, epochs=2, weight_rate=1e-2)
    dynamics = replace(VARIANTS["A"], readout="first_spike")
    job = Job(data, tmp_path / "net.pt", tmp_path / "t.npz", settings, dynamics)
    train_hp(job, lambda line: None)
    back = trained.read(job.out)
    with torch.no_grad():
        run = forward(back.net, scaled(read_mnist(data, "t10k").pixels, CPU), back.dynamics)
    wanted = decide(run.output, dynamics)
    network, answers = answers_of(job.out)
    assert network.readout_kind == "first_spike"
    assert len(set(wanted.steps.tolist())) > 1
    assert decision_steps(answers, "output").tolist() == wanted.steps.tolist()
    assert classes(answers, "output", "first_spike").tolist() == wanted.classes.tolist()


def test_continual(tmp_path):
    data = write_set(tmp_path / "data", train=200, test=30)
    settings = ContinualSettings(
        tasks=2, hidden=24, density=0.4, batch=20, epochs=2, rule_rate=1e-2, rule_images=200
    )
    dynamics = replace(VARIANTS["E"], readout="integrated")
    paths = (data, tmp_path / "net.pt", settings, dynamics)
    job = ContinualJob(*paths, task=1, trace=tmp_path / "t.npz")
    train_continual(job, lambda line: None)
    state = torch.load(job.out, weights_only=True)
    net = continual.ContinualNet(
        *(
            tuple(state[key.format(n)] for n in range(1, count + 1))
            for key, count in (("fc{}.weight", 3), ("alpha{}", 2), ("beta{}", 2), ("eta{}", 2))
        )
    )
    task = continual.new_task(settings, 1, SIDE * SIDE)
    shown = scaled(read_mnist(data, "t10k").pixels, CPU)
    wanted = continual.forward(net, task, shown, dynamics).numpy()
    off = replace(net, alpha=(torch.zeros(1), torch.zeros(1)))
    assert not np.allclose(continual.forward(off, task, shown, dynamics).numpy(), wanted, atol=1e-2)
    network, answers = answers_of(job.out)
    assert network.readout_kind == "membrane"
    np.testing.assert_allclose(answers.potential, wanted, atol=2e-3)
