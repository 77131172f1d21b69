"""A small learnable data set in MNIST's file format: each class lights its own pixels, noisily."""

import gzip
import struct
from pathlib import Path

import numpy as np

SIDE = 6


def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    prototypes = np.random.default_rng(7).random((10, SIDE * SIDE)) > 0.6
    labels = random.integers(0, 10, count)
    pixels = prototypes[labels] * random.integers(120, 256, (count, SIDE * SIDE))
    return pixels.astype(np.uint8).reshape(count, SIDE, SIDE), labels.astype(np.uint8)


def write_images(path: Path, pixels: np.ndarray, magic: int = 2051) -> None:
    header = struct.pack(">4I", magic, *pixels.shape)
    path.write_bytes(gzip.compress(header + pixels.tobytes()))


def write_labels(path: Path, labels: np.ndarray, magic: int = 2049) -> None:
    path.write_bytes(gzip.compress(struct.pack(">2I", magic, len(labels)) + labels.tobytes()))


def write_set(folder: Path, train: int = 400, test: int = 120) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, count, seed in (("train", train, 1), ("t10k", test, 2)):
        pixels, labels = draw(count, seed)
        write_images(folder / f"{part}-images-idx3-ubyte.gz", pixels)
        write_labels(folder / f"{part}-labels-idx1-ubyte.gz", labels)
    return folder
