"""Cutting numbers and axons into runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from chipsim.mapping.model import Axons


def evenly(total: int, parts: int) -> tuple[tuple[int, int], ...]:
    """Cut ``total`` into ``parts`` runs ``(first, count)`` whose counts differ by at most one."""
    edges = [total * part // parts for part in range(parts + 1)]
    return tuple((a, b - a) for a, b in pairwise(edges))


def axon_range(axons: Sequence[Axons], first: int, count: int) -> tuple[Axons, ...]:
    """Return the axons ``first .. first+count-1`` of concatenated runs, as runs."""
    runs = []
    start = 0
    for run in axons:
        low, high = max(first, start), min(first + count, start + run.count)
        if low < high:
            runs.append(Axons(run.projection, run.first + low - start, high - low))
        start += run.count
    return tuple(runs)
