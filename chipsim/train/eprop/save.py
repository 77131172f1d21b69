"""The files of a trained e-prop network: weights, description, training record, trial inputs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.eprop_float import EpropWeights
from chipsim.load.traces import write_trace
from chipsim.network import Trace
from chipsim.train.eprop.recipes import Task
from chipsim.train.eprop.rule import Neurons
from chipsim.train.eprop.torch_file import torch_bytes
from chipsim.train.eprop.trial import Trial, raster, target_curve
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
    """Write the state dict as ``.pt``, float32, ``(n_post, n_pre)`` as frameworks store it.

    ``input.weight (n, n_in)``, ``recurrent.weight (n, n)``, ``readout.weight (n_out, n)`` and
    ``feedback.weight (n, n_out)``, the matrix B; with ALIF neurons also ``adaptation (n,)``, beta
    in units of the described membrane (`description.save_description`).
    """
    named = zip((INPUT, RECURRENT, READOUT, FEEDBACK), weights, strict=True)
    arrays = {key: np.ascontiguousarray(value.T) for key, value in named}
    if neurons.alif:
        strength = np.zeros(neurons.count, np.float32)
        strength[neurons.lif :] = neurons.adaptation / neurons.input_gain
        arrays[ADAPTATION] = strength
    write_bytes(path, torch_bytes(arrays))


def load_weights(tensors: Mapping[str, NDArray[np.generic]]) -> EpropWeights:
    """Return the weights of a state dict that `save_weights` wrote; KeyError if one is missing."""
    rows = (tensors[key].astype(np.float32).T for key in (INPUT, RECURRENT, READOUT, FEEDBACK))
    return EpropWeights(*(np.ascontiguousarray(row) for row in rows))


def save_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write the training record as JSON."""
    write_bytes(path, (json.dumps(record, indent=1) + "\n").encode())


def save_trials(path: Path, trials: list[Trial], task: Task) -> None:
    """Write the inputs of ``trials`` as a trace, with what the readout should say.

    Labels where the question comes at a fixed time, else targets.
    """
    spikes = np.stack([raster(trial.inputs, task.inputs) for trial in trials])
    trace = Trace(name=path.stem, spikes=spikes)
    if task.window:
        labels = [trial.target[0].label for trial in trials if isinstance(trial.target, tuple)]
        trace = replace(trace, labels=np.array(labels, np.int64))
    else:
        targets = np.stack([target_curve(trial, task.outputs)[0] for trial in trials])
        trace = replace(trace, targets=targets)
    make_folder(path)
    write_trace(path, trace)


def plain(settings: Any) -> dict[str, Any]:
    """Return settings (a dataclass) as JSON has them."""
    content: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return content
