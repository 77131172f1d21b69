"""``chipsim noc --tables``: keys through a machine's routing tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.cli.main import main

REAL = Path(__file__).parents[2].parent / "shared" / "validation" / "spinnaker_microcircuit_run"
EXACT = 0xFFFFFFFF
TABLES: dict[str, Any] = {
    # Key 1 goes east over (0, 0), straight through (1, 0), to two cores at (2, 0); key 2 leads
    # off a chip that sends it back; key 3 has no entry.
    "x": [0, 2, 1, 2],
    "y": [0, 0, 1, 1],
    "key": [1, 1, 2, 2],
    "mask": [EXACT] * 4,
    "route": [1, 0b11 << 6, 1, 1 << 3],
}
KEYS = "key,x,y\n0x1,0,0\n2,1,1\n3,2,2\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    tables, keys = tmp_path / "tables.npz", tmp_path / "keys.csv"
    np.savez(tables, **{name: np.array(values) for name, values in TABLES.items()})
    keys.write_text(KEYS)
    return str(tables), str(keys)


def run(*words: str) -> int:
    return main(["noc", *words])


def test_keys_are_followed_timed_and_counted(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--tables", files[0], "--keys", files[1], "--size", "4x4", "--usable", "0")
    assert run(*words, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tables"]["entries"] == 4
    assert [entry["chip"] for entry in found["tables"]["too_long"]] == [
        "(0,0)", "(2,0)", "(1,1)", "(2,1)",
    ]  # fmt: skip
    assert found["keys"]["broken"] == {
        "came to a chip twice": ["0x00000002"],
        "had no entry at its source": ["0x00000003"],
    }
    assert found["keys"]["links_a_packet"] == [2, 2.0, 2]
    assert found["keys"]["deliveries_a_packet"] == [2, 2.0, 2]
    assert (found["packets"]["sent"], found["packets"]["deliveries"]) == (1, 2)
    assert found["packets"]["waited_cycles"] == [0, 0.0, 0]
    assert sum(map(sum, found["link_packets"])) == 2
    assert run(*words) == 0
    out = capsys.readouterr().out
    assert "chips above 0 usable entries: 4:" in out
    assert "3 keys, 2 broken routes" in out


def test_a_busy_link_drops_or_goes_around(
    tmp_path: Path, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two streams join in one link, and packets give up soon: drops there, or a way around."""
    tables = tmp_path / "join.npz"
    entries = [(0, 0, 1, 1), (2, 0, 1, 64), (1, 0, 2, 1), (2, 0, 2, 128)]
    x, y, key, route = np.array(entries).T
    np.savez(tables, x=x, y=y, key=key, mask=np.full(4, EXACT), route=route)
    keys = tmp_path / "keys.npz"
    number = np.arange(200)
    np.savez(keys, key=1 + number % 2, x=number % 2, y=0 * number, cycle=number // 2 * 20)
    words = ("--tables", str(tables), "--keys", str(keys), "--size", "8x8", "--json")
    times = ("--hop-cycles", "10", "--link-interval", "20", "--buffer", "2", "--wait1", "5")
    assert run(*words, *times) == 0
    packets = json.loads(capsys.readouterr().out)["packets"]
    assert packets["deliveries"] + packets["lost_deliveries"] == 200
    assert packets["drops_by_link"] == [
        {"chip": "(1,0)", "link": "east", "packets": packets["dropped_copies"]}
    ]
    assert packets["dropped_copies"] > 50
    busiest = packets["waiting_cycles_by_link"][0]
    assert (busiest["chip"], busiest["link"]) == ("(1,0)", "east")
    # Those dropped waited 5 cycles each, and others less.
    assert busiest["cycles"] >= 5 * packets["dropped_copies"]
    assert run(*words, *times, "--wait2", "100") == 0
    packets = json.loads(capsys.readouterr().out)["packets"]
    assert (packets["dropped_copies"], packets["deliveries"]) == (0, 200)
    assert packets["emergencies_by_link"][0]["packets"] > 50
    assert run(*words, *times, "--chip", "spinnaker1") == 0
    again = json.loads(capsys.readouterr().out)["packets"]
    lost = again["lost_at_full_registers"] + again["lost_at_full_queues"]
    assert again["dropped_copies"] == again["reinjected_copies"] + lost
    assert again["reinjected_copies"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--vcs", "2"), "--vcs does not go together with --tables"),
        (("--traffic", "uniform"), "--traffic does not go together"),
        (("--size", "4x4", "--set", "router.wait1=2"), "--set router.wait1=2: needs --chip"),
        (("--size", "4x4", "--chip", "tianjic"), "tables need a chip with packet routers"),
        (("--topology", "mesh"), "triangular, board48 or board_torus"),
        (("--size", "2x2"), "chip (2, 0) is not on the 2 x 2 triangular torus"),
        (("--size", "4x4", "--wait1", "-1"), "wait1: -1 given"),
        (("--spacing", "-1"), "--spacing: -1 given"),
    ],
)
def test_bad_options_are_named(
    files: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    assert run("--tables", files[0], "--keys", files[1], *words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,1\n", "the columns key, x, y are needed"),
        ("key,x,y\n1,1,z\n", "keys.csv:2: y: 'z' given"),
        ("key,x,y\n1,1\n", "keys.csv:2: y: None given"),
        ("key,x,y\n0x1ffffffff,1,1\n", "keys.csv:2: key:"),
        ("key,x,y\n", "holds no key"),
        ("key,x,y\n1,0,0\n1,1,0\n", "a key is given twice"),
        ("\x00", "keys.csv"),
    ],
)
def test_bad_keys_are_named(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    Path(files[1]).write_text(text)
    assert run("--tables", files[0], "--keys", files[1], "--size", "4x4") == 2
    assert message in capsys.readouterr().err


def test_bad_tables_are_named(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for changes, message in (
        ({"mask": [1]}, "as many as in x"),
        ({"route": [1 << 24] * 4}, "route: 16777216 given"),
        ({"x": [0, 1, 2, 300]}, "x: 300 given, 0 to 255"),
    ):
        np.savez(tmp_path / "bad.npz", **{**TABLES, **changes})
        assert run("--tables", str(tmp_path / "bad.npz"), "--keys", files[1]) == 2
        assert message in capsys.readouterr().err
    assert run("--tables", files[0]) == 2
    assert "with --keys FILE" in capsys.readouterr().err


@pytest.mark.skipif(not REAL.exists(), reason="the real tables are not here")
def test_the_tables_of_a_real_machine(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--tables", str(REAL / "routing_tables_uncompressed.npz"))
    assert run(*words, "--keys", str(REAL / "cores.csv"), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["tables"]["entries"], found["tables"]["chips"]) == (412_532, 237)
    assert len(found["tables"]["too_long"]) == 218
    assert (found["keys"]["keys"], found["keys"]["broken"]) == (1934, {})
    assert found["keys"]["links_a_packet"][1] == pytest.approx(212.3, abs=0.05)
    assert found["keys"]["deliveries_a_packet"][1] == pytest.approx(933.0, abs=0.05)
    assert found["packets"]["lost_deliveries"] == 0
