"""Results as files named by what determines them, in a folder that several processes share.

A result is written whole or not at all, never changed, and found again by any study that asks for
the same inputs.  A process that computes a point holds a claim on it, a small file it keeps fresh;
a claim nobody kept fresh for `STALE` seconds is free for others.  Should two processes compute the
same point all the same (one was asleep for longer), both write the same result.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from pathlib import Path
from typing import Any

from chipsim.errors import InputError
from chipsim.report.run_folder import write_text
from chipsim.study.point import RECORD_SCHEMA, Record, address

STALE = 60.0
"""Seconds after which the claim of a process that died is ignored."""


class Store:
    """The results in ``folder`` (made if missing; InputError if that cannot be)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be made: {error.strerror or error}") from error

    def path(self, key: str) -> Path:
        """Return the file of a result."""
        return self.folder / f"{key}.json"

    def has(self, key: str) -> bool:
        """Tell whether the result is there."""
        return self.path(key).is_file()

    def write(self, key: str, text: str) -> None:
        """Write a result; InputError if the folder cannot be written to."""
        write_text(self.path(key), text)

    def read(self, key: str) -> Record:
        """Return a result; InputError if its file is damaged, or is not of these inputs."""
        path = self.path(key)
        advice = "delete it and run the study again"
        try:
            record: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: damaged: {error}; {advice}") from error
        if not isinstance(record, dict) or record.get("schema") != RECORD_SCHEMA:
            raise InputError(f"{path}: not a result of schema {RECORD_SCHEMA}; {advice}")
        if address(record.get("inputs", {})) != key or not _is_whole(record):
            raise InputError(f"{path}: its inputs or its report were changed; {advice}")
        return record

    def claim(self, key: str) -> bool:
        """Try to become the one who computes ``key``; False if another is at it or it is done."""
        claim = self._claim(key)
        if not self._create(claim) and not (self._is_stale(claim) and self._take_over(claim)):
            return False
        if self.has(key):
            self.release(key)
            return False
        return True

    def refresh(self, key: str) -> None:
        """Keep the own claim on ``key`` fresh."""
        if self._is_own(self._claim(key)):
            os.utime(self._claim(key))

    def release(self, key: str) -> None:
        """Give up the own claim on ``key``."""
        claim = self._claim(key)
        if self._is_own(claim):
            claim.unlink(missing_ok=True)

    def _claim(self, key: str) -> Path:
        return self.folder / f"{key}.claim"

    def _create(self, claim: Path) -> bool:
        """Create a claim unless there is one."""
        aside = self._aside(claim)
        try:
            aside.write_text(self._owner, encoding="utf-8")
            # A link appears whole or not at all, so that no Ctrl-C leaves a claim without an owner.
            os.link(aside, claim)
        except FileExistsError:
            return False
        except OSError as error:
            raise InputError(f"{claim}: cannot be written: {error.strerror or error}") from error
        finally:
            aside.unlink(missing_ok=True)
        return True

    def _take_over(self, claim: Path) -> bool:
        """Remove a stale claim and make an own one; of several who try, one succeeds."""
        aside = self._aside(claim)
        try:
            claim.rename(aside)
        except FileNotFoundError:
            return False
        fresh = not self._is_stale(aside)
        if fresh and not claim.exists():
            # Between looking and taking, its new owner had come: back it goes.
            aside.rename(claim)
            return False
        aside.unlink(missing_ok=True)
        return self._create(claim)

    def _is_stale(self, claim: Path) -> bool:
        """Compare with a file made now: the clock that counts is that of the shared disk."""
        now = self._aside(claim)
        try:
            now.touch()
            return now.stat().st_mtime - claim.stat().st_mtime > STALE
        except FileNotFoundError:
            return False
        finally:
            now.unlink(missing_ok=True)

    def _is_own(self, claim: Path) -> bool:
        try:
            return claim.read_text(encoding="utf-8") == self._owner
        except FileNotFoundError:
            return False

    def _aside(self, path: Path) -> Path:
        return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def _is_whole(record: Record) -> bool:
    fits, report, message = (record.get(key) for key in ("fits", "report", "message"))
    return (fits is True and isinstance(report, dict)) or (
        fits is False and report is None and isinstance(message, str)
    )
