"""Mutants differ from the module in one place each, and one that the tests notice is told from one that survives."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benchmarks import mutants
from benchmarks.mutants import SUBJECTS, Copy, Mutant, Subject, draw, mutants_of

MODULE = '''"""A module."""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import x
LEAST: int = 1

def µ(a: float = 0.5) -> bool:
    """Say 1 + 1."""
    print(f"{a + 1} volts")
    if a < LEAST and not a == 3:
        raise ValueError(a)
    a += 1
    return a * 2
'''
CHANGES = {
    5: ["2"], 7: ["1.5"], 9: ["pass"], 10: ["or", "<=", "(a == 3)", "!=", "4"], 11: ["pass"], 12: ["2", "pass"],
    13: ["/", "3", "return None"],
}  # fmt: skip


def test_each_mutant_is_one_change_in_what_runs():
    found = mutants_of(Path("module.py"), MODULE)
    lines = MODULE.splitlines()
    for number, changes in CHANGES.items():
        changed = [one.text.splitlines()[number - 1] for one in found if one.line == number]
        assert len(changed) == len(changes)
        assert all(any(change in line for line in changed) for change in changes)
    assert {one.line for one in found} == set(CHANGES)
    for one in found:
        ast.parse(one.text)
        kept = [line for number, line in enumerate(lines, 1) if number != one.line]
        assert [line for number, line in enumerate(one.text.splitlines(), 1) if number != one.line] == kept


def test_the_same_seed_draws_the_same_mutants_of_all_subjects():
    subjects = {name: SUBJECTS[name] for name in ("limits", "seals")}
    drawn = draw(subjects, 5, 4)
    assert drawn == draw(subjects, 5, 4) != draw(subjects, 5, 5)
    assert [name for name, _ in drawn] == ["limits", "seals", "limits", "seals", "limits"]


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_modules_and_tests_of_a_subject_are_there(name):
    subject = SUBJECTS[name]
    assert all(Subject((module,), ()).files() for module in subject.modules)
    assert all((mutants.ROOT / path).is_file() for path in subject.files())
    assert all((mutants.ROOT / path).exists() for path in subject.tests)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a module that a daily test looks at, and a thorough one looks at more closely."""
    folder = tmp_path / "repository"
    (folder / "tests").mkdir(parents=True)
    (folder / "mho").mkdir()
    (folder / "mho/sums.py").write_text(
        "def double(a):\n    b = a + a\n    return b\n\ndef one():\n    return 1 + 0\n"
    )
    (folder / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\npythonpath = ["."]\naddopts = "-p no:cacheprovider"\nmarkers = ["thorough", "slow"]\n'
    )
    (folder / "tests/test_sums.py").write_text(
        "import pytest\nfrom mho.sums import double\n"
        "def test_of_zero():\n    assert double(0) == 0\n"
        "@pytest.mark.thorough\ndef test_of_two():\n    assert double(2) == 4\n"
    )
    monkeypatch.setattr(mutants, "ROOT", folder)
    monkeypatch.setattr(mutants, "SUBJECTS", {"sums": Subject(("mho",), ("tests",))})
    return folder


@pytest.mark.thorough
def test_who_kills_a_mutant_is_said_and_who_survives_is_shown(
    repository: Path, capsys: pytest.CaptureFixture[str]
):
    assert mutants.main(["--count", "99"]) == 0
    out = capsys.readouterr().out
    assert "sums: mho/sums.py:3 killed by every day" in out
    assert "sums: mho/sums.py:2 killed by thorough" in out
    assert "sums: mho/sums.py:6 killed by nothing\n@@ -6 +6 @@\n-    return 1 + 0\n+    return" in out
    assert (
        "6 mutants, seed 1: 1 killed by the tests of every day, 1 more by the thorough ones, 4 survived"
        in out
    )


@pytest.mark.thorough
def test_tests_that_fail_without_a_mutant_are_no_judge(repository: Path):
    (repository / "tests/test_sums.py").write_text("def test_it():\n    assert False\n")
    with pytest.raises(SystemExit, match=r"the tests of sums \(every day\) fail without a mutant"):
        mutants.main([])


@pytest.mark.thorough
def test_a_mutant_that_never_ends_is_killed(repository: Path, tmp_path: Path):
    subject = Subject(("mho",), ("tests",))
    original = (repository / "mho/sums.py").read_text()
    endless = Mutant(Path("mho/sums.py"), 1, original, "while True:\n    pass\n")
    copy = Copy(tmp_path / "copy")
    assert copy.killer(endless, subject, dict.fromkeys(mutants.MARKS, 3.0)) == "every day"
    assert (tmp_path / "copy/mho/sums.py").read_text() == original


def test_an_unknown_subject_is_refused_by_name(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        mutants.main(["nothing"])
    assert "no subject is called nothing; there are limits, safing" in capsys.readouterr().err
