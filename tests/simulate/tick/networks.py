"""Small networks, traces and chips for the tests of the tick loop."""

from __future__ import annotations

import numpy as np

from chipsim.connectivity import Sparse
from chipsim.load.chip_file import read_chip
from chipsim.mapping.processor.mapper import map_on_processors
from chipsim.network import LIF, Input, Network, Population, Projection, Trace
from chipsim.plasticity import Eprop, PairSTDP, Reward
from chipsim.processor_chip import ProcessorChip
from chipsim.quantise.processor.model import ProcessorNetwork
from chipsim.quantise.processor.quantise import quantise_for_processor
from chipsim.simulate.tick.program import Layout, make_layout


def chip_with(*overrides: str) -> ProcessorChip:
    chip = read_chip("spinnaker1", ("machine.shape=board4", *overrides))
    assert isinstance(chip, ProcessorChip)
    return chip


def laid_out(network: Network, chip: ProcessorChip) -> tuple[ProcessorNetwork, Layout]:
    mapping = map_on_processors(network, chip)
    fixed = quantise_for_processor(network, chip, mapping.offsets)
    return fixed, make_layout(chip, mapping, fixed)


def recurrent(seed: int, steps: int = 30, hidden: int = 30, strength: float = 0.5) -> Network:
    """Inputs, a recurrent sparse layer with several delays, a readout; two projections between."""
    rng = np.random.default_rng(seed)
    rows = [np.sort(rng.choice(hidden, rng.integers(0, 8), False)) for _ in range(hidden)]
    starts = np.concatenate([[0], np.cumsum([row.size for row in rows])]).astype(np.int64)
    post = np.concatenate(rows).astype(np.uint32)
    sparse = Sparse(starts, post, rng.integers(1, 5, post.size).astype(np.uint8))
    return Network(
        name="recurrent",
        steps=steps,
        populations=(
            Population("input", 20, Input("spikes")),
            Population("hidden", hidden, LIF(threshold=1.0, decay=0.9, refractory=2)),
            Population("out", 4, LIF(threshold=1.0, decay=0.95, reset="none")),
        ),
        projections=(
            Projection("ih", "input", "hidden", _weights(rng, hidden, 20, strength)),
            Projection("ih2", "input", "hidden", _weights(rng, hidden, 20, strength / 4), delay=2),
            Projection(
                "hh", "hidden", "hidden",
                rng.normal(0, strength, post.size).astype(np.float32), delay=1, connectivity=sparse,
            ),
            Projection("ho", "hidden", "out", _weights(rng, 4, hidden, 0.5)),
        ),
        readout="out",
        readout_kind="membrane",
    )  # fmt: skip


def _weights(rng: np.random.Generator, post: int, pre: int, scale: float) -> np.ndarray:
    return rng.normal(0, scale, (post, pre)).astype(np.float32)


def spikes(seed: int, samples: int, steps: int, neurons: int, rate: float = 0.1) -> Trace:
    rng = np.random.default_rng(seed)
    drawn = (rng.random((samples, steps, neurons)) < rate).astype(np.uint8)
    return Trace("drawn", spikes=drawn, labels=rng.integers(0, 4, samples))


def learner(seed: int, batch: int = 2, kind: str = "random", steps: int = 25) -> Network:
    """A recurrent layer of LIF neurons with a readout that learn by e-prop."""
    rng = np.random.default_rng(seed)
    hidden, outputs = 12, 2
    decay = float(np.exp(-1 / 20))
    rule = Eprop(
        layer="hidden",
        readout="ho",
        kind=kind,  # type: ignore[arg-type]
        feedback=_weights(rng, outputs, hidden, 1.0),
        task="classification",
        window=15,
        dampening=0.3,
        tau_readout=20.0,
        rate_cost=1.0 if batch else 0.0,
        rate_target=0.01,
        optimiser="adam" if batch else "sgd",
        learning_rate=0.02 if batch else 0.5,
        batch=batch,
    )
    return Network(
        name="learner",
        steps=steps,
        populations=(
            Population("input", 10, Input("spikes")),
            Population(
                "hidden", hidden,
                LIF(threshold=0.6, decay=decay, reset_order="after_leak", fires="at", refractory=3),
            ),
            Population("out", outputs, LIF(threshold=1.0, decay=decay, reset="none")),
        ),
        projections=(
            Projection("ih", "input", "hidden", _weights(rng, hidden, 10, 0.4)),
            Projection("hh", "hidden", "hidden", _weights(rng, hidden, hidden, 0.2), delay=1),
            Projection("ho", "hidden", "out", _weights(rng, outputs, hidden, 0.5)),
        ),
        readout="out",
        readout_kind="membrane",
        learning=rule,
    )  # fmt: skip


def stdp(seed: int, rewarded: bool, steps: int = 40) -> Network:
    """Inputs onto cells by plastic synapses, more by fixed ones, and a reward if wanted."""
    rng = np.random.default_rng(seed)
    reward = Reward("reward", 20.0, 10.0) if rewarded else None
    rule = PairSTDP(0.02, 0.012, 10.0, 15.0, 0.0, 1.0, reward)
    weights = rng.uniform(0.1, 0.6, (9, 12)).astype(np.float32)
    return Network(
        name="stdp",
        steps=steps,
        populations=(
            Population("input", 12, Input("spikes")),
            Population("reward", 1, Input("spikes")),
            Population("cells", 9, LIF(threshold=1.0, decay=0.9)),
        ),
        projections=(
            Projection("plastic", "input", "cells", weights, stdp=rule),
            Projection("fixed", "input", "cells", weights / 2, delay=1),
        ),
        readout="cells",
    )
