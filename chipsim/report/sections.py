"""The sections of the HTML report, in the order in which they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

from chipsim.report import markup as m
from chipsim.report.figures.style import NEUTRAL, population_colors
from chipsim.report.numbers import (
    accuracy,
    by_value,
    count,
    in_model_order,
    percent,
    phase_cycles,
    plural,
    quantity_range,
    share,
    topology,
)
from chipsim.report.schema import Summary
from chipsim.units import format_quantity

Figures = Mapping[str, str]
"""``<figure>`` elements by the name of their module; empty text where there is nothing to draw."""


def header(summary: Summary) -> str:
    """Return the title, what ran, the headline numbers and the warnings."""
    model, chip, trace = summary["model"], summary["chip"], summary["trace"]
    lines = (
        f"{topology(summary)}: {count(model['neurons'])} neurons, {count(model['synapses'])} "
        f"synapses, {plural(model['steps'], 'step')} an inference; "
        f"plasticity {summary['plasticity']}. "
        f"{chip['width']} x {chip['height']} cores at {format_quantity(chip['clock_hz'], 'Hz')}, "
        f"phase {format_quantity(chip['phase_s'], 's')}, {chip['weight_bits']}-bit weights. "
        f"{plural(trace['samples'], 'sample')} of {trace['name']}."
    )
    warnings = m.bullets(summary["warnings"])
    return (
        f"<h1>{escape(model['name'])} on {escape(chip['name'])}</h1>"
        f"{m.paragraph(lines, 'lead')}"
        f'<div class="cards">{"".join(_cards(summary))}</div>'
        + (f'<div class="warnings"><b>Warnings</b>{warnings}</div>' if warnings else "")
    )


def _cards(summary: Summary) -> Iterator[str]:
    used, available = summary["cores_used"], summary["cores_available"]
    fits = f"{count(used)} of {count(available)}"
    yield m.card("cores" if summary["fits"] else "does not fit", fits, bad=not summary["fits"])
    found = summary["accuracy"]
    note = f"float {accuracy(found['float'])}" if found["float"] is not None else ""
    if found["agreement"] is not None:
        note += ("; " if note else "") + f"same answer {accuracy(found['agreement'])}"
    yield m.card("accuracy", accuracy(found["chip"]), note)
    energy = summary["energy_per_inference_j"]
    spread = quantity_range(energy["low"], energy["high"], "J")
    yield m.card("energy / inference", format_quantity(energy["value"], "J"), spread)
    power = format_quantity(summary["power_w"]["value"], "W")
    throughput = count(summary["throughput_inferences_per_s"])
    yield m.card("throughput", f"{throughput}/s", f"inferences, at {power}")
    yield m.card("latency", format_quantity(summary["latency_s"], "s"), "input to answer")
    yield m.card("assumed", percent(summary["assumed"]["energy_share"]), "of the energy")


def fits(summary: Summary, figures: Figures) -> str:
    """Return where the network lies and how full the cores are."""
    answer = "The network fits" if summary["fits"] else "The network does not fit"
    used, available = summary["cores_used"], summary["cores_available"]
    return "".join(
        (
            m.paragraph(f"{answer}: {count(used)} of {plural(available, 'core')}."),
            m.bullets(summary["why_cores"]),
            figures["chip_map"],
            m.subtitle("Cores"),
            _core_table(summary),
            m.folded("What fills each memory", _memory_table(summary)),
        )
    )


def _core_table(summary: Summary) -> str:
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
        for row in summary["cores"]
    )
    where = ("core", "at", "population", "role", "slice", "neurons", "fan-in", "fullest memory")
    work = ("cycles", "at most", "energy")
    return m.table((*where, *work), rows, "n----nnnnnn")


def _fills(row: Mapping[str, Any]) -> str:
    uses = sorted(row["memory"].items())
    return ", ".join(f"{name} {share(u['used_bytes'], u['budget_bytes'])}" for name, u in uses)


def _memory_table(summary: Summary) -> str:
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
        for row in summary["cores"]
        for memory, use in sorted(row["memory"].items())
    )
    return m.table(("core", "memory", "used", "budget", "items"), rows, "n-nn-")


def accurate(summary: Summary, figures: Figures) -> str:
    """Return how fixed point compares with float."""
    found = summary["accuracy"]
    if found["chip"] is None and found["float"] is None:
        lines = "The trace has no labels, so accuracy is not known."
    else:
        lines = f"Chip {accuracy(found['chip'])}, float {accuracy(found['float'])}."
    if found["agreement"] is not None:
        lines += f" The chip gives the float network's answer for {accuracy(found['agreement'])}"
        lines += f" of {plural(summary['trace']['samples'], 'sample')}."
    rows = (
        (
            m.text(row["projection"]),
            m.text(row["quantity"]),
            m.whole(row["bits"]),
            m.text(row["format"]),
            m.number(row["lsb"], f"{row['lsb']:.4g}"),
            m.whole(row["clipped"]),
            m.whole(row["values"]),
            m.number(row["sqnr_db"], "" if row["sqnr_db"] is None else f"{row['sqnr_db']:.1f} dB"),
        )
        for row in summary["quantisation"]
    )
    heads = ("projection", "quantity", "bits", "format", "lowest bit", "clipped", "values", "SQNR")
    table = m.table(heads, rows, "--n-nnnn")
    return m.paragraph(lines) + (m.subtitle("Fixed point") + table if table else "")


def energy(summary: Summary, figures: Figures) -> str:
    """Return the energy by action and by place, with its provenance."""
    inference = _spread(summary["energy_per_inference_j"], "J")
    lines = (
        f"{inference} an inference, {_spread(summary['energy_per_step_j'], 'J')} a step; "
        f"{_spread(summary['power_w'], 'W')} at full throughput. Energy is counted actions times "
        "their price; the mark of a price says where it comes from."
    )
    return "".join(
        (
            m.paragraph(lines),
            figures["energy_split"],
            m.subtitle("By action"),
            _action_table(summary),
            m.subtitle("By place"),
            _place_table(summary),
        )
    )


def _spread(value: Mapping[str, float], unit: str) -> str:
    spread = quantity_range(value["low"], value["high"], unit)
    return format_quantity(value["value"], unit) + (f" ({spread})" if spread else "")


def _action_table(summary: Summary) -> str:
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


def _place_table(summary: Summary) -> str:
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


def speed(summary: Summary, figures: Figures) -> str:
    """Return throughput, latency and what bounds them."""
    schedule = summary["schedule"]
    lines = (
        f"{count(summary['throughput_inferences_per_s'])} inferences a second, "
        f"{format_quantity(summary['latency_s'], 's')} from input to answer. "
        f"{plural(schedule['phases_per_inference'], 'phase')} of {count(phase_cycles(summary))} "
        f"cycles an inference ({schedule['phases_per_step']} a step), "
        f"{schedule['depth_phases']} deep. Bounded by {summary['bounded_by']}."
    )
    return "".join(
        (m.paragraph(lines), m.bullets(schedule["why"]), figures["core_busy"], figures["gantt"])
    )


def traffic(summary: Summary, figures: Figures) -> str:
    """Return spikes, packets and links."""
    found = summary["traffic"]
    lines = (
        f"{count(found['packets_per_inference'])} packets and {count(found['hops_per_inference'])} "
        f"hops an inference; {count(found['packets'])} packets and {count(found['deliveries'])} "
        f"deliveries in {plural(found['simulated_phases'], 'phase')}. "
    )
    if found["hottest_link"] is not None:
        lines += f"Links are busy {percent(found['mean_link_load'])} of a phase on average. "
    if found["mean_latency_cycles"] is not None:
        lines += f"A delivery takes {count(found['mean_latency_cycles'])} cycles on average"
        worst = found["max_latency_cycles"]
        lines += "." if worst is None else f", {count(worst)} at worst."
    late = f"{plural(found['overruns'], 'packet')} overran the end of a phase."
    rows = (
        (m.text(name), m.whole(row["packets"]), m.whole(row["hops"]))
        for name, row in sorted(found["by_kind"].items())
    )
    kinds = m.table(("kind", "packets", "hops"), rows, "-nn")
    return "".join(
        (
            m.paragraph(lines),
            m.paragraph(late if found["overruns"] else "No packet overran its phase."),
            figures["link_heat"],
            figures["traffic_matrix"],
            m.subtitle("Packets of the run by kind") + kinds if kinds else "",
            m.subtitle("Spikes"),
            figures["raster"],
            _activity(summary),
        )
    )


def _activity(summary: Summary) -> str:
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


def assumed(summary: Summary, figures: Figures) -> str:
    """Return the assumed constants and the share of the energy that rests on each."""
    found = summary["assumed"]
    order = sorted(found["constants"], key=lambda row: (-row["energy_share"], row["path"]))
    rows = (
        (
            m.text(row["path"], kind="k"),
            m.quantity(row["value"], row["unit"], row["source"]),
            m.part(row["energy_share"]),
            m.mark("assumed", row["source"]),
            m.text(row["source"], kind="w"),
        )
        for row in order
    )
    lines = f"{percent(found['energy_share'])} of the energy rests on assumed constants."
    heads = ("constant", "value", "share of energy", "mark", "why this value")
    return m.paragraph(lines) + m.table(heads, rows, "-nn--")


def run(summary: Summary, figures: Figures) -> str:
    """Return what was run: files, overrides, populations and projections."""
    model, chip = summary["model"], summary["chip"]
    lines = f"Network {model['name']} from {model['file']}; chip {chip['name']} from {chip['file']}"
    changed = f", with {', '.join(chip['overrides'])}" if chip["overrides"] else ""
    populations = (
        (m.text(row["name"]), m.whole(row["neurons"]), m.text(row["model"]))
        for row in model["populations"]
    )
    projections = (
        (
            m.text(row["name"]),
            m.text(f"{row['source']} to {row['target']}"),
            m.whole(row["synapses"]),
            m.text(row["plasticity"] or "none"),
        )
        for row in model["projections"]
    )
    return "".join(
        (
            m.paragraph(f"{lines}{changed}."),
            m.table(("population", "neurons", "model"), populations, "-n-"),
            m.table(("projection", "from, to", "synapses", "plasticity"), projections, "--n-"),
        )
    )


Section = Callable[[Summary, Figures], str]

SECTIONS: tuple[tuple[str, str, Section], ...] = (
    ("fits", "Does it fit?", fits),
    ("accuracy", "Is it accurate?", accurate),
    ("energy", "Energy", energy),
    ("speed", "Throughput and latency", speed),
    ("traffic", "Spikes and traffic", traffic),
    ("assumed", "What was assumed", assumed),
    ("run", "What was run", run),
)
"""Anchor, title and function of each section."""
