"""Each figure draws what its data say, in many shapes of chip and run."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest

from chipsim.report.figures import core_busy, gantt, link_heat, raster, traffic_matrix
from chipsim.report.figures.shapes import heat_step, rectangle, scaled
from chipsim.report.figures.style import HEAT, HEAT_IN_IMAGE, THEMED, population_colors, to_svg
from chipsim.report.html import FIGURES


def texts(figure):
    """Return all words of a figure."""
    return [
        unescape(word) for word in re.findall(r"<text[^>]*>([^<]*)</text>", to_svg(figure, "f"))
    ]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_the_same_svg_twice(example, name):
    first, second = (to_svg(FIGURES[name](*example), name) for _ in range(2))
    assert first == second
    assert first.startswith("<svg")
    assert "<metadata>" not in first
    assert not re.search(r'\bid="(?!' + name + "-)", first)


@pytest.mark.parametrize("name", FIGURES)
def test_a_single_core_is_no_problem(single_core, name):
    figure = FIGURES[name](*single_core)
    expected_empty = name in ("raster", "gantt", "traffic_matrix")
    assert (figure is None) == expected_empty


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_leaves_the_figure(example, name):
    figure = FIGURES[name](*example)
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 > -0.01
    assert box.y0 > -0.01
    assert box.x1 < width + 0.01
    assert box.y1 < height + 0.01


def enlarge(example, width, height):
    """Return the example on another mesh, every core used."""
    summary, arrays = example
    cores = width * height
    known = summary["cores"]
    summary["cores"] = [
        known[c % len(known)] | {"core": c, "x": c % width, "y": c // width} for c in range(cores)
    ]
    summary["chip"] |= {"width": width, "height": height, "cores": cores}
    rng = np.random.default_rng(3)
    arrays["link_flits"] = rng.integers(0, 99, (cores, 5))
    arrays["traffic_matrix"] = rng.integers(0, 99, (cores, cores))
    starts = np.arange(20) * 5040
    arrays["timeline"] = np.array(
        [(c, c % 3, p, start, 900) for c in range(cores) for p, start in enumerate(starts)]
    )
    return summary, arrays


@pytest.mark.parametrize("name", FIGURES)
def test_a_large_chip_stays_small_on_paper(example, name):
    assert len(to_svg(FIGURES[name](*enlarge(example, 36, 32)), name)) < 500_000


def test_the_scale_of_an_image_has_the_colours_of_the_image(example):
    svg = to_svg(traffic_matrix.draw(*enlarge(example, 10, 10)), "f")
    assert "<image" in svg
    assert "var(--heat-3)" not in svg
    assert HEAT_IN_IMAGE[3] in svg
    assert not set(HEAT_IN_IMAGE) & set(THEMED)


def test_the_hottest_link_is_the_one_with_most_flits(example):
    words = texts(link_heat.draw(*example))
    assert any("(6,7)->(5,7)" in word and "9.9 %" in word for word in words)
    flits = example[1]["link_flits"][:, :4]
    router, port = np.unravel_index(flits.argmax(), flits.shape)
    assert (router % 12, router // 12, port) == (6, 7, 1)


@pytest.mark.parametrize("step", [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_an_arrow_keeps_to_the_right_of_its_link(step):
    arrow = link_heat._arrow(5, 5, step) - 5
    dx, dy = step
    along, right = arrow @ (dx, dy), arrow @ (dy, -dx)
    assert along.min() > 0
    assert along.max() < 1
    assert right.mean() > 0.05


def test_the_raster_shows_every_spike(example):
    _, arrays = example
    figure = raster.draw(*example)
    drawn = [len(c.get_segments()) for axes in figure.axes for c in axes.collections]
    assert drawn == [arrays["raster_hidden"].sum(), arrays["raster_output"].sum()]
    spikes = arrays["raster_hidden"].sum() + arrays["raster_output"].sum()
    assert f"{spikes} spikes answer the first sample" in texts(figure)


def test_cores_are_grouped_and_the_busiest_comes_first(example):
    rows = core_busy._rows(example[0])
    populations = [row["population"] for row in rows]
    assert populations == ["hidden"] * 36 + ["output"] * 3
    busy = [row["busy_cycles_max"] for row in rows[:36]]
    assert busy == sorted(busy, reverse=True)


def test_phases_start_at_multiples_or_at_their_first_task():
    fixed = np.array([(0, 0, 0, 10, 5), (0, 0, 2, 205, 5)])
    assert gantt._phase_starts(fixed, 100.0).tolist() == [0, 100, 200]
    adaptive = np.array([(0, 0, 0, 10, 5), (0, 0, 1, 77, 5), (1, 0, 1, 80, 5)])
    assert gantt._phase_starts(adaptive, 100.0).tolist() == [10, 77]


def test_the_timeline_image_holds_every_task():
    timeline = np.array([(7, 0, 0, 0, 50), (7, 2, 0, 60, 1), (9, 1, 0, 50, 50)])
    grid = gantt._grid(timeline, {7: 0, 9: 1}, 100.0)
    half = grid.shape[1] // 2
    assert (grid[0, :half] == 0).all()
    assert (grid[1, half:] == 1).all()
    assert 2 in grid[0, half:]
    assert (grid[1, :half] == -1).all()


def test_a_coarse_matrix_keeps_its_peaks():
    matrix = np.zeros((1500, 1500))
    matrix[1499, 3] = 7
    coarse = traffic_matrix._coarse(matrix)
    assert coarse.shape == (500, 500)
    assert coarse[499, 1] == 7
    assert coarse.sum() == 7


def test_a_population_has_one_colour_everywhere(example):
    colors = population_colors(example[0])
    assert list(colors) == ["hidden", "output"]
    assert len(set(colors.values())) == 2


def test_heat_steps():
    assert [heat_step(v, 9.0) for v in (0, 0.99, 1, 8.9, 9.0)] == [0, 0, 1, 8, 8]
    assert heat_step(0.0, 0.0) == 0
    assert len(HEAT) == 9


@pytest.mark.parametrize(
    ("top", "unit"), [(0, "J"), (2.0, "J"), (3e-5, "uJ"), (4e-10, "pJ"), (5e-15, "pJ")]
)
def test_units_of_an_axis(top, unit):
    assert scaled(top, "J")[1] == unit


def test_a_rectangle_has_its_corners():
    assert rectangle(1, 2, 3, 4).tolist() == [[1, 2], [4, 2], [4, 6], [1, 6]]
