"""The records SpiNNaker's kernel works on: all that changes of a chip lies side by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.spinnaker_tables import Words

U = np.uint64
LINKS = 6
FROM_CORE, MONITOR = 6, 7
"""Inputs of a router beside its links: its cores' queue, and what the monitor core sends again."""
INPUTS = 8
IDLE = -1
FREE = 7
"""Stands for "no forced link"."""

BUSY, PENDING, SINCE, TURN, QUEUE_FIRST, QUEUE_LAST, FILLED, WAITED = range(8)
"""Words of a chip: the input whose packet the router has; the links that is still for; when it was
taken; next input's turn; the cores' queue; inputs with packets; inputs a sender waits for."""
DESK = 8
HELD, FREE_AT, SLOTS = range(3)
"""Words of an input: first slot << 16 | packets held; when the output of that number is free; then
two words a slot: a copy, and from when it may be taken or, of a free slot, filled."""
PACKET_SHIFT = 32
"""A copy is packet << 32 | node << 3 | forced link: on an emergency route it leaves by that, and
the node (`chipsim.mesh.spinnaker_tables.KeyRoutes`) is of the chip it comes to then."""
CORE_BITS = (1 << 18) - 1
WIDE_SHIFT = 24
"""Bit of a node's route in `Paths` that says that its packets carry a payload."""
CLOCK, EMPTY_FOR, FREE_DUMP = range(3)
"""Words of `State.clock`: the next cycle to do, for how many cycles nothing has happened, the first
free entry of `State.dumps`."""
MONITOR_WORDS = 8
DUMPED, DUE, AGAIN_FIRST, AGAIN_LAST, AGAIN_HELD = range(5)
"""Words of a chip in `State.monitors`: the entry in the router's registers, and when the monitor
has emptied them; first and last entry of what is to be sent again, and how many there are."""
DUMP_WORDS = 4
LATER, COPY, LINKS_LEFT = range(3)
"""Words of an entry of `State.dumps`: the one after it, the copy, the links that refused it."""
NOBODY = -1


class Times(NamedTuple):
    """Numbers of the machine and of the kernel's layout.

    ``stride`` words a chip, ``record`` an input; ``words`` and ``summary_words`` a slot of the
    wheel and of its non-zero words.  ``reinject_queue`` is 0 without re-injection.
    """

    hop: int
    interval: int
    payload_interval: int
    credit: int
    core: int
    wait1: int
    wait2: int
    reinject_queue: int
    reinject_cycles: int
    reinject_interval: int
    buffer: int
    ring: int
    wheel_mask: int
    words: int
    summary_words: int
    record: int
    stride: int


class Paths(NamedTuple):
    """What does not change: links (8 a chip), source and first node of keys, nodes.

    ``route`` has the payload bit (`WIDE_SHIFT`) beside links and cores.
    """

    leads: Int32
    source: Int32
    root: Int64
    child: Int32
    route: Words
    behind: Int32


class State(NamedTuple):
    """What changes: the chips, the wheel and its summary, the packet after each in its queue.

    ``clock`` holds what `run` goes on from when it is called again.  ``monitors`` and ``dumps`` are
    those of re-injection (`chipsim.mesh.spinnaker_monitor`), of no size without it.
    """

    clock: Int64
    chips: Int64
    look: Int64
    summary: Int64
    following: Int32
    monitors: Int64
    dumps: Int64


class Counts(NamedTuple):
    """What is written down; see `chipsim.mesh.spinnaker_layout.MachineResults`."""

    delivered: Int64
    arrival_sum: Int64
    last_arrival: Int64
    lost: Int64
    link_packets: Int64
    payload_packets: Int64
    emergencies: Int64
    drops: Int64
    waits: Int64
    waiting_cycles: Int64
    reinjected: Int64
    overflows: Int64
    crowded: Int64


class Log(NamedTuple):
    """Every chip at which a packet is handed to cores: the packet, its node, the arrival cycle.

    ``filled (1,)`` of them are written; arrays without room switch the log off.
    """

    packet: Int32
    node: Int32
    cycle: Int64
    filled: Int64
