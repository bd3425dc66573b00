"""A user's own kind of cells: the file, its errors, and a bench that names it."""

from dataclasses import replace
from importlib import resources

import pytest

from mho.errors import BenchError
from mho.instruments import open_bench
from mho.instruments.simulated import CELL_PRESETS, cell_preset, preset_text

OWN = """name = "mychip"
base = "stanford"

[parameters]
set_slope = 455e-6
stuck_on = 0.01

[posterior]
parameters = ["set_slope"]
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "mychip.toml"
    path.write_text(OWN, encoding="utf-8")
    return str(path)


def test_a_file_changes_what_it_names(own):
    preset = cell_preset(own)
    assert preset == replace(CELL_PRESETS["stanford"], name="mychip", set_slope=455e-6, stuck_on=0.01)
    assert cell_preset(own, stuck=0.5).stuck_on == 0.25


@pytest.mark.parametrize("base", CELL_PRESETS)
def test_the_text_of_a_preset_is_that_preset(base):
    preset = replace(CELL_PRESETS[base], name="mine", forming_voltage=2.9, relaxation=1.1e-7)
    text = preset_text(preset)
    assert cell_preset(text) == preset
    assert len(text.splitlines()) == 6


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('name = "pku"\n', "name = 'pku' is that of a packaged preset; give it another"),
        ('name = "a"\nbase = "b"\n', "base = 'b' is no packaged preset; there are ideal, quiet"),
        ('name = "a"\n[parameters]\nset_slop = 1\n', "no parameter 'set_slop'; did you mean set_slope"),
        ('name = "a"\n[parameters]\nset_slope = -1\n', "set_slope = -1 S/V must lie between"),
        ('name = "a"\n[parameters]\nset_slope = "x"\n', "parameters.set_slope"),
        ('nam = "a"\n', "nam"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(tmp_path, text, says):
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchError, match=r"wrong\.toml|preset 'a'") as error:
        cell_preset(str(path))
    assert says in str(error.value)


def test_a_missing_file_and_an_unknown_name_are_told_apart(tmp_path):
    with pytest.raises(BenchError, match=r"cannot read preset file .*none\.toml \(No such file"):
        cell_preset(str(tmp_path / "none.toml"))
    with pytest.raises(BenchError, match=r"unknown cell preset 'nosuch'.*or name a preset file"):
        cell_preset("nosuch")


def benches():
    return resources.files("mho.instruments") / "benches"


def test_a_bench_file_names_a_preset_file_beside_it(own, tmp_path):
    text = (benches() / "arrays.toml").read_text("utf-8").replace('preset = "pku"', 'preset = "mychip.toml"')
    (tmp_path / "bench.toml").write_text(text, encoding="utf-8")
    with open_bench(str(tmp_path / "bench.toml")) as bench:
        assert bench.simulated.chip.preset.name == "mychip"
