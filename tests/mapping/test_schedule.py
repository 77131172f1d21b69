"""Schedules worked by hand, and against plain twins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from chipsim.chip import Chip
from chipsim.cores.crossbar import phase_budget
from chipsim.errors import InputError
from chipsim.mapping.model import Schedule, Slice
from chipsim.mapping.partition.balanced import partition
from chipsim.mapping.schedule import (
    Edge,
    Node,
    latency_phases,
    make_schedule,
    phases_per_sample,
    precedence,
)
from chipsim.mapping.shapes import shapes_of
from chipsim.network import Input, Network, PlasticityMode
from tests.mapping.cases import (
    adaptive,
    chain,
    dense,
    inputs,
    network,
    neurons,
    recurrent,
    tianjic,
    with_bits,
)
from tests.mapping.strategies import MODES, chips, networks


def schedule(net: Network, chip: Chip | None = None, mode: PlasticityMode = "running") -> Schedule:
    chip = chip or tianjic()
    return make_schedule(net, chip, partition(net, chip, mode).slices, mode)


def offsets(net: Network, plan: Schedule, slices: tuple[Slice, ...]) -> dict[str, int]:
    return {f"{slices[t.slice].population} {t.kind}": t.offset for t in plan.tasks}


def test_a_feed_forward_network_is_a_pipeline() -> None:
    plan = schedule(chain(100, 50, 10))
    assert (plan.interval, plan.depth) == (1, 2)
    assert "1 phase a step: no loop" in plan.reasons[0]
    assert plan.reasons[1] == (
        "2 phases from a step's input to its readout: layer1 integrate in phase 0, layer1 soma in "
        "phase 0, layer2 integrate in phase 1, layer2 soma in phase 1"
    )


def test_nine_steps_take_nine_phases_a_sample() -> None:
    plan = schedule(chain(100, 50, 10, steps=9))
    assert phases_per_sample(plan, 9) == 9
    assert latency_phases(plan, 9) == 10


def test_partial_sums_take_a_phase_but_no_interval() -> None:
    plan = schedule(chain(784, 512, 10))
    assert (plan.interval, plan.depth) == (1, 4)


@pytest.mark.parametrize(
    ("weight_bits", "mode", "interval", "phases"),
    [(16, "off", 1, 10), (8, "off", 1, 10), (16, "running", 3, 30), (8, "running", 3, 30)],
)
def test_784_512_10(weight_bits: int, mode: PlasticityMode, interval: int, phases: int) -> None:
    chip = with_bits(tianjic(), weight_bits)
    plan = schedule(chain(784, 512, 10, plastic=True), chip, mode)
    assert (plan.interval, plan.depth) == (interval, 4)
    assert phases_per_sample(plan, 10) == phases
    assert latency_phases(plan, 10) == 9 * interval + 4


def test_a_plastic_split_population_loops_over_three_phases() -> None:
    plan = schedule(chain(784, 512, 10, plastic=True))
    assert plan.reasons[0] == (
        "3 phases a step: layer1 integrate -> partial sums -> soma -> post factor -> learn -> "
        "integrate is a loop of 3 phases"
    )


def test_a_small_plastic_split_population_learns_in_the_next_integration_phase() -> None:
    # 300 x 10 synapses: learning and the next integration fit a phase together.
    plan = schedule(chain(300, 10, plastic=True))
    assert plan.interval == 2
    cycles = {(t.slice, t.kind): t.cycles for t in plan.tasks}
    assert cycles[0, "integrate"] + cycles[0, "learn"] <= 4864


@pytest.mark.parametrize(("size", "interval"), [(50, 1), (250, 2)])
def test_recurrence(size: int, interval: int) -> None:
    # 50 + 50 axons fit a core whole, 250 + 250 are split.
    assert schedule(recurrent(size, size)).interval == interval


def test_a_longer_delay_relaxes_a_loop() -> None:
    assert schedule(recurrent(250, 250, delay=2)).interval == 1


def test_a_plastic_loop_over_two_steps() -> None:
    hidden, out = neurons("hidden", 100), neurons("out", 300)
    source = inputs(100)
    net = network(
        (source, hidden, out),
        (dense(source, hidden), dense(hidden, out), dense(out, hidden, delay=2)),
    )
    # hidden is split: integrate, sums, soma, out (whole): 3 phases over 2 steps
    plan = schedule(net)
    assert plan.interval == 2
    assert "is a loop of 3 phases over 2 steps" in plan.reasons[0]


def test_a_whole_plastic_slice_that_fits_a_phase_learns_in_it() -> None:
    net = chain(100, 10, plastic=True)
    plan = schedule(net)
    assert plan.interval == 1
    assert {task.offset for task in plan.tasks} == {0}


def test_a_whole_plastic_slice_that_does_not_fit_a_phase_takes_two() -> None:
    # 256 x 60: integrate 3840, soma 180, learn 3840 of 4864 cycles
    net = chain(256, 60, plastic=True, kind="spikes")
    plan = schedule(net)
    assert plan.interval == 2
    assert [(t.kind, t.offset, t.cycles) for t in plan.tasks] == [
        ("integrate", 0, 3840),
        ("soma", 0, 180),
        ("learn", 1, 3840),
    ]
    assert schedule(net, adaptive(tianjic())).interval == 1


def test_a_skip_connection_waits() -> None:
    source, one, two = inputs(100), neurons("one", 20), neurons("two", 20)
    net = network((source, one, two), (dense(source, one), dense(one, two), dense(source, two)))
    plan = schedule(net)
    got = offsets(net, plan, partition(net, tianjic(), "running").slices)
    assert got["two integrate"] == 1
    assert (plan.interval, plan.depth) == (1, 2)


def test_a_loop_without_delay_is_refused() -> None:
    with pytest.raises(InputError, match=r"delay-0 loop through hidden.*give one of its projec"):
        schedule(recurrent(50, 50, delay=0))


def simple_cycles(edges: tuple[Edge, ...]) -> Iterator[list[Edge]]:
    """Every way round from every node, found by walking."""

    def walk(start: Node, path: list[Edge], seen: set[Node]) -> Iterator[list[Edge]]:
        for edge in edges:
            if edge.before == (path[-1].after if path else start):
                if edge.after == start:
                    yield [*path, edge]
                elif edge.after not in seen:
                    yield from walk(start, [*path, edge], seen | {edge.after})

    for start in {edge.before for edge in edges}:
        yield from walk(start, [], {start})


@given(net=networks(largest=500), chip=chips(), mode=MODES)
@settings(derandomize=True, max_examples=60, deadline=None)
def test_against_unrolled_steps_and_all_loops(
    net: Network, chip: Chip, mode: PlasticityMode
) -> None:
    slices = partition(net, chip, mode).slices
    plan = make_schedule(net, chip, slices, mode)
    edges = precedence(net, chip, slices, shapes_of(net, slices, mode))
    longest = max(
        (-(-sum(e.weight for e in c) // sum(e.lag for e in c)) for c in simple_cycles(edges)),
        default=1,
    )
    assert plan.interval == max(1, longest)
    at = offsets(net, plan, slices)
    budget = phase_budget(chip.phase)
    busy: dict[tuple[int, int], int] = {}
    for step in range(12):
        for task in plan.tasks:
            slot = (task.slice, task.offset + step * plan.interval)
            busy[slot] = busy.get(slot, 0) + task.cycles
    assert budget is None or max(busy.values()) <= budget

    def phase(population: str, kind: str, step: int) -> int:
        return at[f"{population} {kind}"] + step * plan.interval

    split = {s.population for s in slices if s.role == "dendrite"}
    for population in net.populations:
        name = population.name
        if isinstance(population.model, Input):
            continue
        message = 1 if name in split else 0
        assert phase(name, "soma", 0) >= phase(name, "integrate", 0) + message >= message
        if f"{name} learn" in at:
            assert phase(name, "learn", 0) >= phase(name, "soma", 0) + message
            assert phase(name, "integrate", 1) >= phase(name, "learn", 0)
        for projection in net.incoming(name):
            if not isinstance(net.population(projection.source).model, Input):
                used = phase(name, "integrate", projection.delay)
                assert used >= phase(projection.source, "soma", 0) + 1
    assert plan.depth == at[f"{net.readout} soma"] + 1
    assert min(at.values()) == 0
