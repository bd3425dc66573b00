"""The settings of write-verify come from the chip map or from a run's own text, are checked, used, and kept in full."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from command_line import made_of_words
from hypothesis import given
from hypothesis import strategies as st
from safety_runs import SIMULATED, SMALL_CHIP

from mho import Program, Solve, run
from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import ChipMapError, InputError, LimitError
from mho.procedures.catalogue import make_procedure
from mho.procedures.cells.programming.settings_text import read_settings, settings_in_use, settings_text
from mho.procedures.cells.programming.strategies.literature import Asap
from mho.running.continuing import rerun
from mho.running.plan import parse_plan
from mho.running.queue.orders import order_of_run
from mho.runs import RunFile

DIGITS = np.array([[5, 7], [6, 4]])
DEFAULT = WriteVerifySettings()


def bench(folder: Path, section: str = "") -> str:
    """A bench file with the small chip, its map with a section more."""
    chip = folder / "small.toml"
    chip.write_text(f"{SMALL_CHIP}\n{section}", encoding="utf-8")
    path = folder / "bench.toml"
    path.write_text(SIMULATED.replace('chip = "reference"', f'chip = "{chip.as_posix()}"'), "utf-8")
    return str(path)


def kept(path: Path) -> tuple[WriteVerifySettings, str]:
    """What a run file says that was used, and whose it was."""
    with RunFile(path) as file:
        told = file.parameters["write_verify"]
    return settings_in_use(DEFAULT, str(told.value)), told.origin


def test_without_any_they_are_the_defaults_and_the_file_says_which(tmp_path):
    result = run(Program(digits=DIGITS), bench(tmp_path), seed=1, output=tmp_path / "a.h5")
    assert kept(result.path) == (DEFAULT, "the chip map's")
    assert "write_verify" not in order_of_run(result.path).parameters


def test_a_section_of_the_chip_map_is_used_and_kept(tmp_path):
    free = run(Program(digits=DIGITS), bench(tmp_path), seed=1, output=tmp_path / "a.h5")
    section = "[write_verify]\nmax_pulses = 2\nwidth = 200e-9\n"
    result = run(Program(digits=DIGITS, passes=0), bench(tmp_path, section), seed=1, output=tmp_path / "b.h5")
    assert free.pulses.max() > 2 == result.pulses.max()
    with RunFile(result.path) as file:
        pulses = file.table("pulses")
    set_or_reset = pulses["voltage"][(pulses["kind"] > 0) & (pulses["width"] < 0.9e-6)]
    assert set(np.round(pulses["width"][(pulses["kind"] > 0)] * 1e9)) <= {200, 1000}
    assert set_or_reset.size
    assert kept(result.path) == (
        DEFAULT.model_copy(update={"max_pulses": 2, "width": 200e-9}),
        "the chip map's",
    )


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["program", "solve"])
def test_a_run_s_own_text_goes_before_the_chip_map_s(kind, tmp_path):
    where = bench(tmp_path, "[write_verify]\nmax_pulses = 2\nfutile = 9\n")
    given: dict[str, object] = (
        {"digits": DIGITS} if kind == "program" else {"matrix": [[2.0, 1.0], [0.0, 1.0]], "bits": 4}
    )
    procedure = make_procedure(kind, given | {"write_verify": "max_pulses=40, inner=0.5"})
    result = run(procedure, where, seed=1, output=tmp_path / "a.h5")
    wanted = DEFAULT.model_copy(update={"max_pulses": 40, "futile": 9, "inner": 0.5})
    assert kept(result.path) == (wanted, "")
    again = rerun(result.path, output=tmp_path / "b.h5")
    assert again.equal
    assert kept(again.path) == (wanted, "")


def test_they_come_from_the_command_line_and_from_a_plan_too():
    text = "width=200ns,gate_range=0.9..2.4"
    typed = made_of_words("program", ["a.npy", "--write-verify", text])
    planned = parse_plan(
        'name = "p"\n[[steps]]\nprocedure = "program"\nparameters = { digits = "a.npy" }\n'
        f'[[sweep]]\nwrite_verify = ["{text}", "max_pulses=7"]\n',
        Path(),
    ).runs
    assert typed.write_verify == planned[0].make().write_verify == text
    assert planned[1].make().write_verify == "max_pulses=7"
    assert read_settings(text) == {"width": pytest.approx(200e-9), "gate_range": (0.9, 2.4)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_pulse=3", "write_verify has no setting 'max_pulse'; did you mean 'max_pulses'?"),
        ("xyz=3", "write_verify has no setting 'xyz'; there are width, set_voltage"),
        ("max_pulses", "'max_pulses' is no setting; write name=value, as max_pulses=50"),
        ("max_pulses=3, max_pulses=4", "names max_pulses twice"),
        ("max_pulses=2.5", "write_verify max_pulses is 2.5: Input should be a valid integer"),
        ("width=3V", "write_verify width is '3V'; 'V' is not a unit of its kind: give it in s"),
        ("width=0", "write_verify width is 0.0: Input should be greater than 0"),
        ("set_voltage=-1", "write_verify set_voltage is -1.0: Input should be greater than or equal to 0"),
        ("inner=nan", "write_verify inner is 'nan'; give a number"),
        ("inner=0.5..0.7", "write_verify inner is '0.5..0.7'; it is one number"),
        ("gate_range=1", "write_verify gate_range is 1.0: "),
        ("gate_range=2..1", "`gate_range` goes from 2 down to 1 V: give the lower one first"),
        ("formed_above=0.11uS", "by the chip map a cell that conducts 1e-07 S is formed"),
        ("forming_gate=0.84", "write_verify forming_gate is 0.84 V, below the 0.85 V of the chip map"),
        (
            "gate_range=0.8..2.6, forming_gate=0.84",
            "write_verify forming_gate is 0.84 V, below the 0.85 V of the chip map",
        ),
    ],
)
def test_a_wrong_text_is_answered_before_a_bench_is_opened(text, said, tmp_path):
    for procedure in (
        Program(digits=DIGITS, write_verify=text),
        Solve(matrix=[[2.0, 1.0], [0.0, 1.0]], write_verify=text),
    ):
        with pytest.raises(InputError, match=re.escape(said)):
            run(procedure, output=tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


def test_a_wrong_section_is_named_with_its_line():
    with pytest.raises(ChipMapError, match=r"write_verify\.max_puls.*line \d+"):
        parse_chip_map(SMALL_CHIP + "\n[write_verify]\nmax_puls = 3\n")
    with pytest.raises(ChipMapError, match=r"write_verify\.width.*line \d+.*less than or equal to 1"):
        parse_chip_map(SMALL_CHIP + "\n[write_verify]\nwidth = 2.0\n")


def test_pulses_beyond_the_bench_s_limits_are_refused_before_any_is_sent(tmp_path):
    with pytest.raises(LimitError):
        run(
            Program(digits=DIGITS, write_verify="forming_voltages=3..9"),
            bench(tmp_path),
            output=tmp_path / "a.h5",
        )
    assert not (tmp_path / "a.h5").exists()
    wide = DEFAULT.model_copy(update={"reset_fine": (1.0, 3.5), "forming_gate": 3.1})
    assert {pulse.voltage for pulse in Asap.largest_pulses(wide)} == {3.0, 3.5}
    checked: list[tuple[float, float, bool]] = []

    class Checks:
        programs = False

        def check_pulse(self, pulse, count=1, *, forming=False):
            checked.append((pulse.voltage, pulse.gate, forming))

    Asap.check_pulses(Checks(), wide)
    assert checked == [(3.0, 2.6, False), (3.5, 2.8, False), (4.5, 3.1, True)]


@given(
    width=st.floats(1e-9, 1.0), forming=st.lists(st.floats(0, 20), min_size=1, max_size=5), pulses=st.integers(0, 1000)
)  # fmt: skip
def test_all_settings_as_text_read_back_are_the_same(width, forming, pulses):
    settings = WriteVerifySettings(width=width, forming_voltages=tuple(forming), max_pulses=pulses)
    assert settings_in_use(DEFAULT, settings_text(settings)) == settings
