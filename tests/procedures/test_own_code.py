"""A user's own procedure: found by module, by file and by package, run everywhere, kept with its source."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest
import run_samples
from command_line import Shell, made_of_words
from daily import daily
from queue_runners import Desk, running

from mho import own_code, run
from mho.errors import InputError, MhoError, RunFileError
from mho.procedures.catalogue import find_procedure, make_procedure
from mho.procedures.manifest import known_entries
from mho.running.campaign import Campaign
from mho.running.continuing import rerun
from mho.running.plan import load_plan
from mho.running.queue import JobStatus, Order, Queue
from mho.running.queue.orders import expect, order_of_run
from mho.running.rehearsal import rehearse
from mho.running.trust import Code, allow_all
from mho.runs import RunFile, Status, Verdict, verify
from mho.workers import dask_workers

SOURCE = '''from mho import Cell, Column, IntegerParameter, Layout, Procedure, Table


class Look(Procedure):
    """Looks at one cell."""

    times = IntegerParameter("Times", default=3, minimum=1)

    def layout(self, plan):
        columns = Column("number", dtype="u4"), Column("conductance", "S")
        return Layout((Table("looks", columns, "conductance", "number"),))

    def execute(self, plan, bench, stream):
        for number in range(self.times):
            conductance = bench.read(Cell("multiply", 0, 0))
            stream.record("looks", number=number, conductance=conductance)
        return {"last": (conductance, "S"), "share": 1 / (self.times - 1)}
'''
BROKEN = 1 + SOURCE.splitlines().index(next(line for line in SOURCE.splitlines() if '"share"' in line))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a procedure of its own, in a module whose name no other test uses."""
    name = f"Look_{abs(hash(tmp_path)):x}"
    path = tmp_path / f"{name}.py"
    path.write_text(SOURCE, "utf-8")
    monkeypatch.chdir(tmp_path)
    yield path
    for module in (name, str(path)):
        sys.modules.pop(module, None)


@pytest.fixture(params=daily(["file", "module"], ["file"]))
def name(request: pytest.FixtureRequest, lab: Path) -> str:
    return f"{lab.name}:Look" if request.param == "file" else f"{lab.stem}:Look"


# --- where it is found ---


@pytest.mark.parametrize("name", ["file", "module"], indirect=True)
def test_a_file_and_a_module_are_found_as_they_are_written(name, lab):
    kind = find_procedure(name)
    assert (kind.__name__, make_procedure(name, {"times": "4"}).times) == ("Look", 4)
    assert find_procedure(name) is kind
    assert made_of_words(name, ["--times", "5"]).times == 5


def test_a_file_is_found_in_another_folder_and_beside_it_its_modules(lab, tmp_path, monkeypatch):
    helper = f"helper_{lab.stem.lower()}"
    (tmp_path / f"{helper}.py").write_text("TITLE = 'helped'\n")
    lab.write_text(f"from {helper} import TITLE\n{SOURCE}\n    title = TITLE\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert find_procedure(f"../{lab.name}:Look").title == "helped"


def test_a_file_that_was_edited_is_loaded_anew(lab):
    first = find_procedure(f"{lab.name}:Look")
    lab.write_text(SOURCE.replace("default=3", "default=7"))
    assert (first().times, make_procedure(f"{lab.name}:Look", {}).times) == (3, 7)


@pytest.mark.parametrize(
    ("text", "asked", "said"),
    [
        (None, "nowhere.py:Look", r"no procedure in nowhere\.py: No such file or directory; write path/file\.py:Class"),
        (None, "nowhere:Look", r"there is no procedure 'nowhere:Look': No module named 'nowhere'; write module:Class"),
        ("", "it.py:Look", r"it\.py has no class 'Look'$"),
        (SOURCE, "it.py:look", r"it\.py has no class 'look'; there is Look"),
        ("class Look: pass", "it.py:Look", r"it\.py:Look is no procedure; it must be a subclass of mho\.Procedure"),
        ("class Look(:\n", "it.py:Look", r"it\.py cannot be loaded: SyntaxError: .* \(it\.py, line 1\)"),
        ("\n\n1 / 0\n", "it.py:Look", r"it\.py cannot be loaded: ZeroDivisionError: .* \(it\.py, line 3\)"),
        ("import no_such_thing\n", "it.py:Look", r"it\.py cannot be loaded: ModuleNotFoundError: No module"),
        ("\n1 / 0\n", "it_is_broken:Look", r"module 'it_is_broken' cannot be loaded: ZeroDivisionError.*line 2"),
        ("import no_such\n", "it_lacks:Look", r"'it_lacks' cannot be loaded: ModuleNotFoundError: .* 'no_such'"),
        ("raise ValueError('so')\n", "it_raises:Look", r"module 'it_raises' cannot be loaded: ValueError: so"),
        (None, "json.nowhere:Look", r"there is no procedure 'json\.nowhere:Look': No module named 'json\.nowhere'"),
        (None, ":Look", r"there is no procedure ':Look': Empty module name; write module:Class"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_is_answered_in_one_sentence(
    text, asked, said, tmp_path, shell: Shell, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path(asked.partition(":")[0].removesuffix(".py") + ".py").write_text(text)
    with pytest.raises(InputError, match=said):
        find_procedure(asked)
    code, out, err = shell("run", asked)
    assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_a_link_to_nowhere_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("look.py").symlink_to("gone.py")
    with pytest.raises(InputError, match=r"look\.py is a link to gone\.py, which is not there"):
        find_procedure("look.py:Look")


@pytest.mark.thorough
def test_an_installed_package_offers_its_procedures_by_name(lab, shell: Shell, monkeypatch, caplog):
    info = lab.parent / "lab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[mho.procedures]\nlook = {lab.stem}:Look\nbroken = {lab.stem}:Nothing\nread = {lab.stem}:Look\n"
    )
    monkeypatch.syspath_prepend(lab.parent)
    kind = find_procedure("Look")
    assert (kind.__module__, make_procedure("look", {"times": 2}).times) == (lab.stem, 2)
    with caplog.at_level(logging.WARNING, "mho"):
        known = known_entries()
    assert known["look"].target == f"{lab.stem}:Look"
    assert known["read"].target == "mho.procedures.cells.reading.read:Read"
    assert "broken" not in known
    assert "procedure 'broken' is not offered: " in caplog.text
    assert f"mho's own procedure 'read' is offered, not {lab.stem}:Look: name it so" in caplog.text
    with pytest.raises(InputError, match="has no class 'Nothing'"):
        find_procedure("broken")
    with pytest.raises(InputError, match="did you mean 'look'"):
        find_procedure("lok")
    code, out, _ = shell("run", "look", "--times", "2", "--output", "look.h5")
    assert (code, "last" in out) == (0, True)
    assert order_of_run(Path("look.h5"), allow_all).procedure == "look"


def test_a_name_that_two_packages_offer_is_none_s(lab, monkeypatch, caplog):
    for number, kind in enumerate(("Look", "Other")):
        info = lab.parent / f"lab{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lab{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[mho.procedures]\nlook = {lab.stem}:{kind}\n")
    monkeypatch.syspath_prepend(lab.parent)
    said = f"several packages have a procedure 'look'; name one as {lab.stem}:Look or {lab.stem}:Other"
    with pytest.raises(InputError, match=said):
        find_procedure("look")
    assert "look" not in known_entries()
    assert f"procedure 'look' is not offered: {said}" in caplog.text
    assert find_procedure(f"{lab.stem}:Look").__name__ == "Look"


# --- where it is run ---


def test_it_runs_in_a_script_a_rehearsal_and_on_the_command_line(name, lab, shell: Shell):
    assert set(run(make_procedure(name, {}), seed=1, output="script.h5")) == {"last", "share"}
    assert rehearse(make_procedure(name, {}), "simulated", seed=1).passed
    code, out, _ = shell("rehearse", "simulated", name)
    assert (code, "passed" in out) == (0, True)
    code, out, _ = shell("run", name, "--times", "2", "--json", "--output", "told.h5")
    assert (code, set(json.loads(out))) == (0, {"last", "share", "conclusion"})


PLAN = """name = "looks"
[[steps]]
procedure = "{}"
parameters = {{ times = 2 }}
[[sweep]]
seed = [1, 2]
"""


def test_it_stands_in_a_plan_and_its_file_beside_it(name, lab, tmp_path, shell: Shell, monkeypatch):
    (tmp_path / "plan.toml").write_text(PLAN.format(name))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    runs = load_plan("../plan.toml").runs
    assert {type(planned.make()).__name__ for planned in runs} == {"Look"}
    code, _, err = shell("run", "../plan.toml", "--output", "out")
    assert (code, "2 of 2 runs finished" in err) == (0, True)
    for path in Path("out").glob("*.h5"):
        with RunFile(path) as file:
            assert (file.status, file.length("looks")) == (Status.FINISHED, 2)


@pytest.mark.thorough
def test_a_campaign_of_it_has_its_results_in_the_table(lab, tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN.format(f"{lab.name}:Look"))
    with dask_workers(1) as workers:
        rows = Campaign(load_plan("plan.toml"), tmp_path / "campaign").carry_out(workers)
    assert [(row["status"], row["reason"]) for row in rows] == [("finished", "")] * 2
    assert all(row["result.share"] == 1.0 and abs(row["result.last"]) < 1e-3 for row in rows)


@pytest.mark.thorough
def test_the_queue_runs_it_and_says_where_it_went_wrong(lab, tmp_path):
    desk = Desk(tmp_path / "runs" / "queue.sqlite")
    names = [f"{lab.name}:Look", f"{lab.stem}:Look"]
    orders = [Order(one, {"times": 2}, "simulated", 1, folder=tmp_path) for one in names]
    orders.append(Order(names[0], {"times": 1}, "simulated", 1, folder=tmp_path))
    desk.path.parent.mkdir()
    with Queue(desk.path) as queue:
        orders = [expect(one, queue).order for one in orders]
    jobs = desk.add(*orders)
    with running(desk):
        pass
    found = [desk.job(number) for number in jobs]
    assert [job.status for job in found] == [JobStatus.FINISHED, JobStatus.FINISHED, JobStatus.FAILED]
    assert found[0].run.name.endswith(".h5")
    assert found[2].reason == (f"ZeroDivisionError: division by zero ({lab.name}, line {BROKEN}, in execute)")


# --- what its run file keeps ---


@pytest.mark.parametrize("name", ["file", "module"], indirect=True)
def test_the_run_file_holds_its_source_and_hash_and_is_sound(name, lab):
    run(make_procedure(name, {}), seed=1, output="look.h5")
    with RunFile("look.h5") as file:
        assert file.source == SOURCE
        assert file.provenance["procedure"] in (f"{lab}:Look", f"{lab.stem}:Look")
        assert file.result_units["last"] == "S"
    with h5py.File("look.h5") as file:
        kept = bytes(file["entry/procedure/source_sha256"][()]).decode()
    assert kept == hashlib.sha256(SOURCE.encode()).hexdigest()
    assert verify(Path("look.h5")).verdict is Verdict.SOUND


def test_mho_s_own_procedures_are_kept_by_their_version_alone(tmp_path):
    run(make_procedure("read", {"rows": "0", "columns": "0"}), output=tmp_path / "read.h5")
    with RunFile(tmp_path / "read.h5") as file:
        assert file.source == ""


def test_the_place_of_an_error_is_in_its_reason_and_the_steps_to_it_in_the_log(name, lab):
    with pytest.raises(ZeroDivisionError):
        run(make_procedure(name, {"times": 1}), output="look.h5")
    with RunFile("look.h5") as file:
        assert file.reason == f"ZeroDivisionError: division by zero ({lab.name}, line {BROKEN}, in execute)"
        (entry,) = [one for one in file.log() if one.level == "ERROR"]
    assert entry.message.startswith("ZeroDivisionError: division by zero\n")
    assert f'{lab.name}, line {BROKEN}, in execute: return {{"last"' in entry.message


def test_an_error_that_mho_raises_needs_no_place_but_the_log_says_by_which_line_it_came(lab):
    lab.write_text(SOURCE.replace('Cell("multiply", 0, 0)', 'Cell("multiply", 9999, 0)'))
    with pytest.raises(MhoError, match="9999"):
        run(make_procedure(f"{lab.name}:Look", {}), output="look.h5")
    with RunFile("look.h5") as file:
        assert lab.name not in file.reason
        (entry,) = [one for one in file.log() if one.level == "ERROR"]
    assert f"{lab.name}, line {BROKEN - 2}, in execute" in entry.message


# --- repeating it ---


def test_a_run_of_it_is_repeated_and_a_changed_source_is_named_first(name, lab):
    run(make_procedure(name, {}), seed=4, output="look.h5")
    again = rerun("look.h5", output="again.h5")  # this process has named it: nobody is asked
    assert (again.equal, again.remarks) == (True, ())
    lab.write_text(SOURCE.replace('"share": 1 /', '"share": 20 /'))
    sys.modules.pop(lab.stem, None)
    changed = rerun("look.h5", output="changed.h5", trust=allow_all)
    assert changed.remarks[0].startswith("the source of ")
    assert changed.remarks[0].endswith("has changed since: the run is repeated with the code as it is now")
    assert [one.name for one in changed.compared if not one.equal] == ["result"]


def test_the_command_line_names_a_changed_source_before_any_difference(lab, shell: Shell):
    run(make_procedure(f"{lab.name}:Look", {}), seed=4, output="look.h5")
    lab.write_text(SOURCE.replace('"share": 1 /', '"share": 20 /'))
    code, out, _ = shell("rerun", "look.h5", "--output", "again.h5", "--trust")
    assert code == 1
    assert 0 < out.index("has changed since") < out.index("differ:") < out.index("result:")


def strange(path: Path, procedure: str) -> Path:
    """Let the run file at `path` name another procedure."""
    with h5py.File(path, "r+") as file:
        del file["entry/provenance/procedure"]
        file["entry/provenance/procedure"] = procedure.encode()
    return run_samples.seal_again(path)


@pytest.mark.parametrize(
    "place", daily(["{}/evil.py:Look", "evil.py:Look", "mho.evil.py:Look", "../{}/evil.py:Look"], 1)
)
def test_a_file_that_a_run_file_names_is_taken_from_this_folder_alone_and_not_without_asking(
    place, tmp_path, shell: Shell, monkeypatch
):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    file = place.rpartition("/")[2].rpartition(":")[0]
    (there / file).write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n{SOURCE}")
    monkeypatch.chdir(here)
    run(make_procedure("read", {"rows": "0", "columns": "0"}), seed=1, output="run.h5")
    strange(Path("run.h5"), place.format(there if place.startswith("{") else "there"))
    for verb in (["rerun"], ["queue", "clone"], ["run", "read", "--after"]):
        code, out, err = shell(*verb, "run.h5", *(["--trust"] if verb != ["queue", "clone"] else []))
        assert (code, out) == (2, "")
        assert f"there is no file {file} in this folder (a folder that the file names is not searched)" in err
    (here / file).write_text(SOURCE)
    asked: list[Code] = []
    with pytest.raises(InputError, match="nobody has agreed to that"):
        rerun("run.h5", trust=lambda code: asked.append(code) or False)
    assert [code.place for code in asked] == [str(here / file)]
    assert not (tmp_path / "ran").exists()


def test_a_job_that_repeats_a_run_of_it_names_the_file_in_this_folder(lab, tmp_path, monkeypatch):
    run(make_procedure(f"{lab.name}:Look", {"times": 2}), seed=1, output="look.h5")
    sys.modules.pop(str(lab))
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / lab.name).write_text(SOURCE)
    monkeypatch.chdir(tmp_path / "copy")
    order = order_of_run(tmp_path / "look.h5", allow_all)
    assert order.procedure == f"{tmp_path / 'copy' / lab.name}:Look"
    assert order.parameters == {"times": 2}


# --- what it declares and what it writes ---


@pytest.mark.parametrize(
    ("written", "said"),
    daily(
        [
            (
                "number=number",
                r"a row of table 'looks' lacks conductance; its columns are number, conductance",
            ),
            (
                "number=number, conductance=conductance, current=0.0",
                r"a row of table 'looks' has unknown current; its columns are number, conductance",
            ),
            (
                "number=number, conductance='high'",
                r"a row of table 'looks' does not fit its columns: .*'high'",
            ),
            ("number=-1, conductance=conductance", r"beyond the range of its declared uint32"),
        ],
        2,
    ),
)
def test_rows_that_the_layout_does_not_declare_fail_the_run_in_one_sentence(written, said, lab, shell: Shell):
    lab.write_text(SOURCE.replace("number=number, conductance=conductance", written))
    code, _, err = shell("run", f"{lab.name}:Look", "--output", "look.h5")
    assert code == 2
    with RunFile("look.h5") as file:
        assert file.status is Status.FAILED
        reason = file.reason
    assert reason.startswith("RunFileError: ")
    assert re.search(said, reason), reason
    assert re.search(said, err.splitlines()[-1]), err


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('stream.record("views", number=1)', r"table 'views' is not declared in this run; declared: looks"),
        (
            'stream.snapshot("image", [[1.0]], 0.0)',
            r"map 'image' is not declared in this run; declared: none",
        ),
        ('stream.set_array("x", [1.0])', r"array 'x' is not declared in this run; declared: none"),
    ],
)
def test_a_table_map_or_array_that_the_layout_does_not_declare_fails_the_run(table, said, lab):
    lab.write_text(SOURCE.replace("        return {", f"        {table}\n        return {{"))
    with pytest.raises(RunFileError, match=said):
        run(make_procedure(f"{lab.name}:Look", {}), output="look.h5")


def test_a_users_module_is_found_before_a_link_of_the_checkout_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "analysis.py").write_text("class Own: ...\n")
    monkeypatch.chdir(tmp_path)
    elsewhere = [place for place in sys.path if place not in ("", own_code.CHECKOUT)]
    monkeypatch.setattr(sys, "path", [elsewhere[0], own_code.CHECKOUT, *elsewhere[1:]])
    monkeypatch.delitem(sys.modules, "analysis", raising=False)
    before = list(sys.path)
    try:
        found = own_code.import_named("analysis:Own", "class")
        assert sys.modules["analysis"].__file__ == str(tmp_path / "analysis.py")
        assert found.__module__ == "analysis"
    finally:
        sys.modules.pop("analysis", None)
    assert sys.path == before
