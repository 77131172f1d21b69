"""How kernels are compiled: cached on disk, without the interpreter lock, or into their callers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_INTO_CALLERS: dict[str, Any] = {"forceinline": True, "nogil": True, "_nrt": False}


def compiled(function: F) -> F:
    """Compile ``function``, cached on disk, running without the interpreter lock.

    numba's cache only looks at the file a function stands in, so a change in a file it calls into
    would silently run the old code.  Here the cache is as old as the contents of its
    folder and of all kernels.
    """
    dispatcher: Any = numba.njit(cache=True, nogil=True)(function)
    folder = Path(function.__code__.co_filename).parent
    cache_file = dispatcher._cache._cache_file
    cache_file._source_stamp = _fingerprint(folder)
    cache_file._load_index = _forgetful(cache_file._load_index)
    return cast(F, dispatcher)


def _forgetful(load_index: Callable[[], dict[Any, str]]) -> Callable[[], dict[Any, str]]:
    """Take a cache for empty that names records which have moved or gone since it was written.

    numba unpickles the types in it before it compares the stamp.
    """

    def load() -> dict[Any, str]:
        try:
            return load_index()
        except (AttributeError, ImportError):
            return {}

    return load


def inlined(function: F) -> F:
    """Compile ``function``, which makes no arrays, into each of its callers.

    Without reference counts: counting at each use, atomically, would cost more than the work.
    """
    return cast(F, numba.njit(**_INTO_CALLERS)(function))


@cache
def _fingerprint(folder: Path) -> str:
    """Hash of every source file under ``folder`` and under this one."""
    digest = hashlib.sha256()
    for place in sorted({folder, Path(__file__).parent}):
        for source in sorted(place.rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()
