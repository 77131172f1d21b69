"""Every variant of hybrid plasticity (Wu et al. 2022, released code) runs and learns on chip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chipsim.job import Choices
from chipsim.load.chip_file import read_chip
from chipsim.network import LIF, Input, Network, Population, Projection, Trace
from chipsim.pipeline import simulate
from chipsim.plasticity import Eprop, HybridPlasticity
from chipsim.report.summary import summarise
from chipsim.simulate.float_reference import run_float

PRE, HIDDEN, OUT, SAMPLES = 60, 300, 8, 12
"""More hidden neurons than a core holds: the postsynaptic factors come from several cores."""


def lif(threshold: float, decay: float, reset: str = "subtract") -> LIF:
    return LIF(threshold, decay, reset="zero" if reset == "zero" else "subtract")


def rule(rng: np.random.Generator, n_pre: int, n_post: int) -> HybridPlasticity:
    return HybridPlasticity(
        alpha=0.5,
        beta=rng.uniform(0, 0.1, n_pre).astype(np.float32),
        eta=rng.uniform(0, 0.1, n_post).astype(np.float32),
        rho=0.95,
        clamp=4.0,
    )


VARIANTS = {
    "A": (lif(0.35, 0.4), 10, 40.0, {}),
    "B": (lif(0.3, 0.6), 10, 40.0, {"clamp": 2.0, "post": "linear", "sign": -1}),
    "C": (lif(0.45, 0.75, "zero"), 10, 30.0, {"rho": 0.9, "post": "linear", "sign": -1}),
    "C'": (lif(0.5, 0.7), 8, 50.0, {"rho": 0.9, "clamp": None, "post": "linear", "sign": -1}),
    "D": (lif(0.5, 0.2, "zero"), 6, None, {"rho": 0.99, "clamp": None, "post": "softmax"}),
    "E": (lif(0.5, 0.8), 3, 50.0, {"rho": 0.8, "clamp": None}),
}


def network(variant: str) -> Network:
    """An input, a hidden layer (plastic but in D) and a plastic readout."""
    rng = np.random.default_rng(4)
    model, steps, tau, changes = VARIANTS[variant]

    def projection(name: str, source: str, target: str, n_pre: int, n_post: int) -> Projection:
        weight = rng.normal(0.05, 1.0, (n_post, n_pre)).astype(np.float32) * n_pre**-0.5
        made = replace(rule(rng, n_pre, n_post), **changes)
        if variant == "D":
            mix = rng.random((n_pre, n_post)).astype(np.float32)
            made = replace(made, alpha=1.0, factor=1 - mix)
            weight = weight * mix.T
        if variant == "E":
            mask = (rng.random((n_pre, n_post)) < 0.3).astype(np.float32)
            made = replace(made, factor=1 - mask)
            weight = 2 * weight * mask.T
        plastic = variant != "D" or target == "out"
        return Projection(
            name, source, target, np.ascontiguousarray(weight, np.float32),
            attenuation_tau=tau, plasticity=made if plastic else None,
        )  # fmt: skip

    return Network(
        name=variant,
        steps=steps,
        populations=(
            Population("in", PRE, Input("graded")),
            Population("hidden", HIDDEN, model),
            Population("out", OUT, replace(model, reset="none")),
        ),
        projections=(
            projection("first", "in", "hidden", PRE, HIDDEN),
            projection("second", "hidden", "out", HIDDEN, OUT),
        ),
        readout="out",
        readout_kind="membrane",
    )


def held(seed: int = 0) -> Trace:
    values = np.random.default_rng(seed).integers(0, 256, (SAMPLES, PRE)).astype(np.uint8)
    return Trace("held", scale=1 / 255, held=values)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_learns_on_chip_as_in_float(variant: str) -> None:
    net = network(variant)
    results = simulate(net, read_chip("tianjic"), held(), Choices(mesh_phases=20))
    lsb = results.fixed.population("out").membrane_format.lsb
    chip, ideal = results.activity.answers.potential * lsb, results.reference.potential
    still = replace(net, projections=tuple(replace(p, plasticity=None) for p in net.projections))
    off = run_float(still, held()).potential
    moved = np.abs(ideal - off).mean()
    assert moved > 0.05  # plasticity changes the answer,
    assert np.abs(chip - ideal).mean() < 0.1 * moved  # and by as much on the chip
    assert results.activity.learning.any()
    assert set(results.activity.clamped.values()) == {0}
    plastic = [part for part in results.mapping.slices if part.plastic]
    items = [use.items for part in plastic for use in results.mapping.memory[part.index]]
    assert any("traces" in held for held in items)
    assert any("trace factors" in held for held in items) == (variant in "DE")


@pytest.mark.parametrize("variant", ["A", "D"])
def test_carried_traces_change_later_samples(variant: str) -> None:
    """The second of two equal samples is answered otherwise, for any batch and thread count."""
    net = network(variant)
    carried = replace(
        net,
        projections=tuple(
            replace(p, plasticity=p.plasticity and replace(p.plasticity, state="carried"))
            for p in net.projections
        ),
    )
    one = held()
    twice = replace(one, held=np.repeat(one.held[:3], 2, axis=0))
    chip = read_chip("tianjic")
    runs = [
        simulate(carried, chip, twice, Choices(mesh_phases=5, batch=batch, threads=threads))
        for batch, threads in ((25, 1), (1, 2))
    ]
    potential = runs[0].activity.answers.potential
    np.testing.assert_array_equal(potential, runs[1].activity.answers.potential)
    assert (potential[0] != potential[1]).any()
    reset = simulate(net, chip, twice, Choices(mesh_phases=5)).activity.answers.potential
    np.testing.assert_array_equal(reset[0], reset[1])


def test_a_rule_of_the_whole_network_is_told_not_to_run() -> None:
    eprop = Eprop(
        "hidden", "second", "symmetric", None, "classification", 1, 0.3, 20.0, 0.0, 0.0, "sgd", 0.1
    )
    net = replace(network("A"), learning=eprop)
    results = simulate(net, read_chip("tianjic"), held(), Choices(mesh_phases=5))
    assert any("does not run on crossbar cores" in line for line in summarise(results)["warnings"])
