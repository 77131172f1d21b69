"""Sections: reading YAML and plain data, positions, overrides, provenance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim import yaml_reader
from chipsim.chip import Constant
from chipsim.config import Section, apply_overrides, read_yaml, section_from_mapping
from chipsim.errors import InputError
from chipsim.units import Bounds

Write = Callable[[str], Section]


@pytest.fixture(params=["C", "Python"])
def write(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Read text as a YAML file, with either of PyYAML's loaders."""
    if request.param == "Python":
        monkeypatch.setattr(yaml_reader, "_LOADER", yaml.SafeLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML without libyaml")
    monkeypatch.chdir(tmp_path)

    def read(text: str) -> Section:
        Path("x.yaml").write_text(text, encoding="utf-8")
        return read_yaml(Path("x.yaml"))

    return read


def message(call: Callable[[], object]) -> str:
    """Return the message of the `InputError` that ``call`` raises."""
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_values(write: Write) -> None:
    """Every kind of value is read as YAML 1.2 reads it."""
    root = write(
        "i: 12\nh: 0x1F\no: 0o17\nf: 1e-12\ng: 1.0e12\nm: -3\nb: true\nc: false\nt: 12:30:45\n"
        "on: on\nd: 2020-01-01\nu: 1_000\nq: '010'\nl: [1, 2.5]\nw: [a, b]\n"
        "s: {x: 1}\nn: null\nss: [{x: 1}, {x: 2}]\nblock: |\n  two\n  lines\n"
    )
    assert [root.integer(key) for key in "ihom"] == [12, 31, 15, -3]
    assert root.number("f") == 1e-12
    assert root.number("g") == 1e12
    assert root.integer("g") == 10**12
    assert root.flag("b") is True
    assert root.flag("c") is False
    assert root.text("t") == "12:30:45"
    assert root.text("on") == "on"
    assert root.text("d") == "2020-01-01"
    assert root.text("u") == "1_000"
    assert root.text("q") == "010"
    assert root.text("block") == "two\nlines\n"
    assert root.numbers("l") == (1.0, 2.5)
    assert root.texts("w") == ("a", "b")
    assert root.section("s").integer("x") == 1
    assert [s.integer("x") for s in root.sections("ss")] == [1, 2]
    assert root.raw("n") is None
    assert root.raw("ss") == [{"x": 1}, {"x": 2}]
    assert root.choice("on", ("on", "off")) == "on"
    root.finish()


def test_defaults(write: Write) -> None:
    """An absent key gives the default, or an error that says what is missing and where."""
    root = write("a: 1\ns:\n  x: 1\n")
    assert root.integer("zz", default=3) == 3
    assert root.text("zz", default=None) is None
    assert root.texts("zz", default=()) == ()
    assert root.section("zz", default=None) is None
    assert not root.has("zz")
    assert root.has("a")
    assert message(lambda: root.section("s").integer("y", at_least=1)) == (
        "x.yaml:3:3: s.y: missing; expected a whole number of at least 1"
    )


@pytest.mark.parametrize(
    ("text", "ask", "expected"),
    [
        ("a: on", lambda r: r.flag("a"), 'expected true or false, got "on"; write true'),
        ("a: No", lambda r: r.flag("a"), 'expected true or false, got "No"; write false'),
        ("a: 1", lambda r: r.flag("a"), "expected true or false, got 1"),
        ("a: 12:30:45", lambda r: r.number("a"), 'expected a number, got "12:30:45"'),
        ("a: .inf", lambda r: r.number("a"), 'expected a number, got ".inf"'),
        ("a: .nan", lambda r: r.number("a"), 'expected a number, got ".nan"'),
        ("a: 1e999", lambda r: r.number("a"), "expected a number, got 1e999"),
        ("a: true", lambda r: r.number("a"), "expected a number, got true"),
        ("a: '5'", lambda r: r.number("a"), 'expected a number, got "5"'),
        ("a: 1.5", lambda r: r.integer("a"), "expected a whole number, got 1.5"),
        ("a: true", lambda r: r.integer("a"), "expected a whole number, got true"),
        ("a: 0", lambda r: r.integer("a", at_least=1), "a whole number of at least 1, got 0"),
        ("a: 0", lambda r: r.number("a", above=0), "expected a number above 0, got 0"),
        ("a: 3", lambda r: r.number("a", at_most=2), "expected a number of at most 2, got 3"),
        ("a: 12", lambda r: r.text("a"), 'expected text, got 12; put it in quotes: "12"'),
        ("a: true", lambda r: r.text("a"), 'put it in quotes: "true"'),
        ("a:", lambda r: r.text("a"), "expected text, got nothing"),
        ("a: [1]", lambda r: r.text("a"), "expected text, got a list"),
        ("a: {b: 1}", lambda r: r.text("a"), "expected text, got a mapping"),
        ("a: 1", lambda r: r.section("a"), "expected a mapping, got 1"),
        ("a: {}", lambda r: r.texts("a"), "expected a list of texts, got a mapping"),
        ("a: [x, 1]", lambda r: r.texts("a"), "a[1]: expected text, got 1"),
        ("a: [1, x]", lambda r: r.numbers("a"), 'a[1]: expected a number, got "x"'),
        ("a: [1]", lambda r: r.sections("a"), "a[0]: expected a mapping, got 1"),
        ("a: fxed", lambda r: r.choice("a", ("fixed", "b")), 'did you mean "fixed"?'),
        ("a: 1", lambda r: r.choice("a", ("fixed", "b")), "expected one of fixed, b, got 1"),
    ],
)
def test_wrong_values(
    write: Write, text: str, ask: Callable[[Section], object], expected: str
) -> None:
    """A value of the wrong kind is refused where it stands, with what was given and allowed."""
    said = message(lambda: ask(write(text)))
    assert said.startswith("x.yaml:1:")
    assert ": a" in said
    assert expected in said


def test_position_and_path(write: Write) -> None:
    """Errors carry file:line:column of the value and the key path."""
    root = write("core:\n  memory:\n    soma:    lots\n")
    memory = root.section("core").section("memory")
    assert message(lambda: memory.integer("soma")) == (
        'x.yaml:3:14: core.memory.soma: expected a whole number, got "lots"'
    )
    assert str(memory.error("soma", "no")) == "x.yaml:3:14: core.memory.soma: no"
    assert str(memory.error("", "no")) == "x.yaml:3:5: core.memory: no"


def test_unknown_keys(write: Write) -> None:
    """``finish`` refuses keys nobody asked for, in sections read from the root too."""
    root = write("axons: 1\ncore:\n  axns: 2\n")
    root.integer("axons")
    core = root.section("core")
    core.integer("axons", default=0)
    expected = 'x.yaml:3:3: core.axns: unknown key; did you mean "axons"?'
    assert message(root.finish) == expected
    assert message(core.finish) == expected
    other = write("qqq: 1\n")
    other.has("axons")
    assert "qqq: unknown key; known keys: axons" in message(other.finish)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: a: given twice, first in line 1"),
        ("s: {a: 1, a: 2}\n", "x.yaml:1:11: s.a: given twice, first in line 1"),
        ("a: 010\n", 'x.yaml:1:4: a: "010" means octal'),
        ("a: -007\n", "write 7"),
        ("a: " + "9" * 100 + "\n", "a number of 100 digits is too long"),
        ("a: &x 1\nb: *x\n", "anchors (&) and aliases (*) are not allowed"),
        ("a: *x\n", "anchors (&) and aliases (*) are not allowed"),
        ("a: &a [*a]\n", "anchors (&) and aliases (*) are not allowed"),
        ("&k a: 1\n", "anchors (&) are not allowed"),
        ("a: !!python/object/apply:os.system [ls]\n", "tags (!) are not allowed"),
        ("a: !!str 5\n", "tags (!) are not allowed"),
        ("a: ! 5\n", "tags (!) are not allowed"),
        ("<<: {a: 1}\n", "merge keys (<<) are not allowed"),
        ("? [a, b]\n: 1\n", "a key must be text"),
        ('"": 1\n', "a key is missing before the colon"),
        ("- 1\n- 2\n", "x.yaml:1:1: expected a mapping (key: value), got a list"),
        ("word\n", 'expected a mapping (key: value), got "word"'),
        ("", "expected a mapping (key: value), got nothing"),
        ("# only a comment\n", "got nothing"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2:1: a second document begins here"),
        ("a:\n\tb: 1\n", "indent with spaces, not tabs"),
        ("a: [1, 2\n", "x.yaml:2:1: not valid YAML"),
        ("a: 'x\n", "not valid YAML"),
        ("a: \x01\n", "not valid YAML"),
        ("a: " + "[" * 40 + "]" * 40, "nested deeper than 32 levels"),
        ("a: " + "[" * 100_000, "nested deeper than 32 levels"),
        ("a: [" + "1," * 100_001 + "]", "more than 100000 values"),
        ("a: " + "x" * (1 << 20), "x.yaml: larger than 1048576 bytes"),
    ],
)
def test_hostile_files(write: Write, text: str, expected: str) -> None:
    """What YAML allows and a chip file must not hold is refused with its place."""
    said = message(lambda: write(text))
    assert said.startswith("x.yaml")
    assert expected in said
    assert len(said) < 500


def test_not_a_text_file(tmp_path: Path) -> None:
    """Missing files, directories and other encodings are refused."""
    file = tmp_path / "x.yaml"
    assert message(lambda: read_yaml(file)) == f"{file}: no such file"
    assert "this is a directory" in message(lambda: read_yaml(tmp_path))
    assert "not a regular file" in message(lambda: read_yaml(Path("/dev/null")))
    assert message(lambda: read_yaml(Path("a\0b"))).startswith("a\0b: ")
    assert "cannot be read" in message(lambda: read_yaml(tmp_path / ("n" * 5000)))
    file.write_bytes(b"a: 1\nb: \xff\n")
    assert message(lambda: read_yaml(file)).startswith(f"{file}:2: not UTF-8")
    file.write_bytes("a: 1\n".encode("utf-16"))
    assert "not UTF-8" in message(lambda: read_yaml(file))
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert read_yaml(file).integer("a") == 1


def test_plain_data() -> None:
    """Plain data reads like a file, without positions."""
    data = {"a": 1, "s": {"x": "1.23 pJ", "on": True}, "l": [1.5, 2], "n": None}
    root = section_from_mapping(data, "model.pt")
    assert root.integer("a") == 1
    assert root.section("s").constant("x", "energy").value == 1.23e-12
    assert root.section("s").flag("on") is True
    assert root.raw("s") == data["s"]
    assert root.numbers("l") == (1.5, 2.0)
    assert root.keys() == ("a", "s", "l", "n")
    assert message(root.finish) == "model.pt: n: unknown key; known keys: a, l, s"
    expected = "model.pt: s.x: expected a whole number, got"
    assert message(lambda: root.section("s").integer("x")).startswith(expected)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"a": object()}, "m: a: expected plain data, got a object"),
        ({"a": {1: 2}}, 'm: a: a key must be text, got "1"'),
        ({"a": {1, 2}}, "m: a: expected plain data, got a set"),
    ],
)
def test_bad_plain_data(data: dict[str, object], expected: str) -> None:
    """Anything but dicts, lists and scalars is refused."""
    assert message(lambda: section_from_mapping(data, "m")) == expected


def test_plain_data_bombs() -> None:
    """Cycles, shared references that multiply and huge integers are refused."""
    loop: dict[str, object] = {}
    loop["a"] = loop
    assert "nested deeper" in message(lambda: section_from_mapping(loop, "m"))
    bomb: list[object] = ["x"]
    for _ in range(25):
        bomb = [bomb, bomb]
    assert "more than 100000 values" in message(lambda: section_from_mapping({"a": bomb}, "m"))
    root = section_from_mapping({"a": 10**5000, "b": float("nan"), "c": float("inf")}, "m")
    for key in "abc":
        assert "expected a number" in message(lambda key=key: root.number(key))  # type: ignore[misc]
    assert "expected a whole" in message(lambda: root.integer("a", at_most=5))


def test_overrides(write: Write) -> None:
    """Overrides replace values at key paths, also in lists; the last one wins; no side effects."""
    root = write("core: {bits: 16, on: false}\nl: [{x: 1}, {x: 2}]\nio: [0, 0]\nfc.weight: 1\n")
    settings = [
        "core.bits=4",
        "core.bits=8",
        "l[1].x=7",
        "io=[3, 0]",
        "core.on=true",
        "fc.weight=2",
    ]
    new = apply_overrides(root, settings)
    assert new.section("core").integer("bits") == 8
    assert new.section("core").flag("on") is True
    assert [s.integer("x") for s in new.sections("l")] == [1, 7]
    assert new.numbers("io") == (3, 0)
    assert new.integer("fc.weight") == 2
    new.finish()
    assert root.section("core").integer("bits") == 16
    assert message(lambda: new.section("core").integer("bits", at_least=9)) == (
        "--set core.bits=8: core.bits: expected a whole number of at least 9, got 8"
    )


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("core.bit=8", 'x.yaml has no "core.bit"; did you mean "core.bits"?'),
        ("zzz=8", 'x.yaml has no "zzz"'),
        ("core.bits", "expected PATH=VALUE"),
        ("=8", "expected PATH=VALUE"),
        ("core.bits=010", "means octal"),
        ("core.bits=[", "not valid YAML"),
        ("core.bits=!!int 3", "tags (!) are not allowed"),
        ("core.bits={a: 1, a: 2}", "given twice"),
    ],
)
def test_bad_overrides(write: Write, override: str, expected: str) -> None:
    """A wrong override is refused, named as it was given."""
    root = write("core: {bits: 16}\n")
    said = message(lambda: apply_overrides(root, [override]))
    assert said.startswith(f"--set {override}: ")
    assert expected in said


def test_constants(write: Write) -> None:
    """A quantity is read bare or with its provenance and range."""
    root = write(
        "a: 3 pJ\n"
        'b: {value: 3 pJ, derived: "two\\n  words", range: [1 pJ, 4 pJ]}\n'
        "c: {value: 5, measured: here}\n"
        "d: {value: 64 KiB}\n"
        "e: {value: [1, 2], assumed: why}\n"
        "f: [3, 4]\n"
    )
    none = "no provenance given in x.yaml"
    p = 1e-12
    assert root.constant("a", "energy") == Constant(3 * p, 3 * p, 3 * p, "J", "assumed", none)
    assert root.constant("b", "energy") == Constant(3 * p, p, 4 * p, "J", "derived", "two words")
    assert root.constant("c", "number", whole=True) == Constant(5, 5, 5, "", "measured", "here")
    assert root.constant("d", "memory") == Constant(65536, 65536, 65536, "B", "assumed", none)
    assert [c.value for c in root.constants("e", "number", 2)] == [1, 2]
    assert {c.source for c in root.constants("e", "number", 2)} == {"why"}
    assert [c.value for c in root.constants("f", "number", 2)] == [3, 4]
    assert root.constant("z", "time", default=None) is None
    root.finish()


def test_overridden_constants(write: Write) -> None:
    """What is set on the command line is assumed and has no range, unless it brings its own."""
    root = write("b: {value: 3 pJ, published: words, range: [1 pJ, 4 pJ]}\nc: 1\n")
    expected = Constant(9e-12, 9e-12, 9e-12, "J", "assumed", "set on the command line")
    for override in ("b=9 pJ", "b.value=9 pJ", "b={value: 9 pJ}"):
        assert apply_overrides(root, [override]).constant("b", "energy") == expected
    own = apply_overrides(root, ["b={value: 9 pJ, measured: ours, range: [8 pJ, 9 pJ]}"])
    assert own.constant("b", "energy") == Constant(9e-12, 8e-12, 9e-12, "J", "measured", "ours")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 'a: expected an energy such as "0.8 pJ", got "3" (units:'),
        ("3 ns", 'a: expected an energy such as "0.8 pJ", got "3 ns"'),
        ("-3 pJ", 'a: expected an energy such as "0.8 pJ" of at least 0 J, got "-3 pJ"'),
        ("true", "a: expected an energy"),
        ("[3 pJ]", "got a list"),
        ("{published: x}", "a: missing value"),
        ("{value: 3 pJ, publishd: x}", 'a.publishd: unknown key; did you mean "published"?'),
        ("{value: 3 pJ, published: x, derived: y}", "a: both published and derived given"),
        ("{value: 3 pJ, published: }", "a.published: expected the source in words"),
        ("{value: 3 pJ, published: '  '}", "a.published: expected the source in words"),
        ("{value: 3 pJ, published: 2019}", "a.published: expected the source in words, got 2019"),
        ('{value: 3 pJ, published: "\\e[31m"}', "a.published: control characters"),
        ("{value: 3 pJ, range: 4 pJ}", "a.range: expected [low, high]"),
        ("{value: 3 pJ, range: [1 pJ]}", "a.range: expected [low, high]"),
        ("{value: 3 pJ, range: [4 pJ, 5 pJ]}", "a.range: expected low <= value <= high"),
        ("{value: 3 pJ, range: [3 pJ, 2 pJ]}", "a.range: expected low <= value <= high"),
        ("{value: 3 pJ, range: [1, 4]}", 'a.range: expected an energy such as "0.8 pJ", got "1"'),
        ("{value: 3 pJ, range: [-1 pJ, 4 pJ]}", "of at least 0 J"),
    ],
)
def test_bad_constants(write: Write, text: str, expected: str) -> None:
    """A wrong quantity, provenance or range is refused at its place."""
    root = write(f"a: {text}\n")
    said = message(lambda: root.constant("a", "energy", bounds=Bounds(at_least=0)))
    assert said.startswith("x.yaml:1:")
    assert expected in said


def test_bad_numbers_and_lists_of_constants(write: Write) -> None:
    """Plain numbers and lists of them are checked as quantities are."""
    root = write("a: 3 pJ\nb: 1.5\nc: [1]\nd: {value: [1, 2], range: [0, 3]}\ne: {value: [1, x]}\n")
    assert "a: expected a plain number" in message(lambda: root.constant("a", "number"))
    assert "b: expected a whole number, got 1.5" in message(
        lambda: root.constant("b", "number", whole=True)
    )
    assert "c: expected a list of 2" in message(lambda: root.constants("c", "number", 2))
    assert "takes no range" in message(lambda: root.constants("d", "number", 2))
    assert "e[1]: expected a plain number" in message(lambda: root.constants("e", "number", 2))
    assert "f: missing; expected a list of 2" in message(lambda: root.constants("f", "number", 2))


def test_sourced_choice(write: Write) -> None:
    """A word may carry its provenance too, but no range."""
    root = write(
        "a: nearest\nb: {value: nearest, published: p}\nc: {value: nearest, range: [1, 2]}\n"
    )
    allowed = ("truncate", "nearest")
    assert root.sourced_choice("a", allowed).mark == "assumed"
    assert root.sourced_choice("b", allowed).source == "p"
    assert "c.range: a word takes no range" in message(lambda: root.sourced_choice("c", allowed))
    over = apply_overrides(root, ["b=nearst"])
    assert 'did you mean "nearest"?' in message(lambda: over.sourced_choice("b", allowed))


KEYS = st.text("abcdefgh_", min_size=1, max_size=6)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(KEYS, children, max_size=4),
    max_leaves=12,
)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.dictionaries(KEYS, PLAIN, max_size=5))
def test_json_and_plain_data_agree(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    """JSON, a subset of YAML 1.2, reads back as the same data, as plain data does."""
    import json

    file = tmp_path_factory.mktemp("json") / "x.yaml"
    file.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    assert isinstance(data, dict)
    plain = section_from_mapping(data, "m")
    read = read_yaml(file)
    assert read.keys() == plain.keys()
    for key, value in data.items():
        assert read.raw(key) == value
        assert plain.raw(key) == value


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#?,\n\t 01.~<\x00\ud7ff\ufeff", max_size=40))
def test_any_text(text: str) -> None:
    """No document raises anything but an `InputError`."""
    raised = ""
    try:
        yaml_reader.parse_tree(text, "x.yaml")
    except InputError as error:
        raised = str(error)
    assert raised == "" or raised.startswith("x.yaml")
