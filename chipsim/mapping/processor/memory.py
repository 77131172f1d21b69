"""What sits where in the memories of a core, in bytes, and what of it exceeds a budget.

Sizes and layout are sPyNNaker's (facts, section 2): a core's program in ITCM; static data, stack,
ring buffers, spike queue, DMA buffers, states, master population table and address list in DTCM;
rows of synapses in the SDRAM it shares.  SpiNNaker 2 has program and data in one SRAM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chipsim.mapping.memory import Use
from chipsim.mapping.model import MemoryUse
from chipsim.mapping.processor.demand import Block, Demand
from chipsim.mapping.processor.model import DELAY, CoreSlice
from chipsim.processor_chip import ProcessorChip

WORD = 4
BITS_PER_WORD = 32
DMA_BUFFERS = 2


@dataclass(frozen=True)
class Rows:
    """The rows of one projection and delay stage on one core, each as long as the longest.

    There are ``count``.  ``words`` counts the synapses' words of a row, without its header,
    ``row_bytes`` all of it.
    """

    name: str
    count: int
    words: int
    row_bytes: int


def core_memory(chip: ProcessorChip, demand: Demand, piece: CoreSlice) -> tuple[MemoryUse, ...]:
    """Return what a slice takes in each memory, line by line; nothing of it is checked."""
    return _memories(chip, demand, piece, slice_rows(chip, demand, piece))


def _memories(
    chip: ProcessorChip, demand: Demand, piece: CoreSlice, rows: tuple[Rows, ...]
) -> tuple[MemoryUse, ...]:
    delays = piece.program == DELAY
    data = _data_lines(chip, demand, piece.count, rows)
    if delays:
        data = _delay_lines(chip, demand.stages, piece.count)
    name = "program_delay" if delays else demand.program
    program = {"program": chip.sizes[name], "loader": chip.sizes["itcm_reserved"]}
    if chip.core.kind == "sram":
        local = [MemoryUse("sram", _present({**program, **data}), chip.core.dtcm_bytes)]
    else:
        local = [
            MemoryUse("itcm", _present(program), chip.core.itcm_bytes),
            MemoryUse("dtcm", _present(data), chip.core.dtcm_bytes),
        ]
    shared = {f"rows of {r.name}": r.count * r.row_bytes for r in rows}
    return (*local, MemoryUse("sdram", shared, chip.sdram.size_bytes))


def core_uses(chip: ProcessorChip, demand: Demand, piece: CoreSlice) -> list[Use]:
    """Return how much a slice uses of every budget of its core."""
    core = chip.core
    source = demand.runs == "source"
    rows = slice_rows(chip, demand, piece)
    uses = [
        Use("neurons a core", piece.count, core.max_sources if source else core.max_neurons),
        *(_memory_use(use) for use in _memories(chip, demand, piece, rows)),
    ]
    if piece.program == DELAY:
        return uses
    if not source:
        entries = ring_entries(chip, demand, piece.count)
        uses.append(Use("ring buffer entries", entries, core.ring_entries))
    if demand.role:
        limit = core.eprop_synapses or None
        uses.append(Use("e-prop synapses a neuron", demand.fan_in, limit))
    return [*uses, *(Use(f"row of {r.name}", r.words, core.row_words, "words") for r in rows)]


def _memory_use(use: MemoryUse) -> Use:
    return Use(use.memory, use.used, use.budget, "B")


def slice_rows(chip: ProcessorChip, demand: Demand, piece: CoreSlice) -> tuple[Rows, ...]:
    """Return the rows a slice keeps in SDRAM: a row for each presynaptic neuron.

    All rows of a projection and delay stage are padded to the longest.  Where there is no synapse
    onto the slice there are none; a delay extension has none at all.
    """
    if piece.program == DELAY:
        return ()
    found = ((block, _longest(block, piece)) for block in demand.blocks)
    return tuple(_rows(chip, block, longest) for block, longest in found if longest)


def _longest(block: Block, piece: CoreSlice) -> int:
    return int(block.count_onto(piece.first, piece.count).max(initial=0))


def _rows(chip: ProcessorChip, block: Block, longest: int) -> Rows:
    sizes = chip.sizes
    body = longest * sizes["synapse"] + (sizes["pre_trace"] if block.plastic else 0)
    name = f"{block.projection} (stage {block.stage})" if block.stage else block.projection
    return Rows(name, block.rows, -(-body // WORD), sizes["row_header"] + body)


def ring_slots(chip: ProcessorChip, demand: Demand) -> int:
    """Return the slots a ring buffer has.

    With a fixed array of synapse state the index into it takes the place of the delay in a synaptic
    word, and ring buffers are indexed by it all the same (``SYNAPSE_DELAY_BITS 8`` for 250
    synapses in Perrett et al.'s code).
    """
    slots = chip.core.delay_slots
    return max(slots, chip.core.eprop_synapses) if demand.role else slots


def ring_entries(chip: ProcessorChip, demand: Demand, neurons: int) -> int:
    """Return the entries of the ring buffers of ``neurons`` neurons.

    By default an entry's index is delay, synapse type and neuron in whole bits each, so that each
    counts as the next power of two (sPyNNaker ``population_vertex.py``).
    """
    parts = (neurons, demand.types, ring_slots(chip, demand))
    if chip.core.ring_index == "power_of_two":
        return 1 << sum(bits_for(part) for part in parts)
    return parts[0] * parts[1] * parts[2]


def bits_for(count: int) -> int:
    """Return the bits that number ``count`` things from 0."""
    return (count - 1).bit_length()


def _data_lines(
    chip: ProcessorChip, demand: Demand, neurons: int, rows: tuple[Rows, ...]
) -> Mapping[str, int]:
    """Return the lines of a core's data memory."""
    sizes, core = chip.sizes, chip.core
    lines = {"static": sizes["static"], "stack": sizes["stack"]}
    if demand.runs == "source":
        return lines | {"source neurons": neurons * sizes["source_neuron"]}
    longest = max((row.row_bytes for row in rows), default=0)
    return lines | {
        "ring buffers": ring_entries(chip, demand, neurons) * core.ring_bits // 8,
        "spike queue": core.spike_queue * sizes["queue_entry"],
        "DMA buffers": DMA_BUFFERS * longest,
        "neuron state": neurons * _neuron_bytes(chip, demand),
        "synapse state": neurons * _synapse_bytes(chip, demand),
        "feedback": neurons * _feedback_bytes(chip, demand),
        "master population table": demand.sources * sizes["table_entry"],
        "address list": len(demand.blocks) * sizes["address"],
    }


def _delay_lines(chip: ProcessorChip, stages: int, neurons: int) -> Mapping[str, int]:
    """Return the lines of a delay extension's data memory.

    It counts each neuron's spikes of the last ticks and keeps a bit a neuron and stage for where to
    send them again (sPyNNaker ``delay_extension.c``, ``delay_block.py``).
    """
    sizes = chip.sizes
    remembered = chip.core.ticks_remembered(stages)
    return {
        "static": sizes["static"],
        "stack": sizes["stack"],
        "spike queue": chip.core.spike_queue * sizes["queue_entry"],
        "spike counters": remembered * (neurons * sizes["delay_counter"] + WORD),
        "delay stages": stages * WORD * -(-neurons // BITS_PER_WORD),
        "parameters": sizes["delay_header"],
    }


def _neuron_bytes(chip: ProcessorChip, demand: Demand) -> int:
    sizes = chip.sizes
    if demand.role:
        return sizes["eprop_neuron"]
    history = sizes["stdp_neuron"] if demand.stdp else 0
    return sizes["neuron"] + history + (sizes["adaptation"] if demand.adapts else 0)


def _synapse_bytes(chip: ProcessorChip, demand: Demand) -> int:
    """Return the bytes of synapse state a neuron keeps in the core."""
    if demand.role is None or demand.learning is None:
        return 0
    kind = "eprop_synapse" if demand.role == "layer" else "eprop_readout_synapse"
    adam = chip.sizes["adam_synapse"] if demand.learning.optimiser == "adam" else 0
    return demand.array(chip) * (chip.sizes[kind] + adam)


def _feedback_bytes(chip: ProcessorChip, demand: Demand) -> int:
    """Return the bytes of feedback weights a neuron of the layer keeps.

    One weight is in the neuron's struct.  Where the weights follow the readout's, that sends them.
    """
    if demand.role != "layer":
        return 0
    return chip.core.state_bits // 8 * (demand.outputs - 1)


def _present(lines: Mapping[str, int]) -> dict[str, int]:
    """Return the lines that take anything."""
    return {name: size for name, size in lines.items() if size}
