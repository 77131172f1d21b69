"""SANA-FE on Loihi with every neuron firing: its CPU time by timing model, and its messages.

A program of its own, since SANA-FE is under the GPL: `benchmarks/mesh_speed.py` starts it and
reads the JSON it prints.  Needs the pip package ``sanafe``.

    python benchmarks/mesh_sanafe.py [--neurons 62] [--steps 5]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from typing import Any

import numpy as np

MODELS = ("simple", "detailed", "cycle")
PLACES = ("src_tile_id", "src_core_id", "dest_tile_id", "dest_core_id")


def chip_of(neurons: int) -> Any:
    """Return a loaded Loihi: ``neurons`` a core, each firing every step to one core at random."""
    import sanafe

    architecture = sanafe.load_loihi()
    cores = [core for tile in architecture.tiles for core in tile.cores]
    network = sanafe.Network()
    always = {"threshold": 0.0, "bias": 1.0, "reset": 0.0, "leak_decay": 0.0}
    group = list(network.create_neuron_group("all", len(cores) * neurons, model_attributes=always))
    rng = np.random.default_rng(1)
    for number, neuron in enumerate(group):
        neuron.map_to_core(cores[number // neurons])
    for neuron in group:
        target = group[int(rng.integers(len(cores))) * neurons]
        neuron.connect_to_neuron(target, {"weight": 0.0})
    chip = sanafe.SpikingChip(architecture)
    chip.load(network)
    return chip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--neurons", type=int, default=62, help="of a core")
    parser.add_argument("--steps", type=int, default=5, help="timed for each model")
    args = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        chip = chip_of(args.neurons)
        seconds = {}
        for model in MODELS:
            best = float("inf")
            for _ in range(3):
                started = time.process_time()
                chip.sim(args.steps, timing_model=model, processing_threads=1)
                best = min(best, time.process_time() - started)
            seconds[model] = best / args.steps
        trace = chip.sim(1, timing_model="simple", message_trace=True)["message_trace"][0]
    messages = [
        [*(m[place] for place in PLACES), m["generation_delay"] * 1e9]
        for m in trace
        if not m["placeholder"]
    ]
    json.dump({"seconds_a_step": seconds, "messages": messages}, sys.stdout)


if __name__ == "__main__":
    main()
