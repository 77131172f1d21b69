"""Everything one run produced, step by step: what the report is made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Chip
from chipsim.energy.price import Bill
from chipsim.mapping.model import Mapping
from chipsim.mapping.schedule import phases_per_sample
from chipsim.network import Network
from chipsim.quantise.fixed import FixedNetwork
from chipsim.simulate.counters import Counters
from chipsim.simulate.functional import Activity
from chipsim.simulate.samples import Answers
from chipsim.simulate.traffic import MeshActivity
from chipsim.simulate.workload import TimedTask


@dataclass(frozen=True)
class Origin:
    """Where a run came from, as the user named it."""

    model: str
    chip: str
    overrides: tuple[str, ...]
    trace: str


@dataclass(frozen=True)
class Results:
    """The products of the steps of `chipsim.pipeline`, in their order.

    ``network`` is the network in the plasticity mode that ran; ``labels (samples,)`` or None;
    ``reference`` the float run of the same samples, or None where it was not asked for.
    """

    origin: Origin
    chip: Chip
    network: Network
    fixed: FixedNetwork
    mapping: Mapping
    labels: NDArray[np.int64] | None
    activity: Activity
    reference: Answers | None
    tasks: tuple[TimedTask, ...]
    mesh: MeshActivity
    counters: Counters
    bill: Bill
    notes: tuple[str, ...]

    @property
    def phases_per_inference(self) -> int:
        """Phases between two inferences."""
        return phases_per_sample(self.mapping.schedule, self.network.steps)

    @property
    def phase_seconds(self) -> float:
        """Mean length of a phase in seconds."""
        return float(self.counters.phase_cycles.mean()) / self.chip.clock_hz

    def per_inference(self, total: float) -> float:
        """Return a count or energy of the whole run per sample."""
        return float(total) / self.counters.samples
