"""Plans: what they stand for, in which order, and the line of what is wrong in one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import InputError
from mho.running.plan import Range, load_plan, parse_plan

HEAD = 'name = "test"\n'
SOLVE = '[[steps]]\nprocedure = "solve"\nparameters = { matrix = "a.csv", bits = 24 }\n'
READ = '[[steps]]\nprocedure = "read"\nparameters = { rows = "0:4" }\n'


def runs(text: str, folder: Path = Path()):
    return parse_plan(HEAD + text, folder).runs


def test_the_first_sweep_is_the_outermost_and_steps_follow_each_other_at_every_point():
    planned = runs(
        SOLVE + READ + '[[sweep]]\npreset = ["quiet", "pku"]\n[[sweep]]\nseed = { from = 1, to = 2 }\n'
    )
    assert [(r.preset, r.seed, r.procedure) for r in planned] == [
        (preset, seed, procedure)
        for preset in ("quiet", "pku")
        for seed in (1, 2)
        for procedure in ("solve", "read")
    ]
    assert [r.number for r in planned] == list(range(1, 9))
    assert planned[0].point == {"preset": "quiet", "seed": 1}
    assert planned[0].parameters == {"matrix": "a.csv", "bits": 24, "seed": 1}


def test_a_parameter_is_swept_only_in_the_steps_that_have_it():
    planned = runs(SOLVE + READ + "[[sweep]]\nbits = [12, 24]\n")
    assert [r.parameters.get("bits") for r in planned] == [12, None, 24, None]
    assert [dict(r.point) for r in planned] == [{"bits": 12}, {}, {"bits": 24}, {}]


def test_a_step_is_singled_out_by_its_name():
    twice = READ.replace("procedure", 'name = "before"\nprocedure') + READ.replace(
        "procedure", 'name = "after"\nprocedure'
    )
    planned = runs(twice + '[[sweep]]\n"after.repeats" = [1, 5]\n')
    assert [r.make().repeats for r in planned] == [1, 1, 1, 5]


def test_a_step_goes_on_with_the_chip_of_the_last_one_of_that_name_before_it():
    first = SOLVE.replace("procedure", 'name = "first"\nprocedure', 1)
    then, last = (READ.replace("procedure", f'after = "{name}"\nprocedure', 1) for name in ("first", "read"))
    planned = runs(first + then + last + '[[sweep]]\npreset = ["quiet", "pku"]\n')
    assert [r.after for r in planned] == [None, 1, 2, None, 4, 5]
    assert [r.preset for r in planned] == ["quiet", None, None, "pku", None, None]
    assert planned[4].point == {"preset": "pku"}


def test_what_stands_in_one_sweep_moves_together():
    planned = runs(SOLVE + "[[sweep]]\nbits = [12, 24]\ntolerance = [1e-3, 1e-6]\n")
    assert [(r.parameters["bits"], r.parameters["tolerance"]) for r in planned] == [(12, 1e-3), (24, 1e-6)]


def test_values_carry_units():
    planned = runs(READ + '[[sweep]]\ninterval = ["100 ms", "1 min", 2]\n')
    assert [r.parameters["interval"] for r in planned] == [0.1, 60.0, 2.0]
    planned = runs(READ + '[[sweep]]\ninterval = { from = "1 ms", to = "1 s", steps = 4, log = true }\n')
    assert [r.parameters["interval"] for r in planned] == pytest.approx([1e-3, 1e-2, 1e-1, 1.0])


def test_files_are_found_beside_the_plan(tmp_path):
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text("1 0\n0 1\n")
    (tmp_path / "plan.toml").write_text(HEAD + SOLVE + '[[sweep]]\nmatrix = { files = "*.csv" }\n')
    planned = load_plan(tmp_path / "plan.toml").runs
    assert [r.parameters["matrix"] for r in planned] == [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    (tmp_path / "plan.toml").write_text(HEAD + SOLVE)
    assert load_plan(tmp_path / "plan.toml").runs[0].parameters["matrix"] == str(tmp_path / "a.csv")


def test_without_a_seed_each_run_draws_its_own():
    assert [r.seed for r in runs(SOLVE)] == [None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[steps]]\nprocedure = "slove"\n', "steps.0.procedure (line 3): there is no procedure 'slove'; did you"),
        (SOLVE.replace("bits", "bitz"), "steps.0.parameters.bitz (line 4): solve has no parameter 'bitz'; did you mean"),
        (SOLVE.replace("24", "2"), "steps.0 (line 2): bits is 2; it must be a whole number from 3"),
        (SOLVE + "[[sweep]]\nbit = [1]\n", "sweep.0.bit (line 6): no step has a parameter 'bit'; did you mean 'bits'"),
        (SOLVE + "[[sweep]]\nbits = [12]\n[[sweep]]\nbits = [2]\n", "sweep.1.bits (line 8): bits is 2"),
        (SOLVE + '[[sweep]]\nbits = ["12 V"]\n', "sweep.0.bits (line 6): bits is '12 V'; 'V' is not a unit of its kind"),
        (SOLVE + "[[sweep]]\nbits = [12.5]\n", "sweep.0.bits (line 6): bits is 12.5; it is a whole number"),
        (SOLVE + "[[sweep]]\nbits = []\n", "sweep.0.bits (line 6): List should have at least 1 item"),
        (SOLVE + "[[sweep]]\nbits = 3\n", "sweep.0.bits (line 6): Input should be a valid list, not 3"),
        (SOLVE + "[[sweep]]\nbits = [[3]]\n", "sweep.0.bits.0 (line 6): it is one number, text, true or false, not [3]"),
        (SOLVE.replace("24", "[24]"), "steps.0.parameters.bits (line 4): it is one number, text, true or false, not [24]"),
        (SOLVE + "[[sweep]]\nseed = { from = 1, to = 5, by = 0 }\n", "sweep.0.seed.by (line 6): Input should be greater"),
        (SOLVE + "[[sweep]]\nseed = { from = 1, to = 5, by = 1, steps = 2 }\n", "seed (line 6): `steps` and `by` exclude"),
        (SOLVE + "[[sweep]]\nseed = { from = 1, too = 5 }\n", "sweep.0.seed.too (line 6): unknown key; did you mean 'to'"),
        (SOLVE + '[[sweep]]\nmatrix = { file = "*.mtx" }\n', "matrix.file (line 6): unknown key; did you mean 'files'"),
        (SOLVE + "[[sweep]]\nbits = [12, 24]\nseed = [1]\n", "sweep.0 (line 5): what one sweep varies moves together"),
        (SOLVE + "[[sweep]]\nseed = { from = 5, to = 1 }\n", "there are 0 values"),
        (READ + "[[sweep]]\nseed = [-1]\n", "a seed is a whole number from 0"),
        (READ + "[[sweep]]\nseed = { from = 0, to = 1, steps = 3 }\n", "a seed is a whole number from 0"),
        (SOLVE + '[[sweep]]\nmatrix = { files = "*.nothing" }\n', "no file matches '*.nothing'"),
        (SOLVE + '[[sweep]]\n"sovle.bits" = [12]\n', "there is no step 'sovle'; did you mean 'solve'"),
        (SOLVE + "[[sweeps]]\nbits = [12]\n", "unknown key; did you mean 'sweep'"),
        (SOLVE + "[[sweep]\n", "not valid TOML"),
        ("", "steps: this key is missing"),
    ],
)  # fmt: skip
def test_an_error_names_the_key_the_line_and_what_to_do(text, said):
    with pytest.raises(InputError) as caught:
        runs(text)
    assert said in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("after", "said"), [("frist", "did you mean 'first'?"), ("read", "there are first"), ("", "")]
)
def test_a_step_goes_on_only_after_one_before_it(after, said):
    steps = SOLVE.replace("procedure", 'name = "first"\nprocedure', 1) + READ + f"after = '{after}'\n"
    if not after:
        assert runs(steps)[1].after is None
        return
    with pytest.raises(
        InputError, match=rf"steps\.1\.after \(line 9\): no step before this one .*{after}.*"
    ) as told:
        runs(steps)
    assert said in str(told.value)


def test_a_plan_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"cannot read plan .*nowhere\.toml"):
        load_plan(tmp_path / "nowhere.toml")


@given(st.integers(-1000, 1000), st.integers(0, 50), st.sampled_from([0.1, 0.25, 1.0, 3.0]))
def test_a_range_by_a_step_holds_both_ends(low, count, by):
    numbers = Range.model_validate({"from": low, "to": low + count * by, "by": by}).numbers(
        low, low + count * by
    )
    assert len(numbers) == count + 1
    assert numbers[-1] == pytest.approx(low + count * by)


HALF = "import mho\n\nclass Half(mho.Refinement):\n    def advance(self, z, az, r):\n        return z / 2, az / 2\n"


def test_code_that_a_parameter_names_is_found_beside_the_plan_or_refused_before_the_first_run(tmp_path):
    (tmp_path / "mine.py").write_text(HALF)
    text = (
        'preset = "mine.py:Cells"\n[[steps]]\nprocedure = "solve"\nparameters = {method = "mine.py:Half"}\n'
    )
    (run,) = runs(text, tmp_path)
    assert run.parameters["method"] == f"{tmp_path / 'mine.py'}:Half"
    assert run.preset == f"{tmp_path / 'mine.py'}:Cells"
    with pytest.raises(
        InputError, match=r"steps\.0 .*there is no refinement .*has no class 'Whole'; there is Half"
    ):
        runs(text.replace("Half", "Whole"), tmp_path)


def test_a_step_may_have_its_own_bench_preset_and_seed() -> None:
    own = READ.replace("procedure", 'name = "own"\nbench = "arrays"\npreset = "pku"\nseed = 9\nprocedure')
    planned = runs('preset = "quiet"\nseed = 1\n' + READ + own)
    assert [(r.bench, r.preset, r.seed) for r in planned] == [("simulated", "quiet", 1), ("arrays", "pku", 9)]
    swept = runs("seed = 1\n" + READ + own + "[[sweep]]\nseed = [5]\n")
    assert [r.seed for r in swept] == [5, 5]


def test_fewer_runs_may_be_taken_than_a_plan_may_have() -> None:
    text = HEAD + READ + "[[sweep]]\nrepeats = { from = 1, to = 30 }\n"
    with pytest.raises(InputError, match="30 runs are more than the 20 that are taken here"):
        parse_plan(text, Path(), most=20)
    assert len(parse_plan(text, Path(), most=30).runs) == 30
