"""Placers: chips filled one after the other, within cores and SDRAM."""

from __future__ import annotations

import pytest

from chipsim.errors import DoesNotFitError
from chipsim.mapping.processor.place import ORDERS, chips_needed, place
from chipsim.processor_chip import ProcessorChip
from chipsim.validation.spinnaker_memory import processor_chip
from tests.mapping.processor.proc_cases import spinnaker1


def routers(chip: ProcessorChip, cores: tuple[int, ...]) -> list[int]:
    return [core // chip.machine.cores for core in cores]


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("shape", ["chip", "board4", "board48", "torus"])
def test_every_core_once_and_only_working_ones(name: str, shape: str) -> None:
    dead = '["core 0,0,1"]' if shape == "chip" else '["core 0,0,1", "router 1,1"]'
    chip = spinnaker1(f"machine.shape={shape}", f"machine.dead={dead}")
    machine = chip.machine
    working = [core for r in machine.working_routers for core in machine.working_cores(r)]
    cores = place(chip, [0] * len(working), ORDERS[name])
    assert sorted(cores) == sorted(working)
    with pytest.raises(DoesNotFitError, match=rf"cores {len(working) + 1} exceeded max"):
        place(chip, [0] * (len(working) + 1), ORDERS[name])


@pytest.mark.parametrize("name", ORDERS)
def test_a_chip_is_filled_before_the_next(name: str) -> None:
    chip = spinnaker1()
    seen = routers(chip, place(chip, [0] * 100, ORDERS[name]))
    assert [seen.count(router) for router in dict.fromkeys(seen)] == [16] * 6 + [4]
    assert seen == [router for router in dict.fromkeys(seen) for _ in range(seen.count(router))]


def test_radial_goes_outwards() -> None:
    chip = spinnaker1()
    seen = list(dict.fromkeys(routers(chip, place(chip, [0] * 16 * 4, ORDERS["radial"]))))
    assert seen == [0, 1, 9, 8]


def test_sdram_fills_a_chip_too() -> None:
    chip = spinnaker1()
    half = chip.sdram.size_bytes // 2
    seen = routers(chip, place(chip, [half, half, 1, half, half], ORDERS["sequential"]))
    assert seen == [0, 0, 0, 1, 1] or seen == [0, 0, 1, 1, 2]
    assert chips_needed(chip, [half, half, 2, half, half]) == 3
    with pytest.raises(DoesNotFitError, match=r"sdram: .* only 96 slices fit the 48 chips"):
        place(chip, [half] * 97, ORDERS["sequential"])


def test_one_memory_for_the_whole_machine() -> None:
    chip = processor_chip("spinnaker2")
    most = chip.sdram.size_bytes // 10
    assert len(place(chip, [most] * 10, ORDERS["hilbert"])) == 10
    with pytest.raises(DoesNotFitError, match=r"sdram \d+ B exceeded max 1073741824 B by"):
        place(chip, [most] * 11, ORDERS["hilbert"])
    with pytest.raises(DoesNotFitError, match=r"cores 153 exceeded max 152 .* one chip is all"):
        place(chip, [0] * 153, ORDERS["hilbert"])


@pytest.mark.parametrize(
    ("shape", "slices", "advice"),
    [
        ("chip", 17, "2 chips are needed: --set machine.shape=board48"),
        ("board4", 16 * 48, "48 chips are needed: --set machine.shape=board48"),
        ("board48", 16 * 48 + 1, r"machine.shape=torus --set machine.width=1 \(3 boards\)"),
        ("board48", 16 * 144 + 1, r"machine.width=2 \(6 boards\)"),
    ],
)
def test_the_error_names_a_machine_that_would_do(shape: str, slices: int, advice: str) -> None:
    chip = spinnaker1(f"machine.shape={shape}")
    with pytest.raises(DoesNotFitError, match=advice) as caught:
        place(chip, [0] * slices, ORDERS["sequential"])
    sets = str(caught.value).split("--set ")[1:]
    larger = spinnaker1(*(word.split()[0] for word in sets))
    assert len(place(larger, [0] * slices, ORDERS["sequential"])) == slices
