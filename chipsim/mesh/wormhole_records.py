"""The records the wormhole kernel works on, and how they are laid out for channels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.mesh.adaptive import turns
from chipsim.mesh.fabric import Bytes, Int32, Int64
from chipsim.mesh.layout import power_of_two
from chipsim.mesh.rings import barred_halves
from chipsim.mesh.wormhole_layout import TREES, Channels

OWNED, OUTPUT_TURNS, INPUT_TURNS, ASKED, WAITED, HEADS = range(6)
REQUESTS, HOLDERS, HEAD_TURNS, PASSED, FREE_AT = 8, 16, 24, 32, 40
"""Where things lie in a router's words, see `State`."""
HEAD_TURN_BITS = 6

FIRST, LAST, SENT, LANE, NEXT_LANE = range(5)
"""What is kept of a source, see `Sources`."""

DELAY_SHIFT = 32
INTERVAL_SHIFT = 48


class Sizes(NamedTuple):
    """Plain numbers the kernel needs, and where things lie in ``State.memory``.

    ``router_words`` are the words of a router, ``lane_words`` of a channel, ``port_words`` of the
    channels of an input port; ``channels`` to ``source_look`` are offsets; ``words`` and
    ``source_words`` are the words of a cycle's looks.  ``narrow``: some output carries less than
    a flit a cycle.
    """

    routers: int
    ports: int
    links: int
    locals: int
    vcs: int
    rings: bool
    adaptive: bool
    narrow: bool
    credit: int
    entry_delay: int
    head: int
    head_stages: int
    cut_through: bool
    buffer: int
    ring: int
    wheel_mask: int
    words: int
    source_words: int
    router_words: int
    lane_words: int
    port_words: int
    channels: int
    fronts: int
    look: int
    source_look: int
    size: int


class Ways(NamedTuple):
    """What does not change, 8 entries a router where it is by port.

    ``links`` says where an output leads (32 bits), its delay and its interval (16 bits each).
    On rings only, ``straight`` names for each half of the channels and each output the input
    channels (bit 8 p + v) from which packets go straight on in that half, 8 entries a half, and
    ``barred`` is `chipsim.mesh.rings.barred_halves`; ``turns`` is a mask of the outputs that a
    packet which came in by a port may take (adaptive routing only).
    """

    links: Int64
    upstream: Int32
    straight: Int64
    barred: Bytes
    entry: Int32
    turns: Bytes
    trees: Bytes


class State(NamedTuple):
    """All that changes but the sources.

    ``memory`` holds, one after the other, four things:

    **Routers**, ``router_words`` each: ``OWNED``, byte o: channels of output o that belong to a
    packet; ``OUTPUT_TURNS`` and ``INPUT_TURNS``, 4 bits each: next input of output o, and from bit
    32 on its next channel to be given away; next channel of input p, and its next output;
    ``ASKED``, the outputs with requests; ``WAITED`` (bit 8 p + v): whoever fills
    channel v of input p waits for room; ``HEADS`` (the same bits): the first flit is a head that
    still picks its output (adaptive routing); for each output ``REQUESTS`` (the same bits): a flit
    asks for it, ``HOLDERS`` (the same bits): the first packet has a channel there, ``HEAD_TURNS``,
    6 bits a channel: the input channel (8 p + v) from which on it looks for a head, ``PASSED``,
    flits so far, and ``FREE_AT``, when it can send the next.

    **Channels**, ``lane_words`` each: first and next free slot (12 bits each), outputs that the
    first packet still has to leave by (8 bits, 0 before its head may ask), for each output 1 + the
    channel the packet has there (4 bits); then the slots.  A slot holds a flit (negative: head,
    tail, packet, when it is ready) or the cycle from which the sender may fill it again.

    **Fronts**, for each cycle of the wheel and router: the channels (bit 8 p + v) in which a flit
    may ask from then on.

    **Looks**, for each cycle of the wheel: routers, and sources, to look at, a bit each.

    ``ahead``, 8 entries a channel, is used only while the first packet has several outputs to leave
    by: how many flits behind the first slot each goes on.  ``front_from`` is when a packet behind
    another may ask; it is used only with ``head_cycles``.
    """

    memory: Int64
    ahead: NDArray[np.int16]
    front_from: Int64


class Sources(NamedTuple):
    """The packet after each in its queue, and 8 numbers a source.

    ``FIRST`` and ``LAST`` packet waiting, flits of the first that were ``SENT``, their channel
    (``LANE``), and the channel whose turn is next.
    """

    following: Int32
    state: Int32


class WormholeMesh(NamedTuple):
    """All a kernel works on but packets and book."""

    sizes: Sizes
    ways: Ways
    state: State
    sources: Sources


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
    cycles = power_of_two(longest + 1)
    ring = power_of_two(channels.buffer_flits)
    narrow = int(channels.interval.max()) > 1
    router_words = 48 if narrow else 40
    port_words = channels.vcs * (1 + ring)
    words, source_words = (-(-n // 64) for n in (topology.routers, channels.injector_router.size))
    behind_routers = topology.routers * router_words
    fronts = behind_routers + 8 * topology.routers * port_words
    look = fronts + cycles * topology.routers
    source_look = look + cycles * words
    return Sizes(
        routers=topology.routers,
        ports=channels.ports,
        links=topology.links,
        locals=topology.locals,
        vcs=channels.vcs,
        rings=topology.rings,
        adaptive=channels.routing != TREES,
        narrow=narrow,
        credit=channels.credit_cycles,
        entry_delay=channels.entry_delay,
        head=channels.head_cycles,
        head_stages=channels.head_stages,
        cut_through=channels.cut_through,
        buffer=channels.buffer_flits,
        ring=ring,
        wheel_mask=cycles - 1,
        words=words,
        source_words=source_words,
        router_words=router_words,
        lane_words=1 + ring,
        port_words=port_words,
        channels=behind_routers,
        fronts=fronts,
        look=look,
        source_look=source_look,
        size=source_look + cycles * source_words,
    )


def _straight(channels: Channels) -> Int64:
    """Return `Ways.straight`."""
    topology, vcs = channels.topology, channels.vcs
    lower = (1 << vcs // 2) - 1
    straight = np.zeros((2, 8), dtype=np.int64)
    for output, axis in enumerate(topology.axis[: topology.links]):
        ports = [port for port in range(topology.links) if topology.axis[port] == axis]
        for half, channel in enumerate((lower, lower << vcs // 2)):
            straight[half, output] = sum(channel << 8 * port for port in ports)
    return straight.reshape(-1)


def lay_ways(channels: Channels, trees: Bytes) -> Ways:
    """Return the tables for a kernel run."""
    topology = channels.topology
    links = np.full((topology.routers, 8), -1, dtype=np.int64)
    links[:, : topology.ports] = (
        topology.leads.clip(0).astype(np.int64)
        | channels.delay.astype(np.int64) << DELAY_SHIFT
        | channels.interval.astype(np.int64) << INTERVAL_SHIFT
    )
    upstream = np.zeros(8 * topology.routers, dtype=np.int32)
    router, port = np.nonzero(topology.leads >= 0)
    upstream[topology.leads[router, port]] = 8 * router + port
    entry = (8 * channels.injector_router + channels.injector_port).astype(np.int32)
    upstream[entry] = -1 - np.arange(entry.size, dtype=np.int32)
    allowed = barred = np.zeros(0, dtype=np.uint8)
    if topology.rings:
        barred = barred_halves(topology, trees, channels.ring_classes)
    if channels.routing != TREES:
        allowed = turns(topology, channels.routing)
    return Ways(
        links.reshape(-1),
        upstream,
        _straight(channels),
        barred.reshape(-1),
        entry,
        allowed.reshape(-1),
        trees.reshape(-1),
    )


def empty_state(sizes: Sizes) -> State:
    """Return routers with empty buffers and all credits, and wheels without events."""
    channels = 8 * sizes.routers * sizes.vcs
    return State(
        np.zeros(sizes.size, np.int64),
        np.zeros(8 * channels, np.int16),
        np.zeros(channels if sizes.head else 0, np.int64),
    )


def empty_sources(count: int, largest: int) -> Sources:
    """Return ``count`` sources with empty queues for phases of at most ``largest`` packets."""
    state = np.zeros((count, 8), np.int32)
    state[:, [FIRST, LAST]] = -1
    return Sources(np.empty(largest, np.int32), state.reshape(-1))


def channel_place(sizes: Sizes, target: int, lane: int) -> int:
    """Return where channel ``lane`` of input ``target`` (8 * router + port) lies in the memory."""
    return sizes.channels + target * sizes.port_words + lane * sizes.lane_words


def passed(sizes: Sizes, state: State) -> Int64:
    """Return the flits that left by each output so far: int64 (routers, 8)."""
    routers = state.memory[: sizes.channels].reshape(sizes.routers, sizes.router_words)
    return routers[:, PASSED : PASSED + 8]
