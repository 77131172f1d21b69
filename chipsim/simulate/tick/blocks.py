"""Rows of synapses as cores keep them: cut by sender and by core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ConservationError, DoesNotFitError
from chipsim.mapping.processor.model import DELAY, CoreSlice, ProcessorMapping
from chipsim.processor_chip import ProcessorChip
from chipsim.quantise.processor.model import ProcessorNetwork, ProcessorProjection
from chipsim.simulate.tick.records import EMPTY_ROW, MOST_ROWS, ROW_BITS, Rows

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Cut:
    """A projection's rows of one source slice, by target slice: shapes (targets, rows)."""

    low: Int64
    count: Int64


def cut(projection: ProcessorProjection, source: CoreSlice, targets: Sequence[CoreSlice]) -> Cut:
    """Cut the rows of ``source``'s neurons at the edges of ``targets``, which are ascending."""
    first, last = source.first, source.first + source.count
    starts = projection.starts[first : last + 1]
    post = projection.post[starts[0] : starts[-1]]
    edges = np.array([target.first for target in targets])
    row = np.repeat(np.arange(source.count), np.diff(starts))
    owner = np.searchsorted(edges, post, side="right") - 1
    size = source.count * len(targets)
    count = np.bincount(row * len(targets) + owner, minlength=size)
    count = count.reshape(source.count, len(targets))
    before = np.cumsum(count, axis=1) - count
    low = projection.first_synapse + starts[:-1, None] + before
    return Cut(np.ascontiguousarray(low.T), np.ascontiguousarray(count.T))


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of one projection onto one core: where each begins, its length, the STDP core or -1."""

    projection: ProcessorProjection
    low: Int64
    events: Int64
    teacher: int


class Builder:
    """Blocks of rows, one after the other."""

    def __init__(self, chip: ProcessorChip) -> None:
        self._chip = chip
        self._blocks: list[tuple[int, ...]] = []
        self._low: list[Int64] = []
        self._count: list[Int32] = []
        self._rows = 0

    def add(self, parts: Sequence[Part], first: int) -> int:
        """Add the rows of one sender onto one core; return what stands for its row 0.

        ``first`` is the sender's first neuron.
        """
        filled = [part for part in parts if part.events.any()]
        if not filled:
            return EMPTY_ROW
        head = len(self._blocks)
        size = sum(self._bytes(part) for part in filled)
        for part in filled:
            projection = part.projection
            plastic = projection.first_column is not None
            column = (projection.first_column or 0) + first if plastic else -1
            delay = int(projection.delay[0]) if plastic else 0
            cycles = self._chip.cycles["synapse" if part.teacher < 0 else "synapse_stdp"]
            block = (self._rows, len(filled), size, cycles, delay, column, part.teacher)
            self._blocks.append(block)
            self._low.append(part.low)
            self._count.append(part.events.astype(np.int32))
            self._rows += part.low.size
        return head << ROW_BITS

    def _bytes(self, part: Part) -> int:
        """Return the bytes of a row, padded to the longest (`mapping.processor.memory`).

        A row with STDP goes back to memory with its new weights.
        """
        sizes = self._chip.sizes
        body = sizes["row_header"] + int(part.events.max()) * sizes["synapse"]
        return body if part.teacher < 0 else 2 * (body + sizes["pre_trace"])

    def rows(self) -> Rows:
        """Return all blocks."""
        table = np.array(self._blocks, np.int64).reshape(-1, 7).T
        first, parts, size, cycles, delay, column, teacher = (
            np.ascontiguousarray(c) for c in table
        )
        return Rows(
            first=first,
            parts=parts.astype(np.int32),
            bytes=size.astype(np.int32),
            cycles=cycles.astype(np.int32),
            delay=delay.astype(np.int32),
            column=column,
            teacher=teacher.astype(np.int32),
            low=np.concatenate([np.zeros(0, np.int64), *self._low]),
            events=np.concatenate([np.zeros(0, np.int32), *self._count]),
        )


def make_rows(
    chip: ProcessorChip,
    mapping: ProcessorMapping,
    fixed: ProcessorNetwork,
    teachers: Mapping[tuple[int, int], int],
) -> tuple[Rows, Mapping[tuple[int, int], int]]:
    """Return all rows, and by (key number, slice) what row 0 of a spiking sender is there.

    ``teachers`` numbers the cores with STDP by (rule, slice).

    Raises
    ------
    DoesNotFitError
        If a slice has more neurons than a row number can tell apart.
    ConservationError
        If the mapping does not bring every synapse's spikes to its core.
    """
    by_population: dict[str, list[CoreSlice]] = {}
    place_of: dict[int, int] = {}
    for piece in mapping.slices:
        if piece.program == DELAY:
            continue
        own = by_population.setdefault(piece.population, [])
        place_of[piece.index] = len(own)
        own.append(piece)
    outgoing: dict[tuple[str, int], list[ProcessorProjection]] = {}
    for projection in fixed.projections:
        outgoing.setdefault((projection.source, projection.stage), []).append(projection)
    plastic = [p for p in fixed.projections if p.stdp is not None]
    rules = {id(projection): number for number, projection in enumerate(plastic)}
    builder, base = Builder(chip), dict[tuple[int, int], int]()
    for number, space in enumerate(mapping.keys):
        source = mapping.slices[space.slice]
        if source.count > MOST_ROWS:
            raise DoesNotFitError(
                f"slice {source.population}[{source.first}:]: {source.count} neurons exceeded max "
                f"{MOST_ROWS}; a lower core.max_sources cuts it"
            )
        if space.has_payload:
            continue
        cuts: dict[str, list[tuple[ProcessorProjection, Cut]]] = {}
        for projection in outgoing.get((source.population, space.stage), ()):
            made = cut(projection, source, by_population[projection.target])
            cuts.setdefault(projection.target, []).append((projection, made))
        for index in space.targets:
            target = mapping.slices[index]
            if target.program == DELAY:
                continue
            place = place_of[index]
            parts = [
                Part(
                    projection,
                    made.low[place],
                    made.count[place],
                    teachers.get((rules.get(id(projection), -1), index), -1),
                )
                for projection, made in cuts.get(target.population, ())
            ]
            base[number, index] = builder.add(parts, source.first)
    rows = builder.rows()
    reached, due = int(rows.events.sum()), sum(p.post.size for p in fixed.projections)
    if reached != due:
        raise ConservationError(f"mapping: the keys reach {reached} of {due} synapses")
    return rows, base
