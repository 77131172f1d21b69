"""Decays of plasticity traces put off until the trace is used, to the same bits as each step.

An axon without input changes nothing in its traces but their decay.  Its rows are left alone until
it has input again; then the steps it missed are made up for one by one, each rounded with the
noise of its own step.  A decay never lifts a trace beyond the clamp, so no clamp is missed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inner
from chipsim.kernels.integers import add32, mul32, round_shift, shift32, stream
from chipsim.kernels.layout import NEAREST, STOCHASTIC
from chipsim.kernels.plasticity import DECAY


@inner
def _decay_row(trace: Any, at: Any, count: int, decay: int, bits: int, rounding: int) -> None:
    half = np.int32((1 << (bits - 1)) if rounding == NEAREST else 0)
    rate, shift = np.int32(decay), np.int32(bits)
    for j in range(np.uint64(count)):
        product = mul32(np.int32(trace[at + j]), rate)
        trace[at + j] = np.int16(shift32(add32(product, half), shift))


@inner
def _decay_row_stochastic(
    trace: Any, at: Any, count: int, decay: int, bits: int, noise: Any, index: int
) -> None:
    for j in range(count):
        kept = np.int64(trace[at + np.uint64(j)]) * decay
        kept = round_shift(kept, bits, STOCHASTIC, noise, index + j)
        trace[at + np.uint64(j)] = np.int16(kept)


@inner
def _decay_axon(program: Any, r: int, s: int, i: int, sample: int, steps: Any, trace: Any) -> None:
    """Give the traces of axon ``i`` in run ``r`` of slice ``s`` the decays of ``steps``."""
    run, part, f = program.runs[r], program.slices[s], program.formats[0]
    k = program.projections[run.projection].rule
    rule, bits = program.rules[k], f.trace_decay_bits
    at = np.uint64(run.trace + (i - run.pre) * part.stride)
    for t in range(steps[0], steps[1]):
        if f.trace_rounding == STOCHASTIC:
            noise, index = stream(f.seed, sample, t, DECAY, k), i * rule.post_size + part.first
            _decay_row_stochastic(trace, at, part.count, rule.decay, bits, noise, index)
        else:
            _decay_row(trace, at, part.count, rule.decay, bits, f.trace_rounding)


@inner
def catch_up(program: Any, p: int, sample: int, t: int, state: Any, decays: Any) -> None:
    """Bring the traces that step ``t`` of population ``p`` reads to the end of the step before.

    ``decays (runs,)`` is added the decays made up for.
    """
    population, slices, runs = program.populations[p], program.slices, program.runs
    decayed, trace = state.decayed, state.trace
    index, _, place = state.plastic
    for s in range(population.slices, population.slices_end):
        for r in range(slices[s].runs, slices[s].runs_end):
            run = runs[r]
            if run.trace < 0:
                continue
            projection = program.projections[run.projection]
            begin = projection.first + run.projection + run.pre
            for h in range(place[begin], place[begin + run.count]):
                i = index[h]
                steps = (decayed[projection.first + i] + 1, t)
                _decay_axon(program, r, s, i, sample, steps, trace)
                decays[r] += np.uint32(max(steps[1] - steps[0], 0))
    for k in range(population.rules, population.rules_end):
        j = program.rules[k].projection
        projection = program.projections[j]
        for h in range(projection.first, place[projection.first + j + projection.size]):
            decayed[projection.first + index[h]] = t - 1


@inner
def finish(program: Any, sample: int, steps: int, state: Any, decays: Any) -> None:
    """Bring all traces that outlast the sample to its end, after ``steps`` steps."""
    live, decayed, trace = state.live, state.decayed, state.trace
    for p in range(len(program.populations)):
        population = program.populations[p]
        for s in range(population.slices, population.slices_end):
            for r in range(program.slices[s].runs, program.slices[s].runs_end):
                run = program.runs[r]
                projection = program.projections[run.projection]
                if run.trace < 0 or program.rules[projection.rule].carried == 0:
                    continue
                for i in range(run.pre, run.pre + run.count):
                    if live[projection.first + i]:
                        missing = (decayed[projection.first + i] + 1, steps)
                        _decay_axon(program, r, s, i, sample, missing, trace)
                        decays[r] += np.uint32(max(missing[1] - missing[0], 0))
    decayed[:] = -1
