"""What a router of the wormhole kernel chooses: outputs of adaptive heads, channels, winners."""

from __future__ import annotations

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.wormhole_buffers import (
    GIVEN_TURN,
    INPUT_TURN,
    LANE_TURN,
    PACKET_SHIFT,
    U,
    byte,
    first_from,
)
from chipsim.mesh.wormhole_records import Load, Routers, Sizes, Ways


@inlined
def behind_head(
    sizes: Sizes, ways: Ways, routers: Routers, load: Load, base: int, router: int, index: int,
    flit: int,
) -> int:  # fmt: skip
    """Return as a mask the output that the head before ``flit`` took (adaptive routing)."""
    granted = int(routers.granted[U(index)])
    if granted:
        return 1 << (lowest_bit(granted) >> 3)
    tree = int(load.tree[U(base + (flit >> PACKET_SHIFT))])
    return int(np.int64(ways.trees[U(tree * sizes.routers + router)]))


@inlined
def free_slots(sizes: Sizes, routers: Routers, router: int, output: int) -> int:
    """Return the credits of those channels of ``output`` that belong to no packet."""
    owned = byte(routers.owned[U(router)], output)
    total = 0
    for lane in range(sizes.vcs):
        if (owned >> lane) & 1 == 0:
            total += int(routers.credits[U(((router << 3) + output) * sizes.lanes + lane)])
    return total


@inlined
def steer(
    sizes: Sizes, ways: Ways, routers: Routers, load: Load, base: int, router: int
) -> None:  # fmt: skip
    """Let each head that waits ask for the permitted output with most free slots."""
    heads = int(routers.heads[U(router)])
    while heads:
        bit = lowest_bit(heads)
        heads &= heads - 1
        index = ((router << 3) + (bit >> 3)) * sizes.lanes + (bit & 7)
        place = U(index * sizes.ring + (routers.channel[U(index)] & 4095))
        flit = int(routers.flits[place])
        tree = int(load.tree[U(base + (flit >> PACKET_SHIFT))])
        permitted = int(np.int64(ways.trees[U(tree * sizes.routers + router)]))
        permitted &= int(np.int64(ways.turns[U((router << 3) + (bit >> 3))]))
        chosen = lowest_bit(permitted)
        if permitted & (permitted - 1):
            most = -1
            while permitted:
                output = lowest_bit(permitted)
                permitted &= permitted - 1
                free = free_slots(sizes, routers, router, output)
                if free > most:
                    most = free
                    chosen = output
        before = flit & 255
        if before == 1 << chosen:
            continue
        if before:
            here = U((router << 3) + lowest_bit(before))
            routers.requests[here] ^= 1 << bit
            if routers.requests[here] == 0:
                routers.asked[U(router)] ^= before
        routers.flits[place] = (flit & ~255) | (1 << chosen)
        routers.requests[U((router << 3) + chosen)] |= 1 << bit
        routers.asked[U(router)] |= 1 << chosen


@inlined
def lane_for(
    sizes: Sizes, ways: Ways, routers: Routers, load: Load, base: int, router: int,
    port: int, vc: int, output: int,
) -> int:  # fmt: skip
    """Return the channel of ``output`` that a first flit can take now, -1 if none."""
    if output >= sizes.links:
        return 0
    index = ((router << 3) + port) * sizes.lanes + vc
    dry = byte(routers.dry[U(router)], output)
    held = byte(routers.granted[U(index)], output)
    if held:
        return -1 if (dry >> (held - 1)) & 1 else held - 1
    free = (1 << sizes.vcs) - 1
    if sizes.rings:
        half = sizes.vcs >> 1
        upper = (int(ways.dateline[U(router)]) >> output) & 1
        if ways.axis[U(port)] == ways.axis[U(output)] and vc >= half:
            upper = 1
        free = ((1 << half) - 1) << (half * upper)
    free &= ~(dry | byte(routers.owned[U(router)], output))
    if sizes.cut_through:
        first = routers.channel[U(index)] & 4095
        packet = int(routers.flits[U(index * sizes.ring + first)]) >> PACKET_SHIFT
        for lane in range(sizes.vcs):
            credits = routers.credits[U(((router << 3) + output) * sizes.lanes + lane)]
            if credits < load.flits[U(base + packet)]:
                free &= ~(1 << lane)
    if free == 0:
        return -1
    turn = byte(routers.turns[U((router << 2) + GIVEN_TURN)], output)
    return first_from(free, turn, sizes.vcs)


@inlined
def choose(
    sizes: Sizes, ways: Ways, routers: Routers, load: Load, base: int, router: int, output: int
) -> int:
    """Return which channel ``output`` grants: lane << 6 | port << 3 | vc, -1 for none."""
    rest = int(routers.requests[U((router << 3) + output)])
    turn = byte(routers.turns[U((router << 2) + INPUT_TURN)], output)
    lane_turns = int(routers.turns[U((router << 2) + LANE_TURN)])
    best = 1 << 30
    choice = -1
    while rest:
        bit = lowest_bit(rest)
        rest &= rest - 1
        port = bit >> 3
        vc = bit & 7
        rank = port - turn
        if rank < 0:
            rank += sizes.ports
        offset = vc - byte(lane_turns, port)
        if offset < 0:
            offset += sizes.vcs
        rank = (rank << 3) + offset
        if rank < best:
            lane = lane_for(sizes, ways, routers, load, base, router, port, vc, output)
            if lane >= 0:
                best = rank
                choice = (lane << 6) | bit
    return choice
