"""All tasks of the continual learning network on chip, by width of the weights, beside float.

    python benchmarks/continual_on_chip.py MNIST [--limit N] [--model models/hp_continual.pt]

MNIST is the folder with the test set's idx files.  Takes each task's order and masks out of the
checkpoint, runs the test images as that task sees them through the functional simulation of the
shipped Tianjic chip (the mesh cannot change a result there), plasticity running, and prints a
Markdown table of accuracies.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chipsim.load.checkpoint import Checkpoint, read_checkpoint
from chipsim.load.chip_file import read_crossbar_chip
from chipsim.load.description import read_model
from chipsim.mapping.mapper import map_network
from chipsim.network import Network, Projection, Trace
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.float_reference import run_float
from chipsim.simulate.functional import run_functional
from chipsim.simulate.samples import Answers, classes
from chipsim.train.data import Images, read_mnist

BITS = (16, 8, 4)


def of_task(network: Network, checkpoint: Checkpoint, task: int) -> Network:
    """Return the network with the weights inside the masks of ``task``, plasticity outside."""
    projections = (
        masked(projection, checkpoint, number, task)
        for number, projection in enumerate(network.projections, start=1)
    )
    return replace(network, projections=tuple(projections))


def masked(projection: Projection, checkpoint: Checkpoint, number: int, task: int) -> Projection:
    weight = np.asarray(checkpoint.tensors[f"fc{number}.weight"], np.float32)
    bits = np.unpackbits(checkpoint.tensors[f"tasks.mask{number}"][task], count=weight.size)
    mask = bits.reshape(weight.shape).astype(np.float32)
    left = np.ascontiguousarray(1.0 - mask.T)
    rule = projection.plasticity and replace(projection.plasticity, factor=left)
    return replace(projection, weight=weight * mask, plasticity=rule)


def trace_of(images: Images, order: NDArray[np.generic]) -> Trace:
    return Trace("test", scale=1 / 255, held=images.pixels[:, order], labels=images.labels)


def right(network: Network, answers: Answers, images: Images) -> float:
    given = classes(answers, network.readout, network.readout_kind)
    return 100.0 * float(np.mean(given == images.labels))


def accuracies(network: Network, trace: Trace, images: Images) -> list[float]:
    """Return the accuracy in float and by ``BITS``, in percent."""
    found = [right(network, run_float(network, trace), images)]
    for bits in BITS:
        chip = read_crossbar_chip("tianjic", [f"core.weight_bits={bits}"])
        fixed = quantise_network(network, chip.core.arithmetic)
        activity = run_functional(fixed, map_network(network, chip), trace)
        found.append(right(network, activity.answers, images))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="MNIST")
    parser.add_argument("--limit", type=int, default=10_000, help="test images (%(default)s)")
    parser.add_argument("--model", type=Path, default=Path("models/hp_continual.pt"))
    asked = parser.parse_args()
    network, checkpoint = read_model(asked.model).network, read_checkpoint(asked.model)
    images = read_mnist(asked.data, "t10k").first(asked.limit)
    orders = checkpoint.tensors["tasks.order"]
    print(f"{asked.model.stem}, {images.count} test images\n")
    print(f"| task | float | {' | '.join(f'{bits} bit' for bits in BITS)} |")
    print("|---|---|" + "---|" * len(BITS))
    rows = []
    for task, order in enumerate(orders):
        rows.append(accuracies(of_task(network, checkpoint, task), trace_of(images, order), images))
        print(f"| {task} | {' | '.join(f'{found:.2f}' for found in rows[-1])} |", flush=True)
    print(f"| mean | {' | '.join(f'{mean:.2f}' for mean in np.mean(rows, axis=0))} |")


if __name__ == "__main__":
    main()
