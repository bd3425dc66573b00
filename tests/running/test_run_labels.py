"""Sample, operator and project of a run: given by option, environment, queue, campaign or form; absent where not given."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
from command_line import Shell

from mho import run
from mho.analysis.exports import Description, publish
from mho.errors import InputError
from mho.procedures import Read
from mho.running.queue import Order, Queue
from mho.runs import Labels, RunFile, check_conformance, verify
from mho.runs.labels import LONGEST, VARIABLES
from mho.runs.publication import copy_for_publication

GIVEN = Labels("wafer 7, die (3, 4)", "Keller, Anna", 'P-12 "INV"')
CELLS = {"rows": "0:1", "columns": "0:1"}


@pytest.fixture(autouse=True)
def _no_labels_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path / "runs", monkeypatch, capsys)


def labelled_run(path: Path, labels: Labels | None = GIVEN) -> Path:
    run(Read(**CELLS), seed=1, output=path, labels=labels)
    return path


def labels_of(path: Path) -> dict[str, str]:
    with RunFile(path) as file:
        assert {name: file.provenance.get(name) for name in file.labels} == file.labels
        return file.labels


def words(labels: Labels) -> list[str]:
    return [word for name, text in labels.given().items() for word in (f"--{name}", text)]


def test_they_lie_in_a_run_file_where_nexus_has_them(tmp_path: Path):
    path = labelled_run(tmp_path / "a.h5")
    with h5py.File(path, "r") as file:
        entry = file["entry"]
        assert entry["sample"].attrs["NX_class"] == "NXsample"
        assert entry["sample/name"].asstr()[()] == GIVEN.sample
        assert entry["user"].attrs["NX_class"] == "NXuser"
        assert (entry["user/name"].asstr()[()], entry["user/role"].asstr()[()]) == (
            GIVEN.operator,
            "operator",
        )
        assert entry["collection_identifier"].asstr()[()] == GIVEN.project
        assert not {"sample", "operator", "project"} & set(entry["provenance"])
    assert labels_of(path) == GIVEN.given()
    assert check_conformance(path).conforms
    assert verify(path).verdict == "sound"


def test_what_was_not_given_is_absent(tmp_path: Path):
    path = labelled_run(tmp_path / "a.h5", Labels(project="  P-12 ", sample=" "))
    with h5py.File(path, "r") as file:
        assert not {"sample", "user"} & set(file["entry"])
        card = json.loads(file["entry/card"].asstr()[()])["facts"]
    assert labels_of(path) == {"project": "P-12"}
    assert "sample" not in card
    assert "operator" not in card
    assert card["project"] == "P-12"


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("a\nb", r"the sample is 'a\\nb', with a control character in it; write it on one line"),
        ("x" * (LONGEST + 1), "the sample has 201 characters; give a name of at most 200"),
    ],
)
def test_a_label_that_cannot_be_kept_is_refused(label: str, sentence: str, shell: Shell):
    with pytest.raises(InputError, match=sentence):
        Labels(sample=label)
    assert "the sample " in shell.refused("run", "read", "--sample", label)


@pytest.mark.thorough
def test_the_environment_counts_where_none_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
):
    monkeypatch.setenv("MHO_OPERATOR", "Keller, Anna")
    assert labels_of(labelled_run(tmp_path / "a.h5", None)) == {"operator": "Keller, Anna"}
    assert labels_of(labelled_run(tmp_path / "b.h5", Labels(sample="s"))) == {"sample": "s"}
    for name, typed, found in (
        ("c", ["--sample", "s"], {"operator": "Keller, Anna", "sample": "s"}),
        ("d", ["--operator", ""], {}),
        ("e", ["--operator", "Lu, Bo"], {"operator": "Lu, Bo"}),
    ):
        path = tmp_path / f"{name}.h5"
        assert shell("run", "read", "--rows", "0:1", "--columns", "0:1", "--output", path, *typed)[0] == 0
        assert labels_of(path) == found


@pytest.mark.thorough
def test_show_and_runs_tell_them(tmp_path: Path, shell: Shell):
    labelled_run(tmp_path / "runs" / "a.h5")
    labelled_run(tmp_path / "runs" / "b.h5", Labels())
    page = shell("show", tmp_path / "runs" / "a.h5")[1]
    for name, label in GIVEN.given().items():
        assert f"{name} " in page
        assert label in page
    assert "operator" not in shell("show", tmp_path / "runs" / "b.h5")[1]

    def names(*typed: str) -> list[str]:
        code, out, err = shell("runs", "--json", *typed)
        assert (code, err) == (0, "")
        return [one["path"] for one in json.loads(out)]

    for name, label in GIVEN.given().items():
        assert names(f"--{name}", label) == ["a.h5"]
        assert names(f"--{name}", "other") == []
    assert names("--sample", "WAFER 7, die (3, 4)", "--where", "procedure = Read or procedure = x") == [
        "a.h5"
    ]
    assert names("--project", 'a" or "') == []
    assert names("--where", "sample ~ wafer") == ["a.h5"]
    assert names("--where", "not sample") == ["b.h5"]
    (first,) = (one for one in json.loads(shell("runs", "--json")[1]) if one["path"] == "a.h5")
    assert {name: first[name] for name in GIVEN.given()} == GIVEN.given()


@pytest.mark.thorough
def test_a_queued_job_keeps_them_whoever_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
):
    monkeypatch.setenv("MHO_SAMPLE", "die 1")
    assert shell("queue", "add", "read", "--rows", "0:1", "--columns", "0:1", "--operator", "Lu, Bo")[0] == 0
    monkeypatch.setenv("MHO_SAMPLE", "die 2")
    monkeypatch.setenv("MHO_PROJECT", "of the runner")
    job = json.loads(shell("queue", "show", 1, "--json")[1])
    assert {name: job.get(name) for name in VARIABLES} == {
        "sample": "die 1",
        "operator": "Lu, Bo",
        "project": None,
    }
    assert shell("queue", "edit", 1, "--sample", "die 3")[0] == 0
    assert shell("runner", "--drain")[0] == 0
    (path,) = (tmp_path / "runs").glob("*.h5")
    assert labels_of(path) == {"sample": "die 3", "operator": "Lu, Bo"}
    monkeypatch.setenv("MHO_OPERATOR", "Keller, Anna")
    assert shell("queue", "clone", path)[0] == 0  # what was done once is done again, by who does it now
    with Queue(tmp_path / "runs" / "queue.sqlite") as queue:
        assert queue.job(1).order.labels == Labels("die 3", "Lu, Bo")
        assert queue.job(2).order.labels == Labels("die 2", "Keller, Anna", "of the runner")


@pytest.mark.thorough
def test_an_order_without_labels_gets_none_from_the_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
):
    with Queue(tmp_path / "runs" / "queue.sqlite") as queue:
        queue.add(Order("read", CELLS))
    monkeypatch.setenv("MHO_OPERATOR", "of the runner")
    assert shell("runner", "--drain")[0] == 0
    (path,) = (tmp_path / "runs").glob("*.h5")
    assert labels_of(path) == {}


PLAN = 'name = "one"\n[[steps]]\nprocedure = "read"\nparameters = {rows = "0:1", columns = "0:1"}\n'


@pytest.mark.thorough
def test_all_runs_of_a_plan_have_them(tmp_path: Path, shell: Shell):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN, "utf-8")
    assert shell("run", plan, "--output", tmp_path / "one", *words(GIVEN))[0] == 0
    assert shell("campaign", plan, "--workers", 1, "--output", tmp_path / "many", *words(GIVEN))[0] == 0
    assert shell("queue", "add", plan, *words(GIVEN))[0] == 0
    for path in (*tmp_path.glob("one/*.h5"), *tmp_path.glob("many/runs/*.h5")):
        assert labels_of(path) == GIVEN.given()
    with Queue(tmp_path / "runs" / "queue.sqlite") as queue:
        assert [job.order.labels for job in queue.jobs()] == [GIVEN]


def test_a_copy_for_publication_names_the_sample_and_not_the_operator(tmp_path: Path):
    path = labelled_run(tmp_path / "a.h5")
    copy = copy_for_publication(path, tmp_path / "b.h5")
    assert "user/name" in copy.emptied
    assert labels_of(tmp_path / "b.h5") == replace(GIVEN, operator=None).given()
    assert b"Keller" not in (tmp_path / "b.h5").read_bytes()
    assert check_conformance(tmp_path / "b.h5").conforms


@pytest.mark.thorough
@pytest.mark.parametrize("creators", [(), ("Keller, Anna <0000-0002-1825-0097>",)])
def test_a_notebook_takes_them_as_person_sample_and_project(tmp_path: Path, creators: tuple[str, ...]):
    path = labelled_run(tmp_path / "a.h5")

    def graph(name: str, personal: bool) -> dict[str, dict]:
        said = Description.of(creators=creators, day="2026-03-09")
        made = publish([path], tmp_path / name, said, eln=True, personal=personal, figures="none").path
        with zipfile.ZipFile(made) as archive:
            told = json.loads(archive.read(f"{made.stem}/ro-crate-metadata.json"))
        return {one["@id"]: one for one in told["@graph"]}

    entities = graph("whole.eln", True)
    action, experiment = entities["#run-a"], entities["data/a/"]
    person = entities[action["agent"]["@id"]]
    assert (person["@type"], person["familyName"], person["givenName"]) == ("Person", "Keller", "Anna")
    assert person["@id"].startswith("https://orcid.org/") == bool(creators)
    assert experiment["author"] == action["agent"]
    sample = entities[experiment["about"]["@id"]]
    assert (sample["@type"], sample["name"]) == ("Sample", GIVEN.sample)
    assert experiment["about"] in action["object"]
    project = entities[experiment["producer"]["@id"]]
    assert (project["@type"], project["name"]) == ("Project", GIVEN.project)

    meter = next(one for one in entities.values() if one.get("model") == "MODEL 2450")
    day = entities[meter["additionalProperty"]["@id"]]
    assert (day["name"], day["value"]) == ("calibration_date", "2024-10-03")

    withheld = graph("withheld.eln", False)
    assert "agent" not in withheld["#run-a"]
    assert ("author" in withheld["data/a/"]) == bool(creators)
    assert withheld["data/a/"]["about"] == experiment["about"]
