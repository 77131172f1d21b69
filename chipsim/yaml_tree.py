"""Settings as a tree whose every value knows where it stands in its file."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

ScalarValue: TypeAlias = "bool | int | float | str | None"


@dataclass(frozen=True)
class Scalar:
    """A value at ``where`` (``file:line:column``), as resolved and as written.

    ``given`` says that it was given on the command line, in place of the file's.
    """

    where: str
    value: ScalarValue
    text: str
    given: bool = False


@dataclass(frozen=True)
class ListNode:
    """A list of nodes."""

    where: str
    items: tuple[Node, ...]
    given: bool = False


@dataclass(frozen=True)
class MapNode:
    """A mapping: ``entries`` by key, and ``key_where``, the position of each key."""

    where: str
    entries: Mapping[str, Node]
    key_where: Mapping[str, str]
    given: bool = False


Node: TypeAlias = "Scalar | ListNode | MapNode"


def join_path(path: str, key: str) -> str:
    """Return the key path of ``key`` inside ``path``."""
    return f"{path}.{key}" if path else key


def describe(node: Node) -> str:
    """Return how messages show ``node``: its text, shortened, or its kind."""
    if isinstance(node, MapNode):
        return "a mapping"
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node.value, str):
        return shown(node.value)
    return shown(node.text)[1:-1] or "nothing"


def shown(text: str) -> str:
    """Return ``text`` in quotes, shortened and with control characters escaped."""
    short = text if len(text) <= 60 else text[:57] + "..."
    return '"' + "".join(c if c.isprintable() else repr(c)[1:-1] for c in short) + '"'


def hint(key: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "..."?`` with the one of ``known`` nearest to ``key``, or ``""``."""
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    return f"; did you mean {shown(near[0])}?" if near else ""


def plain(node: Node) -> object:
    """Return ``node`` as plain Python data: dicts, lists and scalars."""
    if isinstance(node, MapNode):
        return {key: plain(child) for key, child in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.value


def plain_number(node: Node) -> float | None:
    """Return ``node`` as a finite float, or None where it is none."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def paths(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yield the key path (``core.axons``, ``populations[0].size``) of each node under ``node``."""
    if isinstance(node, MapNode):
        for key, child in node.entries.items():
            yield join_path(path, key), child
            yield from paths(child, join_path(path, key))
    elif isinstance(node, ListNode):
        for index, child in enumerate(node.items):
            yield f"{path}[{index}]", child
            yield from paths(child, f"{path}[{index}]")


def replaced(node: Node, old: Node, new: Node) -> Node:
    """Return ``node`` with ``new`` in place of the very node ``old``."""
    if node is old:
        return new
    if isinstance(node, MapNode):
        entries = {key: replaced(child, old, new) for key, child in node.entries.items()}
        return MapNode(node.where, entries, node.key_where, node.given)
    if isinstance(node, ListNode):
        items = tuple(replaced(child, old, new) for child in node.items)
        return ListNode(node.where, items, node.given)
    return node


def with_entry(node: MapNode, key: str, value: Node, where: str) -> MapNode:
    """Return the mapping ``node`` with one more entry, given at ``where``."""
    entries, places = {**node.entries, key: value}, {**node.key_where, key: where}
    return MapNode(node.where, entries, places, node.given)
