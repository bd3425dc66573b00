"""A folder of run files that differ in identity, time, status, parameters and results: copies of one real file."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np

from mho.runs import Array, Column, Layout, Map, RecordedParameter, RunHeader, RunWriter, Table
from mho.runs.index.card import CARD

BLOCK = 4096
MATRICES, PROCEDURES = 50, ("Solve", "Program", "Read")


def template(path: Path) -> Path:
    """Write a run as a solve of a 16 x 16 system leaves it, with room in its card and summary for the copies'."""
    header = RunHeader(
        title="Solve mimo-16x16.mtx, 24 bit",
        procedure="Solve",
        version="1",
        parameters={
            "matrix": RecordedParameter("data/matrices/mimo-16x16.mtx", "", "Matrix"),
            "bits": RecordedParameter(24, "bit", "Precision"),
            "read_voltage": RecordedParameter(0.2, "V", "Read voltage"),
            "tolerance": RecordedParameter(0.0, "", "Tolerance"),
            "max_cycles": RecordedParameter(50, "", "Most cycles"),
            "encoding": RecordedParameter("auto", "", "Encoding of INV"),
            "seed": RecordedParameter(7, "", "Seed"),
            "padding": RecordedParameter(" " * 200),
        },
        bench='name = "simulated"\n',
        chip='name = "reference"\n',
        provenance={"seed": "7", "preset": "pku", "host": "bench-3", "user": "anna", "mho_version": "0.1.0"},
    )
    lines = np.arange(16)
    pulses = Table("pulses", (Column("time", "s"), Column("conductance", "S")), "conductance", "time")
    cycles = Table("cycles", (Column("cycle", dtype="u4"), Column("residual")), "residual", "cycle")
    layout = Layout(
        (pulses, cycles),
        (Map("conductance", "S", lines, lines),),
        (Array("matrix", np.eye(16)), Array("rhs", np.ones(16))),
    )
    with RunWriter.create(path, header, layout) as run:
        run.emit_block("pulses", {"time": np.arange(9000.0), "conductance": np.arange(9000.0)})
        run.snapshot("conductance", np.ones((16, 16)))
        run.set_result(summary(1))
    return path


def summary(number: int) -> dict[str, object]:
    """Return the result of run `number`."""
    return {
        "converged": number % 7 != 0,
        "relative_error": 10.0 ** -(number % 9),
        "pulses": 9000 + number,
        "encoding": ("bias", "differential")[number % 2],
        "run_file": f"{number:06d}.h5",
        "padding": "x" * (100 - len(f"{number % 7 != 0}{10.0 ** -(number % 9)}{9000 + number}")),
    }


def fill(folder: Path, count: int) -> None:
    """Write `count` run files into `folder`."""
    original = template(folder / "original.h5")
    with h5py.File(original, "r") as file:
        card = bytes(file["entry"][CARD][()])
    whole = original.read_bytes()
    original.unlink()
    for number in range(count):
        path = folder / f"{number:06d}.h5"
        # Files have holes where the original has zeros: that is what most of a chunk is.
        _write_sparsely(path, whole)
        with h5py.File(path, "r+", libver="latest") as file:  # which renews the checksums of what it changes
            file["entry"][CARD][...] = _card(card, number)
            file["entry/result/values"][...] = json.dumps(summary(number)).encode()


def _card(original: bytes, number: int) -> bytes:
    card = json.loads(original)
    card["facts"] |= {
        "run_id": f"{number:032x}",
        "start": 1.79e9 + 60.0 * number,
        "procedure": PROCEDURES[number % 3],
        "matrix_hash": f"{number % MATRICES:064x}",
        "seed": str(number),
    }
    del card["parameters"]["padding"]
    card["parameters"] |= {
        "bits": [8 + number % 24, "bit"],
        "read_voltage": [0.1 + 0.001 * (number % 200), "V"],
    }
    return json.dumps(card, ensure_ascii=False).encode()


def _write_sparsely(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        for start in range(0, len(content), BLOCK):
            block = content[start : start + BLOCK]
            if any(block):
                file.seek(start)
                file.write(block)
        file.truncate(len(content))
