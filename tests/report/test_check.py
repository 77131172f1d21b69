"""The check finds every missing key and every wrong kind, and says where."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.report.check import check
from chipsim.report.schema import ARRAYS, KEYS

DOCS = Path(__file__).parents[2] / "docs" / "report.md"


def test_examples_pass(example, single_core):
    check(*example)
    check(*single_core)


def follow(node, path):
    """Return the container of the first value ``path`` stands for, and its key."""
    *inner, last = [part for part in re.split(r"\.|(\[\])", path) if part]
    for part in inner:
        node = node[0 if part == "[]" else min(node) if part == "*" else part]
    return node, 0 if last == "[]" else min(node) if last == "*" else last


@pytest.mark.parametrize("key", [k for k in KEYS if k.path[-1] not in "]*"], ids=lambda k: k.path)
def test_every_key_is_required(example, key):
    summary, arrays = example
    node, name = follow(summary, key.path)
    del node[name]
    with pytest.raises(InputError, match=rf"{name}: missing|schema: None"):
        check(summary, arrays)


@pytest.mark.parametrize("key", KEYS, ids=lambda k: k.path)
def test_every_key_has_its_kind(example, key):
    summary, arrays = example
    node, name = follow(summary, key.path)
    node[name] = {"text": 1, "integer": 0.5, "number": "1", "flag": 1}[key.kind.removesuffix("?")]
    with pytest.raises(InputError, match=r"expected|schema"):
        check(summary, arrays)


@pytest.mark.parametrize("key", KEYS, ids=lambda k: k.path)
def test_null_only_where_the_kind_allows_it(example, key):
    summary, arrays = example
    node, name = follow(summary, key.path)
    node[name] = None
    if key.kind.endswith("?"):
        check(summary, arrays)
    else:
        with pytest.raises(InputError):
            check(summary, arrays)


def test_the_place_of_an_error_is_named(example):
    summary, arrays = example
    summary["cores"][3]["memory"]["soma"]["used_bytes"] = "many"
    with pytest.raises(InputError, match=r"cores\[3\]\.memory\.soma\.used_bytes: expected integer"):
        check(summary, arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": 12}, r"cores\[0\]: \(12, 3\) is outside the 12 x 13 mesh"),
        ({"core": 156}, r"cores\[0\].core: 156 given, the chip has 156 cores"),
    ],
)
def test_cores_off_the_chip_are_refused(example, change, message):
    summary, arrays = example
    summary["cores"][0].update(change)
    with pytest.raises(InputError, match=message):
        check(summary, arrays)


@pytest.mark.parametrize("wrong", [0, {}, "text", [1]])
def test_containers_are_checked(example, wrong):
    for name in ("cores", "chip"):
        summary = copy.deepcopy(example[0])
        summary[name] = wrong
        with pytest.raises(InputError):
            check(summary, example[1])


@pytest.mark.parametrize("key", [a for a in ARRAYS if "*" not in a.name], ids=lambda a: a.name)
def test_every_array_is_required_and_shaped(example, key):
    summary, arrays = example
    good = arrays.pop(key.name)
    with pytest.raises(InputError, match=f"{key.name}' is missing"):
        check(summary, arrays)
    for bad in (good[None], good.astype(complex) if good.dtype.kind != "U" else np.zeros(6)):
        with pytest.raises(InputError, match=f"'{key.name}' must hold"):
            check(summary, arrays | {key.name: bad})


def test_arrays_must_fit_the_chip(example):
    summary, arrays = example
    with pytest.raises(InputError, match=r"link_flits.* \(routers, ports\)"):
        check(summary, arrays | {"link_flits": arrays["link_flits"][:-1]})
    with pytest.raises(InputError, match="raster_hidden"):
        check(summary, arrays | {"raster_hidden": np.zeros(3, bool)})
    arrays["timeline"][0, 1] = 3
    with pytest.raises(InputError, match="task codes"):
        check(summary, arrays)


def rows(heading: str) -> list[list[str]]:
    section = DOCS.read_text().split(heading)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_docs_list_exactly_the_keys():
    assert rows("## Keys of") == [[f"`{k.path}`", k.kind, k.unit, k.meaning] for k in KEYS]


def test_docs_list_exactly_the_arrays():
    expected = [[f"`{a.name}`", a.kind, ", ".join(a.shape), a.unit, a.meaning] for a in ARRAYS]
    assert rows("## Arrays of") == expected


def leaves(node, path=""):
    """Yield the path of every plain value, as docs/report.md writes it."""
    free = {"memory", "items", "by_kind", "energy_by_action", "energy_by_layer"}
    free |= {"spikes_per_inference", "activation_sparsity"}
    if isinstance(node, dict):
        for name, value in node.items():
            starred = path.rsplit(".", 1)[-1] in free
            yield from leaves(value, f"{path}.{'*' if starred else name}".lstrip("."))
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, f"{path}[]")
    else:
        yield path


def test_the_example_holds_nothing_that_is_not_documented(example):
    summary = json.loads(json.dumps(example[0]))
    assert set(leaves(summary)) <= {key.path for key in KEYS}
