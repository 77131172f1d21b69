"""Drawings seen through random affine maps, so that a class has more than its own drawings."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def distorted(ink: Tensor, strength: float, random: np.random.Generator) -> Tensor:
    """Return each of ``ink (images, side, side)`` through an affine map of its own.

    Every entry of the map's matrix is within ``strength`` of the identity's (rotation, scale and
    shear), every shift within ``strength`` of half a side; what comes from outside is blank.
    """
    maps = random.uniform(-strength, strength, (len(ink), 2, 3)) + np.eye(2, 3)
    where = torch.nn.functional.affine_grid(
        torch.tensor(maps, dtype=ink.dtype, device=ink.device),
        [len(ink), 1, *ink.shape[1:]],
        align_corners=False,
    )
    seen = torch.nn.functional.grid_sample(ink[:, None], where, align_corners=False)
    return seen[:, 0]
