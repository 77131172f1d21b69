"""The figures of a report, worked again from the results they come from."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from chipsim.chip import Chip
from chipsim.load.chip_file import read_chip
from chipsim.mapping.model import INPUT_PORT
from chipsim.network import Trace
from chipsim.report.arrays import arrays_of
from chipsim.report.bounds import bounded_by, critical_core, latency_cycles
from chipsim.report.check import check
from chipsim.report.run_folder import dump_json
from chipsim.report.summary import summarise
from chipsim.report.timeline import chrome_trace
from chipsim.results import Results
from chipsim.simulate.counters import ACTIONS
from tests.conftest import random_network
from tests.simulate import plain
from tests.simulate.tiny import (
    TINY,
    random_run,
    random_trace,
    relay,
    simulated,
    spike_trace,
    tiny_chip,
)

MODES = ["running", "frozen", "off"]


def labelled(case: int, samples: int = 6, **choices: Any) -> Results:
    rng = np.random.default_rng(case)
    network = random_network(rng)
    trace = random_trace(network, rng, samples)
    labels = rng.integers(0, network.population("out").size, samples)
    return simulated(network, tiny_chip(), replace(trace, labels=labels), **choices)


@pytest.mark.parametrize("case", range(12))
def test_every_report_is_what_the_schema_says(case: int) -> None:
    chip = tiny_chip("phase.mode=adaptive") if case % 2 else tiny_chip()
    results = random_run(case, chip=chip, plasticity=MODES[case % 3])
    summary, arrays = summarise(results), arrays_of(results)
    text = dump_json(summary)
    check(json.loads(text), arrays)
    chrome_trace(json.loads(text), arrays)


@pytest.mark.parametrize("case", range(8))
def test_traffic(case: int) -> None:
    results = random_run(case)
    steps = plain.stream(results)
    flows, routes = results.mapping.flows, results.mapping.routes
    sent = [len(plain.senders(results, steps, flow)) for flow in flows]
    copies = [sum(bin(p).count("1") for p in route.ports.values()) for route in routes]
    traffic = summarise(results)["traffic"]
    assert traffic["packets"] == sum(sent)
    assert traffic["hops"] == sum(n * c for n, c in zip(sent, copies, strict=True))
    assert traffic["deliveries"] == sum(
        n * len(f.targets) for n, f in zip(sent, flows, strict=True)
    )
    for kind in {flow.kind for flow in flows}:
        mine = [i for i, flow in enumerate(flows) if flow.kind == kind]
        assert traffic["by_kind"][kind]["packets"] == sum(sent[i] for i in mine)
        assert traffic["by_kind"][kind]["hops"] == sum(sent[i] * copies[i] for i in mine)
    links = np.zeros((results.chip.cores, 4), np.int64)
    matrix = np.zeros((results.chip.cores, results.chip.cores), np.int64)
    placement = results.mapping.placement
    for flow, route, count in zip(flows, routes, sent, strict=True):
        for router, ports in route.ports.items():
            for port in range(4):
                links[router, port] += count * (ports >> port & 1)
        for target in flow.targets:
            source = 0 if flow.source == INPUT_PORT else placement[flow.source]
            matrix[source, placement[target]] += count
    cycles = results.mesh.phases * 5040
    assert traffic["max_link_load"] == pytest.approx(links.max() / cycles)
    assert traffic["mean_link_load"] == pytest.approx(links.sum() / (links > 0).sum() / cycles)
    arrays = arrays_of(results)
    np.testing.assert_array_equal(arrays["link_flits"][:, :4], links)
    np.testing.assert_array_equal(arrays["traffic_matrix"], matrix)
    router, port = np.argwhere(links == links.max())[0]
    x, y = router % 9, router // 9
    dx, dy = ((1, 0), (-1, 0), (0, 1), (0, -1))[port]
    assert traffic["hottest_link"] == f"({x},{y})->({x + dx},{y + dy})"


def test_nothing_on_the_links() -> None:
    """One core beside the input port and no spikes: no link is used, nothing is divided by zero."""
    results = simulated(relay(), tiny_chip(), spike_trace(np.zeros((1, 4, 3))))
    traffic = summarise(results)["traffic"]
    assert (traffic["packets"], traffic["hops"], traffic["max_link_load"]) == (0, 0, 0.0)
    assert traffic["hottest_link"] is None
    assert traffic["mean_latency_cycles"] is None
    assert results.mesh.last_arrival.tolist() == [-1] * results.mesh.phases
    check(json.loads(dump_json(summarise(results))), arrays_of(results))


@pytest.mark.parametrize("case", range(8))
def test_accuracy_and_agreement(case: int) -> None:
    results = labelled(case)
    found = summarise(results)["accuracy"]
    assert results.labels is not None
    assert results.reference is not None

    def answers(of: Any) -> list[int]:
        chosen = []
        for sample in range(6):
            counts = of.of("out")[sample].sum(axis=0)
            ranked = [(int(n), float(u), -i) for i, (n, u) in
                      enumerate(zip(counts, of.potential[sample], strict=True))]  # fmt: skip
            chosen.append(-max(ranked)[2])
        return chosen

    chip, ideal = answers(results.activity.answers), answers(results.reference)
    assert found["chip"] == np.mean(np.array(chip) == results.labels)
    assert found["float"] == np.mean(np.array(ideal) == results.labels)
    assert found["agreement"] == np.mean(np.array(chip) == np.array(ideal))


def test_accuracy_without_labels() -> None:
    results = random_run(1)
    assert summarise(results)["accuracy"]["chip"] is None
    assert summarise(results)["accuracy"]["float"] is None
    assert summarise(results)["accuracy"]["agreement"] is not None


@pytest.mark.parametrize("case", range(6))
def test_energy_is_that_of_the_bill_an_inference(case: int) -> None:
    results = random_run(case, 3)
    found, bill = summarise(results), results.bill
    totals = results.counters.by_core.sum(axis=0)
    for end in ("value", "low", "high"):
        total = getattr(bill.total, end) / 3
        assert found["energy_per_inference_j"][end] == pytest.approx(total)
        assert found["energy_per_step_j"][end] == pytest.approx(total / results.network.steps)
        rate = found["throughput_inferences_per_s"]
        assert found["power_w"][end] == pytest.approx(total * rate)
        for parts in ("energy_by_action", "energy_by_layer"):
            whole = sum(part[f"{end}_j"] for part in found[parts].values())
            assert whole == pytest.approx(total)
    cores = sum(core["energy_per_inference_j"] for core in found["cores"])
    static = found["energy_by_action"]["static"]
    dynamic = found["energy_per_inference_j"]["value"] - static["value_j"]
    # Routers of cores without a slice take the rest.
    passing = set(range(results.chip.cores)) - set(results.mapping.placement)
    rest = sum(results.bill.by_core[core] for core in passing) / 3
    assert cores + rest == pytest.approx(dynamic)
    for action, row in found["energy_by_action"].items():
        assert row["count_per_inference"] * row["price_j"] == pytest.approx(row["value_j"])
        if action != "static":
            assert row["count_per_inference"] == totals[ACTIONS.index(action)] / 3


def test_time_of_a_relay_by_hand() -> None:
    """One layer: 1 phase a step, 1 deep. Four steps of 16.8 us; latency one phase longer."""
    results = simulated(relay(), tiny_chip(), spike_trace(np.ones((2, 4, 3))))
    schedule = results.mapping.schedule
    assert (schedule.interval, schedule.depth) == (1, 1)
    found = summarise(results)
    assert found["chip"]["phase_s"] == pytest.approx(16.8e-6)
    assert found["throughput_inferences_per_s"] == pytest.approx(1 / (4 * 16.8e-6))
    # Input enters in a phase of its own, then four phases compute.
    assert latency_cycles(results) == 5 * 5040
    assert found["latency_s"] == pytest.approx(5 * 16.8e-6)
    assert bounded_by(results).startswith(
        "4 steps x 1 phases a step = 4 phases of 5040 fixed cycles"
    )


def test_time_of_two_layers_by_hand() -> None:
    """Layers are a pipeline: the same throughput, one phase more latency."""
    results = simulated(relay(layers=2), tiny_chip(), spike_trace(np.ones((2, 4, 3))))
    assert (results.mapping.schedule.interval, results.mapping.schedule.depth) == (1, 2)
    found = summarise(results)
    assert found["throughput_inferences_per_s"] == pytest.approx(1 / (4 * 16.8e-6))
    assert found["latency_s"] == pytest.approx(6 * 16.8e-6)


def test_time_of_an_adaptive_relay_by_hand() -> None:
    """A phase lasts as long as its work, 10 cycles at most, and 176 to synchronise."""
    chip = tiny_chip("phase.mode=adaptive")
    results = simulated(relay(), chip, spike_trace(np.ones((1, 4, 3))))
    # Phase 0 brings the input in: three packets, a cycle apart, one hop and out: 2 + 5 cycles.
    # Each of the four steps: 3 active axons x 3 synapses x 2 columns = 18 MACs are 2 cycles, then
    # 3 somas of 3 cycles. Packets arrive in cycle 7 of the same phases.
    assert results.counters.phase_cycles.tolist() == [7 + 176, *[11 + 176] * 4]
    mean = (183 + 4 * 187) / 5
    found = summarise(results)
    assert found["throughput_inferences_per_s"] == pytest.approx(300e6 / (4 * mean))
    assert critical_core(results)["cycles"] == 11
    assert "each as long as the slowest core needs" in bounded_by(results)


def test_the_mesh_bounds_where_links_are_slow() -> None:
    chip = tiny_chip("phase.mode=adaptive", "mesh.hop_cycles=500")
    results = simulated(relay(), chip, spike_trace(np.ones((1, 4, 3))))
    assert "each as long as the mesh needs" in bounded_by(results)


@pytest.mark.parametrize("case", range(6))
def test_quantisation_rows(case: int) -> None:
    results = random_run(case)
    rows = summarise(results)["quantisation"]
    for row, loss in zip(rows, results.fixed.losses, strict=False):
        assert (row["projection"], row["quantity"]) == (loss.projection, loss.quantity)
        assert (row["clipped"], row["values"]) == (loss.clipped, loss.values)
    rest = {(row["projection"], row["quantity"]): row for row in rows[len(results.fixed.losses) :]}
    updates = plain.actions(results)["trace_update"].total()
    for population in results.fixed.populations:
        row = rest[population.name, "membrane"]
        assert row["values"] == population.size * 2 * results.network.steps
        assert row["clipped"] == results.activity.saturated[population.name]
    traces = [row for key, row in rest.items() if key[1] == "trace"]
    assert sum(row["values"] for row in traces) == updates


def overflowing() -> Results:
    chip = tiny_chip("core.membrane_bits=16")
    network = relay(decay=1.0, steps=5)
    results = simulated(network, chip, spike_trace(np.ones((1, 5, 3))))
    saturated = {"layer1": 7}
    return replace(results, activity=replace(results.activity, saturated=saturated))


def test_warnings() -> None:
    assert summarise(random_run(0))["warnings"] == []
    assert "7 in layer1" in summarise(overflowing())["warnings"][0]
    assert "beyond 16 bits (saturate)" in summarise(overflowing())["warnings"][0]
    part = summarise(random_run(0, mesh_phases=2))["warnings"]
    assert len(part) == 1
    assert "first 2 of" in part[0]
    late = random_run(3, chip=tiny_chip("mesh.hop_cycles=300", "phase.cycles=600"))
    assert late.counters.overruns
    assert f"{late.counters.overruns} of" in summarise(late)["warnings"][0]
    noted = replace(random_run(0), notes=("a tensor was not used",))
    assert summarise(noted)["warnings"] == ["a tensor was not used"]


def test_a_decay_lost_in_its_bits_is_told() -> None:
    results = simulated(relay(decay=0.999), tiny_chip(), spike_trace(np.ones((1, 4, 3))))
    assert summarise(results)["warnings"] == [
        "layer1: the membrane's decay of 0.999 a step is 1 in 8 bits"
    ]
    wide = tiny_chip("core.decay_bits=16")
    for decay, chip in ((0.999, wide), (1.0, tiny_chip()), (0.0, tiny_chip()), (0.3, tiny_chip())):
        results = simulated(relay(decay=decay), chip, spike_trace(np.ones((1, 4, 3))))
        assert summarise(results)["warnings"] == []
    narrow = tiny_chip("core.trace_decay_bits=2")
    found = [summarise(random_run(case, chip=narrow))["warnings"] for case in range(8)]
    assert any("the trace's decay of 0.95 a step is 1 in 2 bits" in w for ws in found for w in ws)


def constant_paths() -> list[str]:
    """Every constant of the shipped chip, without the items of lists."""
    return [path for path in read_chip("tianjic").constants if "[" not in path]


SI = {"Hz": "Hz", "J": "J", "W": "W", "B": "B", "": ""}


@pytest.mark.parametrize("path", constant_paths())
def test_a_constant_set_on_the_command_line_shows_in_the_report(path: str) -> None:
    """As an override, and among the assumed, with the value and where it comes from."""
    given = read_chip("tianjic").constants[path]
    value = f"{given.value:.12g}{SI[given.unit]}"
    chip = read_chip("tianjic", [f"{path}={value}"])
    results = replace(model_run(), chip=chip)
    results = replace(results, origin=replace(results.origin, overrides=(f"{path}={value}",)))
    found = summarise(results)
    assert found["chip"]["overrides"] == [f"{path}={value}"]
    rows = {row["path"]: row for row in found["assumed"]["constants"]}
    assert rows[path]["source"] == "set on the command line"
    assert rows[path]["value"] == pytest.approx(given.value)
    assert rows[path]["unit"] == given.unit


@cache
def model_run() -> Results:
    chip: Chip = read_chip("tianjic")
    return simulated(relay(), chip, Trace("one", spikes=np.ones((1, 4, 3), np.uint8)))


def test_tiny_overrides_are_among_the_assumed() -> None:
    rows = {row["path"]: row for row in summarise(random_run(0))["assumed"]["constants"]}
    for override in TINY:
        path, value = override.split("=")
        assert rows[path]["value"] == int(value)


@pytest.mark.parametrize("case", range(6))
def test_cores_and_timeline(case: int) -> None:
    results = random_run(case)
    found, arrays = summarise(results), arrays_of(results)
    phases = 2 * results.network.steps * results.mapping.schedule.interval
    for core, piece in zip(found["cores"], results.mapping.slices, strict=True):
        number = results.mapping.placement[piece.index]
        assert (core["core"], core["x"], core["y"]) == (number, number % 9, number // 9)
        tasks = [t for t in results.tasks if t.slice == piece]
        busy = sum(int(t.cycles[g]) for t in tasks for g in range(2 * results.network.steps))
        assert core["busy_cycles_mean"] == pytest.approx(busy / phases)
        assert core["busy_cycles_max"] == max(int(t.end.max()) for t in tasks)
        uses = results.mapping.memory[piece.index]
        assert core["fill"] == max(use.used / use.budget for use in uses)
    rows = arrays["timeline"]
    # Tasks of one core never overlap within the first inference, except across its phases' ends.
    for core in set(rows[:, 0].tolist()):
        mine = sorted((int(r[3]), int(r[3] + r[4])) for r in rows if r[0] == core)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(mine))
    assert len(rows) == len(results.tasks) * results.network.steps
