"""From spikes to packets: what enters the mesh, where and in which cycle of each phase.

A phase holds the packets of every emitter whose task runs in it.  ``tests/kernels/test_traffic.py``
holds the plain twin.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.compiled import compiled, inlined

Integers = NDArray[np.int64]


class Emitters(NamedTuple):
    """Tasks that send: injector, phase of step 0, neurons, and cycles.

    Neuron j of an emitter at step g sends from cycle ``begin[e, g] + pace * (j + 1)`` of its phase.
    ``first`` counts neurons in the spike array; ``flow_ptr`` points into the flows.
    """

    injector: Integers
    phase: Integers
    first: Integers
    size: Integers
    begin: Integers
    pace: int
    flow_ptr: Integers


class Flows(NamedTuple):
    """Runs of an emitter's neurons with one multicast tree.

    ``first`` counts within the emitter.  ``on_spike``: only neurons that fired send; otherwise each
    sends ``packets`` every step, or the last of a sample if ``last``.
    """

    first: Integers
    size: Integers
    tree: Integers
    packets: Integers
    on_spike: NDArray[np.bool_]
    last: NDArray[np.bool_]


class InputFlows(NamedTuple):
    """Runs of input neurons with one tree; ``values`` graded values a packet, 0 for spikes."""

    first: Integers
    size: Integers
    tree: Integers
    values: Integers


@inlined
def _put(out: Any, at: int, injector: int, cycle: int, tree: int) -> None:
    if len(out[0]) > 0:
        out[0][at] = injector
        out[1][at] = cycle
        out[2][at] = tree


@inlined
def _emit(
    e: int, g: int, last: bool, emitters: Any, flows: Any, spikes: Any, out: Any, at: int, sent: Any
) -> int:
    """Packets of emitter ``e`` at step ``g``, neuron by neuron; return the next free place.

    ``last``: it is the last step of its sample.
    """
    for j in range(emitters.size[e]):
        cycle = emitters.begin[e, g] + emitters.pace * (j + 1)
        for f in range(emitters.flow_ptr[e], emitters.flow_ptr[e + 1]):
            if not flows.first[f] <= j < flows.first[f] + flows.size[f]:
                continue
            if flows.last[f] and not last:
                continue
            if flows.on_spike[f] and spikes[g, emitters.first[e] + j] == 0:
                continue
            for _ in range(flows.packets[f]):
                _put(out, at, emitters.injector[e], cycle, flows.tree[f])
                at += 1
            sent[flows.tree[f]] += flows.packets[f]
    return at


@inlined
def _emit_input(
    g: int, steps: int, port: int, inputs: Any, values: Any, out: Any, at: int, sent: Any
) -> int:
    """Input of step ``g``: spikes as they come, graded values where a packet's content changed."""
    start = at
    n, t = g // steps, g % steps
    held = values.shape[1] == 1
    for f in range(len(inputs.first)):
        size = inputs.values[f]
        if size > 0 and held and t > 0:
            continue
        now = values[n, 0 if held else t]
        before = now
        if g > 0:
            before = values[(g - 1) // steps, 0 if held else (g - 1) % steps]
        last = inputs.first[f] + inputs.size[f]
        i = inputs.first[f]
        while i < last:
            width = min(max(size, 1), last - i)
            changed = False
            for k in range(i, i + width):
                if size == 0:
                    changed |= now[k] != 0
                else:
                    changed |= now[k] != (before[k] if g > 0 else 0)
            if changed:
                _put(out, at, port, at - start, inputs.tree[f])
                at += 1
                sent[inputs.tree[f]] += 1
            i += width
    return at


@compiled
def emit_phases(
    phases: Any,
    interval: int,
    steps: int,
    port: int,
    emitters: Any,
    flows: Any,
    inputs: Any,
    spikes: Any,
    values: Any,
    phase_ptr: Any,
    out: Any,
    sent: Any,
) -> int:
    """Lay out the packets of the phases ``phases[0] .. phases[1] - 1``; return their number.

    ``spikes (samples * steps, neurons)``, ``values (samples, steps or 1, inputs)``.  Step g of
    emitter e runs in phase ``1 + phase[e] + g * interval`` and its input enters in phase
    ``g * interval`` through injector ``port``.  Fills ``phase_ptr``, adds to ``sent`` (packets by
    tree), and fills ``out`` (injector, cycle, tree) unless these arrays are empty: then it counts.
    """
    total = spikes.shape[0]
    at = 0
    for p in range(phases[0], phases[1]):
        phase_ptr[p - phases[0]] = at
        if p % interval == 0 and p // interval < total:
            at = _emit_input(p // interval, steps, port, inputs, values, out, at, sent)
        for e in range(len(emitters.injector)):
            since = p - 1 - emitters.phase[e]
            if since >= 0 and since % interval == 0 and since // interval < total:
                g = since // interval
                last = (g + 1) % steps == 0
                at = _emit(e, g, last, emitters, flows, spikes, out, at, sent)
    phase_ptr[phases[1] - phases[0]] = at
    return at
