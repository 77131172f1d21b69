"""Reads a study file (docs/study.md) into a `Study`."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from chipsim.config import Section, read_yaml
from chipsim.errors import InputError
from chipsim.study import measures
from chipsim.study.model import Axis, Objective, Plot, Point, Study, Value
from chipsim.study.settings import OPTIONS, is_option, placed, read_settings
from chipsim.yaml_tree import ListNode, MapNode, Node, Scalar, hint, plain, shown

MOST_POINTS = 100_000


@dataclass(frozen=True)
class _Varied:
    """An axis with the nodes each of its steps puts in place: ``nodes[step][path]``."""

    axis: Axis
    nodes: tuple[tuple[Node, ...], ...]


def read_study(path: Path) -> Study:
    """Read the study file at ``path``.

    Raises InputError with file, line and column for a mistake in it.  Models, chips and traces are
    not opened yet (see `chipsim.study.point.task_of`).
    """
    root = read_yaml(path)
    base = root.section("base")
    varied = _axes(root)
    axes = tuple(v.axis for v in varied)
    pareto = _pareto(root)
    plots = _plots(root, axes)
    asked = _measures(root)
    implied = [o.path for o in pareto]
    for plot in plots:
        implied += [name for name in (plot.x, plot.y) if name not in {a.name for a in axes}]
    study = Study(
        name=root.text("study", default=path.stem),
        about=root.text("about", default=""),
        file=path,
        axes=axes,
        points=tuple(_point(base, combination, path.parent) for combination in _product(varied)),
        measures=tuple(dict.fromkeys([*asked, *implied])),
        pareto=pareto,
        plots=plots or _plot_of(pareto),
    )
    # Each point's settings were read from a copy of base, which found its unknown keys.
    for key in base.node.entries:
        base.has(key)
    root.finish()
    return study


def _axes(root: Section) -> tuple[_Varied, ...]:
    varied = tuple(_axis(section) for section in root.sections("axes"))
    if not varied:
        raise root.error("axes", "at least one axis is needed: [{name: ..., values: [...]}]")
    names = [v.axis.name for v in varied]
    paths = [path for v in varied for path in v.axis.varies]
    for what, given in (("axis", names), ("key path", paths)):
        twice = next((name for name in given if given.count(name) > 1), None)
        if twice is not None:
            raise root.error("axes", f"{what} {shown(twice)} occurs twice")
    points = math.prod(len(v.axis.values) for v in varied)
    if points > MOST_POINTS:
        raise root.error("axes", f"{points} points; at most {MOST_POINTS} are allowed")
    return varied


def _axis(section: Section) -> _Varied:
    name = section.text("name")
    if section.has("zip") == section.has("values"):
        raise section.error("name", "give either values or zip, one of the two")
    if section.has("zip"):
        zipped = section.section("zip")
        columns = {path: _items(zipped, path) for path in zipped.node.entries}
    else:
        columns = {section.text("vary", default=name): _items(section, "values")}
    lengths = {path: len(items) for path, items in columns.items()}
    if len(set(lengths.values())) != 1:
        found = ", ".join(f"{path}: {length}" for path, length in lengths.items()) or "nothing"
        raise section.error("zip", f"lists of one length are needed, got {found}")
    nodes = tuple(zip(*columns.values(), strict=True))
    values = _labels(section, nodes)
    return _Varied(Axis(name, tuple(columns), values), nodes)


def _items(section: Section, key: str) -> tuple[Node, ...]:
    section.has(key)
    node = section.node.entries[key]
    if not isinstance(node, ListNode) or not node.items:
        raise section.error(key, "expected a list of one or more values")
    return node.items


def _labels(section: Section, nodes: Sequence[tuple[Node, ...]]) -> tuple[Value, ...]:
    """Return what each step is called: ``labels`` where given, else its values."""
    if section.has("labels"):
        labels = tuple(_label(node) for node in _items(section, "labels"))
        if len(labels) != len(nodes):
            raise section.error("labels", f"{len(nodes)} are needed, got {len(labels)}")
    else:
        labels = tuple(
            _label(step[0]) if len(step) == 1 else " / ".join(str(_label(n)) for n in step)
            for step in nodes
        )
    if len({str(label) for label in labels}) != len(labels):
        raise section.error("name", "two of its values are the same; each point is run once")
    return labels


def _label(node: Node) -> Value:
    if isinstance(node, Scalar):
        return node.text if node.value is None else node.value
    return json.dumps(plain(node))


def _product(varied: Sequence[_Varied]) -> list[tuple[tuple[_Varied, int], ...]]:
    steps = [[(v, step) for step in range(len(v.nodes))] for v in varied]
    return list(itertools.product(*steps))


def _point(base: Section, combination: Sequence[tuple[_Varied, int]], folder: Path) -> Point:
    node: Node = base.node
    overrides: list[str] = []
    for varied, step in combination:
        for path, value in zip(varied.axis.varies, varied.nodes[step], strict=True):
            if is_option(path):
                node = placed(node, path, value, value.where)
            else:
                overrides.append(f"{path}={_override(value)}")
    assert isinstance(node, MapNode), "placed() keeps the mapping"
    settings = read_settings(Section(node, "base", base.name), folder, tuple(overrides))
    coordinates = {v.axis.name: v.axis.values[step] for v, step in combination}
    return Point(coordinates, settings, _where(base, combination))


def _override(value: Node) -> str:
    return value.text if isinstance(value, Scalar) else json.dumps(plain(value))


def _where(base: Section, combination: Sequence[tuple[_Varied, int]]) -> str:
    """Return the place of the point's last varied chip constant, the likeliest to be wrong."""
    places = [
        (varied.nodes[step][index].where, path)
        for varied, step in combination
        for index, path in enumerate(varied.axis.varies)
        if not is_option(path)
    ]
    if not places:
        return base.node.where
    where, path = places[-1]
    near = hint(path.partition(".")[0], OPTIONS)
    return f"{where}: {path}{f' ({near[2:]})' if near else ''}"


def _measures(root: Section) -> tuple[str, ...]:
    paths = root.texts("measure", default=measures.DEFAULT)
    for path in paths:
        _check(root, "measure", path, numeric=False)
    return paths


def _check(section: Section, key: str, path: str, *, numeric: bool) -> None:
    try:
        if numeric and not measures.is_number(path):
            raise InputError(f"{shown(path)} is not a number")
        measures.key_of(path)
    except InputError as error:
        raise section.error(key, str(error)) from None


def _pareto(root: Section) -> tuple[Objective, ...]:
    objectives = []
    for section in root.sections("pareto", default=()):
        given = [key for key in ("minimise", "maximise") if section.has(key)]
        if len(given) != 1:
            raise section.error("", "expected {minimise: MEASURE} or {maximise: MEASURE}")
        path = section.text(given[0])
        _check(section, given[0], path, numeric=True)
        objectives.append(Objective(path, cast(Literal["minimise", "maximise"], given[0])))
    if len({o.path for o in objectives}) != len(objectives) or len(objectives) == 1:
        raise root.error("pareto", "two or more different measures are needed")
    return tuple(objectives)


def _plots(root: Section, axes: Sequence[Axis]) -> tuple[Plot, ...]:
    return tuple(_plot(section, axes) for section in root.sections("plots", default=()))


def _plot(section: Section, axes: Sequence[Axis]) -> Plot:
    names = [axis.name for axis in axes]
    x, y = section.text("x"), section.text("y")
    if x not in names:
        _check(section, "x", x, numeric=True)
    _check(section, "y", y, numeric=True)
    series = section.text("series", default=None)
    if series is not None and (series not in names or series == x):
        allowed = ", ".join(name for name in names if name != x) or "none"
        raise section.error("series", f"expected an axis besides x ({allowed})")
    log = section.choice("log", ("x", "y", "xy"), default="")
    return Plot(x, y, series, tuple(log), _where_axes(section, axes))


def _where_axes(section: Section, axes: Sequence[Axis]) -> dict[str, Value]:
    """Read which value of which axes a plot keeps to."""
    if not section.has("where"):
        return {}
    chosen = section.section("where")
    found: dict[str, Value] = {}
    for name in chosen.node.entries:
        axis = next((axis for axis in axes if axis.name == name), None)
        if axis is None:
            known = ", ".join(axis.name for axis in axes)
            raise chosen.error(name, f"no axis of this name (there are: {known})")
        value = _label(chosen.node.entries[name])
        if value not in axis.values:
            allowed = ", ".join(map(str, axis.values))
            raise chosen.error(name, f"expected a value of the axis ({allowed})")
        chosen.has(name)
        found[name] = value
    return found


def _plot_of(pareto: Sequence[Objective]) -> tuple[Plot, ...]:
    return (Plot(pareto[0].path, pareto[1].path),) if pareto else ()
