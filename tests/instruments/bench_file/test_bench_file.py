"""A bench file is checked whole: each thing that is wrong is answered with the file, the key and the line."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from mho.errors import BenchError, MhoError
from mho.instruments import open_bench
from mho.instruments.bench_file.bench_file import load_bench_file

TEXT = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")


def write(folder: Path, *changes: tuple[str, str]) -> str:
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "my-bench.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def complaint(path: str) -> str:
    with pytest.raises(BenchError) as refused:
        load_bench_file(path)
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 400 + len(path)
    return message


def test_the_packaged_bench_is_complete():
    source = load_bench_file("simulated")
    assert source.text == TEXT
    assert source.bench.simulation is not None
    assert set(source.bench.terminal_limits().terminals) == {"bit line", "source line", "word line", "vector"}
    assert 'name = "reference"' in source.chip_text


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ("chip = ", "chp = ", "chp (line {}): unknown key; did you mean 'chip'?"),
        ("preset = ", "presett = ", "simulation.presett (line {}): unknown key; did you mean 'preset'?"),
        ("preset = ", "slice_ratio = 0.5\npreset = ",
         "simulation.slice_ratio (line {}): dividers of ratio 0.5 divide nothing: give a ratio above 1, or 0 for none"),
        ("terminal = ", "terminl = ", "instruments.smu.terminl (line {}): unknown key; did you mean 'terminal'?"),
        ("nplc = ", "nlpc = ", "read.nlpc (line {}): unknown key; did you mean 'nplc'?"),
        ("pulse_width = ", "puls_width = ",
         "limits.bit line.puls_width (line {}): unknown key; did you mean 'pulse_width'?"),
        ("voltage = 0.2", "voltage = -0.2", "read.voltage (line {}): Input should be greater than 0, not -0.2"),
        ("voltage = 0.2", 'voltage = "high"',
         "read.voltage (line {}): 'high' is no number in V; write it as 0.5 or as '500 mV'"),
        ("voltage = 0.2", "voltage = inf", "read.voltage (line {}): "),
        ('driver = "ni_daq"', 'driver = "ni"',
         "instruments.daq.driver (line {}): no such driver here; there are ni_daq, keithleydaq6510, array_board"),
        ('"Dev1/ai0:31"', "5", "instruments.daq.inputs (line {}): Input should be a valid string, not 5"),
        ('[limits."word line"]', "[limits.wordline]", "limits.wordline (line {}): Input should be 'bit line', "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_key_and_line(tmp_path, old, new, answer):
    path = write(tmp_path, (old, new))
    line = TEXT[: TEXT.index(old)].count("\n") + 1
    assert complaint(path).startswith(f"bench file {path}: {answer.format(line)}")


def test_a_missing_section_is_named(tmp_path):
    (tmp_path / "b.toml").write_text(TEXT.partition("[instruments.smu]")[0], encoding="utf-8")
    assert complaint(str(tmp_path / "b.toml")).endswith("instruments: this key is missing")


def test_an_instrument_has_any_name(tmp_path):
    source = load_bench_file(write(tmp_path, ("[instruments.board]", "[instruments.carrier]")))
    assert source.bench.instruments.name_of("board") == "carrier"
    assert source.bench.operations()["invert"] == "daq and carrier"
    assert source.bench.instruments.buses() == load_bench_file("simulated").bench.instruments.buses()


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ('terminal = "bit line"', 'terminal = "word line"', "wired to the bit line"),
        ('2 = "source line"', '2 = "bit line"', "source line"),
        ("SIM00002", "SIM00001", "share the address USB0::0x05E6::0x2450::SIM00001::INSTR"),
    ],
)
def test_a_bench_that_cannot_work_is_refused_before_anything_is_opened(tmp_path, old, new, answer):
    message = complaint(write(tmp_path, (old, new)))
    assert "instruments" in message
    assert answer in message


def test_text_that_is_no_toml_says_where(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text('name = "x"\nchip = \n', encoding="utf-8")
    assert "is not valid TOML" in complaint(str(path))
    assert "line 2" in complaint(str(path))
    path.write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8 text" in complaint(str(path))


def test_an_unknown_bench_lists_the_packaged_ones(tmp_path):
    assert complaint("nosuch") == (
        "cannot read bench 'nosuch' (No such file or directory); name a TOML file or one of: arrays, heated, "
        "integrated64, integrated64-arrays, simulated, stanford, stanford-arrays, stanford35-arrays, switched, zuo2025"
    )
    assert "cannot read bench" in complaint(str(tmp_path))  # a folder


def test_an_unknown_chip_map_lists_the_packaged_ones(tmp_path):
    message = complaint(write(tmp_path, ('chip = "reference"', 'chip = "nochip"')))
    assert "cannot read chip map 'nochip'" in message
    assert "reference, segmented, stanford, stanford35, zuo2025" in message


def test_a_chip_map_is_found_beside_the_bench_file(tmp_path):
    chip = (resources.files("mho.chip_maps") / "maps/zuo2025.toml").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(chip, encoding="utf-8")
    path = write(tmp_path, ('chip = "reference"', 'chip = "mine.toml"'))
    assert load_bench_file(path).chip_text == chip


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        (
            'preset = "pku"',
            'preset = "kpu"',
            "unknown cell preset 'kpu'; there are ideal, quiet, pku, relaxing",
        ),
        ('amplifier = "AD823"', 'amplifier = "741"', "unknown amplifier '741'; there are AD823, OPA690"),
    ],
)
def test_an_unknown_preset_lists_the_known_ones(tmp_path, old, new, answer):
    with pytest.raises(BenchError) as refused:
        open_bench(write(tmp_path, (old, new)))
    assert answer in str(refused.value)


def test_a_chip_map_without_arrays_is_refused(tmp_path):
    (tmp_path / "empty.toml").write_text('name = "empty"\n', encoding="utf-8")
    with pytest.raises(MhoError, match="arrays: this key is missing"):
        open_bench(write(tmp_path, ('chip = "reference"', 'chip = "empty.toml"')))


def test_a_cell_preset_is_for_simulated_benches_only(tmp_path):
    start, end = TEXT.index("\n[simulation]"), TEXT.index("[instruments.smu]")
    (tmp_path / "real.toml").write_text(TEXT[:start] + TEXT[end:], encoding="utf-8")
    with pytest.raises(BenchError, match="real instruments: a preset is for simulated cells only"):
        open_bench(str(tmp_path / "real.toml"), preset="pku")
