"""What a user has of a result: its run file, units, a short text, a page, a Dataset; equality as a whole, and pickle."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mho
from mho.errors import InputError
from mho.runs import ResultMapping, ResultViews, returned

PATH = Path("runs/20261201-120000-window.h5")


@dataclass(frozen=True, slots=True)
class Windows:
    """A user's own, which knows nothing of mho."""

    trace: NDArray[Any]
    window: tuple[float, str] = (3e-6, "S")
    deep: dict[str, Any] = field(default_factory=lambda: {"hrs": (1e-6, "S"), "named": "low"})


def mapping(**more: Any) -> Any:
    values = {"window": (3e-6, "S"), "trace": np.arange(5000.0), "deep": {"cycles": 3}, **more}
    return returned(values, PATH)


def test_a_mapping_stays_a_dict_and_has_its_run_file_and_units():
    result = mapping()
    assert isinstance(result, dict)
    assert result["window"] == (3e-6, "S")
    assert (result.path, result.units, result.unit("window"), result.unit("deep.cycles")) == (
        PATH, {"window": "S"}, "S", "",
    )  # fmt: skip
    assert json.dumps(returned({"pulses": 3}, None)) == '{"pulses": 3}'
    with pytest.raises(InputError, match="ResultMapping has no value 'windwo': did you mean 'window'"):
        result.unit("windwo")


def test_a_dataclass_stays_of_its_class():
    result = returned(Windows(np.arange(3.0)), PATH)
    assert isinstance(result, Windows)
    assert isinstance(result, ResultViews)
    assert (result.path, result.unit("deep.hrs"), result.window) == (PATH, "S", (3e-6, "S"))
    assert result.to_xarray()["deep.hrs"].attrs == {"units": "S"}
    assert repr(replace(result, window=(4e-6, "S"))).startswith("<Windows: ")


def test_a_dataclass_with_a_summary_and_units_of_its_own_keeps_them():
    @dataclass(frozen=True)
    class Own:
        summary: dict[str, Any]
        units: dict[str, str]
        path: Path = Path()

    result = returned(Own({"energy": 3e-9, "cycles": 4}, {"energy": "J"}), PATH)
    assert (result.path, result.units, result.unit("energy")) == (PATH, {"energy": "J"}, "J")
    assert repr(result).endswith("energy 3e-09 J; cycles 4>")


def test_anything_else_comes_back_as_it_is():
    class Own(dict[str, int]):
        pass

    for value in (None, 3.0, "text", [1, 2], Own(a=1)):
        assert returned(value, PATH) is value


@pytest.mark.parametrize("kind", ["dict", "dataclass"])
def test_a_result_is_equal_as_a_whole_and_goes_through_pickle(kind: str):
    result = mapping() if kind == "dict" else returned(Windows(np.arange(9.0)), PATH)
    again = pickle.loads(pickle.dumps(result))
    assert type(again) is type(result)
    assert (again == result) is True
    assert (again != result) is False
    assert again.path == PATH
    assert (result == returned({"other": np.arange(3)}, PATH)) is False


def test_a_mapping_is_equal_to_its_values_and_nan_is_like_nan():
    values: Mapping[str, Any] = {"a": np.array([1.0, np.nan]), "b": float("nan"), "c": [1, (2, 3)]}
    assert returned(dict(values), PATH) == dict(values)
    assert returned(dict(values), PATH) != {**values, "c": [1, (2, 4)]}
    with pytest.raises(TypeError, match="unhashable"):
        hash(returned({}, None))


def test_its_text_has_ten_lines_at_most_and_no_long_array():
    many = mapping(
        **{f"array_{k}": np.zeros((k + 5, 3)) for k in range(30)}, **{f"value_{k}": k / 7 for k in range(500)}
    )
    lines = repr(many).splitlines()
    assert len(lines) == 10
    assert max(map(len, lines)) < 120
    assert "trace float64 (5000,)" in repr(mapping())
    assert "window 3e-06 S" in repr(mapping())


def test_its_page_escapes_and_is_bounded():
    page = mapping(bad="<script>", **{f"value_{k}": k for k in range(500)})._repr_html_()
    assert "<script>" not in page
    assert page.count("<tr>") == 40


def test_a_dataset_has_units_and_one_dimension_for_a_list_of_rows():
    result = mapping(
        cycles=[{"bits": 3.0, "number": 1}, {"bits": 6.0, "number": 2}], nothing=None, odd=[[1], [2, 3]]
    )
    data = result.to_xarray()
    assert data["window"].attrs == {"units": "S"}
    assert data["cycles.bits"].dims == data["cycles.number"].dims == ("cycles",)
    assert not {"nothing", "odd"} & set(data.variables)
    assert data.attrs["run_file"] == str(PATH)


def test_without_xarray_a_dataset_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(InputError, match=r"a Dataset needs xarray: .* -m pip install xarray$"):
        mapping().to_xarray()


# --- of runs ---


class Window(mho.Procedure):
    """A user's own procedure."""

    def layout(self, plan: Any) -> mho.Layout:
        return mho.Layout()

    def execute(self, plan: Any, bench: mho.Bench, stream: mho.Stream) -> dict[str, Any]:
        return {"window": (3e-6, "S"), "cycles": 12}


@pytest.fixture
def bench():
    with mho.open_bench("arrays", seed=1) as opened:
        yield opened


def test_a_run_of_one_s_own_returns_what_a_run_file_gives_back(bench, tmp_path):
    result = mho.run(Window(), bench, output=tmp_path)
    assert isinstance(result, ResultMapping)
    with mho.open_run(result.path) as run:
        assert run.result["window"] == result["window"][0]
        assert run.result_units["window"] == result.unit("window") == "S"
    assert mho.evaluate(Window(), bench, seed=1).path is None


@pytest.mark.parametrize(
    "procedure",
    [mho.Read(rows="0:3", columns="0:4"), mho.Solve(matrix=np.eye(4) + 0.1, rhs=np.ones(4))],
    ids=type,
)
def test_results_of_mho_s_own_procedures_have_all_of_it(procedure: mho.Procedure, bench, tmp_path):
    result = mho.run(procedure, bench, output=tmp_path, seed=2)
    assert result == pickle.loads(pickle.dumps(result)) == replace(result)
    assert hash(result) == hash(replace(result))
    assert len(repr(result).splitlines()) <= 10
    assert result.unit("wall_seconds") == "s"
    data = result.to_xarray()
    assert data["virtual_seconds"].attrs == {"units": "s"}
    if isinstance(procedure, mho.Read):
        assert (data["conductance"].dims, data["conductance"].attrs) == (
            ("repeat", "row", "column"),
            {"units": "S"},
        )
        assert result.unit("conductance") == "S"


def test_axes_of_every_result_s_arrays_are_named():
    from mho.procedures import (
        Disturbed,
        Endured,
        Forming,
        Mapped,
        Noises,
        Programmed,
        Reads,
        Refreshed,
        Retained,
        Sweeps,
    )

    for kind in (Disturbed, Endured, Forming, Mapped, Noises, Programmed, Reads, Refreshed, Retained, Sweeps):
        arrays = {
            name for name, one in kind.__annotations__.items() if one in ("Floats", "Integers", "Booleans")
        }
        assert arrays == set(kind.dims) | ({"times"} & arrays)


def test_a_run_without_a_file_cannot_be_opened():
    with pytest.raises(InputError, match="the run kept none"):
        mho.open_run(None)
