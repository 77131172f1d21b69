"""Cutting populations into slices that fit a core, and saying what does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from chipsim.errors import DoesNotFitError
from chipsim.mapping.memory import Use
from chipsim.mapping.model import MemoryUse
from chipsim.mapping.processor.demand import Demand
from chipsim.mapping.processor.memory import core_memory, core_uses
from chipsim.mapping.processor.model import DELAY, CoreSlice
from chipsim.processor_chip import ProcessorChip

ONE_CORE = "the readout of a network that learns must be on one core: its error needs all outputs"


def largest_slice(chip: ProcessorChip, demand: Demand) -> int:
    """Return how many neurons of a population a core can hold, 0 if not even one.

    All slices of a population but the last have that many.  It is found by halving, since more
    neurons take more, so one neuron more does not fit.
    """
    low, high = 0, demand.size
    while low < high:
        middle = (low + high + 1) // 2
        if any(True for _ in exceeded(chip, demand, middle)):
            high = middle - 1
        else:
            low = middle
    return low


def exceeded(chip: ProcessorChip, demand: Demand, neurons: int) -> Iterator[tuple[CoreSlice, Use]]:
    """Yield the budgets that slices of ``neurons`` neurons exceed, with the slice."""
    for piece in _pieces(demand, neurons):
        yield from ((piece, use) for use in core_uses(chip, demand, piece) if use.exceeded)


def _pieces(demand: Demand, neurons: int) -> Iterator[CoreSlice]:
    """Yield the different slices of a population cut into runs of ``neurons`` neurons."""
    last = 1 if demand.uniform else demand.size
    for first in range(0, last, neurons):
        count = min(neurons, demand.size - first)
        yield CoreSlice(0, demand.population, demand.runs, first, count)
    if demand.stages:
        yield CoreSlice(0, demand.population, DELAY, 0, min(neurons, demand.size))


def pieces_of(chip: ProcessorChip, demand: Demand, neurons: int, index: int) -> Iterator[CoreSlice]:
    """Yield the slices of a population cut into runs of ``neurons``, numbered from ``index`` on.

    A delay extension follows the slice whose packets it sends again.
    """
    for first in range(0, demand.size, neurons):
        count = min(neurons, demand.size - first)
        piece = CoreSlice(index, demand.population, demand.runs, first, count)
        yield piece
        index += 1
        if demand.extended(chip, piece):
            yield replace(piece, index=index, program=DELAY)
            index += 1


def cut(
    chip: ProcessorChip, demands: Mapping[str, Demand]
) -> tuple[tuple[CoreSlice, ...], tuple[str, ...]]:
    """Cut every population into slices; return them and, in words, why they are so many.

    DoesNotFitError if a core cannot hold even one neuron: it names the budgets, by how much each is
    exceeded, what takes how much and what would fit.
    """
    slices: list[CoreSlice] = []
    reasons = []
    for demand in demands.values():
        neurons = largest_slice(chip, demand)
        if not neurons:
            raise DoesNotFitError(_no_core_holds(chip, demand))
        reasons.append(_reason(chip, demand, neurons))
        if splits_readout(demand, neurons):
            raise DoesNotFitError(f"{reasons[-1]}; {ONE_CORE}")
        slices += pieces_of(chip, demand, neurons, len(slices))
    return tuple(slices), tuple(reasons)


def splits_readout(demand: Demand, neurons: int) -> bool:
    """Whether slices of ``neurons`` neurons put the readout of a learning network on several cores.

    Its error needs all outputs (a softmax), so it must be on one.
    """
    return demand.role == "readout" and neurons < demand.size


def _reason(chip: ProcessorChip, demand: Demand, neurons: int) -> str:
    """Say how many cores a population takes and what keeps its slices from being larger."""
    cores = -(-demand.size // neurons)
    held = f"{demand.population}: {_count(cores, 'core')} of up to {_count(neurons, 'neuron')}"
    if demand.stages:
        held += f", each with a delay extension of {_count(demand.stages, 'stage')}"
    if neurons == demand.size:
        return f"{held}; all of it fits one core"
    piece, use = next(exceeded(chip, demand, neurons + 1))
    return f"{held}; with {neurons + 1}: {_words(chip, demand, piece, use)}"


def _no_core_holds(chip: ProcessorChip, demand: Demand) -> str:
    by_budget: dict[str, str] = {}
    for piece, use in exceeded(chip, demand, 1):
        if use.budget not in by_budget:
            by_budget[use.budget] = f"{_words(chip, demand, piece, use)}; {_advice(use)}"
    limits = "; ".join(by_budget.values())
    return f"{demand.population}: a core cannot hold even one neuron: {limits}"


def _advice(use: Use) -> str:
    """Say which setting would let it fit."""
    key = {
        "ring buffer entries": "core.ring_entries",
        "e-prop synapses a neuron": "core.eprop_synapses",
        "itcm": "core.itcm",
        "dtcm": "core.dtcm",
        "sram": "core.dtcm",
        "sdram": "sdram.size",
    }.get(use.budget, "core.row_words")
    unit = use.unit if use.unit == "B" else ""
    return f"--set {key}={use.used}{unit} would hold it"


def _words(chip: ProcessorChip, demand: Demand, piece: CoreSlice, use: Use) -> str:
    """Say by how much a budget is exceeded and, of a memory, what takes how much of it."""
    whose = "its delay extension: " if piece.program == DELAY else ""
    for memory in core_memory(chip, demand, piece):
        if memory.memory == use.budget:
            return f"{whose}{use} ({_lines(memory)})"
    return f"{whose}{use}"


def _lines(use: MemoryUse) -> str:
    by_size = sorted(use.items.items(), key=lambda line: -line[1])
    return ", ".join(f"{name} {size}" for name, size in by_size)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
