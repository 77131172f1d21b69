"""What a training run is asked to do, and the figures it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chipsim.processor_chip import Rounding
from chipsim.train.eprop.rule import Neurons, Optimiser, Rule

TASKS = ("pattern", "cues", "cues-perrett", "store-recall")
"""Names of the recipes."""

Arithmetic = Literal["float32", "s16.15"]
ARITHMETICS: tuple[Arithmetic, ...] = ("float32", "s16.15")

ROUNDINGS: tuple[Rounding, ...] = ("truncate", "nearest", "stochastic")

CURRICULUM_SCORE = 0.1
"""A stage is learnt when the batch's error is at most this (Perrett et al. 2022: 90 % right)."""

RATE_TARGET = 0.01
"""Spikes per step (10 Hz), of all tasks."""

FEEDBACK_DECAY = 1e-4
"""Published: the authors' default for adaptive feedback in TIMIT with CTC (framewise: 0.01)."""


@dataclass(frozen=True)
class Settings:
    """Settings of one training run; two runs with equal settings end in equal weights.

    ``task`` names a recipe.  With ``curriculum`` the stages of the task are learnt one after the
    other.  Training ends after ``iterations`` updates, or at the end of the task's last stage once
    the mean score of the last ``stop_after`` batches is at most ``stop_score`` (None: never).

    ``arithmetic`` ``"s16.15"`` learns in that of a SpiNNaker core, with its ``rounding``; there
    weights may follow the gradient at every step (``continuous``) instead of after a batch.
    """

    task: str
    neurons: Neurons
    rule: Rule
    optimiser: Optimiser
    seed: int
    iterations: int
    batch: int
    curriculum: bool = False
    stop_score: float | None = None
    stop_after: int = 8
    arithmetic: Arithmetic = "float32"
    rounding: Rounding = "truncate"
    continuous: bool = False


@dataclass(frozen=True)
class IterationRecord:
    """How a batch went: mean ``loss`` and ``score`` (see `trial.Judgement`), mean rate in Hz."""

    stage: int
    loss: float
    score: float
    rate: float


@dataclass(frozen=True)
class Summary:
    """What the trained network does on fresh trials (or on the one trial of a frozen task).

    ``score`` as in `trial.Judgement`, over ``asked`` questions; rates in Hz of LIF and ALIF
    neurons, 0 where there are none.
    """

    score: float
    asked: int
    loss: float
    lif_rate: float
    alif_rate: float
