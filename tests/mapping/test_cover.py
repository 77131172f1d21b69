"""Holes and overlaps in slices are found, as by counting every synapse."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.mapping.cover import _first_wrong_cell, check_cover
from chipsim.mapping.model import Axons, Slice
from chipsim.mapping.partition.balanced import partition
from tests.mapping.cases import chain, recurrent, tianjic

NET = chain(300, 100, 10, plastic=True)
SLICES = partition(NET, tianjic(), "running").slices


def test_a_good_cover_passes() -> None:
    check_cover(NET, SLICES, "running")


@pytest.mark.parametrize(
    ("index", "changes", "problem"),
    [
        (0, {"index": 5}, r"slices\[0\].index: 5 should be 0"),
        (1, {"population": "input"}, "'input' is no population to map"),
        (1, {"first": -1}, "is no run of the 100 neurons of layer1"),
        (1, {"count": 0}, "is no run of the 100 neurons"),
        (1, {"count": 51}, "from neuron 150 to neuron 50 is on 2 slices"),
        (1, {"count": 49}, "from neuron 150 to neuron 49 is on no slice"),
        (1, {"axons": (Axons("input-layer1", 150, 149),)}, "neuron 299 to neuron 0 is on no sli"),
        (1, {"axons": (Axons("input-layer1", 150, 151),)}, "is no run of the 300 axons"),
        (1, {"axons": (Axons("layer1-layer2", 0, 10),)}, "is no projection onto layer1"),
        (1, {"axons": ()}, "a dendrite slice has at least one run"),
        (2, {"axons": (Axons("input-layer1", 0, 1),)}, "a soma slice has none"),
        (2, {"first": 1, "count": 99}, "neuron 0 of layer1 is on no slice"),
        (2, {"count": 99}, "neuron 99 of layer1 is on no slice"),
        (1, {"plastic": False}, r"slices\[1\].plastic: False should be True"),
        (1, {"role": "whole"}, "layer1 has whole slices beside"),
    ],
)
def test_a_broken_cover_is_refused(index: int, changes: dict[str, Any], problem: str) -> None:
    broken = list(SLICES)
    broken[index] = replace(broken[index], **changes)
    with pytest.raises(InputError, match=problem):
        check_cover(NET, broken, "running")


def test_a_neuron_on_two_slices() -> None:
    net = recurrent(5, 4)
    axons = (Axons("input-hidden", 0, 5), Axons("hidden-hidden", 0, 4))
    twice = [Slice(0, "hidden", "whole", 0, 3, axons), Slice(1, "hidden", "whole", 2, 2, axons)]
    with pytest.raises(InputError, match="neuron 2 of hidden is held by two slices"):
        check_cover(net, twice, "off")


@given(st.data())
@settings(derandomize=True, max_examples=150)
def test_wrong_cells_against_counting(data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    # Tiles that cover exactly, one of which may be changed.
    cut_rows = sorted({0, rows, *data.draw(st.lists(st.integers(0, rows), max_size=3))})
    cut_columns = sorted({0, columns, *data.draw(st.lists(st.integers(0, columns), max_size=3))})
    tiles = [(a, b, c, d) for a, b in pairwise(cut_rows) for c, d in pairwise(cut_columns)]
    if data.draw(st.booleans()):
        tiles.pop(data.draw(st.integers(0, len(tiles) - 1)))
    if data.draw(st.booleans()):
        a = data.draw(st.integers(0, rows - 1))
        c = data.draw(st.integers(0, columns - 1))
        last_row, last_column = st.integers(a + 1, rows), st.integers(c + 1, columns)
        tiles.append((a, data.draw(last_row), c, data.draw(last_column)))
    count = np.zeros((rows, columns), int)
    for a, b, c, d in tiles:
        count[a:b, c:d] += 1
    wrong = _first_wrong_cell(tiles, rows, columns)
    if wrong is None:
        assert (count == 1).all()
    else:
        row, column, times = wrong
        assert count[row, column] == times != 1
