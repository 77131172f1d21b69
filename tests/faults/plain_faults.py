"""Faults from their definition, asked about one synapse, neuron or bit at a time."""

from __future__ import annotations

from typing import Any

from chipsim.faults.model import Faults
from chipsim.mapping.model import Mapping, Slice
from tests.naive import GOLDEN, Faultless, mix

AXON, SUM, FACTOR, MEMBRANE, TRACE = range(11, 16)


class PlainFaults(Faultless):
    """The faults of a run on a mapping, hashed in Python integers."""

    def __init__(self, fixed: Any, mapping: Mapping, faults: Faults, seed: int, held: bool) -> None:
        self.fixed, self.mapping, self.rates = fixed, mapping, faults
        self.seed, self.held = seed, held
        self.order = [p.name for p in fixed.inputs] + [p.name for p in fixed.populations]
        self.sizes = {p.name: p.size for p in (*fixed.inputs, *fixed.populations)}
        self.holding = [
            part
            for population in fixed.populations
            for part in mapping.slices
            if part.population == population.name and part.axons
        ]

    def word(self, sample: int, step: int, purpose: int, item: int, index: int) -> int:
        key = mix(mix(self.seed + GOLDEN) + sample)
        return mix(mix(key + (step << 32) + purpose * 65536 + item) + index * GOLDEN)

    def strikes(self, word: int, rate: float) -> bool:
        return word >> 11 < round(rate * 2.0**53)

    def slice_of(self, projection: Any, i: int, n: int) -> tuple[int, Slice]:
        (found,) = (
            (s, part)
            for s, part in enumerate(self.holding)
            if part.population == projection.target
            and part.first <= n < part.first + part.count
            and any(
                run.projection == projection.name and run.first <= i < run.first + run.count
                for run in part.axons
            )
        )
        return found

    def packet(self, projection: Any, i: int, part: Slice) -> int:
        """The number of the packet: that of the first neuron in it."""
        if projection.membrane:
            return self.membrane_place(projection.source) + i
        first = sum(self.sizes[name] for name in self.order[: self.order.index(projection.source)])
        for flow in self.mapping.flows:
            if (
                flow.kind == "input"
                and flow.population == projection.source
                and part.index in flow.targets
                and flow.first <= i < flow.first + flow.count
            ):
                return first + i - (i - flow.first) % flow.neurons_per_packet
        return first + i

    def membrane_place(self, population: str) -> int:
        """Membranes are numbered after all neurons, those of earlier populations first."""
        sending = [p.name for p in self.fixed.populations if p.sent_membrane]
        before = sending[: sending.index(population)]
        return sum(self.sizes.values()) + sum(self.sizes[name] for name in before)

    def hears(self, projection: Any, i: int, n: int, sample: int, t: int) -> bool:
        s, part = self.slice_of(projection, i, n)
        is_input = projection.source in [p.name for p in self.fixed.inputs]
        sent = 0 if is_input and self.held else t - projection.delay
        word = self.word(sample, sent, AXON, s, self.packet(projection, i, part))
        return not self.strikes(word, self.rates.packet_drop)

    def counts(self, projection: Any, i: int, n: int, sample: int, t: int) -> bool:
        return self.arrives(projection, i, n, sample, t, SUM)

    def learns(self, projection: Any, i: int, n: int, sample: int, t: int) -> bool:
        return self.arrives(projection, i, n, sample, t, FACTOR)

    def arrives(self, projection: Any, i: int, n: int, sample: int, t: int, what: int) -> bool:
        s, part = self.slice_of(projection, i, n)
        word = self.word(sample, t, what, s, n)
        return part.role != "dendrite" or not self.strikes(word, self.rates.packet_drop)

    def flip(self, population: Any, u: Any, traces: Any, sample: int, t: int) -> None:
        rate, arithmetic = self.rates.state_flip, self.fixed.arithmetic
        if rate == 0:
            return
        number = [p.name for p in self.fixed.populations].index(population.name)
        for n in range(population.size):
            word = self.word(sample, t, MEMBRANE, number, n)
            u[n] = self.flipped(u[n], arithmetic.membrane_bits, word)
        rules = [
            j.name
            for p in self.fixed.populations
            for j in self.fixed.incoming(p.name)
            if j.plasticity
        ]
        for j in self.fixed.incoming(population.name):
            if not j.plasticity:
                continue
            h, k = traces[j.name], rules.index(j.name)
            for i in range(j.n_pre):
                for n in range(j.n_post):
                    word = self.word(sample, t, TRACE, k, i * j.n_post + n)
                    h[i][n] = self.flipped(h[i][n], arithmetic.trace_bits, word)

    def flipped(self, value: int, bits: int, word: int) -> int:
        if not self.strikes(word, 1 - (1 - self.rates.state_flip) ** bits):
            return value
        stored = value % (1 << bits) ^ (1 << ((word % 2048) * bits >> 11))
        return stored - (1 << bits) if stored >> (bits - 1) else stored
