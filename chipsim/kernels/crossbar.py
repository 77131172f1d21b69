"""Crossbar cores in integer arithmetic, over all slices of a chip and all steps of a sample.

One call runs many samples.  Everything is a plain array, laid out as `chipsim.kernels.layout`
says.  ``tests/naive.py`` holds the plain twin: the same integers, one synapse at a time.
Learning is in `chipsim.kernels.plasticity`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import compiled_without_counts, inner, merged
from chipsim.kernels.faults import flip_state, hold_sums, lose_packets
from chipsim.kernels.layout import TRUNCATE
from chipsim.kernels.lazy_decay import catch_up, finish
from chipsim.kernels.plasticity import learn, learn_axons, settle
from chipsim.kernels.readout import keep_potential
from chipsim.kernels.row_sums import add_factored_rows, add_rows, put_in_order
from chipsim.kernels.sending import send_graded, send_membranes, send_spikes
from chipsim.kernels.soma import update_somas

NEAREST_CACHE = 8192
"""Traces that a level-1 cache (32 or 48 KiB) holds beside sums and factors."""


@inner
def _list_axons(program: Any, j: int, t: int, slots: int, state: Any) -> None:
    """List the axons of projection ``j`` that have input at step ``t``, and the live ones."""
    projection = program.projections[j]
    index, value, place = state.active
    plastic_index, plastic_value, plastic_place = state.plastic
    first, slot = projection.first, (t - projection.delay) % slots
    activity = state.activity[slot, projection.source : projection.source + projection.size]
    live = state.live[first : first + projection.size]
    begin, hits = np.uint64(first + j), np.uint64(first)
    lives = hits
    # Whoever does not count is overwritten by the next: no branch to guess.
    for i in range(np.uint64(projection.size)):
        x = activity[i]
        place[begin + i], plastic_place[begin + i] = hits, lives
        index[hits], value[hits] = i, x
        plastic_index[lives], plastic_value[lives] = i, x
        hits += np.uint64(x != 0)
        lives += np.uint64((x != 0) & live[i])
    end = begin + np.uint64(projection.size)
    place[end], plastic_place[end] = hits, lives


@inner
def _integrate(program: Any, s: int, sample: int, n: int, t: int, state: Any, outcome: Any) -> None:
    """Add the input of slice ``s`` to the sums of its channels."""
    part, runs = program.slices[s], program.runs
    place = state.active.place
    for r in range(part.runs, part.runs_end):
        run = runs[r]
        begin = program.projections[run.projection].first + run.projection + run.pre
        first, last = place[begin], place[begin + run.count]
        rows = (run.weight, part.stride, run.pre)
        state.buffer[: part.stride] = 0
        add_rows(state.buffer, program.weights, rows, state.active, first, last, True)
        put_in_order(state.buffer, part.stride)
        _keep(program, part, run.channel, state)
        outcome.active[n, t, r] = last - first
        if run.trace >= 0:
            _integrate_traces(program, s, r, begin, sample, t, state, outcome.clamped)


@inner
def _keep(program: Any, part: Any, channel: int, state: Any) -> None:
    """Add the buffer to the sums of a channel."""
    sums, buffer, start = state.sums, state.buffer, program.channels[channel].first + part.first
    for n in range(part.count):
        sums[start + n] += buffer[n]


@inner
def _integrate_traces(
    program: Any, s: int, r: int, begin: int, sample: int, t: int, state: Any, clamped: Any
) -> None:
    """Let the traces of run ``r`` learn what the last step noted, and add them to the sums.

    As many axons at a time as the nearest cache holds.
    """
    run, part, f = program.runs[r], program.slices[s], program.formats[0]
    rule = program.rules[program.projections[run.projection].rule]
    due = t > 0 and program.faults[0].flip_membrane == 0
    rounds = f.rounding != TRUNCATE and rule.factor_shift > 0
    half, by = (1 << (rule.factor_shift - 1)) if rounds else 0, rule.factor_shift
    place, rows = state.plastic.place, (run.trace, part.stride, run.pre)
    trace, axons, buffer = state.trace, state.plastic, state.buffer
    buffer[: part.stride] = 0
    block = max(NEAREST_CACHE // part.stride, 8)
    for at in range(begin, begin + run.count, block):
        end = min(at + block, begin + run.count)
        if due:
            learn_axons(program, s, r, (at, end), sample, t - 1, state, clamped)
        if rule.factored != 0:
            factor = (program.factors, np.int32(half), np.int32(by))
            add_factored_rows(buffer, trace, factor, rows, axons, place[at], place[end])
        else:
            add_rows(buffer, trace, rows, axons, place[at], place[end], False)
    if rule.factored == 0:
        put_in_order(buffer, part.stride)
    _keep(program, part, run.trace_channel, state)


@merged
def _step(program: Any, p: int, sample: int, n: int, t: int, state: Any, outcome: Any) -> None:
    """Integrate, fire, learn and send: population ``p`` at step ``t``."""
    population, f = program.populations[p], program.formats[0]
    sums = state.sums
    for j in range(population.projections, population.projections_end):
        _list_axons(program, j, t, f.slots, state)
    for c in range(population.channels, population.channels_end):
        start = program.channels[c].first
        sums[start : start + population.size] = 0
    if f.lazy != 0 and population.rules < population.rules_end:
        catch_up(program, p, sample, t, state, outcome.decays[n, t])
    faults = program.faults[0]
    for s in range(population.slices, population.slices_end):
        if faults.drop != 0:
            hold_sums(program, p, s, state)
        _integrate(program, s, sample, n, t, state, outcome)
        if faults.drop != 0:
            lose_packets(program, p, s, sample, t, state, outcome.active[n, t])
    outcome.saturated[p] += update_somas(program, p, sample, t, state)
    if population.rules < population.rules_end:
        learn(program, p, sample, t, state, outcome.learning[n, t])
    if population.activation >= 0:
        send_graded(program, p, sample, t, state)
    else:
        send_spikes(program, p, t, state)
    if population.sent >= 0:
        steps = outcome.spikes.shape[1]
        outcome.ended[p] += send_membranes(program, p, sample, t, steps, state)


@inner
def _forget(program: Any, state: Any) -> None:
    """Take the traces that no sample leaves to the next for zero."""
    for j in range(len(program.projections)):
        projection = program.projections[j]
        if projection.rule < 0 or program.rules[projection.rule].carried == 0:
            state.live[projection.first : projection.first + projection.size] = False


@inner
def _settles(program: Any, p: int, last: bool) -> bool:
    """Whether somebody but the next step looks at the traces onto population ``p`` after a step."""
    population = program.populations[p]
    if program.faults[0].flip_membrane != 0:
        return True
    lasting = False
    for k in range(population.rules, population.rules_end):
        rule = program.rules[k]
        lasting = lasting or rule.carried != 0 or rule.counted != 0
    return last and lasting


@compiled_without_counts
def run_samples(program: Any, values: Any, first_sample: int, state: Any, outcome: Any) -> None:
    """Run every sample of ``values`` from rest and fill ``outcome``.

    ``values (S, T or 1, inputs)`` are integers; a middle axis of 1 holds for all steps.
    ``first_sample`` is the number of the first one, so that noise does not depend on batches.
    ``state`` holds the traces: carried ones come from it and are left in it.
    """
    f = program.formats[0]
    readout = program.populations[f.readout]
    steps = outcome.spikes.shape[1]
    for n in range(values.shape[0]):
        state.u[:] = 0
        state.spikes[:] = 0
        state.risen[:] = 0
        state.waiting[:] = 0
        state.activity[:] = 0
        _forget(program, state)
        decided, potential = False, outcome.potential[n]
        for t in range(steps):
            now, slot = values[n, min(t, values.shape[1] - 1)], t % f.slots
            for i in range(f.inputs):
                state.activity[slot, i] = now[i]
            for p in range(len(program.populations)):
                _step(program, p, first_sample + n, n, t, state, outcome)
                if _settles(program, p, t == steps - 1):
                    settle(program, p, first_sample + n, t, state, outcome.clamped)
                if program.faults[0].flip_membrane != 0:
                    flip_state(program, p, first_sample + n, t, state)
            for i in range(f.neurons):
                outcome.spikes[n, t, i] = state.spikes[i]
            decided = keep_potential(
                f.first_spike != 0, decided, readout.first, state.u, state.spikes, potential
            )
        if f.lazy != 0:
            finish(program, first_sample + n, steps, state, outcome.decays[n, steps - 1])
