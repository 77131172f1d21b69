"""Reads the settings of one point: the study file's ``base`` with a point's values in place."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from chipsim.config import Section
from chipsim.errors import InputError
from chipsim.faults.model import NAMES, NO_FAULTS, Faults
from chipsim.job import Choices
from chipsim.learning_cost.cost import METHODS, WEIGHTS_EVERY, Method
from chipsim.mapping.place.placers import PLACERS
from chipsim.network import PlasticityMode
from chipsim.simulate.tick.loop import MeshKind
from chipsim.study.model import Settings, SyntheticHP
from chipsim.study.synthetic import HIGHEST_RATE, MOST_HIDDEN
from chipsim.yaml_tree import MapNode, Node, describe, shown

OPTIONS = (
    "model", "chip", "trace", "limit", "plasticity", "placer", "mesh_phases", "seed", "strict",
    "learning", "weights_every", "fault",
)  # fmt: skip
"""What an axis can vary, or a part of it, besides the constants of the chip; and ``mesh``."""

_MOST = 2**63 - 1


def is_option(path: str) -> bool:
    """Tell an option of ``base`` from a key path of the chip file, some of which begin by mesh."""
    return path == "mesh" or path.partition(".")[0] in OPTIONS


def read_settings(base: Section, folder: Path, overrides: tuple[str, ...]) -> Settings:
    """Return the settings that ``base`` says, its files relative to ``folder``.

    ``overrides`` come after those of ``base.set``.  Raises InputError at the place of a mistake;
    whether the files are any good is not looked at.
    """
    trace = base.text("trace", default=None)
    limit = base.integer("limit", at_least=1, at_most=_MOST, default=None)
    learning = base.choice("learning", METHODS, default=None)
    settings = Settings(
        model=_model(base, folder),
        chip=_chip(base, folder),
        overrides=(*base.texts("set", default=()), *overrides),
        trace=None if trace is None else (folder / trace).resolve(),
        limit=limit,
        choices=_choices(base),
        learning=cast(Method | None, learning),
        weights_every=base.integer(
            "weights_every", at_least=1, at_most=_MOST, default=WEIGHTS_EVERY
        ),
    )
    base.finish()
    return settings


def _choices(base: Section) -> Choices:
    mode = base.choice("plasticity", ("running", "frozen", "off"), default="running")
    return Choices(
        plasticity=cast(PlasticityMode, mode),
        placer=base.choice("placer", tuple(PLACERS), default="hilbert"),
        mesh_phases=base.integer("mesh_phases", at_least=1, at_most=_MOST, default=None),
        seed=base.integer("seed", at_least=0, at_most=_MOST, default=0),
        strict=base.flag("strict", default=False),
        faults=_fault(base),
        mesh=cast(MeshKind, base.choice("mesh", ("real", "ideal"), default="real")),
    )


def _fault(base: Section) -> Faults:
    if not base.has("fault"):
        return NO_FAULTS
    fault = base.section("fault")
    kind = fault.choice("kind", NAMES)
    return Faults(**{kind: fault.number("rate", at_least=0.0, at_most=1.0)})


def _model(base: Section, folder: Path) -> Path | SyntheticHP:
    if not isinstance(base.node.entries.get("model"), MapNode):
        return (folder / base.text("model")).resolve()
    spec = base.section("model").section("synthetic_hp")
    return SyntheticHP(
        hidden=spec.integer("hidden", at_least=1, at_most=MOST_HIDDEN),
        seed=spec.integer("seed", at_least=0, at_most=_MOST, default=0),
        hidden_rate=_rate(spec, "hidden_rate", SyntheticHP.hidden_rate),
        output_rate=_rate(spec, "output_rate", SyntheticHP.output_rate),
    )


def _rate(spec: Section, key: str, default: float) -> float:
    return spec.number(key, above=0.0, at_most=HIGHEST_RATE, default=default)


def _chip(base: Section, folder: Path) -> str:
    """Return the chip's file if there is one beside the study, else the name of a shipped one."""
    name = base.text("chip")
    beside = folder / name
    return str(beside.resolve()) if beside.is_file() else name


def placed(node: Node | None, path: str, value: Node, where: str) -> Node:
    """Return the mapping ``node`` with ``value`` at the key path ``path``, made where missing.

    Raises InputError, at ``where``, if the path leads through what is no mapping.
    """
    head, _, rest = path.partition(".")
    if node is None:
        node = MapNode(where, {}, {})
    if not isinstance(node, MapNode):
        raise InputError(
            f"{where}: {shown(head)} cannot be set in {describe(node)}, which is not a mapping"
        )
    child = placed(node.entries.get(head), rest, value, where) if rest else value
    entries = {**node.entries, head: child}
    return MapNode(node.where, entries, {**node.key_where, head: where}, node.given)
