"""Reads a model: a checkpoint and the description that says what its tensors are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chipsim.config import Section, read_yaml, section_from_mapping
from chipsim.errors import InputError
from chipsim.load.build_network import build_network
from chipsim.load.checkpoint import DESCRIPTION_KEY, Checkpoint, read_checkpoint
from chipsim.load.tensors import Tensors
from chipsim.network import Network
from chipsim.yaml_tree import Scalar, paths

TODO = "TODO"
"""Stands in a description for a value that only the model's maker knows."""


@dataclass(frozen=True)
class LoadedModel:
    """A network and the files it came from.

    ``trace`` is the input trace the description names, resolved against the description's folder
    and not opened, or None.  ``notes`` say what a reader of a report should know about the files.
    """

    network: Network
    checkpoint: Path
    description: Path | Literal["inside the checkpoint"]
    trace: Path | None
    notes: tuple[str, ...] = ()


def read_model(path: Path) -> LoadedModel:
    """Read the checkpoint at ``path`` and its description.

    The description is the ``chipsim`` entry of the checkpoint, else ``NAME.yaml`` beside it.
    Raises InputError if there is neither (offering ``chipsim describe``), if either file is
    damaged, or where they contradict each other (with file, line and column).
    """
    checkpoint = read_checkpoint(path)
    beside = path.with_suffix(".yaml")
    notes: list[str] = []
    root, description = _find_description(checkpoint, beside, notes)
    _refuse_unfinished(root)
    tensors = Tensors(checkpoint)
    network = build_network(root, tensors, path.stem)
    trace = root.text("trace", default=None)
    root.finish()
    unused = tensors.unused()
    if unused:
        more = f" and {len(unused) - 8} more" if len(unused) > 8 else ""
        notes.append(f"tensors of the checkpoint not used: {', '.join(unused[:8])}{more}")
    return LoadedModel(
        network=network,
        checkpoint=path,
        description=description,
        trace=None if trace is None else path.parent / trace,
        notes=tuple(notes),
    )


def _find_description(
    checkpoint: Checkpoint, beside: Path, notes: list[str]
) -> tuple[Section, Path | Literal["inside the checkpoint"]]:
    if checkpoint.description is not None:
        if beside.exists():
            notes.append(f"{beside.name} is not read: the checkpoint carries its own description")
        name = f"{checkpoint.path} ({DESCRIPTION_KEY})"
        return section_from_mapping(checkpoint.description, name), "inside the checkpoint"
    if beside.exists():
        return read_yaml(beside), beside
    raise InputError(
        f"{checkpoint.path}: a checkpoint holds tensors but not how they are connected, and there "
        f"is no description: neither a {DESCRIPTION_KEY!r} entry inside nor {beside}. "
        f"`chipsim describe {checkpoint.path}` writes one to complete"
    )


def _refuse_unfinished(root: Section) -> None:
    """Refuse a description that `chipsim describe` wrote and nobody completed."""
    open_places = [
        (node.where, path)
        for path, node in paths(root.node)
        if isinstance(node, Scalar) and node.value == TODO
    ]
    if open_places:
        where, path = open_places[0]
        more = f" (and {len(open_places) - 1} more)" if len(open_places) > 1 else ""
        raise InputError(
            f"{where}: {path}: still says {TODO}{more}; the checkpoint does not hold this value, "
            "take it from the code that trained the network"
        )
