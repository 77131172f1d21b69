"""Whole mappings: cores, interval, phases an inference; and what is said where one does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import Chip
from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.checks import check_mapping
from chipsim.mapping.mapper import map_network
from chipsim.mapping.model import Flow, Mapping, Route
from chipsim.mapping.place.placers import PLACERS
from chipsim.mapping.schedule import phases_per_sample
from chipsim.network import Network, PlasticityMode
from tests.mapping.cases import (
    chain,
    dense,
    inputs,
    network,
    neurons,
    recurrent,
    tianjic,
    unicast,
    with_bits,
    with_memory,
    with_mesh,
)
from tests.mapping.strategies import MODES, chips, networks


@pytest.mark.parametrize("placer", PLACERS)
@pytest.mark.parametrize(
    ("weight_bits", "trace_bits", "mode", "cores", "phases"),
    [
        (16, 16, "off", 22, 10),
        (16, 16, "frozen", 22, 10),
        (16, 16, "running", 39, 30),
        (8, 8, "off", 14, 10),
        (8, 8, "running", 23, 30),
        (8, 16, "running", 35, 30),
    ],
)
def test_784_512_10(
    hp_network: Network,
    weight_bits: int,
    trace_bits: int,
    mode: PlasticityMode,
    cores: int,
    phases: int,
    placer: str,
) -> None:
    chip = with_bits(tianjic(), weight_bits, trace_bits)
    mapping = map_network(hp_network, chip, mode, placer)
    assert len(mapping.slices) == len(mapping.placement) == len(mapping.memory) == cores
    assert phases_per_sample(mapping.schedule, hp_network.steps) == phases
    assert mapping.placer == placer


def test_memory_of_a_plastic_slice(hp_mapping: Mapping) -> None:
    used = {use.memory: use.used for use in hp_mapping.memory[0]}
    assert hp_mapping.slices[0].count == 64
    assert (used["synapse"], used["axon"], used["soma"]) == (50176, 784, 768)
    assert used["router"] > 0


def test_it_is_deterministic(hp_network: Network, chip: Chip, hp_mapping: Mapping) -> None:
    assert map_network(hp_network, chip) == hp_mapping


@pytest.mark.parametrize(
    ("choice", "problem"),
    [
        ({"placer": "random"}, "placer: 'random' is unknown .allowed: hilbert, sequential, snake"),
        ({"partitioner": "best"}, "partitioner: 'best' is unknown .allowed: balanced"),
    ],
)
def test_unknown_algorithms(choice: dict[str, str], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        map_network(chain(4, 3), tianjic(), "off", **choice)


def test_too_few_cores_says_what_would_fit() -> None:
    net = chain(784, 512, 10, plastic=True)
    small = with_mesh(tianjic(), 7, 3)
    with pytest.raises(DoesNotFitError) as caught:
        map_network(net, small)
    assert str(caught.value).splitlines() == [
        "net: chip tianjic: cores 39 exceeded max 21 by 18",
        "would fit: a mesh of at least 39 cores (this chip has 21)",
        "would not fit: plasticity frozen (22 cores exceed max 21 by 1)",
        "would not fit: core.weight_bits=8 (35 cores exceed max 21 by 14)",
        "would fit: core.weight_bits=8 and plasticity frozen (14 of 21 cores)",
        "would not fit: core.weight_bits=4 (35 cores exceed max 21 by 14)",
        "would fit: core.weight_bits=4 and plasticity frozen (14 of 21 cores)",
    ]
    # What is said to fit does fit.
    map_network(net, with_mesh(tianjic(), 13, 3))
    map_network(net, with_bits(small, 8), "frozen")
    with pytest.raises(DoesNotFitError):
        map_network(net, with_bits(small, 8), "running")


def test_without_a_stored_trace_frozen_is_no_way_out() -> None:
    source, out = inputs(100), neurons("out", 10)
    net = network((source, out), (dense(source, out, plastic=True, stored=False),))
    with pytest.raises(DoesNotFitError) as caught:
        map_network(net, with_memory(tianjic(), lut=100))
    text = str(caught.value)
    assert "would fit: plasticity off (1 of 156 cores)" in text
    assert "would not fit: core.weight_bits=8\n" in text
    assert "frozen" not in text
    assert "a mesh of" not in text


def test_delayed_spikes_wait_in_the_axon_memory() -> None:
    def axon(delay: int) -> dict[str, int]:
        mapping = map_network(recurrent(20, 30, delay), tianjic(), "off")
        return dict(next(u.items for u in mapping.memory[0] if u.memory == "axon"))

    # Spikes arrive in phase t and are read in phase t + delay: delay + 1 copies at an interval of 1
    assert axon(1) == {"input buffer": 100}
    assert axon(2) == {"input buffer": 100, "waiting inputs": 30}
    assert axon(5) == {"input buffer": 100, "waiting inputs": 120}


def test_inputs_wait_until_they_have_been_learned_from() -> None:
    # 400 axons in 2 parts: 3 phases a step, learning 2 phases after integrating.  Spikes of the
    # step before last leave in phase 1, are integrated in 6 and learned from in 8: 3 copies.
    mapping = map_network(recurrent(300, 100, delay=2, plastic=True), tianjic())
    assert mapping.schedule.interval == 3
    items = [dict(use.items) for uses in mapping.memory for use in uses if use.memory == "axon"]
    own = {"input buffer": 400, "learning rates": 400}
    assert items == [own, own | {"waiting inputs": 100}, {}, own, own | {"waiting inputs": 100}, {}]


def test_a_skip_connection_waits_in_the_axon_memory() -> None:
    a, b, c, d = inputs(10), neurons("b", 11), neurons("c", 12), neurons("d", 13)
    chained = (dense(a, b), dense(b, c), dense(c, d))
    net = network((a, b, c, d), (*chained, dense(b, d)))
    mapping = map_network(net, tianjic(), "off")
    items = {use.memory: use.items for use in mapping.memory[2]}
    assert items["axon"] == {"input buffer": 46, "waiting inputs": 11}


def test_inputs_that_wait_too_long_do_not_fit() -> None:
    with pytest.raises(DoesNotFitError, match=r"hidden\[.*axon memory \d+ bytes exceeded max 1024"):
        map_network(recurrent(20, 200, delay=9), tianjic(), "off")


def test_a_router_table_that_overflows() -> None:
    with pytest.raises(DoesNotFitError, match=r"router memory .* exceeded max 40 by"):
        map_network(chain(784, 512, 10), with_memory(tianjic(), router=40), "off")


def swap(mapping: Mapping, i: int, **changes: object) -> tuple[Flow, ...]:
    flows = list(mapping.flows)
    flows[i] = replace(flows[i], **changes)  # type: ignore[arg-type]
    return tuple(flows)


def test_checks_find_what_is_wrong(hp_network: Network, chip: Chip, hp_mapping: Mapping) -> None:
    m = hp_mapping
    plan = m.schedule
    tasks = plan.tasks
    route = m.routes[0]
    core = m.placement[0]
    passed = next(router for router, mask in route.ports.items() if not mask & 16)
    stray = Route(route.source, {**route.ports, passed: route.ports[passed] | 16})
    late = tuple(
        replace(t, offset=3) if t.slice == tasks[0].slice and t.kind == "integrate" else t
        for t in tasks
    )
    soma = next(i for i, t in enumerate(tasks) if t.kind == "soma")
    early = tuple(
        replace(t, offset=0) if t.kind == "soma" and m.slices[t.slice].population == "layer1" else t
        for t in tasks
    )
    wrong: list[tuple[Mapping, str]] = [
        (replace(m, placement=m.placement[:-1]), "placement: 38 cores, 39 slices"),
        (replace(m, placement=(156, *m.placement[1:])), r"slices\[0\].core: 156 is not on the 12x"),
        (replace(m, placement=(-1, *m.placement[1:])), r"slices\[0\].core: -1 is not on"),
        (replace(m, placement=(core, core, *m.placement[2:])), "already taken by slice 0"),
        (replace(m, flows=m.flows[:-1], routes=m.routes[:-1]), "50 given, but the slices need 51"),
        (replace(m, flows=swap(m, 3, count=1)), r"flows\[3\]: .* but the slices need"),
        (replace(m, routes=(stray, *m.routes[1:])), f"core {passed}, which is no target"),
        (replace(m, routes=m.routes[:-1]), "routes: 50 given for 51 flows"),
        (replace(m, routes=(Route(1, {1: 16}), *m.routes[1:])), r"flows\[0\].route: starts at"),
        (replace(m, routes=(Route(0, {0: 16}), *m.routes[1:])), "never reaches slice"),
        (
            replace(m, routes=(Route(0, {**route.ports, 80: 16}), *m.routes[1:])),
            "never comes to router 8,6, yet has ports",
        ),
        (replace(m, schedule=replace(plan, interval=0)), "interval: 0 should be at least 1"),
        (replace(m, schedule=replace(plan, interval=2)), "can start at 1 at the earliest"),
        (replace(m, schedule=replace(plan, depth=5)), "depth: 5 should be 4"),
        (replace(m, schedule=replace(plan, tasks=tasks[:-1])), "given, but the slices have"),
        (replace(m, schedule=replace(plan, tasks=late)), "one offset of 0 or more for all slices"),
        (replace(m, schedule=replace(plan, tasks=early)), "layer1 soma has offset 0 but can start"),
        (
            replace(
                m,
                schedule=replace(
                    plan, tasks=(*tasks[:soma], replace(tasks[soma], cycles=1), *tasks[soma + 1 :])
                ),
            ),
            rf"schedule.tasks\[{soma}\]: .* of 1 cycles, but",
        ),
        (replace(m, memory=m.memory[:-1]), "memory: not what these slices take"),
    ]
    check_mapping(m, hp_network, chip)
    for broken, problem in wrong:
        with pytest.raises(InputError, match=problem):
            check_mapping(broken, hp_network, chip)


def test_learning_may_be_later_only_with_a_longer_interval() -> None:
    net, chip = chain(256, 60, plastic=True, kind="spikes"), tianjic()
    m = map_network(net, chip)
    moved = tuple(replace(t, offset=2) if t.kind == "learn" else t for t in m.schedule.tasks)
    with pytest.raises(InputError, match="integrate has offset 0 but can start at 1"):
        check_mapping(replace(m, schedule=replace(m.schedule, tasks=moved)), net, chip)
    loose = replace(m.schedule, tasks=moved, interval=4)
    check_mapping(replace(m, schedule=loose), net, chip)


def test_tasks_that_together_exceed_a_phase() -> None:
    net = chain(256, 256, kind="spikes")
    chip = with_bits(tianjic(), 8)
    m = map_network(net, chip, "off")
    shorter = replace(chip, phase=replace(chip.phase, cycles=5039))
    with pytest.raises(DoesNotFitError, match="tasks of one phase 4864 cycles exceeded max 4863 b"):
        check_mapping(m, net, shorter)


def test_a_mapping_for_a_wider_chip_exceeds_this_one() -> None:
    net = chain(784, 512, 10)
    m = map_network(net, with_bits(tianjic(), 8), "off")
    with pytest.raises(InputError, match=r"schedule\.tasks"):
        check_mapping(m, net, tianjic())
    with pytest.raises(DoesNotFitError, match=r"soma memory .* exceeded max 2000"):
        check_mapping(m, net, with_memory(with_bits(tianjic(), 8), soma=2000))


@given(
    net=networks(),
    chip=chips(),
    mode=MODES,
    placer=st.sampled_from(sorted(PLACERS)),
    single=st.booleans(),
)
@settings(derandomize=True, max_examples=60, deadline=None)
def test_random_networks_map_and_pass_all_checks(
    net: Network, chip: Chip, mode: PlasticityMode, placer: str, single: bool
) -> None:
    chip = with_memory(with_mesh(chip, 30, 31), axon=8192, router=8192)
    mapping = map_network(net, unicast(chip) if single else chip, mode, placer)
    assert all(use.used <= use.budget for uses in mapping.memory for use in uses)
    for flow, route in zip(mapping.flows, mapping.routes, strict=True):
        delivered = {router for router, mask in route.ports.items() if mask & 16}
        assert delivered == {mapping.placement[target] for target in flow.targets}
