"""Mapping files: read back exactly; anything else is refused with its key."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chipsim.chip import Chip
from chipsim.errors import ChipsimError, DoesNotFitError, InputError
from chipsim.mapping.mapper import map_network
from chipsim.mapping.mapping_file import read_mapping, write_mapping
from chipsim.mapping.model import Mapping
from chipsim.network import Network
from tests.mapping.cases import chain, recurrent, tianjic, unicast, with_memory, with_mesh
from tests.mapping.strategies import networks


@pytest.fixture
def kept(tmp_path: Path, hp_mapping: Mapping, chip: Chip) -> Path:
    path = tmp_path / "mapping.json"
    write_mapping(path, hp_mapping, chip)
    return path


def test_round_trip(kept: Path, hp_mapping: Mapping, hp_network: Network, chip: Chip) -> None:
    assert read_mapping(kept, hp_network, chip) == hp_mapping
    assert os.listdir(kept.parent) == ["mapping.json"]


@given(net=networks(largest=300), single=st.booleans())
@settings(
    derandomize=True,
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_mapping_comes_back(tmp_path: Path, net: Network, single: bool) -> None:
    chip = with_memory(with_mesh(tianjic(), 20, 31), axon=8192, router=8192)
    chip = unicast(chip) if single else chip
    mapping = map_network(net, chip)
    path = tmp_path / "any.json"
    write_mapping(path, mapping, chip)
    assert read_mapping(path, net, chip) == mapping


def test_a_person_can_read_it(kept: Path) -> None:
    lines = kept.read_text().splitlines()
    assert lines[1:9] == [
        '"format": "chipsim mapping 1",',
        '"network": "net",',
        '"chip": "tianjic",',
        '"mesh": "12x13",',
        '"plasticity": "running",',
        '"placer": "hilbert",',
        '"interval": 3,',
        '"depth": 4,',
    ]
    assert (
        '{"index": 0, "population": "layer1", "role": "dendrite", "neurons": [0, 64], '
        '"axons": [["input-layer1", 0, 196]], "plastic": true, "core": "0,0"},'
    ) in lines
    assert max(map(len, lines)) < 500


def test_an_unwritable_place(tmp_path: Path, hp_mapping: Mapping, chip: Chip) -> None:
    with pytest.raises(InputError, match=r"gone/m\.json: cannot be written: No such file"):
        write_mapping(tmp_path / "gone" / "m.json", hp_mapping, chip)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_mapping(tmp_path / "folder", hp_mapping, chip)
    assert os.listdir(tmp_path) == ["folder"]


def test_an_old_file_stays_whole_if_writing_fails(
    kept: Path, hp_mapping: Mapping, chip: Chip, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write_mapping(kept, hp_mapping, chip)
    assert kept.read_bytes() == before
    assert os.listdir(kept.parent) == ["mapping.json"]


def edited(kept: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    content = json.loads(kept.read_text())
    edit(content)
    kept.write_text(json.dumps(content))
    return kept


def route_to(ports: dict[str, Any]) -> Callable[[dict[str, Any]], object]:
    return lambda c: c["flows"][0].update(route=ports)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda c: c.update(format="other"), "format: 'other' given, allowed: chipsim mapping 1"),
        (lambda c: c.update(network="x"), "network: 'x' given, allowed: net"),
        (lambda c: c.update(chip="loihi"), "chip: 'loihi' given, allowed: tianjic"),
        (lambda c: c.update(mesh="1x1"), "mesh: '1x1' given, allowed: 12x13"),
        (lambda c: c.update(plasticity="on"), "plasticity: 'on' given, allowed: running, frozen"),
        (lambda c: c.update(plasticity="off"), "plastic: True should be False"),
        (lambda c: c.update(interval=True), "interval: true or false given, an integer is due"),
        (lambda c: c.update(interval=1.5), "interval: a fraction given, an integer is due"),
        (lambda c: c.update(interval=10**30), "interval: 1000.* is not in 1 .. "),
        (lambda c: c.update(interval=0), "interval: 0 is not in 1"),
        (lambda c: c.update(depth=None), "depth: null given, an integer is due"),
        (lambda c: c.pop("slices"), "top level: 'slices' is missing"),
        (lambda c: c.update(slice=1), "unknown key 'slice', did you mean 'slices'"),
        (lambda c: c.update(qqq=1), "unknown key 'qqq', allowed: format"),
        (lambda c: c.update(slices={}), "slices: an object given, a list is due"),
        (lambda c: c.update(slices=[]), "slices: neuron 0 of layer1 is on no slice"),
        (lambda c: c.update(reasons=[1]), r"reasons\[0\]: an integer given, text is due"),
        (lambda c: c["slices"][2].update(neurons=[0]), r"slices\[2\].neurons: 1 items given, 2"),
        (lambda c: c["slices"][2].update(neurons=[0, 0]), r"slices\[2\].neurons\[1\]: 0 is not"),
        (lambda c: c["slices"][2].update(neurons=[-1, 4]), r"neurons\[0\]: -1 is not in 0"),
        (lambda c: c["slices"][2].update(role="axon"), r"slices\[2\].role: 'axon' given, allowed"),
        (lambda c: c["slices"][2].update(core="12,0"), "router 12,0 is not on the 12x13 mesh"),
        (lambda c: c["slices"][2].update(core="01,0"), "'01,0' given, a router is written x,y"),
        (lambda c: c["slices"][2].update(core="1;0"), "a router is written x,y"),
        (lambda c: c["slices"][1].update(core="0,0"), "already taken by slice 0"),
        (lambda c: c["slices"][2].update(plastic=1), "an integer given, true or false is due"),
        (lambda c: c["slices"].pop(0), r"slices\[0\].index: 1 should be 0"),
        (
            lambda c: c["flows"][0].update(targets=[99]),
            r"flows\[0\]: input from .* to slices \[99\]",
        ),
        (lambda c: c["flows"][0].update(source=-2), r"flows\[0\].source: -2 is not in -1"),
        (lambda c: c["flows"].append(c["flows"][0]), "52 given, but the slices need 51"),
        (route_to({"0,0": "X"}), r"flows\[0\].route.0,0: 'X' given, ports are E, W, N, S, L"),
        (route_to({"0,0": "EE"}), "'EE' given, ports are"),
        (route_to({"0,0": "L"}), r"flows\[0\].route: never reaches slice"),
        (route_to({"0,0": "W"}), "leaves the mesh at router 0,0"),
        (route_to({"0,0": "E", "1,0": "W"}), "comes to router 0,0 twice"),
        (route_to({"0,13": "E"}), "router 0,13 is not on the 12x13 mesh"),
        (route_to({"\ud800" * 900: "E"}), "a router is written x,y|\\.\\.\\."),
        (lambda c: c["tasks"][0].update(slice=39), r"tasks\[0\]: slice 39 integrate"),
        (lambda c: c["tasks"][0].update(task="rest"), r"tasks\[0\].task: 'rest' given, allowed"),
        (lambda c: c["tasks"][0].update(cycles=5), r"tasks\[0\]: slice 0 integrate of 5 cycles"),
        (lambda c: c["memory"][0].update(budget=10), "memory: not what these slices take"),
        (lambda c: c["memory"][-1].update(slice=99), "memory: the slices are not listed one after"),
        (lambda c: c["memory"][0].update(items=[]), r"memory\[0\].items: a list given, an object"),
    ],
)
def test_a_changed_file_is_refused(
    kept: Path,
    hp_network: Network,
    chip: Chip,
    edit: Callable[[dict[str, Any]], object],
    problem: str,
) -> None:
    edited(kept, edit)
    with pytest.raises(InputError, match=problem) as caught:
        read_mapping(kept, hp_network, chip)
    assert str(caught.value).startswith(f"{kept}: ")
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "mapping.json:1:1: not JSON"),
        (b"{\n  oops}", "mapping.json:2:3: not JSON: Expecting property name"),
        (b"\xff\xfe", "not UTF-8 text at byte 0"),
        (b"[]", "top level: a list given, an object with format"),
        (b"NaN", "NaN is no number"),
        (b'{"a": 1, "a": 2}', "key 'a' is given twice"),
        (b"[" * 100_000, "nested too deeply|not JSON"),
        (b'{"interval": ' + b"9" * 5000 + b"}", "mapping.json: "),
    ],
)
def test_what_is_no_mapping_is_refused(
    kept: Path, hp_network: Network, chip: Chip, content: bytes, problem: str
) -> None:
    kept.write_bytes(content)
    with pytest.raises(InputError, match=problem):
        read_mapping(kept, hp_network, chip)


def test_a_missing_file(tmp_path: Path, hp_network: Network, chip: Chip) -> None:
    with pytest.raises(InputError, match=r"no\.json: cannot be read: No such file"):
        read_mapping(tmp_path / "no.json", hp_network, chip)


def test_budgets_are_checked_again(kept: Path, hp_network: Network, chip: Chip) -> None:
    with pytest.raises(DoesNotFitError, match=r"mapping\.json: layer1.*soma memory"):
        read_mapping(kept, hp_network, with_memory(chip, soma=700))


def test_another_network_of_the_same_name(kept: Path, chip: Chip) -> None:
    with pytest.raises(InputError, match="is on no slice"):
        read_mapping(kept, chain(784, 513, 10, plastic=True), chip)
    with pytest.raises(InputError, match="no population to map"):
        read_mapping(kept, recurrent(784, 512), chip)


SMALL = chain(300, 6, 3, plastic=True)


@given(data=st.data())
@settings(
    derandomize=True,
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_random_edit_is_refused_or_changes_nothing_that_matters(
    tmp_path: Path, data: st.DataObject
) -> None:
    chip = tianjic()
    mapping = map_network(SMALL, chip)
    path = tmp_path / "m.json"
    write_mapping(path, mapping, chip)
    content = json.loads(path.read_text())
    node, key = content, None
    while True:  # walk to a random place in the file
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if not isinstance(node[key], (dict, list)) or data.draw(st.integers(0, 5)) == 0:
            break
        node = node[key]
    values = st.one_of(
        st.none(), st.booleans(), st.integers(-3, 400), st.floats(), st.text(max_size=3),
        st.just([]), st.just({}), st.sampled_from(["L", "E", "0,0", "soma", "whole", "off"]),
    )  # fmt: skip
    node[key] = data.draw(values)
    path.write_text(json.dumps(content))
    again = read_or_refuse(path)
    if isinstance(again, str):
        assert str(path) in again
    else:  # words for people may be anything
        same = ("slices", "placement", "flows", "memory", "plasticity")
        assert all(getattr(again, name) == getattr(mapping, name) for name in same)
        assert again.schedule.tasks == mapping.schedule.tasks


def read_or_refuse(path: Path) -> Mapping | str:
    try:
        return read_mapping(path, SMALL, tianjic())
    except ChipsimError as error:
        return str(error)
