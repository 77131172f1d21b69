"""Speed of the compiled mesh beside the simpy mesh on the same packets, in one run.

A hop is one flit through one router output, ejection included.  Times are CPU seconds of one
thread, the best of three runs, checks of the packets included; the last column is wall time.

    python benchmarks/mesh_speed.py [--hops 3000000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from chipsim.mesh import engine, reference
from chipsim.mesh.checks import results_equal
from chipsim.mesh.fabric import Fabric, Packets, PhaseResults, make_fabric
from chipsim.mesh.trees import unicast_trees


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--hops", type=float, default=3e6, help="hops of each timed run")
    hops = parser.parse_args().hops
    print("mesh   load   engine Mhop/s   simpy Mhop/s   ratio   2 threads / 1 (wall, 64 phases)")
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
        walls = [
            best(lambda f=fabric, t=trees, p=many, n=n: engine.run_phases(f, t, p, n), 3)[2]
            for n in (1, 2)
        ]
        rate = result.link_flits.sum() / cpu / 1e6
        slow_rate = slow.link_flits.sum() / slow_cpu / 1e6
        print(
            f"{size:2}x{size:<2}  {load:4.2f}  {rate:14.1f}  {slow_rate:13.4f}"
            f"  {rate / slow_rate:6.0f}  {walls[0] / walls[1]:8.2f}"
        )


if __name__ == "__main__":
    main()
