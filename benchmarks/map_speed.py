"""How fast `chipsim map` is: the functional run beside numpy, the mesh, and the whole command.

    python benchmarks/map_speed.py [models/hp_mnist.pt]

Figures are CPU seconds of this machine, so only the ratios within one run mean something.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from chipsim.job import Choices
from chipsim.load.chip_file import read_chip
from chipsim.load.description import LoadedModel, read_model
from chipsim.load.traces import first_samples, read_trace
from chipsim.mapping.mapper import map_network
from chipsim.network import LIF, Network, PlasticityMode, Trace
from chipsim.pipeline import simulate
from chipsim.quantise.plasticity_mode import in_mode
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.float_reference import input_values
from chipsim.simulate.functional import run_functional

IMAGES = 500


def best(work: Callable[[], object], clock: Callable[[], float], times: int = 3) -> float:
    """Least seconds of a few runs, after one that compiles."""
    work()
    taken = []
    for _ in range(times):
        start = clock()
        work()
        taken.append(clock() - start)
    return min(taken)


def numpy_batch(network: Network, trace: Trace) -> np.ndarray:
    """Run the network without plasticity, all samples at once, in numpy's float32."""
    x = input_values(network, trace)[:, 0]
    spikes = [np.zeros((len(x), network.population(p.target).size), np.float32)
              for p in network.projections]  # fmt: skip
    u = [s.copy() for s in spikes]
    counts = np.zeros_like(spikes[-1])
    for t in range(network.steps):
        source = x
        for i, p in enumerate(network.projections):
            model = network.population(p.target).model
            assert isinstance(model, LIF)
            factor = np.float32(np.exp(-t / p.attenuation_tau) if p.attenuation_tau else 1.0)
            current = (source * factor) @ p.weight.T
            u[i] = (u[i] - model.threshold * spikes[i]) * np.float32(model.decay) + current
            u[i] += 0 if p.bias is None else p.bias
            spikes[i] = (u[i] > model.threshold).astype(np.float32)
            source = spikes[i]
        counts += spikes[-1]
    return counts


def functional(model: LoadedModel, trace: Trace, mode: PlasticityMode) -> None:
    chip = read_chip("tianjic")
    network = in_mode(model.network, mode)
    fixed = quantise_network(network, chip.core.arithmetic)
    mapping = map_network(network, chip, mode)
    activity = run_functional(fixed, mapping, trace)
    active = activity.active.sum(axis=(0, 1), dtype=np.int64)
    events = sum(int(n) * run.slice.count for n, run in zip(active, activity.runs, strict=True))
    one = best(lambda: run_functional(fixed, mapping, trace), time.process_time)
    wall = best(lambda: run_functional(fixed, mapping, trace), time.perf_counter)
    two = best(lambda: run_functional(fixed, mapping, trace, threads=2), time.perf_counter)
    line = f"{mode:8}: {trace.samples / one:6.0f} images/s, {events / one / 1e9:.2f} G events/s"
    if mode == "off":
        other = best(lambda: numpy_batch(network, trace), time.process_time)
        line += f"; {other / one:.2f} x numpy's dense float batch ({trace.samples / other:.0f}/s)"
    print(f"{line}; two threads {wall / two:.2f} x one (wall)")


def mesh(model: LoadedModel, trace: Trace) -> None:
    stages: dict[str, float] = {}

    class Stages:
        def stage(self, name: str, total: int = 0, unit: str = "") -> Callable[[int], None]:
            stages[name] = time.process_time()
            return lambda count: None

    results = None
    for _ in range(2):
        stages.clear()
        results = simulate(model.network, read_chip("tianjic"), trace, Choices(), Stages())
        stages["end"] = time.process_time()
    assert results is not None
    names = list(stages)
    for name, following in pairwise(names):
        print(f"  {name:16} {stages[following] - stages[name]:6.3f} s")
    took = stages["price"] - stages["simulate mesh"]
    hops = int(results.mesh.link_flits.sum())
    print(f"  mesh: {hops / took / 1e6:.1f} M packet-hops/s, packets laid out included")


def command(path: Path) -> None:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "chipsim", "map", str(path), "--limit", "100", "-q",
                "--threads", "1", "-o", f"{folder}/run", "--force"]  # fmt: skip
        taken = []
        for _ in range(4):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL, env=env)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"chipsim map, 100 images: {min(taken[1:]):.2f} s of CPU warm, {taken[0]:.2f} s first")


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "models/hp_mnist.pt")
    model = read_model(path)
    if model.trace is None:
        sys.exit(f"{path}: its description names no trace")
    trace = first_samples(read_trace(model.trace), IMAGES)
    print(f"functional run, {IMAGES} images, one thread, CPU seconds")
    modes: tuple[PlasticityMode, ...] = ("running", "frozen", "off")
    for mode in modes:
        functional(model, trace, mode)
    print("stages of 100 images, one thread, CPU seconds")
    mesh(model, first_samples(trace, 100))
    command(path)


if __name__ == "__main__":
    main()
