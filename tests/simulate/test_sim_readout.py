"""Readouts against plain loops, from answers and from whole runs of both kinds of chip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.job import Choices
from chipsim.network import LIF, Network, Population
from chipsim.pipeline_processors import simulate_on_processors
from chipsim.report.processor.summary import summarise as summarise_ticks
from chipsim.report.summary import summarise
from chipsim.report.terminal import summary_text
from chipsim.simulate.samples import Answers, classes, decision_steps
from chipsim.simulate.tick.loop import MeshKind
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


@pytest.mark.parametrize("case", range(8))
def test_a_run_on_crossbars_says_when_it_decided(case: int) -> None:
    rng = np.random.default_rng(case)
    network = replace(random_network(rng), readout_kind="first_spike")
    trace = random_trace(network, rng, 6)
    labels = rng.integers(0, network.population("out").size, 6)
    results = simulated(network, tiny_chip(), replace(trace, labels=labels))
    answers = results.activity.answers
    each = [
        first_to_fire(answers.of("out")[sample], answers.potential[sample]) for sample in range(6)
    ]
    found = summarise(results)
    assert found["accuracy"]["chip"] == np.mean([c == label for (c, _), label in zip(each, labels)])  # noqa: B905
    assert found["early_exit"]["mean_steps"] == pytest.approx(np.mean([step for _, step in each]))
    throughput = found["throughput_inferences_per_s"]
    assert found["early_exit"]["inferences_per_s"] >= throughput * (1 - 1e-12)


def test_early_exit_of_a_relay_by_hand() -> None:
    """Two layers, two phases deep: decided in step 2, one phase in, one more step, two deep."""
    shown = np.zeros((2, 10, 3))
    shown[0, 1, 2] = shown[1, 9, 0] = 1
    network = replace(relay(steps=10, layers=2), readout_kind="first_spike")
    results = simulated(network, tiny_chip(), replace(spike_trace(shown), labels=np.array([2, 0])))
    assert (results.mapping.schedule.interval, results.mapping.schedule.depth) == (1, 2)
    found = summarise(results)
    assert found["accuracy"]["chip"] == 1.0
    # The second sample is decided in its last step: it holds the chip no longer than all ten.
    assert found["early_exit"] == {
        "mean_steps": 6.0,
        "inferences_per_s": pytest.approx(2 / ((4 + 10) * 16.8e-6)),
    }
    assert "first spike after 6.00 of 10 steps" in " ".join(summary_text(found).split())


def test_other_readouts_need_all_steps() -> None:
    results = simulated(relay(), tiny_chip(), spike_trace(np.ones((1, 4, 3))))
    found = summarise(results)
    assert found["early_exit"] == {"mean_steps": None, "inferences_per_s": None}
    assert "first spike" not in summary_text(found)


def rank_order(seed: int, threshold: float) -> Network:
    """A network for processors whose readout fires."""
    network = recurrent(seed)
    out = Population("out", 4, LIF(threshold=threshold, decay=0.95))
    return replace(
        network, populations=(*network.populations[:-1], out), readout_kind="first_spike"
    )


@pytest.mark.parametrize("mesh", ["real", "ideal"])
@pytest.mark.parametrize("threshold", [0.3, 1.0, 1e4])
def test_a_run_on_processors_says_when_it_decided(threshold: float, mesh: MeshKind) -> None:
    network, trace = rank_order(4, threshold), spikes(9, 6, 30, 20, 0.15)
    results = simulate_on_processors(network, chip_with(), trace, Choices(mesh=mesh))
    answers, layout = results.activity.answers, results.activity.layout
    each = [
        first_to_fire(answers.of("out")[sample], answers.potential[sample]) for sample in range(6)
    ]
    steps = [step for _, step in each]
    assert (min(steps) < 30) == (threshold < 1e4)
    found = summarise_ticks(results)
    assert found["accuracy"]["chip"] == np.mean([c == n for (c, _), n in zip(each, trace.labels)])  # type: ignore[arg-type]  # noqa: B905
    assert found["early_exit"]["mean_steps"] == pytest.approx(np.mean(steps))
    ticks = sum(layout.ticks - 30 + step for step in steps)
    assert found["early_exit"]["inferences_per_s"] == pytest.approx(6 / (ticks * 1e-3))
    assert "first spike after" in " ".join(summary_text(found).split())


@pytest.mark.parametrize("threshold", [0.3, 1.0])
def test_processors_keep_the_potential_of_the_deciding_step(threshold: float) -> None:
    """Cut after the deciding step, the same run ends with the potential kept of the whole one."""
    network, trace = rank_order(4, threshold), spikes(9, 1, 30, 20, 0.15)
    whole = simulate_on_processors(network, chip_with(), trace, Choices()).activity.answers
    step = int(decision_steps(whole, "out")[0])
    assert step < 30
    assert trace.spikes is not None
    cut = replace(network, steps=step, readout_kind="membrane")
    short = replace(trace, spikes=trace.spikes[:, :step])
    ended = simulate_on_processors(cut, chip_with(), short, Choices()).activity.answers
    np.testing.assert_array_equal(whole.potential, ended.potential)
    assert whole.potential.max() > threshold
