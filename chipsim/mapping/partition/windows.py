"""Convolutions on a crossbar: unrolled into dense blocks, position by position.

A crossbar core shares no weights: every synapse of a kernel stands for itself, and a column holds
zeros for the axons outside its own window.  So a slice takes the neurons of neighbouring
positions, and of the source only what they see.  Where even one position's window exceeds a core,
the fan-in of each slice is split as that of a dense projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chipsim.chip import Chip
from chipsim.connectivity import Convolution
from chipsim.cores.crossbar import Shape, ceil_div
from chipsim.errors import DoesNotFitError
from chipsim.mapping.memory import overruns
from chipsim.mapping.model import Axons, Role
from chipsim.mapping.partition import words
from chipsim.mapping.partition.runs import axon_range, evenly
from chipsim.mapping.shapes import axons_onto
from chipsim.network import Network, Population, Projection

MOST_PARTS = 64
"""Cores one position's fan-in may be split over."""


class Sizer(Protocol):
    """What `balanced` knows of the population that is cut."""

    network: Network
    chip: Chip
    population: Population

    def shape(self, role: Role, axons: Sequence[Axons], parts: int = 1, count: int = 1) -> Shape:
        """Return the shape of a slice."""

    def block(self, shape: Shape) -> int:
        """Return the most neurons of a shape that fit a core."""


@dataclass(frozen=True)
class Tile:
    """Neurons ``first .. first+count-1`` with the axons of each part of their fan-in."""

    first: int
    count: int
    parts: tuple[tuple[Axons, ...], ...]


@dataclass(frozen=True)
class Cut:
    """How a population is cut; ``soma_block`` is 0 where every tile has one part."""

    tiles: tuple[Tile, ...]
    soma_block: int

    @property
    def synapse_cores(self) -> int:
        """Cores that hold synapses."""
        return sum(len(tile.parts) for tile in self.tiles)


def is_convolutional(network: Network, population: Population) -> bool:
    """Whether any projection onto the population is a convolution."""
    return bool(_convolutions(network, population))


def choose(sizer: Sizer) -> Cut:
    """Return whole tiles if a position's window fits a core, else the best split.

    Raises DoesNotFitError if nothing fits.
    """
    whole = _whole(sizer)
    if whole is not None:
        return Cut(whole, 0)
    best: Cut | None = None
    fewest = 0
    size, grain = sizer.population.size, _grain(sizer)
    for grains in range(1, max(1, sizer.chip.core.columns // grain) + 1):
        cut = _split(sizer, grains * grain)
        if cut is None:
            continue
        cores = cut.synapse_cores + ceil_div(size, cut.soma_block)
        if best is None or cores < fewest:
            best, fewest = cut, cores
    if best is None:
        raise DoesNotFitError(
            f"{sizer.population.name}: the window of one position does not fit the cores of chip "
            f"{sizer.chip.name}, nor split over up to {MOST_PARTS}"
        )
    return best


def reason(sizer: Sizer, cut: Cut) -> str:
    """Say in words why the population takes the cores it takes, and what unrolling costs."""
    population = sizer.population
    largest = max(cut.tiles, key=lambda tile: tile.count)
    following = max(
        cut.tiles, key=lambda tile: tile.count if tile.first + tile.count < population.size else 0
    )
    more = min(population.size - following.first, following.count + _grain(sizer))
    if cut.soma_block:
        fan_in = max(sum(run.count for part in tile.parts for run in part) for tile in cut.tiles)
        fit = (
            f"the {fan_in} inputs of {words.number(largest.count, 'neuron')} are split over "
            f"{len(largest.parts)} cores"
        )
    elif more > following.count:
        axons = axons_onto(sizer.network, population.name, following.first, more)
        bigger = sizer.shape("whole", axons, count=more)
        why = (
            words.binding(sizer.chip, bigger) if overruns(sizer.chip, bigger) else "slices are even"
        )
        fit = f"{largest.count} neurons fit a core because {why}"
    else:
        fit = f"all {population.size} neurons fit a core"
    cores = words.number(cut.synapse_cores, "core")
    text = f"{population.name}: {_unrolled(sizer, cut)}; {fit}: {cores}"
    if cut.soma_block:
        somas = ceil_div(population.size, cut.soma_block)
        text += f" for synapses, {words.number(somas, 'core')} for somas"
    return text


def _unrolled(sizer: Sizer, cut: Cut) -> str:
    """Say how many weights the convolutions have, and how many places they take on crossbars."""
    convolutions = _convolutions(sizer.network, sizer.population)
    shared = sum(p.weight.size for p in convolutions)
    synapses = sum(p.synapses for p in convolutions)
    names = {p.name for p in convolutions}
    places = sum(
        tile.count * run.count
        for tile in cut.tiles
        for part in tile.parts
        for run in part
        if run.projection in names
    )
    return (
        f"cores share no weights, so {shared} weights of the convolution are unrolled into "
        f"{synapses} synapses, which fill {synapses / places:.0%} of their crossbars' blocks"
    )


def _convolutions(network: Network, population: Population) -> tuple[Projection, ...]:
    incoming = network.incoming(population.name)
    return tuple(p for p in incoming if isinstance(p.connectivity, Convolution))


def _grain(sizer: Sizer) -> int:
    """Return the neurons that see the same window and stand side by side, if a core holds them."""
    first = _convolutions(sizer.network, sizer.population)[0].connectivity
    assert isinstance(first, Convolution)
    channels = first.target_shape[0] if first.channels_last else 1
    shape = sizer.shape("dendrite", _axons(sizer, 0, 1)[:1])
    return channels if channels <= sizer.block(shape) else 1


def _axons(sizer: Sizer, first: int, count: int) -> tuple[Axons, ...]:
    return axons_onto(sizer.network, sizer.population.name, first, count)


def _tile(sizer: Sizer, first: int, count: int, parts: int) -> Tile | None:
    """Return the tile with its fan-in in ``parts``; None if a part exceeds a core."""
    axons = _axons(sizer, first, count)
    fan_in = sum(run.count for run in axons)
    cuts = tuple(axon_range(axons, *run) for run in evenly(fan_in, parts))
    role: Role = "whole" if parts == 1 else "dendrite"
    for cut in cuts:
        if not cut or overruns(sizer.chip, sizer.shape(role, cut, count=count)):
            return None
    return Tile(first, count, cuts)


def _whole(sizer: Sizer) -> tuple[Tile, ...] | None:
    """Return the fewest tiles of whole windows, of equal sizes where that fits; None if none do."""
    size, grain = sizer.population.size, _grain(sizer)
    tiles: list[Tile] = []
    while not tiles or tiles[-1].first + tiles[-1].count < size:
        tile = _longest(sizer, tiles[-1].first + tiles[-1].count if tiles else 0, grain)
        if tile is None:
            return None
        tiles.append(tile)
    even = [
        _tile(sizer, a * grain, min(n * grain, size - a * grain), 1)
        for a, n in evenly(ceil_div(size, grain), len(tiles))
    ]
    fitting = [tile for tile in even if tile is not None]
    return tuple(fitting if len(fitting) == len(tiles) else tiles)


def _longest(sizer: Sizer, first: int, grain: int) -> Tile | None:
    """Return the longest whole tile that begins at ``first``."""
    best, low = None, 0
    high = ceil_div(sizer.population.size - first, grain)
    high = min(high, max(1, sizer.chip.core.columns // grain))
    while low < high:
        middle = (low + high + 1) // 2
        count = min(middle * grain, sizer.population.size - first)
        tile = _tile(sizer, first, count, 1)
        if tile is None:
            high = middle - 1
        else:
            best, low = tile, middle
    return best


def _split(sizer: Sizer, count: int) -> Cut | None:
    """Return tiles of ``count`` neurons with their fan-in split over the fewest parts that fit."""
    size = sizer.population.size
    firsts = range(0, size, count)
    widest = max(sum(r.count for r in _axons(sizer, a, min(count, size - a))) for a in firsts)
    for parts in range(max(2, ceil_div(widest, sizer.chip.core.axons)), MOST_PARTS + 1):
        tiles = [_tile(sizer, a, min(count, size - a), parts) for a in firsts]
        soma_block = sizer.block(sizer.shape("soma", (), parts))
        if not soma_block:
            return None
        fitting = tuple(tile for tile in tiles if tile is not None)
        if len(fitting) == len(tiles):
            return Cut(fitting, soma_block)
    return None
