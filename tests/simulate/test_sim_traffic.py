"""Packets of whole runs: each where and when the mapping says, none lost, none invented."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import Constant, Dead, SpecialLink
from chipsim.errors import ConservationError
from chipsim.mapping.model import INPUT_PORT
from chipsim.mesh import reference
from chipsim.report.arrays import arrays_of
from chipsim.report.summary import summarise
from chipsim.simulate import traffic
from chipsim.simulate.counters import ACTIONS, actions_of
from tests.conftest import random_membranes, random_network
from tests.simulate import plain
from tests.simulate.tiny import random_run, tiny_chip


def captured(seed: int, **choices: Any) -> tuple[Any, list[list[tuple[int, int, int]]]]:
    """A run, and the packets of every phase as they were given to the mesh."""
    phases: list[list[tuple[int, int, int]]] = []
    run_phases = traffic.run_phases

    def listen(fabric: Any, trees: Any, packets: Any, **options: Any) -> Any:
        columns = (packets.injector, packets.inject, packets.tree)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        ends = packets.phase_ptr.tolist()
        phases.extend(rows[a:b] for a, b in itertools.pairwise(ends))
        return run_phases(fabric, trees, packets, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traffic, "run_phases", listen)
        results = random_run(seed, **choices)
    return results, phases


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["tree", "unicast"]),
    st.sampled_from([random_network, random_membranes]),
)
def test_every_packet_is_where_and_when_the_mapping_says(
    seed: int, multicast: str, make: Any
) -> None:
    results, phases = captured(seed, chip=tiny_chip(f"mesh.multicast={multicast}"), make=make)
    expected = plain.packets(results)
    assert len(phases) == len(expected)
    for got, wanted in zip(phases, expected, strict=True):
        port = results.chip.cores
        blurred = Counter((i, -1 if i == port else cycle, tree) for i, cycle, tree in got)
        assert blurred == wanted
        # The input port sends one packet a cycle, without gaps.
        assert [cycle for i, cycle, _ in got if i == port] == list(
            range(sum(i == port for i, _, _ in got))
        )


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["tree", "unicast"]))
def test_packets_times_targets_are_delivered(seed: int, multicast: str) -> None:
    results = random_run(seed, chip=tiny_chip(f"mesh.multicast={multicast}"))
    mesh, flows = results.mesh, results.mapping.flows
    targets = np.array([len(flow.targets) for flow in flows], np.int64)
    assert mesh.deliveries == int((mesh.packets * targets).sum())
    assert mesh.deliveries == int(mesh.link_flits[:, 4].sum())
    delivered = Counter()
    for flow, packets in zip(flows, mesh.packets.tolist(), strict=True):
        for target in flow.targets:
            delivered[results.mapping.placement[target]] += packets
    assert mesh.link_flits[:, 4].tolist() == [delivered[c] for c in range(results.chip.cores)]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_spikes_are_sent_once_by_multicast(seed: int) -> None:
    """Neurons whose spikes one flow carries make as many packets as spikes; silent ends none."""
    results = random_run(seed)
    spikes = results.activity.answers
    for population in results.fixed.populations:
        fired = spikes.of(population.name).sum(axis=(0, 1), dtype=np.int64)
        carried = np.zeros(population.size, np.int64)
        packets = 0
        for flow, sent in zip(results.mapping.flows, results.mesh.packets, strict=True):
            if flow.kind == "spike" and flow.population == population.name:
                carried[flow.first : flow.first + flow.count] += 1
                packets += int(sent)
        heard = any(p.source == population.name for p in results.fixed.projections)
        assert (carried == int(heard)).all()
        assert packets == (int(fired.sum()) if heard else 0)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_unicast_delivers_the_same_over_more_hops(seed: int) -> None:
    tree = random_run(seed)
    unicast = random_run(seed, chip=tiny_chip("mesh.multicast=unicast"))
    assert unicast.mesh.deliveries == tree.mesh.deliveries
    assert unicast.mesh.link_flits.sum() >= tree.mesh.link_flits.sum()
    assert unicast.mesh.packets.sum() >= tree.mesh.packets.sum()
    shared = any(
        len(flow.targets) > 1 and packets
        for flow, packets in zip(tree.mapping.flows, tree.mesh.packets, strict=True)
    )
    assert (unicast.mesh.packets.sum() > tree.mesh.packets.sum()) == shared
    np.testing.assert_array_equal(unicast.activity.answers.spikes, tree.activity.answers.spikes)
    np.testing.assert_array_equal(unicast.mesh.link_flits[:, 4], tree.mesh.link_flits[:, 4])


@pytest.mark.parametrize("seed", [1, 4, 8, 15])
def test_the_mesh_is_that_of_the_reference(seed: int) -> None:
    """The same run with the mesh simulated by simpy gives the same arrivals and counters."""
    compiled = random_run(seed).mesh

    def slowly(fabric: Any, trees: Any, packets: Any, threads: int) -> Any:
        return reference.run_phases(fabric, trees, packets)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traffic, "run_phases", slowly)
        plainly = random_run(seed).mesh
    for name in ("last_arrival", "link_flits", "packets", "sent"):
        np.testing.assert_array_equal(getattr(plainly, name), getattr(compiled, name))
    for name in ("deliveries", "latency_sum", "latency_max"):
        assert getattr(plainly, name) == getattr(compiled, name)


@pytest.mark.parametrize("seed", range(6))
def test_threads_and_calls_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = random_run(seed, 4)
    for threads, size in ((2, 512), (1, 3), (2, 7)):
        monkeypatch.setattr(traffic, "PHASES_PER_CALL", size)
        again = random_run(seed, 4, threads=threads)
        for name in ("last_arrival", "link_flits", "packets", "sent"):
            np.testing.assert_array_equal(getattr(again.mesh, name), getattr(whole.mesh, name))
        assert again.mesh.latency_sum == whole.mesh.latency_sum
        assert again.mesh.latency_max == whole.mesh.latency_max


@pytest.mark.parametrize("seed", range(6))
def test_fewer_phases_time_less_and_count_all(seed: int) -> None:
    whole = random_run(seed, 3).mesh
    part = random_run(seed, 3, mesh_phases=4).mesh
    assert (part.simulated, part.phases) == (min(4, whole.phases), whole.phases)
    np.testing.assert_array_equal(part.packets, whole.packets)
    np.testing.assert_array_equal(part.last_arrival, whole.last_arrival[: part.simulated])
    assert part.sent.sum() <= whole.sent.sum()
    assert part.deliveries <= whole.deliveries


def test_a_lost_flit_is_noticed() -> None:
    run_phases = traffic.run_phases

    def lossy(*arguments: Any, **options: Any) -> Any:
        result = run_phases(*arguments, **options)
        result.link_flits[tuple(np.argwhere(result.link_flits)[0])] -= 1
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traffic, "run_phases", lossy)
        with pytest.raises(ConservationError, match="flits left"):
            random_run(1)


def test_ports_of_trees() -> None:
    """Every multicast tree starts at its sender's router and ends exactly at its targets."""
    for seed in range(10):
        results = random_run(seed)
        masks = traffic.port_masks(results.mapping.routes, results.chip.cores)
        for flow, mask in zip(results.mapping.flows, masks, strict=True):
            ends = np.flatnonzero(mask & 16).tolist()
            assert ends == sorted(results.mapping.placement[t] for t in flow.targets)
            start = 0 if flow.source == INPUT_PORT else results.mapping.placement[flow.source]
            assert mask[start]


MESHES: dict[str, dict[str, Any]] = {
    "torus": {"topology": "torus", "vcs": 2},
    "triangular": {"topology": "triangular", "vcs": 2},
    "concentrated": {"cores_per_router": 2},
    "damaged": {"dead": Dead(cores=(2,), links=((0, 0),))},
    "adaptive": {"routing": "odd_even", "multicast": "unicast", "flit_bits": 16},
    "wide flits": {"flit_bits": 32, "header_bits": 8, "multicast": "unicast"},
    "chips": {"chip_width": 2, "chip_height": 1, "chip_hop_cycles": 9, "chip_link_interval": 2},
}


@pytest.mark.parametrize("kind", MESHES)
@pytest.mark.parametrize("seed", range(4))
def test_every_mesh_computes_the_same_and_balances(kind: str, seed: int) -> None:
    """Spikes do not depend on the mesh of a barrier chip; flits and prices do."""
    plain_chip = tiny_chip()
    mesh = dataclasses.replace(plain_chip.mesh, **MESHES[kind])
    # An even width for two chips side by side.
    mesh = dataclasses.replace(mesh, width=mesh.width + mesh.width % 2)
    price = Constant(1e-13, 1e-13, 1e-13, "J", "assumed", "a test")
    prices = {**plain_chip.prices, "hop_bit": price, "chip_hop": price}
    chip = dataclasses.replace(plain_chip, mesh=mesh, prices=prices)
    results, plainly = random_run(seed, chip=chip), random_run(seed)
    np.testing.assert_array_equal(results.activity.answers.spikes, plainly.activity.answers.spikes)
    ran, flows = results.mesh, results.mapping.flows
    sizes = np.array([mesh.flits(flow.bits) for flow in flows], np.int64)
    np.testing.assert_array_equal(ran.flits, sizes)
    targets = np.array([len(flow.targets) for flow in flows], np.int64)
    assert ran.deliveries == int((ran.packets * targets).sum())
    leaving = np.array(
        [
            sum(ports.bit_count() for ports in route.ports.values())
            for route in results.mapping.routes
        ]
    )
    assert ran.link_flits.sum() == (ran.packets * sizes * leaving).sum()
    totals = dict(zip(ACTIONS, results.counters.by_core.sum(axis=0).tolist(), strict=True))
    assert totals["router_hop"] == ran.link_flits.sum()
    bits = np.array([mesh.header_bits + flow.bits for flow in flows], np.int64)
    assert totals["hop_bit"] == (ran.packets * bits * leaving).sum()
    assert totals["hop_bit"] > 0
    assert (totals["chip_hop"] > 0) == (kind == "chips" and crosses(results))
    arrays = arrays_of(results)
    assert arrays["link_flits"].sum() == ran.link_flits.sum()


def crosses(results: Any) -> bool:
    """Whether a packet went over a link between two chips of two columns each."""
    mesh = results.chip.mesh
    for flow_route, packets in zip(results.mapping.routes, results.mesh.packets, strict=True):
        for router, ports in flow_route.ports.items():
            x = router % mesh.width
            leaves = ports & (12 | (1 if x % 2 else 2))
            if packets and leaves:
                return True
    return False


@pytest.mark.parametrize("seed", range(6))
def test_adaptive_link_loads_are_extrapolated_from_the_phases_that_were_timed(seed: int) -> None:
    """In the proportions seen, with exact sums, and the report says so."""
    changes = {"routing": "odd_even", "multicast": "unicast", "vcs": 2}
    chip = tiny_chip()
    chip = dataclasses.replace(chip, mesh=dataclasses.replace(chip.mesh, **changes))
    whole, part = (random_run(seed, 4, chip, mesh_phases=limit) for limit in (None, 20))
    assert not whole.mesh.extrapolated
    assert part.mesh.extrapolated == (part.mesh.simulated < part.mesh.phases)
    full, guess = whole.mesh.flits_through(), part.mesh.flits_through()
    np.testing.assert_array_equal(guess[:, 4:], full[:, 4:])
    assert guess.sum() == full.sum()
    seen = part.mesh.link_flits[:, :4]
    if part.mesh.extrapolated and seen.any():
        assert not guess[:, :4][seen == 0].any() or guess[:, :4].sum() == 0
        scaled = seen * (full[:, :4].sum() / seen.sum())
        assert abs(guess[:, :4] - scaled).max() <= 1
    said = [words for words in summarise(part)["warnings"] if "extrapolated" in words]
    assert len(said) == int(part.mesh.extrapolated)


@settings(derandomize=True, max_examples=60)
@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=9).filter(any))
def test_shares_add_up(total: int, weights: list[int]) -> None:
    shares = traffic.shared_out(total, np.array(weights))
    assert shares.sum() == total
    for share, weight in zip(shares.tolist(), weights, strict=True):
        assert total * weight // sum(weights) <= share <= total * weight // sum(weights) + 1
        assert weight or not share


BOARDS: dict[str, dict[str, Any]] = {
    "board48": {"topology": "board48", "width": 8, "height": 8},
    "board_torus": {
        "topology": "board_torus", "width": 12, "height": 12, "vcs": 2, "board_hop_cycles": 40,
    },
    "special": {"special": (SpecialLink(0, 0, 50, 3), SpecialLink(0, 2, 50, 0))},
}  # fmt: skip


@pytest.mark.parametrize("kind", BOARDS)
@pytest.mark.parametrize("seed", range(3))
def test_boards_and_special_links_are_run_and_priced(kind: str, seed: int) -> None:
    chip, price = tiny_chip(), Constant(1e-12, 1e-12, 1e-12, "J", "assumed", "a test")
    prices = {**chip.prices, "links[0]": price, "board_hop": price}
    mesh = dataclasses.replace(chip.mesh, **BOARDS[kind])
    results = random_run(seed, chip=dataclasses.replace(chip, mesh=mesh, prices=prices))
    plainly = random_run(seed)
    np.testing.assert_array_equal(results.activity.answers.spikes, plainly.activity.answers.spikes)
    ran, actions = results.mesh, actions_of(results.chip)
    column = dict(zip(actions, results.counters.by_core.sum(axis=0).tolist(), strict=True))
    assert set(results.mapping.placement) <= set(mesh.working_cores)
    assert column["board_hop"] == int((ran.link_flits[:, :-1] * between_boards(mesh)).sum())
    assert ("links[0]" in column) == bool(mesh.special)
    if mesh.special:
        assert column["links[0]"] == ran.link_flits[0, 0]
        assert ran.link_flits[0, 0] + ran.link_flits[0, 2] > 0
        assert ran.latency_sum > plainly.mesh.latency_sum
        assert results.bill.shares.get("mesh.links[0].energy", 0) >= 0
    summary = summarise(results)
    for action in ("board_hop", "links[0]"):
        assert (action in summary["energy_by_action"]) == bool(column.get(action))


def between_boards(mesh: Any) -> Any:
    """Which links join two boards, from the corners of all boards of a machine."""
    crosses = np.zeros((mesh.routers, mesh.links), bool)
    if mesh.topology != "board_torus":
        return crosses
    corners = [(x, y) for y in range(12) for x in range(0, 12, 4) if (x + y) % 12 == 0]
    board = {}
    for number, (x0, y0) in enumerate(corners):
        for y in range(8):
            for x in range(max(0, y - 3), min(8, y + 5)):
                board[(x0 + x) % 12, (y0 + y) % 12] = number
    for (x, y), number in board.items():
        for port, (dx, dy) in enumerate(mesh.steps):
            crosses[y * 12 + x, port] = board[(x + dx) % 12, (y + dy) % 12] != number
    return crosses
