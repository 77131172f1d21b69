"""The kept mappings of shipped models onto SpiNNaker are what mapping again gives, and they run."""

from pathlib import Path

import pytest

from chipsim.job import SILENT, Choices, Job
from chipsim.load.chip_file import read_chip
from chipsim.load.description import read_model
from chipsim.mapping.processor.mapper import map_on_processors
from chipsim.mapping.processor.mapping_file import read_mapping
from chipsim.pipeline import run
from chipsim.processor_chip import ProcessorChip
from chipsim.tick_results import TickResults

ROOT = Path(__file__).parent.parent
KEPT = sorted((ROOT / "mappings").glob("*.spinnaker1.json"))


def model_of(kept: Path) -> Path:
    return ROOT / "models" / f"{kept.name.split('.')[0]}.pt"


def test_there_is_one_of_each_model_that_learns_by_eprop() -> None:
    models = {path.stem for path in (ROOT / "models").glob("eprop_*.pt")}
    assert {model_of(kept).stem for kept in KEPT} == models


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.name)
def test_kept_mapping_is_what_mapping_again_gives(kept: Path) -> None:
    network, chip = read_model(model_of(kept)).network, read_chip("spinnaker1")
    assert isinstance(chip, ProcessorChip)
    mapping = read_mapping(kept, network, chip)
    assert mapping == map_on_processors(network, chip)
    assert mapping.plasticity == "running"


def test_a_kept_mapping_runs_and_learns() -> None:
    (kept,) = (path for path in KEPT if "pattern" in path.name)
    job = Job(model_of(kept), "spinnaker1", mapping=kept, choices=Choices(learn=True))
    results = run(job, SILENT)
    assert isinstance(results, TickResults)
    assert results.activity.learned is not None
