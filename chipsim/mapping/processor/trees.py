"""Multicast trees on a triangular torus: dimension order, longest dimension first.

The way from one chip to another is the shortest vector in east, north-east and north steps (minus:
west, south-west, south), its longest part first, as is common on SpiNNaker ("longest dimension
first").  Where a link on it is missing another order of the dimensions is taken, or else a shortest
way by search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

from chipsim.errors import DoesNotFitError
from chipsim.mesh.topology import Topology

OPPOSITE = 3
"""Ports 0, 1 and 2 lead east, north-east and north, those three further the other way."""
FROM_SOURCE = -1

Tree = dict[int, tuple[int, int]]
"""By chip: the port a packet comes in by (`FROM_SOURCE` at the source) and its links and cores as
bits of a route."""


class Ways:
    """Finds ways on one topology and remembers them by offset."""

    def __init__(self, topology: Topology) -> None:
        self._width, self._height = topology.width, topology.height
        self._leads = [row[:6] for row in topology.leads.tolist()]
        self._orders: dict[tuple[int, int], list[tuple[int, ...]]] = {}

    def way(self, source: int, target: int) -> list[tuple[int, int]]:
        """Return the (port, chip it leads to) of each hop; DoesNotFitError if there is no way."""
        dx = target % self._width - source % self._width
        dy = target // self._width - source // self._width
        if (dx, dy) not in self._orders:
            self._orders[dx, dy] = list(_orders(dx, dy, self._width, self._height))
        for ports in self._orders[dx, dy]:
            way = self._along(source, ports)
            if way is not None and (not way or way[-1][1] == target):
                return way
        return self._searched(source, target)

    def back(self, chip: int, port: int) -> int:
        """Return the port by which a packet that leaves ``chip`` by ``port`` comes in."""
        return int(self._leads[chip][port]) & 7

    def _along(self, source: int, ports: Sequence[int]) -> list[tuple[int, int]] | None:
        at, way = source, []
        for port in ports:
            if self._leads[at][port] < 0:
                return None
            at = self._leads[at][port] >> 3
            way.append((port, at))
        return way

    def _searched(self, source: int, target: int) -> list[tuple[int, int]]:
        """Return a shortest way found breadth first, low ports first."""
        came: dict[int, tuple[int, int]] = {source: (FROM_SOURCE, FROM_SOURCE)}
        frontier = [source]
        for at in frontier:
            for port, lead in enumerate(self._leads[at]):
                if lead >= 0 and lead >> 3 not in came:
                    came[lead >> 3] = (port, at)
                    frontier.append(lead >> 3)
        if target not in came:
            raise DoesNotFitError(
                f"chip {self.name(target)} cannot be reached from chip {self.name(source)}: dead "
                "chips or links cut it off (machine.dead)"
            )
        way, at = [], target
        while at != source:
            port, before = came[at]
            way.append((port, at))
            at = before
        return way[::-1]

    def name(self, chip: int) -> str:
        """Return a chip's coordinates as ``x,y``."""
        return f"{chip % self._width},{chip // self._width}"


def multicast_tree(ways: Ways, source: int, targets: Mapping[int, int]) -> Tree:
    """Return the tree from chip ``source`` to the cores ``targets``: core bits of a route by chip.

    It is the union of the ways, nearest chip first.  Where a way comes to a chip that the tree has
    already, it goes on from there.
    """
    tree: Tree = {source: (FROM_SOURCE, 0)}
    paths = [(chip, ways.way(source, chip)) for chip in targets]
    for chip, way in sorted(paths, key=lambda path: (len(path[1]), path[0])):
        chips = [source, *(at for _, at in way)]
        known = max(index for index, at in enumerate(chips) if at in tree)
        for index in range(known, len(way)):
            port, there = way[index]
            came, route = tree[chips[index]]
            tree[chips[index]] = came, route | 1 << port
            tree[there] = ways.back(chips[index], port), 0
        came, route = tree[chip]
        tree[chip] = came, route | targets[chip]
    return tree


def _orders(dx: int, dy: int, width: int, height: int) -> Iterator[tuple[int, ...]]:
    """Yield sequences of ports that make the offset: the longest dimension first, then others.

    Ways that use the links around the edges and the diagonals come with those that do not, the
    shortest first.
    """
    vectors = {
        vector
        for x in (dx, dx - width if dx > 0 else dx + width)
        for y in (dy, dy - height if dy > 0 else dy + height)
        for vector in (_hexagonal(x, y), (x, 0, y))
    }
    for vector in sorted(vectors, key=lambda v: (sum(map(abs, v)), [-part for part in v])):
        longest = sorted(range(3), key=lambda axis: (-abs(vector[axis]), axis))
        for axes in permutations(longest):
            yield tuple(port for axis in axes for port in _ports(axis, vector[axis]))


def _hexagonal(x: int, y: int) -> tuple[int, int, int]:
    """Return the shortest (east, north-east, north) that makes (x, y)."""
    slant = 0
    if x * y > 0:
        slant = min(abs(x), abs(y)) * (1 if x > 0 else -1)
    return x - slant, slant, y - slant


def _ports(axis: int, steps: int) -> tuple[int, ...]:
    return (axis if steps > 0 else axis + OPPOSITE,) * abs(steps)
