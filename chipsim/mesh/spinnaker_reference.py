"""SpiNNaker's router in simpy, written to be read: one packet at a time, waiting, then dropping.

Cycles have two halves, as in `chipsim.mesh.reference`: packets and credits land in the first,
routers act in the second.

- A router takes **one packet at a time**, from its six input buffers and its cores' queue in
  turn; the turn moves when a packet is taken.  It knows where the packet goes at once: links and
  cores of its table entry, or straight through.  Cores take their copies in the same cycle; each
  has it ``core_cycles`` later.
- A **link** takes a packet if it is free (one packet every ``link_interval`` cycles) and the
  buffer at its far end has a slot that is known to be free.  Copies leave as their links allow.
- While a link refuses, the router **waits**, and everything behind the packet with it.  From
  ``wait1`` cycles on it tries the **emergency route** for another ``wait2`` cycles: around the
  triangle, by the next link anticlockwise; the chip there sends the packet on without looking it
  up, and the chip after that treats it as if it had come directly.
- Then the copies that have not left are **dropped** and counted.
- A packet sent in cycle t can be taken at the next chip in t + hop_cycles; a buffer slot freed
  in t can be used in t + credit_cycles.  The next packet is taken in the cycle after.
- Packets with a **payload** keep a link busy for ``payload_interval`` cycles instead.

Without re-injection a dropped copy is lost.  With it (`Reinjection`) each chip has a **monitor**:

- A dropped packet goes into the router's **registers**, which hold one: what is dropped while they
  are taken is lost (``overflows``).  ``cycles`` later the monitor has taken it out, into a
  **queue**; if that is full it is lost as well (``crowded``).
- In every cycle that is a multiple of ``interval`` the monitor looks into its queue.  Unless the
  router waits for a link it hands it one packet after the other, as an eighth input, until the
  queue is empty or the router has to wait.  Such a packet is for the links that refused it, and
  waits and may be dropped like others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.spinnaker_layout import Machine, MachineResults, Reinjection
from chipsim.mesh.spinnaker_tables import CORES, FROM_CORE, LINKS, KeyRoutes

Process = Generator[simpy.Event, Any, None]
HALF = 0.5
MONITOR = FROM_CORE + 1
INPUTS = MONITOR + 1


@dataclass
class Copy:
    """A packet in a buffer: as if from input ``came``; ``forced`` link if on an emergency route.

    ``only`` for some links if the monitor sends it again.
    """

    packet: int
    came: int
    forced: int | None = None
    only: frozenset[int] | None = None


class Router:
    """The router of one chip."""

    def __init__(self, model: MachineModel, chip: int) -> None:
        self.model = model
        self.chip = chip
        self.inputs: list[deque[Copy]] = [deque() for _ in range(INPUTS)]
        self.registers: Copy | None = None
        self.blocked = self.in_round = False
        self.next_input = 0
        machine = model.machine
        self.credits = [machine.buffer_packets] * LINKS
        self.free_at = [0.0] * LINKS
        self.copy_came = model.environment.event()
        model.environment.process(self.run())

    def receive(self, copy: Copy, port: int) -> None:
        """Take a copy into an input buffer, or a core's packet into the queue."""
        self.inputs[port].append(copy)
        self.wake()

    def wake(self) -> None:
        """Let a router that has nothing to do look at its inputs."""
        self.copy_came.succeed()
        self.copy_came = self.model.environment.event()

    def ready(self) -> list[int]:
        """Return the inputs that have something for the router."""
        rounds = LINKS + 1 + self.in_round
        return [port for port in range(rounds) if self.inputs[port]]

    def run(self) -> Process:
        """Take packets one after the other."""
        environment = self.model.environment
        while True:
            if not self.ready():
                yield self.copy_came
            yield environment.timeout(HALF)
            port = min(self.ready(), key=lambda p: (p - self.next_input) % INPUTS)
            self.next_input = (port + 1) % INPUTS
            yield environment.process(self.handle(port))
            yield environment.timeout(HALF)

    def handle(self, port: int) -> Process:
        """Send the first packet of an input to all it is for, waiting where links refuse."""
        environment, machine = self.model.environment, self.model.machine
        copy = self.inputs[port][0]
        if copy.only is not None:
            pending = set(copy.only)
        elif copy.forced is not None:
            pending = {copy.forced}
        else:
            route = self.model.route(copy.packet, self.chip)
            cores = [core for core in range(CORES) if route >> (LINKS + core) & 1]
            for core in cores:
                self.model.arrive(copy.packet, self.chip, core)
            pending = {link for link in range(LINKS) if route >> link & 1}
        started = environment.now
        while True:
            for link in sorted(pending):
                if self.accepts(link):
                    pending.remove(link)
                    self.send(copy, link)
                    self.model.wait(self.chip, link, environment.now - started)
            waited = environment.now - started
            if copy.forced is None and machine.wait1 <= waited < machine.wait1 + machine.wait2:
                for link in sorted(pending):
                    around, then = (link + 1) % LINKS, (link - 1) % LINKS
                    if self.detour_exists(around, then) and self.accepts(around):
                        pending.remove(link)
                        self.send(copy, around, then)
                        self.model.wait(self.chip, link, waited)
            if not pending:
                break
            if waited >= machine.wait1 + machine.wait2:
                for link in pending:
                    self.model.wait(self.chip, link, waited)
                self.drop(copy, frozenset(pending))
                break
            self.block()
            yield environment.timeout(1)
        self.blocked = False
        self.inputs[port].popleft()
        self.in_round = self.in_round and bool(self.inputs[MONITOR])
        if port < LINKS:
            environment.process(self.model.return_credit(self.chip, port))

    def drop(self, copy: Copy, links: frozenset[int]) -> None:
        """Drop the copies for ``links``, into the registers if there are any and they are free."""
        model = self.model
        for link in links:
            model.drops[self.chip, link] += 1
        if model.machine.reinjection is None:
            model.lose(copy.packet, self.chip, links)
        elif self.registers is not None:
            model.lose(copy.packet, self.chip, links)
            model.overflows[self.chip] += len(links)
        else:
            self.registers = Copy(copy.packet, copy.came, copy.forced, links)
            model.environment.process(self.empty_registers(model.machine.reinjection))

    def empty_registers(self, monitor: Reinjection) -> Process:
        """Let the monitor take a dropped packet into its queue, and send it in its next round."""
        environment = self.model.environment
        yield environment.timeout(monitor.cycles - HALF)
        copy, self.registers = self.registers, None
        assert copy is not None
        assert copy.only is not None
        if len(self.inputs[MONITOR]) == monitor.queue:
            self.model.lose(copy.packet, self.chip, copy.only)
            self.model.crowded[self.chip] += len(copy.only)
            return
        self.model.reinjected[self.chip] += len(copy.only)
        self.inputs[MONITOR].append(copy)
        if len(self.inputs[MONITOR]) == 1:
            environment.process(self.next_round(monitor))

    def next_round(self, monitor: Reinjection) -> Process:
        """Let the monitor begin to send, in the next round that finds the router not waiting."""
        environment = self.model.environment
        yield environment.timeout(-environment.now % monitor.interval)
        while self.blocked:
            yield environment.timeout(monitor.interval)
        if self.inputs[MONITOR]:
            self.in_round = True
            self.wake()

    def block(self) -> None:
        """Note that a link is waited for; the monitor then sends no more in this round."""
        self.blocked = True
        monitor = self.model.machine.reinjection
        if self.in_round and monitor is not None:
            self.in_round = False
            self.model.environment.process(self.next_round(monitor))

    def accepts(self, link: int) -> bool:
        """Tell whether a link takes a packet now."""
        return self.credits[link] > 0 and self.free_at[link] <= self.model.environment.now

    def detour_exists(self, around: int, then: int) -> bool:
        """Tell whether both links of an emergency route are there."""
        first = int(self.model.machine.leads[self.chip, around])
        return first >= 0 and int(self.model.machine.leads[first >> 3, then]) >= 0

    def send(self, copy: Copy, link: int, then: int | None = None) -> None:
        """Send a copy by ``link``; on an emergency route it goes on by ``then``."""
        self.credits[link] -= 1
        wide = self.model.payload[self.model.key[copy.packet]]
        machine = self.model.machine
        interval = machine.payload_interval if wide else machine.link_interval
        self.free_at[link] = self.model.environment.now + interval
        self.model.link_packets[self.chip, link] += 1
        self.model.payload_packets[self.chip, link] += wide
        if then is not None:
            self.model.emergencies[self.chip, link] += 1
        port = int(self.model.machine.leads[self.chip, link]) & 7
        came = port
        if copy.forced is not None:
            came = copy.came
        elif then is not None:
            came = (link - 1 + 3) % LINKS
        target = int(self.model.machine.leads[self.chip, link]) >> 3
        self.model.environment.process(
            self.model.travel(Copy(copy.packet, came, then), target, port)
        )


class MachineModel:
    """All chips, and the book of what happened.

    Packets are numbered as they are given to `run`; ``payload`` (bool, (keys,)) says which keys'
    packets carry one.  ``visits`` lists (packet, chip, core, cycle) of all deliveries.
    """

    def __init__(
        self, machine: Machine, routes: KeyRoutes, payload: NDArray[np.bool_] | None = None
    ) -> None:
        self.machine, self.routes = machine, routes
        self.payload = np.zeros(routes.source.size, bool) if payload is None else payload
        self.key: list[int] = []
        self.waiting: list[tuple[int, int]] = []
        self.environment = simpy.Environment()
        chips = len(machine.leads)
        self.routers = [Router(self, chip) for chip in range(chips)]
        self.link_packets = np.zeros((chips, LINKS), dtype=np.int64)
        self.payload_packets = np.zeros((chips, LINKS), dtype=np.int64)
        self.emergencies = np.zeros((chips, LINKS), dtype=np.int64)
        self.drops = np.zeros((chips, LINKS), dtype=np.int64)
        self.waits = np.zeros((chips, LINKS), dtype=np.int64)
        self.waiting_cycles = np.zeros((chips, LINKS), dtype=np.int64)
        self.reinjected, self.overflows, self.crowded = np.zeros((3, chips), dtype=np.int64)
        self.lost: list[int] = []
        self.visits: list[tuple[int, int, int, int]] = []
        self.node = {
            (number, int(routes.chip[node])): node
            for number in range(routes.source.size)
            for node in range(int(routes.ptr[number]), int(routes.ptr[number + 1]))
        }

    def run(self, inject: Int64, key: Int32, until: int | None = None) -> None:
        """Give the machine more packets and do the cycles before ``until`` (None: all there are).

        No packet may be ready before the ``until`` of the call before.
        """
        first = len(self.key)
        self.key += key.tolist()
        self.lost += [0] * key.size
        self.waiting += [(cycle, first + i) for i, cycle in enumerate(inject.tolist())]
        self.waiting.sort()
        ready = [(at, packet) for at, packet in self.waiting if until is None or at < until]
        del self.waiting[: len(ready)]
        self.environment.process(self.inject(ready))
        self.environment.run(until)

    def inject(self, ready: list[tuple[int, int]]) -> Process:
        """Put each packet into its chip's queue when its time comes."""
        for cycle, packet in ready:
            yield self.environment.timeout(cycle - self.environment.now)
            chip = int(self.routes.source[self.key[packet]])
            self.routers[chip].receive(Copy(packet, FROM_CORE), FROM_CORE)

    def route(self, packet: int, chip: int) -> int:
        """Return the link and core bits of a packet's key at a chip, default routes resolved."""
        return int(self.routes.route[self.node[int(self.key[packet]), chip]])

    def arrive(self, packet: int, chip: int, core: int) -> None:
        """Write down that a core gets the packet."""
        cycle = int(self.environment.now - HALF) + self.machine.core_cycles
        self.visits.append((packet, chip, core, cycle))

    def wait(self, chip: int, link: int, cycles: float) -> None:
        """Write down how long a copy waited for a link, if it did."""
        self.waits[chip, link] += cycles > 0
        self.waiting_cycles[chip, link] += int(cycles)

    def lose(self, packet: int, chip: int, links: frozenset[int]) -> None:
        """Write down the deliveries lost with copies that will not leave a chip."""
        for link in links:
            target = int(self.machine.leads[chip, link]) >> 3
            self.lost[packet] += int(self.routes.behind[self.node[int(self.key[packet]), target]])

    def travel(self, copy: Copy, chip: int, port: int) -> Process:
        """Cross a link and the far router's pipeline."""
        yield self.environment.timeout(self.machine.hop_cycles - HALF)
        self.routers[chip].receive(copy, port)

    def return_credit(self, chip: int, port: int) -> Process:
        """Tell the chip at the other end of an input that a slot is free."""
        sender = int(self.machine.leads[chip, port])
        yield self.environment.timeout(self.machine.credit_cycles - HALF)
        self.routers[sender >> 3].credits[sender & 7] += 1


def run_packets(
    machine: Machine,
    routes: KeyRoutes,
    inject: Int64,
    key: Int32,
    payload: NDArray[np.bool_] | None = None,
) -> MachineResults:
    """Do what `chipsim.mesh.spinnaker.run_packets` does, slowly and plainly, unchecked."""
    model = MachineModel(machine, routes, payload)
    model.run(inject, key)
    arrivals = np.zeros((key.size, 3), dtype=np.int64)
    arrivals[:, 2] = -1
    for packet, _, _, cycle in model.visits:
        count, total, last = arrivals[packet].tolist()
        arrivals[packet] = count + 1, total + cycle, max(last, cycle)
    return MachineResults(
        arrivals[:, 0].copy(),
        arrivals[:, 1].copy(),
        arrivals[:, 2].copy(),
        np.array(model.lost, np.int64),
        model.link_packets,
        model.payload_packets,
        model.emergencies,
        model.drops,
        model.waits,
        model.waiting_cycles,
        model.reinjected,
        model.overflows,
        model.crowded,
    )
