"""Benches that miss something: operations taken from every bench file, and real instruments without a chuck."""

from __future__ import annotations

from pathlib import Path

import pytest

from mho.instruments.bench_file import BenchFile, Operation, load_bench_file


def take_away(monkeypatch: pytest.MonkeyPatch, *operations: Operation) -> None:
    """Let no bench of this process offer these operations."""
    whole = BenchFile.operations

    def offered(bench: BenchFile) -> dict[Operation, str]:
        return {name: by for name, by in whole(bench).items() if name not in operations}

    monkeypatch.setattr(BenchFile, "operations", offered)


def without_chuck(folder: Path, name: str = "lab") -> str:
    """Return the file of a bench of real instruments, at addresses where nothing is; none heats."""
    text = load_bench_file("simulated").text
    start, end = text.index("\n[simulation]"), text.index("[instruments.smu]")
    path = folder / f"{name}.toml"
    text = f"{text[:start]}\n{text[end:]}".replace("SIM0000", "0451")
    path.write_text(text.replace('name = "simulated"', f'name = "{name}"'), encoding="utf-8")
    return str(path)
