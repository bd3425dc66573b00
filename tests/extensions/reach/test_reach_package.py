"""The data package of reach: its solutions are right, it is read and scored without mho, and nothing false slips by."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from command_line import Shell

from mho.chip_maps.matrix_files import to_real, to_real_vector
from mho.errors import InputError
from mho.extensions.reach import (
    Answer,
    Package,
    ReachError,
    certified_system,
    choose,
    load,
    score,
    solve_systems,
    write_answers,
    write_package,
)
from mho.extensions.reach.certified import CertifiedChoice, digital_work, without_chip
from mho.extensions.reach.reader import read_answers

FAMILIES = ["Gram", "complex dominant", "badly scaled"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reach") / "package"
    return write_package(folder, [certified_system(one) for one in choose(FAMILIES, [2, 8], 2)])


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def exact(matrix: np.ndarray, rhs: np.ndarray) -> list[Fraction]:
    """The solution in fractions, by elimination."""
    rows = [
        [Fraction(float(v)) for v in (*row, b)]
        for row, b in zip(to_real(matrix), to_real_vector(rhs), strict=True)
    ]
    for k in range(len(rows)):
        pivot = next(i for i in range(k, len(rows)) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i, row in enumerate(rows):
            if i != k and row[k]:
                rows[i] = [v - row[k] * p for v, p in zip(row, rows[k], strict=True)]
    return [row[-1] for row in rows]


@pytest.mark.parametrize("family", [*FAMILIES, "Vandermonde"])
def test_a_solution_is_the_exact_one_to_the_bits_that_are_claimed(family: str) -> None:
    system = certified_system(CertifiedChoice(family, 8, 3))
    x = exact(system.matrix, system.rhs)
    apart = [abs(Fraction(float(a)) - b) for a, b in zip(to_real_vector(system.solution), x, strict=True)]
    size = float(sum(v * v for v in x)) ** 0.5
    assert system.certified_bits >= 50
    assert float(sum(v * v for v in apart)) ** 0.5 <= 2.0**-system.certified_bits * size
    assert float(sum(v * v for v in apart)) ** 0.5 <= np.linalg.norm(system.error)


def test_what_is_read_is_what_was_written(exported: Path) -> None:
    package = load(exported)
    assert len(package.systems) == 3 * 2 * 2
    for read in package.systems:
        drawn = certified_system(CertifiedChoice(read.family, read.size, read.seed))
        for name in ("matrix", "rhs", "solution", "error"):
            np.testing.assert_array_equal(getattr(read, name), getattr(drawn, name))
        assert read.without_chip == drawn.without_chip
    assert [one.seed for one in package.select("Gram", 8)] == [1, 2]


def test_the_same_package_is_written_again(exported: Path, tmp_path: Path) -> None:
    again = write_package(tmp_path / "again", load(exported).systems)
    assert (again / "SHA256SUMS").read_bytes() == (exported / "SHA256SUMS").read_bytes()


@pytest.mark.thorough
def test_the_reader_needs_numpy_alone(exported: Path) -> None:
    script = (
        "import sys; sys.modules.update(dict.fromkeys(('mho', 'scipy', 'h5py')))\n"
        "sys.path.insert(0, '.')\nimport numpy as np, reach\npackage = reach.load('.')\n"
        "answers = [reach.Answer(one.id, 'converged', np.linalg.solve(one.matrix, one.rhs), 1, 10) for one in "
        "package.systems]\nprint(reach.score(package, answers, 'family'))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], cwd=exported, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[1:-1]] == [
        "Gram",
        "badly scaled",
        "complex dominant",
        "all",
    ]
    assert lines[-1] == "12 of the package's 12 systems were answered"


def right(package: Package) -> list[Answer]:
    return [Answer(one.id, "converged", one.solution, 3, 100) for one in package.systems]


def last_row(package: Package, answers: list[Answer]) -> dict[str, object]:
    return score(package, answers).rows[-1]


def test_a_wrong_answer_that_says_converged_is_a_false_verdict(exported: Path) -> None:
    package = load(exported)
    first, *others = right(package)
    assert first.solution is not None
    wrong = replace(first, solution=first.solution * (1.0 + 2.0**-23))
    row = last_row(package, [wrong, *others])
    assert (row["converged"], row["false"]) == (11, 1)
    assert last_row(package, [replace(wrong, verdict="not converged"), *others])["false"] == 0
    nearly = replace(first, solution=first.solution * (1.0 + 2.0**-25))
    assert last_row(package, [nearly, *others])["converged"] == 12
    nothing = replace(first, solution=np.full_like(first.solution, np.nan))
    assert last_row(package, [nothing, *others])["false"] == 1


def test_too_many_cycles_and_refusals_are_no_success(exported: Path) -> None:
    package = load(exported)
    first, second, *others = right(package)
    row = last_row(package, [replace(first, cycles=41), Answer(second.id, "refused"), *others])
    assert (row["converged"], row["false"], row["refused"], row["most cycles"]) == (10, 0, 1, 3)


def test_an_answer_stands_beside_no_chip(exported: Path) -> None:
    package = load(exported)
    same = [
        Answer(one.id, "converged", one.solution, one.without_chip.cycles, one.without_chip.multiplications)
        for one in package.systems
    ]
    row = last_row(package, same)
    assert (row["fewer cycles than no chip"], row["work / no chip"]) == ("0 of 12", 1.0)
    fewer = [replace(one, cycles=max(one.cycles - 1, 1)) for one in same]
    more_than_one = sum(one.cycles > 1 for one in same)
    assert last_row(package, fewer)["fewer cycles than no chip"] == f"{more_than_one} of 12"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (lambda one: [Answer("none", "refused")], "no system 'none'"),
        (lambda one: [Answer(one.id, "refused")] * 2, "two answers"),
        (lambda one: [Answer(one.id, "converged", np.zeros(3))], r"shape \(3,\)"),
        (lambda one: [Answer(one.id, "converged")], "has no solution"),
        (lambda one: [Answer(one.id, "solved", one.solution)], "says 'solved'"),
        (lambda one: [Answer(one.id, "converged", one.solution)], "took 0 cycles"),
        (lambda one: [Answer(one.id, "converged", one.solution, -3)], "took -3 cycles"),
        (
            lambda one: [Answer(one.id, "converged", one.solution, 2, np.nan)],
            "took nan multiplications",
        ),
        (
            lambda one: [Answer(one.id, "converged", np.array(["1"] * len(one.solution)))],
            "give numbers",
        ),
        (
            lambda one: [Answer(one.id, "converged", one.solution, 2, 10**400)],
            "multiplications; give a number",
        ),
        (lambda one: [Answer(one.id, "converged", [[1.0], [1.0, 2.0]], 2)], "is no vector"),
        (lambda one: [Answer([1], "refused")], "no system"),
        (lambda one: [], "no answers"),
    ],
)
def test_answers_that_cannot_be_scored_are_refused(
    exported: Path, answers: Callable[..., list[Answer]], words: str
) -> None:
    package = load(exported)
    with pytest.raises(ReachError, match=words):
        score(package, answers(package.systems[0]))


def test_an_answer_as_large_as_a_double_is_wrong_without_a_warning(exported: Path) -> None:
    package = load(exported)
    one = package.systems[0]
    huge = Answer(one.id, "converged", np.full(one.solution.shape, 1e300), 2)
    assert score(package, [huge]).scored[0].false


@pytest.mark.parametrize("solution", ["[[1, 2, 3]]", f"[{10**400}]", "[1, [1, 2]]", "[" * 100_000])
def test_answers_that_are_no_vectors_are_no_answers(tmp_path: Path, solution: str) -> None:
    path = tmp_path / "answers.json"
    answer = f'{{"id": "Gram-002-001", "verdict": "converged", "solution": {solution}}}'
    path.write_text(
        f'{{"format": "mho-reach answers", "version": 1, "solver": "s", "answers": [{answer}]}}', "utf-8"
    )
    with pytest.raises(ReachError, match="holds no answers"):
        read_answers(path)


def test_a_list_of_systems_that_the_arrays_do_not_hold_is_refused(copied: Path) -> None:
    facts = json.loads((copied / "package.json").read_text("utf-8"))
    systems = facts.pop("systems")
    wrong = (
        (facts, "do not go together"),
        (facts | {"systems": [systems[0] | {"index": 99}]}, "do not go together"),
        (facts | {"systems": [systems[0] | {"family": "none"}]}, "do not go together"),
        (facts | {"systems": systems, "files": []}, "names no files"),
    )
    sums = (copied / "SHA256SUMS").read_text("utf-8").splitlines()
    for one, words in wrong:
        text = json.dumps(one)
        (copied / "package.json").write_text(text, "utf-8")
        own = f"{hashlib.sha256(text.encode()).hexdigest()}  package.json"
        others = [line for line in sums if not line.endswith("  package.json")]
        (copied / "SHA256SUMS").write_text("\n".join([own, *others]) + "\n", "utf-8")
        with pytest.raises(ReachError, match=f"damaged: package.json.*{words}"):
            load(copied)


def test_a_list_of_checksums_that_leaves_a_file_out_is_refused(copied: Path) -> None:
    (copied / "SHA256SUMS").write_text("", "utf-8")
    with pytest.raises(ReachError, match=r"no line of package\.json"):
        load(copied)
    (copied / "SHA256SUMS").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReachError, match="SHA256SUMS cannot be read"):
        load(copied)


def test_another_version_is_refused(copied: Path) -> None:
    facts = json.loads((copied / "package.json").read_text("utf-8"))
    (copied / "package.json").write_text(json.dumps(facts | {"version": 2}), "utf-8")
    with pytest.raises(
        ReachError, match="is a data package of version 2, and this reader reads version 1: use the"
    ):
        load(copied)


def test_a_damaged_file_is_refused(copied: Path) -> None:
    path = copied / "systems/gram.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ReachError, match=r"damaged: systems/gram\.npz is not as it was written"):
        load(copied)
    path.unlink()
    with pytest.raises(ReachError, match=r"damaged: systems/gram\.npz is missing"):
        load(copied)
    with pytest.raises(ReachError, match="holds no data package"):
        load(copied / "systems")


def test_answers_are_read_back_exactly(exported: Path, tmp_path: Path) -> None:
    given = right(load(exported))
    write_answers(tmp_path / "mine.json", "mine", given)
    solver, read = read_answers(tmp_path / "mine.json")
    assert solver == "mine"
    for one, other in zip(given, read, strict=True):
        np.testing.assert_array_equal(one.solution, other.solution)
        assert vars(one) | {"solution": None} == vars(other) | {"solution": None}


def test_gcr_without_a_chip_ends_after_as_many_cycles_as_unknowns() -> None:
    rng = np.random.default_rng(1)
    for n in (3, 6):
        found = without_chip(rng.standard_normal((n, n)), rng.standard_normal(n))
        assert found.converged
        assert n <= found.cycles <= n + 1
        assert found.bits >= 24
    assert without_chip(np.eye(5), np.ones(5)).cycles == 1


def test_digital_work_is_counted_by_the_rule() -> None:
    # Three products and a residual of ten unknowns, and two products made orthogonal to one and to two before.
    assert digital_work(10, 3, 1, "gcr") == 4 * 100 + 3 * 10 * (1 + 2)
    assert digital_work(10, 3, 1, "plain") == 400


@pytest.mark.thorough
def test_mho_answers_in_the_same_form(exported: Path) -> None:
    package = load(exported)
    answers = list(solve_systems(package.select(size=8, seed=1)))
    row = last_row(package, answers)
    assert (row["systems"], row["converged"], row["false"]) == (3, 3, 0)
    assert all(one.multiplications and one.multiplications >= 64 * one.cycles for one in answers)


@pytest.mark.thorough
def test_the_command_exports_and_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path / "runs", monkeypatch, capsys)
    few = ("--family", "Gram", "--size", 4, "--seeds", 2)
    status, said, _ = shell("reach", "--export", tmp_path / "new", *few, "--solve", 1)
    assert status == 0
    assert "1 of the package's 2 systems were answered" in said
    assert (tmp_path / "new/answers/mho.json").is_file()
    status, said, _ = shell("reach", "--package", tmp_path / "new", "--json", "-o", tmp_path / "mine.json")
    assert status == 0
    assert json.loads(said)["rows"][-1]["converged"] == 1
    assert read_answers(tmp_path / "mine.json")[0].startswith("mho, bench arrays")
    assert "exists already" in shell.refused("reach", "--export", tmp_path / "new", *few)
    assert "no family 'gram'" in shell.refused("reach", "--family", "gram")
    assert "no rows by 'seed'" in shell.refused("reach", *few, "--by", "seed")
    assert "nothing is solved" in shell.refused(
        "reach", "--export", tmp_path / "n", *few, "-o", tmp_path / "x"
    )


def test_nothing_is_left_of_a_package_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        write_package(tmp_path / "file" / "below", [certified_system(CertifiedChoice("Gram", 2, 1))])
    with pytest.raises(InputError, match="exists already"):
        write_package(tmp_path, [])


def test_each_system_is_chosen_once_and_complex_ones_have_even_sizes() -> None:
    chosen = choose(["Gram", "Gram", "complex Gram"], [3, 4, 4], 2)
    assert [(one.family, one.size, one.seed) for one in chosen] == [
        ("Gram", 3, 1), ("Gram", 3, 2), ("Gram", 4, 1), ("Gram", 4, 2), ("complex Gram", 4, 1), ("complex Gram", 4, 2),
    ]  # fmt: skip
    with pytest.raises(InputError, match="give an even size"):
        choose(["complex Gram"], [3], 1)


@pytest.mark.parametrize(
    ("options", "words"), [(["--seeds", 0], "--seeds is 0"), (["--solve", 0], "--solve is 0")]
)
def test_numbers_below_one_are_refused(shell: Shell, options: list[object], words: str) -> None:
    assert words in shell.refused("reach", "--family", "Gram", "--size", 2, *options)


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_solved(
    shell: Shell, tmp_path: Path
) -> None:
    assert "nothing can be written into" in shell.refused("reach", "-o", tmp_path / "none" / "x.json")
