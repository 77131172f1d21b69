"""The report's fixed point: what was clipped and lost, on the host and on the chip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chipsim.network import LIF
from chipsim.quantise.fixed import FixedPopulation, FixedSentMembrane, QuantisationLoss
from chipsim.quantise.formats import FixedFormat
from chipsim.results import Results


def rounded(losses: Iterable[QuantisationLoss]) -> list[dict[str, Any]]:
    """Return a row for every array that was rounded."""
    return [
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
        for loss in losses
    ]


def quantisation(results: Results) -> list[dict[str, Any]]:
    """Return a row for every array that was rounded and every state that could overflow."""
    rows = rounded(results.fixed.losses)
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
    rows += [
        _sent_membrane(results, population, membrane)
        for population in results.fixed.populations
        if (membrane := population.sent_membrane) is not None
    ]
    for projection in results.fixed.projections:
        if projection.plasticity:
            clamped = results.activity.clamped[projection.name]
            fmt = projection.plasticity.trace_format
            updates = _trace_updates(results, projection.name)
            rows.append(_on_chip(projection.name, "trace", fmt, clamped, updates))
    return rows


def _sent_membrane(
    results: Results, population: FixedPopulation, membrane: FixedSentMembrane
) -> dict[str, Any]:
    """Return the row of membranes as they are sent: the format, how many were beyond it."""
    bits = results.chip.core.arithmetic.activation_bits
    times = results.counters.samples * (1 if membrane.last else results.counters.steps)
    return _on_chip(
        population.name,
        "sent membrane",
        FixedFormat(bits, membrane.levels.lsb),
        results.activity.ended[population.name],
        population.size * times,
    )


def _trace_updates(results: Results, projection: str) -> int:
    """Return how many traces of a projection were given a change."""
    learning = results.activity.learning.sum(axis=(0, 1), dtype=np.int64)
    return sum(
        int(learning[index]) * run.slice.count
        for index, run in enumerate(results.activity.runs)
        if run.projection.name == projection
    )


def _on_chip(
    name: str, quantity: str, fmt: FixedFormat, clipped: int, values: int
) -> dict[str, Any]:
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


def lost_decays(results: Results) -> list[str]:
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
