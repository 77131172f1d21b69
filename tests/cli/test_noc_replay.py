"""``chipsim noc`` with packets of a file or of a run: sent as they are, every cycle the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.cli.main import main
from chipsim.cli.noc_packets import packet_arrays, read_kept
from chipsim.cli.run_job import run_files
from chipsim.errors import InputError
from chipsim.mesh import reference
from chipsim.mesh.chip_mesh import network_of
from chipsim.mesh.fabric import Fabric
from chipsim.mesh.replay import replay
from chipsim.report.arrays import arrays_of
from chipsim.report.run_folder import write_arrays, write_run
from chipsim.report.summary import summarise
from chipsim.results import Results
from chipsim.simulate import traffic
from tests.simulate.tiny import random_run, tiny_chip


def command(*words: str) -> int:
    return main(["noc", *words])


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert command(*words) == 2
    return capsys.readouterr().err


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return f"file:{path}"


def packets_of(results: Results, place: Path) -> Path:
    place.mkdir()
    write_arrays(place / "packets.npz", packet_arrays(results))
    return place


def folder_of(results: Results, place: Path) -> Path:
    files = run_files(results, summarise(results), arrays_of(results))
    return write_run(place, files, force=False)


def test_packets_from_a_file_are_sent_as_they_are(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Three packets far apart take 5 + 3 D + L - 1 cycles each; the order in the file is free."""
    place = saved(
        tmp_path / "p.npz",
        cycle=[500, 0, 250],
        source=[0, 0, 3],
        target=[15, 3, 3],
        flits=[4, 1, 2],
    )
    pictures = [tmp_path / "heat.svg", tmp_path / "late.svg"]
    drawn = ("--heat", str(pictures[0]), "--plot", str(pictures[1]))
    assert command("--size", "4x4", "--traffic", place, "--json", *drawn) == 0
    found = json.loads(capsys.readouterr().out)
    waits = [5 + 3 * 6 + 3, 5 + 3 * 3, 5 + 1]
    assert found["latency"]["all"]["mean"] == pytest.approx(np.mean(waits))
    assert found["latency"]["all"]["max"] == max(waits)
    assert found["histogram"] == {"cycles": sorted(waits), "deliveries": [1, 1, 1]}
    assert (found["packets"], found["flits"], found["deliveries"]) == (3, 7, 3)
    assert found["drain"]["by_phase"] == [500 + waits[0]]
    for picture in pictures:
        assert picture.read_text().startswith("<?xml")


def test_packets_of_a_file_may_branch_and_come_in_phases(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One packet to three cores crosses shared links once; a phase starts with an empty mesh."""
    place = saved(
        tmp_path / "p.npz",
        phase=[1, 0],
        cycle=[0, 7],
        source=[0, 5],
        ptr=[0, 3, 4],
        target=[3, 1, 0, 5],
    )
    assert command("--size", "4x4", "--traffic", place, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["drain"]["by_phase"] == [7 + 5, 5 + 3 * 3]
    assert found["histogram"] == {"cycles": [5, 8, 14], "deliveries": [2, 1, 1]}
    assert found["hottest_links"] == [
        {"link": f"({x},0)->({x + 1},0)", "flits": 1} for x in range(3)
    ]
    assert command("--size", "4x4", "--traffic", place) == 0
    assert "phase 1: cycle 14, 1 packets" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"cycle": [1], "source": [0]}, "target missing"),
        ({"cycle": [1], "source": [0], "target": [1], "size": [1]}, "size unknown"),
        ({"cycle": [1, 2], "source": [0], "target": [1]}, "differ in length"),
        ({"cycle": [], "source": [], "target": []}, "whole numbers"),
        ({"cycle": [1.5], "source": [0], "target": [1]}, "cycle: whole numbers"),
        ({"cycle": [-1], "source": [0], "target": [1]}, "0 to"),
        (
            {"cycle": [1], "source": [99], "target": [1]},
            "core 99 given, which is not there or dead; the mesh has 64 cores, 0 to 63",
        ),
        ({"cycle": [1], "source": [0], "target": [1], "flits": [0]}, "has 0 flits"),
        ({"cycle": [[1]], "source": [0], "target": [1]}, "shape"),
        ({"cycle": [1], "source": [0], "target": [1], "ptr": [0]}, "differ in length"),
        ({"cycle": [1], "source": [0], "target": [1], "ptr": [0, 0]}, "ptr: must rise"),
        ({"cycle": [1], "source": [0], "target": [1], "ptr": [1, 1]}, "ptr: must rise"),
        ({"cycle": [1], "source": [0], "target": [1], "phase": [1 << 30]}, "phases allowed"),
    ],
)
def test_bad_packet_files_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    assert message in refused(capsys, "--traffic", saved(tmp_path / "p.npz", **arrays))


def test_other_bad_replays_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    good = {"cycle": np.array([1]), "source": np.array([0]), "target": np.array([1])}
    place = saved(tmp_path / "p.npz", **good)
    assert "no such file" in refused(capsys, "--traffic", f"file:{tmp_path / 'none.npz'}")
    assert "no such file" in refused(capsys, "--traffic", f"run:{tmp_path}")
    assert "give no load" in refused(capsys, "--traffic", place, "--load", "0.1")
    several = saved(tmp_path / "q.npz", **{**good, "target": [1, 2], "ptr": [0, 2]})
    adaptive = ("--traffic", several, "--routing", "odd_even")
    assert "one target a packet" in refused(capsys, *adaptive)
    off = saved(tmp_path / "r.npz", **{**good, "target": [7]})
    assert "core 7 given, which is not there" in refused(
        capsys, "--traffic", off, "--topology", "board48"
    )
    cut = ("--chip", "tianjic", "--set", 'mesh.dead=["link 1,0 west", "link 1,0 east", '
           '"link 1,0 north"]', "--traffic", place)  # fmt: skip
    assert "router (1, 0) is cut off by the dead links (1, 0) east, (1, 0) west" in refused(
        capsys, *cut
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_run_is_sent_again_to_the_cycle(seed: int, tmp_path: Path) -> None:
    """The same arrivals, latencies and link loads as when the network was mapped."""
    results = random_run(seed)
    write_arrays(tmp_path / "packets.npz", packet_arrays(results))
    kept = read_kept(tmp_path)
    assert kept.mesh == results.chip.mesh
    assert kept.phases == kept.load.packets.phases == results.mesh.phases
    found = replay(network_of(kept.mesh), kept.load)
    np.testing.assert_array_equal(found.drain, results.mesh.last_arrival)
    np.testing.assert_array_equal(found.link_flits, results.mesh.link_flits)
    assert found.latency.sum() == results.mesh.latency_sum
    assert found.latency.max(initial=0) == results.mesh.latency_max
    assert found.latency.size == results.mesh.deliveries
    network = network_of(kept.mesh)
    assert isinstance(network, Fabric)
    slow = reference.run_phases(network, kept.load.trees, kept.load.packets)
    assert slow.arrivals is not None
    np.testing.assert_array_equal(
        slow.arrivals.cycle - kept.load.packets.inject[found.packet], found.latency
    )


def test_only_the_first_phases_of_a_long_run_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = random_run(3, 4)
    for limit, call in ((1, 512), (40, 512), (40, 3)):
        monkeypatch.setattr(traffic, "RECORDED_PACKETS", limit)
        monkeypatch.setattr(traffic, "PHASES_PER_CALL", call)
        kept = random_run(3, 4).mesh.recording
        phases = kept.phase_ptr.size - 1
        assert phases == 1 or kept.cycle.size <= limit
        full = whole.mesh.recording.phase_ptr
        assert full[phases + 1] > limit
        np.testing.assert_array_equal(kept.phase_ptr, full[: phases + 1])
        np.testing.assert_array_equal(kept.flow, whole.mesh.recording.flow[: full[phases]])
        np.testing.assert_array_equal(kept.cycle, whole.mesh.recording.cycle[: full[phases]])


def test_a_run_on_another_mesh(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Values of the run's mesh can be replaced; other ways lead to the same cores."""
    results = random_run(1)
    folder = packets_of(results, tmp_path / "run")
    assert command("--traffic", f"run:{folder}", "--json") == 0
    plainly = json.loads(capsys.readouterr().out)
    assert plainly["deliveries"] == results.mesh.deliveries
    assert set(plainly["latency"]) >= {"all", "input"}
    ends = plainly["hottest_links"][0]["link"].replace("(", "[").replace(")", "]").split("->")
    slow = f"mesh.links=[{{from: {ends[0]}, to: {ends[1]}, hop_cycles: 40}}]"
    changes: list[tuple[str, ...]] = [
        ("mesh.hop_cycles=9",),
        ("mesh.topology=torus", "mesh.vcs=2"),
        ("mesh.topology=triangular", "mesh.vcs=2"),
        ('mesh.dead=["link 0,0 east"]',),
        (slow,),
    ]
    for change in changes:
        sets = [word for value in change for word in ("--set", value)]
        assert command("--traffic", f"run:{folder}", *sets, "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["deliveries"] == plainly["deliveries"], change
        if change[0] in ("mesh.hop_cycles=9", slow):
            assert found["latency"]["all"]["mean"] > plainly["latency"]["all"]["mean"]
    run = ("--traffic", f"run:{folder}")
    assert "--vcs: the mesh is that of run:" in refused(capsys, *run, "--vcs", "2")
    assert "--chip tianjic: the mesh is" in refused(capsys, *run, "--chip", "tianjic")
    assert "stay as they are" in refused(capsys, *run, "--set", "mesh.width=8")
    assert 'did you mean "mesh.vcs"' in refused(capsys, *run, "--set", "mesh.vc=8")


def test_adaptive_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    chip = tiny_chip("mesh.multicast=unicast")
    folder = packets_of(random_run(1, chip=chip), tmp_path / "one")
    sets = ("--set", "mesh.routing=odd_even", "--set", "mesh.multicast=unicast")
    assert command("--traffic", f"run:{folder}", *sets) == 0
    assert "odd_even routing" in capsys.readouterr().out
    folder = packets_of(random_run(1), tmp_path / "several")
    assert "map it with --set mesh.multicast=unicast" in refused(
        capsys, "--traffic", f"run:{folder}", *sets
    )


def test_damaged_packets_are_refused(tmp_path: Path) -> None:
    arrays = packet_arrays(random_run(1))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"trees": arrays["trees"][:, :5]}, "trees of 5 routers"),
        ({"trees": arrays["trees"][:1]}, "differ in length"),
        ({"flow": arrays["flow"][1:]}, "differ in length"),
        ({"flow": arrays["flow"] + np.uint16(60_000)}, "flow: there are"),
        ({"injector": arrays["injector"] + np.uint16(60_000)}, "injector: 0 to 72"),
        ({"bits": arrays["bits"].astype(float)}, "bits: float64"),
        ({"mesh": arrays["mesh"][:-1]}, "not the JSON"),
        ({"mesh": np.frombuffer(b"[1]", np.uint8)}, "expected a mapping"),
        ({"mesh": np.frombuffer(b'{"width": 4}', np.uint8)}, "mesh"),
        ({"more": arrays["bits"]}, "the arrays phase_ptr"),
    ]
    for changes, message in wrong:
        write_arrays(tmp_path / "packets.npz", {**arrays, **changes})
        with pytest.raises(InputError, match=message):
            read_kept(tmp_path)


def test_packets_drawn_by_the_matrix_of_a_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A run folder decides the mesh and who sends to whom, the load how much."""
    results = random_run(1)
    folder = folder_of(results, tmp_path / "run")
    assert command("--traffic", f"matrix:{folder}", "--load", "0.02", "--cycles", "2000") == 0
    out = capsys.readouterr().out
    mesh = results.chip.mesh
    assert out.startswith(f"{mesh.width} x {mesh.height} mesh")
    assert "not stable" not in out
    assert "there is no such file" in refused(capsys, "--traffic", f"matrix:{tmp_path}")
    (folder / "report.json").unlink()
    assert "report.json" in refused(capsys, "--traffic", f"matrix:{folder}")
