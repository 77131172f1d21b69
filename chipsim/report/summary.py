"""From results to ``report.json``: every figure a report shows, as plain data (docs/report.md)."""

from __future__ import annotations

from typing import Any

import numpy as np

import chipsim
from chipsim.mapping.model import Slice
from chipsim.mapping.schedule import phases_with_early_exit
from chipsim.network import Graded, Input, Population
from chipsim.report.arrays import core_busy_cycles
from chipsim.report.bounds import bounded_by, critical_core, latency_cycles
from chipsim.report.early_exit import early_exit
from chipsim.report.schema import SCHEMA
from chipsim.report.summary_energy import energy
from chipsim.report.summary_memory import memory_use
from chipsim.report.summary_quantisation import lost_decays, quantisation
from chipsim.report.summary_traffic import traffic
from chipsim.results import Results
from chipsim.simulate.samples import classes


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
        "cores_available": results.chip.mesh.built_cores,
        "cores": [_core(results, part) for part in results.mapping.slices],
        "why_cores": list(results.mapping.reasons),
        "schedule": _schedule(results),
        "quantisation": quantisation(results),
        "accuracy": _accuracy(results),
        **energy(results),
        **_time(results),
        "early_exit": early_exit(
            results.network, results.activity.answers, lambda step: _seconds(results, step)
        ),
        "synaptic_events_per_inference": results.per_inference(results.counters.synaptic_events),
        "spikes_per_inference": _spikes(results),
        "traffic": traffic(results),
        "neurobench": _neurobench(results),
        "warnings": _warnings(results),
    }


def _model(results: Results) -> dict[str, Any]:
    network = results.network
    return {
        "name": network.name,
        "file": results.origin.model,
        "neurons": sum(p.size for p in results.fixed.populations),
        "synapses": sum(p.synapses for p in network.projections),
        "steps": network.steps,
        "populations": [
            {"name": p.name, "neurons": p.size, "model": _kind(p)} for p in network.populations
        ],
        "projections": [
            {
                "name": p.name,
                "source": p.source,
                "target": p.target,
                "synapses": p.synapses,
                "plasticity": "hp" if p.plasticity else None,
            }
            for p in network.projections
        ],
    }


def _kind(population: Population) -> str:
    model = population.model
    if isinstance(model, Input):
        return f"input, {model.kind}"
    if isinstance(model, Graded):
        return f"graded, {model.activation}"
    return "ALIF" if model.adaptation else "LIF"


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
        "phase_s": results.phase_seconds,
        "weight_bits": chip.core.arithmetic.weight_bits,
    }


def _core(results: Results, part: Slice) -> dict[str, Any]:
    core = results.mapping.placement[part.index]
    width, router = results.chip.mesh.width, results.chip.mesh.router_of(core)
    memory = results.mapping.memory[part.index]
    ends = [t.end for t in results.tasks if t.slice.index == part.index]
    phases = results.counters.samples * results.phases_per_inference
    axons = ", ".join(f"{a.projection}[{a.first}:{a.first + a.count}]" for a in part.axons)
    neurons = f"{part.population}[{part.first}:{part.first + part.count}]"
    return {
        "core": core,
        "x": router % width,
        "y": router // width,
        "population": part.population,
        "role": part.role,
        "slice": f"{neurons} <- {axons}" if axons else neurons,
        "neurons": part.count,
        "fan_in": part.fan_in,
        **memory_use(memory),
        "busy_cycles_mean": float(core_busy_cycles(results)[core]) / phases,
        "busy_cycles_max": int(max((end.max(initial=0) for end in ends), default=0)),
        "energy_per_inference_j": results.per_inference(results.bill.by_core[core]),
    }


def _schedule(results: Results) -> dict[str, Any]:
    schedule = results.mapping.schedule
    return {
        "phases_per_step": schedule.interval,
        "steps": results.network.steps,
        "phases_per_inference": results.phases_per_inference,
        "depth_phases": schedule.depth,
        "why": list(schedule.reasons),
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


def _time(results: Results) -> dict[str, Any]:
    phase = results.phase_seconds
    return {
        "throughput_inferences_per_s": 1.0 / (results.phases_per_inference * phase),
        "latency_s": latency_cycles(results) / results.chip.clock_hz,
        "bounded_by": bounded_by(results),
        "critical_core": critical_core(results),
    }


def _seconds(results: Results, decided: int) -> float:
    """Return the time an inference holds the chip for if it stops in step ``decided``."""
    schedule = results.mapping.schedule
    phases = phases_with_early_exit(schedule, results.network.steps, decided)
    return phases * results.phase_seconds


def _spikes(results: Results) -> dict[str, float]:
    answers = results.activity.answers
    return {
        name: results.per_inference(answers.of(name).sum(dtype=np.int64))
        for name in answers.populations
    }


def _neurobench(results: Results) -> dict[str, Any]:
    answers, samples = results.activity.answers, results.counters.samples
    graded = results.fixed.graded
    active = results.activity.active.sum(axis=(0, 1), dtype=np.int64)
    macs = acs = 0
    for index, run in enumerate(results.activity.runs):
        events = int(active[index]) * run.slice.count
        macs += events if run.projection.name in graded else 0
        acs += events if run.projection.name not in graded else 0
    projections = {p.name: p for p in results.fixed.projections}
    weights = [projections[p.name].weight for p in results.network.projections]
    counts = [p.synapses for p in results.network.projections]
    synapses = sum(counts)
    # The zeros of a convolution's kernel count as often as its weights are used.
    zeros = sum(int((w == 0).sum()) * n // w.size for w, n in zip(weights, counts, strict=True))
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
    if results.network.learning is not None:
        warnings.append(
            "the learning rule of the network as a whole (e-prop) does not run on crossbar cores: "
            "weights stay as they are"
        )
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
            f"{'packets and hops' if mesh.extrapolated else 'packets, hops and link loads'} are "
            "from all"
        )
    if mesh.extrapolated:
        warnings.append(
            "link loads, and which router what hops cost, are extrapolated from those first "
            "phases, since packets pick their ways themselves; their sums are exact"
        )
    warnings += lost_decays(results)
    overflows = {name: n for name, n in results.activity.saturated.items() if n}
    if overflows:
        arithmetic = results.chip.core.arithmetic
        named = ", ".join(f"{n} in {name}" for name, n in overflows.items())
        warnings.append(
            f"membrane updates beyond {arithmetic.membrane_bits} bits ({arithmetic.overflow}): "
            + named
        )
    return warnings
