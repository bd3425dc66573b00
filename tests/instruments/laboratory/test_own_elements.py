"""Elements of a user's own in the circuits of a bench: what they are asked, what they make, and what is refused."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import safety_runs

import mho
from mho.circuits import (
    AMPLIFIER_PRESETS,
    CircuitElements,
    OwnCircuitError,
    amplifier_preset,
    circuit_elements,
)
from mho.errors import BenchError, InputError, InstrumentError
from mho.instruments import Bench, open_bench
from mho.instruments.bench_file import load_bench_file
from mho.instruments.simulated import AmplifierPreset, circuit_code_of, circuit_text
from mho.procedures import Program
from mho.running.execution import evaluate

BENCHES = ["arrays", "simulated"]
SCANNED = safety_runs.BENCHES["2450, AFG31000, DAQ6510"]
DIGITS = np.array([[6, 1, 0], [2, 7, 1], [0, 1, 5]])
LINES = np.arange(3)
INPUT = 0.05 * np.array([[1.0, -0.5, 0.25], [0.4, 0.8, -1.0]])
REPEATS = 500  # vectors of each, over whose mean the thermal noise of the resistors is below 10 uV


class Straight:
    """Converters without steps and errors."""

    def sampled(self, volts, mode, rng):
        return volts

    def driven(self, volts, mode):
        return volts


class Perfect:
    """Wires of no resistance."""

    def transfer(self, conductance, rows, columns, wire_resistance):
        return conductance


@dataclass(frozen=True)
class Gains:
    """Amplifiers that have nothing but a gain, each its own, by mode."""

    invert: float = 1e9
    multiply: float = 1e9

    def draw_amplifiers(self, count, mode, rng):
        gain = self.invert if mode == "INVERT" else self.multiply
        nothing = dict.fromkeys(("offset", "noise", "bias_current"), np.zeros(count))
        return {"gain": gain * (1.0 + np.arange(count)), **nothing}


@contextmanager
def programmed(bench: str, circuit: object, preset: str = "ideal") -> Iterator[Bench]:
    with open_bench(bench, preset=preset, circuit=circuit, seed=1) as opened:
        evaluate(Program(digits=DIGITS), opened, seed=1)
        yield opened


def cells_of(bench: Bench) -> np.ndarray:
    assert bench.simulated is not None
    return bench.simulated.chip.conductance("multiply", LINES, LINES)


def inverted(bench: Bench) -> np.ndarray:
    bench.connect_invert("multiply", LINES, LINES)
    return bench.invert(np.repeat(INPUT, REPEATS, axis=0)).reshape(2, REPEATS, 3).mean(axis=1)


def multiplied(bench: Bench) -> np.ndarray:
    bench.connect_multiply("multiply", LINES, LINES)
    return bench.multiply(np.repeat(INPUT, REPEATS, axis=0)).reshape(2, REPEATS, 3).mean(axis=1)


@pytest.mark.parametrize("bench", BENCHES)
@pytest.mark.parametrize("gain", [50.0, 1e9])
def test_amplifiers_of_finite_gain_settle_where_the_equation_of_the_loop_says(bench, gain):
    with programmed(bench, [Gains(invert=gain), Straight, Perfect]) as opened:
        g, board = cells_of(opened), opened.instruments.board
        load = np.diag(g.sum(axis=1) + board.input_conductance)
        each = gain * np.array([1.0, 2.0, 3.0])
        expected = np.linalg.solve(g + load / each, -board.input_conductance * INPUT.T).T
        without = np.linalg.solve(g, -board.input_conductance * INPUT.T).T
        assert inverted(opened) == pytest.approx(expected, abs=2e-4)  # the noise of the one zero
        assert (np.abs(expected - without).max() > 3e-3) == (gain < 1e3)  # what the gain does is seen


@pytest.mark.parametrize("bench", BENCHES)
@pytest.mark.parametrize("gain", [50.0, 1e9])
def test_amplifiers_of_finite_gain_multiply_by_less_as_the_loop_gain_says(bench, gain):
    with programmed(bench, [Gains(multiply=gain), Straight, Perfect]) as opened:
        g, resistance = cells_of(opened), opened.instruments.board.transimpedance
        each = gain * np.array([1.0, 2.0, 3.0])
        share = 1.0 / (1.0 + (1.0 + resistance * g.sum(axis=0)) / each)
        assert multiplied(opened) == pytest.approx(INPUT @ g * share, abs=3e-9, rel=1.5e-3)
        assert (share.min() < 0.98) == (gain < 1e3)


@pytest.mark.parametrize("bench", BENCHES)
def test_an_output_swings_no_further_than_its_own_amplifier(bench):
    class Low:
        def draw_amplifiers(self, count, mode, rng):
            return {"swing": np.where(np.arange(count) == 1, 0.004, 5.0)}

    with programmed(bench, [Low, Straight]) as opened:
        product = multiplied(opened) * opened.instruments.board.transimpedance
        assert np.abs(product[:, 1]).max() == pytest.approx(0.004, abs=2e-3)  # less its offset
        assert np.abs(product[:, [0, 2]]).max() > 0.02
        assert any("an amplifier was asked for" in one.detail for one in opened.simulated.incidents)


@dataclass(frozen=True)
class Steps:
    """A converter of equal steps around 0 V, either way; it remembers how it was asked."""

    step: float
    asked: set = dataclasses.field(default_factory=set, init=False, compare=False)

    def sampled(self, volts, mode, rng):
        assert volts.ndim == 2
        self.asked.add(mode)
        volts[:] = np.rint(volts / self.step) * self.step  # its own to change
        return volts


@pytest.mark.parametrize("bench", BENCHES)
def test_what_is_read_is_what_the_own_adc_reads_in_both_modes(bench):
    adc = Steps(0.01)
    answers = []
    for circuit in (adc, None):
        with programmed(bench, circuit) as opened:
            opened.connect_invert("multiply", LINES, LINES)
            outputs = opened.invert(4.0 * INPUT) / adc.step
            opened.connect_multiply("multiply", LINES, LINES)
            products = opened.multiply(4.0 * INPUT) * opened.instruments.board.transimpedance / adc.step
            answers.append((outputs, products))
    for own, usual in zip(*answers, strict=True):
        np.testing.assert_allclose(own, np.rint(own), atol=1e-6)
        assert np.abs(usual - np.rint(usual)).max() > 0.1
        assert np.abs(own - usual).max() < 1.1  # of a step: half of one, and as much of the zero
    assert adc.asked == {"INVERT", "MULTIPLY"}


@pytest.mark.parametrize("bench", ["integrated64", "integrated64-arrays", "scanned"])
def test_own_converters_work_with_a_scanning_voltmeter_and_a_board_that_has_its_own(bench, tmp_path):
    class Twice:
        def driven(self, volts, mode):
            return 2.0 * volts

    if bench == "scanned":
        bench = str(tmp_path / "scanned.toml")
        Path(bench).write_text(SCANNED, "utf-8")
    sent = 10.0 / 32767  # V, a code of the message in which a board's twin sends its readings
    with programmed(bench, [Steps(0.05), Twice]) as opened, programmed(bench, Straight) as usual:
        volts = [
            one.multiply(gain * INPUT) * one.instruments.board.transimpedance
            for one, gain in ((opened, 4.0), (usual, 8.0))
            if one.connect_multiply("multiply", LINES, LINES) is None
        ]
    np.testing.assert_allclose(volts[0], 0.05 * np.rint(volts[0] / 0.05), atol=1.01 * sent)
    assert volts[0] == pytest.approx(volts[1], abs=0.06)
    assert np.abs(volts[1]).max() > 0.15


def test_converters_that_are_off_at_zero_leave_outputs_at_rest_and_their_read_back_to_the_instrument():
    class Off:
        def sampled(self, volts, mode, rng):
            return volts + 0.1

        def driven(self, volts, mode):
            return volts + 0.05

    with programmed("simulated", Off) as opened:
        multiplied(opened)
        opened.safe()  # which reads back
        assert opened.simulated.live() == ()


def test_an_own_adc_takes_the_place_of_the_board_s_own_behind_inv(tmp_path):
    coarse = tmp_path / "coarse.toml"
    text = load_bench_file("arrays").text.replace("[simulation]", "[simulation]\ninverse_bits = 5", 1)
    coarse.write_text(text, "utf-8")
    step, off = 0.8 / 31, []
    for circuit in (None, Straight):
        with programmed(str(coarse), circuit) as opened:
            opened.connect_invert("multiply", LINES, LINES)
            codes = opened.invert(INPUT) / step
            off.append(np.abs(codes - np.rint(codes)).max())
    assert off[0] < 0.05 < 0.1 < off[1]  # but for the steps of the DAQ behind it


@pytest.mark.parametrize("bench", BENCHES)
def test_an_own_dac_drives_what_it_puts_out(bench):
    class Half:
        def driven(self, volts, mode):
            return volts * (0.5 if mode == "MULTIPLY" else 0.25)

    with programmed(bench, Straight) as usual, programmed(bench, [Straight, Half]) as own:
        assert multiplied(own) == pytest.approx(0.5 * multiplied(usual), rel=1e-2, abs=1e-8)
        assert inverted(own) == pytest.approx(0.25 * inverted(usual), rel=1e-2, abs=1e-4)


@pytest.mark.parametrize("bench", BENCHES)
def test_own_wires_are_what_the_ends_of_the_lines_see(bench):
    class Series:
        """20 kohm in series with each cell, and nothing else; as asked of blocks."""

        def transfer(self, conductance, rows, columns, wire_resistance):
            blocks, n, m = conductance.shape
            assert (rows.shape, columns.shape, wire_resistance >= 0.0) == ((blocks, n), (blocks, m), True)
            return conductance / (1.0 + 2e4 * conductance)

    with programmed(bench, [Series, Straight, Gains()]) as opened:
        g = cells_of(opened)
        seen = g / (1.0 + 2e4 * g)
        into = opened.instruments.board.input_conductance * INPUT.T
        assert multiplied(opened) == pytest.approx(INPUT @ seen, abs=3e-9, rel=1.5e-3)
        assert inverted(opened) == pytest.approx(np.linalg.solve(seen, -into).T, abs=4e-4)
        assert np.abs(seen / g - 1.0).max() > 0.3


def test_many_blocks_at_once_see_the_own_wires_too():
    rows, columns = np.array([[0, 1], [1, 2]]), np.array([[0, 1], [1, 2]])
    volts = np.repeat(INPUT[None, :, :2], 2, axis=0)
    answers = []
    for circuit in ([Perfect, Straight], [Tenth, Straight]):
        with programmed("arrays", circuit) as opened:
            answers.append(opened.multiply_blocks("multiply", rows, columns, volts))
    assert answers[1] == pytest.approx(0.1 * answers[0], abs=2e-7)


class Tenth:
    """A tenth of each cell."""

    def transfer(self, conductance, rows, columns, wire_resistance):
        return 0.1 * conductance


@pytest.mark.parametrize("bench", BENCHES)
def test_own_elements_change_nothing_that_is_drawn_of_the_chip(bench):
    reads = []
    for circuit in (None, [Gains(), Straight, Tenth]):
        with programmed(bench, circuit, "pku") as opened:
            reads.append([opened.read(("multiply", k, k)) for k in range(3)])
    assert reads[0] == reads[1]


# --- what is refused ---


def returning(answer: object) -> type:
    """Return a class of which every method answers so: a value, or what is raised."""

    def method(self, first, *others):
        if isinstance(answer, Exception):
            raise answer
        return answer(first) if callable(answer) else answer

    return type("Wrong", (), {"sampled": method, "driven": method, "transfer": method})


def only(kind: type, name: str) -> type:
    return type("Wrong", (), {name: vars(kind)[name]})


def spoilt(value: float):
    def answer(first):
        first.flat[-1] = value
        return first

    return answer


WRONG = [
    ("sampled", spoilt(math.nan), r"Wrong\.sampled returned nan V at \[\d+, \d+\], with \S+ V given; it must lie"),
    ("sampled", lambda volts: volts[:, :1], r"Wrong\.sampled returned float64 of shape \(\d+, 1\); it must return"),
    ("sampled", ValueError("no comparator"), r"Wrong\.sampled raised ValueError: no comparator"),
    ("driven", spoilt(1e3), r"Wrong\.driven returned 1000 V at .* between -100 and 100 V"),
    ("driven", lambda volts: "volts", r"Wrong\.driven returned .* of shape \(\)"),
    ("transfer", spoilt(-1e-6), r"Wrong\.transfer returned -1e-06 S at \[0, 2, 2\], with \S+ S given; .* 0 and 1 S"),
]  # fmt: skip


@pytest.mark.parametrize("bench", BENCHES)
@pytest.mark.parametrize(("method", "answer", "says"), WRONG)
def test_an_answer_that_no_circuit_can_have_names_element_method_and_value(bench, method, answer, says):
    circuit = only(returning(answer), method)
    with open_bench(bench, preset="ideal", circuit=circuit, seed=1) as opened:
        evaluate(Program(digits=DIGITS), opened, seed=1)
        opened.connect_multiply("multiply", LINES, LINES)
        with pytest.raises(InstrumentError, match=says) as caught:
            opened.multiply(INPUT)
        assert isinstance(caught.value, OwnCircuitError)
        opened.safe()
        assert opened.simulated.live() == ()


@pytest.mark.parametrize(
    ("drawn", "says"),
    [
        (
            {"gain": lambda n: np.zeros(n)},
            "gain 0 for amplifier 0 in INVERT; it must lie between 0.001 and 1e",
        ),
        ({"gain": lambda n: np.where(np.arange(n) == 7, np.nan, 1.0)}, "gain nan for amplifier 7 in INVERT"),
        ({"offset": lambda n: np.full(n, -2.0)}, "offset -2 V for amplifier 0 in INVERT; .* -1 and 1 V"),
        ({"noise": lambda n: np.ones(3)}, r"'noise' as float64 of shape \(3,\); it must be floats of shape"),
        ({"gian": lambda n: np.ones(n)}, "returned 'gian'; amplifiers differ in gain, offset, noise"),
        (None, "returned list; it must return arrays by name"),
    ],
)
def test_amplifiers_that_there_cannot_be_are_refused_when_the_bench_is_opened(drawn, says):
    class Odd:
        def draw_amplifiers(self, count, mode, rng):
            return [] if drawn is None else {name: make(count) for name, make in drawn.items()}

    for bench in BENCHES:
        with pytest.raises(OwnCircuitError, match=rf"Odd\.draw_amplifiers returned .*{says}|{says}"):
            open_bench(bench, circuit=Odd, seed=1)


def test_a_bench_of_real_instruments_refuses_a_circuit_before_anything_is_sent(tmp_path):
    text = re.sub(r"(?ms)^\[simulation\].*?(?=^\[)", "", load_bench_file("simulated").text)
    real_bench = tmp_path / "real.toml"
    real_bench.write_text(text, "utf-8")
    with pytest.raises(BenchError, match="has real instruments: a circuit of one's own is for simulated"):
        open_bench(real_bench, circuit=Straight())


# --- by name, as numbers, as a text ---


def test_an_amplifier_is_made_of_a_packaged_one_with_other_numbers():
    weak = amplifier_preset("AD823").but(gain=300.0)
    assert dataclasses.replace(weak, name="AD823", gain=45e3) == AMPLIFIER_PRESETS["AD823"]
    assert (weak.name, weak.but(noise=0.0).name, weak.but(name="mine").name) == (
        "AD823-own",
        "AD823-own",
        "mine",
    )
    with pytest.raises(BenchError, match=r"'AD823': amplifiers have no number 'gian'; .*gain"):
        amplifier_preset("AD823").but(gian=3.0)
    for value in (0.0, math.nan, True, "3", 1e16):
        with pytest.raises(BenchError, match=r"gain = .* must be a number from 0\.001 to 1e\+15"):
            amplifier_preset("AD823").but(gain=value)


def test_a_type_of_amplifier_counts_on_the_bench_and_at_its_conditions():
    with open_bench("arrays", circuit=amplifier_preset("AD823").but(gain=300.0), seed=1) as opened:
        assert opened.simulated.amplifier.gain == 300.0
    with open_bench("arrays", circuit="OPA690", seed=1) as opened:
        assert opened.simulated.amplifier == AMPLIFIER_PRESETS["OPA690"]


def test_of_two_elements_of_one_kind_the_later_counts():
    elements = circuit_elements([Steps(0.1), Perfect, Straight, "OPA690"])
    assert (type(elements.adc), type(elements.dac), type(elements.wires)) == (Straight, Straight, Perfect)
    assert elements.name == "OPA690 and Straight and Perfect"
    assert circuit_elements([elements, Steps(0.1)]).adc == Steps(0.1)
    assert circuit_elements(type("Based", (Gains,), {"base": "OPA690"})).preset is AMPLIFIER_PRESETS["OPA690"]


def test_what_a_text_has_of_elements_makes_them_again():
    elements = circuit_elements(
        [amplifier_preset("OPA690").but(gain=12.5, output_current=0.2), Gains(7.0, 9.0)]
    )
    text = circuit_text(elements)
    again = circuit_elements(text)
    assert (again.preset, again.amplifier, circuit_text(again)) == (elements.preset, Gains(7.0, 9.0), text)
    assert circuit_code_of(text) == (f"{__name__}:Gains",)
    assert circuit_elements(circuit_text(circuit_elements("ideal"))).preset == AMPLIFIER_PRESETS["ideal"]


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("nosuch", BenchError, "unknown circuit 'nosuch'; there are the amplifiers AD823, OPA690, ideal, or name"),
        (object(), BenchError, r"object is no element of a circuit: .*\(amplifier: draw_amplifiers; adc: sampled"),
        (Steps, BenchError, r"Steps cannot be made without arguments \(TypeError: .*\); give an object"),
        ([], BenchError, "the circuit is an empty list"),
        (dataclasses.replace(AMPLIFIER_PRESETS["AD823"], gain=math.nan), BenchError, "gain = nan must be a number"),
        ("no_such_file.py:Adc", InputError, "there is no element of a circuit in no_such_file.py"),
        (AmplifierPreset("x", 0, 1, 0, 1, 1, 1, 0, 0, variation=dataclasses.replace(
            AMPLIFIER_PRESETS["AD823"].variation, spread=0.5)), BenchError, "corners of its own"),
    ],
)  # fmt: skip
def test_what_is_no_element_is_refused_in_a_sentence(source, error, says):
    with pytest.raises(error, match=says):
        circuit_elements(source)


def test_elements_that_are_not_there_are_the_benchs():
    assert CircuitElements().by_kind() == {}
    assert CircuitElements().wire_model() is None


class Coarse:
    """An ADC of whole tenths of a volt."""

    def sampled(self, volts, mode, rng):
        return np.round(volts, 1)


@pytest.mark.parametrize("circuit", [None, Coarse])
def test_raw_products_are_read_by_the_own_adc(circuit):
    matrix, batch = np.random.default_rng(1).standard_normal((6, 5)), np.eye(5)
    with mho.open_bench("arrays", preset="ideal", circuit=circuit, seed=1) as bench:
        raw = mho.linalg.on_bench(matrix, bench, exact=False, programmed="drawn")
        distinct = len(np.unique(np.round(raw(batch), 6)))
    assert distinct < 10 if circuit else distinct > 20


class Slotted:
    __slots__ = ("step",)

    def __init__(self, step=1e-6):
        self.step = step

    def sampled(self, volts, mode, rng):
        return volts


class Number(float):
    def sampled(self, volts, mode, rng):
        return volts


class Pair(NamedTuple):
    step: float = 1e-6

    def sampled(self, volts, mode, rng):
        return volts


@dataclass
class Weights:
    weights: np.ndarray

    def sampled(self, volts, mode, rng):
        return volts


@pytest.mark.parametrize(
    "element", [Slotted(2.0), Number(2.0), Pair(2.0), Weights(np.ones(3)), Weights(np.ones(1))]
)
def test_an_element_of_more_than_numbers_by_name_is_not_made_again_without_them(element):
    text = circuit_text(circuit_elements(element))
    assert "again = false" in text
    with pytest.raises(BenchError, match=f"{type(element).__qualname__} that was an object in a script"):
        circuit_elements(text)


def test_an_attribute_that_is_no_method_is_refused_at_once():
    with pytest.raises(BenchError, match=r"Odd\.sampled is 3 and no method"):
        circuit_elements(type("Odd", (), {"sampled": 3})())


@pytest.mark.parametrize("answer", [np.ma.masked_less([[1.0]], 2.0), [[1.0], [1.0, 2.0]], object()])
def test_an_answer_that_is_no_array_or_hides_values_is_named(answer):
    odd = type("Odd", (), {"sampled": lambda self, volts, mode, rng: answer})
    with pytest.raises(OwnCircuitError, match=r"Odd\.sampled returned"):
        circuit_elements(odd).sampled(np.zeros((1, 1)), False, np.random.default_rng(1))
