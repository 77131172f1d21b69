"""The cortical microcircuit of Potjans & Diesmann 2014, as far as a core of it tells the whole.

Populations, connection probabilities and delays are those of the public model
(SpiNNakerManchester/microcircuit_model, ``network_params.py``).  It has 0.3 billion synapses; drawn
here are those onto the first neurons of each population, as many as a core holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from chipsim.connectivity import Sparse
from chipsim.network import LIF, Network, Population, Projection

SIZES: Mapping[str, int] = {
    "L23E": 20683,
    "L23I": 5834,
    "L4E": 21915,
    "L4I": 5479,
    "L5E": 4850,
    "L5I": 1065,
    "L6E": 14395,
    "L6I": 2948,
}
"""Neurons of the populations."""

PROBABILITY = (
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443),
)
"""Of at least one synapse between two neurons: rows are targets, columns sources."""

DELAYS: Mapping[str, tuple[float, float]] = {"E": (1.5, 0.75), "I": (0.75, 0.375)}
"""Mean and standard deviation in ms, by the last letter of the source's name."""

STEP_MS = 0.1
NEURONS_A_CORE = 80
CELL = LIF(threshold=1.0, decay=0.99)


def synapses(source: str, target: str) -> int:
    """Return the synapses between two populations (Potjans & Diesmann 2014, equation 1)."""
    names = list(SIZES)
    probability = PROBABILITY[names.index(target)][names.index(source)]
    pairs = SIZES[source] * SIZES[target]
    return round(math.log(1.0 - probability) / math.log(1.0 - 1.0 / pairs))


def microcircuit(seed: int = 0) -> Network:
    """Return all populations, with synapses onto the first `NEURONS_A_CORE` neurons of each."""
    populations = tuple(Population(name, size, CELL) for name, size in SIZES.items())
    projections = tuple(_projections(np.random.default_rng(seed)))
    return Network("microcircuit", 1, populations, projections, "L23E")


def _projections(rng: np.random.Generator) -> Iterator[Projection]:
    for target, n_post in SIZES.items():
        for source, n_pre in SIZES.items():
            count = rng.binomial(synapses(source, target), NEURONS_A_CORE / n_post)
            if count:
                pre = np.sort(rng.integers(0, n_pre, count))
                starts = np.concatenate([[0], np.cumsum(np.bincount(pre, minlength=n_pre))])
                post = rng.integers(0, NEURONS_A_CORE, count).astype(np.uint32)
                post = post[np.lexsort((post, pre))]
                form = Sparse(starts.astype(np.int64), post, _delay(rng, source, count))
                weight = np.ones(count, np.float32)
                yield Projection(f"{source}-{target}", source, target, weight, connectivity=form)


def _delay(rng: np.random.Generator, source: str, count: int) -> NDArray[np.uint8]:
    mean, deviation = DELAYS[source[-1]]
    steps = np.rint(rng.normal(mean, deviation, count) / STEP_MS)
    return np.maximum(steps, 1).astype(np.uint8)
