"""The description of a trained e-prop network, as `chipsim.load` reads it."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import yaml

from chipsim.network import LIF, Network, Population
from chipsim.plasticity import Eprop
from chipsim.train.eprop.save import ADAPTATION, FEEDBACK, INPUT, READOUT, RECURRENT
from chipsim.train.files import write_bytes

_WEIGHTS = {"input_hidden": INPUT, "hidden_hidden": RECURRENT, "hidden_readout": READOUT}


def save_description(path: Path, network: Network, trace: Path | None) -> None:
    """Write the description of ``network`` (`chipsim.train.eprop.network`), weights by name."""
    rule = network.learning
    assert rule is not None
    description: dict[str, Any] = {
        "model": path.stem,
        "steps": network.steps,
        "populations": [_population(population) for population in network.populations],
        "projections": [
            {
                "name": projection.name,
                "source": projection.source,
                "target": projection.target,
                "weight": _WEIGHTS[projection.name],
                "delay": projection.delay,
            }
            for projection in network.projections
        ],
        "readout": {"population": network.readout, "kind": network.readout_kind},
        "learning": _learning(rule),
    }
    if trace is not None:
        description["trace"] = Path(os.path.relpath(trace, path.parent)).as_posix()
    gain = 1.0 - math.exp(-1.0 / rule.tau_readout)
    heading = (
        "# e-prop network (Bellec et al. 2020); written by `chipsim train eprop`.\n"
        f"# The readout's y is its membrane times {gain:.9g}; its spikes mean nothing.\n"
    )
    body = yaml.safe_dump(description, sort_keys=False, default_flow_style=None, width=160)
    write_bytes(path, (heading + body).encode())


def _population(population: Population) -> dict[str, Any]:
    known: dict[str, Any] = {"name": population.name, "size": population.size}
    model = population.model
    if not isinstance(model, LIF):
        return known | {"model": "input", "kind": "spikes"}
    known |= {"model": "lif", "threshold": model.threshold, "decay": model.decay}
    known["reset"] = model.reset
    if model.reset == "subtract":
        known |= {"reset_order": model.reset_order, "fires": model.fires}
    if model.refractory:
        known["refractory"] = model.refractory
    if model.adaptation is not None:
        known["adaptation"] = {"strength": ADAPTATION, "decay": model.adaptation.decay}
    return known


def _learning(rule: Eprop) -> dict[str, Any]:
    known = {
        "rule": "eprop",
        "layer": rule.layer,
        "readout": rule.readout,
        "feedback": rule.kind,
        "feedback_weight": FEEDBACK,
        "task": rule.task,
        "window": rule.window,
        "dampening": rule.dampening,
        "tau_readout": rule.tau_readout,
        "rate_cost": rule.rate_cost,
        "rate_target": rule.rate_target,
        "optimiser": rule.optimiser,
        "learning_rate": rule.learning_rate,
        "batch": rule.batch,
    }
    if rule.kind == "adaptive":
        known["feedback_decay"] = rule.feedback_decay
    if rule.optimiser == "adam":
        known |= {"decay1": rule.decay1, "decay2": rule.decay2, "epsilon": rule.epsilon}
    return known
