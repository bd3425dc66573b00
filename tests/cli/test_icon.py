"""`mho gui --shortcut`: an icon that opens the window in the folder where it was asked for."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Shell

from mho.platforms import here

FOLDER = r"runs of $5, 100 % \"mine\" & `theirs`" if os.name == "posix" else "runs of $5, 100 % & theirs"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / FOLDER
    made.mkdir()
    monkeypatch.chdir(made)
    return made


@pytest.mark.skipif(sys.platform != "linux", reason="an entry for the menus of Linux")
def test_it_is_put_into_the_menu_of_programs(shell: Shell, folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    code, out, _ = shell("gui", "--shortcut", "--bench", "a bench.toml")
    file = tmp_path / "data/applications/mho.desktop"
    assert (code, out) == (0, f"{file}\n")
    head, *lines = file.read_text("utf-8").splitlines()
    entry = dict(line.split("=", 1) for line in lines)
    assert head == "[Desktop Entry]"
    assert entry["Path"].replace("\\\\", "\\") == str(folder)
    words = shlex.split(entry["Exec"].replace("\\\\", "\\").replace("%%", "%"))
    assert words == [sys.executable, "-P", "-m", "mho", "gui", "--bench", "a bench.toml"]


@pytest.mark.skipif(sys.platform != "linux", reason="an entry for the menus of Linux")
def test_a_word_with_every_sign_comes_back_as_it_was(folder: Path, tmp_path: Path, monkeypatch) -> None:
    """By the rules of the Desktop Entry Specification, which are those of a shell's quotation marks."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (file,) = here.put_icon("x", ["echo", FOLDER], folder)
    (line,) = (one[5:] for one in file.read_text("utf-8").splitlines() if one.startswith("Exec="))
    text = line.replace("\\\\", "\\").replace("%%", "%")
    assert (
        subprocess.run(text, shell=True, capture_output=True, text=True, check=True).stdout == f"{FOLDER}\n"
    )


def test_on_macos_it_is_a_script_on_the_desktop(folder: Path, tmp_path: Path, monkeypatch) -> None:
    from mho.platforms.posix import MacOS

    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "Desktop").mkdir()
    (file,) = MacOS().put_icon("mho", [sys.executable, "-c", "import os; print(os.getcwd())"], folder)
    done = subprocess.run([file], capture_output=True, text=True, check=True)
    assert done.stdout == f"{folder}\n"


@pytest.mark.skipif(os.name != "nt", reason="a shortcut of Windows")
def test_on_windows_it_lies_on_the_desktop_and_in_the_start_menu(folder: Path) -> None:
    import pythoncom
    from win32com.shell import shell

    files = here.put_icon(
        "mho of a test", [sys.executable, "-m", "mho", "gui", "--bench", "a b.toml"], folder
    )
    try:
        assert len(files) == 2
        for file in files:
            link = pythoncom.CoCreateInstance(
                shell.CLSID_ShellLink, None, pythoncom.CLSCTX_INPROC_SERVER, shell.IID_IShellLink
            )
            link.QueryInterface(pythoncom.IID_IPersistFile).Load(str(file))
            assert Path(link.GetPath(0)[0]) == Path(sys.executable)
            assert link.GetArguments() == '-m mho gui --bench "a b.toml"'
            assert Path(link.GetWorkingDirectory()) == folder
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def test_a_place_that_cannot_be_written_to_is_said(
    shell: Shell, folder: Path, tmp_path: Path, monkeypatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(here), "put_icon", refuse)
    assert shell.refused("gui", "--shortcut") == "no icon can be made: Permission denied"
