"""Samples in, answers out: what the float reference and the chip have in common."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES_PER_CALL = 25
"""Samples one kernel call runs: small enough that Ctrl-C and progress are prompt."""


@dataclass(frozen=True)
class Answers:
    """What the neurons did, by sample.

    ``spikes (samples, steps, neurons)`` uint8, neurons in the order of ``populations`` (of
    ``sizes``); ``potential (samples, readout neurons)`` the membrane of the readout, before
    reset, in the last step or, where its first spike decides, in that of `decision_steps`.
    """

    populations: tuple[str, ...]
    sizes: tuple[int, ...]
    spikes: NDArray[np.uint8]
    potential: NDArray[np.float64]

    def of(self, population: str) -> NDArray[np.uint8]:
        """Return the spikes of one population, shape ``(samples, steps, size)``."""
        at = self.populations.index(population)
        first = sum(self.sizes[:at])
        return self.spikes[:, :, first : first + self.sizes[at]]


def classes(answers: Answers, readout: str, kind: str) -> NDArray[np.int64]:
    """Return the class each sample is taken for, shape ``(samples,)``.

    ``spike_count``: most spikes, ties to the higher final potential, then the lower index;
    ``first_spike``: the first to fire, ties to the higher potential of that step, then the lower
    index, and the highest final potential if none fires; ``membrane``: the highest final potential.
    """
    if kind == "membrane":
        return np.asarray(np.argmax(answers.potential, axis=1), np.int64)
    spikes = answers.of(readout)
    if kind == "first_spike":
        counts = spikes[np.arange(len(spikes)), decision_steps(answers, readout) - 1]
    else:
        counts = spikes.sum(axis=1, dtype=np.int64)
    leading = counts == counts.max(axis=1, keepdims=True)
    return np.asarray(np.argmax(np.where(leading, answers.potential, -np.inf), axis=1), np.int64)


def decision_steps(answers: Answers, readout: str) -> NDArray[np.int64]:
    """Return the step, from 1, in which the readout first fires, shape ``(samples,)``.

    All steps where it never does.
    """
    fired = (answers.of(readout) != 0).any(axis=2)
    first = np.where(fired.any(axis=1), fired.argmax(axis=1) + 1, fired.shape[1])
    return np.asarray(first, np.int64)


def in_chunks(
    run: Callable[[int, int], None],
    count: int,
    threads: int,
    size: int = SAMPLES_PER_CALL,
    advance: Callable[[int], None] | None = None,
) -> None:
    """Call ``run(first, last)`` for consecutive chunks of ``count`` items, on ``threads`` threads.

    ``run`` must release the GIL and touch only its own items, so that the result is the same for
    any number of threads.  ``advance`` is told how many items each finished chunk had.
    """
    bounds = [(first, min(first + size, count)) for first in range(0, count, size)]
    if threads == 1:
        for first, last in bounds:
            run(first, last)
            if advance:
                advance(last - first)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        futures = [pool.submit(run, first, last) for first, last in bounds]
        for future, (first, last) in zip(futures, bounds, strict=True):
            future.result()
            if advance:
                advance(last - first)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
