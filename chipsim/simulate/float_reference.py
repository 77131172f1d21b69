"""Run a network in floating point: what the chip's answers are compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels import floating, layout
from chipsim.network import LIF, Input, Network, Population, Trace, attenuation, evaluation_order
from chipsim.simulate.samples import Answers, in_chunks

_RESETS = {"subtract": layout.SUBTRACT, "zero": layout.ZERO, "none": layout.NONE}


def run_float(network: Network, trace: Trace, threads: int = 1) -> Answers:
    """Run every sample of ``trace`` from rest in single precision."""
    program = _compile(network)
    values = input_values(network, trace)
    spikes = np.zeros((trace.samples, network.steps, program.neurons), np.uint8)
    potential = np.zeros((trace.samples, network.population(network.readout).size), np.float32)

    def run(first: int, last: int) -> None:
        floating.run_float(
            program, values[first:last], spikes[first:last], potential[first:last]
        )

    in_chunks(run, trace.samples, threads)
    return Answers(evaluation_order(network), _sizes(network), spikes, potential.astype(np.float64))


def input_values(network: Network, trace: Trace) -> NDArray[np.float32]:
    """Return the network's input values, shape ``(samples, steps or 1, inputs)``."""
    values = trace.values.astype(np.float32) * np.float32(trace.scale)
    return values[:, None, :] if trace.held is not None else values


def _sizes(network: Network) -> tuple[int, ...]:
    return tuple(network.population(name).size for name in evaluation_order(network))


def _models(populations: list[Population]) -> list[LIF]:
    return [p.model for p in populations if isinstance(p.model, LIF)]


def _pointers(counts: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


def _floats(values: list[float]) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def _compile(network: Network) -> floating.FloatProgram:
    populations = [network.population(name) for name in evaluation_order(network)]
    models = _models(populations)
    inputs = [p for p in network.populations if isinstance(p.model, Input)]
    incoming = [network.incoming(p.name) for p in populations]
    ordered = [p for projections in incoming for p in projections]
    offsets = dict(
        zip(
            (p.name for p in [*inputs, *populations]),
            _pointers([p.size for p in [*inputs, *populations]]),
            strict=False,
        )
    )
    bias = [sum(((p.bias if p.bias is not None else 0.0) for p in projections), np.zeros(pop.size))
            for pop, projections in zip(populations, incoming, strict=True)]
    rules = [p.plasticity for p in ordered]
    sizes = [p.weight.size for p in ordered]
    traces = [size if rule else 0 for size, rule in zip(sizes, rules, strict=True)]
    trace_at = [
        int(at) if rule else -1 for at, rule in zip(_pointers(traces)[:-1], rules, strict=True)
    ]
    empty = np.zeros(0, np.float32)
    return floating.FloatProgram(
        populations=floating.FloatPopulations(
            first=_pointers([p.size for p in populations])[:-1],
            size=np.array([p.size for p in populations], np.int64),
            threshold=_floats([m.threshold for m in models]),
            decay=_floats([m.decay for m in models]),
            reset=np.array([_RESETS[m.reset] for m in models], np.int64),
            before_leak=np.array([m.reset_order == "before_leak" for m in models]),
            fires_at=np.array([m.fires == "at" for m in models]),
            bias=np.concatenate(bias).astype(np.float32),
            incoming=_pointers([len(projections) for projections in incoming]),
        ),
        projections=floating.FloatProjections(
            source=np.array([offsets[p.source] for p in ordered], np.int64),
            pre_size=np.array([p.weight.shape[1] for p in ordered], np.int64),
            delay=np.array([p.delay for p in ordered], np.int64),
            weight=_pointers(sizes)[:-1],
            attenuation=np.array(
                [attenuation(p, network.steps) for p in ordered], np.float32
            ).reshape(len(ordered), network.steps),
            trace=np.array(trace_at, np.int64),
            alpha=_floats([rule.alpha if rule else 0.0 for rule in rules]),
            beta=_pointers([len(rule.beta) if rule else 0 for rule in rules])[:-1],
            eta=_pointers([len(rule.eta) if rule else 0 for rule in rules])[:-1],
            rho=_floats([rule.rho if rule else 0.0 for rule in rules]),
            clamp=_floats([rule.clamp if rule else 0.0 for rule in rules]),
        ),
        weights=np.concatenate([empty, *(np.ascontiguousarray(p.weight.T).ravel() for p in ordered)]),
        beta=np.concatenate([empty, *(rule.beta for rule in rules if rule)]).astype(np.float32),
        eta=np.concatenate([empty, *(rule.eta for rule in rules if rule)]).astype(np.float32),
        inputs=sum(p.size for p in inputs),
        neurons=sum(p.size for p in populations),
        slots=1 + max((p.delay for p in network.projections), default=0),
        traces=sum(traces),
        readout=[p.name for p in populations].index(network.readout),
    )
