"""What a study is made of: axes, the points they span, and what is asked of every point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from chipsim.job import Choices
from chipsim.learning_cost.cost import WEIGHTS_EVERY, Method

Value = bool | int | float | str
"""A coordinate of a point, as the study file writes it."""


@dataclass(frozen=True)
class SyntheticHP:
    """An untrained 784-``hidden``-10 network with hybrid plasticity (`chipsim.study.synthetic`).

    ``hidden_rate`` and ``output_rate`` are the spikes a neuron and step that the random weights are
    scaled for.
    """

    hidden: int
    seed: int = 0
    hidden_rate: float = 0.15
    output_rate: float = 0.1


@dataclass(frozen=True)
class Settings:
    """Everything one point runs with; paths are absolute, ``overrides`` as for ``--set``.

    ``learning``, where given, has the cost of learning measured too, and says how the network
    learns (``choices.plasticity`` does not count then); ``weights_every`` is as for
    `chipsim.learning_cost.cost.learning_cost`.
    """

    model: Path | SyntheticHP
    chip: str
    overrides: tuple[str, ...] = ()
    trace: Path | None = None
    limit: int | None = None
    choices: Choices = field(default_factory=Choices)
    learning: Method | None = None
    weights_every: int = WEIGHTS_EVERY


@dataclass(frozen=True)
class Axis:
    """What is varied: key paths ``varies`` take together, step by step, the values named so."""

    name: str
    varies: tuple[str, ...]
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Point:
    """One combination: a value of every axis by its name, and the settings that make it.

    ``where`` says where its values stand in the study file, for messages.
    """

    coordinates: Mapping[str, Value]
    settings: Settings
    where: str


@dataclass(frozen=True)
class Objective:
    """A measure that is better the lower (``minimise``) or the higher (``maximise``) it is."""

    path: str
    direction: Literal["minimise", "maximise"]


@dataclass(frozen=True)
class Plot:
    """A picture: ``x`` is an axis or a measure, ``y`` a measure, ``series`` an axis or None.

    ``log`` has ``"x"`` and ``"y"`` where that scale is logarithmic.  ``where`` keeps the points
    with these values of these axes only.
    """

    x: str
    y: str
    series: str | None = None
    log: tuple[str, ...] = ()
    where: Mapping[str, Value] = field(default_factory=dict)

    def shows(self, coordinates: Mapping[str, Value]) -> bool:
        """Tell whether a point is in the picture."""
        return all(coordinates[name] == value for name, value in self.where.items())


@dataclass(frozen=True)
class Study:
    """A study as its file says; ``points`` is the cross product, the last axis fastest."""

    name: str
    about: str
    file: Path
    axes: tuple[Axis, ...]
    points: tuple[Point, ...]
    measures: tuple[str, ...]
    pareto: tuple[Objective, ...]
    plots: tuple[Plot, ...]

    def axis(self, name: str) -> Axis | None:
        """Return the axis called ``name``, or None."""
        return next((axis for axis in self.axes if axis.name == name), None)
