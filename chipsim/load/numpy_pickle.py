"""Inert constructors for numpy scalars and arrays inside a checkpoint.

Training scripts keep losses and accuracies as ``numpy.float64`` beside the weights; numpy
pickles them as a type, built from a code and a state, and raw bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.load.archive import MalformedError
from chipsim.load.pickle_machine import Constructor, Global, State, shown

_CODE = re.compile(r"b1|[iu][1248]|f[248]")


class ElementType(State):
    """A ``numpy.dtype``: its code arrives first, its byte order as a state."""

    def __init__(self, code: str) -> None:
        self.code = code

    def build(self, state: object) -> None:
        """Check the byte order in ``(version, order, ...)``: little endian or none."""
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", "|", "="):
            raise MalformedError("a numpy type in the pickle is big endian or malformed")

    def decode(self, data: object, count: int) -> NDArray[np.generic]:
        """Return ``count`` elements held in the bytes ``data``, not copied; bool as uint8."""
        dtype = np.dtype("u1" if self.code == "b1" else "<" + self.code)
        if not isinstance(data, bytes) or len(data) != count * dtype.itemsize:
            raise MalformedError(f"a numpy array of {shown(count)} elements does not fit its bytes")
        return np.frombuffer(data, dtype=dtype)


class PickledArray(State):
    """A ``numpy.ndarray`` whose content arrives as a state."""

    def __init__(self) -> None:
        self.array: NDArray[np.generic] = np.zeros(0, dtype=np.float64)

    def build(self, state: object) -> None:
        """Take over ``(version, shape, type, is_fortran, bytes)``."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise MalformedError("a numpy array has a malformed state")
        _, shape, element, fortran, data = state
        if not isinstance(shape, tuple) or not isinstance(element, ElementType) or len(shape) > 32:
            raise MalformedError("a numpy array has a malformed shape or type")
        if not all(type(n) is int and 0 <= n < 2**40 for n in shape):
            raise MalformedError("a numpy array has a malformed shape")
        flat = element.decode(data, math.prod(shape))
        self.array = flat.reshape(shape, order="F" if fortran else "C")


def _element_type(arguments: tuple[Any, ...]) -> ElementType:
    if not arguments or not isinstance(arguments[0], str) or not _CODE.fullmatch(arguments[0]):
        code = shown(arguments[0]) if arguments else "nothing"
        raise MalformedError(f"a numpy array holds {code}; numbers are needed")
    return ElementType(arguments[0])


def _scalar(arguments: tuple[Any, ...]) -> float | int | bool:
    if len(arguments) != 2 or not isinstance(arguments[0], ElementType):
        raise MalformedError("a numpy number has a malformed type")
    value: float | int = arguments[0].decode(arguments[1], 1)[0].item()
    return bool(value) if arguments[0].code == "b1" else value


def _reconstruct(arguments: tuple[Any, ...]) -> PickledArray:
    if not arguments or arguments[0] != Global("numpy.ndarray"):
        raise MalformedError("a numpy array is of a class of its own")
    return PickledArray()


def _encode(arguments: tuple[Any, ...]) -> bytes:
    # Pickle protocol 2 has no bytes: Python writes codecs.encode(text, "latin1").
    if len(arguments) != 2 or not isinstance(arguments[0], str) or arguments[1] != "latin1":
        raise MalformedError("the pickle encodes text in an unexpected way")
    return arguments[0].encode("latin-1")


NUMPY_CONSTRUCTORS: Mapping[str, Constructor] = {
    "numpy.dtype": _element_type,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "_codecs.encode": _encode,
}
NUMPY_NAMES = frozenset(("numpy.ndarray", "numpy.bool_", "numpy.float64", "numpy.int64"))
