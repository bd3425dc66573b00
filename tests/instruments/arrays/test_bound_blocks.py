"""Blocks that are bound once answer as those that are connected for each exchange: in the mean, and in all their noise."""

from __future__ import annotations

import numpy as np
import pytest

import mho
from mho.errors import BenchError, LimitError
from mho.instruments.arrays import BoundBlocks
from mho.procedures import AnalogueMatrix, FreeTiles

MATRIX = np.random.default_rng(3).uniform(-1.0, 1.0, (16, 32))
VOLTS = np.random.default_rng(4).uniform(-0.2, 0.2, 32)


@pytest.fixture(params=["arrays", "integrated64-arrays"])
def blocks(request):
    """Yield a bench, and two blocks of programmed cells: bound, and as lines."""
    with mho.open_bench(request.param, seed=1) as bench:
        held = AnalogueMatrix(MATRIX, bench, FreeTiles(bench), drawn=np.random.default_rng(1))
        place = held._tiles[0].placement
        halves = np.split(np.arange(len(place.columns)), 2)
        lines = (
            place.array, np.stack([place.rows] * 2), np.stack([place.columns[half] for half in halves]),
        )  # fmt: skip
        yield bench, BoundBlocks(bench, *lines), lines


def both(bench, bound, lines, volts):
    """Return the currents (blocks, samples, C) of an exchange, bound and not."""
    return bound.multiply(volts[None])[0], bench.multiply_blocks(*lines, np.stack([volts] * 2))


def test_within_an_exchange_and_from_one_to_another_they_have_the_same_noise(blocks):
    bench, *how = blocks
    answers = []
    for _ in range(150):
        bench.wait_until(bench.now() + 10.0)  # slow noise comes to another state
        answers.append(both(bench, *how, np.tile(VOLTS, (20, 1))))
    bound, plain = np.swapaxes(answers, 0, 1)  # (exchanges, blocks, samples, C)
    means, spread = [one.mean(axis=(0, 2)) for one in (bound, plain)], plain.mean(axis=2).std(axis=0)
    off = (
        np.abs(means[0] - means[1]) / spread
    )  # of 150 exchanges, which have slow noise and steps of converters in common
    assert off.max() < 0.8
    assert off.mean() < 0.2
    for quantity in (lambda one: one.std(axis=2), lambda one: one.mean(axis=2).std(axis=0)):
        ratio = np.mean(quantity(bound)) / np.mean(quantity(plain))
        assert ratio == pytest.approx(1.0, abs=0.12)


def test_cells_that_changed_are_seen_at_once(blocks):
    bench, bound, lines = blocks
    before, _ = both(bench, bound, lines, VOLTS[None])
    array, rows, columns = lines
    states = bench.cell_states(array, rows[0], columns[0])
    bench.put_cell_states(array, rows[0], columns[0], states._replace(programmed=2.0 * states.programmed))
    after, plain = both(bench, bound, lines, VOLTS[None])
    np.testing.assert_allclose(after[0], 2.0 * before[0], rtol=0.2, atol=2e-6)
    np.testing.assert_allclose(after, plain, rtol=0.1, atol=1e-6)


def test_a_bench_that_is_recorded_is_told_of_every_block(blocks):
    bench, bound, lines = blocks
    heard = []
    bench.on_blocks = lambda *exchange: heard.append(exchange)
    both(bench, bound, lines, VOLTS[None])
    assert len(heard) == 2


def test_vectors_and_exchanges_are_told_and_checked(blocks):
    bench, bound, lines = blocks
    told = []
    bench.on_vectors = lambda mode, volts, answers: told.append((mode, volts.shape, answers.shape))
    then = bench.now()
    both(bench, bound, lines, np.tile(VOLTS, (5, 1)))
    assert told[0] == told[1]
    assert bench.now() > then
    with pytest.raises(LimitError, match="vector"):
        bound.multiply(np.full((1, 1, 32), 20.0))
    with pytest.raises(BenchError, match="do not fit the DAQ's"):
        bound.multiply(np.zeros((1, 1, 999)))


def test_the_line_of_the_converters_is_what_they_sample(blocks):
    converters = blocks[0].daq.converters
    line = converters.adc_line(16)
    volts = np.random.default_rng(2).uniform(-11.0, 11.0, (500, 16))
    codes = np.rint(np.clip(volts * line.gain + line.offset, line.low, line.high)) * line.step
    read = converters.sampled(volts)
    np.testing.assert_allclose(codes, read, atol=6.0 * converters.noise + 1e-9)
    assert (codes.max(), codes.min()) == (read.max(), read.min())  # both ends were clipped
    assert abs((codes - read).mean()) < 5.0 * converters.noise / np.sqrt(codes.size) + 1e-9


def test_differences_of_columns_are_those_of_the_currents(blocks):
    bench, bound, _ = blocks
    volts = np.tile(VOLTS, (400, 1))[None]

    def pairs():
        currents = bound.multiply(volts)[0]
        return currents[..., ::2] - currents[..., 1::2]

    found, currents = bound.differences(volts), pairs()
    assert found.shape == currents.shape
    spread = currents.std(axis=1)
    np.testing.assert_allclose(found.std(axis=1), spread, rtol=0.2)
    assert (
        np.abs(found.mean(axis=1) - currents.mean(axis=1)) / np.abs(currents.mean(axis=1)).max()
    ).max() < 0.02
    bench.on_blocks = lambda *exchange: None  # all the same where somebody hears of every block
    heard = bound.differences(volts)
    assert (
        np.abs(heard.mean(axis=1) - currents.mean(axis=1)) / np.abs(currents.mean(axis=1)).max()
    ).max() < 0.02
