"""What a study found, as plain data: the rows of its table and ``study.json`` (docs/study.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import chipsim
from chipsim.study import measures
from chipsim.study.measures import Scalar
from chipsim.study.model import Objective, Point, Study, Value
from chipsim.study.pareto import pareto_front
from chipsim.study.point import Record

STUDY_SCHEMA = 1


@dataclass(frozen=True)
class Row:
    """One point and what was measured.

    ``values`` by measure; None where a report has none or the network does not fit, in which case
    ``message`` says why.  ``on_front`` is None where there are no objectives.
    """

    coordinates: Mapping[str, Value]
    key: str
    fits: bool
    message: str | None
    values: Mapping[str, Scalar]
    on_front: bool | None


def rows_of(study: Study, keys: Sequence[str], records: Mapping[str, Record]) -> tuple[Row, ...]:
    """Return a row for each point of ``study``; ``keys`` names each point's record."""
    values = [{path: _measured(records[key], path) for path in study.measures} for key in keys]
    front = on_front(study.pareto, values)
    return tuple(
        Row(
            coordinates=point.coordinates,
            key=key,
            fits=records[key]["fits"],
            message=records[key]["message"],
            values=measured,
            on_front=among,
        )
        for point, key, measured, among in zip(study.points, keys, values, front, strict=True)
    )


def _measured(record: Record, path: str) -> Scalar:
    return measures.value_of(record["report"], path) if record["fits"] else None


def on_front(
    objectives: Sequence[Objective], values: Sequence[Mapping[str, Scalar]]
) -> list[bool | None]:
    """Tell which points are on the Pareto front; a point without one of the values is not."""
    if not objectives:
        return [None] * len(values)
    complete = [all(point[o.path] is not None for o in objectives) for point in values]
    costs = np.array(
        [
            [_cost(o, point[o.path]) for o in objectives]
            for point, known in zip(values, complete, strict=True)
            if known
        ],
        np.float64,
    ).reshape(-1, len(objectives))
    found = iter(pareto_front(costs).tolist())
    return [next(found) if known else False for known in complete]


def _cost(objective: Objective, value: Scalar) -> float:
    if value is None or isinstance(value, str):
        raise TypeError(f"{objective.path}: {value!r} is no number")
    return float(value) if objective.direction == "minimise" else -float(value)


def study_json(study: Study, rows: Sequence[Row]) -> dict[str, Any]:
    """Return ``study.json``: the study, its points and what was measured, values in SI units."""
    return {
        "schema": STUDY_SCHEMA,
        "chipsim_version": chipsim.__version__,
        "study": study.name,
        "about": study.about,
        "axes": [
            {"name": a.name, "varies": list(a.varies), "values": list(a.values)} for a in study.axes
        ],
        "measures": [
            {"path": path, "label": measures.label(path), "unit": measures.key_of(path).unit}
            for path in study.measures
        ],
        "pareto": [{"path": o.path, "direction": o.direction} for o in study.pareto],
        "points": [
            {
                "coordinates": dict(row.coordinates),
                "result": f"points/{row.key}.json",
                "fits": row.fits,
                "message": row.message,
                "values": dict(row.values),
                "on_front": row.on_front,
            }
            for row in rows
        ],
    }


def name_of(point: Point | Row) -> str:
    """Return a point in words: ``weight bits 8, plasticity frozen``."""
    return ", ".join(f"{axis} {value}" for axis, value in point.coordinates.items())
