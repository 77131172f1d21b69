"""Budget checks say which budget, by how much, and where."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chipsim.cores.crossbar import Shape
from chipsim.errors import DoesNotFitError
from chipsim.mapping.memory import (
    CHECKS,
    check_core_count,
    check_routers,
    check_slices,
    memory_use,
    overruns,
    trees_by_router,
)
from chipsim.mapping.model import LOCAL, Route, Slice
from tests.mapping.cases import adaptive, tianjic, unicast, with_bits, with_core, with_mesh


@pytest.mark.parametrize(
    ("shape", "texts"),
    [
        (Shape("dendrite", 1, fan_in=784), ["axons 784 exceeded max 256 by 528"]),
        (Shape("dendrite", 65, fan_in=1, plastic=True), ["columns 260 exceeded max 256 by 4"]),
        (Shape("soma", 220), ["soma memory 3080 bytes exceeded max 3072 by 8 bytes"]),
        (
            Shape("dendrite", 1, fan_in=256, waiting=513),
            ["axon memory 1025 bytes exceeded max 1024 by 1 bytes"],
        ),
        (
            Shape("whole", 1, fan_in=258, graded_axons=258),
            [
                "axons 258 exceeded max 256 by 2",
                "accumulator sum 2155806720 exceeded max 2147483647 by 8323073",
            ],
        ),
    ],
)
def test_overruns(shape: Shape, texts: list[str]) -> None:
    found = [str(use) for use in overruns(tianjic(), shape)]
    for text in texts:
        assert any(one.startswith(text) for one in found), found


def test_what_fits_has_no_overruns() -> None:
    assert overruns(tianjic(), Shape("dendrite", 64, fan_in=256, channels=2, plastic=True)) == ()


def test_a_phase_too_short() -> None:
    slow = with_core(with_bits(tianjic(), 8), soma_cycles=4)
    shape = Shape("whole", 256, fan_in=256, spiking_axons=256)
    (use,) = overruns(slow, shape)
    assert str(use) == "phase 5120 cycles exceeded max 4864 by 256 cycles"
    assert overruns(adaptive(slow), shape) == ()


def test_synapse_memory() -> None:
    tight = tianjic()
    tight = replace(tight, core=replace(tight.core, memory={**tight.core.memory, "synapse": 999}))
    (use,) = overruns(tight, Shape("dendrite", 10, fan_in=50))
    assert str(use) == "synapse memory 1000 bytes exceeded max 999 by 1 bytes"


def test_every_check_can_fail() -> None:
    """No budget is so wide, or its check so weak, that nothing exceeds it."""
    huge = Shape(
        "whole", 10**4, fan_in=10**4, graded_axons=10**4, channels=9, plastic=True, learns=True
    )
    chip = with_bits(tianjic(), 16, 16)
    wide = replace(chip, core=replace(chip.core, arithmetic=replace(
        chip.core.arithmetic, post_bits=32)))  # fmt: skip
    assert len(overruns(wide, huge)) == len(CHECKS)


def test_the_slice_is_named() -> None:
    piece = Slice(3, "hidden", "dendrite", 64, 64)
    with pytest.raises(DoesNotFitError) as caught:
        check_slices(tianjic(), [piece], [Shape("dendrite", 64, fan_in=784)])
    lines = str(caught.value).splitlines()
    assert lines[0] == "hidden[64:128] dendrite, slice 3: axons 784 exceeded max 256 by 528"


def test_many_problems_are_counted_not_listed() -> None:
    pieces = [Slice(i, "a", "dendrite", i, 1) for i in range(20)]
    with pytest.raises(DoesNotFitError, match="and 15 more"):
        check_slices(tianjic(), pieces, [Shape("dendrite", 257)] * 20)


def test_core_count() -> None:
    pieces = [Slice(i, "a", "whole", i, 1) for i in range(7)]
    with pytest.raises(DoesNotFitError, match="cores 7 exceeded max 6 by 1"):
        check_core_count(with_mesh(tianjic(), 3, 2), pieces)


def test_router_tables_are_checked_also_without_a_slice() -> None:
    chip = with_mesh(tianjic(), 2, 2)
    routes = [Route(3, {3: LOCAL})] * 257
    with pytest.raises(DoesNotFitError) as caught:
        check_routers(chip, routes)
    assert str(caught.value) == (
        "router (1, 1): router memory 1028 bytes exceeded max 1024 by 4 bytes "
        "(257 multicast trees pass it)"
    )
    check_routers(chip, routes[:256])
    check_routers(unicast(chip), routes)
    assert trees_by_router(unicast(chip), routes) == (0, 0, 0, 0)


def test_memory_use_lists_the_router_of_the_slice() -> None:
    chip = with_mesh(tianjic(), 2, 2)
    (uses,) = memory_use(chip, [Shape("soma", 4)], [2], [Route(2, {2: LOCAL})] * 3)
    assert {use.memory: use.used for use in uses} == {
        "synapse": 0,
        "axon": 0,
        "soma": 56,
        "lut": 0,
        "router": 12,
    }
    assert all(use.budget == chip.core.memory[use.memory] for use in uses)
