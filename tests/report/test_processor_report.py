"""The report of a run on processors: its keys, energies, texts and page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chipsim.cli.main import main
from chipsim.errors import InputError
from chipsim.job import Choices
from chipsim.load.chip_file import read_chip
from chipsim.pipeline_processors import simulate_on_processors
from chipsim.processor_chip import ProcessorChip
from chipsim.report.check import check
from chipsim.report.figures.mesh_axes import mesh_place
from chipsim.report.html import report_html
from chipsim.report.processor.summary import summarise
from chipsim.report.processor.traffic import arrays_of
from chipsim.report.run_folder import dump_json
from chipsim.report.terminal import WIDTH, summary_text
from chipsim.tick_results import TickResults
from tests.simulate.tick.networks import chip_with, learner, recurrent, spikes
from tests.simulate.tick.test_tick_delays import with_delays
from tests.simulate.tick.test_tick_run import CONGESTED

MODEL = Path(__file__).parents[2] / "models" / "eprop_cues.pt"


def run(*overrides: str, learn: bool = False) -> TickResults:
    network, inputs = (learner(2, steps=30), 10) if learn else (recurrent(2, strength=0.8), 20)
    trace = spikes(2, 4, 30, inputs, 0.2)
    trace.labels[:] %= 2
    return simulate_on_processors(network, chip_with(*overrides), trace, Choices())


@pytest.fixture(scope="module")
def results() -> TickResults:
    return run()


def test_the_report_has_its_keys_and_is_plain(results: TickResults) -> None:
    summary, arrays = summarise(results), arrays_of(results)
    check(json.loads(dump_json(summary)), arrays)
    assert summary["ticks"]["real_time"]
    assert summary["traffic"]["due"] == summary["traffic"]["in_time"] > 0
    assert summary["ticks"]["count"] == 4 * 32
    assert summary["latency_s"] == pytest.approx(0.032)
    assert sum(row["counts"]["synaptic_events"] for row in summary["cores"]) == pytest.approx(
        4 * summary["synaptic_events_per_inference"]
    )
    with pytest.raises(InputError, match="tick_busiest"):
        check(summary, {**arrays, "tick_busiest": np.zeros((2, 2), int)})


def test_the_energy_is_the_published_formula(results: TickResults) -> None:
    summary = summarise(results)
    prices = results.chip.prices
    seconds = 4 * 32e-3
    active = sum(
        row["counts"][name]
        for row in summary["cores"]
        for name in ("timer_cycles", "spike_cycles", "row_cycles", "signal_cycles")
    )
    hops = summary["traffic"]["hops"]
    total = prices["board4_idle"].value * seconds + active / 200e6 * 0.034 + hops * 1e-9
    assert summary["energy_per_inference_j"]["value"] * 4 == pytest.approx(total)
    parts = [summary["energy_formula"][key] for key in ("idle_j", "cores_j", "packets_j")]
    assert sum(parts) == pytest.approx(summary["energy_formula"]["total_j"])
    for table in ("energy_by_action", "energy_by_layer"):
        found = sum(row["value_j"] for row in summary[table].values())
        assert found * 4 == pytest.approx(total)
    assert summary["energy_by_action"]["timer_cycle"]["price_j"] == pytest.approx(170e-12)


def test_texts_say_what_was_missed() -> None:
    results = run(*CONGESTED, "tick=20 us", "core.priority=timer")
    summary = summarise(results)
    text = summary_text(summary)
    why = text[text.index("REAL TIME: NO") :].split("longest tick")[0]
    assert all(part in why for part in ("deadlines missed", "deliveries late", "deliveries lost"))
    assert "dropped in the mesh" in text
    assert "dropped at full queues" in text
    assert max(map(len, text.splitlines())) <= WIDTH
    fates = ("in_time", "late", "early", "dropped_in_mesh", "dropped_in_queues")
    assert sum(summary["traffic"][key] for key in fates) == summary["traffic"]["due"]
    page = report_html(summary, arrays_of(results))
    assert "Dropped by routers" in page
    assert "<svg" in page


def test_lost_packets_alone_are_told() -> None:
    tight = ("router.wait1=0", "router.buffer_packets=1", "router.link_interval=1000")
    results = run(*tight, "core.max_neurons=2", "router.reinjection=none", "tick=5 ms")
    summary = summarise(results)
    assert summary["ticks"]["deadline_misses"] == summary["traffic"]["late"] == 0
    lost = summary["traffic"]["dropped_in_mesh"]
    assert lost > 0
    assert f": {lost:,} deliveries lost\n" in summary_text(summary)


def test_places_without_a_chip_are_named_and_not_drawn() -> None:
    summary = summarise(run("machine.shape=board48"))
    gone = {(row["x"], row["y"]) for row in summary["chip"]["gone"]}
    assert len(gone) == 64 - summary["chip"]["chips"] == 16
    assert (7, 0) in gone
    assert (0, 0) not in gone
    assert mesh_place(summary, panel=4.0).gone == gone


def test_learning_is_reported() -> None:
    results = run(learn=True)
    summary, arrays = summarise(results), arrays_of(results)
    check(json.loads(dump_json(summary)), arrays)
    assert summary["learning"]["samples"] == len(summary["learning"]["error"]) == 4
    assert summary["learning"]["updates"] == 2
    batches = summary["learning"]["by_batch"]
    assert [batch["samples"] for batch in batches] == [2, 2]
    error = summary["learning"]["error"]
    assert [batch["error"] for batch in batches] == [np.mean(error[:2]), np.mean(error[2:])]
    assert summary["accuracy"]["chip"] == 1 - np.mean(error)
    assert summary["accuracy"]["float"] == 1 - np.mean(summary["learning"]["float_error"])
    assert summary["traffic"]["by_kind"]["signal"]["packets"] == 4 * 15 * 2
    assert [row["cycles"] for row in summary["ticks"]["by_cost"]][-4:] == [68, 100, 180, 220]
    assert "eprop_synapse" in summary_text(summary)
    assert "Error over 4 samples" in report_html(summary, arrays)


def test_an_unknown_price_is_said_and_not_guessed() -> None:
    chip = read_chip("spinnaker2")
    assert isinstance(chip, ProcessorChip)
    trace = spikes(2, 2, 30, 20, 0.2)
    results = simulate_on_processors(recurrent(2), chip, trace, Choices())
    summary = summarise(results)
    check(json.loads(dump_json(summary)), arrays_of(results))
    assert summary["energy_per_inference_j"]["value"] is None
    assert "energy.core_active" in summary["energy_unknown"]
    assert "not known" in summary_text(summary)
    assert "unknown" in report_html(summary, arrays_of(results))


@pytest.mark.skipif(not MODEL.exists(), reason="the shipped model is not here")
def test_the_command_line_writes_a_run_and_runs_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--set", "machine.shape=chip", "--limit", "1", "-q"]
    out = str(tmp_path / "run")
    chip = ["--chip", "spinnaker1", *options]
    assert main(["map", str(MODEL), *chip, "--plasticity", "off", "-o", out]) == 0
    first = capsys.readouterr().out
    assert "real time: yes" in first
    assert {"report.json", "report.html", "mapping.json", "timeline.json", "trace.npz"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    again = ["run", str(tmp_path / "run" / "mapping.json"), "--model", str(MODEL), *chip]
    assert main([*again, "-o", str(tmp_path / "again"), "--mesh", "ideal"]) == 0
    assert main(["report", str(tmp_path / "again")]) == 0
    assert "mesh ideal" in capsys.readouterr().out
    assert main([*again, "--learn", "-o", str(tmp_path / "third")]) == 2
    slow = ["--set", "cycles.neuron_alif=4000", "--strict", "-o", str(tmp_path / "late")]
    assert main([*again, *slow]) == 3
    assert "missed their deadline" in capsys.readouterr().err


def test_delay_extensions_are_told_apart(tmp_path: Path) -> None:
    network = with_delays(recurrent(2, strength=0.8), 2, 25)
    trace = spikes(2, 2, 30, 20, 0.2)
    results = simulate_on_processors(network, chip_with("core.delay_slots=5"), trace, Choices())
    summary = summarise(results)
    check(json.loads(dump_json(summary)), arrays_of(results))
    rows = [row for row in summary["cores"] if row["role"] == "delay extension"]
    assert [row["slice"] for row in rows] == ["input delays[0:20]", "hidden delays[0:30]"]
    sent = sum(row["counts"]["packets_out"] for row in rows)
    assert summary["traffic"]["delayed_packets"] == sent > 0
    assert summary["energy_by_layer"]["hidden delays"]["value_j"] > 0
    assert rows[1]["memory"]["dtcm"]["items"]["spike counters"] == 32 * (30 + 4)
    assert [row["name"] for row in summary["model"]["projections"]] == ["ih", "ih2", "hh", "ho"]
    assert (
        sum(row["synapses"] for row in summary["model"]["projections"])
        == summary["model"]["synapses"]
    )
    text = summary_text(summary)
    assert f"{sent} of the packets sent again by delay extensions" in text.replace(",", "")
    assert "delay extension" in report_html(summary, arrays_of(results))
