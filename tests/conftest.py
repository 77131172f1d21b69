"""Small networks and hand-made slicings that many tests share."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from chipsim.chip import Arithmetic
from chipsim.mapping.model import Axons, Mapping, Schedule, Slice
from chipsim.network import (
    LIF,
    Adaptation,
    Input,
    Network,
    Population,
    Projection,
)
from chipsim.plasticity import HybridPlasticity

ARITHMETIC = Arithmetic(
    native_bits=8,
    weight_bits=16,
    activation_bits=8,
    accumulator_bits=32,
    membrane_bits=24,
    decay_bits=8,
    gain_bits=16,
    trace_bits=16,
    trace_decay_bits=16,
    post_bits=16,
    rounding="nearest",
    overflow="saturate",
)


@pytest.fixture
def arithmetic() -> Arithmetic:
    return ARITHMETIC


def random_rule(rng, n_pre, n_post) -> HybridPlasticity:
    return HybridPlasticity(
        alpha=float(rng.normal(0, 0.5)),
        beta=rng.normal(0, 0.3, n_pre).astype(np.float32),
        eta=rng.normal(0, 0.3, n_post).astype(np.float32),
        rho=float(rng.choice([0.5, 0.95, 1.0])),
        clamp=float(rng.choice([0.2, 4.0])),
        stored_trace=rng.normal(0, 0.1, (n_pre, n_post)).astype(np.float32),
    )


def random_adaptation(rng, size) -> Adaptation:
    strength = np.abs(rng.normal(0, 0.5, size)).astype(np.float32)
    return Adaptation(float(rng.choice([0.0, 0.9, 0.9995, 1.0])), strength)


def random_network(rng: np.random.Generator) -> Network:
    """One input, a hidden population (sometimes recurrent), a readout; any neuron variant."""
    n_in, n_hidden, n_out = (int(n) for n in rng.integers(1, 9, 3))
    kind = str(rng.choice(["graded", "spikes"]))

    def lif(size: int) -> LIF:
        return LIF(
            threshold=float(rng.uniform(0.2, 1.0)),
            decay=float(rng.choice([0.0, 0.4, 0.9, 1.0])),
            reset=rng.choice(["subtract", "zero", "none"]),
            reset_order=rng.choice(["before_leak", "after_leak"]),
            fires=rng.choice(["above", "at"]),
            refractory=int(rng.choice([0, 0, 1, 3])),
            adaptation=random_adaptation(rng, size) if rng.random() < 0.4 else None,
        )

    def projection(name, source, target, n_pre, n_post, delay=0) -> Projection:
        return Projection(
            name=name,
            source=source,
            target=target,
            weight=rng.normal(0, 0.6, (n_post, n_pre)).astype(np.float32),
            bias=rng.normal(0, 0.1, n_post).astype(np.float32) if rng.random() < 0.7 else None,
            delay=delay,
            attenuation_tau=40.0 if rng.random() < 0.5 else None,
            plasticity=random_rule(rng, n_pre, n_post) if rng.random() < 0.6 else None,
        )

    projections = [
        projection("a", "in", "hidden", n_in, n_hidden),
        projection("b", "hidden", "out", n_hidden, n_out),
    ]
    if rng.random() < 0.5:
        delay = int(rng.integers(1, 4))
        projections.append(projection("r", "hidden", "hidden", n_hidden, n_hidden, delay))
    if rng.random() < 0.3:
        projections.append(projection("skip", "in", "out", n_in, n_out, int(rng.integers(0, 3))))
    return Network(
        name="random",
        steps=int(rng.integers(1, 6)),
        populations=(
            Population("in", n_in, Input(kind)),
            Population("hidden", n_hidden, lif(n_hidden)),
            Population("out", n_out, lif(n_out)),
        ),
        projections=tuple(projections),
        readout="out",
    )


def random_slicing(network: Network, rng: np.random.Generator) -> Mapping:
    """Cut neurons and axons anywhere: what is computed must not depend on it."""
    slices: list[Slice] = []
    for population in network.populations:
        if isinstance(population.model, Input):
            continue
        axons = [
            Axons(p.name, first, last - first)
            for p in network.incoming(population.name)
            for first, last in _cuts(p.weight.shape[1], rng)
        ]
        for first, last in _cuts(population.size, rng):
            groups = _cuts(len(axons), rng)
            for low, high in groups:
                role = "whole" if len(groups) == 1 else "dendrite"
                runs = tuple(axons[low:high])
                slices.append(Slice(len(slices), population.name, role, first, last - first, runs))
    return Mapping(
        network=network.name,
        chip="none",
        plasticity="running",
        slices=tuple(slices),
        placement=tuple(range(len(slices))),
        flows=(),
        routes=(),
        schedule=Schedule(1, 1, (), ()),
        memory=(),
        placer="none",
        reasons=(),
    )


def _cuts(count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    inner = [i for i in range(1, count) if rng.random() < 0.3]
    bounds = [0, *inner, count]
    return list(pairwise(bounds))
