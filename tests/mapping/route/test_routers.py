"""Every routing algorithm: all targets reached, nothing else, on links that exist."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.mapping.model import EAST, INPUT_PORT, LOCAL, NORTH, SOUTH, WEST, Flow, Route
from chipsim.mapping.route.routers import ROUTERS
from chipsim.mapping.route.tree import follow
from tests.mapping.cases import tianjic, with_mesh

STEP = {EAST: (1, 0), WEST: (-1, 0), NORTH: (0, 1), SOUTH: (0, -1)}


def deliveries(route: Route, width: int, height: int) -> list[tuple[int, int]]:
    """Send one packet, copy by copy: every delivery as (router, hops)."""
    found = []
    copies = [(route.source, 0)]
    while copies:
        router, hops = copies.pop()
        assert hops <= width * height, "the packet runs in a circle"
        mask = route.ports[router]
        if mask & LOCAL:
            found.append((router, hops))
        for port, (dx, dy) in STEP.items():
            if mask & port:
                x, y = router % width + dx, router // width + dy
                assert 0 <= x < width
                assert 0 <= y < height
                copies.append((y * width + x, hops + 1))
    return found


@pytest.mark.parametrize("name", ROUTERS)
@given(
    width=st.integers(1, 12),
    height=st.integers(1, 13),
    data=st.data(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(derandomize=True, max_examples=150)
def test_every_target_once_by_the_shortest_way(
    name: str, width: int, height: int, data: st.DataObject, seed: int
) -> None:
    mesh = with_mesh(tianjic(), width, height).mesh
    placement = list(range(mesh.routers))
    random.Random(seed).shuffle(placement)
    count = data.draw(st.integers(1, min(mesh.routers, 30)))
    source = data.draw(st.integers(INPUT_PORT, mesh.routers - 1))
    targets = tuple(random.Random(seed).sample(range(mesh.routers), count))
    flow = Flow("spike", source, "a", 0, 1, targets)
    (route,) = ROUTERS[name]([flow], placement, mesh)
    start = 0 if source == INPUT_PORT else placement[source]
    assert route.source == start
    found = deliveries(route, width, height)
    assert sorted(r for r, _ in found) == sorted(placement[t] for t in targets)
    for router, hops in found:
        far_x = abs(router % width - start % width)
        assert hops == far_x + abs(router // width - start // width)
    assert follow(route, mesh) == dict(found)


@pytest.mark.parametrize("name", ROUTERS)
def test_input_enters_at_the_io_router(name: str) -> None:
    mesh = with_mesh(tianjic(), 4, 4).mesh
    object.__setattr__(mesh, "io", (3, 2))
    flow = Flow("input", INPUT_PORT, "in", 0, 1, (0,))
    (route,) = ROUTERS[name]([flow], [5], mesh)
    assert route.source == 11


def test_xy_goes_along_x_first() -> None:
    mesh = with_mesh(tianjic(), 4, 4).mesh
    flow = Flow("spike", 0, "a", 0, 1, (0, 1, 2))
    (route,) = ROUTERS["xy"]([flow], [5, 11, 4], mesh)  # (1,1) to itself, (3,2) and (0,1)
    assert route == Route(5, {5: EAST | WEST | LOCAL, 6: EAST, 7: NORTH, 11: LOCAL, 4: LOCAL})


@pytest.mark.parametrize(
    ("ports", "problem"),
    [
        ({0: WEST}, "leaves the mesh at router 0,0"),
        ({0: EAST, 1: WEST}, "comes to router 0,0 twice"),
        ({0: EAST | NORTH, 1: NORTH, 2: EAST, 3: LOCAL}, "comes to router 1,1 twice"),
        ({0: EAST}, "router 1,0 has no port to leave by"),
        ({0: EAST, 1: 0}, "router 1,0 has no port to leave by"),
        ({0: 32}, "router 0,0 has no port to leave by"),
        ({}, "router 0,0 has no port to leave by"),
        ({0: LOCAL, 3: LOCAL}, "never comes to router 1,1, yet has ports"),
    ],
)
def test_follow_refuses_what_is_no_tree(ports: dict[int, int], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        follow(Route(0, ports), with_mesh(tianjic(), 2, 2).mesh)
