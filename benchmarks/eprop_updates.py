"""Plastic synapses a second: e-prop in the simulator beside its bare loops.

    python benchmarks/eprop_updates.py

One thread, CPU time, best of several.  ``int16`` are the loops that set the ceilings of
``shared/facts/performance.md`` (traces of 16 bit, products by their high half); ``s16.15`` the same
loops on the 32-bit states a SpiNNaker program has, as `chipsim.kernels.processor.synapses` has
them; ``simulator`` whole learning runs of a network, everything included, per synapse and step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from chipsim.kernels.eprop_float import EpropWeights
from chipsim.kernels.processor import synapses
from chipsim.kernels.processor.layout import EPROP
from chipsim.train.eprop.on_chip import SIGNAL_DELAY, put_on_chip, run_on_chip
from chipsim.train.eprop.recipes import RECIPES
from chipsim.train.eprop.rule import Rule
from chipsim.train.eprop.settings import Settings
from chipsim.train.eprop.trial import Trial, spike_events
from chipsim.train.eprop.weights import new_weights

SIDE = 256
BEST_OF = 5


def _int16(name: str) -> Callable[..., np.int16]:
    def typed(_context, a, b):
        def code(_context, builder, _signature, arguments):
            if name == "high":
                wide = ir.IntType(32)
                a, b = (builder.sext(value, wide) for value in arguments)
                product = builder.mul(a, b)
                high = builder.ashr(product, ir.Constant(wide, 16))
                return builder.trunc(high, ir.IntType(16))
            short = ir.IntType(16)
            kind = ir.FunctionType(short, [short, short])
            function = builder.module.declare_intrinsic("llvm.sadd.sat", [short], kind)
            return builder.call(function, arguments)

        return types.int16(types.int16, types.int16), code

    return intrinsic(typed)


high, add = _int16("high"), _int16("add")


@njit
def int16_lif(steps, trace, psi, signal, leak, smooth, gradient):
    for _ in range(steps):
        for i in range(np.uint64(SIDE)):
            z, e, g = trace[i], smooth[i], gradient[i]
            for j in range(np.uint64(SIDE)):
                e[j] = add(add(e[j], high(e[j], leak)), high(psi[j], z))
                g[j] = add(g[j], high(signal[j], e[j]))


@njit
def int16_alif(steps, trace, psi, beta, signal, leak, slow, epsilon, smooth, gradient):
    for _ in range(steps):
        for i in range(np.uint64(SIDE)):
            z, a, e, g = trace[i], epsilon[i], smooth[i], gradient[i]
            for j in range(np.uint64(SIDE)):
                now = high(psi[j], add(z, high(beta[j], a[j])))
                a[j] = add(add(a[j], high(a[j], slow)), now)
                e[j] = add(add(e[j], high(e[j], leak)), now)
                g[j] = add(g[j], high(signal[j], e[j]))


@njit
def s16_lif(steps, c, trace, psi, signal, smooth, total, gradient):
    for _ in range(steps):
        for j in range(SIDE):
            synapses.step_lif(c[0], psi[j], trace, smooth[j], total[j])
            synapses.add_gradient(gradient[j], signal[j], smooth[j], np.int64(15), 0)


@njit
def s16_alif(steps, c, trace, psi, beta, signal, epsilon, smooth, total, gradient):
    for _ in range(steps):
        for j in range(SIDE):
            synapses.step_alif(c[0], psi[j], beta[j], trace, epsilon[j], smooth[j], total[j])
            synapses.add_gradient(gradient[j], signal[j], smooth[j], np.int64(15), 0)


def rate(run: Callable[[int], None], updates: int, steps: int) -> float:
    """Return updates a CPU second in G/s, best of several."""
    run(1)
    best = np.inf
    for _ in range(BEST_OF):
        began = time.process_time()
        run(steps)
        best = min(best, time.process_time() - began)
    return steps * updates / best / 1e9


def bare() -> dict[str, float]:
    """Return the rates of the four loops."""
    rng = np.random.default_rng(0)

    def short(*shape: int) -> np.ndarray:
        return rng.integers(-9000, 9000, shape).astype(np.int16)

    def word(*shape: int) -> np.ndarray:
        return rng.integers(1, 30000, shape).astype(np.int32)

    c = np.zeros(1, EPROP)
    c["kappa"], c["rho"], c["gain"] = -209470000, -2147000, 209470000
    a, b, d, leak, slow = short(SIDE), short(SIDE), short(SIDE), np.int16(-3000), np.int16(-33)
    x, y, z, w = word(SIDE), word(SIDE), word(SIDE), word(SIDE)
    square = (SIDE, SIDE)
    narrow = [short(*square) for _ in range(3)]
    wide = [word(*square) for _ in range(4)]
    synapses_ = SIDE * SIDE
    return {
        "int16 LIF": rate(lambda n: int16_lif(n, a, b, d, leak, *narrow[:2]), synapses_, 2000),
        "int16 ALIF": rate(
            lambda n: int16_alif(n, a, b, d, d, leak, slow, *narrow), synapses_, 2000
        ),
        "s16.15 LIF": rate(lambda n: s16_lif(n, c, x, y, z, *wide[:3]), synapses_, 400),
        "s16.15 ALIF": rate(lambda n: s16_alif(n, c, x, y, w, z, *wide), synapses_, 400),
    }


def simulator(alif: bool, neurons: int = 128, inputs: int = 128) -> float:
    """Return the rate of a network that learns to follow a curve in 1,000 steps."""
    own = RECIPES["cues" if alif else "pattern"]
    layer = replace(
        own.neurons, lif=0 if alif else neurons, alif=neurons if alif else 0, refractory=0
    )
    rule = Rule("random", 1.0, 0.01, 0.1, 0.0, signal_delay=SIGNAL_DELAY)
    settings = Settings("pattern", layer, rule, own.optimiser, 0, 1, 1, arithmetic="s16.15")
    rng = np.random.default_rng(0)
    weights: EpropWeights = new_weights(rng, inputs, layer, 1, rule, "normal")
    chip = put_on_chip(weights, settings, 1000)
    spikes = rng.random((1000, inputs)) < 0.05
    trial = Trial(1000, spike_events(spikes), np.sin(np.arange(1000.0) / 50)[:, None])
    updates = 1000 * neurons * (neurons + inputs)

    def run(steps: int) -> None:
        for _ in range(steps):
            run_on_chip(chip, settings, [trial], 0)

    return rate(run, updates, 4)


def main() -> None:
    """Print the rates and their ratios."""
    rates = bare()
    rates["simulator LIF"] = simulator(alif=False)
    rates["simulator ALIF"] = simulator(alif=True)
    print("G plastic synapse updates a CPU second, one thread")
    for name, value in rates.items():
        kind = name.split()[1]
        own, ceiling = (value / rates[f"{form} {kind}"] for form in ("s16.15", "int16"))
        print(f"{name:16} {value:6.2f}   {own:5.0%} of s16.15, {ceiling:5.0%} of int16")


if __name__ == "__main__":
    main()
