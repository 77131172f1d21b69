"""How numbers are written."""

from __future__ import annotations

import pytest

from chipsim.report import numbers


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1234567, "1,234,567"), (1234.56, "1,235"), (9.4, "9.4")]
)
def test_count(value, text):
    assert numbers.count(value) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0, "0 %"), (0.25, "25 %"), (0.99996, ">99.9 %"), (1, "100 %"), (12.5, "1,250 %")],
)
def test_percent(fraction, text):
    assert numbers.percent(fraction) == text


def test_accuracy():
    assert numbers.accuracy(None) == "no labels"
    assert numbers.accuracy(0.9876) == "98.76 %"


def test_ranges():
    assert numbers.with_range({"value": 2e-12, "low": 1e-12, "high": 3e-12}, "J") == (
        "2 pJ (1 pJ to 3 pJ)"
    )
    assert numbers.with_range({"value": 2e-12, "low": 2e-12, "high": 2e-12}, "J") == "2 pJ"


def test_a_share_of_nothing():
    assert numbers.share(1.0, 4.0) == "25 %"
    assert numbers.share(0.0, 0.0) == "-"


def test_energy_tables_are_sorted_by_value_then_name():
    table = {"b": {"value_j": 1.0}, "c": {"value_j": 2.0}, "a": {"value_j": 1.0}}
    assert [name for name, _ in numbers.by_value(table)] == ["c", "a", "b"]


def test_populations_keep_the_order_of_the_model(example):
    found = numbers.in_model_order({"output", "zebra", "hidden", "ape"}, example[0])
    assert found == ["hidden", "output", "ape", "zebra"]
