"""What pulse tables tell of cells that are read later: their last pulses, and reads that no pulse has disturbed."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from mho import run
from mho.extensions.calibration import read_records, told_beyond_pulses, transitions_of
from mho.extensions.calibration.experiments.ageing import AgeingReads, ageing
from mho.extensions.calibration.experiments.evidence import READERS, kelvin_of
from mho.extensions.calibration.experiments.programming_times import Before, undisturbed
from mho.instruments import open_bench
from mho.instruments.simulated import CELL_PRESETS
from mho.procedures import Program, Retention
from mho.running.execution import evaluate
from mho.runs import RunFile

BASE = asdict(CELL_PRESETS["stanford"])


def table(*rows: tuple[float, int, int, float]) -> dict[str, np.ndarray]:
    """Return a table of (time, column, kind, conductance), of row 0."""
    time, column, kind, conductance = np.array(rows, dtype=float).T
    return {"time": time, "row": 0.0 * time, "column": column, "kind": kind, "conductance": conductance}


def test_reads_after_the_last_pulse_and_before_a_further_one_are_found() -> None:
    found = undisturbed(
        table(
            (1.0, 0, 0, 1e-5), (1.2, 0, 1, 5e-5), (5.0, 0, 0, 6e-5), (5.2, 0, 2, 4e-5), (9.0, 0, 0, 4.1e-5),
            (2.0, 1, 0, 2e-5), (2.2, 1, 1, 7e-5),
            (3.0, 2, 0, 3e-5),
        )
    )  # fmt: skip
    assert found.cell.tolist() == [[0, 0], [0, 0], [0, 1]]
    assert found.last.tolist() == [False, True, True]
    np.testing.assert_allclose(found.begun, [1.1, 5.1, 2.1])  # between the reads about the pulse
    ages, reads = found.anew()
    np.testing.assert_allclose(ages, [[0.1], [3.9]])
    np.testing.assert_allclose(reads, [[5e-5], [6e-5]])
    times, reads = found.of(np.array([[0, 1], [0, 0], [0, 2]]))
    np.testing.assert_allclose(times, [[2.2, 5.2, np.nan], [np.nan, 9.0, np.nan]])
    np.testing.assert_allclose(reads, [[7e-5, 4e-5, np.nan], [np.nan, 4.1e-5, np.nan]])


def test_cells_that_their_last_pulses_did_not_move_are_still() -> None:
    moving = [(float(k), 0, k % 2, 1e-4 * (1.0 + 0.1 * (k % 2))) for k in range(8)]
    lost = [(float(k), 1, 2, 2.4e-4 * (1.0 + 0.001 * k)) for k in range(8)]
    late = [(float(k), 2, 2, 1e-4 if k < 6 else 2.4e-4) for k in range(8)]  # moved by its last pulse but one
    assert undisturbed(table(*moving, *lost, *late)).still == {(0, 1)}


@pytest.mark.thorough
def test_cells_that_were_programmed_anew_mend_what_write_verify_chooses() -> None:
    """Cells are programmed until they hold: those that do relaxed little, and alone tell too little."""
    rng, true, ends = np.random.default_rng(3), 1.5e-6, []
    ages = np.concatenate([[1e-3], np.geomspace(5.0, 1e5, 10)])
    spread = np.log1p(ages / BASE["relaxation_time"]) ** BASE["relaxation_power"]
    for _ in range(4):
        start = rng.choice([6e-5, 1.15e-4, 1.8e-4], 400)
        reads = start + true * rng.standard_normal(400) * spread[:, None]
        reads *= 1.0 + 1e-3 * rng.standard_normal(reads.shape)
        holds = np.abs(reads[1] - start) < 3e-6
        whole = np.broadcast_to(ages[:, None], reads.shape)
        final = AgeingReads(whole[1:, holds], reads[1:, holds], ages[1:] - ages[1])
        all_of_them = [
            AgeingReads(whole[:, holds], reads[:, holds], np.maximum(ages - ages[1], 0.0)),
            AgeingReads(whole[:2, ~holds], reads[:2, ~holds], np.zeros(2)),
        ]
        for groups in ([final], all_of_them):
            found = ageing(groups, BASE, 2e-4)
            assert found is not None
            ends += [(one.low, one.high) for one in found.estimates() if one.name == "relaxation"]
    alone, mended = ends[::2], ends[1::2]
    assert all(high < true for _, high in alone)
    assert sum(low < true < high for low, high in mended) >= 3


@pytest.mark.thorough
def test_cells_that_were_in_their_windows_already_keep_no_other_from_telling(tmp_path: Path) -> None:
    """A block of which a half was programmed before: of that half no run says when."""
    digits = np.random.default_rng(2).integers(0, 4, (16, 16))
    paths = [tmp_path / f"{number}.h5" for number in range(3)]
    run(Program(digits=digits[:, :8]), "stanford-arrays", seed=1, output=paths[0])
    run(Program(digits=digits), "stanford-arrays", seed=2, output=paths[1], after=paths[0])
    run(
        Retention(rows="0:16", columns="0:16", last=1e5),
        "stanford-arrays",
        seed=3,
        output=paths[2],
        after=paths[1],
    )
    with RunFile(paths[1]) as file:
        pulsed = file.table("pulses")
        cells = set(zip(pulsed["row"][pulsed["kind"] > 0], pulsed["column"][pulsed["kind"] > 0], strict=True))
    assert 90 < len(cells) < 160
    told = told_beyond_pulses(paths[1:], transitions_of(read_records(paths[1:]).columns, BASE), BASE)
    by_name = {one.name: one for one in told.estimates}
    assert by_name["relaxation"].low < BASE["relaxation"] < by_name["relaxation"].high
    assert by_name["drift"].low < BASE["drift"] < by_name["drift"].high


def test_reads_of_which_nothing_says_how_old_they_are_tell_nothing(tmp_path: Path) -> None:
    watch = Retention(rows="0", columns="0:6", last=100.0, per_decade=1)
    with open_bench("stanford-arrays", seed=1) as bench:
        evaluate(Program(digits=np.array([[1, 2, 3, 2, 1, 3]])), bench, seed=1)
        path = run(watch, bench, seed=2, output=tmp_path / "reads.h5").path
    unknown = Before({}, None, frozenset())
    known = replace(unknown, written={(0, column): 0.0 for column in range(6)})
    with RunFile(path) as file:
        found, why = READERS["Retention"](file, BASE, [], unknown)
        assert not found
        assert why.startswith("it does not say when its cells were programmed")
        found, why = READERS["Retention"](file, BASE, [], known)
        assert [one.name for one in found] == ["drift"]


def test_the_temperature_that_a_chuck_read_counts_before_the_demanded_one(tmp_path: Path) -> None:
    path = run(Retention(rows="0:2", columns="0:2", last=10.0, temperature=430.0), "simulated", seed=1,
               output=tmp_path / "hot.h5").path  # fmt: skip
    with RunFile(path) as file:
        assert kelvin_of(file.summary) == 430.0
        assert kelvin_of({**file.summary, "temperature_read": 428.5}) == 428.5
    assert kelvin_of({}) is None
