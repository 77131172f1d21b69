"""One point of a study: what determines its result, and the result itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import chipsim
from chipsim.chip import Chip
from chipsim.errors import DoesNotFitError, InputError
from chipsim.faults.model import NO_FAULTS
from chipsim.job import SILENT, Job, load_network
from chipsim.learning_cost.cost import learning_cost
from chipsim.learning_cost.keys import as_dict
from chipsim.load.chip_file import read_chip
from chipsim.load.description import LoadedModel
from chipsim.load.traces import first_samples, read_trace
from chipsim.network import Network, Trace
from chipsim.pipeline import simulate, simulate_learning
from chipsim.pipeline_processors import simulate_on_processors
from chipsim.processor_chip import ProcessorChip
from chipsim.report.processor import summary as processor_summary
from chipsim.report.run_folder import dump_json
from chipsim.report.summary import summarise
from chipsim.results import Origin
from chipsim.study.fingerprint import source_fingerprint
from chipsim.study.model import Settings, SyntheticHP
from chipsim.study.synthetic import images, synthetic_hp, untrained

RECORD_SCHEMA = 1

Record = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A point to be computed: its settings and the `address` of its inputs."""

    key: str
    settings: Settings


@dataclass(frozen=True)
class _Subject:
    """What runs, whatever the chip."""

    network: Network
    trace: Trace
    notes: tuple[str, ...]


def task_of(settings: Settings) -> Task:
    """Return the task of a point; raises InputError for all that is wrong and can be known."""
    return Task(address(inputs_of(settings)), settings)


def inputs_of(settings: Settings) -> Record:
    """Return everything that determines a point's result, as plain data.

    Files count by their content, the chip by its resolved constants, chipsim by its version and
    source.  Raises InputError if a file, an override or an option is wrong.
    """
    chip = _chip(settings)
    choices = asdict(settings.choices)
    # Neither changes a result.
    del choices["threads"], choices["batch"]
    model, trace = _model_and_trace(settings)
    inputs = {
        "chipsim_version": chipsim.__version__,
        "source": source_fingerprint(),
        "chip": asdict(chip),
        "model": model,
        "trace": trace,
        "limit": settings.limit,
        "choices": choices,
        "learning": settings.learning,
        "weights_every": settings.weights_every,
    }
    plain: Record = json.loads(dump_json(inputs))
    return plain


def address(inputs: Record) -> str:
    """Return the name of the result that ``inputs`` determine, their SHA-256."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def compute(task: Task) -> str:
    """Run a point; return the text of its result file (docs/study.md), the same anywhere.

    A network that does not fit is a result.  Raises InputError where this machine sees other
    files or another chipsim than the one that made the task.
    """
    inputs = inputs_of(task.settings)
    if address(inputs) != task.key:
        raise InputError(
            "a worker sees another chipsim, model, chip or trace than this process did when the "
            "study began; give all machines the same files, and change none while it runs"
        )
    report, message = None, None
    try:
        report = _report(task.settings)
    except DoesNotFitError as error:
        message = str(error)
    record = {
        "schema": RECORD_SCHEMA,
        "key": task.key,
        "inputs": inputs,
        "fits": report is not None,
        "message": message,
        "report": report,
    }
    return dump_json(record)


def _report(settings: Settings) -> Record:
    chip = _chip(settings)
    subject = _subject(_shared(settings))
    name = subject.network.name if isinstance(settings.model, SyntheticHP) else settings.model.name
    origin = Origin(name, Path(settings.chip).name, settings.overrides, subject.trace.name)
    if isinstance(chip, ProcessorChip):
        results = simulate_on_processors(
            subject.network, chip, subject.trace, settings.choices,
            origin=origin, notes=subject.notes,
        )  # fmt: skip
        return processor_summary.summarise(results)
    return _crossbar_report(settings, chip, subject, origin)


def _crossbar_report(settings: Settings, chip: Chip, subject: _Subject, origin: Origin) -> Record:
    job = (subject.network, chip, subject.trace, settings.choices, SILENT)
    if settings.learning is None:
        return summarise(simulate(*job, origin=origin, notes=subject.notes))
    results = simulate_learning(settings.learning, *job, origin=origin, notes=subject.notes)
    cost = learning_cost(settings.learning, results, settings.weights_every)
    return {**summarise(results), "learning": as_dict(cost, chip)}


def _chip(settings: Settings) -> Chip | ProcessorChip:
    """Return the chip of a point; InputError for options that its kind does not have."""
    chip = read_chip(settings.chip, settings.overrides)
    choices, has_processors = settings.choices, isinstance(chip, ProcessorChip)
    given = {
        "mesh: ideal": choices.mesh == "ideal" and not has_processors,
        "mesh_phases": choices.mesh_phases is not None and has_processors,
        "fault": choices.faults != NO_FAULTS and has_processors,
        "learning (the cost model's)": settings.learning is not None and has_processors,
        "model: synthetic_hp": isinstance(settings.model, SyntheticHP) and has_processors,
    }
    for option, is_wrong in given.items():
        if is_wrong:
            kind = "processors" if has_processors else "crossbars"
            raise InputError(
                f"base.{option} does not apply to {chip.name}, a chip of {kind}; leave it out "
                "(docs/study.md)"
            )
    return chip


def _shared(settings: Settings) -> Settings:
    """Return the part of ``settings`` that says what runs, so that points can share it."""
    return Settings(settings.model, settings.chip, trace=settings.trace, limit=settings.limit)


def _model_and_trace(settings: Settings) -> tuple[Record, str]:
    """Return what identifies the model, and the digest of the trace."""
    if isinstance(settings.model, SyntheticHP):
        images(_synthetic_trace(settings))
        return {"synthetic_hp": asdict(settings.model)}, _digest(_trace_file(settings))
    model, _ = _loaded(_shared(settings))
    record = {"checkpoint": _digest(model.checkpoint)}
    if isinstance(model.description, Path):
        record["description"] = _digest(model.description)
    trace = settings.trace or model.trace
    assert trace is not None, "load() found a trace"
    return record, _digest(trace)


@lru_cache(maxsize=4)
def _subject(settings: Settings) -> _Subject:
    if not isinstance(settings.model, SyntheticHP):
        model, trace = _loaded(settings)
        return _Subject(model.network, trace, model.notes)
    trace = _synthetic_trace(replace(settings, limit=None))
    network = synthetic_hp(settings.model, trace)
    return _Subject(network, _synthetic_trace(settings), network.notes)


@lru_cache(maxsize=4)
def _loaded(settings: Settings) -> tuple[LoadedModel, Trace]:
    if isinstance(settings.model, SyntheticHP):
        raise TypeError("a synthetic network is not loaded")
    return load_network(
        Job(settings.model, settings.chip, trace=settings.trace, limit=settings.limit)
    )


def _synthetic_trace(settings: Settings) -> Trace:
    trace = untrained(_read_trace(_trace_file(settings)))
    return trace if settings.limit is None else first_samples(trace, settings.limit)


def _trace_file(settings: Settings) -> Path:
    if settings.trace is None:
        raise InputError("a synthetic_hp network names no trace of its own; give base.trace")
    return settings.trace


@lru_cache(maxsize=2)
def _read_trace(path: Path) -> Trace:
    return read_trace(path)


@lru_cache(maxsize=64)
def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
