"""Plain twins of the kernels: the same definitions, one synapse at a time, in Python integers.

Written from the equations in `chipsim.quantise.fixed` and `chipsim.network`, not from the kernels:
no slices, no rows, no skipping of zeros.
"""

from __future__ import annotations

import math

import numpy as np

from chipsim.network import Network, attenuation, evaluation_order

WORD = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
LEAK, GAIN, RATE, ATTENUATE, POST, DECAY, UPDATE, ADAPT = range(1, 9)


def mix(x: int) -> int:
    x &= WORD
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & WORD
    return x ^ (x >> 31)


class Rounder:
    """Shifts right the way the chip rounds; stochastic noise is keyed by what is rounded."""

    def __init__(self, rounding: str, seed: int):
        self.rounding, self.seed = rounding, seed

    def shift(self, x: int, by: int, key: tuple[int, int, int, int, int]) -> int:
        if by <= 0:
            return x << -by
        if self.rounding == "nearest":
            return (x + (1 << (by - 1))) >> by
        if self.rounding == "stochastic":
            sample, step, purpose, item, index = key
            stream = mix(mix(self.seed + GOLDEN) + sample)
            stream = mix(stream + (step << 32) + purpose * 65536 + item)
            return (x + (mix(stream + index * GOLDEN) & ((1 << by) - 1))) >> by
        return x >> by


def limit(x: int, bits: int, overflow: str) -> int:
    half = 1 << (bits - 1)
    if overflow == "wrap":
        return (x + half) % (2 * half) - half
    return max(-half, min(half - 1, x))


def run_fixed(fixed, values, seed=0, first_sample=0):
    """Return (spikes (S, T, neurons), final potentials of the readout (S, n)), both lists."""
    rounder = Rounder(fixed.arithmetic.rounding, seed)
    all_spikes, potentials = [], []
    for n in range(values.shape[0]):
        spikes, u = _run_sample(fixed, values[n], rounder, first_sample + n)
        all_spikes.append(spikes)
        potentials.append(u[fixed.readout])
    return all_spikes, potentials


def _run_sample(fixed, values, rounder, sample):
    arith = fixed.arithmetic
    pops = fixed.populations
    u = {p.name: [0] * p.size for p in pops}
    fired = {p.name: [0] * p.size for p in pops}
    risen = {p.name: [0] * p.size for p in pops}
    waiting = {p.name: [0] * p.size for p in pops}
    history = []
    traces, rule_of, channel_of = {}, {}, {}
    channels = 0
    for p in pops:
        for j in fixed.incoming(p.name):
            channel_of[j.name] = channels
            channels += 1
            if j.plasticity:
                channels += 1
                rule_of[j.name] = len(rule_of)
                traces[j.name] = [[0] * j.weight.shape[1] for _ in range(j.weight.shape[0])]
    out = []
    for t in range(fixed.steps):
        now = {}
        at = 0
        for i in fixed.inputs:
            row = values[min(t, values.shape[0] - 1)]
            now[i.name] = [int(v) for v in row[at : at + i.size]]
            at += i.size
        history.append(now)

        def activity(j, t=t):
            size = j.weight.shape[0]
            return history[t - j.delay].get(j.source, [0] * size) if t >= j.delay else [0] * size

        for index, p in enumerate(pops):
            for n in range(p.size):
                current = int(p.bias[n])
                for j in fixed.incoming(p.name):
                    x = activity(j)
                    total = sum(x[i] * int(j.weight[i, n]) for i in range(len(x)))
                    terms = [(total, j.gain, channel_of[j.name])]
                    if j.plasticity:
                        h = traces[j.name]
                        plastic = sum(x[i] * h[i][n] for i in range(len(x)))
                        terms.append((plastic, j.plasticity.gain, channel_of[j.name] + 1))
                    for value, gain, channel in terms:
                        value = limit(value, arith.accumulator_bits, arith.overflow)
                        product = value * int(gain.factor[t])
                        current += rounder.shift(product, gain.shift, (sample, t, GAIN, channel, n))
                v = u[p.name][n]
                subtract = p.reset == "subtract" and fired[p.name][n]
                if p.reset == "zero" and fired[p.name][n]:
                    v = 0
                if subtract and p.reset_order == "before_leak":
                    v -= p.threshold
                v = rounder.shift(v * p.decay, p.decay_bits, (sample, t, LEAK, index, n))
                if subtract and p.reset_order == "after_leak":
                    v -= p.threshold
                v = limit(v + current, arith.membrane_bits, arith.overflow)
                u[p.name][n] = v
                level = p.threshold
                if p.adaptation:
                    a = p.adaptation
                    key = (sample, t, ADAPT, index, n)
                    slow = rounder.shift(risen[p.name][n] * a.decay, a.decay_bits, key)
                    rise = int(a.strength[n]) if fired[p.name][n] else 0
                    risen[p.name][n] = min(slow + rise, 2**31 - 1)
                    level += risen[p.name][n] >> a.fraction_bits
                waiting[p.name][n] = max(0, waiting[p.name][n] - 1)
                reached = v > level or (p.fires == "at" and v == level)
                fired[p.name][n] = int(reached and waiting[p.name][n] == 0)
                if fired[p.name][n]:
                    waiting[p.name][n] = p.refractory
            now[p.name] = list(fired[p.name])
            for j in fixed.incoming(p.name):
                if j.plasticity:
                    key = (sample, t, rule_of[j.name])
                    _learn(j, activity(j), u[p.name], traces[j.name], rounder, key)
        out.append([s for p in pops for s in fired[p.name]])
    return out, u


def _learn(projection, x, u, trace, rounder, key):
    rule = projection.plasticity
    sample, t, k = key
    entries = len(rule.table)
    posts = []
    for n, v in enumerate(u):
        place = rounder.shift(v * rule.post_gain, rule.post_shift, (sample, t, POST, k, n))
        place = place - int(rule.sliding[n]) + entries // 2
        posts.append(int(rule.table[max(0, min(entries - 1, place))]))
    for i, value in enumerate(x):
        pre = rounder.shift(value * int(rule.rate[i]), rule.rate_shift, (sample, t, RATE, k, i))
        pre = rounder.shift(pre * int(rule.attenuation[t]), 15, (sample, t, ATTENUATE, k, i))
        for n, post in enumerate(posts):
            index = i * len(posts) + n
            kept = rounder.shift(
                trace[i][n] * rule.decay, rule.decay_bits, (sample, t, DECAY, k, index)
            )
            change = rounder.shift(pre * post, rule.update_shift, (sample, t, UPDATE, k, index))
            trace[i][n] = max(-rule.clamp, min(rule.clamp, kept + change))


def run_float(network: Network, values: np.ndarray):
    """Return (spikes, final readout potentials) of the float equations in double precision."""
    spikes, potentials = [], []
    for sample in values:
        u = {n: np.zeros(network.population(n).size) for n in evaluation_order(network)}
        s = {n: np.zeros(network.population(n).size) for n in u}
        a, wait = ({n: np.zeros(len(u[n])) for n in u} for _ in range(2))
        h = {p.name: np.zeros(p.weight.T.shape) for p in network.projections if p.plasticity}
        history, rows = [], []
        for t in range(network.steps):
            now, at = {}, 0
            for p in network.populations:
                if p.name not in u:
                    now[p.name] = sample[min(t, len(sample) - 1)][at : at + p.size].astype(float)
                    at += p.size
            history.append(now)
            for name in u:
                model = network.population(name).model
                current, learners = np.zeros(len(u[name])), []
                for p in network.incoming(name):
                    size = p.weight.shape[1]
                    x = history[t - p.delay].get(p.source, np.zeros(size)) if t >= p.delay else 0
                    x = x * attenuation(p, network.steps)[t] * np.ones(size)
                    current += p.weight.astype(float) @ x
                    current += 0 if p.bias is None else p.bias
                    if p.plasticity:
                        current += p.plasticity.alpha * (x @ h[p.name])
                        learners.append((p, x))
                v = u[name].copy()
                if model.reset == "zero":
                    v *= 1 - s[name]
                subtract = model.threshold * s[name] * (model.reset == "subtract")
                before = model.reset_order == "before_leak"
                v = (v - subtract) * model.decay if before else v * model.decay - subtract
                u[name] = v + current
                level = np.full(len(v), model.threshold)
                if model.adaptation:
                    a[name] = model.adaptation.decay * a[name] + s[name]
                    level = level + model.adaptation.strength * a[name]
                wait[name] = np.maximum(wait[name] - 1, 0)
                above = u[name] >= level if model.fires == "at" else u[name] > level
                s[name] = (above & (wait[name] == 0)).astype(float)
                wait[name] = np.where(s[name] > 0, model.refractory, wait[name])
                now[name] = s[name]
                for p, x in learners:
                    rule = p.plasticity
                    post = np.tanh(u[name] / model.threshold - rule.eta)
                    update = rule.rho * h[p.name] + np.outer(rule.beta * x, post)
                    h[p.name] = np.clip(update, -rule.clamp, rule.clamp)
            rows.append(np.concatenate([s[name] for name in u]))
        spikes.append(rows)
        potentials.append(u[network.readout])
    return np.array(spikes), np.array(potentials)


def tanh_entry(i: int, entries: int, reach: float, bits: int) -> int:
    """One entry of the post-factor table, rounded to nearest, halves up."""
    return math.floor(math.tanh((2 * i / entries - 1) * reach) * 2 ** (bits - 1) + 0.5)
