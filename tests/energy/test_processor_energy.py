"""Energy of processors: the formula for chips, boards and frames, unknown prices."""

from __future__ import annotations

import pytest

from chipsim.energy.processors import Work, bill, idle_prices
from chipsim.load.chip_file import read_chip
from chipsim.processor_chip import ProcessorChip

WORK = Work(
    seconds=2.0,
    cycles={"timer": 300_000_000, "row": 100_000_000},
    cycles_by_population={"a": 250_000_000, "b": 150_000_000},
    packets=10_000_000,
    payload_packets=1_000_000,
    dma_bytes=1000,
)


def chip(*overrides: str, name: str = "spinnaker1") -> ProcessorChip:
    found = read_chip(name, overrides)
    assert isinstance(found, ProcessorChip)
    return found


@pytest.mark.parametrize(
    ("overrides", "watts"),
    [
        (["machine.shape=chip"], 0.35),
        (["machine.shape=board4"], 3.56),
        (["machine.shape=board48"], 26.84),
        (["machine.shape=torus"], 3 * 26.84),
        (["machine.shape=torus", "machine.width=4", "machine.height=2"],
         24 * 26.84 + 117 + 37.163558),
    ],
)  # fmt: skip
def test_the_toolchains_formula(overrides: list[str], watts: float) -> None:
    found = bill(chip(*overrides), WORK)
    assert found.total is not None
    expected = watts * 2.0 + 2.0 * 0.034 + 10e6 * 1.0e-9 + 1e6 * 1.8e-9
    assert found.total.value == pytest.approx(expected)
    assert sum(line.energy.value for line in found.lines) == pytest.approx(expected)
    assert sum(amount.value for amount in found.by_layer.values()) == pytest.approx(expected)
    assert found.by_layer["a"].value == pytest.approx(1.25 * 0.034)
    marks = {line.action: line.mark for line in found.lines}
    assert marks["timer_cycle"] == "derived"
    assert marks["packet"] == marks["static"] == "published"


def test_unknown_prices_leave_the_total_open() -> None:
    found = bill(chip(name="spinnaker2"), WORK)
    assert found.total is None
    assert {"energy.idle_chip", "energy.core_active", "energy.packet"} <= set(found.unknown)
    known = ("energy.idle_chip=1 W", "energy.core_active=8 mW", "energy.packet=1 nJ",
             "energy.payload_packet=1 nJ")  # fmt: skip
    priced = bill(chip(*known, name="spinnaker2"), WORK)
    assert priced.total is not None
    assert not priced.unknown


def test_sdram_counts_where_it_has_a_price() -> None:
    plain, priced = bill(chip(), WORK), bill(chip("energy.sdram_byte=1 nJ"), WORK)
    assert plain.total is not None
    assert priced.total is not None
    assert priced.total.value - plain.total.value == pytest.approx(1e-6)
    assert priced.by_layer["sdram"].value == pytest.approx(1e-6)


def test_idle_power_of_every_shape() -> None:
    assert dict(idle_prices(chip("machine.shape=torus"))) == {"board48_idle": 3}
    assert dict(idle_prices(chip("machine.shape=chip"))) == {"idle_chip": 1}
