"""Readouts by hand and against plain loops, and their losses."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from chipsim.train import hp, readout  # noqa: E402
from chipsim.train.settings import Dynamics  # noqa: E402

COUNT, FIRST = Dynamics(), Dynamics(readout="first_spike")
THRESHOLD = Dynamics.threshold


def as_run(membranes):
    u = torch.as_tensor(membranes, dtype=torch.float64)
    return hp.LayerRun((u > THRESHOLD).double(), torch.zeros_like(u), u)


def test_spike_count_breaks_ties_by_membrane_then_index():
    counts = torch.tensor([[1.0, 2, 2, 0], [1, 1, 1, 1], [0, 3, 2, 2], [2, 0, 2, 2]])
    membrane = torch.tensor([[9.0, 1, 2, 9], [0.5, 0.5, 0.5, 0.5], [9, -5, 9, 9], [-3, 0, -2, -2]])
    run = hp.LayerRun(counts[:, None], counts[:, None], membrane[:, None])
    decision = readout.decide(run, COUNT)
    assert decision.classes.tolist() == [2, 0, 1, 2]
    assert decision.steps.tolist() == [1, 1, 1, 1]


def test_first_spike_stops_a_sample():
    quiet = [0.0, 0.1, 0.2]
    run = as_run(
        [
            [quiet, [0.5, 0.0, 0.0], [0.0, 9.0, 9.0]],
            [[0.4, 0.9, 0.6], quiet, quiet],
            [quiet, quiet, [0.1, 0.3, 0.2]],
        ]
    )
    decision = readout.decide(run, FIRST)
    assert decision.classes.tolist() == [0, 1, 1]
    assert decision.steps.tolist() == [2, 1, 3]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 6), height=st.floats(0.1, 2.0))
def test_first_spike_equals_plain_loop(seed, steps, height):
    u = height * np.random.default_rng(seed).normal(size=(4, steps, 5))
    decision = readout.decide(as_run(u), FIRST)
    for sample in range(4):
        for step in range(steps):
            if (u[sample, step] > THRESHOLD).any():
                break
        assert decision.steps[sample] == step + 1
        assert decision.classes[sample] == max(range(5), key=lambda n: u[sample, step, n])


def test_loss_of_first_spike_counts_the_deciding_step_alone():
    u = torch.full((1, 3, 10), 0.07, dtype=torch.float64)
    u[0, 1, 4] = 0.5
    u.requires_grad_()
    run = hp.LayerRun((u > THRESHOLD).double(), torch.zeros_like(u), u)
    for label, right in ((4, 0.0), (7, (1.1 - 0.2) ** 2)):
        wrong = (0.2**2 * 9) if label == 4 else 0.2**2 * 8 + 1.1**2
        got = readout.loss(run, torch.tensor([label]), FIRST)
        assert got.item() == pytest.approx((right + wrong) / 10)
        (gradient,) = torch.autograd.grad(got, u)
        assert not gradient[0, [0, 2]].any()
        assert gradient[0, 1, 0] > 0
        assert float(gradient[0, 1, 4]) == 0.0  # beyond the bound


def test_loss_of_spike_count_is_that_of_the_rates():
    spikes = torch.zeros(2, 4, 10)
    spikes[0, :, 3], spikes[1, :2, 6] = 1.0, 1.0
    run = hp.LayerRun(spikes, spikes, spikes)
    assert float(readout.loss(run, torch.tensor([3, 3]), COUNT)) == pytest.approx(1.25 / 20)
