"""The longest ticks told in docs/validation.md are those of the tick loop."""

from __future__ import annotations

import re

import pytest

from chipsim.report.processor.ticks import by_cost
from tests.simulate.tick.test_tick_claims import one_chip, perrett


@pytest.mark.parametrize("synapses", [40, 100, 250])
def test_the_longest_ticks_in_the_docs_are_what_comes_out(
    synapses: int, request: pytest.FixtureRequest
) -> None:
    text = (request.config.rootpath / "docs" / "validation.md").read_text()
    told = re.search(rf"^\| {synapses} \| (.*) \|$", text, re.MULTILINE)
    assert told is not None
    results = perrett(synapses, one_chip("cycles.eprop_update=1", "core.priority=timer"))
    found = [row["tick_cycles"] for row in by_cost(results) if row["action"] == "eprop_synapse"]
    assert [int(cell.replace(",", "")) for cell in told[1].split(" | ")] == found
