"""A trial: input spikes and what the readout should say; how well it said it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.eprop_float import Events, Reals


class Question(NamedTuple):
    """From step ``first`` to before ``stop`` the readout should name class ``label``."""

    first: int
    stop: int
    label: int


@dataclass(frozen=True)
class Trial:
    """One trial of ``steps`` steps.  ``target`` is a curve ``(steps, n_out)`` or questions."""

    steps: int
    inputs: Events
    target: Reals | tuple[Question, ...]


def target_curve(trial: Trial, outputs: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return what the readout should say, ``(T, outputs)``, and the steps ``(T,)`` it is asked in.

    Of questions it is a 1 for the right class.
    """
    if not isinstance(trial.target, tuple):
        return trial.target.astype(np.float32), np.ones(trial.steps, np.uint8)
    curve = np.zeros((trial.steps, outputs), np.float32)
    asked = np.zeros(trial.steps, np.uint8)
    for first, stop, label in trial.target:
        curve[first:stop, label] = 1.0
        asked[first:stop] = 1
    return curve, asked


@dataclass(frozen=True)
class Judgement:
    """``error`` is E ``(T, n_out)``: the derivative of ``loss`` by the readout of each step.

    ``wrong`` of ``asked`` questions were answered wrongly (the class with the highest mean readout
    over the window); for a curve the normalised mean squared error of 1.
    """

    loss: float
    error: Reals
    wrong: float
    asked: int


def spike_events(spikes: NDArray[np.bool_]) -> Events:
    """Return ``spikes (T, n)`` as events."""
    _, index = np.nonzero(spikes)
    first = np.zeros(len(spikes) + 1, np.int64)
    np.cumsum(spikes.sum(axis=1), out=first[1:])
    return Events(first, index.astype(np.uint32))


def raster(spikes: Events, neurons: int) -> NDArray[np.bool_]:
    """Return events as ``(T, neurons)`` flags."""
    flags = np.zeros((len(spikes.first) - 1, neurons), np.bool_)
    steps = np.repeat(np.arange(len(flags)), np.diff(spikes.first))
    flags[steps, spikes.neuron[: spikes.first[-1]]] = True
    return flags


def judge(trial: Trial, output: Reals) -> Judgement:
    """Compare the readout ``output (T, n_out)`` with the trial's target.

    A curve costs half the summed squared error; questions cost the cross-entropy of the softmax,
    averaged over all steps of all windows.
    """
    if isinstance(trial.target, tuple):
        return _classification(trial.target, output)
    error = np.asarray(output - trial.target, output.dtype)
    squared = float(np.sum(error * error))
    spread = trial.target - trial.target.mean(axis=0)
    return Judgement(0.5 * squared, error, squared / float(np.sum(spread * spread)), 1)


def _classification(questions: tuple[Question, ...], output: Reals) -> Judgement:
    error = np.zeros_like(output)
    steps = sum(question.stop - question.first for question in questions)
    loss, wrong = 0.0, 0
    for first, stop, label in questions:
        window = output[first:stop]
        below = window - window.max(axis=1, keepdims=True)
        powers = np.exp(below)
        total = powers.sum(axis=1, keepdims=True)
        share = powers / total
        loss += float(np.sum(np.log(total[:, 0]) - below[:, label], dtype=np.float64)) / steps
        share[:, label] -= 1.0
        error[first:stop] = share / output.dtype.type(steps)
        wrong += int(np.argmax(window.mean(axis=0)) != label)
    return Judgement(loss, error, wrong, len(questions))
