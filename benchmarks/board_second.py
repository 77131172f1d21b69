"""A 48-chip SpiNNaker board at real activity: wall time per simulated second, and what it costs.

Stromatias et al. 2013 ran 250,000 neurons with 81 million synapses on one board at 1.8 billion
synaptic events a second, under 1 W a chip.  Their network's wiring is not published in full: here
every core's neurons project onto a few cores near it, and neurons are driven by constant
currents to fire 22 times a second on average.  The fewer the cores, the longer the rows.
Packets leave spread over half of the tick.

    python benchmarks/board_second.py --ticks 200 --targets 8 --threads 2 --set core.priority=timer
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np

from chipsim.kernels.processor.layout import FORMATS, ONE, POPULATION, Program, no_stdp
from chipsim.load.chip_file import read_chip
from chipsim.mapping.processor.model import CoreSlice, KeySpace, ProcessorMapping
from chipsim.network import LIF, Network, Population
from chipsim.processor_chip import ProcessorChip
from chipsim.quantise.processor.model import (
    ProcessorNetwork,
    ProcessorPopulation,
    ProcessorProjection,
)
from chipsim.simulate.tick.program import Layout, make_layout
from chipsim.simulate.tick.records import (
    BUSY_MAX,
    DMA_BYTES,
    EARLY,
    EVENTS,
    LATE,
    MISSES,
    OVER_MAX,
    OVERFLOWS,
    PACKETS_OUT,
    ROW_CYCLES,
    SPIKE_CYCLES,
    TICKS,
    TIMER_CYCLES,
    Input,
)
from chipsim.simulate.tick.runner import Runner

RATE_HZ = 22.2
DECAY = 0.95
SLOTS = 16


def board(neurons_a_core: int, overrides: tuple[str, ...]) -> ProcessorChip:
    """Return the shipped chip, changed, with room for so many neurons a core."""
    chip = read_chip("spinnaker1", (f"core.max_neurons={neurons_a_core}", *overrides))
    assert isinstance(chip, ProcessorChip)
    return chip


def wiring(
    slices: list[CoreSlice], synapses: int, targets: int, reach: int, seed: int
) -> tuple[ProcessorProjection, list[tuple[int, ...]]]:
    """Draw the synapses: each neuron has as many onto each of its core's target cores."""
    rng = np.random.default_rng(seed)
    neurons = slices[-1].first + slices[-1].count
    each = synapses // neurons // targets
    rows = each * targets
    post = np.empty((neurons, rows), np.uint32)
    reached = []
    # The same steps for all, so that every core hears as many others.
    offsets = rng.choice(2 * reach + 1, targets, replace=False) - reach
    for piece in slices:
        chosen = np.sort((piece.index + offsets) % len(slices))
        reached.append(tuple(chosen.tolist()))
        part = post[piece.first : piece.first + piece.count].reshape(piece.count, targets, each)
        for place, number in enumerate(chosen.tolist()):
            there = slices[number]
            drawn = rng.integers(0, there.count, (piece.count, each), dtype=np.uint32)
            part[:, place] = there.first + np.sort(drawn, axis=1)
    starts = np.arange(neurons + 1, dtype=np.int64) * rows
    size = neurons * rows
    projection = ProcessorProjection(
        name="synapses",
        source="neurons",
        target="neurons",
        first_synapse=0,
        starts=starts,
        post=post.reshape(-1),
        weight=rng.integers(1, 40, size, dtype=np.uint16),
        type=(rng.random(size, dtype=np.float32) < 0.5).view(np.uint8),
        delay=rng.integers(1, SLOTS + 1, size, dtype=np.uint8),
    )
    return projection, reached


def program_of(projection: ProcessorProjection, neurons: int, seed: int) -> Program:
    """Return the network's arrays: leaky neurons driven to fire at a spread of rates."""
    rng = np.random.default_rng(seed + 1)
    formats, populations = np.zeros(1, FORMATS), np.zeros(1, POPULATION)
    formats[0] = (neurons, SLOTS, 0, 0, 0, 0)
    rates = rng.uniform(0.4, 1.6, neurons) * RATE_HZ / 1000
    # v reaches 1 after 1 / rate steps where bias = (1 - k) / (1 - k ** (1 / rate)).
    bias = (1 - DECAY) / (1 - DECAY ** (1 / rates))
    record = {
        "size": neurons, "types": 2, "reset": 2, "threshold": ONE, "decay": round(DECAY * 2**32),
    }  # fmt: skip
    for name, value in record.items():
        populations[name] = value
    row = 2 * projection.delay.astype(np.uint32) + projection.type
    row *= np.uint32(neurons)
    row += projection.post
    strength = np.zeros(neurons, np.int32)
    return Program(
        formats, populations, np.round(bias * ONE).astype(np.int32), strength, row,
        projection.weight,
    )  # fmt: skip


def build(
    neurons: int,
    synapses: int,
    targets: int,
    reach: int,
    ticks: int,
    overrides: tuple[str, ...],
    seed: int,
) -> tuple[ProcessorChip, ProcessorNetwork, Layout]:
    """Return the board's network, laid out on its 768 application cores."""
    free = board(1, overrides)
    cores = [c for r in free.machine.working_routers for c in free.machine.working_cores(r)]
    count = -(-neurons // len(cores))
    chip = board(count, overrides)
    used = -(-neurons // count)
    slices = [
        CoreSlice(i, "neurons", "neurons", i * count, min(count, neurons - i * count))
        for i in range(used)
    ]
    projection, reached = wiring(slices, synapses, targets, reach, seed)
    program = program_of(projection, neurons, seed)
    model = LIF(threshold=1.0, decay=DECAY, reset="zero")
    network = Network("board", ticks, (Population("neurons", neurons, model),), (), "neurons")
    fixed = ProcessorNetwork(
        network, {"neurons": 0}, (ProcessorPopulation("neurons", 0, neurons, "lif", 2, (0, 0)),),
        (projection,), program, None, None, np.zeros((0, 0), np.int32), no_stdp(), (),  # type: ignore[arg-type]
    )  # fmt: skip
    keys = tuple(KeySpace(i, "spike", i << 9, 0xFFFFFE00, reached[i]) for i in range(len(slices)))
    mapping = ProcessorMapping(
        "board", chip.name, "off", tuple(slices), tuple(cores[:used]), {"neurons": 0}, keys,
        tuple(() for _ in slices), "sequential", (),
    )  # fmt: skip
    return chip, fixed, make_layout(chip, mapping, fixed)


def nothing(steps: int) -> Input:
    """Return the input of a network that drives itself."""
    return Input(
        np.zeros(steps + 1, np.int64), np.zeros(0, np.uint32), np.zeros((steps, 0), np.int32),
        np.zeros(steps, np.uint8),
    )  # fmt: skip


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Build, warm up, run; return the figures."""
    begun = time.perf_counter()
    overrides = (f"core.send_spread={args.spread}", *args.set)
    chip, fixed, layout = build(
        args.neurons, args.synapses, args.targets, args.reach, args.ticks, overrides, args.seed
    )
    built = time.perf_counter() - begun
    runner = Runner(layout, fixed, args.mesh, args.threads)
    given = nothing(args.ticks)
    runner.begin_sample(0)
    runner.run_ticks(given, 0, args.warm_up)
    runner.counts[:, [BUSY_MAX, OVER_MAX]] = 0
    before, cpu = runner.counts.copy(), time.process_time()
    begun = time.perf_counter()
    runner.run_ticks(given, args.warm_up, args.ticks)
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    counts = runner.counts - before
    seconds = (args.ticks - args.warm_up) * chip.tick_s
    events = int(counts[:, EVENTS].sum())
    active = int(counts[:, [TIMER_CYCLES, SPIKE_CYCLES, ROW_CYCLES]].sum())
    core, idle = chip.prices["core_active"].value, chip.prices["idle_chip"].value
    cores = layout.core_of.size
    watts = idle + active / chip.core.clock_hz / seconds * core / chip.machine.chips
    return {
        "neurons": args.neurons,
        "synapses": int(fixed.projections[0].post.size),
        "cores": cores,
        "targets": args.targets,
        "reach": args.reach,
        "spread": args.spread,
        "priority": chip.core.priority,
        "reinjection": chip.router.reinjection,
        "threads": args.threads,
        "build_s": round(built, 1),
        "wall_s_per_simulated_s": round(wall / seconds, 2),
        "cpu_s_per_simulated_s": round(cpu / seconds, 2),
        "events_per_s": events / seconds,
        "M_events_per_wall_s": round(events / wall / 1e6, 1),
        "packets_per_s": int(counts[:, PACKETS_OUT].sum()) / seconds,
        "busiest_core_of_tick": round(float(counts[:, BUSY_MAX].max()) / layout.costs.tick, 3),
        "mean_core_of_tick": round(active / cores / seconds / chip.core.clock_hz, 3),
        "worst_lateness_of_tick": round(float(counts[:, OVER_MAX].max()) / layout.costs.tick, 4),
        "deadline_misses": int(counts[:, MISSES].sum()),
        "timer_tasks": int(counts[:, TICKS].sum()),
        "dropped_copies": int(runner.flight.drops.sum()),
        "sent_again": int(runner.flight.reinjected.sum()),
        "deliveries_lost_in_mesh": runner.flight.lost,
        "deliveries": runner.flight.delivered,
        "late": int(counts[:, LATE].sum()),
        "early": int(counts[:, EARLY].sum()),
        "overflows": int(counts[:, OVERFLOWS].sum()),
        "dma_MB_per_s_and_chip": round(counts[:, DMA_BYTES].sum() / seconds / 48e6, 1),
        "W_per_chip": round(watts, 3),
        "nJ_per_event": round(watts * chip.machine.chips / (events / seconds) * 1e9, 1),
        "peak_rss_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--neurons", type=int, default=250_000)
    parser.add_argument("--synapses", type=int, default=81_000_000)
    parser.add_argument("--targets", type=int, default=8, help="cores that a core projects to")
    parser.add_argument("--reach", type=int, default=30, help="cores away at most")
    parser.add_argument("--spread", type=float, default=0.5, help="part of a tick to send in")
    parser.add_argument("--set", action="append", default=[], help="of the chip file")
    parser.add_argument("--ticks", type=int, default=250)
    parser.add_argument("--warm-up", type=int, default=50, help="ticks before the measured ones")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--mesh", choices=("real", "ideal"), default="real")
    parser.add_argument("--seed", type=int, default=1)
    print(json.dumps(measure(parser.parse_args()), indent=1))


if __name__ == "__main__":
    main()
