"""A small Omniglot: each character a random bitmap of its own, each drawing a noisy copy."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from chipsim.train.omniglot import DRAWERS


def png(bitmap: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.where(bitmap, 0, 255).astype(np.uint8)).convert("1").save(file, "PNG")
    return file.getvalue()


def draw(characters: int, seed: int) -> np.ndarray:
    """Ink as booleans, ``(characters, drawers, 31, 31)``."""
    random = np.random.default_rng(seed)
    strokes = random.random((characters, 1, 8, 8)) < 0.3
    drawn = np.kron(strokes, np.ones((4, 4), bool))[:, :, :31, :31].astype(bool)
    return drawn ^ (random.random((characters, DRAWERS, 31, 31)) < 0.03)


def write_part(folder: Path, part: str, ink: np.ndarray, leave_out: int = 0) -> Path:
    """Write ``images_PART.tar.xz``, without its last ``leave_out`` drawings."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"images_{part}.tar.xz"
    files = [
        (f"images_{part}/Alphabet/character{c + 1:02}/{c + 1:04}_{d + 1:02}.png", png(ink[c, d]))
        for c in range(len(ink))
        for d in range(DRAWERS)
    ]
    with tarfile.open(path, "w:xz") as archive:
        for name, content in files[: len(files) - leave_out]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_set(folder: Path, background: int = 12, evaluation: int = 6) -> Path:
    write_part(folder, "background", draw(background, 1))
    write_part(folder, "evaluation", draw(evaluation, 2))
    return folder
