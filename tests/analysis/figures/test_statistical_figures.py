"""Shares with intervals, confusion of levels, spatial correlation of maps, lines by a power: numbers and marks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binomtest

import mho
from mho import Band, Column, Figure, Layout, Map, ReferenceLine, Table
from mho.analysis.figures.drawing import compose, confusion, decided_levels, in_order, row_shares, shares
from mho.analysis.figures.marks import BELOW, Drawing
from mho.analysis.figures.values.figure_reading import gather
from mho.analysis.figures.values.statistics import autocorrelation, without_group_medians
from mho.errors import RunFileError
from mho.runs import RunFile, RunHeader, RunWriter

LEVELS = (Band(None, 1.0, "0"), Band(4.0, 6.0, "1"), Band(9.0, 11.0, "2"))
COUNTS = Table(
    "counts",
    (Column("snr"), Column("errors", dtype="u8"), Column("bits", dtype="u8"), Column("code", dtype="u1")),
)


def write_map(path: Path, figure: Figure, values: np.ndarray, target: np.ndarray) -> Path:
    lines = [np.arange(count) for count in values.shape]
    maps = tuple(Map(name, "S", *lines) for name in ("a_conductance", "a_target"))
    layout = Layout((), maps, figures=(figure,))
    with RunWriter.create(path, RunHeader("A", "A", "1", {}), layout) as run:
        run.snapshot("a_conductance", values, 0.0)
        run.snapshot("a_target", target, 0.0)
    return path


def write_counts(path: Path, figure: Figure, **columns: list[float]) -> Path:
    with RunWriter.create(path, RunHeader("A", "A", "1", {}), Layout((COUNTS,), figures=(figure,))) as run:
        size = len(next(iter(columns.values())))
        empty = {column.name: np.zeros(size, column.dtype) for column in COUNTS.columns}
        run.emit_block("counts", empty | {name: np.array(values) for name, values in columns.items()})
    return path


def drawn(figure: Figure, *paths: Path) -> Drawing:
    found = []
    for path in paths:
        with RunFile(path) as run:
            found.append(gather(run, figure))
    return compose(figure, found)


# --- numbers ---


def test_a_value_is_taken_for_the_level_on_its_side_of_the_middle_between_windows() -> None:
    ordered = in_order(LEVELS[::-1])
    assert [band.label for band in ordered] == ["0", "1", "2"]
    assert_array_equal(
        decided_levels(np.array([-9.0, 2.49, 2.51, 7.49, 7.51, 99.0]), ordered), [0, 0, 1, 1, 2, 2]
    )


def test_confusion_counts_and_its_rows_add_up_to_one() -> None:
    counts = confusion(np.array([0, 0, 0, 2]), np.array([0, 0, 1, 2]), 3)
    assert_array_equal(counts, [[2, 1, 0], [0, 0, 0], [0, 0, 1]])
    found = row_shares(counts)
    assert_allclose(np.nansum(found, axis=1), [1.0, 0.0, 1.0])
    assert np.isnan(found[0, 2])  # none is no small share


def test_shares_add_counts_up_and_have_the_exact_interval() -> None:
    x, share, low, high = shares(
        np.array([3.0, 1.0, 3.0, 5.0]), np.array([1.0, 0.0, 2.0, 4.0]), np.array([10.0, 20.0, 20.0, 0.0])
    )
    assert_array_equal(x, [1.0, 3.0])  # nothing was counted at 5
    assert_allclose(share, [0.0, 0.1])
    for place, (k, n) in enumerate(((0, 20), (3, 30))):
        exact = binomtest(k, n).proportion_ci(0.95, "exact")
        assert_allclose((low[place], high[place]), (exact.low, exact.high), rtol=1e-9, atol=1e-15)


def test_white_noise_has_no_correlation_beyond_its_band() -> None:
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(40):
        _, found, band = autocorrelation([rng.standard_normal((24, 24))], 1)
        inside += (np.abs(found) < band).tolist()
    assert 0.92 < np.mean(inside) < 0.98


def test_a_field_that_falls_off_exponentially_along_its_rows_is_found_as_such() -> None:
    rng, rho = np.random.default_rng(2), 0.8
    image = np.empty((400, 60))  # an AR(1) process along each row has the correlation rho^k
    image[:, 0] = rng.standard_normal(400)
    for column in range(1, 60):
        image[:, column] = rho * image[:, column - 1] + np.sqrt(1.0 - rho**2) * rng.standard_normal(400)
    lags, along, _ = autocorrelation([image], 1)
    assert_array_equal(lags, np.arange(1, 31))
    assert_allclose(along[:5], rho ** lags[:5], atol=0.03)
    _, across, band = autocorrelation([image], 0)
    assert np.mean(np.abs(across) < 2.5 * band) == 1.0  # rows know nothing of each other; cells of a row do


def test_correlation_takes_pairs_that_are_there_and_several_maps_together() -> None:
    stripes = np.tile([1.0, -1.0], (8, 8))
    with_gaps = stripes.copy()
    with_gaps[::2, 3] = np.nan
    for images in ([stripes], [with_gaps], [stripes, stripes + 7.0]):
        lags, found, _ = autocorrelation(images, 1)
        assert_allclose(found, (-1.0) ** lags, atol=0.06)
    assert not autocorrelation([np.full((8, 8), 3.0)], 0)[0].size  # nothing varies
    assert not autocorrelation([np.full((8, 8), np.nan)], 0)[0].size


def test_without_its_groups_medians_a_pattern_of_levels_is_gone() -> None:
    groups = np.tile([0.0, 5.0], (4, 4))
    noise = np.random.default_rng(3).standard_normal((4, 8))
    left = without_group_medians(3.0 * groups + noise, groups)
    for level in (0.0, 5.0):
        assert abs(np.median(left[groups == level])) < 1e-12
    image = np.where(groups > 0, np.nan, noise)
    assert_array_equal(np.isnan(without_group_medians(image, groups)), groups > 0)


# --- marks ---


def test_a_share_of_a_table_has_an_interval_at_each_place_and_a_curve_a_group(tmp_path: Path) -> None:
    figure = Figure(
        "ber", kind="share", table="counts", x="snr", y=("errors", "bits"), by="code", y_scale="log"
    )
    path = write_counts(
        tmp_path / "a.h5", figure, snr=[1, 2, 1, 2], errors=[10, 0, 20, 5], bits=[100] * 4, code=[0, 0, 1, 1]
    )
    first, none, second = drawn(figure, path).marks
    assert (first.label, second.label) == ("code 0", "code 1")
    assert_allclose(first.y, [0.1, 0.0])
    assert_allclose(second.y, [0.2, 0.05])
    assert none.marker == BELOW  # where no error was found there is no place for it, but for its upper end
    assert_allclose(none.x, [2.0])
    assert_allclose(none.y, binomtest(0, 100).proportion_ci(0.95, "exact").high)
    assert drawn(figure, path).y.name == "errors, share of bits"


def test_the_yield_of_each_level_is_the_share_of_its_cells_in_its_window(tmp_path: Path) -> None:
    figure = Figure("inside", kind="share", map="a_conductance", by="a_target", bands=LEVELS)
    target = np.array([[0.4] * 4, [5.0] * 4, [10.0] * 4])
    values = target + np.array([[0, 0, 0, 0], [0, 0, 0, 3.0], [0, -2.0, 5.0, 0]])
    drawing = drawn(figure, write_map(tmp_path / "a.h5", figure, values, target))
    (mark,) = drawing.marks
    assert_array_equal(mark.x, [0, 1, 2])
    assert_allclose(mark.y, [1.0, 0.75, 0.5])
    assert drawing.bands == ()  # they are windows of conductance, and the axis has levels


def test_the_confusion_of_maps_counts_cells_that_are_read_as_another_level(tmp_path: Path) -> None:
    figure = Figure("confusion", kind="confusion", map="a_conductance", by="a_target", bands=LEVELS)
    target = np.array([[0.4] * 4, [5.0] * 4, [10.0] * 4])
    values = target.copy()
    values[1, 3] = 8.0  # outside its window, nearer to level 2
    values[2, 0] = 8.0  # outside its window, still level 2
    path = write_map(tmp_path / "a.h5", figure, values, target)
    drawing = drawn(figure, path)
    (image,) = drawing.images
    assert_array_equal(image.counts, [[4, 0, 0], [0, 3, 1], [0, 0, 4]])
    assert (image.name, drawing.lines, drawing.limits) == (
        "1 of 12 misread", ("read level", "wanted level"), (0.0, 1.0),
    )  # fmt: skip
    sheet = mho.draw(path)
    (axes, _) = sheet.findobj(Axes)
    assert sorted(text.get_text() for text in axes.texts) == ["1", "3", "4", "4"]
    both = drawn(figure, path, path)
    assert [one.name for one in both.images] == ["a: 8.3 % misread"] * 2


def test_the_confusion_of_a_table_takes_its_levels_as_they_are(tmp_path: Path) -> None:
    figure = Figure("levels", kind="confusion", table="counts", x="code", y="errors")
    (image,) = drawn(
        figure, write_counts(tmp_path / "a.h5", figure, code=[1, 1, 4, 4], errors=[1, 4, 4, 4])
    ).images
    assert_array_equal(image.rows, [1, 4])
    assert_array_equal(image.counts, [[1, 1], [0, 2]])


def test_a_correlation_leaves_out_the_pattern_of_levels_and_bounds_what_is_none(tmp_path: Path) -> None:
    target = np.tile([0.4, 5.0], (16, 8))
    noise = np.random.default_rng(4).standard_normal((16, 16))
    values = target + 0.1 * noise + np.where(target > 1.0, 2.0, 0.0)
    values[3, 3] = 500.0  # a lost cell does not hide the others
    plain = Figure("plain", kind="correlation", map="a_conductance", minus="a_target")
    less = Figure("less", kind="correlation", map="a_conductance", minus="a_target", by="a_target")
    path = write_map(tmp_path / "a.h5", plain, values, target)
    assert drawn(plain, path).marks[0].y[0] < -0.8
    along, across, *bands = drawn(less, path).marks
    assert (along.label, across.label) == ("along rows", "along columns")
    assert len(bands) == 4
    assert np.abs(along.y[0]) < 0.2
    assert_allclose(bands[0].y[0], 1.96 / np.sqrt(16 * 15), rtol=1e-3)


def test_a_line_by_a_power_is_straight_where_both_axes_are_logarithmic(tmp_path: Path) -> None:
    figure = Figure(
        "noise", table="counts", x="snr", y="bits", x_scale="log", y_scale="log",
        lines=(ReferenceLine(8.0, power=-1.0, label="1/f"),),
    )  # fmt: skip
    line, curve = drawn(figure, write_counts(tmp_path / "a.h5", figure, snr=[1, 2, 4], bits=[8, 4, 2])).marks
    assert line.label == "1/f"
    assert_allclose(line.x * line.y, 8.0)
    assert (line.x.min(), line.x.max()) == (pytest.approx(1.0), pytest.approx(4.0))
    assert_array_equal(curve.y, [8, 4, 2])


def test_the_identity_goes_from_the_least_to_the_largest_value(tmp_path: Path) -> None:
    figure = Figure(
        "same", kind="scatter", table="counts", x="snr", y="bits", lines=(ReferenceLine(1.0, power=1.0),)
    )
    line = drawn(figure, write_counts(tmp_path / "a.h5", figure, snr=[-2.0, 3.0], bits=[0, 3])).marks[0]
    assert_allclose(line.y, line.x)
    assert (line.x.min(), line.x.max()) == (-2.0, 3.0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kind": "share", "table": "counts", "x": "snr", "y": "errors"}, "needs x and 2 y"),
        ({"kind": "share", "map": "a"}, "needs by, the wanted values, and bands"),
        ({"kind": "confusion", "array": "a"}, "not of an array"),
        ({"kind": "confusion", "table": "t", "x": "a", "y": "b", "by": "c"}, "by tells curves"),
        ({"kind": "confusion", "table": "t", "x": "a", "y": "b", "x_scale": "log"}, "no log axis"),
        ({"kind": "correlation", "table": "t", "x": "a", "y": "b"}, "not of a table"),
    ],
)
def test_what_none_can_be_counted_of_is_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(RunFileError, match=told):
        Figure("one", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [{"x": 1.0, "power": 1.0}, {"y": 1.0, "power": 1.0, "ratio": 0.5}])
def test_a_power_needs_a_value_at_one_and_no_ratio(given: dict[str, float]) -> None:
    with pytest.raises(RunFileError, match="has a power 1"):
        ReferenceLine(**given)
