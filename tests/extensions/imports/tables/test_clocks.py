"""Dates and times of day are read as instruments and spreadsheets write them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mho.errors import InputError
from mho.extensions.imports import guess
from mho.extensions.imports.extraction import import_measurement
from mho.extensions.imports.tables.units import Clock, is_day_first
from mho.runs import RunFile

NOON = datetime(2026, 1, 31, 12, 0, 1, 500_000, UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31 12:00:01.5", "2026-01-31T12:00:01.5Z", "2026/01/31 12:00:01.5", "31.01.2026 12:00:01,5",
        "31-Jan-2026 12:00:01.5", "31 Jan 2026 12:00:01.5", "01/31/2026 12:00:01.5 PM",
    ],
)  # fmt: skip
def test_dates_and_times(text: str):
    assert Clock().seconds(text) == pytest.approx(NOON)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:02.25", 2.25), ("14:05", 50700.0), ("2:05 PM", 50700.0), ("12:30 AM", 1800.0)],
)
def test_a_time_alone_counts_from_midnight(text: str, seconds: float):
    assert Clock().seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "25:00:00", "31.02.2026 12:00", "2026-13-01 1:00", "12"])
def test_what_is_no_time_is_none(text: str):
    assert Clock().seconds(text) is None


def test_days_and_months_are_told_by_their_size():
    assert Clock(day_first=True).seconds("02/01/2026 00:00") == datetime(2026, 1, 2, tzinfo=UTC).timestamp()
    assert is_day_first(["01/02/2026", "13/02/2026"]) is True
    assert is_day_first(["01/02/2026", "02/13/2026"]) is False
    assert is_day_first(["01/02/2026", "01/02/2026"]) is False  # one day: it does not matter
    assert is_day_first(["01/02/2026", "02/02/2026"]) is None


def times_of(folder: Path, text: str) -> list[float]:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    found = guess(path, kinds=["retention"]).best
    with RunFile(import_measurement(path, found.reading, folder / "t.h5")) as run:
        return [float(one) for one in run.table("reads")["time"]]


def test_date_and_time_in_two_columns_are_one_time(tmp_path: Path):
    rows = "".join(f"{30 + k // 2}.01.2026,{12 * (k % 2):02d}:00:00,{5000 + k}\n" for k in range(4))
    assert times_of(tmp_path, "Date,Time,R (Ohm)\n" + rows) == [0.0, 43200.0, 86400.0, 129600.0]


def test_seconds_beside_a_clock_are_the_time(tmp_path: Path):
    rows = "".join(f"11/27/2026,14:05:{k:02d},0.{k}5,{0.5 * k},{5000 + k}\n" for k in range(4))
    head = "Date,Time,Fractional Seconds,Relative Time,R (Ohm)\n"
    assert times_of(tmp_path, head + rows) == [0.0, 0.5, 1.0, 1.5]


def test_dates_that_nothing_tells_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="dates such as 01/02/2026 may begin with the day or the month"):
        times_of(tmp_path, "Date,Time,R (Ohm)\n01/02/2026,12:00,1\n02/02/2026,12:00,2\n")
