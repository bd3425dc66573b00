"""Mutants differ from the module in one place each, and one that the tests notice is told from one that survives."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from benchmarks import mutants
from benchmarks._mutant_tests import exchange
from benchmarks.mutants import (
    SUBJECTS,
    Copy,
    Judge,
    Mutant,
    Results,
    Subject,
    draw,
    mutants_of,
    order,
    parse,
    within,
)

MODULE = '''"""A module."""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import x
LEAST: int = 1

def µ(a: float = 0.5) -> bool:
    """Say 1 + 1."""
    print(f"{a + 1} volts", *zip(a, strict=True))
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


@pytest.mark.thorough
def test_the_same_seed_draws_the_same_mutants_of_all_subjects():
    subjects = {name: SUBJECTS[name] for name in ("limits", "seals")}
    drawn = draw(subjects, 5, 4)
    assert drawn == draw(subjects, 5, 4) != draw(subjects, 5, 5)
    assert [name for name, _ in drawn] == ["limits"] * 3 + ["seals"] * 2


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
    (folder / "mho/__init__.py").touch()  # or the mho that is installed would come before it
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
    assert "sums: mho/sums.py:3 killed by every day tests/test_sums.py::test_of_zero" in out
    assert "sums: mho/sums.py:2 killed by thorough tests/test_sums.py::test_of_two" in out
    assert "sums: mho/sums.py:6 killed by nothing\n@@ -6 +6 @@\n-    return 1 + 0\n+    return" in out
    assert "| sums | 6 | 1 | 1 | 4 | 0 | 0 |" in out
    assert "Of 6 that make a difference: 16.7 % killed by the tests of every day, 33.3 % by all." in out


@pytest.mark.thorough
def test_results_are_not_repeated_and_survivors_are_tried_on_the_tests_of_today(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    results = ["--results", str(tmp_path / "results")]
    mutants.main(["--count", "99", *results])
    mutants.main(["--count", "99", *results])
    assert capsys.readouterr().out.count("killed by every day") == 1
    mutants.main(["--survivors", *results])
    assert "fail without a mutant" not in capsys.readouterr().err  # the lines of all tests are known
    (repository / "benchmarks").mkdir()
    (repository / "benchmarks/equivalent_mutants.toml").write_text(
        '[[mutants]]\npath = "mho/sums.py"\nchange = "- return 1 + 0\\n+ return (1 - 0)"\nwhy = "0"\n'
    )
    with (repository / "tests/test_sums.py").open("a") as file:
        file.write("from mho.sums import one\ndef test_one():\n    assert one() == 1\n")
    row = {
        "subject": "sums",
        "path": "mho/sums.py",
        "line": 9,
        "change": "- gone()\n+ pass",
        "killed": None,
        "test": "",
    }
    Results(tmp_path / "results").add(row)
    mutants.main(["--survivors", *results])
    out = capsys.readouterr().out
    assert out.count("killed by every day tests/test_sums.py::test_one") == 3
    assert "return (1 - 0)" not in out
    assert "| sums | 7 | 4 | 1 | 0 | 1 | 1 |" in out
    assert "Of 5 that make a difference: 80.0 % killed by the tests of every day, 100.0 % by all." in out


@pytest.mark.thorough
def test_a_test_that_a_mutant_gives_another_name_is_run(repository: Path, capsys: pytest.CaptureFixture[str]):
    (repository / "tests/test_sums.py").write_text(
        "import pytest\nfrom mho.sums import double, one\n"
        "@pytest.mark.parametrize('value', [1.5 * double(2)])\n"
        "def test_of_its_import(value):\n    assert value == 6.0\n    assert one()\n"
    )
    mutants.main(["--count", "99", "--daily"])
    assert (
        "mho/sums.py:2 killed by every day tests/test_sums.py::test_of_its_import[0.0]"
        in capsys.readouterr().out
    )


@pytest.mark.thorough
def test_what_tests_run_is_recorded_anew_after_a_module_was_changed(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    results = ["--daily", "--results", str(tmp_path / "results")]
    mutants.main(["--count", "99", *results])
    module, tests = repository / "mho/sums.py", repository / "tests/test_sums.py"
    module.write_text("# its lines\n# have other numbers now\n" + module.read_text())
    tests.write_text(tests.read_text().replace("double(0) == 0", "double(3) == 6"))
    capsys.readouterr()
    mutants.main(["--survivors", *results])
    assert (
        "sums: mho/sums.py:4 killed by every day tests/test_sums.py::test_of_zero" in capsys.readouterr().out
    )


@pytest.mark.thorough
def test_tests_that_fail_without_a_mutant_are_no_judge(repository: Path, capsys: pytest.CaptureFixture[str]):
    (repository / "tests/test_sums.py").write_text("def test_it():\n    assert False\n")
    with pytest.raises(SystemExit, match="no test passes without a mutant; mend them first"):
        mutants.main([])
    assert "not asked: tests/test_sums.py::test_it" in capsys.readouterr().err


@pytest.mark.thorough
def test_a_mutant_that_never_ends_is_killed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mutants, "SLACK_S", 3.0)
    monkeypatch.setattr(mutants, "RETRY", 1.0)
    original = (repository / "mho/sums.py").read_text()
    at_import = Mutant(Path("mho/sums.py"), 1, original, "while True:\n    pass\n")
    text = original.replace("b = a + a", "while True: pass")
    in_function = Mutant(Path("mho/sums.py"), 2, original, text, 2)
    copy = Copy(tmp_path / "copy")
    with Judge(copy, "sums", tmp_path / "lines.json", parse(["--daily"])) as judge:
        assert judge.killer(at_import) == ("every day", "time")
        assert judge.killer(in_function) == ("every day", "time: tests/test_sums.py::test_of_zero")
    assert (tmp_path / "copy/mho/sums.py").read_text() == original


@pytest.mark.thorough
def test_a_test_that_was_only_delayed_kills_nothing(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mutants, "SLACK_S", 2.0)
    original = (repository / "mho/sums.py").read_text()
    mark = str(tmp_path / "mark")
    delay = f"import os, time; os.path.exists({mark!r}) or (open({mark!r}, 'w').close(), time.sleep(9))"
    delayed = Mutant(
        Path("mho/sums.py"), 2, original, original.replace("b = a + a", f"{delay}; b = a + a"), 2
    )
    with Judge(Copy(tmp_path / "copy"), "sums", tmp_path / "lines.json", parse(["--daily"])) as judge:
        assert judge.killer(delayed) == (None, "")
    assert Path(mark).exists()


OLD = """
LIMIT = 3
def called(a):
    def inner(b):
        return a + b
    return inner(1)
class Cell:
    state = LIMIT
    def read(self):
        return [one for one in (1, 2)]
kept = called
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("before", "after", "calls"),
    [
        ("a + b", "a - b", (1, [1, 2])),
        ("(1, 2)", "(1, 3)", (3, [1, 3])),
        ("return [one for one in (1, 2)]", "return None", (3, None)),
    ],
)
def test_a_function_gets_its_mutated_code_wherever_it_is_used(
    tmp_path: Path, before: str, after: str, calls: tuple[int, list[int] | None]
):
    path = str(tmp_path / "module.py")
    names: dict[str, Any] = {}
    exec(compile(OLD, path, "exec"), names)
    assert exchange(path, OLD, OLD.replace(before, after))
    assert (names["kept"](2), names["Cell"]().read()) == calls


@pytest.mark.parametrize(("before", "after"), [("LIMIT = 3", "LIMIT = 4"), ("state = LIMIT", "state = 1")])
def test_what_runs_at_import_is_not_exchanged(before: str, after: str):
    assert not exchange("module.py", OLD, OLD.replace(before, after))


def test_the_tests_that_run_a_statement_come_first_and_then_those_that_start_a_process():
    def test(seconds: float, lines: list[int], processes: bool = False) -> dict[str, object]:
        return {"seconds": seconds, "processes": processes, "lines": {"m.py": lines} if lines else {}}

    tests = {
        "a.py::slow": test(2.0, [1, 5]),
        "a.py::quick": test(0.5, [5]),
        "b.py::process": test(0.1, [], processes=True),
        "c.py::quickest": test(0.1, [4, 5]),
        "c.py::elsewhere": test(0.1, [9]),
        "d.py::other": test(0.1, []),
        "e.py::imports": test(0.2, []),
    }
    recorded = {"tests": tests, "files": {"e.py": {"m.py": [5]}}}
    in_function = Mutant(Path("m.py"), 5, "", "", 5)
    assert [*order(in_function, recorded)] == [
        *("c.py::quickest", "a.py::quick", "a.py::slow"),
        *("c.py::elsewhere", "e.py::imports", "b.py::process"),
    ]
    at_import = Mutant(Path("m.py"), 1, "", "")
    assert [*order(at_import, recorded)][-3:] == ["e.py::imports", "b.py::process", "d.py::other"]
    assert order(at_import, recorded).keys() == tests.keys()


def test_only_the_first_tests_are_run_where_time_is_short():
    tests = {"a": 2.0, "b": 1.0, "c": 4.0}
    assert [*within(tests, 2.5)] == ["a", "b"]
    assert [*within(tests, 0.5)] == ["a"]
    assert within(tests, 0.0) == within(tests, 99.0) == tests


def test_a_mutant_names_the_statement_that_it_is_in():
    found = {one.line: one.statement for one in mutants_of(Path("module.py"), MODULE)}
    assert (found[5], found[7], found[10]) == (None, None, 10)
    split = "def f(a):\n    return g(\n        a,\n        a + 1,\n    )\n"
    assert {(4, 2), (2, 2)} == {(one.line, one.statement) for one in mutants_of(Path("module.py"), split)}


def test_an_unknown_subject_is_refused_by_name(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        mutants.main(["nothing"])
    assert "no subject is called nothing; there are limits, safing" in capsys.readouterr().err
