"""A second fence: the instruments keep the bench's limits by themselves, whoever drives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from daily import daily

from mho.errors import BenchError, InputError, InstrumentError, LimitError
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.opening.opening import open_rehearsal

CELL = Cell("multiply", 3, 7)
GENERATORS = ("keysight33522b", "keysight33622a", "tektronixafg31000")


def opened(tmp_path: Path, *changes: tuple[str, str]) -> Bench:
    text = load_bench_file("simulated").text
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "bench.toml"
    path.write_text(text, encoding="utf-8")
    return open_bench(str(path), preset="ideal", seed=1, force=True)


@pytest.fixture(params=GENERATORS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    steep = ("slew = 400e6 ", "slew = 2e9 ")  # for waveforms of steps
    consent = ("voltage = 4.6 ", "insist = true\nvoltage = 4.6 ")  # to more than a formed cell bears
    with opened(tmp_path, ("keysight33522b", request.param), steep, consent) as made:
        made.prepare()
        yield made


def highest(bench: Bench, terminal: str = "bit line") -> float:
    assert bench.laboratory is not None
    return bench.laboratory.monitor.extremes()[terminal].highest


def test_connecting_sets_nothing(tmp_path):
    with opened(tmp_path) as bench:
        assert bench.laboratory is not None
        twin = bench.laboratory.devices[bench.file.instruments.pulser.address]
        assert not any(twin.limited.values())
        assert bench.instruments.smu.voltage_protection == "NONE"


def test_the_pulser_refuses_what_the_limits_do_not_allow(bench):
    pulser = bench.instruments.pulser
    for channel, limit in ((1, 4.6), (2, 3.3)):
        settings = getattr(pulser, f"ch_{channel}")
        assert (settings.limit_high, settings.limit_low) == pytest.approx((limit, -limit))
        pulser.shape(channel, voltage=limit, width=1e-6)
        with pytest.raises(LimitError, match=f"channel {channel}: 5 V is beyond the {limit} V"):
            pulser.shape(channel, voltage=5.0, width=1e-6)
        with pytest.raises(LimitError, match=f"channel {channel}: 5 V is beyond"):
            pulser.shape_waveform(channel, [0.0, 5.0, 0.0], interval=1e-6)
    assert highest(bench) <= 4.6


def test_the_instrument_refuses_it_too_when_it_is_driven_past_the_driver_s_methods(bench):
    channel = bench.instruments.pulser.ch_1
    with pytest.raises(InstrumentError):
        channel.high = 5.0
    bench.forget()
    bench.pulse(CELL, Pulse("set", 1.0, 1e-6, 1.6))
    assert highest(bench) <= 4.6


def test_a_limit_that_does_not_stay_is_not_passed_over(tmp_path, monkeypatch):
    with opened(tmp_path) as bench:
        monkeypatch.setattr(type(bench.instruments.pulser), "_bounding", lambda self, channel: [])
        with pytest.raises(InstrumentError, match=r"set limits of .* on channel 1 instead of 4.6 V"):
            bench.prepare()
        assert bench.laboratory is not None
        twin = bench.laboratory.devices[bench.file.instruments.pulser.address]
        assert not twin.output_on[1]


@pytest.mark.parametrize(("limit", "step"), [(4.6, "PROT5"), (2.0, "PROT2"), (21.0, "PROT40")])
def test_a_2450_holds_its_source_back(tmp_path, limit, step):
    with opened(tmp_path, ("voltage = 4.6 ", f"voltage = {limit} ")) as bench:
        bench.prepare()
        smu = bench.instruments.smu
        assert smu.voltage_protection == step
        assert bench.instruments.gate.voltage_protection == "PROT5"
        smu.hold(200.0)
        assert smu.protection_tripped
        bound = float(step.removeprefix("PROT"))
        assert highest(bench) == pytest.approx(bound)
        smu.hold(-200.0)
        assert bench.laboratory.monitor.extremes()["bit line"].lowest == pytest.approx(-bound)
        smu.hold(0.0)
        assert not smu.protection_tripped


@pytest.mark.parametrize("driver", ["keithley2636b", "keysightb2912a"])
def test_where_amperes_are_sourced_volts_are_limited(tmp_path, driver):
    gate = "USB0::0x05E6::0x2450::SIM00002::INSTR"
    with opened(
        tmp_path,
        ("keithley2450", driver),
        (gate, "USB0::0x05E6::0x2450::SIM00001::INSTR"),
        ('terminal = "word line"', 'terminal = "word line"\nchannel = 2'),
    ) as bench:
        bench.prepare()
        assert bench.instruments.smu.voltage_limit == pytest.approx(4.6)
        assert bench.instruments.gate.voltage_limit == pytest.approx(4.0)


def test_a_limit_above_what_needs_an_interlock_is_kept_below_it(tmp_path):
    with opened(tmp_path, ("voltage = 4.6 ", "voltage = 100 ")) as bench:
        bench.prepare()
        assert bench.instruments.smu.voltage_protection == "PROT100"


def test_a_daq_refuses_vectors_beyond_the_limit(tmp_path):
    with opened(tmp_path) as bench:
        instrument = bench.instruments.daq
        bench.connect_multiply("multiply", [0], [0])
        instrument.exchange(np.array([[1.0], [-1.0]]))
        with pytest.raises(LimitError, match=r"1.1 V .* is outside -1 V to 1 V"):
            instrument.exchange(np.array([[1.1]]))


def test_in_a_rehearsal_beyond_the_limits_the_instruments_have_their_own(tmp_path):
    source = load_bench_file("simulated")
    with open_rehearsal(source, seed=1, beyond=True) as bench:
        bench.prepare()
        bench.instruments.pulser.shape(1, voltage=5.0, width=1e-6)
        assert bench.instruments.smu.voltage_protection == "NONE"
        assert bench.limits.highest("bit line") == np.inf


# --- waveforms by the bench ---


def test_a_waveform_reaches_the_cell_by_the_bench(bench):
    fresh = bench.read(CELL)
    bench.waveform(CELL, "set", [1.0, 3.0, 4.5, 4.5, 3.0], interval=1e-6, gate=1.6)
    assert bench.read(CELL) > 10 * fresh
    assert highest(bench) == pytest.approx(4.5, rel=1e-2)
    assert bench.laboratory.incidents == []


STEP = 0.8 / 8.4e-9  # V/s of a step of 1 V
SLEW = ("slew = 400e6 ", "slew = 100e6 ")


@pytest.mark.parametrize(
    ("volts", "interval", "said"),
    daily(
        [
            ([5.0], 1e-6, "bit line: voltage of 5 V exceeds the limit of 4.6 V"),
            ([-5.0], 1e-6, "bit line: voltage of -5 V exceeds"),
            ([1.0, np.nan], 1e-6, "bit line: voltage of nan V exceeds"),
            ([0.5] * 11, 1e-6, "bit line: pulse width of 1.1e-05 s exceeds"),
            ([0.5] * 8 + [0.0] + [0.5] * 11, 1e-6, "bit line: pulse width of 1.1e-05 s exceeds"),
            ([1.0, -1.0], 1e-6, "bit line: slew of 1.90476e.08 V/s exceeds"),
            ([1.0], 1e-6, None),
            ([0.5, 1.0, 0.5, 0.0] * 20, 1e-6, None),
        ],
        5,
    ),
)
def test_a_waveform_beyond_a_limit_raises_before_anything_is_sent(tmp_path, volts, interval, said):
    with opened(tmp_path, SLEW) as bench:
        bench.prepare()
        before = sum(one.messages for one in bench.laboratory.traffic.values())
        if said is None:
            bench.waveform(CELL, "set", volts, interval=interval, gate=1.6)
            return
        with pytest.raises(LimitError, match=said):
            bench.waveform(CELL, "set", volts, interval=interval, gate=1.6)
        assert sum(one.messages for one in bench.laboratory.traffic.values()) == before


@pytest.mark.parametrize(
    ("options", "said"),
    daily(
        [
            ({"kind": "form"}, "kind 'form' does not exist"),
            ({"volts": [[1.0]]}, r"shape \(1, 1\)"),
            ({"volts": []}, r"shape \(0,\)"),
            ({"volts": [1j]}, "complex128"),
            ({"volts": [1e-3]}, "pulse amplitude 0.001 V"),
            ({"interval": 1e-12}, "interval from sample to sample 1e-12 s"),
            ({"interval": float("nan")}, "interval from sample to sample is nan"),
            ({"gate": 5.0}, "word line: voltage of 5 V"),
            ({"count": 0}, "count of waveforms is 0"),
            ({"cell": Cell("multiply", 9999, 0)}, "row of multiply 9999"),
        ],
        4,
    ),
)
def test_what_is_no_waveform_is_refused_before_anything_is_sent(tmp_path, options, said):
    right = {"cell": CELL, "kind": "set", "volts": [1.0], "interval": 1e-6, "gate": 1.6}
    with opened(tmp_path) as bench:
        with pytest.raises((InputError, LimitError), match=said):
            bench.waveform(**{**right, **options})
        assert bench.laboratory.traffic[bench.file.instruments.pulser.address].messages <= 2


def test_a_generator_without_waveforms_says_so(tmp_path, monkeypatch):
    with opened(tmp_path) as bench:
        monkeypatch.setattr(bench._checks, "_instruments", bench._tools._replace(pulser=object()))
        with pytest.raises(BenchError, match="plays no waveforms"):
            bench.waveform(CELL, "set", [1.0], interval=1e-6, gate=1.6)
        monkeypatch.undo()
