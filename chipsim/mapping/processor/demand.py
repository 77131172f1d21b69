"""What a population asks of a core that holds some of its neurons: program, state, rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chipsim.mapping.processor.connections import (
    Counter,
    at_stage,
    fan_in,
    is_uniform,
    senders,
    stages_of,
    synapse_counter,
)
from chipsim.mapping.processor.learning import learning_populations
from chipsim.mapping.processor.model import CoreSlice, Program
from chipsim.mapping.processor.offsets import make_offsets
from chipsim.network import LIF, Input, Network, PlasticityMode, Population, Projection
from chipsim.plasticity import Eprop
from chipsim.processor_chip import ProcessorChip

Role = Literal["layer", "readout"]
"""What a population is to e-prop: the layer that learns or its readout."""


@dataclass(frozen=True, eq=False)
class Block:
    """The synapses of one projection and delay stage, as the cores of its target hold them."""

    projection: str
    source: str
    stage: int
    rows: int
    plastic: bool
    uniform: bool
    count_onto: Counter


@dataclass(frozen=True, eq=False)
class Demand:
    """What one population asks of its cores, whatever its slices.

    ``program`` names the size of its program (``"program_lif"``).  ``types`` is the number of
    synapse types that have ring buffers of their own: excitatory and inhibitory, or one with
    signed weights under e-prop.  ``fan_in`` is the most synapses of one of its neurons.
    ``learning`` is set for the populations of an e-prop network that learns, with ``role``;
    ``outputs`` is the number of its learning signals.  ``delayed (size,)`` are the delay stages
    each neuron's spikes must be sent again at: stage s is bit s.
    """

    population: str
    size: int
    runs: Program
    program: str
    types: int
    adapts: bool
    stdp: bool
    blocks: tuple[Block, ...]
    fan_in: int
    learning: Eprop | None
    role: Role | None
    outputs: int
    delayed: NDArray[np.uint32]

    @property
    def stages(self) -> int:
        """The last delay stage its spikes must be sent again at; 0: they need not."""
        return max(0, int(self.delayed.max(initial=0)).bit_length() - 1)

    @property
    def uniform(self) -> bool:
        """Whether slices of the same size ask for the same."""
        return all(block.uniform for block in self.blocks)

    @property
    def sources(self) -> int:
        """Number of populations it gets spikes from, each delay stage counted."""
        return len({(block.source, block.stage) for block in self.blocks})

    def extended(self, chip: ProcessorChip, piece: CoreSlice) -> bool:
        """Whether a slice of its neurons has a delay extension on ``chip``."""
        if chip.core.delay_cores == "population":
            return self.stages > 0
        return bool(self.delayed[piece.first : piece.first + piece.count].any())

    @property
    def feedback_follows(self) -> bool:
        """Whether it is a layer whose feedback weights follow those of its readout."""
        return self.role == "layer" and self.learning is not None and self.learning.kind != "random"

    def array(self, chip: ProcessorChip) -> int:
        """Synapses a neuron that the e-prop program keeps state for."""
        return chip.core.eprop_synapses or self.fan_in


def make_demands(
    network: Network, chip: ProcessorChip, mode: PlasticityMode
) -> Mapping[str, Demand]:
    """Return what each population of ``network`` asks of its cores on ``chip``, by name."""
    learning = learning_populations(network, mode)
    roles: dict[str, Role] = dict(zip(learning, ("layer", "readout"), strict=False))
    outputs = network.population(learning[1]).size if learning else 0
    offsets, slots = make_offsets(network), chip.core.delay_slots
    blocks: dict[str, list[Block]] = {p.name: [] for p in network.populations}
    delayed = {p.name: np.zeros(p.size, np.uint32) for p in network.populations}
    for projection in network.projections:
        added = offsets[projection.target] - offsets[projection.source]
        for stage in stages_of(projection, added, slots):
            part = at_stage(projection, stage, added, slots)
            blocks[projection.target].append(_block(network, part, stage))
            if stage:
                delayed[projection.source] |= senders(part).astype(np.uint32) << np.uint32(stage)
    return {
        p.name: _demand(network, p, roles.get(p.name), outputs, blocks[p.name], delayed[p.name])
        for p in network.populations
    }


def _demand(
    network: Network,
    population: Population,
    role: Role | None,
    outputs: int,
    blocks: Sequence[Block],
    delayed: NDArray[np.uint32],
) -> Demand:
    name, model = population.name, population.model
    incoming = network.incoming(name)
    stdp = any(p.stdp is not None for p in incoming)
    return Demand(
        population=name,
        size=population.size,
        runs="source" if isinstance(model, Input) else "neurons",
        program=_program(isinstance(model, Input), role is not None, stdp),
        types=1 if role else 2,
        adapts=isinstance(model, LIF) and model.adaptation is not None,
        stdp=stdp,
        blocks=tuple(blocks),
        fan_in=sum(fan_in(p) for p in incoming),
        learning=network.learning if role else None,
        role=role,
        outputs=outputs if role else 0,
        delayed=delayed,
    )


def _block(network: Network, part: Projection, stage: int) -> Block:
    return Block(
        projection=part.name,
        source=part.source,
        stage=stage,
        rows=network.population(part.source).size,
        plastic=part.stdp is not None,
        uniform=is_uniform(part),
        count_onto=synapse_counter(part),
    )


def _program(source: bool, eprop: bool, stdp: bool) -> str:
    if source:
        return "program_source"
    if eprop:
        return "program_eprop"
    return "program_stdp" if stdp else "program_lif"
