"""The published figures of Tianjic come out of the chip model."""

import pytest

from chipsim.validation import tianjic
from chipsim.validation.rows import table

TOLERANCE = {
    "phase": 1e-9,
    "peak rate, spiking": 0.005,
    "peak efficiency, spiking": 0.02,
    "peak rate, graded": 0.005,
    "peak efficiency, graded": 0.03,
    "frames a second, 9 phases": 1e-5,
    "frames a second, 10 phases": 1e-5,
    "power, all cores busy": 0.02,
}


@pytest.fixture(scope="module")
def rows():
    return tianjic.rows()


def test_every_row_is_within_its_tolerance(rows):
    assert {row.quantity for row in rows} == set(TOLERANCE)
    for row in rows:
        assert abs(row.deviation) <= TOLERANCE[row.quantity], row


def test_the_table_in_the_docs_is_what_comes_out(rows, request):
    text = (request.config.rootpath / "docs" / "validation.md").read_text()
    assert table(rows) in text
