"""Images in MNIST's format (MNIST, Fashion-MNIST), checked before use."""

from __future__ import annotations

import gzip
import lzma
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError

IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049
CLASSES = 10

SUFFIXES = (".gz", ".xz")
"""The compressions a file may have; the first one found is read."""


@dataclass(frozen=True)
class Images:
    """Labelled grey images: ``pixels (images, rows * columns)`` of 0..255, ``labels (images,)``."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of images."""
        return int(self.pixels.shape[0])

    def first(self, count: int) -> Images:
        """Return the first ``count`` images (all of them where there are fewer)."""
        return Images(self.pixels[:count], self.labels[:count])


def read_mnist(folder: Path, part: str) -> Images:
    """Read ``part`` (``"train"`` or ``"t10k"``) of a set in MNIST's format from ``folder``.

    The files are ``PART-images-idx3-ubyte`` and ``PART-labels-idx1-ubyte`` as the authors of MNIST
    (LeCun, Cortes and Burges 1998) and Fashion-MNIST (Xiao, Rasul and Vollgraf 2017) published
    them, compressed as ``.gz`` or ``.xz``.  InputError if one is missing, is no idx file, is
    truncated or too long, if the counts differ or a label is not 0..9.
    """
    pixels_path = _find(folder, f"{part}-images-idx3-ubyte")
    labels_path = _find(folder, f"{part}-labels-idx1-ubyte")
    pixels = _read_idx(pixels_path, IMAGES_MAGIC, dimensions=3)
    labels = _read_idx(labels_path, LABELS_MAGIC, dimensions=1)
    if len(pixels) != len(labels):
        raise InputError(
            f"{labels_path}: {len(labels)} labels for the {len(pixels)} images of "
            f"{pixels_path.name}; the counts must be equal: fetch both files again"
        )
    if pixels.size == 0:
        raise InputError(
            f"{pixels_path}: holds no pixels ({_shape(pixels.shape)}); need at least 1"
        )
    if int(labels.max()) >= CLASSES:
        where = int(np.argmax(labels >= CLASSES))
        raise InputError(
            f"{labels_path}: label {int(labels[where])} of image {where} is not in 0..{CLASSES - 1}"
        )
    return Images(pixels.reshape(len(pixels), -1), labels.astype(np.int64))


def _read_idx(path: Path, magic: int, dimensions: int) -> NDArray[np.uint8]:
    raw = _decompress(path)
    header = 4 * (1 + dimensions)
    if len(raw) < header:
        raise InputError(
            f"{path}: {len(raw)} bytes where an idx header takes {header}: the file is truncated"
        )
    words = [int(word) for word in np.frombuffer(raw, ">u4", 1 + dimensions)]
    if words[0] != magic:
        raise InputError(
            f"{path}: magic number {words[0]}, expected {magic} (idx, {dimensions}-dimensional, "
            "unsigned bytes); is it another file of the set?"
        )
    expected = 1
    for extent in words[1:]:
        expected *= extent
    if len(raw) - header != expected:
        state = "truncated" if len(raw) - header < expected else "too long"
        raise InputError(
            f"{path}: {len(raw) - header} bytes of data where its header says "
            f"{_shape(tuple(words[1:]))} = {expected}: the file is {state}; fetch it again"
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(words[1:])


def _find(folder: Path, name: str) -> Path:
    paths = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    for path in paths:
        if path.exists():
            return path
    raise InputError(
        f"{paths[0]}: no such file, nor with .xz; --data names the folder with the four idx files "
        "({train,t10k}-{images-idx3,labels-idx1}-ubyte.gz or .xz)"
    )


def _decompress(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else lzma.open(path) as file:
            return file.read()
    except EOFError:
        raise InputError(
            f"{path}: the compressed data end early: truncated; fetch it again"
        ) from None
    except (OSError, zlib.error, lzma.LZMAError) as error:
        kind = path.suffix.removeprefix(".")
        raise InputError(f"{path}: cannot be read as a {kind} file: {error}") from None


def _shape(extents: tuple[int, ...]) -> str:
    return " x ".join(str(extent) for extent in extents)
