"""Deferred STDP does what its definition says (`chipsim.plasticity.PairSTDP`)."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from chipsim.kernels.processor import layout
from chipsim.kernels.processor.stdp import note_post, release, stdp_row
from chipsim.network import LIF, Input, Network, Population, Projection
from chipsim.plasticity import PairSTDP, Reward
from chipsim.quantise.processor.numbers import resolution
from chipsim.quantise.processor.quantise import quantise_for_processor
from tests.quantise.processor_cases import chip_with

TICKS = 300
RULE = PairSTDP(0.002, 0.0025, 15.0, 25.0, 0.0, 1.0)
seeds = st.integers(0, 2**32 - 1)


def one_synapse(rule):
    populations = (
        Population("pre", 1, Input("spikes")),
        Population("reward", 1, Input("spikes")),
        Population("post", 1, LIF(1.0, 0.9)),
    )
    weight = np.full((1, 1), 0.5, np.float32)
    network = Network("one", TICKS, populations, (Projection("p", "pre", "post", weight,
                      stdp=rule),), "post")  # fmt: skip
    return quantise_for_processor(
        network, chip_with("truncate"), {"pre": 0, "reward": 0, "post": 1}
    )


@njit
def run(program, state, stdp, pairs, core, pre, post, rewards):
    done = 0
    for tick in range(len(pre)):
        if stdp.rules[0].rewarded != 0:
            release(stdp, pairs, core[0], rewards[tick], tick)
        if post[tick]:
            note_post(stdp, pairs, 0, 2, tick)
        if pre[tick]:
            done += stdp_row(program, state, stdp, pairs, core[0], 0, 0, 1, tick)
    return done


def learnt(rule, pre, post, rewards=None):
    """Return the weight after the spikes, and the number of pairs."""
    processor = one_synapse(rule)
    program = processor.fresh_program()
    pairs = layout.spike_pairs(1, 1, 1, 1)
    cores = np.zeros(1, layout.STDP_CORE)
    rewards = np.zeros(TICKS, np.int64) if rewards is None else rewards
    state = layout.new_state(program)
    done = run(program, state, processor.stdp, pairs, cores, pre, post, rewards)
    step = resolution(processor.population("post").shifts[0])
    return float(program.weight[0]) * step, done


def change_by_pairs(pre, post):
    """Return the definition's change: all pairs, none of the same tick."""
    gap = np.flatnonzero(post)[:, None] - np.flatnonzero(pre)[None, :]
    up = np.exp(-gap[gap > 0] / RULE.tau_plus).sum() * RULE.potentiation
    down = np.exp(gap[gap < 0] / RULE.tau_minus).sum() * RULE.depression
    return up - down


def trains(seed, post_rate=0.08):
    rng = np.random.default_rng(seed)
    pre, post = rng.random(TICKS) < 0.1, rng.random(TICKS) < post_rate
    # What comes after the last presynaptic spike is learnt with the next one.
    pre[-1] = True
    return pre, post


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=seeds)
def test_every_pair_counts(seed):
    pre, post = trains(seed)
    weight, done = learnt(RULE, pre, post)
    fetches = int(pre.sum())
    assert weight - 0.5 == pytest.approx(change_by_pairs(pre, post), abs=fetches * 2.0**-15)
    assert done > 0


def test_a_pair_of_the_same_tick_counts_for_neither():
    pre, post = np.zeros((2, TICKS), np.bool_)
    pre[[10, 200]] = post[10] = True
    assert learnt(RULE, pre, post)[0] - 0.5 == pytest.approx(-RULE.depression * np.exp(-190 / 25),
                                                               abs=2.0**-15)  # fmt: skip


@pytest.mark.parametrize(("potentiation", "depression", "end"), [(0.3, 0.0, 1.0), (0.0, 0.3, 0.0)])
def test_weights_stay_within_their_bounds(potentiation, depression, end):
    rule = replace(RULE, potentiation=potentiation, depression=depression)
    assert learnt(rule, *trains(0))[0] == pytest.approx(end, abs=1e-3)


def test_a_neuron_remembers_sixteen_spikes():
    """More between two presynaptic spikes are lost, as on the machine."""
    pre, post = np.zeros((2, TICKS), np.bool_)
    pre[[0, 299]] = True
    post[1:31] = True
    assert learnt(replace(RULE, depression=0.0), pre, post)[1] == 16


def change_by_reward(rule, pre, post, rewards):
    """Return what dopamine made of the eligibility, tick by tick."""
    keep = np.exp(-1.0 / rule.reward.tau_eligibility)
    fade = np.exp(-1.0 / rule.reward.tau_dopamine)
    c = d = w = r = o = 0.0
    for x, y, reward in zip(pre, post, rewards, strict=True):
        r, o = r * np.exp(-1 / rule.tau_plus), o * np.exp(-1 / rule.tau_minus)
        d, c = d * fade + reward, c * keep
        c += rule.potentiation * r * y - rule.depression * o * x
        w += c * d
        r, o = r + x, o + y
    return w


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=seeds)
def test_reward_turns_eligibility_into_weight(seed):
    rule = replace(RULE, reward=Reward("reward", 100.0, 20.0))
    pre, post = trains(seed)
    rng = np.random.default_rng(seed + 1)
    rewards = (rng.random(TICKS) < 0.01).astype(np.int64)
    change = learnt(rule, pre, post, rewards)[0] - 0.5
    wanted = change_by_reward(rule, pre, post, rewards)
    assert change == pytest.approx(np.clip(wanted, -0.5, 0.5), abs=0.004 + 0.01 * abs(wanted))


def test_without_reward_nothing_is_learnt():
    rule = replace(RULE, reward=Reward("reward", 100.0, 20.0))
    assert learnt(rule, *trains(1))[0] == 0.5
