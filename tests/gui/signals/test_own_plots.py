"""Plots that the user makes in the fields: columns, formulas, curves, colour, scales and fits of any table."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from signal_steps import (
    choices,
    choose,
    curves,
    legend,
    own_plot,
    settle,
    write_field,
    write_points,
    write_sweeps,
    write_waveforms,
)

import mho
from mho.analysis import palette
from mho.errors import InputError
from mho.gui.signals.own_plot import (
    Plot,
    PlotData,
    compose_plot,
    make_plot,
    plot_from_text,
    read_plot,
    split_outside_brackets,
)
from mho.runs import RunFile


@pytest.fixture
def warm(tmp_path):
    """Conductances over the temperature, of an activation energy of 0.3 eV, and with a column of whole numbers."""
    kelvin = np.linspace(300.0, 400.0, 11)
    columns = {
        "temperature": ("K", kelvin), "conductance": ("S", 2e-3 * np.exp(-0.3 / (8.617333262e-5 * kelvin))),
        "level": ("", np.arange(11, dtype=np.uint8) % 3),
    }  # fmt: skip
    return write_points(tmp_path / "warm.h5", columns)


def test_a_formula_on_each_axis_carries_its_unit(show, panel, warm):
    show(warm)
    write_field(panel, panel.fields.x_column, "1000 / temperature")
    write_field(panel, panel.fields.y_column, "conductance * 1e6")
    ((x, y),) = curves(panel)
    with RunFile(warm) as run:
        kelvin, conductance = (run.column("points", name) for name in ("temperature", "conductance"))
    np.testing.assert_allclose(x, 1000.0 / kelvin)
    np.testing.assert_allclose(y, 1e6 * conductance)
    axes = [panel.figure_plot.getAxis(side) for side in ("bottom", "left")]
    assert [axis.labelText for axis in axes] == ["1000 / temperature", "conductance * 1e6"]
    assert [axis.labelUnits for axis in axes] == ["1/K", "S"]


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("y_column", "abs(conductanse)", "did you mean conductance"),
        ("y_column", "conductance + temperature", "S and K together"),
        ("y_column", "__import__('os').system('true')", "means nothing in a formula"),
        ("y_column", "", "name a column or a formula for y"),
        ("y_column", "(conductance", "is no expression"),
        ("x_column", "log10(temperature)", "divide it by such a quantity"),
        ("colour", "levle", "did you mean level"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence_and_taken_back_when_it_is_put_right(
    show, panel, warm, told, field, text, says
):
    show(warm)
    box = getattr(panel.fields, field)
    before = box.currentText()
    write_field(panel, box, text)
    assert says in panel.readout.text()
    assert "\n" not in panel.readout.text()
    assert not [one for one in told if one[0] in ("ERROR", "CRITICAL")]
    write_field(panel, box, before)
    assert panel.readout.text() == ""
    assert len(curves(panel)) == 1


def test_several_columns_are_drawn_by_their_names(show, panel, warm):
    show(warm)
    write_field(panel, panel.fields.y_column, "conductance, max(conductance, 2 * conductance)")
    assert legend(panel) == ["conductance", "max(conductance, 2 * conductance)"]
    (_, one), (_, two) = curves(panel)
    np.testing.assert_allclose(two, 2.0 * one)


def test_one_curve_for_each_value_of_a_column_or_each_cell(show, panel, warm, tmp_path):
    show(warm)
    choose(panel, panel.fields.by, "level")
    assert legend(panel) == ["level 0", "level 1", "level 2"]
    assert [len(x) for x, _ in curves(panel)] == [4, 4, 3]
    show(write_sweeps(tmp_path / "sweeps.h5", [(0, 0), (0, 1), (0, 0)]))
    choose(panel, panel.fields.by, "cell")
    assert legend(panel) == ["[0, 0]", "[0, 1]"]


def test_a_column_as_colour_tells_points_apart_in_the_order_of_its_values(show, panel, warm):
    show(warm)
    write_field(panel, panel.fields.colour, "level")
    assert legend(panel) == ["level 0", "level 1", "level 2"]
    assert sum(len(x) for x, _ in curves(panel)) == 11
    brushes = [item.opts["symbolBrush"].name().upper() for item in panel.figure_plot.drawn]
    assert brushes == [palette.along(share) for share in (0.0, 0.5, 1.0)]
    write_field(panel, panel.fields.colour, "temperature")  # eleven values: more than there are names for
    assert legend(panel) == ["temperature 300 K", "temperature 350 K", "temperature 400 K"]
    assert sum(len(x) for x, _ in curves(panel)) == 11


def test_colour_and_curves_are_not_both_given(show, panel, warm):
    show(warm)
    choose(panel, panel.fields.by, "level")
    write_field(panel, panel.fields.colour, "level")
    assert "choose one of them" in panel.readout.text()
    choose(panel, panel.fields.by, "one curve")
    assert panel.readout.text() == ""


def test_an_arrhenius_fit_finds_the_energy_and_says_its_interval_in_the_legend(show, panel, warm):
    show(warm)
    panel.fields.log_y.click()
    choose(panel, panel.fields.fit, "arrhenius")
    short, full = legend(panel)
    assert short.startswith("Ea 0.3 eV, A 2e+03 µS")
    assert "Ea 0.3 (0.3 to 0.3) eV" in full
    (_, measured), (places, fitted) = curves(panel)
    assert (places[0], places[-1]) == (300.0, 400.0)
    assert fitted[0] == pytest.approx(measured[0])


@pytest.mark.parametrize(
    ("fit", "law", "numbers"),
    [
        ("linear", lambda x: 3.0 + 2.0 * x, (3.0, 2.0)),
        ("power", lambda x: 3.0 * x**-1.5, (3.0, -1.5)),
        ("exp", lambda x: 3.0 * np.exp(-0.4 * x), (3.0, -0.4)),
        ("log", lambda x: 3.0 + 2.0 * np.log10(x), (3.0, 2.0)),
    ],
)
def test_fits_find_the_numbers_of_a_law_with_noise_inside_their_intervals(tmp_path, fit, law, numbers):
    x = np.linspace(1.0, 10.0, 40)
    noise = 1.0 + 0.01 * np.random.default_rng(3).standard_normal(40)
    path = write_points(tmp_path / "law.h5", {"x": ("", x), "y": ("", law(x) * noise)})
    plot = make_plot(("x", "y"), "points", x="x", y="y", kind="scatter", fit=fit)
    with RunFile(path) as run:
        drawing = compose_plot(plot, [read_plot(run, plot, 1000)])
    (said,) = drawing.fits
    for part, number in zip(said.split(", ")[:2], numbers, strict=True):
        _, _, inside = part.partition("(")
        low, high = (float(end) for end in inside.partition(")")[0].split(" to "))
        assert low < number < high
        assert high - low < 0.2 * abs(number)


def test_a_fit_that_cannot_be_says_why(show, panel, warm):
    show(warm)
    choose(panel, panel.fields.fit, "weibull")
    assert "to figures of kind scatter fits one of" in panel.readout.text()
    choose(panel, panel.fields.kind, "distribution")
    assert panel.readout.text() == ""
    assert any("scale" in name for name in legend(panel))


def test_a_histogram_of_a_formula(show, panel, warm):
    show(warm)
    write_field(panel, panel.fields.y_column, "2 * level")
    choose(panel, panel.fields.kind, "histogram")
    assert not panel.fields.x_column.isEnabled()
    ((edges, counts),) = curves(panel)
    assert counts.sum() == 11
    assert edges[0] <= 0.0 < 4.0 <= edges[-1]


def test_a_declared_figure_is_where_an_own_plot_begins(show, panel, tmp_path):
    path = tmp_path / "iv.h5"
    mho.run(mho.IV(rows="0", columns="0:2"), "arrays", seed=1, output=path)
    show(path)
    before = curves(panel)
    panel.change.click()
    settle(panel)
    assert panel.figure.currentText() == "own plot"
    fields = panel.fields
    assert (fields.y_column.currentText(), fields.x_column.currentText()) == ("current", "voltage")
    assert fields.by.currentText() == "cell"
    assert fields.log_y.isChecked()
    for (x, y), (own_x, own_y) in zip(before, curves(panel), strict=True):
        np.testing.assert_array_equal((x, y), (own_x, own_y))
    write_field(panel, fields.y_column, "abs(current) / 1e-6")
    assert len(curves(panel)) == len(before)
    assert choices(panel.figure)[0] == "I-V curves by cell"  # which stays as it was declared


@pytest.mark.parametrize("procedure", [mho.Read(rows="0:4", columns="0:4"), mho.IV(rows="0", columns="0")])
def test_every_table_of_a_run_can_be_plotted(show, panel, tmp_path, procedure):
    path = tmp_path / "run.h5"
    mho.run(procedure, "arrays", seed=1, output=path)
    show(path)
    own_plot(panel)
    with RunFile(path) as run:
        lengths = {table: run.length(table) for table in choices(panel.fields.table)}
    assert lengths
    for table, length in lengths.items():
        panel.fields.table.setCurrentText(table)
        settle(panel)
        for column in choices(panel.fields.y_column):
            write_field(panel, panel.fields.y_column, column)
            assert panel.readout.text() == "", f"{table}.{column}"
            assert bool(curves(panel)) == bool(length) or panel.drawing.nothing, f"{table}.{column}"


def test_the_peak_of_waveforms_is_over_the_row_for_their_times_are_not_its(show, panel, tmp_path):
    show(write_waveforms(tmp_path / "run.h5"))
    choose(panel, panel.fields.y_column, "peak")
    assert panel.fields.x_column.currentText() == ""
    ((number, peak),) = curves(panel)
    np.testing.assert_array_equal(number, peak)


# --- without a window ---


COLUMNS = ("voltage", "current", "level")
FORMULAS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="vcl01.+-*/() ,_abse'[]:=\\{}x", max_size=40),
    st.recursive(
        st.sampled_from(["voltage", "current", "level", "1e-6", "2", "pi", "0"]),
        lambda part: st.one_of(
            st.tuples(part, st.sampled_from("+-*/"), part).map(" ".join),
            part.map("abs({})".format), part.map("sqrt({})".format), part.map("log10({})".format),
            part.map("({})".format), part.map("-{}".format), part.map("{} ** 2".format),
        ),
        max_leaves=8,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("formulas") / "run.h5"
    volts = np.linspace(-1.0, 1.0, 9)
    columns = {
        "voltage": ("V", volts), "current": ("A", 1e-6 * volts), "level": ("", np.arange(9, dtype=np.uint8)),
    }  # fmt: skip
    with RunFile(write_points(path, columns)) as run:
        yield run


@given(x=FORMULAS, y=FORMULAS, colour=st.one_of(st.just(""), FORMULAS))
@example(x="voltage", y="().__class__.__bases__[0]", colour="")
@example(x="voltage", y="open('/tmp/x','w')", colour="[].append(1)")
@example(x="voltage", y="9**9**9**9**9", colour="")
@example(x="voltage", y="current" + "+1" * 90, colour="")
def test_any_text_is_a_plot_or_a_sentence(table, x, y, colour):
    try:  # anything but a sentence fails
        plot = make_plot(COLUMNS, "points", x=x, y=y, colour=colour)
        drawing = compose_plot(plot, [read_plot(table, plot, 1000)])
    except mho.MhoError:
        return
    assert drawing.nothing or all(len(mark.x) for mark in drawing.marks)
    assert plot_from_text(plot.text) == plot


@given(st.lists(st.sampled_from(["a", "min(a, b)", "max(a, min(b, c))"]), max_size=4))
def test_commas_in_brackets_part_nothing(parts):
    assert split_outside_brackets(", ".join(parts)) == parts


@given(
    st.one_of(
        st.text(max_size=60), st.sampled_from(['{"figure": "[]"}', "[]", "1", '{"figure": 3, "formulas": 1}'])
    )
)
def test_a_kept_text_that_is_no_plot_is_refused_with_a_sentence(text):
    with pytest.raises(InputError, match="cannot be read"):
        plot_from_text(text)


def test_colours_of_rows_without_numbers_are_left_out(table):
    plot = make_plot(COLUMNS, "points", x="voltage", y="current", colour="log10(level)")
    data = read_plot(table, plot, 1000)
    assert isinstance(data, PlotData)
    drawing = compose_plot(Plot(plot.figure, plot.formulas, plot.colour), [data])
    assert sum(len(mark.x) for mark in drawing.marks) == 8  # the logarithm of 0 is none
