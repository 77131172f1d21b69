"""Wormhole routers with virtual channels in simpy, written to be read.

Read `chipsim.mesh.reference` first: cycles have two halves, flits and credits land in the first,
routers grant in the second.  Here a packet is a worm of flits, and each link carries several
*channels* (virtual channels), each with its own buffer at the far end, so that a blocked worm does
not block the others.

- **A channel belongs to one packet at a time.**  The head flit that is granted an output takes a
  channel there: the next in turn of those that belong to nobody and have a credit (with
  cut-through: credits for the whole packet).  The flits behind it follow in that channel; the
  tail gives it up.
- **Who may ask.**  The first flit of each input channel asks for the outputs it wants: a head for
  any channel it is allowed, the others for the channel their head took.  A head that stood behind
  another packet asks ``head_cycles`` later than it otherwise could.
- **Rings.**  On a torus the lower half of the channels is for packets before the dateline, the
  upper half for those behind it; a packet that turns into another axis starts low again.
- **Adaptive routing.**  Where the channels' routing is not by trees, the mask of a packet's row
  names outputs of which it may take any one.  In every cycle a head that is first in line asks for
  the one with the most free slots in channels that belong to nobody (the lowest port of several),
  less those that the turn model forbids to what came in by its port; the flits behind it follow.
- **Switch.**  One flit a cycle for each output and for each input port (of one channel; a
  multicast flit may leave by several outputs at once).  Each output grants one input port that
  asks, round robin, and in it one channel, round robin.  Each input port accepts: of the outputs
  that grant it, the next in turn decides the channel, and all that grant this channel are
  accepted.  All turns move only on acceptance.
- **Links** carry a flit every ``interval`` cycles.  A packet has arrived when its tail has.
- **Sources** send the flits of one packet after the other, one a cycle, the head into the next
  channel in turn that has credit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from chipsim.mesh.adaptive import turns
from chipsim.mesh.fabric import EJECT_CYCLES, Bytes, Int32, Packets, PhaseResults, phase_results
from chipsim.mesh.reference import listed_arrivals
from chipsim.mesh.wormhole_layout import TREES, Channels

Process = Generator[simpy.Event, Any, None]
HALF = 0.5


@dataclass
class Flit:
    """A piece of a packet, with the outputs it still has to leave by where it waits."""

    packet: int
    tree: int
    size: int
    head: bool
    tail: bool
    wants: set[int] = field(default_factory=set)


@dataclass
class Sender:
    """What an output (or a source) knows of the channels it feeds: credits, and who has them."""

    credits: list[int]
    owned: list[bool]
    next_channel: int = 0
    free_at: float = 0.0

    def open_channel(self, allowed: range, needed: int) -> int | None:
        """Return the next channel in turn for a head, None if there is none."""
        count = len(self.credits)
        turn = sorted(allowed, key=lambda channel: (channel - self.next_channel) % count)
        free = (c for c in turn if not self.owned[c] and self.credits[c] >= needed)
        return next(free, None)


@dataclass
class InputChannel:
    """A buffer, when its first flit may ask, and the channels its packet took, by output."""

    flits: deque[Flit] = field(default_factory=deque)
    asks_from: float = 0.0
    taken: dict[int, int] = field(default_factory=dict)


class Router:
    """Input channels, outputs, and the turns of both."""

    def __init__(self, mesh: MeshModel, number: int) -> None:
        self.mesh = mesh
        self.number = number
        ports, vcs = mesh.ports, mesh.vcs
        self.inputs = [[InputChannel() for _ in range(vcs)] for _ in range(ports)]
        self.feeders: list[Sender | None] = [None] * ports
        self.next_input = [0] * ports
        self.next_output = [0] * ports
        self.next_channel = [0] * ports
        self.flit_came = mesh.environment.event()
        mesh.environment.process(self.run())

    def receive(self, flit: Flit, port: int, vc: int) -> None:
        """Take a flit into an input channel (first half of a cycle)."""
        mask = int(self.mesh.trees[flit.tree, self.number])
        flit.wants = {output for output in range(self.mesh.ports) if mask >> output & 1}
        self.inputs[port][vc].flits.append(flit)
        self.flit_came.succeed()
        self.flit_came = self.mesh.environment.event()

    def run(self) -> Process:
        """Look at the channels in each cycle that finds a flit in one of them."""
        while True:
            if not any(channel.flits for port in self.inputs for channel in port):
                yield self.flit_came
            yield self.mesh.environment.timeout(HALF)
            self.switch()
            yield self.mesh.environment.timeout(HALF)

    def steer(self, turns: Bytes) -> None:
        """Let first flits want one of the outputs they may leave by (adaptive routing)."""
        for port, channels in enumerate(self.inputs):
            for channel in channels:
                if not channel.flits:
                    continue
                flit = channel.flits[0]
                if flit.head or not channel.taken:
                    mask = int(self.mesh.trees[flit.tree, self.number]) & int(
                        turns[self.number, port]
                    )
                    outputs = [output for output in range(self.mesh.outputs) if mask >> output & 1]
                    flit.wants = {max(outputs, key=lambda o: (self.free_slots(o), -o))}
                else:
                    flit.wants = set(channel.taken)

    def free_slots(self, output: int) -> int:
        """Return the credits of those channels of ``output`` that belong to nobody."""
        sender = self.mesh.senders[self.number, output]
        return sum(
            credits
            for credits, owned in zip(sender.credits, sender.owned, strict=True)
            if not owned
        )

    def channel_for(self, port: int, vc: int, output: int) -> int | None:
        """Return the channel of ``output`` that the first flit of an input could take now."""
        channel = self.inputs[port][vc]
        if not channel.flits or output not in channel.flits[0].wants:
            return None
        flit = channel.flits[0]
        if flit.head and self.mesh.environment.now < channel.asks_from:
            return None
        if output >= self.mesh.links:
            return 0
        sender = self.mesh.senders[self.number, output]
        if not flit.head:
            taken = channel.taken[output]
            return taken if sender.credits[taken] else None
        needed = flit.size if self.mesh.channels.cut_through else 1
        return sender.open_channel(self.mesh.allowed(self.number, port, vc, output), needed)

    def grants(self) -> dict[int, tuple[int, int, int]]:
        """Return for each output that grants: input port, its channel, the channel to take."""
        ports, vcs = self.mesh.ports, self.mesh.vcs
        granted = {}
        for output in range(self.mesh.outputs):
            if self.mesh.senders[self.number, output].free_at > self.mesh.environment.now:
                continue
            asking = []
            for port in range(ports):
                for vc in range(vcs):
                    into = self.channel_for(port, vc, output)
                    if into is not None:
                        turn = (port - self.next_input[output]) % ports
                        asking.append((turn, (vc - self.next_channel[port]) % vcs, port, vc, into))
            if asking:
                granted[output] = min(asking)[2:]
        return granted

    def switch(self) -> None:
        """Grant, accept, and send (second half of a cycle)."""
        if self.mesh.turns is not None:
            self.steer(self.mesh.turns)
        granted = self.grants()
        for port in range(self.mesh.ports):
            outputs = [output for output, (by, _, _) in granted.items() if by == port]
            if not outputs:
                continue
            turn = self.next_output[port]
            winner = min(outputs, key=lambda o, turn=turn: (o - turn) % self.mesh.ports)  # type: ignore[misc]
            vc = granted[winner][1]
            self.next_output[port] = (winner + 1) % self.mesh.ports
            self.next_channel[port] = (vc + 1) % self.mesh.vcs
            for output in outputs:
                if granted[output][1] == vc:
                    self.send(port, vc, output, granted[output][2])
            self.drop_if_done(port, vc)

    def send(self, port: int, vc: int, output: int, into: int) -> None:
        """Send a copy of the first flit of an input channel by ``output`` into channel ``into``."""
        channel = self.inputs[port][vc]
        flit = channel.flits[0]
        flit.wants.remove(output)
        self.next_input[output] = (port + 1) % self.mesh.ports
        sender = self.mesh.senders[self.number, output]
        sender.free_at = self.mesh.environment.now + self.mesh.interval(self.number, output)
        if output < self.mesh.links:
            if flit.head:
                sender.next_channel = (into + 1) % self.mesh.vcs
                channel.taken[output] = into
            sender.owned[into] = not flit.tail
            sender.credits[into] -= 1
        self.mesh.carry(flit, self.number, output, into)

    def drop_if_done(self, port: int, vc: int) -> None:
        """Give up the slot of a first flit that has left by all its outputs."""
        channel = self.inputs[port][vc]
        if channel.flits[0].wants:
            return
        flit = channel.flits.popleft()
        if flit.tail:
            channel.taken.clear()
            channel.asks_from = self.mesh.environment.now + 1 + self.mesh.channels.head_cycles
        sender = self.feeders[port]
        assert sender is not None
        self.mesh.environment.process(self.mesh.return_credit(sender, vc))


class MeshModel:
    """All routers and links, and the book of what happened in one phase."""

    def __init__(self, channels: Channels, trees: Bytes) -> None:
        self.environment = simpy.Environment()
        self.channels = channels
        self.topology = channels.topology
        self.trees = trees
        adaptive = channels.routing != TREES
        self.turns = turns(self.topology, channels.routing) if adaptive else None
        self.ports, self.vcs = channels.ports, channels.vcs
        self.outputs, self.links = self.topology.ports, self.topology.links
        self.arrived: dict[tuple[int, int], int] = {}
        self.link_flits = np.zeros((self.topology.routers, self.outputs), dtype=np.int64)
        self.routers = [Router(self, number) for number in range(self.topology.routers)]
        self.senders: dict[tuple[int, int], Sender] = {}
        for router in range(self.topology.routers):
            for output in range(self.outputs):
                sender = self.senders[router, output] = self.new_sender()
                target = int(self.topology.leads[router, output])
                if target >= 0:
                    self.routers[target >> 3].feeders[target & 7] = sender

    def new_sender(self) -> Sender:
        """Make a sender with all its credits."""
        return Sender([self.channels.buffer_flits] * self.vcs, [False] * self.vcs)

    def interval(self, router: int, output: int) -> int:
        """Return the cycles from one flit to the next."""
        return int(self.channels.interval[router, output])

    def allowed(self, router: int, port: int, vc: int, output: int) -> range:
        """Return the channels of ``output`` that a packet from an input channel may take."""
        topology = self.topology
        if not topology.rings:
            return range(self.vcs)
        half = self.vcs // 2
        straight = port < self.outputs and topology.axis[port] == topology.axis[output]
        behind = straight and vc >= half
        upper = behind or topology.dateline[router, output]
        return range(half, self.vcs) if upper else range(half)

    def carry(self, flit: Flit, router: int, output: int, into: int) -> None:
        """Bring a copy of a flit to where ``output`` leads."""
        self.link_flits[router, output] += 1
        if output < self.links:
            target = int(self.topology.leads[router, output])
            copy = Flit(flit.packet, flit.tree, flit.size, flit.head, flit.tail)
            delay = int(self.channels.delay[router, output])
            self.environment.process(self.travel(copy, delay, target, into))
        elif flit.tail:
            core = router * self.topology.locals + output - self.links
            self.arrived[flit.packet, core] = int(self.environment.now - HALF) + EJECT_CYCLES

    def travel(self, flit: Flit, delay: int, target: int, vc: int) -> Process:
        """Cross pipeline and link, and land in the first half of a cycle."""
        yield self.environment.timeout(delay - HALF)
        self.routers[target >> 3].receive(flit, target & 7, vc)

    def return_credit(self, sender: Sender, vc: int) -> Process:
        """Give a credit back to the sender, who has it in the first half of a cycle."""
        yield self.environment.timeout(self.channels.credit_cycles - HALF)
        sender.credits[vc] += 1

    def source(self, injector: int, queue: list[tuple[int, int, int, int]]) -> Process:
        """Send (cycle, packet, tree, flits) in order, at most one flit a cycle."""
        router = int(self.channels.injector_router[injector])
        port = int(self.channels.injector_port[injector])
        sender = self.routers[router].feeders[port] = self.new_sender()
        yield self.environment.timeout(HALF)
        for cycle, packet, tree, size in queue:
            yield self.environment.timeout(max(0.0, cycle + HALF - self.environment.now))
            needed = size if self.channels.cut_through else 1
            while (vc := sender.open_channel(range(self.vcs), needed)) is None:
                yield self.environment.timeout(1)
            sender.next_channel = (vc + 1) % self.vcs
            for number in range(size):
                while sender.credits[vc] == 0:
                    yield self.environment.timeout(1)
                sender.credits[vc] -= 1
                flit = Flit(packet, tree, size, number == 0, number == size - 1)
                delay = self.channels.entry_delay
                self.environment.process(self.travel(flit, delay, 8 * router + port, vc))
                yield self.environment.timeout(1)


def run_phases(channels: Channels, trees: Bytes, packets: Packets, flits: Int32) -> PhaseResults:
    """Do what `chipsim.mesh.wormhole.run_phases` does with ``detail=True``, slowly and plainly.

    Nothing is checked here, and packets that block each other for good are waited for in vain.
    """
    table = np.zeros((packets.phases, 4), dtype=np.int64)
    shape = (channels.topology.routers, channels.topology.ports)
    link_flits = np.zeros(shape, dtype=np.int64)
    arrived: dict[tuple[int, int], int] = {}
    for phase in range(packets.phases):
        mesh = MeshModel(channels, trees)
        queues: dict[int, list[tuple[int, int, int, int]]] = {}
        for p in range(int(packets.phase_ptr[phase]), int(packets.phase_ptr[phase + 1])):
            entry = (int(packets.inject[p]), p, int(packets.tree[p]), int(flits[p]))
            queues.setdefault(int(packets.injector[p]), []).append(entry)
        for injector, queue in queues.items():
            mesh.environment.process(mesh.source(injector, queue))
        mesh.environment.run()
        latencies = [cycle - int(packets.inject[p]) for (p, _), cycle in mesh.arrived.items()]
        table[phase] = (
            max(mesh.arrived.values(), default=-1),
            len(mesh.arrived),
            sum(latencies),
            max(latencies, default=0),
        )
        link_flits += mesh.link_flits
        arrived.update(mesh.arrived)
    return phase_results(table, link_flits, listed_arrivals(arrived, packets.tree.size))
