"""Every variant: the form that keeps H and the form without, against plain numpy."""

from dataclasses import replace

import numpy as np
import pytest
from plain_hp import run_variant

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from chipsim.train import explicit, hp  # noqa: E402
from chipsim.train.settings import VARIANTS, Dynamics  # noqa: E402

BATCH, PRE, POST, STEPS = 3, 7, 5, 6


def make(seed, matrix, own_rates=True):
    """A layer as numpy parts and as torch, and spikes to drive it with."""
    random = np.random.default_rng(seed)
    parts = {
        "weight": random.normal(0, 0.5, (POST, PRE)),
        "bias": random.normal(0, 0.1, POST),
        "alpha": random.normal(0, 0.4, (PRE, POST) if matrix else 1),
        "beta": random.normal(0, 0.15, PRE if own_rates else 1),
        "eta": random.normal(0, 0.3, POST),
    }
    layer = hp.Layer(**{name: torch.tensor(value) for name, value in parts.items()})
    arriving = (random.random((BATCH, STEPS, PRE)) < 0.5).astype(float)
    return tuple(parts.values()), layer, arriving


def variant(letter, **changes) -> Dynamics:
    return replace(VARIANTS[letter], steps=STEPS, **changes)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    letter=st.sampled_from(sorted(VARIANTS)),
    matrix=st.booleans(),
    own_rates=st.booleans(),
    clamp=st.sampled_from([None, 0.1, 2.0]),
)
def test_kept_trace_equals_plain_equations(seed, letter, matrix, own_rates, clamp):
    parts, layer, arriving = make(seed, matrix, own_rates)
    dynamics = variant(letter, clamp=clamp)
    shared = run_variant(*parts, arriving, dynamics)
    single = [run_variant(*parts, one[None], dynamics) for one in arriving]
    own = tuple(np.concatenate([run[n] for run in single]) for n in range(3))
    zero = torch.zeros(PRE, POST, dtype=torch.float64)
    for trace, wanted, last in (
        (zero, shared, shared[3]),
        (zero.expand(BATCH, -1, -1), own, np.stack([run[3] for run in single])),
    ):
        run, after = explicit.run(layer, torch.tensor(arriving), trace, dynamics)
        assert np.array_equal(run.spikes.numpy(), wanted[0])
        np.testing.assert_allclose(run.posts.numpy(), wanted[1], atol=1e-9)
        np.testing.assert_allclose(run.membrane.numpy(), wanted[2], atol=1e-9)
        np.testing.assert_allclose(after.numpy(), last, atol=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    letter=st.sampled_from(sorted(VARIANTS)),
    matrix=st.booleans(),
    own_rates=st.booleans(),
    held=st.booleans(),
)
def test_form_without_trace_equals_the_one_with(seed, letter, matrix, own_rates, held):
    _, layer, arriving = make(seed, matrix, own_rates)
    dynamics = variant(letter, clamp=None)
    spikes = torch.tensor(arriving)
    if held:
        spikes = spikes[:, :1].expand(-1, STEPS, -1)
        got = hp.run_static(layer, spikes[:, 0], dynamics)
    else:
        got = hp.run_spiking(layer, spikes, dynamics)
    trace = torch.zeros(BATCH, PRE, POST, dtype=torch.float64)
    wanted, _ = explicit.run(layer, spikes, trace, dynamics)
    assert torch.equal(got.spikes, wanted.spikes)
    torch.testing.assert_close(got.posts, wanted.posts, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(got.membrane, wanted.membrane, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("letter", sorted(VARIANTS))
def test_variants_differ_and_traces_act(letter):
    """Guards the equalities above: each variant does something of its own on these inputs."""
    _, layer, arriving = make(1, matrix=False)
    trace = torch.zeros(PRE, POST, dtype=torch.float64)
    runs = {
        name: explicit.run(layer, torch.tensor(arriving), trace, variant(name))[0].membrane
        for name in VARIANTS
    }
    others = [other for name, other in runs.items() if name != letter]
    assert all(not torch.allclose(runs[letter], other) for other in others)
    off, _ = explicit.run(hp.off(layer), torch.tensor(arriving), trace, variant(letter))
    assert not torch.allclose(off.membrane, runs[letter])


def test_a_sample_depends_on_its_batch_only_where_the_trace_is_shared():
    _, layer, arriving = make(2, matrix=False)
    spikes, zero = torch.tensor(arriving), torch.zeros(PRE, POST, dtype=torch.float64)
    dynamics = variant("A")
    alone, _ = explicit.run(layer, spikes[:1], zero, dynamics)
    shared, _ = explicit.run(layer, spikes, zero, dynamics)
    own, _ = explicit.run(layer, spikes, zero.expand(BATCH, -1, -1), dynamics)
    assert torch.allclose(own.membrane[0], alone.membrane[0])
    assert not torch.allclose(shared.membrane[0], alone.membrane[0])


def test_silent_layer_skips_the_trace_and_says_the_same():
    _, layer, arriving = make(3, matrix=False)
    quiet = hp.off(layer)
    assert quiet.silent
    learning = replace(quiet, alpha=quiet.alpha.clone().requires_grad_())
    assert not learning.silent
    one = hp.run_spiking(quiet, torch.tensor(arriving), variant("A"))
    other = hp.run_spiking(learning, torch.tensor(arriving), variant("A"))
    assert torch.equal(one.membrane, other.membrane)


def test_linear_factor_has_no_bound():
    _, layer, _ = make(4, matrix=False)
    assert hp.trace_bound(layer, VARIANTS["B"]) == float("inf")
    assert hp.trace_bound(layer, VARIANTS["A"]) < 10.0
