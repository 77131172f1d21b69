"""What a slice costs on a crossbar core: columns, accumulator range, memory, cycles.

The core has axons (rows, with their input buffer), a synapse memory of native columns, dendrite
accumulators, somas and a look-up table, as on Tianjic (Pei et al. 2019).  All functions are pure
and take counts: with every axon active they give the static worst case the mapper budgets for,
with the axons that really were active the cycles of one phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chipsim.chip import Core, Mesh, Phase

ADAPTATION_BITS, REFRACTORY_BITS = 32, 8
"""An adaptive threshold keeps its state and its strength; a refractory time counts to 255."""

POST_TABLE_ENTRIES = 512
"""Entries of the look-up table that turns a membrane potential into a plasticity factor, and of
that which turns it into the output of a graded neuron."""

SOFTMAX_PASSES = 3
"""Softmax goes over the neurons again for the largest, for exponentials and sum, for shares."""


@dataclass(frozen=True)
class Shape:
    """What a slice of ``count`` neurons and ``fan_in`` axons asks of a core.

    ``role`` as in `chipsim.mapping.model.Slice`.  ``graded_axons`` and ``spiking_axons`` are the
    most axons any one projection with a graded, a spiking source has here: projections have
    different scales, so each has its own accumulator.  ``channels`` counts the accumulators a
    neuron: one per projection, one more per plastic one.  ``parts`` is the number of partial sums
    a channel of a soma slice is added from.  ``plastic``: a trace lies beside each weight;
    ``learns``: the population has a plastic projection; ``adapts``, ``refractory``: its neurons
    have a rising threshold, a refractory time.  ``waiting`` counts input values that wait
    for a later phase than the double buffer covers.  ``factor``: each trace has a factor of its
    own, as wide as the trace, or a mask's bit.  ``table`` and ``softmax``: the plasticity factor
    is looked up, and by softmax; ``graded``: the neurons send a number that is looked up.
    """

    role: Literal["whole", "dendrite", "soma"]
    count: int
    fan_in: int = 0
    graded_axons: int = 0
    spiking_axons: int = 0
    channels: int = 1
    parts: int = 1
    plastic: bool = False
    learns: bool = False
    adapts: bool = False
    refractory: bool = False
    waiting: int = 0
    factor: Literal["none", "mask", "matrix"] = "none"
    table: bool = True
    softmax: bool = False
    graded: bool = False

    @property
    def owns_neurons(self) -> bool:
        """Whether the slice holds membranes."""
        return self.role != "dendrite"

    @property
    def integrates(self) -> bool:
        """Whether the slice holds synapses."""
        return self.role != "soma"


def ceil_div(numerator: int, denominator: int) -> int:
    """Return ``ceil(numerator / denominator)`` of two integers, exactly."""
    return -(-numerator // denominator)


def as_bytes(bits: int) -> int:
    """Whole bytes that hold ``bits``."""
    return ceil_div(bits, 8)


def columns_per_synapse(core: Core, shape: Shape) -> int:
    """Native columns one synapse takes: its weight, and if it is plastic its trace and factor."""
    arithmetic = core.arithmetic
    traces = int(shape.plastic) + int(shape.factor == "matrix")
    return arithmetic.weight_columns + traces * arithmetic.trace_columns


def columns_used(core: Core, shape: Shape) -> int:
    """Native columns taken; a soma slice takes one a neuron (its place in the soma loop)."""
    if not shape.integrates:
        return shape.count
    return shape.count * columns_per_synapse(core, shape)


def accumulator_peak(core: Core, shape: Shape) -> int:
    """Greatest magnitude an accumulator can reach, every axon and weight at its extreme.

    ``axons * 2**(bits - 1) * x_max`` with ``x_max = 2**activation_bits - 1`` for a graded source
    and 1 for spikes; ``bits`` is the wider of weight and, if plastic, trace.
    """
    arithmetic = core.arithmetic
    bits = max(arithmetic.weight_bits, arithmetic.trace_bits if shape.plastic else 0)
    graded_maximum = (1 << arithmetic.activation_bits) - 1
    inputs = max(shape.graded_axons * graded_maximum, shape.spiking_axons)
    return inputs << (bits - 1)


def accumulator_limit(core: Core) -> int:
    """Greatest magnitude the signed accumulator holds."""
    return (1 << (core.arithmetic.accumulator_bits - 1)) - 1


def memory_items(core: Core, shape: Shape) -> dict[str, dict[str, int]]:
    """Bytes a slice takes in each memory of its core, item by item (the router's apart)."""
    return {
        "synapse": _synapse_items(core, shape),
        "axon": _axon_items(core, shape),
        "soma": _soma_items(core, shape),
        "lut": _lut_items(core, shape),
    }


def router_items(mesh: Mesh, trees: int) -> dict[str, int]:
    """Bytes the table of a router takes that ``trees`` multicast trees pass."""
    return {"multicast trees": trees * mesh.table_entry_bytes} if trees else {}


def _synapse_items(core: Core, shape: Shape) -> dict[str, int]:
    synapses = shape.fan_in * shape.count
    items = {}
    if synapses:
        items["weights"] = as_bytes(synapses * core.arithmetic.weight_bits)
    if synapses and shape.plastic:
        items["traces"] = as_bytes(synapses * core.arithmetic.trace_bits)
    if synapses and shape.factor != "none":
        bits = core.arithmetic.trace_bits if shape.factor == "matrix" else 1
        items["trace factors"] = as_bytes(synapses * bits)
    return items


def _axon_items(core: Core, shape: Shape) -> dict[str, int]:
    value = as_bytes(core.arithmetic.activation_bits)
    items = {}
    if shape.fan_in:
        items["input buffer"] = shape.fan_in * value * 2
    if shape.fan_in and shape.plastic:
        items["learning rates"] = shape.fan_in * as_bytes(core.arithmetic.trace_bits)
    if shape.waiting:
        items["waiting inputs"] = shape.waiting * value
    return items


def _soma_items(core: Core, shape: Shape) -> dict[str, int]:
    arithmetic = core.arithmetic
    sums = shape.count * shape.channels * as_bytes(arithmetic.accumulator_bits)
    post = shape.count * as_bytes(arithmetic.post_bits)
    items = {}
    if shape.owns_neurons:
        items["membranes"] = shape.count * as_bytes(arithmetic.membrane_bits)
        items["biases"] = shape.count * as_bytes(arithmetic.membrane_bits)
    if shape.owns_neurons and shape.learns:
        items["sliding thresholds"] = post
    if shape.owns_neurons and shape.adapts:
        items["adaptations"] = shape.count * 2 * as_bytes(ADAPTATION_BITS)
    if shape.owns_neurons and shape.refractory:
        items["refractory counters"] = shape.count * as_bytes(REFRACTORY_BITS)
    if shape.integrates:
        items["dendrite sums"] = sums
    else:
        items["partial sums"] = sums * 2
    if shape.role == "dendrite" and shape.plastic:
        items["post factors"] = post * 2
    return items


def _lut_items(core: Core, shape: Shape) -> dict[str, int]:
    arithmetic = core.arithmetic
    items = {}
    if shape.owns_neurons and shape.learns and shape.table:
        items["post factor table"] = POST_TABLE_ENTRIES * as_bytes(arithmetic.post_bits)
    if shape.owns_neurons and shape.graded:
        items["activation table"] = POST_TABLE_ENTRIES * as_bytes(arithmetic.activation_bits)
    return items


def integrate_cycles(core: Core, active_axons: int, shape: Shape, decays: int = 0) -> int:
    """Cycles to add ``active_axons`` rows of synapses into the neurons of a slice.

    ``decays`` rows of traces decay first, once each (lazy decay), a MAC a column.
    """
    macs = active_axons * columns_per_synapse(core, shape) + decays * core.arithmetic.trace_columns
    return ceil_div(macs * shape.count, core.macs_per_cycle)


def send_sums_cycles(core: Core, count: int) -> int:
    """Cycles in which a dendrite slice hands over the partial sums of ``count`` neurons."""
    return core.soma_cycles * count


def add_sums_cycles(core: Core, count: int, parts: int, channels: int) -> int:
    """Cycles in which a soma slice adds ``parts`` partial sums for each neuron and channel."""
    native_words = ceil_div(core.arithmetic.accumulator_bits, core.arithmetic.native_bits)
    return ceil_div(count * parts * channels * native_words, core.macs_per_cycle)


def update_cycles(core: Core, count: int, softmax: bool = False) -> int:
    """Cycles to update ``count`` somas and send their spikes and post factors."""
    return (core.soma_cycles + softmax * SOFTMAX_PASSES) * count


def learn_cycles(core: Core, fan_in: int, count: int) -> int:
    """Cycles to update ``fan_in * count`` traces: decay and outer product, a MAC a column each."""
    macs = fan_in * count * 2 * core.arithmetic.trace_columns
    return ceil_div(macs, core.macs_per_cycle)


def integrate_task_cycles(core: Core, shape: Shape, active_axons: int, decays: int = 0) -> int:
    """Cycles of a slice's integrate task, with sending its sums if it is a dendrite slice."""
    cycles = integrate_cycles(core, active_axons, shape, decays)
    if shape.role == "dendrite":
        cycles += send_sums_cycles(core, shape.count)
    return cycles


def soma_task_cycles(core: Core, shape: Shape) -> int:
    """Cycles of a slice's soma task, with adding partial sums if it is a soma slice."""
    cycles = update_cycles(core, shape.count, shape.softmax)
    if shape.role == "soma":
        cycles += add_sums_cycles(core, shape.count, shape.parts, shape.channels)
    return cycles


def task_cycles(core: Core, shape: Shape) -> dict[Literal["integrate", "soma", "learn"], int]:
    """Most cycles each task of a slice can take (every axon active), for the tasks it has."""
    cycles: dict[Literal["integrate", "soma", "learn"], int] = {}
    if shape.integrates:
        cycles["integrate"] = integrate_task_cycles(core, shape, shape.fan_in)
    if shape.owns_neurons:
        cycles["soma"] = soma_task_cycles(core, shape)
    if shape.plastic:
        cycles["learn"] = learn_cycles(core, shape.fan_in, shape.count)
    return cycles


def phase_budget(phase: Phase) -> int | None:
    """Cycles a core may work in one phase; None if the phase waits for the slowest core."""
    return phase.cycles - phase.sync_cycles if phase.mode == "fixed" else None
