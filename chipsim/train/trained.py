"""A trained network of `chipsim.train.job` read back from its files."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chipsim.errors import InputError
from chipsim.train.hp import Layer
from chipsim.train.net import Convolution, Net
from chipsim.train.save import CONVOLUTION_KEYS, KEYS, TRACE_KEY, WEIGHT_KEYS
from chipsim.train.settings import Dynamics, Settings
from chipsim.train.shared import Traces
from chipsim.train.state import CPU


@dataclass(frozen=True)
class Trained:
    """Network, stored traces, constants and settings of a finished training run."""

    net: Net
    traces: Traces
    dynamics: Dynamics
    settings: Settings


def read(path: Path, device: torch.device = CPU) -> Trained:
    """Read the checkpoint ``path`` (``.pt``) onto ``device``, and the training record beside it.

    InputError if one is missing, damaged or not written by ``chipsim train hp``.
    """
    state = _read_state(path, device)
    record_path = path.with_suffix(".training.json")
    record = _read_record(record_path)
    try:
        dynamics = Dynamics(**record["dynamics"])
        settings = Settings(**record["settings"])
        settings = replace(settings, channels=tuple(settings.channels))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{record_path}: is no record of `chipsim train hp` ({error}); train again"
        ) from None
    try:
        convolutions = [
            Convolution(**{name: state[key.format(n)] for name, key in CONVOLUTION_KEYS.items()})
            for n in range(1, len(settings.channels) + 1)
        ]
        (hidden, first), (output, second) = (_layer(state, number) for number in (1, 2))
        net, traces = Net(tuple(convolutions), hidden, output), (first, second)
    except KeyError as error:
        raise InputError(
            f"{path}: has no tensor {error}; needed are those that `chipsim train hp` writes"
        ) from None
    return Trained(net, traces, dynamics, settings)


def _layer(state: dict[str, Any], number: int) -> tuple[Layer, Tensor]:
    """Return layer ``number`` and its stored trace; KeyError if a tensor is missing.

    Where there are none of the local rule, the layer is not plastic.
    """
    rule_keys = [key.format(number) for key in (*KEYS.values(), TRACE_KEY)][len(WEIGHT_KEYS) :]
    if not any(key in state for key in rule_keys):
        weight, bias = (state[key.format(number)] for key in WEIGHT_KEYS.values())
        n_post, n_pre = weight.shape
        alpha, beta, eta = (weight.new_zeros(size) for size in (1, n_pre, n_post))
        return Layer(weight, bias, alpha, beta, eta), weight.new_zeros(n_pre, n_post)
    layer = Layer(**{item.name: state[KEYS[item.name].format(number)] for item in fields(Layer)})
    return layer, state[TRACE_KEY.format(number)]


def _read_state(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint; `chipsim train hp` writes one") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        first_line = str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as a checkpoint: {first_line}") from None
    if not isinstance(state, dict):
        raise InputError(f"{path}: holds no state_dict; `chipsim train hp` writes one")
    return state


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; the record of the training is needed beside the checkpoint"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a training record: {error}") from None
    if not isinstance(record, dict):
        raise InputError(f"{path}: is no training record; train again")
    return record
