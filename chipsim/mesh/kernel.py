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

import numpy as np

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.fabric import Bytes, Int32, Int64
from chipsim.mesh.layout import Book, Net, Phase, Queues, Tables, Traffic

REQUESTS, TURNS, READY, HEAD, TAIL, WAITED = range(6)
"""Words of a router: requests; next turn of each output (a byte each, and the phase they are
of); per input, 12 bits each: ready flits, first and next free slot; inputs waited for upstream."""

U = np.uint64
TAKEN = 1 << 62
TREE_SHIFT = 5
PACKET_SHIFT = 31
TREE_MASK = (1 << (PACKET_SHIFT - TREE_SHIFT)) - 1
PACKET_MASK = (1 << (62 - PACKET_SHIFT)) - 1
PHASE_SHIFT = 40
PHASE_TAGS = 1 << 20
LOOK = 5
LOCAL = 4
EJECT = 2

LAST, COUNT, SUM, MAX = range(4)


@inlined
def wake(net: Net, memory: Int64, time: int, router: int, bit: int) -> None:
    """Set a bit of ``router`` in the slot of cycle ``time``."""
    slot = time & net.wheel_mask
    word = router >> 3
    memory[U(net.wheel + slot * net.words + word)] |= 1 << (((router & 7) << 3) + bit)
    memory[U(net.summary + slot * net.summary_words + (word >> 6))] |= 1 << (word & 63)


@inlined
def wake_source(net: Net, memory: Int64, time: int, injector: int) -> None:
    """Let ``injector`` try again in cycle ``time``."""
    slot = time & net.wheel_mask
    place = U(net.sources + slot * net.source_words + (injector >> 6))
    memory[place] |= 1 << (injector & 63)


@inlined
def free_from(net: Net, memory: Int64, target: int) -> int:
    """Return the cycle from which input ``target`` takes a flit; TAKEN or more when full."""
    tail = (memory[U((target & -8) + TAIL)] >> (12 * (target & 7))) & 4095
    place = target * net.ring + ((tail - net.buffer) & (net.ring - 1))
    return int(memory[U(net.slots + place)])


@inlined
def enter(
    net: Net, memory: Int64, trees: Bytes, ready: int, target: int, packet: int, tree: int
) -> None:
    """Put a flit into input ``target``; it can leave from cycle ``ready`` on."""
    router = target >> 3
    port = target & 7
    shift = 12 * port
    place = U((router << 3) + TAIL)
    tails = memory[place]
    tail = (tails >> shift) & 4095
    memory[place] = tails ^ ((tail ^ ((tail + 1) & (net.ring - 1))) << shift)
    ports = trees[U(tree * net.routers + router)]
    flit = TAKEN | (packet << PACKET_SHIFT) | (tree << TREE_SHIFT) | ports
    memory[U(net.slots + target * net.ring + tail)] = flit
    wake(net, memory, ready, router, port)


@inlined
def spread(ports: int) -> int:
    """Return a word with bit 0 of byte o set for each bit o of ``ports``."""
    return (ports * 0x10204081) & 0x0101010101


@inlined
def accept(net: Net, memory: Int64, router: int, arrived: int) -> int:
    """Count the flits that became ready; return the requests with those now first in line."""
    base = router << 3
    requests = int(memory[U(base + REQUESTS)])
    if arrived == 0:
        return requests
    ready = memory[U(base + READY)]
    heads = memory[U(base + HEAD)]
    while arrived:
        port = lowest_bit(arrived)
        arrived &= arrived - 1
        shift = 12 * port
        if (ready >> shift) & 4095 == 0:
            place = (base + port) * net.ring + ((heads >> shift) & 4095)
            requests |= spread(memory[U(net.slots + place)] & 31) << port
        ready += 1 << shift
    memory[U(base + READY)] = ready
    return requests


@inlined
def release(net: Net, memory: Int64, upstream: Int32, t: int, router: int, port: int) -> int:
    """Free the first slot of an input; return the requests of the flit behind it."""
    base = router << 3
    shift = 12 * port
    heads = memory[U(base + HEAD)]
    head = (heads >> shift) & 4095
    following = (head + 1) & (net.ring - 1)
    ring = net.slots + (base + port) * net.ring
    memory[U(ring + head)] = t + net.credit
    memory[U(base + HEAD)] = heads ^ ((head ^ following) << shift)
    waited = memory[U(base + WAITED)]
    if (waited >> port) & 1:
        memory[U(base + WAITED)] = waited ^ (1 << port)
        sender = int(upstream[U(base + port)])
        if sender >= 0:
            wake(net, memory, t + net.credit, sender, LOOK)
        else:
            wake_source(net, memory, t + net.credit, -1 - sender)
    ready = memory[U(base + READY)] - (1 << shift)
    memory[U(base + READY)] = ready
    if (ready >> shift) & 4095:
        return spread(int(memory[U(ring + following)]) & 31) << port
    return 0


@inlined
def deliver(book: Book, inject: Int64, packet: int, router: int, cycle: int) -> None:
    """Write down that ``packet`` arrived at ``cycle`` of its phase."""
    tally = book.tally
    latency = cycle - inject[U(packet)]
    tally[LAST] = max(tally[LAST], cycle)
    tally[COUNT] += 1
    tally[SUM] += latency
    tally[MAX] = max(tally[MAX], latency)
    if book.ptr.size:
        low, high = book.ptr[packet], book.ptr[packet + 1]
        book.cycle[low + np.searchsorted(book.router[low:high], router)] = cycle


@inlined
def blocked_until(net: Net, memory: Int64, t: int, target: int) -> int:
    """Return 0 if input ``target`` takes a flit in cycle t, else when to look again.

    That is -1 when the buffer is full: it will wake whoever fills it, once it gives up a flit.
    """
    free = free_from(net, memory, target)
    if free <= t:
        return 0
    if free < TAKEN:
        return free
    memory[U((target & -8) + WAITED)] |= 1 << (target & 7)
    return -1


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
    if turns >> PHASE_SHIFT != phase.tag:
        turns = phase.tag << PHASE_SHIFT
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
        else:
            cycle = t + EJECT - phase.start
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
def run_phase(
    net: Net,
    tables: Tables,
    memory: Int64,
    queues: Queues,
    traffic: Traffic,
    book: Book,
    phase: Phase,
    order: Int32,
) -> int:
    """Run a phase whose packets ``order`` lists by inject cycle; return the cycle after its end.

    Its cycle 0 must lie later on the wheel than any credit of the phase before.
    """
    t = phase.start
    queued = 0
    idle = net.wheel_mask + 1
    while True:
        if idle > net.wheel_mask:
            if queued == phase.packets:
                return t
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
