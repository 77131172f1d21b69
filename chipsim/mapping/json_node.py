"""JSON files: read with suspicion, every error naming file and key; written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn, TypeVar

from chipsim.errors import DoesNotFitError, InputError

_Choice = TypeVar("_Choice")

LARGEST = 2**53
"""Integers a file may state: what every JSON reader keeps exactly."""

LONGEST = 500
"""Characters of an error message about a value."""


@dataclass(frozen=True)
class Node:
    """A value in a JSON file, at ``key`` (``slices[3].neurons``) of the file ``path``."""

    path: Path
    key: str
    value: object

    def refuse(self, problem: str) -> NoReturn:
        """Raise InputError naming file and key."""
        where = f"{self.key or 'top level'}: {problem}"
        # A hostile name may be endless, or no text a terminal can print.
        shown = where if len(where) <= LONGEST else f"{where[:LONGEST]}..."
        printable = shown.encode("utf-8", "backslashreplace").decode()
        raise InputError(f"{self.path}: {printable}")

    def fields(self, names: Sequence[str]) -> dict[str, Node]:
        """Return the fields of an object that has exactly these names."""
        if not isinstance(self.value, dict):
            self.refuse(f"{_kind(self.value)} given, an object with {', '.join(names)} is due")
        missing = [name for name in names if name not in self.value]
        if missing:
            self.refuse(f"{missing[0]!r} is missing")
        for name in self.value:
            if name not in names:
                near = get_close_matches(name, names, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(names)}"
                self.refuse(f"unknown key {name!r}, {hint}")
        return {name: Node(self.path, self._below(name), self.value[name]) for name in names}

    def entries(self) -> dict[str, Node]:
        """Return the entries of an object with free names."""
        if not isinstance(self.value, dict):
            self.refuse(f"{_kind(self.value)} given, an object is due")
        return {name: Node(self.path, self._below(name), v) for name, v in self.value.items()}

    def items(self, length: int | None = None) -> list[Node]:
        """Return the items of a list, of ``length`` if that is given."""
        if not isinstance(self.value, list):
            self.refuse(f"{_kind(self.value)} given, a list is due")
        if length is not None and len(self.value) != length:
            self.refuse(f"{len(self.value)} items given, {length} are due")
        return [Node(self.path, f"{self.key}[{i}]", v) for i, v in enumerate(self.value)]

    def integer(self, low: int = 0, high: int = LARGEST) -> int:
        """Return an integer in ``low .. high``."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self.refuse(f"{_kind(self.value)} given, an integer is due")
        if not low <= self.value <= high:
            self.refuse(f"{self.value} is not in {low} .. {high}")
        return self.value

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str):
            self.refuse(f"{_kind(self.value)} given, text is due")
        return self.value

    def choice(self, allowed: Mapping[str, _Choice]) -> _Choice:
        """Return what the string given stands for among ``allowed``."""
        word = self.text()
        if word not in allowed:
            self.refuse(f"{word!r} given, allowed: {', '.join(allowed)}")
        return allowed[word]

    def require(self, text: str) -> None:
        """Refuse any string but ``text``."""
        self.choice({text: text})

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self.refuse(f"{_kind(self.value)} given, true or false is due")
        return self.value

    def _below(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key else name


def read_json(path: Path) -> Node:
    """Read a JSON file whole; InputError if it cannot be read, is not JSON or repeats a key."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text at byte {error.start}") from None
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise InputError(f"{path}: not a mapping: nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return Node(path, "", value)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"key {name!r} is given twice in one object")
            seen.add(name)
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number a file may state")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    names |= {int: "an integer", float: "a fraction", type(None): "null"}
    return names[type(value)]


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file: aside first, then renamed, so it is whole or absent.

    Raises InputError if the file cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            with open(aside, "w", encoding="utf-8") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


@contextmanager
def errors_in(path: Path) -> Iterator[None]:
    """Let errors about what a file holds name the file."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except DoesNotFitError as error:
        raise DoesNotFitError(f"{path}: {error}") from None
