"""Do a job, write its run folder and print its summary."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np

from chipsim.cli.noc_packets import packet_arrays
from chipsim.cli.progress import StderrProgress
from chipsim.job import Job
from chipsim.mapping.mapping_file import write_mapping
from chipsim.mapping.processor import mapping_file as processor_mapping_file
from chipsim.pipeline import run
from chipsim.report.arrays import arrays_of
from chipsim.report.processor import summary as processor_summary
from chipsim.report.processor import traffic as processor_traffic
from chipsim.report.run_folder import Writer, check_target, write_arrays, write_json, write_run
from chipsim.report.schema import Arrays, Summary
from chipsim.report.summary import summarise
from chipsim.report.terminal import summary_text
from chipsim.results import Results
from chipsim.simulate.samples import Answers
from chipsim.tick_results import TickResults


def run_job(job: Job, out: Path | None, *, force: bool, as_json: bool, quiet: bool) -> int:
    """Run ``job``; write ``out`` (default: runs/MODEL-CHIP) whole or not at all; print the result.

    Raises what `chipsim.pipeline.run` raises, and InputError if the folder cannot be written.
    """
    folder = out or Path("runs") / f"{job.model.stem}-{Path(job.chip).stem}"
    replace = force or out is None
    check_target(folder, replace)
    progress = StderrProgress(quiet=quiet)
    results = run(job, progress)
    progress.stage("report")
    if isinstance(results, TickResults):
        summary, arrays = processor_summary.summarise(results), processor_traffic.arrays_of(results)
        files = processor_files(results, summary, arrays)
    else:
        summary, arrays = summarise(results), arrays_of(results)
        files = run_files(results, summary, arrays)
    written = write_run(folder, files, force=replace)
    progress.finish()
    print((written / "report.json").read_text() if as_json else summary_text(summary), end="")
    print(f"report: {written / 'report.html'}", file=sys.stderr if as_json else sys.stdout)
    return 0


def run_files(results: Results, summary: Summary, arrays: Arrays) -> dict[str, Writer]:
    """Return what a run folder holds and how each file is written."""
    return {
        **_reports(summary, arrays),
        "mapping.json": partial(write_mapping, mapping=results.mapping, chip=results.chip),
        "trace.npz": partial(_write_spikes, answers=results.activity.answers),
        "packets.npz": partial(write_arrays, arrays=packet_arrays(results)),
    }


def processor_files(results: TickResults, summary: Summary, arrays: Arrays) -> dict[str, Writer]:
    """Return what the folder of a run on processors holds: also the weights, if it learned."""
    mapping = partial(
        processor_mapping_file.write_mapping, mapping=results.mapping, chip=results.chip
    )
    files: dict[str, Writer] = {
        **_reports(summary, arrays),
        "mapping.json": mapping,
        "trace.npz": partial(_write_spikes, answers=results.activity.answers),
    }
    learned = results.activity.learned
    if learned is not None:
        files["weights.npz"] = partial(write_arrays, arrays={"weights": learned.weights})
    return files


def _reports(summary: Summary, arrays: Arrays) -> dict[str, Writer]:
    from chipsim.report.html import report_html
    from chipsim.report.timeline import chrome_trace

    return {
        "report.json": partial(write_json, content=summary),
        "counters.npz": partial(write_arrays, arrays=arrays),
        "timeline.json": partial(write_json, content=chrome_trace(summary, arrays)),
        "report.html": lambda path: _write_text(path, report_html(summary, arrays)),
    }


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_spikes(path: Path, answers: Answers) -> None:
    """Spikes of every population, bit-packed over steps and neurons, and the answers."""
    np.savez_compressed(
        path,
        spikes=np.packbits(answers.spikes, axis=-1),
        populations=np.array(answers.populations),
        sizes=np.array(answers.sizes),
        readout_potential=answers.potential,
    )
