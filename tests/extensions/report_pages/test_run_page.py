"""The page about one run, however it ended and whatever is in its file."""

from __future__ import annotations

import html
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from destroyed_cells import SENTENCE, destroying_run
from repository import SUPPORT
from run_samples import SampleRun, empty_run, failed_run, other_run, whole_run

from mho import run
from mho.analysis.figures import LEADING
from mho.analysis.reports import summarise
from mho.errors import InputError, RunFileError
from mho.extensions.report_pages import report, run_document
from mho.extensions.report_pages.run_command import command_of
from mho.extensions.report_pages.run_page import certificate
from mho.instruments import open_bench
from mho.procedures import Read, Solve
from mho.runs import (
    Array,
    Column,
    Conclusion,
    Figure,
    Labels,
    Layout,
    RecordedParameter,
    RunFile,
    RunHeader,
    RunWriter,
    Status,
    Table,
)

MATRIX = np.diag([1.0, 2.0, 3.0, 4.0]) + 0.1


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jane")
    np.save(folder / "matrix.npy", MATRIX)
    with open_bench("arrays", preset="ideal", seed=5) as bench:
        run(
            Solve(matrix=str(folder / "matrix.npy"), bits=12, seed=5),
            bench,
            seed=5,
            output=folder / "solved.h5",
        )
    return folder / "solved.h5"


@pytest.fixture(scope="module")
def page(solved: Path) -> str:
    return report(solved).read_text("utf-8")


@pytest.fixture(scope="module")
def personal(solved: Path) -> str:
    return report(solved, output=solved.with_name("own.html"), personal=True).read_text("utf-8")


def page_of(path: Path, folder: Path, **given: object) -> str:
    return report(path, output=folder / "page.html", **given).read_text("utf-8")


def section(page: str, anchor: str) -> str:
    """Return the part of a page from an anchor to the next one."""
    start = page.index(f'id="{anchor}"')
    end = re.compile(r'<(h2|details) id="').search(page, start)
    return page[start : end.start() if end else None]


@pytest.mark.thorough
def test_a_solve_says_what_was_run_what_came_out_and_what_is_proved(solved: Path, page: str) -> None:
    with RunFile(solved) as one:
        told, units, figures = one.summary, one.result_units, one.figures
    assert "<td>solved.h5</td>" in page
    assert '<span class="doubtful">SIMULATED</span>: cells of preset ideal' in section(page, "verdict")
    assert f'<td>joules</td><td class="n">{told["joules"]:.6g}</td><td>{units["joules"]}</td>' in page
    proof = section(page, "certificate")
    assert "The solution passes." in proof
    assert f"<td>{told['certificate']['bits']:.1f}, 12 were asked for</td>" in proof
    assert (
        section(page, "figures").count("data:image/")
        == section(page, "figures").count("<figcaption>")
        == LEADING
    )
    assert section(page, "more-figures").count("data:image/") == len(figures) - LEADING > 3
    assert "<b>Figure 1.</b> Convergence: residual, relative error over cycle" in page
    assert "Table pulses:" in section(page, "data")
    assert '<section class="verdict good"' in page
    assert "sound: every checksum is right" in section(page, "checks").replace("</span>", "")
    assert "mho rerun solved.h5" in section(page, "repeat")


ORDER = ("verdict", "figures", "results", "run", "differences", "certificate", "tables", "repeat", "checks")


def test_a_page_begins_with_the_verdict_and_ends_with_the_tables_folded(page: str) -> None:
    places = [page.index(f'id="{anchor}"') for anchor in ORDER]
    assert places == sorted(places)
    between = page[places[ORDER.index("tables")] : places[ORDER.index("repeat")]]
    outside = re.sub(r"<details.*</details>", "", between, flags=re.DOTALL)
    assert between.count("<details id=") >= 6
    assert "<table" not in outside
    assert "<details open" not in page
    listed = section(page, "differences")
    assert "Matrix" in listed
    assert "12 bit" in listed
    assert "tolerance" not in listed.lower()  # as by default
    assert len(re.findall("<tr", section(page, "results").partition("<details")[0])) <= 1 + 16


def test_a_run_that_measured_nothing_is_not_green(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "run.h5", RunHeader("a", "A", "1", {}), Layout()) as writer:
        writer.conclude(Conclusion("64 of 64 cells unformed", ("cell 1 <b>", *"abcdefg"), measured=False))
        writer.finish(Status.FINISHED)
    page = page_of(tmp_path / "run.h5", tmp_path)
    box = section(page, "verdict").partition("</section>")[0]
    assert '<section class="verdict doubtful"' in page
    assert '<span class="doubtful">finished, nothing measured</span>: 64 of 64 cells unformed' in box
    assert "WARNING: cell 1 &lt;b&gt;" in box
    assert "<summary>and 3 more warnings</summary>" in box
    assert "SIMULATED" not in page


@pytest.mark.thorough
def test_the_same_file_gives_the_same_bytes_wherever_it_lies(solved: Path, page: str, tmp_path: Path) -> None:
    shutil.copy(solved, tmp_path)
    assert page_of(tmp_path / solved.name, tmp_path) == page


@pytest.mark.thorough
def test_nothing_personal_is_shown_unasked(solved: Path, page: str, personal: str) -> None:
    with RunFile(solved) as one:
        kept = one.provenance
    assert str(solved.parent) not in page
    assert f">{kept['command_line']}<" not in page
    assert f">{kept['command_line']}<" in personal
    assert '<th scope="row">host</th>' not in page
    assert f'<th scope="row">host</th><td>{kept["host"]}</td>' in personal
    assert str(solved.parent / "matrix.npy") in personal


@pytest.mark.thorough
def test_the_command_and_the_plan_repeat_the_run(solved: Path, personal: str, tmp_path: Path, shell) -> None:
    with RunFile(solved) as one:
        command, given = command_of(one), one.given
    assert shlex.split(command)[:3] == ["mho", "solve", str(solved.parent / "matrix.npy")]
    assert " --bits 12 " in command
    assert command.endswith("--bench arrays --preset ideal --seed 5")
    assert "--max-cycles" not in command  # as by default
    code, _, err = shell(*shlex.split(command)[1:], "--output", tmp_path / "again.h5")
    assert code == 0, err
    with RunFile(tmp_path / "again.h5") as again:
        assert again.given == given
        assert again.provenance["preset"] == "ideal"
    plan = re.search(r'aria-label="Plan[^>]*>(.*?)</pre>', personal, re.DOTALL).group(1)
    read = tomllib.loads(plan.replace("&quot;", '"').replace("&#x27;", "'"))
    assert read["seed"] == 5
    assert read["steps"][0]["procedure"] == "solve"
    assert read["steps"][0]["parameters"] == given


def test_the_command_of_a_procedure_with_a_switch_and_a_range_is_one_line(tmp_path: Path) -> None:
    with open_bench("arrays", preset="ideal", seed=1) as bench:
        run(Read(rows="0:2", columns="0:3", samples=2), bench, seed=1, output=tmp_path / "read.h5")
    with RunFile(tmp_path / "read.h5") as one:
        assert (
            command_of(one)
            == "mho run read --rows 0:2 --columns 0:3 --samples 2 --bench arrays --preset ideal --seed 1"
        )


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (failed_run, 'aria-label="Verdict">\n<p><span class="bad">failed</span>: ValueError: boom'),
        (empty_run, "No tables, no maps and no arrays."),
        (other_run, "made on real instruments"),
    ],
)
def test_runs_of_any_kind_and_end_have_a_page(make, said: str, tmp_path: Path) -> None:
    page = page_of(make(tmp_path / "run.h5"), tmp_path)
    assert said in page
    assert "not drawn" not in page


@pytest.mark.thorough
def test_a_run_that_is_written_is_marked_with_the_time_of_its_file(tmp_path: Path) -> None:
    with SampleRun(tmp_path / "run.h5") as going_on:
        going_on.plan()
        going_on.cycle()
        going_on.writer.flush()
        page = page_of(tmp_path / "run.h5", tmp_path)
    assert '<span class="doubtful">running</span>. It is still being written; ' in section(page, "verdict")
    assert "as of 20" in page
    assert "mho rerun" not in page


@pytest.mark.thorough
def test_a_run_that_was_broken_off_is_marked_and_used(tmp_path: Path) -> None:
    with SampleRun(tmp_path / "run.h5") as broken_off:
        broken_off.cycle()
        broken_off.writer.finish(Status.ABORTED, "enough")
    page = page_of(tmp_path / "run.h5", tmp_path)
    assert '<span class="doubtful">aborted</span>: enough. What it had measured until then is here.' in page
    assert '<td class="n">1</td><td class="n">5.00e-02</td>' in section(page, "refinement")


@pytest.mark.thorough
def test_a_run_whose_writer_was_killed_is_marked_and_used(tmp_path: Path) -> None:
    command = [sys.executable, SUPPORT / "run_samples.py", tmp_path / "run.h5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        for word in ("cycle\n", "cycle\n"):
            writer.stdin.write(word)
            writer.stdin.flush()
            writer.stdout.readline()
        writer.kill()
    page = page_of(tmp_path / "run.h5", tmp_path)
    assert '<span class="doubtful">interrupted</span>. Its writer is gone since 20' in page
    assert '<td class="n">2</td><td class="n">2.50e-03</td>' in section(page, "refinement")
    assert "the writer has not closed the file" in section(page, "checks")


@pytest.mark.thorough
def test_warnings_stand_first(tmp_path: Path) -> None:
    page = page_of(whole_run(tmp_path / "run.h5"), tmp_path)
    assert "3 cells could not be brought into their verify window" in section(page, "verdict")


@pytest.mark.thorough
def test_a_long_table_is_an_excerpt_that_says_so(tmp_path: Path) -> None:
    table = Table(
        "reads", (Column("number", dtype="i8"), Column("current", "A"), Column("wave", shape=(9,))), "current"
    )
    with RunWriter.create(tmp_path / "run.h5", RunHeader("a", "A", "1", {}), Layout((table,))) as writer:
        for number in range(1000):
            writer.emit("reads", number=number, current=1e-6 * number, wave=np.arange(9.0))
    page = section(page_of(tmp_path / "run.h5", tmp_path), "data")
    assert "Table reads: 1000 rows, 3 columns" in page
    assert "rows 0 to 7 and the last 4 of 1000" in page
    assert page.count("<tr>") == 1 + 12
    assert "current (µA)" in page
    assert (
        '<td class="n">999</td><td class="n">999</td><td class="n">999</td><td class="n">[0, 1, 2, 3, …]</td>'
        in page
    )


def test_arrays_are_named_with_their_shapes_and_not_read(tmp_path: Path, monkeypatch) -> None:
    array = Array("large", np.zeros((2000, 3)), "V")
    with RunWriter.create(tmp_path / "run.h5", RunHeader("a", "A", "1", {}), Layout(arrays=(array,))):
        pass
    monkeypatch.setattr(RunFile, "array", lambda *_: pytest.fail("it was read"))
    assert '<td class="n">2000 x 3</td><td>V</td>' in page_of(tmp_path / "run.h5", tmp_path)


def test_foreign_texts_are_only_ever_text(tmp_path: Path) -> None:
    evil = "<script>alert('1')<script>"
    header = RunHeader(
        evil, evil, evil, {"a": RecordedParameter(evil, evil, evil)}, bench=evil, chip=evil, provenance={evil: evil},
        instruments={"smu": {"identity": evil, evil: evil}},
    )  # fmt: skip
    with RunWriter.create(tmp_path / "run.h5", header, Layout()) as writer:
        writer.log("WARNING", evil)
        writer.set_result({evil: evil, "list": [{evil: evil}]}, {})
    assert "<script" not in page_of(tmp_path / "run.h5", tmp_path)


def test_a_log_has_its_beginning_its_end_and_its_warnings(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "run.h5", RunHeader("a", "A", "1", {}), Layout()) as writer:
        for number in range(250):
            writer.log("WARNING" if number == 125 else "INFO", f"entry {number}.")
    page = section(page_of(tmp_path / "run.h5", tmp_path), "log")
    assert page.count("entry 125.") == 1
    assert "entry 99." in page
    assert "entry 100." not in page
    assert "entry 150." in page
    assert "the first 100 and the last 100 of 250 entries" in page


def test_a_log_of_warnings_alone_is_not_said_twice(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "run.h5", RunHeader("a", "A", "1", {}), Layout()) as writer:
        writer.log("WARNING", "no cell conducts.")
    assert section(page_of(tmp_path / "run.h5", tmp_path), "log").count("no cell conducts.") == 1


@pytest.mark.thorough
def test_cells_that_the_run_destroyed_are_counted_named_and_warned_of(tmp_path: Path) -> None:
    page = html.unescape(report(destroying_run(tmp_path)).read_text("utf-8"))
    results = section(page, "results")
    assert re.search(r"<td[^>]*>lost by pulses</td><td[^>]*>2</td>", results)
    assert "4.5 V on the bit line" in results
    assert SENTENCE in section(page, "verdict")


def test_figures_without_anything_in_them_are_named_and_empty_results_left_out(tmp_path: Path) -> None:
    table = Table("decay", (Column("time", "s"), Column("left", "A")), "left", "time")
    figure = Figure("left", table="decay", x="time", y="left", title="What is left")
    layout = Layout((table,), figures=(figure,))
    with RunWriter.create(tmp_path / "run.h5", RunHeader("a", "A", "1", {}), layout) as writer:
        writer.set_result({"reason": "", "half": 2.0}, {"half": "s"})
    page = page_of(tmp_path / "run.h5", tmp_path)
    assert "Nothing to draw: What is left (no rows)." in section(page, "figures")
    assert "<img" not in page
    assert "<td>half</td>" in section(page, "results")
    assert "<td>reason</td>" not in page
    assert "Table decay: 0 rows, 2 columns" in page


def test_what_is_no_run_or_no_page_is_refused(tmp_path: Path) -> None:
    one = other_run(tmp_path / "other.h5")
    (tmp_path / "run.h5").write_bytes(b"no run file")
    with pytest.raises(RunFileError):
        report(tmp_path / "run.h5")
    with pytest.raises(InputError, match="nothing is named"):
        report()
    with pytest.raises(InputError, match="is no kind of report"):
        report(one, kind="poem")
    with pytest.raises(InputError, match="is no page"):
        report(one, output=tmp_path / "page.docx")


@pytest.mark.thorough
def test_a_run_has_a_pdf_with_the_same_content(solved: Path, tmp_path: Path) -> None:
    pytest.importorskip("reportlab")
    pypdf = pytest.importorskip("pypdf")
    page = report(solved, output=tmp_path / "page.pdf")
    text = "\n".join(one.extract_text() for one in pypdf.PdfReader(page).pages)
    for part in (
        "mho rerun solved.h5",
        "Certificate",
        "The solution passes.",
        "Data in the file",
        "SIMULATED",
    ):
        assert part in text
    assert "Table pulses" not in text
    assert len(pypdf.PdfReader(page).pages) <= 4
    assert str(solved.parent) not in text
    assert report(solved, output=tmp_path / "again.pdf").read_bytes() == page.read_bytes()
    whole = pypdf.PdfReader(report(solved, output=tmp_path / "whole.pdf", whole=True))
    assert "Table pulses" in "\n".join(one.extract_text() for one in whole.pages)


@pytest.mark.thorough
def test_the_operator_is_shown_only_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    run(Read(rows="0:1", columns="0:1"), seed=1, output=path, labels=Labels("wafer 7", "Keller, Anna"))
    shown, whole = (str(run_document(path, personal=personal)) for personal in (False, True))
    assert "wafer 7" in shown
    assert "Keller" not in shown
    assert "Keller" in whole


@pytest.mark.thorough
def test_of_a_solve_that_keeps_its_residual_only_it_says_that_no_error_bound_is_proved(
    tmp_path: Path,
) -> None:
    matrix = np.array([[1.0, 2.0, -0.5], [-1.5, 1.0, 1.0], [0.5, -1.0, 2.0]])
    procedure = Solve(matrix=matrix, rhs=np.ones(3), bits=20, certificate="residual")
    run(procedure, "arrays", seed=1, output=tmp_path / "run.h5")
    with RunFile(tmp_path / "run.h5") as file:
        assert "none of the error" in str(list(certificate(file.summary, summarise(file))))
