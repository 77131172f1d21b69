"""What a chip file may hold: every numeric key with its dimension and bounds.

The bounds of number formats are those of the compiled kernels (16-bit weights and traces, 32-bit
sums); those of the mesh are `chipsim.mesh.fabric`'s.  The words a key may take are the ``Literal``
types of `chipsim.chip`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from chipsim.provenance import Quantity
from chipsim.units import Bounds


def _whole(at_least: int, at_most: int) -> Quantity:
    return Quantity("number", True, Bounds(at_least, at_most))


CLOCK = Quantity("frequency", False, Bounds(above=0.0, at_most=1e12))
MEMORY = Quantity("memory", True, Bounds(1, 2**40))
PRICE = Quantity("energy", False, Bounds(0.0, 1.0))
STATIC_POWER = Quantity("power", False, Bounds(0.0, 1e6))

MESH: Mapping[str, Quantity] = {
    "width": _whole(1, 1024),
    "height": _whole(1, 1024),
    "hop_cycles": _whole(1, 1024),
    "buffer_flits": _whole(1, 2048),
    "credit_cycles": _whole(1, 1024),
    "payload_bits": _whole(1, 4096),
    "table_entry_bytes": _whole(0, 4096),
}
IO = _whole(0, 1023)

MESH_OPTIONS: Mapping[str, Quantity] = {
    "cores_per_router": _whole(1, 4),
    "vcs": _whole(1, 8),
    "link_interval": _whole(1, 1024),
    "head_cycles": _whole(0, 1023),
    "head_stages": _whole(0, 1023),
    "flit_bits": _whole(1, 4096),
    "header_bits": _whole(0, 4096),
    "chip_width": _whole(1, 1024),
    "chip_height": _whole(1, 1024),
    "chip_hop_cycles": _whole(1, 1024),
    "chip_link_interval": _whole(1, 1024),
    "board_hop_cycles": _whole(1, 1024),
    "board_link_interval": _whole(1, 1024),
}
"""Keys of the mesh that may be left out."""
MESH_OTHERS = ("flow", "ring_classes", "dead", "links")
"""Keys of the mesh that may be left out and are no numbers."""
LINK: Mapping[str, Quantity] = {
    "hop_cycles": _whole(1, 1024),
    "link_interval": _whole(1, 1024),
}
"""Keys of one special link, which all may be left out, as may its price ``energy``."""
MOST_CORES_PER_ROUTER: Mapping[str, int] = {
    "mesh": 4,
    "torus": 3,
    "triangular": 1,
    "board48": 1,
    "board_torus": 1,
}
"""Eight ports a router, less its links and, where no edge is free for it, the chip's input."""

PHASE: Mapping[str, Quantity] = {
    "cycles": _whole(1, 10**9),
    "sync_cycles": _whole(0, 10**9),
}

CORE: Mapping[str, Quantity] = {
    "axons": _whole(1, 65535),
    "columns": _whole(1, 65536),
    "macs_per_cycle": _whole(1, 65536),
    "soma_cycles": _whole(0, 65536),
}

ARITHMETIC: Mapping[str, Quantity] = {
    "native_bits": _whole(1, 16),
    "weight_bits": _whole(2, 16),
    "activation_bits": _whole(1, 15),
    "accumulator_bits": _whole(16, 32),
    "membrane_bits": _whole(8, 32),
    "decay_bits": _whole(1, 16),
    "gain_bits": _whole(2, 24),
    "trace_bits": _whole(2, 16),
    "trace_decay_bits": _whole(1, 16),
    "post_bits": _whole(2, 16),
}

ARITHMETIC_WORDS = ("trace_rounding", "trace_decay")
"""Keys of a core that may be left out and are words."""


@dataclass(frozen=True)
class CoreKind:
    """The memories a kind of core has, the actions it is priced by, and those it may be."""

    memories: tuple[str, ...]
    actions: tuple[str, ...]
    optional: tuple[str, ...] = ()


CORE_KINDS: Mapping[str, CoreKind] = {
    "crossbar": CoreKind(
        memories=("synapse", "axon", "soma", "lut", "router"),
        actions=(
            "sop",
            "mac",
            "relay_add",
            "soma_update",
            "lut_read",
            "trace_decay",
            "trace_update",
            "router_hop",
            "core_cycle",
        ),
        optional=("hop_bit", "chip_hop", "board_hop"),
    ),
}


def words(owner: type[Any], key: str) -> tuple[str, ...]:
    """Return the words that field ``key`` of the dataclass ``owner`` may hold."""
    return tuple(get_args(get_type_hints(owner)[key]))
