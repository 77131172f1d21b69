"""Writes a state dict as ``torch.save`` would, without torch.

A zip file of the tensors' bytes and a pickle that says what they are (torch's format since 1.6).
The pickle's opcodes are written one by one: there is nothing to import and nothing to run.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FOLDER = "archive"
_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The date of all members, so that equal tensors make equal bytes."""

_PROTOCOL, _STOP = b"\x80\x02", b"."
_EMPTY_TUPLE, _MARK, _TUPLE, _REDUCE = b")", b"(", b"t", b"R"
_SET_ITEMS, _PERSISTENT, _FALSE = b"u", b"Q", b"\x89"


def torch_bytes(tensors: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return the bytes of a ``.pt`` file with ``tensors`` (float32) as a state dict, in order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "data.pkl", _state_dict(tensors))
        _add(archive, "byteorder", b"little")
        for number, values in enumerate(tensors.values()):
            _add(archive, f"data/{number}", values.astype("<f4").tobytes())
        _add(archive, "version", b"3\n")
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(f"{_FOLDER}/{name}", _BEGINNING), content)


def _state_dict(tensors: Mapping[str, NDArray[np.float32]]) -> bytes:
    items = b"".join(
        _text(name) + _tensor(number, values)
        for number, (name, values) in enumerate(tensors.items())
    )
    return _PROTOCOL + _ordered_dict() + _MARK + items + _SET_ITEMS + _STOP


def _tensor(number: int, values: NDArray[np.float32]) -> bytes:
    """Return the call that rebuilds a contiguous tensor: storage, offset, shape, strides, ..."""
    strides = [math.prod(values.shape[axis + 1 :]) for axis in range(values.ndim)]
    storage = (
        _MARK + _text("storage") + _name("torch", "FloatStorage") + _text(str(number))
        + _text("cpu") + _whole(values.size) + _TUPLE + _PERSISTENT
    )  # fmt: skip
    arguments = storage + _whole(0) + _wholes(values.shape) + _wholes(strides)
    arguments += _FALSE + _ordered_dict()
    rebuild = _name("torch._utils", "_rebuild_tensor_v2")
    return rebuild + _MARK + arguments + _TUPLE + _REDUCE


def _ordered_dict() -> bytes:
    return _name("collections", "OrderedDict") + _EMPTY_TUPLE + _REDUCE


def _name(module: str, name: str) -> bytes:
    return b"c" + f"{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    content = text.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def _whole(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _wholes(numbers: Any) -> bytes:
    return _MARK + b"".join(_whole(int(number)) for number in numbers) + _TUPLE
