"""A training run on disk, from which it can be resumed."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chipsim.errors import InputError
from chipsim.train.files import torch_bytes, write_bytes

Asked = Mapping[str, Mapping[str, Any]]
"""What a run was asked to do: groups of settings by name."""

Optimisers = Mapping[str, torch.optim.Optimizer]


def write(
    path: Path,
    asked: Asked,
    tensors: Mapping[str, Tensor],
    optimisers: Optimisers,
    history: list[dict[str, Any]],
) -> None:
    """Write where a run stands to ``path``: written aside, then renamed, so it is always whole.

    ``history`` is what the run recorded so far.
    """
    content = {
        "asked": {name: dict(group) for name, group in asked.items()},
        "tensors": {name: tensor.detach().cpu() for name, tensor in tensors.items()},
        "optimisers": {name: each.state_dict() for name, each in optimisers.items()},
        "history": history,
    }
    write_bytes(path, torch_bytes(content))


def resume(
    path: Path, asked: Asked, tensors: Mapping[str, Tensor], optimisers: Optimisers
) -> list[dict[str, Any]]:
    """Bring fresh ``tensors`` and ``optimisers`` to where the run in ``path`` stopped.

    Returns what that run recorded.  InputError if there is no such checkpoint, it is damaged, or
    its run was asked something else.
    """
    content = _read(path)
    kept = content.get("asked")
    for name, group in asked.items():
        _same(name, path, kept.get(name) if isinstance(kept, dict) else None, group)
    try:
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(content["tensors"][name])
        for name, optimiser in optimisers.items():
            optimiser.load_state_dict(content["optimisers"][name])
        return [dict(record) for record in content["history"]]
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


def _same(part: str, path: Path, kept: Any, wanted: Mapping[str, Any]) -> None:
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
