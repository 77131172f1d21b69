"""The compiled wormhole mesh: any topology, flits, virtual channels, multicast.

The router is told in `chipsim.mesh.wormhole_reference`.  As in `chipsim.mesh.kernel`, time moves
over a wheel whose slots are bit sets of routers, and all that is done in cycle t is seen at t + 1
or later.  A channel (virtual channel of an input port) has at most one event under way: the cycle
from which its first flit may ask for outputs, known as soon as that flit is first in line.
"""

from __future__ import annotations

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.fabric import Int32
from chipsim.mesh.kernel import deliver
from chipsim.mesh.layout import Book, Phase
from chipsim.mesh.wormhole_buffers import (
    GIVEN_TURN,
    HEAD,
    INPUT_TURN,
    LANE_TURN,
    OUTPUT_TURN,
    PACKET_SHIFT,
    TAIL,
    U,
    byte,
    enter,
    first_from,
    leave,
    look_at,
    look_at_source,
    set_turn,
)
from chipsim.mesh.wormhole_choice import behind_head, choose, steer
from chipsim.mesh.wormhole_records import Load, Routers, Sizes, Sources, Ways, Wheel

EJECT = 2


@inlined
def land(
    sizes: Sizes, ways: Ways, wheel: Wheel, routers: Routers, load: Load, base: int, t: int,
    router: int,
) -> None:  # fmt: skip
    """Take in what comes in cycle ``t``: credits, and requests of first flits."""
    place = U((t & sizes.wheel_mask) * sizes.routers + router)
    came = int(wheel.credits[place])
    if came:
        wheel.credits[place] = 0
        routers.dry[U(router)] &= ~came
        while came:
            bit = lowest_bit(came)
            came &= came - 1
            routers.credits[U(((router << 3) + (bit >> 3)) * sizes.lanes + (bit & 7))] += 1
    fronts = int(wheel.fronts[place])
    if fronts:
        wheel.fronts[place] = 0
        while fronts:
            bit = lowest_bit(fronts)
            fronts &= fronts - 1
            index = ((router << 3) + (bit >> 3)) * sizes.lanes + (bit & 7)
            place = U(index * sizes.ring + (routers.channel[U(index)] & 4095))
            flit = int(routers.flits[place])
            if sizes.adaptive:
                if flit & HEAD:
                    routers.heads[U(router)] |= 1 << bit
                    continue
                flit |= behind_head(sizes, ways, routers, load, base, router, index, flit)
                routers.flits[place] = flit
            wanted = flit & 255
            routers.asked[U(router)] |= wanted
            while wanted:
                routers.requests[U((router << 3) + lowest_bit(wanted))] |= 1 << bit
                wanted &= wanted - 1


@inlined
def transmit(
    sizes: Sizes, ways: Ways, wheel: Wheel, routers: Routers, load: Load, book: Book,
    phase: Phase, t: int, router: int, bit: int, output: int, lane: int,
) -> None:  # fmt: skip
    """Send the first flit of channel ``bit`` by ``output`` into its channel ``lane``."""
    here = (router << 3) + output
    port = bit >> 3
    index = ((router << 3) + port) * sizes.lanes + (bit & 7)
    place = U(index * sizes.ring + (routers.channel[U(index)] & 4095))
    flit = int(routers.flits[place]) ^ (1 << output)
    routers.flits[place] = flit
    packet = flit >> PACKET_SHIFT
    if sizes.adaptive and flit & HEAD:
        routers.heads[U(router)] ^= 1 << bit
    requests = routers.requests[U(here)] ^ (1 << bit)
    routers.requests[U(here)] = requests
    if requests == 0:
        routers.asked[U(router)] ^= 1 << output
    routers.passed[U(here)] += 1
    routers.free_at[U(here)] = t + ways.interval[U(here)]
    set_turn(routers, router, INPUT_TURN, output, port + 1 if port + 1 < sizes.ports else 0)
    if output >= sizes.links:
        if flit & TAIL:
            core = router * sizes.locals + output - sizes.links
            cycle = t + EJECT - phase.start
            deliver(book, load.inject, phase.base + packet, core, cycle)
        return
    shift = output << 3
    if flit & HEAD:
        set_turn(routers, router, GIVEN_TURN, output, lane + 1 if lane + 1 < sizes.vcs else 0)
        if flit & TAIL == 0:
            routers.granted[U(index)] |= (lane + 1) << shift
            routers.owned[U(router)] |= 1 << (shift + lane)
    elif flit & TAIL:
        routers.granted[U(index)] &= ~(255 << shift)
        routers.owned[U(router)] &= ~(1 << (shift + lane))
    credit = U(here * sizes.lanes + lane)
    routers.credits[credit] -= 1
    if routers.credits[credit] == 0:
        routers.dry[U(router)] |= 1 << (shift + lane)
    copy = flit & ~255
    ready = t + ways.delay[U(here)]
    target = int(ways.leads[U(here)])
    enter(sizes, ways, wheel, routers, load, phase.base, ready, target, lane, copy)


@inlined
def accept(
    sizes: Sizes, ways: Ways, wheel: Wheel, routers: Routers, load: Load, book: Book,
    phase: Phase, t: int, router: int, granting: int, chosen: int, lanes: int,
) -> None:  # fmt: skip
    """Let each input port accept a channel, and send its flit by all outputs that grant it."""
    while granting:
        port = byte(chosen, lowest_bit(granting)) >> 3
        mates = 0
        rest = granting
        while rest:
            output = lowest_bit(rest)
            rest &= rest - 1
            if byte(chosen, output) >> 3 == port:
                mates |= 1 << output
        granting &= ~mates
        turn = byte(routers.turns[U((router << 2) + OUTPUT_TURN)], port)
        winner = first_from(mates, turn, sizes.ports)
        bit = byte(chosen, winner)
        vc = bit & 7
        set_turn(routers, router, OUTPUT_TURN, port, winner + 1 if winner + 1 < sizes.ports else 0)
        set_turn(routers, router, LANE_TURN, port, vc + 1 if vc + 1 < sizes.vcs else 0)
        while mates:
            output = lowest_bit(mates)
            mates &= mates - 1
            if byte(chosen, output) == bit:
                lane = byte(lanes, output)
                transmit(
                    sizes, ways, wheel, routers, load, book, phase, t, router, bit, output, lane
                )
        target = (router << 3) + port
        index = target * sizes.lanes + vc
        flit = int(routers.flits[U(index * sizes.ring + (routers.channel[U(index)] & 4095))])
        if flit & 255 == 0:
            leave(sizes, ways, wheel, routers, t, target, vc, flit & TAIL)


@inlined
def look(
    sizes: Sizes, ways: Ways, wheel: Wheel, routers: Routers, load: Load, book: Book,
    phase: Phase, t: int, router: int,
) -> None:  # fmt: skip
    """Let one router grant its outputs in cycle ``t``."""
    land(sizes, ways, wheel, routers, load, phase.base, t, router)
    if sizes.adaptive:
        steer(sizes, ways, routers, load, phase.base, router)
    granting = 0
    chosen = 0
    lanes = 0
    asked = int(routers.asked[U(router)])
    while asked:
        output = lowest_bit(asked)
        asked &= asked - 1
        free_at = routers.free_at[U((router << 3) + output)]
        if free_at > t:
            look_at(sizes, wheel, free_at, router)
            continue
        choice = choose(sizes, ways, routers, load, phase.base, router, output)
        if choice >= 0:
            granting |= 1 << output
            chosen |= (choice & 63) << (output << 3)
            lanes |= (choice >> 6) << (output << 3)
    if granting:
        accept(
            sizes, ways, wheel, routers, load, book, phase, t, router, granting, chosen, lanes
        )  # fmt: skip
        if routers.asked[U(router)]:
            look_at(sizes, wheel, t + 1, router)


@inlined
def inject(
    sizes: Sizes, ways: Ways, wheel: Wheel, routers: Routers, sources: Sources, load: Load,
    phase: Phase, t: int, source: int,
) -> None:  # fmt: skip
    """Let one source send a flit in cycle ``t``."""
    place = U((t & sizes.wheel_mask) * sizes.sources + source)
    came = int(wheel.source_credits[place])
    wheel.source_credits[place] = 0
    base = source * sizes.lanes
    while came:
        sources.credits[U(base + lowest_bit(came))] += 1
        came &= came - 1
    packet = int(sources.first[source])
    if packet < 0:
        return
    sent = int(sources.sent[source])
    size = int(load.flits[phase.base + packet])
    needed = size if sent == 0 and sizes.cut_through else 1
    lane = int(sources.lane[source])
    if sent == 0:
        free = 0
        for vc in range(sizes.vcs):
            if sources.credits[U(base + vc)] >= needed:
                free |= 1 << vc
        if free == 0:
            return
        lane = first_from(free, int(sources.turn[source]), sizes.vcs)
        sources.lane[source] = lane
        sources.turn[source] = lane + 1 if lane + 1 < sizes.vcs else 0
    elif sources.credits[U(base + lane)] == 0:
        return
    sources.credits[U(base + lane)] -= 1
    flit = packet << PACKET_SHIFT
    if sent == 0:
        flit |= HEAD
    sent += 1
    if sent == size:
        flit |= TAIL
        sent = 0
        sources.first[source] = sources.following[packet]
    sources.sent[source] = sent
    target = int(ways.entry[source])
    ready = t + sizes.entry_delay
    enter(sizes, ways, wheel, routers, load, phase.base, ready, target, lane, flit)
    if sources.first[source] >= 0:
        look_at_source(sizes, wheel, t + 1, source)


@compiled
def run_phase(
    sizes: Sizes, ways: Ways, wheel: Wheel, routers: Routers, sources: Sources, load: Load,
    book: Book, phase: Phase, order: Int32,
) -> int:  # fmt: skip
    """Run a phase whose packets ``order`` lists by inject cycle; return the cycle after its end."""
    t = phase.start
    queued = 0
    idle = sizes.wheel_mask + 1
    while True:
        if idle > sizes.wheel_mask:
            if queued == phase.packets:
                return t
            t = phase.start + load.inject[phase.base + order[queued]]
        idle += 1
        while queued < phase.packets:
            packet = int(order[queued])
            if phase.start + load.inject[phase.base + packet] != t:
                break
            source = int(load.injector[phase.base + packet])
            sources.following[packet] = -1
            if sources.first[source] < 0:
                sources.first[source] = packet
            else:
                sources.following[sources.last[source]] = packet
            sources.last[source] = packet
            look_at_source(sizes, wheel, t, source)
            queued += 1
        slot = t & sizes.wheel_mask
        for index in range(sizes.source_words):
            place = U(slot * sizes.source_words + index)
            word = int(wheel.source_look[place])
            if word:
                idle = 0
                wheel.source_look[place] = 0
                while word:
                    source = (index << 6) + lowest_bit(word)
                    word &= word - 1
                    inject(sizes, ways, wheel, routers, sources, load, phase, t, source)
        for index in range(sizes.words):
            place = U(slot * sizes.words + index)
            word = int(wheel.look[place])
            if word:
                idle = 0
                wheel.look[place] = 0
                while word:
                    router = (index << 6) + lowest_bit(word)
                    word &= word - 1
                    look(sizes, ways, wheel, routers, load, book, phase, t, router)
        t += 1
