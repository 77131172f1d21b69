"""The compiled mesh: one-flit packets, one virtual channel, credits, multicast trees.

Time moves over a *wheel* of cycles.  A slot of the wheel has a byte for each router: bits 0-4 say
that a flit becomes ready at that input port, bit 5 that the router must look again.  Scanning a
slot finds the routers with work; setting a bit twice costs nothing; empty cycles cost nothing.

- A router keeps a word of requests: byte o holds the inputs whose first flit wants output o.
- A slot of an input buffer holds either a flit (bit 62 set) or the cycle from which the upstream
  router may fill it again, so credits need no events: "free" is ``slot <= t``.
- A router whose request is blocked by a full buffer leaves a mark there and is woken when the
  buffer gives up a flit; blocked by a credit on its way, it wakes when that is due.

Everything done in cycle t is seen at t + 1 or later, so neither the order in which the routers of
a cycle are looked at nor a useless wake-up can change a result.
"""

from __future__ import annotations

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.kernels.prefetch import prefetch
from chipsim.mesh.book import Book, Phase, deliver
from chipsim.mesh.fabric import EJECT_CYCLES, LOCAL, Int32, Int64
from chipsim.mesh.layout import Net, OneFlitMesh, Queues, Tables, Traffic
from chipsim.mesh.one_flit_buffers import (
    HEAD,
    LOOK,
    PACKET_MASK,
    PACKET_SHIFT,
    PHASE_SHIFT,
    PHASE_TAGS,
    REQUESTS,
    TREE_MASK,
    TREE_SHIFT,
    TURNS,
    U,
    accept,
    blocked_until,
    enter,
    release,
    wake,
    wake_source,
)

MANY = 256
"""From so many routers on the trees are fetched into the cache ahead."""


@inlined
def look(
    net: Net,
    tables: Tables,
    memory: Int64,
    traffic: Traffic,
    book: Book,
    phase: Phase,
    t: int,
    router: int,
    event: int,
) -> None:
    """Let one router grant its outputs in cycle ``t``."""
    here = router << 3
    requests = accept(net, memory, router, event & 31)
    turns = int(memory[U(here + TURNS)])
    tag = phase.number & (PHASE_TAGS - 1)
    if turns >> PHASE_SHIFT != tag:
        turns = tag << PHASE_SHIFT
    behind = 0
    blocked = 0
    rest = requests
    while rest:
        shift = lowest_bit(rest) & -8
        asking = (rest >> shift) & 31
        rest &= ~(31 << shift)
        output = shift >> 3
        target = int(tables.leads[U(here + output)])
        if output != LOCAL:
            until = blocked_until(net, memory, t, target)
            if until != 0:
                blocked |= 31 << shift
                if until > 0:
                    wake(net, memory, until, router, LOOK)
                continue
        turn = (turns >> shift) & 7
        port = turn + lowest_bit((asking | (asking << 5)) >> turn)
        if port >= 5:
            port -= 5
        turns ^= (turn ^ (port + 1 if port < 4 else 0)) << shift
        requests ^= 1 << (shift + port)
        head = (memory[U(here + HEAD)] >> (12 * port)) & 4095
        place = U(net.slots + (here + port) * net.ring + head)
        flit = memory[place] ^ (1 << output)
        packet = (flit >> PACKET_SHIFT) & PACKET_MASK
        if flit & 31:
            memory[place] = flit
        else:
            behind |= release(net, memory, tables.upstream, t, router, port)
        memory[U(net.counts + here + output)] += 1
        if output != LOCAL:
            tree = (flit >> TREE_SHIFT) & TREE_MASK
            enter(net, memory, tables.trees, t + net.hop, target, packet, tree)
            if net.routers >= MANY:
                # Most packets go straight on; the trees of many routers do not fit the cache.
                after = tables.leads[U((target & -8) + output)] >> 3
                prefetch(tables.trees, U(tree * net.routers + after))
        else:
            cycle = t + EJECT_CYCLES - phase.start
            deliver(book, traffic.inject, phase.base + packet, router, cycle)
    requests |= behind
    memory[U(here + TURNS)] = turns
    memory[U(here + REQUESTS)] = requests
    if (requests & ~blocked) | behind:
        wake(net, memory, t + 1, router, LOOK)


@inlined
def inject_one(
    net: Net,
    tables: Tables,
    memory: Int64,
    queues: Queues,
    traffic: Traffic,
    phase: Phase,
    t: int,
    injector: int,
) -> None:
    """Move the first packet of a source queue into the mesh if there is room."""
    target = int(tables.entry[injector])
    until = blocked_until(net, memory, t, target)
    if until == 0:
        packet = int(queues.first[injector])
        following = queues.following[packet]
        queues.first[injector] = following
        tree = int(traffic.tree[phase.base + packet])
        enter(net, memory, tables.trees, t + net.hop, target, packet, tree)
        until = t + 1 if following >= 0 else 0
    if until > 0:
        wake_source(net, memory, until, injector)


@inlined
def append(net: Net, memory: Int64, queues: Queues, t: int, injector: int, packet: int) -> None:
    """Append a packet that is ready now to its source queue."""
    queues.following[packet] = -1
    if queues.first[injector] < 0:
        queues.first[injector] = packet
        wake_source(net, memory, t, injector)
    else:
        queues.following[queues.last[injector]] = packet
    queues.last[injector] = packet


@compiled
def run_phase(mesh: OneFlitMesh, traffic: Traffic, book: Book, phase: Phase, order: Int32) -> int:
    """Run a phase as `chipsim.mesh.phase_runs.run_one` says."""
    net, tables, memory, queues = mesh
    if phase.number & (PHASE_TAGS - 1) == 0:
        memory[TURNS : 8 * net.routers : 8] = 0
    t = phase.start
    queued = 0
    idle = net.wheel_mask + 1
    while True:
        if idle > net.wheel_mask:
            if queued == phase.packets:
                return t + net.credit
            t = phase.start + traffic.inject[phase.base + order[queued]]
        idle += 1
        while queued < phase.packets:
            packet = int(order[queued])
            if phase.start + traffic.inject[phase.base + packet] != t:
                break
            append(net, memory, queues, t, int(traffic.injector[phase.base + packet]), packet)
            queued += 1
        slot = t & net.wheel_mask
        for index in range(net.source_words):
            place = U(net.sources + slot * net.source_words + index)
            word = int(memory[place])
            if word:
                idle = 0
                memory[place] = 0
                while word:
                    source = (index << 6) + lowest_bit(word)
                    word &= word - 1
                    inject_one(net, tables, memory, queues, traffic, phase, t, source)
        for index in range(net.summary_words):
            place = U(net.summary + slot * net.summary_words + index)
            filled = int(memory[place])
            if filled:
                idle = 0
                memory[place] = 0
                while filled:
                    number = (index << 6) + lowest_bit(filled)
                    filled &= filled - 1
                    where = U(net.wheel + slot * net.words + number)
                    word = int(memory[where])
                    memory[where] = 0
                    while word:
                        shift = lowest_bit(word) & -8
                        event = (word >> shift) & 255
                        word &= ~(255 << shift)
                        router = (number << 3) + (shift >> 3)
                        look(net, tables, memory, traffic, book, phase, t, router, event)
        t += 1
