"""Instruments beside the bench: read at a run's safe points into a table of their own, and never in its way."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import mho
from mho.analysis.figures import plot
from mho.errors import BenchError, InstrumentError, InstrumentTimeoutError, UnsafeError
from mho.instruments.bench_file import load_bench_file
from mho.instruments.opening import open_rehearsal
from mho.procedures.stream import Row
from mho.running.rehearsal import rehearse
from mho.runs import RunFile

BENCH = Path(__file__).parents[2] / "docs" / "benches" / "two-channels.toml"
DEVICE = mho.Cell("device", 0, 0)
GAUGE = """
from mho.instruments.simulated.lines import LineDevice

class Gauge:
    asked = 0
    answers = {}
    def __init__(self, address, visa_library=""): self.calls, self.made_safe = [], 0
    def identify(self): return "a gauge"
    def settings(self): return {"emission": "1 mA"}
    def make_safe(self): self.made_safe += 1
    def close(self): pass
    def _answer(self, name):
        self.calls.append(name)
        answer = self.answers.get(name, float(len(self.calls)))
        if isinstance(answer, Exception): raise answer
        return answer
    @property
    def pressure(self): return self._answer("pressure")
    def humidity(self): return self._answer("humidity")
    def average(self, count): return 0.0

class Open(Gauge):
    def __getattr__(self, name): return self._answer(name)

class Kept(Gauge):
    def make_safe(self):
        self.made_safe += 1
        self.level = 1.0

class Twin(LineDevice):
    def __init__(self, clock, rng, *, serial=""): super().__init__(clock, rng)
    def take_line(self, line): pass
    def read(self): return b""
    def status_byte(self): return 0
    def clear(self): pass
    def push_error(self, code, detail=""): pass
"""
READINGS = 'readings = { pressure = "mbar", humidity = "%" }\nevery = 10.0\n'


class Waits(mho.Procedure):
    """Reads a cell once a second."""

    seconds = mho.IntegerParameter("Seconds", default=60)

    def layout(self, plan):
        """Declare one table."""
        columns = (mho.Column("moment", "s"), mho.Column("conductance", "S"))
        figure = mho.Figure("kept", table="reads", x="moment", y="conductance")
        return mho.Layout((mho.Table("reads", columns),), figures=(figure,))

    def execute(self, plan, bench, stream):
        """Read and wait."""
        begun = bench.now()
        for second in range(self.seconds):
            stream.record("reads", moment=bench.now() - begun, conductance=bench.read(DEVICE))
            bench.wait_until(begun + second + 1.0)
        return {"reads": self.seconds}


class Fails(Waits):
    """Ends in an error on its way."""

    def execute(self, plan, bench, stream):
        """Read, and fail."""
        bench.read(DEVICE)
        raise RuntimeError("on the way")


class Idle(Waits):
    """Records nothing, and draws nothing."""

    def layout(self, plan):
        """Declare a table."""
        return mho.Layout((mho.Table("reads", (mho.Column("conductance", "S"),)),))

    def execute(self, plan, bench, stream):
        """Do nothing."""


class Named(Waits):
    """Has a table of the gauge's name."""

    def layout(self, plan):
        """Declare it."""
        return mho.Layout((mho.Table("chamber", (mho.Column("conductance", "S"),)),))


def lab(
    folder: Path, readings: str = READINGS, driver: str = "Gauge", name: str = "chamber", twin: bool = True
) -> str:
    """Return the path of a bench file with a gauge beside the bench."""
    (folder / "gauge.py").write_text(GAUGE, "utf-8")
    text = BENCH.read_text("utf-8")
    entry = f'[instruments.{name}]\ndriver = "gauge.py:{driver}"\naddress = "ASRL9::INSTR"\nserves = []\n{readings}'
    entry += 'twin = "gauge.py:Twin"\n' * twin
    (folder / "lab.toml").write_text(text.replace("[read]", f"{entry}[read]"), "utf-8")
    return str(folder / "lab.toml")


def opened(path: str) -> mho.Bench:
    return open_rehearsal(load_bench_file(path), seed=1)


def warnings_of(run: RunFile) -> list[str]:
    return [one.message for one in run.log() if one.level == "WARNING" and "chamber" in one.message]


def test_a_run_reads_a_gauge_at_its_interval_into_a_table_of_its_own(tmp_path):
    rows = []

    def listen(event):
        if isinstance(event, Row) and event.table == "chamber":
            rows.append(event.values)

    with opened(lab(tmp_path)) as bench:
        checkpoint = bench.checkpoint
        result = mho.run(Waits(seconds=55), bench, seed=1, output=tmp_path, observers=[listen])
        assert bench.checkpoint is checkpoint
        assert bench.instruments.beside["chamber"].made_safe >= 1
    with RunFile(result.path) as run:
        assert list(run.tables) == ["reads", "chamber"]
        found = run.table("chamber")
        assert run.units("chamber") == {"time": "s", "pressure": "mbar", "humidity": "%"}
        # At the beginning, at the first safe point 10 s after the one before, and at the end
        assert found["time"][0] == 0.0
        assert np.all(np.diff(found["time"])[:-1] >= 10.0)
        assert np.all(np.diff(found["time"])[:-1] < 11.1)
        assert found["time"][-1] == pytest.approx(55.0, abs=0.1)
        assert len(found["time"]) == 7
        assert found["pressure"].tolist() == [1, 3, 5, 7, 9, 11, 13]
        assert found["humidity"].tolist() == [2, 4, 6, 8, 10, 12, 14]
        assert [one.name for one in run.figures] == ["kept", "chamber_pressure", "chamber_humidity"]
        assert warnings_of(run) == []
        assert "chamber" not in run.conclusion.line
    assert [row["pressure"] for row in rows] == found["pressure"].tolist()
    plot(result.path, figure="chamber_pressure", output=tmp_path / "pressure.png")
    assert (tmp_path / "pressure.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            InstrumentTimeoutError("chamber: no answer in 2 s"),
            "InstrumentTimeoutError: chamber: no answer in 2 s",
        ),
        (ZeroDivisionError("own code"), "ZeroDivisionError: own code"),
        ("1e-5 mbar", "answered '1e-5 mbar', which is no number"),
        (float("nan"), "answered nan, which is no number"),
        (True, "answered True, which is no number"),
    ],
)
def test_what_a_gauge_does_not_answer_is_said_once_and_the_run_goes_on(tmp_path, answer, said):
    with opened(lab(tmp_path)) as bench:
        gauge = bench.instruments.beside["chamber"]
        gauge.answers = {"pressure": answer}
        result = mho.run(Waits(seconds=35), bench, seed=1, output=tmp_path)
    with RunFile(result.path) as run:
        assert run.status == "finished"
        found = run.table("chamber")
        assert np.isnan(found["pressure"]).all()
        [warning] = warnings_of(run)
        assert said in warning
        assert "every 10 s" in warning
        # One time out an interval; and what failed does not hide what answers
        assert np.isnan(found["humidity"]).sum() == isinstance(answer, Exception)
        assert gauge.calls.count("pressure") == len(found["time"]) == 5


def test_a_gauge_that_comes_back_is_read_again(tmp_path):
    with opened(lab(tmp_path)) as bench:
        gauge = bench.instruments.beside["chamber"]
        gauge.answers = {"pressure": OSError("unplugged")}
        begun = bench.now()
        before = bench.wait_until

        def wait_until(moment):
            if moment - begun > 15.0:
                gauge.answers = {"pressure": 2e-5}
            before(moment)

        bench.wait_until = wait_until
        result = mho.run(Waits(seconds=35), bench, seed=1, output=tmp_path)
    with RunFile(result.path) as run:
        assert run.table("chamber")["pressure"].tolist()[2:] == [2e-5] * 3


def test_a_lost_gauge_is_opened_anew_and_the_bench_stays_as_it_was(tmp_path):
    path = lab(tmp_path, READINGS + "reconnect = { tries = 2 }\n")
    with opened(path) as bench:
        lost = InstrumentError("chamber: lost")
        lost.__cause__ = ConnectionError("unplugged")
        gauge = bench.instruments.beside["chamber"]
        bench.instruments.beside["chamber"].connection.driver.answers = {"pressure": lost}
        forgotten = []
        bench.forget = lambda: forgotten.append(len(gauge.calls))
        result = mho.run(Waits(seconds=15), bench, seed=1, output=tmp_path)
        del bench.forget
    with RunFile(result.path) as run:
        assert np.isfinite(run.table("chamber")["pressure"]).all()
        assert "the connection is lost" in "".join(one.message for one in run.log())
    assert len(forgotten) == 1  # when the bench is made safe


def test_after_an_error_nothing_is_read_before_the_bench_is_safe(tmp_path):
    with opened(lab(tmp_path)) as bench:
        gauge = bench.instruments.beside["chamber"]
        with pytest.raises(RuntimeError, match="on the way"):
            mho.run(Fails(), bench, seed=1, output=tmp_path / "run.h5")
        assert gauge.calls == ["pressure", "humidity"]
        assert gauge.made_safe == 1
        assert bench.live() == ()
    with RunFile(tmp_path / "run.h5") as run:
        assert run.length("chamber") == 1


@pytest.mark.parametrize("procedure", [Waits(seconds=3), Fails()])
def test_a_gauge_that_is_not_made_safe_is_reported_and_the_others_are_safe(tmp_path, procedure):
    with opened(lab(tmp_path)) as bench:
        gauge = bench.instruments.beside["chamber"]

        def refuse():
            gauge.made_safe += 1
            raise ValueError("filament on")

        gauge.make_safe = refuse
        with pytest.raises((UnsafeError, RuntimeError)):
            mho.run(procedure, bench, seed=1, output=tmp_path / "run.h5")
        assert gauge.made_safe == 2  # in the run it is left alone; at the end it is tried twice
        assert bench.laboratory.live() == bench.live() == ()
        del gauge.make_safe
    with RunFile(tmp_path / "run.h5") as run:
        assert "chamber (filament on)" in run.conclusion.unsafe
        assert run.length("chamber") == 2 - isinstance(procedure, Fails)


def test_a_gauge_that_does_not_say_who_it_is_ends_no_run(tmp_path):
    with opened(lab(tmp_path)) as bench:

        def identify():
            raise OSError("unplugged")

        bench.instruments.beside["chamber"].identify = identify
        result = mho.run(Waits(seconds=3), bench, seed=1, output=tmp_path)
    with RunFile(result.path) as run:
        assert run.status == "finished"
        assert run.conclusion.unsafe == ""
        assert warnings_of(run) == ["chamber does not say who it is: unplugged"]


def test_a_bench_that_rests_leaves_a_gauge_as_it_is(tmp_path):
    with opened(lab(tmp_path)) as bench:
        gauge = bench.instruments.beside["chamber"]
        bench.rest()
        assert set(bench.states()) == {"smu", "gate"}
        assert bench.live() == ()
        assert gauge.made_safe == 0
    assert gauge.made_safe == 1


def test_a_gauge_is_no_result_of_a_procedure(tmp_path):
    with opened(lab(tmp_path)) as bench:
        result = mho.run(Idle(), bench, seed=1, output=tmp_path / "run.h5")
    assert result is None
    with RunFile(tmp_path / "run.h5") as run:
        assert run.length("chamber") == 2
        assert "chamber" not in run.conclusion.line
        assert run.figures == ()  # so that the procedure's own tables are drawn as ever


def test_without_a_twin_its_readings_are_left_out_and_that_is_said(tmp_path):
    path = lab(tmp_path, twin=False)
    rehearsal = rehearse(Waits(seconds=3), path, seed=1, output=tmp_path / "run.h5")
    assert rehearsal.finished
    with RunFile(rehearsal.run_file) as run:
        assert list(run.tables) == ["reads"]
        assert warnings_of(run) == ["chamber has no simulated twin: its readings are left out"]


def test_a_bench_without_readings_is_as_before(tmp_path):
    seen = []

    class Looks(Waits):
        """Looks at the bench's checkpoint."""

        def execute(self, plan, bench, stream):
            """Look."""
            seen.append(bench.checkpoint)

    control = mho.Control()
    with opened(lab(tmp_path, readings="")) as bench:
        mho.run(Looks(), bench, seed=1, output=tmp_path / "run.h5", control=control)
    assert seen == [control.check]
    with RunFile(tmp_path / "run.h5") as run:
        assert list(run.tables) == ["reads"]


def test_a_table_of_the_same_name_is_refused_before_anything_is_sent(tmp_path):
    with opened(lab(tmp_path)) as bench:
        with pytest.raises(BenchError, match=r"table `chamber` of its own.*give the instrument another name"):
            mho.run(Named(), bench, seed=1, output=tmp_path / "run.h5")
        assert bench.instruments.beside["chamber"].calls == []


@pytest.mark.parametrize(
    ("readings", "said"),
    [
        (
            'readings = { pressur = "mbar", level = "m" }',
            r"`readings` names `pressur`, `level`, and .*Gauge has no such",
        ),
        ('readings = { average = "mbar" }', "`readings` names `average`, .*takes no arguments"),
        ('readings = { "a b" = "mbar" }', "'a b' names no attribute of a driver"),
        ('readings = { _answer = "mbar" }', "'_answer' names no attribute of a driver"),
        ('readings = { time = "s" }', "`time` is no reading: the bench uses this name itself"),
        ('readings = { make_safe = "" }', "`make_safe` is no reading"),
        ("readings = { pressure = 3 }", "the unit of `pressure` is 3; give text"),
        ('readings = "pressure"', "it is 'pressure'; name each with its unit"),
        (
            'readings = { pressure = "m\\nbar" }',
            "the unit of `pressure` is 'm\\\\nbar'; give text of at most 40",
        ),
        ('readings = { pressure = "mbar" }\nevery = 0', "every.*0.1"),
        ('readings = { pressure = "mbar" }\nevery = -1.0', "every.*0.1"),
        ('readings = { pressure = "mbar" }\nevery = nan', "every"),
        ("every = 5.0", "`every` is given, and nothing to read"),
    ],
)
def test_wrong_readings_are_answered_in_a_sentence(tmp_path, readings, said):
    with pytest.raises(BenchError) as refused:
        load_bench_file(lab(tmp_path, f"{readings}\n"))
    print(refused.value)
    assert re.search(said, str(refused.value), re.DOTALL)
    assert "chamber" in str(refused.value)


def test_readings_need_a_name_that_a_table_can_have(tmp_path):
    with pytest.raises(BenchError, match=r"`vacuum-gauge` has readings.*letters, digits and _"):
        load_bench_file(lab(tmp_path, name="vacuum-gauge"))
    assert "vacuum-gauge" in load_bench_file(lab(tmp_path, "", name="vacuum-gauge")).bench.instruments.beside


@pytest.mark.parametrize(("driver", "reading"), [("Open", "anything"), ("Kept", "level")])
def test_what_cannot_be_known_of_a_class_is_left_to_the_run(tmp_path, driver, reading):
    path = lab(tmp_path, f'readings = {{ {reading} = "" }}\n', driver)
    assert load_bench_file(path).bench.instruments.beside["chamber"].every == 10.0
