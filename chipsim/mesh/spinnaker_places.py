"""Where the words of a chip, an input and a copy are in the memory of `spinnaker_kernel`."""

from __future__ import annotations

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.mesh.fabric import Int32
from chipsim.mesh.spinnaker_records import (
    AGAIN_FIRST,
    COPY,
    DESK,
    DUMP_WORDS,
    FREE,
    FROM_CORE,
    HELD,
    MONITOR,
    MONITOR_WORDS,
    PACKET_SHIFT,
    QUEUE_FIRST,
    SLOTS,
    Paths,
    State,
    Times,
    U,
)


@inlined
def look_at(times: Times, state: State, time: int, chip: int) -> None:
    """Look at ``chip`` in cycle ``time``."""
    slot = time & times.wheel_mask
    word = chip >> 6
    state.look[U(slot * times.words + word)] |= 1 << (chip & 63)
    state.summary[U(slot * times.summary_words + (word >> 6))] |= 1 << (word & 63)


@inlined
def input_at(times: Times, target: int) -> int:
    """Return where the words of an input (8 * chip + port) begin."""
    return (target >> 3) * times.stride + DESK + (target & 7) * times.record


@inlined
def current(times: Times, paths: Paths, state: State, key: Int32, chip: int, port: int) -> int:
    """Return the copy that an input has first."""
    if port == FROM_CORE:
        packet = int(state.chips[U(chip * times.stride + QUEUE_FIRST)])
        return (packet << PACKET_SHIFT) | (int(paths.root[key[packet]]) << 3) | FREE
    if port == MONITOR:
        entry = int(state.monitors[U(chip * MONITOR_WORDS + AGAIN_FIRST)])
        return int(state.dumps[U(entry * DUMP_WORDS + COPY)])
    place = input_at(times, chip * 8 + port)
    first = int(state.chips[U(place + HELD)]) >> 16
    return int(state.chips[U(place + SLOTS + 2 * first)])


@inlined
def links_before(route: int, link: int) -> int:
    """Count the links of ``route`` below ``link``."""
    bits = route & ((1 << link) - 1)
    bits = (bits & 21) + ((bits >> 1) & 21)
    return (bits & 3) + ((bits >> 2) & 3) + ((bits >> 4) & 3)


@inlined
def node_by(paths: Paths, copy: int, link: int) -> int:
    """Return the node that a copy comes to by ``link``."""
    node = (copy & 0xFFFFFFFF) >> 3
    if copy & 7 != FREE:
        return node
    return int(paths.child[U(node)]) + links_before(np.int64(paths.route[U(node)]), link)
