"""Routes on tori, triangular tori, concentrated and damaged meshes, and mappings kept of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.chip import Chip, Dead, Mesh
from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.mapper import map_network
from chipsim.mapping.mapping_file import read_mapping, write_mapping
from chipsim.mapping.model import INPUT_PORT, Flow, Route
from chipsim.mapping.place.placers import PLACERS
from chipsim.mapping.route.routers import ROUTERS
from chipsim.mapping.route.tree import follow
from tests.mapping.cases import chain, tianjic, with_mesh

KINDS: dict[str, dict[str, Any]] = {
    "torus": {"topology": "torus", "vcs": 2},
    "triangular": {"topology": "triangular", "vcs": 2},
    "concentrated": {"cores_per_router": 3},
    "damaged": {"dead": Dead(cores=(2,), routers=(9, 20), links=((0, 0),))},
    "west_first": {"routing": "west_first", "multicast": "unicast"},
    "odd_even": {"routing": "odd_even", "multicast": "unicast"},
}


def changed(width: int, height: int, **changes: Any) -> Chip:
    chip = with_mesh(tianjic(), width, height)
    return replace(chip, mesh=replace(chip.mesh, **changes))


def shortest(mesh: Mesh, source: int) -> dict[int, int]:
    """Hops to every router, by search."""
    gone = set(mesh.dead.links)
    far, waiting = {source: 0}, [source]
    while waiting:
        at = waiting.pop(0)
        for port, (dx, dy) in enumerate(mesh.steps):
            x, y = at % mesh.width + dx, at // mesh.width + dy
            inside = 0 <= x < mesh.width and 0 <= y < mesh.height
            after = y % mesh.height * mesh.width + x % mesh.width
            back = mesh.steps.index((-dx, -dy))
            dead = (at, port) in gone or (after, back) in gone or after in mesh.dead.routers
            if (inside or mesh.wraps) and not dead and after not in far:
                far[after] = far[at] + 1
                waiting.append(after)
    return far


@pytest.mark.parametrize("kind", KINDS)
def test_every_target_by_a_shortest_way(kind: str) -> None:
    mesh = changed(6, 5, **KINDS[kind]).mesh
    rng = np.random.default_rng(3)
    for _ in range(60):
        cores = rng.permutation(mesh.working_cores).tolist()
        count = int(rng.integers(1, 8))
        source = int(rng.integers(-1, len(cores)))
        flow = Flow("spike", source, "a", 0, 1, tuple(range(count)))
        (route,) = ROUTERS[mesh.routing]([flow], cores, mesh)
        start = 0 if source == INPUT_PORT else mesh.router_of(cores[source])
        assert route.source == start
        hops = follow(route, mesh)
        far = shortest(mesh, start)
        assert set(hops) == set(cores[:count])
        for core, way in hops.items():
            # Two equally short ways may share a stretch only one of them would have taken.
            assert way == far[mesh.router_of(core)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_mapped_and_the_mapping_kept(kind: str, tmp_path: Path) -> None:
    chip, network = changed(6, 5, **KINDS[kind]), chain(300, 400, 10)
    mapping = map_network(network, chip)
    assert set(mapping.placement) <= set(chip.mesh.working_cores)
    path = tmp_path / "mapping.json"
    write_mapping(path, mapping, chip)
    assert read_mapping(path, network, chip) == mapping


@pytest.mark.parametrize("name", PLACERS)
def test_dead_cores_and_routers_stay_empty(name: str) -> None:
    mesh = changed(4, 3, cores_per_router=2, dead=Dead(cores=(1, 6), routers=(5,))).mesh
    working = [core for core in range(24) if core not in (1, 6, 10, 11)]
    assert list(mesh.working_cores) == working
    slices = list(map_network(chain(10, 10), tianjic()).slices) * len(working)
    assert sorted(PLACERS[name](slices[: len(working)], (), mesh)) == working
    with pytest.raises(DoesNotFitError, match=r"max 20 \(4x3, 4 cores dead\) by 1"):
        PLACERS[name]([slices[0]] * 21, (), mesh)


def test_what_is_cut_off_does_not_fit() -> None:
    chip = changed(20, 1, dead=Dead(routers=(5,)))
    with pytest.raises(DoesNotFitError, match=r"core \d+ cannot be reached .*mesh.dead"):
        map_network(chain(300, 400, 10), chip)


def test_a_kept_route_over_what_died_since_is_refused(tmp_path: Path) -> None:
    chip, network = changed(6, 5), chain(300, 400, 10)
    mapping = map_network(network, chip)
    path = tmp_path / "mapping.json"
    write_mapping(path, mapping, chip)
    gone = replace(chip, mesh=replace(chip.mesh, dead=Dead(cores=(mapping.placement[0],))))
    with pytest.raises(InputError, match="or its router is dead"):
        read_mapping(path, network, gone)
    dead = replace(chip.mesh, dead=Dead(links=((1, 1),)))
    with pytest.raises(InputError, match="takes a dead link or router after 0,0"):
        follow(Route(0, {0: 1, 1: 16}), dead)
