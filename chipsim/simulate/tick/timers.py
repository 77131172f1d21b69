"""The time-driven half of a tick, compiled: timer tasks begin, neurons fire, packets leave."""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.processor.eprop import learn
from chipsim.kernels.processor.neurons import update_neurons
from chipsim.kernels.processor.stdp import note_post, release
from chipsim.simulate.tick.delays import Held, begin_tick, place_of
from chipsim.simulate.tick.records import (
    BUSIEST_EVENTS,
    BUSY_MAX,
    EVENTS,
    FAR,
    MISSES,
    NEURON_UPDATES,
    OVER_MAX,
    OVER_SUM,
    PACKETS_OUT,
    TICKS,
    TIMER_CYCLES,
    Cores,
    Costs,
    Input,
    Now,
    Sent,
    Slots,
    Written,
)

TAG_BITS = 32
"""A packet's tag is the tick it was sent in << TAG_BITS | the sender's neuron, from 0."""


@compiled
def next_start(costs: Costs, cores: Cores, slot: int) -> int:
    """Return when a core's next timer task can begin, `FAR` while that hangs on rows."""
    if costs.rows_first:
        return int(max(cores.timer_at[slot], cores.free_at[slot]))
    return int(max(cores.free_at[slot], cores.begun[slot] * costs.tick))


@compiled
def begin_timer(costs: Costs, cores: Cores, slot: int) -> int:
    """Begin a core's next timer task as soon as it can; return when that is.

    Its deadline was missed if that is late: the tick before had more work than cycles.
    """
    due = cores.begun[slot] * costs.tick
    start = next_start(costs, cores, slot)
    cores.timer_at[slot] = FAR
    counts = cores.counts[slot]
    if cores.busy[slot] > counts[BUSY_MAX]:
        counts[BUSY_MAX] = cores.busy[slot]
        counts[BUSIEST_EVENTS] = counts[EVENTS] - cores.events_before[slot]
    cores.busy[slot] = 0
    cores.events_before[slot] = counts[EVENTS]
    if start > due and cores.begun[slot] <= costs.ticks:
        counts[MISSES] += 1
        counts[OVER_SUM] += start - due
        counts[OVER_MAX] = max(counts[OVER_MAX], start - due)
    counts[TICKS] += 1
    cores.begun[slot] += 1
    cores.free_at[slot] = start
    return start


@inlined
def emit(
    costs: Costs, cores: Cores, sent: Sent, slot: int, key: int, tick: int, i: int, cycle: int,
    hold: int,
) -> None:  # fmt: skip
    """Send a packet in core cycle ``cycle + hold``; the router has it in its next cycle."""
    place = sent.filled[0]
    cycle += hold
    sent.cycle[place] = (cycle * costs.router_scale + costs.router_unit - 1) // costs.router_unit
    sent.key[place] = key
    sent.tag[place] = (tick << TAG_BITS) | i
    sent.filled[0] = place + 1
    cores.counts[slot, PACKETS_OUT] += 1


@inlined
def input_spikes(given: Input, t: int, first: int, count: int, fired: Any) -> int:
    """List the input neurons of a source core that fire in step ``t``; return how many."""
    n = 0
    for place in range(given.first[t], given.first[t + 1]):
        neuron = given.neuron[place]
        if first <= neuron < first + count:
            fired[n] = neuron
            n += 1
    return n


@inlined
def send_spikes(
    costs: Costs, plan: Slots, cores: Cores, sent: Sent, slot: int, tick: int, fired: Any, n: int,
    cycle: int,
) -> int:  # fmt: skip
    """Send a packet for each spike once its neuron is done; return when the last neuron is."""
    first, key = plan.first[slot], plan.key[slot]
    send = plan.send[slot] if key >= 0 else 0
    for k in range(n):
        i = int(fired[k]) - first
        done = k + 1 if plan.source[slot] else i + 1
        if key >= 0:
            at = cycle + done * plan.neuron[slot] + (k + 1) * send
            emit(costs, cores, sent, slot, key, tick, i, at, plan.hold[slot])
    updates = n if plan.source[slot] else plan.neurons[slot]
    cores.counts[slot, NEURON_UPDATES] += updates
    return int(cycle + updates * plan.neuron[slot] + n * send)


@inlined
def step(
    costs: Costs, plan: Slots, cores: Cores, now: Now, given: Input, program: Any, state: Any,
    tutors: Any, sent: Sent, written: Written,
    fired: Any, slot: int, tick: int, t: int, cycle: int,
) -> int:  # fmt: skip
    """Compute step ``t`` of a core's population in ``tick``, from ``cycle`` on; return its end."""
    first, count = plan.first[slot], plan.neurons[slot]
    population = plan.population[slot]
    if plan.source[slot]:
        n = input_spikes(given, t, first, count, fired)
    else:
        n = update_neurons(program, state, population, first, count, now.tick0 + tick, fired, 0)
    for k in range(n):
        written.raster[t, fired[k]] = 1
    if plan.readout[slot] >= 0 and written.membrane.shape[1] > 0:
        for i in range(count):
            written.membrane[t, plan.readout[slot] + i] = state.v[first + i]
    for number in range(plan.teacher[slot], plan.teacher[slot] + plan.teachers[slot]):
        for k in range(n):
            rule, neuron = tutors.stdp_cores[number].rule, np.int64(fired[k])
            note_post(tutors.stdp, tutors.pairs, rule, neuron, now.tick0 + tick)
    cycle = send_spikes(costs, plan, cores, sent, slot, tick, fired, n, cycle)
    if plan.learner[slot] >= 0:
        core, plastic = tutors.cores[plan.learner[slot]], tutors.plastic
        signals = learn(
            program, state, tutors.learning, plastic, tutors.traces, core, now.tick0 + tick,
            given.target[t], given.asked[t] != 0,
        )  # fmt: skip
        for k in range(signals):
            written.signal[tick, k] = plastic.error[k]
            if plan.signal_key[slot] >= 0:
                cycle += plan.send[slot]
                emit(
                    costs, cores, sent, slot, plan.signal_key[slot], tick, k, cycle, plan.hold[slot]
                )
        if now.updates and t == now.steps - 1:
            cycle += plan.update[slot]
    return cycle


@inlined
def resend(
    costs: Costs, plan: Slots, cores: Cores, held: Held, sent: Sent, slot: int, tick: int,
    cycle: int,
) -> int:  # fmt: skip
    """Send what a delay extension has due in ``tick``, from ``cycle`` on; return its end.

    Neuron by neuron, its stages in order.  When the sample is over nothing is sent.
    """
    d, sends = plan.extension[slot], 0
    first, due = held.first[d], begin_tick(held, d, tick, costs.ticks, cores.counts[slot])
    if tick >= costs.ticks:
        return cycle
    if due > 0:
        for i in range(plan.neurons[slot]):
            for stage in range(1, held.key.shape[1]):
                before = tick - stage * held.slots[0]
                if before >= 0 and held.stages[first + i] >> np.uint32(stage) & np.uint32(1):
                    key = held.key[d, stage]
                    for _ in range(held.counter[place_of(held, d, before) + i]):
                        sends += 1
                        at = cycle + (i + 1) * plan.neuron[slot] + sends * plan.send[slot]
                        emit(costs, cores, sent, slot, key, tick, i, at, plan.hold[slot])
    return int(cycle + plan.neurons[slot] * plan.neuron[slot] + sends * plan.send[slot])


@inlined
def release_dopamine(plan: Slots, tutors: Any, slot: int, tick: int) -> None:
    """Let the rewards that came in the last tick act on a core's STDP."""
    for number in range(plan.teacher[slot], plan.teacher[slot] + plan.teachers[slot]):
        core = tutors.stdp_cores[number]
        if tutors.stdp.rules[core.rule].rewarded != 0:
            release(tutors.stdp, tutors.pairs, core, tutors.rewards[number], tick)
            tutors.rewards[number] = 0


@compiled
def run_timers(
    costs: Costs, plan: Slots, cores: Cores, now: Now, given: Input, program: Any, state: Any,
    tutors: Any, held: Held, sent: Sent, written: Written,
    fired: Any, first: int, last: int, tick: int, until: int,
) -> None:  # fmt: skip
    """Do the timer tasks that slots ``first .. last-1`` begin before cycle ``until`` of ``tick``.

    In a whole tick that is one for each core that keeps up, none for one that is still busy at its
    end, several for one that catches up.
    """
    for slot in range(first, last):
        while cores.begun[slot] <= tick and next_start(costs, cores, slot) < until:
            mine = cores.begun[slot]
            start = begin_timer(costs, cores, slot)
            release_dopamine(plan, tutors, slot, now.tick0 + mine)
            cycle = start + plan.timer[slot]
            t = mine - plan.offset[slot]
            if plan.extension[slot] >= 0:
                cycle = resend(costs, plan, cores, held, sent, slot, mine, cycle)
            elif 0 <= t < now.steps:
                cycle = step(
                    costs, plan, cores, now, given, program, state, tutors, sent, written, fired,
                    slot, mine, t, cycle,
                )  # fmt: skip
            cores.counts[slot, TIMER_CYCLES] += cycle - start
            cores.busy[slot] += cycle - start
            cores.free_at[slot] = cycle
