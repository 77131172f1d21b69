"""Files of processor chips: the two shipped ones, every check, and the ``chips`` command."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from chipsim.cli import chips
from chipsim.errors import InputError
from chipsim.load import processor_schema as schema
from chipsim.load.chip_file import read_chip, read_crossbar_chip, shipped_chips
from chipsim.processor_chip import ProcessorChip


def processors(name: str, *overrides: str) -> ProcessorChip:
    chip = read_chip(name, overrides)
    assert isinstance(chip, ProcessorChip)
    return chip


def test_spinnaker1_is_the_one_the_facts_describe() -> None:
    chip = processors("spinnaker1")
    assert chip.tick_cycles == 200_000
    assert (chip.core.itcm_bytes, chip.core.dtcm_bytes) == (32768, 65536)
    assert chip.core.dtcm_bytes - chip.sizes["static"] - chip.sizes["stack"] == 60820
    assert (chip.machine.cores, chip.machine.app_cores) == (18, 16)
    assert (chip.machine.chips, chip.machine.boards) == (48, 1)
    assert chip.router.entries == 1023
    assert chip.prices["packet"].value == pytest.approx(25e-12 * chip.router.packet_bits)
    payload = chip.prices["payload_packet"].value
    assert payload == pytest.approx(25e-12 * chip.router.payload_packet_bits)
    per_cycle = chip.prices["core_active"].value / chip.core.clock_hz
    assert per_cycle == pytest.approx(170e-12)
    assert not chip.cautions


def test_the_link_rates_are_those_of_six_million_packets_a_second() -> None:
    router = processors("spinnaker1").router
    assert router.clock_hz / router.link_interval == pytest.approx(6.0e6, rel=0.02)
    bits = router.payload_packet_bits / router.packet_bits
    assert router.payload_interval == round(router.link_interval * bits)


def test_spinnaker2_has_152_processors_and_no_known_energy() -> None:
    chip = processors("spinnaker2")
    machine = chip.machine
    assert len(machine.working_routers) == 38
    cores = [core for router in machine.working_routers for core in machine.working_cores(router)]
    assert len(cores) == 152
    assert (machine.chips, machine.boards) == (1, 0)
    assert not chip.prices
    assert chip.unknown_prices == ("idle_chip", "core_active", "packet", "payload_packet")
    assert "energy is unknown" in chip.cautions[0]
    assert "8mW" in chip.choices["energy.core_active"].source
    assert {chip.sdram_of(core) for core in cores} == {0}


def test_energy_can_be_supplied() -> None:
    given = processors("spinnaker2", "energy.core_active=8mW", "energy.board4_idle=1 W")
    assert given.prices["core_active"].value == 8e-3
    assert given.prices["core_active"].source == "set on the command line"
    assert given.unknown_prices == ("idle_chip", "packet", "payload_packet")
    assert given.prices["board4_idle"].value == 1.0


@pytest.mark.parametrize(
    ("shape", "routers", "boards"),
    [("chip", 1, 0), ("board4", 4, 1), ("board48", 48, 1), ("torus", 144, 3)],
)
def test_shapes(shape: str, routers: int, boards: int) -> None:
    machine = processors("spinnaker1", f"machine.shape={shape}").machine
    assert len(machine.working_routers) == routers == machine.chips
    assert machine.boards == boards
    assert machine.working_cores(0) == tuple(range(1, 17))
    assert machine.columns * machine.rows - len(machine.absent) == routers


def test_a_torus_of_several_triads() -> None:
    machine = processors(
        "spinnaker1", "machine.shape=torus", "machine.width=2", "machine.height=3"
    ).machine
    assert (machine.columns, machine.rows, machine.boards, machine.chips) == (24, 36, 18, 864)


def test_dead_parts() -> None:
    dead = '["core 1,0,3", "router 2,2", "link 0,0 north-east"]'
    machine = processors("spinnaker1", f"machine.dead={dead}").machine
    assert machine.dead.cores == (1 * 18 + 3,)
    assert machine.dead.routers == (2 * 8 + 2,)
    assert machine.dead.links == ((0, 1),)
    assert 18 + 3 not in machine.working_cores(1)
    assert len(machine.working_cores(1)) == 15
    assert len(machine.working_routers) == 47


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tick=0 s", "above 0 s"),
        ("tick=1ns", "at least one cycle of core.clock"),
        ("tick=1", "expected a time"),
        ("machine.shape=ring", "one of chip, board4, board48, torus, mesh"),
        ("machine.width=2", "counts only for shape torus"),
        ("machine.height=0", "from 1 to 32"),
        ("machine.cores=19", "from 1 to 18"),
        ("machine.cores=8", "at most the 8 cores, got 16"),
        ("machine.dead=3", "a list of texts"),
        ('machine.dead=["router 9,0"]', "9,0 is not on the 8 x 8 machine"),
        ('machine.dead=["router 7,0"]', "there is no chip at 7,0 of a board48"),
        ('machine.dead=["core 0,0,18"]', "numbered 0 to 17"),
        ('machine.dead=["core 0,0"]', 'expected "core x,y,n"'),
        ('machine.dead=["router 0,0,1"]', 'expected "core x,y,n"'),
        ('machine.dead=["link 0,0"]', 'expected "core x,y,n"'),
        ('machine.dead=["link 0,0 west"]', "no such link"),
        ('machine.dead=["link 0,0 up"]', "directions are east, north-east"),
        ('machine.dead=["all"]', 'expected "core x,y,n"'),
        ("core.kind=crossbar", "one of tcm, sram"),
        ("core.kind=sram", "expected 0 B where kind is sram"),
        ("core.itcm=0 B", "more where it is tcm"),
        ("core.itcm=32 KB", "write KiB"),
        ("core.ring_index=odd", "one of power_of_two, packed"),
        ("core.rounding=up", "one of truncate, nearest, stochastic"),
        ("core.weight_bits=17", "from 2 to 16"),
        ("core.state_bits=16", "from 32 to 32"),
        ("core.delay_slots=0", "from 1 to 256"),
        ("sdram.bytes_per_second=250", "expected a memory size"),
        ("sdram.shared_by=board", "one of router, machine"),
        ("router.entries=0", "from 1 to"),
        ("cycles.spike=-1", "from 0 to"),
        ("cycles.synapse=1.5", "a whole number"),
        ("sizes.synapse=4", "expected a memory size"),
        ("energy.packet=1 W", "expected an energy"),
        ("energy.core_active=unkown", "expected a power"),
        ("energy.core_active=-1 W", "from 0 W"),
        ("energy.core_activ=1 W", 'did you mean "energy.core_active"'),
        ("sizes.synaps=4 B", 'did you mean "sizes.synapse"'),
    ],
)
def test_bad_values(override: str, message: str) -> None:
    path = re.escape(override.partition("=")[0].split(".")[0])
    with pytest.raises(InputError, match=message) as caught:
        read_chip("spinnaker1", [override])
    assert re.search(rf"\b{path}", str(caught.value))


def test_no_core_left() -> None:
    dead = [f"core 0,0,{number}" for number in range(1, 17)]
    with pytest.raises(InputError, match="no application core is left"):
        read_chip("spinnaker1", ["machine.shape=chip", f"machine.dead={dead}"])


@pytest.mark.parametrize("name", ["spinnaker1", "spinnaker2"])
def test_every_key_is_needed_and_no_other_allowed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each leaf renamed: the file is refused where it stands (energies may be left out)."""
    monkeypatch.chdir(tmp_path)
    lines = shipped_chips()[name].read_text(encoding="utf-8").splitlines()
    leaf = re.compile(r"( *)(\w+):( .*|)$")
    found = 0
    for number, line in enumerate(lines):
        match = leaf.match(line)
        if match is None or line.lstrip().startswith(("value:", "range:", "assumed:")):
            continue
        if re.match(r" +(published|derived|measured|assumed|range|value):", line):
            continue
        renamed = f"{match[1]}{match[2]}x:{match[3]}"
        text = "\n".join([*lines[:number], renamed, *lines[number + 1 :]])
        Path("x.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=rf"x\.yaml:\d+:\d+: .*{match[2]}"):
            read_chip("x.yaml")
        found += 1
    assert found > 80


def test_crossbars_only() -> None:
    assert read_crossbar_chip("tianjic").name == "tianjic"
    with pytest.raises(InputError, match="a chip of crossbar cores is needed"):
        read_crossbar_chip("spinnaker1")


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    chips.add_parser(parser.add_subparsers())
    args = parser.parse_args(["chips", *words])
    return int(args.run(args))


def test_command_lists_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert command() == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "768 processors" in lines["spinnaker1"]
    assert "32 KiB ITCM and 64 KiB DTCM" in lines["spinnaker1"]
    assert "152 processors" in lines["spinnaker2"]


@pytest.mark.parametrize("name", ["spinnaker1", "spinnaker2"])
def test_command_shows_every_constant(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(name) == 0
    text = capsys.readouterr().out
    chip = processors(name)
    rows = {line.split()[0]: line for line in text.splitlines() if line}
    for path, constant in chip.constants.items():
        assert constant.mark in rows[path]
        assert rows[path].endswith(constant.source)
    for path, choice in chip.choices.items():
        assert f" {choice.value} " in rows[path]
    assert ("energy is unknown" in text) == (name == "spinnaker2")


def test_command_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--check", str(shipped_chips()["spinnaker2"])) == 0
    out = capsys.readouterr().out
    assert "good: 152 processors" in out
    assert "energy is unknown" in out


def test_every_key_is_in_the_docs(request: pytest.FixtureRequest) -> None:
    text = (request.config.rootpath / "docs" / "chip-file.md").read_text(encoding="utf-8")
    text = text[text.index("## Chips of processors") : text.index("## Tianjic")]
    chip = processors("spinnaker1")
    paths = {*chip.constants, *chip.choices, *(f"energy.{key}" for key in schema.PRICES)}
    for path in paths | set(schema.OPTIONAL):
        key = path.rpartition(".")[2]
        assert re.search(rf"`(\w*\.)?{key}`", text), path
