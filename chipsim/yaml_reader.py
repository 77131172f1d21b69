"""Reads a YAML document, or plain Python data, into a tree (`chipsim.yaml_tree`).

Scalars are resolved as in YAML 1.2, not as PyYAML does (YAML 1.1): ``on`` and ``yes`` are text,
``1e-12`` is a number, ``12:30:45`` is text, ``010`` is refused.  Anchors, aliases, tags and merge
keys are refused, and depth, size and count are bounded, so no file can grow when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from chipsim.errors import InputError
from chipsim.yaml_tree import (
    ListNode,
    MapNode,
    Node,
    Scalar,
    ScalarValue,
    describe,
    join_path,
    shown,
)

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 100_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+")
_OCTAL_TRAP = re.compile(r"[-+]?0[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def read_tree(path: Path) -> MapNode:
    """Read the YAML file at ``path``, whose root must be a mapping.

    Raises `InputError` when it is missing, not a file, larger than 1 MiB, not UTF-8 or not such a
    document; messages begin with ``path:line:column``.
    """
    text = _read_text(path)
    node = parse_tree(text, str(path))
    if not isinstance(node, MapNode):
        raise InputError(f"{node.where}: expected a mapping (key: value), got {describe(node)}")
    return node


def _read_text(path: Path) -> str:
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file")
        if not path.is_file():
            what = "a directory" if path.is_dir() else "not a regular file"
            raise InputError(f"{path}: expected a YAML file, this is {what}")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES} bytes, too large for a YAML file here")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from error


def parse_tree(text: str, name: str, *, given: bool = False) -> Node:
    """Read one YAML document from ``text``; positions are ``name:line:column``.

    With ``given``, for a value from the command line, every node is marked so and every position is
    just ``name``.  Raises `InputError`.
    """
    reader = _Reader(yaml.parse(text, Loader=_LOADER), name, given)
    try:
        return reader.document()
    except yaml.YAMLError as error:
        raise InputError(_yaml_message(error, reader, text)) from error


def tree_from_mapping(mapping: Mapping[str, object], name: str) -> MapNode:
    """Make a tree of plain data (dicts, lists, tuples, scalars); every position is ``name``.

    Raises `InputError` for other types, keys that are not text, and what is too deep or too large.
    """
    node = _PlainReader(name).node(mapping, "", 0)
    if not isinstance(node, MapNode):
        raise InputError(f"{name}: expected a mapping, got {describe(node)}")
    return node


class _Reader:
    """Builds a tree from PyYAML's parse events."""

    def __init__(self, events: Iterator[Any], name: str, given: bool) -> None:
        self.events = events
        self.name = name
        self.given = given
        self.count = 0

    def position(self, mark: Any) -> str:
        return self.name if self.given else f"{self.name}:{mark.line + 1}:{mark.column + 1}"

    def document(self) -> Node:
        next(self.events)
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return Scalar(self.position(event.start_mark), None, "", self.given)
        node = self.node(next(self.events), "", 0)
        next(self.events)
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            where = self.position(event.start_mark)
            raise InputError(f"{where}: a second document begins here; one file holds one")
        return node

    def node(self, event: Any, path: str, depth: int) -> Node:
        where = self.position(event.start_mark)
        prefix = f"{where}: {path}: " if path else f"{where}: "
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise InputError(
                f"{prefix}anchors (&) and aliases (*) are not allowed; repeat the value"
            )
        if event.tag is not None:
            raise InputError(f"{prefix}tags (!) are not allowed, got {shown(event.tag)}")
        self.count += 1
        _check_bounds(prefix, self.count, depth)
        if isinstance(event, yaml.ScalarEvent):
            quoted = event.style in ("'", '"', "|", ">")
            value = event.value if quoted else resolve(event.value, prefix)
            return Scalar(where, value, event.value, self.given)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(where, path, depth)
        return self.mapping(where, path, depth)

    def sequence(self, where: str, path: str, depth: int) -> ListNode:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, f"{path}[{len(items)}]", depth + 1))
        return ListNode(where, tuple(items), self.given)

    def mapping(self, where: str, path: str, depth: int) -> MapNode:
        entries: dict[str, Node] = {}
        positions: dict[str, str] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event, path)
            key_path = join_path(path, key)
            place = self.position(event.start_mark)
            if key in lines:
                raise InputError(
                    f"{place}: {key_path}: given twice, first in line {lines[key]};"
                    " remove one of the two"
                )
            lines[key] = event.start_mark.line + 1
            positions[key] = place
            entries[key] = self.node(next(self.events), key_path, depth + 1)
        return MapNode(where, entries, positions, self.given)

    def key(self, event: Any, path: str) -> str:
        where = self.position(event.start_mark)
        prefix = f"{where}: {path}: " if path else f"{where}: "
        if not isinstance(event, yaml.ScalarEvent):
            raise InputError(f"{prefix}a key must be text, got a list, mapping or alias")
        if event.tag is not None or event.anchor is not None:
            raise InputError(f"{prefix}tags (!) and anchors (&) are not allowed")
        key = str(event.value)
        if key == "<<" and event.style not in ("'", '"'):
            raise InputError(f"{prefix}merge keys (<<) are not allowed; write the keys out")
        if key == "":
            raise InputError(f"{prefix}a key is missing before the colon")
        return key


class _PlainReader:
    """Builds a tree from plain Python data."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0

    def node(self, value: object, path: str, depth: int) -> Node:
        prefix = f"{self.name}: {path}: " if path else f"{self.name}: "
        self.count += 1
        _check_bounds(prefix, self.count, depth)
        if value is None or isinstance(value, (bool, int, float, str)):
            return Scalar(self.name, value, _plain_text(value))
        if isinstance(value, (list, tuple)):
            items = (self.node(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(value))
            return ListNode(self.name, tuple(items))
        if not isinstance(value, Mapping):
            raise InputError(f"{prefix}expected plain data, got a {type(value).__name__}")
        entries: dict[str, Node] = {}
        for key, child in value.items():
            if not isinstance(key, str):
                raise InputError(f"{prefix}a key must be text, got {shown(str(key))}")
            entries[key] = self.node(child, join_path(path, key), depth + 1)
        return MapNode(self.name, entries, dict.fromkeys(entries, self.name))


def _plain_text(value: ScalarValue) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 1024:
        return "a number of more than 1024 bits"
    return str(value)


def _check_bounds(prefix: str, count: int, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InputError(f"{prefix}nested deeper than {MAX_DEPTH} levels")
    if count > MAX_NODES:
        raise InputError(f"{prefix}more than {MAX_NODES} values")


def resolve(text: str, prefix: str) -> ScalarValue:
    """Return what the plain scalar ``text`` means (YAML 1.2 core, without ``010``).

    ``prefix`` begins the message of the `InputError` raised for ``010`` and the like.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _OCTAL_TRAP.fullmatch(text):
        bare = text.lstrip("+-0") or "0"
        raise InputError(
            f"{prefix}{shown(text)} means octal to some YAML readers and decimal to others:"
            f" write {shown(bare)[1:-1]}, or put it in quotes if it is text"
        )
    if _INTEGER.fullmatch(text):
        if len(text) > 60:
            raise InputError(f"{prefix}a number of {len(text)} digits is too long")
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _yaml_message(error: yaml.YAMLError, reader: _Reader, text: str) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = reader.position(mark) if mark is not None else reader.name
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    context = getattr(error, "context", None)
    message = f"{where}: not valid YAML: {problem}" + (f" ({context})" if context else "")
    if mark is not None and _has_tab(text, mark.line, mark.column):
        message += "; indent with spaces, not tabs"
    return message


def _has_tab(text: str, line: int, column: int) -> bool:
    lines = text.splitlines()
    return line < len(lines) and lines[line][column : column + 1] == "\t"
