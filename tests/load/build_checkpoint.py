"""Builds files of torch.save by hand, opcode by opcode, so that tests can make hostile ones."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Name:
    """A global, ``module attribute``."""

    text: str


@dataclass(frozen=True)
class Call:
    """REDUCE of a global on arguments, then BUILD with ``state`` unless it is None."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass(frozen=True)
class Persistent:
    """A persistent id."""

    identifier: Any


def opcodes(value: Any) -> bytes:
    """Return the protocol 2 opcodes that push ``value``."""
    if isinstance(value, Name):
        return b"c" + value.text.replace(" ", "\n").encode() + b"\n"
    if isinstance(value, Call):
        made = opcodes(Name(value.name)) + opcodes(value.arguments) + b"R"
        return made if value.state is None else made + opcodes(value.state) + b"b"
    if isinstance(value, Persistent):
        return opcodes(value.identifier) + b"Q"
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(raw)]) + raw
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, tuple):
        return b"(" + b"".join(map(opcodes, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(opcodes, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(opcodes(k) + opcodes(v) for k, v in value.items()) + b"u"
    raise TypeError(type(value))


def pickled(value: Any) -> bytes:
    """Return a whole pickle of ``value``."""
    return b"\x80\x02" + opcodes(value) + b"."


def tensor(
    count: Any,
    *,
    size: Any = None,
    stride: Any = (1,),
    offset: Any = 0,
    key: Any = "0",
    kind: str = "torch FloatStorage",
    device: str = "cpu",
) -> Call:
    """Return a tensor over storage ``key`` of ``count`` elements; one axis by default."""
    storage = Persistent(("storage", Name(kind), key, device, count))
    arguments = (storage, offset, (count,) if size is None else size, stride, False, {})
    return Call("torch._utils _rebuild_tensor_v2", arguments)


def archive(
    pickle: bytes,
    storages: dict[str, bytes] | None = None,
    *,
    root: str = "archive/",
    extra: dict[str, bytes] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """Return the bytes of a zip laid out as torch.save does."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr(root + "data.pkl", pickle)
        for key, data in (storages or {}).items():
            file.writestr(f"{root}data/{key}", data)
        for name, data in (extra or {}).items():
            file.writestr(root + name, data)
    return buffer.getvalue()
