"""Reads ``.npy`` and ``.npz`` files from strangers: headers by a strict pattern, no pickle.

The array header is Python text that numpy evaluates; here it is matched against the one form
numpy writes, and the size it claims is compared with the bytes that follow.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from chipsim.load.archive import Archive, MalformedError

NPY_MAGIC = b"\x93NUMPY"

_HEADER = re.compile(
    r"\{'descr': '([<>|=]?)([biufU])([0-9]{1,9})', 'fortran_order': (True|False), "
    r"'shape': \(((?:[0-9]{1,15}, ?)*(?:[0-9]{1,15})?)\), \}\s*"
)
_WIDTHS: Mapping[str, tuple[int, ...]] = {
    "b": (1,),
    "i": (1, 2, 4, 8),
    "u": (1, 2, 4, 8),
    "f": (2, 4, 8),
}
_MOST_TEXT = 10_000
_MOST_AXES = 32


def read_npz(archive: Archive) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of an open ``.npz`` by name; MalformedError for any other entry."""
    arrays = {}
    for name in archive.entries:
        if not name.endswith(".npy"):
            raise MalformedError(f"entry {name!r} is not an array; an .npz holds only .npy entries")
        try:
            arrays[name.removesuffix(".npy")] = parse_npy(archive.read(name))
        except MalformedError as error:
            raise MalformedError(f"array {name.removesuffix('.npy')!r}: {error}") from error
    return arrays


def parse_npy(data: bytes) -> NDArray[np.generic]:
    """Return the array in the bytes of one ``.npy`` file, read-only, in native byte order."""
    if data[:6] != NPY_MAGIC or len(data) < 12:
        raise MalformedError("it does not start like a numpy array")
    # Format version 1 has a two-byte header length, 2 and 3 have four bytes.
    wide = data[6] in (2, 3)
    if not wide and data[6] != 1:
        raise MalformedError(f"numpy array format {data[6]} is unknown")
    start = 12 if wide else 10
    length = int.from_bytes(data[8:start], "little")
    header = data[start : start + length]
    match = _HEADER.fullmatch(header.decode("latin-1"))
    if len(header) != length or match is None:
        raise MalformedError(
            "its header is not that of an array of numbers or text (objects and records are "
            "refused; save plain arrays with numpy.savez)"
        )
    order, kind, width, fortran, sizes = match.groups()
    shape = tuple(int(size) for size in sizes.replace(",", " ").split())
    dtype = _dtype(order, kind, int(width))
    held = len(data) - start - length
    if len(shape) > _MOST_AXES or math.prod(shape) * dtype.itemsize != held:
        raise MalformedError(f"its header claims shape {shape} of {dtype}, {held} bytes follow")
    if max((1, *shape)) > 2**48:
        raise MalformedError(f"shape {shape} is larger than any chipsim reads")
    flat = np.frombuffer(data, dtype=dtype, offset=start + length)
    array = flat.reshape(shape, order="F" if fortran == "True" else "C")
    native = array.astype(dtype.newbyteorder("="), copy=False)
    native.flags.writeable = False
    return native


def _dtype(order: str, kind: str, width: int) -> np.dtype[np.generic]:
    allowed = width <= _MOST_TEXT if kind == "U" else width in _WIDTHS[kind]
    if not allowed:
        raise MalformedError(f"its element type {kind}{width} is not one chipsim reads")
    return np.dtype(f"{order}{kind}{width}")
