"""What the running source is, as one hash: results of other source are not taken for ours."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import chipsim

_PACKAGE = Path(chipsim.__file__).parent
_NO_PART = ("cli", "train", "validation", "report/figures", "study")
"""Folders no figure of a run depends on."""
_PART_ALL_THE_SAME = ("study/model.py", "study/point.py", "study/synthetic.py")


@cache
def source_fingerprint() -> str:
    """Return the SHA-256 of every Python file of chipsim that a run's figures may depend on."""
    outside = tuple(f"{folder}/" for folder in _NO_PART)
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        place = path.relative_to(_PACKAGE).as_posix()
        if place in _PART_ALL_THE_SAME or not place.startswith(outside):
            content = path.read_bytes()
            digest.update(f"{place}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()
