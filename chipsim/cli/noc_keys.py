"""Reads the routing tables of a SpiNNaker machine, and the keys to send through them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.load.archive import describe_failures, open_archive
from chipsim.load.npz import read_npz
from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.spinnaker_tables import KeyTables
from chipsim.mesh.topology import Topology

ENTRY = ("x", "y", "key", "mask", "route")
SIDE = 256


@dataclass(frozen=True, eq=False)
class Sent:
    """Keys (uint32) with their source chips, and packets: the number of the key, the cycle."""

    key: NDArray[np.uint32]
    source: Int32
    number: Int32
    cycle: Int64


def _read_arrays(path: Path, needed: tuple[str, ...]) -> dict[str, Int64]:
    """Return whole-number arrays of one length by name; InputError names what is wrong."""
    with describe_failures(path), open_archive(path) as archive:
        arrays = read_npz(archive)
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise InputError(f"{path}: the arrays {', '.join(needed)} are needed, {missing[0]} missing")
    wanted = {name: arrays[name] for name in arrays if name in (*needed, "cycle")}
    for name, array in wanted.items():
        if (
            array.dtype.kind not in "iu"
            or array.shape != wanted[needed[0]].shape
            or array.ndim != 1
        ):
            raise InputError(
                f"{path}: {name}: whole numbers, as many as in {needed[0]}, needed, got "
                f"{array.dtype} of shape {array.shape}"
            )
    columns = {name: array.astype(np.int64) for name, array in wanted.items()}
    for name, column in columns.items():
        most = {"x": SIDE - 1, "y": SIDE - 1, "route": (1 << 24) - 1, "cycle": 1 << 40}
        high = most.get(name, (1 << 32) - 1)
        bad = column[(column < 0) | (column > high)]
        if bad.size:
            raise InputError(f"{path}: {name}: {bad[0]} given, 0 to {high} allowed")
    if not columns[needed[0]].size:
        raise InputError(f"{path}: holds nothing")
    return columns


def read_entries(path: Path) -> dict[str, Int64]:
    """Return x, y, key, mask and route of all entries; InputError names what is wrong."""
    return _read_arrays(path, ENTRY)


def _chip(path: str, x: Int64, y: Int64, topology: Topology) -> Int64:
    inside = (x < topology.width) & (y < topology.height)
    chip = np.where(inside, y * topology.width + x, 0)
    bad = np.flatnonzero(~inside | ~topology.present[chip])
    if bad.size:
        raise InputError(
            f"{path}: chip ({x[bad[0]]}, {y[bad[0]]}) is not on the {topology.width} x "
            f"{topology.height} {topology.name}"
        )
    return chip


def tables_of(columns: dict[str, Int64], topology: Topology) -> KeyTables:
    """Return the entries by chip, in their order; InputError for a chip that is not there."""
    chip = _chip("--tables", columns["x"], columns["y"], topology)
    order = np.argsort(chip, kind="stable")
    ptr = np.searchsorted(chip[order], np.arange(topology.routers + 1)).astype(np.int64)
    words = (columns[name][order].astype(np.uint32) for name in ("key", "mask", "route"))
    return KeyTables(ptr, *words)


def read_keys(path: Path, topology: Topology, spacing: int) -> Sent:
    """Read keys (.npz or CSV), a packet each; without cycles one every ``spacing`` cycles.

    InputError names what is wrong.
    """
    if not 0 <= spacing <= 1 << 20:
        raise InputError(f"--spacing: {spacing} given, 0 to {1 << 20} allowed")
    if path.suffix.lower() == ".npz":
        columns = _read_arrays(path, ("key", "x", "y"))
    else:
        columns = _read_csv(path)
    source = _chip("--keys", columns["x"], columns["y"], topology)
    cycle = columns.get("cycle", np.arange(source.size, dtype=np.int64) * spacing)
    pair = columns["key"] * topology.routers + source
    _, first, number = np.unique(pair, return_index=True, return_inverse=True)
    return Sent(
        columns["key"][first].astype(np.uint32),
        source[first].astype(np.int32),
        number.reshape(-1).astype(np.int32),
        cycle,
    )


def _read_csv(path: Path) -> dict[str, Int64]:
    """Return the columns key, x, y and, if there, cycle of a CSV with a line of names."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            names = [n for n in ("key", "x", "y", "cycle") if n in (rows.fieldnames or ())]
            if names[:3] != ["key", "x", "y"]:
                raise InputError(f"{path}: the columns key, x, y are needed, in a line of names")
            values = [[_number(path, rows.line_num, n, row[n]) for n in names] for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from error
    if not values:
        raise InputError(f"{path}: holds no key")
    return dict(zip(names, np.array(values, np.int64).T.copy(), strict=True))


def _number(path: Path, line: int, name: str, text: str | None) -> int:
    most = {"key": (1 << 32) - 1, "cycle": 1 << 40}.get(name, SIDE - 1)
    try:
        value = int(text or "", 0)
    except ValueError:
        value = -1
    if not 0 <= value <= most:
        raise InputError(f"{path}:{line}: {name}: {text!r} given, 0 to {most} allowed")
    return value
