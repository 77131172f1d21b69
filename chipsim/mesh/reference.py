"""The mesh in simpy, written to be read: this is what a router does.

A packet is one flit.  It carries the row of its multicast tree, which names for each router the
output ports to leave by.  A router has five ports (east, west, north, south and local, its core)
and, at each input, a buffer of ``buffer_flits`` first-come-first-served slots.

A cycle has two halves.  In the first, what was under way lands: flits in buffers, credits at the
router upstream.  In the second, every router looks at the first flit of each of its buffers and
gives each output port to one of the flits that want it - if there is a credit, that is, a free
slot in the buffer that port leads to.  So whatever a router does in cycle t is seen by the others
in t + 1 or later, and it does not matter which router is looked at first.

The rules in full:

- **Arbitration** is round robin: each output remembers the input after the one it last served and
  serves the first that asks, from there on.  The memory moves only when a flit is granted.
- **Multicast** is asynchronous: a flit that wants several outputs leaves by each as soon as that
  output is granted, several in one cycle where it can, and gives up its slot with the last.
- **Pipeline**: a flit granted in cycle t can be granted again at the next router in cycle
  t + hop_cycles.  At a local port it reaches the core 2 cycles after the grant.
- **Credits**: a slot given up in cycle t can be filled by a grant upstream from cycle
  t + credit_cycles on.  A buffer of B flits thus carries at most
  B / (hop_cycles + credit_cycles) flits a cycle.
- **Injection**: a source is an unbounded queue.  Its first packet enters the router's input port
  like a flit granted by a router: one a cycle, when it is ready and there is a credit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from chipsim.mesh.fabric import (
    EJECT_CYCLES,
    LOCAL,
    PORTS,
    Arrivals,
    Bytes,
    Fabric,
    Int64,
    Packets,
    PhaseResults,
    link_table,
    phase_results,
)

Process = Generator[simpy.Event, Any, None]
HALF = 0.5


@dataclass
class Flit:
    """One packet on its way: the ports it still has to leave by at the router where it waits."""

    packet: int
    tree: int
    wants: set[int] = field(default_factory=set)


class Credits:
    """The sender's count of free slots in the buffer it feeds."""

    def __init__(self, environment: simpy.Environment, free: int, delay: int) -> None:
        self.environment = environment
        self.free = free
        self.delay = delay

    def take(self) -> None:
        """Use a slot."""
        self.free -= 1

    def give_back(self) -> None:
        """Return the slot given up downstream; the sender knows after the delay."""
        self.environment.process(self._travel())

    def _travel(self) -> Process:
        yield self.environment.timeout(self.delay - HALF)
        self.free += 1


class Router:
    """Input buffers, round-robin outputs, and the credits for what the outputs lead to."""

    def __init__(self, mesh: MeshModel, number: int) -> None:
        self.mesh = mesh
        self.number = number
        self.buffers: list[deque[Flit]] = [deque() for _ in range(PORTS)]
        self.upstream: list[Credits | None] = [None] * PORTS
        self.next_turn = [0] * PORTS
        self.flit_came = mesh.environment.event()
        mesh.environment.process(self.run())

    def receive(self, flit: Flit, port: int) -> None:
        """Take a flit into the buffer of an input port (first half of a cycle)."""
        mask = int(self.mesh.trees[flit.tree, self.number])
        flit.wants = {output for output in range(PORTS) if mask >> output & 1}
        self.buffers[port].append(flit)
        self.flit_came.succeed()
        self.flit_came = self.mesh.environment.event()

    def run(self) -> Process:
        """Look at the buffers in each cycle that finds a flit in one of them."""
        while True:
            if not any(self.buffers):
                yield self.flit_came
            yield self.mesh.environment.timeout(HALF)
            self.grant_outputs()
            yield self.mesh.environment.timeout(HALF)

    def grant_outputs(self) -> None:
        """Give each output to one of the first flits that want it; let flits that are done go."""
        first = [buffer[0] if buffer else None for buffer in self.buffers]
        for output in range(PORTS):
            asking = [
                port for port, flit in enumerate(first) if flit is not None and output in flit.wants
            ]
            if not asking or not self.mesh.has_credit(self.number, output):
                continue
            port = min(asking, key=lambda p: (p - self.next_turn[output]) % PORTS)
            self.next_turn[output] = (port + 1) % PORTS
            flit = first[port]
            assert flit is not None
            flit.wants.remove(output)
            self.mesh.send(flit, self.number, output)
        for port, flit in enumerate(first):
            if flit is not None and not flit.wants:
                self.buffers[port].popleft()
                credits = self.upstream[port]
                assert credits is not None
                credits.give_back()


class MeshModel:
    """All routers, the links between them, and the book of what happened in one phase."""

    def __init__(self, fabric: Fabric, trees: Bytes) -> None:
        self.environment = simpy.Environment()
        self.fabric = fabric
        self.trees = trees
        self.leads = link_table(fabric)
        self.arrived: dict[tuple[int, int], int] = {}
        self.link_flits = np.zeros((fabric.routers, PORTS), dtype=np.int64)
        self.routers = [Router(self, number) for number in range(fabric.routers)]
        self.output_credits: dict[tuple[int, int], Credits] = {}
        for router, output in np.argwhere(self.leads >= 0).tolist():
            into, port = divmod(int(self.leads[router, output]), 8)
            self.output_credits[router, output] = self.new_credits(into, port)

    def new_credits(self, router: int, port: int) -> Credits:
        """Make the credits for the buffer of an input port."""
        fabric = self.fabric
        credits = Credits(self.environment, fabric.buffer_flits, fabric.credit_cycles)
        self.routers[router].upstream[port] = credits
        return credits

    def has_credit(self, router: int, output: int) -> bool:
        """Tell whether an output leads to a free slot; a core always takes what comes."""
        return output == LOCAL or self.output_credits[router, output].free > 0

    def send(self, flit: Flit, router: int, output: int) -> None:
        """Let a copy of the flit leave by an output port (second half of a cycle)."""
        self.link_flits[router, output] += 1
        if output == LOCAL:
            cycle = int(self.environment.now - HALF) + EJECT_CYCLES
            self.arrived[flit.packet, router] = cycle
            return
        self.output_credits[router, output].take()
        into, port = divmod(int(self.leads[router, output]), 8)
        self.environment.process(self.travel(Flit(flit.packet, flit.tree), into, port))

    def travel(self, flit: Flit, router: int, port: int) -> Process:
        """Cross the pipeline and the link, and land in the first half of a cycle."""
        yield self.environment.timeout(self.fabric.hop_cycles - HALF)
        self.routers[router].receive(flit, port)

    def source(self, injector: int, packets: list[tuple[int, int, int]]) -> Process:
        """Inject (cycle, packet, tree) in order, at most one a cycle, as credits allow."""
        router = int(self.fabric.injector_router[injector])
        port = int(self.fabric.injector_port[injector])
        credits = self.new_credits(router, port)
        yield self.environment.timeout(HALF)
        for cycle, packet, tree in packets:
            yield self.environment.timeout(max(0.0, cycle + HALF - self.environment.now))
            while credits.free == 0:
                yield self.environment.timeout(1)
            credits.take()
            self.environment.process(self.travel(Flit(packet, tree), router, port))
            yield self.environment.timeout(1)


def run_phases(fabric: Fabric, trees: Bytes, packets: Packets) -> PhaseResults:
    """Do what `chipsim.mesh.engine.run_phases` does with ``detail=True``, slowly and plainly.

    Nothing is checked here, and packets that block each other for good are waited for in vain.
    """
    table = np.zeros((packets.phases, 4), dtype=np.int64)
    link_flits = np.zeros((fabric.routers, PORTS), dtype=np.int64)
    arrived: dict[tuple[int, int], int] = {}
    for phase in range(packets.phases):
        numbers = range(int(packets.phase_ptr[phase]), int(packets.phase_ptr[phase + 1]))
        mesh = MeshModel(fabric, trees)
        queues: dict[int, list[tuple[int, int, int]]] = {}
        for p in numbers:
            entry = (int(packets.inject[p]), p, int(packets.tree[p]))
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


def listed_arrivals(arrived: dict[tuple[int, int], int], packets: int) -> Arrivals:
    """Turn the book of arrivals into arrays, in order of packet and router."""
    keys = sorted(arrived)
    ptr: Int64 = np.zeros(packets + 1, dtype=np.int64)
    for packet, _ in keys:
        ptr[packet + 1] += 1
    return Arrivals(
        np.cumsum(ptr),
        np.array([router for _, router in keys], dtype=np.int32),
        np.array([arrived[key] for key in keys], dtype=np.int64),
    )
