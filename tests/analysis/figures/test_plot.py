"""The sheet of a run from before there were figures: what is drawn, that nothing is cut off, where the picture goes."""

import struct
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import run_samples
from matplotlib.axes import Axes
from matplotlib.text import Text
from numpy.testing import assert_array_equal
from repository import ROOT
from run_samples import LEVELS, SampleRun

from mho.analysis import plot
from mho.analysis.figures.sheet import draw_runs
from mho.analysis.figures.values import figure_reading
from mho.analysis.figures.values.figure_reading import TableColumns
from mho.errors import InputError, RunFileError
from mho.runs import RunFile


def draw(path):
    with RunFile(path) as run:
        return draw_runs([run], every=True)


def panel(figure, title):
    (axes,) = [axes for axes in figure.findobj(Axes) if axes.get_title(loc="left") == title]
    return axes


def drawn_texts(figure):
    """The texts that a picture of `figure` really shows, with their boxes."""
    drawn = {}
    draw_text = Text.draw

    def record(self, renderer):
        if self.get_visible() and self.get_text().strip():
            drawn[self] = self.get_window_extent(renderer)
        draw_text(self, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", record)
        figure.canvas.draw()
    return list(drawn.items())


def line(axes, label):
    (found,) = [line for line in axes.get_lines() if line.get_label() == label]
    return found.get_data()


@pytest.mark.thorough
def test_powers_of_ten_are_shown_as_such_without_markup(solved):
    figure = draw(solved)
    texts = {text.get_text() for text, _ in drawn_texts(figure)}
    assert {"10⁰", "10⁻²"} <= texts
    assert not any("$" in text or "\\" in text for text in texts)


@pytest.mark.thorough
def test_convergence_is_drawn_beside_ideal_and_forecast(solved):
    axes = panel(draw(solved), "Convergence")

    cycle, error = line(axes, "relative error")
    np.testing.assert_allclose(cycle, range(6))
    np.testing.assert_allclose(error[1:], 1.2 * 0.05 ** np.arange(1, 6))
    cycle, ideal = line(axes, "3 bits a cycle")
    np.testing.assert_allclose(ideal, 8.0**-cycle)
    cycle, forecast = line(axes, "forecast, rho = 0.05")
    np.testing.assert_allclose(forecast, 0.05**cycle)
    assert axes.get_yscale() == "log"
    assert "24 bits" in [text.get_text() for text in axes.texts]


@pytest.mark.thorough
def test_every_cell_is_in_the_histogram_and_every_digit_is_named(solved):
    axes = panel(draw(solved), "Levels of the programmed cells")
    every, stray = axes.containers

    assert sum(bar.get_height() for bar in every) == 8 * 8 + 216
    assert sum(bar.get_height() for bar in stray) == 3
    assert [text.get_text() for text in axes.texts] == list("01234567")
    windows = [patch for patch in axes.patches if patch not in {*every, *stray}]
    assert [window.get_x() for window in windows[1:]] == pytest.approx(list(1e6 * LEVELS.low[1:]))
    assert [window.get_width() for window in windows[1:]] == pytest.approx([2.4] * 7)


@pytest.mark.thorough
def test_maps_show_the_errors_on_one_scale_with_the_chip_s_line_numbers(solved):
    figure = draw(solved)
    cells = {each.name: each for each in run_samples.sample_cells()}
    images = []
    for name, title in (("invert_positive", "invert positive"), ("multiply", "multiply")):
        (image,) = panel(figure, title).get_images()
        error = 1e6 * (cells[name].achieved - cells[name].target)
        np.testing.assert_allclose(image.get_array().filled(np.nan), error)
        images.append(image)
    assert images[0].get_clim() == images[1].get_clim()
    label = panel(figure, "multiply").yaxis.get_major_formatter()
    assert [label(place) for place in (0, 2, 3, 11, 12)] == ["0", "2", "4", "12", ""]


@pytest.mark.thorough
@pytest.mark.parametrize("cycles", [1, 5, 40])
def test_no_text_is_cut_off_or_printed_over_another(tmp_path, cycles):
    figure = draw(run_samples.whole_run(tmp_path / "run.h5", cycles=cycles))
    found = drawn_texts(figure)

    assert len(found) > 40
    for text, extent in found:
        assert figure.bbox.contains(extent.x0, extent.y0), text
        assert figure.bbox.contains(extent.x1, extent.y1), text
    for index, (text, extent) in enumerate(found):
        for other, its in found[index + 1 :]:
            assert not extent.padded(-1).overlaps(its.padded(-1)), (text, other)


def test_what_a_run_does_not_hold_is_said(tmp_path):
    with SampleRun(tmp_path / "begun.h5") as run:
        run.plan()
    words = {text.get_text() for text, _ in drawn_texts(draw(tmp_path / "begun.h5"))}
    assert {"no rows yet", "no cells read yet", "Convergence", "Conductance errors"} <= words


def test_a_run_of_another_kind_is_drawn_as_its_procedure_declared_it(tmp_path):
    figure = draw(run_samples.other_run(tmp_path / "sweep.h5"))
    words = {text.get_text() for text, _ in drawn_texts(figure)}
    assert {"heat", "heat (K)", "row", "column", "points", "voltage (V)", "current (µA)"} <= words
    heat, points = panel(figure, "heat"), panel(figure, "points")
    assert_array_equal(heat.images[0].get_array(), np.arange(12.0).reshape(3, 4) + 300.0)
    np.testing.assert_allclose(points.lines[0].get_xydata(), np.outer(np.linspace(0, 1, 11), [1, 10]))

    words = {text.get_text() for text, _ in drawn_texts(draw(run_samples.empty_run(tmp_path / "empty.h5")))}
    assert "no table or map with a measurement" in words


@pytest.mark.thorough
def test_an_interrupted_run_is_marked_so(interrupted):
    figure = draw(interrupted)

    assert "interrupted" in figure.get_suptitle()
    assert "SIMULATED" in figure.get_suptitle()


@pytest.mark.thorough
def test_a_diverging_run_and_one_that_hit_zero(tmp_path):
    with SampleRun(tmp_path / "run.h5") as run:
        run.plan()
        run.program(share=0.5)
        for shrink in (1.5, 0.0, np.nan):
            run.cycle(shrink)
        run.writer.set_result({"forecast_rho": float("inf")})
    plot(tmp_path / "run.h5")


@pytest.mark.thorough
def test_a_png_lands_beside_the_run_and_is_replaced(solved):
    target = plot(solved)
    first = target.read_bytes()

    assert target == solved.with_suffix(".png")
    assert first.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", first[16:24])
    assert (width, height) == (1760, 1392)
    assert plot(solved).read_bytes() == first
    assert {path.name for path in solved.parent.iterdir()} == {"solved.h5", "solved.png"}


@pytest.mark.thorough
def test_an_svg_is_the_same_every_time(solved, tmp_path):
    target = plot(solved, tmp_path / "new folder" / "figure.SVG")
    first = target.read_bytes()

    assert b"<svg" in first
    assert plot(solved, target).read_bytes() == first


@pytest.mark.thorough
def test_a_folder_takes_the_picture(solved, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    assert plot(solved, folder) == folder / "solved.png"


@pytest.mark.parametrize("name", ["solved.h5", "figure.jpg", "figure"])
def test_other_suffixes_are_refused_before_anything_is_written(solved, name):
    before = solved.read_bytes()
    with pytest.raises(InputError, match=r"\.png, \.svg or \.pdf"):
        plot(solved, solved.with_name(name))

    assert solved.read_bytes() == before
    assert [path.name for path in solved.parent.iterdir()] == ["solved.h5"]


@pytest.mark.thorough
def test_a_place_that_cannot_be_written(solved):
    with pytest.raises(InputError, match="cannot be written"):
        plot(solved, solved / "figure.png")  # below a file


def test_a_run_that_is_not_there(tmp_path):
    with pytest.raises(RunFileError, match="no run file"):
        plot(tmp_path / "none.h5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
def test_analysis_is_light_and_leaves_pyplot_alone(solved):
    code = (
        "import sys\nimport mho.analysis as analysis\n"
        "heavy = {'matplotlib', 'PySide6', 'pyqtgraph', 'mho.instruments', 'mho.procedures'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        f"analysis.plot({str(solved)!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


LONG = 20_000_000

MEASURED = """
import resource, sys
import mho.analysis.figures.sheet
from mho.analysis import plot
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
plot(sys.argv[1], sys.argv[2])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.thorough
def test_a_table_of_many_rows_is_drawn_in_little_memory_with_its_outliers(tmp_path: Path) -> None:
    path = run_samples.other_run(tmp_path / "run.h5")
    with h5py.File(path, "r+", libver="latest") as file:
        group = file["entry/points"]
        for name in ("voltage", "current"):
            attributes = dict(group[name].attrs)
            del group[name]
            data = group.create_dataset(
                name,
                (LONG,),
                "f8",
                maxshape=(None,),
                chunks=(1 << 18,),
                compression="gzip",
                compression_opts=1,
            )
            data.attrs.update(attributes)
        group["current"][LONG // 2 + 17] = 1.0
    with RunFile(path) as run:
        places, values, every = figure_reading.thinned_rows(TableColumns(run, "points"), "current", "", LONG)
        assert len(values) <= figure_reading.POINTS + 2
        assert every == 2 * LONG // figure_reading.POINTS
        assert places[values == 1.0].tolist() == [LONG // 2 + 17]
    code = [sys.executable, "-c", MEASURED, str(path), str(tmp_path / "run.png")]
    child = subprocess.run(code, capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(child.stdout) < 150  # MB; two columns of it alone are 320
