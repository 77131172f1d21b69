"""The records the wormhole kernel works on, and how they are laid out for channels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chipsim.mesh.adaptive import turns
from chipsim.mesh.fabric import Bytes, Int32, Int64
from chipsim.mesh.layout import power_of_two
from chipsim.mesh.topology import MAX_PORTS
from chipsim.mesh.wormhole_layout import TREES, Channels


class Sizes(NamedTuple):
    """Plain numbers the kernel needs; ``lanes`` is ``vcs`` rounded up to a power of two."""

    routers: int
    ports: int
    links: int
    locals: int
    vcs: int
    lanes: int
    rings: bool
    adaptive: bool
    credit: int
    entry_delay: int
    head: int
    cut_through: bool
    ring: int
    wheel_mask: int
    words: int
    sources: int
    source_words: int


class Ways(NamedTuple):
    """What does not change, 8 entries a router where it is by port.

    ``dateline`` is a mask of outputs for each router, ``turns`` of those that a packet which came
    in by a port may take (adaptive routing only).
    """

    leads: Int32
    upstream: Int32
    delay: Int32
    interval: Int32
    dateline: Int32
    axis: Int32
    entry: Int32
    turns: Bytes
    trees: Bytes


class Wheel(NamedTuple):
    """What is to happen in each of the next cycles.

    Routers to look at (a bit each); of each router the channels whose first flit may ask from then
    on, and the returned credits of its outputs; the same for sources.
    """

    look: Int64
    fronts: Int64
    credits: Int64
    source_look: Int64
    source_credits: Int64


class Routers(NamedTuple):
    """The state of the routers.

    By output: ``requests`` (bit 8 p + v: the first flit of channel v of input p wants it),
    ``free_at``, and ``passed``, the flits so far.  By router: ``asked``, the outputs with
    requests; ``heads`` (bit 8 p + v), the channels whose first flit is a head that still picks its
    output (adaptive routing); ``owned`` and ``dry``, byte o: channels of output o that belong to a
    packet, that have no credit; ``turns``, 4 words, a byte each: next input of each output, next
    channel of each input, next channel given away by each output, next output of each input.
    By output channel: ``credits``.  By input channel: ``channel`` (12 bits first slot, 12 bits
    flits held, then the outputs that its last packet wants), ``front_from`` (when a packet behind
    the last may ask), ``granted`` (byte o: 1 + the channel its packet has at output o).  By slot:
    ``flits`` (ports left to leave by, head, tail, packet) and ``ready``.
    """

    requests: Int64
    asked: Int64
    heads: Int64
    free_at: Int64
    owned: Int64
    dry: Int64
    turns: Int64
    credits: Int64
    channel: Int64
    front_from: Int64
    granted: Int64
    flits: Int64
    ready: Int64
    passed: Int64


class Sources(NamedTuple):
    """Source queues, flits of the first packet that went, its channel, credits, next channel."""

    first: Int32
    last: Int32
    following: Int32
    sent: Int32
    lane: Int32
    credits: Int64
    turn: Int32


class Load(NamedTuple):
    """The packets of all phases, with their flits."""

    injector: Int32
    inject: Int64
    tree: Int32
    flits: Int32


def lay_sizes(channels: Channels) -> Sizes:
    """Return the numbers for a kernel run."""
    topology = channels.topology
    longest = max(
        int(channels.delay.max()),
        int(channels.interval.max()),
        channels.credit_cycles,
        channels.entry_delay,
        channels.head_cycles + 1,
    )
    sources = int(channels.injector_router.size)
    return Sizes(
        routers=topology.routers,
        ports=channels.ports,
        links=topology.links,
        locals=topology.locals,
        vcs=channels.vcs,
        lanes=power_of_two(channels.vcs),
        rings=topology.rings,
        adaptive=channels.routing != TREES,
        credit=channels.credit_cycles,
        entry_delay=channels.entry_delay,
        head=channels.head_cycles,
        cut_through=channels.cut_through,
        ring=power_of_two(channels.buffer_flits),
        wheel_mask=power_of_two(longest + 1) - 1,
        words=-(-topology.routers // 64),
        sources=sources,
        source_words=-(-sources // 64),
    )


def lay_ways(channels: Channels, trees: Bytes) -> Ways:
    """Return the tables for a kernel run."""
    topology = channels.topology

    def by_port(table: Int32, missing: int) -> Int32:
        wide = np.full((topology.routers, 8), missing, dtype=np.int32)
        wide[:, : topology.ports] = table
        return wide.reshape(-1)

    upstream = np.zeros(8 * topology.routers, dtype=np.int32)
    router, port = np.nonzero(topology.leads >= 0)
    upstream[topology.leads[router, port]] = 8 * router + port
    entry = (8 * channels.injector_router + channels.injector_port).astype(np.int32)
    upstream[entry] = -1 - np.arange(entry.size, dtype=np.int32)
    allowed = np.zeros(0, dtype=np.uint8)
    if channels.routing != TREES:
        allowed = turns(topology, channels.routing)
    weights = 1 << np.arange(topology.ports, dtype=np.int32)
    return Ways(
        by_port(topology.leads, -1),
        upstream,
        by_port(channels.delay, 0),
        by_port(channels.interval, 1),
        (topology.dateline @ weights).astype(np.int32),
        np.append(topology.axis, MAX_PORTS).astype(np.int32),
        entry,
        allowed.reshape(-1),
        trees.reshape(-1),
    )


def empty_wheel(sizes: Sizes) -> Wheel:
    """Return a wheel without events."""
    cycles = sizes.wheel_mask + 1
    return Wheel(
        np.zeros(cycles * sizes.words, np.int64),
        np.zeros(cycles * sizes.routers, np.int64),
        np.zeros(cycles * sizes.routers, np.int64),
        np.zeros(cycles * sizes.source_words, np.int64),
        np.zeros(cycles * sizes.sources, np.int64),
    )


def empty_routers(sizes: Sizes, buffer_flits: int) -> Routers:
    """Return routers with empty buffers and all credits."""
    ports = 8 * sizes.routers
    channels = ports * sizes.lanes
    return Routers(
        requests=np.zeros(ports, np.int64),
        asked=np.zeros(sizes.routers, np.int64),
        heads=np.zeros(sizes.routers, np.int64),
        free_at=np.zeros(ports, np.int64),
        owned=np.zeros(sizes.routers, np.int64),
        dry=np.zeros(sizes.routers, np.int64),
        turns=np.zeros(4 * sizes.routers, np.int64),
        credits=np.full(channels, buffer_flits, np.int64),
        channel=np.zeros(channels, np.int64),
        front_from=np.zeros(channels, np.int64),
        granted=np.zeros(channels, np.int64),
        flits=np.zeros(channels * sizes.ring, np.int64),
        ready=np.zeros(channels * sizes.ring, np.int64),
        passed=np.zeros(ports, np.int64),
    )


def empty_sources(sizes: Sizes, buffer_flits: int, largest: int) -> Sources:
    """Return sources with empty queues for phases of at most ``largest`` packets."""
    return Sources(
        first=np.full(sizes.sources, -1, np.int32),
        last=np.full(sizes.sources, -1, np.int32),
        following=np.empty(largest, np.int32),
        sent=np.zeros(sizes.sources, np.int32),
        lane=np.zeros(sizes.sources, np.int32),
        credits=np.full(sizes.sources * sizes.lanes, buffer_flits, np.int64),
        turn=np.zeros(sizes.sources, np.int32),
    )
