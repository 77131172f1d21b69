"""Run a network in floating point: what the chip's answers are compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.connectivity import Convolution
from chipsim.kernels import floating, layout
from chipsim.network import (
    LIF,
    Graded,
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
_POSTS = {"tanh": layout.TANH, "linear": layout.LINEAR, "softmax": layout.SOFTMAX}
_OUTPUTS = {
    "tanh": floating.TANH_OUTPUT,
    "relu": floating.RELU_OUTPUT,
    "linear": floating.LINEAR_OUTPUT,
}


def run_float(network: Network, trace: Trace, threads: int = 1) -> Answers:
    """Run every sample of ``trace`` from rest in single precision.

    Samples run one after the other on one thread where a plastic trace is carried.
    """
    program = _compile(network)
    values = input_values(network, trace)
    spikes = np.zeros((trace.samples, network.steps, program.neurons), np.uint8)
    potential = np.zeros((trace.samples, network.population(network.readout).size), np.float32)

    carried = bool(program.projections.carried.any())
    lasting = _fresh_traces(network, program)

    def run(first: int, last: int) -> None:
        traces = lasting if carried else _fresh_traces(network, program)
        part = slice(first, last)
        floating.run_float(program, values[part], *traces, spikes[part], potential[part])

    in_chunks(run, trace.samples, 1 if carried else threads)
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


def _sent_offsets(network: Network) -> dict[str, int]:
    """Return where the membranes that populations send start in the activity: after all neurons."""
    sending = [
        network.population(name)
        for name in evaluation_order(network)
        if network.sent_membrane(name) is not None
    ]
    first = sum(p.size for p in network.populations)
    places = _pointers([p.size for p in sending])[:-1]
    return {p.name: first + int(place) for p, place in zip(sending, places, strict=True)}


def _populations(network: Network, populations: list[Population]) -> floating.FloatPopulations:
    places = _sent_offsets(network)
    sent = [network.sent_membrane(p.name) for p in populations]
    models = [_neuron(p) for p in populations]
    graded = [p.model if isinstance(p.model, Graded) else None for p in populations]
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
        output=np.array([_OUTPUTS[g.activation] if g else floating.SPIKING for g in graded]),
        maximum=_floats([g.maximum if g else 1.0 for g in graded]),
        sent=np.array([places.get(p.name, -1) for p in populations], np.int64),
        sent_maximum=_floats([s.maximum if s else 0.0 for s in sent]),
        sent_last=np.array([s is not None and s.steps == "last" for s in sent]),
    )


def _neuron(population: Population) -> LIF:
    """Return the neuron's LIF model; a graded one is a LIF neuron that keeps nothing."""
    model = population.model
    assert not isinstance(model, Input)
    return LIF(threshold=1.0, decay=0.0, reset="none") if isinstance(model, Graded) else model


def _projections(
    network: Network, ordered: list[Projection], offsets: dict[str, int]
) -> floating.FloatProjections:
    rules = [p.plasticity for p in ordered]
    sizes = [p.weight.size for p in ordered]
    held = [size if rule else 0 for size, rule in zip(sizes, rules, strict=True)]
    plastic = np.array([rule is not None for rule in rules])
    factors = np.array([attenuation(p, network.steps) for p in ordered], np.float32)
    clamps = [np.inf if rule is None or rule.clamp is None else rule.clamp for rule in rules]
    convolutions = [p.name for p in ordered if p.connectivity]
    sent = _sent_offsets(network)
    return floating.FloatProjections(
        source=np.array([(sent if p.membrane else offsets)[p.source] for p in ordered], np.int64),
        pre_size=np.array([network.population(p.source).size for p in ordered], np.int64),
        post_size=np.array([network.population(p.target).size for p in ordered], np.int64),
        delay=np.array([p.delay for p in ordered], np.int64),
        weight=_pointers(sizes)[:-1],
        attenuation=factors.reshape(len(ordered), network.steps),
        trace=np.where(plastic, _pointers(held)[:-1], -1).astype(np.int64),
        alpha=_floats([rule.alpha if rule else 0.0 for rule in rules]),
        beta=_pointers([len(rule.beta) if rule else 0 for rule in rules])[:-1],
        eta=_pointers([len(rule.eta) if rule else 0 for rule in rules])[:-1],
        rho=_floats([rule.rho if rule else 0.0 for rule in rules]),
        clamp=_floats(clamps),
        post=np.array([_POSTS[rule.post] if rule else 0 for rule in rules], np.int64),
        factored=np.array([rule is not None and rule.factor is not None for rule in rules]),
        carried=np.array([rule is not None and rule.state == "carried" for rule in rules]),
        convolution=np.array(
            [convolutions.index(p.name) if p.connectivity else -1 for p in ordered], np.int64
        ),
    )


def _laid_out(projection: Projection) -> NDArray[np.float32]:
    """Return the weights by presynaptic neuron, a kernel's by source channel and tap."""
    axes = (1, 2, 3, 0) if projection.connectivity else (1, 0)
    return np.ascontiguousarray(projection.weight.transpose(axes)).ravel()


def _convolutions(ordered: list[Projection]) -> NDArray[np.void]:
    rows = [
        (
            *c.source_shape, *c.target_shape, *p.weight.shape[2:], c.stride, c.padding,
            int(c.channels_last),
        )
        for p in ordered
        if isinstance(c := p.connectivity, Convolution)
    ]  # fmt: skip
    return np.array(rows, floating.CONVOLUTION)


def _factors(ordered: list[Projection]) -> NDArray[np.float32]:
    """Return the factors of all traces in their places, nothing if no trace has one."""
    rules = [(p.weight.T.shape, p.plasticity) for p in ordered if p.plasticity]
    if all(rule.factor is None for _, rule in rules):
        return np.zeros(0, np.float32)
    ones = [np.ones(shape, np.float32) if r.factor is None else r.factor for shape, r in rules]
    return _joined([factor.ravel() for factor in ones])


def _fresh_traces(
    network: Network, program: floating.FloatProgram
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the plastic traces a run starts from and, by axon, which are not all zero."""
    trace = np.zeros(program.traces, np.float32)
    live = np.zeros(len(program.beta), np.bool_)
    ordered = [p for name in evaluation_order(network) for p in network.incoming(name)]
    for p, at, axon in zip(
        ordered, program.projections.trace, program.projections.beta, strict=True
    ):
        rule = p.plasticity
        if rule is not None and rule.state == "carried" and rule.stored_trace is not None:
            trace[at : at + rule.stored_trace.size] = rule.stored_trace.ravel()
            live[axon : axon + len(rule.beta)] = True
    return trace, live


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
        convolutions=_convolutions(ordered),
        weights=_joined([_laid_out(p) for p in ordered]),
        factor=_factors(ordered),
        beta=_joined([np.float32(rule.sign) * rule.beta for rule in rules]),
        eta=_joined([rule.eta for rule in rules]),
        inputs=sum(p.size for p in inputs),
        neurons=sum(p.size for p in populations),
        sent=sum(network.population(name).size for name in _sent_offsets(network)),
        slots=1 + max((p.delay for p in network.projections), default=0),
        traces=sum(p.weight.size for p in ordered if p.plasticity),
        readout=[p.name for p in populations].index(network.readout),
        first_spike=network.readout_kind == "first_spike",
    )
