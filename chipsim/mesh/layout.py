"""The records the compiled mesh works on, and how they are laid out for a fabric."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chipsim.mesh.fabric import PORTS, Bytes, Fabric, Int32, Int64


class Net(NamedTuple):
    """Sizes, and where things lie in ``memory``, the one block of 64-bit words that changes.

    ``words``, ``summary_words`` and ``source_words`` are words in a slot of the wheels of routers,
    of non-zero words and of sources; ``slots`` to ``counts`` are offsets (buffers, wheels, flits
    through each output), ``size`` is the whole.  The routers' words come first.
    """

    routers: int
    hop: int
    credit: int
    buffer: int
    ring: int
    wheel_mask: int
    words: int
    summary_words: int
    source_words: int
    slots: int
    wheel: int
    summary: int
    sources: int
    counts: int
    size: int


class Tables(NamedTuple):
    """What does not change: where outputs lead, who fills inputs, where sources enter, trees.

    ``leads`` and ``upstream`` have 8 entries a router: 8 * router + input that an output leads to;
    router that fills an input, or -1 - injector.  ``trees`` is flat, ``routers`` bytes a tree.
    """

    leads: Int32
    upstream: Int32
    entry: Int32
    trees: Bytes


class Traffic(NamedTuple):
    """The packets of all phases, as in `chipsim.mesh.fabric.Packets`."""

    injector: Int32
    inject: Int64
    tree: Int32


class Queues(NamedTuple):
    """Source queues: first and last packet of each injector, the packet after each packet."""

    first: Int32
    last: Int32
    following: Int32


class OneFlitMesh(NamedTuple):
    """All a kernel works on but packets and book."""

    net: Net
    tables: Tables
    memory: Int64
    queues: Queues


def power_of_two(least: int) -> int:
    """Return the smallest power of two that is ``>= least``."""
    return 1 << max(least - 1, 0).bit_length()


def lay_tables(fabric: Fabric, leads: Int32, trees: Bytes) -> Tables:
    """Lay out what the kernel only reads."""
    routers = fabric.routers
    wide = np.full((routers, 8), -1, dtype=np.int32)
    wide[:, :PORTS] = leads
    upstream = np.zeros(routers * 8, dtype=np.int32)
    router, port = np.nonzero(leads >= 0)
    upstream[leads[router, port]] = router
    entry = (8 * fabric.injector_router + fabric.injector_port).astype(np.int32)
    upstream[entry] = -1 - np.arange(entry.size, dtype=np.int32)
    return Tables(wide.reshape(-1), upstream, entry, trees.reshape(-1))


def lay_memory(fabric: Fabric) -> Net:
    """Lay out the memory of the kernel: routers, counts, wheels, buffers."""
    routers = fabric.routers
    ring = power_of_two(fabric.buffer_flits)
    cycles = power_of_two(max(fabric.hop_cycles, fabric.credit_cycles) + 1)
    words = -(-routers // 8)
    summary_words = -(-words // 64)
    source_words = -(-fabric.injectors // 64)
    counts = 8 * routers
    summary = 2 * counts
    sources = summary + cycles * summary_words
    wheel = sources + cycles * source_words
    slots = wheel + cycles * words
    return Net(
        routers=routers,
        hop=fabric.hop_cycles,
        credit=fabric.credit_cycles,
        buffer=fabric.buffer_flits,
        ring=ring,
        wheel_mask=cycles - 1,
        words=words,
        summary_words=summary_words,
        source_words=source_words,
        slots=slots,
        wheel=wheel,
        summary=summary,
        sources=sources,
        counts=counts,
        size=slots + 8 * routers * ring,
    )


def empty_queues(sources: int, largest: int) -> Queues:
    """Make empty source queues for phases of at most ``largest`` packets."""
    return Queues(
        first=np.full(sources, -1, dtype=np.int32),
        last=np.full(sources, -1, dtype=np.int32),
        following=np.empty(largest, dtype=np.int32),
    )
