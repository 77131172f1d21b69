"""What rounding cost an array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.quantise.fixed import QuantisationLoss
from chipsim.quantise.formats import FixedFormat, signal_to_noise_db


def measure_loss(
    projection: str,
    quantity: str,
    values: NDArray[np.float64],
    integers: NDArray[np.int64],
    fmt: FixedFormat,
) -> QuantisationLoss:
    """Compare ``values`` with the ``integers`` of ``fmt`` that stand for them (same shape)."""
    # Half a step beyond the last integer still rounds to it: only what lies further was clipped.
    beyond = (values > (fmt.high + 0.5) * fmt.lsb) | (values < (fmt.low - 0.5) * fmt.lsb)
    return QuantisationLoss(
        projection=projection,
        quantity=quantity,
        fmt=fmt,
        values=values.size,
        clipped=int(beyond.sum()),
        snr_db=signal_to_noise_db(values, integers, fmt),
    )
