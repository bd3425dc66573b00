"""Declared figures of one run and of several: which marks are drawn, with which numbers, and how little is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtri

import mho
from mho import Array, Band, Column, Figure, Layout, Map, ReferenceLine, ReferencePoints, Table
from mho.analysis.figures.drawing import compose
from mho.analysis.figures.marks import Drawing
from mho.analysis.figures.values import figure_reading
from mho.analysis.figures.values.figure_reading import gather
from mho.errors import InputError, RunFileError
from mho.runs import RunFile, RunHeader, RunWriter

TABLE = Table(
    "points",
    (
        Column("time", "s"), Column("row", dtype="u2"), Column("column", dtype="u2"), Column("level", dtype="i4"),
        Column("current", "A"), Column("wave", "V", shape=(4,), ragged=True),
    ),
)  # fmt: skip
MAPS = tuple(Map(name, "S", np.array([1, 4]), np.arange(3)) for name in ("a_conductance", "a_target"))
ARRAYS = (Array("matrix", np.arange(6.0).reshape(2, 3), "S"), Array("ratio", np.array(0.5)))


def write(path: Path, *figures: Figure, summary: dict[str, Any] | None = None, **columns: Any) -> Path:
    """Write a run with some rows of the table; columns that are not given are 0."""
    header = RunHeader("A run", "Mine", "1", {})
    with RunWriter.create(path, header, Layout((TABLE,), MAPS, ARRAYS, figures=figures)) as run:
        size = max((len(values) for values in columns.values()), default=0)
        waves = columns.pop("wave", None)
        for number in range(size):
            row = dict.fromkeys(("time", "current"), 0.0) | dict.fromkeys(("row", "column", "level"), 0)
            row |= {name: values[number] for name, values in columns.items()}
            run.emit("points", **row, wave=np.zeros(4) if waves is None else waves[number])
        run.set_result(summary or {})
    return path


def drawn(figure: Figure, *paths: Path) -> Drawing:
    found = []
    for path in paths:
        with RunFile(path) as run:
            found.append(gather(run, figure))
    return compose(figure, found)


# --- curves ---


def test_one_curve_a_cell_named_by_its_place(tmp_path: Path) -> None:
    figure = Figure("reads", table="points", x="time", y="current", by=("row", "column"))
    times = np.arange(6.0)
    path = write(tmp_path / "a.h5", time=times, row=[1, 1, 2] * 2, column=[0, 5, 0] * 2, current=times * 1e-6)
    drawing = drawn(figure, path)
    assert [mark.label for mark in drawing.marks] == ["[1, 0]", "[1, 5]", "[2, 0]"]
    assert_array_equal([mark.x for mark in drawing.marks], [[0, 3], [1, 4], [2, 5]])
    assert len({mark.colour for mark in drawing.marks}) == 3
    assert (drawing.x.name, drawing.x.unit, drawing.y.name, drawing.y.unit) == ("time", "s", "current", "A")


def test_more_curves_than_colours_are_a_crowd_and_the_newest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = Figure("reads", table="points", x="time", y="current", by="level")
    path = write(
        tmp_path / "a.h5", time=np.arange(24.0), level=np.repeat(np.arange(12), 2), current=np.ones(24)
    )
    drawing = drawn(figure, path)
    assert len(drawing.marks) == 12
    assert not any(mark.label for mark in drawing.marks)
    assert len({mark.colour for mark in drawing.marks}) == 12
    assert drawing.note == "12 curves"
    monkeypatch.setattr(figure_reading, "CURVES_SHOWN", 5)
    drawing = drawn(figure, path)
    assert [mark.x[0] for mark in drawing.marks] == [14, 16, 18, 20, 22]
    assert drawing.note == "newest 5 of 12 curves"


def test_a_logarithmic_axis_shows_magnitudes_and_says_so(tmp_path: Path) -> None:
    figure = Figure("iv", table="points", x="time", y="current", y_scale="log")
    drawing = drawn(figure, write(tmp_path / "a.h5", time=[-1.0, 0.0, 1.0], current=[-1e-6, 0.0, 2e-6]))
    assert drawing.y.name == "|current|"
    assert_array_equal(drawing.marks[0].y, [1e-6, np.nan, 2e-6])
    assert_array_equal(drawing.marks[0].x, [-1.0, 0.0, 1.0])


def test_several_columns_are_several_curves_from_a_known_start(tmp_path: Path) -> None:
    figure = Figure("two", table="points", x="time", y=("current", "level"), start=(0.0, 7.0))
    drawing = drawn(figure, write(tmp_path / "a.h5", time=[1.0], current=[2.0], level=[3]))
    assert [(mark.label, mark.y.tolist()) for mark in drawing.marks] == [
        ("current", [7, 2]),
        ("level", [7, 3]),
    ]
    assert drawing.y.name == "current, level"
    assert drawing.y.unit == ""  # they have no unit in common


def test_waveforms_are_drawn_row_by_row_as_long_as_they_were(tmp_path: Path) -> None:
    figure = Figure("waves", table="points", y="wave")
    path = write(tmp_path / "a.h5", wave=[np.arange(number % 4 + 1.0) for number in range(12)])
    drawing = drawn(figure, path)
    assert [mark.label for mark in drawing.marks] == [f"row {number}" for number in range(4, 12)]
    assert [len(mark.y) for mark in drawing.marks] == [1, 2, 3, 4] * 2
    assert drawing.note == "newest 8 of 12 rows"


def test_error_bars_reach_from_quartile_to_quartile_about_the_median(tmp_path: Path) -> None:
    figure = Figure("drift", kind="errorbars", table="points", x="time", y="current", by="level")
    values = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    path = write(
        tmp_path / "a.h5",
        time=np.repeat([1.0, 10.0], 5),
        level=[3] * 10,
        current=np.append(values, 2 * values),
    )
    (mark,) = drawn(figure, path).marks
    assert (mark.shape, mark.label) == ("whiskers", "level 3")
    assert_array_equal(np.stack((mark.x, mark.low, mark.y, mark.high)), [[1, 10], [2, 4], [3, 6], [4, 8]])


@pytest.mark.parametrize(
    ("fit", "curve", "told"),
    [
        ("line", lambda t: 2.0 + 3.0 * t, "slope 3 / s, 2 at 0 s"),
        ("log-log line", lambda t: 2.0 * t**-0.5, "power -0.5, 2 at 1 s"),
        ("log-time line", lambda t: 2.0 - 0.25 * np.log10(t), "-0.25 a decade, 2 at 1 s"),
        ("exponential", lambda t: 2.0 * np.exp(-0.1 * t), "rate -0.1 / s, 2 at 0 s"),
    ],
)
def test_the_numbers_of_a_fit_stand_in_the_legend(tmp_path: Path, fit: str, curve: Any, told: str) -> None:
    times = np.array([1.0, 2.0, 5.0, 10.0])
    table = Table("points", (Column("time", "s"), Column("value")))
    figure = Figure("fit", table="points", x="time", y="value", fit=fit)
    layout = Layout((table,), figures=(figure,))
    with RunWriter.create(tmp_path / "a.h5", RunHeader("A", "A", "1", {}), layout) as run:
        run.emit_block("points", {"time": times, "value": curve(times)})
    points, line = drawn(figure, tmp_path / "a.h5").marks
    assert points.label == told
    assert_allclose(line.y, curve(line.x))


def test_a_fit_that_the_points_do_not_determine_is_left_out(tmp_path: Path) -> None:
    figure = Figure("fit", table="points", x="time", y="current", fit="log-log line")
    (mark,) = drawn(figure, write(tmp_path / "a.h5", time=[1.0, 1.0, -2.0], current=[1.0, 2.0, 3.0])).marks
    assert mark.label == ""


# --- references ---


def test_reference_lines_have_numbers_or_name_results(tmp_path: Path) -> None:
    figure = Figure(
        "conv",
        table="points",
        x="time",
        y="current",
        y_scale="log",
        lines=(
            ReferenceLine(1e-3, label="tolerance"),
            ReferenceLine(x="switching", label="switched"),
            ReferenceLine(1.0, ratio="rho", label="forecast, rho"),
            ReferenceLine(1.0, ratio="ratio", label="from an array"),
            ReferenceLine("not there"),
            ReferenceLine(-1.0, label="below a log axis"),
        ),
    )
    path = write(
        tmp_path / "a.h5", time=[0.0, 2.0], current=[1.0, 0.1], summary={"rho": 0.1, "switching": 1.5}
    )
    drawing = drawn(figure, path)
    assert [(level.label, level.x, level.y) for level in drawing.levels] == [
        ("tolerance", None, 1e-3), ("switched = 1.5", 1.5, None),
    ]  # fmt: skip
    forecast, half, curve = drawing.marks
    assert (forecast.label, half.label) == ("forecast, rho = 0.1", "from an array = 0.5")
    assert_allclose((forecast.y[-1], half.y[-1]), (0.1**2, 0.5**2))
    assert curve.shape == "line"


def test_points_to_compare_with_are_drawn_where_the_axes_can_show_them(tmp_path: Path) -> None:
    points = (
        ReferencePoints((0.0, 1.0, 2.0), (0.5, 0.0, 0.2), "published"),
        ReferencePoints((1.0,), (-1.0,), "below a log axis"),
        ReferencePoints((1.5,), (0.3,), "another's"),
    )
    figure = Figure("curve", table="points", x="time", y="current", y_scale="log", points=points)
    path = write(tmp_path / "a.h5", time=[0.0, 2.0], current=[1.0, 0.1])
    published, other, curve = drawn(figure, path).marks
    assert (published.shape, published.label, other.label) == ("points", "published", "another's")
    assert (published.x.tolist(), published.y.tolist()) == ([0.0, 2.0], [0.5, 0.2])
    assert published.marker != other.marker
    assert curve.shape == "line"


def test_a_plane_has_equal_axes_and_its_legend_beside_it(tmp_path: Path) -> None:
    figure = Figure("plane", kind="scatter", table="points", x="time", y="current", by="level", equal=True)
    path = write(tmp_path / "a.h5", time=[0.0, 9.0, 4.0], current=[1.0, 0.0, 2.0], level=[0, 0, 1])
    assert drawn(figure, path).equal
    (axes,) = mho.draw(write(tmp_path / "b.h5", figure, time=[0.0, 9.0], current=[1.0, 0.0])).axes
    assert axes.get_aspect() == 1.0


def test_pictures_of_one_size_stand_in_a_grid_from_black_to_white(tmp_path: Path) -> None:
    maps = tuple(Map(name, "", np.arange(4), np.arange(4)) for name in ("sent", "first", "second", "third"))
    names = tuple(one.name for one in maps)
    figures = Figure("grey", map=names, colours="grey"), Figure("usual", map=names)
    layout = Layout(maps=maps, figures=figures)
    with RunWriter.create(tmp_path / "a.h5", RunHeader("A run", "Mine", "1", {}), layout) as run:
        for name in names:
            run.snapshot(name, np.arange(16.0).reshape(4, 4), 0.0)
    grey, usual = (mho.draw(tmp_path / "a.h5", figure=one.name).axes[:4] for one in figures)
    assert grey[0].images[0].cmap(0.0)[:3] == (0.0, 0.0, 0.0) != usual[0].images[0].cmap(0.0)[:3]
    assert len({tuple(np.round(axes.get_position().size, 6)) for axes in grey}) == 1
    assert len({tuple(np.round(axes.get_position().p0, 2)) for axes in grey}) == 4


# --- counts ---


def test_a_histogram_has_a_bin_for_each_whole_number(tmp_path: Path) -> None:
    figure = Figure("levels", kind="histogram", table="points", x="level")
    (mark,) = drawn(figure, write(tmp_path / "a.h5", level=[0, 0, 2, 5])).marks
    assert_array_equal(mark.x, np.arange(-0.5, 6.0))
    assert_array_equal(mark.y, [2, 0, 1, 0, 0, 1])
    assert mark.label == "4 values"


def test_a_value_is_outside_when_it_is_not_in_the_band_of_its_group(tmp_path: Path) -> None:
    bands = (Band(None, 1.5e-6, "0"), Band(4e-6, 6e-6, "1"))
    figure = Figure("levels", kind="histogram", map="a_conductance", by="a_target", bands=bands)
    with RunWriter.create(
        tmp_path / "a.h5", RunHeader("A", "A", "1", {}), Layout((), MAPS, figures=(figure,))
    ) as run:
        assert drawn(figure, run.path).nothing == "no cells read yet"
        run.snapshot("a_target", np.array([[0, 0, 5e-6], [5e-6, 5e-6, np.nan]]))
        run.snapshot("a_conductance", np.array([[1e-6, 5e-6, 5e-6], [5.5e-6, 9e-6, 5e-6]]))
        run.flush()
        every, outside = drawn(figure, run.path).marks
    assert (every.label, outside.label) == (
        "5 cells",
        "2 outside their window",
    )  # 5 µS is another digit's window
    assert every.y.sum() == 5
    assert_allclose(np.diff(every.x), 2e-6 / 12)


def test_a_distribution_is_straight_on_an_axis_of_probability(tmp_path: Path) -> None:
    values = 5e-6 + 1e-6 * ndtri((np.arange(100) + 0.5) / 100)
    figure = Figure("cdf", kind="distribution", table="points", x="current", y_scale="probability")
    (mark,) = drawn(figure, write(tmp_path / "a.h5", current=values)).marks
    assert_allclose(mark.y, (mark.x - 5e-6) / 1e-6, atol=1e-9)
    assert mark.label == "5 (4.33 to 5.67) µA"


def test_difference_maps_and_arrays_are_images(tmp_path: Path) -> None:
    figure = Figure("error", map="a_conductance", minus="a_target")
    with RunWriter.create(tmp_path / "a.h5", RunHeader("A", "A", "1", {}), Layout((), MAPS, ARRAYS)) as run:
        run.snapshot("a_target", np.full((2, 3), 1e-6))
        run.snapshot("a_conductance", np.arange(6.0).reshape(2, 3) * 1e-6)
    drawing = drawn(figure, tmp_path / "a.h5")
    assert_allclose(drawing.images[0].values, 1e-6 * (np.arange(6.0).reshape(2, 3) - 1.0), atol=1e-12)
    assert (drawing.images[0].name, drawing.images[0].rows.tolist(), drawing.signed) == ("a", [1, 4], True)
    assert drawing.y.name == "conductance − target"
    matrix = drawn(Figure("matrix", kind="map", array="matrix"), tmp_path / "a.h5")
    assert_array_equal(matrix.images[0].values, np.arange(6.0).reshape(2, 3))
    columns = drawn(Figure("matrix", array="matrix"), tmp_path / "a.h5")
    assert [mark.label for mark in columns.marks] == ["column 0", "column 1", "column 2"]


# --- several runs ---


def test_runs_are_laid_over_one_another_one_colour_each(tmp_path: Path) -> None:
    figure = Figure("iv", table="points", x="time", y="current", by="level")
    paths = [
        write(tmp_path / f"{name}.h5", time=np.arange(4.0), level=[0, 1] * 2, current=np.ones(4))
        for name in "ab"
    ]
    marks = drawn(figure, *paths).marks
    assert [mark.label for mark in marks] == ["a, level 0", "a, level 1", "b, level 0", "b, level 1"]
    assert len({mark.colour for mark in marks}) == 2


def test_distributions_of_runs_say_their_quartiles_and_share_their_bins(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / f"{name}.h5", current=factor * 1e-6 * np.arange(1.0, 6.0))
        for name, factor in (("a", 1), ("b", 10))
    ]
    cumulated = drawn(Figure("d", kind="distribution", table="points", x="current"), *paths).marks
    assert [mark.label for mark in cumulated] == ["a: 3 (2 to 4) µA", "b: 30 (20 to 40) µA"]
    one, other = drawn(Figure("h", kind="histogram", table="points", x="current"), *paths).marks
    assert_array_equal(one.x, other.x)
    assert (one.y.sum(), other.y.sum()) == (5, 5)


# --- whatever numbers there are ---

FLOATS = st.sampled_from([0.0, -1.0, 1.0, 2.0, 3e-7, 1e-320, 1e15, 1e99, -1e308, 1e308, np.inf, np.nan])
KINDS = (
    Figure("lines", table="p", x="x", y="y", by="g", fit="line"),
    Figure(
        "points", kind="scatter", table="p", x="x", y="y", x_scale="log", y_scale="log", fit="log-log line"
    ),
    Figure("steps", kind="steps", table="p", y=("x", "y"), y_scale="log", fit="exponential"),
    Figure("bars", kind="errorbars", table="p", x="g", y="y", y_scale="log", fit="log-time line"),
    Figure("counts", kind="histogram", table="p", x="y", by="g", bands=(Band(None, 1.0), Band(1.0, 2.0))),
    Figure("logs", kind="histogram", table="p", x="y", x_scale="log", y_scale="log"),
    Figure("shares", kind="distribution", table="p", x="y", x_scale="log", y_scale="probability"),
    Figure("image", kind="map", array="numbers"),
    Figure("line", table="p", x="x", y="y", lines=(ReferenceLine(1e300), ReferenceLine(2.0, ratio=1e200))),
)


@pytest.mark.thorough
@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(st.tuples(FLOATS, FLOATS, st.integers(0, 2)), min_size=1, max_size=12))
def test_any_numbers_can_be_drawn(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, float, int]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.h5"
    table = Table("p", (Column("x", "A"), Column("y", "S"), Column("g", dtype="u1")))
    x, y, g = (np.array(column) for column in zip(*rows, strict=True))
    layout = Layout((table,), (), (Array("numbers", np.stack((x, y)), "S"),), figures=KINDS)
    with RunWriter.create(path, RunHeader("A", "A", "1", {}), layout) as run:
        run.emit_block("p", {"x": x, "y": y, "g": g})
    mho.draw(path).canvas.draw()


def test_rows_that_are_too_wide_to_draw_are_refused(tmp_path: Path) -> None:
    table = Table("wide", (Column("wave", shape=(3_000_000,)),))
    layout = Layout((table,), figures=(Figure("wave", table="wide", y="wave"),))
    with RunWriter.create(tmp_path / "a.h5", RunHeader("A", "A", "1", {}), layout) as run:
        run.emit("wide", wave=np.zeros(3_000_000))
    with pytest.raises(RunFileError, match="column 'wave' has 3000000 values, too many to draw"):
        mho.draw(tmp_path / "a.h5")


# --- sheets ---


def panels(sheet: Any) -> list[str]:
    return [axes.get_title(loc="left") for axes in sheet.findobj(Axes) if axes.get_title(loc="left")]


@pytest.mark.thorough
def test_a_sheet_has_every_declared_figure_or_the_one_that_is_asked_for(tmp_path: Path) -> None:
    figures = (
        Figure("iv", table="points", x="time", y="current", title="Current $over$ time"),
        Figure("matrix", kind="map", array="matrix"),
        Figure("levels", kind="histogram", table="points", x="level"),
    )
    path = write(tmp_path / "a.h5", *figures, time=[0.0, 1.0], current=[1.0, 2.0])
    assert panels(mho.draw(path)) == ["Current $over$ time", "levels", "matrix"]
    assert panels(mho.draw(path, figure="levels")) == ["levels"]
    with pytest.raises(RunFileError, match="has no figure 'nope'; it has iv, matrix, levels"):
        mho.draw(path, figure="nope")
    with pytest.raises(InputError, match="0 run files are named"):
        mho.draw()
    assert mho.plot(path, figure="iv") == tmp_path / "a-iv.png"
    assert mho.plot([path, path], tmp_path / "both.pdf").read_bytes().startswith(b"%PDF")


def test_a_sheet_has_the_leading_figures_unless_all_are_asked_for(tmp_path: Path) -> None:
    names = "abcdef"
    figures = [Figure(name, table="points", x="time", y="current", title=name) for name in names]
    path = write(tmp_path / "a.h5", *figures, time=[0.0, 1.0], current=[1.0, 2.0])
    leading = mho.draw(path)
    assert panels(leading) == list("abcd")
    assert "4 of 6 figures" in leading.get_suptitle()
    every = mho.draw(path, every=True)
    assert panels(every) == list(names)
    assert "figures" not in every.get_suptitle()
    assert panels(mho.draw(path, by="seed")) == list("abcd")
    assert panels(mho.draw(path, by="seed", every=True)) == list(names)
    assert mho.plot(path, every=True).stat().st_size > mho.plot(path, tmp_path / "b.png").stat().st_size


def test_a_run_without_what_another_declares_is_named_or_refused(tmp_path: Path) -> None:
    figure = Figure("iv", table="points", x="time", y="current")
    path = write(tmp_path / "a.h5", figure, time=[0.0, 1.0], current=[1.0, 2.0])
    with RunWriter.create(tmp_path / "other.h5", RunHeader("B", "B", "1", {}), Layout()):
        pass
    assert panels(mho.draw(path, tmp_path / "other.h5")) == ["iv, not in other"]
    with pytest.raises(
        RunFileError, match=r"other\.h5: figure 'iv': there is no table 'points'; there is none"
    ):
        mho.draw(path, tmp_path / "other.h5", figure="iv")


def test_a_live_run_is_drawn_as_far_as_it_is(tmp_path: Path) -> None:
    figure = Figure("iv", table="points", x="time", y="current")
    layout = Layout((TABLE,), figures=(figure,))
    with RunWriter.create(tmp_path / "a.h5", RunHeader("A", "A", "1", {}), layout) as run:
        assert drawn(figure, run.path).nothing == "no rows yet"
        run.emit("points", time=0.0, row=0, column=0, level=0, current=1.0, wave=np.zeros(2))
        run.flush()
        assert drawn(figure, run.path).marks[0].y.tolist() == [1.0]


@pytest.mark.thorough
def test_of_a_very_long_table_of_several_curves_the_newest_rows_are_read(tmp_path: Path) -> None:
    figure = Figure("long", table="points", x="time", y="current", by="level")
    path = write(tmp_path / "a.h5", time=[0.0], current=[0.0])
    length = 4 * figure_reading.NEWEST
    with h5py.File(path, "r+") as file:
        for name in ("time", "row", "column", "level", "current", "wave", "wave_length"):
            old = file[f"entry/points/{name}"]
            attributes, shape, kind = dict(old.attrs), old.shape[1:], old.dtype
            del file[f"entry/points/{name}"]
            made = file["entry/points"].create_dataset(
                name, (length, *shape), kind, chunks=(1 << 16, *shape), compression="gzip"
            )
            made.attrs.update(attributes)
        file["entry/points/current"][:] = np.arange(length)
    drawing = drawn(figure, path)
    assert drawing.note == f"newest {figure_reading.NEWEST} of {length} rows"
    (mark,) = drawing.marks
    assert len(mark.y) <= figure_reading.POINTS + 2
    assert (mark.y.min(), mark.y.max()) == (length - figure_reading.NEWEST, length - 1)


def test_another_table_is_drawn_grey_behind_the_curves_with_the_last_column(tmp_path: Path) -> None:
    tables = [
        Table(name, (Column("cycle"), Column("residual"), Column("error"))) for name in ("with", "without")
    ]
    figure = Figure(
        "both",
        table="with",
        x="cycle",
        y=("residual", "error"),
        y_scale="log",
        start=(0.0, 1.0),
        beside="without",
    )
    with RunWriter.create(
        tmp_path / "a.h5", RunHeader("A", "A", "1", {}), Layout(tuple(tables), figures=(figure,))
    ) as run:
        run.emit_block("with", {"cycle": [1.0, 2.0], "residual": [0.3, 0.1], "error": [0.2, 0.05]})
        run.emit_block("without", {"cycle": [1.0, 2.0], "residual": [0.9, 0.8], "error": [0.7, 0.6]})
    with RunFile(tmp_path / "a.h5") as run:
        (kept,) = run.figures
    behind, *curves = drawn(kept, tmp_path / "a.h5").marks
    assert (behind.label, behind.front, behind.y.tolist()) == ("without", False, [1.0, 0.7, 0.6])
    assert [(one.label, one.front) for one in curves] == [("residual", True), ("error", True)]
    assert behind.colour not in {one.colour for one in curves}


def test_what_stands_beside_has_the_columns_and_is_beside_curves(tmp_path: Path) -> None:
    tables = (Table("with", (Column("cycle"), Column("error"))), Table("other", (Column("cycle"),)))
    with pytest.raises(RunFileError, match="'other' has no column 'error'"):
        Layout(tables, figures=(Figure("a", table="with", x="cycle", y="error", beside="other"),))
    with pytest.raises(RunFileError, match="not beside a histogram"):
        Figure("a", table="with", kind="histogram", x="cycle", beside="other")


def test_a_run_of_before_is_laid_over_one_with_a_table_beside_in_either_order(tmp_path: Path) -> None:
    with_it, alone = (
        Table("with", (Column("cycle"), Column("error"))),
        Table("without", (Column("cycle"), Column("error"))),
    )
    figure = Figure("both", table="with", x="cycle", y="error", beside="without")
    paths = []
    for name, tables, declared in (
        ("new", (with_it, alone), figure),
        ("old", (with_it,), Figure("both", table="with", x="cycle", y="error")),
    ):
        paths.append(tmp_path / f"{name}.h5")
        with RunWriter.create(
            paths[-1], RunHeader("A", "A", "1", {}), Layout(tables, figures=(declared,))
        ) as run:
            for table in tables:
                run.emit_block(table.name, {"cycle": [1.0, 2.0], "error": [0.2, 0.05]})
    for order in (paths, paths[::-1]):
        sheet = mho.analysis.draw(*order, figure="both")
        assert "without" in sheet.axes[0].get_legend_handles_labels()[1]
