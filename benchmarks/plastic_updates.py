"""How many plastic synapses the running simulator updates a second, beside bare kernels.

    python benchmarks/plastic_updates.py

One layer with hybrid plasticity and every axon active, so that every trace decays, takes an outer
product and is clamped in every step (one update; none in the last step of a sample, after which
nobody reads it).  The simulator also integrates weights and traces, updates somas and looks up post
factors; its figures are

- *whole*: updates by all the time of the functional run, which is `chipsim run` without loading,
  mapping, mesh and report;
- *learning*: updates by what the run takes longer than the same network without plasticity, that
  is, by learning and by adding the traces to the sums.

The bare kernels do nothing else, in vectors of 16-bit numbers, over all traces, step by step:

- *update*: what the simulator's update does to the bit: rounds decay and change to nearest;
- *truncating*: products cut to their upper half, the cheapest form known (the ceiling in the facts
  of this project, 43 to 45 G/s on a Zen 5), which rounds otherwise than the chip does;
- *step*: the update, and each weight and trace times the axon's value added to the sums: what no
  simulator of the chip can do without, so a bound of *whole*.

CPU seconds, best of several; on a shared machine only the ratios within one run mean something.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.lanes import (
    LANES,
    add,
    add_saturated,
    add_sums,
    dot,
    least,
    load,
    load_sums,
    most,
    multiply,
    multiply_upper,
    pairs,
    shift,
    shift_unsigned,
    store,
    store_sums,
    weave_lower,
    weave_upper,
)
from chipsim.kernels.prefetch import prefetch
from chipsim.load.chip_file import read_crossbar_chip
from chipsim.mapping.model import Axons, Mapping, Schedule, Slice
from chipsim.network import LIF, Input, Network, Population, Projection, Trace
from chipsim.plasticity import HybridPlasticity
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.functional import run_functional

AXONS, NEURONS = 256, 256
"""Synapses of a core in the facts' ceilings."""

LOSS, BY, CLAMP = -3277, 2, 32767
"""A decay by 0.95, the shift of changes beyond 16 and the clamp of the layer below."""


AHEAD = 8
"""Rows that memory is asked for ahead."""

Shorts = NDArray[np.int16]


@numba.njit
def _all(x: int) -> Any:
    return pairs(np.int16(x), np.int16(x))


@numba.njit(nogil=True)
def bare_truncating(
    trace: Shorts, pre: Shorts, post: Shorts, steps: int, loss: int, _by: int, bound: int
) -> None:
    """``H += H loss / 2**16 + pre post / 2**16``, each rounded down, clamped."""
    rate, low, high = _all(loss), _all(-bound), _all(bound)
    rows = len(trace) // NEURONS
    for _ in range(steps):
        for row in range(rows):
            x, core = _all(pre[row % AXONS]), row // AXONS * NEURONS
            for j in range(0, NEURONS, LANES):
                prefetch(trace, (row + AHEAD) * NEURONS + j)
                h, factor = load(trace, row * NEURONS + j), load(post, core + j)
                h = add_saturated(h, multiply_upper(h, rate))
                h = add_saturated(h, multiply_upper(factor, x))
                store(trace, row * NEURONS + j, least(most(h, low), high))


@numba.njit(nogil=True)
def bare_update(
    trace: Shorts, pre: Shorts, post: Shorts, steps: int, loss: int, by: int, bound: int
) -> None:
    """``H += H loss / 2**16 + pre post / 2**(16 + by)``, each rounded to nearest, clamped."""
    rows = len(trace) // NEURONS
    for _ in range(steps):
        _update(trace, pre, post, 0, rows, loss, by, bound)


@numba.njit(nogil=True)
def _update(
    trace: Shorts, pre: Shorts, post: Shorts, first: int, last: int, loss: int, by: int, bound: int
) -> None:
    rate, low, high, top = _all(loss), _all(-bound), _all(bound), _all(15)
    half, down = _all(1 << (by - 1)), _all(by)
    for row in range(first, last):
        x, core = _all(pre[row % AXONS]), row // AXONS * NEURONS
        for j in range(0, NEURONS, LANES):
            prefetch(trace, (row + AHEAD) * NEURONS + j)
            h, factor = load(trace, row * NEURONS + j), load(post, core + j)
            cut = shift_unsigned(multiply(h, rate), top)
            h = add(h, add(multiply_upper(h, rate), cut))
            h = add_saturated(h, shift(add(multiply_upper(factor, x), half), down))
            store(trace, row * NEURONS + j, least(most(h, low), high))


@numba.njit(nogil=True)
def bare_step(
    trace: Shorts,
    pre: Shorts,
    post: Shorts,
    steps: int,
    loss: int,
    by: int,
    bound: int,
    weight: Shorts,
    sums: NDArray[np.int32],
) -> None:
    """`bare_update`, and ``sums += pre weight`` and ``+= pre trace``, 32 rows at a time."""
    rows = len(trace) // NEURONS
    for _ in range(steps):
        for first in range(0, rows, 32):
            _update(trace, pre, post, first, first + 32, loss, by, bound)
            _add(sums, weight, pre, first)
            _add(sums, trace, pre, first)


@numba.njit(nogil=True)
def _add(sums: NDArray[np.int32], table: Shorts, pre: Shorts, first: int) -> None:
    for row in range(first, first + 32, 4):
        axon, at = row % AXONS, row * NEURONS
        x, y = pairs(pre[axon], pre[axon + 1]), pairs(pre[axon + 2], pre[axon + 3])
        for j in range(0, NEURONS, LANES):
            for ahead in range(4, 8):
                prefetch(table, at + ahead * NEURONS + j)
            a, b = load(table, at + j), load(table, at + NEURONS + j)
            c, d = load(table, at + 2 * NEURONS + j), load(table, at + 3 * NEURONS + j)
            low = add_sums(dot(weave_lower(a, b), x), dot(weave_lower(c, d), y))
            high = add_sums(dot(weave_upper(a, b), x), dot(weave_upper(c, d), y))
            store_sums(sums, j, add_sums(load_sums(sums, j), low))
            store_sums(sums, j + LANES // 2, add_sums(load_sums(sums, j + LANES // 2), high))


def layer(cores: int, plastic: bool, steps: int) -> tuple[Network, Mapping]:
    """``cores`` times 256 neurons that all hear the same 256 axons, a slice a core."""
    rng = np.random.default_rng(0)
    size = cores * NEURONS
    rule = HybridPlasticity(
        alpha=0.05,
        beta=rng.uniform(0.005, 0.02, AXONS).astype(np.float32),
        eta=np.zeros(size, np.float32),
        rho=0.95,
        clamp=4.0,
    )
    projection = Projection(
        "p", "in", "out", rng.normal(0, 0.02, (size, AXONS)).astype(np.float32),
        attenuation_tau=40.0, plasticity=rule if plastic else None,
    )  # fmt: skip
    populations = (
        Population("in", AXONS, Input("graded")),
        Population("out", size, LIF(0.35, 0.4)),
    )
    network = Network("layer", steps, populations, (projection,), "out")
    slices = tuple(
        Slice(c, "out", "whole", c * NEURONS, NEURONS, (Axons("p", 0, AXONS),), plastic)
        for c in range(cores)
    )
    mapping = Mapping(
        network="layer", chip="none", plasticity="running" if plastic else "off", slices=slices,
        placement=tuple(range(cores)), flows=(), routes=(), schedule=Schedule(1, 1, (), ()),
        memory=(), placer="none", reasons=(),
    )  # fmt: skip
    return network, mapping


def simulator(cores: int, plastic: bool, steps: int, samples: int) -> Callable[[], object]:
    """Return a run of ``samples`` samples on one thread."""
    network, mapping = layer(cores, plastic, steps)
    fixed = quantise_network(network, read_crossbar_chip("tianjic").core.arithmetic)
    rng = np.random.default_rng(1)
    held = rng.integers(64, 256, (samples, AXONS)).astype(np.uint8)
    trace = Trace("all active", 1 / 255, held=held)
    return lambda: run_functional(fixed, mapping, trace, batch=samples)


def bare(kernel: Any, cores: int, steps: int) -> Callable[[], object]:
    """Return ``steps`` passes of a bare kernel over as many traces."""
    rng = np.random.default_rng(2)
    size = cores * AXONS * NEURONS
    trace, weight, post = aligned(size), aligned(size), aligned(cores * NEURONS)
    trace[:], weight[:] = rng.integers(-9000, 9000, (2, size))
    post[:] = rng.integers(-30000, 30000, len(post))
    pre = rng.integers(100, 3000, AXONS).astype(np.int16)
    more = (weight, aligned(2 * NEURONS).view(np.int32)) if kernel is bare_step else ()
    return lambda: kernel(trace, pre, post, steps, LOSS, BY, CLAMP, *more)


def aligned(count: int) -> Shorts:
    """Return 16-bit zeros that start on a cache line."""
    raw = np.zeros(2 * count + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + 2 * count].view(np.int16)


def seconds(work: Callable[[], object], times: int) -> float:
    """Least CPU seconds of several runs, after one that compiles."""
    work()
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def measure(name: str, cores: int, steps: int, samples: int, times: int) -> None:
    """Print a row: updates a second of simulator and bare kernels, and their ratios."""
    each = cores * AXONS * NEURONS
    updates = each * (steps - 1) * samples
    whole = seconds(simulator(cores, True, steps, samples), times)
    rest = seconds(simulator(cores, False, steps, samples), times)
    passes = steps * samples
    rates = [updates / whole, updates / (whole - rest)]
    kernels = (bare_update, bare_truncating, bare_step)
    rates += [each * passes / seconds(bare(kernel, cores, passes), times) for kernel in kernels]
    cells = [f"{rate / 1e9:.2f}" for rate in rates]
    mine, update, step = rates[:2], rates[2], rates[4]
    ratios = [f"{100 * rate / update:.0f} %" for rate in mine]
    ratios += [f"{100 * step / update:.0f} %", f"{100 * mine[0] / step:.0f} %"]
    print(f"| {name} | {' | '.join(cells)} | {' | '.join(ratios)} |", flush=True)


def main() -> None:
    """Print a Markdown table, G updates a second."""
    print("| traces | whole | learning | bare update | truncating | bare step | whole/update "
          "| learning/update | step/update | whole/step |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    measure("128 KiB (1 core, in L2)", 1, 50, 100, 8)
    measure("4 MiB (32 cores)", 32, 50, 6, 5)
    measure("64 MiB (512 cores, out of L2)", 512, 20, 4, 4)


if __name__ == "__main__":
    main()
