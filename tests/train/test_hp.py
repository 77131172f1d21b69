"""The low-rank torch form against the plain equations with an explicit H per sample."""

from dataclasses import replace

import numpy as np
import pytest
from plain_hp import PlainLayer, plain_decide, run_sample

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from chipsim.train import hp, net, readout  # noqa: E402
from chipsim.train.settings import Dynamics  # noqa: E402

SAMPLES, PIXELS, HIDDEN, CLASSES = 5, 12, 9, 4


def make(seed, alpha=(0.3, -0.4), spread=0.4):
    random = np.random.default_rng(seed)
    layers = []
    for inputs, outputs, a in ((PIXELS, HIDDEN, alpha[0]), (HIDDEN, CLASSES, alpha[1])):
        layers.append(
            PlainLayer(
                weight=random.normal(0.0, 0.6, (outputs, inputs)),
                bias=random.normal(0.0, 0.1, outputs),
                alpha=a,
                beta=random.uniform(-spread, spread, inputs),
                eta=random.normal(0.0, 0.3, outputs),
            )
        )
    image = random.random((SAMPLES, PIXELS)) * (random.random((SAMPLES, PIXELS)) > 0.4)
    return layers, image


def both(hidden, output, image, dynamics):
    run = net.forward(net.Net((), hidden, output), image, dynamics)
    return run.hidden, run.output


def to_torch(layer):
    return hp.Layer(
        weight=torch.tensor(layer.weight),
        bias=torch.tensor(layer.bias),
        alpha=torch.tensor([layer.alpha], dtype=torch.float64),
        beta=torch.tensor(layer.beta),
        eta=torch.tensor(layer.eta),
    )


def explicit(layers, image, dynamics):
    """The same network in torch with an explicit H per sample, for gradients."""
    h = [torch.zeros(len(image), *layer.weight.T.shape, dtype=image.dtype) for layer in layers]
    u = [torch.zeros(len(image), len(layer.bias), dtype=image.dtype) for layer in layers]
    s = list(u)
    counts = torch.zeros_like(u[1])
    for t in range(dynamics.steps):
        arriving = image
        for n, layer in enumerate(layers):
            x = dynamics.attenuation(t) * arriving
            learnt = layer.alpha * torch.einsum("bi,bij->bj", x, h[n])
            u[n] = dynamics.decay * (u[n] - dynamics.threshold * s[n])
            u[n] = u[n] + x @ layer.weight.T + layer.bias + learnt
            s[n] = hp.fire(dynamics, u[n])
            post = torch.tanh(u[n] / dynamics.threshold - layer.eta)
            h[n] = dynamics.rho * h[n] + torch.einsum("bi,bj->bij", x * layer.beta, post)
            h[n] = h[n].clamp(-dynamics.clamp, dynamics.clamp)
            arriving = s[n]
        counts = counts + s[1]
    return counts


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    steps=st.integers(1, 12),
    tau=st.sampled_from([3.0, 40.0]),
    rho=st.sampled_from([0.0, 0.5, 0.95, 1.0]),
)
def test_forward_equals_plain_equations(seed, steps, tau, rho):
    plain, image = make(seed)
    dynamics = Dynamics(steps=steps, tau=tau, rho=rho, clamp=100.0)
    hidden, output = (to_torch(layer) for layer in plain)
    first, second = both(hidden, output, torch.tensor(image), dynamics)
    decided = readout.decide(second, dynamics).classes
    for sample in range(SAMPLES):
        wanted = run_sample(plain, image[sample], dynamics)
        assert np.array_equal(first.spikes[sample].sum(0).numpy(), wanted.counts[0])
        assert np.array_equal(second.spikes[sample].sum(0).numpy(), wanted.counts[1])
        np.testing.assert_allclose(second.membrane[sample].numpy(), wanted.membrane, atol=1e-10)
        assert decided[sample] == plain_decide(wanted.counts[1], wanted.membrane)


def test_plasticity_matters_in_these_networks():
    """Guards the equality above: without plasticity the spikes would differ."""
    plain, image = make(3)
    dynamics = Dynamics(clamp=100.0)
    hidden, output = (to_torch(layer) for layer in plain)
    on = both(hidden, output, torch.tensor(image), dynamics)
    off = both(hp.off(hidden), hp.off(output), torch.tensor(image), dynamics)
    same_input = hp.run_spiking(hp.off(output), on[0].spikes, dynamics)
    assert not torch.equal(on[0].spikes, off[0].spikes)
    assert not torch.equal(on[1].spikes, same_input.spikes)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gradients_equal_those_with_explicit_trace(seed):
    plain, image = make(seed)
    dynamics = Dynamics(steps=6, clamp=100.0)
    layers = [to_torch(layer) for layer in plain]
    tensors = [t.requires_grad_() for layer in layers for t in vars(layer).values()]
    weights = torch.linspace(-1.0, 2.0, CLASSES, dtype=torch.float64)
    _, second = both(*layers, torch.tensor(image), dynamics)
    got = torch.autograd.grad((second.spikes.sum(1) * weights).sum(), tensors)
    counts = explicit(layers, torch.tensor(image), dynamics)
    wanted = torch.autograd.grad((counts * weights).sum(), tensors)
    assert all(float(gradient.abs().max()) > 0 for gradient in wanted)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_trace_bound_holds_and_is_tight(seed):
    plain, image = make(seed)
    dynamics = Dynamics(clamp=100.0)
    bounds = [hp.trace_bound(to_torch(layer), dynamics) for layer in plain]
    for sample in range(SAMPLES):
        reached = run_sample(plain, image[sample], dynamics).largest_trace
        assert all(r <= b for r, b in zip(reached, bounds, strict=True))
    full = replace(plain[0], bias=np.full(HIDDEN, 50.0))
    worst = run_sample([full, plain[1]], np.ones(PIXELS), dynamics).largest_trace[0]
    assert worst == pytest.approx(bounds[0], rel=1e-9)


def test_beyond_the_bound_the_clamp_acts():
    plain, image = make(0)
    dynamics = Dynamics(clamp=0.2)
    hidden, output = (to_torch(layer) for layer in plain)
    assert hp.trace_bound(hidden, dynamics) > dynamics.clamp
    _, second = both(hidden, output, torch.tensor(image), dynamics)
    clipped = [run_sample(plain, one, dynamics).membrane for one in image]
    assert not np.allclose(second.membrane.numpy(), clipped)


def test_mean_trace_equals_average_of_explicit_traces():
    plain, image = make(4)
    dynamics = Dynamics(steps=7, clamp=100.0)
    layers = [to_torch(layer) for layer in plain]
    first, second = both(*layers, torch.tensor(image), dynamics)
    got = (
        hp.mean_trace(layers[0], torch.tensor(image), first.posts, dynamics),
        hp.mean_trace(layers[1], first.spikes, second.posts, dynamics),
    )
    runs = [run_sample(plain, one, dynamics).mean_traces for one in image]
    for n in (0, 1):
        wanted = np.mean([run[n] for run in runs], axis=0)
        np.testing.assert_allclose(got[n].numpy(), wanted, atol=1e-12)


def test_frozen_network_uses_the_stored_trace():
    plain, image = make(5)
    random = np.random.default_rng(0)
    traces = [random.normal(0, 0.5, layer.weight.T.shape) for layer in plain]
    dynamics = Dynamics(clamp=100.0)
    stopped = [
        hp.frozen(to_torch(layer), torch.tensor(t)) for layer, t in zip(plain, traces, strict=True)
    ]
    first, second = both(*stopped, torch.tensor(image), dynamics)
    for sample in range(SAMPLES):
        wanted = run_sample(plain, image[sample], dynamics, traces)
        assert np.array_equal(first.spikes[sample].sum(0).numpy(), wanted.counts[0])
        np.testing.assert_allclose(second.membrane[sample].numpy(), wanted.membrane, atol=1e-10)


def test_surrogate_is_a_box_of_half_width_a_half():
    above = torch.tensor([-0.6, -0.4, 0.0, 0.4, 0.6], requires_grad=True)
    spikes = hp._Spike.apply(above)
    assert spikes.tolist() == [0, 0, 0, 1, 1]
    (gradient,) = torch.autograd.grad(spikes.sum(), above)
    assert gradient.tolist() == [0, 1, 1, 1, 0]
