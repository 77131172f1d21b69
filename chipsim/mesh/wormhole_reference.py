"""Wormhole routers with virtual channels in simpy, written to be read.

Read `chipsim.mesh.reference` first: cycles have two halves, flits and credits land in the first,
routers grant in the second.  Here a packet is a worm of flits, and each link carries several
*channels* (virtual channels), each with its own buffer at the far end, so that a blocked worm does
not block the others.

- **A channel belongs to one packet at a time.**  In each cycle an output gives each of its channels
  that belongs to nobody and has a credit (with cut-through: credits for the whole packet) to a head
  that asks, one after the other in turn, whether or not the switch then lets the head go at once.
  Each channel has an arbiter of its own, whose turn goes through all channels of all input ports,
  port by port.  The flits behind the head follow in its channel, and the tail gives it up.
- **Who may ask.**  Only the packet in front of an input channel moves, by each of its outputs on
  its own: a *branch* goes on with the flit after the last it sent, whether or not the other
  branches have sent theirs, and a flit gives up its slot when all branches have sent it.  So no
  branch waits for a grant of another, as long as the channel has room for what the slower ones
  have left.  A head asks for any channel it is allowed, the other flits for the one their head
  got.  Of the cycles of a hop the last ``head_stages`` are a head's only: other flits may ask as
  soon as they have come in.  A head that stood behind another packet asks ``head_cycles`` later
  than it otherwise could.
- **Rings.**  Where it enters a ring of a torus, a packet that will cross the ring's dateline may
  take the upper half of the channels only, others the lower half only.  With balanced classes only
  those that will cross the link opposite the dateline are kept to the lower half, and those that
  cross neither may take either.  A packet stays in its half as long as it goes straight on.
- **Adaptive routing.**  Where the channels' routing is not by trees, the mask of a packet's row
  names outputs of which it may take any one.  In every cycle until it has a channel, a head that is
  first in line asks for the one with the most free slots in channels that belong to nobody (the
  lowest port of several), less those that the turn model forbids to what came in by its port; the
  flits behind it follow.
- **Switch.**  One flit a cycle for each output and for each input port (of one channel; it may
  leave by several outputs at once).  Each output grants one flit: of those that had a channel of it
  before and have credit, or else of the heads that got one in this cycle; input ports round robin,
  and in a port its channels round robin.  At a core's output, which has no channels, any flit may
  be granted.  Each input port accepts: of the outputs that grant it, if possible not to a head that
  just got its channel, the next in turn decides the channel and the flit, and all that grant just
  this are accepted.  The turns of the switch move only on acceptance, those of channels only when
  one is given.
- **Links** carry a flit every ``interval`` cycles.  A packet has arrived when its tail has.
- **Sources** send the flits of one packet after the other, one a cycle, the head into the next
  channel in turn that has credit.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import simpy

from chipsim.mesh.adaptive import turns
from chipsim.mesh.fabric import EJECT_CYCLES, Bytes, Int32, Packets, PhaseResults, phase_results
from chipsim.mesh.reference import listed_arrivals
from chipsim.mesh.reference_channels import Flit, InputChannel, Sender
from chipsim.mesh.reference_rings import channels_into_ring
from chipsim.mesh.wormhole_layout import TREES, Channels

Process = Generator[simpy.Event, Any, None]
Place = tuple[int, int]
"""An input port and one of its channels."""
Grant = tuple[int, int, int]
"""An input port, its channel, and the channel of the output to go on in."""
HALF = 0.5


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
        asks_from = self.mesh.environment.now + self.mesh.channels.head_stages
        self.inputs[port][vc].flits.append(replace(flit, asks_from=asks_from))
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

    def begin(self) -> None:
        """Let the packets that came to the front of a channel want their outputs."""
        turns = self.mesh.turns
        for port, channels in enumerate(self.inputs):
            for channel in channels:
                if not channel.flits or (channel.branches and turns is None):
                    continue
                mask = int(self.mesh.trees[channel.flits[0].tree, self.number])
                if turns is None:
                    channel.branches = dict.fromkeys(self.outputs_in(mask), 0)
                elif channel.flits[0].head and not channel.taken:
                    outputs = self.outputs_in(mask & int(turns[self.number, port]))
                    channel.branches = {max(outputs, key=self.free_slots): 0}

    def outputs_in(self, mask: int) -> list[int]:
        """Return the outputs named by a mask, ascending."""
        return [output for output in range(self.mesh.outputs) if mask >> output & 1]

    def free_slots(self, output: int) -> int:
        """Return the credits of those channels of ``output`` that belong to nobody."""
        return self.mesh.senders[self.number, output].free_slots()

    def asking(self, output: int) -> list[Place]:
        """Return the input channels with a flit that may ask for an output now."""
        found = []
        for port, channels in enumerate(self.inputs):
            for vc, channel in enumerate(channels):
                if channel.asks(output, self.mesh.environment.now):
                    found.append((port, vc))
        return found

    def ready(self, output: int, asking: list[Place]) -> list[Grant]:
        """Return those that have a channel of an output, and credit there; all for a core."""
        if output >= self.mesh.links:
            return [(port, vc, 0) for port, vc in asking]
        taken = [(port, vc, self.inputs[port][vc].taken.get(output)) for port, vc in asking]
        credits = self.mesh.senders[self.number, output].credits
        return [(port, vc, into) for port, vc, into in taken if into is not None and credits[into]]

    def give_channels(self, output: int, asking: list[Place]) -> list[Grant]:
        """Give the free channels of an output to heads that ask and have none."""
        sender = self.mesh.senders[self.number, output]
        heads = [(p, v) for p, v in asking if output not in self.inputs[p][v].taken]
        given = []
        for into in sender.open_channels():
            fitting = [(p, v) for p, v in heads if self.fits(p, v, output, into)]
            if fitting:
                port, vc = sender.next_head(into, fitting)
                self.inputs[port][vc].taken[output] = into
                heads.remove((port, vc))
                given.append((port, vc, into))
        return given

    def fits(self, port: int, vc: int, output: int, into: int) -> bool:
        """Return whether the head in an input channel may have channel ``into``, with its room."""
        flit = self.inputs[port][vc].next_flit(output)
        assert flit is not None
        needed = flit.size if self.mesh.channels.cut_through else 1
        room = self.mesh.senders[self.number, output].credits[into]
        return into in self.mesh.allowed(self.number, port, vc, output, flit) and room >= needed

    def grants(self) -> tuple[dict[int, Grant], set[int]]:
        """Give away channels; return what each output grants, and which grant a new head."""
        granted = {}
        new = set()
        for output in range(self.mesh.outputs):
            if self.mesh.senders[self.number, output].free_at > self.mesh.environment.now:
                continue
            asking = self.asking(output)
            ready = self.ready(output, asking)
            given = self.give_channels(output, asking) if output < self.mesh.links else []
            if ready or given:
                granted[output] = min(
                    ready or given,
                    key=lambda by, output=output: self.turn(output, by),  # type: ignore[misc]
                )
            if not ready:
                new.add(output)
        return granted, new

    def turn(self, output: int, by: Grant) -> tuple[int, int]:
        """Return how far an input port is from its turn at an output, and its channel's there."""
        port, vc, _ = by
        ports, vcs = self.mesh.ports, self.mesh.vcs
        return (port - self.next_input[output]) % ports, (vc - self.next_channel[port]) % vcs

    def switch(self) -> None:
        """Grant, accept, and send (second half of a cycle)."""
        self.begin()
        granted, new = self.grants()
        for port in range(self.mesh.ports):
            outputs = [output for output, (by, _, _) in granted.items() if by == port]
            if not outputs:
                continue
            turn = self.next_output[port]
            first = [output for output in outputs if output not in new] or outputs
            winner = min(first, key=lambda o, turn=turn: (o - turn) % self.mesh.ports)  # type: ignore[misc]
            vc = granted[winner][1]
            self.next_output[port] = (winner + 1) % self.mesh.ports
            self.next_channel[port] = (vc + 1) % self.mesh.vcs
            channel = self.inputs[port][vc]
            position = channel.branches[winner]
            for output in outputs:
                if granted[output][1] == vc and channel.branches[output] == position:
                    self.send(port, channel, output, granted[output][2])
            self.drop_if_done(port, vc)

    def send(self, port: int, channel: InputChannel, output: int, into: int) -> None:
        """Send a copy of a flit of an input channel by ``output`` into channel ``into``."""
        flit = channel.next_flit(output)
        assert flit is not None
        self.next_input[output] = (port + 1) % self.mesh.ports
        sender = self.mesh.senders[self.number, output]
        sender.free_at = self.mesh.environment.now + self.mesh.interval(self.number, output)
        if output < self.mesh.links:
            sender.owned[into] = not flit.tail
            sender.credits[into] -= 1
        channel.move_on(output)
        self.mesh.carry(flit, self.number, output, into)

    def drop_if_done(self, port: int, vc: int) -> None:
        """Give up the slot of a first flit that all branches have taken."""
        channel = self.inputs[port][vc]
        flit = channel.drop_first()
        if flit is None:
            return
        if flit.tail:
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
        vcs = self.vcs
        return Sender([self.channels.buffer_flits] * vcs, [False] * vcs, [0] * vcs)

    def interval(self, router: int, output: int) -> int:
        """Return the cycles from one flit to the next."""
        return int(self.channels.interval[router, output])

    def allowed(self, router: int, port: int, vc: int, output: int, flit: Flit) -> range:
        """Return the channels of ``output`` that a packet from an input channel may take."""
        topology = self.topology
        if not topology.rings:
            return range(self.vcs)
        half = self.vcs // 2
        if port < self.outputs and topology.axis[port] == topology.axis[output]:
            return range(half) if vc < half else range(half, self.vcs)
        return channels_into_ring(self.channels, self.trees[flit.tree], router, output)

    def carry(self, flit: Flit, router: int, output: int, into: int) -> None:
        """Bring a copy of a flit to where ``output`` leads."""
        self.link_flits[router, output] += 1
        if output < self.links:
            target = int(self.topology.leads[router, output])
            delay = int(self.channels.delay[router, output])
            self.environment.process(self.travel(flit, delay, target, into))
        elif flit.tail:
            core = router * self.topology.locals + output - self.links
            self.arrived[flit.packet, core] = int(self.environment.now - HALF) + EJECT_CYCLES

    def travel(self, flit: Flit, delay: int, target: int, vc: int) -> Process:
        """Cross pipeline and link, and land in the first half of a cycle."""
        yield self.environment.timeout(delay - self.channels.head_stages - HALF)
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
            while not (open_ := sender.open_channels(needed)):
                yield self.environment.timeout(1)
            vc = open_[0]
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
