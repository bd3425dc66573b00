"""A copy to be published has nothing in it that names a person, a computer or its folders; all else is as it was."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest
import run_samples
from daily import daily
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import RunFileError
from mho.runs import (
    Array,
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
from mho.runs.index.card import read_card
from mho.runs.integrity import compare_runs
from mho.runs.provenance import file_hash, text_hash
from mho.runs.publication import PersonalNames, copy_for_publication, personal_names
from mho.runs.publication.copying import in_code, in_json
from mho.runs.reading import open_run_file

HOMES, USERS = "/".join(("", "home")), "\\".join(("C:", "Users"))  # the repository holds no path of a machine
USER, HOST, HOME = "akeller", "probe-pc7", f"{HOMES}/akeller"
SOURCE = f"""\
'''Sweep, by akeller.'''

import mho

akeller = 3  # the name of a variable stays
PATH = "{HOME}/x.npy"
"""
CHIP = '# measured by Akeller on probe-pc7\nname = "chip of akeller"\nmax = 3\n'
SETTINGS = {"trigger": "/Dev1/ao/StartTrigger", "file": f"{USERS}\\akeller\\wave.bin", "nplc": "1"}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose every text names somebody."""
    path = tmp_path_factory.mktemp("publication") / "run.h5"
    header = RunHeader(
        "Sweep of akeller on probe-pc7",
        "Sweep",
        "1",
        {
            "matrix": RecordedParameter(f"{HOME}/data/m.npy", "", "Matrix of akeller"),
            "volts": RecordedParameter(0.2, "V", "Volts"),
            "note": RecordedParameter("as on probe-pc7.lab.example"),
        },
        source=SOURCE,
        bench=f'name = "akeller\'s"\naddress = "TCPIP0::probe-pc7::INSTR"\nfile = "{HOME}/b.toml"\n',
        chip=CHIP,
        cells="a[0:2, 0:2]",
        instruments={"daq": {"identity": "NI,6363,0210D101,1", **SETTINGS}},
        provenance={
            "host": "probe-pc7.lab.example",
            "user": USER,
            "folder": f"{HOME}/my runs",
            "command_line": f"{HOME}/.venv/bin/mho run sweep",
            "git_diff": "- akeller",
            "git_status": " M akeller.py",
            "git_commit": "a" * 40,
            "seed": "7",
            "packages": "numpy==2.0",
            "procedure": "own.py:Sweep",
            "after": f"{HOME}/my runs/first.h5",
        },
    )
    layout = Layout(
        (
            Table(
                "points",
                (Column("voltage", "V", description="set by akeller"), Column("wave", "A", shape=(600,))),
                "voltage",
                "voltage",
                title="points of akeller",
            ),
        ),
        (Map("heat", "K", np.arange(2), np.arange(2), title="heat on probe-pc7"),),
        (Array("matrix", np.eye(2), "S", "the matrix of akeller"),),
        figures=(Figure("points", "as akeller likes it", table="points", x="voltage", y="voltage"),),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "probe-pc7.lab.example")
        with RunWriter.create(path, header, layout) as run:
            for index in range(3):
                run.emit("points", voltage=index * 0.1, wave=np.full(600, 1e-6 * index))
            run.snapshot("heat", np.full((2, 2), 300.0))
            run.log("INFO", f"read {HOME}/data/m.npy and /data/keller/x.npy on probe-pc7")
            run.log("WARNING", "x" * 1018 + " akeller was here " + "y" * 1500)  # cut within the name
            run.set_result({"file": f"{HOME}/out.csv", "by": USER, "found": 0.1, "list": [USER, 2]})
    return path


@pytest.fixture(scope="module")
def copied(original: Path) -> Path:
    target = original.with_name("copy.h5")
    copy_for_publication(original, target)
    return target


@pytest.mark.parametrize(
    "name", daily(["akeller", "Akeller", "probe-pc7", "/home", "my runs", "lab.example"], 3)
)
def test_not_one_byte_of_a_name_is_left(original: Path, copied: Path, name: str):
    assert name.encode() in all_bytes(original)
    assert name.encode() not in all_bytes(copied).replace(SOURCE.splitlines()[4].encode(), b"")


def all_bytes(path: Path) -> bytes:
    """Return the bytes of a file, and those of all values that are compressed in it."""
    found = [path.read_bytes()]
    with h5py.File(path) as file:
        file.visititems(
            lambda _, item: found.append(item[()].tobytes()) if isinstance(item, h5py.Dataset) else None
        )
    return b"".join(found)


def test_it_is_sound_follows_the_definition_and_says_what_it_is_a_copy_of(original: Path, copied: Path):
    assert verify(copied).verdict is Verdict.SOUND
    assert verify(copied).findings == ()
    assert check_conformance(copied).conforms
    identity = read_card(original).facts.run_id
    assert read_card(copied).facts.run_id == identity
    with h5py.File(copied) as file:
        said = {name: item.asstr()[()] for name, item in file["entry/publication"].items()}
    assert said["run_id"] == identity
    assert said["original_sha256"] == file_hash(original)
    assert "left empty: " in said["withheld"]
    assert "provenance/user" in said["withheld"]
    assert "log/message" in said["withheld"]


def test_data_are_bit_for_bit_as_they_were(original: Path, copied: Path):
    differing = {one.name for one in compare_runs(original, copied) if not one.equal}
    assert differing == {"log", "result", "instruments"}  # which have words of akeller
    with closing(open_run_file(original)) as old, closing(open_run_file(copied)) as new:
        for name in ("points/voltage", "points/wave", "maps/heat/value", "arrays/matrix/value"):
            one, two = old[f"entry/{name}"], new[f"entry/{name}"]
            assert one[()].tobytes() == two[()].tobytes()
            assert dict(one.attrs).keys() == dict(two.attrs).keys()
            assert one.attrs["units"] == two.attrs["units"]


def test_what_is_kept_reads_as_before(original: Path, copied: Path):
    with RunFile(original) as old, RunFile(copied) as new:
        assert new.title == "Sweep of [user] on [host]"
        assert new.parameters["volts"] == old.parameters["volts"]
        assert new.parameters["matrix"].value == "m.npy"
        assert new.parameters["note"].value == "as on [host]"
        assert new.provenance["user"] == new.provenance["command_line"] == new.provenance["git_diff"] == ""
        assert new.provenance["seed"] == "7"
        assert new.provenance["packages"] == "numpy==2.0"
        assert new.provenance["after"] == "first.h5"
        assert new.bench == 'name = "[user]\'s"\naddress = "TCPIP0::[host]::INSTR"\nfile = "[home]/b.toml"\n'
        assert new.chip == '# measured by [user] on [host]\nname = "chip of [user]"\nmax = 3\n'
        assert new.instruments["daq"]["trigger"] == "/Dev1/ao/StartTrigger"
        assert new.instruments["daq"]["identity"] == "NI,6363,0210D101,1"
        assert new.instruments["daq"]["file"] == "[home]\\wave.bin"
        assert new.summary == {"file": "out.csv", "by": "[user]", "found": 0.1, "list": ["[user]", 2]}
        assert "akeller = 3" in new.source
        assert new.figures[0].title == "as [user] likes it"
        assert new.figures[0].x == "voltage"
        first, *rest = new.log()
        assert first.message == "read m.npy and x.npy on [host]"
        assert len(rest) == len(old.log()) - 1
        assert " [user] was here " in "".join(one.message.removeprefix("…") for one in rest)
    with h5py.File(copied) as file:
        assert file["entry/chip/sha256"].asstr()[()] == text_hash(new_text(file, "chip/map"))
        assert file["entry/procedure/source_sha256"].asstr()[()] == text_hash(
            new_text(file, "procedure/source")
        )
        assert json.loads(new_text(file, "card"))["facts"]["chip_hash"] == text_hash(
            new_text(file, "chip/map")
        )


def new_text(file: h5py.File, name: str) -> str:
    return bytes(np.ravel(file[f"entry/{name}"][()])[0]).decode()


def test_a_copy_of_a_copy_still_names_the_first(copied: Path, tmp_path: Path):
    copy_for_publication(copied, tmp_path / "again.h5")
    with h5py.File(copied) as one, h5py.File(tmp_path / "again.h5") as two:
        for name in ("run_id", "original_sha256"):
            assert one[f"entry/publication/{name}"][()] == two[f"entry/publication/{name}"][()]


def test_a_file_of_before_gets_the_card_that_it_lacks_and_the_definition_that_it_follows(tmp_path: Path):
    old = run_samples.whole_run(tmp_path / "old.h5")
    with h5py.File(old, "r+", libver="latest") as file:
        del file["entry/card"]
        del file["entry/definition"]
    with h5py.File(run_samples.seal_again(old), "r+", libver="latest") as file:
        file["entry/seal"].attrs["NX_class"] = "NXcollection"
    identity = read_card(old).facts.run_id
    copy_for_publication(old, tmp_path / "copy.h5")
    assert read_card(tmp_path / "copy.h5").facts.run_id == identity
    assert check_conformance(tmp_path / "copy.h5").conforms


def test_a_table_in_the_way_is_said_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mho.runs.writing.structure._ENTRY", set())
    table = Table("publication", (Column("x"),))
    with RunWriter.create(tmp_path / "run.h5", RunHeader("t", "p", "1", {}), Layout((table,))):
        pass
    with pytest.raises(RunFileError, match="has a table 'publication'"):
        copy_for_publication(tmp_path / "run.h5", tmp_path / "copy.h5")
    assert not (tmp_path / "copy.h5").exists()


def test_accounts_that_name_nobody_and_short_names_stay():
    names = personal_names({"user": "root", "host": "localhost", "folder": "/root"})
    assert names == PersonalNames()
    assert names.withheld("the root of x, on localhost, 2026/03/09, 3 V/s, http://a.org/b/c") == (
        "the root of x, on localhost, 2026/03/09, 3 V/s, http://a.org/b/c"
    )


NAMES = personal_names(
    {"user": "max", "host": "lab-2", "folder": r"D:\data\max", "command_line": f"{USERS}\\max.m\\x.exe"}
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("max and Max, not maximum or max2", "[user] and [user], not maximum or max2"),
        ("max_sweep.h5, max.m", "[user]_sweep.h5, [user]"),
        ("on lab-2: ok, lab-23", "on [host]: ok, lab-23"),
        (r"see D:\data\max\runs\a.h5", r"see runs\a.h5"),
        (r"see E:\other\place\a.h5", "see a.h5"),
        ("/srv/group/2026/a.h5, then", "a.h5, then"),
        (f"{HOMES}/eva", "[home]"),
        (f"file://{HOMES}/eva/a.h5", "file://[home]/a.h5"),
        ("/dev/ttyUSB0 and ASRL/dev/ttyUSB0::INSTR", "/dev/ttyUSB0 and ASRL/dev/ttyUSB0::INSTR"),
        ("/entry/pulses/time was changed", "/entry/pulses/time was changed"),
    ],
)
def test_names_are_whole_words_and_paths_lose_their_folders(text: str, kept: str):
    assert NAMES.withheld(text) == kept


def test_in_code_only_comments_and_strings_have_words_of_people():
    text = 'def max(a):  # max\n    """By max."""\n    return max(a, "max", \'max\')\n'
    assert in_code(text, NAMES.withheld) == (
        'def max(a):  # [user]\n    """By [user]."""\n    return max(a, "[user]", \'[user]\')\n'
    )


def test_in_json_only_values_have():
    text = '{"max": "max", "more": ["max", {"y": 1e-06}]}'
    assert json.loads(in_json(text, NAMES.withheld)) == {"max": "[user]", "more": ["[user]", {"y": 1e-06}]}
    assert in_json('{"max":  1}', NAMES.withheld) == '{"max":  1}'
    assert json.loads(in_json('{"title": "max", "x": "max"}', NAMES.withheld, ("title",))) == {
        "title": "[user]",
        "x": "max",
    }


@given(st.text(st.sampled_from("max /\\:.lab-2_\"'#\n"), max_size=60))
def test_whatever_the_text_no_name_stays_and_twice_is_once(text: str):
    kept = NAMES.withheld(text)
    assert NAMES.withheld(kept) == kept
    words = kept.replace("_", " ").replace("[user]", " ").replace("[host]", " ")
    assert not {"max"} & set("".join(mark if mark.isalnum() else " " for mark in words).split())
