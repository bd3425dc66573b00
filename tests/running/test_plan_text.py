"""The text of a plan from its runs: it reads back to them, and is short where they repeat."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.errors import InputError
from mho.running.plan import PlannedRun, load_plan, parse_plan
from mho.running.plan_text import nested, plan_text


def run(number: int, procedure: str = "iv", run_seed: int | None = None, **parameters: object) -> PlannedRun:
    return PlannedRun(number, procedure, parameters, "simulated", None, run_seed)


def read_back(runs: list[PlannedRun], folder: Path = Path()) -> tuple[str, list[PlannedRun]]:
    text = plan_text("test", "", runs, folder)
    return text, [replace(one, point={}) for one in parse_plan(text, folder).runs]


VALUES = {
    "iv": st.fixed_dictionaries(
        {},
        optional={
            "gate": st.floats(0, 10),
            "cycles": st.integers(1, 9),
            "rows": st.sampled_from(["0:2", "1, 3", 'a"b\\']),
        },
    ),
    "solve": st.fixed_dictionaries(
        {"matrix": st.sampled_from(["a.mtx", "übung 1.csv"]), "seed": st.integers(0, 3)},
        optional={"bits": st.integers(3, 50)},
    ),
}


@st.composite
def any_runs(draw) -> list[PlannedRun]:
    runs: list[PlannedRun] = []
    for number in range(1, draw(st.integers(1, 12)) + 1):
        procedure = draw(st.sampled_from(sorted(VALUES)))
        values = draw(VALUES[procedure])
        after = draw(st.none() | st.integers(1, number - 1)) if number > 1 else None
        preset = draw(st.sampled_from([None, "quiet", "pku"])) if after is None else None
        seed = draw(st.none() | st.integers(0, 2**63 - 1))
        bench = draw(st.sampled_from(["simulated", "arrays"]))
        runs.append(PlannedRun(number, procedure, values, bench, preset, seed, after))
    return runs


@settings(max_examples=150, deadline=None)
@given(any_runs())
def test_any_runs_read_back_as_they_were(runs: list[PlannedRun]) -> None:
    assert read_back(runs)[1] == runs


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=3), st.integers(0, 5))
def test_columns_that_nest_are_nested_whatever_their_values(sizes: list[tuple[int, int]], shift: int) -> None:
    """Each axis of a product becomes a sweep of its own again, and their product is what was given."""
    axes = [[shift + 10 * place + step for step in range(size)] for place, (size, _) in enumerate(sizes)]
    points = list(product(*axes))
    columns = {
        f"k{place}": [point[place] for point in points] for place, axis in enumerate(axes) if len(axis) > 1
    }
    made = nested(columns)
    assert [[*axis] for axis in made] == [[key] for key in columns]
    assert [axis[key] for axis in made for key in axis] == [axis for axis in axes if len(axis) > 1]


def test_a_sweep_of_matrices_by_bits_by_seeds_is_three_sweeps_with_short_paths(tmp_path: Path) -> None:
    for name in ("a.mtx", "b.mtx"):
        (tmp_path / name).touch()
    points = product(("a.mtx", "b.mtx"), (12, 24), (1, 2, 3))
    runs = [
        run(number, "solve", seed, matrix=str((tmp_path / matrix).resolve()), bits=bits, seed=seed)
        for number, (matrix, bits, seed) in enumerate(points, 1)
    ]
    text, back = read_back(runs, tmp_path)
    assert back == runs
    lines = text.splitlines()
    assert [lines.count(one) for one in ("[[steps]]", "[[sweep]]")] == [1, 3]
    assert [line for line in lines if "[" in line and "=" in line] == [
        'matrix = ["a.mtx", "b.mtx"]', "bits = [12, 24]", "seed = [1, 2, 3]",
    ]  # fmt: skip


def test_a_chain_of_steps_over_presets_stays_a_chain_over_presets() -> None:
    runs = []
    for preset in ("quiet", "pku", "sot"):
        first = len(runs) + 1
        runs.append(PlannedRun(first, "form", {}, "simulated", preset, None))
        runs.append(PlannedRun(first + 1, "iv", {}, "simulated", None, None, first))
    text, back = read_back(runs)
    assert back == runs
    assert text.count("[[steps]]") == 2
    assert 'after = "form"' in text


def test_a_seed_of_the_run_and_another_of_the_procedure_are_kept_apart() -> None:
    """A sweep over `seed` would set both."""
    runs = [run(number, "solve", number, matrix="a.mtx", seed=7) for number in (1, 2, 3)]
    assert read_back(runs)[1] == runs


def test_what_is_written_is_what_mho_run_reads(tmp_path: Path) -> None:
    runs = [run(number, gate=gate) for number, gate in enumerate((1.0, 0.1 + 0.2, 2.5), 1)]
    (tmp_path / "plan.toml").write_text(plan_text('a "name"', "why\nso", runs, tmp_path), "utf-8")
    plan = load_plan(tmp_path / "plan.toml")
    assert (plan.name, plan.description) == ('a "name"', "why\nso")
    assert [one.parameters for one in plan.runs] == [{"gate": 1.0}, {"gate": 0.1 + 0.2}, {"gate": 2.5}]


def test_what_no_plan_can_say_is_refused_with_the_run(tmp_path: Path) -> None:
    (tmp_path / "0").touch()  # a file of the name that a value has: read back, it would be its path
    runs = [run(1, rows="0:2"), run(2, rows="0")]
    with pytest.raises(InputError, match=r"run 2 \(iv\) cannot be written"):
        plan_text("test", "", runs, tmp_path)
    with pytest.raises(InputError, match="at least one run"):
        plan_text("test", "", [], tmp_path)
