"""Against NEST's own regression test of e-prop (its losses, and through them TensorFlow's).

The recipe below draws weights, inputs and target as that test does; the losses are those it
demands (facts: ``shared/validation/eprop_regression``, whose arrays are compared where present).
"""

import json
from pathlib import Path

import numpy as np
import pytest

from chipsim.kernels.eprop_float import EpropWeights
from chipsim.train.eprop import batch
from chipsim.train.eprop.rule import Neurons, Optimiser, Rule
from chipsim.train.eprop.trial import Trial, raster, spike_events
from chipsim.train.eprop.weights import new_moments, update

NEST_LOSSES = (
    101.964356999041,
    103.466731126205,
    103.340607074771,
    103.680244037686,
    104.412775748752,
)
TENSORFLOW_LOSSES = (
    101.964363098144,
    103.466735839843,
    103.340606689453,
    103.6802444458,
    104.412780761718,
)

NEURONS = Neurons(
    lif=100,
    alif=0,
    tau_membrane=30.0,
    tau_readout=30.0,
    tau_adaptation=2000.0,
    threshold=0.03,
    adaptation=0.0,
    refractory=0,
    dampening=0.3,
    leak_scales_input=True,
)
RULE = Rule("random", rate_cost=300.0, rate_target=0.01, feedback_spread=0.1, feedback_decay=0.0)
OPTIMISER = Optimiser("sgd", 1e-4)

SHARED = Path(__file__).parents[3] / "shared" / "validation" / "eprop_regression"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no reference arrays here")


def recipe():
    """Return weights (float32 values in float64) and the trial, from numpy's old generator."""
    draw = np.random.RandomState(1)
    w_in = (draw.randn(100, 100) / 10).astype(np.float32)
    w_rec = (draw.randn(100, 100) / 10).astype(np.float32)
    np.fill_diagonal(w_rec, 0.0)
    w_out = (draw.randn(100, 1) / 10).astype(np.float32)
    feedback = (draw.randn(100, 1) / 10).astype(np.float32)
    x = draw.rand(1000, 100) < 0.05
    x[0] = False
    amplitude, phase = draw.uniform(0.5, 2, 4), draw.uniform(0, 2 * np.pi, 4)
    time, periods = np.linspace(0, 1000, 1000), (1000, 500, 1000 / 3, 200)
    parts = zip(amplitude, periods, phase, strict=True)
    target = sum(a * np.sin(2 * np.pi * time / period + p) for a, period, p in parts)
    target -= target[0]
    target /= np.abs(target).max()
    rows = (w_in, w_rec, w_out, feedback.T)
    weights = EpropWeights(*(np.ascontiguousarray(row, np.float64) for row in rows))
    return weights, Trial(1000, spike_events(x), target[:, None])


def train(gradient, iterations):
    weights, trial = recipe()
    constants = batch.constants_of(NEURONS, np.float64)
    moments = new_moments(weights)
    rule = Rule(**{**vars(RULE), "gradient": gradient})
    losses = []
    for number in range(iterations):
        result = batch.run_batch(constants, weights, [trial], rule)
        losses.append(result.loss)
        update(weights, moments, result.gradients, number, OPTIMISER, rule)
    return losses, weights


@pytest.mark.parametrize("gradient", ["adjoint", "online"])
def test_first_losses_are_those_of_nest_and_tensorflow(gradient):
    losses, _ = train(gradient, 5)
    np.testing.assert_allclose(losses, NEST_LOSSES, rtol=1e-9)
    np.testing.assert_allclose(losses, TENSORFLOW_LOSSES, rtol=1e-7)


@needs_shared
def test_the_recipe_draws_what_nest_was_given():
    weights, trial = recipe()
    given = np.load(SHARED / "regression_bsshslm2020_inputs.npz")
    for values, name in zip(weights, ("w_in", "w_rec", "w_out"), strict=False):
        np.testing.assert_array_equal(values, given[name].T.astype(np.float64))
    np.testing.assert_array_equal(weights.feedback, given["b_feedback"].T.astype(np.float64))
    np.testing.assert_array_equal(raster(trial.inputs, 100), given["x"].T)
    np.testing.assert_allclose(trial.target[:, 0], given["target"], rtol=0, atol=1e-13)


@needs_shared
def test_first_raster_and_readout_are_those_of_nest():
    weights, trial = recipe()
    tape = batch.run(batch.constants_of(NEURONS, np.float64), weights, trial)
    nest = np.load(SHARED / "regression_bsshslm2020_nest310_run300.npz")
    assert nest["raster_iterations"][0] == 0
    np.testing.assert_array_equal(raster(tape.spikes, 100), nest["rasters"][0].T)
    np.testing.assert_allclose(tape.output[:, 0], nest["readout"][0], rtol=1e-9, atol=1e-12)


@needs_shared
@pytest.mark.parametrize("gradient", ["adjoint", "online"])
def test_gradients_and_weights_are_those_of_another_program(gradient):
    weights, trial = recipe()
    constants = batch.constants_of(NEURONS, np.float64)
    rule = Rule(**{**vars(RULE), "gradient": gradient})
    result = batch.run_batch(constants, weights, [trial], rule)
    np.fill_diagonal(result.gradients.recurrent, 0.0)
    first = np.load(SHARED / "regression_bsshslm2020_numpy_iter0.npz")
    for values, name in zip(result.gradients, ("grad_in", "grad_rec", "grad_out"), strict=True):
        wanted = first[name].T
        np.testing.assert_allclose(values, wanted, rtol=1e-9, atol=1e-11 * np.abs(wanted).max())
    _, after = train(gradient, 5)
    fifth = np.load(SHARED / "regression_bsshslm2020_numpy_weights_after5.npz")
    for values, name in zip(after, ("w_in", "w_rec", "w_out"), strict=False):
        np.testing.assert_allclose(values, fifth[name].T, rtol=1e-9, atol=1e-12)


@needs_shared
def test_later_losses_stay_near_those_of_nest():
    """Single spikes flip from about iteration 8 on, so no more than a band can be asked for."""
    losses, _ = train("adjoint", 100)
    content = json.loads((SHARED / "reference_losses.json").read_text())
    nest = content["regression_sine_bsshslm2020"]["own_nest_300_iterations"][:100]
    np.testing.assert_allclose(losses, nest, rtol=0.03)
    np.testing.assert_allclose(np.mean(losses), np.mean(nest), rtol=0.005)
