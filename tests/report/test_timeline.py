"""The Chrome trace: one event a task, in microseconds."""

from __future__ import annotations

import pytest

from chipsim.report.run_folder import dump_json
from chipsim.report.timeline import chrome_trace


def test_every_task_is_an_event(example):
    summary, arrays = example
    trace = chrome_trace(summary, arrays)
    tasks = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert len(tasks) == len(arrays["timeline"])
    for event, row in zip(tasks, arrays["timeline"].tolist(), strict=True):
        core, code, phase, start, cycles = row
        assert event["tid"] == core
        assert event["name"] == ("integrate", "soma", "learn")[code]
        assert event["ts"] == pytest.approx(start / 300)
        assert event["dur"] == pytest.approx(cycles / 300)
        assert event["args"] == {"phase": phase, "cycles": cycles}


def test_cores_and_chip_have_names(example):
    events = chrome_trace(*example)["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert names[38] == "core 38 hidden dendrite"
    assert names[101 - 1] == "core 100 output dendrite"
    assert [e["args"]["name"] for e in events if e["name"] == "process_name"] == ["tianjic"]


def test_it_is_strict_json_and_the_same_twice(example):
    assert dump_json(chrome_trace(*example)) == dump_json(chrome_trace(*example))


def test_no_tasks(single_core):
    assert [e["ph"] for e in chrome_trace(*single_core)["traceEvents"]] == ["M"]
