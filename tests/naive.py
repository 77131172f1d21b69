"""Plain twins of the kernels: the same definitions, one synapse at a time, in Python integers.

Written from the equations in `chipsim.quantise.fixed` and `chipsim.network`, not from the kernels:
no slices, no rows, no skipping of zeros.
"""

from __future__ import annotations

import math

import numpy as np

from chipsim.network import Graded, Network, attenuation, evaluation_order

WORD = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
LEAK, GAIN, RATE, ATTENUATE, POST, DECAY, UPDATE, ADAPT, SHARE, OUTPUT = range(1, 11)
MEMBRANE_OUTPUT = 16


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


def unrolled(weight, c):
    """The matrix (n_pre, n_post) of a convolution, from the words of its definition."""
    (channels_in, high, wide), (channels_out, y_size, x_size) = c.source_shape, c.target_shape

    def number(channel, y, x, shape):
        if c.channels_last:
            return (y * shape[2] + x) * shape[0] + channel
        return (channel * shape[1] + y) * shape[2] + x

    matrix = np.zeros((channels_in * high * wide, channels_out * y_size * x_size), weight.dtype)
    for o, y, x in np.ndindex(channels_out, y_size, x_size):
        for i, dy, dx in np.ndindex(channels_in, weight.shape[2], weight.shape[3]):
            row, column = y * c.stride + dy - c.padding, x * c.stride + dx - c.padding
            if 0 <= row < high and 0 <= column < wide:
                pre = number(i, row, column, c.source_shape)
                matrix[pre, number(o, y, x, c.target_shape)] = weight[o, i, dy, dx]
    return matrix


def matrix_of(projection):
    """Integer weights (n_pre, n_post) of a fixed projection."""
    if projection.connectivity:
        return unrolled(projection.weight, projection.connectivity)
    return projection.weight


class Faultless:
    """Hardware as it should be; `tests.faults.plain_faults` has the other."""

    def hears(self, projection, i, n, sample, t):
        """Whether the synapse from axon i onto neuron n hears its axon."""
        return True

    def counts(self, projection, i, n, sample, t):
        """Whether the part of the sum that synapse is in reaches neuron n."""
        return True

    def learns(self, projection, i, n, sample, t):
        """Whether the factor of neuron n reaches that synapse."""
        return True

    def flip(self, population, u, traces, sample, t):
        """Change membranes and traces after a step."""


def run_fixed(fixed, values, seed=0, first_sample=0, faults=Faultless(), steps=None):  # noqa: B008
    """Return (spikes (S, T, neurons), potentials of the readout (S, n)), both lists.

    The final ones or, where the first spike decides, those of that step.  To ``steps`` is added
    what was sent in each, by population, and by ("membrane", population).
    """
    rounder = Rounder(fixed.arithmetic.rounding, seed)
    all_spikes, potentials = [], []
    traces = {}
    for n in range(values.shape[0]):
        for j in fixed.projections:
            rule = j.plasticity
            if rule and rule.carried and n == 0 and rule.initial is not None:
                traces[j.name] = [[int(h) for h in row] for row in rule.initial]
            elif rule and (not rule.carried or n == 0):
                traces[j.name] = [[0] * j.n_post for _ in range(j.n_pre)]
        spikes, potential, sent = _run_sample(
            fixed, values[n], rounder, first_sample + n, traces, faults
        )
        if steps is not None:
            steps += sent
        all_spikes.append(spikes)
        potentials.append(potential)
    return all_spikes, potentials


def _factored(h, factor, i, n, rounding):
    """A trace times its factor."""
    if factor is None:
        return h
    half = (1 << factor.shift) >> 1 if rounding != "truncate" else 0
    return (int(factor.value[i, n]) * h + half) >> factor.shift


def _run_sample(fixed, values, rounder, sample, traces, faults):
    arith = fixed.arithmetic
    weights = {j.name: matrix_of(j) for j in fixed.projections}
    outputs = {p.name: [0] * p.size for p in fixed.populations}
    pops = fixed.populations
    u = {p.name: [0] * p.size for p in pops}
    fired = {p.name: [0] * p.size for p in pops}
    risen = {p.name: [0] * p.size for p in pops}
    waiting = {p.name: [0] * p.size for p in pops}
    history = []
    rule_of, channel_of = {}, {}
    channels = 0
    for p in pops:
        for j in fixed.incoming(p.name):
            channel_of[j.name] = channels
            channels += 1
            if j.plasticity:
                channels += 1
                rule_of[j.name] = len(rule_of)
    out, answer = [], None
    for t in range(fixed.steps):
        now = {}
        at = 0
        for i in fixed.inputs:
            row = values[min(t, values.shape[0] - 1)]
            now[i.name] = [int(v) for v in row[at : at + i.size]]
            at += i.size
        history.append(now)

        def activity(j, t=t):
            size, sender = j.n_pre, ("membrane", j.source) if j.membrane else j.source
            return history[t - j.delay].get(sender, [0] * size) if t >= j.delay else [0] * size

        for index, p in enumerate(pops):
            for n in range(p.size):
                current = int(p.bias[n])
                for j in fixed.incoming(p.name):
                    at = (n, sample, t)
                    x = [
                        v * (faults.hears(j, i, *at) and faults.counts(j, i, *at)) if v else 0
                        for i, v in enumerate(activity(j))
                    ]
                    total = sum(x[i] * int(weights[j.name][i, n]) for i in range(len(x)))
                    terms = [(total, j.gain, channel_of[j.name])]
                    if j.plasticity:
                        h, factor = traces[j.name], j.plasticity.factor
                        plastic = sum(
                            x[i] * _factored(h[i][n], factor, i, n, arith.rounding)
                            for i in range(len(x))
                        )
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
            outputs[p.name] = list(fired[p.name])
            if p.activation:
                a = p.activation
                half = len(a.table) // 2
                for n in range(p.size):
                    product = u[p.name][n] * a.gain
                    place = rounder.shift(product, a.shift, (sample, t, OUTPUT, index, n)) + half
                    outputs[p.name][n] = int(a.table[max(0, min(2 * half - 1, place))])
                    fired[p.name][n] = int(outputs[p.name][n] != 0)
            now[p.name] = outputs[p.name]
            if p.sent_membrane:
                key = (sample, t, MEMBRANE_OUTPUT, index)
                now["membrane", p.name] = sent_membranes(p, fixed.steps, u[p.name], rounder, key)
            for j in fixed.incoming(p.name):
                if j.plasticity:
                    key = (sample, t, rule_of[j.name])
                    _learn(j, activity(j), u[p.name], traces[j.name], rounder, key, arith, faults)
            faults.flip(p, u[p.name], traces, sample, t)
        out.append([s for p in pops for s in fired[p.name]])
        if fixed.readout_kind == "first_spike" and any(fired[fixed.readout]) and answer is None:
            answer = list(u[fixed.readout])
    return out, u[fixed.readout] if answer is None else answer, history


def sent_membranes(population, steps, u, rounder, key):
    """What a population's membranes are as numbers in packets."""
    sent, t = population.sent_membrane, key[1]
    if sent.last and t < steps - 1:
        return [0] * len(u)
    scaled = [rounder.shift(v * sent.gain, sent.shift, (*key, n)) for n, v in enumerate(u)]
    return [max(-sent.levels.maximum, min(sent.levels.maximum, value)) for value in scaled]


def _posts(rule, u, rounder, key):
    sample, t, k = key
    half = len(rule.table) // 2
    drive = []
    for n, v in enumerate(u):
        scaled = rounder.shift(v * rule.post_gain, rule.post_shift, (sample, t, POST, k, n))
        drive.append(scaled - int(rule.sliding[n]))
    if rule.post == "tanh":
        return [int(rule.table[max(0, min(2 * half - 1, z + half))]) for z in drive]
    if rule.post == "linear":
        return [max(-rule.post_high, min(rule.post_high, z)) for z in drive]
    e = [int(rule.table[min(max(drive) - z, half - 1)]) for z in drive]
    b = math.floor(math.log2(sum(e))) - (half.bit_length() - 1)
    mantissa = sum(e) >> b if b >= 0 else sum(e) << -b
    assert half <= mantissa < 2 * half
    shift = b + half.bit_length() - 1
    shares = [
        rounder.shift(x * int(rule.table[mantissa]), shift, (sample, t, SHARE, k, n))
        for n, x in enumerate(e)
    ]
    return [min(share, rule.post_high) for share in shares]


def _learn(projection, x, u, trace, rounder, key, arith, faults):
    rule = projection.plasticity
    sample, t, k = key
    posts = _posts(rule, u, rounder, key)
    same = arith.trace_rounding == "same"
    own = Rounder(arith.rounding if same else arith.trace_rounding, rounder.seed)
    for i, value in enumerate(x):
        pre = rounder.shift(value * int(rule.rate[i]), rule.rate_shift, (sample, t, RATE, k, i))
        pre = rounder.shift(pre * int(rule.attenuation[t]), 15, (sample, t, ATTENUATE, k, i))
        for n, post in enumerate(posts):
            index = i * len(posts) + n
            kept = own.shift(
                trace[i][n] * rule.decay, rule.decay_bits, (sample, t, DECAY, k, index)
            )
            at = (projection, i, n, sample, t)
            product = pre * post * (faults.hears(*at) and faults.learns(*at)) if pre else 0
            change = own.shift(product, rule.update_shift, (sample, t, UPDATE, k, index))
            trace[i][n] = max(-rule.clamp, min(rule.clamp, kept + change))


def run_float(network: Network, values: np.ndarray):
    """Return (spikes, readout potentials) of the float equations, as `run_fixed`, in doubles."""
    spikes, potentials = [], []
    h = {}
    for number, sample in enumerate(values):
        for p in network.projections:
            rule = p.plasticity
            if rule and (number == 0 or rule.state == "reset"):
                stored = rule.stored_trace if rule.state == "carried" else None
                h[p.name] = np.zeros(p.weight.T.shape) if stored is None else stored.astype(float)
        rows, potential = _float_sample(network, sample, h)
        spikes.append(rows)
        potentials.append(potential)
    return np.array(spikes), np.array(potentials)


def _float_sample(network, sample, h):
    u = {n: np.zeros(network.population(n).size) for n in evaluation_order(network)}
    s = {n: np.zeros(network.population(n).size) for n in u}
    a, wait = ({n: np.zeros(len(u[n])) for n in u} for _ in range(2))
    weights = {
        p.name: unrolled(p.weight, p.connectivity).T if p.connectivity else p.weight
        for p in network.projections
    }
    history, rows, answer = [], [], None
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
                size = weights[p.name].shape[1]
                sender = ("membrane", p.source) if p.membrane else p.source
                x = history[t - p.delay].get(sender, np.zeros(size)) if t >= p.delay else 0
                x = x * attenuation(p, network.steps)[t] * np.ones(size)
                current += weights[p.name].astype(float) @ x
                current += 0 if p.bias is None else p.bias
                if p.plasticity:
                    factor = 1.0 if p.plasticity.factor is None else p.plasticity.factor
                    current += p.plasticity.alpha * (x @ (factor * h[p.name]))
                    learners.append((p, x))
            if isinstance(model, Graded):
                u[name] = current
                curve = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0), "linear": lambda v: v}
                output = np.clip(curve[model.activation](current), -model.maximum, model.maximum)
                now[name], s[name] = output, (output != 0).astype(float)
            else:
                _float_neurons(model, name, current, (u, s, a, wait))
                now[name] = s[name]
                sent = network.sent_membrane(name)
                if sent and (sent.steps == "all" or t == network.steps - 1):
                    now["membrane", name] = np.clip(u[name], -sent.maximum, sent.maximum)
            for p, x in learners:
                rule = p.plasticity
                theta = 1.0 if isinstance(model, Graded) else model.threshold
                update = rule.rho * h[p.name]
                update = update + rule.sign * np.outer(
                    rule.beta * x, _float_post(rule, u[name], theta)
                )
                h[p.name] = (
                    update if rule.clamp is None else np.clip(update, -rule.clamp, rule.clamp)
                )
        rows.append(np.concatenate([s[name] for name in u]))
        if network.readout_kind == "first_spike" and s[network.readout].any() and answer is None:
            answer = u[network.readout].copy()
    return rows, u[network.readout] if answer is None else answer


def _float_post(rule, u, theta):
    if rule.post == "softmax":
        e = np.exp(u - rule.eta - (u - rule.eta).max())
        return e / e.sum()
    return np.tanh(u / theta - rule.eta) if rule.post == "tanh" else u / theta - rule.eta


def _float_neurons(model, name, current, state):
    u, s, a, wait = state
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


def tanh_entry(i: int, entries: int, reach: float, bits: int) -> int:
    """One entry of the post-factor table, rounded to nearest, halves up."""
    return math.floor(math.tanh((2 * i / entries - 1) * reach) * 2 ** (bits - 1) + 0.5)
