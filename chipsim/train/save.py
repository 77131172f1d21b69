"""The checkpoint and the training record of a trained network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chipsim.train.files import torch_bytes, write_bytes
from chipsim.train.net import POOL, Net
from chipsim.train.shared import Traces

WEIGHT_KEYS = {"weight": "fc{}.weight", "bias": "fc{}.bias"}
KEYS = WEIGHT_KEYS | {"alpha": "alpha{}", "beta": "beta{}", "eta": "eta{}"}
TRACE_KEY = "hebb{}"
CONVOLUTION_KEYS = {"weight": "conv{}.weight", "bias": "conv{}.bias"}
POOL_KEY = "pool{}.weight"


def save_weights(path: Path, net: Net, traces: Traces) -> None:
    """Write the state_dict of the network: per layer N the `KEYS` and the trace, float32.

    A layer without plasticity has weight and bias only.  Convolution N has its
    `CONVOLUTION_KEYS`, and the average after it, as a convolution, its `POOL_KEY`.  Shapes:
    ``fcN.weight (n_post, n_pre)``, ``fcN.bias (n_post,)``, ``alphaN (1,)``, ``betaN (n_pre,)``,
    ``etaN (n_post,)``, ``hebbN (n_pre, n_post)``.
    """
    state: dict[str, Tensor] = {}
    for number, convolution in enumerate(net.convolutions, start=1):
        for name, key in CONVOLUTION_KEYS.items():
            state[key.format(number)] = getattr(convolution, name)
        each = torch.eye(len(convolution.bias))[:, :, None, None] / POOL**2
        state[POOL_KEY.format(number)] = each.expand(-1, -1, POOL, POOL)
    for number, (layer, trace) in enumerate(zip(net.layers, traces, strict=True), start=1):
        for name, key in (WEIGHT_KEYS if layer.silent else KEYS).items():
            state[key.format(number)] = getattr(layer, name)
        if not layer.silent:
            state[TRACE_KEY.format(number)] = trace
    write_bytes(path, torch_bytes(plain(state)))


def plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as a file should hold them: on the CPU, whole, without gradients."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}


def save_record(path: Path, record: dict[str, Any]) -> None:
    """Write the training record as JSON."""
    write_bytes(path, (json.dumps(record, indent=1) + "\n").encode())


def torch_version() -> str:
    """Return the version of torch that trained."""
    return str(torch.__version__)
