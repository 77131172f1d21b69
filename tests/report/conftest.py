"""Example reports: HP net 784-512-10 on 39 cores of a 12 x 13 mesh, and one core alone."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

WIDTH, HEIGHT, STEPS, SAMPLES, CYCLES = 12, 13, 10, 20, 5040
CLOCK = 300e6
PHASES_PER_INFERENCE, DEPTH = 20, 5
PHASES = SAMPLES * PHASES_PER_INFERENCE
INFERENCE_S = PHASES_PER_INFERENCE * CYCLES / CLOCK
ACTIONS = ("sop", "mac", "soma_update", "trace_update", "hop", "active_cycle")
PRICES = {
    "sop": (1.23e-12, "derived", "1.54 pJ per SOP all-in, less soma, hop and leakage"),
    "mac": (1.25e-12, "derived", "1.5625 pJ per MAC all-in, less soma, hop and leakage"),
    "soma_update": (10e-12, "assumed", "split of the all-in figure"),
    "trace_update": (2.1e-12, "assumed", "one MAC, one 16-bit read and write"),
    "hop": (4e-12, "assumed", "by analogy with Loihi, 3 to 4 pJ a hop"),
    "active_cycle": (1.0e-12, "assumed", "split of the all-in figure"),
}

Example = tuple[dict[str, Any], dict[str, np.ndarray]]


def _slices() -> list[tuple[str, str, str, int, int]]:
    hidden = [
        ("hidden", "dendrite", f"hidden[{64 * i}:{64 * i + 64}] <- fc1[{196 * j}:{196 * j + 196}]")
        for i in range(8)
        for j in range(4)
    ]
    somas = [("hidden", "soma", f"hidden[{128 * i}:{128 * i + 128}]") for i in range(4)]
    output = [
        ("output", "dendrite", f"output[0:10] <- fc2[{256 * j}:{256 * j + 256}]") for j in (0, 1)
    ]
    rows = [(*s, 64, 196) for s in hidden] + [(*s, 128, 0) for s in somas]
    return rows + [(*s, 10, 256) for s in output] + [("output", "soma", "output[0:10]", 10, 0)]


def _memory(role: str, neurons: int, fan_in: int) -> dict[str, Any]:
    weights, traces = neurons * fan_in * 2, neurons * fan_in * 2
    items = {"weights": weights, "traces": traces} if fan_in else {}
    return {
        "synapse": {"used_bytes": weights + traces, "budget_bytes": 65536, "items": items},
        "axon": {"used_bytes": fan_in * 2, "budget_bytes": 1024, "items": {"activity": fan_in * 2}},
        "soma": {
            "used_bytes": neurons * (12 if role == "soma" else 4),
            "budget_bytes": 3072,
            "items": {"sums": neurons * 4, **({"membrane": neurons * 8} if role == "soma" else {})},
        },
    }


def _core_rows(rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for i, (population, role, text, neurons, fan_in) in enumerate(_slices()):
        x, y = 2 + i % 7, 3 + i // 7
        memory = _memory(role, neurons, fan_in)
        peak = int(neurons * fan_in * 4 / 16 * 1.3 + 3 * neurons) if fan_in else 9 * neurons
        rows.append(
            {
                "core": y * WIDTH + x,
                "x": x,
                "y": y,
                "population": population,
                "role": role,
                "slice": text,
                "neurons": neurons,
                "fan_in": fan_in,
                "memory": memory,
                "fill": max(m["used_bytes"] / m["budget_bytes"] for m in memory.values()),
                "busy_cycles_mean": peak * rng.uniform(0.3, 0.6),
                "busy_cycles_max": peak - int(rng.integers(0, 400)),
                "energy_per_inference_j": 0.0,
            }
        )
    return rows


def _traffic(rows: list[dict[str, Any]], rng: np.random.Generator) -> np.ndarray:
    cores = WIDTH * HEIGHT
    matrix = np.zeros((cores, cores), np.int64)
    index = [row["core"] for row in rows]
    for i in range(32):
        matrix[0, index[i]] = 196 * SAMPLES
        matrix[index[i], index[32 + i // 8]] = 64 * STEPS * SAMPLES
        matrix[index[32 + i // 8], index[i]] = 64 * STEPS * SAMPLES
    for soma in range(4):
        matrix[index[32 + soma], index[36 + soma // 2]] = (
            int(rng.integers(800, 1500)) * SAMPLES // 10
        )
    for dendrite in (36, 37):
        matrix[index[dendrite], index[38]] = 10 * STEPS * SAMPLES
        matrix[index[38], index[dendrite]] = 10 * STEPS * SAMPLES
    return matrix


def _link_flits(matrix: np.ndarray) -> np.ndarray:
    """XY unicast: every packet goes along x, then along y, then into the core."""
    flits = np.zeros((WIDTH * HEIGHT, 5), np.int64)
    for source, target in np.argwhere(matrix):
        x, y = source % WIDTH, source // WIDTH
        while (x, y) != (target % WIDTH, target // WIDTH):
            dx, dy = target % WIDTH - x, target // WIDTH - y
            port = (0 if dx > 0 else 1) if dx else (2 if dy > 0 else 3)
            flits[y * WIDTH + x, port] += matrix[source, target]
            x, y = x + (port == 0) - (port == 1), y + (port == 2) - (port == 3)
        flits[target, 4] += matrix[source, target]
    return flits


def _timeline(rows: list[dict[str, Any]], rng: np.random.Generator) -> np.ndarray:
    tasks = []
    for row in rows:
        offset = {"hidden": 0, "output": 2}[row["population"]] + (row["role"] == "soma")
        for step in range(STEPS):
            phase = offset + 2 * step
            cycles = int(row["busy_cycles_mean"] * rng.uniform(0.8, 1.2))
            code = 1 if row["role"] == "soma" else 0
            tasks.append((row["core"], code, phase, phase * CYCLES, cycles))
            if row["role"] == "dendrite":
                tasks.append((row["core"], 2, phase + 1, (phase + 1) * CYCLES + 900, cycles // 2))
    return np.array(tasks, np.int64)


def make_example() -> Example:
    """Return summary and arrays that agree with each other, the same ones every time."""
    rng = np.random.default_rng(7)
    rows = _core_rows(rng)
    matrix = _traffic(rows, rng)
    flits = _link_flits(matrix)
    actions = np.zeros((WIDTH * HEIGHT, len(ACTIONS)), np.int64)
    for row in rows:
        synapses = row["neurons"] * row["fan_in"] * STEPS * SAMPLES
        graded = row["population"] == "hidden"
        actions[row["core"]] = (
            0 if graded else synapses // 6,
            synapses // 5 if graded else 0,
            row["neurons"] * STEPS * SAMPLES * (row["role"] == "soma"),
            synapses,
            flits[row["core"], :4].sum(),
            row["busy_cycles_mean"] * PHASES,
        )
    for core in set(range(WIDTH * HEIGHT)) - {row["core"] for row in rows}:
        actions[core, ACTIONS.index("hop")] = flits[core, :4].sum()
    price = np.array([PRICES[name][0] for name in ACTIONS])
    energy = actions @ price
    for row in rows:
        row["energy_per_inference_j"] = float(energy[row["core"]] / SAMPLES)
    arrays: dict[str, np.ndarray] = {
        "link_flits": flits,
        "traffic_matrix": matrix,
        "core_actions": actions,
        "action_names": np.array(ACTIONS),
        "core_busy_cycles": actions[:, -1].astype(float),
        "core_energy_j": energy,
        "phase_drain_cycles": rng.integers(400, 2600, PHASES)
        + np.tile(np.r_[np.full(1, 1800), np.zeros(PHASES_PER_INFERENCE - 1, int)], SAMPLES),
        "raster_hidden": rng.random((STEPS, 512))
        < rng.beta(0.6, 4, 512) * np.linspace(0.4, 1.2, STEPS)[:, None],
        "raster_output": rng.random((STEPS, 10)) < np.eye(10)[7] * 0.8 + 0.04,
        "timeline": _timeline(rows, rng),
    }
    return _summary(rows, arrays), arrays


def _by_action(actions: np.ndarray) -> dict[str, dict[str, Any]]:
    spread = {"published": 0.0, "derived": 0.1, "assumed": 0.4}
    table = {}
    for name, total in zip(ACTIONS, actions.sum(axis=0) / SAMPLES, strict=True):
        price, mark, source = PRICES[name]
        value = float(total * price)
        table[name] = {
            "count_per_inference": float(total),
            "price_j": price,
            "value_j": value,
            "low_j": value * (1 - spread[mark]),
            "high_j": value * (1 + spread[mark]),
            "mark": mark,
            "source": source,
        }
    static = {"value_j": 0.1 * INFERENCE_S, "low_j": 0.0, "high_j": 0.15 * INFERENCE_S}
    source = "bounded by 0.15 W: Zhao 2022, ANN tracker, 272 uJ at 541 FPS"
    table["static"] = {"count_per_inference": INFERENCE_S, "price_j": 0.1, **static}
    table["static"] |= {"mark": "assumed", "source": source}
    return table


def _by_layer(rows: list[dict[str, Any]], by_action: dict[str, Any]) -> dict[str, dict[str, float]]:
    static, hop = by_action["static"], by_action["hop"]
    layers = {"mesh": {k: hop[k] for k in ("value_j", "low_j", "high_j")}}
    layers["static"] = {k: static[k] for k in ("value_j", "low_j", "high_j")}
    rest = {k: sum(a[k] for a in by_action.values()) - hop[k] - static[k] for k in layers["mesh"]}
    weight = {"hidden": 0.985, "output": 0.015}
    return {name: {k: w * v for k, v in rest.items()} for name, w in weight.items()} | layers


def _total(by_action: dict[str, Any], scale: float) -> dict[str, float]:
    sums = {k: sum(a[f"{k}_j"] for a in by_action.values()) for k in ("value", "low", "high")}
    return {k: v * scale for k, v in sums.items()}


def _hottest(load: np.ndarray) -> str:
    router, port = np.unravel_index(load.argmax(), load.shape)
    x, y = router % WIDTH, router // WIDTH
    dx, dy = ((1, 0), (-1, 0), (0, 1), (0, -1))[port]
    return f"({x},{y})->({x + dx},{y + dy})"


def _summary(rows: list[dict[str, Any]], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    by_action = _by_action(arrays["core_actions"])
    packets = int(arrays["traffic_matrix"].sum())
    hops = int(arrays["link_flits"][:, :4].sum())
    load = arrays["link_flits"][:, :4] / (PHASES * CYCLES)
    total = _total(by_action, 1.0)["value"]
    critical = max(rows, key=lambda row: row["busy_cycles_max"])
    constants = [
        {
            "path": f"energy.{name}",
            "value": action["price_j"],
            "unit": "J",
            "source": action["source"],
            "energy_share": action["value_j"] / total,
        }
        for name, action in by_action.items()
        if action["mark"] == "assumed" and name != "static"
    ]
    constants += [
        {
            "path": "static_power",
            "value": 0.1,
            "unit": "W",
            "source": by_action["static"]["source"],
            "energy_share": by_action["static"]["value_j"] / total,
        },
        {
            "path": "mesh.width",
            "value": 12.0,
            "unit": "",
            "source": "the only near-square factoring of 156",
            "energy_share": 0.0,
        },
    ]
    return {
        "schema": 1,
        "chipsim_version": "0.1.0",
        "model": {
            "name": "hp_mnist",
            "file": "models/hp_mnist.pt",
            "neurons": 522,
            "synapses": 406528,
            "steps": STEPS,
            "populations": [
                {"name": "input", "neurons": 784, "model": "graded input"},
                {"name": "hidden", "neurons": 512, "model": "LIF"},
                {"name": "output", "neurons": 10, "model": "LIF"},
            ],
            "projections": [
                {
                    "name": "fc1",
                    "source": "input",
                    "target": "hidden",
                    "synapses": 401408,
                    "plasticity": "hp",
                },
                {
                    "name": "fc2",
                    "source": "hidden",
                    "target": "output",
                    "synapses": 5120,
                    "plasticity": "hp",
                },
            ],
        },
        "chip": {
            "name": "tianjic",
            "file": "chipsim/chips/tianjic.yaml",
            "overrides": ["core.weight_bits=16"],
            "width": WIDTH,
            "height": HEIGHT,
            "cores": WIDTH * HEIGHT,
            "clock_hz": CLOCK,
            "phase_s": CYCLES / CLOCK,
            "weight_bits": 16,
        },
        "trace": {"name": "mnist_test_20", "samples": SAMPLES, "labels": True},
        "plasticity": "running",
        "fits": True,
        "cores_used": len(rows),
        "cores_available": WIDTH * HEIGHT,
        "cores": rows,
        "why_cores": [
            "hidden: 784 axons exceed the 256 of a core: 4 axon groups of 196",
            "hidden: 16-bit weights and traces take 4 of 256 native columns: 64 neurons a core",
            "hidden: 32 dendrite cores send partial sums to 4 soma cores",
            "output: 512 axons: 2 dendrite cores and 1 soma core",
        ],
        "schedule": {
            "phases_per_step": 2,
            "steps": STEPS,
            "phases_per_inference": PHASES_PER_INFERENCE,
            "depth_phases": DEPTH,
            "why": [
                "running plasticity sends the post factor back between steps: 2 phases a step",
                "partial sums cost a phase in hidden and in output: 5 phases deep",
            ],
        },
        "quantisation": [
            {
                "projection": name,
                "quantity": quantity,
                "bits": 16,
                "format": form,
                "lsb": lsb,
                "clipped": clipped,
                "values": values,
                "sqnr_db": sqnr,
            }
            for name, quantity, form, lsb, clipped, values, sqnr in (
                ("fc1", "weight", "Q0.15", 2.0**-15, 0, 401408, 78.4),
                ("fc1", "trace", "Q2.13", 2.0**-13, 0, 401408, None),
                ("fc2", "weight", "Q0.15", 2.0**-15, 3, 5120, 81.0),
                ("fc2", "trace", "Q2.13", 2.0**-13, 0, 5120, None),
            )
        ],
        "accuracy": {"float": 1.0, "chip": 0.95, "agreement": 0.95},
        "energy_per_inference_j": _total(by_action, 1.0),
        "energy_per_step_j": _total(by_action, 1 / STEPS),
        "energy_by_action": by_action,
        "energy_by_layer": _by_layer(rows, by_action),
        "power_w": _total(by_action, 1 / INFERENCE_S),
        "assumed": {
            "energy_share": sum(a["value_j"] for a in by_action.values() if a["mark"] == "assumed")
            / total,
            "constants": constants,
        },
        "throughput_inferences_per_s": 1 / INFERENCE_S,
        "latency_s": (PHASES_PER_INFERENCE - 2 + DEPTH) * CYCLES / CLOCK,
        "early_exit": {"mean_steps": None, "inferences_per_s": None},
        "bounded_by": "the fixed phase of 5,040 cycles (16.8 us) and 2 phases a step; the fullest "
        f"core needs {critical['busy_cycles_max'] / CYCLES:.0%} of it",
        "critical_core": {
            "core": critical["core"],
            "slice": critical["slice"],
            "task": "learn",
            "cycles": critical["busy_cycles_max"],
            "sample": 3,
            "step": 7,
        },
        "synaptic_events_per_inference": float(arrays["core_actions"][:, :2].sum() / SAMPLES),
        "spikes_per_inference": {"hidden": 456.35, "output": 9.4},
        "traffic": {
            "packets": packets,
            "deliveries": packets,
            "hops": hops,
            "by_kind": {
                "input": {"packets": 32 * 196 * SAMPLES, "hops": hops // 4},
                "sum": {"packets": 32 * 64 * STEPS * SAMPLES, "hops": hops // 3},
                "post": {"packets": 32 * 64 * STEPS * SAMPLES, "hops": hops // 3},
                "spike": {"packets": 9127, "hops": hops - hops // 4 - 2 * (hops // 3)},
            },
            "max_link_load": float(load.max()),
            "mean_link_load": float(load.sum() / 574),
            "hottest_link": _hottest(load),
            "mean_latency_cycles": 31.7,
            "max_latency_cycles": 1180,
            "overruns": 0,
            "simulated_phases": PHASES,
            "packets_per_inference": packets / SAMPLES,
            "hops_per_inference": hops / SAMPLES,
        },
        "neurobench": {
            "footprint_bytes": 3_281_504,
            "connection_sparsity": 0.012,
            "activation_sparsity": {"hidden": 0.911, "output": 0.906},
            "synaptic_operations": {
                "effective_macs": 802816.0,
                "effective_acs": 4563.5,
                "dense": 4065280.0,
            },
            "membrane_updates": 5220.0,
        },
        "warnings": ["models/hp_mnist.yaml: reset order not given, before_leak assumed"],
    }


def make_single_core() -> Example:
    """Return a one-core chip without spikes, packets, energy, labels or rasters."""
    summary, _ = make_example()
    row = summary["cores"][-1] | {"core": 0, "x": 0, "y": 0, "role": "whole"}
    row |= {"busy_cycles_mean": 0.0, "busy_cycles_max": 0, "energy_per_inference_j": 0.0}
    nothing = {"value": 0.0, "low": 0.0, "high": 0.0}
    nothing_j = {f"{k}_j": 0.0 for k in nothing}
    summary["chip"] |= {"width": 1, "height": 1, "cores": 1}
    summary |= {"cores": [row], "cores_used": 1, "cores_available": 1}
    summary["critical_core"] |= {"core": 0, "cycles": 0}
    summary |= {"energy_per_inference_j": nothing, "energy_per_step_j": nothing, "power_w": nothing}
    for action in summary["energy_by_action"].values():
        action |= nothing_j | {"count_per_inference": 0.0}
    summary["energy_by_layer"] = dict.fromkeys(("output", "mesh", "static"), nothing_j)
    summary["accuracy"] = {"float": None, "chip": None, "agreement": None}
    summary["trace"]["labels"] = False
    summary["assumed"] = {"energy_share": 0.0, "constants": []}
    summary["traffic"] |= dict.fromkeys(("packets", "deliveries", "hops"), 0)
    summary["traffic"] |= {"by_kind": {}, "max_link_load": 0.0, "mean_link_load": 0.0}
    summary["traffic"] |= {"packets_per_inference": 0.0, "hops_per_inference": 0.0}
    summary["traffic"] |= {"hottest_link": None, "mean_latency_cycles": None}
    summary["traffic"] |= {"max_latency_cycles": None, "simulated_phases": 0}
    summary["quantisation"] = []
    summary["warnings"] = []
    arrays = {
        "link_flits": np.zeros((1, 5), np.int64),
        "traffic_matrix": np.zeros((1, 1), np.int64),
        "core_actions": np.zeros((1, len(ACTIONS)), np.int64),
        "action_names": np.array(ACTIONS),
        "core_busy_cycles": np.zeros(1),
        "core_energy_j": np.zeros(1),
        "phase_drain_cycles": np.zeros(0, np.int64),
        "timeline": np.zeros((0, 5), np.int64),
    }
    return summary, arrays


_EXAMPLE, _SINGLE_CORE = make_example(), make_single_core()


@pytest.fixture
def example() -> Example:
    """A fresh 39-core example."""
    return deepcopy(_EXAMPLE)


@pytest.fixture
def single_core() -> Example:
    """A fresh single-core example."""
    return deepcopy(_SINGLE_CORE)
