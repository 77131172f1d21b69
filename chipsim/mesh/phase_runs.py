"""The phases of a compiled mesh: one after another on a thread, runs of them side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

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


class Runner(NamedTuple):
    """What a thread keeps from phase to phase.

    ``clock`` has the cycle from which the next phase may start and how many phases ran; ``order``
    and ``spare`` (int32) are room to sort the packets of the largest phase, taken once: room for
    each phase would be given back to the system and taken anew, while the other threads wait.
    """

    clock: Int64
    order: Int32
    spare: Int32


def new_runner(phase_ptr: Int64) -> Runner:
    """Return the runner of a mesh that is as new.

    An empty mesh need not be a new one: what a thread's phases have touched stays in its cache.
    """
    largest = int(np.diff(phase_ptr).max(initial=0))
    return Runner(np.zeros(2, np.int64), np.empty(largest, np.int32), np.empty(largest, np.int32))


@compiled
def run_range(
    mesh: Any, load: Any, book: Book, phase_ptr: Int64, expected: Int64, first: int,
    runner: Runner, table: Int64,
) -> None:  # fmt: skip
    """Run the phases from ``first`` on, one after another, a row of ``table`` each.

    Stops at a phase whose packets block each other: the mesh is no longer empty.
    """
    clock = runner.clock
    for row in range(table.shape[0]):
        base = phase_ptr[first + row]
        count = phase_ptr[first + row + 1] - base
        book.tally[:] = 0
        book.tally[0] = -1
        if count:
            listed = by_cycle(load.inject[base : base + count], runner.order, runner.spare)
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
