"""Figures over many runs: groups, quartiles over seeds, panels, ratios; what is missing is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from numpy.testing import assert_allclose, assert_array_equal

import mho
from mho import Array, Band, Column, Figure, Layout, Map, ReferenceLine, Table
from mho.analysis.figures.marks import Mark
from mho.analysis.figures.over_runs import reading
from mho.analysis.figures.over_runs.comparing import compare
from mho.analysis.figures.over_runs.groups_of_runs import GroupedFigure, RunsOfGroup
from mho.analysis.figures.over_runs.reading import read_figures
from mho.analysis.grouping import group_runs, read_cards
from mho.errors import InputError, RunFileError
from mho.runs import RecordedParameter, RunHeader, RunWriter

TABLE = Table("points", (Column("cycle"), Column("error", "A"), Column("state", dtype="u1")))
MAPS = tuple(Map(name, "S", np.array([1, 4]), np.arange(3)) for name in ("a_conductance", "a_target"))
CONVERGENCE = Figure(
    "convergence", table="points", x="cycle", y="error", y_scale="log",
    lines=(ReferenceLine(1.0, ratio="rho", label="forecast"),),
)  # fmt: skip


def write(
    path: Path, *figures: Figure, preset: str = "quiet", seed: int = 0, rows: dict[str, Any] | None = None,
    maps: dict[str, Any] | None = None, bits: int = 8, finish: bool = True, units: dict[str, str] | None = None,
    **results: Any,
) -> Path:  # fmt: skip
    header = RunHeader(
        "A run", "Mine", "1",
        {"bits": RecordedParameter(bits, "bit"), "seed": RecordedParameter(seed, "")},
        provenance={"preset": preset, "seed": str(seed)},
    )  # fmt: skip
    layout = Layout((TABLE,), MAPS, (Array("numbers", np.arange(6.0).reshape(2, 3)),), figures=figures)
    with RunWriter.create(path, header, layout) as run:
        if rows:
            size = len(next(iter(rows.values())))
            run.emit_block(
                "points",
                {"state": np.zeros(size, "u1"), "error": np.zeros(size), "cycle": np.zeros(size)} | rows,
            )
        for name, image in (maps or {}).items():
            run.snapshot(name, image)
        run.set_result(results, units)
        if not finish:
            raise_out(run)
    return path


def raise_out(run: RunWriter) -> None:
    """End a run as one that its user stopped."""
    run.finish(mho.runs.Status.ABORTED, "stopped by hand")


def campaign(folder: Path, *, lengths: dict[str, list[int]] | None = None) -> list[Path]:
    """Write runs whose error shrinks by a rate of their preset, times a factor of their seed."""
    paths = []
    for preset, rate in (("quiet", 0.1), ("noisy", 0.5)):
        for seed in range(5):
            length = (lengths or {}).get(preset, [4] * 5)[seed]
            cycle = np.arange(float(length))
            rows = {"cycle": cycle, "error": (1.0 + seed) * rate**cycle}
            path = folder / f"{preset}-{seed}.h5"
            paths.append(write(path, CONVERGENCE, preset=preset, seed=seed, rows=rows, rho=rate))
    return paths


def compared(places: Any, *by: str, figure: str = "", **options: Any) -> GroupedFigure:
    runs, skipped = read_cards(places)
    (found,) = read_figures(runs, figure, skipped)
    groups = [
        RunsOfGroup(
            group.label,
            tuple(found.kept[place] for place in group.runs if place in found.kept),
            sum(not runs[place].finished for place in group.runs),
        )
        for group in group_runs(by, runs)
    ]
    return compare(found.figure, groups, **options)


def bands(drawn: GroupedFigure, panel: int = 0) -> list[Mark]:
    return [mark for mark in drawn.panels[panel].marks if mark.shape.endswith("band")]


def curves(drawn: GroupedFigure, panel: int = 0) -> list[Mark]:
    return [mark for mark in drawn.panels[panel].marks if mark.shape in ("line", "steps") and mark.front]


# --- curves ---


@pytest.mark.thorough
def test_seeds_of_a_group_are_a_median_with_its_quartiles(tmp_path: Path) -> None:
    drawn = compared(campaign(tmp_path), "preset")
    quiet, noisy = bands(drawn)
    cycle = np.arange(4.0)
    assert_allclose((quiet.low, quiet.y, quiet.high), np.array([[2.0], [3.0], [4.0]]) * 0.1**cycle)
    assert_allclose(noisy.y, 3.0 * 0.5**cycle)
    assert [mark.label for mark in curves(drawn)] == ["quiet (5 runs)", "noisy (5 runs)"]
    assert curves(drawn)[0].colour == quiet.colour != noisy.colour
    assert drawn.note == ""


@pytest.mark.thorough
def test_runs_that_end_earlier_are_said_and_the_curve_ends_with_half_of_them(tmp_path: Path) -> None:
    drawn = compared(campaign(tmp_path, lengths={"quiet": [3, 3, 4, 5, 6]}), "preset")
    assert "quiet 3 of 5 remain" in drawn.note
    assert "ends where fewer than half of its runs remain" in drawn.note
    whole, pale = (mark for mark in curves(drawn) if mark.colour == bands(drawn)[0].colour)
    assert_array_equal(whole.x, [0, 1, 2])
    assert_array_equal(pale.x, [2, 3])  # 2 of 5 remain in cycle 4
    assert pale.opacity < whole.opacity
    assert_allclose(pale.y[1], 4.0 * 0.1**3)


@pytest.mark.thorough
def test_a_forecast_is_drawn_where_the_runs_of_a_panel_agree(tmp_path: Path) -> None:
    paths = campaign(tmp_path)
    assert [mark.label for mark in compared(paths, "preset").panels[0].marks if mark.dash == "dash-dot"] == []
    drawn = compared(paths, "preset", panels=True)
    assert [panel.title for panel in drawn.panels] == ["quiet (5 runs)", "noisy (5 runs)"]
    for panel, rate in zip(drawn.panels, (0.1, 0.5), strict=True):
        (forecast,) = [mark for mark in panel.marks if mark.dash == "dash-dot"]
        assert_allclose(forecast.y[-1], rate ** forecast.x[-1])


@pytest.mark.thorough
def test_the_ratio_to_the_first_group_stands_below(tmp_path: Path) -> None:
    drawn = compared(campaign(tmp_path), "preset", ratio=True)
    (below,) = drawn.ratios
    first, other = (mark for mark in below.marks if mark.shape == "line")
    assert_allclose(first.y, 1.0)
    assert_allclose(other.y, 5.0 ** np.arange(4.0))
    assert below.y.name == "ratio to quiet"


@pytest.mark.thorough
def test_many_curves_of_a_run_are_pooled_and_few_keep_their_name(tmp_path: Path) -> None:
    figure = Figure("cells", table="points", x="cycle", y="error", by="state")
    for count in (2, 12):
        folder = tmp_path / str(count)
        folder.mkdir()
        for seed in range(3):
            state = np.repeat(np.arange(count), 3)
            rows = {
                "cycle": np.tile(np.arange(3.0), count),
                "state": state.astype("u1"),
                "error": state + 1.0,
            }
            write(folder / f"{seed}.h5", figure, seed=seed, rows=rows)
    few = compared([tmp_path / "2"], "preset")
    assert [mark.label for mark in few.panels[0].marks if np.isnan(mark.x).all()] == ["state 0", "state 1"]
    assert [float(mark.y[0]) for mark in curves(few) if np.isfinite(mark.x).any()] == [1.0, 2.0]
    many = compared([tmp_path / "12"], "preset")
    assert many.note == "12 curves of a run pooled"
    assert_allclose(curves(many)[0].y, 6.5)


# --- counts and maps ---


def test_counts_a_run_and_shares_have_the_quartiles_of_the_runs(tmp_path: Path) -> None:
    figures = (
        Figure("counts", kind="histogram", table="points", x="error"),
        Figure("shares", kind="distribution", table="points", x="error", by="state"),
    )
    for seed in range(4):
        values = np.repeat([0.0, 1.0], [seed + 1, 10])
        write(
            tmp_path / f"{seed}.h5", *figures, seed=seed, rows={"error": values, "state": values.astype("u1")}
        )
    counts = compared([tmp_path], "preset", figure="counts")
    assert_array_equal(curves(counts)[0].y, [2.5, 10.0, 10.0])
    assert_array_equal(bands(counts)[0].low, [1.75, 10.0, 10.0])
    assert counts.panels[0].y.name == "values a run"
    shares = compared([tmp_path], "preset", figure="shares")
    assert [mark.x.max() for mark in curves(shares) if np.isfinite(mark.x).any()] == [0.0, 1.0]


def test_a_histogram_with_windows_says_how_many_are_outside(tmp_path: Path) -> None:
    figure = Figure(
        "levels", kind="histogram", map="a_conductance", by="a_target", y_scale="log",
        bands=(Band(None, 1.5e-6, "0"), Band(4e-6, 6e-6, "1")),
    )  # fmt: skip
    targets = np.array([[0, 0, 5e-6], [5e-6, 5e-6, 5e-6]])
    held = np.array([[1e-6, 2e-6, 5e-6], [5e-6, 5e-6, 9e-6]])
    for seed in range(3):
        write(tmp_path / f"{seed}.h5", figure, seed=seed, maps={"a_target": targets, "a_conductance": held})
    (outline,) = curves(compared([tmp_path], "preset"))
    assert outline.label.endswith("33 % outside their window")
    assert outline.y.min() > 0.0  # so that a log axis has a place for it


@pytest.mark.thorough
def test_of_maps_the_median_is_drawn_cell_by_cell_a_panel_a_group(tmp_path: Path) -> None:
    figure = Figure("map", map="a_conductance")
    for preset, factor in (("quiet", 1.0), ("noisy", 10.0)):
        for seed in range(3):
            image = factor * (1.0 + seed) * np.arange(6.0).reshape(2, 3)
            write(
                tmp_path / f"{preset}{seed}.h5",
                figure,
                preset=preset,
                seed=seed,
                maps={"a_conductance": image},
            )
    (panel,) = compared([tmp_path], "preset").panels
    assert [image.name for image in panel.images] == ["noisy", "quiet"]
    assert_allclose(panel.images[1].values, 2.0 * np.arange(6.0).reshape(2, 3))
    assert_array_equal(panel.images[0].rows, [1, 4])


def test_a_figure_that_files_do_not_declare_yet_is_drawn_over_runs_by_its_name(tmp_path: Path) -> None:
    image = np.full((2, 3), 2e-6)
    for seed in range(3):
        maps = {"a_conductance": image + 1e-7 * seed, "a_target": image}
        write(tmp_path / f"{seed}.h5", CONVERGENCE, seed=seed, maps=maps)
    drawn = compared([tmp_path], "preset", figure="errors")
    assert_allclose(drawn.panels[0].images[0].values, 1e-7)
    with pytest.raises(RunFileError, match=r"none has a figure 'errers'; there is convergence"):
        compared([tmp_path], "preset", figure="errers")


def test_what_is_counted_of_a_part_of_the_values_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = Figure("inside", kind="share", table="points", x="cycle", y=("state", "error"))
    rows = {"cycle": np.zeros(64), "state": np.ones(64, "u1"), "error": np.ones(64)}
    write(tmp_path / "a.h5", share, rows=rows)
    assert "evenly spaced" not in compared([tmp_path], "preset").note
    monkeypatch.setattr(reading, "LEAST_KEPT", 40)
    monkeypatch.setattr(reading, "NUMBERS_KEPT", 40)
    assert "31 % of the values of a run, evenly spaced" in compared([tmp_path], "preset").note


@pytest.mark.thorough
def test_images_of_many_runs_are_read_of_some_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = Figure("map", map="a_conductance")
    for seed in range(10):
        write(
            tmp_path / f"{seed}.h5", figure, seed=seed, maps={"a_conductance": np.full((2, 3), float(seed))}
        )
    monkeypatch.setattr(reading, "CELLS_KEPT", 30)
    runs, skipped = read_cards([tmp_path])
    (found,) = read_figures(runs, "map", skipped)
    assert (len(found.kept), found.left_out) == (5, 5)
    texts = [
        text.get_text() for text in mho.draw(tmp_path, by="preset").findobj() if hasattr(text, "get_text")
    ]
    assert any("images of 5 of 10 runs" in text for text in texts)


# --- sheets and files ---


def words(sheet: Any) -> str:
    return " ".join(text.get_text() for text in sheet.findobj() if hasattr(text, "get_text"))


@pytest.mark.thorough
def test_a_folder_is_drawn_by_one_line_and_what_is_not_in_it_is_named(tmp_path: Path) -> None:
    campaign(tmp_path)
    write(tmp_path / "other.h5", Figure("else_", table="points", x="cycle", y="error"), preset="quiet")
    (tmp_path / "torn.h5").write_bytes(b"no run")
    skipped: list[str] = []
    target = mho.plot(
        tmp_path,
        figure="convergence",
        by="preset",
        on_skipped=lambda path, _: skipped.append(Path(path).name),
    )
    assert target == tmp_path / f"{tmp_path.name}-convergence.png"
    assert skipped == ["torn.h5"]
    said = words(mho.draw(tmp_path, figure="convergence", by="preset"))
    assert "1 damaged file" in said
    assert "11 runs by preset" in said
    with pytest.raises(
        RunFileError, match="11 runs are named and none has a figure 'nope'; there is convergence, else_"
    ):
        mho.draw(tmp_path, figure="nope", by="preset")
    with pytest.raises(InputError, match="none of 1 run files can be read"):
        mho.draw(tmp_path / "torn.h5", by="preset")


@pytest.mark.thorough
def test_a_run_of_another_layout_with_the_data_takes_part_and_one_without_is_named(tmp_path: Path) -> None:
    paths = campaign(tmp_path)
    with RunWriter.create(tmp_path / "empty.h5", RunHeader("B", "B", "1", {}), Layout()):
        pass
    said = words(mho.draw(*paths, tmp_path / "empty.h5", figure="convergence", by="preset"))
    assert "not in empty" in said


def test_runs_that_did_not_finish_are_used_and_marked(tmp_path: Path) -> None:
    rows = {"cycle": np.arange(3.0), "error": np.ones(3)}
    write(tmp_path / "a.h5", CONVERGENCE, rows=rows)
    write(tmp_path / "b.h5", CONVERGENCE, rows=rows, finish=False)
    said = words(mho.draw(tmp_path, figure="convergence", by="preset"))
    assert "quiet (2 runs, 1†)" in said
    assert "† not finished" in said
    assert "1 aborted" in said


def test_an_empty_table_is_said(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", CONVERGENCE)
    assert "no rows yet" in words(mho.draw(tmp_path, by="preset"))


@pytest.mark.thorough
def test_more_runs_than_can_be_told_apart_are_one_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mho.analysis.figures import plotting

    campaign(tmp_path)
    monkeypatch.setattr(plotting, "MOST_RUNS", 4)
    assert "all runs (10 runs)" in words(mho.draw(tmp_path))


@pytest.mark.thorough
def test_many_groups_are_a_crowd_and_panels_have_the_same_axes(tmp_path: Path) -> None:
    for seed in range(14):
        rows = {"cycle": np.arange(3.0), "error": (1.0 + seed) * np.ones(3)}
        write(tmp_path / f"{seed:02}.h5", CONVERGENCE, seed=seed, rows=rows)
    crowd = compared([tmp_path], "seed")
    assert len(crowd.panels) == 1
    assert "medians of 14 groups, from seed 0 (dark) to seed 13 (light)" in crowd.note
    sheet = mho.draw(tmp_path, by="seed", panels=True)
    drawn = [axes for axes in sheet.findobj(Axes) if axes.get_visible() and axes.lines]
    assert len(drawn) == 12
    assert len({axes.get_ylim() for axes in drawn}) == 1
    assert "12 of 14 groups" in words(sheet)


# --- a point a run, formulas, fits, widths ---


def scaled(folder: Path) -> None:
    """Write runs whose result `current` is 2e-6 A a bit, times a factor of their seed, at five numbers of bits."""
    for bits in (1, 2, 3, 4, 5):
        for seed in range(3):
            write(folder / f"{bits}{seed}.h5", bits=bits, seed=seed, units={"current": "A", "bias": "V"},
                  current=2e-6 * bits * (1.0 + 0.1 * (seed - 1)), bias=0.5)  # fmt: skip


@pytest.mark.thorough
def test_a_result_over_a_parameter_has_a_point_a_run_and_quartiles(tmp_path: Path) -> None:
    scaled(tmp_path)
    sheet = mho.draw(tmp_path, x="parameter.bits", y="current", by="preset")
    (axes,) = [one for one in sheet.findobj(Axes) if one.get_xlabel() == "bits (bit)"]
    assert axes.get_ylabel() == "current (µA)"
    (whiskers,) = axes.containers
    assert_allclose(whiskers.lines[0].get_xydata(), [[bits, 2.0 * bits] for bits in (1, 2, 3, 4, 5)])
    assert_allclose(whiskers.lines[2][0].get_segments()[0][:, 1], [1.9, 2.1])
    assert "quiet (15 runs)" in words(sheet)


@pytest.mark.thorough
def test_a_formula_over_results_has_a_unit_and_a_fit_has_intervals(tmp_path: Path) -> None:
    scaled(tmp_path)
    sheet = mho.draw(tmp_path, x="bits", y="G", formula="G = current / bias", fit="linear")
    said = words(sheet)
    assert "G (µS)" in said
    assert "slope 4 (3.541 to 4.459) µS / bit, R² 0.9646" in said
    assert "15 points" in " ".join(said.split())  # which may be broken into lines
    with pytest.raises(InputError, match="puts A and V together"):
        mho.draw(tmp_path, x="bits", y="G", formula="G = current + bias")
    with pytest.raises(InputError, match="--formula makes a new column"):
        mho.draw(tmp_path, formula="G = current / bias")
    with pytest.raises(InputError, match="--y current needs --x"):
        mho.draw(tmp_path, y="current")
    with pytest.raises(InputError, match=r"no number in any run|has anything called"):
        mho.draw(tmp_path, x="host", y="current")


def test_a_formula_is_a_column_of_the_figure_s_table(tmp_path: Path) -> None:
    rows = {"cycle": np.arange(4.0), "error": 1e-6 * np.arange(4.0)}
    path = write(tmp_path / "a.h5", CONVERGENCE, rows=rows, units={"bias": "V"}, bias=0.5)
    sheet = mho.draw(path, figure="convergence", formula=["G = error / bias", "R = 1 / G"], y="R")
    (axes,) = [one for one in sheet.findobj(Axes) if one.get_ylabel() == "R (Ω)"]
    assert_allclose(axes.lines[0].get_ydata()[1:], 0.5 / rows["error"][1:])
    with pytest.raises(InputError, match="there is no 'eror'; did you mean error"):
        mho.draw(path, figure="convergence", formula="G = eror / bias")
    with pytest.raises(InputError, match="has a column of that name"):
        mho.draw(path, figure="convergence", formula="error = cycle * 2")


@pytest.mark.thorough
def test_a_fit_over_runs_is_to_all_their_points_and_a_missing_one_is_said(tmp_path: Path) -> None:
    said = words(mho.draw(*campaign(tmp_path), figure="convergence", by="preset", fit="exp"))
    assert "quiet (5 runs): rate −2.3" in said
    assert "fit: noisy: at 0" in said
    assert "20 points" in said
    one = write(tmp_path / "one.h5", CONVERGENCE, rows={"cycle": np.ones(3), "error": np.arange(3.0)})
    assert "no fit, all points lie at one x" in words(mho.draw(one, figure="convergence", fit="linear"))
    assert "over a temperature in K" in words(mho.draw(one, figure="convergence", fit="arrhenius"))
    with pytest.raises(InputError, match="--fit cubic: choose one of linear"):
        mho.draw(one, fit="cubic")
    with pytest.raises(InputError, match="figure 'convergence' is a lines; choose one of linear"):
        mho.draw(one, figure="convergence", fit="weibull")


def test_a_law_is_fitted_to_the_values_of_all_runs(tmp_path: Path) -> None:
    figure = Figure(
        "shares", kind="distribution", table="points", x="error", y_scale="probability", x_scale="log"
    )
    for seed in range(4):
        values = np.random.default_rng(seed).lognormal(np.log(3e-6), 0.3, 100)
        write(tmp_path / f"{seed}.h5", figure, seed=seed, rows={"error": values})
    drawn = compared([tmp_path], "preset", figure="shares")
    assert drawn.fits == ()
    said = words(mho.draw(tmp_path, by="preset", figure="shares", fit="lognormal"))
    assert "400 values" in said
    assert "Anderson-Darling" in said


def test_a_user_s_own_figure_may_be_over_the_table_of_runs(tmp_path: Path) -> None:
    own = Figure("mine", kind="errorbars", table="runs", x="bits", y="result.gain", by="preset")
    for bits in (4, 8):
        write(tmp_path / f"{bits}.h5", CONVERGENCE, own, bits=bits, gain=2.0 * bits)
    (axes,) = [one for one in mho.draw(tmp_path, figure="mine").findobj(Axes) if one.get_ylabel() == "gain"]
    assert_allclose(axes.lines[0].get_xydata(), [[4, 8], [8, 16]])
    sheet = mho.draw(tmp_path / "4.h5")  # of one run it is not drawn
    assert [one.get_title(loc="left") for one in sheet.findobj(Axes)] == ["convergence"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("width", "inches"), [("column", 85 / 25.4), ("full", 178 / 25.4), (120.0, 120 / 25.4)]
)
def test_a_paper_s_figure_is_as_wide_as_asked_with_letters_of_7_to_9_points(
    tmp_path: Path, width: str | float, inches: float
) -> None:
    sheet = mho.draw(*campaign(tmp_path), figure="convergence", by="preset", width=width)
    assert_allclose(sheet.get_figwidth(), inches)
    sizes = {
        text.get_fontsize() for text in sheet.findobj() if hasattr(text, "get_fontsize") and text.get_text()
    }
    assert min(sizes) >= 7.0
    assert max(sizes) <= 9.0
    target = mho.plot(tmp_path, tmp_path / "a.svg", "convergence", by="preset", width=width)
    assert ">cycle</text>" in target.read_text("utf-8")


@pytest.mark.parametrize("width", ["column", "full"])
@pytest.mark.parametrize("preset", ["quiet", ""])
def test_a_sheet_of_simulated_runs_for_a_paper_says_so(tmp_path: Path, width: str, preset: str) -> None:
    run = write(tmp_path / "a.h5", CONVERGENCE, preset=preset, rows={"cycle": np.arange(3.0)})
    sheet = mho.draw(run, figure="convergence", width=width)
    assert ("SIMULATED" in sheet.get_suptitle()) == bool(preset)


@pytest.mark.parametrize("width", ["wide", 1.0, 1e9, float("nan")])
def test_a_width_that_no_paper_has_is_refused(tmp_path: Path, width: str | float) -> None:
    with pytest.raises(InputError, match="give column, full, or 40 to 400 mm"):
        mho.draw(tmp_path, width=width)
