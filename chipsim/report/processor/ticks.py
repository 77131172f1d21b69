"""Deadlines in a report: met, or missed by how much, and what they hang on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chipsim.kernels.processor.layout import LAYER
from chipsim.simulate.tick.records import (
    BUSIEST_EVENTS,
    BUSY_MAX,
    COUNTS,
    EARLY,
    LATE,
    LATE_TICKS,
    MISSES,
    OVER_MAX,
    OVER_SUM,
    OVERFLOWS,
    QUEUE_MAX,
    Int64,
)
from chipsim.tick_results import TickResults

_MAXIMA = (OVER_MAX, BUSY_MAX, BUSIEST_EVENTS, QUEUE_MAX)

EPROP_COSTS = (68, 100, 180, 220)
"""Cycles of a synapse and step: invariants hoisted, budget of Perrett et al., library calls."""


def ticks(results: TickResults) -> dict[str, Any]:
    """Return the keys under ``ticks``."""
    counts, layout = results.activity.counts, results.activity.layout
    misses, late = int(counts[:, MISSES].sum()), int(counts[:, LATE].sum())
    lost = int(counts[:, OVERFLOWS].sum()) + results.activity.traffic.lost
    on_time = not (misses or late or lost or counts[:, EARLY].any())
    longest = int(counts[:, BUSY_MAX].max(initial=0))
    return {
        "mesh": results.activity.mesh,
        "count": results.ticks,
        "seconds": results.chip.tick_s,
        "cycles": layout.costs.tick,
        "real_time": on_time and longest <= layout.costs.tick,
        "slowdown": longest / layout.costs.tick,
        "deadline_misses": misses,
        "missing_cores": int((counts[:, MISSES] > 0).sum()),
        "over_cycles_max": int(counts[:, OVER_MAX].max(initial=0)),
        "over_cycles_mean": int(counts[:, OVER_SUM].sum()) / misses if misses else None,
        "late_ticks_mean": int(counts[:, LATE_TICKS].sum()) / late if late else None,
        "drain_ticks": results.activity.drain_ticks,
        "pause_ticks": results.activity.pause_ticks,
        "by_cost": by_cost(results),
        "counts": {
            name: int(counts[:, c].max(initial=0) if c in _MAXIMA else counts[:, c].sum())
            for c, name in enumerate(COUNTS)
        },
    }


def by_cost(results: TickResults) -> list[dict[str, Any]]:
    """Return the busiest tick of any core if a synapse took other cycles than the chip says.

    Synaptic events are those of each core's busiest tick; the synapse steps of e-prop are the same
    in every tick.
    """
    rows = []
    for action, units, costs in _varied(results):
        busy = results.activity.counts[:, BUSY_MAX]
        for cycles in costs:
            work = busy + (cycles - results.chip.cycles[action]) * units
            slot = int(work.argmax())
            rows.append(
                {
                    "action": action,
                    "cycles": cycles,
                    "core": int(results.activity.layout.core_of[slot]),
                    "tick_cycles": int(work[slot]),
                    "met": bool(work[slot] <= results.chip.tick_cycles),
                }
            )
    return rows


def _varied(results: TickResults) -> list[tuple[str, Int64, tuple[int, ...]]]:
    """Return what to vary: the action, how often each core does it in a tick, which costs."""
    counts, layout = results.activity.counts, results.activity.layout
    found = []
    if counts[:, BUSIEST_EVENTS].any():
        constant = results.chip.constants["cycles.synapse"]
        low, high = round(constant.low), round(constant.high)
        costs = tuple(sorted({low, results.chip.cycles["synapse"], high}))
        found.append(("synapse", counts[:, BUSIEST_EVENTS], costs))
    learning = results.fixed.learning
    if learning is not None:
        steps = np.zeros(len(counts), np.int64)
        for slot, number in enumerate(layout.slots.learner.tolist()):
            if number >= 0 and layout.learner_slices[number][0] == LAYER:
                steps[slot] = layout.learner_slices[number][2] * learning.learners[LAYER]["pre"]
        costs = tuple(sorted({*EPROP_COSTS, results.chip.cycles["eprop_synapse"]}))
        found.append(("eprop_synapse", steps, costs))
    return found


def critical_core(results: TickResults, cores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the core with the most work in any tick."""
    worst = max(cores, key=lambda row: row["busy_cycles_max"])
    return {
        "core": worst["core"],
        "slice": worst["slice"],
        "cycles": worst["busy_cycles_max"],
        "bound": worst["bound"],
    }


def bounded_by(results: TickResults, critical: Mapping[str, Any]) -> str:
    """Say what bounds throughput and latency."""
    layout = results.activity.layout
    share = critical["cycles"] / layout.costs.tick
    return (
        f"real time: {layout.ticks} ticks an inference; the busiest core ({critical['slice']}, "
        f"mostly {critical['bound']}) needs {critical['cycles']} of {layout.costs.tick} cycles in "
        f"its longest tick ({100 * share:.3g} %)"
    )
