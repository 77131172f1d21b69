"""A network in a processor's fixed point, as data and as the arrays its kernels work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.processor.layout import Fanout, Learning, Program, Stdp
from chipsim.network import Network
from chipsim.plasticity import Eprop, PairSTDP
from chipsim.quantise.fixed import QuantisationLoss


@dataclass(frozen=True)
class ProcessorPopulation:
    """A population in integers; its neurons are ``first .. first+size-1`` of the whole network.

    ``types`` is the number of ring buffers a neuron: 2 (excitatory, inhibitory; 16 bit unsigned)
    or 1 (16 bit signed, where weights learn to change sign).  An entry of buffer i times
    ``2^shifts[i]`` is a current in s16.15: that is sPyNNaker's weight scale
    ``2^(16 - (shift + 1))``, read backwards.
    """

    name: str
    first: int
    size: int
    kind: Literal["source", "lif"]
    types: int
    shifts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ProcessorProjection:
    """Synapses row by row: presynaptic neuron i has ``starts[i] .. starts[i+1]-1``.

    They are those of the network's projection ``name`` that need the same delay ``stage``: with D
    ticks stage ``(D - 1) // slots``, whose packet comes ``stage * slots`` ticks after the spike;
    ``delay`` is the rest, 1 to slots.

    Shapes ``starts (n_pre + 1,)`` int64, the others (synapses,): ``post`` uint32 within the target,
    ascending within a row; ``weight`` uint16, or int16 in two's complement where the target has one
    signed ring buffer; ``type`` (0 excitatory or signed, 1 inhibitory) uint8, ``delay`` uint16.
    In the network's flat arrays the synapses begin at ``first_synapse``.  ``first_column`` is the
    projection's first presynaptic column in its learner (`layout.LEARNER`), or None.
    """

    name: str
    source: str
    target: str
    first_synapse: int
    starts: NDArray[np.int64]
    post: NDArray[np.uint32]
    weight: NDArray[np.uint16]
    type: NDArray[np.uint8]
    delay: NDArray[np.uint16]
    first_column: int | None = None
    stdp: PairSTDP | None = None
    stage: int = 0


@dataclass(frozen=True, eq=False)
class ProcessorNetwork:
    """``network`` on processors: populations and projections in file order, and flat arrays.

    ``program``, ``fanout``, ``learning`` (None without e-prop) and ``stdp`` are what
    `chipsim.kernels.processor` runs; running changes ``program.weight`` of plastic synapses, so a
    run that shall not works on a copy (`fresh_program`).
    """

    network: Network
    offsets: Mapping[str, int]
    populations: tuple[ProcessorPopulation, ...]
    projections: tuple[ProcessorProjection, ...]
    program: Program
    fanout: Fanout
    learning: Learning | None
    feedback: NDArray[np.int32]
    stdp: Stdp
    losses: tuple[QuantisationLoss, ...]

    def population(self, name: str) -> ProcessorPopulation:
        """Return the population called ``name``; KeyError if there is none."""
        for population in self.populations:
            if population.name == name:
                return population
        raise KeyError(name)

    @property
    def rule(self) -> Eprop:
        """The e-prop rule; ValueError if the network learns nothing."""
        if self.network.learning is None:
            raise ValueError(f"network {self.network.name!r} has no learning rule")
        return self.network.learning

    def fresh_program(self) -> Program:
        """Return the program with weights of its own."""
        return self.program._replace(weight=self.program.weight.copy())
