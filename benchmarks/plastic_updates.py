"""How many plastic synapses the running simulator updates a second, beside bare kernels.

    python benchmarks/plastic_updates.py

One layer with hybrid plasticity and every axon active, so that every trace decays, takes an outer
product and is clamped in every step (one update).  The simulator also integrates weights and
traces, updates somas and looks up post factors; its figures are

- *whole*: updates by all the time of the run;
- *learning*: updates by what the run takes longer than the same network without plasticity, that
  is, by learning and by adding the traces to the sums.

The bare kernels do nothing but update traces of the same size, one step after the other:

- *32 bit*: the simulator's arithmetic to the bit, in one loop over one array;
- *16 bit*: the fastest form known (facts of this project: 43 to 45 G/s on a Zen 5): products cut to
  their upper half in 16-bit lanes, which rounds otherwise than the chip does.

CPU seconds, best of several; on a shared machine only the ratios within one run mean something.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from chipsim.load.chip_file import read_crossbar_chip
from chipsim.mapping.model import Axons, Mapping, Schedule, Slice
from chipsim.network import LIF, Input, Network, Population, Projection, Trace
from chipsim.plasticity import HybridPlasticity
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.functional import run_functional

AXONS, NEURONS = 256, 256
"""Synapses of a core in the facts' ceilings."""

DECAY_BITS, CLAMP = 16, 20000


@intrinsic
def _high(_context: Any, a: Any, b: Any) -> Any:
    """Upper half of a 16-bit product, in 16 bit."""

    def code(_typing: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        wide, narrow = ir.IntType(32), ir.IntType(16)
        x, y = (builder.sext(value, wide) for value in arguments)
        return builder.trunc(builder.ashr(builder.mul(x, y), ir.Constant(wide, 16)), narrow)

    return types.int16(types.int16, types.int16), code


@intrinsic
def _sum(_context: Any, a: Any, b: Any) -> Any:
    """Saturating 16-bit sum."""

    def code(_typing: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        narrow = ir.IntType(16)
        kind = ir.FunctionType(narrow, [narrow, narrow])
        name = "llvm.sadd.sat.i16"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        return builder.call(function, arguments)

    return types.int16(types.int16, types.int16), code


@numba.njit(nogil=True)
def bare_16(
    trace: NDArray[np.int16],
    pre: NDArray[np.int16],
    post: NDArray[np.int16],
    loss: int,
    bound: int,
) -> None:
    """``H += (-loss H) / 2**16 + pre post / 2**16``, clamped."""
    low, high, rate = np.int16(-bound), np.int16(bound), np.int16(-loss)
    for i in range(trace.shape[0]):
        row, x = trace[i], pre[i]
        for j in range(np.uint64(trace.shape[1])):
            h = row[j]
            h = _sum(_sum(h, _high(h, rate)), _high(post[j], x))
            row[j] = min(max(h, low), high)


@numba.njit(nogil=True)
def bare_32(
    trace: NDArray[np.int16],
    pre: NDArray[np.int16],
    post: NDArray[np.int16],
    decay: int,
    shift: int,
    bound: int,
) -> None:
    """``H = clip(round(H decay / 2**16) + round(pre post / 2**shift))``, as the chip."""
    rate, half = np.uint32(decay), np.uint32(1 << (DECAY_BITS - 1))
    by, half_update = np.int32(shift), np.uint32(1 << (shift - 1))
    low, high = np.int32(-bound), np.int32(bound)
    for i in range(trace.shape[0]):
        row, x = trace[i], np.uint32(np.int32(pre[i]))
        for j in range(np.uint64(trace.shape[1])):
            kept = _shifted(np.uint32(np.int32(row[j])), rate, half, np.int32(DECAY_BITS))
            change = _shifted(np.uint32(np.int32(post[j])), x, half_update, by)
            row[j] = np.int16(min(max(np.int32(kept + change), low), high))


@intrinsic
def _shifted(_context: Any, a: Any, b: Any, half: Any, by: Any) -> Any:
    """Return ``(a * b + half) >> by`` in 32 bit."""

    def code(_typing: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        x, y, z, shift = arguments
        return builder.ashr(builder.add(builder.mul(x, y), z), shift)

    return types.int32(types.uint32, types.uint32, types.uint32, types.int32), code


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


def bare(kernel: Any, cores: int, steps: int, *constants: int) -> Callable[[], object]:
    """Return ``steps`` passes of a bare kernel over as many traces, all cores one by one."""
    rng = np.random.default_rng(2)
    trace = rng.integers(-9000, 9000, (cores, AXONS, NEURONS)).astype(np.int16)
    pre = rng.integers(100, 3000, AXONS).astype(np.int16)
    post = rng.integers(-30000, 30000, (cores, NEURONS)).astype(np.int16)

    def run() -> None:
        for _ in range(steps):
            for core in range(cores):
                kernel(trace[core], pre, post[core], *constants)

    return run


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
    updates = cores * AXONS * NEURONS * steps * samples
    whole = seconds(simulator(cores, True, steps, samples), times)
    rest = seconds(simulator(cores, False, steps, samples), times)
    wide = seconds(bare(bare_32, cores, steps * samples, 62259, 16, CLAMP), times)
    narrow = seconds(bare(bare_16, cores, steps * samples, 3277, CLAMP), times)
    rates = {
        "whole": updates / whole,
        "learning": updates / (whole - rest),
        "bare 32 bit": updates / wide,
        "bare 16 bit": updates / narrow,
    }
    cells = [f"{rate / 1e9:.2f}" for rate in rates.values()]
    ratios = [
        f"{100 * rates[mine] / rates[ceiling]:.0f} %"
        for mine in ("whole", "learning")
        for ceiling in ("bare 32 bit", "bare 16 bit")
    ]
    print(f"| {name} | {' | '.join(cells)} | {' | '.join(ratios)} |", flush=True)


def main() -> None:
    """Print a Markdown table, G updates a second."""
    print("| traces | whole | learning | bare 32 bit | bare 16 bit | whole/32 | whole/16 "
          "| learning/32 | learning/16 |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    measure("128 KiB (1 core, in L2)", 1, 50, 20, 5)
    measure("4 MiB (32 cores)", 32, 50, 2, 3)
    measure("64 MiB (512 cores, out of L2)", 512, 20, 1, 3)


if __name__ == "__main__":
    main()
