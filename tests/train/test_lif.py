"""The gradient by hand against automatic differentiation of every step."""

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from chipsim.train.hp import fire, membrane  # noqa: E402
from chipsim.train.lif import lif_spikes  # noqa: E402
from chipsim.train.settings import VARIANTS  # noqa: E402


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), letter=st.sampled_from("ABCE"), held=st.booleans())
def test_equals_automatic_differentiation(seed, letter, held):
    dynamics = VARIANTS[letter]
    generator = torch.Generator().manual_seed(seed)
    shape = (1 if held else dynamics.steps, 3, 5)
    currents = 0.5 * torch.randn(shape, generator=generator, dtype=torch.float64)
    currents.requires_grad_()
    u = spike = torch.zeros(3, 5, dtype=torch.float64)
    steps = []
    for step in range(dynamics.steps):
        u = membrane(dynamics, u, spike, currents[0 if held else step])
        spike = fire(dynamics, u)
        steps.append(spike)
    got, wanted = lif_spikes(currents, dynamics), torch.stack(steps)
    assert torch.equal(got, wanted)
    weights = torch.randn(wanted.shape, generator=generator, dtype=torch.float64)
    gradients = [torch.autograd.grad((s * weights).sum(), currents)[0] for s in (got, wanted)]
    assert float(gradients[1].abs().max()) > 0
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-14)
