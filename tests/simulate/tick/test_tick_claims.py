"""What is published of SpiNNaker follows from the model: nothing here is typed in as a limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chipsim.job import Choices
from chipsim.load.chip_file import read_chip
from chipsim.network import LIF, Adaptation, Input, Network, Population, Projection, Trace
from chipsim.pipeline_processors import simulate_on_processors
from chipsim.plasticity import Eprop
from chipsim.processor_chip import ProcessorChip
from chipsim.report.processor.ticks import by_cost
from chipsim.simulate.tick.records import EVENTS, TICKS
from chipsim.tick_results import TickResults

TICK = 200_000


def one_chip(*overrides: str) -> ProcessorChip:
    chip = read_chip("spinnaker1", ("machine.shape=chip", *overrides))
    assert isinstance(chip, ProcessorChip)
    return chip


def credit_assignment(inputs: int, steps: int = 60) -> Network:
    """Perrett et al. 2022: inputs, 100 ALIF neurons without recurrence, 2 readouts."""
    rng = np.random.default_rng(1)
    decay = float(np.exp(-1 / 20))
    model = LIF(
        threshold=1.0, decay=decay, reset_order="after_leak", fires="at", refractory=5,
        adaptation=Adaptation(float(np.exp(-1 / 3500)), np.full(100, 0.03, np.float32)),
    )  # fmt: skip
    rule = Eprop(
        layer="hidden", readout="out", kind="random",
        feedback=rng.normal(size=(2, 100)).astype(np.float32), task="classification", window=20,
        dampening=0.3, tau_readout=20.0, rate_cost=0.0, rate_target=0.01, optimiser="sgd",
        learning_rate=0.015, batch=1,
    )  # fmt: skip
    weights = (0.55 + rng.normal(size=(100, inputs))) / inputs**0.5
    return Network(
        name="credit assignment",
        steps=steps,
        populations=(
            Population("input", inputs, Input("spikes")),
            Population("hidden", 100, model),
            Population("readout", 2, LIF(threshold=1.0, decay=decay, reset="none")),
        ),
        projections=(
            Projection("in", "input", "hidden", weights.astype(np.float32)),
            Projection("out", "hidden", "readout", rng.normal(0, 0.1, (2, 100)).astype(np.float32)),
        ),
        readout="readout",
        readout_kind="membrane",
        learning=rule,
    )


def taught(inputs: int, samples: int = 2, steps: int = 60) -> Trace:
    rng = np.random.default_rng(2)
    drawn = (rng.random((samples, steps, inputs)) < 0.05).astype(np.uint8)
    return Trace("cues", spikes=drawn, labels=np.arange(samples) % 2)


def perrett(inputs: int, chip: ProcessorChip) -> TickResults:
    return simulate_on_processors(credit_assignment(inputs), chip, taught(inputs), Choices())


def test_the_credit_assignment_network_learns_on_one_chip_in_real_time() -> None:
    results = perrett(40, one_chip())
    used = [part.population for part in results.mapping.slices]
    assert (used.count("hidden"), used.count("readout"), used.count("input")) == (13, 1, 1)
    assert max(part.count for part in results.mapping.slices if part.population == "hidden") == 8
    assert results.activity.in_time == results.activity.traffic.due
    found = {row["cycles"]: row for row in by_cost(results) if row["action"] == "eprop_synapse"}
    assert all(found[cycles]["met"] for cycles in (68, 100, 180, 220))
    assert found[220]["tick_cycles"] - found[68]["tick_cycles"] == 8 * 40 * (220 - 68)
    assert found[220]["tick_cycles"] < 0.5 * TICK


def test_with_all_250_synapses_real_time_hangs_on_the_cycles_of_a_synapse() -> None:
    # Perrett et al. move weights as their rows come, not all in the last tick of a trial.
    results = perrett(250, one_chip("cycles.eprop_update=1"))
    found = {row["cycles"]: row for row in by_cost(results) if row["action"] == "eprop_synapse"}
    assert [found[cycles]["met"] for cycles in (68, 100, 180, 220)] == [True, False, False, False]
    # 8 neurons x 250 synapses take the whole tick at 100 cycles; packets and neurons come on top.
    assert 1.0 < found[100]["tick_cycles"] / TICK < 1.15
    assert 2.2 < found[220]["tick_cycles"] / TICK < 2.35
    slow = perrett(250, one_chip("cycles.eprop_synapse=220", "cycles.eprop_update=1"))
    longest = max(row["tick_cycles"] for row in by_cost(slow) if row["cycles"] == 220)
    assert longest == pytest.approx(found[220]["tick_cycles"], rel=0.05)
    assert slow.activity.in_time < slow.activity.traffic.due


@pytest.mark.parametrize(("neurons", "least", "most"), [(256, 7_500, 8_500), (64, 6_500, 7_500)])
def test_a_core_peaks_between_5000_and_10000_events_a_ms(
    neurons: int, least: int, most: int
) -> None:
    """Rhodes et al. 2018: 10,000 synaptic events a ms and core, reached within a factor of 2."""
    silent = LIF(threshold=1000.0, decay=0.9)
    steps = 150
    network = Network(
        name="peak",
        steps=steps,
        populations=(
            Population("input", 256, Input("spikes")),
            Population("cells", neurons, silent),
        ),
        projections=(
            Projection("all", "input", "cells", np.ones((neurons, 256), np.float32) / 256),
        ),
        readout="cells",
        readout_kind="membrane",
    )
    every = Trace("every", spikes=np.ones((1, steps, 256), np.uint8))
    # With rows first such a core would not get to its timer tasks at all.
    chip = one_chip("core.priority=timer")
    results = simulate_on_processors(network, chip, every, Choices())
    slot = int(results.activity.counts[:, EVENTS].argmax())
    counts = results.activity.counts[slot]
    # Far more comes than the core can do, so it is busy all the time, the end included.
    rate = counts[EVENTS] / (counts[TICKS] - 1)
    assert 5_000 < least < rate < most < 10_000


def test_a_full_chip_stays_below_a_watt_and_an_event_at_the_published_energy() -> None:
    """Stromatias et al. 2013: 1.8e9 events/s on 48 chips, less than 1 W each: < 26.7 nJ."""
    chip = read_chip("spinnaker1")
    assert isinstance(chip, ProcessorChip)
    idle, core = chip.prices["idle_chip"].value, chip.prices["core_active"].value
    full = idle + chip.machine.app_cores * core
    assert full == pytest.approx(0.894)
    assert full * chip.machine.chips / 1.8e9 == pytest.approx(23.84e-9, rel=1e-3)


def test_strict_refuses_a_missed_deadline() -> None:
    from chipsim.errors import DoesNotFitError

    with pytest.raises(DoesNotFitError, match="missed their deadline"):
        simulate_on_processors(
            credit_assignment(250), one_chip("cycles.eprop_synapse=220"), taught(250),
            replace(Choices(), strict=True),
        )  # fmt: skip
