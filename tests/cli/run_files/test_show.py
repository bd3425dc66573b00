"""What ``mho show`` prints."""

import io
import re

import pytest
import run_samples
from daily import daily
from destroyed_cells import SENTENCE, destroying_run
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from run_samples import SampleRun

import mho
from mho.analysis.reports.quantities import duration_text, parameter_text
from mho.cli.run_files.show import show
from mho.errors import RunFileError
from mho.runs import RecordedParameter


def shown(path, width=100, **options):
    out = io.StringIO()
    show(path, Console(file=out, width=width), **options)
    return out.getvalue()


def row(text, name):
    """The words of the line that begins with `name`."""
    (line,) = [line for line in text.splitlines() if line.strip().startswith(name)]
    return line.split()


def test_a_solve_in_a_hundred_columns(solved):
    text = shown(solved, whole=True)

    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text  # no colour into a file
    assert "Solve [bold]4x4[/bold]  finished" in text  # a title is no markup
    assert "SIMULATED, preset pku" in text
    assert re.search(r"Precision +24 bit", text)
    assert row(text, "multiply")[1:6] == ["216", "216", "432", "2.00", "2"]
    assert "error (µS)" in text
    assert "rho 0.050 (4.3 bits a cycle)" in text
    assert row(text, "5 ") == ["5", "3.13e-07", "3.75e-07", "21.3"]
    assert "500 integers, 1 wrong" in text
    assert "WARNING: 3 cells could not be brought into their verify window" in text


def test_what_came_of_a_run_is_before_what_was_asked_and_where_it_was(tmp_path):
    read = mho.Read(rows="0:2", columns="0:2", repeats=3)
    text = shown(mho.run(read, "arrays", seed=1, output=tmp_path / "read.h5").path)
    lines = text.splitlines()
    headings = [line.strip() for line in lines if line and not line.startswith(" ")]
    assert headings[0].startswith("Read multiply[0:2, 0:2]  finished: 4 cells read 3 times")
    assert headings[-4:] == ["Result", "Contents", "Asked for", "Run"]
    asked = [line.split()[0] for line in lines[lines.index("Asked for") + 1 : lines.index("Run")]]
    assert asked == ["Rows", "Columns", "Repeats"]  # the array, the voltage and others are as by default
    whole = shown(tmp_path / "read.h5", whole=True)
    assert re.search(r"Array +multiply", whole)
    assert re.search(r"Read voltage.* 0.2 V \(the bench's\)", whole)


def test_a_run_of_which_nothing_was_asked_says_so(tmp_path):
    text = shown(mho.run(mho.Read(), "arrays", seed=1, output=tmp_path / "read.h5").path)
    assert "Asked for: all by default\nRun\n" in text


class Counting(mho.Procedure):
    """A procedure of which nobody knows the defaults."""

    noted = mho.Parameter("Noted", default="none")

    def layout(self, plan):
        return mho.Layout()

    def execute(self, plan, bench, stream):
        return {f"number_{index}": index for index in range(48)}


def test_a_long_result_is_cut_and_said_to_be_longer(tmp_path):
    mho.run(Counting(), "arrays", seed=1, output=tmp_path / "run.h5")
    text = shown(tmp_path / "run.h5")
    assert re.search(r"Noted +none", text)
    assert row(text, "number_29") == ["number_29", "29"]
    assert "number_30" not in text
    assert "18 more numbers and words by --all" in text
    assert "number_47" in shown(tmp_path / "run.h5", whole=True)


def test_cells_that_the_run_destroyed(tmp_path):
    text = shown(destroying_run(tmp_path))
    assert row(text, "lost_by_pulses") == ["lost_by_pulses", "2"]
    assert f"WARNING: {SENTENCE}" in " ".join(text.split())


@pytest.mark.parametrize("width", daily([60, 100, 200], 1))
def test_no_line_is_longer_than_the_terminal_or_100(solved, width):
    assert max(map(len, shown(solved, width).splitlines())) <= min(width, 100)


def test_the_headings_of_the_programming_table_fit_eighty_columns(solved):
    assert "…" not in "".join(shown(solved, 80).split("Programming")[1].splitlines()[:3])


def test_a_long_refinement_is_cut_in_the_middle(tmp_path):
    lines = shown(run_samples.whole_run(tmp_path / "run.h5", cycles=40)).splitlines()
    numbers = [line.split()[0] for line in lines[lines.index("Refinement") :] if line.startswith("   ")]

    assert numbers == ["1", "2", "3", "4", "5", "6", "...", "37", "38", "39", "40"]


def test_a_diverging_run_promises_no_bits(tmp_path):
    with SampleRun(tmp_path / "run.h5") as run:
        run.plan()
        run.cycle(shrink=1.5)
        run.writer.set_result({"forecast_rho": 1.4, "converged": False})
    text = shown(tmp_path / "run.h5")

    assert "not converged after 1 cycle\n" in re.sub(" +\n", "\n", text)
    assert "rho 1.400" in text
    assert "bits a cycle" not in text


def test_an_interrupted_run(interrupted):
    text = shown(interrupted)

    assert "interrupted: its writer is gone" in text
    assert "no verdict yet after 0 cycles" in text


def test_another_procedure_s_run_lists_what_is_in_it(tmp_path):
    text = shown(run_samples.other_run(tmp_path / "sweep.h5"))

    assert re.search(r"points +11 rows", text)
    assert re.search(r"maps/heat +1 images", text)
    assert "SIMULATED" not in text


def test_an_empty_run(tmp_path):
    text = shown(run_samples.empty_run(tmp_path / "empty.h5"))

    assert "no tables and no maps" in text
    assert re.search(r"note +none", text)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(RunFileError, match="no run file"):
        shown(tmp_path / "none.h5")


@given(st.floats(0.0, 1e7))
def test_a_duration_reads_back_to_within_its_last_place(seconds):
    text = duration_text(seconds)
    units = {"s": 1.0, "min": 60.0, "h": 3600.0}
    value = sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+) (s|min|h)", text))
    place = 0.05 if seconds < 100.0 else 0.5 if "h" not in text else 60.0

    assert abs(value - seconds) <= place * 1.001


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (RecordedParameter(0.2, "V"), "0.2 V"),
        (RecordedParameter(1e-7), "1e-07"),
        (RecordedParameter(True), "yes"),
        (RecordedParameter(None), "none"),
        (RecordedParameter(""), "none"),
        (RecordedParameter(24, "bit"), "24 bit"),
    ],
)
def test_parameters_as_text(parameter, text):
    assert parameter_text(parameter) == text
