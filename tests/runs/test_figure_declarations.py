"""A figure as data: what a declaration may say, and that the run file keeps it from before the first row on."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import run_samples
from daily import daily
from hypothesis import given
from hypothesis import strategies as st

from mho import Array, Band, Column, Figure, Layout, Map, ReferenceLine, ReferencePoints, Table
from mho.errors import RunFileError
from mho.runs import RunFile, RunHeader, RunWriter, Verdict, recover, verify
from mho.runs.figures import figures_from_text, figures_text

TABLE = Table(
    "endurance",
    (
        Column("cycle", dtype="u4"), Column("state", dtype="u1"), Column("conductance", "S"),
        Column("wave", "V", shape=(5,)), Column("phasor", dtype="c16"), Column("done", dtype="?"),
    ),
)  # fmt: skip
MAPS = (
    Map("a_conductance", "S", np.arange(2), np.arange(3)), Map("a_target", "S", np.arange(2), np.arange(3)),
    Map("b_target", "S", np.arange(3), np.arange(3)),
)  # fmt: skip
ARRAYS = (Array("matrix", np.eye(3)), Array("level", np.array(1.0)), Array("waves", np.zeros(3, complex)))
ENDURANCE = Figure("endurance", table="endurance", x="cycle", y="conductance", by="state", y_scale="log")
HEADER = RunHeader("Endurance", "Endurance", "1", {})


def declare(*figures: Figure) -> Layout:
    return Layout((TABLE,), MAPS, ARRAYS, figures=figures)


def test_the_example_of_the_design_stands_as_it_is() -> None:
    table = Table(
        "endurance", (Column("cycle", dtype="u4"), Column("state", dtype="u1"), Column("conductance", "S"))
    )
    figure = Figure("endurance", table="endurance", x="cycle", y="conductance", by="state", y_scale="log")
    layout = Layout((table,), figures=(figure,))
    assert (table.signal, table.axis) == ("conductance", "cycle")
    assert layout.figures[0].drawn_kind == "lines"


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"table": "retention", "y": "cycle"}, "figure 'f': there is no table 'retention'; there is endurance"),
        ({"table": "endurance", "y": "current"}, "table 'endurance' has no column 'current'; it has cycle, state"),
        ({"table": "endurance", "x": "time", "y": "cycle"}, "has no column 'time'; it has cycle"),
        ({"table": "endurance", "y": "cycle", "by": "cell"}, "has no column 'cell'"),
        ({"map": "conductance"}, "there is no map 'conductance'; there is a_conductance, a_target, b_target"),
        ({"map": "a_conductance", "minus": "b_target"}, "'a_conductance' and 'b_target' are not of the same size"),
        ({"map": ("a_conductance", "a_target"), "minus": "a_target"}, "minus names 1 maps for 2"),
        ({"array": "vector"}, "there is no array 'vector'; there is matrix, level, waves"),
        ({"array": "waves"}, "array 'waves' holds complex numbers, which no axis shows"),
        ({"array": "level"}, "array 'level' has 0 dimensions"),
        ({"table": "endurance", "y": "phasor"}, "column 'phasor' holds complex numbers"),
        ({"table": "endurance", "y": "done", "y_scale": "log"}, "y_scale is log, and column 'done' holds no quant"),
        ({"table": "endurance", "y": "cycle", "by": "wave"}, "column 'wave' has several values a row"),
        ({"table": "endurance", "x": "cycle", "y": "wave"}, "x and y must have the same number of values a row"),
    ],
)  # fmt: skip
def test_a_figure_of_what_is_not_there_is_refused_when_the_layout_is_made(
    parts: dict[str, object], told: str
) -> None:
    with pytest.raises(RunFileError) as refused:
        declare(Figure("f", **parts))  # type: ignore[arg-type]
    assert told in str(refused.value)
    assert str(refused.value).startswith("figure 'f'")


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({}, "needs exactly one of table, map and array"),
        ({"table": "t", "map": "m", "y": "a"}, "needs exactly one of table, map and array"),
        ({"table": "t"}, "names no column y of table 't'"),
        ({"table": "t", "y": "a", "kind": "pie"}, "kind is 'pie'; choose one of lines, scatter, steps"),
        ({"table": "t", "y": "a", "y_scale": "cubic"}, "y_scale is 'cubic'; choose one of linear, log"),
        ({"table": "t", "y": "a", "y_scale": "probability"}, "choose one of linear, log"),
        ({"table": "t", "y": "a", "fit": "spline"}, "fit is 'spline'"),
        ({"table": "t", "y": "a", "kind": "map"}, "is of kind map; name a map or an array instead of table 't'"),
        ({"table": "t", "y": "a", "kind": "histogram"}, "a histogram is that of a column x, and has no y"),
        ({"map": "m", "kind": "lines"}, "maps are drawn as map, histogram or distribution, not as lines"),
        ({"map": "m", "x": "a"}, "x and y are columns of a table, and it is drawn from map m"),
        ({"map": "m", "y_scale": "log"}, "it has no log axis"),
        ({"map": "m", "by": "n"}, "by tells curves and counts apart"),
        ({"map": "m", "fit": "line"}, "a fit is drawn to curves, not to a map"),
        ({"table": "t", "y": "a", "title": "x" * 300}, "title is no text of at most 200 characters"),
        ({"table": "t", "y": "a", "start": (0.0, np.inf)}, "give a point (x, y) of finite numbers"),
        ({"table": "t", "y": "a", "lines": ("12",)}, "lines is a tuple of ReferenceLine"),
        ({"map": "m", "colours": "pink"}, "colours is 'pink'; there is 'grey'"),
        ({"table": "t", "y": "a", "colours": "grey"}, "colours are given to a map, not to lines"),
        ({"table": "t", "y": "a", "equal": True}, "axes are equal where columns x and y span a plane"),
        ({"map": "m", "equal": True}, "axes are equal where columns x and y span a plane"),
        ({"table": "t", "x": "a", "y": "b", "equal": 1}, "equal is 1; give True or False"),
        ({"table": "t", "y": ("a",) * 99}, "y is a name, or a tuple of at most 64"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_together_are_refused_at_once(parts: dict[str, object], told: str) -> None:
    with pytest.raises(RunFileError) as refused:
        Figure("f", **parts)  # type: ignore[arg-type]
    assert told in str(refused.value)


def test_a_name_is_an_identifier_and_is_there_once() -> None:
    with pytest.raises(RunFileError, match="no identifier"):
        Figure("I-V", table="t", y="a")
    with pytest.raises(RunFileError, match="figure 'endurance' is declared twice"):
        declare(ENDURANCE, ENDURANCE)
    with pytest.raises(RunFileError, match="65 figures are declared; 64 is the most"):
        declare(*(Figure(f"f{number}", array="matrix") for number in range(65)))


def test_reference_lines_and_bands_have_one_place_and_finite_ends() -> None:
    for wrong in (
        {},
        {"x": 1.0, "y": 2.0},
        {"y": np.nan},
        {"x": 1.0, "ratio": 0.5},
        {"y": True},
        {"y": 10**400},
    ):
        with pytest.raises(RunFileError):
            ReferenceLine(**wrong)  # type: ignore[arg-type]
    with pytest.raises(RunFileError, match="ends at 1, not above 2"):
        Band(2.0, 1.0)
    with pytest.raises(RunFileError, match="give a finite number, or None"):
        Band(-np.inf, 1.0)


def test_reference_points_are_finite_pairs_over_the_columns_of_a_table() -> None:
    for wrong in (((1.0, 2.0), (1.0,)), ((np.inf,), (1.0,)), ([1.0], [1.0]), ((1.0,) * 999, (1.0,) * 999)):
        with pytest.raises(RunFileError, match="reference points 'theirs'"):
            ReferencePoints(*wrong, label="theirs")  # type: ignore[arg-type]
    points = (ReferencePoints((1.0,), (2.0,)),)
    assert Figure("f", table="t", x="a", y="b", points=points).points == points
    for parts in ({"map": "m"}, {"array": "a"}, {"table": "t", "x": "a", "kind": "histogram"}):
        with pytest.raises(RunFileError, match="reference points are drawn over the x and y of a table"):
            Figure("f", points=points, **parts)  # type: ignore[arg-type]


NAMES = st.text("abcxyz_", min_size=1, max_size=8).filter(str.isidentifier)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
LINES = st.builds(
    ReferenceLine, y=NUMBERS | NAMES, ratio=st.none() | NUMBERS | NAMES, label=st.text(max_size=20)
)

PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=4).map(
    lambda pairs: tuple(zip(*pairs, strict=True)) or ((), ())
)
POINTS = st.builds(lambda pairs, label: ReferencePoints(*pairs, label), PAIRS, st.text(max_size=20))


@given(
    st.lists(
        st.builds(
            Figure,
            NAMES,
            table=st.just("endurance"),
            x=st.sampled_from(["", "cycle"]),
            y=st.sampled_from(["conductance", ("conductance", "state")]),
            by=st.sampled_from([(), "state"]),
            y_scale=st.sampled_from(["linear", "log"]),
            title=st.text(max_size=30),
            fit=st.sampled_from(["", "line", "exponential"]),
            start=st.none() | st.tuples(NUMBERS, NUMBERS),
            lines=st.lists(LINES, max_size=3).map(tuple),
            points=st.lists(POINTS, max_size=2).map(tuple),
        ),
        max_size=4,
    )
)
def test_what_is_declared_is_what_is_read(figures: list[Figure]) -> None:
    assert figures_from_text(figures_text(figures)) == tuple(figures)


PARTS = st.sampled_from(["name", "table", "y", "x", "lines", "bands", "points", "map"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(PARTS, one),
)


@pytest.mark.thorough
@given(JSON)
def test_any_other_json_is_figures_or_is_refused(stored: object) -> None:
    with contextlib.suppress(ValueError, RunFileError):
        assert all(isinstance(one, Figure) for one in figures_from_text(json.dumps(stored)))


def write(path: Path) -> RunWriter:
    return RunWriter.create(
        path, HEADER, declare(ENDURANCE, Figure("error", map="a_conductance", minus="a_target"))
    )


def test_figures_are_in_the_file_before_the_first_row(tmp_path: Path) -> None:
    with write(tmp_path / "run.h5") as writer, RunFile(writer.path) as live:
        assert [figure.name for figure in live.figures] == ["endurance", "error"]
        assert live.figures[0] == ENDURANCE
        assert live.length("endurance") == 0


def test_figures_stay_through_repacking_and_recovery_and_are_sealed(tmp_path: Path) -> None:
    with write(tmp_path / "run.h5") as writer:
        writer.emit("endurance", cycle=1, state=1, conductance=1e-6, wave=np.zeros(5), phasor=1j, done=True)
    found = verify(writer.path)
    assert (found.verdict, found.findings) == (Verdict.SOUND, ())
    assert not recover(writer.path)
    with RunFile(writer.path) as run:
        assert run.figures[0] == ENDURANCE
    with h5py.File(writer.path, "r+") as file:
        text = file["entry/figures"][()].decode().replace("cycle", "state")
        del file["entry/figures"]
        file["entry/figures"] = np.array([text.encode()], h5py.string_dtype("utf-8", len(text)))
    found = verify(writer.path)
    assert found.verdict is Verdict.CHANGED
    assert found.findings == ("/entry/figures was changed",)


def test_many_figures_are_compressed_and_read(tmp_path: Path) -> None:
    figures = [
        Figure(f"f{number}", table="endurance", y="conductance", title="long " * 30) for number in range(60)
    ]
    with RunWriter.create(tmp_path / "run.h5", HEADER, declare(*figures)):
        pass
    with RunFile(tmp_path / "run.h5") as run:
        assert run.figures == tuple(figures)
    assert (tmp_path / "run.h5").stat().st_size < 60_000


def test_a_file_from_before_there_were_figures_has_none(tmp_path: Path) -> None:
    path = run_samples.whole_run(tmp_path / "old.h5")
    with h5py.File(path, "r+") as file:
        del file["entry/figures"]
    run_samples.seal_again(path)
    with RunFile(path) as run:
        assert run.figures == ()
    assert verify(path).verdict is Verdict.SOUND


def test_a_table_that_an_older_version_called_figures_stays_a_table(tmp_path: Path) -> None:
    path = run_samples.whole_run(tmp_path / "old.h5")
    with h5py.File(path, "r+") as file:
        del file["entry/figures"]
        file.move("entry/pulses", "entry/figures")
    with RunFile(path) as run:
        assert run.figures == ()
        assert "figures" in run.tables


@pytest.mark.parametrize(
    ("stored", "told"),
    daily(
        [
            (b"[{", "Expecting"),
            (b"{}", "no list of at most 64"),
            (b"[1]", "no Figure of name, title"),
            (b'[{"name": "f", "spell": "x"}]', "no Figure of name, title"),
            (
                b'[{"name": "f", "table": "nope", "y": "a"}]',
                "there is no table 'nope'; there is pulses, cycles",
            ),
            (b'[{"name": "f", "table": "cycles", "y": ["residual", 7]}]', "y is no text"),
            (
                b'[{"name": "f", "table": "cycles", "y": "residual", "lines": [{"y": Infinity}]}]',
                "give a finite number",
            ),
            (b"[" * 100_000, "recursion"),
            (b" " * 300_000, "is no text of at most 262144 bytes"),
            (b"\xff\xfe", "codec can't decode"),
        ],
        4,
    ),
)
def test_hostile_declarations_are_damage_said_in_one_sentence(
    tmp_path: Path, stored: bytes, told: str
) -> None:
    path = run_samples.whole_run(tmp_path / "run.h5")
    with h5py.File(path, "r+") as file:
        del file["entry/figures"]
        file["entry/figures"] = np.array([stored], h5py.string_dtype("utf-8", len(stored)))
    run_samples.seal_again(path)
    with RunFile(path) as run, pytest.raises(RunFileError) as refused:
        run.figures  # noqa: B018
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    found = verify(path)
    assert found.verdict is Verdict.DAMAGED
    assert told in found.findings[0]


def test_no_table_may_be_called_figures(tmp_path: Path) -> None:
    layout = Layout((Table("figures", (Column("a"),)),))
    with pytest.raises(RunFileError, match="table name 'figures' is taken by the file itself"):
        RunWriter.create(tmp_path / "run.h5", HEADER, layout)
