"""Traffic for ``chipsim noc`` from a file of packets, or from who sent to whom in a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.load.archive import describe_failures, open_archive
from chipsim.load.npz import read_npz
from chipsim.mesh.fabric import Int32, Int64, Packets
from chipsim.mesh.replay import Load, trees_to
from chipsim.mesh.topology import Topology
from chipsim.report.run_folder import read_run

FIELDS = ("cycle", "source", "target")
OPTIONAL = ("ptr", "phase", "flits")
LATEST = 1 << 40
MOST_PHASES = 1 << 24


def read_matrix(folder: Path) -> Int64:
    """Return the packets from core to core in a run, int64 (cores, cores).

    InputError if the folder is no run or no packet was sent.
    """
    _, arrays = read_run(folder)
    matrix = arrays["traffic_matrix"].astype(np.int64)
    if not matrix.any():
        raise InputError(f"--traffic matrix:{folder}: no packet crossed the mesh in this run")
    return matrix


def read_packets(
    path: Path, topology: Topology, working: Int64, flits: int, adaptive: bool
) -> Load:
    """Return the packets between ``working`` cores in an .npz file, by phase and cycle.

    Its arrays are ``cycle`` and ``source``, one a packet, and ``target`` (cores): one a packet too,
    or, with ``ptr`` (packets + 1), those of packet p at ``ptr[p] .. ptr[p+1]-1``.  ``phase`` and
    ``flits`` of each packet may be left out: all in one phase, ``flits`` each.  InputError names
    what is wrong.
    """
    columns = _columns(path)
    count = columns["cycle"].size
    ptr = columns.get("ptr", np.arange(count + 1, dtype=np.int64))
    phase = columns.get("phase", np.zeros(count, np.int64))
    sizes = columns.get("flits", np.full(count, flits, np.int64))
    _check_values(path, columns, ptr, working)
    if adaptive and (np.diff(ptr) > 1).any():
        raise InputError(f"{path}: adaptive routing sends to one target a packet, several given")
    order = np.lexsort((columns["cycle"], phase))
    length = np.diff(ptr)[order]
    ends = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    entry = np.arange(ends[-1]) - np.repeat(ends[:-1], length) + np.repeat(ptr[:-1][order], length)
    source = columns["source"][order]
    trees, tree = trees_to(topology, source // topology.locals, ends, columns["target"][entry])
    phases = int(phase.max()) + 1
    packets = Packets(
        np.searchsorted(phase[order], np.arange(phases + 1)).astype(np.int64),
        source.astype(np.int32),
        columns["cycle"][order],
        tree,
    )
    return Load(trees, packets, _sizes(path, sizes[order]))


def _columns(path: Path) -> dict[str, Int64]:
    with describe_failures(path), open_archive(path) as archive:
        arrays = read_npz(archive)
    wrong = [name for name in arrays if name not in (*FIELDS, *OPTIONAL)]
    missing = [name for name in FIELDS if name not in arrays]
    if wrong or missing:
        raise InputError(
            f"{path}: packets need the arrays cycle, source, target and may have ptr, phase, "
            f"flits; {', '.join(missing) or 'none'} missing, {', '.join(wrong) or 'none'} unknown"
        )
    columns = {name: _whole(path, name, array) for name, array in arrays.items()}
    count = columns["cycle"].size
    due = dict.fromkeys(columns, count)
    if "ptr" in columns:
        due |= {"ptr": count + 1, "target": columns["target"].size}
    if any(column.size != due[name] for name, column in columns.items()):
        lengths = ", ".join(f"{name} {column.size}" for name, column in columns.items())
        raise InputError(
            f"{path}: the arrays differ in length: {lengths}; one entry a packet each, in ptr one "
            "more, and with ptr any number of targets"
        )
    if not count:
        raise InputError(f"{path}: holds no packet")
    return columns


def _check_values(path: Path, columns: dict[str, Int64], ptr: Int64, working: Int64) -> None:
    if ptr[0] != 0 or ptr[-1] != columns["target"].size or (np.diff(ptr) < 1).any():
        raise InputError(
            f"{path}: ptr: must rise from 0 to the number of targets, {columns['target'].size}, "
            "with at least one target a packet"
        )
    if columns.get("phase", ptr[:1]).max() >= MOST_PHASES:
        raise InputError(f"{path}: phase: fewer than {MOST_PHASES} phases allowed")
    for name in ("source", "target"):
        bad = columns[name][~np.isin(columns[name], working)]
        if bad.size:
            raise InputError(
                f"{path}: {name}: core {bad[0]} given, which is not there or dead; the mesh has "
                f"{working.size} cores, {working[0]} to {working[-1]}"
            )


def _sizes(path: Path, sizes: Int64) -> Int32:
    if sizes.max() >= 1 << 31:
        raise InputError(f"{path}: flits: {sizes.max()} given, at most {(1 << 31) - 1} allowed")
    return sizes.astype(np.int32)


def _whole(path: Path, name: str, array: NDArray[np.generic]) -> Int64:
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise InputError(
            f"{path}: {name}: whole numbers, one a packet, needed, got {array.dtype} of shape "
            f"{array.shape}"
        )
    if array.size and (int(array.min()) < 0 or int(array.max()) > LATEST):
        raise InputError(f"{path}: {name}: values must be 0 to {LATEST}")
    return array.astype(np.int64)
