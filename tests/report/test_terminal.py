"""The summary text: its width, its order, and what it says in odd cases."""

from __future__ import annotations

import subprocess
import sys

from chipsim.report.terminal import WIDTH, summary_text


def section(text, name):
    """Return the lines of a section as one line of single-spaced words."""
    block = next(b for b in text.split("\n\n") if b.startswith(name))
    return " ".join(block.split())


def test_lines_fit_the_width(example):
    assert max(map(len, summary_text(example[0]).splitlines())) <= WIDTH


def test_the_order_of_the_answers(example):
    text = summary_text(example[0])
    heads = [block.split()[0] for block in text.split("\n\n")[1:]]
    assert heads == ["Fits", "Accuracy", "Energy", "Speed", "Traffic", "Assumed", "Warnings"]
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_numbers_of_the_example(example):
    summary = example[0]
    summary["energy_per_inference_j"] = {"value": 4.5e-5, "low": 1e-5, "high": 9e-5}
    text = summary_text(summary)
    assert "yes: 39 of 156 cores (25 %)" in section(text, "Fits")
    assert "hidden 36 cores axon 38.3 % soma 50 % synapse 76.6 %" in section(text, "Fits")
    assert "chip 95.00 %, float 100.00 %" in section(text, "Accuracy")
    assert "3 of 5,120 values clipped" in section(text, "Accuracy")
    assert "45 uJ (10 uJ to 90 uJ) an inference" in section(text, "Energy")
    assert "2,976 inferences/s, latency 386.4 us" in section(text, "Speed")
    assert "hottest link (6,7)->(5,7) busy 9.9 % of a phase" in section(text, "Traffic")
    assert "97.8 % of the energy rests on assumed" in section(text, "Assumed")


def test_accuracy_without_labels(single_core):
    assert section(summary_text(single_core[0]), "Accuracy") == "Accuracy no labels in the trace"


def test_accuracy_without_labels_but_with_a_float_run(example):
    summary = example[0]
    summary["accuracy"] = {"float": None, "chip": None, "agreement": 0.9}
    found = section(summary_text(summary), "Accuracy")
    assert "no labels in the trace same answer as in float for 90.00 % of 20 samples" in found


def test_accuracy_without_a_float_run(example):
    summary = example[0]
    summary["accuracy"] = {"float": None, "chip": 0.5, "agreement": None}
    assert "Accuracy chip 50.00 %" in section(summary_text(summary), "Accuracy")
    assert "no labels" not in summary_text(summary)


def test_zero_energy_and_one_core(single_core):
    text = summary_text(single_core[0])
    assert "0 J an inference" in section(text, "Energy")
    assert "nan" not in text
    assert "1 of 1 core (100 %)" in text
    assert "Warnings" not in text


def test_bad_news_stands_out(example):
    summary = example[0]
    summary["traffic"]["overruns"] = 3
    summary["fits"] = False
    text = summary_text(summary)
    assert "OVERRUN: 3 of 400 simulated phases ended before all was done" in text
    assert section(text, "Fits").startswith("Fits NO:")


def test_control_characters_do_not_reach_the_terminal(example):
    summary = example[0]
    summary["model"]["name"] = "evil\x1b[31m"
    summary["warnings"] = ["a\x07b"]
    text = summary_text(summary)
    assert all(c.isprintable() or c == "\n" for c in text)


def test_the_text_needs_no_matplotlib():
    code = (
        "import sys, chipsim.report.terminal, chipsim.report.run_folder, chipsim.cli.report;"
        "sys.exit('matplotlib' in sys.modules or 'numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_line_part_needs_only_the_standard_library():
    code = "import sys, chipsim.cli.report; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
