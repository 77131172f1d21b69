"""Chip files: the shipped chip, every check, and the ``chips`` command."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from chipsim.cli import chips
from chipsim.errors import InputError
from chipsim.load.chip_file import read_chip, shipped_chips

TIANJIC = shipped_chips()["tianjic"]


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for an edited chip file, ``x.yaml``."""
    monkeypatch.chdir(tmp_path)
    return Path("x.yaml")


def test_tianjic() -> None:
    """The shipped chip is the one the facts describe."""
    chip = read_chip("tianjic")
    assert (chip.mesh.width, chip.mesh.height, chip.cores) == (12, 13, 156)
    assert chip.clock_hz == 300e6
    assert chip.phase.cycles / chip.clock_hz == pytest.approx(16.8e-6)
    assert chip.core.axons * chip.core.columns * chip.cores == 156 * 65536
    assert chip.core.arithmetic.weight_columns == 2
    assert dict(chip.core.memory) == {
        "synapse": 65536,
        "axon": 1024,
        "soma": 3072,
        "lut": 1024,
        "router": 1024,
    }
    core, phase = chip.core, chip.phase
    synapses = core.axons * core.columns // core.macs_per_cycle
    assert synapses + core.columns * core.soma_cycles + phase.sync_cycles == phase.cycles
    published_total = read_chip("tianjic", ["core.memory.synapse=16KiB"])
    assert sum(published_total.core.memory.values()) == 22 * 1024


@pytest.mark.parametrize(("action", "published"), [("sop", 101.0e-9), ("mac", 102.4e-9)])
def test_tianjic_energy_anchor(action: str, published: float) -> None:
    """Prices of a full core-phase sum to the published all-in figure, within rounding."""
    chip = read_chip("tianjic")
    price = {name: constant.value for name, constant in chip.prices.items()}
    static = chip.static_power.value * chip.phase.cycles / chip.clock_hz / chip.cores
    total = (
        65536 * price[action]
        + 256 * price["soma_update"]
        + 512 * price["router_hop"]
        + 5040 * price["core_cycle"]
        + static
    )
    assert total == pytest.approx(published, rel=1e-3)


def test_tianjic_has_provenance_everywhere() -> None:
    """No value of the shipped chip is bare, and every number is a constant by key path."""
    chip = read_chip("tianjic")
    sources = [constant.source for constant in chip.constants.values()]
    sources += [choice.source for choice in chip.choices.values()]
    assert all(len(source) > 10 and "no provenance" not in source for source in sources)
    for constant in chip.constants.values():
        assert constant.low <= constant.value <= constant.high
    assert chip.constants["core.axons"].mark == "published"
    assert chip.constants["phase.cycles"].mark == "derived"
    assert chip.constants["core.memory.synapse"].unit == "B"
    assert chip.constants["mesh.io[1]"].value == 0
    assert chip.prices["sop"] is chip.constants["energy.sop"]
    assert chip.prices["sop"].low == 1.1e-12
    assert chip.static_power is chip.constants["power.static"]
    assert chip.choices["core.rounding"].value == chip.core.arithmetic.rounding
    numbers = sum(isinstance(value, int) for value in vars(chip.core.arithmetic).values())
    assert numbers == 10
    assert len(chip.constants) == 1 + 7 + 2 + 2 + 4 + 5 + numbers + len(chip.prices) + 1


def test_overrides() -> None:
    """Overrides change the chip and their provenance says so."""
    chip = read_chip("tianjic", ["core.weight_bits=8", "energy.sop=2 pJ", "phase.mode=adaptive"])
    assert chip.core.arithmetic.weight_columns == 1
    assert chip.prices["sop"].low == chip.prices["sop"].high == 2e-12
    assert chip.constants["core.weight_bits"].source == "set on the command line"
    assert chip.choices["phase.mode"].source == "set on the command line"
    assert read_chip("tianjic").core.arithmetic.weight_bits == 16


def test_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file at the path wins over the shipped chip; a directory of that name does not."""
    monkeypatch.chdir(tmp_path)
    assert read_chip("tianjic.yaml") == read_chip("tianjic") == read_chip(str(TIANJIC))
    text = TIANJIC.read_text(encoding="utf-8")
    Path("tianjic.yaml").write_text(text.replace("value: 12,", "value: 11,"), encoding="utf-8")
    assert read_chip("tianjic.yaml").mesh.width == 11
    Path("tianjic").mkdir()
    assert read_chip("tianjic").mesh.width == 12
    Path("other").mkdir()
    for wrong, message in [
        ("other", "this is a directory"),
        ("tianjik", "shipped chips: .*tianjic"),
        ("", "expected a chip file"),
        ("a\0b", "no shipped chip"),
        ("x" * 5000, "no shipped chip"),
        ("../tianjic", "no shipped chip"),
    ]:
        with pytest.raises(InputError, match=message):
            read_chip(wrong)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("clock=-300 MHz", 'a frequency such as "300 MHz" above 0 Hz'),
        ("clock=0 Hz", "above 0 Hz"),
        ("clock=300", "expected a frequency"),
        ("mesh.width=0", "a whole number from 1 to 1024, got 0"),
        ("mesh.height=1.5", "a whole number from 1 to 1024, got 1.5"),
        ("mesh.width=1e9", "from 1 to 1024"),
        ("mesh.topology=star", "one of mesh, torus, triangular"),
        ("mesh.io=[5, 5]", r"on the edge of the 12 x 13 mesh .*got \[5, 5\]"),
        ("mesh.io=[12, 0]", "on the edge"),
        ("mesh.io=[-1, 0]", "from 0 to 1023"),
        ("mesh.io=[0]", "a list of 2"),
        ("mesh.io=3", "a list of 2"),
        ("mesh.hop_cycles=0", "from 1 to 1024"),
        ("phase.mode=tick", "one of fixed, adaptive"),
        ("phase.sync_cycles=5040", "fewer than the 5040 cycles"),
        ("phase.cycles=0", "from 1 to"),
        ("core.kind=loihi", "expected crossbar"),
        ("core.axons=0", "from 1 to 65535"),
        ("core.weight_bits=1", "from 2 to 16, got 1"),
        ("core.weight_bits=17", "from 2 to 16, got 17"),
        ("core.accumulator_bits=33", "from 16 to 32"),
        ("core.membrane_bits=7", "from 8 to 32"),
        ("core.activation_bits=16", "from 1 to 15"),
        ("core.rounding=up", "one of truncate, nearest, stochastic"),
        ("core.overflow=clip", "one of saturate, wrap"),
        ("core.memory.synapse=64 KB", "write KiB"),
        ("core.memory.synapse=0 B", "from 1 B"),
        ("core.memory.synapse=12 bit", "whole number of bytes"),
        ("core.memory=1 KiB", "expected a mapping"),
        ("energy.sop=-1 pJ", "from 0 J"),
        ("energy.sop=1 W", "expected an energy"),
        ("power.static=-1 W", "from 0 W"),
        ("chip=a b", "expected a name"),
        ("chip=../x", "expected a name"),
    ],
)
def test_bad_values(override: str, message: str) -> None:
    """Each value out of bounds is refused, with the key path and what is allowed."""
    path = override.partition("=")[0]
    with pytest.raises(InputError, match=message) as caught:
        read_chip("tianjic", [override])
    assert str(caught.value).startswith(f"--set {override}: {path}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("chip: tianjic", "chp: tianjic", "x.yaml:.*: chip: missing; expected text"),
        ("  axons: {value: 256,", "  axns: {value: 256,", "core.axons: missing"),
        ("  lut: {value", "  lutt: {value", "core.memory.lut: missing; expected a whole"),
        ("relay_add:", "relay:", "energy.relay_add: missing; expected an energy"),
        ("power:\n", "powr:\n", "x.yaml:.*: power: missing; expected a mapping"),
        ("power:\n", "speed: 3\npower:\n", "speed: unknown key; known keys: chip, clock"),
        ("energy:\n", "energy:\n  spo: 1 pJ\n", 'energy.spo: unknown key; did you mean "sop"'),
        ("memory:\n", "memory:\n    cache: 1 KiB\n", "core.memory.cache: unknown key"),
        ("{value: 300 MHz,", "{value: 300,", r"x.yaml:\d+:\d+: clock: expected a frequency"),
    ],
)
def test_bad_files(edited: Path, old: str, new: str, message: str) -> None:
    """Missing, misspelt and unknown keys are refused where they stand."""
    text = TIANJIC.read_text(encoding="utf-8")
    assert old in text
    edited.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_chip("x.yaml")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 3), (2, 2), (4, 5)])
def test_io_on_edge(width: int, height: int) -> None:
    """Exactly the routers of the mesh's border may take input."""
    routers = {(x, y) for x in range(width) for y in range(height)}
    border = {(x, y) for x, y in routers if not (0 < x < width - 1 and 0 < y < height - 1)}
    size = [f"mesh.width={width}", f"mesh.height={height}"]
    for x in range(width + 1):
        for y in range(height + 1):
            overrides = [*size, f"mesh.io=[{x}, {y}]"]
            if (x, y) in border:
                assert read_chip("tianjic", overrides).mesh.io == (x, y)
            else:
                with pytest.raises(InputError, match="on the edge"):
                    read_chip("tianjic", overrides)


def command(*words: str) -> int:
    """Run ``chipsim chips`` with ``words``."""
    parser = argparse.ArgumentParser()
    chips.add_parser(parser.add_subparsers())
    args = parser.parse_args(["chips", *words])
    return int(args.run(args))


def test_command_lists(capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments each shipped chip is a line."""
    assert command() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(shipped_chips())
    assert any(line.startswith("tianjic ") and "156 crossbar cores" in line for line in lines)


def test_command_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """A chip's table has a row for each constant and word, in aligned columns."""
    assert command("tianjic", "--set", "core.weight_bits=8") == 0
    lines = capsys.readouterr().out.splitlines()
    head = lines[2]
    assert head.split() == ["constant", "value", "range", "mark", "source"]
    rows = {line.split()[0]: line for line in lines[3:]}
    chip = read_chip("tianjic")
    assert set(rows) == {*chip.constants, *chip.choices}
    assert "1.1 pJ to 1.4 pJ" in rows["energy.sop"]
    assert rows["core.weight_bits"].endswith("assumed    set on the command line")
    for path, constant in chip.constants.items():
        if path != "core.weight_bits":
            assert rows[path][head.index("mark") :].startswith(constant.mark)
            assert rows[path][head.index("source") :] == constant.source


def test_command_wraps_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal long sources go on in their own column."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    assert command("tianjic") == 0
    table = capsys.readouterr().out.splitlines()[2:]
    column = table[0].index("source")
    assert max(len(line) for line in table) <= 120
    assert any(line[:column].isspace() for line in table)


def test_command_checks(edited: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--check`` accepts a good file and refuses a bad one; contradictions are refused."""
    edited.write_text(TIANJIC.read_text(encoding="utf-8"), encoding="utf-8")
    assert command("--check", "x.yaml") == 0
    assert capsys.readouterr().out.startswith("x.yaml: good: 156 crossbar cores")
    edited.write_text("chip: 3\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"x.yaml:1:7: chip: expected text, got 3"):
        command("--check", "x.yaml")
    with pytest.raises(InputError, match="not both"):
        command("tianjic", "--check", "x.yaml")
    with pytest.raises(InputError, match="--set needs a chip"):
        command("--set", "a=1")


def test_command_starts_light() -> None:
    """Importing the command loads neither numpy nor yaml."""
    code = "import sys, chipsim.cli.chips; print('numpy' in sys.modules or 'yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_rounding_and_decay_of_traces_may_be_left_out():
    arithmetic = read_chip("tianjic").core.arithmetic
    assert (arithmetic.trace_rounding, arithmetic.trace_decay) == ("same", "dense")
    given = ["core.trace_rounding=stochastic", "core.trace_decay=lazy"]
    arithmetic = read_chip("tianjic", given).core.arithmetic
    assert (arithmetic.trace_rounding, arithmetic.trace_decay) == ("stochastic", "lazy")
    with pytest.raises(InputError, match=r"core\.trace_decay.*dense.*lazy"):
        read_chip("tianjic", ["core.trace_decay=never"])
