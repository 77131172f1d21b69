"""SpiNNaker's network as data: chips, links and waiting times in, counts out."""

from __future__ import annotations

from dataclasses import dataclass

from chipsim.errors import InputError
from chipsim.mesh.fabric import MAX_BUFFER_FLITS, MAX_CYCLES, Int32, Int64
from chipsim.mesh.topology import Topology
from chipsim.processor_chip import Router

MAX_WAIT = 1 << 21
"""More than the longest wait the hardware's 8-bit code can name, (15 + 16) * 2^15 cycles."""
MAX_AGAIN = 1 << 16
"""Of places, cycles and rounds of re-injection."""


@dataclass(frozen=True)
class Reinjection:
    """A monitor core on each chip that sends again what its router dropped.

    The router's registers hold one dropped packet until the monitor has taken it, ``cycles`` after
    it was dropped, into its queue of ``queue`` packets.  It looks into the queue every ``interval``
    cycles, and then sends all there is.
    """

    queue: int
    cycles: int
    interval: int


def reinjection_of(router: Router) -> Reinjection | None:
    """Return what a chip file says of re-injection, None where what is dropped is lost."""
    if router.reinjection == "none":
        return None
    return Reinjection(router.reinject_queue, router.reinject_cycles, router.reinject_interval)


@dataclass(frozen=True, eq=False)
class Machine:
    """Chips and their routers; times in router cycles, explained in `spinnaker_reference`.

    ``leads`` (int32, (chips, 6)) has 8 * chip + input port where a link leads, -1 for none.
    ``payload_interval`` is the ``link_interval`` of packets that carry a payload.  ``reinjection``
    is None where what is dropped is lost.
    """

    leads: Int32
    hop_cycles: int
    link_interval: int
    buffer_packets: int
    credit_cycles: int
    core_cycles: int
    wait1: int
    wait2: int
    payload_interval: int
    reinjection: Reinjection | None


def make_machine(
    topology: Topology,
    hop_cycles: int,
    link_interval: int,
    buffer_packets: int,
    credit_cycles: int,
    core_cycles: int,
    wait1: int,
    wait2: int,
    payload_interval: int | None = None,
    reinjection: Reinjection | None = None,
) -> Machine:
    """Make a machine of a triangular ``topology``; InputError if a value is out of range.

    ``payload_interval`` is as long as ``link_interval`` unless it is given.
    """
    if payload_interval is None:
        payload_interval = link_interval
    if topology.links != 6:
        raise InputError(f"machine: a triangular topology is needed, a {topology.name} was given")
    again = reinjection or Reinjection(1, 1, 1)
    for name, value, least, largest in (
        ("hop_cycles", hop_cycles, 1, MAX_CYCLES),
        ("link_interval", link_interval, 1, MAX_CYCLES),
        ("payload_interval", payload_interval, 1, MAX_CYCLES),
        ("buffer_packets", buffer_packets, 1, MAX_BUFFER_FLITS),
        ("credit_cycles", credit_cycles, 1, MAX_CYCLES),
        ("core_cycles", core_cycles, 1, MAX_CYCLES),
        ("wait1", wait1, 0, MAX_WAIT),
        ("wait2", wait2, 0, MAX_WAIT),
        ("reinjection.queue", again.queue, 1, MAX_AGAIN),
        ("reinjection.cycles", again.cycles, 1, MAX_AGAIN),
        ("reinjection.interval", again.interval, 1, MAX_AGAIN),
    ):
        if not least <= value <= largest:
            raise InputError(f"machine.{name}: {value} given, {least} to {largest} allowed")
    return Machine(
        topology.leads[:, :6].copy(),
        hop_cycles,
        link_interval,
        buffer_packets,
        credit_cycles,
        core_cycles,
        wait1,
        wait2,
        payload_interval,
        reinjection,
    )


def wait_cycles(code: int) -> int:
    """Return the cycles an 8-bit wait register stands for, exponent * 16 + mantissa.

    ``(m + 16 - 2^(4-e)) 2^e`` up to e = 4, ``(m + 16) 2^e`` above (datasheet, recalled; facts
    1.2): 0x40 is 240, 0x4f is 480.  InputError outside 0 to 255.
    """
    if not 0 <= code <= 255:
        raise InputError(f"wait: code {code} given, 0 to 255 allowed")
    exponent, mantissa = code >> 4, code & 15
    if exponent <= 4:
        return (mantissa + 16 - (1 << (4 - exponent))) << exponent
    return (mantissa + 16) << exponent


@dataclass(frozen=True, eq=False)
class MachineResults:
    """What happened to packets and on links, all int64.

    Per packet: ``delivered`` copies, the sum and the latest of their arrival cycles (-1 if none),
    deliveries ``lost`` with dropped copies.  Per (chip, link): ``link_packets`` sent,
    ``payload_packets`` and ``emergencies`` among them, copies ``drops`` that the link refused for
    too long; ``waits`` counts copies for it that did not leave in the cycle in which their router
    took the packet, ``waiting_cycles`` the cycles until they left, went around or were dropped.
    Of those dropped, per chip: ``reinjected`` are sent again, and lost for good are
    ``overflows``, dropped while the router's registers held another packet, and ``crowded``, that
    found the monitor's queue full; all 0 without re-injection.
    """

    delivered: Int64
    arrival_sum: Int64
    last_arrival: Int64
    lost: Int64
    link_packets: Int64
    payload_packets: Int64
    emergencies: Int64
    drops: Int64
    waits: Int64
    waiting_cycles: Int64
    reinjected: Int64
    overflows: Int64
    crowded: Int64
