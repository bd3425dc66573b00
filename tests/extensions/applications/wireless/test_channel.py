"""The channel: fading, noise at a given ratio, ranks that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications.wireless.detection import circular, load_channel, noise_at, rayleigh


def test_fading_has_unit_variance_and_no_preferred_phase() -> None:
    channel = rayleigh(400, 50, np.random.default_rng(1))
    assert channel.shape == (400, 50)
    assert abs(np.mean(np.abs(channel) ** 2) - 1.0) < 0.05
    assert abs(np.mean(channel**2)) < 0.05


@pytest.mark.parametrize("snr", [-3.0, 1.33, 23.0])
def test_noise_has_the_ratio_of_the_published_definition(snr: float) -> None:
    rng = np.random.default_rng(2)
    signal, noise = circular(rng, (16, 30)), 7.0 * circular(rng, (16, 30))
    received = signal + (scaled := noise_at(snr, signal, noise))
    ratio = np.linalg.norm(received - scaled) / np.linalg.norm(scaled)
    assert np.isclose(20.0 * np.log10(ratio), snr)


def test_more_users_than_antennas_are_refused() -> None:
    with pytest.raises(InputError, match=r"rank 4, below the 6 users.*4 antennas cannot tell 6 users apart"):
        rayleigh(4, 6, np.random.default_rng(3))


def test_a_channel_of_deficient_rank_is_refused_with_its_rank(tmp_path: Path) -> None:
    channel = rayleigh(8, 3, np.random.default_rng(4))
    np.save(tmp_path / "twins.npy", np.column_stack((channel, channel @ [1.0, 2.0, 0.0])))
    with pytest.raises(InputError, match=r"twins.npy has rank 3, below the 4 users.*others'"):
        load_channel(str(tmp_path / "twins.npy"))


def test_a_channel_comes_from_a_file_as_it_is(tmp_path: Path) -> None:
    channel = rayleigh(8, 3, np.random.default_rng(5))
    np.save(tmp_path / "channel.npy", channel)
    assert (load_channel(str(tmp_path / "channel.npy")) == channel).all()
