"""The summary of a run as plain text: what `chipsim map` and `chipsim report` print."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from chipsim.report.early_exit import early_exit_text
from chipsim.report.numbers import (
    accuracies,
    accuracy,
    by_value,
    count,
    in_model_order,
    overrun_text,
    percent,
    plural,
    share,
    with_range,
)
from chipsim.report.processor import terminal as processor
from chipsim.report.schema import Summary
from chipsim.report.text import Section, energy_row, network_line, table
from chipsim.units import format_quantity

WIDTH = 96
"""Columns of the text; a longer line is one word (a path) that cannot be broken."""

_LABEL = 12
_SHOWN = 6


def summary_text(summary: Summary) -> str:
    """Return what the run found, at most `WIDTH` columns wide, ending in a newline.

    The order: what ran, does it fit, accuracy, energy, throughput and latency, traffic, what was
    assumed, warnings.
    """
    on_processors = summary.get("kind") == "processors"
    middle = processor.SECTIONS if on_processors else _CROSSBAR
    sections = [
        ("Fits", _fits(summary)),
        *((label, section(summary)) for label, section in middle),
        ("Assumed", _assumed(summary)),
        ("Warnings", iter(summary["warnings"])),
    ]
    what_ran = processor.what_ran if on_processors else _what_ran
    lines = [line for text in what_ran(summary) for line in _wrapped("", text, 0)]
    for label, texts in sections:
        block = _section(label, list(texts))
        lines += ["", *block] if block else []
    return "\n".join(_printable(line).rstrip() for line in lines) + "\n"


def _printable(line: str) -> str:
    """Keep control characters of names from files away from the terminal."""
    return "".join(c if c.isprintable() else "?" for c in line)


def _section(label: str, texts: list[str]) -> list[str]:
    lines = []
    for i, text in enumerate(texts):
        lines += _wrapped(label if i == 0 else "", text, _LABEL)
    return lines


def _wrapped(label: str, text: str, indent: int) -> list[str]:
    """Wrap ``text``; a line that is a table row (it begins with a space) is kept as it is."""
    first, rest = label.ljust(indent), " " * indent
    if text.startswith(" "):
        return [first + text]
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False
    )


def _what_ran(summary: Summary) -> Iterator[str]:
    chip, trace = summary["chip"], summary["trace"]
    yield network_line(summary)
    changed = f"; set {', '.join(chip['overrides'])}" if chip["overrides"] else ""
    cores = plural(chip["cores"], "core")
    yield (
        f"{chip['name']}: {chip['width']} x {chip['height']} mesh, {cores}, "
        f"{format_quantity(chip['clock_hz'], 'Hz')}, "
        f"phase {format_quantity(chip['phase_s'], 's')}, {chip['weight_bits']}-bit weights{changed}"
    )
    yield f"{trace['name']}: {plural(trace['samples'], 'sample')}"


def _fits(summary: Summary) -> Iterator[str]:
    used, available = summary["cores_used"], summary["cores_available"]
    answer = "yes" if summary["fits"] else "NO"
    yield f"{answer}: {count(used)} of {plural(available, 'core')} ({share(used, available)})"
    yield from table(list(_fills(summary)))
    for reason in summary["why_cores"]:
        yield f"- {reason}"


def _fills(summary: Summary) -> Iterator[tuple[str, ...]]:
    """Yield one row a population: its cores, and the fullest use of each memory."""
    cores = summary["cores"]
    memories = sorted({name for row in cores for name in row["memory"]})
    for population in in_model_order((row["population"] for row in cores), summary):
        rows = [row for row in cores if row["population"] == population]
        fullest = [f"{name} {percent(max(_used(row, name) for row in rows))}" for name in memories]
        yield population, plural(len(rows), "core"), *fullest


def _used(row: Mapping[str, Any], memory: str) -> float:
    use = row["memory"].get(memory)
    return use["used_bytes"] / use["budget_bytes"] if use and use["budget_bytes"] else 0.0


def _accuracy(summary: Summary) -> Iterator[str]:
    found = summary["accuracy"]
    yield accuracies(summary)
    if found["agreement"] is not None:
        samples = plural(summary["trace"]["samples"], "sample")
        yield f"same answer as in float for {accuracy(found['agreement'])} of {samples}"
    for row in summary["quantisation"]:
        if row["clipped"]:
            yield (
                f"- {row['projection']} {row['quantity']}: {count(row['clipped'])} of "
                f"{count(row['values'])} values clipped to {row['format']}"
            )


def _energy(summary: Summary) -> Iterator[str]:
    total, step, power = (
        summary[key] for key in ("energy_per_inference_j", "energy_per_step_j", "power_w")
    )
    yield f"{with_range(total, 'J')} an inference"
    yield (
        f"{format_quantity(step['value'], 'J')} a step; {with_range(power, 'W')} at full throughput"
    )
    yield "by action"
    rows = by_value(summary["energy_by_action"])
    yield from table([energy_row(n, row, total["value"]) for n, row in rows[:_SHOWN]], (0, 3, 4))
    if len(rows) > _SHOWN:
        yield f"  and {len(rows) - _SHOWN} smaller"
    yield "by place"
    layers = by_value(summary["energy_by_layer"])
    yield from table([energy_row(n, row, total["value"]) for n, row in layers], (0, 3, 4))


def _speed(summary: Summary) -> Iterator[str]:
    schedule = summary["schedule"]
    yield (
        f"{count(summary['throughput_inferences_per_s'])} inferences/s, "
        f"latency {format_quantity(summary['latency_s'], 's')}"
    )
    yield (
        f"{schedule['phases_per_inference']} phases an inference "
        f"({schedule['phases_per_step']} a step), {schedule['depth_phases']} deep"
    )
    yield f"bounded by {summary['bounded_by']}"
    early = early_exit_text(summary)
    if early:
        yield early


def _traffic(summary: Summary) -> Iterator[str]:
    traffic = summary["traffic"]
    yield (
        f"{count(traffic['packets_per_inference'])} packets, "
        f"{count(traffic['hops_per_inference'])} hops an inference"
    )
    kinds = sorted(traffic["by_kind"].items(), key=lambda item: (-item[1]["packets"], item[0]))
    if kinds and traffic["packets"]:
        parts = (f"{name} {share(row['packets'], traffic['packets'])}" for name, row in kinds)
        yield f"packets: {', '.join(parts)}"
    if traffic["hottest_link"] is not None:
        load = percent(traffic["max_link_load"])
        yield f"hottest link {traffic['hottest_link']} busy {load} of a phase"
    if traffic["mean_latency_cycles"] is not None:
        mean, worst = traffic["mean_latency_cycles"], traffic["max_latency_cycles"]
        slowest = "" if worst is None else f", the slowest {count(worst)}"
        yield f"delivered after {count(mean)} cycles on average{slowest}"
    overruns = traffic["overruns"]
    yield f"OVERRUN: {overrun_text(summary)}" if overruns else overrun_text(summary)


def _assumed(summary: Summary) -> Iterator[str]:
    assumed = summary["assumed"]
    if assumed["energy_share"] is not None:
        yield f"{percent(assumed['energy_share'])} of the energy rests on assumed constants"
    rows = sorted(assumed["constants"], key=lambda row: (-row["energy_share"], row["path"]))
    cells = [
        (row["path"], format_quantity(row["value"], row["unit"]), percent(row["energy_share"]))
        for row in rows[:_SHOWN]
    ]
    yield from table(cells)
    if len(rows) > _SHOWN:
        yield f"  and {len(rows) - _SHOWN} more, listed in the report"


_CROSSBAR: tuple[tuple[str, Section], ...] = (
    ("Accuracy", _accuracy),
    ("Energy", _energy),
    ("Speed", _speed),
    ("Traffic", _traffic),
)
