"""A network on processors, one number at a time in plain Python: the twin of kernels/processor.

Whole runs as `chipsim.kernels.processor.ideal` does them.  Synapses are a list of objects, every
product a Python integer; nothing is skipped where it is zero.
"""

import math

from tests import naive_stdp

WORD = 2**64 - 1
NEURON, TRACE, SYNAPSE, UPDATE, FEEDBACK = 1, 2, 3, 4, 5


def mix(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & WORD
    return x ^ (x >> 31)


def saturate(x, low=-(2**31), high=2**31 - 1):
    return min(max(x, low), high)


class Rounding:
    """Shifts as the chip does; ``at`` says whose noise it is."""

    def __init__(self, formats):
        self.kind = "stochastic" if formats["stochastic"] else "other"
        self.nearest = bool(formats["half"])
        self.seed = int(formats["seed"])

    def word(self, tick, purpose, neuron, item, more=0):
        key = mix(self.seed + 0x9E3779B97F4A7C15 & WORD)
        key = mix(key + neuron & WORD)
        key = mix(key + (tick << 32) + purpose * 65536 & WORD) + more
        return mix(key + item * 0x9E3779B97F4A7C15 & WORD)

    def shift(self, x, bits, word, part):
        if self.kind == "stochastic":
            ten = word >> (10 * part) & 1023
            return (x + (ten << bits >> 10)) >> bits
        return (x + ((1 << bits >> 1) if self.nearest else 0)) >> bits

    def change(self, x, bits, word):
        """A weight's change, which is always rounded stochastically."""
        return (x + ((word & 1023) << bits >> 10)) >> bits


class Neuron:
    def __init__(self):
        self.v = self.a = self.wait = self.z = 0
        self.ring = {}


class Synapse:
    """One plastic synapse: from column ``i`` onto neuron ``j`` of its learner."""

    def __init__(self, place, itself):
        self.place, self.itself = place, itself
        self.epsilon = self.smooth = self.total = self.gradient = 0
        self.first = self.second = 0


class Learner:
    def __init__(self, record, learning):
        self.p, self.first = int(record["population"]), int(record["first"])
        self.size, self.pre = int(record["size"]), int(record["pre"])
        columns = range(int(record["column"]), int(record["column"]) + self.pre)
        self.synapses = [
            [Synapse(int(learning.column[i]) + j, learning.own[i] == j) for i in columns]
            for j in range(self.size)
        ]
        self.trace = [0] * self.pre
        self.arrivals = {}
        self.spikes = [0] * self.size


class Processor:
    """A `ProcessorNetwork` in plain numbers."""

    def __init__(self, network, weight):
        self.program, self.fanout = network.program, network.fanout
        self.weight = [int(w) for w in weight]
        self.round = Rounding(network.program.formats[0])
        self.total = int(network.program.formats[0]["neurons"])
        self.learning = network.learning
        self.learners = []
        self.raster, self.output = [], []
        if self.learning is not None:
            self.c = {
                k: int(self.learning.constants[0][k]) for k in self.learning.constants.dtype.names
            }
            self.learners = [Learner(r, self.learning) for r in self.learning.learners]
            self.feedback = [[int(b) for b in row] for row in network.feedback]
        self.rules = [
            naive_stdp.Rule(record, network.stdp.table, self.weight)
            for record in network.stdp.rules
        ]
        self.rewards = [0] * len(self.rules)
        self.saturated = [[0, 0, 0] for _ in self.program.populations]

    def rest(self):
        self.neurons = [Neuron() for _ in range(self.total)]
        for rule in self.rules:
            rule.rest()
        self.postponed = {}
        self.signal = [0] * (self.c["outputs"] if self.learners else 0)
        for learner in self.learners:
            learner.trace, learner.arrivals = [0] * learner.pre, {}
            for row in learner.synapses:
                for synapse in row:
                    synapse.epsilon = synapse.smooth = 0

    def signed(self, word):
        return word - 65536 if word >= 32768 else word

    def run(self, samples, lesson, tick=0):
        depth = int(self.fanout.offset.max())
        updates = 0
        count, steps = samples.asked.shape
        for s in range(count):
            self.rest()
            rows, outputs = [[] for _ in range(steps)], [None] * steps
            for now in range(steps + depth):
                self.tick(samples, s, now, tick, steps, lesson, rows, outputs)
                tick += 1
            self.raster.append(rows)
            self.output.append(outputs)
            if self.learners and lesson.learns and lesson.batch and (s + 1) % lesson.batch == 0:
                self.update(int(lesson.rates[updates]), tick)
                updates += 1
        for rule in self.rules:
            self.saturated[rule.r["target"]][2] += rule.clipped
        return tick

    def tick(self, samples, s, now, tick, steps, lesson, rows, outputs):
        sent, signals = [], []
        for number, rule in enumerate(self.rules):
            rule.release(self.rewards[number], tick)
            self.rewards[number] = 0
        for p, population in enumerate(self.program.populations):
            t = now - int(self.fanout.offset[p])
            if not 0 <= t < steps:
                continue
            first, size = int(population["first"]), int(population["size"])
            if population["source"]:
                begin, end = samples.first[s, t], samples.first[s, t + 1]
                fired = [int(n) for n in samples.neuron[begin:end] if first <= n < first + size]
            else:
                fired = [n for n in range(first, first + size) if self.fire(population, p, n, tick)]
            rows[t] += fired
            sent += [(p, n) for n in fired]
            if lesson.learns:
                self.note(p, fired, tick)
            for number, learner in enumerate(self.learners):
                if learner.p == p:
                    asked = bool(samples.asked[s, t])
                    target = [int(x) for x in samples.target[s, t]]
                    if lesson.learns:
                        self.arrive(learner, number, tick)
                    if number == 0 and lesson.learns:
                        self.learn_layer(learner, tick)
                    if number == 1:
                        outputs[t] = self.read_out(learner, tick)
                        if lesson.learns and asked:
                            signals = self.learn_readout(learner, outputs[t], target, tick)
        for projection, n in self.postponed.pop(tick, []):
            self.process(projection, n, tick, lesson.learns)
        for p, n in sent:
            self.deliver(p, n, tick, lesson.learns)
        for k, error in enumerate(signals):
            self.signal[k] = saturate(self.signal[k] + error)

    def note(self, p, fired, tick):
        for number, rule in enumerate(self.rules):
            for n in fired:
                if rule.r["target"] == p:
                    rule.fired(n, tick)
                if rule.r["rewarded"] and rule.r["reward"] == n:
                    self.rewards[number] += 1

    def deliver(self, p, n, tick, learns):
        for projection in self.fanout.projections:
            if projection["source"] != p:
                continue
            # Where weights may change meanwhile the row itself waits; else its synapses are slower.
            later, plastic = int(projection["later"]), projection["stdp"] >= 0
            if later and (plastic or projection["learner"] >= 0):
                self.postponed.setdefault(tick + later, []).append((projection, n))
            else:
                self.process(projection, n, tick, learns, later)

    def process(self, projection, n, tick, learns, later=0):
        i = n - int(self.program.populations[projection["source"]]["first"])
        low, high = (int(self.fanout.starts[projection["starts"] + i + k]) for k in (0, 1))
        if learns and projection["learner"] >= 0:
            learner = self.learners[projection["learner"]]
            column = int(projection["column"]) + i
            if self.c["continuous"]:
                self.fetch(learner, column)
            when = tick + int(projection["delay"])
            learner.arrivals.setdefault(when, []).append(column)
        places = range(int(projection["first"]) + low, int(projection["first"]) + high)
        if learns and projection["stdp"] >= 0:
            synapses = [(int(self.program.place[k]) % self.total, k) for k in places]
            self.rules[projection["stdp"]].row(i, synapses, tick)
        for k in places:
            row, post = divmod(int(self.program.place[k]), self.total)
            delay, kind = divmod(row, 2)
            w = self.signed(self.weight[k]) if projection["signed"] else self.weight[k]
            self.neurons[post].ring.setdefault((tick + later + delay, kind), []).append(w)

    def fire(self, population, p, n, tick):
        q = {name: int(population[name]) for name in population.dtype.names}
        neuron = self.neurons[n]
        word = self.round.word(tick, NEURON, n, 0)
        v = neuron.v
        if neuron.z and q["reset"] == 2:
            v = 0
        if neuron.z and q["reset"] == 1 and q["before_leak"]:
            v = saturate(v - q["threshold"])
        v = self.round.shift(v * q["decay"], 32, word, 0)
        if neuron.z and q["reset"] == 1 and not q["before_leak"]:
            v -= q["threshold"]
        sums = [sum(neuron.ring.pop((tick, kind), [])) for kind in (0, 1)]
        low, high = (-32768, 32767) if q["types"] == 1 else (0, 65535)
        kept = [saturate(x, low, high) for x in sums]
        self.saturated[p][0] += sum(a != b for a, b in zip(sums, kept, strict=True))
        current = (kept[0] << q["shift"]) - (kept[1] << q["shift_inhibitory"])
        total = v + int(self.program.bias[n]) + current
        neuron.v = saturate(total)
        self.saturated[p][1] += neuron.v != total
        if q["adapts"]:
            a = self.round.shift(neuron.a * q["adaptation_decay"], 32, word, 1)
            neuron.a = saturate(a + 32768 * neuron.z)
        level = self.level(q, n, word)
        wait = max(neuron.wait - 1, 0)
        over = neuron.v > level or (q["fires_at"] and neuron.v == level)
        neuron.z = int(wait == 0 and bool(over))
        neuron.wait = q["refractory"] if neuron.z else wait
        return neuron.z

    def level(self, q, n, word):
        if not q["adapts"]:
            return int(q["threshold"])
        rise = int(self.program.strength[n]) * self.neurons[n].a
        return int(q["threshold"]) + self.round.shift(rise, 15, word, 2)

    def decay(self, x, loss, word, part):
        return self.round.shift(x * (2**32 + loss), 32, word, part)

    def arrive(self, learner, number, tick):
        loss, gain = (
            (self.c["alpha"], 32768) if number == 0 else (self.c["kappa"], self.c["gain_fixed"])
        )
        came = learner.arrivals.pop(tick, [])
        for i in range(learner.pre):
            word = self.round.word(tick, TRACE, learner.first, i)
            kept = self.decay(learner.trace[i], loss, word, 0)
            learner.trace[i] = saturate(kept + gain * came.count(i))

    def psi(self, learner, n, tick):
        neuron, c = self.neurons[n], self.c
        if neuron.wait and not neuron.z:
            return 0
        word, other = (self.round.word(tick, NEURON, n, item) for item in (0, 1))
        distance = abs(neuron.v - self.level(self.program.populations[learner.p], n, word))
        near = max(32768 - self.round.shift(distance * c["per_threshold"], 15, other, 0), 0)
        return self.round.shift(c["peak"] * near, 15, other, 1)

    def learn_layer(self, learner, tick):
        c, shift = self.c, self.round.shift
        for j in range(learner.size):
            n = learner.first + j
            learner.spikes[j] += self.neurons[n].z
            psi, signal = self.psi(learner, n, tick), 0
            for k, error in enumerate(self.signal):
                word = self.round.word(tick, NEURON, n, 2 + k)
                signal += shift(self.feedback[k][j] * error, 15, word, 0) if error else 0
            signal = saturate(signal)
            beta = int(self.program.strength[n])
            for i, s in enumerate(learner.synapses[j]):
                word = self.round.word(tick, SYNAPSE, n, i)
                e = shift(
                    psi * (learner.trace[i] - shift(beta * s.epsilon, 15, word, 0)), 15, word, 1
                )
                s.epsilon = self.decay(s.epsilon, c["rho"], word, 2) + e if beta else 0
                kept = self.decay(s.smooth, c["kappa"], word, 3)
                s.smooth = kept + shift(e * c["gain"], 32, word, 4)
                s.total = saturate(s.total + shift(e, c["sum_shift"], word, 5))
            self.collect(c["step_layer"], signal, learner.synapses[j], None, n, tick)
        self.signal = [0] * len(self.signal)

    def collect(self, step, signal, synapses, trace, n, tick):
        bits = 16 if self.c["continuous"] else self.c["gradient_shift"]
        factor = saturate(signal * step >> 16) if self.c["continuous"] else signal
        if signal == 0:
            return
        for i, s in enumerate(synapses):
            word = self.round.word(tick, SYNAPSE, n, i, more=1)
            x = factor * (s.smooth if trace is None else trace[i])
            s.gradient = saturate(s.gradient + self.round.shift(x, bits, word, 0))

    def read_out(self, learner, tick):
        y = []
        for k in range(learner.size):
            word = self.round.word(tick, NEURON, learner.first + k, 1)
            v = self.neurons[learner.first + k].v
            y.append(self.round.shift(v * self.c["gain"], 32, word, 0))
        return y

    def learn_readout(self, learner, output, target, tick):
        said = softmax(output) if self.c["classification"] else output
        errors = [a - b for a, b in zip(said, target, strict=True)]
        for k, error in enumerate(errors):
            n = learner.first + k
            self.collect(self.c["step_readout"], error, learner.synapses[k], learner.trace, n, tick)
        return errors

    def move(self, learner, place, change):
        old = self.signed(self.weight[place])
        new = saturate(old - change, -self.c["limit"], self.c["limit"])
        self.saturated[learner.p][2] += new != old - change
        self.weight[place] = new % 65536
        return old - new

    def fetch(self, learner, column):
        for row in learner.synapses:
            s = row[column]
            whole = s.gradient >> 15
            if whole and not s.itself:
                s.gradient -= whole << 15
                self.move(learner, s.place, whole)

    def update(self, rate, tick):
        c = self.c
        for number, learner in enumerate(self.learners):
            shift = int(self.program.populations[learner.p]["shift"])
            for j, row in enumerate(learner.synapses):
                excess = 0
                if number == 0:
                    excess = learner.spikes[j] * c["rate_per_spike"] - c["rate_target"]
                    excess = saturate(excess)
                for i, s in enumerate(row):
                    if s.itself:
                        continue
                    word = self.round.word(tick, UPDATE, learner.first + j, i)
                    g = saturate(
                        s.gradient + (excess * s.total >> 17 - c["sum_shift"] + c["gradient_shift"])
                    )
                    change = self.change(s, g, rate, shift, word)
                    s.gradient = saturate(self.move(learner, s.place, change))
        self.update_feedback(tick)
        for learner in self.learners:
            learner.spikes = [0] * learner.size
            for row in learner.synapses:
                for s in row:
                    s.gradient = s.total = 0

    def change(self, s, g, rate, shift, word):
        c = self.c
        if not c["adam"]:
            return self.round.change(g * rate, 47 - c["gradient_shift"] + shift, word)
        s.first = (s.first * c["decay1"] >> 32) + (g * (2**32 - c["decay1"]) >> 32)
        s.second = (s.second * c["decay2"] >> 32) + g * g - (g * g * c["decay2"] >> 32)
        ratio = s.first * rate // (math.isqrt(s.second) + c["epsilon"])
        return self.round.change(ratio, 16 + shift, word)

    def update_feedback(self, tick):
        c = self.c
        layer, readout = self.learners
        shift = int(self.program.populations[readout.p]["shift"])
        for k, row in enumerate(readout.synapses):
            for i in range(layer.size):
                s = row[c["layer_column"] + i]
                if c["feedback"] == 1:
                    self.feedback[k][i] = self.signed(self.weight[s.place]) << shift
                if c["feedback"] == 2:
                    word = self.round.word(tick, FEEDBACK, readout.first + k, i)
                    taken = 2**32 - c["feedback_decay"]
                    w = self.signed(self.weight[s.place])
                    lost = w * taken + ((word & 1023) << 22) >> 32
                    self.move(readout, s.place, lost)
                    change = max(-32768, min(s.gradient, 32767))
                    b = saturate(self.feedback[k][i] - (change << shift))
                    lost = b * taken + ((word >> 10 & 1023) << 22) >> 32
                    self.feedback[k][i] = b - lost


def exponential(x):
    """``exp(-x / 2^15)`` in U1.31."""
    result = 2**31 if x < 2**20 else 0
    for b in range(20):
        if x >> b & 1:
            result = result * round(math.exp(-(2.0 ** (b - 15))) * 2**32) >> 32
    return result


def softmax(output):
    powers = [exponential(max(output) - y) for y in output]
    return [(power << 15) // sum(powers) for power in powers]
