"""Input buffers of the one-flit kernel: when routers are looked at, and how flits come and go."""

from __future__ import annotations

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.fabric import Bytes, Int32, Int64
from chipsim.mesh.layout import Net

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
