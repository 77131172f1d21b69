"""The few-shot network as a model to map: tensors, description and episodes as a trace.

Batch normalisation, once trained, is a scale and an offset of each channel, and so is what brings
the ink to mean 0 and spread 1: all are folded into weights and biases.  Beyond its edge the
normalised drawing is 0, which is ink of the mean and not none, so the first biases differ along
the edge.  Maps are laid out channels last, as a crossbar needs them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from chipsim.connectivity import Convolution
from chipsim.load.traces import write_trace
from chipsim.network import Trace
from chipsim.train.fewshot import INK_MEAN, INK_SPREAD, LARGEST_RATE, TEACHING, draw_episodes
from chipsim.train.files import make_folder, torch_bytes, write_bytes
from chipsim.train.omniglot import SIDE, Characters
from chipsim.train.settings import VARIANTS

LAYERS = 4
TRACE_EPISODES = 60
BATCH_NORM_EPSILON = 1e-5
"""torch's default, with which the network was trained."""

Tensors = dict[str, NDArray[np.float32]]
State = Mapping[str, NDArray[np.float32]]


def maps(channels: int) -> tuple[Convolution, ...]:
    """Return the four convolutions: 3 x 3, stride 2, 31 x 31 to 2 x 2."""
    made, shape = [], (1, SIDE, SIDE)
    for _ in range(LAYERS):
        side = (shape[1] - 1) // 2 + 1
        target = (channels, side, side)
        made.append(Convolution(shape, target, stride=2, padding=1, channels_last=True))
        shape = target
    return tuple(made)


def deployable(state: State, ways: int) -> Tensors:
    """Return the tensors of `chipsim.train.fewshot.FewShotNet` as `description` names them.

    ``state`` is its state_dict as arrays; the first ``ways`` of its outputs are kept.
    """
    channels = len(state["convolutions.0.weight"])
    tensors: Tensors = {}
    for layer, convolution in enumerate(maps(channels)):
        norm = {key: state[f"norms.{layer}.{key}"] for key in
                ("weight", "bias", "running_mean", "running_var")}  # fmt: skip
        scale = norm["weight"] / np.sqrt(norm["running_var"] + BATCH_NORM_EPSILON)
        kernel = state[f"convolutions.{layer}.weight"] * scale[:, None, None, None]
        bias = convolution.by_channel(norm["bias"] - norm["running_mean"] * scale)
        if layer == 0:
            kernel = kernel / INK_SPREAD
            pre, post = np.arange(convolution.n_pre), np.arange(convolution.n_post)
            bias = bias - INK_MEAN * convolution.block(kernel, pre, post).sum(axis=0)
        tensors[f"conv{layer + 1}.weight"] = kernel.astype(np.float32)
        tensors[f"conv{layer + 1}.bias"] = bias.astype(np.float32)
    order = _channels_last(channels)
    return tensors | {
        "plastic.weight": np.ascontiguousarray(state["weight"][:ways, order], np.float32),
        "plastic.alpha": np.ascontiguousarray(state["alpha"][order, :ways], np.float32),
        "plastic.beta": np.asarray(state["beta"][:ways], np.float32),
        "plastic.eta": np.asarray(state["eta"], np.float32),
        "teach.weight": TEACHING * np.eye(ways, dtype=np.float32),
    }


def _channels_last(channels: int) -> NDArray[np.int64]:
    """Return where each feature stood when channels came first."""
    side = maps(channels)[-1].target_shape[1]
    numbers = np.arange(channels * side * side).reshape(channels, side, side)
    order: NDArray[np.int64] = numbers.transpose(1, 2, 0).ravel()
    return order


def description(name: str, channels: int, ways: int, shots: int, trace: str) -> str:
    """Return the description of `deployable` tensors (docs/model-file.md)."""
    d = VARIANTS["D"]
    made = maps(channels)
    lines = [
        f"# {ways}-way {shots}-shot learning of Omniglot characters (variant D of Wu et al. 2022):",
        "# a drawing a step with its class as a current, in the last step a drawing to classify.",
        f"model: {name}",
        f"steps: {ways * shots + 1}",
        "populations:",
        f"  - {{name: image, size: {SIDE * SIDE}, model: input, kind: graded}}",
        f"  - {{name: label, size: {ways}, model: input, kind: graded}}",
    ]
    for layer, convolution in enumerate(made, 1):
        size = convolution.n_post
        lines.append(f"  - {{name: map{layer}, size: {size}, model: graded, activation: tanh}}")
    lines += [
        f"  - {{name: output, size: {ways}, model: lif, threshold: {d.threshold}, "
        f"decay: {d.decay}, reset: zero}}",
        "projections:",
    ]
    for layer, convolution in enumerate(made, 1):
        lines += [
            f"  - name: conv{layer}",
            f"    source: {'image' if layer == 1 else f'map{layer - 1}'}",
            f"    target: map{layer}",
            f"    weight: conv{layer}.weight",
            f"    bias: conv{layer}.bias",
            f"    convolution: {{source_shape: {list(convolution.source_shape)}, target_shape: "
            f"{list(convolution.target_shape)}, stride: 2, padding: 1, channels_last: true}}",
        ]
    return "\n".join([
        *lines,
        "  - name: plastic",
        f"    source: map{LAYERS}",
        "    target: output",
        "    weight: plastic.weight",
        "    plasticity: {rule: hp, post: softmax, mix: plastic.alpha, beta: plastic.eta, "
        f"beta_high: {LARGEST_RATE}, eta: plastic.beta, rho: {d.rho}}}",
        "  - {name: teach, source: label, target: output, weight: teach.weight}",
        "readout: {population: output, kind: membrane}",
        f"trace: {trace}",
        "",
    ])  # fmt: skip


def episodes(
    characters: Characters, ways: int, shots: int, count: int, seed: int, queries: int = 1
) -> Trace:
    """Return ``count`` episodes of ``characters`` as samples, a step for each drawing.

    Each is drawn anew; ``queries`` drawings of each are asked, in a sample of its own each.
    """
    random = np.random.default_rng([seed, ways, shots])
    drawings = characters.reshape(-1, SIDE * SIDE)
    steps = ways * shots + 1
    values = np.zeros((count, queries, steps, SIDE * SIDE + ways), np.uint8)
    labels = np.zeros((count, queries), np.int64)
    for number in range(count):
        drawn = draw_episodes(random, len(characters), ways, shots, 1)
        asked = random.permutation(ways)[:queries]
        values[number, :, :-1, : SIDE * SIDE] = drawings[drawn.support[0]]
        values[number, :, np.arange(steps - 1), SIDE * SIDE + drawn.shown[0]] = 255
        values[number, :, -1, : SIDE * SIDE] = drawings[drawn.query[0, asked]]
        labels[number] = drawn.asked[0, asked]
    flat = values.reshape(count * queries, steps, -1)
    return Trace(f"{ways}-way", scale=1 / 255, graded=flat, labels=labels.ravel())


def save_models(
    out: Path, state: State, evaluation: Characters, test_ways: Sequence[int], shots: int
) -> None:
    """Write the network as a model for each number of ways: checkpoint, description, trace.

    The first is ``out``, each other one named after it and its ways; traces (of ``evaluation``)
    go to the folder ``traces`` beside that of ``out``.
    """
    channels = len(state["convolutions.0.weight"])
    for ways in test_ways:
        name = out.stem if ways == test_ways[0] else f"{out.stem}{ways}"
        path = out.with_name(f"{name}.pt")
        tensors = deployable(state, ways)
        named = {key: torch.from_numpy(array) for key, array in tensors.items()}
        write_bytes(path, torch_bytes(named))
        trace = Path("traces") / f"{name}.npz"
        text = description(name, channels, ways, shots, f"../{trace.as_posix()}")
        write_bytes(path.with_suffix(".yaml"), text.encode())
        make_folder(out.parent.parent / trace)
        shown = episodes(evaluation, ways, shots, TRACE_EPISODES, seed=0)
        write_trace(out.parent.parent / trace, shown)
