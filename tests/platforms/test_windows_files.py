"""What Windows cannot have as a file is said before anything is written; a file that is held is waited for, and named."""

from __future__ import annotations

import os
import threading

import pytest

from mho import platforms
from mho.errors import InputError, RunFileError
from mho.platforms import windows_files
from mho.platforms.windows_files import path_trouble, replace
from mho.runs import Layout, RunHeader, RunWriter, new_run_path
from mho.whole_files import whole_file


class SharingViolation(PermissionError):
    """What Windows says of a file that another program has open."""

    winerror = 32


class Refusal(PermissionError):
    winerror = 1314  # ERROR_PRIVILEGE_NOT_HELD


@pytest.mark.parametrize(
    ("path", "word"),
    [
        (r"C:\runs\a:b.h5", "':'"), ("12:30.h5", "':'"), (r"C:\what?\a.h5", "'?'"), ("a<b.h5", "'<'"), ("a\tb.h5", r"'\t'"),
        (r"C:\runs\nul.h5", "'nul.h5' is the name of a device"), ("COM1", "'COM1' is the name of a device"),
        (r"aux\a.h5", "'aux' is the name of a device"), ("lpt² .h5", "device"),
        (r"C:\runs.\a.h5", "'runs.'"), ("a.h5 ", "'a.h5 '"),
    ],
)  # fmt: skip
def test_a_name_that_windows_cannot_have_is_named(path, word):
    assert word in path_trouble(path, len(path), long_paths=True)


@pytest.mark.parametrize(
    "path",
    [
        r"C:\runs\a.h5", "C:a.h5", r"C:..\a.h5", r"..\a.h5", r".\a.h5",
        r"\\server\share\runs\a.h5", "a b.failed-1.h5", "/x/y.h5",
        "comma.h5", "com10", r"\\?\C:\runs\a.h5", "Ω.h5",
    ],
)  # fmt: skip
def test_all_other_names_are_fine(path):
    assert path_trouble(path, len(path), long_paths=False) == ""


def test_a_path_is_as_long_as_its_draft_s_allows():
    assert "has 240 characters" in path_trouble("a.h5", 240, long_paths=False)
    assert path_trouble("a.h5", 239, long_paths=False) == ""
    assert path_trouble("a.h5", 300, long_paths=True) == ""
    assert path_trouble("\\\\?\\C:\\a.h5", 300, long_paths=False) == ""


def test_a_name_that_the_system_cannot_have_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(
        type(platforms.here), "path_trouble", lambda self, path: path_trouble(path.name, 0, long_paths=True)
    )
    with pytest.raises(
        RunFileError, match=r"no run file .*nul\.h5: 'nul\.h5' is the name of a device .*; choose another"
    ):
        new_run_path("read", tmp_path / "nul.h5")
    with pytest.raises(RunFileError, match=r"12:30\.h5 cannot be created: no name on Windows has a ':'"):
        RunWriter.create(tmp_path / "12:30.h5", RunHeader("t", "P", "1", {}), Layout())
    with (
        pytest.raises(
            InputError, match=r"picture .*a\?\.png cannot be written: no name on Windows has a '\?'"
        ),
        whole_file(tmp_path / "a?.png", "picture"),
    ):
        raise AssertionError("it was begun")
    assert not any(tmp_path.iterdir())


def test_a_file_that_is_held_for_a_moment_is_replaced(tmp_path):
    (tmp_path / "draft").write_text("new", encoding="utf-8")
    (tmp_path / "target").write_text("old", encoding="utf-8")
    tries = []

    def held_twice(draft, target):
        tries.append(draft)
        if len(tries) < 3:
            raise SharingViolation(13, "Sharing violation")
        os.replace(draft, target)

    replace(tmp_path / "draft", tmp_path / "target", held_twice)
    assert (tmp_path / "target").read_text(encoding="utf-8") == "new"
    assert len(tries) == 3


@pytest.mark.parametrize(
    ("error", "waited"), [(SharingViolation, True), (Refusal, False), (PermissionError, False)]
)
def test_a_file_that_stays_held_is_told_after_a_while_and_any_other_refusal_at_once(
    tmp_path, monkeypatch, error, waited
):
    monkeypatch.setattr(windows_files, "PATIENCE", 0.1)
    tries = []

    def refused(draft, target):
        tries.append(draft)
        raise error(13, "No")

    with pytest.raises(PermissionError) as raised:
        replace(tmp_path / "draft", tmp_path / "target", refused)
    assert (len(tries) > 1) is waited
    assert ("another program has it open" in raised.value.strerror) is waited


def test_a_folder_in_the_way_is_not_waited_for(tmp_path):
    tries = []

    def refused(draft, target):
        tries.append(draft)
        raise SharingViolation(13, "No")

    with pytest.raises(SharingViolation):
        replace(tmp_path / "draft", tmp_path, refused)
    assert len(tries) == 1


def test_a_file_that_another_program_holds_is_replaced_when_it_lets_go_or_named(tmp_path):
    """On Windows it is held while it is open; elsewhere this stops nobody."""
    target = tmp_path / "a.txt"
    target.write_text("old", encoding="utf-8")
    viewer = target.open(encoding="utf-8")
    closing = threading.Timer(0.3, viewer.close)
    closing.start()
    with whole_file(target) as draft:
        draft.write_text("new", encoding="utf-8")
    closing.join()
    assert target.read_text(encoding="utf-8") == "new"
    if not platforms.here.renames_open_files:
        with (
            target.open(encoding="utf-8"),
            pytest.raises(InputError, match=r"a\.txt cannot be written: another program has it open"),
            whole_file(target) as draft,
        ):
            draft.write_text("newer", encoding="utf-8")
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]
