"""Whether slices hold each neuron and each synapse of a network exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from chipsim.connectivity import Convolution
from chipsim.errors import InputError
from chipsim.mapping.model import Slice
from chipsim.mapping.shapes import is_plastic, slice_name
from chipsim.network import Input, Network, PlasticityMode, Projection

_Rectangle = tuple[int, int, int, int]
"""Neurons ``a .. b-1`` by axons ``c .. d-1`` as ``a, b, c, d``."""


def check_cover(network: Network, slices: Sequence[Slice], plasticity: PlasticityMode) -> None:
    """Raise InputError naming the first neuron or synapse that is missing or held twice."""
    sizes = {
        population.name: population.size
        for population in network.populations
        if not isinstance(population.model, Input)
    }
    for position, piece in enumerate(slices):
        _check_slice(network, sizes, position, piece, plasticity)
    for name, size in sizes.items():
        mine = [piece for piece in slices if piece.population == name]
        _check_roles(name, mine)
        _check_neurons(name, size, mine)
        for projection in network.incoming(name):
            _check_synapses(network, projection, mine)


def _check_slice(
    network: Network,
    sizes: dict[str, int],
    position: int,
    piece: Slice,
    plasticity: PlasticityMode,
) -> None:
    key = f"slices[{position}]"
    if piece.index != position:
        raise InputError(f"{key}.index: {piece.index} should be {position}, the place in the list")
    if piece.population not in sizes:
        raise InputError(
            f"{key}.population: {piece.population!r} is no population to map "
            f"(allowed: {', '.join(sizes) or 'none'})"
        )
    size = sizes[piece.population]
    if not (piece.first >= 0 and piece.count > 0 and piece.first + piece.count <= size):
        raise InputError(
            f"{key}.neurons: [{piece.first}, {piece.count}] is no run of the {size} neurons of "
            f"{piece.population}"
        )
    if bool(piece.axons) == (piece.role == "soma"):
        wanted = "none" if piece.role == "soma" else "at least one run"
        raise InputError(f"{key}.axons: a {piece.role} slice has {wanted}")
    incoming = {projection.name: projection for projection in network.incoming(piece.population)}
    for i, run in enumerate(piece.axons):
        if run.projection not in incoming:
            raise InputError(
                f"{key}.axons[{i}]: {run.projection!r} is no projection onto {piece.population} "
                f"(allowed: {', '.join(incoming)})"
            )
        sources = network.population(incoming[run.projection].source).size
        if not (run.first >= 0 and run.count > 0 and run.first + run.count <= sources):
            raise InputError(
                f"{key}.axons[{i}]: [{run.first}, {run.count}] is no run of the {sources} axons "
                f"of {run.projection}"
            )
    plastic = any(is_plastic(incoming[run.projection], plasticity) for run in piece.axons)
    if piece.plastic != plastic:
        raise InputError(
            f"{key}.plastic: {piece.plastic} should be {plastic} with plasticity {plasticity}"
        )


def _check_roles(name: str, slices: Sequence[Slice]) -> None:
    roles = {piece.role for piece in slices}
    if "whole" in roles and len(roles) > 1:
        raise InputError(f"slices: {name} has whole slices beside dendrite or soma slices")


def _check_neurons(name: str, size: int, slices: Sequence[Slice]) -> None:
    owners = sorted(
        (piece for piece in slices if piece.role != "dendrite"), key=lambda piece: piece.first
    )
    owned = 0
    for piece in owners:
        if piece.first < owned:
            raise InputError(f"slices: neuron {piece.first} of {name} is held by two slices")
        if piece.first > owned:
            raise InputError(f"slices: neuron {owned} of {name} is on no slice")
        owned = piece.first + piece.count
    if owned < size:
        raise InputError(f"slices: neuron {owned} of {name} is on no slice")


def _check_synapses(network: Network, projection: Projection, slices: Sequence[Slice]) -> None:
    rectangles: list[_Rectangle] = [
        (piece.first, piece.first + piece.count, run.first, run.first + run.count)
        for piece in slices
        for run in piece.axons
        if run.projection == projection.name
    ]
    posts = network.population(projection.target).size
    pres = network.population(projection.source).size
    if isinstance(projection.connectivity, Convolution):
        height, width = projection.weight.shape[2:]
        wrong = _first_wrong_window(rectangles, projection.connectivity, (height, width))
    else:
        wrong = _first_wrong_cell(rectangles, posts, pres)
    if wrong is None:
        return
    post, pre, times = wrong
    held = "is on no slice" if times == 0 else f"is on {times} slices"
    example = next(
        (
            f", for one on {slice_name(piece)}"
            for piece in slices
            if piece.first <= post < piece.first + piece.count
            and any(
                run.projection == projection.name and run.first <= pre < run.first + run.count
                for run in piece.axons
            )
        ),
        "",
    )
    raise InputError(
        f"slices: the synapse of {projection.name} from neuron {pre} to neuron {post} "
        f"{held}{example}"
    )


def _first_wrong_cell(
    rectangles: Sequence[_Rectangle], rows: int, columns: int
) -> tuple[int, int, int] | None:
    """Find a cell of a matrix that is not covered exactly once: row, column, times covered.

    Only the edges of the rectangles matter, so the matrix is looked at in the blocks between them.
    """
    row_edges = np.unique([0, rows, *(e for a, b, _, _ in rectangles for e in (a, b))])
    column_edges = np.unique([0, columns, *(e for _, _, c, d in rectangles for e in (c, d))])
    times = np.zeros((len(row_edges) - 1, len(column_edges) - 1), np.int64)
    for a, b, c, d in rectangles:
        row_a, row_b = np.searchsorted(row_edges, (a, b))
        column_c, column_d = np.searchsorted(column_edges, (c, d))
        times[row_a:row_b, column_c:column_d] += 1
    wrong = np.argwhere(times != 1)
    if not len(wrong):
        return None
    row, column = wrong[0]
    return int(row_edges[row]), int(column_edges[column]), int(times[row, column])


def _first_wrong_window(
    rectangles: Sequence[_Rectangle], convolution: Convolution, kernel: tuple[int, int]
) -> tuple[int, int, int] | None:
    """As `_first_wrong_cell`, where only the cells with a synapse count."""
    edges = sorted({0, convolution.n_post, *(e for a, b, _, _ in rectangles for e in (a, b))})
    for low, high in pairwise(edges):
        times = np.zeros(convolution.n_pre, np.int64)
        for a, b, c, d in rectangles:
            if a <= low and high <= b:
                times[c:d] += 1
        for first, count in convolution.window(kernel, low, high - low):
            wrong = np.flatnonzero(times[first : first + count] != 1)
            if len(wrong):
                pre = first + int(wrong[0])
                return low, pre, int(times[pre])
    return None
