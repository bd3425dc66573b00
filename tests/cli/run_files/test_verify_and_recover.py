"""`mho verify` and `mho recover` on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from repository import SUPPORT

from mho.runs import Column, Layout, RunHeader, RunWriter, Table

LAYOUT = Layout((Table("reads", (Column("current", "A"),), "current", "current"),))
LEAVE = """
import sys, psutil
sys.path[:0] = {paths!r}
from test_verify_and_recover import write
run = write({path!r})
run.flush()
psutil.Process().kill()
"""


def write(path: str) -> RunWriter:
    run = RunWriter.create(path, RunHeader("t", "P", "1", {}), LAYOUT)
    run.emit("reads", current=1.0)
    return run


@pytest.fixture
def sound(tmp_path):
    with write(tmp_path / "sound.h5"):
        pass
    return tmp_path / "sound.h5"


@pytest.fixture
def killed(tmp_path):
    script = LEAVE.format(paths=[str(Path(__file__).parent), str(SUPPORT)], path=str(tmp_path / "killed.h5"))
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode
    return tmp_path / "killed.h5"


def test_sound_files_exit_with_0(shell, sound):
    code, out, err = shell("verify", sound)
    assert (code, err) == (0, "")
    assert "sound.h5" in out
    assert "finished" in out


@pytest.mark.thorough
def test_one_bad_file_among_others_is_named_and_exits_with_1(shell, sound, killed, tmp_path):
    (tmp_path / "text.h5").write_text("voltage,current\n")
    code, out, _ = shell("verify", sound, killed, tmp_path / "text.h5", tmp_path / "nowhere.h5", "--json")
    assert code == 1
    found = json.loads(out)
    assert [one["verdict"] for one in found] == ["sound", "interrupted", "unreadable", "unreadable"]
    assert [one["status"] for one in found] == ["finished", "interrupted", "", ""]
    assert "not an HDF5 file" in found[2]["findings"][0]
    assert found[0]["path"] == str(sound)


def test_what_was_changed_is_said(shell, sound):
    with h5py.File(sound, "r+", libver="latest") as file:
        file["entry/reads/current"][0] = 2.0
    code, out, _ = shell("verify", sound)
    assert code == 1
    assert "changed" in out
    assert "/entry/reads/current" in out.replace("\n", "")


@pytest.mark.thorough
def test_recover_makes_a_killed_run_sound(shell, killed, sound):
    code, out, err = shell("recover", killed, sound)
    assert (code, err) == (0, "")
    assert out.splitlines() == [f"{killed}  recovered", f"{sound}  needs no recovery"]
    assert shell("verify", killed)[0] == 0
    with h5py.File(killed, "r") as file:
        assert file["entry/status"].asstr()[()] == "interrupted"


def test_recover_goes_on_after_a_file_it_cannot_recover(shell, killed, tmp_path):
    code, out, err = shell("recover", tmp_path / "nowhere.h5", killed)
    assert code == 1
    assert err.startswith("mho: there is no run file")
    assert out == f"{killed}  recovered\n"


@pytest.mark.parametrize("verb", ["verify", "recover"])
def test_without_a_file_there_is_nothing_to_do(shell, verb):
    code, _, err = shell(verb)
    assert code == 2
    assert "runs" in err.lower()
