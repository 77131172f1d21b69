"""Small random networks for processors, static and learning."""

from dataclasses import replace

import numpy as np

from chipsim.connectivity import Sparse
from chipsim.load.chip_file import read_chip
from chipsim.network import LIF, Adaptation, Input, Network, Population, Projection
from chipsim.plasticity import Eprop, PairSTDP, Reward

OFFSETS = {"input": 0, "reward": 0, "hidden": 1, "readout": 2}


def chip_with(rounding, **core):
    chip = read_chip("spinnaker1")
    return replace(chip, core=replace(chip.core, rounding=rounding, **core))


def dense(name, source, target, shape, rng, delay=0, scale=0.5, bias=None):
    weight = rng.normal(0.1, scale, shape).astype(np.float32)
    return Projection(name, source, target, weight, bias=bias, delay=delay)


def sparse(name, source, target, n_pre, n_post, rng):
    kept = rng.random((n_pre, n_post)) < 0.6
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
    post = np.nonzero(kept)[1].astype(np.uint32)
    weight = rng.normal(0.1, 0.5, len(post)).astype(np.float32)
    delay = rng.integers(1, 6, len(post)).astype(np.uint8)
    form = Sparse(starts, post, delay)
    return Projection(name, source, target, weight, delay=1, connectivity=form)


def static_network(rng, steps=30):
    """Inputs, two populations of any kind of neuron with any delays, a readout."""
    sizes = {name: int(rng.integers(1, 6)) for name in ("input", "hidden", "readout")}
    n = sizes["hidden"]
    strength = rng.uniform(0.0, 0.4, n).astype(np.float32)
    hidden = LIF(
        threshold=rng.uniform(0.2, 1.0),
        decay=rng.uniform(0.3, 1.0),
        reset=str(rng.choice(["subtract", "zero"])),
        reset_order=str(rng.choice(["before_leak", "after_leak"])),
        fires=str(rng.choice(["above", "at"])),
        refractory=int(rng.integers(0, 4)),
        adaptation=Adaptation(0.9, strength) if rng.integers(2) else None,
    )
    bias = rng.normal(0.0, 0.1, n).astype(np.float32)
    loop = sparse("loop", "hidden", "hidden", n, n, rng)
    return Network(
        name="static",
        steps=steps,
        populations=(
            Population("input", sizes["input"], Input("spikes")),
            Population("hidden", n, hidden),
            Population("readout", sizes["readout"], LIF(1.0, 0.8, reset="none")),
        ),
        projections=(
            dense("in", "input", "hidden", (n, sizes["input"]), rng, bias=bias),
            loop,
            dense("skip", "input", "readout", (sizes["readout"], sizes["input"]), rng),
            dense("out", "hidden", "readout", (sizes["readout"], n), rng),
        ),
        readout="readout",
    )


def stdp_network(rng, rewarded, steps=60):
    """Inputs that learn by STDP to drive a population, with a loop that does too."""
    n_in, n = int(rng.integers(2, 6)), int(rng.integers(1, 5))
    reward = Reward("reward", 30.0, 10.0) if rewarded else None
    rule = PairSTDP(
        potentiation=rng.uniform(0.005, 0.05),
        depression=rng.uniform(0.005, 0.05),
        tau_plus=rng.uniform(2, 20),
        tau_minus=rng.uniform(2, 20),
        low=0.0,
        high=1.0,
        reward=reward,
    )
    strong = rng.uniform(0.0, 1.0, (n, n_in)).astype(np.float32)
    loop = rng.uniform(0.0, 0.2, (n, n)).astype(np.float32)
    return Network(
        name="stdp",
        steps=steps,
        populations=(
            Population("input", n_in, Input("spikes")),
            Population("reward", 1, Input("spikes")),
            Population("hidden", n, LIF(0.6, 0.9, refractory=2)),
            Population("readout", 1, LIF(1.0, 0.8, reset="none")),
        ),
        projections=(
            Projection("in", "input", "hidden", strong, delay=1, stdp=rule),
            Projection("loop", "hidden", "hidden", loop, delay=2, stdp=rule),
            dense("out", "hidden", "readout", (1, n), rng),
        ),
        readout="readout",
    )


def learning_network(rng, steps=40, **changes):
    """LIF and ALIF neurons that learn by e-prop, with every choice of the rule."""
    n_in, n, outputs = (int(rng.integers(1, 5)) for _ in range(3))
    strength = np.where(rng.random(n) < 0.5, rng.uniform(0.02, 0.4, n), 0.0).astype(np.float32)
    tau = float(rng.uniform(3, 20))
    hidden = LIF(
        threshold=rng.uniform(0.2, 1.0),
        decay=rng.uniform(0.6, 0.98),
        reset="subtract",
        reset_order="after_leak",
        fires="at",
        refractory=int(rng.integers(0, 4)),
        adaptation=Adaptation(0.95, strength) if strength.any() else None,
    )
    kind = str(rng.choice(["random", "symmetric", "adaptive"]))
    feedback = rng.normal(size=(outputs, n)).astype(np.float32)
    rule = Eprop(
        layer="hidden",
        readout="out",
        kind=kind,
        feedback=None if kind == "symmetric" else feedback,
        task=str(rng.choice(["regression", "classification"])),
        window=0,
        dampening=0.3,
        tau_readout=tau,
        rate_cost=float(rng.choice([0.0, 20.0])),
        rate_target=0.05,
        optimiser=str(rng.choice(["sgd", "adam"])),
        learning_rate=0.05,
        batch=2,
        feedback_decay=0.01 if kind == "adaptive" else 0.0,
        signal_delay=2,
    )
    return Network(
        name="learning",
        steps=steps,
        populations=(
            Population("input", n_in, Input("spikes")),
            Population("hidden", n, hidden),
            Population("readout", outputs, LIF(1.0, float(np.exp(-1 / tau)), reset="none")),
        ),
        projections=(
            dense("in", "input", "hidden", (n, n_in), rng, scale=1.0),
            dense("loop", "hidden", "hidden", (n, n), rng, delay=int(rng.integers(1, 4))),
            dense("skip", "input", "readout", (outputs, n_in), rng),
            dense("out", "hidden", "readout", (outputs, n), rng),
        ),
        readout="readout",
        learning=replace(rule, **changes),
    )
