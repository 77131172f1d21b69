"""How the report writes numbers: counts, shares, and values with their range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chipsim.report.schema import Summary
from chipsim.units import format_quantity


def count(value: float) -> str:
    """Return a count with thousands separators; below 100 to three significant digits."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def plural(number: int, noun: str) -> str:
    """Return a count with its noun: ``"1 core"``, ``"39 cores"``."""
    return f"{count(number)} {noun}" + ("" if number == 1 else "s")


def percent(fraction: float) -> str:
    """Return a share to three digits; only an exact 1 is written as 100 %."""
    if 0.999 <= fraction < 1:
        return ">99.9 %"
    return f"{100 * fraction:.3g} %" if abs(fraction) < 10 else f"{100 * fraction:,.0f} %"


def accuracy(fraction: float | None) -> str:
    """Return an accuracy to a hundredth of a percent, or say that it is not known."""
    return "no labels" if fraction is None else f"{100 * fraction:.2f} %"


def accuracies(summary: Summary) -> str:
    """Return the accuracies that are known, or say that there are no labels."""
    names = ("chip", "float")
    known = [(name, summary["accuracy"][name]) for name in names]
    parts = [f"{name} {accuracy(value)}" for name, value in known if value is not None]
    return ", ".join(parts) or "no labels in the trace"


def quantity_range(low: float, high: float, unit: str) -> str:
    """Return ``"1 pJ to 2 pJ"``, or nothing where the range is a single value."""
    if low == high:
        return ""
    return f"{format_quantity(low, unit)} to {format_quantity(high, unit)}"


def with_range(value: Mapping[str, float], unit: str) -> str:
    """Return ``"1.5 pJ (1 pJ to 2 pJ)"`` from value, low and high."""
    spread = quantity_range(value["low"], value["high"], unit)
    return format_quantity(value["value"], unit) + (f" ({spread})" if spread else "")


def share(part: float, total: float) -> str:
    """Return ``part`` as a share of ``total``, a dash where there is no total."""
    return percent(part / total) if total else "-"


def by_value(table: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the rows of an energy table, the largest first, equal ones by name."""
    return sorted(table.items(), key=lambda item: (-item[1]["value_j"], item[0]))


def in_model_order(names: Iterable[str], summary: Summary) -> list[str]:
    """Return population names as the model lists them, then the others by name."""
    order = [population["name"] for population in summary["model"]["populations"]]
    known = set(names)
    return [n for n in order if n in known] + sorted(known - set(order))


def phase_cycles(summary: Summary) -> float:
    """Return the length of a phase in cycles."""
    return float(summary["chip"]["phase_s"] * summary["chip"]["clock_hz"])


def topology(summary: Summary) -> str:
    """Return the sizes of the populations, ``"784-512-10"``."""
    return "-".join(str(population["neurons"]) for population in summary["model"]["populations"])


def overrun_text(summary: Summary) -> str:
    """Say whether phases were long enough."""
    late, phases = summary["traffic"]["overruns"], summary["traffic"]["simulated_phases"]
    if late:
        return f"{count(late)} of {plural(phases, 'simulated phase')} ended before all was done"
    return f"no overrun in {plural(phases, 'simulated phase')}"
