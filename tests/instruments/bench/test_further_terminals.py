"""A source at a further terminal of the chip, as its body: on before the lines are driven, off after them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from repository import ROOT

from mho.chip_maps.chip import load_chip_map
from mho.errors import BenchError, ChipMapError, InstrumentError, UnsafeError
from mho.instruments import Bench, Cell, Pulse
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.checks import check_bench
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.opening.safing import make_bench_safe
from mho.instruments.simulated.faults import Fault

BENCH = ROOT / "docs/benches/two-channels.toml"
CHIP = ROOT / "mho/chip_maps/maps/device.toml"
METER, BODY = "USB0::0x05E6::0x2636::4012345::INSTR", "GPIB0::7::INSTR"
TERMINALS = 'terminals = ["bit line", "source line", "word line", "body"]\n'
SUBSTRATE = f"""
[instruments.substrate]
driver = "yokogawags210"
address = "{BODY}"
terminal = "body"
hold = "-0.5 V"
current_limit = "1 mA"

[limits.body]
voltage = 1.0
current = 1e-3
"""
GAUGE = """
[instruments.body]
driver = "mho.instruments.drivers.yokogawags210:YokogawaGS210"
serves = []
"""
VOLTS = pytest.approx(-0.5, abs=1e-3)
CELL, SET = Cell("device", 0, 0), Pulse("set", 3.6, 1e-3, 1.6)


def written(folder: Path, more: str = SUBSTRATE, *, terminals: str = TERMINALS) -> str:
    """Return the path of the bench with a source more, and a chip with a terminal more beside it."""
    (folder / "chip.toml").write_text(terminals + CHIP.read_text("utf-8"), "utf-8")
    text = BENCH.read_text("utf-8").replace('chip = "device"', 'chip = "chip.toml"')
    (folder / "lab.toml").write_text(text + more, "utf-8")
    return str(folder / "lab.toml")


def opened(path: str) -> Bench:
    return open_rehearsal(load_bench_file(path), seed=1, preset="ideal")


def overhear(bench: Bench) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []

    def listen(address: str, device) -> None:
        write = device.write

        def noting(data: bytes, end: bool = True) -> None:
            seen.append((address, data.decode("latin-1").strip()))
            write(data, end)

        device.write = noting

    for address, device in bench.laboratory.devices.items():
        listen(address, device)
    return seen


def test_the_body_is_held_before_a_line_is_driven_and_let_go_after_them(tmp_path):
    bench = opened(written(tmp_path))
    with bench:
        seen = overhear(bench)
        bench.read(CELL)
        bench.pulse(CELL, SET)
        assert bench.laboratory.held["body"] == VOLTS
        assert bench.states()["body"].value == "ON, -0.5 V"
        bench.rest()
        assert bench.laboratory.held["body"] == VOLTS
        on = next(
            i
            for i, (who, said) in enumerate(seen)
            if who == METER and "smua.source.output = smua.OUTPUT_ON" in said
        )
        assert any(who == BODY for who, _ in seen[:on])
        assert not any(who == BODY for who, _ in seen[on:])
        del seen[:]
    ends = [who for who, _ in seen]
    assert ends.index(BODY) > max(i for i, who in enumerate(ends) if who == METER)
    assert bench.laboratory.live() == ()
    assert bench.laboratory.monitor.extremes()["body"].lowest == VOLTS
    assert bench.laboratory.incidents == []


def test_it_is_held_anew_once_the_bench_was_made_safe(tmp_path):
    with opened(written(tmp_path)) as bench:
        bench.read(CELL)
        bench.safe()
        assert "body" not in bench.laboratory.live()
        assert bench.states()["body"].value == "off"
        bench.read(CELL)
        assert bench.laboratory.held["body"] == VOLTS


def test_vectors_find_it_held_on_a_bench_with_a_board(tmp_path):
    maps, benches = ROOT / "mho/chip_maps/maps", ROOT / "mho/instruments/benches"
    (tmp_path / "chip.toml").write_text(TERMINALS + (maps / "reference.toml").read_text("utf-8"), "utf-8")
    text = (benches / "simulated.toml").read_text("utf-8")
    assert 'chip = "reference"' in text
    (tmp_path / "lab.toml").write_text(
        text.replace('chip = "reference"', 'chip = "chip.toml"') + SUBSTRATE, "utf-8"
    )
    with opened(str(tmp_path / "lab.toml")) as bench:
        for _ in range(2):
            bench.connect_multiply("multiply", [0, 1], [0, 1])
            bench.multiply(np.full((1, 2), 0.1))
            assert bench.laboratory.held["body"] == VOLTS
            bench.safe()
            assert bench.laboratory.live() == ()


def test_a_source_meter_does_it_too_at_a_second_output(tmp_path):
    more = SUBSTRATE.replace("yokogawags210", "keithley2450").replace(BODY, "USB0::0x05E6::0x2450::77::INSTR")
    with opened(written(tmp_path, more)) as bench:
        bench.read(CELL)
        assert bench.laboratory.held["body"] == VOLTS
    assert bench.laboratory.live() == ()


def test_one_that_does_not_answer_is_named_and_the_others_are_off(tmp_path):
    bench = opened(written(tmp_path))
    bench.read(CELL)
    bench.laboratory.faults.append(Fault(BODY, "disconnect", times=10**6))
    with pytest.raises(UnsafeError, match="body") as caught:
        bench.safe()
    assert caught.value.live == ("body",)
    assert bench.laboratory.live() == ("body",)
    bench.laboratory.faults.clear()
    bench.safe()
    assert bench.laboratory.live() == ()
    bench.close()


def test_nothing_is_driven_when_it_cannot_be_held(tmp_path):
    with opened(written(tmp_path)) as bench:
        bench.laboratory.faults.append(Fault(BODY, "timeout", times=3))
        with pytest.raises(InstrumentError):
            bench.read(CELL)
        assert not np.any(bench.laboratory.monitor.extremes()["bit line"].voltage)


def test_check_and_safe_know_it(tmp_path):
    path = written(tmp_path, SUBSTRATE + '\n[simulation]\npreset = "ideal"\n')
    found = {(one.subject, one.what): one for one in check_bench(path).findings}
    assert found["body", "output"].verdict == "ok"
    assert found["body", "limits"].verdict in ("ok", "note")
    assert "body" in make_bench_safe(path)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (SUBSTRATE.replace('hold = "-0.5 V"\n', ""), "at a further terminal of the chip map, as 'body', give the voltage"),
        (SUBSTRATE.replace('"-0.5 V"', '"-1.5 V"'), "holds the body at -1.5 V, which has to be within"),
        (SUBSTRATE.partition("[limits")[0], r"`voltage` in \[limits.\"body\"\], and there is none"),
        (SUBSTRATE.replace('current_limit = "1 mA"\n', "").replace("current = 1e-3\n", ""), "needs a `current_limit`"),
        (SUBSTRATE + "\n[limits.well]\nvoltage = 1\n", "'body': nothing is wired to another terminal"),
        (SUBSTRATE + SUBSTRATE.partition("\n[limits")[0].replace("substrate", "other").replace("::7::", "::8::"),
         "`substrate` and `other` are both wired to the body"),
        (SUBSTRATE + GAUGE, "`body` is an instrument beside the bench, and the terminal of `substrate`"),
        (SUBSTRATE.replace('"body"', '"smu"'), "wired to the smu, where nothing of it is used"),
        (SUBSTRATE.replace('"body"', '"word line"'), "`hold` is of a source at a further terminal"),
    ],
)  # fmt: skip
def test_what_cannot_be_so_is_refused_with_a_sentence(tmp_path, more, sentence):
    with pytest.raises(BenchError, match=sentence):
        load_bench_file(written(tmp_path, more))


def test_a_terminal_that_the_chip_does_not_have_is_refused(tmp_path):
    with pytest.raises(
        BenchError, match=r"is wired to the body, and chip map chip\.toml has the terminals bit line"
    ):
        load_bench_file(written(tmp_path, terminals=""))


def test_a_chip_map_names_both_ends_of_a_cell(tmp_path):
    path = tmp_path / "map.toml"
    path.write_text('terminals = ["bit line", "body"]\n' + CHIP.read_text("utf-8"), "utf-8")
    with pytest.raises(ChipMapError, match="`terminals` lacks the source line"):
        load_chip_map(str(path))
