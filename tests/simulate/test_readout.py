"""Readouts against plain loops, from answers and from whole runs of both kinds of chip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.network import LIF, Network, Population
from chipsim.pipeline import Choices, simulate_on_processors
from chipsim.report.processor.summary import summarise as summarise_ticks
from chipsim.report.summary import summarise
from chipsim.report.terminal import summary_text
from chipsim.simulate.samples import Answers, classes, decision_steps
from chipsim.simulate.tick.records import MeshKind
from tests.conftest import random_network
from tests.simulate.tick.networks import chip_with, recurrent, spikes
from tests.simulate.tiny import random_trace, relay, simulated, spike_trace, tiny_chip


def first_to_fire(fired: np.ndarray, potential: np.ndarray) -> tuple[int, int]:
    """Class and step of one sample, neuron by neuron."""
    for step, row in enumerate(fired, start=1):
        if any(row):
            best = max(n for n in range(len(row)) if row[n])
            for n in range(len(row)):
                if row[n] and (potential[n], -n) > (potential[best], -best):
                    best = n
            return best, step
    return max(range(len(potential)), key=lambda n: (potential[n], -n)), len(fired)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(0.0, 0.6))
def test_first_spike_equals_plain_loop(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    steps, size = (int(n) for n in rng.integers(1, 6, 2))
    fired = (rng.random((5, steps, 2 + size)) < rate).astype(np.uint8)
    answers = Answers(("h", "out"), (2, size), fired, rng.integers(0, 3, (5, size)).astype(float))
    expected = [first_to_fire(*pair) for pair in zip(fired[:, :, 2:], answers.potential)]  # noqa: B905
    assert classes(answers, "out", "first_spike").tolist() == [c for c, _ in expected]
    assert decision_steps(answers, "out").tolist() == [step for _, step in expected]
