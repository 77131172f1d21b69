"""Traces: input samples in ``.npz`` (native) or plain ``.npy`` files.

The native fields are documented in ``docs/traces.md``.  Reading never unpickles, and no claim
of a file about its size is believed (see `chipsim.load.archive`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.load.archive import (
    MOST_EXPANDED_BYTES,
    MalformedError,
    describe_failures,
    open_archive,
)
from chipsim.load.npz import NPY_MAGIC, parse_npy, read_npz
from chipsim.network import Input, Network, Trace

FORMAT = "chipsim-trace-1"

_AXES: Mapping[str, str] = {
    "held": "(samples, neurons)",
    "graded": "(samples, steps, neurons)",
    "spikes": "(samples, steps, neurons)",
}
_EVENTS = ("sample_ptr", "times", "ids", "steps", "neurons")
_FIELDS = ("format", "scale", "labels", "targets", *_AXES, *_EVENTS)

Arrays = Mapping[str, NDArray[np.generic]]


def read_trace(path: Path) -> Trace:
    """Read the trace at ``path``: a native ``.npz``, or a dense ``.npy``.

    A ``.npy`` of shape ``(steps, neurons)`` is one sample, ``(samples, steps, neurons)`` several;
    it becomes ``spikes`` if all values are 0 or 1, else ``graded``.  Events become dense
    ``spikes``.  The trace is named after the file.

    Raises InputError naming the file and the field for whatever is missing, unknown, of the
    wrong shape or type, or damaged.  Whether it suits a network is for `check_trace`.
    """
    with describe_failures(path):
        with path.open("rb") as stream:
            head = stream.read(8)
        if head[:6] == NPY_MAGIC:
            return _from_dense(path.stem, parse_npy(path.read_bytes()))
        if head[:4] == b"PK\x03\x04":
            with open_archive(path) as archive:
                return _from_fields(path.stem, read_npz(archive))
        raise MalformedError("a trace is an .npz (see docs/traces.md) or a dense .npy array")


def write_trace(path: Path, trace: Trace) -> None:
    """Write ``trace`` to ``path`` as a compressed native ``.npz``, whole or not at all.

    Boolean and 0/1 ``spikes`` are stored as uint8.  Raises InputError if the folder cannot be
    written to.
    """
    form = next(name for name in _AXES if getattr(trace, name) is not None)
    values = trace.values.astype(np.uint8) if form == "spikes" else trace.values
    fields: dict[str, NDArray[np.generic]] = {
        "format": np.asarray(FORMAT),
        "scale": np.asarray(trace.scale, dtype=np.float64),
        form: np.ascontiguousarray(values),
    }
    if trace.labels is not None:
        fields["labels"] = np.asarray(trace.labels, dtype=np.int64)
    if trace.targets is not None:
        fields["targets"] = np.asarray(trace.targets, dtype=np.float32)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **fields)
        os.replace(aside, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        aside.unlink(missing_ok=True)


def first_samples(trace: Trace, count: int, *, first: int = 0) -> Trace:
    """Return the samples ``first .. first+count-1`` of ``trace`` (views, not copies).

    Raises InputError if ``count`` is not positive or the trace does not have them.
    """
    if count < 1 or first < 0 or first + count > trace.samples:
        raise InputError(
            f"trace {trace.name!r} has {trace.samples} samples; "
            f"{count} from sample {first} on were asked for"
        )
    part = slice(first, first + count)
    return replace(
        trace,
        held=None if trace.held is None else trace.held[part],
        graded=None if trace.graded is None else trace.graded[part],
        spikes=None if trace.spikes is None else trace.spikes[part],
        labels=None if trace.labels is None else trace.labels[part],
        targets=_targets_of(trace, part),
    )


def _targets_of(trace: Trace, part: slice) -> NDArray[np.float32] | None:
    """Return the targets of some samples, where each has its own."""
    if trace.targets is None or trace.targets.ndim == 2:
        return trace.targets
    return trace.targets[part]


def check_trace(trace: Trace, network: Network) -> None:
    """Raise InputError unless ``trace`` can be fed to ``network``.

    Where a network has several input populations, the trace's neurons are theirs one after the
    other, in the order of ``network.populations``.  Checked: width, steps, the range of the
    scaled values (0 or 1 for spiking inputs), labels below the size of the readout population.
    """
    inputs = [p for p in network.populations if isinstance(p.model, Input)]
    width = sum(p.size for p in inputs)
    if trace.neurons != width:
        names = ", ".join(f"'{p.name}'" for p in inputs)
        owner = f"population {names}" if len(inputs) == 1 else f"populations {names} together"
        verb = "has" if len(inputs) == 1 else "have"
        raise InputError(
            f"{trace.name}: trace has {trace.neurons} inputs, the network's input {owner} "
            f"{verb} {width}"
        )
    if trace.held is None and trace.values.shape[1] != network.steps:
        raise InputError(
            f"{trace.name}: trace has {trace.values.shape[1]} steps a sample, the network "
            f"{network.name!r} runs {network.steps}"
        )
    first = 0
    for population in inputs:
        assert isinstance(population.model, Input)
        part = trace.values[..., first : first + population.size]
        _check_range(trace, part, population.name, population.model)
        first += population.size
    if trace.labels is not None:
        problem = _label_problem(trace.labels, trace.samples)
        classes = network.population(network.readout).size
        highest = 0 if problem else int(trace.labels.max())
        if highest >= classes:
            problem = (
                f"label {highest} occurs, the readout population {network.readout!r} has "
                f"{classes} neurons (labels 0 to {classes - 1})"
            )
        if problem:
            raise InputError(f"{trace.name}: {problem}")


def _check_range(trace: Trace, part: NDArray[np.generic], name: str, model: Input) -> None:
    low, high = (float(value) * trace.scale for value in (part.min(), part.max()))
    if not np.isfinite(low) or not np.isfinite(high):
        raise InputError(f"{trace.name}: holds values for '{name}' that are not finite")
    if low < 0 or high > model.maximum * (1 + 1e-6):
        raise InputError(
            f"{trace.name}: values for '{name}' run from {low:g} to {high:g} (scale "
            f"{trace.scale:g} applied); allowed are 0 to {model.maximum:g}; set scale"
        )
    if model.kind == "spikes":
        # Stored spikes were checked when they were read; held and graded values may also be 0, 1.
        binary = trace.spikes is not None or _is_binary(part)
        if not binary or trace.scale != 1:
            raise InputError(
                f"{trace.name}: '{name}' takes spikes; all values must be 0 or 1, scale 1"
            )


def _from_dense(name: str, values: NDArray[np.generic]) -> Trace:
    if values.ndim == 2:
        values = values[np.newaxis]
    if values.ndim != 3 or values.dtype.kind not in "biuf" or values.size == 0:
        raise MalformedError(
            f"the array has shape {values.shape} of {values.dtype}; needed are numbers of shape "
            "(steps, neurons) or (samples, steps, neurons)"
        )
    if _is_binary(values):
        return Trace(name, spikes=values.astype(np.uint8))
    return Trace(name, graded=values)


def _from_fields(name: str, arrays: Arrays) -> Trace:
    _check_format(arrays)
    forms = [form for form in _AXES if form in arrays]
    is_events = any(field in arrays for field in _EVENTS)
    if len(forms) + is_events != 1:
        found = ", ".join([*forms, *(["events"] if is_events else [])]) or "none"
        raise MalformedError(
            f"exactly one of {', '.join(_AXES)} or events ({', '.join(_EVENTS)}) is needed; "
            f"found: {found}"
        )
    form = "spikes" if is_events else forms[0]
    values = _expand(arrays) if is_events else arrays[form]
    axes = _AXES[form]
    if values.ndim != axes.count(",") + 1 or values.dtype.kind not in "biuf" or values.size == 0:
        raise MalformedError(
            f"{form} has shape {values.shape} of {values.dtype}; numbers of shape {axes} are needed"
        )
    if form == "spikes":
        if not _is_binary(values):
            raise MalformedError("spikes holds values other than 0 and 1; use graded for those")
        values = values.astype(np.uint8, copy=False)
    labels = _labels(arrays, values.shape[0])
    scale = _scalar(arrays, "scale", 1.0)
    if not 0 < scale < float("inf"):
        raise MalformedError(f"scale is {scale:g}; it must be a positive, finite number")
    trace = Trace(name, scale, labels=labels, targets=_targets(arrays, values))
    if form == "held":
        return replace(trace, held=values)
    if form == "graded":
        return replace(trace, graded=values)
    return replace(trace, spikes=values)


def _check_format(arrays: Arrays) -> None:
    for field in arrays:
        if field not in _FIELDS:
            raise MalformedError(f"unknown field {field!r}; known: {', '.join(_FIELDS)}")
    if "format" not in arrays or arrays["format"].dtype.kind != "U" or arrays["format"].ndim:
        raise MalformedError(f"the field 'format' is missing; it must be the text {FORMAT!r}")
    given = str(arrays["format"].item())
    if given != FORMAT:
        raise MalformedError(f"format is {given[:40]!r}; this chipsim reads {FORMAT!r}")


def _labels(arrays: Arrays, samples: int) -> NDArray[np.int64] | None:
    if "labels" not in arrays:
        return None
    labels = arrays["labels"]
    if labels.dtype.kind not in "iu":
        raise MalformedError(f"labels are {labels.dtype}; whole numbers are needed")
    # Unsigned numbers past int64 turn negative here and are refused below.
    whole = labels.astype(np.int64)
    problem = _label_problem(whole, samples)
    if problem:
        raise MalformedError(problem)
    return whole


def _targets(arrays: Arrays, values: NDArray[np.generic]) -> NDArray[np.float32] | None:
    if "targets" not in arrays:
        return None
    targets = arrays["targets"]
    own = targets.shape[:-1] == values.shape[:2]
    shared = values.ndim == 3 and targets.shape[:-1] == values.shape[1:2]
    if values.ndim != 3 or targets.size == 0 or not (own or shared):
        raise MalformedError(
            f"targets have shape {targets.shape}; needed are (samples, steps, outputs) or (steps, "
            f"outputs) for values of shape {values.shape}"
        )
    if targets.dtype.kind not in "biuf" or not np.isfinite(targets).all():
        raise MalformedError(f"targets are {targets.dtype}; finite numbers are needed")
    return targets.astype(np.float32)


def _label_problem(labels: NDArray[np.int64], samples: int) -> str | None:
    if labels.shape != (samples,):
        return f"labels have shape {labels.shape}, needs ({samples},)"
    if int(labels.min()) < 0:
        return f"label {int(labels.min())} occurs; labels count from 0"
    return None


def _scalar(arrays: Arrays, field: str, default: float | None = None) -> float:
    if field not in arrays and default is not None:
        return default
    if field not in arrays:
        raise MalformedError(f"events need the field {field!r}")
    array = arrays[field]
    if array.size != 1 or array.dtype.kind not in "iuf":
        raise MalformedError(f"{field} has shape {array.shape} of {array.dtype}, needs one number")
    return float(array.reshape(()).item())


def _expand(arrays: Arrays) -> NDArray[np.uint8]:
    """Make events dense: sample s owns events ``sample_ptr[s] .. sample_ptr[s+1]-1``."""
    steps, neurons = _scalar(arrays, "steps"), _scalar(arrays, "neurons")
    pointers, times, ids = (_whole(arrays, field) for field in ("sample_ptr", "times", "ids"))
    samples = len(pointers) - 1
    if not (steps >= 1 and neurons >= 1 and samples >= 1):
        raise MalformedError(f"events of {steps:g} steps, {neurons:g} neurons, {samples} samples")
    if steps % 1 or neurons % 1 or samples * steps * neurons > MOST_EXPANDED_BYTES:
        raise MalformedError(
            f"events of {samples} samples, {steps:g} steps and {neurons:g} neurons need more than "
            f"{MOST_EXPANDED_BYTES} bytes when dense; split the trace"
        )
    if len(times) != len(ids) or pointers[0] != 0 or pointers[-1] != len(times):
        raise MalformedError(
            f"sample_ptr must run from 0 to the number of events; there are {len(times)} times "
            f"and {len(ids)} ids"
        )
    if np.any(pointers[1:] < pointers[:-1]):
        raise MalformedError("sample_ptr must not decrease")
    counts = np.diff(pointers)
    for field, array, limit in (("times", times, int(steps)), ("ids", ids, int(neurons))):
        if len(array) and not 0 <= int(array.min()) <= int(array.max()) < limit:
            raise MalformedError(f"{field} must lie in 0 to {limit - 1}")
    dense = np.zeros((samples, int(steps), int(neurons)), dtype=np.uint8)
    dense[np.repeat(np.arange(samples), counts), times, ids] = 1
    return dense


def _whole(arrays: Arrays, field: str) -> NDArray[np.int64]:
    if field not in arrays:
        raise MalformedError(f"events need the field {field!r}")
    array = arrays[field]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise MalformedError(
            f"{field} has shape {array.shape} of {array.dtype}; a list of whole numbers is needed"
        )
    return array.astype(np.int64)


def _is_binary(values: NDArray[np.generic]) -> bool:
    return values.dtype.kind == "b" or bool(((values == 0) | (values == 1)).all())
