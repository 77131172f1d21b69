"""Small chips, networks and whole runs in memory, and the same as files for the command line."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chipsim.chip import Chip
from chipsim.job import Choices
from chipsim.load.chip_file import read_chip
from chipsim.load.traces import write_trace
from chipsim.network import LIF, Input, Network, Population, Projection, Trace
from chipsim.pipeline import simulate
from chipsim.results import Results
from tests.conftest import random_network

TINY = ("mesh.width=9", "mesh.height=8", "core.axons=4", "core.columns=8")
"""Four axons and four 16-bit neurons a core (two if they learn): everything gets cut."""


def tiny_chip(*overrides: str) -> Chip:
    return read_chip("tianjic", (*TINY, *overrides))


def random_trace(network: Network, rng: np.random.Generator, samples: int) -> Trace:
    """Held or stepwise graded values, or spikes, sparse enough that axons rest."""
    population = network.populations[0]
    assert isinstance(population.model, Input)
    stepwise = (samples, network.steps, population.size)
    busy = float(rng.choice([0.2, 0.7]))
    if population.model.kind == "spikes":
        return Trace("random", spikes=(rng.random(stepwise) < busy).astype(np.uint8))
    shape = (samples, population.size) if rng.random() < 0.5 else stepwise
    values = rng.integers(0, 256, shape) * (rng.random(shape) < busy)
    if len(shape) == 2:
        return Trace("random", scale=1 / 255, held=values.astype(np.uint8))
    return Trace("random", scale=1 / 255, graded=values.astype(np.uint8))


def simulated(network: Network, chip: Chip, trace: Trace, **choices: Any) -> Results:
    """Run ``trace`` on ``network`` with the given `Choices`."""
    return simulate(network, chip, trace, Choices(**choices))


def random_run(
    case: int,
    samples: int = 2,
    chip: Chip | None = None,
    make: Callable[[np.random.Generator], Network] = random_network,
    **choices: Any,
) -> Results:
    """A random network with a random trace, mapped by the real mapper onto a tiny chip."""
    rng = np.random.default_rng(case)
    network = make(rng)
    trace = random_trace(network, rng, samples)
    return simulated(network, chip or tiny_chip(), trace, **choices)


def relay(
    neurons: int = 3, steps: int = 4, weight: float = 1.0, decay: float = 0.0, layers: int = 1
) -> Network:
    """Each input spike makes one spike in every layer, in its own step, if ``weight`` > 0.5."""
    names = ["in", *(f"layer{i}" for i in range(1, layers + 1))]
    model = LIF(threshold=0.5, decay=decay, reset="zero")
    populations = [Population("in", neurons, Input("spikes"))]
    populations += [Population(name, neurons, model) for name in names[1:]]
    projections = tuple(
        Projection(f"to_{b}", a, b, np.eye(neurons, dtype=np.float32) * np.float32(weight))
        for a, b in itertools.pairwise(names)
    )
    return Network("relay", steps, tuple(populations), projections, names[-1])


def spike_trace(spikes: Any) -> Trace:
    return Trace("spikes", spikes=np.asarray(spikes, np.uint8))


def repeated(trace: Trace, times: int) -> Trace:
    """The samples of ``trace``, ``times`` over."""

    def again(values: Any) -> Any:
        return None if values is None else np.concatenate([values] * times)

    return replace(
        trace,
        held=again(trace.held),
        graded=again(trace.graded),
        spikes=again(trace.spikes),
        labels=again(trace.labels),
    )


def save_model(folder: Path, network: Network, trace: Trace | None) -> Path:
    """Write a network as NAME.npz and NAME.yaml, and its trace; return the checkpoint."""
    tensors: dict[str, Any] = {}
    projections = []
    for p in network.projections:
        tensors[f"{p.name}.w"] = p.weight
        entry = f"{{name: {p.name}, source: {p.source}, target: {p.target}, weight: {p.name}.w"
        entry += f", delay: {p.delay}"
        if p.bias is not None:
            tensors[f"{p.name}.b"] = p.bias
            entry += f", bias: {p.name}.b"
        if p.attenuation_tau is not None:
            entry += f", attenuation_tau: {p.attenuation_tau}"
        rule = p.plasticity
        if rule is not None:
            tensors[f"{p.name}.beta"], tensors[f"{p.name}.eta"] = rule.beta, rule.eta
            entry += (
                f", plasticity: {{rule: hp, alpha: {rule.alpha!r}, beta: {p.name}.beta, "
                f"eta: {p.name}.eta, rho: {rule.rho}, clamp: {rule.clamp}"
            )
            if rule.stored_trace is not None:
                tensors[f"{p.name}.h"] = rule.stored_trace
                entry += f", stored_trace: {p.name}.h"
            entry += "}"
        projections.append(entry + "}")
    lines = [f"model: {network.name}", f"steps: {network.steps}", "populations:"]
    for q in network.populations:
        model = q.model
        if isinstance(model, Input):
            words = f"model: input, kind: {model.kind}, maximum: {model.maximum}"
        else:
            words = (
                f"model: lif, threshold: {model.threshold!r}, decay: {model.decay!r}, "
                f"reset: {model.reset}, reset_order: {model.reset_order}, fires: {model.fires}"
            )
        lines.append(f"- {{name: {q.name}, size: {q.size}, {words}}}")
    lines += ["projections:", *(f"- {entry}" for entry in projections)]
    lines.append(f"readout: {{population: {network.readout}, kind: {network.readout_kind}}}")
    if trace is not None:
        write_trace(folder / "trace.npz", trace)
        lines.append("trace: trace.npz")
    checkpoint = folder / f"{network.name}.npz"
    np.savez(checkpoint, **tensors)
    checkpoint.with_suffix(".yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return checkpoint
