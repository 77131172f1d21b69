"""Adaptive routing on a mesh: which outputs a packet may leave by, and which turns are forbidden.

A packet goes shortest ways only.  At each router its head picks, every cycle until it is granted,
the permitted output with the most free slots in channels that belong to no packet (the lowest port
of several).  What keeps packets from blocking each other for good is that some turns are never
taken (Glass and Ni 1992, the turn model), so no circle of turns closes:

- ``west_first``: hops to the west come first; the turns into west are never taken.
- ``odd_even`` (Chiu 2000): in even columns a packet that goes east does not turn, in odd columns
  none turns into west.

Rows of ``permitted_ways`` say what may be taken towards a core, *any one* of the bits; ``turns``
what may be taken by a packet that came in by a port.
"""

from __future__ import annotations

import numpy as np

from chipsim.errors import InputError
from chipsim.mesh.fabric import EAST, NORTH, SOUTH, WEST, Bytes
from chipsim.mesh.topology import Topology

ADAPTIVE = ("west_first", "odd_even")
ALL = 255


def permitted_ways(topology: Topology, routing: str) -> Bytes:
    """Return the outputs permitted towards each core: uint8 (cores, routers), any one of a mask.

    InputError unless ``routing`` is one of `ADAPTIVE` and ``topology`` a whole mesh.
    """
    _check(topology, routing)
    return _permitted(topology.width, topology.height, topology.locals, routing)


def _permitted(width: int, height: int, local_ports: int, routing: str) -> Bytes:
    """Build the table of `permitted_ways`, row by row."""
    router = np.arange(width * height)
    x, y = router % width, router // width
    ways = np.zeros((local_ports * router.size, router.size), dtype=np.uint8)
    for core in range(len(ways)):
        to, local = divmod(core, local_ports)
        dx, dy = to % width - x, to // width - y
        vertical = np.where(dy > 0, 1 << NORTH, 0) | np.where(dy < 0, 1 << SOUTH, 0)
        if routing == "west_first":
            mask = np.where(dx < 0, 1 << WEST, vertical | np.where(dx > 0, 1 << EAST, 0))
        else:
            odd_target = (to % width) & 1 == 1
            east = np.where((dx > 1) | odd_target | (dy == 0), 1 << EAST, 0)
            west = (1 << WEST) | np.where(x & 1 == 0, vertical, 0)
            mask = np.where(dx > 0, east | vertical, np.where(dx < 0, west, vertical))
        ways[core] = mask
        ways[core, to] = 1 << (4 + local)
    return ways


def turns(topology: Topology, routing: str) -> Bytes:
    """Return the outputs a packet may take that came in by a port: uint8 (routers, 8).

    Where no neighbour uses a port (cores, chip inputs), nothing is forbidden.
    """
    _check(topology, routing)
    table = np.full((topology.routers, 8), ALL, dtype=np.uint8)
    if routing == "odd_even":
        column = np.arange(topology.routers) % topology.width
        going_east = (column & 1 == 0) & (topology.leads[:, WEST] >= 0)
        table[going_east, WEST] = ALL & ~(1 << NORTH | 1 << SOUTH)
    return table


def check_ways(topology: Topology, routing: str, trees: Bytes) -> None:
    """Raise InputError unless ``trees`` are the `permitted_ways` of ``routing``."""
    ways = permitted_ways(topology, routing)
    if trees.shape != ways.shape or not np.array_equal(trees, ways):
        raise InputError(
            f"trees: with {routing} routing these must be "
            f"chipsim.mesh.adaptive.permitted_ways(topology, {routing!r})"
        )


def one_way(ways: Bytes) -> Bytes:
    """Return for each permitted mask its lowest output: one shortest way to each core."""
    lowest: Bytes = ways & (~ways + np.uint8(1))
    return lowest


def _check(topology: Topology, routing: str) -> None:
    if routing not in ADAPTIVE:
        raise InputError(f"mesh.routing: {routing!r} given, {', '.join(ADAPTIVE)} are adaptive")
    if topology.name != "mesh" or topology.damaged:
        state = "damaged " if topology.damaged else ""
        raise InputError(
            f"mesh.routing: {routing} needs a whole mesh, a {state}{topology.name} was given: its "
            "forbidden turns keep packets from blocking each other only there"
        )
