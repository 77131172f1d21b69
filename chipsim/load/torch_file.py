"""The files of ``torch.save``, read without torch: a zip with one pickle and raw storages.

Layout (torch 1.6 to 2.13, the only format since 2020): ``ROOT/data.pkl`` refers to the storages
``ROOT/data/KEY`` by persistent ids ``("storage", type, key, device, elements)``; a tensor is a
view (offset, size, stride) of a storage.  ``ROOT/byteorder`` says ``little`` or ``big``.
Several tensors may share a storage (tied weights, slices).  The device is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.load.archive import Archive, MalformedError
from chipsim.load.numpy_pickle import NUMPY_CONSTRUCTORS, NUMPY_NAMES
from chipsim.load.pickle_machine import Constructor, Global, UnknownGlobalError, read_pickle, shown

RE_SAVE = "re-save it with torch.save(model.state_dict(), 'model.pt')"

MOST_REPEATED_ELEMENTS = 2**28
"""Most elements of a tensor that names the elements of its storage more than once."""

_MOST_AXES = 32
_MOST_ELEMENTS = 2**40

# Element types by torch's name: the numpy type of the raw bytes, without byte order.
_ELEMENTS: Mapping[str, str] = {
    "float16": "f2",
    "bfloat16": "u2",
    "float32": "f4",
    "float64": "f8",
    "int8": "i1",
    "int16": "i2",
    "int32": "i4",
    "int64": "i8",
    "uint8": "u1",
    "bool": "u1",
    "uint16": "u2",
    "uint32": "u4",
    "uint64": "u8",
}
_STORAGES: Mapping[str, str] = {
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.FloatStorage": "float32",
    "torch.DoubleStorage": "float64",
    "torch.CharStorage": "int8",
    "torch.ShortStorage": "int16",
    "torch.IntStorage": "int32",
    "torch.LongStorage": "int64",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.storage.UntypedStorage": "bytes",
}
_NAMES = frozenset(
    {
        *_STORAGES,
        *NUMPY_NAMES,
        *(f"torch.{name}" for name in _ELEMENTS),
        # Factories of defaultdicts, under Python 3's name and the one protocol 2 writes.
        *(
            f"{m}.{t}"
            for m in ("builtins", "__builtin__")
            for t in ("list", "dict", "int", "float")
        ),
    }
)


@dataclass(frozen=True)
class Storage:
    """``size`` bytes of entry ``entry``; ``element`` is a key of ``_ELEMENTS`` or ``bytes``."""

    entry: str
    element: str
    size: int


@dataclass(frozen=True)
class TensorView:
    """A tensor not read yet: ``shape``, ``stride`` and ``offset`` count elements.

    Every index the view can reach lies inside its storage (checked when it was made).
    """

    storage: Storage
    element: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def is_torch_file(names: Mapping[str, object]) -> bool:
    """Tell whether a zip with these entries is of ``torch.save`` (or TorchScript)."""
    return any(name.rpartition("/")[2] == "data.pkl" for name in names)


class TorchFile:
    """An open archive of ``torch.save``: its pickled ``content`` and its storages."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._root = _root(archive)
        self._storages: dict[str, NDArray[np.generic]] = {}
        self._order = self._byte_order()
        constructors = {**_CONSTRUCTORS, **NUMPY_CONSTRUCTORS}
        try:
            self.content = read_pickle(
                archive.read(self._root + "data.pkl"), constructors, _NAMES, self._storage
            )
        except UnknownGlobalError as error:
            raise MalformedError(
                f"the checkpoint needs {shown(error.name)}, and chipsim runs no code from a "
                "file: it was saved as a whole module or with objects other than tensors, "
                f"numbers, text, lists and dicts; {RE_SAVE}"
            ) from error

    def array(self, view: TensorView) -> NDArray[np.generic]:
        """Return the tensor as a read-only array; bfloat16 as float32."""
        base = self._elements(view.storage, view.element)
        if 0 in view.shape:
            return np.zeros(view.shape, dtype=base.dtype)
        strides = tuple(step * base.dtype.itemsize for step in view.stride)
        return np.lib.stride_tricks.as_strided(
            base[view.offset :], view.shape, strides, writeable=False
        )

    def _byte_order(self) -> str:
        if self._root + "byteorder" not in self._archive.entries:
            return "<"
        order = self._archive.read(self._root + "byteorder")
        if order not in (b"little", b"big"):
            raise MalformedError(f"byteorder is {order[:20]!r}; it must be 'little' or 'big'")
        return "<" if order == b"little" else ">"

    def _storage(self, identifier: tuple[Any, ...]) -> Storage:
        """Resolve a persistent id; MalformedError if the entry is not as long as it says."""
        if len(identifier) != 5 or identifier[0] != "storage":
            raise MalformedError("the pickle has a persistent id that is not of a storage")
        _, kind, key, _, count = identifier
        if not isinstance(kind, Global) or kind.name not in _STORAGES:
            raise MalformedError("a storage has an unknown type")
        if not isinstance(key, str) or not _is_count(count):
            raise MalformedError("a storage has a malformed key or size")
        entry = f"{self._root}data/{key}"
        element = _STORAGES[kind.name]
        width = 1 if element == "bytes" else _width(element)
        present = self._archive.size(entry)
        if count * width != present:
            raise MalformedError(
                f"storage {key[:40]!r} claims {shown(count)} elements of {width} bytes, "
                f"its entry holds {present} bytes"
            )
        return Storage(entry, element, present)

    def _elements(self, storage: Storage, element: str) -> NDArray[np.generic]:
        """Return all elements of a storage, decoded once however many tensors share it."""
        key = f"{element} {storage.entry}"
        if key not in self._storages:
            raw = np.frombuffer(
                self._archive.read(storage.entry), dtype=self._order + _ELEMENTS[element]
            )
            self._storages[key] = decode(raw, element)
        return self._storages[key]


def decode(raw: NDArray[np.generic], element: str) -> NDArray[np.generic]:
    """Turn raw elements into native numpy ones: bool from bytes, float32 from bfloat16."""
    if element == "bool":
        flags: NDArray[np.generic] = np.not_equal(raw, 0)
        return flags
    native = raw.astype(raw.dtype.newbyteorder("="), copy=False)
    if element == "bfloat16":
        # bfloat16 is the upper half of a float32.
        widened: NDArray[np.generic] = native.astype(np.uint32) << np.uint32(16)
        return widened.view(np.float32)
    return native


def _root(archive: Archive) -> str:
    """Return the folder of ``data.pkl`` with its slash; refuse TorchScript."""
    roots = [
        name[: -len("data.pkl")]
        for name in archive.entries
        if name.rpartition("/")[2] == "data.pkl"
    ]
    if len(roots) != 1:
        raise MalformedError(f"the archive holds {len(roots)} files called data.pkl, one is needed")
    (root,) = roots
    for name in archive.entries:
        if name == root + "constants.pkl" or name.startswith(root + "code/"):
            raise MalformedError(
                "this is a TorchScript program (torch.jit.save), not a checkpoint; "
                "load it with torch.jit.load and " + RE_SAVE
            )
    return root


def _tensor_v2(arguments: tuple[Any, ...]) -> TensorView:
    # (storage, offset, size, stride, requires_grad, backward_hooks[, metadata])
    if len(arguments) < 4 or not isinstance(arguments[0], Storage):
        raise MalformedError("a tensor is not made from a storage")
    storage, offset, shape, stride = arguments[:4]
    return _view(storage, storage.element, offset, shape, stride)


def _tensor_v3(arguments: tuple[Any, ...]) -> TensorView:
    # As v2, with the element type after backward_hooks.
    if len(arguments) < 7 or not isinstance(arguments[0], Storage):
        raise MalformedError("a tensor is not made from a storage")
    storage, offset, shape, stride = arguments[:4]
    element = arguments[6]
    if not isinstance(element, Global) or element.name.removeprefix("torch.") not in _ELEMENTS:
        raise MalformedError("a tensor has an element type that chipsim does not read")
    return _view(storage, element.name.removeprefix("torch."), offset, shape, stride)


def _view(storage: Storage, element: str, offset: Any, shape: Any, stride: Any) -> TensorView:
    """Check a view against its storage."""
    if element == "bytes":
        raise MalformedError("a tensor lacks an element type")
    if not isinstance(shape, tuple) or not isinstance(stride, tuple) or len(shape) != len(stride):
        raise MalformedError("a tensor's size and stride do not belong together")
    if not _is_count(offset) or not all(map(_is_count, shape)) or not all(map(_is_count, stride)):
        raise MalformedError(
            f"a tensor has a negative or malformed offset, size or stride (offset {shown(offset)})"
        )
    held = storage.size // _width(element)
    if len(shape) > _MOST_AXES or math.prod(max(n, 1) for n in shape) > _MOST_ELEMENTS:
        raise MalformedError(f"a tensor of {len(shape)} axes is larger than any chipsim reads")
    if 0 not in shape:
        last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
        if last >= held:
            raise MalformedError(
                f"a tensor of size {shape} reaches element {shown(last)} of a storage of {held}"
            )
        if math.prod(shape) > max(held, MOST_REPEATED_ELEMENTS):
            raise MalformedError(f"a tensor of size {shape} repeats a storage of {held} elements")
    return TensorView(storage, element, offset, shape, stride)


def _parameter(arguments: tuple[Any, ...]) -> TensorView:
    # (data, requires_grad, backward_hooks[, state])
    if not arguments or not isinstance(arguments[0], TensorView):
        raise MalformedError("a parameter is not made from a tensor")
    return arguments[0]


def _mapping(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    # OrderedDict() and defaultdict(factory): their items follow as SETITEMS.
    if any(not isinstance(argument, Global) for argument in arguments):
        raise MalformedError("a dict is made from something other than its items")
    return {}


def _device(arguments: tuple[Any, ...]) -> str:
    return ":".join(str(part)[:40] for part in arguments if isinstance(part, (str, int)))


def _shape(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) != 1 or not isinstance(arguments[0], tuple):
        raise MalformedError("a torch.Size is not made from a tuple")
    return arguments[0]


def _width(element: str) -> int:
    return int(_ELEMENTS[element][1])


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**62


_CONSTRUCTORS: Mapping[str, Constructor] = {
    "collections.OrderedDict": _mapping,
    "collections.defaultdict": _mapping,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.device": _device,
    "torch.Size": _shape,
}
