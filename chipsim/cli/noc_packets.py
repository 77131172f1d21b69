"""The packets of a run in a file: what ``chipsim noc --traffic run:FOLDER`` sends once more.

``packets.npz`` holds the first phases of a run, and all that says where the packets went: the mesh
(as a chip file has it, JSON in bytes), and of each flow its tree (port masks by router), its
injector (a core, or the number of cores for the chip's input), its payload in bits and its kind.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Mesh
from chipsim.config import apply_overrides, section_from_mapping
from chipsim.errors import InputError
from chipsim.load.archive import describe_failures, open_archive
from chipsim.load.chip_schema import MESH_OPTIONS, MESH_OTHERS
from chipsim.load.mesh_text import mesh_as_mapping, mesh_of
from chipsim.load.npz import read_npz
from chipsim.mapping.model import INPUT_PORT
from chipsim.mesh.fabric import Bytes, Int32, Int64, Packets
from chipsim.mesh.replay import Load, trees_to
from chipsim.mesh.topology import topology_of
from chipsim.results import Results

PACKETS = "packets.npz"
SHAPES = {
    "phase_ptr": ("i", 1), "cycle": ("u", 1), "flow": ("u", 1), "trees": ("u", 2),
    "injector": ("u", 1), "bits": ("u", 1), "kind": ("U", 1), "phases": ("i", 0),
    "mesh": ("u", 1),
}  # fmt: skip
"""Kind of number and axes of each array."""


@dataclass(frozen=True, eq=False)
class KeptPackets:
    """The packets of a run's first phases: ``load`` on ``mesh``, of ``phases`` phases in all.

    ``kind`` says in words what each flow, a tree of the load, carries.
    """

    mesh: Mesh
    load: Load
    phases: int
    kind: tuple[str, ...]


def packet_arrays(results: Results) -> dict[str, NDArray[Any]]:
    """Return the arrays of ``packets.npz``, each as narrow as its values allow."""
    kept, mesh, mapping = results.mesh.recording, results.chip.mesh, results.mapping
    sources = [flow.source for flow in mapping.flows]
    injector = [mesh.cores if s == INPUT_PORT else mapping.placement[s] for s in sources]
    text = json.dumps(mesh_as_mapping(mesh), sort_keys=True).encode()
    return {
        "phase_ptr": kept.phase_ptr,
        "cycle": _narrow(kept.cycle),
        "flow": _narrow(kept.flow),
        "trees": results.mesh.trees,
        "injector": _narrow(np.array(injector, np.int64)),
        "bits": _narrow(np.array([flow.bits for flow in mapping.flows], np.int64)),
        "kind": np.array([flow.kind for flow in mapping.flows]),
        "phases": np.array(results.mesh.phases, np.int64),
        "mesh": np.frombuffer(text, np.uint8),
    }


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def read_kept(folder: Path, overrides: Sequence[str] = ()) -> KeptPackets:
    """Read the packets of a run folder, with values of its mesh replaced (``"mesh.vcs=4"``).

    On another topology, or with other dead parts, packets take new ways to the same cores.
    InputError if the file is missing or damaged, or an override is wrong.
    """
    path = folder / PACKETS
    with describe_failures(path), open_archive(path) as archive:
        arrays = read_npz(archive)
    _check_shapes(path, arrays)
    made, mesh = (_mesh(path, arrays["mesh"], values) for values in ((), overrides))
    if (mesh.width, mesh.height, mesh.cores_per_router) != (
        made.width,
        made.height,
        made.cores_per_router,
    ):
        raise InputError("--set: the routers and cores of a run stay as they are; map it again")
    trees = arrays["trees"].astype(np.uint8)
    injector = arrays["injector"].astype(np.int32)
    _check_flows(path, made, trees, injector, arrays["flow"])
    if (mesh.topology, mesh.dead, mesh.io) != (made.topology, made.dead, made.io):
        trees = _rerouted(made, mesh, trees, injector)
    if mesh.routing != "xy" and (_targets(mesh, trees).sum(axis=1) > 1).any():
        raise InputError(
            f"--set: {mesh.routing} routing sends to one core each, and packets of this run go to "
            "several; map it with --set mesh.multicast=unicast"
        )
    flow = arrays["flow"].astype(np.int32)
    flits = np.array([mesh.flits(int(bits)) for bits in arrays["bits"]], np.int32)
    packets = Packets(
        arrays["phase_ptr"].astype(np.int64), injector[flow], arrays["cycle"].astype(np.int64), flow
    )
    kind = tuple(str(word) for word in arrays["kind"])
    return KeptPackets(mesh, Load(trees, packets, flits[flow]), int(arrays["phases"]), kind)


def _check_shapes(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    if set(arrays) != set(SHAPES):
        raise InputError(f"{path}: the arrays {', '.join(SHAPES)} needed, got {', '.join(arrays)}")
    for name, (kind, axes) in SHAPES.items():
        got = arrays[name]
        if got.dtype.kind != kind or got.ndim != axes:
            raise InputError(
                f"{path}: {name}: {got.dtype} of shape {got.shape} given, not what chipsim map "
                "writes; map the network again"
            )
    flows = {len(arrays[name]) for name in ("trees", "injector", "bits", "kind")}
    if len(flows) != 1 or len(arrays["cycle"]) != len(arrays["flow"]):
        raise InputError(f"{path}: the arrays of flows, or those of packets, differ in length")


def _check_flows(
    path: Path, mesh: Mesh, trees: Bytes, injector: Int32, flow: NDArray[np.generic]
) -> None:
    if trees.shape[1] != mesh.routers:
        raise InputError(f"{path}: trees of {trees.shape[1]} routers, the mesh has {mesh.routers}")
    if injector.size and not 0 <= int(injector.min()) <= int(injector.max()) <= mesh.cores:
        raise InputError(f"{path}: injector: 0 to {mesh.cores} allowed, got {injector.max()}")
    if flow.size and int(flow.max()) >= len(trees):
        raise InputError(f"{path}: flow: there are {len(trees)}, one more was named")


def _targets(mesh: Mesh, trees: Bytes) -> NDArray[np.bool_]:
    """Return which cores each tree delivers to: bool (trees, cores)."""
    local = np.arange(mesh.cores_per_router)
    bits = (trees[:, :, None] >> (mesh.links + local)) & 1
    return bits.astype(bool).reshape(len(trees), mesh.cores)


def _rerouted(made: Mesh, mesh: Mesh, trees: Bytes, injector: Int32) -> Bytes:
    """Return trees over ``mesh`` to the cores that ``trees`` reach over ``made``."""
    flow, target = np.nonzero(_targets(made, trees))
    ptr: Int64 = np.searchsorted(flow, np.arange(len(trees) + 1)).astype(np.int64)
    io = mesh.io[1] * mesh.width + mesh.io[0]
    router = np.where(injector < mesh.cores, injector // mesh.cores_per_router, io)
    found, row = trees_to(topology_of(mesh), router.astype(np.int64), ptr, target.astype(np.int64))
    return found[row]


def _mesh(path: Path, text: NDArray[np.generic], overrides: Sequence[str]) -> Mesh:
    try:
        mapping = json.loads(text.tobytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: mesh: not the JSON it was written as: {error}") from error
    root = section_from_mapping({"mesh": mapping}, str(path))
    allowed = [f"mesh.{key}" for key in (*MESH_OPTIONS, *MESH_OTHERS)]
    return mesh_of(apply_overrides(root, overrides, allowed).section("mesh"))
