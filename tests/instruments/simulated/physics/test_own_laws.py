"""Laws of a user's own in the simulated cells: what they are asked, what counts, and what is refused."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from mho.cells import CELL_PRESETS, OwnLawError, cell_preset, preset_text
from mho.errors import BenchError, InputError, InstrumentError
from mho.instruments.simulated import CellArray, CellPreset, VirtualClock, own_code_of
from mho.instruments.simulated.physics.cells.conduction import cell_current, excess_currents
from mho.instruments.simulated.physics.cells.switching import HeldLevel

FORM = (3.6, 1e-6, 2.0)


@dataclass
class Steps:
    """Up and down by a share of the way, at a rate of 1e7 a volt and second; it counts how it was asked."""

    maximum: float = 50e-6
    rate: float = 1e7
    scatter: float = 0.0

    def after_set(self, conductance, voltage, width, gate, devices, rng):
        assert conductance.ndim == voltage.ndim == width.ndim == gate.ndim == devices["wear"].ndim == 1
        top = 10e-6 * gate * np.exp(self.scatter * rng.standard_normal(gate.shape))
        conductance[:] = top + (conductance - top) * np.exp(-self.rate * voltage * width)  # its own to change
        return conductance

    def after_reset(self, conductance, voltage, width, gate, devices, rng):
        return conductance * np.exp(-self.rate * voltage * width)


class Threshold:
    """Devices differ in a threshold of their own, below which nothing is SET."""

    def draw_devices(self, shape, rng):
        return {"v_on": rng.uniform(1.0, 3.0, shape), "forming_voltage": np.full(shape, 2.0)}

    def after_set(self, conductance, voltage, width, gate, devices, rng):
        return np.where(voltage > devices["v_on"], 20e-6, conductance)

    def after_reset(self, conductance, voltage, width, gate, devices, rng):
        return np.full_like(conductance, 1e-6)


class Halving:
    """Half of the conductance is gone after a second."""

    def conductance_after(self, conductance, age, draw):
        return conductance * np.where(age > 1.0, 0.5, 1.0) * (1.0 + 0.0 * draw)


class Tenth:
    """Noise of 10 %."""

    def deviation(self, conductance, aperture, rng):
        return 0.1 * rng.standard_normal(conductance.shape)

    def variance(self, conductance, aperture):
        return np.full_like(conductance, 0.01)


class Cubic:
    """I = G V (1 + V^2)."""

    def current(self, conductance, voltage, gate, line):
        return conductance * voltage * (1.0 + voltage**2)


def cells(preset: CellPreset, rows: int = 2, columns: int = 3, *, formed: bool = True) -> CellArray:
    array = CellArray(rows, columns, preset, VirtualClock(), np.random.default_rng(1))
    if formed:
        array.set_cells((slice(None), slice(None)), *FORM)
    return array


IDEAL = cell_preset("ideal")


def test_a_switching_law_counts_for_one_cell_and_for_a_block():
    array = cells(IDEAL.but(Steps()))
    np.testing.assert_allclose(array.conductance(), 20e-6, rtol=1e-6)
    array.reset((0, 1), 2.0, 1e-7, 3.0)
    np.testing.assert_allclose(array.conductance((0, 1)), 20e-6 * math.exp(-2.0), rtol=1e-5)
    array.set_cells(([0, 1], [1, 2]), 2.0, 1e-6, np.array([3.0, 4.0]))
    np.testing.assert_allclose(array.conductance(([0, 1], [1, 2])), [30e-6, 40e-6], rtol=1e-6)
    np.testing.assert_allclose(array.conductance((1, 0)), 20e-6, rtol=1e-6)
    assert array.wear((0, 1)) > array.wear((1, 0)) > 0.0


def test_a_virgin_cell_is_formed_by_the_preset_s_voltage_only():
    array = cells(IDEAL.but(Steps()), formed=False)
    array.set((0, 0), 2.0, 1e-6, 2.0)
    assert array.conductance((0, 0)) == pytest.approx(IDEAL.unformed)
    array.set((0, 0), *FORM)
    assert array.conductance((0, 0)) == pytest.approx(20e-6)


def test_a_held_voltage_acts_as_one_pulse_however_it_is_cut():
    ends = []
    for parts in (1, 7):
        array, level = cells(IDEAL.but(Steps(scatter=0.3))), HeldLevel()
        for _ in range(parts):
            array.reset((0, 0), 1.0, 7e-8 / parts, 2.0, level=HeldLevel() if parts == 1 else level)
        ends.append(float(array.conductance((0, 0))))
    assert ends[1] == pytest.approx(ends[0], rel=1e-5)


def test_a_limited_current_ends_a_set_where_the_cell_grows_no_more():
    law = Threshold()  # draws are of no use here: one threshold
    law.draw_devices = lambda shape, rng: {"v_on": np.full(shape, 1.5)}
    law.after_set = lambda g, v, w, gate, devices, rng: np.where(v > devices["v_on"], 40e-6, g)
    array = cells(IDEAL.but(law))
    array.reset((0, 0), 2.0, 1e-6, 3.0)
    array.set((0, 0), 2.5, 1e-3, 3.0, current=30e-6, level=HeldLevel())
    assert array.conductance((0, 0)) == pytest.approx(30e-6 / 1.5, rel=1e-2)


def test_what_a_spread_draws_of_devices_reaches_the_law():
    array = cells(IDEAL.but(Threshold()), 1, 200, formed=False)
    array.set_cells((0, slice(None)), 2.2, 1e-6, 2.0)  # its forming voltage is 2 V, its threshold 1 to 3 V
    share = np.mean(array.conductance((0, slice(None))) > 10e-6)
    assert share == pytest.approx(0.6, abs=0.1)
    array.extend(3)
    assert array._own_v_on.shape == (4, 200)


def test_relaxation_and_noise_of_one_s_own_leave_the_switching_the_preset_s():
    preset = cell_preset("ideal").but(Halving, Tenth())
    clock = VirtualClock()
    array = CellArray(1, 2000, preset, clock, np.random.default_rng(1))
    array.set_cells((0, slice(None)), 3.8, 1e-6, 2.0)
    plain = CellArray(1, 2000, IDEAL, VirtualClock(), np.random.default_rng(1))
    plain.set_cells((0, slice(None)), 3.8, 1e-6, 2.0)
    np.testing.assert_allclose(array.conductance(), plain.conductance())
    clock.advance(2.0)
    np.testing.assert_allclose(array.conductance(), 0.5 * plain.conductance(), rtol=1e-6)
    reads = array.read((0, slice(None))) / array.conductance((0, slice(None)))
    assert np.std(reads) == pytest.approx(0.1, rel=0.1)
    frozen, variance = array.relative_noise((0, slice(None)), 1.0, 1e-5)
    assert not frozen.any()
    np.testing.assert_allclose(variance, 0.01)
    assert array.read((0, 3)).shape == ()


def test_conduction_of_one_s_own_is_the_whole_law_unless_a_share_is_given():
    g, v = np.array([1e-6, 1e-5]), 0.3
    whole, half = IDEAL.but(Cubic()), IDEAL.but(Cubic(), nonlinearity=0.5)
    np.testing.assert_allclose(cell_current(whole, g, v, 2.5), g * v * (1.0 + v**2))
    np.testing.assert_allclose(cell_current(half, g, v, 2.5), g * v * (1.0 + 0.5 * v**2))
    block = np.full((2, 2), 1e-5)
    excess = excess_currents(whole, block, block, 2.5, "bit line", 0.4)
    assert excess is not None
    np.testing.assert_allclose(excess.currents(np.array([[0.3, 0.2]])), 1e-5 * (0.3**3 + 0.2**3), rtol=1e-4)


def broken(answer, method="after_reset"):
    law = Steps()
    object.__setattr__(law, method, answer)
    return law


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            lambda g, *_: g * np.nan,
            r"Steps\.after_reset returned nan S for cell \[1, 2\], with 2e-05 S; it must lie",
        ),
        (lambda g, *_: g * np.inf, "returned inf S for cell"),
        (lambda g, *_: -g, "returned -2e-05 S for cell .* between 0 and 5e-05 S"),
        (lambda g, *_: g * 3.0, "returned 6e-05 S for cell"),
        (
            lambda g, *_: g[:0],
            r"returned float64 of shape \(0,\) for 1 cells; it must return floats of shape \(1,\)",
        ),
        (lambda g, *_: None, r"Steps\.after_reset returned None; it must return floats of shape \(1,\)"),
        (lambda g, *_: 1j * g, "returned complex128"),
        (lambda g, *_: g / {}["k"], "raised KeyError: 'k'"),
        (lambda g: g, "raised TypeError: "),
    ],
)
def test_an_answer_that_no_cell_can_have_is_named(answer, says):
    array = cells(IDEAL.but(broken(answer)))
    before = array.conductance()
    with pytest.raises(InstrumentError, match=says):
        array.reset((1, 2), 2.0, 1e-7, 3.0)
    np.testing.assert_array_equal(array.conductance(), before)


def test_a_cell_that_relaxed_beyond_the_maximum_may_stay_there():
    array = cells(IDEAL.but(Steps(maximum=15e-6, rate=0.0)), formed=False)
    array._status[0, 0], array._programmed[0, 0], array._since[0, 0] = 1, 16e-6, 0.0
    array.reset((0, 0), 2.0, 1e-7, 3.0)
    assert array.conductance((0, 0)) == pytest.approx(16e-6)


def test_the_first_wrong_cell_of_a_block_is_named():
    array = cells(IDEAL.but(broken(lambda g, v, *_: np.where(v > 2.5, np.nan, g))))
    with pytest.raises(OwnLawError, match=r"for cell \[1, 2\]"):
        array.reset_cells(([0, 1, 1], [1, 0, 2]), np.array([2.0, 2.1, 2.6]), 1e-7, 3.0)


@pytest.mark.parametrize(
    ("law", "method", "act"),
    [
        (Tenth, "deviation", lambda a: a.read((0, 1))),
        (Tenth, "variance", lambda a: a.relative_noise((0, slice(None)), 1.0, 1e-5)),
        (Halving, "conductance_after", lambda a: (a._clock.advance(1.0), a.conductance((0, 1)))),
    ],
)
def test_wrong_answers_of_the_other_laws_are_refused_too(law, method, act):
    own = law()
    setattr(own, method, lambda g, *_: np.full_like(g, np.nan))
    with pytest.raises(InstrumentError, match=f"{law.__name__}.{method} returned nan"):
        act(cells(IDEAL.but(own)))


@pytest.mark.parametrize(
    ("drawn", "says"),
    [
        ({"v_on": np.zeros(3)}, r"returned 'v_on' of shape \(3,\); it must be floats of shape \(2, 3\)"),
        ({"v_on": np.full((2, 3), np.nan)}, "returned nan as 'v_on'; it must be finite"),
        (None, r"Threshold\.draw_devices returned None; it must return arrays of shape \(2, 3\) by name"),
        ([1.0], r"draw_devices returned a list; it must return arrays"),
    ],
)
def test_devices_that_are_none_are_refused(drawn, says):
    law = Threshold()
    law.draw_devices = lambda shape, rng: drawn
    with pytest.raises(InstrumentError, match=says):
        cells(IDEAL.but(law), formed=False)


class Scaled(Cubic):
    factor = 1.0


class Needy:
    def __init__(self, much):
        self.much = much

    def current(self, *given):
        return given


class HalfALaw:
    def after_set(self, *given):
        return given


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: IDEAL.but(Needy), "Needy cannot be made without arguments"),
        (
            lambda: IDEAL.but(HalfALaw()),
            "HalfALaw is no law of a cell: .*switching: after_set and after_reset",
        ),
        (lambda: cell_preset(7), "int is no law of a cell"),
        (
            lambda: IDEAL.but(broken(2.0)),
            r"Steps\.after_reset is 2\.0 and no method; switching is called",
        ),
        (lambda: IDEAL.but(set_slop=1.0), "no parameter 'set_slop'; did you mean set_slope"),
        (lambda: IDEAL.but(set_slope=-1.0), "set_slope = -1 S/V must lie between"),
        (lambda: CellPreset("mine", set_slope="much"), "set_slope = 'much' must be a number"),
    ],
)
def test_what_is_no_law_or_no_number_is_refused(make, says):
    with pytest.raises(BenchError, match=says):
        make()


def test_a_law_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"there is no kind of cells in nosuch\.py"):
        cell_preset("nosuch.py:Law")
    with pytest.raises(BenchError, match="unknown cell preset 'nosuch'; there are ideal, quiet"):
        cell_preset("nosuch")


def test_numbers_alone_make_a_preset_that_is_read_again():
    preset = cell_preset("stanford").but(set_slope=455e-6)
    assert (preset.name, preset.set_slope, preset.law) == ("stanford-own", 455e-6, "threshold")
    assert cell_preset(preset_text(preset)) == preset
    assert preset_text("stanford") == preset_text(CELL_PRESETS["stanford"])
    assert cell_preset(replace(CELL_PRESETS["stanford"], set_slope=455e-6)) == preset
    assert cell_preset(CELL_PRESETS["pku"]) is CELL_PRESETS["pku"]


@pytest.mark.parametrize(
    ("preset", "code"),
    [
        ("os:system", ("os:system",)),
        ("C:/cells/mychip.toml", ()),
        ("stanford", ()),
        ('name = "mine"\n[[laws]]\nname = "a:B"\n[[laws]]\nname = \'c.py:D\'\n', ("a:B", "c.py:D")),
    ],
)
def test_code_that_a_preset_would_load_is_known_before_it_is_loaded(preset, code):
    assert own_code_of(preset) == code


def test_own_code_in_the_text_of_a_preset_is_not_loaded_unless_agreed_to():
    text = 'name = "mine"\n[[laws]]\nname = "os:system"\n'
    with pytest.raises(
        BenchError, match="law of a cell os:system, which is none of mho's own, and nobody has agreed"
    ):
        cell_preset(text)


def test_presets_of_equal_laws_are_equal():
    """So is their hash, by which what was computed of cells is found again; a law that may differ unseen is only itself."""
    for make in (lambda: IDEAL.but(Steps(rate=2e7), Tenth), lambda: IDEAL.but(Cubic(), read_noise=0.01)):
        assert make() == make()
        assert hash(make()) == hash(make())
    needy, changed = Needy(1.0), broken(lambda g, *_: g)
    for one, other in (
        (Steps(rate=1e7), Steps(rate=2e7)), (Tenth(), Halving()), (Needy(1.0), Needy(1.0)), (Steps(), changed)
    ):  # fmt: skip
        assert IDEAL.but(one, name="a") != IDEAL.but(other, name="a")
    assert IDEAL.but(needy) == IDEAL.but(needy)


def test_a_law_whose_class_was_changed_since_is_another(monkeypatch):
    first = IDEAL.but(Scaled)
    assert hash(first) == hash(IDEAL.but(Scaled))
    before = hash(first)
    monkeypatch.setattr(Scaled, "factor", 2.0)
    assert hash(IDEAL.but(Scaled)) != before


def test_the_fields_of_a_law_are_in_the_text_of_its_preset():
    preset = IDEAL.but(Steps(rate=2e7), Tenth)
    text = preset_text(preset)
    assert '"rate" = 20000000.0' in text
    assert text.count("[[laws]]") == 2
    assert dataclasses.asdict(preset)["name"] == "ideal-Steps-Tenth"
    assert "again = false" in preset_text(IDEAL.but(Needy(1.0)))
