"""The tasks with the published settings they are trained with.

Sources: facts of IGITUGraz/eligibility_propagation (pattern, cues) and IGITUGraz/LSNN-official
(store-recall, there trained with backpropagation through time).  What differs from them is marked
assumed in ``docs/eprop.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chipsim.train.eprop.rule import Feedback, Neurons, Optimiser
from chipsim.train.eprop.tasks import cues, pattern, store_recall
from chipsim.train.eprop.trial import Trial


@dataclass(frozen=True)
class Task:
    """A kind of trial.  ``draw`` takes a generator and a stage of the curriculum.

    ``frozen``: one trial, drawn once, is the whole task.  The last of ``stages`` is the task
    itself; ``unit`` says what the score of a trial is.  A class is asked for in about ``asked``
    steps of a trial (0: a curve is to be followed), its last ``window`` if always the same.
    """

    inputs: int
    outputs: int
    draw: Callable[[np.random.Generator, int], Trial]
    unit: Literal["normalised MSE", "error"]
    stages: int = 1
    frozen: bool = False
    asked: int = 0
    window: int = 0


@dataclass(frozen=True)
class Recipe:
    """A task, its network and how it learns by default.

    ``rate_cost`` as in `rule.Rule`; ``feedback_spread`` by kind of feedback; ``readout`` is how
    W_out starts, ``mean_weight`` the mean of all weights then; ``stop_score``, ``continuous`` and
    ``curriculum`` as in `settings.Settings`; ``checkpoint_every`` in iterations.
    """

    task: Task
    neurons: Neurons
    optimiser: Optimiser
    batch: int
    iterations: int
    checkpoint_every: int
    rate_cost: float
    feedback_spread: Mapping[Feedback, float]
    readout: Literal["normal", "glorot"]
    stop_score: float | None = None
    mean_weight: float = 0.0
    continuous: bool = False
    curriculum: bool = False


PERRETT_GAIN = 20.0 * (1.0 - math.exp(-1.0 / 20.0))
"""What a unit weight adds to the membrane of Perrett et al. 2022, in mV."""


def _adaptation(strength: float, tau: float) -> float:
    """``beta`` of authors who let the threshold rise by ``strength (1 - rho)`` a spike."""
    return strength * (1.0 - math.exp(-1.0 / tau))


def _spread(random: float, neurons: int) -> Mapping[Feedback, float]:
    # Adaptive feedback starts as the authors' TIMIT network does, whatever the task.
    return {"random": random, "symmetric": 0.0, "adaptive": 1.0 / math.sqrt(neurons)}


RECIPES: Mapping[str, Recipe] = {
    "pattern": Recipe(
        task=Task(
            inputs=pattern.INPUTS,
            outputs=1,
            draw=lambda random, stage: pattern.draw_pattern(random, 1),
            unit="normalised MSE",
            frozen=True,
        ),
        neurons=Neurons(
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
        ),
        optimiser=Optimiser("adam", 2e-3),
        batch=1,
        iterations=2000,
        checkpoint_every=200,
        rate_cost=300.0,
        feedback_spread=_spread(0.1, 100),
        readout="normal",
    ),
    "cues": Recipe(
        task=Task(
            inputs=cues.INPUTS,
            outputs=2,
            draw=cues.draw_cues,
            unit="error",
            stages=len(cues.STAGES),
            asked=cues.RECALL,
            window=cues.RECALL,
        ),
        neurons=Neurons(
            lif=50,
            alif=50,
            tau_membrane=20.0,
            tau_readout=20.0,
            tau_adaptation=2000.0,
            threshold=0.6,
            # Their heuristic, whose input gain is 1 instead of 1 - alpha.
            adaptation=_adaptation(1.7, 2000.0) / (1.0 - math.exp(-1.0 / 20.0)),
            refractory=5,
            dampening=0.3,
            leak_scales_input=False,
        ),
        # Fall and stop are ours (assumed, chosen over seeds): at a constant rate the error jumps
        # between batches late in training.
        optimiser=Optimiser("adam", 5e-3, fall=0.3, fall_every=200),
        batch=64,
        iterations=500,
        checkpoint_every=25,
        # Their coefficient of 1 is on the whole square, ours on half of it.
        rate_cost=2.0,
        feedback_spread=_spread(1.0, 100),
        readout="glorot",
        stop_score=0.05,
    ),
    "cues-perrett": Recipe(
        task=Task(
            inputs=cues.INPUTS,
            outputs=2,
            draw=lambda random, stage: cues.draw_cues(random, stage, cues.PERRETT),
            unit="error",
            stages=len(cues.STAGES),
            asked=cues.RECALL,
            window=cues.RECALL,
        ),
        neurons=Neurons(
            lif=0,
            alif=100,
            tau_membrane=20.0,
            tau_readout=20.0,
            tau_adaptation=3500.0,
            # 10 mV, against (1 - alpha) R = 0.975 mV of a unit weight.
            threshold=10.0 / PERRETT_GAIN,
            adaptation=0.3 / PERRETT_GAIN,
            refractory=5,
            dampening=0.3,
            leak_scales_input=False,
            recurrent=False,
        ),
        # The rate is ours (assumed): theirs is for traces in another scale.
        optimiser=Optimiser("sgd", 1.0),
        batch=64,
        iterations=125,
        checkpoint_every=4,
        rate_cost=0.0,
        # 5 (u1 - u2) of two uniform numbers has this standard deviation.
        feedback_spread=_spread(5.0 / math.sqrt(6.0), 100),
        readout="normal",
        mean_weight=0.55,
        continuous=True,
        curriculum=True,
        stop_score=0.1,
    ),
    "store-recall": Recipe(
        task=Task(
            inputs=store_recall.INPUTS,
            outputs=2,
            draw=lambda random, stage: store_recall.draw_store_recall(random),
            unit="error",
            asked=store_recall.SYMBOL,
        ),
        neurons=Neurons(
            lif=10,
            alif=10,
            tau_membrane=20.0,
            tau_readout=20.0,
            tau_adaptation=1200.0,
            threshold=0.01,
            adaptation=_adaptation(1.7, 1200.0),
            refractory=3,
            dampening=0.3,
            leak_scales_input=True,
        ),
        optimiser=Optimiser("adam", 0.01, fall=0.3, fall_every=100),
        batch=128,
        iterations=200,
        checkpoint_every=20,
        rate_cost=0.02,
        feedback_spread=_spread(1.0, 20),
        readout="glorot",
        stop_score=0.05,
    ),
}
