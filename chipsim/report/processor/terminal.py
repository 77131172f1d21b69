"""The summary of a run on processors as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from chipsim.report.early_exit import early_exit_text
from chipsim.report.numbers import (
    accuracy,
    by_value,
    count,
    percent,
    plural,
    share,
    with_range,
)
from chipsim.report.schema import Summary
from chipsim.report.text import Section, energy_row, network_line, table
from chipsim.units import format_quantity

_SHOWN = 6


def what_ran(summary: Summary) -> Iterator[str]:
    """Yield what ran where."""
    chip, trace = summary["chip"], summary["trace"]
    yield network_line(summary)
    changed = f"; set {', '.join(chip['overrides'])}" if chip["overrides"] else ""
    boards = f" on {plural(chip['boards'], 'board')}" if chip["boards"] else ""
    yield (
        f"{chip['name']}: {plural(chip['chips'], 'chip')}{boards}, "
        f"{format_quantity(chip['clock_hz'], 'Hz')}, ticks of "
        f"{format_quantity(chip['phase_s'], 's')}, {chip['weight_bits']}-bit weights{changed}"
    )
    yield f"{trace['name']}: {plural(trace['samples'], 'sample')}, mesh {summary['ticks']['mesh']}"


def real_time(summary: Summary) -> Iterator[str]:
    """Yield whether deadlines were met, by how much, and what that hangs on."""
    ticks = summary["ticks"]
    if ticks["real_time"]:
        yield f"real time: yes, in {plural(ticks['count'], 'tick')}"
    else:
        yield f"REAL TIME: NO, in {plural(ticks['count'], 'tick')}: {_why_not(summary)}"
    yield (
        f"longest tick {count(summary['critical_core']['cycles'])} of {count(ticks['cycles'])} "
        f"cycles ({percent(ticks['slowdown'])}), on {summary['critical_core']['slice']}: mostly "
        f"{summary['critical_core']['bound']}"
    )
    if ticks["deadline_misses"]:
        yield (
            f"{plural(ticks['deadline_misses'], 'deadline')} missed by "
            f"{plural(ticks['missing_cores'], 'core')}, by {count(ticks['over_cycles_mean'])} "
            f"cycles on average, {count(ticks['over_cycles_max'])} at worst"
        )
    rows = [
        (row["action"], count(row["cycles"]), count(row["tick_cycles"]), _met(row["met"]))
        for row in ticks["by_cost"]
    ]
    if rows:
        yield "longest tick by the cycles of a synapse"
        yield from table(rows, (0, 3))
    delay = summary["schedule"]["signal_delay"]
    if delay:
        yield f"learning signals meet the traces {plural(delay, 'step')} late (pipeline)"


def _why_not(summary: Summary) -> str:
    """Return what went wrong where the run was not in real time."""
    ticks, found = summary["ticks"], summary["traffic"]
    wrong = (
        (ticks["deadline_misses"], "deadlines missed"),
        (found["late"], "deliveries late"),
        (found["early"], "deliveries early"),
        (found["dropped_in_mesh"] + found["dropped_in_queues"], "deliveries lost"),
    )
    named = [f"{count(number)} {name}" for number, name in wrong if number]
    return ", ".join(named) or "more work between two timer tasks than a tick has cycles"


def _met(met: bool) -> str:
    return "in time" if met else "TOO LONG"


def learned(summary: Summary) -> Iterator[str]:
    """Yield how learning went."""
    learning = summary["learning"]
    if not learning["samples"]:
        return
    error = learning["error"]
    if not error:
        yield f"{plural(learning['samples'], 'sample')} with weights that move by STDP"
        return
    part = max(1, len(error) // 10)
    first, last = sum(error[:part]) / part, sum(error[-part:]) / part
    yield (
        f"{plural(learning['samples'], 'sample')}, {plural(learning['updates'], 'update')}: error "
        f"{first:.3g} in the first {count(part)}, {last:.3g} in the last"
    )
    still = summary["error"]["float"]
    if still is not None:
        yield f"without learning, in float: {still:.3g}"


def energy(summary: Summary) -> Iterator[str]:
    """Yield the energy, by the published formula and by action."""
    if summary["energy_unknown"]:
        yield f"not known: no value of {', '.join(summary['energy_unknown'])}"
        return
    formula = summary["energy_formula"]
    total = summary["energy_per_inference_j"]
    yield (
        f"{with_range(total, 'J')} an inference; "
        f"{with_range(summary['power_w'], 'W')} for all chips"
    )
    parts = (("idle", "idle_j"), ("active cores", "cores_j"), ("packets", "packets_j"))
    text = ", ".join(
        f"{name} {format_quantity(formula[key], 'J')} ({share(formula[key], formula['total_j'])})"
        for name, key in parts
    )
    yield f"toolchain's formula: {text}"
    yield "by action"
    rows = by_value(summary["energy_by_action"])
    shown = [energy_row(name, row, total["value"]) for name, row in rows[:_SHOWN]]
    yield from table(shown, (0, 3, 4))
    yield "by place"
    layers = by_value(summary["energy_by_layer"])
    yield from table([energy_row(n, row, total["value"]) for n, row in layers], (0, 3, 4))


def speed(summary: Summary) -> Iterator[str]:
    """Yield throughput and latency."""
    yield (
        f"{count(summary['throughput_inferences_per_s'])} inferences/s, latency "
        f"{format_quantity(summary['latency_s'], 's')} "
        f"({plural(summary['schedule']['ticks_per_inference'], 'tick')}, "
        f"{summary['schedule']['depth_ticks']} of them depth)"
    )
    events = summary["synaptic_events_per_inference"]
    yield f"{count(events)} synaptic events an inference"
    early = early_exit_text(summary)
    if early:
        yield early


def traffic(summary: Summary) -> Iterator[str]:
    """Yield packets, and what became of every delivery."""
    found = summary["traffic"]
    kinds = ", ".join(f"{name} {count(row['packets'])}" for name, row in found["by_kind"].items())
    yield (
        f"{count(found['packets'])} packets ({kinds}), {count(found['hops'])} routers passed, "
        f"{count(found['due'])} deliveries due"
    )
    if found["delayed_packets"]:
        yield f"{count(found['delayed_packets'])} of the packets sent again by delay extensions"
    fates = (
        ("in time", "in_time"),
        ("late", "late"),
        ("early", "early"),
        ("dropped in the mesh", "dropped_in_mesh"),
        ("dropped at full queues", "dropped_in_queues"),
    )
    yield ", ".join(
        f"{count(found[key])} {name}" for name, key in fates if found[key] or key == "in_time"
    )
    for row in found["drops"][:3]:
        where = f"chip ({row['x']},{row['y']}), link {row['link']}"
        yield f"- copies dropped at {where}: {count(row['copies'])}"
    for row in found["blocking_links"][:3]:
        where = f"chip ({row['x']},{row['y']}), link {row['link']}"
        mean = row["cycles"] / row["copies"]
        yield f"- waited for {where}: {count(row['copies'])} copies, {mean:.1f} router cycles each"
    if found["hottest_link"] is not None:
        yield f"hottest link {found['hottest_link']} busy {percent(found['max_link_load'])}"
    if found["mean_latency_cycles"] is not None:
        yield (
            f"delivered after {count(found['mean_latency_cycles'])} router cycles on average, the "
            f"slowest {count(found['max_latency_cycles'])}"
        )


def answers(summary: Summary) -> Iterator[str]:
    """Yield the accuracy that is known."""
    found = summary["accuracy"]
    known = [(name, found[name]) for name in ("chip", "float") if found[name] is not None]
    parts = [f"{name} {accuracy(value)}" for name, value in known]
    if parts:
        yield ", ".join(parts)
    error = summary["error"]
    if found["chip"] is None and error["chip"] is not None:
        beside = "" if error["float"] is None else f", float without learning {error['float']:.3g}"
        yield f"error (normalised square) chip {error['chip']:.3g}{beside}"
    if found["agreement"] is not None:
        yield f"same answer as in float for {accuracy(found['agreement'])} of the samples"


SECTIONS: tuple[tuple[str, Section], ...] = (
    ("Real time", real_time),
    ("Accuracy", answers),
    ("Learning", learned),
    ("Energy", energy),
    ("Speed", speed),
    ("Traffic", traffic),
)
"""What differs from a crossbar chip's summary, between what fits and what was assumed."""
