"""STDP the SpiNNaker way: a row learns when it is fetched, from the spikes since it was last.

A row keeps the tick of its last presynaptic spike and that neuron's trace, a postsynaptic neuron
its last spikes with its trace at each (`chipsim.plasticity.PairSTDP`).  The presynaptic spike
counts in the tick in which its row is processed, the postsynaptic one in that in which it fires.
Traces are s16.15, exponentials come from tables.  ``tests/naive_stdp.py`` holds the plain twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.kernels.processor.arithmetic import saturate, times
from chipsim.kernels.processor.layout import HISTORY, LEVELS, NEVER, ONE, WEIGHT


@inlined
def fade(stdp: Any, first: int, length: int, ticks: Any) -> Any:
    """Return the exponential of a table after ``ticks``, in s16.15."""
    return np.int64(stdp.table[first + ticks]) if ticks < length else np.int64(0)


@inlined
def note_post(stdp: Any, synapses: Any, r: int, neuron: int, tick: int) -> None:
    """Note that ``neuron`` (global) fired: after `update_neurons`, for the rule ``r`` onto it."""
    rule = stdp.rules[r]
    n = rule.history + neuron - rule.post
    count = synapses.fired[n]
    trace = np.int64(0)
    if count > 0:
        last = n * HISTORY + (count - 1) % HISTORY
        gap = tick - synapses.when[last]
        trace = times(synapses.post[last], fade(stdp, rule.minus, rule.minus_length, gap), 0)
    at = n * HISTORY + count % HISTORY
    synapses.when[at] = tick
    synapses.post[at] = saturate(trace + ONE)
    synapses.fired[n] = count + 1


@inlined
def release(stdp: Any, synapses: Any, core: Any, rewards: int, tick: int) -> None:
    """Begin a tick on a core whose rule is rewarded: let dopamine fade, add ``rewards``."""
    rule = stdp.rules[core.rule]
    before = synapses.dopamine[core.dopamine + (tick - 1) % LEVELS]
    level = times(before, rule.dopamine, 0) + ONE * np.int64(rewards)
    synapses.dopamine[core.dopamine + tick % LEVELS] = saturate(level)


@inlined
def _effects(stdp: Any, synapses: Any, core: Any, since: int, tick: int) -> None:
    """Fill ``effect``: what an eligibility made at each tick since then has done until now.

    That of ``t`` is ``sum over s from t to now of k^(s - t) dopamine_s``.
    """
    rule = stdp.rules[core.rule]
    total = np.int64(0)
    for t in range(tick, max(since, tick - LEVELS + 1) - 1, -1):
        level = np.int64(synapses.dopamine[core.dopamine + t % LEVELS])
        total = saturate(level + times(total, rule.eligibility, 0))
        synapses.effect[t % LEVELS] = total


@inlined
def _faded(stdp: Any, rule: Any, value: Any, ticks: int) -> Any:
    """Return an eligibility as it is ``ticks`` later."""
    return times(value, fade(stdp, rule.slow, rule.slow_length, ticks), 0)


@inlined
def _pairs(
    stdp: Any, synapses: Any, core: Any, n: int, since: int, before: Any, tick: int, k: int
) -> Any:
    """Pair neuron ``n``'s spikes after ``since`` with the row's trace ``before``.

    Returns the number of pairs and what they make, in 2^-30 of a weight's step (plain) or, with
    reward, what they made of the weight by now; the eligibility of synapse ``k`` grows by them.
    """
    rule = stdp.rules[core.rule]
    count = synapses.fired[n]
    pairs, change = 0, np.int64(0)
    for number in range(max(np.int64(0), count - HISTORY), count):
        at = n * HISTORY + number % HISTORY
        fired = synapses.when[at]
        if fired <= since or before == 0:
            continue
        pairs += 1
        amount = times(before, fade(stdp, rule.plus, rule.plus_length, fired - since), 0)
        gain = rule.potentiation * amount
        if rule.rewarded != 0:
            grown = gain >> np.int64(15)
            change += grown * synapses.effect[fired % LEVELS]
            gain = _faded(stdp, rule, grown, tick - fired)
            synapses.eligible[k] = saturate(np.int64(synapses.eligible[k]) + gain)
        else:
            change += gain
    return pairs, change


@inlined
def _post_trace(stdp: Any, synapses: Any, rule: Any, n: int, tick: int) -> Any:
    """Return neuron ``n``'s trace of the spikes before ``tick``."""
    count = synapses.fired[n]
    if count > 0 and synapses.when[n * HISTORY + (count - 1) % HISTORY] == tick:
        count -= 1
    if count <= 0 or synapses.fired[n] - count >= HISTORY:
        return np.int64(0)
    at = n * HISTORY + (count - 1) % HISTORY
    gap = tick - synapses.when[at]
    return times(synapses.post[at], fade(stdp, rule.minus, rule.minus_length, gap), 0)


@inlined
def stdp_row(
    program: Any, state: Any, stdp: Any, synapses: Any, core: Any, row: int, low: int, high: int,
    tick: int,
) -> int:  # fmt: skip
    """Let the synapses ``low .. high-1`` of a row learn; call `add_row` for them afterwards.

    ``row`` is the number of the core's copy of the row, in which its last spike and trace are.
    Returns the number of pairs of spikes.
    """
    rule = stdp.rules[core.rule]
    since, before = synapses.last[row], np.int64(synapses.pre[row])
    if rule.rewarded != 0 and since != NEVER:
        _effects(stdp, synapses, core, since + 1, tick)
    total = 0
    for k in range(low, high):
        n = rule.history + np.int64(program.place[k]) % program.formats[0].neurons - rule.post
        e, change = k - rule.synapse + rule.eligibles, np.int64(0)
        if rule.rewarded != 0 and since != NEVER:
            old = times(synapses.eligible[e], rule.eligibility, 0)
            change = old * synapses.effect[max(since + 1, tick - LEVELS + 1) % LEVELS]
            synapses.eligible[e] = _faded(stdp, rule, synapses.eligible[e], tick - since)
        pairs, made = _pairs(stdp, synapses, core, n, since, before, tick, e)
        total += pairs
        change += made
        lost = rule.depression * _post_trace(stdp, synapses, rule, n, tick)
        if lost != 0:
            total += 1
        if rule.rewarded != 0:
            shrunk = lost >> np.int64(15)
            synapses.eligible[e] = saturate(np.int64(synapses.eligible[e]) - shrunk)
            change -= shrunk * synapses.dopamine[core.dopamine + tick % LEVELS]
        else:
            change -= lost
        _change_weight(program, state, rule, k, change)
    kept = np.int64(0)
    if since != NEVER:
        kept = times(before, fade(stdp, rule.plus, rule.plus_length, tick - since), 0)
    synapses.pre[row] = saturate(kept + ONE)
    synapses.last[row] = tick
    return total


@inlined
def _change_weight(program: Any, state: Any, rule: Any, k: int, change: Any) -> None:
    half = np.int64(1) << np.int64(29)
    old = np.int64(program.weight[k])
    wanted = old + ((change + half) >> np.int64(30))
    new = min(max(wanted, rule.low), rule.high)
    state.saturated[rule.target, WEIGHT] += new != wanted
    program.weight[k] = np.uint16(new)


@inlined
def forget_spikes(synapses: Any) -> None:
    """Clear traces, histories, eligibilities and dopamine, as at the start of a sample."""
    synapses.last[:] = NEVER
    synapses.pre[:] = 0
    synapses.fired[:] = 0
    synapses.eligible[:] = 0
    synapses.dopamine[:] = 0
