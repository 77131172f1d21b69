"""Progress on stderr: what is being done, how far it is, how fast, how long still."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

SHOWN_EVERY = 0.2
"""Seconds between two updates of the line."""


class StderrProgress:
    """Writes one line that updates itself, on a terminal; one line a stage, elsewhere.

    ``seconds`` keeps the time of every stage, in order.
    """

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._live = self._stream.isatty()
        self._name = ""
        self._began = self._shown = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def stage(self, name: str, total: int = 0, unit: str = "") -> Callable[[int], None]:
        """Begin a stage; return the function that counts its finished items."""
        self.finish()
        self._name, self._began = name, time.perf_counter()
        done = 0
        self._write(name)

        def advance(count: int) -> None:
            nonlocal done
            done += count
            now = time.perf_counter()
            if self._live and (now - self._shown > SHOWN_EVERY or done == total):
                self._shown = now
                rate = done / max(now - self._began, 1e-9)
                left = (total - done) / rate
                self._write(f"{name}: {done}/{total} {unit}, {rate:.0f}/s, {left:.0f} s left")

        return advance

    def finish(self) -> None:
        """End the current stage."""
        if not self._name:
            return
        took = time.perf_counter() - self._began
        self.seconds[self._name] = took
        if not self._quiet:
            end = f"{self._name}: {took:.2f} s"
            self._stream.write(f"\r{end:<79}\n" if self._live else f"{end}\n")
        self._name = ""

    def _write(self, text: str) -> None:
        if self._live and not self._quiet:
            self._stream.write(f"\r{text:<79}")
            self._stream.flush()
