"""``mho projection``: what it prints, writes and refuses."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import Shell
from daily import daily

from mho.extensions.projection import PUBLISHED
from mho.runs import RunFile


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "runs", monkeypatch, capsys)


def refused(shell: Shell, *arguments: object) -> str:
    code, out, err = shell("projection", *arguments)
    assert code == 2
    assert not out
    assert len(err.splitlines()) == 1, err
    assert not list(shell.folder.glob("*.h5"))
    return str(err)


@pytest.mark.thorough
def test_it_prints_every_reading_the_assumptions_and_where_a_thousand_comes_from(shell: Shell) -> None:
    code, out, err = shell("projection", "--draws", 20)
    assert code == 0, err
    for words in (
        "32 unknowns, published assumptions", "128 unknowns", "one circuit of 32 lines, A written",
        "writes a new A each time",
        "one GPU core, as published", "whole GPU, new A, data sheet", "whole GPU, A kept, data sheet", "770 M/s", "909 nJ",
        "13.1 G/s", "53.5 nJ", "103 nJ", "in energy never", '"1,000 times": one loop of 128 lines', "16,896 cores",
        "the published throughput, N = 4 to 128, is met within 0.3 %", *PUBLISHED,
        "32 unknowns, beside FP64; the circuit has 24 bits", "GH200 in emulated FP64, A kept",
        "H100 in FP64 on tensor cores, new A",
        "energy with faster amplifiers", "-0.25 %", "+0.43 %",
    ):  # fmt: skip
        assert words in out, words


@pytest.mark.thorough
def test_its_run_file_is_shown_drawn_and_reported_as_any_other(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    assert shell("projection", "--size", 16, "--draws", 20, "--seed", 4, "--output", path)[0] == 0
    with RunFile(path) as run:
        assert run.procedure == "Projection"
        assert run.seed == 4
        assert run.parameters["inv_time"].value == 120e-9
        assert run.parameters["inv_time"].unit == "s"
        assert run.summary["size"] == 16
        assert run.summary["published_throughput_deviation"] < 0.005
        assert run.summary["published_energy_deviation"] < 0.005
        assert [one["deviation"] for one in run.summary["published"]] == pytest.approx(
            list(run.column("published", "deviation"))
        )
        assert {one["processor"] for one in run.summary["fp64"]} >= {
            "H100 in FP64 on tensor cores",
            "GH200 in emulated FP64",
        }
        names = [one.name for one in run.figures]
    assert {"throughput", "energy", "break_even", "tornado", "settling", "block_energy"} <= set(names)
    code, out, _ = shell("show", path)
    assert code == 0
    assert "where_a_thousand_comes_from" in out
    for name in names:
        assert shell("plot", path, "--figure", name, "--output", tmp_path / f"{name}.png")[0] == 0
    if find_spec("mho.extensions.report_pages"):
        assert shell("report", path, "--output", tmp_path / "report.html")[0] == 0
    assert shell("verify", path)[0] == 0


@pytest.mark.thorough
def test_assumptions_come_from_a_preset_a_file_and_the_command_line(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("amplifier_power = 1e-3\n")
    path = tmp_path / "p.h5"
    code, out, err = shell(
        "projection",
        "--preset",
        "fast",
        "--assumptions",
        file,
        "--set",
        "bits=12",
        "--draws",
        20,
        "--output",
        path,
    )
    assert code == 0, err
    assert "fast + mine.toml assumptions" in out
    with RunFile(path) as run:
        used = {name: run.parameters[name].value for name in ("inv_time", "amplifier_power", "bits")}
        assert used == {"inv_time": 20e-9, "amplifier_power": 1e-3, "bits": 12}
        assert "published_energy_deviation" not in run.summary


@pytest.mark.thorough
def test_a_machine_without_a_gpu_says_so_here_and_in_the_run_file(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mho.extensions.projection.measured import digital_measurement

    def quick(*arguments, sizes, **settings):
        return real(
            *arguments,
            sizes=[4],
            effort=digital_measurement.MeasurementEffort(0.0, 0.0, 1),
            gpu=lambda: "no GPU is measured: x",
        )

    real = digital_measurement.measure_machine
    monkeypatch.setattr("mho.extensions.projection.command.measure_machine", quick)
    path = tmp_path / "p.h5"
    code, out, err = shell("projection", "--measure", "--size", 4, "--draws", 20, "--output", path)
    assert code == 0, err
    assert "this CPU, new A, LU, measured" in out
    assert "no GPU is measured: x" in err
    with RunFile(path) as run:
        assert "no GPU is measured: x" in run.summary["not_measured"]
        assert any(
            entry.message == "no GPU is measured: x" and entry.level == "WARNING" for entry in run.log()
        )


@pytest.mark.parametrize(
    ("arguments", "answer"),
    daily(
        [
            (("--preset", "publishd"), "did you mean 'published'"),
            (("--preset", "bench"), "name them: --runs RUN.h5"),
            (("--set", "inv_tme=1e-9"), "did you mean 'inv_time'?"),
            (("--set", "inv_time=-1"), "inv_time: value -1 is out of range"),
            (("--set", "inv_time=fast"), "'fast' is no number"),
            (("--set", "bits=2.5"), "no whole number"),
            (("--size", "0"), "size 0: give a whole number of unknowns"),
            (("--draws", "1"), "--draws 1: give 10 to"),
            (("--assumptions", "none.toml"), "none.toml cannot be read"),
            (("--runs", "none.h5"), "none.h5"),
            (("--runs", "none.h5", "--preset", "fast"), "runs tell the preset bench"),
        ],
        3,
    ),
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_answered_in_one_line(
    shell: Shell, arguments: tuple[str, ...], answer: str
) -> None:
    assert answer in refused(shell, *arguments)


@pytest.mark.thorough
def test_a_size_that_blocks_cannot_halve_is_read_in_one_loop_and_that_is_said(shell: Shell) -> None:
    code, out, err = shell("projection", "--size", 96, "--draws", 20)
    assert code == 0, err
    assert "one circuit of 96 lines" in out
    assert "by blocks" not in out
    assert "size 96 is no power of two times the loop of 32 lines" in err


def test_an_output_that_is_there_is_refused_before_anything_is_computed(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    path.write_bytes(b"")
    assert "exists" in refused(shell, "--output", path)
