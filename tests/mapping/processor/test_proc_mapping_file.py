"""Kept mappings onto processors: read back exactly; anything else is refused with its key."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chipsim.errors import ChipsimError, DoesNotFitError, InputError
from chipsim.mapping.processor.mapper import map_on_processors
from chipsim.mapping.processor.mapping_file import read_mapping, write_mapping
from chipsim.validation.spinnaker_memory import credit_assignment, eprop_network
from tests.mapping.processor.proc_cases import chain, spinnaker1

NETWORK = credit_assignment()
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.json"
    chip = spinnaker1()
    write_mapping(path, map_on_processors(NETWORK, chip), chip)
    return path


def changed(path: Path, change: Change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_round_trip(kept: Path) -> None:
    chip = spinnaker1()
    assert read_mapping(kept, NETWORK, chip) == map_on_processors(NETWORK, chip)
    assert os.listdir(kept.parent) == ["mapping.json"]


@given(st.lists(st.integers(1, 60), min_size=2, max_size=4), st.integers(3, 40))
@settings(
    derandomize=True,
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_mapping_comes_back(tmp_path: Path, sizes: list[int], neurons: int) -> None:
    network = chain(*sizes)
    chip = spinnaker1(f"core.max_neurons={neurons}")
    mapping = map_on_processors(network, chip, placer="hilbert")
    write_mapping(tmp_path / "any.json", mapping, chip)
    assert read_mapping(tmp_path / "any.json", network, chip) == mapping


def test_keys_of_weights_come_back(tmp_path: Path) -> None:
    assert NETWORK.learning is not None
    network = replace(NETWORK, learning=replace(NETWORK.learning, kind="symmetric"))
    chip = spinnaker1()
    mapping = map_on_processors(network, chip)
    assert {space.kind for space in mapping.keys} == {"spike", "signal", "weight"}
    write_mapping(tmp_path / "symmetric.json", mapping, chip)
    assert read_mapping(tmp_path / "symmetric.json", network, chip) == mapping


def test_a_person_can_read_it(kept: Path) -> None:
    lines = kept.read_text().splitlines()
    assert lines[1:9] == [
        '"format": "chipsim processor mapping 1",',
        '"network": "e-prop",',
        '"chip": "spinnaker1",',
        '"machine": "board48 8x8x18",',
        '"plasticity": "running",',
        '"placer": "sequential",',
        '"offsets": {"input": 0, "hidden": 1, "readout": 2},',
        '"signal_delay": 2,',
    ]
    assert (
        '{"index": 1, "population": "hidden", "program": "neurons", "neurons": [0, 8], '
        '"core": "0,0,2"},'
    ) in lines
    assert (
        '{"slice": 14, "kind": "signal", "key": "0x00000100", "mask": "0xfffffffe", '
        '"targets": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]}'
    ) in lines


def put(key: str, value: object) -> Change:
    return lambda content: content.__setitem__(key, value)


def put_in(key: str, index: int, field: str, value: object) -> Change:
    return lambda content: content[key][index].__setitem__(field, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("format", "chipsim mapping 1"), "format: 'chipsim mapping 1' given, allowed: chip"),
        (put("network", "other"), "network: 'other' given"),
        (put("chip", "tianjic"), "chip: 'tianjic' given"),
        (put("machine", "chip 1x1x18"), "machine: 'chip 1x1x18' given, allowed: board48"),
        (put("plasticity", "on"), "plasticity: 'on' given"),
        (put("offsets", {"input": 0, "hidden": 1, "readout": 3}), "offsets: not what these"),
        (put("offsets", [0, 1, 2]), "offsets: a list given, an object"),
        (put("signal_delay", 1), "signal_delay: not what these slices"),
        (put("signal_delay", -1), "signal_delay: -1 is not in 0"),
        (put("slices", []), r"slices: input\[0:40\] is on no core"),
        (put("memory", []), "memory: not what"),
        (put("keys", []), "keys: not what"),
        (put("extra", 1), "unknown key 'extra'"),
        (lambda content: content.pop("keys"), "'keys' is missing"),
        (lambda content: content["slices"].pop(), r"readout\[0:2\] is on no core"),
        (lambda content: content["slices"].append(content["slices"][-1]), "16 given, but the"),
        (put_in("slices", 3, "index", 4), r"slices\[3\]: \(4, 'hidden', 'neurons', 16\) given"),
        (put_in("slices", 0, "program", "neurons"), r"slices\[0\]: .* 'source', 0\) is due"),
        (put_in("slices", 2, "neurons", [8, 7]), r"slices\[2\].neurons: 7 given; all slices"),
        (put_in("slices", 2, "neurons", [8]), r"slices\[2\].neurons: 1 items given"),
        (put_in("slices", 2, "core", "0,0,2"), r"slices\[2\].core: .* taken by slice 1"),
        (put_in("slices", 2, "core", "0,0,0"), r"slices\[2\].core: core 0 of chip 0,0 is not th"),
        (put_in("slices", 2, "core", "7,0,3"), r"slices\[2\].core: core 3 of chip 7,0 is not th"),
        (put_in("slices", 2, "core", "8,0,3"), r"core 8,0,3 is not on the board48"),
        (put_in("slices", 2, "core", "0,0"), r"'0,0' given, a core is written x,y,n"),
        (put_in("slices", 2, "core", "00,0,3"), r"a core is written x,y,n"),
        (put_in("keys", 2, "key", "0x00000001"), "keys: not what"),
        (put_in("keys", 2, "key", "1"), r"keys\[2\].key: '1' given, eight hexadecimal"),
        (put_in("keys", 2, "targets", [3]), "keys: not what"),
        (put_in("keys", 2, "kind", "packet"), r"keys\[2\].kind: 'packet' given"),
        (put_in("memory", 1, "budget", 1), "memory: not what"),
    ],
)
def test_a_wrong_file_is_refused(kept: Path, change: Change, message: str) -> None:
    changed(kept, change)
    with pytest.raises(InputError, match=message) as caught:
        read_mapping(kept, NETWORK, spinnaker1())
    assert str(caught.value).startswith(str(kept))


def test_another_chip_or_network_is_refused(kept: Path) -> None:
    with pytest.raises(DoesNotFitError, match=r"slice 1 of hidden: dtcm .* exceeded max 32768"):
        read_mapping(kept, NETWORK, spinnaker1("core.dtcm=32 KiB"))
    with pytest.raises(InputError, match=r"slices|memory"):
        read_mapping(kept, eprop_network(40, 100, 3, recurrent=False), spinnaker1())
    with pytest.raises(InputError, match=r"slices\[0\].core: .* dead or not for applications"):
        read_mapping(kept, NETWORK, spinnaker1('machine.dead=["core 0,0,1"]'))


def test_too_many_rows_on_a_chip(kept: Path) -> None:
    chip = spinnaker1("sdram.size=20 kB")
    write_mapping(kept, map_on_processors(NETWORK, chip), chip)
    assert read_mapping(kept, NETWORK, chip).placement[-1] // 18 == 1
    changed(kept, put_in("slices", 13, "core", "0,0,16"))
    with pytest.raises(DoesNotFitError, match=r"chip 0,0: sdram \d+ B exceeded max 20000 B by"):
        read_mapping(kept, NETWORK, chip)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '"x"', "{}", "[" * 100_000])
def test_not_a_mapping(kept: Path, text: str) -> None:
    kept.write_text(text)
    with pytest.raises(InputError):
        read_mapping(kept, NETWORK, spinnaker1())


def test_a_readout_on_two_cores_is_refused(kept: Path) -> None:
    def split(content: dict[str, Any]) -> None:
        content["slices"][14]["neurons"] = [0, 1]
        second = {**content["slices"][14], "index": 15, "neurons": [1, 1], "core": "0,0,16"}
        content["slices"].append(second)

    changed(kept, split)
    with pytest.raises(InputError, match=r"slices\[14\]: the readout .* must be on one core"):
        read_mapping(kept, NETWORK, spinnaker1())


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ChipsimError, match="cannot be read"):
        read_mapping(tmp_path / "none.json", NETWORK, spinnaker1())
    mapping = map_on_processors(NETWORK, spinnaker1())
    with pytest.raises(InputError, match="cannot be written"):
        write_mapping(tmp_path / "gone" / "m.json", mapping, spinnaker1())
