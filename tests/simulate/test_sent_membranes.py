"""Membrane potentials sent as numbers: by hand, counted, priced, read out as variant E does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chipsim.errors import DoesNotFitError, InputError
from chipsim.job import Choices
from chipsim.load.chip_file import read_chip
from chipsim.mapping.processor.checks import check_network
from chipsim.network import (
    LIF,
    Graded,
    Input,
    Network,
    Population,
    Projection,
    SentMembrane,
    Trace,
)
from chipsim.pipeline import simulate
from chipsim.plasticity import HybridPlasticity
from chipsim.quantise.quantise_network import quantise_network
from chipsim.report.summary import summarise
from chipsim.simulate.counters import ACTIONS
from chipsim.simulate.float_reference import run_float
from tests.simulate.tiny import simulated, spike_trace, tiny_chip

STEPS, NEURONS = 4, 3


def integrators(sent: SentMembrane, reset: Any = "subtract") -> Network:
    """Three neurons that each integrate one input, and a readout that negates their membranes."""
    eye = np.eye(NEURONS, dtype=np.float32)
    return Network(
        name="integrators",
        steps=STEPS,
        populations=(
            Population("in", NEURONS, Input("spikes")),
            Population("hidden", NEURONS, LIF(threshold=1.6, decay=1.0, reset=reset)),
            Population("out", NEURONS, Graded("linear", 10.0)),
        ),
        projections=(
            Projection("first", "in", "hidden", eye),
            Projection("second", "hidden", "out", -eye, membrane=sent),
        ),
        readout="out",
        readout_kind="membrane",
    )


def trains(*trains: list[int]) -> Trace:
    """One sample; the spikes of each input, step by step."""
    return spike_trace(np.array([trains]).transpose(0, 2, 1))


TRAINS = trains([1, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0])


@pytest.mark.parametrize("steps", ["all", "last"])
def test_the_membrane_before_its_reset_arrives(steps: Any) -> None:
    """u = 1, 2 (fires), 1.4, 2.4 (fires); with three inputs 1.4 at the end."""
    network = integrators(SentMembrane(8.0, steps), "subtract")
    results = simulated(network, tiny_chip(), TRAINS)
    out = results.fixed.population("out").membrane_format.lsb
    potential = run_float(network, TRAINS).potential
    np.testing.assert_allclose(potential, [[-2.4, -1.4, 0.0]], rtol=1e-6)
    assert results.reference is not None
    # A number of 8 bits over +-8 is a multiple of 8 / 127.
    got = results.activity.answers.potential * out
    np.testing.assert_allclose(got, results.reference.potential, atol=8 / 127)
    assert got[0, 2] == 0.0


def test_potentials_end_at_the_maximum_and_are_counted() -> None:
    network = integrators(SentMembrane(1.25), "none")
    trace = trains([1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0])
    results = simulated(network, tiny_chip(), trace)
    np.testing.assert_allclose(run_float(network, trace).potential, [[-1.25, -1.0, 0.0]])
    out = results.fixed.population("out").membrane_format.lsb
    np.testing.assert_allclose(results.activity.answers.potential[0, 0] * out, -1.25, atol=0.01)
    # u = 1, 2, 3, 4: the last three are beyond.
    assert results.activity.ended == {"hidden": 3}
    (row,) = (r for r in summarise(results)["quantisation"] if r["quantity"] == "sent membrane")
    assert (row["projection"], row["bits"], row["clipped"], row["values"]) == ("hidden", 8, 3, 12)
    assert row["lsb"] == pytest.approx(1.25 / 127)


@pytest.mark.parametrize(("steps", "times"), [("all", STEPS), ("last", 1)])
def test_packets_operations_and_energy_by_hand(steps: Any, times: int) -> None:
    network = integrators(SentMembrane(8.0, steps), "none")
    results = simulated(network, tiny_chip(), TRAINS)
    (flow,) = (f for f in results.mapping.flows if f.kind == "membrane")
    assert (flow.population, flow.count, flow.bits) == ("hidden", NEURONS, 8)
    sent = results.mesh.packets[results.mapping.flows.index(flow)]
    assert sent == NEURONS * times  # a membrane of zero too
    assert summarise(results)["traffic"]["by_kind"]["membrane"]["packets"] == NEURONS * times
    assert not any(f.kind == "spike" for f in results.mapping.flows)  # nobody hears them
    # Two of three membranes are not zero, for three targets and two native columns a weight.
    actions = dict(zip(ACTIONS, results.counters.by_core.sum(axis=0).tolist(), strict=True))
    assert actions["mac"] == times * 2 * NEURONS * 2
    assert actions["sop"] == 7 * NEURONS * 2
    assert results.counters.overruns == 0


def test_a_number_is_dearer_than_a_spike_where_bits_are_priced() -> None:
    chip = tiny_chip('energy.hop_bit={value: 1 pJ, assumed: "for this test"}')
    network = integrators(SentMembrane(8.0, "last"), "none")
    as_spikes = replace(
        network, projections=tuple(replace(p, membrane=None) for p in network.projections)
    )
    trace = trains([0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1])
    numbers = simulated(network, chip, trace)
    spikes = simulated(
        replace(
            as_spikes,
            populations=tuple(
                replace(p, model=replace(p.model, threshold=0.5)) if p.name == "hidden" else p
                for p in as_spikes.populations
            ),
        ),
        chip,
        trace,
    )
    assert numbers.mesh.packets.sum() == spikes.mesh.packets.sum() == 2 * NEURONS
    hops = summarise(numbers)["traffic"]["by_kind"]["membrane"]["hops"]
    assert hops > 0
    column = ACTIONS.index("hop_bit")
    bits = [r.counters.by_core[:, column].sum() for r in (numbers, spikes)]
    assert bits[0] - bits[1] == 7 * hops


def variant_e() -> Network:
    """Two plastic masked layers, and a masked readout of the second's last membranes."""
    rng = np.random.default_rng(2)
    sizes, names = (60, 150, 140, 8), ("in", "hidden1", "hidden2", "out")
    model = LIF(threshold=0.5, decay=0.8)
    kinds = (Input("graded"), model, model, Graded("linear"))
    projections = []
    for n in range(3):
        n_pre, n_post = sizes[n : n + 2]
        mask = rng.random((n_post, n_pre)) < 0.2
        weight = rng.normal(0.02, 2.0, (n_post, n_pre)) * n_pre**-0.5 * mask
        rule = HybridPlasticity(
            alpha=0.5,
            beta=rng.uniform(0, 0.1, n_pre).astype(np.float32),
            eta=rng.uniform(0, 0.1, n_post).astype(np.float32),
            rho=0.8,
            clamp=None,
            factor=1 - mask.T.astype(np.float32),
        )
        projections.append(
            Projection(
                f"fc{n + 1}", names[n], names[n + 1], weight.astype(np.float32),
                attenuation_tau=50.0 if n < 2 else None,
                plasticity=rule if n < 2 else None,
                membrane=SentMembrane(8.0, "last") if n == 2 else None,
            )
        )  # fmt: skip
    populations = (Population(*each) for each in zip(names, sizes, kinds, strict=True))
    return Network("E", 3, tuple(populations), tuple(projections), "out", "membrane")


def test_variant_e_whole_on_the_shipped_chip() -> None:
    network = variant_e()
    held = np.random.default_rng(0).integers(0, 256, (12, 60)).astype(np.uint8)
    trace = Trace("held", scale=1 / 255, held=held)
    results = simulate(network, read_chip("tianjic"), trace, Choices(mesh_phases=20))
    lsb = results.fixed.population("out").membrane_format.lsb
    chip, ideal = results.activity.answers.potential * lsb, run_float(network, trace).potential
    still = replace(
        network, projections=tuple(replace(p, plasticity=None) for p in network.projections)
    )
    moved = np.abs(ideal - run_float(still, trace).potential).mean()
    assert moved > 0.02
    assert np.abs(chip - ideal).mean() < 0.3 * moved
    assert results.activity.ended == {"hidden2": 0}
    kinds = {flow.kind for flow in results.mapping.flows if flow.population == "hidden2"}
    assert "spike" not in kinds
    assert "membrane" in kinds


def test_a_packet_too_small_for_a_number() -> None:
    network = integrators(SentMembrane(8.0))
    with pytest.raises(DoesNotFitError, match="8 bits exceeded max 4 bits of a packet"):
        simulated(network, tiny_chip("mesh.payload_bits=4"), TRAINS)


@pytest.mark.parametrize("maximum", [1e-9, 1e39])
def test_a_maximum_that_the_membrane_cannot_hold(maximum: float) -> None:
    chip = tiny_chip()
    with pytest.raises(InputError, match=r"give membrane\.maximum about the highest potential"):
        quantise_network(integrators(SentMembrane(maximum)), chip.core.arithmetic)


def test_two_ways_to_send_one_membrane() -> None:
    network = integrators(SentMembrane(8.0))
    other = replace(network.projections[1], name="third", membrane=SentMembrane(4.0))
    network = replace(network, projections=(*network.projections, other))
    with pytest.raises(InputError, match="second and third disagree about the membranes of hidden"):
        simulated(network, tiny_chip(), TRAINS)


def test_processors_refuse_membranes() -> None:
    network = integrators(SentMembrane(8.0))
    model = LIF(1.5, 1.0, "none")
    network = replace(
        network, populations=(*network.populations[:2], Population("out", NEURONS, model))
    )
    with pytest.raises(InputError, match="projection second: membrane has no program here"):
        check_network(network, "off")
