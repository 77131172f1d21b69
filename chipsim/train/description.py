"""The description of a trained network: what its state_dict leaves unsaid (docs/model-file.md)."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import yaml

from chipsim.train.data import CLASSES
from chipsim.train.files import write_bytes
from chipsim.train.hp import Layer
from chipsim.train.net import KERNEL, POOL, Net
from chipsim.train.save import CONVOLUTION_KEYS, KEYS, POOL_KEY, TRACE_KEY
from chipsim.train.settings import Dynamics

Entry = dict[str, Any]


def save_image_network(path: Path, net: Net, dynamics: Dynamics, trace: Path | None) -> None:
    """Write the description of the image network in the checkpoint ``path.stem``.

    The readout is that of the training.  A layer without plasticity is described without.
    """
    populations, projections = _convolutions(net, dynamics)
    image: Entry = {"name": "image", "size": net.pixels, "model": "input", "kind": "graded"}
    last = populations[-1]["name"] if populations else "image"
    fully = [
        _fully_connected(1, last, "hidden", net.hidden, dynamics),
        _fully_connected(2, "hidden", "output", net.output, dynamics.of_output()),
    ]
    description = {
        "model": path.stem,
        "steps": dynamics.steps,
        "populations": [
            image | {"maximum": 1.0},
            *populations,
            lif("hidden", len(net.hidden.bias), dynamics),
            lif("output", CLASSES, dynamics),
        ],
        "projections": [*projections, *fully],
        "readout": {"population": "output", "kind": dynamics.readout},
    }
    variant = "variant A" if dynamics == Dynamics() else "with the constants below"
    write(path, f"Hybrid plasticity, Wu et al. 2022, {variant}; written by `chipsim train hp`.",
          description, trace)  # fmt: skip


def write(path: Path, heading: str, description: Entry, trace: Path | None) -> None:
    """Write ``description`` under ``heading``; ``trace`` is named relative to ``path``."""
    if trace is not None:
        description |= {"trace": Path(os.path.relpath(trace, path.parent)).as_posix()}
    body = yaml.safe_dump(description, sort_keys=False, default_flow_style=None, width=160)
    write_bytes(path, f"# {heading}\n{body}".encode())


def lif(name: str, size: int, dynamics: Dynamics) -> Entry:
    """Return a population of LIF neurons."""
    order = {"reset_order": "before_leak"} if dynamics.reset == "subtract" else {}
    return {
        "name": name,
        "size": size,
        "model": "lif",
        "threshold": dynamics.threshold,
        "decay": dynamics.decay,
        "reset": dynamics.reset,
        **order,
        "fires": "above",
    }


def plastic(number: int, dynamics: Dynamics, **more: str) -> Entry:
    """Return what makes projection ``number`` plastic; ``more`` are tensors by their key."""
    rule: Entry = {"rule": "hp"}
    rule |= {name: KEYS[name].format(number) for name in ("alpha", "beta", "eta")}
    rule["rho"] = dynamics.rho
    if dynamics.clamp is not None:
        rule["clamp"] = dynamics.clamp
    if dynamics.post != "tanh":
        rule["post"] = dynamics.post
    if dynamics.sign == -1:
        rule["sign"] = "minus"
    if dynamics.positive_rates:
        rule["beta_low"] = 0.0
    return {"attenuation_tau": dynamics.tau, "plasticity": rule | more}


def _fully_connected(
    number: int, source: str, target: str, layer: Layer, dynamics: Dynamics
) -> Entry:
    entry: Entry = {
        "name": f"fc{number}",
        "source": source,
        "target": target,
        "weight": KEYS["weight"].format(number),
        "bias": KEYS["bias"].format(number),
    }
    if not layer.silent:
        return entry | plastic(number, dynamics, stored_trace=TRACE_KEY.format(number))
    return entry if dynamics.tau is None else entry | {"attenuation_tau": dynamics.tau}


def _convolutions(net: Net, dynamics: Dynamics) -> tuple[list[Entry], list[Entry]]:
    """Return populations and projections of the convolutions and of the averages after them.

    An average is a convolution too: of each map with itself, onto graded neurons.
    """
    populations: list[Entry] = []
    projections: list[Entry] = []
    source, shape = "image", [1, math.isqrt(net.pixels), math.isqrt(net.pixels)]
    for number, convolution in enumerate(net.convolutions, start=1):
        spikes, averages = f"conv{number}", f"pool{number}"
        maps = [len(convolution.bias), *shape[1:]]
        halved = [maps[0], maps[1] // POOL, maps[2] // POOL]
        populations += [
            lif(spikes, math.prod(maps), dynamics),
            {
                "name": averages,
                "size": math.prod(halved),
                "model": "graded",
                "activation": "linear",
                "maximum": 1.0,
            },
        ]
        keys = {name: key.format(number) for name, key in CONVOLUTION_KEYS.items()}
        shapes = {"source_shape": [*shape], "target_shape": [*maps]}
        projections += [
            {"name": spikes, "source": source, "target": spikes, **keys,
             "convolution": {**shapes, "padding": KERNEL // 2, "channels_last": True}},
            {"name": averages, "source": spikes, "target": averages,
             "weight": POOL_KEY.format(number),
             "convolution": {"source_shape": [*maps], "target_shape": [*halved], "stride": POOL,
                             "channels_last": True}},
        ]  # fmt: skip
        source, shape = averages, halved
    return populations, projections
