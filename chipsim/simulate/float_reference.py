"""Run a network in floating point: what the chip's answers are compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels import floating, layout
from chipsim.network import (
    LIF,
    Input,
    Network,
    Population,
    Projection,
    Trace,
    attenuation,
    evaluation_order,
)
from chipsim.simulate.samples import Answers, in_chunks

_RESETS = {"subtract": layout.SUBTRACT, "zero": layout.ZERO, "none": layout.NONE}


def run_float(network: Network, trace: Trace, threads: int = 1) -> Answers:
    """Run every sample of ``trace`` from rest in single precision."""
    program = _compile(network)
    values = input_values(network, trace)
    spikes = np.zeros((trace.samples, network.steps, program.neurons), np.uint8)
    potential = np.zeros((trace.samples, network.population(network.readout).size), np.float32)

    def run(first: int, last: int) -> None:
        floating.run_float(program, values[first:last], spikes[first:last], potential[first:last])

    in_chunks(run, trace.samples, threads)
    return Answers(evaluation_order(network), _sizes(network), spikes, potential.astype(np.float64))


def input_values(network: Network, trace: Trace) -> NDArray[np.float32]:
    """Return the network's input values, shape ``(samples, steps or 1, inputs)``."""
    values: NDArray[np.float32] = trace.values.astype(np.float32) * np.float32(trace.scale)
    return values[:, None, :] if trace.held is not None else values


def _sizes(network: Network) -> tuple[int, ...]:
    return tuple(network.population(name).size for name in evaluation_order(network))


def _pointers(counts: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


def _floats(values: list[float]) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def _biases(network: Network, population: Population) -> NDArray[np.float32]:
    bias = np.zeros(population.size, np.float32)
    for projection in network.incoming(population.name):
        if projection.bias is not None:
            bias += projection.bias
    return bias


def _populations(network: Network, populations: list[Population]) -> floating.FloatPopulations:
    models = [p.model for p in populations if isinstance(p.model, LIF)]
    return floating.FloatPopulations(
        first=_pointers([p.size for p in populations])[:-1],
        size=np.array([p.size for p in populations], np.int64),
        threshold=_floats([m.threshold for m in models]),
        decay=_floats([m.decay for m in models]),
        reset=np.array([_RESETS[m.reset] for m in models], np.int64),
        before_leak=np.array([m.reset_order == "before_leak" for m in models]),
        fires_at=np.array([m.fires == "at" for m in models]),
        bias=np.concatenate([_biases(network, p) for p in populations]),
        incoming=_pointers([len(network.incoming(p.name)) for p in populations]),
        refractory=np.array([m.refractory for m in models], np.int64),
        adaptation_decay=_floats([m.adaptation.decay if m.adaptation else 0.0 for m in models]),
        adaptation=np.concatenate(
            [
                m.adaptation.strength if m.adaptation else np.zeros(p.size, np.float32)
                for p, m in zip(populations, models, strict=True)
            ]
        ).astype(np.float32),
    )


def _projections(
    network: Network, ordered: list[Projection], offsets: dict[str, int]
) -> floating.FloatProjections:
    rules = [p.plasticity for p in ordered]
    sizes = [p.weight.size for p in ordered]
    held = [size if rule else 0 for size, rule in zip(sizes, rules, strict=True)]
    plastic = np.array([rule is not None for rule in rules])
    factors = np.array([attenuation(p, network.steps) for p in ordered], np.float32)
    return floating.FloatProjections(
        source=np.array([offsets[p.source] for p in ordered], np.int64),
        pre_size=np.array([p.weight.shape[1] for p in ordered], np.int64),
        delay=np.array([p.delay for p in ordered], np.int64),
        weight=_pointers(sizes)[:-1],
        attenuation=factors.reshape(len(ordered), network.steps),
        trace=np.where(plastic, _pointers(held)[:-1], -1).astype(np.int64),
        alpha=_floats([rule.alpha if rule else 0.0 for rule in rules]),
        beta=_pointers([len(rule.beta) if rule else 0 for rule in rules])[:-1],
        eta=_pointers([len(rule.eta) if rule else 0 for rule in rules])[:-1],
        rho=_floats([rule.rho if rule else 0.0 for rule in rules]),
        clamp=_floats([rule.clamp if rule else 0.0 for rule in rules]),
    )


def _joined(arrays: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(0, np.float32), *arrays]).astype(np.float32)


def _compile(network: Network) -> floating.FloatProgram:
    populations = [network.population(name) for name in evaluation_order(network)]
    inputs = [p for p in network.populations if isinstance(p.model, Input)]
    ordered = [p for population in populations for p in network.incoming(population.name)]
    starts = _pointers([p.size for p in [*inputs, *populations]])[:-1]
    named = zip([*inputs, *populations], starts, strict=True)
    rules = [p.plasticity for p in ordered if p.plasticity]
    return floating.FloatProgram(
        populations=_populations(network, populations),
        projections=_projections(network, ordered, {p.name: int(at) for p, at in named}),
        weights=_joined([np.ascontiguousarray(p.weight.T).ravel() for p in ordered]),
        beta=_joined([rule.beta for rule in rules]),
        eta=_joined([rule.eta for rule in rules]),
        inputs=sum(p.size for p in inputs),
        neurons=sum(p.size for p in populations),
        slots=1 + max((p.delay for p in network.projections), default=0),
        traces=sum(p.weight.size for p in ordered if p.plasticity),
        readout=[p.name for p in populations].index(network.readout),
    )
