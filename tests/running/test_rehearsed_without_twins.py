"""An instrument of one's own without a twin is named, and all that a run does without it is rehearsed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from repository import ROOT

import mho
from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.opening.opening import open_rehearsal, open_simulated
from mho.procedures import IV, Form, Read, Switching
from mho.running.rehearsal import rehearse

FOLDER = ROOT / "docs" / "benches"
OWN = """
class Meter:
    def __init__(self, address, visa_library=""):
        raise AssertionError("opened")

    def identify(self): ...
    def settings(self): ...
    def make_safe(self): ...
    def close(self): ...
    def configure(self, *, current_limit, current_range, nplc): ...
    def enable(self): ...
    def hold(self, voltage): ...
    def read(self, voltage): ...
    def sweep(self, voltages, delay=0.0): ...


class TwoChannels(Meter):
    channel_count = 2

    def channel(self, number): ...


class Source(Meter):
    output_enabled = False

    def configure(self, *, current_limit): ...


class Generator(Meter):
    edge = 10e-9

    def configure(self, channel): ...
    def shape(self, channel, *, voltage, width): ...
    def fire(self, channel, count=1): ...


class Matrix(Meter):
    def close_paths(self, paths): ...
    def open_paths(self, paths): ...
    def open_all(self): ...
    def closed(self): ...
"""

KINDS = {
    "own.py:Generator": "pulse generator", "own.py:Meter": "source meter", "own.py:Source": "voltage source",
    "own.py:TwoChannels": "source meter", "own.py:Matrix": "switch matrix",
}  # fmt: skip


def own(folder: Path, name: str, driver: str, kind: str) -> str:
    """Return a bench of the docs, one of whose drivers is a class of one's own without a twin."""
    for path in FOLDER.iterdir():
        if path.suffix in (".py", ".toml"):
            (folder / path.name).write_bytes(path.read_bytes())
    (folder / "own.py").write_text(OWN, "utf-8")
    text = (FOLDER / f"{name}.toml").read_text("utf-8")
    if not kind:
        text = text.replace(f'twin = "{driver}"\n', "")
    else:
        assert f'driver = "{driver}"' in text
        text = text.replace(f'driver = "{driver}"', f'driver = "{kind}"\nkind = "{KINDS[kind]}"')
    (folder / "own.toml").write_text(text, "utf-8")
    return str(folder / "own.toml")


@pytest.mark.parametrize(
    ("bench", "driver", "kind", "does", "does_not", "served"),
    [
        (
            "meter-source-generator", "keysight33522b", "own.py:Generator", IV(forming="no"), Switching(width=1e-5),
            "`pulse` and `waveform`",
        ),
        ("meter-source-generator", "keithley2450", "own.py:Meter", None, Read(), "`read` and `sweep`"),
        ("meter-source-generator", "yokogawags210", "own.py:Source", None, Read(), "`gate`"),
        ("two-channels", "keithley2636b", "own.py:TwoChannels", None, Read(), "`read` and `sweep` and `pulse` and `gate`"),
        ("row-of-devices", "keithley707b", "own.py:Matrix", None, Read(), "`select`"),
        (
            "microcontroller", "simulated_microcontroller.py:SimulatedMicrocontroller", "", None, Read(),
            "`select` and `read` and `gate` and `pulse` and `multiply`",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_and_the_rest_is_rehearsed(
    bench, driver, kind, does, does_not, served, tmp_path, caplog
):
    path = own(tmp_path, bench, driver, kind)
    rehearsed = rehearse(does_not, path, seed=1)
    assert not rehearsed.finished
    assert f"so that {served} cannot be rehearsed: name one beside it" in rehearsed.reason
    assert rehearsed.untwinned == (rehearsed.reason.removeprefix("BenchError: "),)
    assert any(text.endswith("; the rest is rehearsed") for text in caplog.messages)
    if does is not None:
        assert rehearse(does, path, seed=1).passed
    with open_rehearsal(load_bench_file(path), seed=1) as opened:
        pass
    assert opened.laboratory.live() == ()


def test_a_bench_that_is_simulated_itself_needs_every_twin(tmp_path):
    path = Path(own(tmp_path, "meter-source-generator", "keysight33522b", "own.py:Generator"))
    path.write_text(path.read_text("utf-8") + "\n[simulation]\n", "utf-8")
    with pytest.raises(BenchError, match="has no simulated twin"):
        open_simulated(load_bench_file(str(path)), None, 1)


def test_without_the_twin_of_what_carries_the_chip_nothing_is_rehearsed(tmp_path):
    path = Path(own(tmp_path, "chip-carrier", "carrier", ""))
    path.write_text(re.sub(r"^twin = .*\n", "", path.read_text("utf-8"), flags=re.M), "utf-8")
    with pytest.raises(BenchError, match="has no simulated twin; name one beside it"):
        rehearse(Read(), str(path), seed=1)


@pytest.mark.parametrize("bench", ["probe-station", "two-channels", "parameter-analyser", "row-of-devices"])
def test_pulses_of_a_source_measure_unit_are_counted_with_their_widths(bench):
    with open_rehearsal(load_bench_file(str(FOLDER / f"{bench}.toml")), seed=1) as opened:
        monitor = opened.laboratory.monitor
        gate = opened.at_word_line(1.6)
        for kind, width, count in (("set", 5e-3, 3), ("reset", 6e-3, 2)):
            opened.pulse(mho.Cell("device", 0, 0), mho.Pulse(kind, 1.0, width, gate=gate), count)
        opened.sweep(mho.Cell("device", 0, 0), [0.1, 0.2, 0.1])
        opened.read(mho.Cell("device", 0, 0))
    seen = monitor.extremes()["bit line"]
    assert (monitor.pulses, seen.pulses, seen.shortest_pulse, seen.longest_pulse) == (5, 5, 5e-3, 6e-3)


def test_a_rehearsal_counts_them_and_neither_reads_nor_sweeps():
    bench = str(FOLDER / "two-channels.toml")
    assert rehearse(Read(), bench, seed=1).pulses == 0
    formed = rehearse(Form(start=1.0, stop=1.2, step=0.1, width=5e-3), bench, seed=1)
    assert formed.pulses == 3
    widths = [(one.terminal, one.highest) for one in formed.quantities if one.name == "pulse width"]
    assert widths == [("bit line", 5e-3)]
