"""Against NEST's own evidence accumulation test of e-prop (its losses, and TensorFlow's).

The recipe below draws weights and trials as that test does (legacy generator, seed 1); the losses
are those it demands. NEST regularises each trial's own firing rates, chipsim the mean of a batch,
which is the same for a batch of one; so batches of two are made of two batches of one.
``NEST_RASTER`` is the digest of what the ``nest-simulator`` 3.10.0 wheel fired in the first trial
of a batch of one, packed bits of ``(steps, neurons)``.
"""

import hashlib

import numpy as np
import pytest

from chipsim.kernels.eprop_float import EpropWeights
from chipsim.train.eprop import batch
from chipsim.train.eprop.rule import Neurons, Optimiser, Rule
from chipsim.train.eprop.trial import Question, Trial, raster, spike_events
from chipsim.train.eprop.weights import new_moments, no_gradients, update

NEST_LOSSES = {
    1: (0.741152550006, 0.740388187700, 0.665785233177, 0.663644193322, 0.729428962844),
    2: (0.702163370672, 0.735555303152, 0.740354864111, 0.683882815282, 0.707841122268),
}
TENSORFLOW_LOSSES = (
    0.741152524948,
    0.740388214588,
    0.665785133838,
    0.663644134998,
    0.729429066181,
)

NEST_RASTER = "9792573cb5693e5b5fabe90a64eccca892181a20be5e3ed0391f2db648946ca4"

INPUTS, OUTPUTS, CUES, CUE, GAP, WINDOW = 40, 2, 7, 100, 50, 150
STEPS = CUES * (CUE + GAP) + 1050 + WINDOW

NEURONS = Neurons(
    lif=50,
    alif=50,
    tau_membrane=20.0,
    tau_readout=20.0,
    tau_adaptation=2000.0,
    threshold=0.6,
    adaptation=1.7 * (1 - np.exp(-1 / 2000)) / (1 - np.exp(-1 / 20)),
    refractory=5,
    dampening=0.3,
    leak_scales_input=False,
)
OPTIMISER = Optimiser("adam", 5e-3)


def rule(gradient="adjoint"):
    # NEST: 300, all of it divided by the steps of the window.
    return Rule("random", 300.0 / WINDOW, 0.01, 1.0, 0.0, gradient)


def drawn_weights(draw):
    recurrent = NEURONS.count
    w_in = draw.randn(INPUTS, recurrent) / np.sqrt(INPUTS)
    w_rec = draw.randn(recurrent, recurrent) / np.sqrt(recurrent)
    np.fill_diagonal(w_rec, 0.0)
    limit = np.sqrt(6.0 / (recurrent + OUTPUTS))
    w_out = draw.uniform(-limit, limit, (recurrent, OUTPUTS))
    feedback = draw.randn(recurrent, OUTPUTS).T
    rows = (w_in, w_rec, w_out, feedback)
    return EpropWeights(*(np.ascontiguousarray(row, np.float32).astype(np.float64) for row in rows))


def drawn_trials(draw, count):
    """Return ``count`` trials of one iteration."""
    left = np.array([0.3, 0.7], np.float32)[draw.choice([0, 1], count)]
    sides = np.stack(
        [draw.choice([0, 1], CUES, p=np.array([p, np.float32(1) - p], np.float32)) for p in left]
    )
    chance = np.zeros((count, STEPS, INPUTS))
    for trial, cues in enumerate(sides):
        for number, side in enumerate(cues):
            start = number * (CUE + GAP) + GAP
            chance[trial, start : start + CUE, side * 10 : side * 10 + 10] = 0.04
    chance[:, -WINDOW:, 20:30] = 0.04
    chance[:, :, 30:] = 0.01
    spikes = chance > draw.rand(count, STEPS, INPUTS)
    spikes[:, 0] = False
    labels = (sides.sum(axis=1) > CUES // 2).astype(int)
    return [
        Trial(STEPS, spike_events(seen), (Question(STEPS - WINDOW, STEPS, int(label)),))
        for seen, label in zip(spikes, labels, strict=True)
    ]


def recipe(trials):
    draw = np.random.RandomState(1)
    weights = drawn_weights(draw)
    return weights, [drawn_trials(draw, trials) for _ in range(5)]


@pytest.mark.parametrize("gradient", ["adjoint", "online"])
@pytest.mark.parametrize("size", [1, 2])
def test_first_losses_are_those_of_nest_and_tensorflow(size, gradient):
    weights, iterations = recipe(size)
    constants = batch.constants_of(NEURONS, np.float64)
    moments = new_moments(weights)
    losses = []
    for number, trials in enumerate(iterations):
        results = [batch.run_batch(constants, weights, [one], rule(gradient)) for one in trials]
        losses.append(np.mean([result.loss for result in results]))
        mean = no_gradients(weights)
        for result in results:
            for total, part in zip(mean, result.gradients, strict=True):
                total += part / size
        update(weights, moments, mean, number, OPTIMISER, rule(gradient))
    np.testing.assert_allclose(losses, NEST_LOSSES[size], rtol=1e-8)
    if size == 1:
        np.testing.assert_allclose(losses, TENSORFLOW_LOSSES, rtol=1e-6)


def test_first_raster_is_that_of_nest():
    weights, iterations = recipe(1)
    tape = batch.run(batch.constants_of(NEURONS, np.float64), weights, iterations[0][0])
    flags = raster(tape.spikes, NEURONS.count)
    assert flags.sum() == 3251
    assert hashlib.sha256(np.packbits(flags).tobytes()).hexdigest() == NEST_RASTER
