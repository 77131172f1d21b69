"""The files of a trained network: checkpoint, description, input trace and training record."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from chipsim.train.data import CLASSES
from chipsim.train.explicit import Traces
from chipsim.train.files import torch_bytes, write_bytes
from chipsim.train.settings import Dynamics
from chipsim.train.state import Layers

KEYS = {
    "weight": "fc{}.weight",
    "bias": "fc{}.bias",
    "alpha": "alpha{}",
    "beta": "beta{}",
    "eta": "eta{}",
}


def save_weights(path: Path, layers: Layers, traces: Traces) -> None:
    """Write the state_dict of the network: per layer N the `KEYS` and ``hebbN``, float32.

    Shapes: ``fcN.weight (n_post, n_pre)``, ``fcN.bias (n_post,)``, ``alphaN (1,)``,
    ``betaN (n_pre,)``, ``etaN (n_post,)``, ``hebbN (n_pre, n_post)``.
    """
    state: dict[str, Tensor] = {}
    for number, (layer, trace) in enumerate(zip(layers, traces, strict=True), start=1):
        for name, key in KEYS.items():
            state[key.format(number)] = getattr(layer, name).detach().contiguous()
        state[f"hebb{number}"] = trace.detach().contiguous()
    write_bytes(path, torch_bytes(state))


def save_description(
    path: Path, sizes: tuple[int, int], dynamics: Dynamics, trace: Path | None
) -> None:
    """Write the description of the checkpoint ``path.stem``: what the state_dict leaves unsaid.

    ``sizes`` are the neurons of input and hidden layer; ``trace`` is named relative to ``path``.
    """
    pixels, hidden = sizes
    description: dict[str, Any] = {
        "model": path.stem,
        "steps": dynamics.steps,
        "populations": [
            {"name": "image", "size": pixels, "model": "input", "kind": "graded", "maximum": 1.0},
            _lif("hidden", hidden, dynamics),
            _lif("output", CLASSES, dynamics),
        ],
        "projections": [
            _projection(1, "image", "hidden", dynamics),
            _projection(2, "hidden", "output", dynamics),
        ],
        "readout": {"population": "output", "kind": "spike_count"},
    }
    if trace is not None:
        description["trace"] = Path(os.path.relpath(trace, path.parent)).as_posix()
    heading = "# Hybrid plasticity, Wu et al. 2022, variant A; written by `chipsim train hp`.\n"
    body = yaml.safe_dump(description, sort_keys=False, default_flow_style=None, width=160)
    write_bytes(path, (heading + body).encode())


def save_record(path: Path, record: dict[str, Any]) -> None:
    """Write the training record as JSON."""
    write_bytes(path, (json.dumps(record, indent=1) + "\n").encode())


def torch_version() -> str:
    """Return the version of torch that trained."""
    return str(torch.__version__)


def _lif(name: str, size: int, dynamics: Dynamics) -> dict[str, Any]:
    return {
        "name": name,
        "size": size,
        "model": "lif",
        "threshold": dynamics.threshold,
        "decay": dynamics.decay,
        "reset": "subtract",
        "reset_order": "before_leak",
        "fires": "above",
    }


def _projection(number: int, source: str, target: str, dynamics: Dynamics) -> dict[str, Any]:
    return {
        "name": f"fc{number}",
        "source": source,
        "target": target,
        "weight": KEYS["weight"].format(number),
        "bias": KEYS["bias"].format(number),
        "attenuation_tau": dynamics.tau,
        "plasticity": {
            "rule": "hp",
            "alpha": KEYS["alpha"].format(number),
            "beta": KEYS["beta"].format(number),
            "eta": KEYS["eta"].format(number),
            "rho": dynamics.rho,
            "clamp": dynamics.clamp,
            "stored_trace": f"hebb{number}",
        },
    }
