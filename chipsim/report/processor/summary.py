"""From a run on processors to its ``report.json``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import chipsim
from chipsim.kernels.processor.layout import MEMBRANE, RING, WEIGHT
from chipsim.network import Input, Population
from chipsim.quantise.processor.learning import learners_of
from chipsim.report.early_exit import early_exit
from chipsim.report.processor.cores import core_rows
from chipsim.report.processor.energy import energy
from chipsim.report.processor.ticks import bounded_by, critical_core, ticks
from chipsim.report.processor.traffic import traffic
from chipsim.report.schema import SCHEMA
from chipsim.report.summary_quantisation import rounded
from chipsim.simulate.samples import classes
from chipsim.simulate.tick.records import EVENTS
from chipsim.tick_results import TickResults


def summarise(results: TickResults) -> dict[str, Any]:
    """Return the report of a run; every value is an integer, float, text, flag, list or None."""
    cores = core_rows(results)
    critical = critical_core(results, cores)
    found = ticks(results)
    events = int(results.activity.counts[:, EVENTS].sum())
    sample_s = results.activity.layout.ticks * results.chip.tick_s
    return {
        "schema": SCHEMA,
        "kind": "processors",
        "chipsim_version": chipsim.__version__,
        "model": _model(results),
        "chip": _chip(results),
        "trace": {
            "name": results.origin.trace,
            "samples": results.samples,
            "labels": results.labels is not None,
        },
        "plasticity": results.mapping.plasticity,
        "fits": True,
        "cores_used": len(results.mapping.slices),
        "cores_available": _available(results),
        "cores": cores,
        "why_cores": list(results.mapping.reasons),
        "schedule": {
            "ticks_per_inference": results.activity.layout.ticks,
            "depth_ticks": results.mapping.depth,
            "offsets": dict(results.mapping.offsets),
            "signal_delay": results.mapping.signal_delay,
        },
        "quantisation": rounded(results.fixed.losses),
        "accuracy": _accuracy(results),
        "error": _error(results),
        "learning": _learning(results),
        **energy(results),
        "throughput_inferences_per_s": 1.0 / sample_s,
        "latency_s": sample_s,
        "early_exit": _early_exit(results),
        "bounded_by": bounded_by(results, critical),
        "critical_core": critical,
        "synaptic_events_per_inference": results.per_inference(events),
        "spikes_per_inference": _spikes(results),
        "traffic": traffic(results),
        "ticks": found,
        "saturated": _saturated(results),
        "warnings": _warnings(results, found),
    }


def _model(results: TickResults) -> dict[str, Any]:
    network, fixed = results.network, results.fixed
    return {
        "name": network.name,
        "file": results.origin.model,
        "neurons": sum(p.size for p in fixed.populations if p.kind != "source"),
        "synapses": sum(p.post.size for p in fixed.projections),
        "steps": network.steps,
        "populations": [
            {"name": p.name, "neurons": p.size, "model": _kind(p)} for p in network.populations
        ],
        "projections": [
            {
                "name": p.name,
                "source": p.source,
                "target": p.target,
                "synapses": sum(f.post.size for f in fixed.projections if f.name == p.name),
                "plasticity": _rule(p.stdp is not None, p.target in learners_of(network)),
            }
            for p in network.projections
        ],
    }


def _rule(stdp: bool, learns: bool) -> str | None:
    if learns:
        return "eprop"
    return "stdp" if stdp else None


def _kind(population: Population) -> str:
    model = population.model
    if isinstance(model, Input):
        return f"input, {model.kind}"
    return "ALIF" if getattr(model, "adaptation", None) else "LIF"


def _available(results: TickResults) -> int:
    machine = results.chip.machine
    return sum(len(machine.working_cores(router)) for router in machine.working_routers)


def _chip(results: TickResults) -> dict[str, Any]:
    chip = results.chip
    machine = chip.machine
    gone = set(range(machine.columns * machine.rows)) - set(machine.working_routers)
    return {
        "name": chip.name,
        "file": results.origin.chip,
        "overrides": list(results.origin.overrides),
        "width": machine.columns,
        "height": machine.rows,
        "cores": machine.columns * machine.rows * machine.cores,
        "cores_per_router": machine.cores,
        "chips": machine.chips,
        "boards": machine.boards,
        "gone": [{"x": r % machine.columns, "y": r // machine.columns} for r in sorted(gone)],
        "clock_hz": chip.core.clock_hz,
        "phase_s": chip.tick_s,
        "weight_bits": chip.core.weight_bits,
    }


def _accuracy(results: TickResults) -> dict[str, float | None]:
    network = results.network
    found: dict[str, float | None] = {"float": None, "chip": None, "agreement": None}
    chip = classes(results.activity.answers, network.readout, network.readout_kind)
    if results.labels is not None:
        found["chip"] = float(np.mean(chip == results.labels))
    if results.reference is not None:
        ideal = classes(results.reference, network.readout, network.readout_kind)
        if results.activity.learned is None:
            found["agreement"] = float(np.mean(ideal == chip))
        if results.labels is not None:
            found["float"] = float(np.mean(ideal == results.labels))
    if results.task is not None:
        right = results.task == "classification"
        error = _error(results)
        for name in ("chip", "float"):
            mean = error[name]
            found[name] = 1.0 - mean if right and mean is not None else None
    return found


def _error(results: TickResults) -> dict[str, float | None]:
    """Return the mean error of what a learning rule asks, on the chip and in still float."""
    chip, reference = results.activity.error, results.reference_error
    return {
        "chip": None if chip is None else float(chip.mean()),
        "float": None if reference is None else float(reference.mean()),
    }


def _learning(results: TickResults) -> dict[str, Any]:
    learned = results.activity.learned
    if learned is None:
        return {"samples": 0, "updates": 0, "error": [], "float_error": [], "by_batch": []}
    error, reference = _each(results.activity.error), _each(results.reference_error)
    rule = results.network.learning
    size = max(rule.batch, 1) if rule else 1
    return {
        "samples": results.samples,
        "updates": learned.updates,
        "error": error,
        "float_error": reference,
        "by_batch": [
            {
                "samples": len(error[at : at + size]),
                "error": float(np.mean(error[at : at + size])),
                "float_error": float(np.mean(reference[at : at + size])) if reference else None,
            }
            for at in range(0, len(error), size)
        ],
    }


def _each(errors: NDArray[np.float64] | None) -> list[float]:
    return [] if errors is None else [float(value) for value in errors]


def _early_exit(results: TickResults) -> dict[str, float | None]:
    network, ticks_of_all = results.network, results.activity.layout.ticks
    return early_exit(
        network,
        results.activity.answers,
        lambda step: (ticks_of_all - network.steps + step) * results.chip.tick_s,
    )


def _spikes(results: TickResults) -> dict[str, float]:
    answers = results.activity.answers
    return {
        name: results.per_inference(answers.of(name).sum(dtype=np.int64))
        for name in answers.populations
    }


def _saturated(results: TickResults) -> dict[str, dict[str, int]]:
    columns = {"ring": RING, "membrane": MEMBRANE, "weight": WEIGHT}
    return {
        population.name: {
            name: int(results.activity.saturated[number, column])
            for name, column in columns.items()
        }
        for number, population in enumerate(results.fixed.populations)
    }


def _warnings(results: TickResults, found: dict[str, Any]) -> list[str]:
    warnings = list(results.notes)
    activity = results.activity
    if found["deadline_misses"]:
        warnings.append(
            f"deadlines were missed {found['deadline_misses']} times by {found['missing_cores']} "
            f"cores, by up to {found['over_cycles_max']} cycles"
        )
    unaccounted = activity.traffic.due - activity.in_time
    if unaccounted:
        warnings.append(
            f"{unaccounted} of {activity.traffic.due} deliveries came late or were lost, and "
            "changed what neurons saw"
        )
    rule = results.network.learning
    if activity.learned is not None and rule is not None and rule.batch > results.samples:
        warnings.append(
            f"{results.samples} samples are fewer than a batch of {rule.batch}: no weight moved"
        )
    if activity.mesh == "ideal":
        warnings.append(
            "mesh ideal: packets arrived at once and cores had all the time they needed; cycles "
            "are what the work would take"
        )
    for number, population in enumerate(results.fixed.populations):
        ring, membrane = activity.saturated[number, [RING, MEMBRANE]].tolist()
        if ring or membrane:
            warnings.append(
                f"population {population.name}: {ring} ring buffer entries and {membrane} "
                "membranes left their range and were limited"
            )
    if results.bill.unknown:
        warnings.append(
            f"energy is not known: the chip has no {', '.join(results.bill.unknown)}; give them, "
            "such as --set energy.core_active=8mW"
        )
    return warnings
