from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import h5py
import numpy as np
import pytest

from mho.runs import collect
from mho.runs.provenance import DIFF_BYTES, git_state, installed_packages


def test_it_says_what_is_needed_to_repeat_the_run() -> None:
    found = collect(7, ["mho", "solve", "a matrix.npy"])
    assert found["seed"] == "7"
    assert found["command_line"] == "mho solve 'a matrix.npy'"
    assert found["python"].endswith(".".join(map(str, sys.version_info[:3])))
    packages = found["packages"].split("\n")
    assert f"numpy=={np.__version__}" in packages
    assert f"h5py=={h5py.__version__}" in packages
    assert found["mho_version"][0].isdigit()
    assert all(found[name] for name in ("platform", "host", "user", "time_zone"))
    assert collect(None, [])["seed"] == ""


def test_no_metadata_is_opened_but_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of all packages takes seconds."""
    opened, read = [], PathDistribution.read_text
    monkeypatch.setattr(
        PathDistribution, "read_text", lambda one, name: opened.append(one) or read(one, name)
    )
    collect(1, sys.argv)
    assert len({str(one._path) for one in opened}) <= 1


def test_the_first_package_on_the_path_counts(tmp_path: Path) -> None:
    for folder, version in (("a", "2.0"), ("b", "1.0")):
        (tmp_path / folder / f"some_thing-{version}.dist-info").mkdir(parents=True)
    assert installed_packages([str(tmp_path / "a"), str(tmp_path / "b"), "no-such-folder"]) == [
        "some_thing==2.0"
    ]


def git(house: Path, *command: str) -> None:
    subprocess.run(
        ["git", "-C", house, "-c", "user.name=n", "-c", "user.email=e@x", *command],
        check=True,
        capture_output=True,
    )


def test_a_checkout_tells_its_commit_and_what_was_changed_since(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "a.py").write_text("old\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    (tmp_path / "a.py").write_text("new Ω\n")
    (tmp_path / "b.py").write_text("untracked\n")
    state = git_state(tmp_path)
    assert len(state["git_commit"]) == 40
    assert "-old\n+new Ω" in state["git_diff"]
    assert state["git_status"] == " M a.py\n?? b.py"

    (tmp_path / "a.py").write_text("Ω" * DIFF_BYTES)
    diff = git_state(tmp_path)["git_diff"]
    assert diff.endswith("…")
    assert len(diff.encode()) <= DIFF_BYTES


def test_a_checkout_without_commits_is_no_trouble(tmp_path: Path) -> None:
    git(tmp_path, "init")
    assert "git_commit" not in git_state(tmp_path)


def test_without_git_or_checkout_there_is_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path) == {}
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == {}
