"""Report keys about what fills the memories of a core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chipsim.mapping.model import MemoryUse


def memory_use(memory: Sequence[MemoryUse]) -> dict[str, Any]:
    """Return ``memory``, bytes by memory and item, and ``fill``, the fullest as a fraction."""
    return {
        "memory": {
            use.memory: {
                "used_bytes": use.used,
                "budget_bytes": use.budget,
                "items": dict(use.items),
            }
            for use in memory
        },
        "fill": max((use.used / use.budget for use in memory if use.budget), default=0.0),
    }
