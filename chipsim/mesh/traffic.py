"""The standard synthetic traffics: which core sends to which, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chipsim.errors import InputError
from chipsim.mesh.fabric import Int64
from chipsim.mesh.topology import Topology

Pattern = Callable[[Topology, Int64, Int64, np.random.Generator], Int64]
"""Returns the target of a packet of each source, given the cores that work and a generator."""
HOT_FRACTION = 0.1


@dataclass(frozen=True, eq=False)
class Stream:
    """Packets in order of their cycle: ``cycle``, ``source`` and ``target`` core of each."""

    cycle: Int64
    source: Int64
    target: Int64


def _moved(topology: Topology, source: Int64, x: Int64, y: Int64) -> Int64:
    """Return the core of the same local port at router (x, y)."""
    return (y * topology.width + x) * topology.locals + source % topology.locals


def _position(topology: Topology, source: Int64) -> tuple[Int64, Int64]:
    """Return x and y of the cores' routers."""
    router = source // topology.locals
    return router % topology.width, router // topology.width


def uniform(topology: Topology, source: Int64, working: Int64, rng: np.random.Generator) -> Int64:
    """Send to any working core, the sender's own too, with equal chance."""
    return working[rng.integers(0, working.size, source.size)]


def transpose(topology: Topology, source: Int64, working: Int64, rng: np.random.Generator) -> Int64:
    """Send from (x, y) to (y, x); InputError unless the mesh is square."""
    if topology.width != topology.height:
        raise InputError(
            f"traffic: transpose needs a square mesh, {topology.width} x {topology.height} given"
        )
    x, y = _position(topology, source)
    return _moved(topology, source, y, x)


def bit_complement(
    topology: Topology, source: Int64, working: Int64, rng: np.random.Generator
) -> Int64:
    """Send from (x, y) to (width - 1 - x, height - 1 - y)."""
    x, y = _position(topology, source)
    return _moved(topology, source, topology.width - 1 - x, topology.height - 1 - y)


def neighbour(topology: Topology, source: Int64, working: Int64, rng: np.random.Generator) -> Int64:
    """Send from (x, y) to (x + 1, y + 1), around the edges."""
    x, y = _position(topology, source)
    return _moved(topology, source, (x + 1) % topology.width, (y + 1) % topology.height)


def tornado(topology: Topology, source: Int64, working: Int64, rng: np.random.Generator) -> Int64:
    """Send just less than half-way around in each dimension: by ceil(k / 2) - 1."""
    x, y = _position(topology, source)
    width, height = topology.width, topology.height
    far_x, far_y = (width + 1) // 2 - 1, (height + 1) // 2 - 1
    return _moved(topology, source, (x + far_x) % width, (y + far_y) % height)


def hotspot(topology: Topology, source: Int64, working: Int64, rng: np.random.Generator) -> Int64:
    """Send a tenth to the first core of the middle router, the rest uniformly."""
    middle = topology.height // 2 * topology.width + topology.width // 2
    target = uniform(topology, source, working, rng)
    return np.where(rng.random(source.size) < HOT_FRACTION, middle * topology.locals, target)


PATTERNS: dict[str, Pattern] = {
    "uniform": uniform,
    "transpose": transpose,
    "bit-complement": bit_complement,
    "neighbour": neighbour,
    "tornado": tornado,
    "hotspot": hotspot,
}


def _starts(
    cores: int, load: float, flits: int, cycles: int, rng: np.random.Generator
) -> tuple[Int64, Int64]:
    """Return the cycle and the number (below ``cores``) of each Bernoulli packet, in order."""
    if not 0 <= load <= 1:
        raise InputError(f"traffic: load {load:g} given, 0 to 1 flits a core and cycle allowed")
    chance = load / flits
    count = int(rng.binomial(cycles * cores, chance)) if chance else 0
    slot = np.sort(rng.choice(cycles * cores, count, replace=False, shuffle=False))
    return slot // cores, slot % cores


def bernoulli(
    topology: Topology,
    pattern: str,
    load: float,
    flits: int,
    cycles: int,
    seed: int,
    working: Int64 | None = None,
) -> Stream:
    """Let each core start a packet in each cycle with the chance ``load / flits``.

    ``load`` is in flits a core and cycle; ``working`` are the cores that take part, by default all
    that are there.  InputError if the pattern is unknown or sends to a core that does not work, or
    the load is not in 0 to 1.
    """
    if pattern not in PATTERNS:
        raise InputError(f"traffic: {pattern!r} given, {', '.join(PATTERNS)} allowed")
    working = topology.working if working is None else working
    rng = np.random.default_rng(seed)
    cycle, number = _starts(working.size, load, flits, cycles, rng)
    target = PATTERNS[pattern](topology, working[number], working, rng)
    lost = target[~np.isin(target, working)]
    if lost.size:
        raise InputError(
            f"traffic: {pattern} sends to core {lost[0]}, which is not there or dead; uniform "
            "traffic keeps to the cores that work"
        )
    return Stream(cycle, working[number], target)


def by_matrix(
    topology: Topology, matrix: Int64, load: float, flits: int, cycles: int, seed: int
) -> Stream:
    """Send between cores in proportion to ``matrix`` (int64, (cores, cores)), from row to column.

    ``load`` is the mean over all cores in flits a core and cycle; a core that sends much sends
    more, and two packets that start in one cycle at one core wait for each other.  InputError if
    the matrix is of another size or empty.
    """
    if matrix.shape != (topology.cores, topology.cores) or matrix.min() < 0 or not matrix.any():
        raise InputError(
            f"traffic: a matrix of shape {matrix.shape} given; ({topology.cores}, "
            f"{topology.cores}) needed, no negative counts and at least one packet"
        )
    rng = np.random.default_rng(seed)
    cycle, _ = _starts(topology.cores, load, flits, cycles, rng)
    ends = np.cumsum(matrix.reshape(-1))
    pair = np.searchsorted(ends, rng.integers(0, ends[-1], cycle.size), side="right")
    return Stream(cycle, pair // topology.cores, pair % topology.cores)
