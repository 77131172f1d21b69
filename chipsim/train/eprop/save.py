"""The files of a trained e-prop network: weights, description, training record, trial inputs."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from chipsim.kernels.eprop_float import EpropWeights
from chipsim.load.traces import write_trace
from chipsim.network import Trace
from chipsim.train.eprop.rule import Neurons
from chipsim.train.eprop.trial import Trial, raster
from chipsim.train.files import make_folder, write_bytes

ADAPTATION = "adaptation"
INPUT, RECURRENT, READOUT, FEEDBACK = (
    f"{name}.weight" for name in ("input", "recurrent", "readout", "feedback")
)


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return what ``numpy.savez`` writes: equal arrays, equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    return buffer.getvalue()


def save_weights(path: Path, weights: EpropWeights, neurons: Neurons) -> None:
    """Write the state dict as ``.npz``, float32, ``(n_post, n_pre)`` as frameworks store it.

    ``input.weight (n, n_in)``, ``recurrent.weight (n, n)``, ``readout.weight (n_out, n)`` and
    ``feedback.weight (n, n_out)``, the matrix B; with ALIF neurons also ``adaptation (n,)``, beta
    in units of the described membrane (see `save_description`).
    """
    named = zip((INPUT, RECURRENT, READOUT, FEEDBACK), weights, strict=True)
    arrays = {key: np.ascontiguousarray(value.T) for key, value in named}
    if neurons.alif:
        strength = np.zeros(neurons.count, np.float32)
        strength[neurons.lif :] = neurons.adaptation / neurons.input_gain
        arrays[ADAPTATION] = strength
    write_bytes(path, npz_bytes(arrays))


def load_weights(tensors: Mapping[str, NDArray[np.generic]]) -> EpropWeights:
    """Return the weights of a state dict that `save_weights` wrote; KeyError if one is missing."""
    rows = (tensors[key].astype(np.float32).T for key in (INPUT, RECURRENT, READOUT, FEEDBACK))
    return EpropWeights(*(np.ascontiguousarray(row) for row in rows))


def save_description(
    path: Path, weights: EpropWeights, neurons: Neurons, steps: int, trace: Path | None
) -> None:
    """Write the description of the state dict ``path.stem``.

    Threshold and adaptation are divided by ``zeta``, so that the weights need no gain: v is in
    units of zeta.
    """
    inputs, n = weights.inputs.shape
    outputs = weights.readout.shape[1]
    readout = 1.0 - math.exp(-1.0 / neurons.tau_readout)
    description: dict[str, Any] = {
        "model": path.stem,
        "steps": steps,
        "populations": [
            {"name": "input", "size": inputs, "model": "input", "kind": "spikes"},
            {
                "name": "hidden",
                "size": n,
                "model": "lif",
                "threshold": neurons.threshold / neurons.input_gain,
                "decay": math.exp(-1.0 / neurons.tau_membrane),
                "reset": "subtract",
                "reset_order": "after_leak",
                "fires": "at",
            },
            {
                "name": "readout",
                "size": outputs,
                "model": "lif",
                "threshold": 1.0,
                "decay": math.exp(-1.0 / neurons.tau_readout),
                "reset": "none",
            },
        ],
        "projections": [
            _projection("input_hidden", INPUT, 0),
            _projection("hidden_hidden", RECURRENT, 1),
            _projection("hidden_readout", READOUT, 0),
        ],
        "readout": {"population": "readout", "kind": "membrane"},
    }
    hidden = description["populations"][1]
    if neurons.refractory:
        hidden["refractory"] = neurons.refractory
    if neurons.alif:
        decay = math.exp(-1.0 / neurons.tau_adaptation)
        hidden["adaptation"] = {"strength": ADAPTATION, "decay": decay}
    if trace is not None:
        description["trace"] = Path(os.path.relpath(trace, path.parent)).as_posix()
    heading = (
        "# e-prop network (Bellec et al. 2020); written by `chipsim train eprop`.\n"
        f"# The readout's y is its membrane times {readout:.9g}; its spikes mean nothing.\n"
    )
    body = yaml.safe_dump(description, sort_keys=False, default_flow_style=None, width=160)
    write_bytes(path, (heading + body).encode())


def save_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write the training record as JSON."""
    write_bytes(path, (json.dumps(record, indent=1) + "\n").encode())


def save_trials(path: Path, trials: list[Trial], inputs: int) -> None:
    """Write the inputs of ``trials`` as a trace, labelled if each asks one question."""
    spikes = np.stack([raster(trial.inputs, inputs) for trial in trials])
    labels = [
        trial.target[0].label
        for trial in trials
        if isinstance(trial.target, tuple) and len(trial.target) == 1
    ]
    known = np.array(labels, np.int64) if len(labels) == len(trials) else None
    make_folder(path)
    write_trace(path, Trace(name=path.stem, spikes=spikes, labels=known))


def plain(settings: Any) -> dict[str, Any]:
    """Return settings (a dataclass) as JSON has them."""
    content: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return content


def _projection(name: str, weight: str, delay: int) -> dict[str, Any]:
    source, target = name.split("_")
    return {"name": name, "source": source, "target": target, "weight": weight, "delay": delay}
