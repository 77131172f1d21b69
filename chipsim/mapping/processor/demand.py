"""What a population asks of a core that holds some of its neurons: program, state, rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chipsim.mapping.processor.connections import Counter, fan_in, is_uniform, synapse_counter
from chipsim.mapping.processor.learning import learning_populations
from chipsim.mapping.processor.model import Program
from chipsim.network import LIF, Input, Network, PlasticityMode, Population, Projection
from chipsim.plasticity import Eprop
from chipsim.processor_chip import ProcessorChip

Role = Literal["layer", "readout"]
"""What a population is to e-prop: the layer that learns or its readout."""


@dataclass(frozen=True, eq=False)
class Block:
    """The synapses of one projection, as the cores of its target hold them."""

    projection: str
    source: str
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
    ``outputs`` is the number of its learning signals.
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

    @property
    def uniform(self) -> bool:
        """Whether slices of the same size ask for the same."""
        return all(block.uniform for block in self.blocks)

    @property
    def sources(self) -> int:
        """Number of populations it gets spikes from."""
        return len({block.source for block in self.blocks})

    @property
    def feedback_follows(self) -> bool:
        """Whether it is a layer whose feedback weights follow those of its readout."""
        return self.role == "layer" and self.learning is not None and self.learning.kind != "random"

    def array(self, chip: ProcessorChip) -> int:
        """Synapses a neuron that the e-prop program keeps state for."""
        return chip.core.eprop_synapses or self.fan_in


def make_demands(network: Network, mode: PlasticityMode) -> Mapping[str, Demand]:
    """Return what each population of ``network`` asks of its cores, by name."""
    learning = learning_populations(network, mode)
    roles: dict[str, Role] = dict(zip(learning, ("layer", "readout"), strict=False))
    outputs = network.population(learning[1]).size if learning else 0
    return {p.name: _demand(network, p, roles.get(p.name), outputs) for p in network.populations}


def _demand(network: Network, population: Population, role: Role | None, outputs: int) -> Demand:
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
        blocks=tuple(_block(network, p) for p in incoming),
        fan_in=sum(fan_in(p) for p in incoming),
        learning=network.learning if role else None,
        role=role,
        outputs=outputs if role else 0,
    )


def _block(network: Network, projection: Projection) -> Block:
    return Block(
        projection=projection.name,
        source=projection.source,
        rows=network.population(projection.source).size,
        plastic=projection.stdp is not None,
        uniform=is_uniform(projection),
        count_onto=synapse_counter(projection),
    )


def _program(source: bool, eprop: bool, stdp: bool) -> str:
    if source:
        return "program_source"
    if eprop:
        return "program_eprop"
    return "program_stdp" if stdp else "program_lif"
