"""Evidence accumulation: to say whether there were more cues on the left or on the right.

Constants: the tutorial of Bellec et al. 2020 (IGITUGraz/eligibility_propagation), published.
Inputs 0-9 spike for left cues, 10-19 for right ones, 20-29 ask for the answer, 30-39 are noise.
"""

from __future__ import annotations

import numpy as np

from chipsim.train.eprop.tasks.spikes import poisson
from chipsim.train.eprop.trial import Question, Trial, spike_events

GROUP = 10
INPUTS = 4 * GROUP
CUE, SPACING, DELAY, RECALL = 100, 150, 1050, 150
"""Steps of a cue, from cue to cue, from the last to the question, and of the question."""

PROBABILITY, NOISE = 0.04, 0.01
"""Spikes per step of an active input (40 Hz), of a noise input (10 Hz)."""

FAVOURED = 0.7
"""Probability of each cue to be on the side drawn for the trial."""

STAGES = (1, 3, 5, 7)
"""Numbers of cues: the curriculum of Perrett et al. 2022 (published); the task is the last."""


def draw_cues(random: np.random.Generator, stage: int) -> Trial:
    """Draw a trial with ``STAGES[stage]`` cues: 1 + that many draws before the spikes."""
    count = STAGES[stage]
    favoured = random.integers(2)
    sides = np.where(random.random(count) < FAVOURED, favoured, 1 - favoured)
    asked = count * SPACING + DELAY
    spikes = np.zeros((asked + RECALL, INPUTS), np.bool_)
    for number, side in enumerate(sides):
        begin = number * SPACING + SPACING - CUE
        poisson(random, spikes[begin : begin + CUE, _group(int(side))], PROBABILITY)
    poisson(random, spikes[asked:, _group(2)], PROBABILITY)
    poisson(random, spikes[:, _group(3)], NOISE)
    label = int(2 * sides.sum() > count)
    return Trial(len(spikes), spike_events(spikes), (Question(asked, len(spikes), label),))


def _group(number: int) -> slice:
    return slice(number * GROUP, (number + 1) * GROUP)
