"""Zip archives from strangers: every claimed size is checked before anything is read.

A zip states sizes in its directory, and nothing makes them true.  `open_archive` compares the
claims with the file itself, so that a small file can neither make chipsim allocate gigabytes
(a false claim, a compression bomb) nor return the same bytes many times (overlapping entries).
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chipsim.errors import InputError

MOST_EXPANDED_BYTES = 2**31
"""Most bytes a compressed archive, or an event list made dense, may grow to."""

_CHUNK_BYTES = 2**20


class MalformedError(ValueError):
    """The content of a file contradicts itself or its format; caught by `describe_failures`."""


@contextmanager
def describe_failures(path: Path) -> Iterator[None]:
    """Turn whatever reading a broken file raises into an InputError that names ``path``."""
    try:
        yield
    except MalformedError as error:
        raise InputError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        NotImplementedError,
        RecursionError,
        RuntimeError,  # zipfile: encrypted entry
        ValueError,
        OverflowError,
        MemoryError,
    ) as error:
        detail = str(error) or type(error).__name__
        raise InputError(f"{path}: the file is damaged or truncated ({detail})") from error


@dataclass(frozen=True)
class Archive:
    """An open zip whose directory fits the file it is in."""

    zip: zipfile.ZipFile
    entries: dict[str, zipfile.ZipInfo]

    def size(self, name: str) -> int:
        """Return the uncompressed bytes of entry ``name``; MalformedError if there is none."""
        return self._entry(name).file_size

    def read(self, name: str) -> bytes:
        """Return entry ``name`` whole; MalformedError if it is not as long as it claims."""
        entry = self._entry(name)
        parts: list[bytes] = []
        left = entry.file_size
        with self.zip.open(entry) as stream:
            while left > 0:
                # A stored entry was compared with the file already: read it in one piece.
                stored = entry.compress_type == zipfile.ZIP_STORED
                part = stream.read(left if stored else min(left, _CHUNK_BYTES))
                if not part:
                    raise MalformedError(f"entry {name!r} ends {left} bytes early")
                parts.append(part)
                left -= len(part)
            if stream.read(1):
                raise MalformedError(f"entry {name!r} is longer than the archive says")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        if name not in self.entries:
            raise MalformedError(f"the archive lacks the entry {name!r}")
        return self.entries[name]


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open the zip at ``path``; MalformedError or a zipfile error if its claims are false."""
    file_bytes = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        entries: dict[str, zipfile.ZipInfo] = {}
        packed = expanded = 0
        for entry in archive.infolist():
            if entry.filename in entries:
                raise MalformedError(f"two entries are called {entry.filename!r}")
            _check_entry(entry)
            entries[entry.filename] = entry
            packed += entry.compress_size
            if entry.compress_type != zipfile.ZIP_STORED:
                expanded += entry.file_size
        if packed > file_bytes:
            raise MalformedError(
                f"its entries claim {packed} bytes but the whole file has {file_bytes}: "
                "damaged or truncated"
            )
        if expanded > MOST_EXPANDED_BYTES:
            raise MalformedError(
                f"its compressed entries claim to grow to {expanded} bytes, more than "
                f"{MOST_EXPANDED_BYTES} is refused; store them uncompressed"
            )
        yield Archive(archive, entries)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise MalformedError(f"entry {entry.filename!r} uses an unknown compression")
    if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
        raise MalformedError(
            f"entry {entry.filename!r} is stored but claims two sizes, "
            f"{entry.compress_size} and {entry.file_size} bytes"
        )
