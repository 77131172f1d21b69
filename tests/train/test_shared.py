"""Shared traces on a held image: the form without a trace in every step, and the one with."""

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from chipsim.train import explicit, hp  # noqa: E402
from chipsim.train.settings import Dynamics  # noqa: E402
from chipsim.train.shared import run_held  # noqa: E402

BATCH, PRE, POST = 4, 8, 5


def make(seed):
    generator = torch.Generator().manual_seed(seed)

    def drawn(scale, *shape):
        return scale * torch.randn(shape, generator=generator, dtype=torch.float64)

    layer = hp.Layer(drawn(0.5, POST, PRE), drawn(0.1, POST), drawn(0.5, 1), drawn(0.3, PRE),
                     drawn(0.3, POST))  # fmt: skip
    return layer, drawn(1.0, BATCH, PRE).abs().clamp(max=1.0), drawn(0.3, PRE, POST)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), clamp=st.sampled_from([None, 0.2, 100.0]))
def test_equals_the_form_with_a_trace(seed, clamp):
    layer, image, trace = make(seed)
    dynamics = Dynamics(steps=6, clamp=clamp)
    got, after = run_held(layer, image, trace, dynamics)
    held = image[:, None].expand(-1, 6, -1)
    wanted, wanted_after = explicit.run(layer, held, trace, dynamics)
    assert torch.equal(got.spikes, wanted.spikes)
    torch.testing.assert_close(got.membranes, wanted.membranes, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(after, wanted_after, rtol=1e-9, atol=1e-10)


def test_gradients_equal_those_with_a_trace():
    layer, image, trace = make(1)
    dynamics = Dynamics(steps=6, clamp=100.0)
    tensors = [tensor.requires_grad_() for tensor in vars(layer).values()]
    held = image[:, None].expand(-1, 6, -1)
    runs = (run_held(layer, image, trace, dynamics), explicit.run(layer, held, trace, dynamics))
    gradients = [torch.autograd.grad(run.membranes.square().sum(), tensors) for run, _ in runs]
    for one, other in zip(*gradients, strict=True):
        assert float(other.abs().max()) > 0
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
