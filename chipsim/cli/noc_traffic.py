"""Traffic for ``chipsim noc`` from a file of packets or from a run folder of ``chipsim map``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.load.archive import describe_failures, open_archive
from chipsim.load.npz import read_npz
from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.traffic import Stream
from chipsim.report.run_folder import read_run

FIELDS = ("cycle", "source", "target")
LATEST = 1 << 40


@dataclass(frozen=True, eq=False)
class RunTraffic:
    """The mesh of a mapped network, ``width x height`` routers, and its packets core to core.

    ``matrix`` is int64 (cores, cores), cores numbered as in the run.
    """

    width: int
    height: int
    cores: int
    matrix: Int64


def read_run_traffic(folder: Path) -> RunTraffic:
    """Return who sent how much to whom in a run; InputError if it is no run or has no packets."""
    summary, arrays = read_run(folder)
    chip = summary["chip"]
    matrix = arrays["traffic_matrix"].astype(np.int64)
    if not matrix.any():
        raise InputError(f"--traffic run:{folder}: no packet crossed the mesh in this run")
    routers = chip["width"] * chip["height"]
    if chip["cores"] % routers:
        raise InputError(
            f"--traffic run:{folder}: {chip['cores']} cores at {routers} routers; they must be as "
            "many at each"
        )
    return RunTraffic(chip["width"], chip["height"], chip["cores"] // routers, matrix)


def read_packets(path: Path, flits: int) -> tuple[Stream, Int32]:
    """Return the packets of an .npz file in order of their cycle, and the flits of each.

    Its arrays ``cycle``, ``source`` and ``target`` (whole numbers, one a packet; cores) are needed;
    without ``flits`` each packet has ``flits``.  InputError names what is wrong.
    """
    with describe_failures(path), open_archive(path) as archive:
        arrays = read_npz(archive)
    wrong = [name for name in arrays if name not in (*FIELDS, "flits")]
    missing = [name for name in FIELDS if name not in arrays]
    if wrong or missing:
        raise InputError(
            f"{path}: packets need the arrays cycle, source, target and may have flits; "
            f"{', '.join(missing) or 'none'} missing, {', '.join(wrong) or 'none'} unknown"
        )
    columns = {name: _whole(path, name, array) for name, array in arrays.items()}
    count = columns["cycle"].size
    if any(column.size != count for column in columns.values()):
        lengths = ", ".join(f"{name} {column.size}" for name, column in columns.items())
        raise InputError(f"{path}: the arrays differ in length: {lengths}; one entry a packet each")
    if not count:
        raise InputError(f"{path}: holds no packet")
    order = np.argsort(columns["cycle"], kind="stable")
    sizes = columns.get("flits", np.full(count, flits, dtype=np.int64))
    if sizes.max() >= 1 << 31:
        raise InputError(f"{path}: flits: {sizes.max()} given, at most {(1 << 31) - 1} allowed")
    stream = Stream(*(columns[name][order] for name in FIELDS))
    return stream, sizes[order].astype(np.int32)


def _whole(path: Path, name: str, array: NDArray[np.generic]) -> Int64:
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise InputError(
            f"{path}: {name}: whole numbers, one a packet, needed, got {array.dtype} of shape "
            f"{array.shape}"
        )
    if array.size and (int(array.min()) < 0 or int(array.max()) > LATEST):
        raise InputError(f"{path}: {name}: values must be 0 to {LATEST}")
    return array.astype(np.int64)
