"""The schedule of a backward pass keeps every order and gives no core two things at once."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.cores.crossbar import phase_budget
from chipsim.errors import DoesNotFitError
from chipsim.learning_cost.cost import backward
from chipsim.learning_cost.messages import backward_messages
from chipsim.learning_cost.schedule import (
    _Phases,
    backward_edges,
    backward_schedule,
)
from chipsim.learning_cost.tasks import backward_cycles
from chipsim.mapping.model import Slice
from chipsim.mapping.route.routers import ROUTERS
from chipsim.mapping.schedule import tightest
from chipsim.network import Input
from chipsim.results import Results
from tests.simulate.tiny import random_run, relay, simulated, spike_trace, tiny_chip


def timing(results: Results) -> tuple[int, dict, tuple]:
    network, slices = results.network, results.mapping.slices
    messages = backward_messages(network, results.chip, slices)
    cycles = backward_cycles(network, results.chip, slices, messages)
    phases = _Phases(phase_budget(results.chip.phase))
    edges = backward_edges(network, slices, cycles, phases)
    nodes = [(s.population, k) for s, c in zip(slices, cycles, strict=True) for k in c]
    interval, _, offsets, _ = tightest(nodes, edges)
    return interval, offsets, cycles


def overlap(one: Slice, other: Slice) -> bool:
    return (
        one.population == other.population
        and one.first < other.first + other.count
        and other.first < one.first + one.count
    )


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([40, 60, 5040]))
def test_orders_hold_and_cores_have_time(seed: int, cycles: int) -> None:
    """Walk through 6 steps, from the last to the first, phase by phase."""
    chip = tiny_chip("core.macs_per_cycle=1", f"phase.cycles={cycles}", "phase.sync_cycles=2")
    try:
        results = random_run(seed, chip=chip, plasticity="off")
    except DoesNotFitError:
        return  # a phase too short for the forward pass is no case
    network, slices = results.network, results.mapping.slices
    interval, offsets, work = timing(results)
    budget = cycles - 2
    load: dict[tuple[int, int], int] = defaultdict(int)
    begin, end = {}, {}
    for back in range(6):
        for piece, own in zip(slices, work, strict=True):
            for kind, spent in own.items():
                start = offsets[piece.population, kind] + back * interval
                lasts = max(1, -(-spent // budget))
                begin[piece.index, kind, back], end[piece.index, kind, back] = start, start + lasts
                for phase in range(start, start + lasts):
                    load[piece.index, phase] += min(spent, budget)
                    spent -= budget
    # A core is never given more than a phase's cycles, however its tasks fall.
    assert all(spent <= budget for spent in load.values())
    for back in range(6):
        for piece, own in zip(slices, work, strict=True):
            for kind in ("integrate", "learn"):
                if kind not in own:
                    continue
                for other, theirs in zip(slices, work, strict=True):
                    if "soma" in theirs and overlap(piece, other):
                        # An error that travels acts in a later phase.
                        same = other.index == piece.index
                        done = end[other.index, "soma", back] - same
                        assert begin[piece.index, kind, back] >= done
            for projection in network.incoming(piece.population):
                later = back + projection.delay
                source = network.population(projection.source)
                if isinstance(source.model, Input) or later >= 6 or "integrate" not in own:
                    continue
                for other in slices:
                    if other.population == projection.source and other.role != "dendrite":
                        # The error of step t comes from step t + delay, which is walked before.
                        arrived = end[piece.index, "integrate", back]
                        assert begin[other.index, "soma", later] >= arrived


def test_layers_follow_like_a_pipeline() -> None:
    results = simulated(
        relay(neurons=3, steps=4, layers=3), tiny_chip(), spike_trace([[[1] * 3] * 4])
    )
    interval, offsets, _ = timing(results)
    assert interval == 1
    assert [offsets[f"layer{i}", "soma"] for i in (3, 2, 1)] == [0, 1, 2]
    schedule = backward(results).schedule
    # Four steps a phase apart, the last of which takes three phases; then the update.
    assert (schedule.phases, schedule.update_phases) == (3 + 3, 1)
    assert schedule.cycles == 7 * 5040
    assert not schedule.overruns(results.chip)


def test_late_packets_are_told() -> None:
    chip = tiny_chip("phase.cycles=24", "phase.sync_cycles=1", "mesh.hop_cycles=20")
    results = simulated(relay(neurons=3, steps=4, layers=2), chip, spike_trace([[[1] * 3] * 4]))
    assert backward(results).schedule.overruns(chip)


def test_an_adaptive_phase_is_as_long_as_its_work_and_its_packets() -> None:
    chip = tiny_chip("phase.mode=adaptive")
    results = simulated(relay(neurons=3, steps=4, layers=2), chip, spike_trace([[[1] * 3] * 4]))
    schedule = backward(results).schedule
    (busy,), (drain,) = schedule.busy, schedule.drain
    # Three somas and their feedback words of 3 cycles, 9 synapses of 2 columns 16 a cycle, twice.
    assert busy == 3 * 3 + (2 + 3 * 3) + 2 == 22
    assert drain > 3 * 3 + 2
    update = -(-9 * 4 // 16) + 176
    assert schedule.cycles == schedule.phases * (max(busy, drain) + 176) + update


@pytest.mark.parametrize("multicast", ["tree", "unicast"])
def test_every_packet_of_a_step_is_on_the_mesh_once(multicast: str) -> None:
    """The mesh is given as many packets as one step has messages."""
    results = random_run(5, chip=tiny_chip(f"mesh.multicast={multicast}"), plasticity="off")
    network, chip, mapping = results.network, results.chip, results.mapping
    messages = backward_messages(network, chip, mapping.slices)
    routes = ROUTERS["xy"]([m.flow for m in messages], mapping.placement, chip.mesh)
    cycles = backward_cycles(network, chip, mapping.slices, messages)
    schedule = backward_schedule(
        network, chip, mapping.slices, mapping.placement, cycles, messages, routes
    )
    assert len(schedule.drain) == schedule.interval
    assert max(schedule.drain) > 0
    kinds = Counter(message.kind for message in messages)
    assert kinds["label"] >= 1
    assert np.all(np.array(schedule.busy) > 0)
