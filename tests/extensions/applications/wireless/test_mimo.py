"""Massive MIMO on a bench: as good as float32 after a few cycles, at the wire and without, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications import Mimo
from mho.extensions.applications.wireless.picture import sample_picture
from mho.extensions.applications.wireless.published_rates import CYCLE_3, RATIOS, SINGLE
from mho.running import run
from mho.runs import RunFile

SMALL: dict[str, Any] = {"antennas": 16, "users": 3, "constellation": 64, "snr": "12", "bits_per_point": 3600}


def sent(tmp_path: Path, bench: str = "arrays", **parameters: Any) -> tuple[dict[str, Any], RunFile]:
    """Run on a bench; return the result and the open run file."""
    path = tmp_path / f"{bench}.h5"
    run(Mimo(**SMALL | parameters), bench, seed=1, output=path)
    file = RunFile(path)
    return file.summary, file


@pytest.mark.thorough
@pytest.mark.parametrize("link", ["downlink", "uplink"])
@pytest.mark.parametrize("detector", ["mmse", "zf"])
def test_after_three_cycles_it_errs_as_float32(link: str, detector: str, tmp_path: Path) -> None:
    result, file = sent(tmp_path, link=link, detector=detector)
    with file:
        rows = file.table("error_rates")
    assert rows["receiver"].tolist() == [0, 1, 2, 3]
    single, last = rows["errors"][0], rows["errors"][3]
    assert 20 < single < 360
    assert rows["low"][3] <= rows["rate"][0] <= rows["high"][3]
    assert abs(int(last) - int(single)) <= 4
    assert (rows["errors"][3] - single) == int(rows["only_this"][3]) - int(rows["only_single"][3])
    assert rows["only_this"][0] == rows["only_single"][0] == 0
    assert (result["agree"], result["points"], result["bits_sent"]) == (1, 1, 3600)
    assert result["deviation"] < 5e-3
    assert result["matrices"] == 1


@pytest.mark.thorough
def test_at_the_wire_it_errs_as_without_instruments(tmp_path: Path) -> None:
    parameters = {"users": 2, "bits_per_point": 600}
    (wire, first), (arrays, second) = (
        sent(tmp_path, bench, **parameters) for bench in ("simulated", "arrays")
    )
    with first, second:
        one, other = (file.table("error_rates") for file in (first, second))
    assert wire["agree"] == arrays["agree"] == 1
    assert one["errors"][0] == other["errors"][0] > 0  # the same channel, symbols and noise
    assert abs(int(one["errors"][3]) - int(other["errors"][3])) <= 2


@pytest.mark.thorough
def test_deviations_shrink_from_cycle_to_cycle(tmp_path: Path) -> None:
    _, file = sent(tmp_path, cycles=3, bits=15, correction_bits=9)
    with file:
        deviation = file.table("deviations")["deviation"]
    assert (deviation[1:] < 0.3 * deviation[:-1]).all()


@pytest.mark.thorough
def test_mmse_holds_a_matrix_for_every_ratio_and_zero_forcing_one(tmp_path: Path) -> None:
    for detector, matrices in (("mmse", 2), ("zf", 1)):
        result, file = sent(tmp_path / detector, detector=detector, snr="20, 8", bits_per_point=360)
        with file:
            assert len(file.table("matrices")["number"]) == matrices == result["matrices"]
            assert sorted(set(file.table("error_rates")["snr"])) == [8.0, 20.0]


@pytest.mark.thorough
def test_a_ratio_has_its_noise_whatever_the_others_are(tmp_path: Path) -> None:
    """The n-th ratio from below has the n-th noise: adding a higher one changes nothing of it."""
    rates = []
    for name, snr in (("one", "9"), ("two", "9, 14")):
        _, file = sent(tmp_path / name, snr=snr)
        with file:
            rates.append(file.table("error_rates")["errors"][:1])
    assert rates[0] == rates[1]


@pytest.mark.thorough
def test_an_image_arrives_without_an_error_after_two_cycles(tmp_path: Path) -> None:
    np.save(tmp_path / "picture.npy", sample_picture(24))
    result, file = sent(
        tmp_path,
        antennas=16,
        users=4,
        constellation=64,
        snr="23",
        cycles=2,
        image=str(tmp_path / "picture.npy"),
    )
    with file:
        images = {name: file.map(name) for name in ("sent", "cycle_1", "cycle_2", "float32")}
        figures = {figure.name: figure for figure in file.figures}
    assert (images["sent"] == sample_picture(24)).all()
    assert (images["float32"] == images["sent"]).all()
    assert (images["cycle_2"] == images["sent"]).all()
    assert figures["image"].colours == "grey"
    assert result["errors_after_cycle_2"] == 0


def test_the_published_points_stand_beside_the_published_set_up_alone(tmp_path: Path) -> None:
    published = Mimo(bits_per_point=64, snr="14.2")
    for procedure, expected in ((published, 2), (Mimo(**SMALL), 0), (Mimo(detector="mmse"), 0)):
        plan = type("Plan", (), {"given": procedure.check()})()
        rates = procedure.layout(plan).figures[0]
        assert len(rates.points) == expected
        assert rates.kind == "share"
    assert [float(one) for one in Mimo().snr.split(",")] == list(RATIOS)
    assert len(SINGLE) + len(CYCLE_3) == len(RATIOS) == 8


@pytest.mark.thorough
def test_cycles_that_do_not_suffice_are_said(tmp_path: Path) -> None:
    result, file = sent(tmp_path, snr="40", cycles=1, constellation=256)
    with file:
        warned = [entry.message for entry in file.log() if entry.level == "WARNING"]
    assert result["agree"] == 0
    assert any(
        "after cycle 1 the bit error rate differs from that of float32 at 40 dB" in one for one in warned
    )


@pytest.mark.thorough
def test_more_users_than_a_loop_takes_are_held_by_blocks(tmp_path: Path) -> None:
    result, file = sent(
        tmp_path, antennas=96, users=20, snr="15", bits_per_point=240, cycles=6, constellation=16
    )
    file.close()
    assert "leaves" in result["encoding"]
    assert result["agree"] == 1


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"constellation": 32}, "constellation is 32; it must be one of 4, 16, 64, 256, 1024, 4096"),
        ({"antennas": 4, "users": 6}, "4 antennas give a channel of rank 4, below the 6 users"),
        ({"snr": ""}, "snr has 0 numbers; give 1 to 64"),
        ({"snr": "1, two"}, "snr has 'two'"),
        ({"snr": "nan"}, "snr has 'nan'"),
        ({"snr": "-40.5"}, "a number from -40 to 100, in dB"),
        ({"snr": "100.5"}, "snr has '100.5'"),
        ({"snr": "3, 5, 3.0"}, "snr has 3 dB more than once"),
        ({"snr": ",".join(map(str, range(99)))}, "snr has 99 numbers"),
        ({"bits_per_point": 100_000_000}, "1562500 vectors of 8 users; 128 antennas take 262144 at most"),
        ({"image": "missing.png"}, "missing.png does not exist"),
        ({"channel": "missing.npy"}, "missing.npy does not exist"),
    ],
)
def test_what_cannot_be_is_refused_with_what_could(parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as refused:
        Mimo(**parameters).check()
    assert told in str(refused.value)


def test_a_channel_of_deficient_rank_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.ones((6, 2)))
    with pytest.raises(InputError, match=r"flat.npy has rank 1, below the 2 users"):
        Mimo(channel=str(tmp_path / "flat.npy")).check()


def test_ratios_are_taken_in_any_form_and_order() -> None:
    for given in ("9, 3 dB ,5", [9, 3, 5], np.array([3.0, 9.0, 5.0])):
        assert Mimo(**SMALL | {"snr": given}).check().ratios == (3.0, 5.0, 9.0)
    assert Mimo(**SMALL | {"snr": 7}).check().ratios == (7.0,)
