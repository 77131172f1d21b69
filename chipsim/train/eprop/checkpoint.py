"""A training run on disk, from which it can be resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.kernels.eprop_float import EpropGradients, EpropWeights
from chipsim.load.checkpoint import read_checkpoint
from chipsim.train.eprop.recipes import RECIPES
from chipsim.train.eprop.save import npz_bytes, plain
from chipsim.train.eprop.settings import IterationRecord, Settings
from chipsim.train.eprop.training import Training
from chipsim.train.files import write_bytes


def write(path: Path, training: Training, settings: Settings) -> None:
    """Write ``training`` to ``path``: written aside, then renamed, so it is always whole."""
    settings_json = json.dumps(plain(settings), sort_keys=True).encode()
    arrays: dict[str, NDArray[Any]] = {
        "settings": np.frombuffer(settings_json, np.uint8),
        "stage": np.array(training.stage),
        "records": np.array([astuple(record) for record in training.records], np.float64),
        **_state(training),
    }
    write_bytes(path, npz_bytes(arrays))


def resume(path: Path, training: Training, settings: Settings) -> None:
    """Bring the fresh ``training`` to where the run in ``path`` stopped.

    InputError if there is no such checkpoint, it is damaged, or it is of other settings.
    """
    if not path.exists():
        raise InputError(f"{path}: no checkpoint to resume from; start without --resume")
    kept = read_checkpoint(path).tensors
    _check_settings(path, kept, plain(settings))
    for name, values in _state(training).items():
        if name not in kept or kept[name].shape != values.shape or kept[name].dtype != values.dtype:
            raise _not_ours(path, f"{name} is missing or of another shape")
        values[...] = kept[name]
    records, stage = kept.get("records"), kept.get("stage")
    possible = range(training.stage, RECIPES[settings.task].task.stages)
    if records is None or records.shape[1:] != (4,) or records.dtype != np.float64:
        raise _not_ours(path, "its records are missing or of another shape")
    if stage is None or stage.shape != () or stage not in possible:
        raise _not_ours(path, "its stage is missing or impossible")
    training.stage = int(stage)
    training.records.extend(
        IterationRecord(int(stage), float(loss), float(score), float(rate))
        for stage, loss, score, rate in records.tolist()
    )


def _state(training: Training) -> dict[str, NDArray[Any]]:
    """All arrays that training changes, by name."""
    if training.chip is not None:
        chip = training.chip
        own: dict[str, NDArray[Any]] = {"weight": chip.program.weight, "tick": chip.tick}
        own |= chip.tutors.plastic._asdict()
        return {f"chip.{name}": values for name, values in own.items()}
    parts: dict[str, EpropWeights | EpropGradients] = {
        "weights": training.weights,
        "first": training.moments.first,
        "second": training.moments.second,
    }
    return {
        f"{part}.{name}": values
        for part, arrays in parts.items()
        for name, values in arrays._asdict().items()
    }


def _check_settings(
    path: Path, kept: Mapping[str, NDArray[np.generic]], wanted: dict[str, Any]
) -> None:
    try:
        stored = json.loads(kept["settings"].astype(np.uint8).tobytes())
    except (KeyError, ValueError, RecursionError):
        raise _not_ours(path, "its settings cannot be read") from None
    if not isinstance(stored, dict):
        raise _not_ours(path, "its settings cannot be read")
    differing = [
        f"{name} {stored.get(name)} instead of {value}"
        for name, value in wanted.items()
        if stored.get(name) != value
    ]
    if differing:
        raise InputError(
            f"{path}: is of a run with other settings ({'; '.join(differing)}); give the same "
            "options, or start anew without --resume"
        )


def _not_ours(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path}: is no checkpoint of this training ({reason}); start anew without --resume"
    )
