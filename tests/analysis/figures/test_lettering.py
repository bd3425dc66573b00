"""Numbers, units and names in pictures: as a journal prints them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from fontTools import subset
from matplotlib.figure import Figure as Sheet

from mho.analysis.figures.drawing import with_images
from mho.analysis.figures.marks import Drawing, Mark
from mho.analysis.figures.rendering.lettering import (
    axis_label,
    between_powers,
    in_print,
    power_of_ten,
    shown_unit,
)
from mho.analysis.figures.sheet import UNUSED, draw_drawing, embedded_fonts, save_to
from mho.analysis.figures.values.figure_data import AxisText, MapImage
from mho.analysis.figures.values.figure_reading import code_names
from mho.analysis.figures.values.statistics import is_signed
from mho.analysis.reports import name_text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("slope -0.177 µS a decade", "slope −0.177 µS a decade"),
        ("-1.5 (-2 to -1)", "−1.5 (−2 to −1)"),
        ("scale = 3.1e+07", "scale = 3.1×10⁷"),
        ("1e-06 S", "10⁻⁶ S"),
        ("rate -2.5e-07 / s", "rate −2.5×10⁻⁷ / s"),
        ("run-3, 2026-11-27, chip7e5", "run-3, 2026-11-27, chip7e5"),
        ("forecast, rho = 0.04", "forecast, rho = 0.04"),
    ],
)
def test_numbers_are_printed_with_a_minus_and_powers_of_ten_and_names_are_left(
    text: str, printed: str
) -> None:
    assert in_print(text) == printed
    assert in_print(printed) == printed


@pytest.mark.parametrize(
    ("unit", "largest", "shown"),
    [
        ("S", 35e-6, "µS"), ("S", 2.2e-10, "pS"), ("S", 0.02, "mS"), ("s", 1.4e-7, "ns"), ("s", 1e6, "s"), ("V", 1.2, "V"),
        ("digit", 1e-9, "digit"), ("V", 0.0, "V"),
    ],
)  # fmt: skip
def test_an_axis_has_the_unit_that_keeps_its_numbers_short(unit: str, largest: float, shown: str) -> None:
    factor, name = shown_unit(AxisText("value", unit), np.array([0.0, -largest, np.nan]))
    assert name == shown
    assert axis_label(AxisText("value", unit), name) == f"value ({shown})"
    if shown not in ("s", "V", "digit"):
        assert 0.01 <= factor * largest < 1e4


def test_on_an_axis_of_one_power_of_ten_2_and_5_have_labels_too() -> None:
    assert [between_powers(2e-7), between_powers(5e-7), between_powers(3e-7)] == ["2×10⁻⁷", "5×10⁻⁷", ""]
    assert [between_powers(0.2), between_powers(50.0), power_of_ten(1e-7)] == ["0.2", "50", "10⁻⁷"]


def picture(drawing: Drawing) -> Sheet:
    sheet = draw_drawing(drawing, (3.35, 2.5), 72)
    sheet.canvas.draw()
    return sheet


def test_a_logarithmic_axis_is_a_decade_long_at_least() -> None:
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.4e-4, 2.5e-4, 2.6e-4])
    mark = Mark("line", "", x, y, "#000000")
    axes = picture(Drawing("Few", marks=(mark,), y_scale="log", x_scale="log")).axes[0]
    for low, high in (axes.get_xlim(), axes.get_ylim()):
        assert high / low >= 10.0 * (1.0 - 1e-9)
    assert any(text.get_text() == "2×10⁻⁴" for text in axes.get_yminorticklabels())


def test_a_power_of_ten_stands_at_the_end_of_a_linear_axis() -> None:
    mark = Mark("line", "", np.array([0.0, 3e7]), np.array([0.0, 1.2e-7]), "#000000")
    axes = picture(Drawing("Long", marks=(mark,), x=AxisText("cycle"), y=AxisText("time", "s"))).axes[0]
    assert axes.xaxis.get_major_formatter().get_offset() == "×10⁷"
    assert axes.get_ylabel() == "time (ns)"


def test_zero_is_in_the_middle_of_a_map_with_both_signs_and_noise_around_zero_is_none() -> None:
    change = np.array([[-2.0, 1.0], [0.5, np.nan]])
    assert is_signed(change)
    assert not is_signed(np.append(np.full(99, 30.0), -0.1))
    unformed = np.linspace(-0.1, 0.1, 1000)
    assert is_signed(unformed)
    assert not is_signed(np.append(unformed, [35.0, 30.0]))
    assert not is_signed(np.array([np.nan]))
    lines = np.arange(2)
    drawn = with_images(Drawing("Change"), [MapImage("moved", change, lines, lines)])
    image = picture(drawn).axes[0].images[0]
    assert drawn.signed
    assert image.norm.vmin == -image.norm.vmax


def test_codes_have_the_names_of_their_description() -> None:
    assert code_names("0 LRS, after a SET; 1 HRS, after a RESET") == {0: "LRS", 1: "HRS"}
    assert code_names("multiply: 0 open, 1 short, 2 unformed") == {0: "open", 1: "short", 2: "unformed"}
    assert code_names("1 levels, 2 4x4-12bit") == {1: "levels", 2: "4x4-12bit"}
    assert code_names("conductance, transistor off") == {}
    assert code_names("1 is the first") == {}
    assert code_names("0 a, 0 b") == {}


def test_the_bar_of_colours_names_codes() -> None:
    lines = np.arange(2)
    image = MapImage("contact", np.array([[0.0, 2.0], [2.0, 2.0]]), lines, lines)
    drawn = with_images(Drawing("Contact", y=AxisText("contact")), [image], {0: "open", 2: "unformed"})
    bar = picture(drawn).axes[-1]
    assert [text.get_text() for text in bar.get_yticklabels()] == ["open", "unformed"]


def test_a_font_is_embedded_without_tables_that_a_pdf_does_not_use(tmp_path: Path) -> None:
    usual = subset.Options
    with embedded_fonts():
        assert set(UNUSED) <= set(subset.Options().drop_tables)
    assert subset.Options is usual
    mark = Mark("line", "", np.arange(3.0), np.arange(3.0), "#000000")
    file = io.BytesIO()
    save_to(draw_drawing(Drawing("Letters", marks=(mark,)), (3.35, 2.5), 72), file, "pdf", text=True)
    assert b"/FontFile2" in file.getvalue()
    assert subset.Options is usual


def test_numbers_behind_many_names_leave_the_legend_where_there_is_no_room_for_curves() -> None:
    x = np.arange(3.0)
    marks = tuple(
        Mark("line", f"level {k}: -0.2 µS a decade, {k} µS at 1 s", x, k * x, "#000000") for k in range(7)
    )
    axes = picture(Drawing("Drift", marks=marks)).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [f"level {k}" for k in range(7)]
    assert axes.get_window_extent().width > 0.5 * 3.35 * 72


@pytest.mark.parametrize(
    ("name", "unit", "shown"),
    [
        ("v_set", "V", "V_SET (V)"), ("v_reset_median", "V", "V_RESET median (V)"),
        ("summary.v_set.sigma", "", "summary, V_SET, sigma"), ("v_settle", "V", "v settle (V)"),
        ("lrs.median", "S", "lrs, median (µS)"), ("relative_error", "", "relative error"),
    ],
)  # fmt: skip
def test_names_are_written_as_papers_do(name: str, unit: str, shown: str) -> None:
    assert name_text(name, unit) == shown
