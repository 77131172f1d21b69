"""Every placer, on meshes of any shape."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DoesNotFitError
from chipsim.mapping.model import Slice
from chipsim.mapping.place import hilbert
from chipsim.mapping.place.placers import PLACERS
from tests.mapping.cases import tianjic, with_mesh

SHAPES = [(12, 13), (1, 1), (1, 9), (9, 1), (16, 16), (3, 70)]


def slices(count: int) -> list[Slice]:
    return [Slice(i, "a", "whole", i, 1) for i in range(count)]


@pytest.mark.parametrize("name", PLACERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_full_mesh_is_placed_once_each(name: str, shape: tuple[int, int]) -> None:
    mesh = with_mesh(tianjic(), *shape).mesh
    placement = PLACERS[name](slices(mesh.routers), (), mesh)
    assert sorted(placement) == list(range(mesh.routers))


@pytest.mark.parametrize("name", PLACERS)
@given(width=st.integers(1, 20), height=st.integers(1, 20), data=st.data())
@settings(derandomize=True, max_examples=50)
def test_valid_injective_deterministic(
    name: str, width: int, height: int, data: st.DataObject
) -> None:
    mesh = with_mesh(tianjic(), width, height).mesh
    count = data.draw(st.integers(0, mesh.routers))
    placement = PLACERS[name](slices(count), (), mesh)
    assert len(placement) == len(set(placement)) == count
    assert all(0 <= router < mesh.routers for router in placement)
    assert placement == PLACERS[name](slices(count), (), mesh)


@pytest.mark.parametrize("name", PLACERS)
def test_more_slices_than_cores(name: str) -> None:
    mesh = with_mesh(tianjic(), 3, 2).mesh
    with pytest.raises(DoesNotFitError, match=r"cores 8 exceeded max 6 \(3x2\) by 2"):
        PLACERS[name](slices(8), (), mesh)


def test_sequential_and_snake_orders() -> None:
    mesh = with_mesh(tianjic(), 3, 2).mesh
    assert PLACERS["sequential"](slices(6), (), mesh) == (0, 1, 2, 3, 4, 5)
    assert PLACERS["snake"](slices(6), (), mesh) == (0, 1, 2, 5, 4, 3)


@pytest.mark.parametrize("side", [1, 2, 4, 8, 16, 32])
def test_on_a_power_of_two_the_hilbert_curve_goes_step_by_step(side: int) -> None:
    routers = list(hilbert.curve(side, side))
    places = [(r % side, r // side) for r in routers]
    assert places[0] == (0, 0)
    assert places[-1] == (side - 1, 0)
    for (x, y), (to_x, to_y) in pairwise(places):
        assert abs(x - to_x) + abs(y - to_y) == 1


def test_hilbert_of_a_row_is_the_row() -> None:
    assert list(hilbert.curve(1000, 1)) == list(range(1000))
