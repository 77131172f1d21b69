"""Phases as the compiled meshes run them, and the book they keep of arrivals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.mesh.fabric import Arrivals, Int32, Int64

U = np.uint64

LAST, COUNT, SUM, MAX = range(4)
"""Of a tally: last arrival, deliveries, sum and maximum of the latencies."""


class Phase(NamedTuple):
    """A phase: its first packet, how many, how many phases its mesh ran before, its cycle 0."""

    base: int
    packets: int
    number: int
    start: int


class Book(NamedTuple):
    """What is written down: the tally of a phase; each arrival, if ``ptr`` is not empty."""

    tally: Int64
    ptr: Int64
    router: Int32
    cycle: Int64


@inlined
def deliver(book: Book, inject: Int64, packet: int, router: int, cycle: int) -> None:
    """Write down that ``packet`` arrived at ``cycle`` of its phase."""
    tally = book.tally
    latency = cycle - inject[U(packet)]
    tally[LAST] = max(tally[LAST], cycle)
    tally[COUNT] += 1
    tally[SUM] += latency
    tally[MAX] = max(tally[MAX], latency)
    if book.ptr.size:
        low, high = book.ptr[packet], book.ptr[packet + 1]
        book.cycle[low + np.searchsorted(book.router[low:high], router)] = cycle


def new_book(arrivals: Arrivals) -> Book:
    """Return an empty book that writes into ``arrivals``."""
    # Two cache lines apart from whatever another thread writes to.
    tally = np.zeros(36, np.int64)[16:20]
    return Book(tally, arrivals.ptr, arrivals.router, arrivals.cycle)
