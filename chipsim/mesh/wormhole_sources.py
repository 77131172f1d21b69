"""Sources of the wormhole kernel: queues of packets that go into a router flit by flit."""

from __future__ import annotations

from chipsim.kernels.compiled import inlined
from chipsim.mesh.book import Phase
from chipsim.mesh.wormhole_buffers import (
    HEAD,
    PACKET_SHIFT,
    TAIL,
    TAKEN,
    U,
    blocked_until,
    enter,
    first_from,
    look_at_source,
)
from chipsim.mesh.wormhole_records import (
    FIRST,
    LANE,
    LAST,
    NEXT_LANE,
    SENT,
    Load,
    Sizes,
    Sources,
    State,
    Ways,
)


@inlined
def inject(
    sizes: Sizes, ways: Ways, state: State, sources: Sources, load: Load, phase: Phase, t: int,
    source: int,
) -> None:  # fmt: skip
    """Let one source send a flit in cycle ``t``."""
    me = source << 3
    packet = int(sources.state[U(me + FIRST)])
    if packet < 0:
        return
    sent = int(sources.state[U(me + SENT)])
    size = int(load.flits[U(phase.base + packet)])
    target = int(ways.entry[U(source)])
    lane = int(sources.state[U(me + LANE)])
    flit = TAKEN | (packet << PACKET_SHIFT)
    ready = t + sizes.entry_delay
    if sent:
        ready -= sizes.head_stages
        until = blocked_until(sizes, state, t, target, lane, 1)
    else:
        flit |= HEAD
        needed = size if sizes.cut_through else 1
        until = 1
        free = (1 << sizes.vcs) - 1
        while free:
            lane = first_from(free, int(sources.state[U(me + NEXT_LANE)]), sizes.vcs)
            until = blocked_until(sizes, state, t, target, lane, needed)
            if until == 0:
                break
            if until > 0:
                look_at_source(sizes, state, until, source)
            free ^= 1 << lane
    if until:
        if sent and until > 0:
            look_at_source(sizes, state, until, source)
        return
    if sent == 0:
        sources.state[U(me + LANE)] = lane
        sources.state[U(me + NEXT_LANE)] = lane + 1 if lane + 1 < sizes.vcs else 0
    sent += 1
    if sent == size:
        flit |= TAIL
        sent = 0
        packet = int(sources.following[U(packet)])
        sources.state[U(me + FIRST)] = packet
    sources.state[U(me + SENT)] = sent
    enter(sizes, state, ready, target, lane, flit)
    if packet >= 0:
        look_at_source(sizes, state, t + 1, source)


@inlined
def append(sizes: Sizes, state: State, sources: Sources, t: int, source: int, packet: int) -> None:
    """Append a packet that is ready now to its source queue."""
    me = source << 3
    sources.following[U(packet)] = -1
    if sources.state[U(me + FIRST)] < 0:
        sources.state[U(me + FIRST)] = packet
        look_at_source(sizes, state, t, source)
    else:
        sources.following[U(sources.state[U(me + LAST)])] = packet
    sources.state[U(me + LAST)] = packet
