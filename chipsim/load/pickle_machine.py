"""Reads a pickle without running it.

Python's own unpickler imports and calls what the file names.  This one is a loop over the
opcodes (split by the standard library's `pickletools`) with a stack: a global is only ever a
name, and calling one looks it up in a fixed table of constructors the caller hands in.  Nothing
is imported and nothing from the file is executed; keys of dicts are plain, so nothing nested
is ever hashed; what copies is charged against a budget in proportion to the file.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from chipsim.load.archive import MalformedError

Constructor = Callable[[tuple[Any, ...]], Any]

_COPIES_PER_BYTE = 16
"""Bytes that constructors may copy per byte of pickle: far above what honest files need."""


class UnknownGlobalError(MalformedError):
    """The pickle names something outside the fixed list."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the pickle names {shown(name)}")
        self.name = name


@dataclass(frozen=True)
class Global:
    """A name met in a pickle, ``module.attribute``; inert."""

    name: str


class State:
    """Base of constructed objects that accept a BUILD state."""

    def build(self, state: object) -> None:
        """Take over ``state``."""
        raise NotImplementedError


def shown(value: object) -> str:
    """Return a short, printable form of a value from a file, fit for a message."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 80:
        return f"a number of {value.bit_length()} bits"
    if value is None or isinstance(value, (bool, int, float, str)):
        text = repr(value[:100] if isinstance(value, str) else value)
        return text if len(text) <= 100 else text[:97] + "..."
    return f"a {type(value).__name__}"


def read_pickle(
    data: bytes,
    constructors: Mapping[str, Constructor],
    names: Collection[str],
    persistent: Constructor,
) -> Any:
    """Return the object that ``data`` describes, as far as ``constructors`` allow.

    ``constructors`` maps a global's name to what makes its inert stand-in from the arguments,
    ``names`` are the globals that may be mentioned without being called, and ``persistent``
    resolves a persistent id.  Raises `UnknownGlobalError` for any other name and
    `MalformedError` for anything that is not a well-formed pickle of plain containers.
    """
    machine = _Machine(constructors, names, persistent, len(data))
    try:
        with warnings.catch_warnings():
            # pickletools decodes escapes in names; a bad one is not worth a warning of its own.
            warnings.simplefilter("ignore")
            return machine.run(data)
    except MalformedError:
        raise
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise MalformedError(f"the pickle is damaged ({str(error)[:200]})") from error


class _Machine:
    def __init__(
        self,
        constructors: Mapping[str, Constructor],
        names: Collection[str],
        persistent: Constructor,
        size: int,
    ) -> None:
        self.constructors = constructors
        self.names = names
        self.persistent = persistent
        self.budget = _COPIES_PER_BYTE * size
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(data):
            name = opcode.name
            if name in _PUSH_ARGUMENT:
                self.stack.append(argument)
            elif name in _PUSH_NEW:
                self.stack.append(_PUSH_NEW[name]())
            elif name in _PUT:
                self.memo[_index(argument)] = self.stack[-1]
            elif name in _GET:
                self.stack.append(self.memo[_index(argument)])
            elif name in _ACTIONS:
                _ACTIONS[name](self)
            elif name == "GLOBAL":
                self.mention(str(argument).replace(" ", ".", 1))
            elif name == "STOP":
                return self.stack.pop()
            elif name not in ("PROTO", "FRAME"):
                raise MalformedError(f"the pickle uses the opcode {name}, which is not allowed")
        raise MalformedError("the pickle has no end")

    def mention(self, name: str) -> None:
        if name not in self.constructors and name not in self.names:
            raise UnknownGlobalError(name)
        self.stack.append(Global(name))

    def stack_global(self) -> None:
        attribute, module = self.stack.pop(), self.stack.pop()
        if not isinstance(attribute, str) or not isinstance(module, str):
            raise MalformedError("the pickle names a global by something that is not text")
        self.mention(f"{module}.{attribute}")

    def call(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise MalformedError("the pickle calls something that is not a known name")
        if function.name not in self.constructors:
            raise MalformedError(f"the pickle calls {function.name}, which is only a name here")
        self.budget -= sum(len(a) for a in arguments if isinstance(a, (str, bytes, list, dict)))
        if self.budget < 0:
            raise MalformedError("the pickle copies far more than it holds")
        self.stack.append(self.constructors[function.name](arguments))

    def build(self) -> None:
        state = self.stack.pop()
        # All other states (OrderedDict's _metadata, attributes of a tensor) say nothing we use.
        if isinstance(self.stack[-1], State):
            self.stack[-1].build(state)

    def resolve(self) -> None:
        identifier = self.stack.pop()
        if not isinstance(identifier, tuple):
            raise MalformedError("the pickle has a persistent id that is not a tuple")
        self.stack.append(self.persistent(identifier))

    def mark(self) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def to_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.outer.pop()
        return items

    def last(self, count: int) -> tuple[Any, ...]:
        if len(self.stack) < count:
            raise MalformedError("the pickle takes more from its stack than it put there")
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return items

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise MalformedError(f"the pickle appends to {shown(target)}")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise MalformedError(f"the pickle sets items of {shown(target)}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_plain(key)] = value


def _index(argument: Any) -> int:
    """Return a memo index; the text opcodes carry it as decimal text."""
    return int(argument)


def _plain(key: Any) -> Any:
    """Return ``key`` if it may be hashed without following the file into its depths."""
    if isinstance(key, int) and key.bit_length() > 64:
        raise MalformedError(f"the pickle uses {shown(key)} as a key")
    if key is not None and not isinstance(key, (str, bytes, int, float)):
        raise MalformedError(f"the pickle uses {shown(key)} as a key; only text and numbers may be")
    return key


_PUSH_ARGUMENT = frozenset(
    (
        "INT",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG",
        "LONG1",
        "LONG4",
        "FLOAT",
        "BINFLOAT",
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
        "UNICODE",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
    )
)
_PUSH_NEW: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_PUT = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GET = frozenset(("GET", "BINGET", "LONG_BINGET"))


def _push(machine: _Machine, value: Any) -> None:
    machine.stack.append(value)


def _dictionary(machine: _Machine) -> None:
    items = machine.to_mark()
    machine.stack.append({})
    machine.set_items(items)


def _memoize(machine: _Machine) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


_ACTIONS: Mapping[str, Callable[[_Machine], None]] = {
    "MARK": _Machine.mark,
    "MEMOIZE": _memoize,
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.resolve,
    "TUPLE": lambda m: _push(m, tuple(m.to_mark())),
    "TUPLE1": lambda m: _push(m, m.last(1)),
    "TUPLE2": lambda m: _push(m, m.last(2)),
    "TUPLE3": lambda m: _push(m, m.last(3)),
    "LIST": lambda m: _push(m, m.to_mark()),
    "DICT": _dictionary,
    "APPEND": lambda m: m.append([m.stack.pop()]),
    "APPENDS": lambda m: m.append(m.to_mark()),
    "SETITEM": lambda m: m.set_items(list(m.last(2))),
    "SETITEMS": lambda m: m.set_items(m.to_mark()),
}
