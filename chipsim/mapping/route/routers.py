"""The routing algorithms by name; all have the signature of `xy.route`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chipsim.chip import Mesh
from chipsim.mapping.model import Flow, Route
from chipsim.mapping.route import xy

RoutingAlgorithm = Callable[[Sequence[Flow], Sequence[int], Mesh], tuple[Route, ...]]

ROUTERS: Mapping[str, RoutingAlgorithm] = {
    "xy": xy.route,
    "west_first": xy.route,
    "odd_even": xy.route,
}
"""Adaptive routing (west_first, odd_even) picks its way packet by packet; the route kept in the
mapping is one of its shortest ways, which has the same hops."""
