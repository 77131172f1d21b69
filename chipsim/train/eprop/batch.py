"""A batch of trials: what the network says and the mean of the gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.eprop_float import (
    EpropConstants,
    EpropGradients,
    EpropWeights,
    Events,
    Reals,
    Tape,
    adjoint_gradient,
    online_gradient,
    run_trial,
)
from chipsim.train.eprop.rule import Gradient, Neurons, Rule
from chipsim.train.eprop.trial import Trial, judge
from chipsim.train.eprop.weights import no_gradients

GRADIENTS: Mapping[Gradient, Callable[..., None]] = {
    "adjoint": adjoint_gradient,
    "online": online_gradient,
}
"""The two forms of the gradient: equal but for rounding."""


@dataclass(frozen=True)
class Figures:
    """How a batch of trials went: mean loss, answers, spikes.

    ``spikes (n,)`` counts over ``steps`` steps of all trials.
    """

    loss: float
    wrong: float
    asked: int
    spikes: NDArray[np.int64]
    steps: int

    @property
    def score(self) -> float:
        """Share of wrong answers, or mean normalised MSE."""
        return self.wrong / self.asked

    def rate(self, part: slice) -> float:
        """Return the mean rate in Hz of the neurons in ``part``, 0 if there are none."""
        spikes = self.spikes[part]
        return 1000.0 * float(spikes.mean()) / self.steps if len(spikes) else 0.0


@dataclass(frozen=True)
class BatchResult(Figures):
    """Figures and gradients (mean over the trials)."""

    gradients: EpropGradients


def constants_of(neurons: Neurons, real: type[np.floating[Any]]) -> EpropConstants:
    """Return the constants of the equations in the type ``real``."""
    kappa = math.exp(-1.0 / neurons.tau_readout)
    beta = np.zeros(neurons.count, real)
    beta[neurons.lif :] = neurons.adaptation
    return EpropConstants(
        alpha=real(math.exp(-1.0 / neurons.tau_membrane)),
        zeta=real(neurons.input_gain),
        rho=real(math.exp(-1.0 / neurons.tau_adaptation)),
        kappa=real(kappa),
        readout_gain=real(1.0 - kappa),
        threshold=real(neurons.threshold),
        per_threshold=real(1.0 / neurons.threshold),
        peak=real(neurons.dampening / neurons.threshold),
        zero=real(0.0),
        one=real(1.0),
        # Far above the subnormal numbers, far below anything that counts.
        negligible=real(np.finfo(real).tiny * 1e8),
        refractory=real(neurons.refractory),
        beta=beta,
    )


def run_batch(
    constants: EpropConstants,
    weights: EpropWeights,
    trials: Iterable[Trial],
    rule: Rule | None,
) -> BatchResult:
    """Run ``trials`` (at least one) and, with a ``rule``, take the mean of their gradients.

    All reals in the type of ``weights``.  With a rule the psi of all trials are kept until their
    mean rates are known.
    """
    spikes = np.zeros(weights.recurrent.shape[0], np.int64)
    kept: list[tuple[Trial, Tape, Reals]] = []
    count = asked = steps = 0
    loss = wrong = 0.0
    for trial in trials:
        tape = run(constants, weights, trial)
        judgement = judge(trial, tape.output)
        spikes += np.bincount(tape.spikes.neuron, minlength=len(spikes))
        if rule is not None:
            kept.append((trial, tape, judgement.error))
        count += 1
        steps += trial.steps
        loss += judgement.loss
        wrong += judgement.wrong
        asked += judgement.asked
    gradients = no_gradients(weights)
    if rule is not None:
        excess = spikes / steps - rule.rate_target
        for trial, tape, error in kept:
            rate = (rule.rate_cost / trial.steps * excess).astype(weights.recurrent.dtype)
            gradient = GRADIENTS[rule.gradient]
            late = delayed(error, rule.signal_delay)
            gradient(constants, weights, trial.inputs, tape, error, late, rate, gradients)
        for total in gradients:
            total /= total.dtype.type(count)
    return BatchResult(loss / count, wrong, asked, spikes, steps, gradients)


def delayed(error: Reals, steps: int) -> Reals:
    """Return the error ``(T, n_out)`` as it comes ``steps`` late; what comes after T is lost."""
    if steps == 0:
        return error
    late = np.zeros_like(error)
    late[steps:] = error[: len(error) - steps]
    return late


def run(constants: EpropConstants, weights: EpropWeights, trial: Trial) -> Tape:
    """Run one trial from rest; return its tape, with no more room than spikes."""
    real = weights.recurrent.dtype
    neurons, outputs = weights.readout.shape
    spikes = Events(
        np.zeros(trial.steps + 1, np.int64), np.empty(trial.steps * neurons + 1, np.uint32)
    )
    psi = np.empty((trial.steps, neurons), real)
    tape = Tape(psi, spikes, np.empty((trial.steps, outputs), real))
    run_trial(constants, weights, trial.inputs, tape)
    held = Events(spikes.first, spikes.neuron[: spikes.first[-1]])
    return Tape(psi, held, tape.output)
