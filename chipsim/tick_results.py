"""Everything one run on processors produced, step by step: what its report is made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.energy.processors import ProcessorBill, Work, bill
from chipsim.mapping.processor.model import ProcessorMapping
from chipsim.network import Network
from chipsim.processor_chip import ProcessorChip
from chipsim.quantise.processor.model import ProcessorNetwork
from chipsim.results import Origin
from chipsim.simulate.samples import Answers
from chipsim.simulate.tick.records import (
    DMA_BYTES,
    ROW_CYCLES,
    SIGNAL_CYCLES,
    SPIKE_CYCLES,
    TIMER_CYCLES,
    WEIGHT_CYCLES,
)
from chipsim.simulate.tick.run import TickActivity

ACTIVE = {
    "timer": TIMER_CYCLES,
    "spike": SPIKE_CYCLES,
    "row": ROW_CYCLES,
    "signal": SIGNAL_CYCLES,
    "weight": WEIGHT_CYCLES,
}
"""What a core's active cycles go to, and their column of `records.COUNTS`."""


@dataclass(frozen=True, eq=False)
class TickResults:
    """The products of the steps of `chipsim.pipeline` for a chip of processors, in their order.

    ``network`` is the network in the plasticity mode that ran; ``labels (samples,)`` or None;
    ``task`` is what its learning rule asks, classification or regression, where the trace says
    what is right, else None;
    ``reference`` the float run of the same samples with plasticity off, or None where the float
    network knows no such connectivity; ``reference_error (samples,)`` its readout's, as
    ``activity.error``.
    """

    origin: Origin
    chip: ProcessorChip
    network: Network
    fixed: ProcessorNetwork
    mapping: ProcessorMapping
    labels: NDArray[np.int64] | None
    activity: TickActivity
    task: str | None
    reference: Answers | None
    reference_error: NDArray[np.float64] | None
    bill: ProcessorBill
    notes: tuple[str, ...]

    @property
    def samples(self) -> int:
        """Samples that ran."""
        return len(self.activity.answers.potential)

    @property
    def ticks(self) -> int:
        """Ticks of all samples, and of the pauses in which weights were sent."""
        return self.samples * self.activity.layout.ticks + self.activity.pause_ticks

    @property
    def seconds(self) -> float:
        """Real time of all samples and pauses."""
        return self.ticks * self.chip.tick_s

    def per_inference(self, total: float) -> float:
        """Return a count or energy of the whole run per sample."""
        return float(total) / self.samples


def price_run(
    chip: ProcessorChip, mapping: ProcessorMapping, activity: TickActivity
) -> ProcessorBill:
    """Price what a run did."""
    counts, layout = activity.counts, activity.layout
    samples = len(activity.answers.potential)
    names = [mapping.slices[index].layer for index in layout.slice_of.tolist()]
    active = counts[:, list(ACTIVE.values())].sum(axis=1)
    by_population: dict[str, int] = {}
    for name, cycles in zip(names, active.tolist(), strict=True):
        by_population[name] = by_population.get(name, 0) + cycles
    plain, payload = activity.routed
    work = Work(
        seconds=(samples * layout.ticks + activity.pause_ticks) * chip.tick_s,
        cycles={action: int(counts[:, column].sum()) for action, column in ACTIVE.items()},
        cycles_by_population=by_population,
        packets=plain,
        payload_packets=payload,
        dma_bytes=int(counts[:, DMA_BYTES].sum()),
    )
    return bill(chip, work)
