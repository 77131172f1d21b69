"""Takes the tensors a description names out of a checkpoint, checked and as float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.config import Section
from chipsim.load.checkpoint import Checkpoint
from chipsim.plasticity import FloatArray
from chipsim.units import Bounds
from chipsim.yaml_tree import hint, shown


class Tensors:
    """The tensors of one checkpoint, with a record of which were ``used``.

    Every method raises InputError at the place in the description that named the tensor.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self.used: set[str] = set()

    def unused(self) -> tuple[str, ...]:
        """Return the names of the tensors nobody asked for, in file order."""
        return tuple(name for name in self._checkpoint.tensors if name not in self.used)

    def array(self, section: Section, key: str, shape: tuple[int, ...]) -> FloatArray:
        """Return the tensor named at ``key``, of exactly ``shape``, as a float32 copy."""
        name = section.text(key)
        tensor = self._find(section, key, name)
        if tensor.shape != shape:
            turned = "; it is transposed" if tensor.shape == shape[::-1] else ""
            raise section.error(key, f"{_plain(name)} is {tensor.shape}, needs {shape}{turned}")
        return self._finite(section, key, name, tensor)

    def array_of_rank(self, section: Section, key: str, rank: int) -> FloatArray:
        """As `array`, of any shape with ``rank`` extents."""
        name = section.text(key)
        tensor = self._find(section, key, name)
        if tensor.ndim != rank:
            raise section.error(key, f"{_plain(name)} is {tensor.shape}, needs {rank} extents")
        return self._finite(section, key, name, tensor)

    def is_shaped(self, section: Section, key: str, shape: tuple[int, ...]) -> bool:
        """Whether ``key`` names a tensor of exactly ``shape``."""
        name = section.raw(key, default=None)
        tensors = self._checkpoint.tensors
        return isinstance(name, str) and name in tensors and tensors[name].shape == shape

    def optional(self, section: Section, key: str, shape: tuple[int, ...]) -> FloatArray | None:
        """As `array`, or None where the description has no ``key``."""
        return self.array(section, key, shape) if section.has(key) else None

    def number(
        self,
        section: Section,
        key: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        above: float | None = None,
        default: float | None = None,
    ) -> float:
        """Return the number at ``key``, or that in the tensor it names (shape ``()`` or ``(1,)``).

        Bounds as in `Section.number`.  Without ``default`` the key must be there.
        """
        bounds = Bounds(at_least, at_most, above)
        if default is not None and not section.has(key):
            return default
        name = section.raw(key, default=None)
        if not isinstance(name, str):
            return section.number(key, at_least=at_least, at_most=at_most, above=above)
        tensor = self._find(section, key, name)
        if tensor.shape not in ((), (1,)):
            raise section.error(
                key, f"{_plain(name)} is {tensor.shape}, needs one number: () or (1,)"
            )
        value = float(self._finite(section, key, name, tensor).reshape(()))
        if not bounds.hold(value):
            raise section.error(
                key, f"{_plain(name)} holds {value:g}; needed is a number{bounds.words()}"
            )
        return value

    def _find(self, section: Section, key: str, name: str) -> NDArray[np.generic]:
        tensors = self._checkpoint.tensors
        if name not in tensors:
            near = hint(name, tensors)
            some = ", ".join(list(tensors)[:12]) + (", ..." if len(tensors) > 12 else "")
            raise section.error(
                key,
                f"{self._checkpoint.path.name} has no tensor {name}{near or f'; it has {some}'}",
            )
        self.used.add(name)
        return tensors[name]

    def _finite(
        self, section: Section, key: str, name: str, tensor: NDArray[np.generic]
    ) -> FloatArray:
        if tensor.dtype.kind not in "biuf":
            raise section.error(key, f"{_plain(name)} holds {tensor.dtype}, numbers are needed")
        # A writable copy: kernels are compiled for writable arrays, a file's are read-only.
        with np.errstate(over="ignore"):
            values = np.array(tensor, dtype=np.float32, order="C")
        wrong = int(np.count_nonzero(~np.isfinite(values)))
        if wrong:
            raise section.error(
                key, f"{_plain(name)} has {wrong} values that are not finite in float32"
            )
        return values


def _plain(name: str) -> str:
    """Return a tensor's name for a message: shortened, control characters escaped."""
    return shown(name)[1:-1]
