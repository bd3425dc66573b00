"""The page about a folder of runs: what it shows, and what it says is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mho import run
from mho.errors import InputError
from mho.extensions.report_pages import write_report
from mho.instruments import open_bench
from mho.procedures import Contact, Form, Switching
from mho.runs import Column, Figure, Layout, RunHeader, RunWriter, Status, Table

CELLS = {"rows": "0:2", "columns": "0:2"}
PLAN = """\
name = "characterise <multiply>"
description = "Left out: iv (too high)."
[[steps]]
procedure = "contact"
[[steps]]
procedure = "form"
[[steps]]
procedure = "switching"
[[steps]]
procedure = "retention"
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plan, of whose four steps three were carried out."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "plan.toml").write_text(PLAN, "utf-8")
    with open_bench("simulated", preset="ideal", seed=1) as bench:
        for number, procedure in enumerate(
            (Contact(**CELLS), Form(**CELLS, step=0.2), Switching(**CELLS, cycles=5)), 1
        ):
            name = type(procedure).__name__.lower()
            note = {"step": str(number), "left_out": "[3, 1] open (01-contact.h5)"} if number == 3 else {}
            run(procedure, bench, output=folder / f"{number:02}-{name}.h5", provenance=note)
    return folder


@pytest.fixture(scope="module")
def page(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(measured, tmp_path_factory.mktemp("page"))


def page_of(folder: Path, output: Path, **given: object) -> str:
    return write_report(folder, output / "page.html", **given).read_text("utf-8")


@pytest.mark.thorough
def test_parameters_stand_with_interval_unit_cells_and_file(page: str) -> None:
    found = {line.split("</td>")[0].removeprefix("<td>"): line for line in page.split("<tr>")}
    assert '<td class="n">1</td><td class="n">0.3976 to 1</td>' in found["forming yield"]
    row = found["LRS by pulses, median"]
    assert "<td>µS</td>" in row
    assert '<td class="n">4</td>' in row
    assert '<a href="#03-switching">03-switching.h5</a>' in row
    assert "SIMULATED, preset ideal" in page
    assert "[3, 1] open (01-contact.h5)" in page
    assert "Left out: iv (too high)." in page
    assert "characterise &lt;multiply&gt;" in page


@pytest.mark.thorough
def test_figures_are_within_the_page_and_nothing_is_loaded(page: str) -> None:
    assert page.count("data:image/png;base64,") >= 10
    assert "not drawn" not in page
    assert "http" not in page
    assert "<script" not in page


@pytest.mark.thorough
def test_what_is_missing_is_said_with_the_reason_where_there_is_one(measured: Path, tmp_path: Path) -> None:
    partial = tmp_path / "partial"
    shutil.copytree(measured, partial)
    (partial / "02-form.h5").unlink()
    (partial / "03-switching.h5").write_bytes(b"no run file")
    page = page_of(partial, tmp_path)
    steps = page[page.index("<h2>Steps</h2>") : page.index("<h2>Device parameters</h2>")]
    assert steps.count(">missing<") == 2
    assert "no run file: not begun, skipped, refused by the bench, or deleted" in steps
    assert ">unreadable<" in steps
    assert "03-switching.h5" in steps
    told = page_of(partial, tmp_path, reasons={"4": "failed: the oven is cold"})
    assert "failed: the oven is cold" in told


@pytest.mark.thorough
def test_a_run_that_did_not_finish_gives_no_parameters_but_its_reason(measured: Path, tmp_path: Path) -> None:
    folder = tmp_path / "aborted"
    folder.mkdir()
    table = Table("reads", (Column("conductance", "S"),), "conductance")
    header = RunHeader("Switch & <b>cells</b>", "Switching", "1", {})
    layout = Layout((table,), figures=(Figure("reads", table="reads", y="conductance"),))
    with RunWriter.create(folder / "01-switching.h5", header, layout) as writer:
        writer.set_result({"window": 3.0}, {})
        writer.finish(Status.ABORTED, "the probe <slipped>")
    page = page_of(folder, tmp_path)
    assert "<h2>Device parameters</h2>" not in page
    assert "aborted: the probe &lt;slipped&gt;" in page
    assert "<b>" not in page


@pytest.mark.thorough
def test_an_attempt_that_was_made_again_is_only_listed(measured: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    shutil.copytree(measured, folder)
    with RunWriter.create(
        folder / "03-switching.attempt-1.h5", RunHeader("Attempt", "Switching", "1", {}), Layout(())
    ) as writer:
        writer.finish(Status.ABORTED, "enough")
    page = page_of(folder, tmp_path)
    assert '03-switching.attempt-1.h5: <span class="bad">aborted: enough</span>' in page
    assert ">Attempt</h2>" not in page


def test_a_folder_of_very_many_runs_is_refused(tmp_path: Path) -> None:
    for number in range(101):
        (tmp_path / f"{number}.h5").touch()
    with pytest.raises(InputError, match="holds 101 run files"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [("none", "is no folder"), ("empty", "nothing to report on"), ("bad", "is not valid TOML")],
)
def test_where_there_is_nothing_to_report_on_that_is_said(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "plan.toml").write_text("name = ", "utf-8")
    with pytest.raises(InputError, match=said):
        write_report(tmp_path / name)


def test_a_page_is_a_page(measured: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.html"):
        write_report(measured, tmp_path / "page.pdf")
