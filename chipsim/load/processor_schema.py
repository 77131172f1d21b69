"""What the file of a processor chip may hold: every numeric key with its dimension and bounds.

The words a key may take are the ``Literal`` types of `chipsim.processor_chip`.
"""

from __future__ import annotations

from collections.abc import Mapping

from chipsim.provenance import Quantity
from chipsim.units import Bounds


def _whole(at_least: int, at_most: int) -> Quantity:
    return Quantity("number", True, Bounds(at_least, at_most))


def _bytes(at_least: int, at_most: int) -> Quantity:
    return Quantity("memory", True, Bounds(at_least, at_most))


TICK = Quantity("time", False, Bounds(above=0.0, at_most=1.0))
CLOCK = Quantity("frequency", False, Bounds(above=0.0, at_most=1e12))

MOST_ROUTER_CORES = 18
"""Cores a route word of 32 bits names beside the six links of a router."""

MACHINE: Mapping[str, Quantity] = {
    "width": _whole(1, 32),
    "height": _whole(1, 32),
    "cores": _whole(1, MOST_ROUTER_CORES),
    "app_cores": _whole(1, MOST_ROUTER_CORES),
}

CORE_MEMORY: Mapping[str, Quantity] = {
    "itcm": _bytes(0, 2**40),
    "dtcm": _bytes(1, 2**40),
}

CORE: Mapping[str, Quantity] = {
    "max_neurons": _whole(1, 65536),
    "max_sources": _whole(1, 65536),
    "state_bits": _whole(32, 32),
    "fraction_bits": _whole(1, 30),
    "weight_bits": _whole(2, 16),
    "ring_bits": _whole(16, 16),
    "ring_entries": _whole(1, 2**24),
    "delay_slots": _whole(1, 256),
    "delay_stages": _whole(0, 31),
    "spike_queue": _whole(1, 2**20),
    "dma_queue": _whole(1, 2**20),
    "row_words": _whole(1, 2**20),
    "eprop_synapses": _whole(0, 65536),
    "weights_per_tick": _whole(1, 2**20),
}

SEND_SPREAD = Quantity("number", False, Bounds(0.0, 1.0))

SDRAM: Mapping[str, Quantity] = {
    "size": _bytes(1, 2**40),
    "bytes_per_second": _bytes(1, 2**45),
    "latency_cycles": _whole(0, 10**6),
}

ROUTER: Mapping[str, Quantity] = {
    "entries": _whole(1, 2**20),
    "packet_bits": _whole(1, 4096),
    "payload_packet_bits": _whole(1, 4096),
    "hop_cycles": _whole(1, 1024),
    "link_interval": _whole(1, 1024),
    "payload_interval": _whole(1, 1024),
    "core_cycles": _whole(1, 1024),
    "buffer_packets": _whole(1, 2048),
    "credit_cycles": _whole(1, 1024),
    "wait1": _whole(0, 2**21),
    "wait2": _whole(0, 2**21),
    "reinject_queue": _whole(1, 2**16),
    "reinject_cycles": _whole(1, 2**16),
    "reinject_interval": _whole(1, 2**16),
}

CYCLES: Mapping[str, Quantity] = dict.fromkeys(
    (
        "timer",
        "neuron_lif",
        "neuron_alif",
        "neuron_eprop",
        "send",
        "source",
        "spike",
        "signal",
        "delay_neuron",
        "delay_spike",
        "synapse",
        "synapse_stdp",
        "stdp_pair",
        "eprop_synapse",
        "eprop_readout_synapse",
        "eprop_update",
        "weight_send",
        "weight",
    ),
    _whole(0, 10**6),
)

SIZES: Mapping[str, Quantity] = dict.fromkeys(
    (
        "program_lif",
        "program_stdp",
        "program_eprop",
        "program_source",
        "program_delay",
        "itcm_reserved",
        "static",
        "stack",
        "neuron",
        "adaptation",
        "source_neuron",
        "stdp_neuron",
        "eprop_neuron",
        "eprop_synapse",
        "eprop_readout_synapse",
        "adam_synapse",
        "queue_entry",
        "delay_header",
        "delay_counter",
        "synapse",
        "row_header",
        "pre_trace",
        "table_entry",
        "address",
    ),
    _bytes(0, 2**30),
)

_POWER = Quantity("power", False, Bounds(0.0, 1e6))
_ENERGY = Quantity("energy", False, Bounds(0.0, 1.0))

PRICES: Mapping[str, Quantity] = {
    "idle_chip": _POWER,
    "core_active": _POWER,
    "board48_idle": _POWER,
    "board4_idle": _POWER,
    "box_overhead": _POWER,
    "frame_idle": _POWER,
    "frame_active": _POWER,
    "packet": _ENERGY,
    "payload_packet": _ENERGY,
    "sdram_byte": _ENERGY,
}
"""All may be left out, or be ``unknown``."""
UNKNOWN = "unknown"

OPTIONAL = ("machine.dead", *(f"energy.{key}" for key in PRICES))
"""What an override may add to a file that leaves it out."""
