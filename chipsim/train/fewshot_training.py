"""Meta-training of the few-shot network, episode by episode, and its test on unseen characters."""

from __future__ import annotations

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
from chipsim.train.distort import distorted
from chipsim.train.fewshot import FewShotNet, answer, as_ink, draw_episodes, joined
from chipsim.train.omniglot import SIDE, Characters
from chipsim.train.settings import VARIANTS, Dynamics, FewShotSettings, Progressed, cosine
from chipsim.train.state import CPU

REPORT = 100
"""Updates between progress lines and checkpoints."""

IMAGES_AT_ONCE = 500
TEST_GROUPS = 1000
TEST_QUERIES = 1


@dataclass(frozen=True)
class FewShotTraining:
    """A run after ``history[-1].updates`` updates; training changes all of it in place."""

    net: FewShotNet
    optimiser: torch.optim.Adam
    history: list[Progressed]


@dataclass(frozen=True)
class FewShotResult:
    """Accuracy in percent on episodes of ``ways`` unseen characters, with its standard error.

    ``groups`` sets of characters and drawings were drawn; ``plastic`` is with local plasticity
    running, ``off`` with the trace kept at zero.
    """

    ways: int
    groups: int
    plastic: float
    plastic_error: float
    off: float


def dynamics(settings: FewShotSettings) -> Dynamics:
    """Return variant D with one step for each drawing and one for the query."""
    return replace(VARIANTS["D"], steps=settings.ways * settings.shots + 1)


def start(settings: FewShotSettings, device: torch.device = CPU) -> FewShotTraining:
    """Return a fresh run with seeded parameters on ``device``."""
    generator = torch.Generator().manual_seed(settings.seed)
    net = FewShotNet(settings.ways, settings.channels, generator).to(device)
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
    training.net.train()
    done_before = training.history[-1].updates if training.history else 0
    begun = stretch_begun = time.perf_counter()
    losses, hits = [], []
    for update in range(done_before, settings.updates):
        share = cosine(update, settings.updates)
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


def test(
    net: FewShotNet, characters: Characters, settings: FewShotSettings, ways: int
) -> FewShotResult:
    """Return the accuracy on `TEST_GROUPS` draws of ``ways`` characters, one query of each.

    A draw is an episode for each of its drawings in turn (two, with one shot).  The draws depend
    on the seed alone.  Fewer ``ways`` than the network has use its first outputs alone.
    """
    drawings = characters.reshape(-1, SIDE, SIDE)
    random = np.random.default_rng([settings.seed, 1])
    sizes = (len(characters), ways, settings.shots, TEST_QUERIES)
    hits: dict[bool, list[float]] = {True: [], False: []}
    net.eval()
    with torch.no_grad():
        features = torch.cat(
            [
                net(as_ink(drawings[first : first + IMAGES_AT_ONCE], net.device))
                for first in range(0, len(drawings), IMAGES_AT_ONCE)
            ]
        )
        for _ in range(TEST_GROUPS):
            episodes = draw_episodes(random, *sizes)
            places = (episodes.support, episodes.query)
            for plastic, found in hits.items():
                membranes = _answers(net, features, episodes.shown, places, settings, plastic)
                chosen = membranes.argmax(2).cpu().numpy()
                found.append(float((chosen == episodes.asked).mean()))
    return FewShotResult(
        ways=ways,
        groups=TEST_GROUPS,
        plastic=100 * float(np.mean(hits[True])),
        plastic_error=100 * float(np.std(hits[True]) / np.sqrt(TEST_GROUPS)),
        off=100 * float(np.mean(hits[False])),
    )


def keep(path: Path, training: FewShotTraining, settings: FewShotSettings) -> None:
    """Write where ``training`` stands to ``path``."""
    history = [asdict(progressed) for progressed in training.history]
    checkpoint.write(path, _asked(settings), _tensors(training), _optimisers(training), history)


def resume(path: Path, training: FewShotTraining, settings: FewShotSettings) -> None:
    """Bring the fresh ``training`` to where the run in ``path`` stopped; InputError as `keep`'s."""
    records = checkpoint.resume(path, _asked(settings), _tensors(training), _optimisers(training))
    training.history.extend(Progressed(**record) for record in records)


def _optimisers(training: FewShotTraining) -> dict[str, torch.optim.Optimizer]:
    return {"both": training.optimiser}


def _asked(settings: FewShotSettings) -> dict[str, dict[str, Any]]:
    return {"settings": asdict(settings)}


def _tensors(training: FewShotTraining) -> dict[str, Tensor]:
    return training.net.state_dict()


def _update(
    training: FewShotTraining, turned: Characters, settings: FewShotSettings, update: int
) -> tuple[float, float]:
    """One optimiser step on the cross-entropy of the answers; return loss and share of hits."""
    random = np.random.default_rng([settings.seed, 0, update])
    sizes = (len(turned), settings.ways, settings.shots, settings.queries)
    episodes = joined([draw_episodes(random, *sizes) for _ in range(settings.groups)])
    used, where = np.unique(
        np.concatenate([episodes.support, episodes.query], axis=1), return_inverse=True
    )
    where = where.reshape(len(episodes.shown), -1)
    ink = as_ink(turned.reshape(-1, SIDE, SIDE)[used], training.net.device)
    ink = distorted(ink, settings.distort, random)
    features = training.net(ink)
    split = episodes.support.shape[1]
    places = (where[:, :split], where[:, split:])
    membranes = _answers(training.net, features, episodes.shown, places, settings)
    asked = torch.from_numpy(episodes.asked).to(training.net.device)
    loss = torch.nn.functional.cross_entropy(membranes.flatten(0, 1), asked.flatten())
    training.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    training.optimiser.step()
    hits = (membranes.detach().argmax(2) == asked).double().mean()
    return float(loss.detach()), float(hits)


def _answers(
    net: FewShotNet,
    features: Tensor,
    shown: NDArray[np.int64],
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
    settings: FewShotSettings,
    plastic: bool = True,
) -> Tensor:
    """Answer the queries; ``places`` are where support and query are in ``features``."""
    where = features.device
    support, query = (features[torch.from_numpy(rows).to(where)] for rows in places)
    layer = net.plastic_layer(len(np.unique(shown)))
    classes = torch.from_numpy(shown).to(where)
    return answer(layer, support, classes, query, dynamics(settings), plastic)
