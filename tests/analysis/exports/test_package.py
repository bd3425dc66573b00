"""A research package holds what is needed to read, check, repeat and cite its runs, and nothing that was not said."""

from __future__ import annotations

import csv
import json
import re
import shutil
import socket
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import h5py
import numpy as np
import pytest
import run_samples
from command_line import Shell
from run_writers import WriterProcess

from mho import run as run_procedure
from mho.analysis.exports import Description, export, publish
from mho.analysis.exports.package import text_tables
from mho.analysis.exports.package.description import orcid_check_digit
from mho.analysis.reports.run_table import csv_heads, csv_value, row_of, table_of
from mho.errors import InputError, RunFileError
from mho.instruments import open_bench
from mho.procedures import Read
from mho.running.continuing import rerun
from mho.runs import (
    Column,
    Figure,
    Layout,
    Map,
    RecordedParameter,
    RunFile,
    RunHeader,
    RunWriter,
    Table,
    Verdict,
    check_conformance,
    verify,
)
from mho.runs.provenance import file_hash

HOME = "/".join(("", "home", "akeller"))  # the repository holds no path of a machine
SAID = Description.of(
    title="What cells do",
    creators=["Carberry, Josiah <0000-0002-1825-0097> (Brown University)", "The Group"],
    licence="cc-by-4.0",
    keywords=["RRAM", "write-verify"],
    publisher="Zenodo",
    doi="https://doi.org/10.5281/zenodo.1234567",
    paper="10.1038/s41928-025-01477-0",
    day="2026-03-09",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three runs: finished, failed, and one that cannot be read; and one deeper down."""
    folder = tmp_path_factory.mktemp("campaign")
    run_samples.whole_run(folder / "solve.h5")
    run_samples.failed_run(folder / "failed.h5")
    (folder / "below").mkdir()
    run_samples.other_run(folder / "below" / "solve.h5")
    (folder / "damaged.h5").write_bytes((folder / "solve.h5").read_bytes()[:9000])
    return folder


@pytest.fixture(scope="module")
def package(folder: Path) -> Path:
    made = publish([folder], folder.with_name("package"), SAID, figures="none")
    assert len(made.runs) == 3
    (skipped,) = made.skipped
    assert "damaged.h5" in skipped
    assert made.missing == ()
    return made.path


@pytest.fixture(scope="module")
def graph(package: Path) -> dict[str, dict[str, Any]]:
    told = json.loads((package / "ro-crate-metadata.json").read_text("utf-8"))
    assert told["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    entities = {one["@id"]: one for one in told["@graph"]}
    assert len(entities) == len(told["@graph"])
    return entities


def files_of(package: Path) -> set[str]:
    return {file.relative_to(package).as_posix() for file in package.rglob("*") if file.is_file()}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.thorough
def test_every_file_is_in_the_manifest_as_sha256sum_checks_it(package: Path):
    lines = (package / "manifest-sha256.txt").read_text("utf-8").splitlines()
    sums = dict(reversed(line.split("  ", 1)) for line in lines)
    assert set(sums) == files_of(package) - {"manifest-sha256.txt"}
    assert all(file_hash(package / name) == digest for name, digest in sums.items())
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "-c", "--quiet", "manifest-sha256.txt"], cwd=package, check=True)


@pytest.mark.thorough
def test_it_has_runs_tables_figures_bench_chip_definition_and_a_table_of_the_runs(package: Path):
    present = files_of(package)
    assert {
        "README.md", "runs.csv", "datacite.json", "ro-crate-metadata.json", "NXrram_array.nxdl.xml",
        "runs/solve.h5", "runs/solve-2.h5", "runs/failed.h5", "data/solve/cycles.csv", "data/solve/run.json",
        "data/solve-2/points.csv", "bench/simulated.toml", "bench/probe-station.toml", "chip/reference.toml",
    } <= present  # fmt: skip
    with (package / "runs.csv").open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert {row["file"]: row["status"] for row in rows} == {
        "runs/solve.h5": "finished", "runs/solve-2.h5": "finished", "runs/failed.h5": "failed",
    }  # fmt: skip
    measured = table_of([row_of(package / "runs" / "solve.h5")])
    heads = csv_heads(measured, [one for one in measured.columns if "." in one])
    assert {"parameter.bits (bit)"} <= set(heads) <= set(rows[0])
    (of_solve,) = (row for row in rows if row["file"] == "runs/solve.h5")
    told = [str(csv_value(value)) for name, value in measured.rows[0].items() if "." in name]
    assert [of_solve[str(head)] for head in heads] == told


@pytest.mark.thorough
def test_every_run_file_is_sound_and_follows_the_definition(package: Path):
    for path in sorted(package.glob("runs/*.h5")):
        assert verify(path).verdict is Verdict.SOUND
        assert check_conformance(path).conforms


def test_the_crate_describes_each_file_with_type_size_and_hash(
    package: Path, graph: dict[str, dict[str, Any]]
):
    described = {unquote(name): one for name, one in graph.items() if "File" in listed(one["@type"])}
    assert set(described) == files_of(package) - {"ro-crate-metadata.json"}
    for name, one in described.items():
        if name != "manifest-sha256.txt":
            assert one["sha256"] == file_hash(package / name)
            assert one["contentSize"] == str((package / name).stat().st_size)
            assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", one["encodingFormat"])


def test_every_reference_in_the_crate_leads_somewhere(package: Path, graph: dict[str, dict[str, Any]]):
    outside = {"https://w3id.org/ro/crate/1.1"}

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            return (
                [value["@id"]]
                if set(value) == {"@id"}
                else [r for v in value.values() for r in references(v)]
            )
        return [r for one in value for r in references(one)] if isinstance(value, list) else []

    used = {name for one in graph.values() for name in references(one)}
    missing = {name for name in used - set(graph) - outside if not name.startswith("http://schema.org/")}
    assert missing == set()
    # Each file and folder is a part of the whole, directly or by a folder.
    parts = {one["@id"] for one in graph["./"]["hasPart"]}
    parts |= {p["@id"] for name in parts if name.endswith("/") for p in listed(graph[name]["hasPart"])}
    assert {name for name, one in graph.items() if "File" in listed(one["@type"])} <= parts


def test_the_crate_says_what_was_said_of_the_whole(graph: dict[str, dict[str, Any]]):
    root = graph["./"]
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    assert root["name"] == "What cells do"
    assert root["datePublished"] == "2026-03-09"
    assert root["identifier"] == "https://doi.org/10.5281/zenodo.1234567"
    assert root["license"] == {"@id": "https://creativecommons.org/licenses/by/4.0/"}
    josiah, group = (graph[one["@id"]] for one in root["author"])
    assert (josiah["@id"], josiah["familyName"]) == ("https://orcid.org/0000-0002-1825-0097", "Carberry")
    assert graph[josiah["affiliation"]["@id"]] == {
        "@id": "#Brown%20University", "@type": "Organization", "name": "Brown University",
    }  # fmt: skip
    assert group["name"] == "The Group"
    assert "familyName" not in group


def test_the_crate_says_what_was_done_with_what_and_what_came_of_it(graph: dict[str, dict[str, Any]]):
    actions = [graph[one["@id"]] for one in graph["./"]["mentions"]]
    assert {one["@type"] for one in actions} == {"CreateAction"}
    done = next(one for one in actions if {"@id": "runs/solve.h5"} in one["result"])
    failed = next(one for one in actions if {"@id": "runs/failed.h5"} in one["result"])
    assert done["actionStatus"] == {"@id": "http://schema.org/CompletedActionStatus"}
    assert failed["actionStatus"] == {"@id": "http://schema.org/FailedActionStatus"}
    assert failed["error"] == "failed: ValueError: boom"
    assert done["startTime"] <= done["endTime"]
    instruments = [graph[one["@id"]] for one in listed(done["instrument"])]
    assert instruments[0]["name"] == "mho"
    assert instruments[1]["name"] == "bench: simulated"
    assert {"@id": "chip/reference.toml"} in done["object"]
    parameters = {graph[one["@id"]]["name"]: graph[one["@id"]] for one in done["object"] if "#" in one["@id"]}
    assert parameters["bits"]["value"] == 24
    assert parameters["bits"]["unitText"] == "bit"


def test_datacite_has_what_was_said_and_what_the_runs_tell(package: Path):
    told = json.loads((package / "datacite.json").read_text("utf-8"))
    assert told["schemaVersion"] == "http://datacite.org/schema/kernel-4"
    assert told["doi"] == "10.5281/zenodo.1234567"
    assert told["types"]["resourceTypeGeneral"] == "Dataset"
    assert told["publisher"] == {"name": "Zenodo"}
    assert told["publicationYear"] == "2026"
    assert told["creators"][0]["nameIdentifiers"][0]["nameIdentifier"].endswith("0000-0002-1825-0097")
    assert told["creators"][0]["givenName"] == "Josiah"
    assert told["creators"][0]["affiliation"] == [{"name": "Brown University"}]
    assert told["creators"][1] == {"name": "The Group", "nameType": "Personal"}
    assert told["subjects"] == [{"subject": "RRAM"}, {"subject": "write-verify"}]
    assert told["rightsList"][0]["rightsIdentifier"] == "CC-BY-4.0"
    assert told["relatedIdentifiers"][0]["relationType"] == "IsSupplementTo"
    assert {one["dateType"] for one in told["dates"]} == {"Issued", "Collected"}
    assert "application/x-hdf5" in told["formats"]


@pytest.mark.thorough
def test_what_was_not_said_is_left_out_and_asked_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    shell = Shell(tmp_path / "runs", monkeypatch, capsys)
    arguments = ("--to", "folder", "--figures", "none", "-o", tmp_path / "out", "--doi", "10.5281")
    code, out, err = shell("export", folder / "solve.h5", *arguments)
    assert (code, out) == (0, f"{tmp_path / 'out'}\n")
    assert [line.split(" is given")[0] for line in err.splitlines()] == [
        "no creator",
        "no publisher",
        "no licence",
    ]
    told = json.loads((tmp_path / "out" / "datacite.json").read_text("utf-8"))
    assert not {"creators", "publisher", "rightsList", "subjects", "relatedIdentifiers", "doi"} & set(told)
    assert told["prefix"] == "10.5281"
    assert told["titles"] == [{"title": "Solve [bold]4x4[/bold]"}]
    root = next(
        one
        for one in json.loads((tmp_path / "out" / "ro-crate-metadata.json").read_text("utf-8"))["@graph"]
        if one["@id"] == "./"
    )
    assert not {"author", "license", "publisher", "citation", "identifier"} & set(root)
    assert "Not given when the package was made: creators and DOI." in (tmp_path / "out/README.md").read_text(
        "utf-8"
    )
    assert not (tmp_path / "out" / "figures").exists()


@pytest.mark.thorough
def test_a_run_is_in_a_package_once(folder: Path, tmp_path: Path):
    for name in ("a.h5", "b.h5"):
        (tmp_path / name).write_bytes((folder / "solve.h5").read_bytes())
    made = publish([tmp_path], tmp_path / "out", figures="none")
    assert [one.path.name for one in made.runs] == ["a.h5"]
    assert made.skipped == (f"{tmp_path / 'b.h5'} is another copy of the run in {tmp_path / 'a.h5'}",)


def test_the_page_says_what_is_what_and_marks_what_did_not_end_well(package: Path):
    page = (package / "README.md").read_text("utf-8")
    for words in (
        "# What cells do", "**1 of 3 did not come to their end**", "failed: ValueError: boom",
        r"Solve \[bold\]4x4\[/bold\]", "| Precision | 24 bit |", "sha256sum -c manifest-sha256.txt",
        "> Carberry, Josiah; The Group (2026). What cells do. Zenodo. https://doi.org/10.5281/zenodo.1234567",
    ):  # fmt: skip
        assert words in page
    for name in re.findall(r"^\| `([\w./-]+)` \|", page, flags=re.MULTILINE):
        assert (package / name.replace("NAME", "solve")).exists(), name


@pytest.fixture
def personal_run(tmp_path: Path) -> Path:
    header = RunHeader(
        "A sweep",
        "Sweep",
        "1",
        {"file": RecordedParameter(f"{HOME}/x.npy"), "sum": RecordedParameter("=1+1")},
        source='"""By akeller."""\n',
        provenance={"user": "akeller", "host": "probe-pc7", "folder": f"{HOME}/a", "git_diff": "- akeller",
                    "procedure": "own/sweep.py:Sweep", "packages": "numpy==2.0"},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "probe-pc7")
        with RunWriter.create(
            tmp_path / "akeller-1.h5", header, Layout((Table("t", (Column("x"),)),))
        ) as run:
            run.log("INFO", f"akeller on probe-pc7 read {HOME}/x.npy")
            run.set_result({"note": "=cmd()"})
    return tmp_path / "akeller-1.h5"


@pytest.mark.thorough
def test_nothing_personal_is_anywhere_in_a_package_unless_it_is_asked_for(personal_run: Path, tmp_path: Path):
    made = publish([personal_run], tmp_path / "out", figures="each")
    assert made.runs[0].path == PurePosixPath("runs/user-1.h5")
    for path in made.path.rglob("*"):
        told = str(path.relative_to(made.path)).encode() + (path.read_bytes() if path.is_file() else b"")
        assert not re.search(rb"akeller|probe-pc7|/home", told), path
    assert (made.path / "source" / "sweep.py").read_text() == '"""By [user]."""\n'
    assert not (made.path / "environment" / "uncommitted.diff").exists()
    with (made.path / "data" / "user-1" / "run.csv").open(encoding="utf-8", newline="") as text:
        values = {name: value for _, name, value, _ in csv.reader(text)}
    assert (values["sum"], values["note"]) == ("'=1+1", "'=cmd()")

    whole = publish([personal_run], tmp_path / "whole", personal=True, figures="none").path
    assert (whole / "runs" / "akeller-1.h5").read_bytes() == personal_run.read_bytes()
    assert (whole / "environment" / "uncommitted.diff").read_text() == "- akeller"
    assert "withheld" not in (whole / "README.md").read_text("utf-8")


@pytest.mark.thorough
def test_a_run_from_a_package_is_repeated_bit_for_bit(tmp_path: Path):
    with open_bench(seed=5) as bench:
        path = run_procedure(Read(rows="0:2", columns="0:2"), bench, seed=5, output=tmp_path / "read.h5").path
    copy = publish([path], tmp_path / "out", figures="none").path / "runs" / "read.h5"
    assert rerun(copy, output=tmp_path / "again.h5").equal


@pytest.mark.thorough
def test_a_run_whose_writer_was_killed_is_published_as_interrupted(tmp_path: Path):
    writer = WriterProcess(tmp_path / "run.h5")
    writer.tell("program")
    with pytest.raises(InputError, match="still being written"):
        export(tmp_path / "run.h5", "folder", tmp_path / "running")
    assert not (tmp_path / "running").exists()
    assert export(tmp_path / "run.h5", "csv", tmp_path / "live").is_dir()
    writer.kill()
    killed = file_hash(tmp_path / "run.h5")
    folder = publish([tmp_path / "run.h5"], figures="none").path
    assert folder == tmp_path / "run-published"
    with h5py.File(folder / "runs" / "run.h5", "r") as file:
        assert file["entry/publication/original_sha256"].asstr()[()] == killed
    with RunFile(folder / "runs" / "run.h5") as run:
        assert run.status == "interrupted"
    assert "| interrupted: the process" in (folder / "README.md").read_text("utf-8")
    assert not list(folder.glob("runs/.*"))


@pytest.mark.thorough
def test_a_changed_or_damaged_file_is_not_published(folder: Path, tmp_path: Path):
    shutil.copyfile(folder / "solve.h5", tmp_path / "changed.h5")
    with h5py.File(tmp_path / "changed.h5", "r+", libver="latest") as file:
        file["entry/pulses"].attrs["title"] = "better"
    for name, reason in ((tmp_path / "changed.h5", "changed"), (folder / "damaged.h5", "damaged|HDF5")):
        with pytest.raises(RunFileError, match=reason):
            publish([name], tmp_path / "out")
    with pytest.raises(InputError, match="none of 2 run files can be published; the first: "):
        publish([tmp_path / "changed.h5", folder / "damaged.h5"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def sweep(path: Path, slope: float) -> None:
    table = Table("points", (Column("x", "V"), Column("y", "A")), "y", "x")
    figure = Figure("curve", table="points", x="x", y="y")
    layout = Layout((table,), (Map("heat", "K", np.arange(2), np.arange(2)),), figures=(figure,))
    with RunWriter.create(path, RunHeader(f"slope {slope}", "Sweep", "1", {}), layout) as run:
        for x in range(4):
            run.emit("points", x=float(x), y=slope * x)
        run.snapshot("heat", np.ones((2, 2)))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("how", "names"),
    [("each", ["1-curve", "2-curve"]), ("together", ["Sweep-curve"]), (None, ["1-curve", "2-curve"])],
)
def test_figures_are_drawn_one_by_one_or_together(tmp_path: Path, how: str | None, names: list[str]):
    (tmp_path / "runs").mkdir()
    for number in (1, 2):
        sweep(tmp_path / "runs" / f"{number}.h5", 1e-6 * number)
    made = publish([tmp_path / "runs"], tmp_path / "out", figures=how)
    drawn = sorted(one.name for one in made.path.glob("figures/*"))
    assert drawn == [f"{name}.{form}" for name in names for form in ("pdf", "png", "svg")]
    told = json.loads((made.path / "ro-crate-metadata.json").read_text("utf-8"))["@graph"]
    (picture,) = (one for one in told if one["@id"] == f"figures/{names[0]}.svg")
    assert picture["@type"] == ["File", "ImageObject"]
    shown = [one["@id"] for one in listed(picture["about"])]
    assert shown == (["runs/1.h5", "runs/2.h5"] if how == "together" else ["runs/1.h5"])


@pytest.mark.thorough
def test_the_same_runs_give_the_same_package(folder: Path, tmp_path: Path):
    first, second = (
        publish([folder / "solve.h5"], tmp_path / name, SAID, figures="none").path for name in ("a", "b")
    )
    assert files_of(first) == files_of(second)
    for name in files_of(first):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"creators": ["A B <0000-0002-1825-0098>"]}, "the last digit of this ORCID should be 7"),
        ({"creators": ["A B <12>"]}, "an ORCID has 16 digits"),
        ({"creators": ["<0000-0002-1825-0097>"]}, "cannot be read; write 'Family, Given'"),
        ({"creators": ["A B <0000-0002-1825-0097"]}, "cannot be read; write 'Family, Given'"),
        ({"licence": "mine"}, "--license 'mine' is not known here; give one of CC0-1.0, CC-BY-4.0"),
        ({"doi": "zenodo.1"}, "--doi 'zenodo.1' is not a DOI, as 10.5281/zenodo.1234567, or its prefix"),
        ({"paper": "10.1038"}, "--paper '10.1038' is not a DOI"),
        ({"day": "9 March"}, "--date '9 March' is no day; write it as 2026-03-09"),
    ],
)
def test_what_cannot_be_meant_is_refused(said: dict[str, Any], sentence: str):
    with pytest.raises(InputError, match=re.escape(sentence)):
        Description.of(**said)


def test_check_digits_of_orcids_are_those_of_iso_7064():
    for orcid in ("0000-0002-1825-0097", "0000-0001-5109-3700", "0000-0002-1694-233X"):
        assert orcid_check_digit(orcid) == orcid[-1]


def test_a_figure_that_cannot_be_drawn_so_is_said(folder: Path, tmp_path: Path):
    with pytest.raises(
        InputError, match="figures 'all' cannot be drawn so; give one of each, together, none"
    ):
        publish([folder], tmp_path / "out", figures="all")
    assert not (tmp_path / "out").exists()


def test_a_place_without_runs_is_said(tmp_path: Path):
    with pytest.raises(InputError, match="is a folder that holds no run file"):
        publish([tmp_path], tmp_path / "out")
    assert np.size(list(tmp_path.iterdir())) == 0


@pytest.mark.thorough
def test_what_is_large_is_in_the_run_files_only_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "runs").mkdir()
    for number in (1, 2):
        sweep(tmp_path / "runs" / f"{number}.h5", 1e-6 * number)
    monkeypatch.setattr(text_tables, "MOST_VALUES", 20)  # 2 x 4 rows of two columns, 2 maps of 4 cells of 4
    made = publish([tmp_path / "runs"], tmp_path / "out", figures="none")
    assert {name for name in files_of(made.path) if name.startswith("data/")} == {
        f"data/{number}/{name}"
        for number in (1, 2)
        for name in ("points.csv", "run.csv", "log.csv", "run.json")
    }
    page = (made.path / "README.md").read_text("utf-8")
    assert "| Sweep | map | `heat` | 32 |" in page
    assert "`points`" not in page


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("tables", "names"),
    [("all", {"points.csv", "maps/heat.csv"}), ("none", set()), (None, {"points.csv", "maps/heat.csv"})],
)
def test_tables_are_written_as_text_as_asked(tmp_path: Path, tables: str | None, names: set[str]):
    sweep(tmp_path / "1.h5", 1e-6)
    made = publish([tmp_path / "1.h5"], tmp_path / "out", figures="none", tables=tables)
    always = {"run.csv", "log.csv", "run.json"}
    assert {name for name in files_of(made.path) if name.startswith("data/1/")} == {
        f"data/1/{name}" for name in names | always
    }
    assert ("What is in the run files only" in (made.path / "README.md").read_text("utf-8")) == (
        tables == "none"
    )


def test_the_largest_are_left_out_until_the_others_are_few_enough():
    pulses, cycles, target = (
        text_tables.TableKind("Solve", "table", "pulses"),
        text_tables.TableKind("Solve", "table", "cycles"),
        text_tables.TableKind("Solve", "map", "target"),
    )
    counts = {pulses: 700, cycles: 10, target: 90}
    assert text_tables.too_large(counts, 800) == {}
    assert text_tables.too_large(counts, 799) == {pulses: 700}
    assert text_tables.too_large(counts, 99) == {pulses: 700, target: 90}
    assert text_tables.too_large(counts, 0) == counts


def test_tables_that_cannot_be_written_so_are_refused(folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match="tables 'few' cannot be written so; give one of all, none"):
        publish([folder], tmp_path / "out", tables="few")
