"""Programmed tiles of digits: patterns of active lines, calibration from single lines, and sums of one tile or of many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, starmap
from typing import Protocol

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.multiply_encoding import FixedPoint, MultiplyEncoding
from mho.chip_maps.placement import Placement, free_places
from mho.errors import ChipMapError
from mho.instruments import ArrayBench, Bench
from mho.procedures.cells.programming.record import Block
from mho.procedures.chip_in_use import chip_of


def bit_serial(vector: FixedPoint, groups: Sequence[Integers]) -> tuple[Integers, Floats]:
    """Return the patterns that present a vector bit by bit, its signs apart, one group of lines at a time (Zuo 2025).

    `vector`: (lines,) integers. `groups`, sequence of (k,): lines that may be active at once; every line is in one
    group. Returns `patterns` (shots, lines) array of 0 and 1: without those in which no line is active; `weights`
    (shots,): ``weights @ patterns`` are the integers.
    """
    return bit_serial_columns(vector.integers[None], vector.bits, groups)[1:]


def bit_serial_columns(
    vectors: Integers, bits: int, groups: Sequence[Integers]
) -> tuple[Integers, Integers, Floats]:
    """Return of each shot the number of its vector, of (k, lines), its pattern and weight; otherwise as `bit_serial`."""
    magnitudes = np.maximum(vectors[:, None] * np.array((1, -1))[:, None], 0)
    places = np.arange(bits)
    ones = (magnitudes[:, :, None] >> places[:, None]) & 1
    patterns = ones[:, :, :, None] * _members(
        groups, vectors.shape[1]
    )  # (vectors, signs, bits, groups, lines)
    weights = np.broadcast_to(np.multiply.outer((1.0, -1.0), 2.0**places)[..., None], patterns.shape[:-1])
    played = patterns.any(axis=-1)
    return np.nonzero(played)[0], patterns[played], weights[played]


def bit_serial_complement(vector: FixedPoint, groups: Sequence[Integers]) -> tuple[Integers, Floats]:
    """Return the patterns that present a vector in two's complement bit by bit, one group of lines at a time.

    It takes bits + 1 shots a group where `bit_serial`, with its signs apart, takes 2 x bits; parameters and returns as
    there.
    """
    places = np.arange(vector.bits + 1)
    bits = (vector.integers >> places[:, None]) & 1  # (places, lines); the last one is the sign
    patterns = bits[:, None] * _members(groups, len(vector.integers))
    each = np.where(places < vector.bits, 2.0**places, -(2.0**vector.bits))
    weights = np.broadcast_to(each[:, None], patterns.shape[:-1])
    played = patterns.any(axis=-1)
    return patterns[played], weights[played]


def _members(groups: Sequence[Integers], lines: int) -> Integers:
    """Return 1 where a line is in a group, (groups, lines)."""
    members = np.zeros((len(groups), lines), np.int64)
    for mask, group in zip(members, groups, strict=True):
        mask[group] = 1
    return members


def active_counts(lines: int) -> list[int]:
    """Return 1, 2, 4, ... below `lines`, and `lines` itself."""
    return [*(1 << power for power in range((lines - 1).bit_length())), lines]


def random_patterns(lines: int, active: int, count: int, rng: np.random.Generator) -> Integers:
    """Draw `count` patterns (count, lines) of 0 and 1, each with `active` lines, all choices of them alike."""
    order = np.argsort(rng.random((count, lines)), axis=1)
    return (order < active).astype(np.int64)


def consecutive_groups(lines: int, most: int) -> list[Integers]:
    """Cut `lines` lines into groups of at most `most` neighbours."""
    return [np.arange(start, min(start + most, lines)) for start in range(0, lines, most)]


LOST = 0.5  # digits, from which a cell tells nothing of its line's and column's wires
USUAL = 4  # repeats that the noise of a tile's cells together counts as, beside those of each cell


@dataclass(frozen=True)
class Trim:
    """Calibration of one tile."""

    drive: Floats  # (rows,): factor on each line's voltage that compensates its wire resistance
    gain: Floats  # (columns,): digits per ampere and volt of each column: wires, cells and amplifier together
    # errors, noise: (rows, columns): remaining error per cell, in digits: systematic, and standard deviation
    # from shot to shot
    errors: Floats
    noise: Floats
    # Standard deviation of what is read with no line active, digits: part of all noise, once a shot
    reading: float = 0.0

    def known(self, above: float) -> Floats:
        """Return the errors larger than `above`, in digits, and 0 elsewhere: those worth a digital subtraction."""
        return np.where(np.abs(self.errors) > above, self.errors, 0.0)

    def own_variance(self, digits: Integers, repeats: int) -> Floats:
        """Return the variance of each cell without the reading's, (rows, columns), in squares of a digit.

        A few repeats tell little of a cell's variance. It is moderated by that of all cells of the tile, which goes with
        the square of the digit (Smyth, Stat. Appl. Genet. Mol. Biol. 3, 3 (2004)); a restless cell remains one.
        """
        measured, reading, squares = self.noise**2, self.reading**2, digits.astype(np.float64) ** 2
        share = max(float(measured[digits > 0].sum()) - reading * np.count_nonzero(digits), 0.0)
        usual = reading + share / max(float(squares.sum()), 1.0) * squares
        moderated = (USUAL * usual + (repeats - 1) * measured) / (USUAL + repeats - 1)
        return np.asarray(np.maximum(moderated - reading, 0.0))


def fit_trim(response: Floats, digits: Integers, step: float, reading: float = 0.0) -> Trim:
    """Fit one tile, (repeats, rows, columns), as `fit_trims`."""
    return fit_trims(response[None], digits[None], step, np.array([reading]))[0]


def fit_trims(response: Floats, digits: Integers, step: float, reading: Floats) -> list[Trim]:
    """Fit line drives and column gains of tiles of one shape to one-hot responses.

    Wire resistance weakens far lines and far columns; to first order this is one factor per line and one per column
    (each line's current through its own wire), which a trim removes. Cells that hold another digit, as stuck ones do,
    are left out: medians find them, and the fit is of the others. `response` (tiles, repeats, rows, columns):
    conductance measured in each shot, S; `digits` (tiles, rows, columns); `step`: nominal conductance of one digit,
    S; `reading` (tiles,): standard deviation of a shot with no line active, S.
    """
    seen = response.mean(axis=1) / step
    weight = digits.astype(float)
    line = _median_ratio(seen, weight)[:, :, None]
    column = _median_ratio((seen / line).swapaxes(1, 2), weight.swapaxes(1, 2))[:, None, :]
    for _ in range(8):
        fitted = np.where(np.abs(seen / (line * column) - digits) < LOST, weight, 0.0)
        both, squares = seen * fitted, fitted**2
        line = _ratio((both * column).sum(axis=2), (squares * column**2).sum(axis=2))[:, :, None]
        column = _ratio((both * line).sum(axis=1), (squares * line**2).sum(axis=1))[:, None, :]
    scale = line * column
    drive, gain, errors = 1.0 / line[:, :, 0], 1.0 / (step * column[:, 0]), seen / scale - digits
    noise = response.std(axis=1, ddof=1) / step / scale
    each = zip(drive, gain, errors, noise, (reading / step).tolist(), strict=True)
    return [Trim(*one) for one in each]


def _median_ratio(seen: Floats, weight: Floats) -> Floats:
    """Return each row's median ratio of its cells, weighted by their digits; 1 without any.

    A small digit's ratio is as wrong as its cell's error is large beside it: four cells of 1 must not outvote one of 7.
    """
    ratio = np.divide(seen, weight, out=np.full_like(seen, np.inf), where=weight > 0)
    order = np.argsort(ratio, axis=-1)
    below = np.cumsum(np.take_along_axis(weight, order, axis=-1), axis=-1)
    middle = (below >= below[..., -1:] / 2.0).argmax(axis=-1)[..., None]
    median = np.take_along_axis(ratio, np.take_along_axis(order, middle, axis=-1), axis=-1)[..., 0]
    return np.where(np.isfinite(median), np.clip(median, 0.7, 1.3), 1.0)


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return least-squares factors; 1 for lines without a digit, and at most 30 % from 1."""
    ratio = np.divide(above, below, out=np.ones_like(above), where=below > 0)
    return np.clip(ratio, 0.7, 1.3)


class ConnectsMultiply(Protocol):
    """What a tile needs of a bench, as `Bench` has it."""

    def connect_multiply(self, array: str, rows: Integers, columns: Integers) -> None:
        """Connect a block."""

    def multiply(self, volts: Floats) -> Floats:
        """Return currents, A, for voltages, V."""
        ...


class ProgrammedTile:
    """A tile of the multiplying array, of which all columns are measured at once.

    `block`: where its digits are; `step`: nominal conductance of one digit, S; `read_voltage`: voltage of an active
    line, V.
    """

    trim: Trim  # once it was fitted

    def __init__(self, bench: ConnectsMultiply, block: Block, step: float, read_voltage: float) -> None:
        self._bench, self.block = bench, block
        self._step, self._volts = step, read_voltage

    @property
    def digits(self) -> Integers:
        """Digits as programmed, (lines, columns)."""
        return self.block.digits

    @property
    def calibration_shots(self) -> int:
        """Shots of a response, for each repeat."""
        return len(self.digits) + 1

    def connect(self) -> None:
        """Connect the tile's lines and columns; `sums` plays on what is connected."""
        place = self.block.placement
        self._bench.connect_multiply(place.array, place.rows, place.columns)

    def respond(self, repeats: int) -> Floats:
        """Connect the tile and return the conductance (repeats, lines, columns) of each line alone, S."""
        self.connect()
        currents = self._bench.multiply(lines_alone(len(self.digits), repeats, self._volts))
        return response_of(currents, repeats, self._volts)

    def fit(self, response: Floats) -> None:
        """Fit the trim to a response."""
        self.trim = fit_trim(response, self.digits, self._step)

    def sums(self, patterns: Integers) -> Floats:
        """Play patterns (shots, lines) of 0 and 1 on the connected tile; return its sums (shots, columns) in digits."""
        currents = self._bench.multiply(patterns * (self._volts * self.trim.drive))
        return np.asarray(currents * self.trim.gain / self._volts)


def lines_alone(lines: int, repeats: int, volts: float) -> Floats:
    """Return voltages (repeats x (lines + 1), lines) that play no line, then each alone, and this several times."""
    patterns = np.concatenate([np.zeros((1, lines)), np.eye(lines)])
    return np.tile(patterns, (repeats, 1)) * volts


def response_of(currents: Floats, repeats: int, volts: float) -> Floats:
    """Return the conductance (..., repeats, lines, columns) of each line, S, from the currents (A) that `lines_alone` drew.

    What is read with no line active is left of the offsets: the bench subtracts one reading of them, whose error is in all
    readings of an exchange. In those of single lines it would count once for each active line, so it is subtracted.
    """
    response = _by_repeat(currents, repeats) / volts
    return np.asarray(response[..., 1:, :] - response[..., :1, :].mean(axis=-3, keepdims=True))


def reading_noise(currents: Floats, repeats: int, volts: float) -> Floats:
    """Return the standard deviation (...) of a reading with no line active, S, over all columns of `lines_alone`."""
    dark = _by_repeat(currents, repeats)[..., 0, :] / volts
    return np.asarray(np.sqrt(dark.var(axis=-2, ddof=1).mean(axis=-1)))


def _by_repeat(currents: Floats, repeats: int) -> Floats:
    """Return currents (..., samples, columns) as (..., repeats, lines and none, columns)."""
    return currents.reshape(*currents.shape[:-2], repeats, -1, currents.shape[-1])


AT_ONCE = 1 << 22  # currents that a calibration plays together, 32 MiB
# Currents that are evaluated together: half of them, with voltages and noise, fit a core's cache.
IN_CACHE = 1 << 17


@dataclass(frozen=True)
class ProductOnChip:
    """A block to multiply with, in digit slices, and its cells: the encoding's columns in order, cut into tiles."""

    encoding: MultiplyEncoding
    tiles: list[Block]


class TilesOnChip:
    """The tiles of `products` on a bench.

    `step`: nominal conductance of one digit, S; `voltage`: full scale of the lines, V.
    """

    def __init__(self, bench: Bench, products: Sequence[ProductOnChip], step: float, voltage: float) -> None:
        self._bench, self.products = bench, list(products)
        self.step, self.volts = step, voltage

    def calibrated(
        self, repeats: int, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> list[list[Trim]]:
        """Play every line of every tile alone, so many times, and return the factors of each product's tiles.

        `progress` gets how many tiles of how many are done.
        """
        tiles = [tile for one in self.products for tile in one.tiles]
        trims: list[Trim] = []
        while len(trims) < len(tiles):
            progress(len(trims), len(tiles))
            played = max(1, AT_ONCE // (repeats * tiles[len(trims)].digits.size))
            part = tiles[len(trims) : len(trims) + played]
            volts = [lines_alone(len(tile.digits), repeats, self.volts) for tile in part]
            trims += self._fitted(part, self.play(part, volts), repeats)
        progress(len(tiles), len(tiles))
        remaining = iter(trims)
        return [[next(remaining) for _ in one.tiles] for one in self.products]

    def _fitted(self, tiles: Sequence[Block], currents: Sequence[Floats], repeats: int) -> list[Trim]:
        """Return the factors of each tile from the currents of its lines alone."""
        trims: dict[int, Trim] = {}
        for alike in _alike([tile.placement for tile in tiles], currents, IN_CACHE // 2):
            played = np.stack([currents[number] for number in alike])
            response = response_of(played, repeats, self.volts)
            reading = reading_noise(played, repeats, self.volts)
            digits = np.stack([tiles[number].digits for number in alike])
            trims |= zip(alike, fit_trims(response, digits, self.step, reading), strict=True)
        return [trims[number] for number in range(len(tiles))]

    def play(self, tiles: Sequence[Block], volts: Sequence[Floats]) -> list[Floats]:
        """Return the currents (samples, columns), A, of each tile for its `volts` (samples, lines)."""
        bench = self._bench
        if not isinstance(bench, ArrayBench):
            products = []
            for tile, each in zip(tiles, volts, strict=True):
                place = tile.placement
                bench.connect_multiply(place.array, place.rows, place.columns)
                products.append(bench.multiply(each))
            return products
        answers: list[Floats] = [np.empty((0, 0))] * len(tiles)
        for alike in _alike([tile.placement for tile in tiles], volts, IN_CACHE):
            places = [tiles[number].placement for number in alike]
            played = bench.multiply_blocks(
                places[0].array,
                np.stack([place.rows for place in places]),
                np.stack([place.columns for place in places]),
                np.stack([volts[number] for number in alike]),
            )
            for number, answer in zip(alike, played, strict=True):
                answers[number] = answer
        return answers


def _alike(places: Sequence[Placement], volts: Sequence[Floats], most: int) -> list[list[int]]:
    """Return the numbers of tiles that are evaluated together: of one array, shape and number of samples.

    They have about `most` currents.
    """
    groups: dict[tuple[str, tuple[int, int], int], list[int]] = {}
    for number, (place, each) in enumerate(zip(places, volts, strict=True)):
        groups.setdefault((place.array, place.shape, len(each)), []).append(number)
    lots = []
    for (_, (_, columns), samples), numbers in groups.items():
        count = max(1, most // max(columns * samples, 1))
        lots += [numbers[start : start + count] for start in range(0, len(numbers), count)]
    return lots


class FreeTiles:
    """The multiplying array of a bench's chip, tile by tile, as large as the converters drive and read at once.

    Of several arrays the last one is used: that of blocks, whose wires are cut into segments. Raises `ChipMapError` for a
    chip without one.
    """

    def __init__(self, bench: Bench) -> None:
        self.chip = chip_of(bench)
        arrays = self.chip.arrays_for("multiply")
        if not arrays:
            raise ChipMapError(
                f"chip {self.chip.name!r} has no multiplying array; choose a bench whose chip has one"
            )
        self._array, lines = arrays[-1], bench.vector_size
        rows, columns = (min(pair) for pair in zip(lines, self._array.stretch, strict=True))
        self.shape = rows, columns - columns % 2  # pairs of columns stay together
        if not all(self.shape):
            raise ChipMapError(f"array {self._array.name!r} has no two columns that are read together")
        # Those that are free, one after the other
        free = free_places(self._array, *self.shape)
        self.places: Iterator[Placement] = starmap(partial(Placement, self._array.name), free)
        self._taken = 0

    def take(self, count: int) -> list[Placement]:
        """Return the places of so many tiles, which nobody else gets; `ChipMapError` where there are not so many."""
        places = list(islice(self.places, count))
        if len(places) < count:
            self.places = chain(places, self.places)
            raise ChipMapError(
                f"{count} tiles of {self.shape[0]} x {self.shape[1]} cells do not fit array {self._array.name!r}, which "
                f"has room for {len(places)} beside {self._taken} in use; give a smaller matrix, or a second bench"
            )
        self._taken += count
        return places
