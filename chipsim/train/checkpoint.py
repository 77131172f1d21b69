"""A training run on disk, from which it can be resumed."""

from __future__ import annotations

import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from chipsim.errors import InputError
from chipsim.train.files import torch_bytes, write_bytes
from chipsim.train.settings import Dynamics, EpochRecord, Settings
from chipsim.train.state import Training


def write(path: Path, training: Training, settings: Settings, dynamics: Dynamics) -> None:
    """Write ``training`` to ``path``: written aside, then renamed, so it is always whole."""
    content = {
        "settings": asdict(settings),
        "dynamics": asdict(dynamics),
        "layers": [
            {name: tensor.detach() for name, tensor in vars(layer).items()}
            for layer in training.layers
        ],
        "carried": training.carried,
        "optimiser": training.optimiser.state_dict(),
        "epochs": [asdict(record) for record in training.epochs],
    }
    write_bytes(path, torch_bytes(content))


def resume(path: Path, training: Training, settings: Settings, dynamics: Dynamics) -> None:
    """Bring the fresh ``training`` to where the run in ``path`` stopped.

    InputError if there is no such checkpoint, it is damaged, or it is of other settings.
    """
    content = _read(path)
    _same("settings", path, content, asdict(settings))
    _same("dynamics", path, content, asdict(dynamics))
    try:
        with torch.no_grad():
            for layer, kept in zip(training.layers, content["layers"], strict=True):
                for name, tensor in vars(layer).items():
                    tensor.copy_(kept[name])
        for trace, carried in zip(training.carried or (), content["carried"] or (), strict=True):
            trace.copy_(carried)
        training.optimiser.load_state_dict(content["optimiser"])
        for record in content["epochs"]:
            bounds = record["trace_bounds"]
            training.epochs.append(EpochRecord(**{**record, "trace_bounds": tuple(bounds)}))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: is no checkpoint of this training: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no checkpoint to resume from; start without --resume") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        first_line = str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as a checkpoint: {first_line}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: is no checkpoint of a training run; start without --resume")
    return content


def _same(part: str, path: Path, content: dict[str, Any], wanted: dict[str, Any]) -> None:
    kept = content.get(part)
    if kept != wanted:
        differing = [
            f"{name} {kept.get(name)} instead of {value}"
            for name, value in wanted.items()
            if isinstance(kept, dict) and kept.get(name) != value
        ]
        raise InputError(
            f"{path}: is of a run with other {part} ({', '.join(differing) or 'none stated'}); "
            "give the same options, or start anew without --resume"
        )
