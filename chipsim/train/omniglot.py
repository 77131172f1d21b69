"""Omniglot: handwritten characters, 20 drawings each, from the archives of Lake et al. 2015."""

from __future__ import annotations

import io
import lzma
import re
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.train.files import make_folder

SIDE = 31
"""Pixels a side after resizing (published: the authors' code)."""

DRAWERS = 20
LARGEST_PNG = 1 << 20
MEMBER = re.compile(r"(?:.*/)?(\d{4})_(\d{2})\.png")

Characters = NDArray[np.uint8]
"""Ink of 0..255 of shape ``(characters, drawers, SIDE, SIDE)``."""


def read_omniglot(folder: Path, part: str, cache: Path | None = None) -> Characters:
    """Read ``part`` (``"background"`` or ``"evaluation"``) of Omniglot from ``folder``.

    The file is ``images_PART.tar.xz``; its PNGs, ``CCCC_DD.png`` for character and
    drawer, are resized to `SIDE` and inverted.  ``cache`` is a folder that keeps the decoded images
    (``omniglot_PART.npz``), which take 10 s to decode.  InputError if the file is missing, damaged
    or does not hold `DRAWERS` images of every character.
    """
    kept = None if cache is None else cache / f"omniglot_{part}.npz"
    if kept is not None and kept.exists():
        return _read_cache(kept)
    characters = _decode(folder, f"images_{part}")
    if kept is not None:
        make_folder(kept)
        np.savez_compressed(kept, ink=characters)
    return characters


def _read_cache(path: Path) -> Characters:
    try:
        with np.load(path, allow_pickle=False) as archive:
            ink: Characters = archive["ink"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it to decode anew") from None
    if ink.dtype != np.uint8 or ink.ndim != 4 or ink.shape[1:] != (DRAWERS, SIDE, SIDE):
        raise InputError(f"{path}: holds {ink.dtype} {ink.shape}; delete it to decode anew")
    return ink


def _decode(folder: Path, name: str) -> Characters:
    drawings: dict[int, dict[int, Characters]] = defaultdict(dict)
    path = folder / f"{name}.tar.xz"
    try:
        with tarfile.open(path, "r:xz") as archive:
            for member in archive:
                named = MEMBER.fullmatch(member.name)
                file = archive.extractfile(member) if named and member.isfile() else None
                if named is None or file is None:
                    continue
                if member.size > LARGEST_PNG:
                    raise InputError(f"{path}: {member.name} has {member.size} bytes: no drawing")
                drawings[int(named[1])][int(named[2])] = _ink(path, member.name, file.read())
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; --data names the folder with Omniglot's "
            "images_{background,evaluation}.tar.xz"
        ) from None
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError) as error:
        raise InputError(f"{path}: cannot be read as a tar.xz file: {error}") from None
    return _stacked(path, drawings)


def _stacked(path: Path, drawings: dict[int, dict[int, Characters]]) -> Characters:
    if not drawings:
        raise InputError(f"{path}: holds no CCCC_DD.png; is it Omniglot?")
    for character, drawn in drawings.items():
        if sorted(drawn) != list(range(1, DRAWERS + 1)):
            raise InputError(
                f"{path}: character {character:04} has {len(drawn)} drawings, expected "
                f"01 to {DRAWERS}; fetch the file again"
            )
    return np.stack(
        [np.stack([drawn[d] for d in sorted(drawn)]) for _, drawn in sorted(drawings.items())]
    )


def _ink(path: Path, name: str, png: bytes) -> Characters:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: {name} is no readable PNG: {error}") from None
    return 255 - np.asarray(grey, np.uint8)
