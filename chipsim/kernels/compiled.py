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
_WITHOUT_ENTRY: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_WITHOUT_COUNTS: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}


def compiled(function: F) -> F:
    """Compile ``function``, cached on disk, running without the interpreter lock.

    numba's cache only looks at the file a function stands in, so a change in a file it calls into
    would silently run the old code.  Here the cache is as old as the contents of its
    folder and of all kernels.
    """
    return cast(F, _cached(numba.njit(cache=True, nogil=True)(function)))


def compiled_without_counts(function: F) -> F:
    """Compile ``function``, which makes no arrays, as `compiled`, but without reference counts."""
    return cast(F, _cached(numba.njit(**_WITHOUT_COUNTS)(function)))


def merged(function: F) -> F:
    """Write ``function`` into its one caller before that is compiled, which takes less time."""
    return cast(F, numba.njit(inline="always")(function))


def _cached(dispatcher: Any) -> Any:
    function = dispatcher.py_func
    folder = Path(function.__code__.co_filename).parent
    cache_file = dispatcher._cache._cache_file
    cache_file._source_stamp = _fingerprint(folder)
    cache_file._load_index = _forgetful(cache_file._load_index)
    return dispatcher


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


def inner(function: F) -> F:
    """Compile into callers as `inlined`, without an entry point for the interpreter.

    To make one for a function of program and state takes longer than to compile its body.  Only
    kernels may call it: a call from the interpreter ends the process.
    """
    return cast(F, numba.njit(**_INTO_CALLERS, **_WITHOUT_ENTRY)(function))


@cache
def _fingerprint(folder: Path) -> str:
    """Hash of every source file under ``folder`` and under this one."""
    digest = hashlib.sha256()
    for place in sorted({folder, Path(__file__).parent}):
        for source in sorted(place.rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()
