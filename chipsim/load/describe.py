"""Writes the description of a checkpoint as far as the shapes of its tensors tell.

A state dict says nothing of topology, neurons or time.  The sizes and the order of the layers
are guessed from the 2-D weights in file order; everything else says ``TODO``, which `read_model`
refuses, so that no guess is taken for a fact.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.load.checkpoint import Checkpoint
from chipsim.load.description import TODO

_PLAIN = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_RECURRENT = re.compile(r"recurrent|rec[._]|_hh|_rec")
_HP_WEIGHT = re.compile(r"fc(\d+)\.weight")


@dataclass(frozen=True)
class _Layer:
    """A guessed projection: tensor ``weight`` from population ``source`` to ``target``."""

    weight: str
    source: int
    target: int


def tensor_lines(checkpoint: Checkpoint) -> list[str]:
    """Return one line a tensor: name, element type, shape."""
    names = {name: _quoted(name) for name in checkpoint.tensors}
    width = max(map(len, names.values()))
    return [
        f"{names[name]:<{width}}  {array.dtype!s:<8} {array.shape}"
        for name, array in checkpoint.tensors.items()
    ]


def skeleton(checkpoint: Checkpoint) -> str:
    """Return the text of a description to complete (format: ``docs/model-file.md``).

    Raises InputError if no two-dimensional weight is there to guess from.
    """
    sizes, layers, left_over = _chain(checkpoint)
    names = _population_names(len(sizes))
    lines = [
        f"# Description of {_quoted(checkpoint.path.name)}, begun by `chipsim describe`.",
        "# Sizes and order are guessed from the shapes of the weights: check them. Replace every",
        f"# {TODO} by the value of the code that trained the network, or remove lines that say so.",
        "# The format is explained in docs/model-file.md. The tensors:",
        *(f"#   {line}" for line in tensor_lines(checkpoint)),
        *(f"# {_quoted(name)} fits no layer of the guess" for name in left_over),
        f"model: {_quoted(checkpoint.path.stem)}",
        f"steps: {TODO}  # {TODO}: time steps of one sample",
        "populations:",
        *_input_lines(names[0], sizes[0]),
    ]
    for name, size in zip(names[1:], sizes[1:], strict=True):
        lines += _neuron_lines(name, size)
    lines.append("projections:")
    for layer in layers:
        lines += _projection_lines(checkpoint, layer, names)
    lines += [
        "readout:",
        f"  population: {names[-1]}",
        f"  kind: {TODO}  # {TODO}: spike_count (most spikes) or membrane (highest at the end)",
        "# trace: ../traces/NAME.npz  # optional: input samples, relative to this file",
    ]
    return "\n".join(lines) + "\n"


def write_skeleton(path: Path, text: str, *, overwrite: bool) -> None:
    """Write ``text`` to ``path``; InputError if it exists and ``overwrite`` is false."""
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise InputError(f"{path}: exists already; --force overwrites it") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def _chain(checkpoint: Checkpoint) -> tuple[list[int], list[_Layer], list[str]]:
    """Chain the 2-D weights in file order: sizes of the populations, layers, what did not fit."""
    sizes: list[int] = []
    layers: list[_Layer] = []
    left_over: list[str] = []
    for name, array in checkpoint.tensors.items():
        if array.ndim == 4 and "weight" in name:
            left_over.append(name)  # a convolution's kernel tells nothing of its maps
        if array.ndim != 2 or array.dtype.kind != "f" or "weight" not in name or 0 in array.shape:
            continue
        n_post, n_pre = array.shape
        if not sizes:
            sizes = [n_pre, n_post]
            layers.append(_Layer(name, 0, 1))
        elif n_pre == n_post == sizes[-1] and _RECURRENT.search(name):
            layers.append(_Layer(name, len(sizes) - 1, len(sizes) - 1))
        elif n_pre == sizes[-1]:
            sizes.append(n_post)
            layers.append(_Layer(name, len(sizes) - 2, len(sizes) - 1))
        else:
            left_over.append(name)
    if not layers:
        raise InputError(
            f"{checkpoint.path}: holds no two-dimensional tensor called ...weight, so there is "
            "nothing to guess a description from; write it by hand (docs/model-file.md)"
        )
    return sizes, layers, left_over


def _population_names(count: int) -> list[str]:
    hidden = [f"hidden{i}" for i in range(1, count - 1)] if count > 3 else ["hidden"] * (count - 2)
    return ["input", *hidden, "output"]


def _input_lines(name: str, size: int) -> list[str]:
    return [
        f"  - name: {name}",
        f"    size: {size}",
        "    model: input",
        f"    kind: {TODO}  # {TODO}: graded (values) or spikes (0 and 1)",
        f"    maximum: {TODO}  # {TODO}: highest graded value; remove the line for spikes",
    ]


def _neuron_lines(name: str, size: int) -> list[str]:
    return [
        f"  - name: {name}",
        f"    size: {size}",
        "    model: lif",
        f"    threshold: {TODO}  # {TODO}: a number, or the name of a tensor that holds it",
        f"    decay: {TODO}  # {TODO}: factor on the membrane in one step, 0 to 1",
        f"    reset: {TODO}  # {TODO}: subtract, zero or none",
        f"    reset_order: {TODO}  # {TODO}: before_leak or after_leak (matters for subtract)",
        f"    fires: {TODO}  # {TODO}: above (u > threshold) or at (u >= threshold)",
    ]


def _projection_lines(checkpoint: Checkpoint, layer: _Layer, names: list[str]) -> list[str]:
    tensors = checkpoint.tensors
    n_post, n_pre = tensors[layer.weight].shape
    bias = layer.weight.replace("weight", "bias")
    recurrent = layer.source == layer.target
    lines = [
        f"  - name: {'recurrent' if recurrent else 'to'}_{names[layer.target]}",
        f"    source: {names[layer.source]}",
        f"    target: {names[layer.target]}",
        f"    weight: {_quoted(layer.weight)}",
    ]
    if _has(tensors.get(bias), (n_post,)):
        lines.append(f"    bias: {_quoted(bias)}")
    if recurrent:
        lines.append("    delay: 1")
    match = _HP_WEIGHT.fullmatch(layer.weight)
    number = match[1] if match else ""
    if (
        match
        and _has(tensors.get(f"alpha{number}"), (), (1,))
        and _has(tensors.get(f"beta{number}"), (n_pre,))
        and _has(tensors.get(f"eta{number}"), (n_post,))
    ):
        lines += [
            f"    attenuation_tau: {TODO}  # {TODO}: tau_w in steps; remove if none",
            "    plasticity:  # the tensors fit hybrid plasticity; remove if it was not used",
            "      rule: hp",
            f"      alpha: alpha{number}",
            f"      beta: beta{number}",
            f"      eta: eta{number}",
            f"      rho: {TODO}  # {TODO}: decay factor of the trace in one step",
            f"      clamp: {TODO}  # {TODO}: bound of the trace",
        ]
        if _has(tensors.get(f"hebb{number}"), (n_pre, n_post)):
            lines.append(f"      stored_trace: hebb{number}")
    return lines


def _has(array: NDArray[np.generic] | None, *shapes: tuple[int, ...]) -> bool:
    return array is not None and array.shape in shapes


def _quoted(name: str) -> str:
    """Return ``name`` as YAML text: bare if it cannot be mistaken, else in double quotes."""
    bare = _PLAIN.fullmatch(name) and name.lower() not in ("true", "false", "null")
    return name if bare else json.dumps(name)
