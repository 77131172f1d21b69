"""The phases of a compiled mesh: one after another on a thread, runs of them side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
from numba.extending import overload

from chipsim.kernels.compiled import compiled
from chipsim.mesh.book import COUNT, Book, Phase
from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.phases import CHUNKS_PER_THREAD, by_cycle, chunks


def run_one(mesh: Any, load: Any, book: Book, phase: Phase, order: Int32) -> int:
    """Run a phase on ``mesh`` from an empty start; return the cycle from which the next may start.

    ``order`` lists the phase's packets by inject cycle.  Compiled code only, see `runs_by`.
    """
    raise NotImplementedError


def runs_by(record: type, kernel: Callable[..., int]) -> None:
    """Let `run_one` run the phases of a mesh of type ``record`` by ``kernel``."""

    def choose(
        mesh: Any, load: Any, book: Any, phase: Any, order: Any
    ) -> Callable[..., int] | None:
        if getattr(mesh, "instance_class", None) is not record:
            return None
        return lambda mesh, load, book, phase, order: kernel(mesh, load, book, phase, order)

    # Not strict: the signatures differ in their annotations only.
    overload(run_one, strict=False)(choose)


def new_clock() -> Int64:
    """Return the clock of a mesh that is as new: when its next phase may start, and how many ran.

    An empty mesh need not be a new one: what a thread's phases have touched stays in its cache.
    """
    return np.zeros(2, dtype=np.int64)


@compiled
def run_range(
    mesh: Any, load: Any, book: Book, phase_ptr: Int64, expected: Int64, first: int, clock: Int64,
    table: Int64,
) -> None:  # fmt: skip
    """Run the phases from ``first`` on, one after another, a row of ``table`` each.

    Stops at a phase whose packets block each other: the mesh is no longer empty.
    """
    largest = 0
    for row in range(table.shape[0]):
        largest = max(largest, phase_ptr[first + row + 1] - phase_ptr[first + row])
    order = np.empty(largest, np.int32)
    spare = np.empty(largest, np.int32)
    for row in range(table.shape[0]):
        base = phase_ptr[first + row]
        count = phase_ptr[first + row + 1] - base
        book.tally[:] = 0
        book.tally[0] = -1
        if count:
            listed = by_cycle(load.inject[base : base + count], order, spare)
            phase = Phase(base, count, clock[1], clock[0])
            clock[0] = run_one(mesh, load, book, phase, listed)
            clock[1] += 1
        table[row] = book.tally
        if book.tally[COUNT] != expected[first + row]:
            return


def side_by_side(
    work: Callable[[Iterator[tuple[int, int]]], Int64], phase_ptr: Int64, threads: int
) -> Int64:
    """Return the sum of ``work(pieces)`` over ``threads``, which share out all runs of phases.

    A piece is a run of phases: the first, and the one after the last.  Pieces come in order, each
    to the thread that asks next.  The sum is 0 without phases.
    """
    listed = chunks(phase_ptr, 1 if threads == 1 else threads * CHUNKS_PER_THREAD)
    total = np.zeros((), dtype=np.int64)
    if threads == 1:
        return total + work(iter(listed)) if listed else total
    left = deque(listed)

    def pieces() -> Iterator[tuple[int, int]]:
        with suppress(IndexError):
            while True:
                yield left.popleft()

    workers = min(threads, len(listed))
    with ThreadPoolExecutor(threads) as pool:
        for part in pool.map(work, [pieces() for _ in range(workers)]):
            total = total + part
    return total
