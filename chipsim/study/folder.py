"""The output folder of a study: results of its points, and what is made of them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from chipsim.errors import InputError
from chipsim.report.run_folder import dump_json, write_text
from chipsim.study.figures.panels import draw
from chipsim.study.model import Study
from chipsim.study.outcome import Row, study_json
from chipsim.study.page import study_html
from chipsim.study.store import Store
from chipsim.study.tables import csv_table

POINTS = "points"


def open_store(folder: Path) -> Store:
    """Return the store of results in a study's folder.

    Raises InputError for a folder that holds other things: nothing is written among them.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file, a study needs a folder; choose another -o")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / POINTS).is_dir():
        raise InputError(
            f"{folder}: is a folder without {POINTS}/, so not of a study, and is left alone; "
            "choose another -o"
        )
    return Store(folder / POINTS)


def write_study(folder: Path, study: Study, rows: Sequence[Row]) -> None:
    """Write study.json, table.csv, study.html and, if there are plots, study.png, each whole."""
    figure = draw(study, rows)
    write_text(folder / "study.json", dump_json(study_json(study, rows)))
    write_text(folder / "table.csv", csv_table(study, rows))
    write_text(folder / "study.html", study_html(study, rows, figure))
    if figure is not None:
        _write_png(folder / "study.png", figure)


def _write_png(path: Path, figure: Figure) -> None:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        figure.savefig(
            aside, format="png", dpi=110, facecolor="white", bbox_inches="tight", pad_inches=0.15
        )
        os.replace(aside, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)
