"""Topologies: which output leads where and which links are marked.

A topology is tables, so the wormhole mesh (`chipsim.mesh.wormhole`) runs any of them.  Link ports
come first, local ports after them.  Core ``e`` sits at router ``e // locals`` on local port
``links + e % locals``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import BOARD_ROWS, BOARD_SIDE, MESH_STEPS, TRIAD, TRIANGLE_STEPS, Mesh
from chipsim.errors import InputError
from chipsim.mesh.fabric import Bytes, Int32, Int64

MAX_PORTS = 8


@dataclass(frozen=True, eq=False)
class Topology:
    """Routers and links as tables.

    ``leads`` (int32, (routers, ports)) has 8 * router + input port where an output leads, -1 for
    none.  ``axis`` (int8, (ports,)) numbers the dimension of each link port in routing order, a
    number of its own for each local port.  ``dateline`` (bool, (routers, ports)) marks one link of
    each ring and direction, ``opposite`` the one half-way around from it (`chipsim.mesh.rings` says
    why); they are all False where there are no rings.  ``way`` (uint8,
    (ties, 2 height - 1, 2 width - 1)) is the link port to take, by offset to the destination, the
    offset (dy, dx) at ``[dy + height - 1, dx + width - 1]``; 255 means arrived.  On a torus of even
    size there is one for each choice of direction where the destination is exactly half-way around:
    the first takes the positive one in x and in y, the last the negative ones.
    ``damaged`` says that routers or links are missing, so that ways are searched instead;
    ``broken`` lists the missing links (router, port), both directions.
    """

    name: str
    width: int
    height: int
    links: int
    locals: int
    leads: Int32
    axis: NDArray[np.int8]
    dateline: NDArray[np.bool_]
    opposite: NDArray[np.bool_]
    way: Bytes
    damaged: bool = False
    broken: tuple[tuple[int, int], ...] = ()

    @property
    def routers(self) -> int:
        """Number of routers; router ``r`` is at ``(r % width, r // width)``."""
        return self.width * self.height

    @property
    def ports(self) -> int:
        """Number of ports of a router, links and locals."""
        return self.links + self.locals

    @property
    def cores(self) -> int:
        """Number of cores."""
        return self.routers * self.locals

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which places hold a router, a dead one too: bool (routers,).

        Those with links, or with links that are dead, and a single one.
        """
        there = np.array((self.leads[:, : self.links] >= 0).any(axis=1))
        there[[router for router, _ in self.broken]] = True
        return there if self.routers > 1 else np.ones(1, dtype=bool)

    @property
    def working(self) -> Int64:
        """The cores at routers that are there, ascending: int64."""
        return np.flatnonzero(np.repeat(self.present, self.locals))

    @property
    def rings(self) -> bool:
        """Whether links close rings, which take two classes of virtual channels."""
        return bool(self.dateline.any())


def _build(
    name: str,
    width: int,
    height: int,
    local_ports: int,
    steps: tuple[tuple[int, int], ...],
    wraps: bool,
) -> Topology:
    """Make the tables for links that go by ``steps`` (dx, dy) from every router."""
    links = len(steps)
    for what, value, largest in (
        ("width", width, 4096),
        ("height", height, 4096),
        ("cores a router", local_ports, MAX_PORTS - links),
    ):
        if not 1 <= value <= largest:
            raise InputError(f"mesh: {what} {value} given, 1 to {largest} allowed in a {name}")
    router = np.arange(width * height)
    x, y = router % width, router // width
    leads = np.full((router.size, links + local_ports), -1, dtype=np.int32)
    dateline, opposite = np.zeros((2, *leads.shape), dtype=bool)
    for port, (dx, dy) in enumerate(steps):
        inside = (x + dx >= 0) & (x + dx < width) & (y + dy >= 0) & (y + dy < height)
        there = (y + dy) % height * width + (x + dx) % width
        open_ = (there != router) if wraps else inside
        back = steps.index((-dx, -dy))
        leads[open_, port] = (8 * there + back)[open_]
        dateline[:, port] = _datelines(there, open_ & ~inside)
        opposite[_half_way(there, dateline[:, port]), port] = True
    axes = [min(port, steps.index((-dx, -dy))) for port, (dx, dy) in enumerate(steps)]
    axis = np.array([*axes, *range(links, links + local_ports)], dtype=np.int8)
    way = _ways(width, height, steps, wraps)
    return Topology(name, width, height, links, local_ports, leads, axis, dateline, opposite, way)


def _datelines(there: Int64, wraps: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which links of one direction are datelines: in each ring the first that ``wraps``.

    ``there`` is the router each link leads to.  A diagonal ring goes around the torus several
    times; with more than one dateline packets in the upper channels could block each other.
    """
    following = there.tolist()
    chosen = np.zeros(wraps.size, dtype=bool)
    seen = np.zeros(wraps.size, dtype=bool)
    for start in np.flatnonzero(wraps).tolist():
        chosen[start] = not seen[start]
        at = start
        while not seen[at]:
            seen[at] = True
            at = following[at]
    return chosen


def _half_way(there: Int64, dateline: NDArray[np.bool_]) -> list[int]:
    """Return the routers whose link of one direction is half-way around from a dateline."""
    following = there.tolist()
    found = []
    for start in np.flatnonzero(dateline).tolist():
        ring = [start]
        while following[ring[-1]] != start:
            ring.append(following[ring[-1]])
        found.append(ring[len(ring) // 2])
    return found


def _ways(width: int, height: int, steps: tuple[tuple[int, int], ...], wraps: bool) -> Bytes:
    """Return `Topology.way`.

    The ways are shortest, axis by axis: x, then the diagonal where there is one, then y.  With
    diagonals there is one choice only at ties, the positive direction: ways that part at a tie
    could meet again on another axis, and a tree of both leave dimension order.
    """
    ties = wraps and (1, 1) not in steps
    in_x, in_y = ((False, True)[: 1 + (ties and size % 2 == 0)] for size in (width, height))
    choices = [(back_x, back_y) for back_y in in_y for back_x in in_x]
    return np.stack([_ways_at(width, height, steps, wraps, *back) for back in choices])


def _ways_at(
    width: int,
    height: int,
    steps: tuple[tuple[int, int], ...],
    wraps: bool,
    back_x: bool,
    back_y: bool,
) -> Bytes:
    """Return one of `_ways`: at ties in the negative direction of x if ``back_x``, and so in y."""
    dy, dx = np.mgrid[1 - height : height, 1 - width : width]
    candidates = [(dx, dy)]
    if wraps:
        right, up = dx % width, dy % height
        in_x, in_y = [right, right - width], [up, up - height]
        candidates = [(a, b) for a in in_x[:: 1 - 2 * back_x] for b in in_y[:: 1 - 2 * back_y]]
    diagonal = (1, 1) in steps
    best_x, best_y, best = dx, dy, np.full(dx.shape, 1 << 30)
    for a, b in candidates:
        length = abs(a) + abs(b)
        if diagonal:
            length = length - np.where(a * b > 0, np.minimum(abs(a), abs(b)), 0)
        better = length < best
        best_x, best_y = np.where(better, a, best_x), np.where(better, b, best_y)
        best = np.where(better, length, best)
    slant = np.zeros_like(best)
    if diagonal:
        slant = np.where(
            best_x * best_y > 0, np.sign(best_x) * np.minimum(abs(best_x), abs(best_y)), 0
        )
    parts = {(1, 0): best_x - slant, (1, 1): slant, (0, 1): best_y - slant}
    way = np.full(best.shape, 255, dtype=np.uint8)
    for (step_x, step_y), part in reversed(parts.items()):
        if (step_x, step_y) in steps:
            way[part > 0] = steps.index((step_x, step_y))
            way[part < 0] = steps.index((-step_x, -step_y))
    return way


def mesh(width: int, height: int, cores: int = 1) -> Topology:
    """Return a 2-D mesh, with ``cores`` (1 to 4) a router: concentrated if more than one."""
    return _build("mesh", width, height, cores, MESH_STEPS, wraps=False)


def torus(width: int, height: int, cores: int = 1) -> Topology:
    """Return a 2-D torus with ``cores`` (1 to 4) a router."""
    return _build("torus", width, height, cores, MESH_STEPS, wraps=True)


def triangular(width: int, height: int, cores: int = 1) -> Topology:
    """Return SpiNNaker's triangular torus with ``cores`` (1 or 2) ports to cores a router."""
    return _build("triangular torus", width, height, cores, TRIANGLE_STEPS, wraps=True)


def board48(width: int = BOARD_SIDE, height: int = BOARD_SIDE, cores: int = 1) -> Topology:
    """Return SpiNNaker's hexagonal board: 48 of 8 x 8 places, and no links around the edges.

    Chip (x, y) is router ``8 y + x``.  The hexagon is convex along all three axes, so the
    dimension-order way between any two chips stays on the board, and nothing can block itself.
    InputError for another size than 8 x 8.
    """
    if (width, height) != (BOARD_SIDE, BOARD_SIDE):
        raise InputError(f"mesh: {width} x {height} given, a 48-chip board is cut out of 8 x 8")
    whole = _build("48-chip board", width, height, cores, TRIANGLE_STEPS, wraps=False)
    there = np.zeros((height, width), dtype=bool)
    for y, (first, last) in enumerate(BOARD_ROWS):
        there[y, first : last + 1] = True
    present = there.reshape(-1)
    leads = whole.leads.copy()
    leads[~present] = -1
    leads[(leads >= 0) & ~present[leads.clip(0) >> 3]] = -1
    return replace(whole, leads=leads)


def board_torus(width: int, height: int, cores: int = 1) -> Topology:
    """Return a triangular torus of 48-chip boards, three a triad of 12 x 12 chips.

    InputError for a size that is not whole triads.
    """
    if width % TRIAD or height % TRIAD:
        raise InputError(f"boards: {width} x {height} chips are not whole triads of 12 x 12")
    built = triangular(width, height, cores)
    return replace(built, name=f"torus of {3 * (width // TRIAD) * (height // TRIAD)} boards")


TOPOLOGIES: Mapping[str, Callable[[int, int, int], Topology]] = {
    "mesh": mesh,
    "torus": torus,
    "triangular": triangular,
    "board48": board48,
    "board_torus": board_torus,
}
"""By the names of the chip file: width, height, cores a router."""


def topology_of(chip: Mesh) -> Topology:
    """Return the topology of a chip's mesh, without what is dead in it."""
    built = TOPOLOGIES[chip.topology](chip.width, chip.height, chip.cores_per_router)
    if chip.dead.routers or chip.dead.links:
        return without(built, chip.dead.routers, chip.dead.links)
    return built


def without(
    topology: Topology,
    routers: Iterable[int] = (),
    links: Iterable[tuple[int, int]] = (),
) -> Topology:
    """Return ``topology`` without dead ``routers`` and ``links`` (router, port; both directions).

    Ways then are shortest in what is left, no longer in dimension order, so packets can block each
    other for good under load; the mesh reports it if they do.  InputError for one that is not
    there.
    """
    leads = topology.leads.copy()
    broken = list(links)
    gone: list[tuple[int, int]] = []
    for router in routers:
        if not 0 <= router < topology.routers:
            raise InputError(f"mesh: dead router {router} given, the mesh has {topology.routers}")
        broken += [(router, port) for port in range(topology.links) if leads[router, port] >= 0]
    for router, port in broken:
        inside = 0 <= router < topology.routers and 0 <= port < topology.links
        if not inside or topology.leads[router, port] < 0:
            raise InputError(f"mesh: dead link {port} of router {router} given; there is none")
        into, back = divmod(int(topology.leads[router, port]), 8)
        leads[router, port] = leads[into, back] = -1
        gone += [(router, port), (into, back)]
    return replace(topology, leads=leads, damaged=True, broken=(*topology.broken, *gone))
