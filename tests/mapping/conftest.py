"""The mapping of the HP network that several tests read."""

from __future__ import annotations

import pytest

from chipsim.chip import Chip
from chipsim.mapping.mapper import map_network
from chipsim.mapping.model import Mapping
from chipsim.network import Network
from tests.mapping.cases import chain, tianjic


@pytest.fixture(scope="session")
def chip() -> Chip:
    return tianjic()


@pytest.fixture(scope="session")
def hp_network() -> Network:
    """784-512-10 of Wu et al. 2022, both projections plastic, 10 steps."""
    return chain(784, 512, 10, plastic=True)


@pytest.fixture(scope="session")
def hp_mapping(hp_network: Network, chip: Chip) -> Mapping:
    return map_network(hp_network, chip)
