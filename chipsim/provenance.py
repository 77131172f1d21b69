"""Values that say where they come from: ``{value: 1.23 pJ, derived: "words", range: [lo, hi]}``.

A bare value is allowed and counts as assumed.  A value given on the command line is assumed too
and loses the range of the value it replaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from chipsim.chip import Constant, Mark
from chipsim.errors import InputError
from chipsim.units import Bounds, Dimension, expected_quantity, parse_quantity, unit_symbol
from chipsim.yaml_tree import ListNode, MapNode, Node, Scalar, describe, hint, plain_number

MARKS: tuple[Mark, ...] = get_args(Mark)
_KEYS = ("value", "range", *MARKS)
COMMAND_LINE = "set on the command line"


@dataclass(frozen=True)
class Sourced:
    """A value node with its range node and its provenance in words."""

    value: Node
    range: Node | None
    mark: Mark
    source: str


@dataclass(frozen=True)
class Quantity:
    """What a constant must be: its dimension, whether it is a whole number, and its bounds."""

    dimension: Dimension
    whole: bool
    bounds: Bounds

    @property
    def words(self) -> str:
        """How messages call it."""
        kind = "a whole number" if self.whole else expected_quantity(self.dimension)
        return kind + self.bounds.words(unit_symbol(self.dimension))


def read_constant(node: Node, path: str, quantity: Quantity, file: str) -> Constant:
    """Read the number at ``node``, key path ``path``, in ``file``; raises `InputError`."""
    sourced = split(node, path, file)
    value = _number(sourced.value, path, quantity)
    low, high = _range(sourced.range, path, quantity, value)
    unit = unit_symbol(quantity.dimension)
    return Constant(value, low, high, unit, sourced.mark, sourced.source)


def read_constants(
    node: Node, path: str, quantity: Quantity, count: int, file: str
) -> tuple[Constant, ...]:
    """Read a list of ``count`` numbers with one provenance and no range; raises `InputError`."""
    sourced = split(node, path, file)
    if sourced.range is not None:
        raise _error(sourced.range, path, "a list of values takes no range")
    if not isinstance(sourced.value, ListNode) or len(sourced.value.items) != count:
        expected = f"a list of {count}, each {quantity.words}"
        raise _error(sourced.value, path, f"expected {expected}, got {describe(sourced.value)}")
    values = (_number(v, f"{path}[{i}]", quantity) for i, v in enumerate(sourced.value.items))
    unit = unit_symbol(quantity.dimension)
    return tuple(Constant(v, v, v, unit, sourced.mark, sourced.source) for v in values)


def split(node: Node, path: str, file: str) -> Sourced:
    """Separate the value at ``node`` from its provenance; raises `InputError`."""
    if not isinstance(node, MapNode):
        source = COMMAND_LINE if node.given else f"no provenance given in {file}"
        return Sourced(node, None, "assumed", source)
    for key in node.entries:
        if key not in _KEYS:
            near = hint(key, _KEYS) or f"; known keys: {', '.join(_KEYS)}"
            raise InputError(f"{node.key_where[key]}: {path}.{key}: unknown key{near}")
    if "value" not in node.entries:
        raise _error(node, path, "missing value; expected {value: ..., published: ...}")
    value = node.entries["value"]
    if value.given and not node.given:
        return Sourced(value, None, "assumed", COMMAND_LINE)
    mark, source = _mark(node, path, file)
    return Sourced(value, node.entries.get("range"), mark, source)


def _mark(node: MapNode, path: str, file: str) -> tuple[Mark, str]:
    marks = [mark for mark in MARKS if mark in node.entries]
    if not marks:
        return "assumed", COMMAND_LINE if node.given else f"no provenance given in {file}"
    if len(marks) > 1:
        raise _error(node, path, f"both {marks[0]} and {marks[1]} given; keep one")
    words = node.entries[marks[0]]
    if not isinstance(words, Scalar) or not isinstance(words.value, str) or not words.value.strip():
        message = f"expected the source in words, got {describe(words)}"
        raise _error(words, f"{path}.{marks[0]}", message)
    source = " ".join(words.value.split())
    if not source.isprintable():
        raise _error(words, f"{path}.{marks[0]}", f"control characters in {describe(words)}")
    return marks[0], source


def _range(node: Node | None, path: str, quantity: Quantity, value: float) -> tuple[float, float]:
    if node is None:
        return value, value
    if not isinstance(node, ListNode) or len(node.items) != 2:
        raise _error(node, f"{path}.range", f"expected [low, high], got {describe(node)}")
    low, high = (_number(item, f"{path}.range", quantity) for item in node.items)
    if not low <= value <= high:
        raise _error(node, f"{path}.range", "expected low <= value <= high")
    return low, high


def _number(node: Node, path: str, quantity: Quantity) -> float:
    value = plain_number(node) if quantity.dimension == "number" else _united(node, path, quantity)
    wrong = value is None or (quantity.whole and not value.is_integer())
    if value is None or wrong or not quantity.bounds.hold(value):
        raise _error(node, path, f"expected {quantity.words}, got {describe(node)}")
    return value


def _united(node: Node, path: str, quantity: Quantity) -> float | None:
    if not isinstance(node, Scalar) or isinstance(node.value, bool) or node.value is None:
        return None
    try:
        return parse_quantity(node.text, quantity.dimension)
    except InputError as error:
        raise _error(node, path, str(error)) from None


def _error(node: Node, path: str, message: str) -> InputError:
    return InputError(f"{node.where}: {path}: {message}")
