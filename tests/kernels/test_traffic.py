"""Packets from spikes: the compiled layout beside a plain list of packets."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.kernels import traffic

PORT = 99

Packet = tuple[int, int, int]
"""(injector, cycle, tree)"""


def plain_input(stream: Any, g: int, flows: list[dict[str, int]]) -> list[Packet]:
    """Packets of input step ``g``: a spike each, graded values in groups that changed."""
    now = stream[g]
    before = stream[g - 1] if g > 0 else [0] * len(now)
    trees = []
    for flow in flows:
        neurons = range(flow["first"], flow["first"] + flow["count"])
        if flow["values"] == 0:
            trees += [flow["tree"] for n in neurons if now[n] != 0]
        else:
            groups = [
                neurons[i : i + flow["values"]] for i in range(0, len(neurons), flow["values"])
            ]
            trees += [flow["tree"] for group in groups if any(now[n] != before[n] for n in group)]
    return [(PORT, cycle, tree) for cycle, tree in enumerate(trees)]


def plain_emitter(
    emitter: dict[str, Any], g: int, steps: int, pace: int, spikes: Any
) -> list[Packet]:
    packets = []
    for j in range(emitter["count"]):
        cycle = emitter["begin"][g] + pace * (j + 1)
        for flow in emitter["flows"]:
            heard = flow["first"] <= j < flow["first"] + flow["count"]
            silent = flow["on_spike"] and not spikes[g][emitter["first"] + j]
            waits = flow["last"] and g % steps != steps - 1
            if heard and not silent and not waits:
                packets += [(emitter["injector"], cycle, flow["tree"])] * flow["packets"]
    return packets


def plain_phases(case: dict[str, Any]) -> list[list[Packet]]:
    """Every packet of every phase, in order."""
    samples, steps = case["samples"], case["steps"]
    stream = [
        case["values"][n][min(t, case["forms"] - 1)] for n in range(samples) for t in range(steps)
    ]
    phases: list[list[Packet]] = [[] for _ in range(case["phases"])]
    for g in range(samples * steps):
        start = g * case["interval"]
        if start < len(phases):
            phases[start] += plain_input(stream, g, case["inputs"])
    for emitter in case["emitters"]:
        for g in range(samples * steps):
            phase = 1 + emitter["phase"] + g * case["interval"]
            if phase < len(phases):
                phases[phase] += plain_emitter(emitter, g, steps, case["pace"], case["spikes"])
    return phases


def random_case(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)

    def whole(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    samples, steps, neurons, inputs = whole(1, 3), whole(1, 4), whole(1, 6), whole(1, 7)
    interval, forms = whole(1, 3), int(rng.choice([1, steps]))
    trees = iter(range(1000))

    def run(size: int) -> tuple[int, int]:
        first = whole(0, size - 1)
        return first, whole(1, size - first)

    def flow(size: int) -> dict[str, Any]:
        first, count = run(size)
        spiking = bool(rng.random() < 0.5)
        packets = 1 if spiking else whole(1, 3)
        return {
            "first": first,
            "count": count,
            "on_spike": spiking,
            "last": bool(rng.random() < 0.3),
            "packets": packets,
            "tree": next(trees),
        }

    def emitter() -> dict[str, Any]:
        first, count = run(neurons)
        begin = rng.integers(0, 50, samples * steps).tolist()
        flows = [flow(count) for _ in range(whole(0, 3))]
        head = {"injector": whole(0, 9), "phase": whole(0, 5), "begin": begin}
        return head | {"first": first, "count": count, "flows": flows}

    def entry() -> dict[str, int]:
        first, count = run(inputs)
        return {"first": first, "count": count, "values": whole(0, 3), "tree": next(trees)}

    return {
        "samples": samples,
        "steps": steps,
        "interval": interval,
        "forms": forms,
        "pace": whole(0, 3),
        "spikes": (rng.random((samples * steps, neurons)) < 0.5).astype(np.uint8),
        "values": rng.integers(0, 3, (samples, forms, inputs)).astype(np.int32),
        "emitters": [emitter() for _ in range(whole(0, 4))],
        "inputs": [entry() for _ in range(whole(0, 3))],
        # Sometimes cut short, as --mesh-phases does.
        "phases": whole(0, (samples * steps - 1) * interval + 8),
    }


def ints(values: Any) -> Any:
    return np.array(values, np.int64)


def compiled(case: dict[str, Any], first: int, last: int, room: int) -> tuple[Any, ...]:
    """Run the kernel on the phases ``first .. last-1`` with room for ``room`` packets."""
    emitters, inputs = case["emitters"], case["inputs"]
    flows = [flow for emitter in emitters for flow in emitter["flows"]]
    steps = case["samples"] * case["steps"]
    begin = np.array([e["begin"] for e in emitters], np.int64).reshape(len(emitters), steps)
    arrays = (
        traffic.Emitters(
            ints([e["injector"] for e in emitters]),
            ints([e["phase"] for e in emitters]),
            ints([e["first"] for e in emitters]),
            ints([e["count"] for e in emitters]),
            begin,
            case["pace"],
            ints(np.cumsum([0, *(len(e["flows"]) for e in emitters)])),
        ),
        traffic.Flows(
            *(ints([f[key] for f in flows]) for key in ("first", "count", "tree", "packets")),
            *(np.array([f[key] for f in flows], np.bool_) for key in ("on_spike", "last")),
        ),
        traffic.InputFlows(
            *(ints([f[key] for f in inputs]) for key in ("first", "count", "tree", "values"))
        ),
    )
    out = (np.full(room, -1, np.int32), np.full(room, -1, np.int64), np.full(room, -1, np.int32))
    pointers, sent = np.full(last - first + 1, -1, np.int64), np.zeros(1000, np.int64)
    count = traffic.emit_phases(
        (first, last), case["interval"], case["steps"], PORT, *arrays,
        case["spikes"], case["values"], pointers, out, sent,
    )  # fmt: skip
    return (
        count,
        pointers.tolist(),
        list(zip(*(column.tolist() for column in out), strict=True)),
        sent,
    )


@settings(derandomize=True, deadline=None, max_examples=250)
@given(st.integers(0, 2**32 - 1))
def test_lays_out_every_packet_as_the_plain_list(seed: int) -> None:
    case = random_case(seed)
    expected = plain_phases(case)
    flat = [packet for phase in expected for packet in phase]
    count, pointers, packets, sent = compiled(case, 0, case["phases"], len(flat))
    assert count == len(flat)
    assert pointers == np.cumsum([0, *map(len, expected)]).tolist()
    assert packets == flat
    trees = [tree for _, _, tree in flat]
    assert sent.tolist() == np.bincount(trees, minlength=1000).tolist() if trees else not sent.any()


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_a_window_of_phases_is_a_window_of_the_packets(seed: int, cut: int) -> None:
    case = random_case(seed)
    expected = plain_phases(case)
    first = min(cut, case["phases"])
    flat = [packet for phase in expected[first:] for packet in phase]
    count, pointers, packets, _ = compiled(case, first, case["phases"], len(flat))
    assert (count, packets) == (len(flat), flat)
    assert pointers[0] == 0
    assert pointers[-1] == len(flat)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_counting_writes_nothing_and_counts_the_same(seed: int) -> None:
    case = random_case(seed)
    flat = [packet for phase in plain_phases(case) for packet in phase]
    counted = compiled(case, 0, case["phases"], 0)
    written = compiled(case, 0, case["phases"], len(flat))
    assert counted[0] == written[0] == len(flat)
    assert counted[1] == written[1]
    np.testing.assert_array_equal(counted[3], written[3])


@pytest.mark.parametrize(
    ("form", "values", "expected"),
    [
        ("held graded", [[[5, 0, 0, 7]], [[5, 0, 0, 8]]], [[0, 1], [], [1], []]),
        ("stepwise graded", [[[5, 0, 0, 7], [5, 0, 0, 7]], [[0, 0, 0, 7], [0, 0, 1, 7]]],
         [[0, 1], [], [0], [1]]),
    ],
)  # fmt: skip
def test_graded_input_is_sent_where_it_changed(form: str, values: Any, expected: Any) -> None:
    """Two values a packet; two samples of two steps, worked by hand."""
    inputs = [
        {"first": 0, "count": 2, "values": 2, "tree": 0},
        {"first": 2, "count": 2, "values": 2, "tree": 1},
    ]
    case = {
        "samples": 2, "steps": 2, "interval": 1, "forms": len(values[0]), "pace": 1, "phases": 4,
        "spikes": np.zeros((4, 1), np.uint8), "values": np.array(values, np.int32),
        "emitters": [], "inputs": inputs,
    }  # fmt: skip
    count, pointers, packets, _ = compiled(case, 0, 4, sum(map(len, expected)))
    got = [[tree for _, _, tree in packets[a:b]] for a, b in itertools.pairwise(pointers)]
    assert got == expected
    assert count == sum(map(len, expected))
