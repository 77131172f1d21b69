"""The training loop: order of images, learning rates, the check before every step."""

from dataclasses import replace

import numpy as np
import pytest
from mnist_files import SIDE, write_set

torch = pytest.importorskip("torch")

from chipsim.errors import InputError  # noqa: E402
from chipsim.train import bptt  # noqa: E402
from chipsim.train.data import read_mnist  # noqa: E402
from chipsim.train.settings import Dynamics, Settings  # noqa: E402
from chipsim.train.state import start  # noqa: E402

SETTINGS = Settings(epochs=3, hidden=4, batch=30)


@pytest.fixture
def sets(tmp_path):
    folder = write_set(tmp_path, train=100, test=10)
    return read_mnist(folder, "train"), read_mnist(folder, "t10k")


def watch(sets, monkeypatch, settings=SETTINGS, after=lambda training: None):
    """Train without training: return per step the chosen images and both learning rates."""
    steps = []

    def step(training, images, chosen, dynamics):
        rates = [group["lr"] for group in training.optimiser.param_groups]
        steps.append((chosen, *rates))
        after(training)
        return 0.5, 0

    monkeypatch.setattr(bptt, "_train_batch", step)
    training = start(settings, Dynamics(), SIDE * SIDE)
    try:
        bptt.train(training, sets, settings, Dynamics(), progress=lambda line: None)
    except InputError as error:
        return training, steps, error
    return training, steps, None


def test_every_image_once_an_epoch_in_an_order_of_its_own(sets, monkeypatch):
    _, steps, _ = watch(sets, monkeypatch)
    assert [len(step[0]) for step in steps] == [30, 30, 30, 10] * 3
    orders = [np.concatenate([s[0] for s in steps[e : e + 4]]).tolist() for e in (0, 4, 8)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert orders[0] != orders[1] != orders[2] != orders[0]
    other = watch(sets, monkeypatch, replace(SETTINGS, seed=1))[1]
    assert other[0][0].tolist() != steps[0][0].tolist()


def test_learning_rates_fall_along_half_a_cosine(sets, monkeypatch):
    _, steps, _ = watch(sets, monkeypatch)
    weight_rates = [step[1] for step in steps]
    assert (weight_rates[0], weight_rates[6]) == (1e-3, pytest.approx(0.5e-3))
    assert weight_rates == sorted(weight_rates, reverse=True)
    assert weight_rates[-1] == pytest.approx(1e-3 * np.sin(np.pi / 24) ** 2)
    assert [step[2] for step in steps] == pytest.approx([0.5 * rate for rate in weight_rates])


@pytest.mark.parametrize("value", [10.0, float("nan")])
def test_trace_is_checked_before_every_step(sets, monkeypatch, value):
    def grow(training):
        with torch.no_grad():
            training.net.layers[1].beta.fill_(value)

    training, steps, error = watch(sets, monkeypatch, after=grow)
    assert "beyond the clamp of 4" in str(error)
    assert len(steps) == 1
    assert training.epochs == []


def test_loss_is_the_squared_error_of_the_rates(sets):
    train_images, _ = sets
    training = start(SETTINGS, Dynamics(), SIDE * SIDE)
    chosen = np.arange(20)
    with torch.no_grad():
        image = torch.tensor(train_images.pixels[chosen] / 255.0, dtype=torch.float32)
        rates = bptt.forward(training.net, image, Dynamics()).output.spikes.mean(1).numpy()
    wanted = np.mean((rates - np.eye(10)[train_images.labels[chosen]]) ** 2)
    before = [t.detach().clone() for layer in training.net.layers for t in vars(layer).values()]
    loss, _ = bptt._train_batch(training, train_images, chosen, Dynamics())
    after = [t for layer in training.net.layers for t in vars(layer).values()]
    assert loss == pytest.approx(wanted, rel=1e-5)
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
