"""What is made of the points of a run: agreement, warnings, sums."""

from __future__ import annotations

from mho.confidence import binomial_interval
from mho.extensions.applications.wireless.mimo import ErrorRate, Paired, Point, shortcomings, summary_of

NAMES = ("float32", "after cycle 1", "after cycle 2")
SAME = Paired(0, 0, 0.0, 0.0, 0.0, 1.0)


def point(snr: float, *errors: int, deviations: tuple[float, ...] = (0.1, 0.01)) -> Point:
    rates = tuple(ErrorRate(one, 1000, *binomial_interval(one, 1000)) for one in errors)
    return Point(snr, rates, (SAME,) * 3, deviations, float("nan"))


def test_agreement_is_that_of_the_last_cycle() -> None:
    assert point(3.0, 100, 300, 104).agrees
    assert not point(3.0, 100, 104, 300).agrees


def test_points_that_disagree_are_named_and_those_that_agree_are_not() -> None:
    (said,) = shortcomings([point(3.0, 100, 300, 104), point(5.5, 20, 200, 150), point(7.0, 0, 90, 80)])
    assert "after cycle 2" in said
    assert "5.5, 7 dB" in said
    assert shortcomings([point(3.0, 100, 300, 104)]) == []


def test_cycles_that_diverge_are_said() -> None:
    (said,) = shortcomings([point(3.0, 100, 100, 100, deviations=(0.1, 0.3))])
    assert "do not converge" in said


def test_errors_of_all_points_add_up() -> None:
    found = summary_of([point(3.0, 100, 300, 104), point(5.5, 20, 200, 150)], NAMES)
    assert (found["points"], found["agree"], found["bits_sent"]) == (2, 1, 2000)
    assert (found["errors_float32"], found["errors_after_cycle_2"]) == (120, 254)
    assert found["by_snr"][0]["closed_form"] is None
    assert found["by_snr"][1]["after cycle 1"] == 0.2
