"""A refinement, an encoding and a preconditioning of a user's own: the page's, bad ones, and what a run file keeps."""

from __future__ import annotations

import hashlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from repository import ROOT

import mho
from mho.chip_maps.inverse_encoding import own_encodings
from mho.chip_maps.preconditioning import own_forms
from mho.errors import ChipMapError, InputError
from mho.extensions.linalg import on_bench
from mho.procedures.equations.algorithms.refinement import refine
from mho.procedures.named_code import CODE, code_named
from mho.running.recipe import read_recipe
from mho.running.trust import allow_all
from mho.runs import RunFile

PAGE = (ROOT / "docs" / "your-own-algorithm.md").read_text("utf-8")
MINE, SCRIPT, OUTSIDE = [part.partition("```")[0] for part in PAGE.split("```python\n")[1:]]
MATRIX = np.eye(4) + 0.2 * np.random.default_rng(3).random((4, 4))
RHS = np.arange(1.0, 5.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "mine.py").write_text(MINE, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    sys.modules.pop("mine", None)
    yield tmp_path
    sys.modules.pop("mine", None)


def solved(folder: Path, **how):
    return mho.solve(MATRIX, RHS, bench="arrays", seed=1, output=folder / "own.h5", **how)


def test_the_pages_scripts_run_as_they_stand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(MINE.strip().splitlines()) <= 60
    exec(SCRIPT, {})
    first, worth = capsys.readouterr().out.splitlines()
    assert first.startswith("True ")
    own, plain = (int(word) for word in first.split() if word.isdigit())
    assert own <= plain + 1
    assert "chip" in worth
    exec(OUTSIDE, {})
    assert float(capsys.readouterr().out) > 20.0


def test_a_run_keeps_the_source_of_all_that_is_ones_own_and_is_repeated_by_it(folder: Path) -> None:
    named = {
        "method": "mine.py:Orthomin", "encoding": "mine.py:RowSums", "preconditioning": "mine.py:Jacobi",
    }  # fmt: skip
    first = solved(folder, **named)
    assert first.converged
    assert first.summary["method"] == "Orthomin"
    assert first.summary["encoding"] == "RowSums, differential + diagonal in resistors"
    with RunFile(first.path) as file:
        kept = file.provenance
    for what, name in named.items():
        assert kept[what].endswith(name)
        assert kept[f"{what}_source"] == MINE
        assert kept[f"{what}_sha256"] == hashlib.sha256(MINE.encode()).hexdigest()
    with pytest.raises(InputError, match=r"would run \S*mine.py:Orthomin .* --trust"):
        read_recipe(_fresh(first.path))
    recipe = read_recipe(first.path, trust=allow_all)
    assert {one.rpartition(":")[2] for one in map(str, (recipe.values[what] for what in named))} == {
        "Orthomin", "RowSums", "Jacobi",
    }  # fmt: skip


def _fresh(path: Path) -> Path:
    """Return the run file for a process that has not loaded its code."""
    from mho.own_code import AGREED

    for name in [one for one in AGREED if "mine" in one]:
        AGREED.discard(name)
    for name in [one for one in sys.modules if one.endswith("mine.py")]:
        del sys.modules[name]
    return path


def test_a_class_in_a_script_is_named_by_its_module(folder: Path) -> None:
    class Whole(mho.Refinement):
        def advance(self, correction, product, residual):
            return correction, product

    result = solved(folder, method=Whole)
    plain = mho.solve(MATRIX, RHS, bench="arrays", seed=1, output=folder / "plain.h5", method="plain")
    assert len(result.cycles) == len(plain.cycles)
    with RunFile(result.path) as file:
        assert file.given["method"] == f"{__name__}:{Whole.__qualname__}"
        assert "class Whole" in file.provenance["method_source"]


def test_a_class_of_a_script_itself_is_told_to_move_into_a_file(tmp_path: Path) -> None:
    """Its process is gone; that of the command line has another ``__main__``."""
    own = type(
        "Whole", (mho.Refinement,), {"advance": lambda self, z, az, r: (z, az), "__module__": "__main__"}
    )
    result = solved(tmp_path, method=own)
    assert result.path is not None
    with pytest.raises(
        InputError, match=r"names Whole, which was in a script or notebook itself.*file of its own"
    ):
        read_recipe(result.path, trust=allow_all)


def refinement(returned):
    return type("Mine", (mho.Refinement,), {"advance": lambda self, *given: returned(*given)})


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda z, az, r: (np.full(4, math.nan), az), "a step whose entry 0, counted from 0, is nan"),
        (
            lambda z, az, r: (z, np.append(az[:3], math.inf)),
            "a product whose entry 3, counted from 0, is inf",
        ),
        (lambda z, az, r: (z[:2], az), r"a step of shape \(2,\); it must be \(4,\)"),
        (lambda z, az, r: z, "did not return two arrays"),
        (lambda z, az, r: None, "did not return two arrays"),
        (lambda z, az, r: ("x", az), "did not return two arrays"),
        (lambda z, az, r: (1j * z, az), "did not return two arrays of real numbers"),
        (lambda z, az, r: (1 / 0, az), r"failed \(ZeroDivisionError: division by zero\)"),
    ],
)
def test_a_step_that_is_none_is_named_and_never_reaches_the_solution(folder: Path, returned, said) -> None:
    with (
        mho.open_bench("arrays", seed=1) as bench,
        pytest.raises(InputError, match=f"the refinement Mine cannot be used: its advance .*{said}"),
    ):
        mho.run(mho.Solve(matrix=MATRIX, rhs=RHS, method=refinement(returned)), bench)


def test_a_refinement_without_advance_is_told_what_to_say() -> None:
    with pytest.raises(InputError, match=r"Mine does not say advance\(correction, product, residual\)"):
        list(_refined(type("Mine", (mho.Refinement,), {})))


def _refined(method, most: int = 50):
    inverse = np.linalg.inv(MATRIX + 0.05)
    return refine(
        RHS, inverse.__matmul__, lambda one: MATRIX @ one.values, lambda x: RHS - MATRIX @ x,
        lambda x, size: size < 1e-9, method=method, max_cycles=most,
    )  # fmt: skip


def test_a_step_with_a_wrong_product_is_found_out_by_the_recomputed_residual() -> None:
    """Its author claims that all is solved: the residual that is recomputed says otherwise."""
    cycles = list(_refined(refinement(lambda z, az, r: (0.0 * z, r))))
    assert cycles[-1].end == "stalled"
    assert cycles[-1].recomputed == 1.0


def test_what_a_refinement_changes_in_its_arguments_changes_nothing_else() -> None:
    def greedy(z, az, r):
        step, product = z.copy(), az.copy()
        z[:] = az[:] = r[:] = math.nan
        return step, product

    assert [one.carried for one in _refined(refinement(greedy))] == [one.carried for one in _refined("plain")]


def test_each_right_hand_side_has_an_object_of_its_own() -> None:
    class Counting(mho.Refinement):
        seen = 0

        def advance(self, correction, product, residual):
            self.seen += 1
            assert self.seen <= made[-1]
            return correction, product

    made = [20]
    with mho.open_bench("arrays", seed=1) as bench:
        held = on_bench(MATRIX, bench, method=Counting, seed=0)
        answers = held.answers(np.eye(4))
    assert answers.converged.all()


DIGITS = np.eye(4, dtype=int)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            ("differential", 4, DIGITS * 8, None, 1.0, 0.0),
            "positive digits must be whole numbers from 0 to 7",
        ),
        (("differential", 4, DIGITS * 1.0, None, 1.0, 0.0), "positive digits must be whole numbers"),
        (("differential", 4, DIGITS, -DIGITS, 1.0, 0.0), "negative digits must be whole numbers from 0"),
        (("bias", 4, DIGITS, None, 1.0, 0.0), r"have the shape \(4, 4\); give \(5, 5\)"),
        (("differential", 4, DIGITS, None, 0.0, 0.0), "the value of one digit, is 0.0"),
        (("differential", 4, DIGITS, None, math.nan, 0.0), "the value of one digit, is nan"),
        (("differential", 4, DIGITS, None, 1.0, -1.0), "no resistor is below 0"),
        (("differential", 4, None, None, 1.0, 0.0), "its positive digits are None"),
    ],
)
def test_digits_that_no_cell_has_are_named(made, said) -> None:
    own = type("Mine", (), {"encode": lambda self, matrix, top: [mho.InverseEncoding(*made)]})
    with pytest.raises(InputError, match=f"the encoding Mine cannot be used: .*{said}"):
        list(own_encodings(own, MATRIX, 7))


def test_what_is_no_encoding_is_named() -> None:
    for encode, said in (
        (lambda self, matrix, top: [1], "it returned int; return mho.InverseEncoding"),
        (lambda self, matrix, top: 1 / "x", r"its encode\(matrix, top\) failed \(TypeError"),
        (lambda self, matrix, top: None, r"its encode\(matrix, top\) failed \(TypeError"),
    ):
        with pytest.raises(InputError, match=said):
            list(own_encodings(type("Mine", (), {"encode": encode}), MATRIX, 7))


def test_an_encoding_that_does_not_fit_says_for_what_there_is_room() -> None:
    none = type("Nothing", (), {"encode": lambda self, matrix, top: []})
    with (
        mho.open_bench("arrays", seed=1) as bench,
        pytest.raises(ChipMapError, match="Nothing made no encoding of the 4 x 4 matrix that fits"),
    ):
        mho.run(mho.Solve(matrix=MATRIX, rhs=RHS, encoding=none), bench)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ((np.zeros(4, int), np.ones(4), np.ones(4)), "no order of the 4 rows"),
        ((np.arange(4), np.full(4, 3.0), np.ones(4)), "row factors must be 4 powers of two"),
        ((np.arange(4), np.ones(3), np.ones(4)), "row factors must be 4 powers of two"),
        ((np.arange(4), np.zeros(4), np.ones(4)), "row factors must be 4 powers of two"),
        ((np.arange(4), np.ones(4), np.full(4, math.inf)), "column factors must be 4 powers of two"),
        ((np.arange(4), np.ones(4), -np.ones(4)), "a column factor is negative"),
    ],
)
def test_a_form_that_is_no_exact_change_is_named(form, said) -> None:
    own = type("Mine", (), {"forms": lambda self, matrix: [mho.Preconditioning(*form)]})
    with pytest.raises(InputError, match=f"the preconditioning Mine cannot be used: .*{said}"):
        own_forms(own, MATRIX)


def test_forms_that_are_none_are_named() -> None:
    for forms, said in ((lambda self, m: [], "it gave no form"), (lambda self, m: ["x"], "it returned str")):
        with pytest.raises(InputError, match=said):
            own_forms(type("Mine", (), {"forms": forms}), MATRIX)


def test_only_classes_of_the_right_kind_are_taken() -> None:
    for parameter, said in (
        ("method", "is no refinement; it must be a subclass of mho.Refinement"),
        ("encoding", "is no encoding; it must be a class with the method encode"),
        ("preconditioning", "is no preconditioning; it must be a class with the method forms"),
    ):
        with pytest.raises(InputError, match=said):
            CODE[parameter].find(dict)
        with pytest.raises(InputError, match=said):
            CODE[parameter].find("collections:OrderedDict")
    with pytest.raises(
        InputError, match=r"method is 'gcrr'; it must be one of .* or a refinement of your own, module:"
    ):
        mho.Solve(method="gcrr")


def test_which_parameters_name_code() -> None:
    assert code_named({"method": "gcr", "encoding": "auto", "strategy": None}) == {}
    assert code_named({"method": "a.py:B", "other": "c:D"}) == {"method": "a.py:B"}
    assert code_named({"strategy": "ispp"})["strategy"].startswith("mho.")
    assert code_named({"encoding": dict}) == {"encoding": "builtins:dict"}


@pytest.mark.parametrize("columns", [(), (1,), (3,)])
@pytest.mark.parametrize("imaginary", [0.0, 1.0])
def test_a_solution_from_outside_is_certified_from_the_matrix_as_given(columns, imaginary) -> None:
    rng = np.random.default_rng(5)
    rhs = rng.random((4, *columns)) + imaginary * 1j * rng.random((4, *columns))
    rhs = rhs if imaginary else rhs.real
    with mho.open_bench("arrays", seed=1) as bench:
        held = on_bench(MATRIX, bench, seed=0)
        exact = np.linalg.solve(MATRIX, rhs)
        good = held.certify(exact, rhs)
        bad = held.certify(exact * (1.0 + 2.0**-12), rhs)
        assert good.bits > 45.0
        assert bad.bits == pytest.approx(12.0, abs=2.5)
        assert bad.error_bound >= 2.0**-12 * 0.999
        with pytest.raises(InputError, match="give both alike"):
            held.certify(exact[:2], rhs)
