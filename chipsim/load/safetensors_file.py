"""Reads ``.safetensors`` files: an 8-byte length, a JSON header, then the bytes of the tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.load.archive import MalformedError
from chipsim.load.pickle_machine import shown
from chipsim.load.torch_file import decode

# safetensors' names of the element types: numpy's raw type, torch's name.
_ELEMENTS: Mapping[str, tuple[str, str]] = {
    "F16": ("<f2", "float16"),
    "BF16": ("<u2", "bfloat16"),
    "F32": ("<f4", "float32"),
    "F64": ("<f8", "float64"),
    "I8": ("i1", "int8"),
    "I16": ("<i2", "int16"),
    "I32": ("<i4", "int32"),
    "I64": ("<i8", "int64"),
    "U8": ("u1", "uint8"),
    "U16": ("<u2", "uint16"),
    "U32": ("<u4", "uint32"),
    "U64": ("<u8", "uint64"),
    "BOOL": ("u1", "bool"),
}
_MOST_AXES = 32


def is_safetensors(head: bytes, file_bytes: int) -> bool:
    """Tell from the first nine bytes: a length that fits the file, then a JSON object."""
    return (
        len(head) >= 9
        and head[8:9] == b"{"
        and 2 <= int.from_bytes(head[:8], "little") <= file_bytes - 8
    )


def parse_safetensors(data: bytes) -> tuple[dict[str, NDArray[np.generic]], dict[str, str]]:
    """Return the tensors (read-only) and the metadata of a whole file.

    MalformedError if the header is no JSON of the format's form, or if a tensor's place is outside
    the data, of the wrong length for its shape, or shared with another tensor.
    """
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=_unique)
    except MalformedError:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedError("its header is not readable JSON") from error
    if not isinstance(header, dict):
        raise MalformedError("its header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise MalformedError("its __metadata__ must map text to text")
    body = memoryview(data)[8 + length :]
    places: list[tuple[int, int, str]] = []
    tensors = {}
    for name, entry in header.items():
        first, last, array = _tensor(name, entry, body)
        tensors[name] = array
        if last > first:
            places.append((first, last, name))
    places.sort()
    for (_, end, name), (start, _, other) in pairwise(places):
        if start < end:
            raise MalformedError(f"tensors {shown(name)} and {shown(other)} overlap")
    return tensors, metadata


def _tensor(name: str, entry: Any, body: memoryview) -> tuple[int, int, NDArray[np.generic]]:
    where = f"tensor {shown(name)}"
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise MalformedError(f"{where} needs dtype, shape and data_offsets")
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in _ELEMENTS:
        raise MalformedError(
            f"{where} is of type {shown(entry['dtype'])}; allowed: {', '.join(_ELEMENTS)}"
        )
    raw_type, element = _ELEMENTS[entry["dtype"]]
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _counts(shape) or len(shape) > _MOST_AXES:
        raise MalformedError(f"{where} has a malformed shape")
    if not _counts(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= len(body):
        raise MalformedError(f"{where} lies outside the {len(body)} bytes of data")
    first, last = offsets
    if math.prod(shape) * np.dtype(raw_type).itemsize != last - first:
        raise MalformedError(f"{where} has shape {tuple(shape)} but {last - first} bytes of data")
    raw = np.frombuffer(body[first:last], dtype=raw_type)
    array = decode(raw, element).reshape(shape)
    array.flags.writeable = False
    return first, last, array


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**48 for n in value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedError("its header names something twice")
    return result
