"""From results to ``report.json``: every figure a report shows, as plain data (docs/report.md)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import chipsim
from chipsim.energy.amount import Amount
from chipsim.energy.price import STATIC
from chipsim.mapping.model import INPUT_PORT, Slice
from chipsim.network import LIF, Input, Population
from chipsim.report.bounds import bounded_by, critical_core, latency_cycles
from chipsim.report.schema import SCHEMA
from chipsim.results import Results
from chipsim.simulate.counters import ACTIONS
from chipsim.simulate.samples import classes
from chipsim.simulate.traffic import flits_by_link

LINK_NAMES = ((1, 0), (-1, 0), (0, 1), (0, -1))


def summarise(results: Results) -> dict[str, Any]:
    """Return the report of a run; every value is an integer, float, text, flag, list or None."""
    return {
        "schema": SCHEMA,
        "chipsim_version": chipsim.__version__,
        "model": _model(results),
        "chip": _chip(results),
        "trace": {
            "name": results.origin.trace,
            "samples": results.counters.samples,
            "labels": results.labels is not None,
        },
        "plasticity": results.mapping.plasticity,
        "fits": True,
        "cores_used": len(results.mapping.slices),
        "cores_available": results.chip.cores,
        "cores": [_core(results, part) for part in results.mapping.slices],
        "why_cores": list(results.mapping.reasons),
        "schedule": _schedule(results),
        "quantisation": _quantisation(results),
        "accuracy": _accuracy(results),
        **_energy(results),
        **_time(results),
        "synaptic_events_per_inference": _per_inference(results, results.counters.synaptic_events),
        "spikes_per_inference": _spikes(results),
        "traffic": _traffic(results),
        "neurobench": _neurobench(results),
        "warnings": _warnings(results),
    }


def phase_seconds(results: Results) -> float:
    """Mean length of a phase in seconds."""
    return float(results.counters.phase_cycles.mean()) / results.chip.clock_hz


def phases_per_inference(results: Results) -> int:
    """Phases between two inferences."""
    return results.network.steps * results.mapping.schedule.interval


def _per_inference(results: Results, total: float) -> float:
    return float(total) / results.counters.samples


def _kind(population: Population) -> str:
    model = population.model
    return f"input, {model.kind}" if isinstance(model, Input) else "LIF"


def _model(results: Results) -> dict[str, Any]:
    network = results.network
    return {
        "name": network.name,
        "file": results.origin.model,
        "neurons": sum(p.size for p in results.fixed.populations),
        "synapses": sum(p.weight.size for p in network.projections),
        "steps": network.steps,
        "populations": [
            {"name": p.name, "neurons": p.size, "model": _kind(p)} for p in network.populations
        ],
        "projections": [
            {
                "name": p.name,
                "source": p.source,
                "target": p.target,
                "synapses": p.weight.size,
                "plasticity": "hp" if p.plasticity else None,
            }
            for p in network.projections
        ],
    }


def _chip(results: Results) -> dict[str, Any]:
    chip = results.chip
    return {
        "name": chip.name,
        "file": results.origin.chip,
        "overrides": list(results.origin.overrides),
        "width": chip.mesh.width,
        "height": chip.mesh.height,
        "cores": chip.cores,
        "clock_hz": chip.clock_hz,
        "phase_s": phase_seconds(results),
        "weight_bits": chip.core.arithmetic.weight_bits,
    }


def core_busy_cycles(results: Results) -> NDArray[np.int64]:
    """Return the cycles each core worked in the whole run, shape ``(cores,)``."""
    busy = np.zeros(results.chip.cores, np.int64)
    for timed in results.tasks:
        busy[results.mapping.placement[timed.slice.index]] += int(timed.cycles.sum())
    return busy


def _core(results: Results, part: Slice) -> dict[str, Any]:
    core = results.mapping.placement[part.index]
    width = results.chip.mesh.width
    memory = results.mapping.memory[part.index]
    ends = [t.end for t in results.tasks if t.slice.index == part.index]
    phases = results.counters.samples * phases_per_inference(results)
    axons = ", ".join(f"{a.projection}[{a.first}:{a.first + a.count}]" for a in part.axons)
    neurons = f"{part.population}[{part.first}:{part.first + part.count}]"
    return {
        "core": core,
        "x": core % width,
        "y": core // width,
        "population": part.population,
        "role": part.role,
        "slice": f"{neurons} <- {axons}" if axons else neurons,
        "neurons": part.count,
        "fan_in": part.fan_in,
        "memory": {
            use.memory: {
                "used_bytes": use.used,
                "budget_bytes": use.budget,
                "items": dict(use.items),
            }
            for use in memory
        },
        "fill": max((use.used / use.budget for use in memory if use.budget), default=0.0),
        "busy_cycles_mean": float(core_busy_cycles(results)[core]) / phases,
        "busy_cycles_max": int(max((end.max(initial=0) for end in ends), default=0)),
        "energy_per_inference_j": _per_inference(results, results.bill.by_core[core]),
    }


def _schedule(results: Results) -> dict[str, Any]:
    schedule = results.mapping.schedule
    return {
        "phases_per_step": schedule.interval,
        "steps": results.network.steps,
        "phases_per_inference": phases_per_inference(results),
        "depth_phases": schedule.depth,
        "why": list(schedule.reasons),
    }


def _quantisation(results: Results) -> list[dict[str, Any]]:
    rows = [
        {
            "projection": loss.projection,
            "quantity": loss.quantity,
            "bits": loss.fmt.bits,
            "format": loss.fmt.name,
            "lsb": loss.fmt.lsb,
            "clipped": loss.clipped,
            "values": loss.values,
            "sqnr_db": loss.snr_db,
        }
        for loss in results.fixed.losses
    ]
    steps = results.counters.samples * results.counters.steps
    rows += [
        _on_chip(
            population.name,
            "membrane",
            population.membrane_format,
            results.activity.saturated[population.name],
            population.size * steps,
        )
        for population in results.fixed.populations
    ]
    for projection in results.fixed.projections:
        if projection.plasticity:
            clamped = results.activity.clamped[projection.name]
            fmt = projection.plasticity.trace_format
            updates = _trace_updates(results, projection.name)
            rows.append(_on_chip(projection.name, "trace", fmt, clamped, updates))
    return rows


def _trace_updates(results: Results, projection: str) -> int:
    """Return how many traces of a projection were given a change."""
    learning = results.activity.learning.sum(axis=(0, 1), dtype=np.int64)
    return sum(
        int(learning[index]) * run.slice.count
        for index, run in enumerate(results.activity.runs)
        if run.projection.name == projection
    )


def _on_chip(name: str, quantity: str, fmt: Any, clipped: int, values: int) -> dict[str, Any]:
    """Return a row for a state that only exists on the chip: overflows, not rounding loss."""
    return {
        "projection": name,
        "quantity": quantity,
        "bits": fmt.bits,
        "format": fmt.name,
        "lsb": fmt.lsb,
        "clipped": clipped,
        "values": values,
        "sqnr_db": None,
    }


def _accuracy(results: Results) -> dict[str, float | None]:
    network = results.network
    chip = classes(results.activity.answers, network.readout, network.readout_kind)
    accuracy: dict[str, float | None] = {"float": None, "chip": None, "agreement": None}
    if results.labels is not None:
        accuracy["chip"] = float(np.mean(chip == results.labels))
    if results.reference is not None:
        ideal = classes(results.reference, network.readout, network.readout_kind)
        accuracy["agreement"] = float(np.mean(ideal == chip))
        if results.labels is not None:
            accuracy["float"] = float(np.mean(ideal == results.labels))
    return accuracy


def _energy(results: Results) -> dict[str, Any]:
    bill, samples = results.bill, results.counters.samples
    per_inference = bill.total.times(1 / samples)
    seconds = phases_per_inference(results) * phase_seconds(results)
    totals = dict(zip(ACTIONS, results.counters.by_core.sum(axis=0), strict=True))
    totals[STATIC] = results.counters.total_cycles / results.chip.clock_hz
    constants = {**results.chip.prices, STATIC: results.chip.static_power}
    return {
        "energy_per_inference_j": per_inference.as_dict(),
        "energy_per_step_j": per_inference.times(1 / results.network.steps).as_dict(),
        "power_w": per_inference.times(1 / seconds).as_dict(),
        "energy_by_action": {
            action: {
                "count_per_inference": float(totals[action]) / samples,
                "price_j": constants[action].value,
                "mark": constants[action].mark,
                "source": constants[action].source,
                **_joules(amount.times(1 / samples)),
            }
            for action, amount in bill.by_action.items()
        },
        "energy_by_layer": {
            layer: _joules(amount.times(1 / samples)) for layer, amount in bill.by_layer.items()
        },
        "assumed": {
            "energy_share": bill.assumed_share,
            "constants": [
                {
                    "path": path,
                    "value": constant.value,
                    "unit": constant.unit,
                    "source": constant.source,
                    "energy_share": bill.shares.get(path, 0.0),
                }
                for path, constant in sorted(results.chip.constants.items())
                if constant.mark == "assumed"
            ],
        },
    }


def _joules(amount: Amount) -> dict[str, float]:
    return {"value_j": amount.value, "low_j": amount.low, "high_j": amount.high}


def _time(results: Results) -> dict[str, Any]:
    phase = phase_seconds(results)
    return {
        "throughput_inferences_per_s": 1.0 / (phases_per_inference(results) * phase),
        "latency_s": latency_cycles(results) / results.chip.clock_hz,
        "bounded_by": bounded_by(results),
        "critical_core": critical_core(results),
    }


def _spikes(results: Results) -> dict[str, float]:
    answers = results.activity.answers
    return {
        name: _per_inference(results, answers.of(name).sum(dtype=np.int64))
        for name in answers.populations
    }


def _traffic(results: Results) -> dict[str, Any]:
    mesh, counters = results.mesh, results.counters
    flits = flits_by_link(mesh.packets, mesh.trees)
    hops_by_flow = mesh.packets * _bits(mesh.trees).sum(axis=1)
    by_kind: dict[str, dict[str, int]] = {}
    for flow, packets, hops in zip(results.mapping.flows, mesh.packets, hops_by_flow, strict=True):
        kind = by_kind.setdefault(flow.kind, {"packets": 0, "hops": 0})
        kind["packets"] += int(packets)
        kind["hops"] += int(hops)
    cycles = float(counters.phase_cycles.mean()) * mesh.phases
    links = flits[:, :4]
    used = np.count_nonzero(links)
    return {
        "packets": int(mesh.packets.sum()),
        "deliveries": int(flits[:, 4].sum()),
        "hops": int(hops_by_flow.sum()),
        "packets_per_inference": _per_inference(results, int(mesh.packets.sum())),
        "hops_per_inference": _per_inference(results, int(hops_by_flow.sum())),
        "by_kind": by_kind,
        "max_link_load": float(links.max(initial=0)) / cycles,
        "mean_link_load": float(links.sum()) / used / cycles if used else 0.0,
        "hottest_link": _hottest(links, results.chip.mesh.width),
        "mean_latency_cycles": mesh.latency_sum / mesh.deliveries if mesh.deliveries else None,
        "max_latency_cycles": mesh.latency_max if mesh.deliveries else None,
        "overruns": counters.overruns,
        "simulated_phases": mesh.simulated,
    }


def _bits(trees: NDArray[np.uint8]) -> NDArray[np.int64]:
    return sum(((trees >> port) & 1).astype(np.int64) for port in range(5))  # type: ignore[return-value]


def _hottest(links: NDArray[np.int64], width: int) -> str | None:
    if not links.any():
        return None
    router, port = divmod(int(np.argmax(links)), 4)
    x, y = router % width, router // width
    return f"({x},{y})->({x + LINK_NAMES[port][0]},{y + LINK_NAMES[port][1]})"


def _neurobench(results: Results) -> dict[str, Any]:
    answers, samples = results.activity.answers, results.counters.samples
    graded = {p.name for p in results.fixed.inputs if p.kind == "graded"}
    active = results.activity.active.sum(axis=(0, 1), dtype=np.int64)
    macs = acs = 0
    for index, run in enumerate(results.activity.runs):
        events = int(active[index]) * run.slice.count
        macs += events if run.projection.source in graded else 0
        acs += events if run.projection.source not in graded else 0
    weights = [p.weight for p in results.fixed.projections]
    zeros = sum(int((w == 0).sum()) for w in weights)
    synapses = sum(w.size for w in weights)
    return {
        "footprint_bytes": sum(u.used for memory in results.mapping.memory for u in memory),
        "connection_sparsity": zeros / synapses,
        "activation_sparsity": {
            name: 1.0 - float(answers.of(name).mean()) for name in answers.populations
        },
        "synaptic_operations": {
            "effective_macs": macs / samples,
            "effective_acs": acs / samples,
            "dense": float(synapses * results.network.steps),
        },
        "membrane_updates": float(
            sum(p.size for p in results.fixed.populations) * results.network.steps
        ),
    }


def _warnings(results: Results) -> list[str]:
    warnings = list(results.notes)
    counters, mesh = results.counters, results.mesh
    if counters.overruns:
        warnings.append(
            f"{counters.overruns} of {mesh.simulated} phases overran: a core or a packet was not "
            f"done {results.chip.phase.sync_cycles} cycles before the phase's end; on the real "
            "chip results would differ"
        )
    if mesh.simulated < mesh.phases:
        warnings.append(
            f"latencies and overruns are from the first {mesh.simulated} of {mesh.phases} phases; "
            "packets, hops and link loads are from all"
        )
    warnings += _lost_decays(results)
    overflows = {name: n for name, n in results.activity.saturated.items() if n}
    if overflows:
        arithmetic = results.chip.core.arithmetic
        named = ", ".join(f"{n} in {name}" for name, n in overflows.items())
        warnings.append(
            f"membrane updates beyond {arithmetic.membrane_bits} bits ({arithmetic.overflow}): "
            + named
        )
    return warnings


def _lost_decays(results: Results) -> list[str]:
    """Say which decays became 0 or 1, and so something else, for want of bits."""
    network, fixed = results.network, results.fixed
    arithmetic = results.chip.core.arithmetic
    held = [
        (p.name, "membrane", model.decay, p.decay / 2**p.decay_bits, arithmetic.decay_bits)
        for p in fixed.populations
        if isinstance(model := network.population(p.name).model, LIF)
    ]
    rules = {p.name: p.plasticity for p in network.projections}
    held += [
        (p.name, "trace", rule.rho, p.plasticity.decay / 2**p.plasticity.decay_bits,
         arithmetic.trace_decay_bits)
        for p in fixed.projections
        if p.plasticity is not None and (rule := rules[p.name]) is not None
    ]  # fmt: skip
    return [
        f"{name}: the {kind}'s decay of {ideal:g} a step is {got:g} in {bits} bits"
        for name, kind, ideal, got, bits in held
        if got != ideal and got in (0.0, 1.0)
    ]


def arrays_of(results: Results) -> dict[str, NDArray[Any]]:
    """Return the arrays that go with a report: counters by core and link, rasters, timeline."""
    answers = results.activity.answers
    arrays: dict[str, NDArray[Any]] = {
        "link_flits": flits_by_link(results.mesh.packets, results.mesh.trees),
        "traffic_matrix": _traffic_matrix(results),
        "core_actions": results.counters.by_core,
        "action_names": np.array(ACTIONS),
        "core_busy_cycles": core_busy_cycles(results),
        "core_energy_j": results.bill.by_core,
        "phase_drain_cycles": results.mesh.last_arrival,
        "timeline": _timeline(results),
    }
    for name in answers.populations:
        arrays[f"raster_{name}"] = answers.of(name)[0].astype(np.bool_)
    return arrays


def _traffic_matrix(results: Results) -> NDArray[np.int64]:
    """Packets from core to core; what enters by the input port counts as its router's."""
    mesh, placement = results.chip.mesh, results.mapping.placement
    io = mesh.io[1] * mesh.width + mesh.io[0]
    matrix = np.zeros((results.chip.cores, results.chip.cores), np.int64)
    for flow, packets in zip(results.mapping.flows, results.mesh.packets, strict=True):
        source = io if flow.source == INPUT_PORT else placement[flow.source]
        for target in flow.targets:
            matrix[source, placement[target]] += packets
    return matrix


_TASK_CODES = {"integrate": 0, "soma": 1, "learn": 2}


def _timeline(results: Results) -> NDArray[np.int64]:
    """Rows (core, task, phase, start cycle since the inference began, cycles) of sample 0."""
    interval, steps = results.mapping.schedule.interval, results.network.steps
    begins = np.concatenate([[0], np.cumsum(results.counters.phase_cycles)])
    rows = []
    for timed in results.tasks:
        core = results.mapping.placement[timed.slice.index]
        for t in range(steps):
            phase = 1 + timed.task.offset + t * interval
            if phase >= len(begins):
                continue
            start = int(begins[phase] + timed.start[t])
            rows.append((core, _TASK_CODES[timed.task.kind], phase, start, int(timed.cycles[t])))
    return np.array(sorted(rows), np.int64).reshape(-1, 5)
