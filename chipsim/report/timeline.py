"""``timeline.json``: one inference as Chrome trace events, which Perfetto opens.

Format: "Trace Event Format", https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
(complete events ``ph: X`` with ``ts`` and ``dur`` in microseconds, names by ``ph: M``).
"""

from __future__ import annotations

from typing import Any

from chipsim.report.schema import PROCESSOR_TASKS, Arrays, Summary

_CHIP = 0


def chrome_trace(summary: Summary, arrays: Arrays) -> dict[str, Any]:
    """Return the first inference as a trace: one thread a core, one event a task."""
    slices = {row["core"]: f"{row['population']} {row['role']}" for row in summary["cores"]}
    events: list[dict[str, Any]] = [_name("process_name", _CHIP, summary["chip"]["name"])]
    rows = arrays["timeline"].tolist()
    for core in sorted({row[0] for row in rows}):
        label = f"core {core} {slices.get(core, '')}".rstrip()
        events.append(_name("thread_name", core, label))
    microseconds = 1e6 / summary["chip"]["clock_hz"]
    for core, task, phase, start, cycles in rows:
        events.append(
            {
                "name": PROCESSOR_TASKS[task],
                "cat": "task",
                "ph": "X",
                "pid": _CHIP,
                "tid": core,
                "ts": start * microseconds,
                "dur": cycles * microseconds,
                "args": {"phase": phase, "cycles": cycles},
            }
        )
    return {"traceEvents": events, "displayTimeUnit": "ns"}


def _name(kind: str, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": _CHIP, "tid": thread, "args": {"name": name}}
