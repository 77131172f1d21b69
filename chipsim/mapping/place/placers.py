"""The placers by name; all have the signature of `sequential.place`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chipsim.chip import Mesh
from chipsim.mapping.model import Flow, Slice
from chipsim.mapping.place import hilbert, sequential, snake

Placer = Callable[[Sequence[Slice], Sequence[Flow], Mesh], tuple[int, ...]]

PLACERS: Mapping[str, Placer] = {
    "sequential": sequential.place,
    "snake": snake.place,
    "hilbert": hilbert.place,
}
