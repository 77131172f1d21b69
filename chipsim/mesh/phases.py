"""Phases put in order and spread over threads."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from chipsim.kernels.compiled import compiled
from chipsim.mesh.fabric import Int32, Int64

CHUNKS_PER_THREAD = 32
"""More than one, so that a thread that is held up leaves its work to the others."""


@compiled
def by_cycle(inject: Int64, order: Int32, spare: Int32) -> Int32:
    """Fill ``order`` with the packets sorted by inject cycle, ties in given order (radix sort)."""
    count = inject.size
    latest = np.int64(0)
    ascending = True
    for packet in range(count):
        order[packet] = packet
        ascending &= inject[packet] >= latest
        latest = max(latest, inject[packet])
    if ascending:
        return order
    places = np.empty(257, np.int64)
    shift = 0
    while latest >> shift:
        places[:] = 0
        for packet in range(count):
            places[((inject[packet] >> shift) & 255) + 1] += 1
        for digit in range(256):
            places[digit + 1] += places[digit]
        for index in range(count):
            packet = order[index]
            digit = (inject[packet] >> shift) & 255
            spare[places[digit]] = packet
            places[digit] += 1
        order, spare = spare, order
        shift += 8
    return order


def chunks(phase_ptr: Int64, wanted: int) -> list[tuple[int, int]]:
    """Cut the phases into at most ``wanted`` runs of about as many packets each."""
    phases = phase_ptr.size - 1
    aims = np.linspace(0, phase_ptr[-1], wanted + 1)[1:-1]
    cuts = np.searchsorted(phase_ptr, aims).clip(0, phases)
    edges = [0, *(int(cut) for cut in cuts), phases]
    return [(a, b) for a, b in pairwise(edges) if a < b]
