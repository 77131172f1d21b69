"""The tables of the HTML report that need more than a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chipsim.report import markup as m
from chipsim.report.figures.style import NEUTRAL, population_colors
from chipsim.report.numbers import by_value, count, in_model_order, share
from chipsim.report.schema import Summary

_CORES_LISTED, _MEMORIES_LISTED = 400, 200


def core_table(summary: Summary) -> str:
    """Return the cores: what is on them, how full and how busy they are."""
    listed, note = _busiest(summary, _CORES_LISTED)
    colors = population_colors(summary)
    rows = (
        (
            m.whole(row["core"]),
            m.text(f"({row['x']}, {row['y']})", kind="k"),
            m.swatch(row["population"], colors[row["population"]]),
            m.text(row["role"], kind="k"),
            m.text(row["slice"], kind="k"),
            m.whole(row["neurons"]),
            m.whole(row["fan_in"]),
            m.gauge(row["fill"], _fills(row)),
            m.whole(row["busy_cycles_mean"]),
            m.whole(row["busy_cycles_max"]),
            m.quantity(row["energy_per_inference_j"], "J"),
        )
        for row in listed
    )
    where = ("core", "at", "population", "role", "slice", "neurons", "fan-in", "fullest memory")
    work = ("cycles", "at most", "energy")
    return note + m.table((*where, *work), rows, "n----nnnnnn")


def _fills(row: Mapping[str, Any]) -> str:
    uses = sorted(row["memory"].items())
    return ", ".join(f"{name} {share(u['used_bytes'], u['budget_bytes'])}" for name, u in uses)


def memory_table(summary: Summary) -> str:
    """Return the use of every memory of every core, item by item."""
    listed, note = _busiest(summary, _MEMORIES_LISTED)
    rows = (
        (
            m.whole(row["core"]),
            m.text(memory, kind="k"),
            m.quantity(use["used_bytes"], "B"),
            m.quantity(use["budget_bytes"], "B"),
            m.text(
                ", ".join(f"{k} {count(v)} B" for k, v in sorted(use["items"].items())), "", "w"
            ),
        )
        for row in listed
        for memory, use in sorted(row["memory"].items())
    )
    return note + m.table(("core", "memory", "used", "budget", "items"), rows, "n-nn-")


def _busiest(summary: Summary, most: int) -> tuple[list[dict[str, Any]], str]:
    """Return the rows of the cores to list, and a note where that is not all of them."""
    rows = summary["cores"]
    if len(rows) <= most:
        return rows, ""
    order = sorted(rows, key=lambda row: (-row["busy_cycles_max"], row["core"]))
    note = f"The {count(most)} busiest of {count(len(rows))} cores; all are in report.json."
    return order[:most], m.paragraph(note, "note")


def action_table(summary: Summary) -> str:
    """Return the energy by action, with price, range and provenance."""
    total = summary["energy_per_inference_j"]["value"]
    rows = (
        (
            m.text(name, kind="k"),
            _amount(name, row["count_per_inference"]),
            m.quantity(row["price_j"], "W" if name == "static" else "J", row["source"]),
            *_energy_cells(row, total),
            m.mark(row["mark"], row["source"]),
            m.text(row["source"], kind="w"),
        )
        for name, row in by_value(summary["energy_by_action"])
    )
    heads = ("action", "count", "price", "energy", "share", "low", "high", "mark", "source")
    return m.table(heads, rows, "-nnnnnn--")


def _amount(name: str, amount: float) -> str:
    return m.quantity(amount, "s") if name == "static" else m.whole(amount)


def place_table(summary: Summary) -> str:
    """Return the energy by population, mesh and static power."""
    total = summary["energy_per_inference_j"]["value"]
    colors = population_colors(summary)
    rows = (
        (m.swatch(name, colors.get(name, NEUTRAL)), *_energy_cells(row, total))
        for name, row in by_value(summary["energy_by_layer"])
    )
    return m.table(("place", "energy", "share", "low", "high"), rows, "-nnnn")


def _energy_cells(row: Mapping[str, Any], total: float) -> tuple[str, ...]:
    return (
        m.quantity(row["value_j"], "J"),
        m.part(row["value_j"] / total if total else None),
        m.quantity(row["low_j"], "J"),
        m.quantity(row["high_j"], "J"),
    )


def activity(summary: Summary) -> str:
    """Return spikes by population and NeuroBench's metrics, under NeuroBench's names."""
    bench = summary["neurobench"]
    operations = bench["synaptic_operations"]
    sparsity, spikes = bench["activation_sparsity"], summary["spikes_per_inference"]
    colors = population_colors(summary)
    rows = (
        (
            m.swatch(name, colors.get(name, NEUTRAL)),
            m.number(spikes.get(name), count(spikes.get(name, 0))),
            m.part(sparsity.get(name)),
        )
        for name in in_model_order({*spikes, *sparsity}, summary)
    )
    table = m.table(("population", "spikes / inference", "activation sparsity"), rows, "-nn")
    metrics = (
        ("synaptic events", m.whole(summary["synaptic_events_per_inference"])),
        ("footprint", m.quantity(bench["footprint_bytes"], "B")),
        ("connection sparsity", m.part(bench["connection_sparsity"])),
        ("synaptic operations: effective MACs", m.whole(operations["effective_macs"])),
        ("synaptic operations: effective ACs", m.whole(operations["effective_acs"])),
        ("synaptic operations: dense", m.whole(operations["dense"])),
        ("membrane updates", m.whole(bench["membrane_updates"])),
    )
    cells = ((m.text(name), value) for name, value in metrics)
    return table + m.subtitle("NeuroBench") + m.table(("metric", "an inference"), cells, "-n")
