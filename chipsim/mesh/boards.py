"""What is on which board or chip, and the slower links between them.

A SpiNNaker-5 board is a hexagon of 48 chips cut out of 8 x 8; three of them, a triad, tile
12 x 12 chips (SpiNNMachine ``version_5.py`` and ``version_48_chips.py``; facts, section 1.3).  The
topologies themselves are in `chipsim.mesh.topology`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import BOARD_ROWS, TRIAD
from chipsim.errors import InputError
from chipsim.mesh.fabric import MAX_CYCLES, Int32
from chipsim.mesh.topology import Topology
from chipsim.mesh.wormhole_layout import Channels

TRIAD_BOARDS = ((0, 0), (4, 8), (8, 4))
"""Corners of the three boards of a triad, around its edges: chips that have x % 4 = 0 and
(x + y) % 12 = 0."""


def board_of(topology: Topology) -> Int32:
    """Return the board of each chip of a torus of boards: int32 (routers,).

    A board is named by its Ethernet chip, the one at its own (0, 0).  InputError for a size that
    is not whole triads.
    """
    width, height = topology.width, topology.height
    if width % TRIAD or height % TRIAD:
        raise InputError(f"boards: {width} x {height} chips are not whole triads of 12 x 12")
    boards = np.full(topology.routers, -1, dtype=np.int32)
    for triad_y in range(0, height, TRIAD):
        for triad_x in range(0, width, TRIAD):
            for corner_x, corner_y in TRIAD_BOARDS:
                x0, y0 = triad_x + corner_x, triad_y + corner_y
                for row, (first, last) in enumerate(BOARD_ROWS):
                    x = (x0 + np.arange(first, last + 1)) % width
                    boards[(y0 + row) % height * width + x] = y0 * width + x0
    return boards


def crossing(topology: Topology, place: Int32) -> NDArray[np.bool_]:
    """Return which links join different places (boards, chips): bool (routers, links).

    ``place`` (int32, (routers,)) numbers where each router is.
    """
    leads = topology.leads[:, : topology.links]
    there = place[leads.clip(0) >> 3]
    crosses: NDArray[np.bool_] = (leads >= 0) & (there != place[:, None])
    return crosses


def chip_of(topology: Topology, chip_width: int, chip_height: int) -> Int32:
    """Return the chip of each router where chips hold ``chip_width x chip_height`` routers.

    InputError unless whole chips fill the topology.
    """
    for name, size, part in (
        ("width", topology.width, chip_width),
        ("height", topology.height, chip_height),
    ):
        if part < 1 or size % part:
            raise InputError(
                f"chips: a {name} of {part} routers given, it must divide the {size} of the mesh"
            )
    router = np.arange(topology.routers)
    x, y = router % topology.width // chip_width, router // topology.width // chip_height
    return (y * (topology.width // chip_width) + x).astype(np.int32)


def slower(
    channels: Channels, links: NDArray[np.bool_], hop_cycles: int, interval: int
) -> Channels:
    """Return channels in which ``links`` (bool, (routers, links)) are long or narrow.

    A flit takes ``hop_cycles`` over one of them and the next one follows ``interval`` cycles
    later.  Credits come back as fast as elsewhere.  InputError if a value is out of range.
    """
    for name, value in (("hop_cycles", hop_cycles), ("interval", interval)):
        if not 1 <= value <= MAX_CYCLES:
            raise InputError(f"links.{name}: {value} given, 1 to {MAX_CYCLES} allowed")
    count = channels.topology.links
    delay, intervals = channels.delay.copy(), channels.interval.copy()
    delay[:, :count][links] = hop_cycles
    intervals[:, :count][links] = interval
    return replace(channels, delay=delay, interval=intervals)


def joined(
    channels: Channels, chip_width: int, chip_height: int, hop_cycles: int, interval: int
) -> Channels:
    """Return channels cut into chips of ``chip_width x chip_height`` routers, joined by slow links.

    See `slower`; InputError unless whole chips fill the topology.
    """
    place = chip_of(channels.topology, chip_width, chip_height)
    return slower(channels, crossing(channels.topology, place), hop_cycles, interval)
