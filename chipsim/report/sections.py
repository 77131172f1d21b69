"""The sections of the HTML report, in the order in which they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from chipsim.report import markup as m
from chipsim.report.numbers import (
    accuracies,
    accuracy,
    count,
    overrun_text,
    percent,
    phase_cycles,
    plural,
    quantity_range,
    topology,
    with_range,
)
from chipsim.report.schema import Summary
from chipsim.report.tables import action_table, activity, core_table, memory_table, place_table
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
    title = f"{model['name']} on {chip['name']}"
    return m.page_top(title, lines, _cards(summary), summary["warnings"])


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
            core_table(summary),
            m.folded("What fills each memory", memory_table(summary)),
        )
    )


def accurate(summary: Summary, figures: Figures) -> str:
    """Return how fixed point compares with float."""
    found = summary["accuracy"]
    lines = f"{accuracies(summary).capitalize()}."
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
    inference = with_range(summary["energy_per_inference_j"], "J")
    lines = (
        f"{inference} an inference, {with_range(summary['energy_per_step_j'], 'J')} a step; "
        f"{with_range(summary['power_w'], 'W')} at full throughput. Energy is actions times "
        "their price; the mark of a price says where it comes from."
    )
    return "".join(
        (
            m.paragraph(lines),
            figures["energy_split"],
            m.subtitle("By action"),
            action_table(summary),
            m.subtitle("By place"),
            place_table(summary),
        )
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
        lines += (
            f"The links in use are busy {percent(found['mean_link_load'])} of a phase on average. "
        )
    if found["mean_latency_cycles"] is not None:
        lines += f"A delivery takes {count(found['mean_latency_cycles'])} cycles on average"
        worst = found["max_latency_cycles"]
        lines += "." if worst is None else f", {count(worst)} at worst."
    rows = (
        (m.text(name), m.whole(row["packets"]), m.whole(row["hops"]))
        for name, row in sorted(found["by_kind"].items())
    )
    kinds = m.table(("kind", "packets", "hops"), rows, "-nn")
    return "".join(
        (
            m.paragraph(lines),
            m.paragraph(f"{overrun_text(summary).capitalize()}."),
            figures["link_heat"],
            figures["traffic_matrix"],
            m.subtitle("Packets of the run by kind") + kinds if kinds else "",
            m.subtitle("Spikes"),
            figures["raster"],
            activity(summary),
        )
    )


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
    known = found["energy_share"] is not None
    share = f"{percent(found['energy_share'])} of" if known else "Part of what is reported, not"
    lines = f"{share} the energy rests on assumed constants."
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
