"""The chip at a temperature by a chuck: within limits, settled, watched, and its heater off whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import Aborted, BenchError, InputError, InstrumentError, LimitError, UnsafeError
from mho.instruments import Bench, Cell, open_bench
from mho.instruments.bench import at_temperature, check_temperature
from mho.instruments.bench.temperature import WATCH, HeldTemperature, TemperatureSettling
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.opening import make_bench_safe
from mho.instruments.simulated.faults import Fault
from mho.procedures.stream import Control, NullStream, Paused

TEXT = (resources.files("mho.instruments") / "benches/heated.toml").read_text("utf-8")
HOT, ROOM = 348.15, 298.15
RAMP = 10.0  # K/min, of the bench
CELL = Cell("multiply", 0, 0)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with open_bench("heated", preset="ideal", seed=1) as opened:
        yield opened
        opened.laboratory.faults.clear()


def written(folder: Path, *changes: tuple[str, str]) -> str:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "bench.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def address(bench: Bench) -> str:
    return str(bench.file.instruments.chuck.address)


def twin(bench: Bench) -> Any:
    return bench.laboratory.devices[address(bench)]


def heater(bench: Bench) -> int:
    return int(twin(bench).loops[1].heater)


# --- when it has settled ---


def test_it_has_settled_once_it_has_stayed_within_the_tolerance_for_the_dwell():
    settling = TemperatureSettling(400.0, 0.5, 10.0)
    readings = [(0, 399.0), (1, 399.6), (9, 400.4), (10, 400.6), (11, 400.5), (20, 399.5), (21, 400.0)]
    assert [settling.settled(*each) for each in readings] == [False] * 6 + [True]
    assert settling.within


def test_a_reading_that_is_no_number_is_outside():
    settling = TemperatureSettling(400.0, 0.5, 0.0)
    assert settling.settled(0.0, 400.0)
    assert not settling.settled(1.0, float("nan"))
    assert not settling.within


@given(st.lists(st.floats(399.0, 401.0), min_size=1), st.floats(0.0, 20.0))
def test_it_settles_exactly_when_all_readings_of_the_last_dwell_were_within(kelvins, dwell):
    settling = TemperatureSettling(400.0, 0.5, dwell)
    for moment, kelvin in enumerate(kelvins):
        outside = [k for k in range(moment + 1) if not abs(kelvins[k] - 400.0) <= 0.5]
        since = outside[-1] + 1 if outside else 0
        assert settling.settled(moment, kelvin) == (since <= moment and moment - since >= dwell)


def test_what_is_held_has_a_mean_and_a_worst():
    held = HeldTemperature(400.0)
    assert (held.mean, held.deviation, held.readings) == (400.0, 0.0, 0)
    for kelvin in (400.2, 399.6, 400.1):
        held.take(kelvin)
    assert held.mean == pytest.approx(np.mean([400.2, 399.6, 400.1]))
    assert held.deviation == pytest.approx(0.4)
    assert held.last == 400.1


# --- heating ---


def test_the_chip_is_taken_there_along_the_ramp_held_and_let_go(bench):
    chip, told = bench.simulated.chip, []
    begun = bench.now()
    with at_temperature(bench, HOT, lambda *progress: told.append(progress)) as held:
        taken = bench.now() - begun
        ramp, dwell = 60.0 * (HOT - ROOM) / RAMP, bench.file.instruments.chuck.dwell
        assert ramp + dwell <= taken <= ramp + dwell + 120.0  # the lag's share
        assert chip.temperature == pytest.approx(HOT, abs=0.2)
        assert bench.states()["chuck"].value.startswith("ON, 348.")
        assert "chuck" in bench.live()
        bench.wait_until(bench.now() + 3600.0)
        assert chip.temperature == pytest.approx(HOT, abs=0.01)
    assert heater(bench) == 0
    assert bench.states()["chuck"].value == "off"
    assert held.mean == pytest.approx(HOT, abs=0.1)
    assert 0.0 < held.deviation < 0.5
    assert told[0] == ("heating", 0, 100)
    assert told[-1] == ("heating", 100, 100)
    bench.wait_until(bench.now() + 1e5)
    assert chip.temperature == ROOM


def test_the_limit_of_the_instrument_itself_is_set_above_the_bench_s(bench):
    with at_temperature(bench, 300.0):
        assert bench.instruments.chuck.temperature_limit == bench.file.instruments.chuck.highest + 10.0


def test_it_is_read_from_time_to_time_and_each_reading_counts(bench):
    with at_temperature(bench, 299.0) as held:
        before = held.readings
        for _ in range(100):
            bench.wait_until(bench.now() + WATCH / 4)
    assert held.readings - before == 100 / 4 + 1  # and once at the end


def test_cold_is_reached_by_waiting(bench):
    with at_temperature(bench, HOT):
        pass
    begun = bench.now()
    with at_temperature(bench, 303.15):
        assert bench.simulated.chip.temperature == pytest.approx(303.15, abs=0.5)
    assert bench.now() - begun > 600.0 * np.log((HOT - ROOM) / 5.6)


def test_none_sends_nothing_and_benches_without_a_chuck_are_as_before(bench):
    messages = bench.laboratory.traffic[address(bench)].messages
    with at_temperature(bench, None) as held:
        assert held is None
    assert bench.laboratory.traffic[address(bench)].messages == messages
    with open_bench("simulated", seed=1) as plain:
        assert "chuck" not in plain.states()
        assert plain.instruments.chuck is None
        with at_temperature(plain, 500.0) as held:
            assert held is None
            assert plain.simulated.chip.temperature == 500.0


# --- limits ---


@pytest.mark.parametrize("kelvin", [289.9, 430.1, 1e4])
@pytest.mark.parametrize("instruments", ["", "instruments = false\n"])
def test_a_temperature_beyond_the_limits_is_refused_before_anything_is_sent(tmp_path, kelvin, instruments):
    name = written(tmp_path, ("[simulation]\n", f"[simulation]\n{instruments}"))
    with open_bench(name, seed=1) as bench:
        sent = 0 if instruments else bench.laboratory.traffic[address(bench)].messages
        with (
            pytest.raises(
                LimitError, match=r"chuck: temperature of .* K is beyond the limits of 290 to 430 K"
            ),
            at_temperature(bench, kelvin),
        ):
            raise AssertionError
        if not instruments:
            assert bench.laboratory.traffic[address(bench)].messages == sent


@pytest.mark.parametrize("kelvin", [0.0, -1.0, float("nan"), float("inf"), "300"])
def test_what_is_no_temperature_is_refused(bench, kelvin):
    with pytest.raises(InputError, match="temperature"):
        check_temperature(bench, kelvin)


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ("lowest = 290.0 ", "lowest = 430.0 ", "`lowest` is 430 K, not below `highest`, which is 430 K"),
        ("lowest = 290.0 ", "lowest = -5.0 ", "lowest"),
        ("highest = 430.0 ", "highest = 1e4 ", "highest"),
        ("highest = 430.0 ", "", "highest"),
        ("ramp = 10.0 ", "ramp = 0.05 ", "ramp"),
        ("ramp = 10.0 ", "ramp = 2.0 ", "take 4260 s, and `longest` is 3600 s: raise `longest` or `ramp`"),
        ("tolerance = 0.5 ", "tolerance = 0 ", "tolerance"),
        ("dwell = 60.0 ", "dwell = nan ", "dwell"),
        ("longest = 3600.0 ", "longest = inf ", "longest"),
        ("output = 1 ", "output = 5 ", "no output 5 or no input A; it has outputs 1 to 4 and inputs A, B, C, D"),
        ('input = "A" ', 'input = "E" ', "no output 1 or no input E"),
        ('"lakeshore336"', '"lakeshore335"\n#', None),
        ("output = 1 ", "output = 3 ", "output 3 of a lakeshore336 is on or off: give `heater_range = 1`"),
        ("heater_range = 3 ", "heater_range = 0 ", "heater_range"),
        ('"lakeshore336"', '"lakeshore340"', "no such driver here; there are lakeshore335, lakeshore336"),
        ('"GPIB0::12::INSTR"', '"ASRL3::INSTR"', "two instruments share the address ASRL3::INSTR"),
    ],
)  # fmt: skip
def test_a_chuck_that_cannot_be_meant_is_refused_with_the_file(tmp_path, old, new, answer):
    name = written(tmp_path, (old, new))
    if answer is None:
        assert load_bench_file(name).bench.instruments.chuck.driver == "lakeshore335"
        return
    with pytest.raises(BenchError) as refused:
        load_bench_file(name)
    assert answer in str(refused.value)
    assert "bench.toml" in str(refused.value)


# --- what goes wrong ---


def test_a_heater_too_weak_is_a_time_out_with_the_last_reading(tmp_path):
    name = written(
        tmp_path, ("heater_range = 3 ", "heater_range = 1 "), ("highest = 430.0 ", "highest = 330.0 "),
        ("longest = 3600.0 ", "longest = 400.0 "),
    )  # fmt: skip
    with open_bench(name, seed=1) as bench:
        with (
            pytest.raises(
                BenchError,
                match=r"has not settled at 325 K in 40\d s: it is at 30\d\.\d\d K, 2\d\.\d\d K off; look at",
            ),
            at_temperature(bench, 325.0),
        ):
            raise AssertionError
        assert heater(bench) == 0


@pytest.mark.parametrize("when", ["heating", "held"])
def test_an_error_within_leaves_the_heater_off(bench, when):
    def hold() -> None:
        with at_temperature(bench, HOT, lambda *_: twin(bench).break_sensor(1 if when == "heating" else 0)):
            twin(bench).break_sensor(1)
            bench.wait_until(bench.now() + 100.0)

    with pytest.raises(InstrumentError, match="gives no valid reading"):
        hold()
    assert heater(bench) == 0
    assert bench.states()["chuck"].value == "off"


def test_a_stop_while_it_heats_is_obeyed_within_a_reading_and_the_heater_is_off(bench):
    control = Control()

    def stop(stage: str, done: int, total: int) -> None:
        if done >= 50:
            control.abort("enough")

    with (
        control.governing(bench, NullStream()),
        pytest.raises(Aborted, match="enough"),
        at_temperature(bench, HOT, stop),
    ):
        raise AssertionError
    assert heater(bench) == 0
    assert bench.simulated.chip.temperature == pytest.approx((HOT + ROOM) / 2, abs=2.0)


def test_a_pause_keeps_it_warm_and_the_lines_safe(bench):
    control, seen = Control(), []

    class Stream(NullStream):
        def announce(self, event: object) -> None:
            if isinstance(event, Paused):
                seen.append((heater(bench), bench.states()["smu"].value))
                control.pausing = False

    def pause(stage: str, done: int, total: int) -> None:
        control.pausing = done == 50

    with control.governing(bench, Stream()), at_temperature(bench, HOT, pause) as held:
        assert held.last == pytest.approx(HOT, abs=0.5)
    assert seen == [(3, "off")]


def test_cells_and_vectors_are_used_while_it_is_held(bench):
    with at_temperature(bench, 310.0):
        bench.connect_multiply("multiply", [0, 1], [0, 1])  # which makes the lines safe first
        bench.multiply(np.full((1, 2), 0.05))
        bench.read(CELL)
        assert heater(bench) == 3
        bench.forget()
        bench.connect_multiply("multiply", [0, 1], [0, 1])
        assert heater(bench) == 3
    assert bench.laboratory.incidents == []


def test_making_the_bench_safe_switches_the_heater_off_and_one_that_stays_on_is_named(bench):
    def hold() -> None:
        with at_temperature(bench, 310.0):
            bench.safe()
            assert heater(bench) == 0
            bench.instruments.chuck.ramp_to(310.0, RAMP)
            twin(bench).stuck = True
            bench.safe()

    with pytest.raises(UnsafeError, match="NOT CONFIRMED SAFE: chuck") as unsafe:
        hold()
    assert unsafe.value.live == ("chuck",)
    assert "still has the heater at output 1 on; switch it off by hand" in str(unsafe.value)
    assert bench.live() == ("chuck",)
    twin(bench).stuck = False
    bench.safe()
    assert bench.live() == ()


def test_a_heater_that_stays_on_at_the_end_is_an_error_of_the_run(bench):
    with pytest.raises(InstrumentError, match="still has the heater"), at_temperature(bench, 300.0):
        twin(bench).stuck = True
    twin(bench).stuck = False


def test_out_of_tolerance_is_said_once_and_counts(bench, caplog):
    with at_temperature(bench, 320.0) as held:
        twin(bench).write(b"OUTMODE 1,0,1,0")  # somebody turned the loop off
        for _ in range(5):
            bench.wait_until(bench.now() + 60.0)
    said = [one.getMessage() for one in caplog.records if "out of the tolerance" in one.getMessage()]
    assert len(said) == 1
    assert "out of the tolerance of 0.5 K around 320 K" in said[0]
    assert held.deviation > 5.0


@pytest.mark.parametrize("message", [b"RANGE 1,0", b"TLIMIT A,300"])
@pytest.mark.parametrize("when", ["heating", "held"])
def test_a_heater_that_goes_off_by_hand_or_by_its_own_limit_ends_the_run(bench, message, when):
    def press(stage: str, done: int, total: int) -> None:
        if when == "heating" and done == 50:
            twin(bench).write(message)

    def hold() -> None:
        with at_temperature(bench, 320.0, press):
            assert when == "held"
            twin(bench).write(message)
            bench.wait_until(bench.now() + 60.0)

    with pytest.raises(
        BenchError, match=r"has gone off at 3\d\d\.\d\d K, by hand or by the controller's own"
    ):
        hold()
    assert bench.states()["chuck"].value == "off"


# --- lost connections ---


@pytest.mark.parametrize("match", daily([b"KRDG?", b"SETP 1,320", b"RANGE 1,3", b"TLIMIT A", b"RAMP?"], 2))
@pytest.mark.parametrize("kind", ["disconnect", "cut"])
def test_a_connection_that_may_be_opened_anew_costs_only_time(tmp_path, match, kind):
    reconnect = "\nreconnect = { tries = 3, wait = 0.5 }\noutput = 1 "
    with open_bench(written(tmp_path, ("\noutput = 1 ", reconnect)), seed=1) as bench:
        lost = Fault(address(bench), kind, match=match, after=1 if match == b"KRDG?" else 0, opens=2)
        bench.laboratory.faults.append(lost)
        with at_temperature(bench, 320.0) as held:
            assert lost.opened == 2
            later = Fault(address(bench), kind, match=b"KRDG?", opens=1)
            bench.laboratory.faults.append(later)
            bench.wait_until(bench.now() + 100.0)
            assert later.opened == 1
            assert heater(bench) == 3
        assert held.deviation < 0.5  # what it was while it heated anew does not count
        assert heater(bench) == 0


def test_without_that_a_lost_connection_ends_it_and_the_chuck_is_named():
    bench = open_bench("heated", seed=1)
    lost = Fault(address(bench), "disconnect", match=b"KRDG?", after=50)
    bench.laboratory.faults.append(lost)
    with pytest.raises(InstrumentError, match="CONN_LOST"), at_temperature(bench, HOT):
        raise AssertionError
    with pytest.raises(UnsafeError, match="NOT CONFIRMED SAFE: chuck"):
        bench.safe()
    assert bench.live() == ("chuck",)
    bench.laboratory.faults.clear()
    bench.safe()
    bench.close()


def test_a_bench_is_made_safe_from_outside_with_its_chuck():
    assert list(make_bench_safe("heated"))[-1] == "chuck"


# --- a controller of one's own ---

OWN = """
from mho.instruments.drivers.lakeshore335 import LakeShore336
from mho.instruments.simulated.lakeshore335 import SimulatedLakeShore336

class OwnController(LakeShore336):
    model = "MODEL999"

class OwnTwin(SimulatedLakeShore336):
    model = "MODEL999"

class NoController:
    def identify(self): ...
    def settings(self): ...
    def make_safe(self): ...
    def close(self): ...
    def temperature(self): ...
"""


def test_a_driver_of_one_s_own_heats_too_and_what_it_lacks_is_named(tmp_path):
    (tmp_path / "own_chuck.py").write_text(OWN, encoding="utf-8")
    own = 'driver = "own_chuck:OwnController"\ntwin = "own_chuck:OwnTwin"'
    with open_bench(written(tmp_path, ('driver = "lakeshore336"', own)), seed=1) as bench:
        assert "MODEL999" in bench.instruments.chuck.identify()
        with at_temperature(bench, 303.15):
            assert bench.simulated.chip.temperature == pytest.approx(303.15, abs=0.5)
    with pytest.raises(
        BenchError, match="own_chuck:NoController is no TemperatureController: give it ramp_to"
    ):
        load_bench_file(written(tmp_path, ('"lakeshore336"', '"own_chuck:NoController"')))
