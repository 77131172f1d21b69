"""Evidence accumulation: to say whether there were more cues on the left or on the right.

Constants: the tutorial of Bellec et al. 2020 (IGITUGraz/eligibility_propagation), and those of
Perrett et al. 2022 (PyNNExamples, branch eprop_adaptive) where they differ, published.
Inputs 0-9 spike for left cues, 10-19 for right ones, 20-29 ask for the answer, 30-39 are noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chipsim.train.eprop.tasks.spikes import poisson
from chipsim.train.eprop.trial import Question, Trial, spike_events

GROUP = 10
INPUTS = 4 * GROUP
CUE, SPACING, RECALL = 100, 150, 150
"""Steps of a cue, from cue to cue, and of the question."""

NOISE = 0.01
"""Spikes per step of a noise input (10 Hz)."""


class Variant(NamedTuple):
    """Steps from the last cue's slot to the question; spikes per step of an active input."""

    delay: int
    probability: float


BELLEC = Variant(1050, 0.04)
PERRETT = Variant(1000, 0.1)

FAVOURED = 0.7
"""Probability of each cue to be on the side drawn for the trial."""

STAGES = (1, 3, 5, 7)
"""Numbers of cues: the curriculum of Perrett et al. 2022 (published); the task is the last."""


def draw_cues(random: np.random.Generator, stage: int, variant: Variant = BELLEC) -> Trial:
    """Draw a trial with ``STAGES[stage]`` cues: 1 + that many draws before the spikes."""
    count = STAGES[stage]
    favoured = random.integers(2)
    sides = np.where(random.random(count) < FAVOURED, favoured, 1 - favoured)
    asked = count * SPACING + variant.delay
    spikes = np.zeros((asked + RECALL, INPUTS), np.bool_)
    for number, side in enumerate(sides):
        begin = number * SPACING + SPACING - CUE
        poisson(random, spikes[begin : begin + CUE, _group(int(side))], variant.probability)
    poisson(random, spikes[asked:, _group(2)], variant.probability)
    poisson(random, spikes[:, _group(3)], NOISE)
    label = int(2 * sides.sum() > count)
    return Trial(len(spikes), spike_events(spikes), (Question(asked, len(spikes), label),))


def _group(number: int) -> slice:
    return slice(number * GROUP, (number + 1) * GROUP)
