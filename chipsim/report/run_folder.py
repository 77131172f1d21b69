"""The run folder: written aside and renamed when whole, and read back to be rendered again."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.report.check import check
from chipsim.report.schema import Arrays, Summary

REPORT = "report.json"
COUNTERS = "counters.npz"

Writer = Callable[[Path], None]


def write_run(folder: Path, files: Mapping[str, Writer], force: bool = False) -> Path:
    """Write a run folder whole or not at all, and return its resolved path.

    ``files`` maps a file name to the function that writes it to the path it is given.  They are
    written into a folder beside ``folder``, which takes its place at the end.  An existing folder
    stands in the way unless it is empty, or ``force`` is set and it is a run folder (it holds
    ``report.json``).

    Raises
    ------
    InputError
        The folder is in the way or cannot be written.
    """
    target = Path(os.path.abspath(folder))
    check_target(target, force)
    aside = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
        for name, write in files.items():
            write(aside / name)
        _take_place(aside, target)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written: {error.strerror or error}; choose another -o"
        ) from error
    finally:
        # Also on Ctrl-C: what is half-written must not stay.
        shutil.rmtree(aside, ignore_errors=True)
    return target


def check_target(folder: Path, force: bool) -> None:
    """Raise InputError if a run cannot be written to ``folder`` because of what is there."""
    target = Path(os.path.abspath(folder))
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"{target}: is a file, a run needs a folder; choose another -o")
    if not any(target.iterdir()):
        return
    if not (target / REPORT).is_file():
        raise InputError(
            f"{target}: is a folder without {REPORT}, so not a run of chipsim, and is left alone; "
            "choose another -o"
        )
    if not force:
        raise InputError(f"{target}: holds a run already; use --force to replace it")


def _take_place(aside: Path, target: Path) -> None:
    """Rename ``aside`` to ``target``; what was there comes back if that fails."""
    if not target.exists():
        aside.rename(target)
        return
    old = target.parent / f".{target.name}.{secrets.token_hex(4)}.old"
    target.rename(old)
    try:
        aside.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write one file whole or not at all; InputError where it cannot be written."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write strict JSON: sorted keys, shortest exact floats; ValueError for NaN and infinity."""
    path.write_text(dump_json(content), encoding="utf-8")


def dump_json(content: Mapping[str, Any]) -> str:
    """Return strict JSON text with sorted keys; numpy numbers and arrays become plain ones."""
    text = json.dumps(
        content, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False, default=_plain
    )
    return text + "\n"


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} does not belong into JSON")


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays as a compressed npz file; the same arrays give the same bytes."""
    # The stub of savez_compressed takes one of the arrays for its `allow_pickle`.
    named: dict[str, Any] = dict(arrays)
    np.savez_compressed(path, **named)


def read_run(folder: Path) -> tuple[Summary, Arrays]:
    """Read ``report.json`` and ``counters.npz`` of a run folder.

    Raises
    ------
    InputError
        A file is missing or damaged, or is not what docs/report.md says.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder `chipsim map -o` wrote")
    summary = _read_json(folder / REPORT)
    arrays = _read_arrays(folder / COUNTERS)
    try:
        check(summary, arrays)
    except InputError as error:
        raise InputError(f"{folder / REPORT}: {error}") from error
    return summary, arrays


def _read_json(path: Path) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a JSON number")

    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; is this a run folder?") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}:{error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from error


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a whole npz file of plain arrays: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; is this a run folder?") from error
