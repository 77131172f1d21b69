"""Accuracy under congestion: the shipped network on ideal, real and congested machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chipsim.job import SILENT, Choices, Job
from chipsim.pipeline import run
from chipsim.report.processor.summary import summarise
from chipsim.simulate.tick.loop import MeshKind
from chipsim.tick_results import TickResults

MODEL = Path(__file__).parents[3] / "models" / "eprop_cues.pt"
SPREAD = ("machine.app_cores=1", "core.max_neurons=25")
"""One core in use a chip, so that every spike crosses links."""
FATES = ("in_time", "late", "early", "dropped_in_mesh", "dropped_in_queues")

pytestmark = pytest.mark.skipif(not MODEL.exists(), reason="the shipped model is not here")


def cues(*overrides: str, mesh: MeshKind = "real") -> dict[str, Any]:
    choices = Choices(plasticity="off", mesh=mesh)
    job = Job(MODEL, "spinnaker1", (*SPREAD, *overrides), limit=6, choices=choices)
    results = run(job, SILENT)
    assert isinstance(results, TickResults)
    summary = summarise(results)
    traffic = summary["traffic"]
    assert sum(traffic[fate] for fate in FATES) == traffic["due"] > 0
    return summary


@pytest.fixture(scope="module")
def ideal() -> dict[str, Any]:
    return cues(mesh="ideal")


def test_the_real_mesh_gives_the_ideal_ones_answers(ideal: dict[str, Any]) -> None:
    real = cues()
    assert real["traffic"]["in_time"] == real["traffic"]["due"] == ideal["traffic"]["due"]
    assert real["accuracy"] == ideal["accuracy"]
    assert real["error"] == ideal["error"]
    assert real["spikes_per_inference"] == ideal["spikes_per_inference"]
    assert real["traffic"]["hops"] > 0


@pytest.mark.parametrize(
    ("overrides", "fate"),
    [
        (
            ("router.wait1=0", "router.link_interval=1024", "router.buffer_packets=1"),
            "dropped_in_mesh",
        ),
        (("core.spike_queue=1",), "dropped_in_queues"),
        (("sdram.bytes_per_second=128 KiB", "core.priority=timer"), "late"),
    ],
)
def test_congestion_changes_what_the_network_does(
    overrides: tuple[str, ...], fate: str, ideal: dict[str, Any]
) -> None:
    congested = cues(*overrides)
    assert congested["traffic"][fate] > 0.01 * congested["traffic"]["due"]
    assert congested["spikes_per_inference"] != ideal["spikes_per_inference"]
    assert congested["accuracy"]["float"] == ideal["accuracy"]["float"]
    assert any("came late or were lost" in text for text in congested["warnings"])
