"""What a mapping is made of: slices, flows, a placement, routes and a schedule.

A mapping is pure data, independent of weights and of any trace, and can be kept in a file
(`chipsim.mapping.mapping_file`).
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from typing import Literal

from chipsim.network import PlasticityMode

Role = Literal["whole", "dendrite", "soma"]
TaskKind = Literal["integrate", "soma", "learn"]
FlowKind = Literal["input", "spike", "membrane", "sum", "post"]

INPUT_PORT = -1
"""Stands for the chip's input port where a flow names its source slice."""

EAST, WEST, NORTH, SOUTH, LOCAL = 1, 2, 4, 8, 16
"""Output ports of a router as bits of `Route.ports`."""


@dataclass(frozen=True)
class Axons:
    """A run of presynaptic neurons ``first .. first+count-1`` of one projection's source."""

    projection: str
    first: int
    count: int


@dataclass(frozen=True)
class Slice:
    """The neurons ``first .. first+count-1`` of one population on one core.

    A ``whole`` slice integrates its synapses and updates its somas.  Where the fan-in exceeds a
    core, ``dendrite`` slices each integrate a part of the axons and send partial sums to ``soma``
    slices, which own the neurons.  ``axons`` is empty for a soma slice.  ``plastic`` says that the
    slice holds a trace beside each weight.
    """

    index: int
    population: str
    role: Role
    first: int
    count: int
    axons: tuple[Axons, ...] = ()
    plastic: bool = False

    @property
    def fan_in(self) -> int:
        """Number of axons."""
        return sum(run.count for run in self.axons)


@dataclass(frozen=True)
class Partition:
    """A network cut into slices, ``slices[i].index == i``, and in words why it was cut so."""

    slices: tuple[Slice, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Flow:
    """Packets from one slice (or the input port) to the same set of slices.

    ``neurons first .. first+count-1`` are of ``population``: the senders of ``spike`` (one
    packet a spike), of ``membrane`` (one packet each, in the steps their membranes are sent), of
    ``sum`` (a dendrite slice's partial sums, ``packets_per_neuron`` each, every step) and of
    ``post`` (the factor of a plasticity rule sent back to the dendrite slices, every step).  An
    ``input`` flow carries trace values: ``neurons_per_packet`` graded values a packet, or one spike
    a packet.  ``bits`` is the payload one packet carries.
    """

    kind: FlowKind
    source: int
    population: str
    first: int
    count: int
    targets: tuple[int, ...]
    packets_per_neuron: int = 1
    neurons_per_packet: int = 1
    bits: int = 0


@dataclass(frozen=True)
class Task:
    """Work of one slice that recurs every step: step t runs in phase ``offset + t * interval``.

    ``cycles`` is the most it can take on its core (every axon active).
    """

    slice: int
    kind: TaskKind
    offset: int
    cycles: int


@dataclass(frozen=True)
class Schedule:
    """When each task runs.

    ``interval`` is the number of phases between two steps of one network (the initiation
    interval), ``depth`` the phases from a step's input to its readout.  ``reasons`` say in words
    why the interval and depth are what they are.
    """

    interval: int
    depth: int
    tasks: tuple[Task, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Route:
    """The multicast tree of one flow.

    ``ports`` maps a router to the bit mask of output ports a packet leaves by: bit 0 east (x+1),
    1 west (x-1), 2 north (y+1), 3 south (y-1), 4 local (delivered to the core there).
    """

    source: int
    ports: MappingType[int, int]


@dataclass(frozen=True)
class MemoryUse:
    """Bytes of one named memory used by one slice, item by item, beside its budget."""

    memory: str
    items: MappingType[str, int]
    budget: int

    @property
    def used(self) -> int:
        """Bytes used."""
        return sum(self.items.values())


@dataclass(frozen=True)
class Mapping:
    """A network on a chip: slices, where they are, how they talk and when they work.

    ``placement[slice.index]`` is a core (= router) number; ``routes[i]`` belongs to ``flows[i]``;
    ``memory[slice.index]`` lists the memories of that slice's core; ``reasons`` explain in words
    why the network takes the cores it takes.  ``plasticity`` is the mode it was made for.
    """

    network: str
    chip: str
    plasticity: PlasticityMode
    slices: tuple[Slice, ...]
    placement: tuple[int, ...]
    flows: tuple[Flow, ...]
    routes: tuple[Route, ...]
    schedule: Schedule
    memory: tuple[tuple[MemoryUse, ...], ...]
    placer: str
    reasons: tuple[str, ...]
