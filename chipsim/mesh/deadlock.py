"""Who waits for whom, once the mesh stands still with packets in it.

A packet that is first in its channel waits for the channel of an output: because another packet
holds it, or because the buffer at its far end is full, so that it waits for the packet in front
there. Nothing moves any more, so following these from any packet leads into a circle.

**When none can close** (after Dally and Seitz 1987, who have no forks). Number the channels so that
each packet goes on in ever higher ones, as dimension order (on rings with the two halves of
`chipsim.mesh.rings`, each of which leaves one link of a ring unused, so that the rest has a first
and a last) and the turns of adaptive routing do. Suppose the mesh stands still, and take the
highest channel c with flits in it: the packet P in front there waits for none that is full, since
all higher ones are empty. So it waits for one, c', that a packet Q holds: Q's tail has not gone
through c', and the flit of Q that is next for c' has not come to the channel d in which Q is first
at this router, or it would go. Has d room for it? If Q leaves by one link, d is empty: what came
has gone on. If Q forks, the flits before it wait in d for other branches: less than the whole of Q,
and of no other packet. So **if the whole of Q fits a channel, d has room**; the same then holds of
the channel before d, back to the source, which sends: a contradiction. Branches to cores do not
count, for nobody holds a core.

If Q is longer than a channel, it can fill d for one branch while another waits: two such packets
that fork at the same router, each with one of two links, block each other at once.
"""

from __future__ import annotations

from typing import NamedTuple

from chipsim.chip import MESH_STEPS, STEP_NAMES, TRIANGLE_STEPS
from chipsim.mesh.fabric import Int32
from chipsim.mesh.wormhole_buffers import (
    HELD_SHIFT,
    PACKET_SHIFT,
    PACKETS,
    SLOT,
    WANTS_SHIFT,
)
from chipsim.mesh.wormhole_layout import Channels
from chipsim.mesh.wormhole_records import OWNED, Sizes, State, Ways, channel_place

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

    def __init__(
        self, channels: Channels, sizes: Sizes, ways: Ways, state: State, tree: Int32
    ) -> None:
        self.channels, self.sizes, self.ways, self.state = channels, sizes, ways, state
        self.tree = tree

    def word(self, channel: Channel) -> int:
        """Return what the kernel keeps of a channel."""
        target = 8 * channel.router + channel.port
        return int(self.state.memory[channel_place(self.sizes, target, channel.lane)])

    def taken(self, channel: Channel, output: int) -> int:
        """Return 1 + the channel of ``output`` that the first packet of a channel has, or 0."""
        return self.word(channel) >> HELD_SHIFT + 4 * output & 15

    def first_flit(self, channel: Channel) -> int | None:
        """Return the first flit of a channel, None if it is empty."""
        target = 8 * channel.router + channel.port
        place = channel_place(self.sizes, target, channel.lane) + 1
        flit = int(self.state.memory[place + (self.word(channel) & SLOT)])
        return flit if flit < 0 else None

    def held_up(self, channel: Channel) -> list[int]:
        """Return the links for which the first flit of a channel waits."""
        wants = self.word(channel) >> WANTS_SHIFT
        target = 8 * channel.router + channel.port
        ahead = self.state.ahead[8 * (target * self.sizes.vcs + channel.lane) :]
        return [o for o in range(self.sizes.links) if wants >> o & 1 and ahead[o] == 0]

    def filled(self) -> list[Channel]:
        """Return the channels with flits that wait for a link."""
        channels = (
            Channel(router, port, lane)
            for router in range(self.sizes.routers)
            for port in range(self.sizes.ports)
            for lane in range(self.sizes.vcs)
        )
        return [c for c in channels if self.first_flit(c) is not None and self.held_up(c)]

    def holder(self, router: int, output: int, lane: int) -> Channel | None:
        """Return the input channel whose packet has channel ``lane`` of an output."""
        for port in range(self.sizes.ports):
            for vc in range(self.sizes.vcs):
                channel = Channel(router, port, vc)
                if self.taken(channel, output) == lane + 1:
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
        vcs = self.sizes.vcs
        if not self.sizes.rings:
            return range(vcs)
        came_by = 8 * channel.port + channel.lane
        straight = self.ways.straight.reshape(2, 8)[:, output] >> came_by & 1
        if not straight.any():
            flit = self.first_flit(channel)
            assert flit is not None
            tree = int(self.tree[flit >> PACKET_SHIFT & PACKETS - 1])
            barred = self.ways.barred.reshape(2, -1, self.sizes.routers)[:, tree, channel.router]
            straight = 1 - (barred >> output & 1)
        half = vcs // 2
        return range(0 if straight[0] else half, vcs if straight[1] else half)

    def wait(self, channel: Channel) -> Wait | None:
        """Return what the first flit of a channel waits for, None if nothing holds it up."""
        flit = self.first_flit(channel)
        if flit is None:
            return None
        for output in self.held_up(channel):
            taken = self.taken(channel, output)
            lanes = range(taken - 1, taken) if taken else self.allowed(channel, output)
            owned = int(self.state.memory[channel.router * self.sizes.router_words + OWNED])
            for lane in lanes:
                target = int(self.channels.topology.leads[channel.router, output])
                after: Channel | None = Channel(target >> 3, target & 7, lane)
                held = not taken and bool(owned >> 8 * output + lane & 1)
                if held:
                    after = self.holder(channel.router, output, lane)
                if after is not None and self.first_flit(after) is not None:
                    return Wait(flit >> PACKET_SHIFT & PACKETS - 1, channel, output, held, after)
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


def who_waits(
    channels: Channels, sizes: Sizes, ways: Ways, state: State, tree: Int32, base: int
) -> str:
    """Return the circle of waiting packets in words; ``base`` is the phase's first packet.

    ``tree`` (int32) is that of each packet of all phases.
    """
    circle = Standstill(channels, sizes, ways, state, tree[base:]).circle()
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
