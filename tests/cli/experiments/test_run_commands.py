"""`mho run`, `procedures`, `campaign` and `table`: any procedure by name, plans, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import run_samples
import typer
from daily import daily
from queue_runners import served_bench

import mho.cli.experiments.plan as plan_command
from mho.cli.main import app
from mho.instruments.simulated import cell_preset
from mho.procedures.chip_in_use import formed_cells_of
from mho.runs import RunFile

READ = ("run", "read", "--rows", "0:2", "--columns", "0:2")
PLAN = """
name = "few reads"
[[steps]]
procedure = "read"
parameters = { rows = "0:2", columns = "0:2" }
[[sweep]]
seed = { from = 1, to = 3 }
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def test_options_are_the_procedures_parameters_with_units(shell):
    code, out, err = shell(*READ, "--interval", "100 ms", "--repeats", 2, "--seed", 4, "--json")
    assert (code, err) == (0, "")
    summary = json.loads(out)
    assert summary["reads"] == 8
    with RunFile(summary["run_file"]) as run:
        assert run.parameters["interval"].value == 0.1
        assert run.parameters["interval"].unit == "s"
        assert run.provenance["seed"] == "4"


def test_a_person_gets_the_summary_and_the_file(shell):
    code, out, err = shell(*READ)
    assert code == 0
    assert "mean conductance" in out
    assert Path(out.splitlines()[-1]).exists()
    assert "Read multiply[0:2, 0:2]" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("raed",), "there is no procedure 'raed'; did you mean 'read'?"),
        (("read", "--rwos", "0:2"), "no such option: --rwos; did you mean '--rows'?"),
        (
            ("read", "--interval", "100mV"),
            "interval is '100mV'; 'mV' is not a unit of its kind: give it in s",
        ),
        (
            ("read", "--interval", "100", "ms"),
            "mho run read has no argument 'ms'; a number and its unit are one word: 200ms",
        ),
        (("read", "--interval", "soon"), "interval is 'soon'; give a number and a unit, such as 200ms"),
        (("read", "--repeats", "1.5"), "repeats is 1.5; it is a whole number"),
        (("read", "--repeats", "0"), "repeats is 0; it must be a whole number from 1 to 1e+06"),
        (("solve",), "missing argument 'matrix'; `mho run solve --help` says more"),
        (("nowhere.toml",), "cannot read plan nowhere.toml (No such file or directory)"),
    ],
)
def test_what_is_mistyped_is_refused_in_one_line(shell, arguments, said):
    assert shell.refused("run", *arguments).startswith(said)


def test_procedures_are_listed_with_their_options(shell):
    code, out, _ = shell("procedures")
    assert code == 0
    for text in ("solve", "read", "program", "--interval", "default 0.0 s", "auto, bias, differential"):
        assert text in out


def test_a_dry_run_lists_every_run_and_does_none(shell, plan):
    code, out, _ = shell("run", plan, "--dry-run")
    assert code == 0
    *runs, total = out.splitlines()[2:]
    assert total == "one after the other: about 2 s expected"
    assert [line.split() for line in runs] == [[str(n), "read", "simulated", str(n)] for n in (1, 2, 3)]
    assert not shell.folder.exists()


@pytest.mark.thorough
def test_the_steps_of_a_plan_go_on_with_one_chip_here_and_in_the_queue(shell, plan, tmp_path):
    (tmp_path / "digits.csv").write_text("1,5\n7,3\n")
    plan.write_text(
        """name = "program, then read"
        seed = 1
        [[steps]]
        procedure = "program"
        parameters = { digits = "digits.csv" }
        [[steps]]
        procedure = "read"
        after = "program"
        parameters = { rows = "0:2", columns = "0:2" }
        [[sweep]]
        preset = ["quiet", "ideal"]
        """
    )
    assert "run 3" in shell("run", plan, "--dry-run")[1]
    assert "the runs of a campaign stand alone" in shell.refused("campaign", plan)
    code, _, err = shell("run", plan, "--output", tmp_path / "runs")
    assert code == 0, err
    read = sorted((tmp_path / "runs").glob("*-read*.h5"))
    assert len(read) == 2
    for path in read:
        with RunFile(path) as run:
            assert run.map("multiply_conductance") == pytest.approx(
                1e-6 * np.array([[5, 25], [35, 15]]), abs=1.5e-6
            )
    shell("queue", "add", plan)
    orders = json.loads(shell("queue", "list", "--json")[1])["jobs"]
    assert [(job["after"], job["preset"]) for job in orders] == [
        (None, "quiet"), ("#1", None), (None, "ideal"), ("#3", None),
    ]  # fmt: skip


def test_what_a_run_of_a_plan_is_given_of_those_before_it_is_of_its_own_bench(shell, plan, monkeypatch):
    known = []

    def watched(procedure, bench, **given):
        known.append((bench, len(given["same_chip"])))
        return carry_out(procedure, bench, **given)

    carry_out = plan_command.run
    monkeypatch.setattr(plan_command, "run", watched)
    plan.write_text(PLAN.replace("seed = { from = 1, to = 3 }", 'bench = ["simulated", "arrays"]'))
    code, _, err = shell("run", plan)
    assert code == 0, err
    assert known == [("simulated", 0), ("arrays", 0)]


@pytest.mark.thorough
def test_on_real_instruments_a_run_of_a_plan_knows_what_those_before_it_have_formed(shell, plan, tmp_path):
    with served_bench(tmp_path) as (bench, _):
        plan.write_text(
            f"""name = "form, then read another"
            bench = '{bench}'
            [[steps]]
            procedure = "form"
            parameters = {{ rows = "0,2", columns = "1", step = 0.2 }}
            [[steps]]
            procedure = "read"
            after = "form"
            parameters = {{ rows = "7", columns = "7" }}
            """
        )
        code, _, err = shell("run", plan, "--output", tmp_path / "runs")
    assert code == 0, err
    (read,) = (tmp_path / "runs").glob("*-read*.h5")
    with RunFile(read) as run:
        (cells,) = formed_cells_of(run)
    assert np.argwhere(cells.mask).tolist() == [[0, 1], [2, 1]]


@pytest.mark.parametrize("verb", [("run",), ("queue", "add")])
@pytest.mark.parametrize(
    "words", [("--preset", "quiet"), ("--after", "run.h5"), ("--rows", "0:2"), ("--bench", "simulated")]
)
def test_what_a_plan_says_itself_is_refused_beside_it(shell, plan, verb, words):
    told = shell.refused(*verb, plan, *words)
    assert f"a plan says itself what its runs are; leave out {words[0]}, or write it into {plan}" in told


def test_a_dry_run_says_which_runs_would_fail(shell, plan):
    plan.write_text(PLAN.replace("seed = { from = 1, to = 3 }", 'rows = ["0:2", "x"]'))
    code, out, _ = shell("run", plan, "--dry-run")
    assert code == 1
    assert "run 2 would fail: rows 'x'" in out


def test_a_plan_runs_one_after_the_other_and_a_failure_does_not_end_it(shell, plan):
    plan.write_text(PLAN.replace("seed = { from = 1, to = 3 }", 'rows = ["0:2", "0:9999", "4:6"]'))
    code, _, err = shell("run", plan)
    assert code == 1
    assert "run 2 failed: array 'multiply' has 1024 rows" in err
    assert "2 of 3 runs finished" in err
    assert len(list(shell.folder.glob("*.h5"))) == 2


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_campaign_leaves_a_table_and_a_table_is_made_of_any_runs(shell, plan, tmp_path):
    code, _, err = shell("campaign", plan, "--workers", 1)
    assert code == 0
    assert "dashboard   http://127.0.0.1:" in err
    assert "3 of 3 runs finished\n" in err
    folder = shell.folder / "campaigns" / "few-reads"
    assert pyarrow.parquet.read_table(folder / "table.parquet").num_rows == 3
    (folder / "runs" / "broken.h5").write_bytes(b"")
    code, out, err = shell("table", folder, "--output", tmp_path / "t.parquet")
    assert (code, out) == (0, f"{tmp_path / 't.parquet'}: 3 runs\n")
    assert err.startswith("skipped: ")
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert [row["seed"] for row in table] == ["1", "2", "3"]


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_shares_of_a_campaign_make_the_table_of_all(shell, plan):
    """What a job array does: each job its share, in one folder, and whichever ends last has written the whole table."""
    folder = shell.folder / "campaigns" / "few-reads"
    for share, runs, known in (("2/2", 1, [2]), ("1/2", 2, [1, 2, 3])):
        code, _, err = shell("campaign", plan, "--workers", 1, "--share", share)
        assert code == 0, err
        assert f"{runs} of {runs} runs of share {share} finished\n" in err
        table = pyarrow.parquet.read_table(folder / "table.parquet").to_pylist()
        assert [row["number"] for row in table] == known
    code, _, err = shell("campaign", plan)  # nothing is left to do: no workers are started
    assert (code, "dashboard" in err) == (0, False)
    assert "3 of 3 runs finished, 3 of them before" in err


@pytest.mark.parametrize("share", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2", "/", "1/2/3", "²/3"])
def test_a_share_that_is_none_is_refused(shell, plan, share):
    assert "give K/N, the K-th of N shares" in shell.refused("campaign", plan, f"--share={share}")


@pytest.mark.parametrize("words", [("--preset", "quiet"), ("--bench", "simulated")])
def test_what_a_plan_says_itself_is_refused_beside_a_campaign_too(shell, plan, words):
    told = shell.refused("campaign", plan, *words)
    assert f"a plan says itself what its runs are; leave out {words[0]}, or write it into {plan}" in told


def test_an_error_in_a_plan_names_the_line(shell, plan):
    plan.write_text(PLAN.replace("rows", "rwos"))
    said = "steps.0.parameters.rwos (line 5): read has no parameter 'rwos'; did you mean 'rows'?"
    assert said in shell.refused("run", plan)
    assert said in shell.refused("campaign", plan)


def test_a_result_within_a_mapping_is_shown_and_found(shell):
    shell.folder.mkdir()
    path = shell.folder / "run.h5"
    with run_samples.SampleRun(path) as run:
        run.writer.set_result(
            {
                "bits": 24,
                "reason": "the residual passes",
                "certificate": {"residual": 1.5e-9, "bound": {"error": 0.25}},
            }
        )
    _, out, _ = shell("show", path, "--all")
    assert {"certificate.residual", "certificate.bound.error", "1.5e-09"} <= set(out.split())
    assert "the residual passes" in out
    for where, found in (("bits>=24", 1), ("bits>24", 0), ("certificate.residual<1e-8", 1)):
        (told,) = [json.loads(shell("runs", "--json", "--where", where)[1])]
        assert len(told) == found, where
    with RunFile(path) as file:
        assert file.summary["certificate"] == {"residual": 1.5e-9, "bound": {"error": 0.25}}


IN_DOUBT = """name = "mychip"
base = "stanford"
[parameters]
maximum = 180e-6
[posterior]
parameters = ["maximum"]
interval_low = [170e-6]
interval_high = [190e-6]
"""


@pytest.mark.parametrize(
    ("checks", "words"),
    daily(
        [
            ("", "preset mychip was not checked on runs of its chip"),
            (
                '[checks]\nstate = "failed"\nsays = "30 of 40 lie outside"',
                "preset mychip failed its checks: 30 of 40",
            ),
            ('[checks]\nstate = "passed"', ""),
        ],
        1,
    ),
)
def test_a_preset_in_doubt_is_said_and_kept_in_the_run_file(shell, tmp_path, checks, words):
    preset, run = tmp_path / "mychip.toml", tmp_path / "run.h5"
    preset.write_text(IN_DOUBT + checks + "\n")
    code, _, err = shell(*READ, "--bench", "stanford-arrays", "--preset", preset, "--output", run)
    assert code == 0, err
    assert (words in err) if words else ("mychip" not in err)
    with RunFile(run) as file:
        said = [one.message for one in file.log() if one.level == "WARNING"]
        kept = file.provenance["preset_file"]
    assert any(words in one for one in said) if words else not said
    assert cell_preset(kept).warning.startswith(words)


def test_every_option_for_a_preset_warns_of_one_in_doubt():
    def options(command, name=""):
        command = getattr(command, "verb", command)  # which is imported when it is typed
        for verb in command.list_commands(None) if hasattr(command, "commands") else ():
            yield from options(command.get_command(None, verb), f"{name} {verb}")
        yield from ((name, one) for one in command.params if one.name == "preset")

    there = dict(options(typer.main.get_command(app)))
    assert {" run", " forecast", " budget"} <= set(there)
    # the presets of a projection are assumptions on sizes and energies, not cells; a campaign refuses the option
    others = {" projection", " campaign"}
    assert all(one.callback is not None for verb, one in there.items() if verb not in others)
