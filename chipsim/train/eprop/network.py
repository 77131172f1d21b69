"""An e-prop network and its rule in the terms of `chipsim.network`, as chips are given it."""

from __future__ import annotations

import math

import numpy as np

from chipsim.kernels.eprop_float import EpropWeights
from chipsim.network import LIF, Adaptation, Input, Network, Population, Projection
from chipsim.plasticity import Eprop
from chipsim.train.eprop.recipes import RECIPES
from chipsim.train.eprop.rule import Neurons
from chipsim.train.eprop.settings import Settings

INPUT, HIDDEN, READOUT = "input", "hidden", "readout"


def network_of(weights: EpropWeights, settings: Settings, steps: int) -> Network:
    """Return the network of ``weights`` with trials of ``steps`` steps, and how it learns.

    v is in units of zeta: threshold and adaptation are divided by it, so that the weights need no
    gain.  The gradient does not change by that (`chipsim.train.eprop.rule`).
    """
    neurons = settings.neurons
    projections = [
        Projection("input_hidden", INPUT, HIDDEN, _by_post(weights.inputs)),
        Projection("hidden_hidden", HIDDEN, HIDDEN, _by_post(weights.recurrent), delay=1),
        Projection("hidden_readout", HIDDEN, READOUT, _by_post(weights.readout)),
    ]
    if not neurons.recurrent:
        del projections[1]
    kappa = math.exp(-1.0 / neurons.tau_readout)
    return Network(
        name=f"eprop_{settings.task}",
        steps=steps,
        populations=(
            Population(INPUT, len(weights.inputs), Input("spikes")),
            Population(HIDDEN, neurons.count, _hidden(neurons)),
            Population(READOUT, weights.readout.shape[1], LIF(1.0, kappa, reset="none")),
        ),
        projections=tuple(projections),
        readout=READOUT,
        readout_kind="membrane",
        learning=learning_of(weights, settings, steps),
    )


def learning_of(weights: EpropWeights, settings: Settings, steps: int) -> Eprop:
    """Return the rule of ``settings`` for trials of ``steps`` steps.

    A loss that is a mean over the steps asked is one over the rule's window or, where the question
    comes at no fixed time, over all steps: then rates and costs are scaled to match.
    """
    rule, optimiser = settings.rule, settings.optimiser
    task = RECIPES[settings.task].task
    window = task.window
    spread = 1.0
    if task.asked and not window:
        spread = task.asked / steps
    rate = optimiser.rate if optimiser.kind == "adam" else optimiser.rate / spread
    return Eprop(
        layer=HIDDEN,
        readout="hidden_readout",
        kind=rule.feedback,
        feedback=None if rule.feedback == "symmetric" else weights.feedback,
        task="classification" if task.asked else "regression",
        window=window,
        dampening=settings.neurons.dampening,
        tau_readout=settings.neurons.tau_readout,
        rate_cost=rule.rate_cost * spread,
        rate_target=rule.rate_target,
        optimiser=optimiser.kind,
        learning_rate=rate,
        batch=0 if settings.continuous else settings.batch,
        feedback_decay=rule.feedback_decay if rule.feedback == "adaptive" else 0.0,
        decay1=optimiser.decay1,
        decay2=optimiser.decay2,
        epsilon=optimiser.epsilon,
        signal_delay=rule.signal_delay,
    )


def _hidden(neurons: Neurons) -> LIF:
    strength = np.zeros(neurons.count, np.float32)
    strength[neurons.lif :] = neurons.adaptation / neurons.input_gain
    decay = math.exp(-1.0 / neurons.tau_adaptation)
    return LIF(
        threshold=neurons.threshold / neurons.input_gain,
        decay=math.exp(-1.0 / neurons.tau_membrane),
        reset="subtract",
        reset_order="after_leak",
        fires="at",
        refractory=neurons.refractory,
        adaptation=Adaptation(decay, strength) if neurons.alif else None,
    )


def _by_post(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows.T, np.float32)
