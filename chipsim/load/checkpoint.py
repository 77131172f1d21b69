"""Reads a checkpoint, whatever wrote it: tensors by name, and a description if it carries one.

Formats, told apart by their first bytes and never by the suffix: files of ``torch.save`` (zip),
``.npz`` and ``.safetensors``.  No torch is needed and nothing in a file is executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.load.archive import MalformedError, describe_failures, open_archive
from chipsim.load.npz import read_npz
from chipsim.load.numpy_pickle import PickledArray
from chipsim.load.pickle_machine import shown
from chipsim.load.safetensors_file import is_safetensors, parse_safetensors
from chipsim.load.torch_file import RE_SAVE, TensorView, TorchFile, is_torch_file

DESCRIPTION_KEY = "chipsim"
"""The entry of a checkpoint that holds the network's description."""

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")
"""Entries of a checkpoint under which training scripts keep the state dict."""

PREFIXES = ("module.", "model.", "_orig_mod.")
"""Prefixes that data parallelism, Lightning and torch.compile put before every key."""

_MOST_DESCRIPTION_DEPTH = 16
_MOST_DESCRIPTION_VALUES = 100_000


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, in file order, read-only; ``description`` is plain data or None."""

    path: Path
    tensors: Mapping[str, NDArray[np.generic]]
    description: Mapping[str, Any] | None = None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read the checkpoint at ``path``.

    A state dict may be bare or under one of `WRAPPERS`; tensors (and lists of tensors) beside
    the wrapper keep their names.  `PREFIXES` that all keys of the state dict share are removed.
    bfloat16 becomes float32, all other element types stay as they are.

    Raises InputError, naming the file, for a file that is not one of the formats, is damaged,
    lies about a size, or needs code to be read (a pickled module, TorchScript, torch's format
    before 1.6), with what to do about it.
    """
    with describe_failures(path):
        with path.open("rb") as stream:
            head = stream.read(16)
        if head[:4] == b"PK\x03\x04":
            return _read_zip(path)
        if is_safetensors(head, path.stat().st_size):
            tensors, metadata = parse_safetensors(path.read_bytes())
            return Checkpoint(path, _without_prefix(tensors), _from_json(metadata))
        raise MalformedError(_not_a_checkpoint(path, head))


def _read_zip(path: Path) -> Checkpoint:
    with open_archive(path) as archive:
        if not is_torch_file(archive.entries):
            return Checkpoint(path, _without_prefix(read_npz(archive)))
        file = TorchFile(archive)
        views, description = _select(file.content)
        tensors = {
            name: file.array(value) if isinstance(value, TensorView) else value.array
            for name, value in views.items()
        }
        return Checkpoint(path, tensors, description)


_Stored = TensorView | PickledArray


def _select(content: Any) -> tuple[dict[str, _Stored], Mapping[str, Any] | None]:
    """Find the tensors to keep and the description in a checkpoint's content."""
    if isinstance(content, (list, tuple)):
        content = {str(index): value for index, value in enumerate(content)}
    if not isinstance(content, dict):
        raise MalformedError(f"it holds {shown(content)} and not a state dict; {RE_SAVE}")
    description = None
    if DESCRIPTION_KEY in content and not isinstance(content[DESCRIPTION_KEY], TensorView):
        description = _plain_description(content[DESCRIPTION_KEY])
    wrapped = [key for key in WRAPPERS if _tensors_of(content.get(key))]
    if len(wrapped) > 1:
        raise MalformedError(f"it holds several state dicts ({', '.join(wrapped)}); keep only one")
    beside = _tensors_of(content)
    for key, value in content.items():
        if isinstance(key, str) and isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                if isinstance(item, _Stored):
                    beside[f"{key}.{index}"] = item
    if not wrapped:
        return _without_prefix(beside), description
    inside = _without_prefix(_tensors_of(content[wrapped[0]]))
    return {**beside, **inside}, description


def _tensors_of(value: Any) -> dict[str, _Stored]:
    if not isinstance(value, dict):
        return {}
    return {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, _Stored)}


def _without_prefix(tensors: dict[str, Any]) -> dict[str, Any]:
    """Remove prefixes that all keys share, as often as they do."""
    if not tensors:
        raise MalformedError(f"it holds no tensors; {RE_SAVE}")
    names = list(tensors)
    while prefix := next((p for p in PREFIXES if all(n.startswith(p) for n in names)), None):
        names = [name.removeprefix(prefix) for name in names]
    return dict(zip(names, tensors.values(), strict=True))


def _from_json(metadata: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return the description that a .safetensors file carries as JSON text."""
    if DESCRIPTION_KEY not in metadata:
        return None
    try:
        content = json.loads(metadata[DESCRIPTION_KEY])
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"its {DESCRIPTION_KEY!r} metadata is not readable JSON") from error
    return _plain_description(content)


def _plain_description(value: Any) -> Mapping[str, Any]:
    """Copy a description, refusing anything but mappings, lists, text, numbers and flags."""
    if not isinstance(value, dict):
        raise MalformedError(
            f"its {DESCRIPTION_KEY!r} entry is {shown(value)}; a mapping is needed"
        )
    left = _MOST_DESCRIPTION_VALUES

    def copy(item: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        # Both limits stop a structure that contains itself, or one part a million times.
        if depth > _MOST_DESCRIPTION_DEPTH or left < 0:
            raise MalformedError(f"its {DESCRIPTION_KEY!r} entry is too deep or too large")
        if isinstance(item, dict):
            if not all(isinstance(key, str) for key in item):
                raise MalformedError(f"its {DESCRIPTION_KEY!r} entry has keys that are not text")
            return {key: copy(part, depth + 1) for key, part in item.items()}
        if isinstance(item, (list, tuple)):
            return [copy(part, depth + 1) for part in item]
        if item is None or isinstance(item, (str, int, float)):
            return item
        raise MalformedError(
            f"its {DESCRIPTION_KEY!r} entry holds {shown(item)}; only mappings, lists, text, "
            "numbers and flags are allowed"
        )

    copied: Mapping[str, Any] = copy(value, 0)
    return copied


def _not_a_checkpoint(path: Path, head: bytes) -> str:
    if not head:
        return "the file is empty"
    if path.suffix in (".yaml", ".yml"):
        return (
            f"this is a YAML file; give the checkpoint that it describes ({path.stem}.pt, .npz or "
            ".safetensors), and the description beside it is found"
        )
    if head[:1] == b"\x80":
        return (
            "this is a plain pickle or a torch file from before torch 1.6, which only running "
            "it can read; load it where it was made, with torch.load, and " + RE_SAVE
        )
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        return "this is an HDF5 file (NIR, Keras); chipsim reads .pt, .npz and .safetensors"
    return (
        "this is not a checkpoint chipsim knows (a .pt of torch.save, .npz or .safetensors); "
        + RE_SAVE
    )
