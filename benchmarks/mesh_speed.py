"""Speed of the compiled meshes beside the simpy meshes on the same packets, in one run.

A hop is one flit through one router output, ejection included.  Times are CPU seconds of one
thread, the best of three runs, checks of the packets included.

What two threads gain is told twice.  In wall time, one thread and two by turns, the best of five
each, beside what they gain on a loop that does nothing but arithmetic: on a machine that others
use too, both are less than 2.  And by CPU time, whoever else uses the machine: what one thread
needs, over what two would if they ran at the same time - what is done before and after them, and
the busier of the two.

    python benchmarks/mesh_speed.py [--hops 3000000] [--only worms]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
from numba import njit

from chipsim.mesh import (
    dimension_order,
    engine,
    reference,
    spinnaker,
    topology,
    wormhole,
    wormhole_reference,
)
from chipsim.mesh.checks import results_equal
from chipsim.mesh.fabric import Fabric, Packets, PhaseResults, make_fabric
from chipsim.mesh.spinnaker_layout import make_machine, wait_cycles
from chipsim.mesh.spinnaker_tables import KeyTables, follow_keys
from chipsim.mesh.trees import unicast_trees
from chipsim.mesh.wormhole_layout import make_channels


def traffic(fabric: Fabric, load: float, hops: float, phases: int) -> Packets:
    """Uniform Bernoulli traffic of about ``hops`` hops in all."""
    rng = np.random.default_rng(1)
    per_packet = (fabric.width + fabric.height) / 3 + 1
    cycles = max(1, int(hops / per_packet / (fabric.routers * load) / phases))
    parts = [np.nonzero(rng.random((cycles, fabric.routers)) < load) for _ in range(phases)]
    cycle, source = (np.concatenate(part) for part in zip(*parts, strict=True))
    pointer = np.concatenate([[0], np.cumsum([part[0].size for part in parts])])
    target = rng.integers(0, fabric.routers, cycle.size)
    return Packets(pointer, source.astype(np.int32), cycle, target.astype(np.int32))


def best(run: Callable[[], PhaseResults], times: int) -> tuple[PhaseResults, float, float]:
    """Return the result, the least CPU time and the least wall time."""
    cpu, wall = [], []
    for _ in range(times):
        started, clock = time.process_time(), time.perf_counter()
        result = run()
        cpu.append(time.process_time() - started)
        wall.append(time.perf_counter() - clock)
    return result, min(cpu), min(wall)


@njit(nogil=True)
def arithmetic(count: int) -> int:
    """Keep one core busy, without memory."""
    state = 1
    for number in range(count):
        state = (state * 6364136223846793005 + number) ^ (state >> 7)
    return state


def gain(run: Callable[[int], object]) -> float:
    """Return the wall time of ``run(1)`` over that of ``run(2)``, each the best of five."""
    walls = {1: [0.0] * 0, 2: [0.0] * 0}
    for _ in range(5):
        for threads, times in walls.items():
            clock = time.perf_counter()
            run(threads)
            times.append(time.perf_counter() - clock)
    return min(walls[1]) / min(walls[2])


def gain_by_cpu(module: ModuleType, run: Callable[[int], object]) -> float:
    """Return the CPU time of ``run(1)`` over the longest chain of CPU time in ``run(2)``.

    The least of five each.  The threads' work is what ``module.run_range`` does.
    """
    plain = module.run_range
    busy: dict[int, float] = {}

    def timed(*arguments: object) -> None:
        started = time.thread_time()
        plain(*arguments)
        here = threading.get_ident()
        busy[here] = busy.get(here, 0.0) + time.thread_time() - started

    longest = {1: [0.0] * 0, 2: [0.0] * 0}
    module.run_range = timed  # type: ignore[attr-defined]
    try:
        for _ in range(5):
            for threads, times in longest.items():
                busy.clear()
                started = time.process_time()
                run(threads)
                total = time.process_time() - started
                times.append(total - sum(busy.values()) + max(busy.values()))
    finally:
        module.run_range = plain  # type: ignore[attr-defined]
    return min(longest[1]) / min(longest[2])


def ideal_gain() -> float:
    """Return what two threads gain here on independent arithmetic."""
    arithmetic(10)

    def run(threads: int) -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(arithmetic, [10_000_000] * 8))

    return gain(run)


def gains(module: ModuleType, run: Callable[[int], object]) -> str:
    """Return what two threads gain: in wall time, by CPU time, and on arithmetic."""
    return f"  {gain(run):15.2f}  {gain_by_cpu(module, run):6.2f}  {ideal_gain():10.2f}"


def rates(fast: PhaseResults, cpu: float, slow: PhaseResults, slow_cpu: float) -> str:
    """Return M hops/s of both and their ratio."""
    rate, slow_rate = fast.link_flits.sum() / cpu / 1e6, slow.link_flits.sum() / slow_cpu / 1e6
    return f"{rate:8.1f}  {slow_rate:8.4f}  {rate / slow_rate:6.0f}"


def one_flit(hops: float) -> None:
    """Time packets of one flit on one channel."""
    print("one flit, one channel of 8 flits")
    print("  mesh   load   engine     simpy   ratio   2 threads: wall  by CPU  arithmetic")
    for size, load in ((8, 0.05), (8, 0.3), (16, 0.1), (16, 0.2), (32, 0.05), (32, 0.1)):
        fabric = make_fabric(size, size)
        trees = unicast_trees(fabric)
        small = traffic(fabric, load, min(hops, 4e4), 1)
        slow, slow_cpu, _ = best(
            lambda f=fabric, t=trees, p=small: reference.run_phases(f, t, p), 1
        )
        fast = engine.run_phases(fabric, trees, small, detail=True)
        if not results_equal(fast, slow):
            raise SystemExit("the engine and the reference differ")
        large = traffic(fabric, load, hops, 1)
        result, cpu, _ = best(lambda f=fabric, t=trees, p=large: engine.run_phases(f, t, p), 3)
        many = traffic(fabric, load, hops, 64)
        print(
            f"{size:3}x{size:<3} {load:5.2f} {rates(result, cpu, slow, slow_cpu)}"
            + gains(engine, lambda n, f=fabric, t=trees, p=many: engine.run_phases(f, t, p, n))
        )


def worms(hops: float) -> None:
    """Time packets of several flits on several channels."""
    print("wormhole, channels of 8 flits")
    print(
        "  mesh   load  flits  channels   engine     simpy   ratio"
        "   2 threads: wall  by CPU  arithmetic"
    )
    for build, size, load, flits, vcs in (
        (topology.mesh, 8, 0.2, 5, 1),
        (topology.mesh, 8, 0.3, 5, 2),
        (topology.mesh, 8, 0.3, 5, 4),
        (topology.torus, 8, 0.4, 5, 4),
        (topology.mesh, 16, 0.15, 5, 1),
        (topology.mesh, 16, 0.15, 5, 4),
        (topology.mesh, 32, 0.08, 5, 1),
        (topology.mesh, 32, 0.08, 5, 2),
        (topology.mesh, 32, 0.08, 5, 4),
    ):
        channels = make_channels(build(size, size), vcs=vcs)
        trees = dimension_order.unicast_trees(channels.topology)
        fabric = make_fabric(size, size)
        small = traffic(fabric, load / flits, min(hops, 3e4) / flits, 1)
        large = traffic(fabric, load / flits, hops / flits, 1)
        many = traffic(fabric, load / flits, hops / flits, 64)
        sizes = [np.full(p.tree.size, flits, np.int32) for p in (small, large, many)]
        slow, slow_cpu, _ = best(
            lambda c=channels, t=trees, p=small, s=sizes[0]: wormhole_reference.run_phases(
                c, t, p, s
            ),
            1,
        )
        fast = wormhole.run_phases(channels, trees, small, sizes[0], detail=True)
        if not results_equal(fast, slow):
            raise SystemExit("the engine and the reference differ")
        result, cpu, _ = best(
            lambda c=channels, t=trees, p=large, s=sizes[1]: wormhole.run_phases(c, t, p, s), 3
        )
        print(
            f"{size:3}x{size:<3} {load:5.2f}  {flits:5}  {vcs:8}"
            f"  {rates(result, cpu, slow, slow_cpu)}"
            + gains(
                wormhole,
                lambda n, c=channels, t=trees, p=many, s=sizes[2]: wormhole.run_phases(
                    c, t, p, s, n
                ),
            )
            + f"  {channels.topology.name}"
        )


def machine(packets: int) -> None:
    """Time a SpiNNaker machine of 240 x 240 chips under sparse activity."""
    topo = topology.triangular(240, 240)
    rng = np.random.default_rng(1)
    keys = 500
    source = rng.integers(topo.routers, size=keys).astype(np.int32)
    entries = []
    for key in range(keys):
        near = source[key] + rng.integers(-12, 13, 8) + 240 * rng.integers(-12, 13, 8)
        tree = dimension_order.multicast_tree(topo, int(source[key]), near % topo.routers)
        chips = np.flatnonzero(tree)
        route = (tree[chips].astype(np.int64) & 63) | (tree[chips].astype(np.int64) >> 6 << 6)
        entries.append(np.column_stack([chips, np.full(chips.size, key), route]))
    rows = np.concatenate(entries)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    tables = KeyTables(
        np.searchsorted(rows[:, 0], np.arange(topo.routers + 1)),
        rows[:, 1].astype(np.uint32),
        np.full(len(rows), 0xFFFFFFFF, np.uint32),
        rows[:, 2].astype(np.uint32),
    )
    routes = follow_keys(topo.leads, tables, np.arange(keys, dtype=np.uint32), source)
    board = make_machine(topo, 27, 22, 4, 2, 1, wait_cycles(0x4F), 0)
    key = rng.integers(keys, size=packets).astype(np.int32)
    inject = np.sort(rng.integers(packets * 2, size=packets))
    spinnaker.run_packets(board, routes, inject[:10], key[:10])
    started = time.process_time()
    result = spinnaker.run_packets(board, routes, inject, key)
    cpu = time.process_time() - started
    hops = int(result.link_packets.sum() + result.delivered.sum())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"SpiNNaker, 240 x 240 chips, {packets} packets, {hops} hops, "
        f"{int(result.drops.sum())} drops: {cpu:.2f} CPU s, {hops / cpu / 1e6:.1f} M hops/s, "
        f"{peak:.0f} MB at most"
    )


def beside_sanafe(neurons: int) -> None:
    """Time the messages of one SANA-FE step on the mesh its cycle model has, if it is installed."""
    here = Path(__file__).with_name("mesh_sanafe.py")
    command = [sys.executable, str(here), "--neurons", str(neurons)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no reason given"]
        print(f"SANA-FE: left out, it does not run here ({words[-1]}); pip install sanafe")
        return
    told = json.loads(done.stdout)
    rows = np.array(told["messages"])
    from_tile, from_core, to_tile, to_core = rows[:, :4].astype(np.int64).T
    # Tiles are numbered down the columns of 8 x 4, cores through all tiles.
    source, target = (
        ((tile % 4) * 8 + tile // 4) * 4 + core % 4
        for tile, core in ((from_tile, from_core), (to_tile, to_core))
    )
    ready = np.zeros(source.size, np.int64)
    for core in np.unique(source):
        ready[source == core] = np.cumsum(rows[source == core, 4]).astype(np.int64)
    order = np.argsort(ready, kind="stable")
    channels = make_channels(topology.mesh(8, 4, 4))
    trees = dimension_order.unicast_trees(channels.topology)
    steps = 20
    packets = Packets(
        np.arange(steps + 1) * source.size,
        *(np.tile(column[order], steps) for column in (source, ready, target)),
    )
    flits = np.ones(packets.tree.size, np.int32)
    result, cpu, _ = best(lambda: wormhole.run_phases(channels, trees, packets, flits), 3)
    assert result.deliveries[0] == source.size
    hops = int(result.link_flits.sum()) // steps
    print(f"one step of {source.size} messages on Loihi's 8 x 4 x 4 mesh, {hops} flit-hops")
    print("  program              messages a CPU second   ours is faster by")
    ours = source.size * steps / cpu
    print(f"  chipsim, exact       {ours:21.0f}")
    for model, seconds in told["seconds_a_step"].items():
        theirs = source.size / seconds
        print(f"  SANA-FE, {model:11} {theirs:21.0f}   {ours / theirs:8.1f}")
    print(
        "  (SANA-FE's seconds include its neurons; simple is nearly only those, it has no network)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--hops", type=float, default=3e6, help="hops of each timed run")
    parser.add_argument("--packets", type=int, default=1_000_000, help="of the SpiNNaker run")
    parser.add_argument("--neurons", type=int, default=62, help="of a core in the SANA-FE run")
    parser.add_argument("--only", choices=("one_flit", "worms", "machine", "sanafe"))
    args = parser.parse_args()
    parts = {
        "one_flit": lambda: one_flit(args.hops),
        "worms": lambda: worms(args.hops),
        "machine": lambda: machine(args.packets),
        "sanafe": lambda: beside_sanafe(args.neurons),
    }
    for name, part in parts.items():
        if args.only in (None, name):
            part()


if __name__ == "__main__":
    main()
