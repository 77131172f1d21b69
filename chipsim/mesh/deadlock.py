"""Who waits for whom, once the mesh stands still with packets in it.

A packet that is first in its channel waits for the channel of an output: because another packet
holds it, or because the buffer at its far end is full, so that it waits for the packet in front
there.  Nothing moves any more, so following these from any packet leads into a circle.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chipsim.chip import MESH_STEPS, STEP_NAMES, TRIANGLE_STEPS
from chipsim.mesh.wormhole_buffers import PACKET_SHIFT
from chipsim.mesh.wormhole_layout import Channels
from chipsim.mesh.wormhole_records import Routers, Sizes, Ways

SHOWN = 12
"""At most so many packets of a circle are written out."""


class Channel(NamedTuple):
    """A virtual channel of an input port."""

    router: int
    port: int
    lane: int


class Wait(NamedTuple):
    """Packet ``packet`` in ``channel`` waits for link ``output``: ``held`` or full by ``after``."""

    packet: int
    channel: Channel
    output: int
    held: bool
    after: Channel


class Standstill:
    """The state of a mesh in which nothing moves."""

    def __init__(self, channels: Channels, sizes: Sizes, ways: Ways, routers: Routers) -> None:
        self.channels, self.sizes, self.ways, self.routers = channels, sizes, ways, routers

    def index(self, channel: Channel) -> int:
        """Return where the kernel keeps a channel."""
        return (8 * channel.router + channel.port) * self.sizes.lanes + channel.lane

    def first_flit(self, channel: Channel) -> int | None:
        """Return the first flit of a channel, None if it is empty."""
        word = int(self.routers.channel[self.index(channel)])
        if word >> 12 & 4095 == 0:
            return None
        return int(self.routers.flits[self.index(channel) * self.sizes.ring + (word & 4095)])

    def filled(self) -> list[Channel]:
        """Return the channels with flits that wait for a link."""
        sizes = self.sizes
        found = []
        for place in np.flatnonzero(self.routers.channel >> 12 & 4095).tolist():
            target, lane = divmod(place, sizes.lanes)
            channel = Channel(target >> 3, target & 7, lane)
            flit = self.first_flit(channel)
            if flit is not None and flit & ((1 << sizes.links) - 1):
                found.append(channel)
        return found

    def holder(self, router: int, output: int, lane: int) -> Channel | None:
        """Return the input channel whose packet has channel ``lane`` of an output."""
        for port in range(self.sizes.ports):
            for vc in range(self.sizes.vcs):
                channel = Channel(router, port, vc)
                granted = int(self.routers.granted[self.index(channel)])
                if granted >> (8 * output) & 255 == lane + 1:
                    return self.with_flits(channel)
        return None

    def with_flits(self, channel: Channel) -> Channel | None:
        """Return where the next flit of the packet in a channel waits: there, or further back."""
        while self.first_flit(channel) is None:
            sender = int(self.ways.upstream[8 * channel.router + channel.port])
            if sender < 0:
                return None
            back = self.holder(sender >> 3, sender & 7, channel.lane)
            if back is None:
                return None
            channel = back
        return channel

    def allowed(self, channel: Channel, output: int) -> range:
        """Return the channels of an output that a head in ``channel`` may take."""
        topology, vcs = self.channels.topology, self.sizes.vcs
        if not topology.rings:
            return range(vcs)
        half = vcs // 2
        straight = self.ways.axis[channel.port] == self.ways.axis[output]
        upper = topology.dateline[channel.router, output] or (straight and channel.lane >= half)
        return range(half, vcs) if upper else range(half)

    def wait(self, channel: Channel) -> Wait | None:
        """Return what the first flit of a channel waits for, None if nothing holds it up."""
        flit = self.first_flit(channel)
        if flit is None:
            return None
        granted = int(self.routers.granted[self.index(channel)])
        for output in range(self.sizes.links):
            if not flit >> output & 1:
                continue
            taken = granted >> (8 * output) & 255
            lanes = range(taken - 1, taken) if taken else self.allowed(channel, output)
            owned = int(self.routers.owned[channel.router]) >> (8 * output) & 255
            for lane in lanes:
                target = int(self.ways.leads[8 * channel.router + output])
                after: Channel | None = Channel(target >> 3, target & 7, lane)
                held = not taken and bool(owned >> lane & 1)
                if held:
                    after = self.holder(channel.router, output, lane)
                if after is not None and self.first_flit(after) is not None:
                    return Wait(flit >> PACKET_SHIFT, channel, output, held, after)
        return None

    def circle(self) -> list[Wait]:
        """Return packets each of which waits for the next and the last for the first."""
        for start in self.filled():
            steps: dict[Channel, Wait] = {}
            at = start
            while at not in steps:
                wait = self.wait(at)
                if wait is None:
                    break
                steps[at] = wait
                at = wait.after
            else:
                waits = list(steps.values())
                return waits[list(steps).index(at) :]
        return []


def who_waits(channels: Channels, sizes: Sizes, ways: Ways, routers: Routers, base: int) -> str:
    """Return the circle of waiting packets in words; ``base`` is the phase's first packet."""
    circle = Standstill(channels, sizes, ways, routers).circle()
    steps = TRIANGLE_STEPS if channels.topology.links == len(TRIANGLE_STEPS) else MESH_STEPS
    width = channels.topology.width
    lines = []
    for wait, following in zip(circle, circle[1:] + circle[:1], strict=True):
        x, y = wait.channel.router % width, wait.channel.router // width
        link = STEP_NAMES[steps[wait.output]]
        cause = "holds its channel" if wait.held else "is first in the full buffer behind it"
        lines.append(
            f"packet {base + wait.packet} at router ({x}, {y}) waits for the link {link}: "
            f"packet {base + following.packet} {cause}"
        )
    if len(lines) > SHOWN:
        lines[SHOWN:] = [f"and {len(lines) - SHOWN} more, back to the first"]
    return "; ".join(lines)
