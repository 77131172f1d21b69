"""The e-prop kernels do what the equations say, bit for bit, in both types of number."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.kernels.eprop_float import (
    EpropGradients,
    EpropWeights,
    adjoint_gradient,
    online_gradient,
)
from chipsim.train.eprop import batch
from chipsim.train.eprop.rule import Neurons
from chipsim.train.eprop.trial import Trial, raster, spike_events
from tests import naive_eprop

REALS = (np.float32, np.float64)
seeds = st.integers(0, 2**32 - 1)


def random_neurons(rng) -> Neurons:
    return Neurons(
        lif=int(rng.integers(0, 4)),
        alif=int(rng.integers(1, 4)),
        tau_membrane=rng.uniform(2, 30),
        tau_readout=rng.uniform(2, 30),
        tau_adaptation=rng.uniform(10, 500),
        threshold=rng.uniform(0.1, 1.0),
        adaptation=rng.uniform(0.0, 0.3),
        refractory=int(rng.integers(0, 5)),
        dampening=0.3,
        leak_scales_input=bool(rng.integers(2)),
    )


class Case:
    """A random network, trial, error and rate factor, with everything the kernels are given."""

    def __init__(self, seed, real, steps=40):
        rng = np.random.default_rng(seed)
        self.neurons = random_neurons(rng)
        n, n_in, outputs = self.neurons.count, int(rng.integers(1, 5)), int(rng.integers(1, 4))
        self.real = real
        self.c = batch.constants_of(self.neurons, real)
        shapes = ((n_in, n), (n, n), (n, outputs), (outputs, n))
        self.weights = EpropWeights(*(rng.normal(0.3, 1.0, s).astype(real) for s in shapes))
        self.x = rng.random((steps, n_in)) < 0.4
        self.trial = Trial(steps, spike_events(self.x), ())
        self.error = rng.normal(size=(steps, outputs)).astype(real)
        # Long silence in the error makes filters decay to nothing.
        self.error[: steps // 2] = 0.0
        self.late = batch.delayed(self.error, int(rng.integers(0, 4)))
        self.rate = rng.normal(0.0, 0.1, n).astype(real)
        self.tape = batch.run(self.c, self.weights, self.trial)
        self.z = raster(self.tape.spikes, n)

    def gradient(self, kernel):
        gradients = EpropGradients(*(np.zeros_like(w) for w in self.weights[:3]))
        self.add(kernel, gradients)
        return gradients

    def add(self, kernel, gradients):
        inputs = self.trial.inputs
        kernel(self.c, self.weights, inputs, self.tape, self.error, self.late, self.rate, gradients)

    def plain(self, function):
        return function(
            self.c, self.weights, self.x, self.tape.psi, self.z, self.error, self.late, self.rate
        )


def assert_same(actual, wanted, real):
    for values, plain in zip(actual, wanted, strict=True):
        assert values.dtype == real
        np.testing.assert_array_equal(values, np.array(plain, real))


@pytest.mark.parametrize("real", REALS)
@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=seeds)
def test_a_trial_equals_the_plain_twin(real, seed):
    case = Case(seed, real)
    psi, z, y = naive_eprop.run_trial(case.c, case.weights, case.x)
    assert_same((case.tape.psi, case.tape.output), (psi, y), real)
    np.testing.assert_array_equal(case.z, np.array(z))


def test_the_random_cases_are_worth_it():
    """They fire, adapt and wait: a twin of silence would prove nothing."""
    cases = [Case(seed, np.float64) for seed in range(40)]
    assert sum(case.z.sum() for case in cases) > 40 * 20
    assert sum(case.neurons.refractory > 0 and case.z.any() for case in cases) > 10
    assert sum((case.tape.psi == 0).any() for case in cases) > 20


@pytest.mark.parametrize("real", REALS)
@settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=seeds)
def test_gradients_equal_their_plain_twins(real, seed):
    case = Case(seed, real)
    adjoint, online = case.gradient(adjoint_gradient), case.gradient(online_gradient)
    assert_same(adjoint, case.plain(naive_eprop.adjoint_gradient), real)
    assert_same(online, case.plain(naive_eprop.online_gradient), real)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seed=seeds, steps=st.integers(1, 300))
def test_both_forms_of_the_gradient_are_equal(seed, steps):
    case = Case(seed, np.float64, steps)
    adjoint, online = case.gradient(adjoint_gradient), case.gradient(online_gradient)
    for one, other in zip(adjoint, online, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12 * (1 + np.abs(one).max()))


def test_gradients_are_added():
    case = Case(5, np.float64)
    assert case.z.sum() > 20
    for kernel in (adjoint_gradient, online_gradient):
        gradients = case.gradient(kernel)
        once = [values.copy() for values in gradients]
        case.add(kernel, gradients)
        for twice, values in zip(gradients, once, strict=True):
            assert np.abs(values).max() > 0
            np.testing.assert_allclose(twice, 2 * values, rtol=1e-9, atol=1e-12)


def test_a_spike_makes_its_neuron_wait():
    """Driven at every step, a neuron fires every ``refractory`` steps, at every step for 0."""
    case = Case(0, np.float64)
    for refractory, period in ((0, 1), (1, 1), (2, 2), (5, 5)):
        neurons = replace(case.neurons, lif=1, alif=0, refractory=refractory)
        constants = batch.constants_of(neurons, np.float64)
        strong = np.full((1, 1), 100.0)
        weights = EpropWeights(strong, np.zeros((1, 1)), strong, strong)
        trial = Trial(30, spike_events(np.ones((30, 1), np.bool_)), ())
        tape = batch.run(constants, weights, trial)
        times = np.flatnonzero(raster(tape.spikes, 1)[:, 0])
        assert list(times) == list(range(0, 30, period))
        waiting = ~np.isin(np.arange(30), times)
        assert not tape.psi[waiting].any()
