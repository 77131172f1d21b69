"""Meta-training of the few-shot network, episode by episode, and its test on unseen characters."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chipsim.train import checkpoint
from chipsim.train.bptt import Progress, print_progress
from chipsim.train.fewshot import Episodes, FewShotNet, answer, as_ink, draw_episodes
from chipsim.train.omniglot import SIDE, Characters
from chipsim.train.settings import VARIANTS, Dynamics, FewShotSettings, Progressed

REPORT = 100
"""Updates between progress lines and checkpoints."""

IMAGES_AT_ONCE = 500
TEST_EPISODES = 1000
TEST_QUERIES = 1


@dataclass(frozen=True)
class FewShotTraining:
    """A run after ``history[-1].updates`` updates; training changes all of it in place."""

    net: FewShotNet
    optimiser: torch.optim.Adam
    history: list[Progressed]


@dataclass(frozen=True)
class FewShotResult:
    """Accuracy in percent on episodes of unseen characters, with its standard error.

    ``plastic`` with local plasticity running, ``off`` with the trace kept at zero.
    """

    episodes: int
    plastic: float
    plastic_error: float
    off: float


def dynamics(settings: FewShotSettings) -> Dynamics:
    """Return variant D with one step for each drawing and one for the query."""
    return replace(VARIANTS["D"], steps=settings.ways * settings.shots + 1)


def start(settings: FewShotSettings) -> FewShotTraining:
    """Return a fresh run with seeded parameters."""
    generator = torch.Generator().manual_seed(settings.seed)
    net = FewShotNet(settings.ways, settings.channels, generator)
    rule = net.rule()
    weights = [p for p in net.parameters() if all(p is not other for other in rule)]
    # The learning rates follow the schedule: `train` sets them before every update.
    optimiser = torch.optim.Adam([{"params": weights}, {"params": rule}])
    return FewShotTraining(net, optimiser, [])


def train(
    training: FewShotTraining,
    characters: Characters,
    settings: FewShotSettings,
    checkpoint_path: Path | None = None,
    progress: Progress = print_progress,
) -> None:
    """Train ``training`` in place up to ``settings.updates`` on episodes of ``characters``.

    Every quarter turn of a character counts as a character of its own.  What update n sees depends
    on seed and n alone, so a resumed run ends as an uninterrupted one.
    """
    turned = with_quarter_turns(characters)
    done_before = training.history[-1].updates if training.history else 0
    begun = stretch_begun = time.perf_counter()
    losses, hits = [], []
    for update in range(done_before, settings.updates):
        share = 0.5 * (1.0 + math.cos(math.pi * update / settings.updates))
        rates = (settings.weight_rate, settings.rule_rate)
        for group, rate in zip(training.optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * share
        loss, hit = _update(training, turned, settings, update)
        losses.append(loss)
        hits.append(hit)
        if (update + 1) % REPORT and update + 1 < settings.updates:
            continue
        now = time.perf_counter()
        done = Progressed(
            update + 1, float(np.mean(losses)), 100 * float(np.mean(hits)), now - stretch_begun
        )
        training.history.append(done)
        if checkpoint_path is not None:
            keep(checkpoint_path, training, settings)
        each = (now - begun) / (update + 1 - done_before)
        progress(
            f"update {done.updates}/{settings.updates}  loss {done.loss:.4f}  "
            f"train {done.train:.2f} %  {each * (settings.updates - done.updates):.0f} s left"
        )
        losses, hits, stretch_begun = [], [], now


def with_quarter_turns(characters: Characters) -> Characters:
    """Return the characters and their turns by 90, 180 and 270 degrees, one after the other."""
    return np.concatenate([np.rot90(characters, turns, axes=(2, 3)) for turns in range(4)])


def test(net: FewShotNet, characters: Characters, settings: FewShotSettings) -> FewShotResult:
    """Return the accuracy on `TEST_EPISODES` episodes of ``characters``, one query of each class.

    The episodes depend on the seed alone.  All drawings' features are computed once.
    """
    drawings = characters.reshape(-1, SIDE, SIDE)
    with torch.no_grad():
        features = torch.cat(
            [
                net(as_ink(drawings[first : first + IMAGES_AT_ONCE]))
                for first in range(0, len(drawings), IMAGES_AT_ONCE)
            ]
        )
        random = np.random.default_rng([settings.seed, 1])
        plastic, off = [], []
        for _ in range(TEST_EPISODES):
            episode = draw_episodes(
                random, len(characters), 1, settings.ways, settings.shots, TEST_QUERIES
            )
            plastic.append(_correct(net, features, episode, settings, plastic=True))
            off.append(_correct(net, features, episode, settings, plastic=False))
    return FewShotResult(
        episodes=TEST_EPISODES,
        plastic=100 * float(np.mean(plastic)),
        plastic_error=100 * float(np.std(plastic) / np.sqrt(TEST_EPISODES)),
        off=100 * float(np.mean(off)),
    )


def keep(path: Path, training: FewShotTraining, settings: FewShotSettings) -> None:
    """Write where ``training`` stands to ``path``."""
    history = [asdict(progressed) for progressed in training.history]
    checkpoint.write(path, _asked(settings), _tensors(training), training.optimiser, history)


def resume(path: Path, training: FewShotTraining, settings: FewShotSettings) -> None:
    """Bring the fresh ``training`` to where the run in ``path`` stopped; InputError as `keep`'s."""
    records = checkpoint.resume(path, _asked(settings), _tensors(training), training.optimiser)
    training.history.extend(Progressed(**record) for record in records)


def _asked(settings: FewShotSettings) -> dict[str, dict[str, Any]]:
    return {"settings": asdict(settings)}


def _tensors(training: FewShotTraining) -> dict[str, Tensor]:
    return dict(training.net.named_parameters())


def _update(
    training: FewShotTraining, turned: Characters, settings: FewShotSettings, update: int
) -> tuple[float, float]:
    """One optimiser step on the cross-entropy of the answers; return loss and share of hits."""
    random = np.random.default_rng([settings.seed, 0, update])
    episodes = draw_episodes(
        random,
        len(turned),
        settings.episodes,
        settings.ways,
        settings.shots,
        settings.queries,
    )
    drawings = turned.reshape(-1, SIDE, SIDE)
    used = np.concatenate([episodes.support, episodes.query], axis=1)
    features = training.net(as_ink(drawings[used.reshape(-1)]))
    membranes = _answers(training.net, features, episodes, _positions(episodes), settings)
    asked = torch.from_numpy(episodes.asked)
    loss = torch.nn.functional.cross_entropy(membranes.flatten(0, 1), asked.flatten())
    training.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    training.optimiser.step()
    hits = (membranes.detach().argmax(2) == asked).double().mean()
    return float(loss.detach()), float(hits)


def _positions(episodes: Episodes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where support and query are in a table with both, episode by episode."""
    count, shown = episodes.support.shape
    width = shown + episodes.query.shape[1]
    table = np.arange(count * width).reshape(count, width)
    return table[:, :shown], table[:, shown:]


def _correct(
    net: FewShotNet,
    features: Tensor,
    episode: Episodes,
    settings: FewShotSettings,
    plastic: bool,
) -> float:
    where = (episode.support, episode.query)
    membranes = _answers(net, features, episode, where, settings, plastic)
    return float((membranes.argmax(2).numpy() == episode.asked).mean())


def _answers(
    net: FewShotNet,
    features: Tensor,
    episodes: Episodes,
    where: tuple[NDArray[np.int64], NDArray[np.int64]],
    settings: FewShotSettings,
    plastic: bool = True,
) -> Tensor:
    support, query = (features[torch.from_numpy(rows)] for rows in where)
    shown = torch.from_numpy(episodes.shown)
    return answer(net.plastic_layer(), support, shown, query, dynamics(settings), plastic)
