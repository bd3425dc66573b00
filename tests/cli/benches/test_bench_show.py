"""`mho bench show`: the file, what the bench can do, and several benches side by side; and verbs that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from lacking_benches import take_away, without_chuck

from mho.instruments.bench_file import OPERATIONS, load_bench_file
from mho.procedures import manifest
from mho.procedures.manifest import ProcedureEntry, known_entries


def rows(text: str) -> dict[str, str]:
    """Return the lines of tables by their first word."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines() if line.strip()}


def test_the_file_alone_goes_to_standard_output_and_what_the_bench_can_do_beside_it(shell):
    code, out, err = shell("bench", "show", "simulated")
    assert (code, out) == (0, load_bench_file("simulated").text)
    shown = rows(err)
    assert {*shown} == {"operation", "procedure", *OPERATIONS, *known_entries()}
    assert shown["multiply"] == "can run"  # the procedure, whose table is the later one
    assert shown["gate"] == "gate hold the word line at a voltage"
    assert shown["temperature"].startswith("the simulated chip")
    assert "program         nobody: write-verify does it" in " ".join(err.splitlines())


def test_what_is_missing_is_named(shell, monkeypatch):
    take_away(monkeypatch, "gate", "multiply")
    err = shell("bench", "show", "heated")[2]
    shown = rows(err)
    assert "nobody: write-verify" not in err
    assert shown["gate"] == "nothing hold the word line at a voltage"
    assert shown["read"] == "can run"
    assert shown["contact"] == "cannot run: nothing serves `gate`"
    assert shown["map"] == "cannot run: nothing serves `multiply`"
    assert shown["iv"] == "can run, but nothing serves `gate` where a gate is given"


def test_several_benches_are_compared_without_their_files(shell, tmp_path, monkeypatch):
    take_away(monkeypatch, "pulse", "gate")
    lab = without_chuck(tmp_path)
    code, out, err = shell("bench", "show", "heated", lab)
    assert (code, err) == (0, "")
    first, *lines = out.splitlines()
    assert first.split() == ["procedure", "heated", lab]
    shown = rows("\n".join(lines))
    assert shown["read"] == "yes yes"
    assert shown["form"] == "no pulse no pulse"
    assert shown["contact"] == "no gate no gate"
    assert shown["retention"] == "yes (no pulse) yes (no pulse, temperature)"


def test_a_procedure_of_a_users_own_is_in_the_table(shell, monkeypatch):
    own = ProcedureEntry("own", "lab:Own", "Own", "Other", "Own.", {})
    monkeypatch.setattr(manifest, "known_entries", lambda: {"own": own})
    assert rows(shell("bench", "show", "simulated")[2])["own"] == "does not say what it needs"
    assert rows(shell("bench", "show", "simulated", "heated")[1])["own"] == "not known not known"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A plan whose second run asks for a temperature."""
    (tmp_path / "plan.toml").write_text(
        f"name = 'hot'\nbench = '{without_chuck(tmp_path)}'\n"
        '[[steps]]\nprocedure = "read"\n[[steps]]\n'
        'procedure = "retention"\nparameters = { temperature = 398.0 }\n',
        encoding="utf-8",
    )
    return tmp_path / "plan.toml"


SENTENCE = (
    "Retention cannot run on bench 'lab': nothing there serves `temperature` (heat the stage under the chip)"
)


@pytest.mark.parametrize("verb", [("run",), ("queue", "add"), ("rehearse",)])
def test_verbs_refuse_what_the_bench_cannot_do_as_any_mistake(shell, tmp_path, verb):
    folder = tmp_path / "benches"
    folder.mkdir()
    lab = without_chuck(folder)
    words = ("retention", "--temperature", "398", "--bench", lab)
    if verb == ("queue", "add"):  # the queue's own file is made
        code, out, err = shell(*verb, *words)
        assert (code, out) == (2, "")
        assert err.startswith(f"mho: {SENTENCE}")
        assert shell("queue", "list", "--json")[1].count('"procedure"') == 0
    else:
        assert shell.refused(*verb, *words).startswith(SENTENCE)


def test_a_plan_is_refused_as_a_whole_and_listed_run_by_run(shell, plan):
    said = shell.refused("run", plan)
    assert said.startswith(f"plan 'hot' cannot be carried out; run 2 (retention): {SENTENCE}")
    code, out, _ = shell("run", plan, "--dry-run")
    assert code == 1
    assert f"run 2 would fail: {SENTENCE}" in out
    assert "run 1 would fail" not in out
    code, _, err = shell("queue", "add", plan)
    assert code == 2
    assert f"run 2 (retention): {SENTENCE}" in err
