"""A prober and an oscilloscope by classes of one's own: dies come under the probes, and acts are recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from repository import ROOT

from mho.errors import BenchError, InputError, InstrumentError, LimitError, UnsafeError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.checks import check_bench
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.opening.safing import confirm_bench_safe
from mho.instruments.roles import Cell, Pulse

BENCHES = ROOT / "docs/benches"
DEVICE = Cell("device", 0, 0)

SOURCE = """
import numpy as np
from mho.errors import InstrumentError
from mho.instruments.simulated.lines import AnsweringDevice, Refusal
import pyvisa


class Line:
    def __init__(self, address, visa_library=""):
        self.line = pyvisa.ResourceManager(visa_library).open_resource(
            address, read_termination="\\n", write_termination="\\n")
    def ask(self, text):
        answer = self.line.query(text).strip()
        if answer.startswith("ERR"):
            raise InstrumentError(f"{text}: {answer}")
        return answer
    def identify(self): return self.ask("ID?")
    def settings(self): return {}
    def make_safe(self): self.ask("STOP")
    def close(self): self.line.close()


class Prober(Line):
    def move_to(self, die): self.ask(f"MOVE {die}")
    def contact(self): self.ask("DOWN")
    def separate(self): self.ask("UP")
    def where(self):
        die, down = self.ask("WHERE?").split()
        return die, down == "1"


class Scope(Line):
    def arm(self, duration, samples): self.ask(f"ARM {duration!r} {samples}")
    def fetch(self):
        rows = [np.array(row.split(","), float) for row in self.ask("DATA?").split()]
        return rows[0], np.array(rows[1:])


class SimulatedProber(AnsweringDevice):
    def __init__(self, clock, rng, needles, *, serial):
        super().__init__(clock, rng)
        self.needles, self.serial, self.die, self.down, self.moves = needles, serial, "0,0", 1, []
    def _do_id_asked(self): return "PROBER," + self.serial
    def _do_where_asked(self): return f"{self.die} {self.down}"
    def _do_stop(self): return "OK"
    def _do_move(self, die):
        if self.down:
            raise Refusal("the probes are down")
        self.clock.advance(2.0)
        self.moves.append(die)
        self.die = die
        return "OK"
    def _set(self, down):
        self.needles.moving("the probes moved")
        self.down = down
        return "OK"
    def _do_up(self): return self._set(0)
    def _do_down(self): return self._set(1)


class SimulatedScope(AnsweringDevice):
    def __init__(self, clock, rng, probes, *, serial):
        super().__init__(clock, rng)
        self.probes, self.times = probes, None
    def _do_id_asked(self): return "SCOPE"
    def _do_stop(self): return "OK"
    def _do_arm(self, duration, samples):
        self.times = np.arange(int(samples)) * float(duration) / int(samples)
        self.probes.arm()
        return "OK"
    def _do_data_asked(self):
        volts = self.probes.seen(self.times)
        if volts is None:
            raise Refusal("no trigger")
        return " ".join(",".join(map(repr, row.tolist())) for row in [self.times, *volts])
"""
PROBER = """[instruments.stage]
driver = "probing.py:Prober"
twin = "probing.py:SimulatedProber"
address = "ASRL7::INSTR"
"""
SCOPE = """[instruments.scope]
driver = "probing.py:Scope"
twin = "probing.py:SimulatedScope"
address = "ASRL8::INSTR"
channels = ["bit line", "word line"]
"""


def described(folder: Path, name: str, entry: str, *changes: tuple[str, str], source: str = SOURCE) -> str:
    text = (BENCHES / f"{name}.toml").read_text("utf-8").replace("[read]", f"{entry}\n[read]")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "probing.py").write_text(source, "utf-8")
    (folder / "lab.toml").write_text(text, "utf-8")
    return str(folder / "lab.toml")


def rehearsed(path: str):
    return open_rehearsal(load_bench_file(path), seed=1)


def refusal(path: str) -> str:
    with pytest.raises(BenchError) as refused:
        load_bench_file(path)
    return str(refused.value)


# --- position ---


def test_a_die_comes_under_the_probes_with_every_source_off(tmp_path):
    with rehearsed(described(tmp_path, "two-channels", PROBER)) as bench:
        assert bench.file.operations()["position"] == "stage"
        twin = bench.laboratory.devices["ASRL7::INSTR"]
        bench.read(DEVICE)
        assert bench.laboratory.live()
        before = bench.now()
        bench.position("1,0")
        assert bench.laboratory.live() == ()
        assert (twin.moves, twin.die, twin.down) == (["1,0"], "1,0", 1)
        assert bench.now() - before > 1.9
        assert abs(bench.read(DEVICE)) < 1e-7  # which prepares the bench anew
        assert bench.laboratory.incidents == []
        assert bench.identities()["prober"]["identity"] == "PROBER,SIM00010"
        # A driver that does not wait for the bench is found out by its rehearsal.
        bench.instruments.smu.hold(0.5)
        bench.instruments.prober.separate()
        assert {one.kind for one in bench.laboratory.incidents} == {"hot contact"}
    assert bench.laboratory.live() == ()


def test_what_is_known_of_formed_cells_is_known_die_by_die(tmp_path):
    with rehearsed(described(tmp_path, "two-channels", PROBER)) as bench:
        bench.pulse(DEVICE, Pulse("set", 4.0, 1e-3, gate=1.6))
        bench.read(DEVICE)
        assert bench.forming.is_formed(DEVICE)
        bench.position("1,0")
        assert not bench.forming.is_formed(DEVICE)
        with pytest.raises(LimitError):  # of a die of which nothing is known
            bench.pulse(DEVICE, Pulse("set", 4.4, 1e-3, gate=1.6))
        bench.position("0,0")
        assert bench.forming.is_formed(DEVICE)


def test_nothing_moves_while_an_output_is_not_confirmed_off(tmp_path, monkeypatch):
    with rehearsed(described(tmp_path, "two-channels", PROBER)) as bench:
        bench.read(DEVICE)
        with monkeypatch.context() as broken:

            def stuck(self):
                raise InstrumentError("the output relay is stuck")

            broken.setattr(type(bench.instruments.gate), "make_safe", stuck)
            with pytest.raises(UnsafeError, match="gate"):
                bench.position("1,0")
        assert bench.laboratory.devices["ASRL7::INSTR"].moves == []
        assert bench.laboratory.devices["ASRL7::INSTR"].down == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"move_to": lambda self, die: None},
            r"Prober reports '0,0' with the probes up instead of '1,0' with the probes up",
        ),
        (
            {"contact": lambda self: None},
            r"reports '1,0' with the probes up instead of '1,0' with the probes down",
        ),
        ({"separate": lambda self: None}, r"reports that its probes touch after it has lifted them"),
        (
            {"where": lambda self: "here"},
            r"Prober.where answered 'here', not a die's name and whether the probes touch",
        ),
        (
            {"contact": lambda self: 1 / 0},
            r"Prober.contact failed: ZeroDivisionError: .* \(test_prober_and_scope.py, line",
        ),
    ],
)
def test_a_prober_that_is_not_where_it_was_sent_is_told(tmp_path, monkeypatch, changes, says):
    with rehearsed(described(tmp_path, "two-channels", PROBER)) as bench:
        for name, method in changes.items():
            monkeypatch.setattr(type(bench.instruments.prober), name, method)
        with pytest.raises(InstrumentError, match=says):
            bench.position("1,0")
    assert bench.laboratory.live() == ()


def test_dies_are_those_of_the_file(tmp_path):
    path = described(tmp_path, "two-channels", PROBER + 'dies = ["0,0", "1,0"]\n')
    with rehearsed(path) as bench:
        for die in ("2,0", 3):
            with pytest.raises(InputError, match=r"is no die of the prober; there are 0,0, 1,0"):
                bench.position(die)
        assert bench.laboratory.devices["ASRL7::INSTR"].moves == []
    with rehearsed(str(BENCHES / "two-channels.toml")) as bench:
        with pytest.raises(BenchError, match="nothing there serves `position`"):
            bench.position("1,0")
        with pytest.raises(BenchError, match="nothing there serves `observe`"):
            bench.observe(lambda: None, duration=1e-6)


# --- observe ---


def test_an_oscilloscope_records_what_a_pulse_does_at_its_probes(tmp_path):
    with rehearsed(described(tmp_path, "meter-source-generator", SCOPE)) as bench:
        pulse = Pulse("set", 1.5, 2e-6, gate=1.0)
        bench.read(DEVICE)
        seen = bench.observe(lambda: bench.pulse(DEVICE, pulse), duration=4e-6, samples=8)
        assert_allclose(seen.times, np.arange(8) * 0.5e-6)
        assert seen.volts.shape == (2, 8)
        # The word line was raised first, and its edge is the trigger: the pulse comes milliseconds later.
        assert_allclose(seen.volts[1], 1.0, rtol=0.01)
        again = bench.observe(lambda: bench.pulse(DEVICE, pulse), duration=4e-6, samples=8)
        assert_allclose(again.volts[0], [1.5] * 4 + [0.0] * 4, atol=0.02)
        with pytest.raises(InstrumentError, match="no trigger"):
            bench.observe(lambda: None, duration=1e-6, samples=2)
        with pytest.raises(LimitError):
            bench.observe(lambda: bench.pulse(DEVICE, Pulse("set", 9.0, 1e-6, gate=1.0)), duration=1e-6)
        for wrong in ({"duration": 0.0}, {"duration": np.nan}, {"duration": 1e-6, "samples": 0}):
            with pytest.raises(InputError):
                bench.observe(lambda: None, **wrong)
    assert bench.laboratory.live() == ()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("text", r"Scope.fetch answered 'text', not times \(4,\) and volts \(2, 4\)"),
        ((np.arange(4.0), np.zeros((1, 4))), "one time after the other"),
        ((np.zeros(4), np.zeros((2, 4))), "one time after the other"),
        ((np.arange(4.0), np.full((2, 4), np.nan)), "finite, in s and V"),
    ],
)
def test_an_oscilloscope_that_answers_nonsense_is_told(tmp_path, monkeypatch, answer, says):
    with rehearsed(described(tmp_path, "meter-source-generator", SCOPE)) as bench:
        monkeypatch.setattr(type(bench.instruments.scope), "fetch", lambda self: answer)
        with pytest.raises(InstrumentError, match=says):
            bench.observe(lambda: bench.read(DEVICE), duration=1e-3, samples=4)
    assert bench.laboratory.live() == ()


def test_both_are_made_safe_and_believed_for_they_drive_nothing(tmp_path):
    path = described(tmp_path, "two-channels", PROBER + SCOPE, ("[read]", "[simulation]\n[read]"))
    assert {"prober", "scope"} <= confirm_bench_safe(path).identities.keys()
    found = {one.subject: one.verdict for one in check_bench(path).findings if one.what == "connection"}
    assert {found.get("prober"), found.get("scope")} == {found["smu"]}


@pytest.mark.parametrize(
    ("entry", "source", "says"),
    [
        (PROBER + 'kind = "prober"\n', ("def where", "def place"), "is no Prober: give it where()"),
        (PROBER.replace("Prober", "Scope") + 'kind = "prober"\n', ("", ""),
         "give it move_to(die), contact(), separate(), where()"),
        (SCOPE, ("def fetch", "def take"), "what this instrument is, is not said"),
        (SCOPE + 'serves = ["observe"]\n', ("def fetch", "def take"), "is no Oscilloscope: give it fetch()"),
        (SCOPE + 'serves = ["position"]\n', ("", ""), "unknown key"),
        (PROBER + PROBER.replace("stage", "other").replace("7", "9"), ("", ""),
         "`stage` and `other` both serve `position`"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path, entry, source, says):
    assert says in refusal(described(tmp_path, "two-channels", entry, source=SOURCE.replace(*source)))
