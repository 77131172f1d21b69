"""Synthetic traffic and latency-load curves, beside what BookSim 2 measured (facts A2)."""

import argparse
import json

import numpy as np
import pytest

from chipsim.cli import noc
from chipsim.errors import InputError
from chipsim.mesh import dimension_order, topology, traffic
from chipsim.mesh.curve import latency_curve
from chipsim.mesh.wormhole_layout import make_channels

EIGHT = topology.mesh(8, 8)

OVERLOAD = {
    "uniform": 0.376,
    "transpose": 0.336,
    "bit-complement": 0.125,
    "neighbour": 0.950,
    "tornado": 0.150,
}
"""Accepted rate of BookSim 2 at an offered load of 0.95: 8x8, 1 flit, 1 VC, 8 slots."""

LAST_STABLE = {"uniform": 0.36, "transpose": 0.14, "bit-complement": 0.22, "tornado": 0.24}


@pytest.mark.parametrize(("pattern", "accepted"), OVERLOAD.items())
def test_overload_is_that_of_booksim(pattern, accepted):
    (point,) = latency_curve(make_channels(EIGHT), pattern, [0.95], warm_up=3000, window=6000)
    assert point.accepted == pytest.approx(accepted, rel=0.05)
    assert point.stable == (pattern == "neighbour")


@pytest.mark.parametrize(("pattern", "load"), LAST_STABLE.items())
def test_booksim_s_last_stable_load_is_stable(pattern, load):
    (point,) = latency_curve(make_channels(EIGHT), pattern, [load], window=5000)
    assert point.stable
    assert point.mean < 60


def test_wormhole_latency_is_that_of_booksim():
    """5 flits, 4 channels of 8: BookSim 2 at 28f43299, see benchmarks/mesh_booksim.py."""
    channels = make_channels(EIGHT, vcs=4)
    points = latency_curve(channels, "uniform", [0.1, 0.3], flits=5, window=6000)
    for point, theirs in zip(points, (26.99, 39.79), strict=True):
        assert point.mean == pytest.approx(theirs, rel=0.03)
    (beyond,) = latency_curve(channels, "uniform", [0.95], flits=5, warm_up=3000, window=6000)
    assert beyond.accepted == pytest.approx(0.406, rel=0.05)


def test_trees_on_rings_never_turn_against_the_order():
    """From x to the diagonal to y, or packets could block each other."""
    rng = np.random.default_rng(0)
    for build in (topology.torus, topology.triangular):
        for width, height in ((2, 5), (4, 4), (5, 6), (6, 8)):
            topo = build(width, height)
            for _ in range(10):
                source = int(rng.integers(topo.routers))
                masks = dimension_order.multicast_tree(
                    topo, source, rng.choice(topo.routers, 8, False)
                )
                waiting = [(source, -1)]
                while waiting:
                    router, axis = waiting.pop()
                    for port in range(topo.links):
                        if masks[router] >> port & 1:
                            assert topo.axis[port] >= axis
                            waiting.append((int(topo.leads[router, port]) >> 3, topo.axis[port]))


def test_more_channels_carry_more_and_threads_change_nothing():
    loads = [0.2, 0.45]
    one = latency_curve(make_channels(EIGHT, vcs=1), "uniform", loads, flits=5, window=2000)
    four = latency_curve(make_channels(EIGHT, vcs=4), "uniform", loads, flits=5, window=2000)
    assert one[0].stable
    assert four[0].stable
    assert four[1].accepted > 1.2 * one[1].accepted
    again = latency_curve(
        make_channels(EIGHT, vcs=4), "uniform", loads, flits=5, window=2000, threads=2
    )
    for a, b in zip(four, again, strict=True):
        assert (a.mean, a.accepted, a.longest) == (b.mean, b.accepted, b.longest)
        assert np.array_equal(a.link_load, b.link_load)


def test_links_of_a_ring_are_loaded_evenly():
    (point,) = latency_curve(
        make_channels(topology.torus(5, 5), vcs=2), "uniform", [0.3], window=20_000
    )
    links = point.link_load[:, :4]
    assert links.min() > 0.9 * links.max()


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("pattern", traffic.PATTERNS)
def test_patterns_stay_in_the_mesh(pattern, cores):
    topo = topology.mesh(4, 4, cores)
    stream = traffic.bernoulli(topo, pattern, 0.5, 1, 200, 3)
    assert ((stream.target >= 0) & (stream.target < topo.cores)).all()
    assert (np.diff(stream.cycle) >= 0).all()
    assert stream.cycle.size == pytest.approx(100 * topo.cores, rel=0.1)
    assert np.unique(stream.cycle * topo.cores + stream.source).size == stream.cycle.size


def test_patterns_send_where_they_say():
    rng = np.random.default_rng(0)
    core = np.arange(64)
    x, y = core % 8, core // 8
    expected = {
        "transpose": 8 * x + y,
        "bit-complement": 63 - core,
        "neighbour": (y + 1) % 8 * 8 + (x + 1) % 8,
        "tornado": (y + 3) % 8 * 8 + (x + 3) % 8,
    }
    for name, target in expected.items():
        assert np.array_equal(traffic.PATTERNS[name](EIGHT, core, core, rng), target)
    hot = traffic.hotspot(EIGHT, np.zeros(10_000, np.int64), core, rng)
    assert (hot == 36).mean() == pytest.approx(0.1 + 0.9 / 64, rel=0.1)


def test_only_cores_that_are_there_take_part():
    board = topology.board48()
    stream = traffic.bernoulli(board, "uniform", 0.2, 1, 2000, 1)
    assert set(stream.source) == set(stream.target) == set(board.working)
    assert board.working.size == 48
    assert stream.cycle.size == pytest.approx(0.2 * 48 * 2000, rel=0.05)
    (point,) = latency_curve(make_channels(board), "uniform", [0.2], window=2000)
    assert point.stable
    with pytest.raises(InputError, match="transpose sends to core 4, which is not there or dead"):
        traffic.bernoulli(EIGHT, "transpose", 0.2, 1, 200, 1, np.delete(np.arange(64), 4))


def test_bad_traffic_is_refused():
    with pytest.raises(InputError, match="uniform, transpose"):
        traffic.bernoulli(EIGHT, "nonsense", 0.1, 1, 10, 1)
    with pytest.raises(InputError, match="0 to 1 flits"):
        traffic.bernoulli(EIGHT, "uniform", 1.5, 1, 10, 1)
    with pytest.raises(InputError, match="square"):
        traffic.bernoulli(topology.mesh(4, 3), "transpose", 0.5, 1, 10, 1)
    with pytest.raises(InputError, match="choose a smaller mesh"):
        latency_curve(make_channels(topology.mesh(300, 300)), "uniform", [0.1])
    with pytest.raises(InputError, match="window"):
        latency_curve(make_channels(EIGHT), "uniform", [0.1], window=0)


def command(*words):
    parser = argparse.ArgumentParser()
    noc.add_parser(parser.add_subparsers())
    args = parser.parse_args(["noc", *words])
    return args.run(args)


def test_the_command_prints_a_line_a_load(capsys):
    assert command("--size", "4x4", "--load", "0.1:0.3:0.1", "--cycles", "500") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 x 4 mesh, 1 VC of 8 flits")
    assert [line.split()[0] for line in lines[2:]] == ["0.100", "0.200", "0.300"]


def test_the_command_writes_json_and_a_plot(capsys, tmp_path):
    plot = tmp_path / "curve.svg"
    words = ("--topology", "torus", "--size", "3x4", "--load", "0,0.2", "--cycles", "500")
    assert command(*words, "--json", "--plot", str(plot)) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert points[0]["latency"]["mean"] is None
    assert points[1]["latency"]["mean"] > 5
    assert points[1]["stable"]
    assert len(points[1]["link_load"]) == 12
    assert plot.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--size", "8"), "8x8 needed"),
        (("--load", "a"), "a number, a list"),
        (("--load", "0.1:0.2"), "a number, a list"),
        (("--load", "0.1:0.2:0"), "step must be positive"),
        (("--topology", "torus", "--vcs", "3"), "even number"),
        (("--board-hop-cycles", "9"), "needs --topology board_torus"),
        (("--ring-classes", "balanced"), "needs --topology torus, triangular or board_torus"),
        (("--chip", "tianjic"), "--size: the mesh is that of --chip"),
        (("--set", "mesh.vcs=4"), "needs --chip or"),
        (("--traffic", "nonsense"), "uniform, transpose"),
        (("--traffic", "file:"), "file:PACKETS.npz"),
        (("--traffic", "uniform:"), "file:PACKETS.npz"),
        (("--plot", "/nowhere/at/all.svg", "--load", "0.1", "--cycles", "10"), "cannot be written"),
        (("--plot", "plot.nonsense", "--load", "0.1", "--cycles", "10"), "cannot be written"),
    ],
)
def test_bad_options_are_named(words, message):
    with pytest.raises(InputError, match=message):
        command("--size", "2x2", *words)


def test_adaptive_routing_from_the_command_line(capsys):
    words = ("--size", "4x4", "--load", "0.2", "--cycles", "300", "--vcs", "2")
    for routing in ("west_first", "odd_even"):
        assert command(*words, "--routing", routing) == 0
        assert f"{routing} routing" in capsys.readouterr().out


def test_ring_classes_from_the_command_line(capsys):
    """Between neighbours only few cross the dateline, and only balanced classes use both halves."""
    accepted = {}
    for classes in ("dateline", "balanced"):
        words = ("--topology", "torus", "--size", "4x4", "--ring-classes", classes, "--json")
        more = ("--traffic", "neighbour", "--load", "0.9", "--buffer", "2", "--cycles", "500")
        assert command(*words, *more) == 0
        found = json.loads(capsys.readouterr().out)
        assert ("balanced ring classes" in found["mesh"]) == (classes == "balanced")
        accepted[classes] = found["points"][0]["accepted"]
    assert accepted["balanced"] > 1.2 * accepted["dateline"]


def test_head_stages_from_the_command_line(capsys):
    """Bodies that keep up with their head free channels and links sooner."""
    words = ("--size", "4x4", "--vcs", "2", "--flits", "5", "--load", "0.4", "--cycles", "500")
    mean = {}
    for stages in ("0", "2"):
        assert command(*words, "--hop-cycles", "5", "--head-stages", stages, "--json") == 0
        mean[stages] = json.loads(capsys.readouterr().out)["points"][0]["latency"]["mean"]
    assert mean["2"] < mean["0"] - 0.5
    with pytest.raises(InputError, match="head_stages: 3 given, 0 to 2 allowed"):
        command(*words, "--head-stages", "3")


def test_traffic_by_matrix_is_in_proportion():
    matrix = np.zeros((16, 16), np.int64)
    matrix[3, 5], matrix[7, 1] = 30, 10
    stream = traffic.by_matrix(topology.mesh(4, 4), matrix, 0.05, 1, 20_000, 1)
    assert stream.cycle.size == pytest.approx(0.05 * 16 * 20_000, rel=0.05)
    pairs, counts = np.unique(stream.source * 16 + stream.target, return_counts=True)
    assert pairs.tolist() == [3 * 16 + 5, 7 * 16 + 1]
    assert counts[0] / counts[1] == pytest.approx(3, rel=0.05)
    with pytest.raises(InputError, match="at least one packet"):
        traffic.by_matrix(topology.mesh(4, 4), np.zeros((16, 16), np.int64), 0.1, 1, 10, 1)


def test_the_mesh_of_a_chip_file(capsys):
    """Every topology of the chip file, with its flow control, dead parts and overrides."""
    small = ("--load", "0.1", "--cycles", "300", "--chip", "tianjic", "--set", "mesh.io=[0, 0]")
    assert command(*small, "--set", "mesh.vcs=4") == 0
    assert capsys.readouterr().out.startswith("12 x 13 mesh, 4 VC of 8 flits, 1-flit packets")
    sides = ("--set", "mesh.width=8", "--set", "mesh.height=8")
    for topology_of_file, words in (
        ("board48", "8 x 8 48-chip board, 1 VC"),
        ("torus", "8 x 8 torus, 2 VC"),
    ):
        assert command(*small, *sides, "--set", f"mesh.topology={topology_of_file}") == 0
        assert capsys.readouterr().out.startswith(words)
    dead = ("--set", 'mesh.dead=["router 3,3", "core 1,1"]')
    assert command(*small, *sides, *dead) == 0
    assert "not stable" not in capsys.readouterr().out


def test_boards_from_the_command_line(capsys):
    """Slow links between boards are seen: the same traffic takes longer over them."""
    words = ("--topology", "board_torus", "--load", "0.05", "--cycles", "500", "--json")
    assert command(*words) == 0
    fast = json.loads(capsys.readouterr().out)
    assert fast["mesh"].startswith("12 x 12 torus of 3 boards, 2 VC")
    assert command(*words, "--board-hop-cycles", "50", "--board-link-interval", "4") == 0
    slow = json.loads(capsys.readouterr().out)
    assert slow["points"][0]["packets"] == fast["points"][0]["packets"]
    assert slow["points"][0]["latency"]["mean"] > fast["points"][0]["latency"]["mean"] + 10
    assert command("--topology", "board48", "--load", "0.1", "--cycles", "500") == 0
    assert capsys.readouterr().out.startswith("8 x 8 48-chip board, 1 VC")
