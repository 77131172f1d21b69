"""Measures: values of ``report.json`` (docs/report.md) named by their key path.

A report on processors has keys of its own (docs/spinnaker.md), and shares the others.
Where a point learns, its report has the keys of docs/learning-cost.md too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chipsim.errors import InputError
from chipsim.learning_cost.keys import KEYS as LEARNING_KEYS
from chipsim.report.numbers import count, percent
from chipsim.report.processor.keys import PROCESSOR_KEYS
from chipsim.report.schema import KEYS, Key
from chipsim.units import format_quantity
from chipsim.yaml_tree import hint, shown

Scalar = bool | int | float | str | None

DEFAULT = (
    "accuracy.chip",
    "energy_per_inference_j.value",
    "latency_s",
    "throughput_inferences_per_s",
    "cores_used",
    "traffic.packets_per_inference",
)
"""What a study measures when it does not say."""

_LABELS = {
    "accuracy.chip": "accuracy on chip",
    "accuracy.float": "accuracy in float",
    "accuracy.agreement": "same answer as float",
    "throughput_inferences_per_s": "inferences per s",
    "learning.packets_per_sample": "packets per sample",
    "learning.hops_per_sample": "hops per sample",
    "learning.bits_per_sample": "payload bits per sample",
    "learning.energy_per_sample_j.value": "energy per sample",
    "learning.phases_per_sample": "phases per sample",
    "learning.samples_per_s": "samples learned per s",
    "learning.cores": "cores",
    "learning.cores_needed": "cores that hold it",
    "learning.stored_bytes": "memory in use",
    "ticks.real_time": "in real time",
    "ticks.slowdown": "longest tick (of a tick's cycles)",
    "ticks.deadline_misses": "deadlines missed",
    "traffic.late": "late packets",
    "traffic.dropped_in_mesh": "packets dropped by routers",
    "traffic.dropped_in_queues": "packets dropped at full queues",
    "error.chip": "error on chip",
    "error.float": "error in float",
    "traffic.max_link_load": "load of the hottest link",
    "traffic.mean_latency_cycles": "mean packet latency (cycles)",
    "traffic.max_latency_cycles": "longest packet latency (cycles)",
}
"""Where the path itself does not read well."""

_ALL = {key.path: key for key in (*PROCESSOR_KEYS, *LEARNING_KEYS, *KEYS)}
_SINGLE = tuple(key for key in _ALL.values() if "[]" not in key.path)
_UNIT_ENDING = re.compile(r"_(j|s|w|hz)$")
SI_UNITS = ("J", "s", "W", "Hz", "B")
"""Units that are written with a prefix."""


def key_of(path: str) -> Key:
    """Return the key of the report that ``path`` names, in ``*`` any name.

    Raises InputError, with the nearest key, where the report has no such single value.
    """
    for key in _SINGLE:
        if re.fullmatch(re.escape(key.path).replace(r"\*", ".+"), path):
            return key
    raise InputError(
        f"report.json has no single value {shown(path)}{hint(path, [k.path for k in _SINGLE])}"
        " (keys: docs/report.md, docs/spinnaker.md, docs/learning-cost.md)"
    )


def is_number(path: str) -> bool:
    """Tell whether the measure is a number (or null)."""
    return key_of(path).kind.removesuffix("?") in ("integer", "number")


def value_of(summary: Mapping[str, Any], path: str) -> Scalar:
    """Return the value at ``path`` of a report; None where this report has none.

    Names of populations may hold dots, so every way to cut ``path`` is tried.
    """
    for name, child in summary.items():
        if name == path and not isinstance(child, (Mapping, list)):
            return child  # type: ignore[no-any-return]
        if isinstance(child, Mapping) and path.startswith(f"{name}."):
            found = value_of(child, path[len(name) + 1 :])
            if found is not None:
                return found
    return None


def label(path: str) -> str:
    """Return how tables and pictures call a measure: ``energy per inference``."""
    if path in _LABELS:
        return _LABELS[path]
    parts = (
        path.removesuffix(".value").removeprefix("traffic.").removeprefix("learning.").split(".")
    )
    return " ".join(_UNIT_ENDING.sub("", part) for part in parts).replace("_", " ")


def written(path: str, value: Scalar) -> str:
    """Return a value of a measure for reading, with its unit; a dash for None."""
    if value is None:
        return "-"
    if isinstance(value, (bool, str)):
        return str(value).lower() if isinstance(value, bool) else value
    unit = key_of(path).unit
    if unit == "fraction":
        return percent(value)
    return format_quantity(value, unit) if unit in SI_UNITS else count(value)
