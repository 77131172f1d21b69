"""Pareto fronts: the points no other point beats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pareto_front(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which rows of ``costs (points, objectives)``, all to be minimised, are on the front.

    A row is on the front unless another one is nowhere higher and somewhere lower.  Equal rows
    are on it together.  In lexicographic order only earlier rows can beat a row, and if any does,
    one that is on the front does; so each is compared with the front so far.
    """
    unique, inverse = np.unique(costs, axis=0, return_inverse=True)
    front = np.zeros(len(unique), bool)
    for index, row in enumerate(unique):
        front[index] = not (unique[:index][front[:index]] <= row).all(axis=1).any()
    return front[inverse.reshape(-1)]
