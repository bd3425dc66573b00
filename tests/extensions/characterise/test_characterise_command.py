"""`mho characterise`: a plan to look at, its steps, and a page that says what there is."""

from __future__ import annotations

import pytest
from daily import daily

from mho.errors import UnsafeError
from mho.extensions.characterise import Characterisation
from mho.extensions.characterise import command as verb
from mho.extensions.characterise import terminal as shown
from mho.running import Report

SMALL = ("--bench", "arrays", "--preset", "ideal", "--quick", "--cells", 4, "--seed", 1)


def cut_to(folder, *steps):
    """Take all but some steps out of a plan, as a user does who edits it."""
    head, *parts = (folder / "plan.toml").read_text("utf-8").split("\n\n")
    kept = [part for part in parts if any(f'name = "{step}"' in part for step in steps)]
    (folder / "plan.toml").write_text("\n\n".join([head, *kept]), "utf-8")


@pytest.mark.thorough
def test_a_plan_is_written_looked_at_edited_and_carried_out(shell, tmp_path):
    folder = tmp_path / "new"
    code, _, err = shell("characterise", *SMALL, "--output", folder, "--plan-only")
    assert code == 0, err
    assert "plan of 4 cells (2 rows x 2 columns)" in err
    assert "bench time: about" in err
    assert sorted(path.name for path in folder.iterdir()) == ["levels.csv", "plan.toml"]
    cut_to(folder, "contact", "form")
    pytest.importorskip("mho.extensions.report_pages")
    code, out, err = shell("characterise", folder)
    assert code == 0, err
    assert "step 2 of 2  form" in err
    assert out.split() == [str(folder / "report.html")]
    code, _, err = shell("characterise", folder / "plan.toml")
    assert code == 0
    assert "2 of 2 steps are finished; bench time: nothing to do" in err


@pytest.mark.thorough
def test_a_plan_is_rehearsed_and_nothing_is_kept(shell, tmp_path):
    folder = tmp_path / "new"
    shell("characterise", *SMALL, "--output", folder, "--plan-only")
    cut_to(folder, "contact", "form")
    code, out, _ = shell("characterise", folder, "--rehearse")
    assert code == 0
    assert "together" in out
    assert sorted(path.name for path in folder.iterdir()) == ["levels.csv", "plan.toml"]


@pytest.mark.thorough
def test_a_step_that_fails_is_told_on_the_terminal_and_on_the_page(shell, tmp_path):
    folder = tmp_path / "new"
    shell("characterise", *SMALL, "--output", folder, "--plan-only")
    cut_to(folder, "contact")
    plan = folder / "plan.toml"
    plan.write_text(plan.read_text("utf-8").replace('array = "multiply"', 'array = "divide"'), "utf-8")
    pytest.importorskip("mho.extensions.report_pages")
    code, _, err = shell("characterise", folder)
    assert code == 1
    assert "step 1 failed: chip 'segmented' has no array 'divide'" in err.replace("\n", " ")
    assert "failed: chip &#x27;segmented&#x27; has no array" in (folder / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    daily(
        [
            (("--bench", "nowhere"), "cannot read bench 'nowhere'"),
            (("--cells", 0), "0 cells are no sample"),
            (("--rows", "0:2"), "rows and columns go together"),
            (("--array", "divide"), "has no array 'divide'"),
            (("none", "--quick"), "leave out --quick"),
            (("none",), "cannot read plan"),
        ],
        3,
    ),
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(shell, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    code, _, err = shell("characterise", *words)
    assert code == 2
    assert said in err
    assert not list(tmp_path.rglob("plan.toml"))


def test_without_reports_it_says_where_the_run_files_are(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shown, "find_spec", lambda name: None)
    shown.write_report(tmp_path, {})
    assert f"no page is written, for mho has no reports here; the run files are in {tmp_path}" in " ".join(
        capsys.readouterr().err.split()
    )
    assert not list(tmp_path.iterdir())


def test_a_bench_that_may_be_live_does_not_wait_for_a_page(tmp_path, monkeypatch):
    (tmp_path / "plan.toml").write_text('name = "a"\n[[steps]]\nprocedure = "contact"\n', "utf-8")
    report = Report()

    def break_off(todo, report, reasons):
        report.bench = "lab"
        raise UnsafeError("the smu does not answer")

    monkeypatch.setattr(shown, "carry_out", break_off)
    with pytest.raises(UnsafeError):
        verb._carry_out(Characterisation(tmp_path), report)
    assert not (tmp_path / "report.html").exists()


def test_a_plan_that_is_not_there_is_not_taken_for_the_one_beside_it(shell, tmp_path):
    (tmp_path / "plan.toml").write_text('name = "a"\n[[steps]]\nprocedure = "contact"\n', "utf-8")
    code, _, err = shell("characterise", tmp_path / "paln.toml")
    assert (code, "cannot read plan" in err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]
