"""`mho.solve` in one call: shapes, kinds, seeds, what it says, and that it leaves no file unless it is asked to."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
import mho.extensions.linalg
import mho.instruments
from mho.errors import (
    BenchError,
    ConvergenceError,
    ConvergenceWarning,
    InputError,
    KeywordError,
    MhoError,
    RunWarning,
)
from mho.instruments.simulated.nidaqmx.converters import channel_names
from mho.running.solving import SystemParameters

A = np.array([[0.9, 0.1, -0.2], [0.1, 0.8, 0.1], [0.2, -0.1, 0.7]])
B = np.array([[0.3, 1.0], [-0.5, 0.0], [0.2, -1.0]])


@pytest.fixture(scope="module")
def bench() -> Any:
    with mho.open_bench("arrays", preset="quiet", seed=1) as opened:
        yield opened


@pytest.mark.parametrize("rhs", [B[:, 0], B[:, :1], B], ids=["n", "n-1", "n-k"])
def test_a_solution_has_the_shape_of_its_right_hand_side(rhs: Any, bench: Any) -> None:
    found = mho.solve(A, rhs, bench=bench, seed=1)
    assert found.solution.shape == rhs.shape
    np.testing.assert_allclose(found.solution, np.linalg.solve(A, rhs), atol=1e-6)


@pytest.mark.parametrize(
    ("of_matrix", "of_rhs", "of_solution"),
    [
        (np.float32, np.float32, np.float32),
        (np.float64, np.float32, np.float64),
        (np.complex64, np.complex64, np.complex64),
        (np.float64, np.float64, np.float64),
    ],
)
def test_single_precision_stays_single_precision(
    of_matrix: Any, of_rhs: Any, of_solution: Any, bench: Any
) -> None:
    assert mho.solve(A.astype(of_matrix), B.astype(of_rhs), bench=bench, seed=1).solution.dtype == of_solution


def test_pandas_comes_back_with_its_labels(bench: Any) -> None:
    pandas = pytest.importorskip("pandas")
    rhs = pandas.Series(B[:, 0], index=["x", "y", "z"], name="load")
    found = mho.solve(A, rhs, bench=bench, seed=1).solution
    assert isinstance(found, pandas.Series)
    assert list(found.index) == ["x", "y", "z"]
    assert found.name == "load"
    frame = pandas.DataFrame(A, index=["x", "y", "z"], columns=["u", "v", "w"])
    many = mho.solve(
        frame, pandas.DataFrame(B, index=frame.index, columns=["one", "two"]), bench=bench, seed=1
    )
    assert list(many.solution.index) == ["u", "v", "w"]
    assert list(many.solution.columns) == ["one", "two"]
    with pytest.raises(InputError, match=r"give rhs\.reindex"):
        mho.solve(frame, rhs[["z", "y", "x"]], bench=bench)


def test_a_tensor_comes_back_as_one_and_is_refused_where_it_should_be_differentiated(bench: Any) -> None:
    torch = pytest.importorskip("torch")
    rhs = torch.tensor(B, dtype=torch.float32)
    found = mho.solve(torch.tensor(A, dtype=torch.float32), rhs, bench=bench, seed=1).solution
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float32
    with pytest.raises(InputError, match=r"mho\.linalg\.solve"):
        mho.solve(A, rhs.requires_grad_(), bench=bench)


def test_a_solve_keeps_no_file_unless_it_is_asked_to(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    assert mho.solve(A, B, bench=bench, seed=1).path is None
    assert not list(tmp_path.iterdir())
    kept = mho.solve(A, B, bench=bench, seed=1, output=True).path
    assert kept.parent == tmp_path
    named = mho.solve(A, B, bench=bench, seed=1, output=tmp_path / "one.h5").path
    assert named == tmp_path / "one.h5"


def test_a_run_keeps_its_file_unless_it_is_told_not_to(bench: Any, tmp_path: Path) -> None:
    assert mho.run(mho.Solve(matrix=A), bench, seed=1, output=tmp_path).path.parent == tmp_path
    result = mho.run(mho.Solve(matrix=A), bench, seed=1, output=None)
    assert result.path is None
    assert "run_file" not in result.summary


def test_the_same_seed_has_the_same_solution_with_and_without_a_file(tmp_path: Path) -> None:
    plain = mho.solve(A, bench="arrays", seed=5)
    kept = mho.solve(A, bench="arrays", seed=5, output=tmp_path)
    np.testing.assert_array_equal(plain.solution, kept.solution)


def test_seeds_are_numbers_sequences_or_generators_and_that_of_the_right_hand_side_is_apart() -> None:
    def solved(seed: Any, rhs_seed: Any = 0) -> Any:
        return mho.solve(A, bench="arrays", preset="quiet", seed=seed, rhs_seed=rhs_seed, bits=10)

    sequence = np.random.SeedSequence(3)
    one, again = solved(sequence), solved(np.random.SeedSequence(3))
    np.testing.assert_array_equal(one.solution, again.solution)
    drawn = solved(np.random.default_rng(3)), solved(np.random.default_rng(3))
    np.testing.assert_array_equal(drawn[0].solution, drawn[1].solution)
    assert np.allclose(one.solution, drawn[0].solution, rtol=0.01)  # the same right-hand side on another chip
    assert not np.allclose(one.solution, solved(3, rhs_seed=1).solution, rtol=0.01)
    for wrong in (-1, 2**63, True, 1.5, "1"):
        with pytest.raises(InputError, match="seed is"):
            solved(wrong)


def test_a_misspelt_keyword_is_refused_by_the_name_of_the_function_that_was_called() -> None:
    with pytest.raises(KeywordError, match=r"^solve\(\) has no 'bit'; did you mean 'bits'\?$") as caught:
        mho.solve(A, bit=24)  # type: ignore[call-arg]
    assert isinstance(caught.value, TypeError)
    with pytest.raises(KeywordError, match=r"^run\(\) has no 'output_file'"):
        mho.run(mho.Solve(matrix=A), output_file="x.h5")  # type: ignore[call-arg]


def test_bits_by_its_place_still_works_and_warns(bench: Any) -> None:
    with pytest.warns(DeprecationWarning, match="bits=12"):
        assert mho.solve(A, B, 12, bench=bench, seed=1).converged  # type: ignore[misc]


def test_solve_takes_every_parameter_of_its_procedure() -> None:
    taken_apart = {"matrix", "rhs", "bits", "seed", "draws"}
    assert set(SystemParameters.__annotations__) == set(mho.Solve().form()) - taken_apart


def test_a_solution_that_did_not_converge_warns_or_raises(bench: Any, tmp_path: Path) -> None:
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        found = mho.solve(A, B[:, 0], bench=bench, seed=1, bits=40, max_cycles=1)
    assert not found.converged
    with pytest.warns(ConvergenceWarning):
        mho.solve(A, B[:, 0], bench=bench, seed=1, bits=40, max_cycles=1, output=tmp_path)
    with pytest.raises(ConvergenceError, match="did not converge"):
        mho.solve(A, B[:, 0], bench=bench, seed=1, bits=40, max_cycles=1, strict=True)


class Worried(mho.Procedure):
    """Says a warning."""

    def layout(self, plan: Any) -> mho.Layout:
        """Declare one table."""
        return mho.Layout((mho.Table("rows", (mho.Column("x", ""),)),))

    def execute(self, plan: Any, bench: Any, stream: Any) -> dict[str, float]:
        """Record a row."""
        stream.emit("rows", x=1.0)
        stream.say("the stage was cold", "WARNING")
        return {"x": 1.0}


def test_what_a_file_would_have_had_as_a_warning_is_one_of_pythons(bench: Any, tmp_path: Path) -> None:
    with pytest.warns(RunWarning, match="^the stage was cold$"):
        mho.run(Worried(), bench, output=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mho.run(Worried(), bench, output=tmp_path)


class Live(Worried):
    """Leaves a source on and fails."""

    def execute(self, plan: Any, bench: Any, stream: Any) -> dict[str, float]:
        """Fail with an output on."""
        bench.multiply(np.array([0.1]))
        raise ValueError("wrong")


def test_a_run_without_a_file_makes_safe_and_tells_its_observers(bench: Any) -> None:
    events: list[Any] = []
    with pytest.raises((ValueError, MhoError)):
        mho.run(Live(), bench, output=None, observers=[events.append])
    assert [type(one).__name__ for one in events][-1] == "Ended"
    assert events[-1].safe
    assert events[-1].status == "failed"


def test_a_run_after_one_without_a_file_cannot_be_repeated(tmp_path: Path) -> None:
    from mho.running.continuing import rerun

    with mho.open_bench("arrays", preset="quiet", seed=1) as opened:
        mho.solve(A, B, bench=opened, seed=1)
        after = mho.solve(A, B, bench=opened, seed=1, output=tmp_path / "after.h5").path
    with pytest.raises(InputError, match="used before by a run without a file"):
        rerun(after)


def test_a_matrix_by_its_name_and_a_sparse_one_are_taken(bench: Any) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    assert mho.solve("zuo2025-4x4", bench=bench, seed=1, bits=12).solution.shape == (4,)
    found = mho.solve(sparse.csr_array(A), B[:, :1], bench=bench, seed=1)
    assert found.solution.shape == (3, 1)
    assert "torch" in sys.modules or found.converged


NOT_NEEDED = {
    "scipy.linalg", "scipy.special", "scipy.sparse", "scipy.stats", "numpy.f2py", "numpy.ma", "h5py", "psutil", "filelock",
    "pyvisa", "nidaqmx", "pandas", "pint", "matplotlib", "rich", "PySide6", "torch", "mho.runs.reading", "mho.runs.writing",
    "mho.runs.index", "mho.extensions", "mho.gui", "mho.cli", "mho.analysis", "mho.running.trust",
    "mho.instruments.laboratory.laboratory", "mho.instruments.simulated.scpi",
}  # fmt: skip


def test_a_first_solve_without_a_file_loads_what_it_needs_and_no_more() -> None:
    code = (
        "import sys, mho\n"
        "mho.solve([[0.5, 0.1], [0.1, 0.4]], [0.1, 0.2], bench='arrays', seed=1)\n"
        "print(' '.join(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    loaded = set(told.stdout.split())
    assert not loaded & NOT_NEEDED
    assert len(loaded) < 600


def test_functions_of_a_compiled_module_are_those_of_its_package() -> None:
    code = (
        "import sys\n"
        "from mho.lazy_names import compiled_alone\n"
        "(daxpy,) = compiled_alone('scipy.linalg', '_fblas', ['daxpy'], 'scipy.linalg.blas')\n"
        "(expit,) = compiled_alone('scipy.special', '_no_such', ['expit'], 'scipy.special')\n"
        "alone = 'scipy.linalg' not in sys.modules\n"
        "import scipy.linalg.blas, scipy.special\n"
        "print(alone, scipy.linalg.blas.daxpy is daxpy, scipy.special.expit is expit)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.split() == ["True", "True", "True"]


def test_channels_are_read_as_nis_package_reads_them() -> None:
    from nidaqmx.utils import unflatten_channel_string

    for text in (
        "Dev1/ao0:3",
        "Dev1/ao3:0, Dev2/ai7",
        "Dev1/ai08:11",
        "Dev1/ao0:dev1/ao2",
        "",
        "Dev1/ao0:00",
    ):
        assert channel_names(text) == unflatten_channel_string(text)
    for wrong in ("Dev1/ao0:", "Dev1/ao:3", "Dev1/ao0:Dev2/ao3", "Dev1/ao0:20000"):
        with pytest.raises(BenchError, match="no range of channels"):
            channel_names(wrong)


def test_earlier_names_of_arguments_still_work_and_warn(bench: Any) -> None:
    with pytest.warns(DeprecationWarning, match="a is called matrix now"):
        found = mho.extensions.linalg.solve(a=A, rhs=B[:, 0], bench=bench, seed=1)  # type: ignore[call-arg]
    np.testing.assert_allclose(found, np.linalg.solve(A, B[:, 0]), atol=1e-6)
    with pytest.warns(DeprecationWarning, match="give bench by its name"):
        mho.extensions.linalg.solve(A, B[:, 0], bench)  # type: ignore[misc]


def test_a_bench_is_opened_by_path_and_by_a_generator_and_an_open_one_is_refused(bench: Any) -> None:
    place = Path(mho.instruments.__file__).parent / "benches" / "arrays.toml"
    mho.open_bench(place, seed=np.random.default_rng(1)).close()
    with mho.open_bench("arrays", seed=np.random.SeedSequence(1)) as opened:
        assert opened.simulated is not None
    with pytest.raises(InputError, match="an open one is open already"):
        mho.open_bench(bench)
    with pytest.raises(KeywordError, match=r"open_bench\(\) has no 'sed'; did you mean 'seed'\?"):
        mho.open_bench("arrays", sed=1)  # type: ignore[call-arg]


def test_a_forecast_of_an_open_bench_and_of_tensors_is_one_of_its_file(bench: Any) -> None:
    told = mho.forecast(A, B[:, :1], bench=bench, seed=1, bits=8, draws=19, alternatives=False)
    assert told.bits == 8
    with pytest.raises(KeywordError, match=r"^forecast\(\) has no 'draw'"):
        mho.forecast(A, draw=19)  # type: ignore[call-arg]
