"""Convolutions cut into tiles: worked by hand, and every tile within its core."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.connectivity import Convolution
from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.cover import check_cover
from chipsim.mapping.mapper import map_network
from chipsim.mapping.memory import check_slices
from chipsim.mapping.partition.balanced import partition
from chipsim.mapping.shapes import shapes_of
from chipsim.network import Graded, Input, Network, Population, Projection
from tests.mapping.cases import dense, network, neurons, tianjic, with_core, with_mesh


def convolutional(
    source: tuple[int, int, int], channels: int, kernel: int = 3, last: bool = True
) -> Network:
    """One convolution of stride 2, padding 1, and a dense readout of 5."""
    sides = [(n + 2 - kernel) // 2 + 1 for n in source[1:]]
    made = Convolution(source, (channels, sides[0], sides[1]), 2, 1, last)
    weight = np.zeros((channels, source[0], kernel, kernel), np.float32)
    layers = [
        Population("input", made.n_pre, Input("graded")),
        Population("map", made.n_post, Graded("tanh")),
        neurons("out", 5),
    ]
    conv = Projection("conv", "input", "map", weight, connectivity=made)
    return network(layers, [conv, dense(layers[1], layers[2])])


def test_tiles_by_hand() -> None:
    """16 channels of 8 x 8 from 16 of 16 x 16.

    One position sees 9 x 16 = 144 axons, two neighbours 15 x 16 = 240, three 21 x 16 = 336. In the
    first row, which sees two rows, four see 16 x 16 = 256 and three more, after them, 14 x 16.
    """
    net = convolutional((16, 16, 16), 16)
    cut = partition(net, tianjic(), "off")
    tiles = [piece for piece in cut.slices if piece.population == "map"]
    assert {piece.role for piece in tiles} == {"whole"}
    assert len(tiles) <= 32
    assert [(piece.first, piece.count) for piece in tiles[:2]] == [(0, 64), (64, 48)]
    assert [(run.first, run.count) for run in tiles[0].axons] == [(0, 128), (256, 128)]
    assert [(run.first, run.count) for run in tiles[1].axons] == [(112, 112), (368, 112)]
    synapses = (8 * 3 - 1) ** 2 * 16 * 16  # the first row and column miss a tap
    blocks = sum(piece.fan_in * piece.count for piece in tiles)
    words = f"2304 weights of the convolution are unrolled into {synapses} synapses"
    assert words in cut.reasons[0]
    assert f"fill {synapses / blocks:.0%} of" in cut.reasons[0]
    assert "64 neurons fit a core because one more would need axons" in cut.reasons[0]


def test_a_window_wider_than_a_core_is_split() -> None:
    """9 x 32 = 288 axons a position: parts, and somas of their own."""
    net = convolutional((32, 8, 8), 32)
    cut = partition(net, tianjic(), "off")
    roles = {piece.role for piece in cut.slices if piece.population == "map"}
    assert roles == {"dendrite", "soma"}
    assert "inputs of" in cut.reasons[0]
    assert "cores for somas" in cut.reasons[0] or "core for somas" in cut.reasons[0]
    check_cover(net, cut.slices, "off")


@settings(derandomize=True, deadline=None, max_examples=12)
@given(
    source=st.tuples(st.integers(1, 6), st.integers(3, 7), st.integers(3, 7)),
    channels=st.integers(1, 6),
    kernel=st.integers(1, 3),
    last=st.booleans(),
    axons=st.integers(4, 40),
)
def test_every_tile_fits_and_every_synapse_is_there(
    source: tuple[int, int, int], channels: int, kernel: int, last: bool, axons: int
) -> None:
    net = convolutional(source, channels, kernel, last)
    chip = with_core(tianjic(), axons=axons, columns=32)
    slices = partition(net, chip, "off").slices
    check_cover(net, slices, "off")
    check_slices(chip, slices, shapes_of(net, slices, "off"))


def test_holes_in_windows_are_found() -> None:
    net = convolutional((2, 6, 6), 3)
    slices = list(partition(net, tianjic(), "off").slices)
    run = slices[0].axons[0]
    slices[0] = replace(slices[0], axons=(replace(run, count=run.count - 1), *slices[0].axons[1:]))
    with pytest.raises(InputError, match=r"synapse of conv from neuron \d+ to .* is on no slice"):
        check_cover(net, slices, "off")
    slices[0] = replace(slices[0], axons=(run, *slices[0].axons))
    with pytest.raises(InputError, match=r"is on 2 slices"):
        check_cover(net, slices, "off")


def test_maps_whole() -> None:
    net = convolutional((1, 12, 12), 8)
    mapping = map_network(net, tianjic())
    sent = [flow for flow in mapping.flows if flow.kind == "spike"]
    assert sent
    assert all(flow.bits == 8 for flow in sent)  # a graded value, not a spike
    assert sum(flow.count for flow in sent) == net.population("map").size


def test_what_never_fits_is_refused() -> None:
    net = convolutional((64, 4, 4), 8)
    with pytest.raises(DoesNotFitError, match="the window of one position does not fit"):
        partition(net, with_core(tianjic(), axons=4), "off")


def test_more_channels_take_several_chips() -> None:
    net = convolutional((1, 12, 12), 32)
    with pytest.raises(DoesNotFitError, match="would fit: a mesh of at least 15 cores"):
        map_network(net, with_mesh(tianjic(), 3, 3))
    assert map_network(net, with_mesh(tianjic(), 6, 6))


def test_softmax_needs_its_neurons_on_one_core() -> None:
    layers = [Population("input", 8, Input("graded")), neurons("out", 40)]
    projection = dense(layers[0], layers[1], plastic=True)
    assert projection.plasticity is not None
    softmax = replace(projection, plasticity=replace(projection.plasticity, post="softmax"))
    net = network(layers, [softmax])
    assert len(partition(net, tianjic(), "running").slices) == 1
    small = with_core(tianjic(), columns=64)
    with pytest.raises(DoesNotFitError, match="softmax needs all 40 neurons on one core"):
        partition(net, small, "running")
    partition(net, small, "off")
