"""How the mesh compiles its loops: two typed decorators and the bit scan numba lacks.

The cache on disk is not invalidated by a change in another file, so a kernel keeps the functions
it calls in its own module; only this module, which does not change, is shared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

# Counting references to arrays at each use, atomically, makes small functions five times slower;
# without the counts a function can still read and write arrays, but not make them.
INLINED: dict[str, Any] = {"forceinline": True, "nogil": True, "_nrt": False}


def compiled(function: F) -> F:
    """Compile ``function`` with numba, cached on disk, running without the interpreter lock."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))


def inlined(function: F) -> F:
    """Compile ``function``, which makes no arrays, into each of its callers."""
    return cast(F, numba.njit(**INLINED)(function))


def _lowest_bit(typing_context: Any, word: Any) -> Any:
    """Return the position of the lowest set bit of a non-zero 64-bit ``word``."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero_is_undefined = ir.Constant(ir.IntType(1), 1)
        return builder.cttz(arguments[0], zero_is_undefined)

    return types.int64(types.int64), code


lowest_bit = cast(Callable[[int], int], intrinsic(_lowest_bit))
