"""Counters beside a plain recount from the spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.simulate.counters import ACTIONS
from tests.conftest import random_membranes, random_network
from tests.simulate import plain
from tests.simulate.tiny import (
    random_run,
    random_trace,
    relay,
    repeated,
    simulated,
    spike_trace,
    tiny_chip,
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.sampled_from([16, 8, 4]),
    multicast=st.sampled_from(["tree", "unicast"]),
    mode=st.sampled_from(["running", "frozen", "off"]),
    make=st.sampled_from([random_network, random_membranes]),
)
def test_actions_equal_the_recount(
    seed: int, bits: int, multicast: str, mode: str, make: Any
) -> None:
    chip = tiny_chip(f"core.weight_bits={bits}", f"mesh.multicast={multicast}")
    results = random_run(seed, chip=chip, plasticity=mode, make=make)
    expected = plain.actions(results)
    names = [action for action in ACTIONS if action != "core_cycle"]
    assert set(names) == set(expected)
    columns = [ACTIONS.index(action) for action in names]
    np.testing.assert_array_equal(
        results.counters.by_core[:, columns], plain.as_table(results, expected, names)
    )


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_synaptic_events_are_synapses_with_input(seed: int) -> None:
    results = random_run(seed)
    steps = plain.stream(results)
    events = sum(
        projection.weight.shape[1]
        for g in range(len(steps))
        for projection in results.fixed.projections
        for i in range(projection.weight.shape[0])
        if plain.heard(results, steps, g, projection, i)
    )
    assert results.counters.synaptic_events == events


def test_cycles_of_cores_in_use() -> None:
    """Fixed phases: every core in use clocks through samples x steps x interval phases."""
    results = random_run(3, samples=4)
    mapping = results.mapping
    phases = 4 * results.network.steps * mapping.schedule.interval
    cycles = results.counters.by_core[:, ACTIONS.index("core_cycle")]
    used = sorted(mapping.placement)
    assert (cycles[used] == phases * 5040).all()
    assert cycles.sum() == len(used) * phases * 5040
    assert results.counters.total_cycles == phases * 5040


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_busy_and_phase_cycles(seed: int) -> None:
    """A phase is as long as its longest core, or its last packet, and the synchronisation."""
    results = random_run(seed, chip=tiny_chip("phase.mode=adaptive"))
    counters, interval = results.counters, results.mapping.schedule.interval
    busy = [0] * results.mesh.phases
    for timed in results.tasks:
        for g in range(len(timed.start)):
            phase = 1 + timed.task.offset + g * interval
            busy[phase] = max(busy[phase], int(timed.start[g] + timed.cycles[g]))
    assert counters.busy_cycles.tolist() == busy
    drained = results.mesh.last_arrival.tolist()
    expected = [max(b, d) + 176 for b, d in zip(busy, drained, strict=True)]
    assert counters.phase_cycles.tolist() == expected
    assert counters.overruns == 0


@pytest.mark.parametrize("seed", range(8))
def test_adaptive_phases_are_shorter_and_compute_the_same(seed: int) -> None:
    fixed = random_run(seed)
    adaptive = random_run(seed, chip=tiny_chip("phase.mode=adaptive"))
    np.testing.assert_array_equal(adaptive.activity.answers.spikes, fixed.activity.answers.spikes)
    assert adaptive.counters.phase_cycles.max() < 5040
    assert (fixed.counters.phase_cycles == 5040).all()
    assert fixed.counters.overruns == 0
    assert adaptive.counters.total_cycles < fixed.counters.total_cycles


def test_overruns_are_the_phases_that_were_too_long() -> None:
    """Slow links make packets late: a phase overruns where an adaptive one would be longer."""
    overran = 0
    for seed in range(20):
        slow = "mesh.hop_cycles=300"
        needs = random_run(seed, chip=tiny_chip("phase.mode=adaptive", slow)).counters.phase_cycles
        for cycles in (600, 1200, 2000):
            fixed = random_run(seed, chip=tiny_chip(f"phase.cycles={cycles}", slow))
            assert fixed.counters.overruns == int((needs > cycles).sum())
            overran += fixed.counters.overruns
    assert overran > 20


@pytest.mark.parametrize("seed", range(10))
def test_per_inference_figures_do_not_depend_on_the_number_of_samples(seed: int) -> None:
    """In steady state; a held image is sent only where it differs from the last."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    trace = random_trace(network, rng, 2)
    once = simulated(network, tiny_chip(), trace)
    thrice = simulated(network, tiny_chip(), repeated(trace, 3))
    count = {action: i for i, action in enumerate(ACTIONS)}
    same = [i for action, i in count.items() if action != "router_hop"]
    np.testing.assert_array_equal(
        3 * once.counters.by_core[:, same], thrice.counters.by_core[:, same]
    )
    assert thrice.counters.total_cycles == 3 * once.counters.total_cycles
    assert thrice.counters.synaptic_events == 3 * once.counters.synaptic_events
    inside = [i for i, flow in enumerate(once.mapping.flows) if flow.kind != "input"]
    np.testing.assert_array_equal(3 * once.mesh.packets[inside], thrice.mesh.packets[inside])
    if trace.spikes is not None:
        np.testing.assert_array_equal(3 * once.counters.by_core, thrice.counters.by_core)
        assert thrice.bill.total.value == pytest.approx(3 * once.bill.total.value, rel=1e-12)


def test_a_relay_by_hand() -> None:
    """Two of three inputs fire once: the counts of a network small enough for the head."""
    spikes = np.zeros((1, 4, 3))
    spikes[0, 1, :2] = 1
    results = simulated(relay(), tiny_chip(), spike_trace(spikes), plasticity="off")
    assert [piece.role for piece in results.mapping.slices] == ["whole"]
    totals = dict(zip(ACTIONS, results.counters.by_core.sum(axis=0).tolist(), strict=True))
    # Two active axons of three synapses each, in two columns; three somas, four steps; one hop
    # out of the router at the input for each of two packets (the core is at (0, 0), as the port).
    assert results.mapping.placement == (0,)
    assert totals == {
        "sop": 2 * 3 * 2, "mac": 0, "relay_add": 0, "soma_update": 3 * 4, "lut_read": 0,
        "trace_decay": 0, "trace_update": 0, "router_hop": 2, "core_cycle": 4 * 5040,
        "hop_bit": 0, "chip_hop": 0,
    }  # fmt: skip
    assert results.counters.synaptic_events == 6
    assert results.activity.answers.spikes[0].sum(axis=1).tolist() == [0, 2, 0, 0]


@pytest.mark.parametrize("seed", range(10))
def test_lazy_decay_computes_the_same_with_fewer_decays(seed: int) -> None:
    """What is put off is made up for at most once; a trace nobody reads again never decays."""
    dense, lazy = (
        random_run(seed, chip=tiny_chip(f"core.trace_decay={how}")) for how in ("dense", "lazy")
    )
    np.testing.assert_array_equal(lazy.activity.answers.potential, dense.activity.answers.potential)
    count = {action: i for i, action in enumerate(ACTIONS)}
    others = [i for action, i in count.items() if action not in ("trace_decay", "core_cycle")]
    np.testing.assert_array_equal(
        lazy.counters.by_core[:, others], dense.counters.by_core[:, others]
    )
    assert lazy.activity.decays is not None
    rows = (lazy.activity.decays + lazy.activity.learning).sum(axis=(0, 1), dtype=np.int64)
    counts = [run.slice.count for run in lazy.activity.runs]
    decays = lazy.counters.by_core[:, count["trace_decay"]]
    assert decays.sum() == rows @ counts
    assert (decays <= dense.counters.by_core[:, count["trace_decay"]]).all()
    if any(p.plasticity for p in lazy.fixed.projections):
        assert decays.sum() < dense.counters.by_core[:, count["trace_decay"]].sum()
