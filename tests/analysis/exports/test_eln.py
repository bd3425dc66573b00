"""An ``.eln`` file follows the ELN Consortium's specification, as a reader sees it that knows nothing of its writer."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import pytest
import run_samples
from command_line import Shell

from mho.analysis.exports import Description, export, publish
from mho.analysis.exports.package import pictures
from mho.errors import InputError

METADATA = "ro-crate-metadata.json"
SAID = Description.of(
    creators=["Carberry, Josiah <0000-0002-1825-0097>"], keywords=["RRAM", "INV"], day="2026-03-09"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("week") / "runs"
    folder.mkdir()
    run_samples.whole_run(folder / "solve.h5")
    run_samples.failed_run(folder / "failed.h5")
    return folder


@pytest.fixture(scope="module")
def file(folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "PICTURES", ("png",))  # the other forms take two thirds of the time
        return publish([folder], folder.parent / "week 12.eln", SAID, eln=True).path


class Crate:
    """What a notebook takes from an ``.eln`` file.

    Raises
    ------
    AssertionError
        The file breaks a MUST of the specification (commit 401e7aa, 2026-08-20) or of RO-Crate 1.1 below it.
    """

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            assert len(set(names)) == len(names)
            for name in map(PurePosixPath, names):
                assert not name.is_absolute(), name
                assert not {"..", "."} & set(name.parts), name
                assert "\\" not in str(name)
                assert len(name.parts) > 1, f"{name} lies beside the root folder"
            (self.root,) = {PurePosixPath(name).parts[0] for name in names}
            self.files = {name.partition("/")[2]: archive.read(name) for name in names}
        told = json.loads(self.files[METADATA])
        assert "https://w3id.org/ro/crate/1.1/context" in told["@context"]
        self.entities: dict[str, dict[str, Any]] = {one["@id"]: one for one in told["@graph"]}
        assert len(self.entities) == len(told["@graph"])
        assert all(one["@type"] for one in told["@graph"])
        self._check_descriptor()
        self._check_references()
        self._check_parts()

    def _check_descriptor(self) -> None:
        described = self.entities[METADATA]
        assert described["@type"] == "CreativeWork"
        assert described["about"] == {"@id": "./"}
        assert described["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
        assert self.entities[described["sdPublisher"]["@id"]]["@type"] == "Organization"
        assert self.entities["./"]["@type"] == "Dataset"
        assert {"name", "datePublished"} <= set(self.entities["./"])

    def _check_references(self) -> None:
        outside = re.compile(r"https://w3id\.org/ro/crate/|http://schema\.org/\w+Status$")
        for entity in self.entities.values():
            for value in entity.values():
                for one in value if isinstance(value, list) else [value]:
                    assert not isinstance(one, dict) or set(one) == {"@id"}, "entities are not nested"
                    if isinstance(one, dict):
                        assert one["@id"] in self.entities or outside.match(one["@id"]), one

    def _check_parts(self) -> None:
        """Each part of the whole is there, with the hash and size it has; and everything there is a part."""
        reached, left = set(), [one["@id"] for one in self.entities["./"]["hasPart"]]
        while left:
            part = self.entities[left.pop()]
            reached.add(part["@id"])
            kinds = part["@type"] if isinstance(part["@type"], list) else [part["@type"]]
            assert part["name"]
            if "Dataset" in kinds:
                assert part["@id"].endswith("/")
                assert any(name.startswith(unquote(part["@id"])) for name in self.files)
                left += [one["@id"] for one in part["hasPart"]]
                continue
            assert "File" in kinds
            content = self.files[unquote(part["@id"])]
            assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", part["encodingFormat"])
            if "sha256" in part:
                assert part["sha256"] == hashlib.sha256(content).hexdigest()
                assert part["contentSize"] == str(len(content))
                datetime.fromisoformat(part["dateCreated"])
        files = {name for name, one in self.entities.items() if "File" in one["@type"]}
        assert files <= reached
        assert {unquote(name) for name in files} == set(self.files) - {METADATA}
        unhashed = {name for name in files if "sha256" not in self.entities[name]}
        assert unhashed == {
            "manifest-sha256.txt"
        }  # which holds the hash of the metadata, as they hold those of all

    def experiments(self) -> list[dict[str, Any]]:
        """Return what a notebook takes in: the datasets that are directly in the whole."""
        parts = (self.entities[one["@id"]] for one in self.entities["./"]["hasPart"])
        return [one for one in parts if one["@type"] == "Dataset"]


@pytest.mark.thorough
def test_it_follows_the_specification(file: Path):
    crate = Crate(file)
    assert crate.root == file.stem
    assert crate.entities["./"]["keywords"] == "RRAM, INV"  # a text: notebooks take no list


@pytest.mark.thorough
def test_each_run_is_an_experiment_with_author_times_settings_and_its_files(file: Path):
    crate = Crate(file)
    by_name = {one["@id"]: one for one in crate.experiments()}
    assert set(by_name) == {"data/solve/", "data/failed/"}
    solve, failed = by_name["data/solve/"], by_name["data/failed/"]
    assert crate.entities[solve["author"]["@id"]]["familyName"] == "Carberry"
    assert datetime.fromisoformat(solve["dateCreated"]) <= datetime.fromisoformat(solve["dateModified"])
    assert "failed: ValueError: boom" in failed["text"]
    settings = {crate.entities[one["@id"]]["propertyID"] for one in solve["variableMeasured"]}
    assert "bits" in settings
    parts = {one["@id"] for one in solve["hasPart"]}
    assert {"runs/solve.h5", "data/solve/run.json", "data/solve/cycles.csv"} <= parts
    assert any(name.startswith("figures/solve-") for name in parts)
    assert "runs/failed.h5" not in parts


@pytest.mark.thorough
def test_a_single_part_stays_a_list(folder: Path, tmp_path: Path):
    made = Crate(publish([folder / "solve.h5"], tmp_path / "one.eln", eln=True, figures="none").path)
    for entity in made.entities.values():
        assert isinstance(entity.get("hasPart", []), list)
    assert [one["@id"] for one in made.experiments()] == ["data/solve/"]
    assert "author" not in made.experiments()[0]


@pytest.mark.thorough
def test_the_same_runs_give_the_same_bytes(folder: Path, tmp_path: Path):
    first, second = (tmp_path / name / "one.eln" for name in ("a", "b"))
    for path in (first, second):
        publish([folder / "solve.h5"], path, SAID, eln=True, figures="none")
    assert first.read_bytes() == second.read_bytes()
    assert [one.name for one in first.parent.iterdir()] == ["one.eln"]


@pytest.mark.thorough
def test_export_writes_it_beside_the_run_and_the_command_where_it_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    shell = Shell(tmp_path / "runs", monkeypatch, capsys)
    code, out, _ = shell(
        "export", folder, "--eln", tmp_path / "week.eln", "--figures", "none", "--title", "Week 12"
    )
    assert (code, out) == (0, f"{tmp_path / 'week.eln'}\n")
    assert Crate(tmp_path / "week.eln").entities["./"]["name"] == "Week 12"
    assert export(folder / "failed.h5", "eln") == folder / "failed.eln"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "eln", "--output", "week.zip"], "week.zip would not be taken for a file of lab notebooks"),
        (["--to", "csv", "--eln", "a.eln"], "--eln and --to csv ask for 2 forms; give one of them"),
        (["--spice", "--to", "csv"], "--spice and --to csv ask for 2 forms; give one of them"),
        (["--eln", "a.eln", "--output", "b.eln"], "--eln a.eln and --output b.eln name two files"),
        (
            ["--to", "csv", "--title", "x"],
            "--title would describe a package; give --to folder or eln for one",
        ),
        (["--eln", "there.eln"], "there.eln exists already and is never overwritten"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_one_sentence(
    folder: Path, tmp_path: Path, words: list[str], sentence: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.eln").touch()
    assert sentence in Shell(tmp_path / "runs", monkeypatch, capsys).refused(
        "export", folder / "solve.h5", *words
    )
    assert [one.name for one in tmp_path.iterdir()] == ["there.eln"]


def test_nothing_is_left_of_a_package_that_cannot_be_zipped(folder: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written: .*; choose another output"):
        publish([folder / "solve.h5"], tmp_path / "file" / "a.eln", eln=True, figures="none")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
