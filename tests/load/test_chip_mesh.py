"""The mesh of a chip file: topologies, channels, several chips, dead parts, where it can block."""

from __future__ import annotations

from pathlib import Path

import pytest

from chipsim.chip import Chip, Dead
from chipsim.errors import InputError
from chipsim.load.chip_file import read_chip, shipped_chips

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
    return read_chip(str(path))


def test_what_is_left_out_is_the_plain_mesh() -> None:
    mesh = read_chip("tianjic").mesh
    assert (mesh.cores_per_router, mesh.vcs, mesh.flow, mesh.link_interval) == (1, 1, "wormhole", 1)
    assert (mesh.flits(64), mesh.cores, mesh.links, mesh.cautions) == (1, 156, 4, ())
    assert mesh.working_cores == tuple(range(156))


def test_every_option(tmp_path: Path) -> None:
    more = (
        "  vcs: {value: 4, published: somewhere}\n  flow: cut_through\n  link_interval: 2\n"
        "  head_cycles: 1\n  flit_bits: 16\n  header_bits: 20\n  cores_per_router: 2\n"
        "  chip_width: 3\n  chip_height: 13\n  chip_hop_cycles: 30\n  chip_link_interval: 8\n"
    )
    chip = chip_with(tmp_path, more, "  hop_bit: 0.1 pJ\n  chip_hop: 1 nJ\n")
    mesh = chip.mesh
    assert (mesh.vcs, mesh.flow, mesh.link_interval, mesh.head_cycles) == (4, "cut_through", 2, 1)
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
    worms = chip_with(tmp_path, "  flit_bits: 16\n").mesh
    assert any("several flits" in words for words in worms.cautions)
    assert chip_with(tmp_path, "  flit_bits: 16\n", multicast="unicast").mesh.cautions == ()
    assert chip_with(tmp_path, "  flit_bits: 64\n").mesh.cautions == ()


@pytest.mark.parametrize(
    ("more", "words", "message"),
    [
        ("", {"topology": "hypercube"}, "one of mesh, torus, triangular"),
        ("  vcs: 3\n", {"topology": "torus"}, r"x.yaml:\d+:\d+: mesh.vcs: .*even number.*deadlock"),
        ("  vcs: 9\n", {}, "from 1 to 8"),
        ("  cores_per_router: 4\n", {"topology": "torus"}, "expected 1 to 3 on a torus"),
        ("  cores_per_router: 2\n", {"topology": "triangular"}, "expected 1 to 1"),
        ("", {"routing": "odd_even"}, "needs multicast: unicast"),
        ("", {"routing": "odd_even", "topology": "torus"}, "expected xy on a torus"),
        ("", {"routing": "north_last"}, "one of xy, west_first, odd_even"),
        ("  header_bits: 4\n", {}, "only where flit_bits is given"),
        ("  flow: cut_through\n  flit_bits: 4\n", {}, "a whole packet, 16 flits"),
        ("  flow: store\n", {}, "one of wormhole, cut_through"),
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
