"""The bilevel steps against derivatives by hand, and who learns from which images."""

from dataclasses import replace

import numpy as np
import pytest
from mnist_files import SIDE, write_set

torch = pytest.importorskip("torch")

from chipsim.errors import InputError  # noqa: E402
from chipsim.train import bilevel, bptt  # noqa: E402
from chipsim.train.data import Images, read_mnist  # noqa: E402
from chipsim.train.settings import Dynamics, Settings  # noqa: E402
from chipsim.train.state import start  # noqa: E402

SETTINGS = Settings(epochs=4, hidden=16, batch=20, weight_rate=1e-2, rule_rate=1e-3, validation=100)


def test_steps_equal_derivatives_by_hand():
    w = torch.tensor([0.5, -0.3], dtype=torch.float64, requires_grad=True)
    r = torch.tensor([0.2], dtype=torch.float64, requires_grad=True)
    rate = 0.05
    optimiser = torch.optim.SGD([{"params": [w], "lr": rate}, {"params": [r], "lr": 1.0}])
    start_w, start_r = w.detach().clone(), r.item()

    def training():
        return (r * w**3).sum()

    def validation():
        return (w**2).sum() + r.sum() * w[0]

    bilevel.inner_step(optimiser, training())
    after = start_w - rate * 3 * start_r * start_w**2
    assert torch.allclose(w.detach(), after)
    assert r.item() == start_r
    bilevel.outer_step(optimiser, training, validation)
    by_w = 2 * after + torch.tensor([start_r, 0.0])
    mixed = (3 * after**2 * by_w).sum()
    assert abs(float(mixed)) > 0.1
    assert r.item() == pytest.approx(start_r - float(after[0] - rate * mixed), abs=1e-6)
    assert torch.allclose(w.detach(), after, atol=1e-15)


@pytest.fixture
def sets(tmp_path):
    folder = write_set(tmp_path, train=400, test=100)
    return read_mnist(folder, "train"), read_mnist(folder, "t10k")


def trained(sets, settings):
    training = start(settings, Dynamics(), SIDE * SIDE)
    bptt.train(training, sets, settings, Dynamics(), progress=lambda line: None)
    return training


def test_learns(sets):
    training = trained(sets, SETTINGS)
    fresh = start(SETTINGS, Dynamics(), SIDE * SIDE)
    assert training.epochs[-1].test > 70.0
    for layer, old in zip(training.net.layers, fresh.net.layers, strict=True):
        assert all(not torch.equal(vars(layer)[name], vars(old)[name]) for name in vars(old))


def test_weights_never_follow_the_held_out_images(sets):
    """With a still rule, what is held out does not matter; with a learning one it does."""
    images, test = sets
    other = Images(np.concatenate([images.pixels[:300], images.pixels[:100]]), images.labels.copy())
    other.labels[300:] = images.labels[:100]
    for rate, same in ((0.0, True), (1e-3, False)):
        settings = replace(SETTINGS, epochs=1, rule_rate=rate)
        one, two = (trained((part, test), settings) for part in (images, other))
        assert torch.equal(one.net.layers[1].beta, two.net.layers[1].beta) == same
        assert torch.equal(one.net.layers[1].weight, two.net.layers[1].weight) == same


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rule": "gp"}, "needs --rule hp"),
        ({"trace": "batch"}, "--hebb sample"),
        ({"validation": 400}, "leaves none of 400 images"),
    ],
)
def test_impossible(sets, changes, message):
    with pytest.raises(InputError, match=message):
        trained(sets, replace(SETTINGS, **changes))
