"""When tasks run: after each other on a core, as long as their work takes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulate import plain
from tests.simulate.tiny import random_run, relay, simulated, spike_trace, tiny_chip

_RANK = {"integrate": 0, "soma": 1, "learn": 2}


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), adaptive=st.booleans())
def test_tasks_of_a_core_follow_each_other(seed: int, adaptive: bool) -> None:
    """Fill every phase of every core with its tasks one by one; starts and lengths must agree."""
    chip = tiny_chip("phase.mode=adaptive") if adaptive else tiny_chip()
    results = random_run(seed, chip=chip)
    steps, interval = plain.stream(results), results.mapping.schedule.interval
    projections = {p.name: p for p in results.fixed.projections}
    slots: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
    for index, timed in enumerate(results.tasks):
        for g in range(len(steps)):
            phase = 1 + timed.task.offset + g * interval
            key = (timed.slice.index, phase)
            cycles = timed.task.cycles
            if timed.task.kind == "integrate":
                active = sum(
                    plain.heard(results, steps, g, projections[run.projection], i) != 0
                    for run in timed.slice.axons
                    for i in range(run.first, run.first + run.count)
                )
                columns = 4 if timed.slice.plastic else 2
                cycles = -(-active * timed.slice.count * columns // 16)
                cycles += 3 * timed.slice.count if timed.slice.role == "dendrite" else 0
            slots.setdefault(key, []).append((g, _RANK[timed.task.kind], index, cycles))
    for tasks in slots.values():
        now = 0
        for g, _, index, cycles in sorted(tasks):
            timed = results.tasks[index]
            assert (int(timed.start[g]), int(timed.cycles[g])) == (now, cycles)
            assert cycles <= timed.task.cycles
            now += cycles
        if not adaptive:
            assert now <= chip.phase.cycles - chip.phase.sync_cycles


def test_a_relay_by_hand() -> None:
    """Step 1 has two active axons of three synapses in two columns: 12 MACs are one cycle."""
    spikes = [[[0, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]]]
    results = simulated(relay(), tiny_chip(), spike_trace(spikes))
    integrate, soma = results.tasks
    assert (integrate.task.kind, soma.task.kind) == ("integrate", "soma")
    assert integrate.cycles.tolist() == [0, 1, 0, 0]
    assert integrate.start.tolist() == [0, 0, 0, 0]
    assert soma.start.tolist() == [0, 1, 0, 0]
    assert soma.cycles.tolist() == [9, 9, 9, 9]
    assert soma.end.tolist() == [9, 10, 9, 9]
