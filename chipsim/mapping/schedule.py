"""When each task runs, so that the chip computes exactly the network's steps.

Step t of a task runs in phase ``offset + t * interval``.  A task that needs the result of another
is a precedence edge with a weight w in phases and a lag in steps::

    offset_after >= offset_before + w - interval * lag

A message sent in one phase acts in the next (w = 1); work on the same core may share a phase
(w = 0) as long as its cycles fit.  The interval is the smallest at which no loop of edges is
longer than the phases its lag gives it (no cycle of positive length, Bellman-Ford), the offsets
are the longest paths from the start.  All slices of a population share the offset of a task:
every dendrite slice feeds the same somas, so none could run on its own schedule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chipsim.chip import Chip
from chipsim.cores.crossbar import Shape, phase_budget, task_cycles
from chipsim.errors import InputError
from chipsim.mapping.model import Schedule, Slice, Task, TaskKind
from chipsim.mapping.shapes import shapes_of
from chipsim.network import Input, Network, PlasticityMode, evaluation_order

Node = tuple[str, TaskKind]
"""A task of a population."""


@dataclass(frozen=True)
class Edge:
    """``after`` needs ``before``: ``weight`` phases later, ``lag`` steps on; ``via`` in words."""

    before: Node
    after: Node
    weight: int
    lag: int
    via: str


def make_schedule(
    network: Network, chip: Chip, slices: Sequence[Slice], plasticity: PlasticityMode
) -> Schedule:
    """Return the schedule with the smallest interval.

    Input is sent in the phase before offset 0.  Raises InputError if projections of delay 0 form a
    loop, which no order of tasks can compute.
    """
    shapes = shapes_of(network, slices, plasticity)
    edges = precedence(network, chip, slices, shapes)
    nodes = [
        (piece.population, kind)
        for piece, shape in zip(slices, shapes, strict=True)
        for kind in task_cycles(chip.core, shape)
    ]
    _refuse_instant_loop(network)
    interval, critical, offsets, came_by = tightest(nodes, edges)
    tasks = tuple(
        Task(piece.index, kind, offsets[piece.population, kind], cycles)
        for piece, shape in zip(slices, shapes, strict=True)
        for kind, cycles in task_cycles(chip.core, shape).items()
    )
    depth = offsets[network.readout, "soma"] + 1
    reasons = (
        _interval_reason(interval, critical),
        _depth_reason(depth, (network.readout, "soma"), offsets, came_by),
    )
    return Schedule(interval, depth, tasks, reasons)


def tightest(
    nodes: Sequence[Node], edges: Sequence[Edge]
) -> tuple[int, list[Edge] | None, dict[Node, int], dict[Node, Edge]]:
    """Return the smallest interval, the loop that forces it, the offsets, and how each came about.

    The loop is None where the interval is 1.  Edges of lag 0 must not form a loop.
    """
    interval, critical = 1, None
    while (loop := _relax(nodes, edges, interval)[1]) is not None:
        interval, critical = interval + 1, loop
    offsets, _, came_by = _relax(nodes, edges, interval)
    return interval, critical, offsets, came_by


def phases_per_sample(schedule: Schedule, steps: int) -> int:
    """Phases between the starts of two samples of ``steps`` steps, presented back to back."""
    return steps * schedule.interval


def latency_phases(schedule: Schedule, steps: int) -> int:
    """Phases from the first integration of a sample to its readout, inclusive."""
    return (steps - 1) * schedule.interval + schedule.depth


def phases_with_early_exit(schedule: Schedule, steps: int, decided: int) -> int:
    """Phases between the starts of two samples where the first is decided in step ``decided``.

    The second one enters in the phase after that step's readout, or after the first one's last
    step, whichever is earlier.
    """
    return min(1 + latency_phases(schedule, decided), phases_per_sample(schedule, steps))


def precedence(
    network: Network, chip: Chip, slices: Sequence[Slice], shapes: Sequence[Shape]
) -> tuple[Edge, ...]:
    """Return all precedence edges between the tasks of the populations.

    Two tasks of one core share a phase slot only over an edge of weight 0, and such an edge is
    only given where the cycles fit a phase together: a conflict cannot arise, it raises the
    interval.
    """
    edges: list[Edge] = []
    for population in network.populations:
        name = population.name
        mine = [s for p, s in zip(slices, shapes, strict=True) if p.population == name]
        if isinstance(population.model, Input) or not mine:
            continue
        edges += _own_edges(chip, name, mine)
        for projection in network.incoming(name):
            if not isinstance(network.population(projection.source).model, Input):
                before: Node = (projection.source, "soma")
                via = "spikes" if projection.membrane is None else "membranes"
                edges.append(Edge(before, (name, "integrate"), 1, projection.delay, via))
    return tuple(edges)


def _own_edges(chip: Chip, name: str, shapes: Sequence[Shape]) -> list[Edge]:
    integrate: Node = (name, "integrate")
    soma: Node = (name, "soma")
    learn: Node = (name, "learn")
    split = any(shape.role == "dendrite" for shape in shapes)
    edges = [Edge(integrate, soma, int(split), 0, "partial sums" if split else "")]
    if any(shape.plastic for shape in shapes):
        # With integrate in a phase go the soma of a whole slice and, if they fit, the traces.
        apart = not _fit_together(chip, shapes)
        edges.append(Edge(soma, learn, int(split or apart), 0, "post factor" if split else ""))
        edges.append(Edge(learn, integrate, int(apart), 1, ""))
    return edges


def _fit_together(chip: Chip, shapes: Sequence[Shape]) -> bool:
    """Whether, on every learning core, all its tasks fit one phase together."""
    budget = phase_budget(chip.phase)
    return budget is None or all(
        sum(task_cycles(chip.core, shape).values()) <= budget for shape in shapes if shape.plastic
    )


def _refuse_instant_loop(network: Network) -> None:
    try:
        evaluation_order(network)
    except ValueError as error:
        raise InputError(
            f"network {network.name}: {error}: each would need the other's spikes of the same "
            "step; give one of its projections delay 1"
        ) from None


def _relax(
    nodes: Sequence[Node], edges: Sequence[Edge], interval: int
) -> tuple[dict[Node, int], list[Edge] | None, dict[Node, Edge]]:
    """Bellman-Ford for longest paths from phase 0.

    Returns the offsets, a cycle of positive length (None if there is none: the offsets are then
    final) and the edge each offset came by.
    """
    offsets = dict.fromkeys(nodes, 0)
    came_by: dict[Node, Edge] = {}
    moved: Edge | None = None
    for _ in range(len(offsets) + 1):
        moved = None
        for edge in edges:
            reached = offsets[edge.before] + edge.weight - interval * edge.lag
            if reached > offsets[edge.after]:
                offsets[edge.after] = reached
                came_by[edge.after] = moved = edge
        if moved is None:
            return offsets, None, came_by
    assert moved is not None  # the last round still moved, so there is a cycle
    return offsets, _cycle(came_by, moved.after, len(offsets)), came_by


def _cycle(came_by: Mapping[Node, Edge], node: Node, count: int) -> list[Edge]:
    for _ in range(count):
        node = came_by[node].before
    cycle = [came_by[node]]
    while cycle[-1].before != node:
        cycle.append(came_by[cycle[-1].before])
    return cycle[::-1]


def _interval_reason(interval: int, loop: list[Edge] | None) -> str:
    if loop is None:
        return "1 phase a step: no loop is longer than a phase, so steps follow as in a pipeline"
    # Start where a step starts, with an integration.
    start = next((i for i, edge in enumerate(loop) if edge.before[1] == "integrate"), 0)
    loop = loop[start:] + loop[:start]
    phases, lag = sum(edge.weight for edge in loop), sum(edge.lag for edge in loop)
    over = f" over {lag} steps" if lag > 1 else ""
    count = "1 phase" if phases == 1 else f"{phases} phases"
    return f"{interval} phases a step: {_path_words(loop)} is a loop of {count}{over}"


def _path_words(path: Sequence[Edge]) -> str:
    words = [" ".join(path[0].before)]
    population = path[0].before[0]
    for edge in path:
        if edge.via:
            words.append(edge.via)
        name, kind = edge.after
        words.append(kind if name == population else f"{name} {kind}")
        population = name
    return " -> ".join(words)


def _depth_reason(
    depth: int, readout: Node, offsets: Mapping[Node, int], came_by: Mapping[Node, Edge]
) -> str:
    path: list[Node] = [readout]
    while path[-1] in came_by:
        path.append(came_by[path[-1]].before)
    if path[-1][1] == "soma":  # a soma in the phase of its integration did not wait for it
        path.append((path[-1][0], "integrate"))
    steps = [f"{name} {kind} in phase {offsets[name, kind]}" for name, kind in reversed(path)]
    count = "1 phase" if depth == 1 else f"{depth} phases"
    return f"{count} from a step's input to its readout: {', '.join(steps)}"
