"""The table of tests that are skipped on Windows: what each entry names is there, is skipped there alone, and says why."""

from __future__ import annotations

import os
import subprocess
import sys

import elsewhere
import pytest
from repository import ROOT, SUPPORT, TESTS

ENTRIES = [name for kind in elsewhere.entries().values() for name in kind]


def test_every_entry_is_of_one_kind_and_has_a_reason_of_one_sentence():
    assert set(elsewhere.entries()) == {"posix", "wine"}
    assert len(ENTRIES) == len(set(ENTRIES))
    for kind in elsewhere.entries().values():
        assert [why for why in kind.values() if not why.endswith(".") or len(why.split()) < 4] == []


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="there the tests of the table are skipped")
def test_every_entry_is_a_test_that_there_is():
    files = sorted({name.partition("::")[0] for name in ENTRIES})
    listing = [sys.executable, "-m", "pytest", "-n", "0", "-m", "", "--collect-only"]
    collected = subprocess.run(
        [*listing, *(str(TESTS / file) for file in files)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    nodes = {line.removeprefix("tests/") for line in collected.splitlines() if "::" in line}
    known = nodes | {node.partition("[")[0] for node in nodes} | {node.partition("::")[0] for node in nodes}
    assert sorted(set(ENTRIES) - known) == []


@pytest.mark.parametrize(
    ("node", "why"),
    [
        ("tests/a/test_a.py::test_a", "a"),
        ("tests/a/test_a.py::test_a[x]", "a"),
        ("tests/a/test_a.py::test_b[x-::-[y]]", "b"),
        ("tests/a/test_a.py::test_b[y]", None),
        ("tests/a/test_a.py", None),
        ("tests/b/test_b.py", "all"),
        ("tests/b/test_b.py::TestB::test_b", "all"),
    ],
)
def test_the_reason_of_a_test_is_its_own_or_that_of_its_file(monkeypatch, node, why):
    table = {"a/test_a.py::test_a": "a", "a/test_a.py::test_b[x-::-[y]]": "b", "b/test_b.py": "all"}
    monkeypatch.setattr(elsewhere, "reasons", lambda: table)
    assert elsewhere.reason(node) == why


SKIPPED = """
import sys, elsewhere, pytest
elsewhere.reasons = lambda: {"test_whole.py": "no such module.", "test_single.py::test_skipped": "no such thing."}
sys.exit(pytest.main(["-q", "-rs", "-p", "no:cacheprovider", "-c", "own.ini"], plugins=[elsewhere]))
"""


def test_what_is_in_the_table_is_skipped_with_its_reason_and_not_imported(tmp_path):
    (tmp_path / "own.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "test_whole.py").write_text("import no_such_module\n", encoding="utf-8")
    (tmp_path / "test_single.py").write_text(
        "def test_skipped(): assert 0\ndef test_run(): pass\n", encoding="utf-8"
    )
    told = subprocess.run(
        [sys.executable, "-c", SKIPPED], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(SUPPORT)},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "1 passed, 2 skipped" in told
    assert "no such module." in told
    assert "no such thing." in told
