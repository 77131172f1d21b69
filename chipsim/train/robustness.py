"""Accuracy on corrupted images: noise, a crop of the centre, columns cut off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.train.data import Images
from chipsim.train.measure import accuracy, answers, stopped
from chipsim.train.shared import Shared
from chipsim.train.trained import Trained

NOISE_LEVELS = (0.1, 0.2, 0.245, 0.3)
"""Standard deviations of Gaussian noise; 0.245 is the authors' level 6 (variance 0.06)."""

CROPS = (3, 5, 7)
"""Half sides, in pixels, of the square set to 0 in the middle (the authors go from 0 to 14)."""

CUT_COLUMNS = 10


@dataclass(frozen=True)
class Row:
    """Accuracies in percent on images corrupted in one way.

    ``running``, ``frozen`` and ``off`` are one sample at a time: every sample has its own trace.
    ``adapting`` is with the stored traces shared by batches and carried on; None if not asked for.
    ``steps`` are those until the decision, in the mean, running.
    """

    corruption: str
    running: float
    frozen: float
    off: float
    adapting: float | None
    steps: float


def corrupted(images: Images, seed: int) -> Iterator[tuple[str, Images]]:
    """Yield the clean images and each corruption of them, named; 8-bit pixels, square images.

    InputError if the images are not square.
    """
    yield "clean", images
    random = np.random.default_rng(seed)
    drawn = random.standard_normal(images.pixels.shape)
    for level in NOISE_LEVELS:
        noisy = np.clip(np.rint(images.pixels + 255.0 * level * drawn), 0, 255)
        yield f"noise sd {level:g}", Images(noisy.astype(np.uint8), images.labels)
    side = _side(images)
    for half in CROPS:
        middle = slice(max(side // 2 - half, 0), side // 2 + half)
        yield (
            f"centre {2 * half} x {2 * half} cut",
            _blanked(images, side, (slice(None), middle, middle)),
        )
    left = slice(0, CUT_COLUMNS)
    yield (
        f"left {CUT_COLUMNS} columns cut",
        _blanked(images, side, (slice(None), slice(None), left)),
    )


def table(trained: Trained, images: Images, seed: int, batch: int | None = None) -> Iterator[Row]:
    """Yield how ``trained`` does on each corruption of ``images``.

    With ``batch`` also with the traces shared and carried over batches of that size, which start
    at the stored ones for each corruption, as the authors test.  InputError if the images are of
    another size than those trained on.
    """
    pixels, wanted = images.pixels.shape[1], trained.net.pixels
    if pixels != wanted:
        raise InputError(
            f"the images have {pixels} pixels, the network was trained on {wanted}; give --data of "
            "the same kind"
        )
    net, dynamics = trained.net, trained.dynamics
    still, without = stopped(net, trained.traces)
    shared = None if batch is None else Shared(trained.traces, batch)
    for name, corrupt in corrupted(images, seed):
        running = answers(net, corrupt, dynamics)
        yield Row(
            corruption=name,
            running=running.accuracy,
            frozen=accuracy(still, corrupt, dynamics),
            off=accuracy(without, corrupt, dynamics),
            adapting=None if shared is None else accuracy(net, corrupt, dynamics, shared),
            steps=running.steps,
        )


def _blanked(images: Images, side: int, where: tuple[slice, slice, slice]) -> Images:
    pixels: NDArray[np.uint8] = images.pixels.reshape(-1, side, side).copy()
    pixels[where] = 0
    return Images(pixels.reshape(images.pixels.shape), images.labels)


def _side(images: Images) -> int:
    pixels = images.pixels.shape[1]
    side = int(np.sqrt(pixels))
    if side * side != pixels:
        raise InputError(f"the images have {pixels} pixels, no square; crops need square images")
    return side
