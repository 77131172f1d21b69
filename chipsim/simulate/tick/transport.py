"""Weight transport: the readout's core tells the layer's cores how its weights have changed.

After an update, where feedback is symmetric or adaptive, samples pause: in each tick of the pause
the readout's core sends up to ``weights_a_tick`` packets, and nobody steps.  A payload holds
``weights_a_packet`` numbers of 16 bits: the weight itself, or what it lost.  Those for one core of
the layer are numbered neuron by neuron, output by output, and cut into packets; a packet that never
comes leaves that core with the feedback it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from chipsim.errors import InputError
from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.processor.layout import LAYER
from chipsim.kernels.processor.update import follow, told
from chipsim.mapping.processor.model import ProcessorMapping
from chipsim.mesh.fabric import Int32, Int64
from chipsim.processor_chip import ProcessorChip
from chipsim.quantise.processor.model import ProcessorNetwork
from chipsim.simulate.tick.records import TIMER_CYCLES, Cores, Costs, Sent, Slots
from chipsim.simulate.tick.timers import begin_timer, emit, next_start


class Transport(NamedTuple):
    """What ``slot`` sends after an update: packets in order, each its ``key`` and number in it.

    ``weights`` is how many numbers that are; 0, and no packets, where feedback stays as it is.
    """

    slot: int
    weights: int
    key: Int32
    packet: Int64


def weights_a_packet(chip: ProcessorChip) -> int:
    """Return how many weights a payload holds."""
    return (chip.router.payload_packet_bits - chip.router.packet_bits) // chip.core.weight_bits


def make_transport(
    chip: ProcessorChip, mapping: ProcessorMapping, fixed: ProcessorNetwork, order: Sequence[int]
) -> Transport:
    """Return what the key spaces of kind ``weight`` send; slot s is slice ``order[s]``.

    InputError if a payload has no room for a weight.
    """
    outputs, each = int(fixed.feedback.shape[0]), weights_a_packet(chip)
    slot, weights, key, packet = -1, 0, [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for number, space in enumerate(mapping.keys):
        if space.kind != "weight":
            continue
        if each < 1:
            raise InputError(
                f"router.payload_packet_bits: {chip.router.payload_packet_bits} given; feedback "
                f"needs {chip.router.packet_bits} bits and a payload that holds a weight of "
                f"{chip.core.weight_bits}"
            )
        slot = order.index(space.slice)
        held = mapping.slices[space.targets[0]].count * outputs
        packets = -(-held // each)
        weights += held
        key.append(np.full(packets, number, np.int32))
        packet.append(np.arange(packets))
    return Transport(slot, weights, np.concatenate(key), np.concatenate(packet))


def new_sent(room: int) -> Sent:
    """Return room for so many packets."""
    cycle, tag = np.zeros((2, room), np.int64)
    return Sent(cycle, np.zeros(room, np.int32), tag, np.zeros(1, np.int64))


@inlined
def tell(program: Any, state: Any, learning: Any, plastic: Any, weights: Int32) -> None:
    """Note what the readout's core tells of all weights from the layer, neuron by neuron."""
    outputs = learning.constants[0].outputs
    if weights.size > 0:
        for i in range(learning.learners[LAYER].size):
            for k in range(outputs):
                weights[i * outputs + k] = told(program, state, learning, plastic, k, i)


@inlined
def take_weights(
    costs: Costs, program: Any, tutors: Any, core: Any, weights: Int32, packet: int
) -> None:
    """Let a core of the layer follow what packet number ``packet`` tells it."""
    learning = tutors.learning
    outputs = learning.constants[0].outputs
    before = core.first - learning.learners[LAYER].first
    last = min((packet + 1) * costs.weights_a_packet, core.count * outputs)
    for number in range(packet * costs.weights_a_packet, last):
        i, k = before + number // outputs, number % outputs
        follow(program, learning, tutors.plastic, i, k, np.int64(weights[i * outputs + k]))


@compiled
def run_pause(
    costs: Costs, plan: Slots, cores: Cores, transport: Transport, sent: Sent, progress: Int64,
    tick: int, until: int,
) -> None:  # fmt: skip
    """Do the timer tasks that begin before cycle ``until`` of a pause's ``tick``.

    They do nothing but send, from packet ``progress[0]`` on.
    """
    sent.filled[0] = 0
    for slot in range(plan.key.size):
        while cores.begun[slot] <= tick and next_start(costs, cores, slot) < until:
            mine = cores.begun[slot]
            start = begin_timer(costs, cores, slot)
            cycle = start + plan.timer[slot]
            if slot == transport.slot:
                first = progress[0]
                progress[0] = min(first + costs.weights_a_tick, transport.key.size)
                for packet in range(first, progress[0]):
                    cycle += costs.weight_send + plan.send[slot]
                    key, number = transport.key[packet], transport.packet[packet]
                    emit(costs, cores, sent, slot, key, mine, number, cycle, plan.hold[slot])
            cores.counts[slot, TIMER_CYCLES] += cycle - start
            cores.busy[slot] += cycle - start
            cores.free_at[slot] = cycle
