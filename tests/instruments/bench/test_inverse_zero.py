"""The zero of INV: what is left of it behind a coarse converter, on every bench; what a bench file may say of it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from daily import daily
from numpy.typing import NDArray
from scipy import stats

from mho.errors import BenchError, ConvergenceError
from mho.instruments import open_bench
from mho.instruments.bench.vectors import InverseZero
from mho.instruments.bench_file import load_bench_file

DIAGONAL, GIN = 30e-6, 35e-6  # S; cells are not formed, so that the resistors are the matrix
LINES = [0, 1, 2, 3]
BITS = 5
STEP = 0.8 / 31  # V, of a mid-rise converter of so many bits
BOARD = """driver = "array_board"
"""
NI = """driver = "ni_daq"
outputs = "PXI1Slot2/ao0:31"
inputs = "Dev1/ai0:31"
products = { PXI1Slot2 = "PXIe-6738", Dev1 = "USB-6363" }
"""
BENCHES = {"wire, NI DAQ": ("true", NI), "wire, board": ("true", BOARD), "arrays": ("false", BOARD)}
MEASURED = {
    "read once": "",
    "averaged": "\n[inverse]\nzero_readings = 64\nzero_dither = 0.05\n",
    "mid-tread": "MID-TREAD",
    "trimmed": "\n[inverse]\nzero_readings = 0\n",
}


def bench_file(folder: Path, bench: str, zero: str = "", simulation: str = "") -> str:
    """Write the packaged bench with converters of five bits at INV; return its path."""
    instruments, daq = BENCHES[bench]
    text = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
    codes = '"mid-tread"' if zero == "MID-TREAD" else '"mid-rise"'
    lines = f"instruments = {instruments}\ninverse_bits = {BITS}\ninverse_codes = {codes}\n{simulation}"
    text = text.replace("[simulation]\n", f"[simulation]\n{lines}").replace(NI, daq)
    path = folder / f"{bench}.toml"
    path.write_text(text + ("" if zero == "MID-TREAD" else zero), encoding="utf-8")
    return str(path)


def biases(path: str, chips: int, vectors: int = 200) -> NDArray[np.float64]:
    """Return by how much the answers of drawn chips are off in the mean over random vectors, V, an output each."""
    volts = np.random.default_rng(0).uniform(-0.25, 0.25, (vectors, len(LINES)))
    off = []
    for seed in range(chips):
        with open_bench(path, preset="ideal", seed=seed) as bench:
            bench.connect_invert(
                "invert_positive", LINES, LINES, diagonal=DIAGONAL, diagonal_count=len(LINES)
            )
            off.append((bench.invert(volts) + GIN / DIAGONAL * volts).mean(axis=0))
    return np.concatenate(off)


@pytest.mark.thorough
@pytest.mark.parametrize("measured", MEASURED)
def test_what_is_left_of_the_zero_is_the_same_at_the_wire_as_without_instruments(
    tmp_path: Path, measured: str
) -> None:
    found = {one: biases(bench_file(tmp_path, one, MEASURED[measured]), 6) for one in BENCHES}
    for one in ("wire, NI DAQ", "wire, board"):
        assert stats.ks_2samp(np.abs(found[one]), np.abs(found["arrays"])).pvalue > 0.01, one


def test_half_a_step_is_left_of_one_reading_and_little_of_any_other_zero(tmp_path: Path) -> None:
    left = {one: np.abs(biases(bench_file(tmp_path, "arrays", zero), 12)) for one, zero in MEASURED.items()}
    # Where an amplifier's offset is next to 0 V, the loop's own noise is some dither.
    assert np.median(left["read once"]) == pytest.approx(0.5 * STEP, rel=0.1)
    for one in ("averaged", "mid-tread", "trimmed"):
        assert left[one].max() < 0.2 * STEP, one


def test_the_mean_of_many_readings_without_dither_is_that_of_one(tmp_path: Path) -> None:
    once, often = (
        np.abs(biases(bench_file(tmp_path, "arrays", f"\n[inverse]\nzero_readings = {count}\n"), 6))
        for count in (1, 64)
    )
    assert np.median(often) == pytest.approx(np.median(once), rel=0.1)


@pytest.mark.parametrize(
    ("setting", "least", "most"),
    [("inverse_noise = 0.02\n", 0.018, 0.022), ("", 0.0, 1e-9)],
)
def test_samples_have_the_noise_that_the_bench_file_says(
    tmp_path: Path, setting: str, least: float, most: float
) -> None:
    for bench in ("wire, NI DAQ", "arrays"):
        path = bench_file(tmp_path, bench, "", setting)
        with open_bench(path, preset="ideal", seed=1) as opened:
            opened.connect_invert("invert_positive", [0], [0], diagonal=DIAGONAL, diagonal_count=1)
            spread = opened.invert(np.full((400, 1), 0.1)).std()
        noise = np.sqrt(max(spread**2 - (STEP**2 / 12 if setting else 0.0), 0.0))
        assert least <= noise <= max(most, 0.005 if bench.startswith("wire") else most)


def test_the_curve_of_the_converter_is_drawn_with_the_board(tmp_path: Path) -> None:
    curves = []
    for seed, bench in ((1, "arrays"), (1, "arrays"), (2, "arrays"), (1, "wire, NI DAQ")):
        path = bench_file(tmp_path, bench, "", "inverse_inl = 0.8\ninverse_dnl = 0.1\n")
        with open_bench(path, preset="ideal", seed=seed) as opened:
            simulated = opened.simulated
            adc = simulated.circuits.inverse_adc  # type: ignore[union-attr]
            curves.append(adc.inl)
            assert 0.3 < np.abs(adc.inl).max() < 1.5
            assert np.diff(adc.inl).std() == pytest.approx(0.1, abs=0.15)
    np.testing.assert_array_equal(curves[0], curves[1])
    assert not np.array_equal(curves[0], curves[2])


@pytest.mark.parametrize("bench", ["wire, NI DAQ", "arrays"])
@pytest.mark.parametrize("seed", daily([2, 9, 18, 33], 2))
def test_a_clamped_answer_is_told_behind_a_curved_converter(tmp_path: Path, bench: str, seed: int) -> None:
    path = bench_file(tmp_path, bench, "MID-TREAD", "inverse_inl = 0.5\ninverse_dnl = 0.5\n")
    with open_bench(path, preset="ideal", seed=seed) as opened:
        opened.connect_invert("invert_positive", [0, 1], [0, 1], diagonal=20e-6, diagonal_count=2)
        answers = opened.invert(np.array([[0.9, 0.9], [-0.9, -0.9], [0.1, -0.1]]))
    assert np.isnan(answers[:2]).all()
    assert np.isfinite(answers[2]).all()


@pytest.mark.parametrize("bench", ["wire, NI DAQ", "arrays"])
def test_a_converter_that_reads_nothing_as_a_clamp_is_refused_before_any_pulse(
    tmp_path: Path, bench: str
) -> None:
    path = Path(bench_file(tmp_path, bench, "", "inverse_inl = 64\n"))
    path.write_text(path.read_text("utf-8").replace(f"bits = {BITS}\n", "bits = 2\n"), encoding="utf-8")
    with (
        pytest.raises(BenchError, match=r"reads 0 V as -?0\.40 V, which counts as clamped"),
        open_bench(str(path), preset="ideal", seed=1),
    ):
        pass


def test_a_pair_of_dither_that_reaches_a_clamp_is_left_out_and_without_any_pair_one_reading_serves() -> None:
    zero = InverseZero(4, 0.1)
    assert zero.samples(3).shape == (5, 3)
    np.testing.assert_allclose(zero.samples(3)[1:3], -zero.samples(3)[3:])
    answers = np.array([[0.05], [0.4], [0.03], [-0.3], [-0.01], [0.2]])
    np.testing.assert_allclose(zero.subtracted(answers), [[0.19]])
    answers[2] = -0.395
    np.testing.assert_allclose(zero.subtracted(answers), [[0.15]])


def test_one_reading_is_subtracted_bit_for_bit() -> None:
    # The mean of -0.0 alone is 0.0, and -0.0 - 0.0 another number than -0.0 - -0.0: older runs would not repeat.
    assert not np.signbit(InverseZero().subtracted(np.array([[-0.0], [-0.0]])))[0, 0]


def test_a_loop_that_rails_with_nothing_at_its_inputs_is_told_whatever_the_zero() -> None:
    for zero in (InverseZero(), InverseZero(0), InverseZero(2, 0.1)):
        with pytest.raises(ConvergenceError, match=r"the INV loop rails: an output reads 0\.40 V"):
            zero.subtracted(np.full((len(zero.samples(1)) + 1, 1), 0.4))


@pytest.mark.parametrize(
    ("zero", "simulation", "answer"),
    [
        ("\n[inverse]\nzero_readings = -1\n", "", "inverse.zero_readings (line "),
        (
            "\n[inverse]\nzero_readings = 3\nzero_dither = 0.1\n",
            "",
            "`zero_readings` is 3: readings with `zero_dither`",
        ),
        (
            "\n[inverse]\nzero_dither = 0.1\n",
            "",
            "`zero_readings` is 1: readings with `zero_dither` come in pairs",
        ),
        (
            "\n[inverse]\nzero_readings = 2\nzero_dither = 1.5\n",
            "",
            "`zero_dither` is 1.5 V, beyond the limit of 1 V in [limits.vector]",
        ),
        ("\n[inverse]\nzero_reading = 2\n", "", "did you mean 'zero_readings'?"),
        ("", "inverse_dnl = -0.1\n", "simulation.inverse_dnl (line "),
    ],
)
def test_what_cannot_be_is_refused_when_the_file_is_read(
    tmp_path: Path, zero: str, simulation: str, answer: str
) -> None:
    with pytest.raises(BenchError) as told:
        load_bench_file(bench_file(tmp_path, "arrays", zero, simulation))
    assert answer in str(told.value)


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ('"mid-tread"', '"midtread"', "simulation.inverse_codes (line "),
        (
            f"inverse_bits = {BITS}\n",
            "",
            "`inverse_codes` is of the board's own converters at the INV outputs",
        ),
        (
            f"inverse_bits = {BITS}\n",
            "inverse_bits = 1\n",
            "`inverse_bits` is 1: a converter of one bit reads everything as clamped; give at least 2",
        ),
    ],
)
def test_codes_of_no_converter_are_refused(tmp_path: Path, old: str, new: str, answer: str) -> None:
    path = Path(bench_file(tmp_path, "arrays", "MID-TREAD"))
    path.write_text(path.read_text("utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(BenchError) as told:
        load_bench_file(str(path))
    assert answer in str(told.value)
