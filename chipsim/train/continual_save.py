"""The files of a continual learning network: all tasks in the checkpoint, one of them described.

Weights inside a task's masks are a network of its own; the description is that of one task's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chipsim.load.traces import write_trace
from chipsim.network import Trace
from chipsim.train import save
from chipsim.train.continual import ContinualNet, Task
from chipsim.train.data import CLASSES, Images
from chipsim.train.description import lif, plastic, write
from chipsim.train.files import check_suffix, make_folder, torch_bytes, write_bytes
from chipsim.train.settings import Dynamics

TRACE_SAMPLES = 500
POPULATIONS = ("image", "hidden1", "hidden2", "output")


def save_weights(path: Path, net: ContinualNet, tasks: Sequence[Task], described: int) -> None:
    """Write the checkpoint of ``net`` with every task's order and masks.

    Under the names of the authors' code ``fcN.weight (n_post, n_pre)``, ``alphaN (1,)``,
    ``betaN (n_pre,)`` and ``etaN (n_post,)``.  Of all tasks ``tasks.order (tasks, pixels)``, the
    pixel that each input shows, and ``tasks.maskN (tasks, bytes)``, the bits of the masks row by
    row as ``numpy.packbits`` has them.  Of the ``described`` task ``task.mask1`` and ``task.mask2``
    (bool, ``(n_post, n_pre)``) and ``task.fc3.weight``, zero outside its mask.
    """
    state = net.named()
    for n in (1, 2, 3):
        packed = np.stack([_packed(task.masks[n - 1]) for task in tasks])
        state[f"tasks.mask{n}"] = torch.from_numpy(packed)
    first, second, third = tasks[described].masks
    state |= {"task.mask1": first.bool(), "task.mask2": second.bool()}
    state["task.fc3.weight"] = net.weights[2] * third
    orders = np.stack([each.order for each in tasks]).astype(np.int32)
    state["tasks.order"] = torch.from_numpy(orders)
    write_bytes(path, torch_bytes(save.plain(state)))


def save_trace(path: Path, images: Images, task: Task) -> None:
    """Write the first `TRACE_SAMPLES` of ``images`` as ``task`` sees them, with labels."""
    check_suffix(path, ".npz")
    chosen = images.first(TRACE_SAMPLES)
    held = chosen.pixels[:, task.order]
    make_folder(path)
    write_trace(path, Trace(name=path.stem, scale=1 / 255, held=held, labels=chosen.labels))


def save_description(
    path: Path, net: ContinualNet, dynamics: Dynamics, described: int, trace: Path, most: float
) -> None:
    """Write the description of the ``described`` task's network in the checkpoint ``path.stem``.

    ``trace`` is named relative to ``path``.  ``most`` is how far the second hidden layer's membrane
    potentials go; readout ``membrane`` sends them up to the hundredth above.
    """
    image, first, second, output = POPULATIONS
    words, read_out, carried = _readout(dynamics, most)
    content = {
        "model": path.stem,
        "steps": dynamics.steps,
        "populations": [
            {
                "name": image,
                "size": net.weights[0].shape[1],
                "model": "input",
                "kind": "graded",
                "maximum": 1.0,
            },
            lif(first, len(net.weights[0]), dynamics),
            lif(second, len(net.weights[1]), dynamics),
            {"name": output, "size": CLASSES, **read_out},
        ],
        "projections": [
            _projection(1, image, first, dynamics),
            _projection(2, first, second, dynamics),
            {"name": "fc3", "source": second, "target": output, "weight": "task.fc3.weight"}
            | carried,
        ],
        "readout": {"population": output, "kind": "membrane"},
    }
    heading = (
        f"Hybrid plasticity, Wu et al. 2022, variant E with {words}; the "
        f"network of task {described}.\n# Written by `chipsim train hp-continual`."
    )
    write(path, heading, content, trace)


def _readout(dynamics: Dynamics, most: float) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the output layer in words, its neurons, and what the projection to it carries."""
    if dynamics.readout == "integrated":
        neurons = {"threshold": dynamics.threshold, "decay": dynamics.decay, "reset": "none"}
        return "an integrating output layer", {"model": "lif"} | neurons, {}
    graded = {"model": "graded", "activation": "linear", "maximum": 1.0}
    sent = {"maximum": math.ceil(100 * most) / 100, "steps": "last"}
    return "an output layer that reads membranes", graded, {"membrane": sent}


def _projection(number: int, source: str, target: str, dynamics: Dynamics) -> dict[str, Any]:
    weight = {"weight": f"fc{number}.weight"}
    ends = {"name": f"fc{number}", "source": source, "target": target}
    return ends | weight | plastic(number, dynamics, mask=f"task.mask{number}")


def _packed(mask: torch.Tensor) -> NDArray[np.uint8]:
    return np.packbits(mask.cpu().numpy().astype(np.bool_))
