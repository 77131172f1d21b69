"""The sections of the HTML report that differ on a chip of processors."""

from __future__ import annotations

from collections.abc import Iterator

from chipsim.report import markup as m
from chipsim.report.figures.style import population_colors
from chipsim.report.numbers import accuracy, by_value, count, percent, plural, topology, with_range
from chipsim.report.processor import terminal as words
from chipsim.report.schema import Summary
from chipsim.report.sections import SECTIONS, Figures, Section, accurate
from chipsim.report.tables import action_table, memory_table, place_table
from chipsim.units import format_quantity

_CORES_LISTED = 400
_DROPS_LISTED = 50


def header(summary: Summary) -> str:
    """Return the title, what ran, the headline numbers and the warnings."""
    model, chip = summary["model"], summary["chip"]
    lines = (
        f"{topology(summary)}: {count(model['neurons'])} neurons, {count(model['synapses'])} "
        f"synapses, {plural(model['steps'], 'step')} an inference; plasticity "
        f"{summary['plasticity']}. {plural(chip['chips'], 'chip')} of processors at "
        f"{format_quantity(chip['clock_hz'], 'Hz')}, ticks of "
        f"{format_quantity(chip['phase_s'], 's')}, {chip['weight_bits']}-bit weights. "
        f"{plural(summary['trace']['samples'], 'sample')} of {summary['trace']['name']}."
    )
    title = f"{model['name']} on {chip['name']}"
    return m.page_top(title, lines, _cards(summary), summary["warnings"])


def _cards(summary: Summary) -> Iterator[str]:
    ticks, energy = summary["ticks"], summary["energy_per_inference_j"]
    used, available = summary["cores_used"], summary["cores_available"]
    yield m.card("cores", f"{count(used)} of {count(available)}")
    met = "met" if ticks["real_time"] else "missed"
    note = f"longest tick {percent(ticks['slowdown'])}"
    yield m.card("real time", met, note, bad=not ticks["real_time"])
    yield m.card("accuracy", accuracy(summary["accuracy"]["chip"]))
    value = energy["value"]
    yield m.card("energy / inference", "unknown" if value is None else format_quantity(value, "J"))
    yield m.card("latency", format_quantity(summary["latency_s"], "s"), "input to answer")
    lost = summary["traffic"]["due"] - summary["traffic"]["in_time"]
    yield m.card("late or lost", count(lost), f"of {count(summary['traffic']['due'])} deliveries")


def fits(summary: Summary, figures: Figures) -> str:
    """Return where the network lies and how full the cores are."""
    used, available = summary["cores_used"], summary["cores_available"]
    return "".join(
        (
            m.paragraph(f"The network fits: {count(used)} of {plural(available, 'core')}."),
            m.bullets(summary["why_cores"]),
            figures["processor_map"],
            m.subtitle("Cores"),
            _core_table(summary),
            m.folded("What fills each memory", memory_table(summary)),
        )
    )


def _core_table(summary: Summary) -> str:
    rows = sorted(summary["cores"], key=lambda row: (-row["busy_cycles_max"], row["core"]))
    colors = population_colors(summary)
    cells = (
        (
            m.whole(row["core"]),
            m.text(f"({row['x']}, {row['y']}) {row['number']}", kind="k"),
            m.swatch(row["population"], colors[row["population"]]),
            m.text(row["slice"], kind="k"),
            m.whole(row["neurons"]),
            m.part(row["fill"]),
            m.whole(row["busy_cycles_mean"]),
            m.whole(row["busy_cycles_max"]),
            m.text(row["bound"]),
            m.whole(row["counts"]["synaptic_events"]),
            m.whole(row["counts"]["packets_in"]),
            m.whole(row["counts"]["packets_out"]),
            m.whole(row["counts"]["late"]),
            m.whole(row["counts"]["overflows"]),
            m.whole(row["counts"]["deadline_misses"]),
        )
        for row in rows[:_CORES_LISTED]
    )
    heads = (
        "core", "at", "population", "slice", "neurons", "fullest memory", "cycles a tick",
        "at most", "mostly", "events", "packets in", "out", "late", "lost", "deadlines missed",
    )  # fmt: skip
    listed = f"The {_CORES_LISTED} busiest of {count(len(rows))} cores; all are in report.json."
    note = m.paragraph(listed, "note") if len(rows) > _CORES_LISTED else ""
    return note + m.table(heads, cells, "n---nnnn-nnnnnn")


def real_time(summary: Summary, figures: Figures) -> str:
    """Return deadlines, what they hang on, and the course of the first sample."""
    texts = [text for text in words.real_time(summary) if not text.startswith(" ")]
    rows = (
        (
            m.text(row["action"], kind="k"),
            m.whole(row["cycles"]),
            m.whole(row["core"]),
            m.whole(row["tick_cycles"]),
            m.part(row["tick_cycles"] / summary["ticks"]["cycles"]),
            m.text("in time" if row["met"] else "too long"),
        )
        for row in summary["ticks"]["by_cost"]
    )
    heads = ("cycles of", "each", "busiest core", "its longest tick", "of the tick", "deadline")
    table = m.table(heads, rows, "-nnnn-")
    return "".join(
        (
            m.bullets(texts[:3] if table else texts),
            figures["processor_ticks"],
            m.subtitle("If a synapse took other cycles") + table if table else "",
            figures["gantt"],
        )
    )


def energy(summary: Summary, figures: Figures) -> str:
    """Return the energy by the published formula, by action and by place."""
    if summary["energy_unknown"]:
        return m.paragraph(f"{next(words.energy(summary)).capitalize()}.") + action_part(summary)
    formula = summary["energy_formula"]
    text = (
        f"{with_range(summary['energy_per_inference_j'], 'J')} an inference, "
        f"{with_range(summary['power_w'], 'W')}. By the toolchain's published formula: idle "
        f"{format_quantity(formula['idle_j'], 'J')}, active cores "
        f"{format_quantity(formula['cores_j'], 'J')}, packets "
        f"{format_quantity(formula['packets_j'], 'J')}. The tables split the same joules by what "
        "the cores' active cycles went to."
    )
    tables = m.subtitle("By action") + action_table(summary)
    return "".join(
        (
            m.paragraph(text),
            figures["energy_split"],
            tables,
            m.subtitle("By place"),
            place_table(summary),
        )
    )


def action_part(summary: Summary) -> str:
    """Return the energies that are known where the total is not."""
    rows = (
        (
            m.text(name, kind="k"),
            m.whole(row["count_per_inference"]),
            m.quantity(row["value_j"], "J"),
        )
        for name, row in by_value(summary["energy_by_action"])
    )
    return m.table(("action", "count", "energy"), rows, "-nn")


def _waiting_table(summary: Summary) -> str:
    """Return the links that held packets up the longest; nothing if none did."""
    rows = (
        (
            m.text(f"({row['x']}, {row['y']})", kind="k"),
            m.text(row["link"]),
            m.whole(row["copies"]),
            m.whole(row["cycles"]),
        )
        for row in summary["traffic"]["blocking_links"]
    )
    return m.table(("chip", "link", "copies that waited", "router cycles in all"), rows, "--nn")


def traffic(summary: Summary, figures: Figures) -> str:
    """Return packets, what became of them, links and spikes."""
    texts = [text for text in words.traffic(summary) if not text.startswith("-")]
    rows = (
        (
            m.text(f"({row['x']}, {row['y']})", kind="k"),
            m.text(row["link"]),
            m.whole(row["copies"]),
        )
        for row in summary["traffic"]["drops"][:_DROPS_LISTED]
    )
    drops = m.table(("chip", "link", "copies dropped"), rows, "--n")
    waits = _waiting_table(summary)
    return "".join(
        (
            m.bullets(texts),
            m.subtitle("Dropped by routers") + drops if drops else "",
            m.folded("Links that copies waited for", waits) if waits else "",
            figures["link_heat"],
            m.subtitle("Spikes"),
            figures["raster"],
        )
    )


def learned(summary: Summary, figures: Figures) -> str:
    """Return accuracy, and how learning went where the network learned."""
    return accurate(summary, figures) + m.bullets(words.learned(summary)) + figures["learning"]


_OWN: dict[str, Section] = {
    "fits": fits,
    "accuracy": learned,
    "energy": energy,
    "speed": real_time,
    "traffic": traffic,
}
_TITLES = {"speed": "Is it in time?"}

PROCESSOR_SECTIONS: tuple[tuple[str, str, Section], ...] = tuple(
    (anchor, _TITLES.get(anchor, title), _OWN.get(anchor, section))
    for anchor, title, section in SECTIONS
)
"""As `chipsim.report.sections.SECTIONS`, with those that differ replaced."""
