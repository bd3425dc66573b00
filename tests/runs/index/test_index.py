"""The index of runs: what it finds is what is in the files, and nothing in a folder stops it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st

import mho.runs.index.card as card
from mho import platforms
from mho.errors import InputError, RunFileError
from mho.runs import Array, Layout, RecordedParameter, RunHeader, RunWriter, Status, recover, runs_folder
from mho.runs.index.index import RunIndex
from mho.runs.index.query import NAMES
from mho.runs.index.store import NAME, open_store


def write(
    path: Path, *, result: dict[str, Any] | None = None, status: Status = Status.FINISHED, **told: Any
) -> Path:
    """Write a run; `told` are fields of the header, and parameters as (value, unit) or value."""
    known = {
        name: told.pop(name) for name in ("title", "procedure", "bench", "chip", "provenance") if name in told
    }
    matrix = told.pop("matrix_values", np.eye(2))
    parameters = {
        name: RecordedParameter(*value) if isinstance(value, tuple) else RecordedParameter(value)
        for name, value in told.items()
    }
    header = RunHeader(
        **{"title": path.stem, "procedure": "Solve", **known}, version="1", parameters=parameters
    )
    run = RunWriter.create(path, header, Layout(arrays=(Array("matrix", matrix),)))
    if result is not None:
        run.set_result(result)
    run.finish(status, "" if status is Status.FINISHED else "LimitError: too much")
    return path


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three runs, that no test changes."""
    folder = tmp_path_factory.mktemp("library") / "runs"
    write(
        folder / "a.h5",
        bits=(24, "bit"),
        read_voltage=(0.2, "V"),
        matrix="data/mimo-16x16.mtx",
        hybrid=True,
        note_to_self="Ärger",
        bench='name = "simulated"',
        chip='name = "reference"',
        result={"converged": True, "relative_error": 3e-8, "cycles": [{"cycle": 1}], "encoding": "bias"},
    )
    write(
        folder / "sub" / "b.h5",
        bits=(12, "bit"),
        read_voltage=(0.1, "V"),
        matrix="data/example-4x4.mtx",
        hybrid=False,
        chip='name = "reference"',
        matrix_values=np.ones((2, 2)),
        result={"converged": False, "relative_error": 0.5},
    )
    write(
        folder / "c.h5",
        procedure="Program",
        status=Status.FAILED,
        cells=12,
        provenance={"user": "Anna", "seed": "11"},
    )
    return folder


@pytest.fixture(scope="module")
def indexed(library: Path) -> Iterator[RunIndex]:
    with RunIndex(library) as index:
        index.update()
        yield index


@pytest.fixture
def folder(library: Path, tmp_path: Path) -> Path:
    """A copy of the library, to do anything with."""
    folder = tmp_path / "runs"
    shutil.copytree(library, folder, ignore=shutil.ignore_patterns(f"{NAME}*"))
    return folder


@pytest.fixture
def index(folder: Path) -> Iterator[RunIndex]:
    with RunIndex(folder) as index:
        index.update()
        yield index


def found(index: RunIndex, where: str, **options: Any) -> str:
    """Names of the files found, in order."""
    return " ".join(run.path.stem for run in index.search(where, **({"sort": "path"} | options)))


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("", "a c b"),
        ("bits>=24 and status=finished", "a"),
        ("bits>=24 or status=failed", "a c"),
        ("bits=24bit", "a"),
        ("not bits>=24", "c b"),
        ("bits!=24", "b"),
        ("read_voltage>=150mV", "a"),
        ("read_voltage=200mV", "a"),
        ("read_voltage=0.1", "b"),
        ("hybrid", "a"),
        ("not hybrid", "c b"),
        ("hybrid=no", "b"),
        ("hybrid=true", "a"),
        ("converged", "a"),
        ("relative_error<1e-6", "a"),
        ("result.encoding = bias", "a"),
        ("encoding != bias", ""),
        ("parameter.bits<20", "b"),
        ("matrix ~ 4x4", "b"),
        ("matrix contains MIMO", "a"),
        ("matrix !~ mimo", "b"),
        ("procedure=program", "c"),
        ("status=FAILED and reason ~ 'too much'", "c"),
        ("reason", "c"),
        ("user=anna", "c"),
        ("seed>=10", "c"),
        ("chip=reference", "a b"),
        ("bench", "a"),
        ("date=today", "a c b"),
        ("date<2001", ""),
        ("date>=2001-02-03 and date <= today", "a c b"),
        ("date!=today", ""),
        ("date>2001-02-03T04:05", "a c b"),
        ("end>2001-02", "a c b"),
        ("duration<5min", "a c b"),
        ("duration>=1h", ""),
        ("'ärger'", "a"),
        ("text ~ LIMITERROR", "c"),
        ("path ~ sub/", "b"),
        ("title > b", "c"),
        ('title = "b"', "b"),
        ("cells = 12", "c"),
        ('cells = "12"', "c"),
    ],
)  # fmt: skip
def test_queries_find_what_the_files_say(indexed: RunIndex, where: str, names: str):
    assert found(indexed, where) == names
    assert indexed.count(where) == len(names.split())


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("bitz>=24", "'▲bitz>=24': no run has anything called 'bitz'; did you mean 'bits'?"),
        ("status=finished and relativ_error<1", "did you mean 'relative_error'?"),
        ("parameter.bitz=1", "did you mean 'bits'?"),
        (
            "status=finshed",
            "a status is one of running, paused, finished, failed, aborted, interrupted, unreadable",
        ),
        ("read_voltage>=200mA", "'mA' is no unit of it; give it in V"),
        ("relative_error<1mV", "'mV' is no unit of it; it has none"),
        ("date>=yesterda", "it is compared with a date"),
        ("date=2026-13", "it is compared with a date"),
        ("date ~ 2026", "it is compared with a date"),
        ("duration>=long", "such as 90s or 5min"),
        ("text = word", "text ~ word"),
    ],
)
def test_a_wrong_query_says_what_is_wrong(indexed: RunIndex, where: str, said: str):
    with pytest.raises(InputError) as caught:
        indexed.search(where)
    assert said in str(caught.value)


def test_a_parameter_may_have_another_unit_in_another_run(index: RunIndex, folder: Path):
    write(folder / "d.h5", read_voltage=(150.0, "mV"))
    write(folder / "e.h5", read_voltage=(5.0, "s"))
    index.update()
    assert found(index, "read_voltage>=150mV") == "a d"
    assert found(index, "read_voltage>=0.15V and read_voltage<200mV") == "d"
    assert found(index, "read_voltage<1min") == "e"
    assert found(index, "read_voltage>4") == "d e"


def test_runs_are_sorted_by_anything_and_those_without_it_come_last(indexed: RunIndex):
    assert found(indexed, "", sort="bits") == "b a c"
    assert found(indexed, "", sort="-relative_error") == "b a c"
    assert found(indexed, "", sort="-start", limit=1) == "c"
    with pytest.raises(InputError, match="did you mean 'bits'"):
        indexed.search(sort="-bist")


def test_a_seed_is_sorted_and_compared_as_a_number_and_runs_without_one_have_none(
    index: RunIndex, folder: Path
):
    for name, seed in (("d", "9"), ("e", "100")):
        write(folder / f"{name}.h5", provenance={"seed": seed})
    index.update()
    assert found(index, "seed", sort="seed") == "d c e"
    assert found(index, "", sort="seed").startswith("d c e")
    assert found(index, "", sort="-seed").startswith("e c d")
    assert found(index, "seed<50") == "c d"
    assert found(index, "seed>=0") == "c d e"


def test_what_has_no_number_comes_after_the_numbers_whichever_comes_first(index: RunIndex, folder: Path):
    write(folder / "d.h5", result={"relative_error": None})
    write(folder / "e.h5", result={"relative_error": float("nan")})
    index.update()
    assert found(index, "relative_error", sort="relative_error").startswith("a b ")
    assert found(index, "relative_error", sort="-relative_error").startswith("b a ")


def test_letters_beyond_ascii_have_two_cases_too(index: RunIndex, folder: Path):
    write(folder / "d.h5", title="Ölprobe", word="Ärger")
    index.update()
    assert found(index, "title=ölPROBE") == found(index, "word='ärger'") == "d"
    assert found(index, "title!=ölprobe") == "a c b"


asked_names = st.sampled_from(
    [*sorted(NAMES), "bits", "read_voltage", "hybrid", "parameter.bits", "result.converged"]
)
asked_values = st.sampled_from(
    [
        "24",
        "-1e400",
        "200mV",
        "5min",
        "3furlongs",
        "2026-02-30",
        "2026",
        "9999",
        "0001",
        "today",
        "none",
        "yes",
        '""',
        '"x\\0"',
    ]
) | st.text("ab0-.'", min_size=1, max_size=5).map(lambda text: f'"{text}"')
asked = st.builds(
    "{} {} {}".format, asked_names, st.sampled_from(["=", "!=", "<", ">=", "~", "!~"]), asked_values
)


def test_of_a_summary_numbers_and_words_are_kept_under_the_names_of_what_they_lie_in() -> None:
    summary = {"bits": 6, "curve": [1, 2], "fit": {"slope": 2.0, "of": {"law": "line", "points": [3]}}}
    assert card.plain_results(summary) == {"bits": 6, "fit.slope": 2.0, "fit.of.law": "line"}


@given(where=asked | asked_names | asked.map("not {}".format), sort=asked_names, down=st.booleans())
def test_whatever_is_asked_is_answered_or_refused_in_words(
    indexed: RunIndex, where: str, sort: str, down: bool
):
    with contextlib.suppress(InputError):
        assert len(indexed.search(where)) == indexed.count(where)
    with contextlib.suppress(InputError):
        assert indexed.count() == len(indexed.search(sort=f"-{sort}" if down else sort))


numbers = st.integers(-3, 3)
records = st.lists(
    st.fixed_dictionaries(
        {}, optional={"x": numbers, "y": numbers, "word": st.sampled_from(["ab", "Abc", "b"])}
    ),
    max_size=5,
)
comparisons = st.builds(
    "{0}{1}{2}".format, st.sampled_from("xy"), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), numbers
) | st.builds("word{0}{1}".format, st.sampled_from(["=", "!=", "~"]), st.sampled_from(["ab", "B", "abc"]))
queries = st.recursive(
    comparisons | st.sampled_from(["x", "word"]),
    lambda inner: (
        inner.map("not ({})".format)
        | st.tuples(inner, inner).map(lambda two: f"({two[0]}) and ({two[1]})")
        | st.tuples(inner, inner).map(lambda two: f"({two[0]}) or ({two[1]})")
    ),
    max_leaves=6,
)


def holds(query: str, record: dict[str, Any]) -> bool:
    """The query worked out by Python, a comparison with what is missing being false."""
    import re

    def comparison(match: re.Match[str]) -> str:
        name, operator, value = match.groups()
        if name not in record:
            return "False"
        mine: Any = record[name]
        if operator is None:
            return str(bool(mine))
        other: Any = value if name == "word" else int(value)
        mine, other = (one.lower() if isinstance(one, str) else one for one in (mine, other))
        if operator == "~":
            return str(other in mine)
        return str(eval(f"{mine!r} {'==' if operator == '=' else operator} {other!r}"))

    return bool(eval(re.sub(r"\b(x|y|word)\b(?:(=|!=|<=|>=|<|>|~)([-\w]+))?", comparison, query)))


@given(records, queries)
def test_sql_finds_what_python_would(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], query: str
):
    from mho.runs.index.card import Card, CardFacts, _quantity
    from mho.runs.index.index import _keep
    from mho.runs.index.query import condition

    folder = tmp_path_factory.getbasetemp() / "sql"
    folder.mkdir(exist_ok=True)
    store = open_store(folder)
    with store.changing():
        store.execute("DELETE FROM runs")
        for number, record in enumerate(records):
            parameters = tuple(_quantity(name, value) for name, value in record.items())
            _keep(store, f"{number}.h5", (0, 0), Card(CardFacts(), "finished", "", parameters=parameters))
    known = {"parameter": {"x": [""], "y": [""], "word": [""]}}
    sql, values = condition(query, known, datetime(2026, 1, 1))
    rows = store.execute(f"SELECT path FROM runs WHERE {sql}", values).fetchall()
    store.close()
    assert {int(row[0][:-3]) for row in rows} == {
        n for n, record in enumerate(records) if holds(query, record)
    }


def test_an_update_reads_only_what_is_new_changed_or_gone(
    index: RunIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    read: list[str] = []
    monkeypatch.setattr(
        "mho.runs.index.index.read_card", lambda path: read.append(path.name) or card.read_card(path)
    )
    index.update()
    assert read == []
    write(folder / "d.h5")
    (folder / "a.h5").unlink()
    (folder / ".draft.h5.12.part").write_bytes(b"half")
    (folder / ".hidden.h5").write_bytes(b"half")
    changes = index.update()
    assert (read, changes.read, changes.gone) == (["d.h5"], 1, 1)
    assert found(index, "") == "c d b"


def test_files_that_are_no_runs_are_listed_with_the_reason(index: RunIndex, folder: Path):
    (folder / "text.h5").write_text("not HDF5")
    (folder / "empty.h5").touch()
    with h5py.File(folder / "foreign.h5", "w") as file:
        file["x"] = 1
    shutil.copy(folder / "a.h5", folder / "newer.h5")
    with h5py.File(folder / "newer.h5", "r+") as file:
        file.attrs["mho_schema"] = 99
    content = bytearray((folder / "a.h5").read_bytes())
    (folder / "cut.h5").write_bytes(content[: len(content) // 3])
    (folder / "torn.h5").write_bytes(content.replace(b'{"facts"', b'{"fac\0\0"'))
    (folder / "dangling.h5").symlink_to(folder / "nowhere")
    changes = index.update()
    assert changes.unreadable == 6
    said = {run.path.stem: run.reason for run in index.search("status=unreadable")}
    assert set(said) == {"text", "empty", "foreign", "newer", "cut", "torn"}
    assert "not an HDF5 file" in said["text"]
    assert found(index, "date>=1990 and status=unreadable") == ""
    unknown = (
        "cut empty foreign newer text torn"  # when they were, nobody knows: not in or after 1990 all the same
    )
    assert found(index, "not date>=1990 and status=unreadable") == unknown
    assert found(index, "not duration<1000s and status=unreadable") == unknown
    assert "no run file of mho" in said["foreign"]
    assert "update mho" in said["newer"]
    assert "damaged" in said["torn"]
    assert found(index, "status=finished") == "a b"


def test_a_running_run_is_seen_live_and_an_interrupted_one_as_such(
    index: RunIndex, folder: Path, start_child: Callable[[str, Path], subprocess.Popen[str]]
):
    child = start_child("silent", folder / "live.h5")
    index.update()
    assert found(index, "status=running") == "live"
    child.kill()
    child.wait()
    index.update()
    assert found(index, "status=interrupted") == "live"
    assert index.search("status=interrupted")[0].end is None


def test_files_of_before_there_were_cards_are_read_from_their_parts(folder: Path):
    with RunIndex(folder) as index:
        index.update()
        with_card = {run.path: run.facts for run in index.search()}
        for path in folder.rglob("*.h5"):
            with h5py.File(path, "r+") as file:
                del file["entry/card"]
        index.update()
        for run in index.search():
            old = with_card[run.path]
            assert run.facts.run_id != ""
            assert {**vars(run.facts), "run_id": ""} == {**vars(old), "run_id": ""}
        ids = {run.facts.run_id for run in index.search()}
        index.rebuild()
        assert {run.facts.run_id for run in index.search()} == ids
        assert found(index, "bits>=24bit and hybrid") == "a"


def test_tags_and_notes_follow_the_run_and_survive_everything_else(index: RunIndex, folder: Path):
    run = index.find("b")
    before = (folder / "sub" / "b.h5").read_bytes()
    index.annotations.tag(run.facts.run_id, "good", "thesis-fig-3")
    index.annotations.note(run.facts.run_id, "the one with the warm Chip")
    assert (folder / "sub" / "b.h5").read_bytes() == before
    assert found(index, "tag=good") == found(index, "tag") == found(index, "'warm chip'") == "b"
    assert found(index, "tag!=good") == "a c"
    assert found(index, "note ~ warm and not tag=bad") == "b"
    (folder / "elsewhere").mkdir()
    (folder / "sub" / "b.h5").rename(folder / "elsewhere" / "renamed.h5")
    index.rebuild()
    assert found(index, "tag=GOOD") == "renamed"
    index.annotations.untag(run.facts.run_id, "Good")
    assert index.find("renamed").tags == ("thesis-fig-3",)
    assert [text for _, text in index.annotations.notes(run.facts.run_id)] == ["the one with the warm Chip"]


def test_tags_are_the_same_in_other_capitals(index: RunIndex):
    run = index.find("b").facts.run_id
    index.annotations.tag(run, "Ärger", "ärger", "good")
    assert index.find("b").tags == ("good", "Ärger")
    index.annotations.untag(run, "ÄRGER")
    assert index.find("b").tags == ("good",)
    index.annotations.set_tags(run, "Good", "GOOD")
    assert index.find("b").tags == ("Good",)
    with pytest.raises(InputError, match="a tag is one word"):
        index.annotations.set_tags(run, "a,b")
    assert index.find("b").tags == ("Good",)


@pytest.mark.parametrize("tag", daily(["", "two words", 'quo"te', "a,b"], 2))
def test_a_tag_is_a_word(index: RunIndex, tag: str):
    with pytest.raises(InputError, match="one word"):
        index.annotations.tag("x", tag)


def test_a_tag_that_is_not_there_cannot_be_taken_off(index: RunIndex):
    with pytest.raises(InputError, match="it has none"):
        index.annotations.untag(index.find("a").facts.run_id, "good")


def test_links_join_runs_of_one_matrix_one_chip_and_one_origin(index: RunIndex, folder: Path):
    first = index.find("a")
    write(folder / "again.h5", provenance={"rerun_of": first.facts.run_id}, chip='name = "other"')
    write(folder / "on.h5", provenance={"resume_of": first.facts.run_id}, matrix_values=np.ones((2, 2)))
    shutil.copy(folder / "a.h5", folder / "copy.h5")
    index.update()
    links = index.links(first)

    def names(some: tuple[Any, ...]) -> set[str]:
        return {run.path.stem for run in some}

    assert names(links.rerun_by) == {"again"}
    assert names(links.resumed_by) == {"on"}
    assert names(links.same_chip) == {"b"}
    assert names(links.same_matrix) == {"again", "c"}
    assert names(index.links(index.find("again")).rerun_of) == {"a", "copy"}
    assert found(index, f"rerun_of = {first.facts.run_id}") == "again"


def test_a_run_is_found_by_path_name_and_identity(
    index: RunIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    run = index.find(folder / "sub" / "b.h5")
    monkeypatch.chdir(folder.parent)
    for name in ("runs/sub/b.h5", "sub/b.h5", "b.h5", "b", run.facts.run_id, run.facts.run_id[:8]):
        assert index.find(name) == run
    with pytest.raises(RunFileError, match=r"there is no run 'bb' in .*; did you mean b"):
        index.find("bb")
    shutil.copy(folder / "c.h5", folder / "sub" / "a.h5")
    index.update()
    with pytest.raises(RunFileError, match=r"'a' may mean a\.h5 or sub[/\\]a\.h5"):
        index.find("a")
    for name in ("x.h5", "sub/x.h5"):
        (folder / name).write_text("no run")
    index.update()
    with pytest.raises(RunFileError, match=r"'x' may mean sub[/\\]x\.h5 or x\.h5"):
        index.find("x")


@pytest.mark.thorough
def test_several_processes_may_update_one_index_at_once(folder: Path):
    for number in range(30):
        shutil.copy(folder / "a.h5", folder / f"copy-{number}.h5")
    code = "import sys; from mho.runs.index.index import RunIndex\nwith RunIndex(sys.argv[1]) as i: i.update(); i.rebuild()"
    house = Path(card.__file__).parents[3]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder)], env=os.environ | {"PYTHONPATH": str(house)}
        )
        for _ in range(3)
    ]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    with RunIndex(folder) as index:
        assert index.count() == 33
        assert index.update().read == 0


@pytest.mark.thorough
def test_a_query_is_answered_while_another_rebuilds(index: RunIndex, folder: Path):
    for number in range(150):
        shutil.copy(folder / "a.h5", folder / f"copy-{number:03d}.h5")
    index.update()

    def rebuild() -> None:
        with RunIndex(folder) as other:
            other.rebuild()

    worker = threading.Thread(target=rebuild)
    worker.start()
    while worker.is_alive():
        assert index.count("bits>=24") == 151
    worker.join()


def test_a_damaged_index_is_put_aside_and_made_anew(folder: Path, caplog: pytest.LogCaptureFixture):
    with RunIndex(folder) as index:
        index.update()
    (folder / NAME).write_bytes(b"this is no database at all, whatever its name says" * 100)
    with RunIndex(folder) as index:
        index.update()
        assert index.count() == 3
    assert "was damaged" in caplog.text
    assert len(list(folder.glob(f"{NAME}.damaged-*"))) == 1


def test_today_and_yesterday_are_days():
    from mho.runs.index.query import condition

    now = datetime(2026, 3, 1, 17, 30)
    for word, day in (("today", "2026-03-01"), ("yesterday", "2026-02-28")):
        for operator in ("=", "<", ">="):
            by_word, by_date = (condition(f"date{operator}{one}", {}, now) for one in (word, day))
            assert by_word == by_date


def test_an_index_that_cannot_be_opened_stays_where_it_is(tmp_path: Path):
    (tmp_path / NAME).mkdir()
    with pytest.raises(RunFileError, match=r"cannot be opened: .*; see to the disk, or try again"):
        RunIndex(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == [NAME]


def test_who_reads_the_index_stops_nobody_who_writes(tmp_path: Path):
    store = open_store(tmp_path)
    store.execute("PRAGMA busy_timeout = 0")
    reader = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM tags").fetchone() == (0,)
    with store.changing():
        store.execute("INSERT INTO tags VALUES ('run', 'good')")
    assert reader.execute("SELECT count(*) FROM tags").fetchone() == (0,)
    reader.execute("COMMIT")
    assert reader.execute("SELECT count(*) FROM tags").fetchone() == (1,)
    reader.close()
    store.close()


def damage_a_page(folder: Path) -> None:
    """Damage the index of a folder, but for the tag of run a."""
    with RunIndex(folder) as index:
        index.update()
        run = index.find("a")
        index.annotations.tag(run.facts.run_id, "good")
        (page,) = index._store.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs'").fetchone()
        (size,) = index._store.execute("PRAGMA page_size").fetchone()
    with (folder / NAME).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def test_a_rebuild_saves_tags_from_an_index_whose_other_pages_are_damaged(
    folder: Path, caplog: pytest.LogCaptureFixture
):
    damage_a_page(folder)
    with RunIndex(folder) as index:
        with pytest.raises(RunFileError, match="mho runs --rebuild"):
            index.search()
        index.rebuild()
        assert found(index, "tag=good") == "a"
        assert index.count() == 3
    assert "was damaged" in caplog.text


def test_that_a_damaged_index_is_open_elsewhere_is_said_where_that_keeps_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """Windows renames no file that is open."""
    damage_a_page(folder)

    def refuse(draft: Path, target: Path) -> None:
        raise PermissionError(13, "another program has it open")

    monkeypatch.setattr(platforms.here, "replace", refuse)
    told = r"cannot be made anew: .*another program has it open; close what has it open"
    with RunIndex(folder) as index, pytest.raises(RunFileError, match=told):
        index.rebuild()


def test_an_index_of_another_version_is_made_anew_with_its_tags(folder: Path):
    with RunIndex(folder) as index:
        index.update()
        index.annotations.tag(index.find("a").facts.run_id, "good")
    with closing(sqlite3.connect(folder / NAME)) as store, store:
        store.execute("ALTER TABLE runs DROP COLUMN words")
        store.execute("PRAGMA user_version = 999")
    store.close()
    with RunIndex(folder) as index:
        index.update()
        assert found(index, "tag=good and bits>=24") == "a"


def test_a_folder_that_cannot_be_written_is_searched_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    with RunIndex(folder) as index:
        index.update()
        index.annotations.tag(index.find("a").facts.run_id, "good")
    write(folder / "d.h5")
    content = (folder / NAME).read_bytes()
    # As root every folder can be written.
    monkeypatch.setattr("mho.runs.index.store.os.access", lambda path, mode: mode != os.W_OK)
    with RunIndex(folder) as index:
        index.update()
        assert found(index, "") == "a c d b"
        assert found(index, "tag=good") == "a"
        identity = index.find("a").facts.run_id
        for say in (
            lambda: index.annotations.tag(identity, "lost"),
            lambda: index.annotations.untag(identity, "good"),
            lambda: index.annotations.note(identity, "lost"),
        ):
            with pytest.raises(RunFileError, match="cannot be written"):
                say()
    assert (folder / NAME).read_bytes() == content


def test_a_folder_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read all
    with pytest.raises(RunFileError, match="cannot be read"):
        RunIndex(tmp_path)


def test_a_missing_folder_is_said(tmp_path: Path):
    with pytest.raises(RunFileError, match="there is no folder of runs"):
        RunIndex(tmp_path / "nowhere")


def test_the_folder_is_the_one_that_runs_land_in(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MHO_RUNS", "elsewhere")
    assert runs_folder() == Path("elsewhere")
    assert runs_folder("here") == Path("here")
    monkeypatch.delenv("MHO_RUNS")
    assert runs_folder() == Path("data/runs")


def test_a_file_that_another_program_holds_is_looked_at_again(index: RunIndex, folder: Path):
    import fcntl

    write(folder / "held.h5")
    with (folder / "held.h5").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as HDF5 does for a program that writes
        index.update()
        (listed,) = index.search("status=unreadable")
    assert "locked by another program" in listed.reason
    index.update()
    assert found(index, "status=finished") == "a held b"


def test_a_recovered_run_is_itself(
    index: RunIndex, folder: Path, start_child: Callable[[str, Path], subprocess.Popen[str]]
):
    child = start_child("silent", folder / "live.h5")
    child.kill()
    child.wait()
    index.update()
    before = index.find("live")
    index.annotations.tag(before.facts.run_id, "mine")
    recover(folder / "live.h5")
    index.update()
    after = index.find("live")
    assert (after.facts, after.tags, after.status) == (before.facts, ("mine",), "interrupted")
    assert after.duration is not None


@pytest.mark.parametrize("word", ["Solve", "finished", "laser", "keeper", "solve laser"])
def test_a_plain_word_is_searched_in_names_procedure_status_notes_and_tags(
    index: RunIndex, folder: Path, word: str
):
    identity = index.find("a").facts.run_id
    index.annotations.note(identity, "after the laser was moved")
    index.annotations.tag(identity, "keeper")
    assert "a" in {run.path.stem for run in index.search(word)}
    assert not index.search(f"{word} nothing-is-called-so")
