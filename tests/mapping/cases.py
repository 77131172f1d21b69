"""The Tianjic chip and small networks, built by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import numpy as np

from chipsim.chip import Chip, Constant, Core, Mesh, Phase
from chipsim.network import LIF, Input, Network, Population, Projection
from chipsim.plasticity import HybridPlasticity
from tests.conftest import ARITHMETIC


def tianjic() -> Chip:
    """The chip of facts/tianjic-hp.md section 5, with 16-bit weights."""
    static = Constant(0.10, 0.0, 0.15, "W", "assumed", "bounded by Zhao 2022")
    return Chip(
        name="tianjic",
        clock_hz=300e6,
        mesh=Mesh(
            topology="mesh",
            width=12,
            height=13,
            routing="xy",
            multicast="tree",
            hop_cycles=3,
            buffer_flits=8,
            credit_cycles=2,
            payload_bits=64,
            table_entry_bytes=4,
            io=(0, 0),
        ),
        phase=Phase("fixed", 5040, 176),
        core=Core(
            kind="crossbar",
            axons=256,
            columns=256,
            macs_per_cycle=16,
            soma_cycles=3,
            arithmetic=ARITHMETIC,
            memory={"synapse": 65536, "axon": 1024, "soma": 3072, "lut": 1024, "router": 1024},
        ),
        prices={},
        static_power=static,
        constants={},
    )


def with_bits(chip: Chip, weight_bits: int, trace_bits: int = 16) -> Chip:
    arithmetic = replace(chip.core.arithmetic, weight_bits=weight_bits, trace_bits=trace_bits)
    return replace(chip, core=replace(chip.core, arithmetic=arithmetic))


def with_core(chip: Chip, **changes: int) -> Chip:
    return replace(chip, core=replace(chip.core, **changes))  # type: ignore[arg-type]


def with_memory(chip: Chip, **changes: int) -> Chip:
    return replace(chip, core=replace(chip.core, memory={**chip.core.memory, **changes}))


def with_mesh(chip: Chip, width: int, height: int) -> Chip:
    return replace(chip, mesh=replace(chip.mesh, width=width, height=height))


def adaptive(chip: Chip) -> Chip:
    return replace(chip, phase=replace(chip.phase, mode="adaptive"))


def unicast(chip: Chip) -> Chip:
    return replace(chip, mesh=replace(chip.mesh, multicast="unicast"))


def dense(
    source: Population,
    target: Population,
    delay: int = 0,
    plastic: bool = False,
    name: str = "",
    stored: bool = True,
) -> Projection:
    """Dense synapses of weight zero: a mapping does not look at weights."""
    shape = (target.size, source.size)
    rule = HybridPlasticity(
        alpha=0.1,
        beta=np.zeros(source.size, np.float32),
        eta=np.zeros(target.size, np.float32),
        rho=0.95,
        clamp=4.0,
        stored_trace=np.zeros(shape[::-1], np.float32) if stored else None,
    )
    return Projection(
        name=name or f"{source.name}-{target.name}",
        source=source.name,
        target=target.name,
        weight=np.zeros(shape, np.float32),
        delay=delay,
        plasticity=rule if plastic else None,
    )


def inputs(size: int, kind: Literal["graded", "spikes"] = "graded") -> Population:
    return Population("input", size, Input(kind))


def neurons(name: str, size: int) -> Population:
    return Population(name, size, LIF(threshold=0.35, decay=0.4))


def network(
    populations: Sequence[Population], projections: Sequence[Projection], steps: int = 10
) -> Network:
    return Network(
        name="net",
        steps=steps,
        populations=tuple(populations),
        projections=tuple(projections),
        readout=populations[-1].name,
    )


def chain(
    *sizes: int,
    plastic: bool = False,
    steps: int = 10,
    kind: Literal["graded", "spikes"] = "graded",
) -> Network:
    """A feed-forward network: input, layer1, layer2, ..."""
    layers = [inputs(sizes[0], kind)]
    layers += [neurons(f"layer{i}", size) for i, size in enumerate(sizes[1:], 1)]
    joined = [dense(a, b, plastic=plastic) for a, b in pairwise(layers)]
    return network(layers, joined, steps)


def recurrent(size_in: int, size: int, delay: int = 1, plastic: bool = False) -> Network:
    """An input and one population that hears itself ``delay`` steps later."""
    source, hidden = inputs(size_in), neurons("hidden", size)
    loop = dense(hidden, hidden, delay, plastic)
    return network((source, hidden), (dense(source, hidden, plastic=plastic), loop))
