"""Balanced partition: fewest cores, then fewest parts of the fan-in, then equal slices.

A population whose whole fan-in fits a core is cut into blocks of neurons (``whole`` slices).
Where the fan-in exceeds a core, the axons are cut into equal parts, each part with its own blocks
of neurons (``dendrite`` slices), and the neurons themselves live on ``soma`` slices that add the
partial sums.  How a convolution is cut is in `windows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chipsim.chip import Chip
from chipsim.cores.crossbar import Shape, ceil_div
from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.memory import overruns
from chipsim.mapping.model import Axons, Partition, Role, Slice
from chipsim.mapping.partition import windows, words
from chipsim.mapping.partition.runs import axon_range, evenly
from chipsim.mapping.shapes import axons_of, shape_for
from chipsim.network import Input, Network, PlasticityMode, Population


@dataclass(frozen=True)
class _Cut:
    """How one population is cut; a block is the most neurons a core holds.

    ``parts[i]`` are the axons of part i and ``blocks[i]`` its block; ``soma_block`` is 0 for whole
    slices, which have one part.
    """

    parts: tuple[tuple[Axons, ...], ...]
    blocks: tuple[int, ...]
    soma_block: int
    cores: int


def partition(network: Network, chip: Chip, plasticity: PlasticityMode) -> Partition:
    """Cut every population that is not an input into slices that each fit one core.

    The number of cores the chip has is not looked at.  Raises DoesNotFitError if a population does
    not fit even cut as finely as can be, and InputError if one has no incoming projection.
    """
    slices: list[Slice] = []
    reasons: list[str] = []
    for population in network.populations:
        if not isinstance(population.model, Input):
            sizer = _Sizer(network, chip, plasticity, population)
            if windows.is_convolutional(network, population):
                tiles = windows.choose(sizer)
                pieces, owned = _tile_pieces(sizer, tiles), tiles.soma_block or tiles.tiles[0].count
                reasons.append(windows.reason(sizer, tiles))
            else:
                cut = sizer.choose()
                pieces, owned = _pieces(sizer, cut), cut.soma_block or cut.blocks[0]
                reasons.append(_reason(sizer, cut))
            _refuse_split_softmax(sizer, owned)
            slices += _slices(sizer, pieces, first_index=len(slices))
    return Partition(tuple(slices), tuple(reasons))


class _Sizer:
    """Sizes the slices of one population; remembers the block of every shape it has tried."""

    def __init__(
        self, network: Network, chip: Chip, plasticity: PlasticityMode, population: Population
    ) -> None:
        self.network = network
        self.chip = chip
        self.plasticity = plasticity
        self.population = population
        self.axons = axons_of(network, population.name)
        self.fan_in = sum(run.count for run in self.axons)
        self._blocks: dict[Shape, int] = {}
        if not self.fan_in:
            raise InputError(
                f"population {population.name!r} has no incoming projection, so nothing can drive "
                "it; remove it or connect it"
            )

    def shape(self, role: Role, axons: Sequence[Axons], parts: int = 1, count: int = 1) -> Shape:
        name = self.population.name
        return shape_for(self.network, self.plasticity, role, name, axons, count, parts)

    def block(self, shape: Shape) -> int:
        """Return the most neurons of a shape that fit a core, found by bisection."""
        if shape not in self._blocks:
            low, high = 0, self.population.size
            while low < high:
                middle = (low + high + 1) // 2
                if overruns(self.chip, replace(shape, count=middle)):
                    high = middle - 1
                else:
                    low = middle
            self._blocks[shape] = low
        return self._blocks[shape]

    def choose(self) -> _Cut:
        """Return whole slices if one neuron's fan-in fits a core, else the best split."""
        block = self.block(self.shape("whole", self.axons))
        if block:
            return _Cut((self.axons,), (block,), 0, ceil_div(self.population.size, block))
        self._refuse_if_hopeless()
        widest = max(self.block(self.shape("dendrite", (one,))) for one in self._single_axons())
        best: _Cut | None = None
        for parts in range(2, self.fan_in + 1):
            # No part takes fewer cores than one axon would, and the somas take at least one.
            least = parts * ceil_div(self.population.size, widest) + 1
            if best is not None and least >= best.cores:
                break
            cut = self._split(parts)
            if cut is not None and (best is None or cut.cores < best.cores):
                best = cut
        if best is None:
            raise DoesNotFitError(
                f"{self.population.name}: no way to split {self.fan_in} inputs fits the cores of "
                f"chip {self.chip.name}: parts small enough for the synapses are too many to add up"
            )
        return best

    def _split(self, parts: int) -> _Cut | None:
        soma_block = self.block(self.shape("soma", (), parts))
        if not soma_block:
            return None
        cuts = tuple(axon_range(self.axons, *run) for run in evenly(self.fan_in, parts))
        blocks = []
        for cut in cuts:
            block = self.block(self.shape("dendrite", cut))
            if not block:
                return None
            blocks.append(block)
        size = self.population.size
        cores = sum(ceil_div(size, block) for block in (*blocks, soma_block))
        return _Cut(cuts, tuple(blocks), soma_block, cores)

    def _single_axons(self) -> list[Axons]:
        return [replace(run, count=1) for run in self.axons if run.count]

    def _refuse_if_hopeless(self) -> None:
        """Raise DoesNotFitError if one neuron with one axon a core, or one soma, does not fit."""
        smallest = [("soma", self.shape("soma", (), parts=2))]
        smallest += [
            ("one-axon dendrite", self.shape("dendrite", (one,))) for one in self._single_axons()
        ]
        for role, shape in smallest:
            problems = overruns(self.chip, shape)
            if problems:
                raise DoesNotFitError(
                    f"{self.population.name}: even one {role} alone on a core: "
                    + "; ".join(map(str, problems))
                )


_Piece = tuple[Role, int, int, tuple[Axons, ...]]
"""A slice to be: its role, first neuron, number of neurons, axons."""


def _pieces(sizer: _Sizer, cut: _Cut) -> list[_Piece]:
    size = sizer.population.size
    pieces: list[_Piece] = []
    role: Role = "dendrite" if cut.soma_block else "whole"
    for axons, block in zip(cut.parts, cut.blocks, strict=True):
        pieces += [(role, *run, axons) for run in evenly(size, ceil_div(size, block))]
    return pieces + _soma_pieces(size, cut.soma_block)


def _tile_pieces(sizer: _Sizer, cut: windows.Cut) -> list[_Piece]:
    role: Role = "dendrite" if cut.soma_block else "whole"
    pieces: list[_Piece] = [
        (role, tile.first, tile.count, axons) for tile in cut.tiles for axons in tile.parts
    ]
    return pieces + _soma_pieces(sizer.population.size, cut.soma_block)


def _soma_pieces(size: int, block: int) -> list[_Piece]:
    if not block:
        return []
    return [("soma", *run, ()) for run in evenly(size, ceil_div(size, block))]


def _slices(sizer: _Sizer, pieces: list[_Piece], first_index: int) -> list[Slice]:
    name = sizer.population.name
    # Stable: the parts of one block and their soma get neighbouring indices, so cores.
    pieces = sorted(pieces, key=lambda piece: piece[1])
    return [
        Slice(
            index, name, role, first, count, axons, bool(axons) and sizer.shape(role, axons).plastic
        )
        for index, (role, first, count, axons) in enumerate(pieces, first_index)
    ]


def _refuse_split_softmax(sizer: _Sizer, owned: int) -> None:
    """Raise DoesNotFitError if a softmax would need the potentials of several cores."""
    if owned < sizer.population.size and sizer.shape("soma", ()).softmax:
        raise DoesNotFitError(
            f"{sizer.population.name}: softmax needs all {sizer.population.size} neurons on one "
            f"core, which holds {owned} of them"
        )


def _reason(sizer: _Sizer, cut: _Cut) -> str:
    chip, size = sizer.chip, sizer.population.size
    role: Role = "dendrite" if cut.soma_block else "whole"
    # The part that limits the cores most speaks for all.
    block, axons = min(zip(cut.blocks, cut.parts, strict=True), key=lambda pair: pair[0])
    fit = words.block_reason(chip, sizer.shape(role, axons), block, size)
    cores = ceil_div(size, block)
    if role == "whole":
        where = f"{sizer.fan_in} inputs fit a core; {fit}"
        return f"{sizer.population.name}: {where}: {words.number(cores, 'core')}"
    why = words.split_reason(chip, sizer.shape("whole", sizer.axons))
    somas = ceil_div(size, cut.soma_block)
    soma_fit = words.block_reason(
        chip, sizer.shape("soma", (), len(cut.parts)), cut.soma_block, size, "somas"
    )
    return (
        f"{sizer.population.name}: {why}, so the fan-in is split over {len(cut.parts)} cores; "
        f"{fit}: {words.number(cut.cores - somas, 'core')} for synapses; "
        f"{soma_fit}: {words.number(somas, 'core')} for somas"
    )
