"""A machine cut into lanes, each for a thread."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.processor.layout import State
from chipsim.simulate.tick.delays import Held
from chipsim.simulate.tick.program import Layout
from chipsim.simulate.tick.records import Sent


@dataclass(frozen=True, eq=False)
class Lane:
    """What one thread does of a tick: shared memories ``first .. last-1`` and their slots.

    ``state`` shares all neurons with the other lanes, but counts saturations apart.
    """

    first: int
    last: int
    first_slot: int
    last_slot: int
    state: State
    sent: Sent
    fired: NDArray[np.uint32]
    extensions: slice

    def room_for(self, held: Held) -> Sent:
        """Return empty room for a tick's packets, with all that delay extensions hold."""
        waiting = int(held.waiting[self.extensions].sum()) * (held.key.shape[1] - 1)
        sent = self.sent if not waiting else _empty(self.sent.key.size + waiting)
        sent.filled[0] = 0
        return sent


def make_lanes(layout: Layout, state: State, outputs: int, threads: int) -> list[Lane]:
    """Cut the machine into lanes of about as many slots."""
    slots, memories = layout.core_of.size, layout.memories
    aims = np.linspace(0, slots, threads + 1)[1:-1]
    cuts = np.searchsorted(memories, aims).tolist()
    edges = sorted({0, memories.size - 1, *cuts})
    lanes = []
    for first, last in pairwise(edges):
        begin, end = int(memories[first]), int(memories[last])
        neurons = layout.slots.neurons[begin:end]
        room = _room(layout, begin, end) + 2 * outputs
        sent = _empty(room)
        numbers = layout.slots.extension
        extensions = slice(int((numbers[:begin] >= 0).sum()), int((numbers[:end] >= 0).sum()))
        fired = np.zeros(int(neurons.max(initial=0)) + 1, np.uint32)
        own = state._replace(saturated=np.zeros_like(state.saturated))
        lanes.append(Lane(first, last, begin, end, own, sent, fired, extensions))
    return lanes


def _empty(room: int) -> Sent:
    return Sent(
        np.empty(room, np.int64), np.empty(room, np.int32), np.empty(room, np.int64),
        np.zeros(1, np.int64),
    )  # fmt: skip


def _room(layout: Layout, first: int, last: int) -> int:
    """Return the most packets that slots can send in a tick, those that catch up included.

    Delay extensions apart.
    A timer task takes its cycles, whatever it sends, and so does sending.
    """
    plan, tick = layout.slots, layout.costs.tick
    fixed = plan.timer + np.where(plan.source != 0, 0, plan.neurons * plan.neuron)
    by_tasks = (tick // np.maximum(fixed, 1) + 2) * plan.neurons
    by_sending = tick // np.maximum(plan.send, 1) + plan.neurons
    most = np.where(plan.extension < 0, np.minimum(by_tasks, by_sending), 0)
    return int(most[first:last].sum())
