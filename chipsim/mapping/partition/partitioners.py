"""The partitioners by name; all have the signature of `balanced.partition`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chipsim.chip import Chip
from chipsim.mapping.model import Partition
from chipsim.mapping.partition import balanced
from chipsim.network import Network, PlasticityMode

Partitioner = Callable[[Network, Chip, PlasticityMode], Partition]

PARTITIONERS: Mapping[str, Partitioner] = {"balanced": balanced.partition}
