"""The whole way through, from files: the same bits however the work is split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.errors import DoesNotFitError, InputError
from chipsim.job import Choices, Job
from chipsim.load.traces import read_trace, write_trace
from chipsim.mapping.mapping_file import write_mapping
from chipsim.network import Trace
from chipsim.pipeline import run
from chipsim.report.arrays import arrays_of
from chipsim.report.run_folder import dump_json
from chipsim.report.summary import summarise
from chipsim.results import Results
from tests.conftest import random_network
from tests.simulate.tiny import TINY, random_trace, relay, save_model, simulated, tiny_chip

MODELS = Path(__file__).parents[1] / "models"


class Silent:
    """Keeps the names of the stages, and what they counted."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []
        self.done: dict[str, int] = {}

    def stage(self, name: str, total: int = 0, unit: str = "") -> Callable[[int], None]:
        self.stages.append((name, total))
        self.done[name] = 0

        def advance(count: int) -> None:
            self.done[name] += count

        return advance


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plastic, recurrent network that is cut into dendrites and somas, with 12 samples."""
    rng = np.random.default_rng(21)
    network = random_network(rng)
    labels = rng.integers(0, network.population("out").size, 12)
    trace = replace(random_trace(network, rng, 12), labels=labels)
    return save_model(tmp_path_factory.mktemp("model"), network, trace)


def job(model: Path, **changes: Any) -> Job:
    names = {"plasticity", "placer", "mesh_phases", "threads", "batch", "seed", "strict"}
    choices = Choices(**{key: value for key, value in changes.items() if key in names})
    rest = {key: value for key, value in changes.items() if key not in names}
    return Job(
        **({"model": model, "chip": "tianjic", "overrides": TINY, "choices": choices} | rest)
    )


def outcome(results: Results) -> tuple[str, dict[str, bytes]]:
    """The report as text, and every array of the run as bytes."""
    arrays = {name: array.tobytes() for name, array in arrays_of(results).items()}
    arrays["spikes"] = results.activity.answers.spikes.tobytes()
    arrays["potential"] = results.activity.answers.potential.tobytes()
    return dump_json(summarise(results)), arrays


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_threads_and_batches_change_no_bit(model: Path, rounding: str) -> None:
    overrides = (*TINY, f"core.rounding={rounding}")
    first = outcome(run(job(model, overrides=overrides, threads=1, batch=12), Silent()))
    for threads, batch in ((2, 12), (1, 1), (2, 5)):
        again = run(job(model, overrides=overrides, threads=threads, batch=batch), Silent())
        assert outcome(again) == first


def test_the_shipped_model_in_one_batch_or_ten_on_one_thread_or_two() -> None:
    shipped = job(MODELS / "hp_mnist.pt", overrides=(), limit=30, mesh_phases=60)
    first = outcome(run(shipped, Silent()))
    for threads, batch in ((2, 3), (1, 30)):
        choices = replace(shipped.choices, threads=threads, batch=batch)
        assert outcome(run(replace(shipped, choices=choices), Silent())) == first


def test_the_files_are_the_network(model: Path) -> None:
    """The run of the loaded model is the run of the network it was written from."""
    network = random_network(np.random.default_rng(21))
    loaded = run(job(model), Silent())
    memory = simulated(network, tiny_chip(), read_trace(model.parent / "trace.npz"))
    np.testing.assert_array_equal(loaded.activity.answers.spikes, memory.activity.answers.spikes)
    np.testing.assert_array_equal(loaded.counters.by_core, memory.counters.by_core)
    assert loaded.bill.total == memory.bill.total


@pytest.mark.parametrize("mode", ["running", "frozen", "off"])
def test_a_kept_mapping_gives_the_run_it_was_made_in(
    model: Path, tmp_path: Path, mode: str
) -> None:
    mapped = run(job(model, plasticity=mode, placer="sequential"), Silent())
    kept = tmp_path / "mapping.json"
    write_mapping(kept, mapped.mapping, mapped.chip)
    again = run(job(model, mapping=kept), Silent())
    assert again.mapping == mapped.mapping
    assert outcome(again) == outcome(mapped)


def test_a_kept_mapping_of_another_chip_is_refused(model: Path, tmp_path: Path) -> None:
    mapped = run(job(model), Silent())
    kept = tmp_path / "mapping.json"
    write_mapping(kept, mapped.mapping, mapped.chip)
    other = (*TINY, "core.weight_bits=8")
    with pytest.raises((InputError, DoesNotFitError), match=r"mapping\.json"):
        run(job(model, mapping=kept, overrides=(*other, "mesh.width=2")), Silent())


def test_stages_are_told_and_counted(model: Path) -> None:
    progress = Silent()
    results = run(job(model, threads=2, batch=5), progress)
    names = [name for name, _ in progress.stages]
    assert names == [
        "load", "quantise", "map", "simulate cores", "float reference", "simulate mesh", "price",
    ]  # fmt: skip
    for name, total in progress.stages:
        assert progress.done[name] == total
    assert dict(progress.stages)["simulate cores"] == 12
    assert dict(progress.stages)["simulate mesh"] == results.mesh.phases


@pytest.mark.parametrize("mode", ["running", "frozen", "off"])
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_shipped_model_by_width_and_mode(bits: int, mode: str) -> None:
    """Thirty images: never far from the float network in the same mode, at any width."""
    overrides = (f"core.weight_bits={bits}",)
    chosen = job(
        MODELS / "hp_mnist.pt", overrides=overrides, limit=30, plasticity=mode, mesh_phases=1
    )
    results = run(chosen, Silent())
    found = summarise(results)
    assert found["chip"]["weight_bits"] == bits
    assert found["plasticity"] == mode
    assert found["accuracy"]["agreement"] >= (0.93 if bits > 4 else 0.85)
    weights = [p.weight for p in results.fixed.projections]
    assert all(np.abs(w).max() < 2 ** (bits - 1) or w.min() == -(2 ** (bits - 1)) for w in weights)
    learns = any(flow.kind == "post" for flow in results.mapping.flows)
    assert learns == (mode == "running")
    rows = [row for row in found["quantisation"] if row["quantity"] == "weight"]
    assert [row["bits"] for row in rows] == [bits, bits]
    assert all(row["sqnr_db"] > {4: 12, 8: 35, 16: 70}[bits] for row in rows)


def test_limit_takes_the_first_samples(model: Path) -> None:
    whole, part = run(job(model), Silent()), run(job(model, limit=5), Silent())
    np.testing.assert_array_equal(part.activity.answers.spikes, whole.activity.answers.spikes[:5])
    assert part.counters.samples == 5
    with pytest.raises(InputError, match="12 samples; 13 from sample 0"):
        run(job(model, limit=13), Silent())


@pytest.mark.parametrize("seed", [-1, 2**63, 2**100])
def test_seeds_out_of_range_are_refused(model: Path, seed: int) -> None:
    with pytest.raises(InputError, match=f"seed {seed} given"):
        run(job(model, seed=seed), Silent())


def test_the_largest_seed_runs(model: Path) -> None:
    run(job(model, seed=2**63 - 1, overrides=(*TINY, "core.rounding=stochastic")), Silent())


def test_a_model_without_a_trace_asks_for_one(tmp_path: Path) -> None:
    checkpoint = save_model(tmp_path, relay(), None)
    with pytest.raises(InputError, match=r"relay\.npz.*--trace FILE\.npz"):
        run(job(checkpoint), Silent())


def test_a_given_trace_wins_over_the_named_one(tmp_path: Path) -> None:
    checkpoint = save_model(tmp_path, relay(), Trace("a", spikes=np.zeros((1, 4, 3), np.uint8)))
    other = tmp_path / "other.npz"
    write_trace(other, Trace("b", spikes=np.ones((2, 4, 3), np.uint8)))
    results = run(job(checkpoint, trace=other), Silent())
    assert results.origin.trace == "other"
    assert results.counters.samples == 2
    assert results.activity.answers.spikes.all()


def test_strict_refuses_what_overruns(model: Path) -> None:
    late = (*TINY, "mesh.hop_cycles=300", "phase.cycles=700")
    overran = run(job(model, overrides=late), Silent())
    assert overran.counters.overruns
    with pytest.raises(DoesNotFitError, match=rf"{overran.counters.overruns} of .* 700 cycles"):
        run(job(model, overrides=late, strict=True), Silent())
    run(job(model, strict=True), Silent())
