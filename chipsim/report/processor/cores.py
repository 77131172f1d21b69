"""The cores of a report: what is on them, how full and how busy they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chipsim.mapping.processor.model import DELAY
from chipsim.report.summary_memory import memory_use
from chipsim.simulate.tick.records import BUSY_MAX, COUNTS, DMA_WAIT, Int64
from chipsim.tick_results import ACTIVE, TickResults

BOUNDS = {
    "timer": "neurons and their timer task",
    "spike": "packets: interrupts, look-ups, DMA set-up",
    "row": "synapses of rows",
    "signal": "learning signals",
    "weight": "weights of the readout, for feedback",
    "wait": "waiting for rows from SDRAM",
}
"""What the time of a core can mostly go to, in words."""


def core_rows(results: TickResults) -> list[dict[str, Any]]:
    """Return one row a core in use, in order of their slices."""
    layout = results.activity.layout
    rows = [_row(results, slot) for slot in range(layout.core_of.size)]
    return [rows[slot] for slot in np.argsort(layout.slice_of).tolist()]


def active_cycles(counts: Int64) -> Int64:
    """Return the cycles each slot was awake, (slots,)."""
    total: Int64 = counts[:, list(ACTIVE.values())].sum(axis=1)
    return total


def bound_of(counts: Int64) -> str:
    """Return what most of a core's time went to."""
    spent = {action: int(counts[column]) for action, column in ACTIVE.items()}
    spent["wait"] = int(counts[DMA_WAIT])
    return BOUNDS[max(spent, key=lambda action: spent[action])]


def _row(results: TickResults, slot: int) -> dict[str, Any]:
    layout, chip = results.activity.layout, results.chip
    part = results.mapping.slices[int(layout.slice_of[slot])]
    core = int(layout.core_of[slot])
    router, number = divmod(core, chip.machine.cores)
    counts = results.activity.counts[slot]
    active = int(active_cycles(counts[None, :])[0])
    memory = results.mapping.memory[part.index]
    return {
        "core": core,
        "number": number,
        "x": router % chip.machine.columns,
        "y": router // chip.machine.columns,
        "population": part.population,
        "role": part.program,
        "slice": part.name,
        "neurons": part.count,
        "fan_in": 0 if part.program == DELAY else _fan_in(results, part.population),
        **memory_use(memory),
        "busy_cycles_mean": active / results.ticks,
        "busy_cycles_max": int(counts[BUSY_MAX]),
        "energy_per_inference_j": _energy(results, active),
        "bound": bound_of(counts),
        "counts": {name: int(value) for name, value in zip(COUNTS, counts, strict=True)},
    }


def _fan_in(results: TickResults, population: str) -> int:
    return sum(
        results.fixed.population(p.source).size for p in results.network.incoming(population)
    )


def _energy(results: TickResults, active: int) -> float | None:
    price = results.chip.prices.get("core_active")
    if price is None:
        return None
    return results.per_inference(active * price.value / results.chip.core.clock_hz)


def memories(rows: list[Mapping[str, Any]]) -> list[str]:
    """Return the names of all memories, as they come."""
    return list(dict.fromkeys(name for row in rows for name in row["memory"]))
