"""A reader is told of an instrument by its name in the file, and at opening what nothing guards when the computer dies."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from repository import ROOT

import mho
from mho.errors import UnsafeError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.checks import check_bench
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.twins_for_real import stand_in
from mho.instruments.opening.opening import open_bench, open_rehearsal
from mho.instruments.opening.safing import make_bench_safe
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack
from mho.running.rehearsal import rehearse

FOLDER = ROOT / "docs" / "benches"
pytestmark = pytest.mark.usefixtures("own_locks")


@contextmanager
def real(folder: Path, name: str, *changes: tuple[str, str]) -> Iterator[tuple[str, Laboratory]]:
    """Yield a copy of a bench of the docs whose real instruments are twins, and these."""
    for path in FOLDER.iterdir():
        if path.suffix in (".py", ".toml"):
            (folder / path.name).write_bytes(path.read_bytes())
    text = (FOLDER / f"{name}.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "real.toml"
    path.write_text(f'visa = "named@mho"\n{text}', "utf-8")
    lab = Laboratory(stand_in(load_bench_file(str(path))), seed=1)
    register_rack("named", lab)
    try:
        yield str(path), lab
    finally:
        unregister_rack("named")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("two-channels", "no watchdog: if the computer dies, analyser holds its last level"),
        ("microcontroller", "no watchdog: if the computer dies, controller holds its last level"),
        (
            "meter-source-generator",
            "no watchdog: if the computer dies, meter and word_line hold their last level",
        ),
    ],
)
def test_what_no_watchdog_guards_is_named_when_real_instruments_are_opened(name, said, tmp_path, caplog):
    with real(tmp_path, name) as (path, _):
        assert load_bench_file(path).bench.unguarded() == said
        with caplog.at_level(logging.WARNING), open_bench(path):
            pass
        assert f"bench {name}: {said}" in caplog.messages
        caplog.clear()
        with open_rehearsal(load_bench_file(path), seed=1):
            pass
        assert not caplog.messages


def test_a_board_with_a_watchdog_guards_and_one_without_does_not(tmp_path):
    assert load_bench_file("simulated").bench.unguarded() == ""
    text = load_bench_file("simulated").text.replace("watchdog = 2.0", "#")
    (tmp_path / "bench.toml").write_text(text, "utf-8")
    said = load_bench_file(str(tmp_path / "bench.toml")).bench.unguarded()
    assert said == "no watchdog: if the computer dies, smu, gate and daq hold their last level"


def test_what_could_not_be_made_safe_is_named_as_in_the_file(tmp_path, caplog):
    with real(tmp_path, "two-channels") as (path, lab):
        lab.faults.append(Fault("", "disconnect", times=10**6))
        with pytest.raises(
            UnsafeError, match=r"NOT CONFIRMED SAFE: analyser \(smu\) .*; analyser \(gate\) "
        ) as told:
            make_bench_safe(path)
        assert told.value.live == ("smu", "gate")
    assert any(text.startswith("analyser (smu) is not confirmed safe") for text in caplog.messages)


def test_check_rehearsal_and_run_file_name_it_likewise(tmp_path):
    with real(tmp_path, "two-channels") as (path, _):
        findings = check_bench(path).findings
        assert {one.subject: one.title for one in findings} == {
            "bench": "", "smu": "analyser (smu)", "gate": "analyser (gate)",
        }  # fmt: skip
    assert [one.roles for one in rehearse(mho.Read(), path, seed=1).buses] == [
        "analyser (smu), analyser (gate)"
    ]
    with open_rehearsal(load_bench_file(path), seed=1) as bench:
        written = mho.run(mho.Read(), bench, seed=1, output=tmp_path / "read.h5").path
    with mho.open_run(written) as run:
        for settings in (run.instruments, run.settings_after):
            assert settings["smu"]["name"] == "analyser (smu)"
    with open_rehearsal(load_bench_file("simulated"), seed=1) as bench:
        assert "name" not in bench.identities()["smu"]
