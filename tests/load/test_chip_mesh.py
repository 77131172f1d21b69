"""The mesh of a chip file: topologies, channels, several chips, dead parts, where it can block."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import Chip, Dead, Mesh, SpecialLink
from chipsim.config import section_from_mapping
from chipsim.errors import InputError
from chipsim.load.chip_file import read_crossbar_chip, shipped_chips
from chipsim.load.mesh_text import mesh_as_mapping, mesh_of

SIDE = {"width": "8", "height": "8"}
TEXT = shipped_chips()["tianjic"].read_text(encoding="utf-8")


def chip_with(folder: Path, more: str = "", energy: str = "", **words: str) -> Chip:
    """Read Tianjic with keys of its mesh replaced or added."""
    text = TEXT
    for key, value in words.items():
        start = text.index(f"\n  {key}: ") + 1
        text = text[:start] + f"  {key}: {value}" + text[text.index("\n", start) :]
    text = text.replace("\nphase:\n", f"{more}\nphase:\n", 1).replace(
        "\nenergy:\n", f"\nenergy:\n{energy}"
    )
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return read_crossbar_chip(str(path))


def test_what_is_left_out_is_the_plain_mesh() -> None:
    mesh = read_crossbar_chip("tianjic").mesh
    assert (mesh.cores_per_router, mesh.vcs, mesh.flow, mesh.link_interval) == (1, 1, "wormhole", 1)
    assert (mesh.flits(64), mesh.cores, mesh.links, mesh.cautions) == (1, 156, 4, ())
    assert mesh.working_cores == tuple(range(156))


def test_every_option(tmp_path: Path) -> None:
    more = (
        "  vcs: {value: 4, published: somewhere}\n  flow: cut_through\n  link_interval: 2\n"
        "  head_cycles: 1\n  head_stages: 2\n  flit_bits: 16\n  header_bits: 20\n"
        "  cores_per_router: 2\n"
        "  chip_width: 3\n  chip_height: 13\n  chip_hop_cycles: 30\n  chip_link_interval: 8\n"
    )
    chip = chip_with(tmp_path, more, "  hop_bit: 0.1 pJ\n  chip_hop: 1 nJ\n")
    mesh = chip.mesh
    assert (mesh.vcs, mesh.flow, mesh.link_interval) == (4, "cut_through", 2)
    assert (mesh.head_cycles, mesh.head_stages) == (1, 2)
    assert [mesh.flits(bits) for bits in (0, 12, 13, 64)] == [2, 2, 3, 6]
    assert (mesh.cores, chip.cores, mesh.router_of(5), mesh.local_bit(5)) == (312, 312, 2, 32)
    assert (mesh.chip_width, mesh.chip_hop_cycles) == (3, 30)
    assert chip.constants["mesh.vcs"].mark == "published"
    assert chip.prices["hop_bit"].value == pytest.approx(1e-13)
    assert chip.choices["mesh.flow"].value == "cut_through"


def test_tori_have_two_channels_where_none_are_given(tmp_path: Path) -> None:
    torus = chip_with(tmp_path, topology="torus", io="[5, 5]").mesh
    assert (torus.vcs, torus.wraps, torus.links, torus.io) == (2, True, 4, (5, 5))
    triangle = chip_with(tmp_path, topology="triangular").mesh
    assert (triangle.vcs, triangle.links, triangle.local_bit(7)) == (2, 6, 64)


def test_boards(tmp_path: Path) -> None:
    """A 48-chip board cannot block itself, so one channel does; a torus of boards needs two."""
    side = {"width": "8", "height": "8"}
    board = chip_with(tmp_path, topology="board48", io="[4, 4]", **side).mesh
    assert (board.vcs, board.wraps, board.links, board.cores, board.cautions) == (
        1,
        False,
        6,
        64,
        (),
    )
    assert len(board.working_cores) == board.built_cores == 48
    assert board.absent.isdisjoint(board.working_cores)
    assert [core for core in board.working_cores if core < 16] == [0, 1, 2, 3, 4, *range(8, 14)]
    triads = {"width": "24", "height": "12"}
    more = "  board_hop_cycles: 60\n  board_link_interval: 4\n"
    chip = chip_with(tmp_path, more, "  board_hop: 1 nJ\n", topology="board_torus", **triads)
    assert (chip.mesh.vcs, chip.mesh.board_hop_cycles, chip.mesh.board_link_interval) == (2, 60, 4)
    assert chip.prices["board_hop"].value == pytest.approx(1e-9)


def test_links_of_their_own(tmp_path: Path) -> None:
    more = (
        "  links:\n    - {from: [0, 0], to: [1, 0], hop_cycles: 20, energy: {value: 5 pJ, "
        "published: here}}\n    - {from: [3, 4], to: [3, 3], link_interval: 8}\n"
    )
    chip = chip_with(tmp_path, more)
    assert chip.mesh.special == (SpecialLink(0, 0, 20, 0), SpecialLink(4 * 12 + 3, 3, 0, 8))
    assert chip.prices["links[0]"] == chip.constants["mesh.links[0].energy"]
    assert (chip.prices["links[0]"].mark, "links[1]" in chip.prices) == ("published", False)
    over = chip_with(tmp_path, more + "  vcs: 2\n", topology="torus")
    around = replace(over.mesh, special=(SpecialLink(11, 0, 9, 0),))
    assert mesh_of(section_from_mapping(mesh_as_mapping(around), "x")) == around


@pytest.mark.parametrize(
    "override",
    [
        "mesh.vcs=4",
        "mesh.flow=cut_through",
        'mesh.dead=["core 1,1"]',
        "mesh.links=[{from: [0, 0], to: [0, 1], hop_cycles: 9}]",
        "energy.hop_bit=1 pJ",
    ],
)
def test_what_a_file_leaves_out_can_be_set(override: str) -> None:
    path, _, _ = override.partition("=")
    chip = read_crossbar_chip("tianjic", (override,))
    assert chip != read_crossbar_chip("tianjic")
    with pytest.raises(InputError, match=f'did you mean "{path}"'):
        read_crossbar_chip("tianjic", (override.replace(path, path + "s"),))


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    """Any mesh a chip file can hold, with dead parts and special links."""
    topology = draw(st.sampled_from(["mesh", "torus", "triangular", "board48", "board_torus"]))
    width, height = draw(st.integers(3, 9)), draw(st.integers(3, 9))
    if topology == "board48":
        width = height = 8
    if topology == "board_torus":
        width, height = 12, 24
    numbers = {
        key: draw(st.integers(1, 9))
        for key in ("hop_cycles", "buffer_flits", "credit_cycles", "payload_bits", "link_interval")
    }
    mesh = Mesh(
        topology=topology, width=width, height=height, routing="xy",
        multicast=draw(st.sampled_from(["tree", "unicast"])), table_entry_bytes=3, io=(0, 0),
        cores_per_router=draw(st.integers(1, 3)) if topology in ("mesh", "torus") else 1,
        vcs=2 * draw(st.integers(1, 4)), flow=draw(st.sampled_from(["wormhole", "cut_through"])),
        head_cycles=draw(st.integers(0, 3)), **numbers,
    )  # fmt: skip
    if mesh.wraps:
        mesh = replace(mesh, ring_classes=draw(st.sampled_from(["dateline", "balanced"])))
    if topology == "board_torus":
        mesh = replace(mesh, board_hop_cycles=draw(st.integers(0, 60)), board_link_interval=3)
    routers = sorted(set(range(mesh.routers)) - mesh.absent)
    links = []
    for router in draw(st.lists(st.sampled_from(routers), max_size=4, unique=True)):
        for port, (dx, dy) in enumerate(mesh.steps):
            x, y = router % width + dx, router // width + dy
            inside = 0 <= x < width and 0 <= y < height
            after = y % height * width + x % width
            if (inside or mesh.wraps) and after not in mesh.absent:
                links.append((router, port))
    chosen = draw(st.lists(st.sampled_from(links), max_size=4, unique=True)) if links else []
    special = tuple(SpecialLink(*link, draw(st.integers(0, 20)), 4) for link in chosen)
    gone = draw(st.lists(st.sampled_from(routers[1:]), max_size=2, unique=True))
    dead = Dead(tuple(core for core in mesh.working_cores[1:4]), tuple(gone), tuple(links[:2]))
    hops = (mesh.hop_cycles, mesh.board_hop_cycles, *(link.hop_cycles for link in special))
    mesh = replace(mesh, head_stages=draw(st.integers(0, min(hop for hop in hops if hop) - 1)))
    return replace(mesh, special=special, dead=draw(st.sampled_from([Dead(), dead])))


@settings(derandomize=True, max_examples=80, deadline=None)
@given(meshes())
def test_a_mesh_is_written_and_read_again(mesh: Mesh) -> None:
    assert mesh_of(section_from_mapping(mesh_as_mapping(mesh), "x")) == mesh


def test_what_is_dead(tmp_path: Path) -> None:
    mesh = chip_with(
        tmp_path, '  dead: ["core 1,0", "router 2,1", "link 0,1 east", "link 4,4 south"]\n'
    ).mesh
    assert mesh.dead == Dead(cores=(1,), routers=(14,), links=((12, 0), (52, 3)))
    assert set(range(156)) - set(mesh.working_cores) == {1, 14}
    assert any("dead routers and links" in words for words in mesh.cautions)
    only_core = chip_with(tmp_path, '  dead: ["core 1,0,1"]\n  cores_per_router: 2\n').mesh
    assert (only_core.dead.cores, only_core.cautions) == ((3,), ())


def test_it_says_where_packets_can_block_each_other(tmp_path: Path) -> None:
    worms = chip_with(tmp_path, "  flit_bits: 4\n").mesh
    flits = worms.flits(worms.payload_bits)
    assert flits > worms.buffer_flits
    assert worms.cautions == (
        f"multicast packets of {flits} flits that fork can block each other for good, since a "
        f"channel holds only {worms.buffer_flits} (deadlock); buffer_flits: {flits} or more, or "
        "multicast: unicast, rules that out",
    )
    assert replace(worms, buffer_flits=flits).cautions == ()
    assert replace(worms, buffer_flits=flits - 1).cautions != ()
    assert chip_with(tmp_path, "  flit_bits: 4\n", multicast="unicast").mesh.cautions == ()
    assert chip_with(tmp_path, "  flit_bits: 16\n", multicast="unicast").mesh.cautions == ()
    assert chip_with(tmp_path, "  flit_bits: 64\n").mesh.cautions == ()


@pytest.mark.parametrize(
    ("more", "words", "message"),
    [
        ("", {"topology": "hypercube"}, "one of mesh, torus, triangular, board48, board_torus"),
        ("", {"topology": "board48"}, "mesh.width: expected 8 on a board48 topology, got 12"),
        ("", {"topology": "board_torus"}, "mesh.height: expected a multiple of 12 .*got 13"),
        ("  board_hop_cycles: 9\n", {}, "use topology: board_torus"),
        ("", {"topology": "board48", **SIDE, "io": "[7, 0]"}, "a router in the 48-chip board"),
        (
            '  dead: ["router 0, 7"]\n',
            {"topology": "board48", **SIDE},
            "expected .core x,y",
        ),
        (
            '  dead: ["router 0,7"]\n',
            {"topology": "board48", **SIDE},
            "0,7 is not on the 48-chip board",
        ),
        ("  links: [{from: [0, 0]}]\n", {}, r"links\[0\].to: missing"),
        ("  links: [{from: [0, 0], to: [2, 0]}]\n", {}, "no link leads there in one hop"),
        ("  links: [{from: [0, 0], to: [0, 0]}]\n", {}, "no link leads there in one hop"),
        ("  links: [{from: [12, 0], to: [0, 0]}]\n", {}, r"\[12, 0\] is not on the 12 x 13"),
        ("  links: [{from: [0, 0], to: [1, 0], width: 3}]\n", {}, r"links\[0\].width: unknown"),
        ("  links: [{from: [0, 0], to: [1, 0], hop_cycles: 0}]\n", {}, "from 1 to 1024"),
        (
            "  links: [{from: [0, 0], to: [1, 0]}, {from: [0, 0], to: [1, 0]}]\n",
            {},
            "given twice",
        ),
        (
            "  links: [{from: [0, 0], to: [1, 0]}]\n",
            {"topology": "torus", "width": "2"},
            "2 links lead there in one hop",
        ),
        ("  vcs: 3\n", {"topology": "torus"}, r"x.yaml:\d+:\d+: mesh.vcs: .*even number.*deadlock"),
        ("  vcs: 9\n", {}, "from 1 to 8"),
        ("  ring_classes: balanced\n", {}, "mesh.ring_classes: counts only where links go around"),
        ("  ring_classes: upper\n", {"topology": "torus"}, "one of dateline, balanced"),
        ("  cores_per_router: 4\n", {"topology": "torus"}, "expected 1 to 3 on a torus"),
        ("  cores_per_router: 2\n", {"topology": "triangular"}, "expected 1 to 1"),
        ("", {"routing": "odd_even"}, "needs multicast: unicast"),
        ("", {"routing": "odd_even", "topology": "torus"}, "expected xy on a torus"),
        ("", {"routing": "north_last"}, "one of xy, west_first, odd_even"),
        ("  header_bits: 4\n", {}, "only where flit_bits is given"),
        ("  flow: cut_through\n  flit_bits: 4\n", {}, "a whole packet, 16 flits"),
        ("  flow: store\n", {}, "one of wormhole, cut_through"),
        ("  head_stages: 3\n", {}, "head_stages: expected less .* hop_cycles is 3, got 3"),
        (
            "  head_stages: 2\n  links: [{from: [0, 0], to: [1, 0], hop_cycles: 2}]\n",
            {},
            r"head_stages: .*links\[0\].hop_cycles is 2, got 2",
        ),
        (
            "  head_stages: 2\n  chip_width: 3\n  chip_height: 13\n  chip_hop_cycles: 1\n",
            {},
            "head_stages: .*chip_hop_cycles is 1",
        ),
        ("  chip_width: 3\n", {}, "needs chip_height, chip_hop_cycles as well"),
        (
            "  chip_width: 5\n  chip_height: 13\n  chip_hop_cycles: 9\n",
            {},
            "expected a divisor of 12, got 5",
        ),
        ("", {"io": "[5, 5]"}, "on the edge of"),
        ("", {"io": "[12, 5]", "topology": "torus"}, "a router in the 12 x 13"),
        ("  dead: [5]\n", {}, "expected text"),
        ('  dead: ["chip 1,1"]\n', {}, 'item 0: expected "core x,y", "router x,y" or "link'),
        ('  dead: ["core 1,1", "core 12,0"]\n', {}, "item 1: 12,0 is not on the 12 x 13 mesh"),
        ('  dead: ["core 1,1,1"]\n', {}, "a router has 1 cores"),
        ('  dead: ["router 1,1 east"]\n', {}, "a direction belongs to a link"),
        ('  dead: ["link 1,1"]\n', {}, "one of east, west, north, south"),
        ('  dead: ["link 1,1 north-east"]\n', {}, "one of east, west, north, south"),
        ('  dead: ["link 0,1 west"]\n', {}, "no link over the edge"),
        ('  dead: ["router 0,0"]\n', {}, "input enters"),
        (
            '  dead: ["router 3,3"]\n',
            {"routing": "odd_even", "multicast": "unicast"},
            "needs all routers",
        ),
    ],
)
def test_what_cannot_be_is_named(
    tmp_path: Path, more: str, words: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        chip_with(tmp_path, more, **words)
