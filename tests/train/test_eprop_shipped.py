"""The shipped pattern generator does what its record says."""

import json
from pathlib import Path

import numpy as np
import pytest

from chipsim.load.checkpoint import read_checkpoint
from chipsim.load.description import read_model
from chipsim.load.traces import read_trace
from chipsim.train.eprop import batch, save
from chipsim.train.eprop.recipes import RECIPES
from chipsim.train.eprop.trial import raster

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "eprop_pattern.pt"


@pytest.fixture(scope="module")
def record():
    return json.loads(MODEL.with_suffix(".training.json").read_text())


def test_it_was_trained_as_the_recipe_says(record):
    recipe = RECIPES["pattern"]
    wanted = {
        "neurons": save.plain(recipe.neurons),
        "optimiser": save.plain(recipe.optimiser),
        "iterations": recipe.iterations,
    }
    assert {key: record["settings"][key] for key in wanted} == wanted
    scores = record["iterations"]["score"]
    assert len(scores) == recipe.iterations
    assert np.mean(scores[-50:]) == pytest.approx(record["result"]["last_50_mean_score"], rel=1e-5)
    assert np.mean(scores[-50:]) <= 0.03


def test_it_generates_the_pattern_in_double_precision_too(record):
    recipe = RECIPES["pattern"]
    weights = save.load_weights(read_checkpoint(MODEL).tensors)
    doubled = type(weights)(*(values.astype(np.float64) for values in weights))
    trial = recipe.task.draw(np.random.default_rng([record["settings"]["seed"], 1]), 0)
    for values, real in ((weights, np.float32), (doubled, np.float64)):
        constants = batch.constants_of(recipe.neurons, real)
        result = batch.run_batch(constants, values, [trial], None)
        # Another machine may round a spike away.
        assert result.score == pytest.approx(record["result"]["score"], abs=0.02)


def test_its_description_names_its_trial(record):
    model = read_model(MODEL)
    trace = read_trace(ROOT / "traces" / "eprop_pattern.npz")
    recipe = RECIPES["pattern"]
    trial = recipe.task.draw(np.random.default_rng([record["settings"]["seed"], 1]), 0)
    np.testing.assert_array_equal(trace.spikes[0], raster(trial.inputs, 100))
    assert [population.size for population in model.network.populations] == [100, 100, 1]
