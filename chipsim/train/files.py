"""Whole files or none: what training writes is written aside, then renamed."""

from __future__ import annotations

import io
import os
from pathlib import Path

from chipsim.errors import InputError


def torch_bytes(content: object) -> bytes:
    """Return what ``torch.save`` writes, free of the file's name: equal content, equal bytes."""
    import torch  # here, because training without torch writes files too

    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def make_folder(path: Path) -> None:
    """Make the folder ``path`` is to be written in; InputError if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path}: its folder cannot be made ({error.strerror}); give another path"
        ) from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, replacing it in one step; InputError if that fails."""
    aside = path.with_name(path.name + ".part")
    make_folder(path)
    try:
        aside.write_bytes(content)
        os.replace(aside, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def check_suffix(path: Path, suffix: str) -> None:
    """Raise InputError unless ``path`` ends in ``suffix``."""
    if path.suffix != suffix:
        raise InputError(f"{path}: must end in {suffix}; give for example {path.stem}{suffix}")
