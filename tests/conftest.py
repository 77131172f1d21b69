"""Small networks and hand-made slicings that many tests share."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from chipsim.chip import Arithmetic
from chipsim.connectivity import Convolution
from chipsim.mapping.model import Axons, Mapping, Schedule, Slice
from chipsim.network import (
    LIF,
    Adaptation,
    Graded,
    Input,
    Network,
    Population,
    Projection,
    SentMembrane,
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


def random_variant(rng, rule: HybridPlasticity) -> HybridPlasticity:
    """Return the rule as any variant."""
    shape = (len(rule.beta), len(rule.eta))
    factors = (None, rng.random(shape) < 0.5, rng.normal(0, 0.7, shape))
    factor = factors[int(rng.integers(3))]
    return replace(
        rule,
        clamp=None if rng.random() < 0.5 else rule.clamp,
        post=str(rng.choice(["tanh", "linear", "softmax"])),
        sign=int(rng.choice([1, -1])),
        factor=None if factor is None else factor.astype(np.float32),
        state=str(rng.choice(["reset", "carried"])),
        stored_trace=None if rng.random() < 0.3 else rule.stored_trace,
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


def random_rank_order(rng: np.random.Generator) -> Network:
    """As `random_network`, the readout's first spike deciding."""
    return replace(random_network(rng), readout_kind="first_spike")


def random_variants(rng: np.random.Generator) -> Network:
    """As `random_network`, with any variant of plasticity and some graded populations."""
    network = random_network(rng)
    populations = [
        replace(p, model=random_graded(rng))
        if isinstance(p.model, LIF) and rng.random() < 0.3
        else p
        for p in network.populations
    ]
    projections = [
        replace(p, plasticity=random_variant(rng, p.plasticity)) if p.plasticity else p
        for p in network.projections
    ]
    return replace(
        network,
        populations=tuple(populations),
        projections=tuple(projections),
        readout_kind="membrane",
    )


def random_graded(rng: np.random.Generator) -> Graded:
    activation = str(rng.choice(["tanh", "relu", "linear"]))
    return Graded(activation, 1.0 if activation == "tanh" else float(rng.uniform(0.5, 3.0)))


def random_membranes(rng: np.random.Generator) -> Network:
    """As `random_network`, with projections that carry membranes."""
    return with_membranes(random_network(rng), rng)


def random_membrane_variants(rng: np.random.Generator) -> Network:
    """As `random_variants`, with projections that carry membranes."""
    return with_membranes(random_variants(rng), rng)


def with_membranes(network: Network, rng: np.random.Generator) -> Network:
    """Let some projections carry membranes, sometimes with one beside them that carries spikes.

    Delayed ones too: what is sent in the last step of a sample then reaches nobody.
    """
    sent = SentMembrane(float(rng.uniform(0.2, 3.0)), str(rng.choice(["all", "last"])))
    projections = [
        replace(p, membrane=sent)
        if isinstance(network.population(p.source).model, LIF) and rng.random() < 0.7
        else p
        for p in network.projections
    ]
    again = [replace(p, name=f"{p.name}-spikes", membrane=None) for p in projections if p.membrane]
    return replace(network, projections=(*projections, *again[: int(rng.integers(2))]))


def random_convolution(rng: np.random.Generator) -> Network:
    """A map, one or two convolutions, a plastic readout that may also take a second input."""
    last = bool(rng.random() < 0.5)
    shape = tuple(int(n) for n in rng.integers(1, 6, 3))
    populations = [Population("in", math.prod(shape), Input("graded"))]
    projections = []
    for number in range(int(rng.integers(1, 3))):
        kernel = rng.integers(1, 4, 2)
        stride, padding = int(rng.integers(1, 3)), int(rng.integers(0, 2))
        sides = [
            (n + 2 * padding - k) // stride + 1 for n, k in zip(shape[1:], kernel, strict=True)
        ]
        if min(sides) < 1 and projections:
            break
        target = (int(rng.integers(1, 4)), max(1, sides[0]), max(1, sides[1]))
        source, size = populations[-1].name, math.prod(target)
        spiking = LIF(0.3, 0.5, reset="subtract")
        populations.append(
            Population(f"map{number}", size, random_graded(rng) if rng.random() < 0.7 else spiking)
        )
        projections.append(
            Projection(
                name=f"conv{number}",
                source=source,
                target=f"map{number}",
                weight=rng.normal(0, 0.5, (target[0], shape[0], *kernel)).astype(np.float32),
                bias=rng.normal(0, 0.1, size).astype(np.float32),
                connectivity=Convolution(shape, target, stride, padding, last),
            )
        )
        shape = target
    features, outputs = populations[-1], int(rng.integers(1, 5))
    populations += [
        Population("label", outputs, Input("graded", 10.0)),
        Population("out", outputs, LIF(0.5, 0.2, reset="zero")),
    ]
    projections += [
        Projection(
            "plastic", features.name, "out",
            rng.normal(0, 0.3, (outputs, features.size)).astype(np.float32),
            plasticity=random_variant(rng, random_rule(rng, features.size, outputs)),
        ),
        Projection("teach", "label", "out", np.eye(outputs, dtype=np.float32)),
    ]  # fmt: skip
    return Network(
        name="convolutional",
        steps=int(rng.integers(1, 5)),
        populations=tuple(populations),
        projections=tuple(projections),
        readout="out",
        readout_kind="membrane",
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
            for first, last in _cuts(network.population(p.source).size, rng)
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
