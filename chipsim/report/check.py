"""Hold a report against its keys: the first thing done to one that is read from disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.report.processor.keys import PROCESSOR_ARRAYS, PROCESSOR_KEYS
from chipsim.report.schema import (
    ARRAYS,
    KEYS,
    PROCESSOR_TASKS,
    SCHEMA,
    TASKS,
    ArrayKey,
    Arrays,
    Summary,
)

_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "flag": (bool,),
}
_DTYPE_KINDS = {"integer": "iu", "number": "iuf", "flag": "b", "text": "U"}


def check(summary: Any, arrays: Arrays) -> None:
    """Hold a report against `KEYS` and `ARRAYS`; raise InputError at the first difference."""
    version = summary.get("schema") if isinstance(summary, dict) else None
    if version != SCHEMA:
        raise InputError(
            f"schema: {version!r} given, this version reads {SCHEMA}; "
            "make the report again with `chipsim map` or read it with the version that wrote it"
        )
    on_processors = summary.get("kind") == "processors"
    for key in PROCESSOR_KEYS if on_processors else KEYS:
        for where, value in _values(summary, key.path):
            _check_kind(where, value, key.kind)
    _check_places(summary)
    _check_arrays(summary, arrays, PROCESSOR_ARRAYS if on_processors else ARRAYS)


def _values(node: Any, path: str, where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value ``path`` stands for, with its full path."""
    head, _, rest = path.partition(".")
    name = head.removesuffix("[]")
    if not isinstance(node, dict):
        raise InputError(f"{where or 'report'}: expected an object, got {type(node).__name__}")
    if name != "*" and name not in node:
        raise InputError(f"{_join(where, name)}: missing")
    for each in sorted(node) if name == "*" else (name,):
        place, value = _join(where, each), node[each]
        if head.endswith("[]") and not isinstance(value, list):
            raise InputError(f"{place}: expected a list, got {type(value).__name__}")
        items = [(f"{place}[{i}]", v) for i, v in enumerate(value)] if head.endswith("[]") else None
        for item_place, item in items if items is not None else [(place, value)]:
            if rest:
                yield from _values(item, rest, item_place)
            else:
                yield item_place, item


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _check_kind(where: str, value: Any, kind: str) -> None:
    if value is None and kind.endswith("?"):
        return
    kind = kind.removesuffix("?")
    is_flag = isinstance(value, bool)
    if not isinstance(value, _PYTHON_TYPES[kind]) or is_flag != (kind == "flag"):
        raise InputError(f"{where}: expected {kind}, got {value!r:.60}")


def _check_places(summary: Summary) -> None:
    width, height = summary["chip"]["width"], summary["chip"]["height"]
    if width < 1 or height < 1 or summary["chip"]["cores"] < 1:
        raise InputError(f"chip: {width} x {height} routers given, at least one is needed")
    for i, row in enumerate(summary["cores"]):
        if not (0 <= row["x"] < width and 0 <= row["y"] < height):
            place = f"({row['x']}, {row['y']})"
            raise InputError(f"cores[{i}]: {place} is outside the {width} x {height} mesh")
        if not 0 <= row["core"] < summary["chip"]["cores"]:
            cores = summary["chip"]["cores"]
            raise InputError(f"cores[{i}].core: {row['core']} given, the chip has {cores} cores")


def _check_arrays(summary: Summary, arrays: Arrays, keys: Sequence[ArrayKey]) -> None:
    chip = summary["chip"]
    sizes = {"routers": chip["width"] * chip["height"], "cores": chip["cores"], "5": 5, "6": 6}
    if "action_names" in arrays:
        sizes["actions"] = arrays["action_names"].size
    for key in keys:
        names = [key.name]
        if key.name.endswith("*"):
            names = [name for name in arrays if name.startswith(key.name[:-1])]
        for name in names:
            if name not in arrays:
                raise InputError(f"counters.npz: array {name!r} is missing")
            _check_array(name, key, arrays[name], sizes)
    codes = arrays["timeline"][:, 1]
    tasks = PROCESSOR_TASKS if summary.get("kind") == "processors" else TASKS
    if codes.size and not (codes.min() >= 0 and codes.max() < len(tasks)):
        raise InputError(f"counters.npz: timeline: task codes are 0 to {len(tasks) - 1}")


def _check_array(
    name: str, key: ArrayKey, array: NDArray[np.generic], sizes: Mapping[str, int]
) -> None:
    expected = tuple(sizes.get(axis, -1) for axis in key.shape)
    fits = len(array.shape) == len(expected) and all(
        want in (-1, got) for want, got in zip(expected, array.shape, strict=True)
    )
    if not fits or array.dtype.kind not in _DTYPE_KINDS[key.kind]:
        axes = ", ".join(key.shape)
        raise InputError(
            f"counters.npz: array {name!r} must hold {key.kind} of shape ({axes}), "
            f"got {array.dtype} of shape {array.shape}"
        )
