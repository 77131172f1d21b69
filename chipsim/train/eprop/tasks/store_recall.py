"""Store-recall: keep the bit that came with "store" until "recall".

Constants: the tutorial of Bellec et al. 2018 (IGITUGraz/LSNN-official), published.  A trial is 12
symbols of 200 steps.  Inputs 0-24 spike for the bit 0, 25-49 for 1, 50-74 for store, 75-99 for
recall; every symbol but recall carries a random bit, store the one to keep.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from chipsim.train.eprop.tasks.spikes import poisson
from chipsim.train.eprop.trial import Question, Trial, spike_events

GROUP = 25
INPUTS = 4 * GROUP
SYMBOLS, SYMBOL = 12, 200
"""Symbols of a trial, steps of a symbol."""

PROBABILITY = 0.05
COMMAND = 1.0 / 7.0
"""Probability of a symbol to be the next command: 6 symbols of delay are expected."""

VALUE, STORE, RECALL = 0, 2, 3


def draw_store_recall(random: np.random.Generator) -> Trial:
    """Draw a trial with at least one recall, each of them after a store of its own."""
    commands = draw_commands(random)
    bits = random.integers(2, size=SYMBOLS)
    spikes = np.zeros((SYMBOLS * SYMBOL, INPUTS), np.bool_)
    questions = []
    kept = 0
    for number, (command, bit) in enumerate(zip(commands, bits, strict=True)):
        first, stop = number * SYMBOL, (number + 1) * SYMBOL
        groups = {VALUE: [int(bit)], STORE: [int(bit), STORE], RECALL: [RECALL]}[int(command)]
        for group in groups:
            own = slice(group * GROUP, (group + 1) * GROUP)
            poisson(random, spikes[first:stop, own], PROBABILITY)
        if command == STORE:
            kept = int(bit)
        elif command == RECALL:
            questions.append(Question(first, stop, kept))
    return Trial(len(spikes), spike_events(spikes), tuple(questions))


def draw_commands(random: np.random.Generator) -> tuple[int, ...]:
    """Draw which symbols are `STORE`, `RECALL` or only a `VALUE`.

    Store and recall take turns, store first, recall last, and no recall follows its store at once
    (the authors' test of validity); sequences that break this are drawn anew.
    """
    while True:
        commands = []
        last = RECALL
        for chance in random.random(SYMBOLS):
            command = VALUE
            if chance < COMMAND:
                command = last = STORE if last == RECALL else RECALL
            commands.append(command)
        answered = RECALL in commands and last == RECALL
        if answered and (STORE, RECALL) not in pairwise(commands):
            return tuple(commands)
