"""Measures are single values of the report, named by path."""

from __future__ import annotations

import pytest

from chipsim.errors import InputError
from chipsim.study.measures import DEFAULT, is_number, key_of, label, value_of, written

SUMMARY = {
    "cores_used": 3,
    "accuracy": {"chip": None},
    "spikes_per_inference": {"a.b": 4.0, "a": 5.0},
    "cores": [{"x": 1}],
}


def test_the_defaults_are_numbers_of_the_report():
    assert all(is_number(path) for path in DEFAULT)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("cores_used", 3),
        ("accuracy.chip", None),
        ("spikes_per_inference.a.b", 4.0),
        ("spikes_per_inference.a", 5.0),
        ("spikes_per_inference.c", None),
        ("cores", None),
    ],
)
def test_a_value_is_found_also_where_names_hold_dots(path, value):
    assert value_of(SUMMARY, path) == value


def test_an_unknown_path_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r'did you mean "energy_per_inference_j.value"'):
        key_of("energy_per_inference.value")


def test_lists_are_no_single_values():
    with pytest.raises(InputError, match="no single value"):
        key_of("cores[].fan_in")


def test_values_are_written_with_their_unit():
    assert written("energy_per_inference_j.value", 1.5e-5) == "15 uJ"
    assert written("accuracy.chip", 0.984) == "98.4 %"
    assert written("accuracy.chip", None) == "-"
    assert written("cores_used", 1234) == "1,234"
    assert written("fits", True) == "true"


def test_labels_have_no_units():
    assert label("energy_per_inference_j.value") == "energy per inference"
    assert label("traffic.packets_per_inference") == "packets per inference"
