"""Boards, DAQs and source-measure units by classes of one's own: what they have they serve, what they lack is told."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from repository import ROOT

from mho.errors import BenchError, InstrumentError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.checks import check_bench
from mho.instruments.laboratory.twins_for_real import as_arrays
from mho.instruments.opening.opening import open_rehearsal, open_simulated
from mho.instruments.opening.safing import confirm_bench_safe
from mho.instruments.roles import Cell, Pulse
from mho.procedures import Solve
from mho.running.rehearsal import rehearse

BENCHES = ROOT / "docs/benches"
CARRIER = BENCHES / "chip-carrier.toml"
FILES = ("chip_carrier.py", "simulated_chip_carrier.py")
CELL = Cell("multiply", 2, 3)


def described(folder: Path, *changes: tuple[str, str], driver: tuple[tuple[str, str], ...] = ()) -> str:
    """Return the path of a copy of the bench, changed, with its driver, changed, and its twin beside it."""
    for name, made in zip(("chip-carrier.toml", *FILES), (changes, driver, ()), strict=True):
        text = (BENCHES / name).read_text("utf-8")
        for old, new in made:
            assert old in text, old
            text = text.replace(old, new)
        (folder / name).write_text(text, "utf-8")
    return str(folder / "chip-carrier.toml")


def refusal(path: str) -> str:
    with pytest.raises(BenchError) as refused:
        load_bench_file(path)
    return str(refused.value)


def rehearsed(path: str = str(CARRIER), **options):
    return open_rehearsal(load_bench_file(path), seed=1, **options)


def test_a_system_is_solved_on_a_board_of_ones_own():
    matrix = str(ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx")
    result = rehearse(Solve(matrix=matrix, bits=8), str(CARRIER), seed=1)
    assert result.passed
    assert result.result.converged
    assert result.incidents == ()


def test_the_page_tells_the_truth_about_its_files():
    page = (ROOT / "docs/your-own-board.md").read_text("utf-8")
    driver = (BENCHES / FILES[0]).read_text("utf-8")
    twin = (BENCHES / FILES[1]).read_text("utf-8")
    assert max(len(text.splitlines()) for text in (driver, twin)) <= 120
    told = set(re.findall(r"^\| `([A-Z]+\??)", page, re.M))
    assert told == {name.upper().replace("_ASKED", "?") for name in re.findall(r"def _do_(\w+)", twin)}


def test_what_the_circuits_need_reaches_the_twin(tmp_path):
    with rehearsed() as bench:
        bench.pulse(CELL, Pulse("set", 4.0, 1e-6, gate=1.6))
        bench.connect_multiply("multiply", [2, 4], [3, 5])
        assert_allclose(bench.multiply([[0.2, 0.1]]), [[0.2 * bench.read(CELL), 0.0]], atol=2e-8)
        bench.connect_multiply("multiply", [2], [3])
        once = bench.multiply([[0.2]])
        bench.connect_invert("multiply", [2], [3], diagonal=1e-3, diagonal_count=1)
        inverted = bench.invert([[0.2]])[0, 0]
        assert inverted == pytest.approx(-0.2 * 35e-6 / (1e-3 + once[0, 0] / 0.2), rel=0.02)
        bench.safe()
        assert (bench.laboratory.board.block, bench.laboratory.board.cell) == (None, None)
    with rehearsed(described(tmp_path, ("transimpedance = 20e3", "transimpedance = 10e3"))) as bench:
        bench.pulse(CELL, Pulse("set", 4.0, 1e-6, gate=1.6))
        bench.connect_multiply("multiply", [2], [3])
        assert_allclose(bench.multiply([[0.2]]), once, rtol=0.05)
    # The driver is told of other resistors than are fitted: it believes what it was told.
    path = described(tmp_path, driver=(("transimpedance: float = 20e3", "transimpedance: float = 10e3"),
                                       ("self.transimpedance = transimpedance", "self.transimpedance = 10e3")))  # fmt: skip
    with rehearsed(path) as bench:
        bench.pulse(CELL, Pulse("set", 4.0, 1e-6, gate=1.6))
        bench.connect_multiply("multiply", [2], [3])
        assert_allclose(bench.multiply([[0.2]]), 2.0 * once, rtol=0.05)


def test_a_switch_that_moves_under_a_source_is_an_incident():
    with rehearsed() as bench:
        bench.read(CELL)
        bench.instruments.smu.hold(0.3)
        bench.instruments.board.route("OPEN")
        assert "hot switch" in {one.kind for one in bench.laboratory.incidents}
        assert bench.laboratory.live() == ("board", "gate", "smu")
    assert bench.laboratory.live() == ()


def test_a_board_that_only_multiplies_serves_no_inversion(tmp_path):
    path = described(tmp_path, driver=(("def connect_invert", "def close_loop"),))
    operations = load_bench_file(path).bench.operations()
    assert operations["multiply"] == "daq and board"
    assert "invert" not in operations
    with rehearsed(path) as bench:
        bench.connect_multiply("multiply", [2], [3])
        assert bench.multiply([[0.1]]).shape == (1, 1)
    asked = ('driver = "array_board" ', 'serves = ["multiply", "invert"]\ndriver = "array_board" ')
    says = (
        "`daq` serves `invert`, and chip_carrier.py:ChipCarrier connects nothing for it: give it "
        "connect_invert(positive, rows, columns, negative, diagonal, diagonal_count)"
    )
    assert says in refusal(
        described(tmp_path, asked, driver=(("def connect_invert", "def close_loop"),))
    ).replace(str(tmp_path) + os.sep, "")


@pytest.mark.parametrize(
    ("driver", "changes", "says"),
    [
        ([("def route", "def way"), ("def close", "def end")], [], "is no BoardSelector: give it route(path), close()"),
        ([("def select(self, cell: Cell)", "def select(self)")], [], "is no BoardSelector: give it select(cell)"),
        ([("input_conductance = 35e-6", "conductance = 35e-6")],
         [('driver = "array_board" ', 'serves = ["invert"]\ndriver = "array_board"')],
         "connects nothing for it: give it input_conductance"),
        ([("def connect_invert", "def a"), ("def connect_multiply", "def b")], [],
         "`daq` serves `multiply`, and "),
        ([("def converters", "def others")], [], "`daq` is the converters of the board, and "),
        ([], [("options =", "watchdog = 2.0\noptions =")],
         "has none: give it arm_watchdog(seconds), beat(patience)"),
        ([], [('driver = "array_board" ', 'inputs = "Dev1/ai0"\ndriver = "array_board"')], "has no use for `inputs`"),
        ([], [('driver = "array_board" ', 'options = { a = 1 }\ndriver = "array_board"')], "takes no `options`"),
        ([], [('driver = "array_board" ', 'driver = "chip_carrier.py:ChipCarrier"\nrate = 1e3 ')], "has no use for `rate`"),
        ([], [('"chip_carrier.py:ChipCarrier"', '"array_board"'), ("options =", "# ")], "has its own twin"),
    ],
)  # fmt: skip
def test_what_a_board_lacks_is_told(tmp_path, driver, changes, says):
    assert says in refusal(described(tmp_path, *changes, driver=tuple(driver)))


@pytest.mark.parametrize(
    ("method", "answer", "says"),
    [
        ("exchange", "nonsense", r"ChipCarrier\.exchange answered 'nonsense', not voltages of the shape \(2, 8\)"),
        ("exchange", [[0.0] * 8], r"not finite voltages of the shape \(2, 8\), in V"),
        ("exchange", [[np.nan] * 8] * 2, "answered .*, not finite voltages"),
        ("transimpedance", "high", "ChipCarrier.transimpedance answered 'high', not a number in ohm"),
        ("transimpedance", 0.0, "answered 0.0, not a number in ohm, and not 0"),
        ("connect_multiply", ZeroDivisionError("by zero"),
         r"ChipCarrier\.connect_multiply failed: ZeroDivisionError: by zero \(test_own_boards\.py, line \d+\)"),
        ("input_count", 0, "answered 0, not a number in inputs"),
    ],
)  # fmt: skip
def test_a_board_that_answers_nonsense_is_told_of_and_the_bench_left_safe(monkeypatch, method, answer, says):
    def act(self, *given):
        if isinstance(answer, Exception):
            raise answer
        return answer

    with rehearsed() as bench:
        kind = type(bench.instruments.board)
        bench.read(CELL)
        assert bench.laboratory.live()
        if callable(getattr(kind, method, None)):
            monkeypatch.setattr(kind, method, act)
        else:
            monkeypatch.setattr(bench.instruments.board, method, answer)
        with pytest.raises(InstrumentError, match=says):
            (bench.connect_multiply("multiply", [2], [3]), bench.multiply([[0.1]]))
    assert bench.laboratory.live() == ()


def test_a_board_is_believed_that_it_is_safe_when_it_can_be_asked(tmp_path):
    simulated = ("[read]", "[simulation]\n[read]")
    path = described(tmp_path, simulated)
    assert "board" in confirm_bench_safe(path).identities
    found = {(one.subject, one.what): one for one in check_bench(path).findings}
    assert (found["board", "mode"].verdict, found["board", "mode"].detail) == ("ok", "SAFE")
    silent = (("def standing_mode", "def mode_of"), ("self.standing_mode()", "self.mode_of()"))
    path = described(tmp_path, simulated, driver=silent)
    with pytest.raises(BenchError, match=r"cannot be asked; give it `standing_mode\(\)`"):
        confirm_bench_safe(path)
    found = {(one.subject, one.what): one for one in check_bench(path).findings}
    assert (found["board", "mode"].verdict, found["board", "mode"].detail) == ("note", "cannot be asked")


def test_such_a_bench_is_forecast_a_whole_array_at_a_time():
    arrays = as_arrays(load_bench_file(str(CARRIER)))
    with open_simulated(arrays, None, 1) as bench:
        bench.pulse(CELL, Pulse("set", 4.0, 1e-6, gate=1.6))
        bench.connect_multiply("multiply", [2, 4], [3, 5])
        assert_allclose(bench.multiply(np.array([[0.2, 0.1]])), [[0.2 * bench.read(CELL), 0.0]], atol=3e-8)


DAQ = """
class Driver:
    output_count, input_count, sample_period = 16, 12, 1e-3
    output_enabled = False
    def __init__(self, address, library=None, gain=1.0): self.library, self.gain = library, gain
    def identify(self): return "a DAQ"
    def settings(self): return {"gain": str(self.gain)}
    def make_safe(self): pass
    def close(self): pass
    def exchange(self, volts): return self.library.play(volts) / self.gain


class Twin:
    def __init__(self, clock, rng, port, *, serial, gain=1.0): self.clock, self.port, self.gain = clock, port, gain
    def play(self, volts):
        self.clock.advance(1e-3 * len(volts))
        return self.gain * self.port.exchange(volts, 1e-3)[:, :12]
"""


def test_a_daq_of_ones_own_plays_vectors_through_its_port(tmp_path):
    (tmp_path / "daq.py").write_text(DAQ, "utf-8")
    own = 'driver = "daq.py:Driver"\ntwin = "daq.py:Twin"\naddress = "unit 3"\noptions = { gain = 5.0 }  # '
    path = described(tmp_path, ('driver = "array_board" ', own))
    with rehearsed(path) as bench:
        assert bench.vector_size == (16, 12)
        bench.pulse(CELL, Pulse("set", 4.0, 1e-6, gate=1.6))
        bench.connect_multiply("multiply", [2, 4], [3, 5])
        assert_allclose(bench.multiply([[0.2, 0.1]]), [[0.2 * bench.read(CELL), 0.0]], atol=3e-8)
        assert bench.identities()["daq"] == {"identity": "a DAQ", "gain": "5.0"}
        assert bench.laboratory.traffic["unit 3"].messages == 1
    lacks = DAQ.replace("sample_period = 16, 12, 1e-3", "period = 16, 12, 1e-3").replace(
        "def exchange", "def play"
    )
    (tmp_path / "daq.py").write_text(lacks, "utf-8")
    assert "is no Daq: give it sample_period, exchange(volts)" in refusal(path)


METER = """
from mho.instruments.drivers.keithley2450 import Keithley2450
from mho.instruments.simulated.keithley2450 import SimulatedKeithley2450 as Twin

class Meter:
    def __init__(self, address, visa_library=""): self.whole = Keithley2450(address, visa_library)
    def identify(self): return self.whole.identify()
    def settings(self): return {}
    def make_safe(self): self.whole.make_safe()
    def close(self): self.whole.close()
    def configure(self, *, current_limit, current_range, nplc):
        self.whole.configure(current_limit=current_limit, current_range=current_range, nplc=nplc)
    def enable(self): self.whole.enable()
    def hold(self, voltage): self.whole.hold(voltage)
    def read(self, voltage): return self.whole.read(voltage)
"""


def test_a_meter_that_only_reads_sweeps_by_reads_where_the_file_says_so(tmp_path, monkeypatch):
    (tmp_path / "meter.py").write_text(METER, "utf-8")
    own = ('driver = "keithley2450"', 'driver = "meter.py:Meter"\ntwin = "meter.py:Twin"')
    path = described(tmp_path, own)
    assert "sweep" not in load_bench_file(path).bench.operations()
    with rehearsed(path) as bench, pytest.raises(BenchError, match="a sweep cannot run on bench"):
        bench.sweep(CELL, [0.1])
    serves = ('terminal = "bit line"', 'terminal = "bit line"\nserves = ["read", "sweep"]')
    path = described(tmp_path, own, serves)
    assert load_bench_file(path).bench.operations()["sweep"] == "meter (by single reads)"
    with rehearsed(path) as bench:
        before = bench.now()
        points = bench.sweep(CELL, [0.1, 0.2, 0.3], delay=0.5)
        assert [round(point.voltage, 3) for point in points] == [0.1, 0.2, 0.3]
        assert bench.now() - before > 1.5
        monkeypatch.setattr(type(bench.instruments.smu), "read", lambda self, volts: "high")
        with pytest.raises(InstrumentError, match=r"Meter\.read answered 'high', not a Reading"):
            bench.read(CELL)
    assert bench.laboratory.live() == ()
    pulses = ('serves = ["read", "sweep"]', 'serves = ["read", "pulse"]')
    assert "`serves` names `pulse`, and " in refusal(described(tmp_path, own, serves, pulses))
    assert refusal(described(tmp_path, own, serves, pulses)).endswith(
        "cannot: give it sweep(voltages, delay)"
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            "raise RuntimeError('boom')",
            r"ChipCarrier\.{} failed: RuntimeError: boom \(chip_carrier\.py, line \d+\)",
        ),
        ("return None", r"ChipCarrier\.{} answered None, not a "),
    ],
)
@pytest.mark.parametrize("method", ["identify", "settings"])
def test_a_class_that_cannot_say_what_it_is_is_told_of(tmp_path, method, body, says):
    source = (BENCHES / FILES[0]).read_text("utf-8")
    head = re.search(rf"    def {method}\(self\).*:\n", source).group()
    path = described(tmp_path, driver=((head, f"{head}        {body}\n"),))
    with rehearsed(path) as bench, pytest.raises(InstrumentError, match=says.format(method)):
        bench.identities()


def test_a_class_that_cannot_be_constructed_is_told_of(tmp_path):
    source = (BENCHES / FILES[0]).read_text("utf-8")
    head = re.search(r"    def settings\(self\)", source).group()
    path = described(
        tmp_path,
        driver=((head, f"    def __new__(cls, *_, **options):\n        raise KeyError('scale')\n\n{head}"),),
    )
    with (
        pytest.raises(
            BenchError, match=r"chip_carrier\.py:ChipCarrier cannot be made with `options` .*'scale'"
        ),
        rehearsed(path),
    ):
        pass
