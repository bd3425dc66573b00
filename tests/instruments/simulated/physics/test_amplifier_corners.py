"""Amplifiers over process, temperature and supply: what each moves, and that the usual conditions move nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mho.errors import BenchError
from mho.instruments.simulated.physics.circuits.amplifiers import (
    AMPLIFIER_PRESETS,
    ROOM,
    SUPPLY,
    AmplifierBank,
    amplifier_preset,
)


@pytest.mark.parametrize("name", sorted(AMPLIFIER_PRESETS))
def test_usual_conditions_are_the_preset_itself(name: str) -> None:
    assert amplifier_preset(name).at("typical", ROOM, SUPPLY) == amplifier_preset(name)


def test_a_slow_specimen_has_less_of_everything_and_a_fast_one_only_more_speed() -> None:
    typical, varies = amplifier_preset("OPA690"), amplifier_preset("OPA690").variation
    slow, fast = typical.at("slow"), typical.at("fast")
    for part in ("bandwidth", "second_pole", "slew"):
        assert getattr(slow, part) == pytest.approx((1 - varies.spread) * getattr(typical, part))
        assert getattr(fast, part) == pytest.approx((1 + varies.spread) * getattr(typical, part))
    assert (slow.gain, slow.bias_current) == (varies.least_gain, varies.largest_bias)
    assert (fast.gain, fast.bias_current) == (typical.gain, typical.bias_current)


def test_a_fet_input_leaks_twice_as_much_every_ten_kelvin() -> None:
    assert amplifier_preset("AD823").at(temperature=ROOM + 30.0).bias_current == pytest.approx(8 * 25e-12)
    assert amplifier_preset("OPA690").at(temperature=ROOM + 30.0).bias_current == pytest.approx(5e-6)


def test_a_lower_supply_takes_swing_and_speed() -> None:
    low, usual = amplifier_preset("OPA690").at(supply=2.5), amplifier_preset("OPA690")
    assert low.swing == pytest.approx(usual.swing - 2.5)
    assert low.bandwidth == pytest.approx(0.75 * usual.bandwidth)


@pytest.mark.parametrize(
    ("name", "supply"), [("AD823", 1.0), ("AD823", 20.0), ("OPA690", 2.0), ("OPA690", 7.0)]
)
def test_a_supply_with_which_it_does_not_work_is_refused(name: str, supply: float) -> None:
    with pytest.raises(BenchError, match=rf"amplifier_supply is {supply:g} V, but an {name} takes"):
        amplifier_preset(name).at(supply=supply)


def test_offsets_drift_by_the_data_sheets_microvolts_and_by_nothing_at_room_temperature() -> None:
    rng = np.random.default_rng(0)
    usual = AmplifierBank.draw(amplifier_preset("AD823"), 4000, rng)
    state = rng.bit_generator.state
    assert usual.warmed(rng) is usual
    assert rng.bit_generator.state == state
    hot = replace(usual, preset=amplifier_preset("AD823").at(temperature=ROOM + 50.0))
    drift = hot.warmed(rng).offsets - usual.offsets
    assert drift.std() == pytest.approx(50.0 * 2e-6, rel=0.05)
