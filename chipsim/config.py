"""Settings from YAML, checked as they are read: types, units, ranges, unknown keys, provenance.

A `Section` is a mapping whose values are asked for by key.  Every mistake is an `InputError` that
says where it is, what was given, what is allowed: ``tianjic.yaml:4:21: core.axons: expected ...``.
``finish`` then refuses keys nobody asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from chipsim import provenance, yaml_reader, yaml_tree
from chipsim.chip import Choice, Constant
from chipsim.errors import InputError
from chipsim.provenance import Quantity
from chipsim.units import Bounds, Dimension
from chipsim.yaml_tree import ListNode, MapNode, Node, Scalar, describe, hint, join_path, shown

T = TypeVar("T")
Default = TypeVar("Default")

_REQUIRED: Any = object()
_ANY = Bounds()
_FLAG_WORDS = {
    "on": "true",
    "yes": "true",
    "y": "true",
    "off": "false",
    "no": "false",
    "n": "false",
}


def read_yaml(path: Path) -> Section:
    """Read the YAML file at ``path``; raises `InputError` (see `yaml_reader.read_tree`)."""
    return Section(yaml_reader.read_tree(path), "", str(path))


def section_from_mapping(mapping: Mapping[str, object], name: str) -> Section:
    """Make a section of plain data with no positions; messages begin with ``name``."""
    return Section(yaml_reader.tree_from_mapping(mapping, name), "", name)


def apply_overrides(
    root: Section, overrides: Iterable[str], optional: Collection[str] = ()
) -> Section:
    """Return ``root`` with the values of ``overrides``, each ``"core.weight_bits=8"``.

    The part after ``=`` is read as YAML.  A later override of the same path wins.  Raises
    `InputError` for what is not ``PATH=VALUE`` and for a path that ``root`` does not have, unless
    it is one of ``optional``.
    """
    node: Node = root.node
    for override in overrides:
        where = f"--set {override}"
        path, equals, text = override.partition("=")
        path = path.strip()
        if not equals or not path:
            raise InputError(f"{where}: expected PATH=VALUE, such as core.weight_bits=8")
        known = dict(yaml_tree.paths(node))
        parent, _, key = path.rpartition(".")
        above = known.get(parent)
        if path not in known and not (path in optional and isinstance(above, MapNode)):
            near = hint(path, [*known, *optional])
            raise InputError(f"{where}: {root.name} has no {shown(path)}{near}")
        value = yaml_reader.parse_tree(text, where, given=True)
        if isinstance(above, MapNode) and path not in known:
            value = yaml_tree.with_entry(above, key, value, where)
            node = yaml_tree.replaced(node, above, value)
        else:
            node = yaml_tree.replaced(node, known[path], value)
    if not isinstance(node, MapNode):
        raise InputError(f"{root.name}: expected a mapping, got {describe(node)}")
    return Section(node, "", root.name)


class Section:
    """A mapping of settings.

    ``path`` is its key path (``""`` for the root), ``name`` the file's or what stands for it.
    Methods that read a key take ``default``, returned when the key is absent; without one, absence
    is an error.
    """

    def __init__(self, node: MapNode, path: str, name: str) -> None:
        self.node = node
        self.path = path
        self.name = name
        self._asked: set[str] = set()
        self._children: list[Section] = []

    def keys(self) -> tuple[str, ...]:
        """Return the keys, in file order."""
        return tuple(self.node.entries)

    def has(self, key: str) -> bool:
        """Tell whether ``key`` is present; it counts as known from now on."""
        self._asked.add(key)
        return key in self.node.entries

    def path_of(self, key: str) -> str:
        """Return the key path of ``key`` from the root."""
        return join_path(self.path, key)

    def error(self, key: str, message: str) -> InputError:
        """Return an error about ``key`` (``""``: the section itself) that begins with its place."""
        node = self.node.entries.get(key, self.node)
        return self._error_at(node, join_path(self.path, key) if key else self.path, message)

    def _error_at(self, node: Node, path: str, message: str) -> InputError:
        return InputError(
            f"{node.where}: {path}: {message}" if path else f"{node.where}: {message}"
        )

    def finish(self) -> None:
        """Raise `InputError` if a key here, or in a section read from here, was never asked for."""
        for key in self.node.entries:
            if key not in self._asked:
                path = join_path(self.path, key)
                known = ", ".join(sorted(self._asked)) or "none"
                near = hint(key, self._asked) or f"; known keys: {known}"
                raise InputError(f"{self.node.key_where[key]}: {path}: unknown key{near}")
        for child in self._children:
            child.finish()

    def text(self, key: str, *, default: str | Default = _REQUIRED) -> str | Default:
        """Return the text at ``key``."""
        return self._read(key, "text", default, self._text)

    def integer(
        self,
        key: str,
        *,
        at_least: int | None = None,
        at_most: int | None = None,
        default: int | Default = _REQUIRED,
    ) -> int | Default:
        """Return the whole number at ``key``, checked against inclusive bounds."""
        bounds = Bounds(at_least, at_most)
        expected = "a whole number" + bounds.words()

        def convert(node: Node, path: str) -> int:
            value = node.value if isinstance(node, Scalar) else None
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            if isinstance(value, bool) or not isinstance(value, int) or not bounds.hold(value):
                raise self._expected(node, path, expected)
            return value

        return self._read(key, expected, default, convert)

    def number(
        self,
        key: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        above: float | None = None,
        default: float | Default = _REQUIRED,
    ) -> float | Default:
        """Return the number at ``key``, checked against bounds (``above`` is exclusive)."""
        bounds = Bounds(at_least, at_most, above)

        def convert(node: Node, path: str) -> float:
            return self._number(node, path, bounds)

        return self._read(key, "a number" + bounds.words(), default, convert)

    def flag(self, key: str, *, default: bool | Default = _REQUIRED) -> bool | Default:
        """Return the truth value at ``key``: ``true`` or ``false``, not ``on`` or ``yes``."""
        return self._read(key, "true or false", default, self._flag)

    def choice(
        self, key: str, allowed: Sequence[str], *, default: str | Default = _REQUIRED
    ) -> str | Default:
        """Return the text at ``key``, one of ``allowed``."""

        def convert(node: Node, path: str) -> str:
            return self._choice(node, path, allowed)

        return self._read(key, _one_of(allowed), default, convert)

    def section(self, key: str, *, default: Section | Default = _REQUIRED) -> Section | Default:
        """Return the mapping at ``key``; `finish` covers it too."""
        return self._read(key, "a mapping", default, self._section)

    def sections(
        self, key: str, *, default: tuple[Section, ...] | Default = _REQUIRED
    ) -> tuple[Section, ...] | Default:
        """Return the list of mappings at ``key``; `finish` covers them too."""
        return self._items(key, "a list of mappings", default, self._section)

    def texts(
        self, key: str, *, default: tuple[str, ...] | Default = _REQUIRED
    ) -> tuple[str, ...] | Default:
        """Return the list of texts at ``key``."""
        return self._items(key, "a list of texts", default, self._text)

    def numbers(
        self, key: str, *, default: tuple[float, ...] | Default = _REQUIRED
    ) -> tuple[float, ...] | Default:
        """Return the list of numbers at ``key``."""

        def convert(node: Node, path: str) -> float:
            return self._number(node, path, Bounds())

        return self._items(key, "a list of numbers", default, convert)

    def raw(self, key: str, *, default: object = _REQUIRED) -> object:
        """Return the value at ``key`` as plain Python data, unchecked."""
        return self._read(key, "a value", default, lambda node, path: yaml_tree.plain(node))

    def constant(
        self,
        key: str,
        dimension: Dimension,
        *,
        whole: bool = False,
        bounds: Bounds = _ANY,
        default: Constant | Default = _REQUIRED,
    ) -> Constant | Default:
        """Return the quantity at ``key`` with its provenance (see `chipsim.provenance`)."""
        quantity = Quantity(dimension, whole, bounds)

        def convert(node: Node, path: str) -> Constant:
            return provenance.read_constant(node, path, quantity, self.name)

        return self._read(key, quantity.words, default, convert)

    def constants(
        self,
        key: str,
        dimension: Dimension,
        count: int,
        *,
        whole: bool = False,
        bounds: Bounds = _ANY,
    ) -> tuple[Constant, ...]:
        """Return the list of ``count`` quantities at ``key``, which share one provenance."""
        quantity = Quantity(dimension, whole, bounds)

        def convert(node: Node, path: str) -> tuple[Constant, ...]:
            return provenance.read_constants(node, path, quantity, count, self.name)

        expected = f"a list of {count}, each {quantity.words}"
        return self._read(key, expected, _REQUIRED, convert)

    def sourced_choice(self, key: str, allowed: Sequence[str]) -> Choice:
        """Return the text at ``key``, one of ``allowed``, with its provenance."""

        def convert(node: Node, path: str) -> Choice:
            sourced = provenance.split(node, path, self.name)
            if sourced.range is not None:
                raise self._error_at(sourced.range, f"{path}.range", "a word takes no range")
            value = self._choice(sourced.value, path, allowed)
            return Choice(value, sourced.mark, sourced.source)

        return self._read(key, _one_of(allowed), _REQUIRED, convert)

    def _read(
        self, key: str, expected: str, default: Default, convert: Callable[[Node, str], T]
    ) -> T | Default:
        self._asked.add(key)
        path = join_path(self.path, key)
        if key in self.node.entries:
            return convert(self.node.entries[key], path)
        if default is _REQUIRED:
            hint = self._misspelt(key)
            raise self._error_at(self.node, path, f"missing; expected {expected}{hint}")
        return default

    def _misspelt(self, key: str) -> str:
        """Point at a key of this section that ``key`` may have been meant by."""
        near = get_close_matches(key, list(self.node.entries), n=1)
        return f'; there is "{near[0]}", did you mean "{key}"?' if near else ""

    def _items(
        self, key: str, expected: str, default: Default, convert: Callable[[Node, str], T]
    ) -> tuple[T, ...] | Default:
        def convert_all(node: Node, path: str) -> tuple[T, ...]:
            if not isinstance(node, ListNode):
                raise self._expected(node, path, expected)
            return tuple(convert(item, f"{path}[{i}]") for i, item in enumerate(node.items))

        return self._read(key, expected, default, convert_all)

    def _expected(self, node: Node, path: str, expected: str, hint: str = "") -> InputError:
        return self._error_at(node, path, f"expected {expected}, got {describe(node)}{hint}")

    def _text(self, node: Node, path: str) -> str:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        hint = f"; put it in quotes: {shown(node.text)}" if isinstance(node, Scalar) else ""
        raise self._expected(node, path, "text", hint)

    def _flag(self, node: Node, path: str) -> bool:
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        word = _FLAG_WORDS.get(node.text.lower()) if isinstance(node, Scalar) else None
        raise self._expected(node, path, "true or false", f"; write {word}" if word else "")

    def _number(self, node: Node, path: str, bounds: Bounds) -> float:
        value = yaml_tree.plain_number(node)
        if value is None or not bounds.hold(value):
            raise self._expected(node, path, "a number" + bounds.words())
        return value

    def _choice(self, node: Node, path: str, allowed: Sequence[str]) -> str:
        if isinstance(node, Scalar) and node.value in allowed:
            return str(node.value)
        near = hint(node.text, allowed) if isinstance(node, Scalar) else ""
        raise self._expected(node, path, _one_of(allowed), near)

    def _section(self, node: Node, path: str) -> Section:
        if not isinstance(node, MapNode):
            raise self._expected(node, path, "a mapping")
        for child in self._children:
            if child.node is node:
                return child
        self._children.append(Section(node, path, self.name))
        return self._children[-1]


def _one_of(allowed: Sequence[str]) -> str:
    return "one of " + ", ".join(allowed) if len(allowed) > 1 else allowed[0]
