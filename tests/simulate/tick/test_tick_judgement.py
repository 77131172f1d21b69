"""What a rule asks of the readout: errors by hand, and chip beside float with plasticity off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chipsim.job import Choices
from chipsim.kernels.processor.layout import ONE
from chipsim.network import Network, Trace
from chipsim.pipeline_processors import simulate_on_processors
from chipsim.simulate.float_reference import run_float
from chipsim.simulate.tick.judgement import error_of, has_targets, readout_membrane
from tests.simulate.tick.networks import chip_with, learner, spikes


def taught(samples: int = 4) -> Trace:
    trace = spikes(3, samples, 25, 10, 0.2)
    return replace(trace, labels=np.arange(samples) % 2)


def still(network: Network) -> Network:
    return replace(network, learning=None)


def test_errors_by_hand() -> None:
    output = np.array([[9, 0], [1, 0], [0, 3], [0, 1], [2, 1]], float)
    target = np.array([[0, 1], [1, 0], [1, 0], [0, 1], [0, 1]], np.int32) * ONE
    asked = np.array([0, 1, 1, 1, 1], np.uint8)
    # Two questions: steps 1 and 2 (sums 1 and 3, wrong), steps 3 and 4 (sums 2 and 2, the first).
    assert error_of("classification", output, target, asked) == 1.0
    output[4] = (1, 1)
    assert error_of("classification", output, target, asked) == 0.5
    squares = ((output - target / ONE)[1:] ** 2).sum()
    assert error_of("regression", output, target, asked) == squares / 4
    assert error_of("regression", output, target, np.zeros(5, np.uint8)) == 0.0


def test_the_float_readout_follows_from_the_spikes() -> None:
    network, trace = still(learner(4)), taught()
    answers = run_float(network, trace)
    for sample in range(trace.samples):
        membrane = readout_membrane(network, trace, answers, sample)
        assert membrane[-1] == pytest.approx(answers.potential[sample], rel=1e-4, abs=1e-5)


def test_a_trace_without_what_is_right_asks_nothing() -> None:
    network, trace = learner(4), taught()
    assert has_targets(network, trace)
    assert not has_targets(network, replace(trace, labels=None))
    assert not has_targets(still(network), trace)
    results = simulate_on_processors(
        network, chip_with(), replace(trace, labels=None), Choices(plasticity="off")
    )
    assert results.activity.error is results.reference_error is results.task is None


def test_with_plasticity_off_chip_and_float_say_the_same() -> None:
    targets = np.sin(np.arange(25) / 4)[:, None] * np.array([1.0, -0.5])
    rule = learner(4).learning
    assert rule is not None
    network = replace(learner(4), learning=replace(rule, task="regression", window=0))
    trace = replace(taught(), labels=None, targets=targets.astype(np.float32))
    off = simulate_on_processors(network, chip_with(), trace, Choices(plasticity="off"))
    assert off.activity.learned is None
    assert off.task == "regression"
    assert off.activity.error == pytest.approx(off.reference_error, rel=0.02)
    learned = simulate_on_processors(network, chip_with(), trace, Choices())
    assert np.array_equal(learned.reference_error, off.reference_error)
    # No weight moves within the first batch, of two samples.
    assert learned.activity.error[:2] == pytest.approx(off.activity.error[:2], rel=0.02)
    assert not np.allclose(learned.activity.error[2:], off.activity.error[2:], rtol=1e-3)
