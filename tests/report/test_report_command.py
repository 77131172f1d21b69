"""``chipsim report`` renders a kept run again."""

from __future__ import annotations

import argparse
import json
from functools import partial

import pytest

from chipsim.cli.report import add_parser
from chipsim.errors import InputError
from chipsim.report.html import report_html
from chipsim.report.run_folder import write_arrays, write_json, write_run
from chipsim.report.terminal import summary_text


@pytest.fixture
def folder(tmp_path, example):
    summary, arrays = example
    files = {
        "report.json": partial(write_json, content=summary),
        "counters.npz": partial(write_arrays, arrays=arrays),
    }
    return write_run(tmp_path / "run", files)


def report(*words):
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["report", *map(str, words)])
    return args.run(args)


def test_it_prints_the_summary(folder, example, capsys):
    assert report(folder) == 0
    assert capsys.readouterr().out == summary_text(example[0])


def test_it_prints_json(folder, capsys):
    assert report(folder, "--json") == 0
    out = capsys.readouterr().out
    assert out == (folder / "report.json").read_text()
    assert json.loads(out)["schema"] == 1


def test_it_writes_the_page_the_run_would_have_had(folder, tmp_path, example, capsys):
    page = tmp_path / "again.html"
    assert report(folder, "--html", page, "--json") == 0
    assert page.read_text() == report_html(*example)
    captured = capsys.readouterr()
    assert "again.html" in captured.err
    json.loads(captured.out)


def test_it_refuses_what_is_not_a_run(tmp_path):
    with pytest.raises(InputError, match=r"report\.json"):
        report(tmp_path)
