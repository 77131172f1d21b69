"""What bounds throughput and latency, in numbers and in words."""

from __future__ import annotations

from typing import Any

from chipsim.mapping.schedule import latency_phases
from chipsim.mapping.shapes import slice_name
from chipsim.results import Results


def latency_cycles(results: Results) -> float:
    """Cycles from the first input packet of a sample to its last readout soma.

    One phase brings the input in, the last step's pipeline takes ``depth`` phases.
    """
    phases = 1 + latency_phases(results.mapping.schedule, results.network.steps)
    return phases * float(results.counters.phase_cycles.mean())


def critical_core(results: Results) -> dict[str, Any]:
    """Return the core with the longest work in any phase, and when."""
    slowest = max(results.tasks, key=lambda timed: int(timed.end.max(initial=0)))
    step = int(slowest.end.argmax())
    return {
        "core": results.mapping.placement[slowest.slice.index],
        "slice": slice_name(slowest.slice),
        "task": slowest.task.kind,
        "cycles": int(slowest.end[step]),
        "sample": step // results.network.steps,
        "step": step % results.network.steps,
    }


def bounded_by(results: Results) -> str:
    """Say what bounds throughput and latency."""
    schedule, chip = results.mapping.schedule, results.chip
    critical = critical_core(results)
    drain = int(results.mesh.last_arrival.max(initial=-1))
    phases = results.phases_per_inference
    rate = f"{results.network.steps} steps x {schedule.interval} phases a step = {phases} phases"
    work = (
        f"the longest work in a phase is {critical['cycles']} cycles ({critical['task']} of "
        f"{critical['slice']}), the last packet arrives in cycle {drain}"
    )
    if chip.phase.mode == "fixed":
        return f"{rate} of {chip.phase.cycles} fixed cycles; {work}"
    slower = "the slowest core" if critical["cycles"] >= drain else "the mesh"
    return f"{rate}, each as long as {slower} needs; {work}"
