"""Few-shot learning: episodes, variant D against plain numpy, training, resuming, the command."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
from plain_hp import run_variant

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from omniglot_files import draw, write_set  # noqa: E402

from chipsim.cli import train as cli  # noqa: E402
from chipsim.errors import InputError  # noqa: E402
from chipsim.train import fewshot, fewshot_training  # noqa: E402
from chipsim.train.fewshot_job import FewShotJob, train_fewshot  # noqa: E402
from chipsim.train.omniglot import DRAWERS  # noqa: E402
from chipsim.train.settings import FewShotSettings  # noqa: E402

SETTINGS = FewShotSettings(ways=4, channels=4, updates=30, queries=2)


@pytest.fixture(autouse=True)
def few_tests(monkeypatch):
    monkeypatch.setattr(fewshot_training, "TEST_GROUPS", 40)


@pytest.mark.parametrize(("ways", "shots", "queries"), [(5, 1, 3), (3, 2, 2), (4, 1, 19)])
def test_episodes(ways, shots, queries):
    random = np.random.default_rng(0)
    episodes = fewshot.draw_episodes(random, 9, ways, shots, queries)
    drawn = shots + queries
    assert episodes.support.shape == episodes.shown.shape == (drawn, ways * shots)
    assert episodes.query.shape == episodes.asked.shape == (drawn, ways * queries)
    everything = np.concatenate([episodes.support, episodes.query], axis=1)
    assert all(len(set(row)) == drawn * ways for row in everything.tolist())
    assert all(set(row) == set(everything[0]) for row in everything.tolist())
    character = {}
    for row, classes in ((episodes.support, episodes.shown), (episodes.query, episodes.asked)):
        for drawing, number in zip(row.flatten(), classes.flatten(), strict=True):
            assert character.setdefault(number, drawing // DRAWERS) == drawing // DRAWERS
    assert len(set(character.values())) == ways
    for shot in range(shots):
        order = episodes.shown[:, shot * ways : (shot + 1) * ways]
        assert np.array_equal(np.sort(order, axis=1), np.tile(np.arange(ways), (drawn, 1)))


@pytest.mark.parametrize("eta", [0.07, 0.3])
def test_answer_equals_plain_variant_d(eta):
    net = fewshot.FewShotNet(4, 3, torch.Generator().manual_seed(0)).double()
    random = np.random.default_rng(1)
    with torch.no_grad():
        net.alpha.copy_(torch.tensor(random.random((12, 4))))
        net.eta.fill_(eta)
    support, query = random.normal(0, 1, (2, 8, 12)), random.normal(0, 1, (2, 3, 12))
    shown = np.array([[0, 1, 2, 3, 2, 0, 3, 1], [3, 2, 1, 0, 0, 1, 2, 3]])
    dynamics = fewshot_training.dynamics(replace(SETTINGS, shots=2))
    assert dynamics.steps == 9
    tensors = (torch.tensor(support), torch.tensor(shown), torch.tensor(query))
    with torch.no_grad():
        got = fewshot.answer(net.plastic_layer(4), *tensors, dynamics)
        off = fewshot.answer(net.plastic_layer(4), *tensors, dynamics, plastic=False)
    weight, alpha, beta = (t.detach().numpy() for t in (net.weight, net.alpha, net.beta))
    parts = (alpha.T * weight, np.zeros(4), 1 - alpha, np.full(12, min(eta, 0.1)), beta)
    for e in range(2):
        for q in range(3):
            arriving = np.concatenate([support[e], query[e, q : q + 1]])[None]
            taught = np.zeros((1, 9, 4))
            taught[0, np.arange(8), shown[e]] = 10.0
            u = run_variant(*parts, arriving, dynamics, taught)[2][0]
            np.testing.assert_allclose(got[e, q].numpy(), u, atol=1e-9)
            still = (*parts[:3], np.zeros(12), beta)
            u = run_variant(*still, arriving, dynamics, taught)[2][0]
            np.testing.assert_allclose(off[e, q].numpy(), u, atol=1e-9)


def test_learns_to_learn_and_forgets_without_plasticity():
    training = fewshot_training.start(replace(SETTINGS, updates=60))
    characters = 255 * draw(30, 1).astype(np.uint8)
    fewshot_training.train(
        training, characters, replace(SETTINGS, updates=60), progress=lambda line: None
    )
    unseen = 255 * draw(12, 2).astype(np.uint8)
    result = fewshot_training.test(training.net, unseen, SETTINGS, ways=4)
    assert result.plastic > 60.0
    assert 10.0 < result.off < 40.0
    fewer = fewshot_training.test(training.net, unseen, SETTINGS, ways=2)
    assert fewer.plastic > result.plastic - 5.0
    again = fewshot_training.test(training.net, unseen, SETTINGS, ways=4)
    assert again == result


def test_quarter_turns():
    characters = 255 * draw(2, 1).astype(np.uint8)
    turned = fewshot_training.with_quarter_turns(characters)
    assert turned.shape == (8, *characters.shape[1:])
    assert np.array_equal(turned[2, 5], np.rot90(characters[0, 5]))


def make_job(folder, **changes) -> FewShotJob:
    data = write_set(folder / "data")
    job = FewShotJob(data, folder / "models" / "net.pt", None, SETTINGS, (2, 4))
    return replace(job, **changes)


def test_job_resumes_to_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(fewshot_training, "REPORT", 10)
    whole, broken = make_job(tmp_path / "a"), make_job(tmp_path / "b")

    def stop(line):
        if line.startswith("update 20/"):
            raise KeyboardInterrupt

    results = train_fewshot(whole, lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        train_fewshot(broken, stop)
    assert broken.unfinished.exists()
    lines = []
    train_fewshot(replace(broken, resume=True), lines.append)
    assert lines[0] == "resumed after update 20"
    assert whole.out.read_bytes() == broken.out.read_bytes()
    assert not broken.unfinished.exists()
    record = json.loads(whole.out.with_suffix(".training.json").read_text())
    assert [r["plastic"] for r in record["result"]] == [r.plastic for r in results]
    assert record["updates"][-1]["updates"] == 30
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.parametrize(
    ("settings", "ways", "message"),
    [
        (replace(SETTINGS, shots=18, queries=3), (2,), "lower --shots or --queries"),
        (SETTINGS, (5,), "raise --ways"),
        (replace(SETTINGS, ways=7), (7,), "has 6 characters"),
    ],
)
def test_impossible_episodes(tmp_path, settings, ways, message):
    with pytest.raises(InputError, match=message):
        train_fewshot(make_job(tmp_path, settings=settings, test_ways=ways), lambda line: None)


def test_command(tmp_path, capsys):
    job = make_job(tmp_path)
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    words = ["--data", str(job.data), "--out", str(job.out), "--cache", str(tmp_path / "cache")]
    sizes = ["--ways", "3", "--channels", "2", "--updates", "4", "--test-ways", "2", "3"]
    args = parser.parse_args(["train", "hp-fewshot", *words, *sizes])
    assert args.run(args) == 0
    out, err = capsys.readouterr()
    assert "2-way 1-shot" in out
    assert "3-way 1-shot" in out
    assert "update 4/4" in err
    assert (tmp_path / "cache" / "omniglot_background.npz").exists()
