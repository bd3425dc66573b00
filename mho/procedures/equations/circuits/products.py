"""Exact products through the bench: bit-serial vectors and digit columns give integers, which are summed digitally."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.checksums import CheckedTile
from mho.chip_maps.fixed_point import FixedPoint
from mho.chip_maps.multiply_encoding import MultiplyEncoding, group_lines
from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures.cells.programming.record.blocks import Block
from mho.procedures.equations.algorithms.checked_shots import CheckedShots, check_shots
from mho.procedures.equations.circuits.programmed_tile import ProgrammedTile

Floats = NDArray[np.float64]
Digits = NDArray[np.int64]

SAMPLE = 256  # outputs of a product that are stored as measured
ROUNDS, EACH = (
    2,
    4,
)  # rounds of the calibration over all tiles, between which slow noise moves, and shots per line in each
REPEATS = ROUNDS * EACH  # from which the noise is estimated
SUBTRACTED = 0.1  # digits, known error of a cell from which it is subtracted
RESTLESS = 0.05  # digits, noise from which a cell of a checked tile does not limit the lines active at once
DRIFTED = (
    0.25  # share of a tile's shots that disagree, from which so many integers are wrong that some go unseen
)
MOVED = 0.25  # digits, change from which a cell of a line that disagrees counts as moved


class SlicedProduct:
    """The programmed multiplying tiles as a function dx -> A dx.

    Parameters
    ----------
    bench : Bench
    encoding : MultiplyEncoding
    tiles : sequence of Block
        The encoding's columns in order, cut into tiles.
    step : float
        Nominal conductance of one digit, S.
    read_voltage : float
        Voltage of a 1, V.
    checked : sequence of CheckedTile, optional
        The tiles' digits with check columns: every shot is then checked, and repeated where it is wrong.
    subtracted : float
        Error of a cell, in digits, from which it is subtracted digitally once it is known.

    Attributes
    ----------
    outputs, wrong : int
        Number of integers so far, and of those that differ from the digits' exact sum as they were used.
    wrong_read, wrong_found, false_alarms : int
        Integers that differ from it as they were read first; of these, in shots that the checksum has shown; shots that it
        has shown although all their integers were right. The exact sum is a digital product, an oracle of simulated
        runs: no decision hangs on it.
    shots : int
        Input patterns of the products.
    checked_shots, found, repeated : int
        Shots on tiles with a checksum; of these, shots that it has shown to be wrong; further shots played for that.
    corrected, checks_wrong : int
        Integers that were located and corrected; shots that disagreed for check columns alone, and raised no alarm.
    compared : int
        Shots, repeated ones too, that were compared with their line sums.
    subtracted, alone : int
        Integers of shots with an active cell whose known error was subtracted digitally; integers that the array alone,
        with nothing subtracted, gave as the digits' exact sum, when they were read first: an oracle's number as well.
    corrections : int
        Multiplications of the digital corrections: one a reading for its gain, one for each known error of an active line.
    unresolved : int
        Shots that disagreed down to a line alone, whose digits were taken instead.
    recalibrated : int
        Tiles calibrated again.
    groups : list of arrays
        Lines that are active at once.
    sample : (2, k) array
        Even sample of the outputs of the last product: the digits' exact sums, and the measured values before
        rounding, in digits.
    """

    def __init__(
        self,
        bench: Bench,
        encoding: MultiplyEncoding,
        tiles: Sequence[Block],
        step: float,
        read_voltage: float,
        *,
        checked: Sequence[CheckedTile] = (),
        subtracted: float = SUBTRACTED,
    ) -> None:
        if checked and [tile.digits.shape for tile in tiles] != [tile.digits.shape for tile in checked]:
            raise InputError(
                f"{len(checked)} tiles with check columns were given for {len(tiles)} programmed ones, or of other sizes; "
                "program the digits of `checked_tiles`"
            )
        self._encoding, self._above = encoding, subtracted
        self._digits = encoding.digits.astype(np.float64)
        self._tiles = [ProgrammedTile(bench, tile, step, read_voltage) for tile in tiles]
        self._checked: tuple[CheckedTile | None, ...] = tuple(checked) or (None,) * len(self._tiles)
        self._known: list[Floats] = []
        self._spent = np.zeros(len(self._tiles), np.int64)  # shots repeated since a tile's calibration
        self._usual = np.zeros(
            len(self._tiles)
        )  # share of a tile's shots that disagree however it is calibrated
        self.groups: list[Digits] = []
        self.outputs = self.wrong = self.shots = 0
        self.wrong_read = self.wrong_found = self.false_alarms = 0
        self.checked_shots = self.found = self.repeated = self.corrected = self.unresolved = 0
        self.checks_wrong = self.compared = self.recalibrated = 0
        self.subtracted = self.alone = self.corrections = 0
        self.sample: Floats = np.empty((2, 0))

    @property
    def subtracted_share(self) -> float:
        """Share of the cells whose known error is subtracted digitally, a cost of as many additions."""
        cells = sum(known.size for known in self._known)
        return sum(int(np.count_nonzero(known)) for known in self._known) / max(cells, 1)

    def calibrate(self) -> None:
        """Play every line alone, fit the trims, and choose the number of lines active at once."""
        rounds = [[tile.respond(EACH) for tile in self._tiles] for _ in range(ROUNDS)]
        for tile, responses in zip(self._tiles, zip(*rounds, strict=True), strict=True):
            tile.fit(np.concatenate(responses))
        self._spent[:], self._usual[:] = 0, 0.0
        self._use_trims()

    def __call__(self, vector: FixedPoint) -> Floats:
        """Multiply; each bit of each sign of each group of lines is one shot on every tile."""
        _, shots, weights = self._patterns(vector.integers[None], vector.bits)
        return self._encoding.combine(weights @ self._sums(shots)) * (vector.scale * 2.0**-vector.bits)

    def columns(self, vectors: Digits, bits: int, scales: Floats) -> Floats:
        """Multiply with many vectors at once.

        Parameters
        ----------
        vectors : (k, lines) array
            Integers of magnitudes below 2^bits; a vector may be all zeros.
        bits : int
        scales : (k,) array
            What 2^bits stands for in each.

        Returns
        -------
        (k, outputs) array
        """
        from scipy.sparse import csr_array  # loads slowly

        owners, shots, weights = self._patterns(vectors, bits)
        sums = np.zeros((len(vectors), self._encoding.digits.shape[1]))
        if len(shots):
            places = (owners, np.arange(len(shots)))
            sums = csr_array((weights, places), shape=(len(vectors), len(shots))) @ self._sums(shots)
        return np.asarray(self._encoding.combine(sums) * (scales * 2.0**-bits)[:, None])

    def _sums(self, shots: Digits) -> Digits:
        """Return the integers (shots, columns) of shots on all tiles, beside each other."""
        exact = shots.astype(np.float64) @ self._digits  # exact in float64, and BLAS multiplies no integers
        parts, measured, first = [], [], 0
        for number, code in enumerate(self._checked):
            known = self._known[number].copy()  # playing may learn more
            checked = self._multiply(number, shots)
            last = first + checked.integers.shape[1]
            self._count(checked, exact[:, first:last], code is not None)
            self._count_subtracted(checked, exact[:, first:last], shots, known)
            parts.append(checked.integers)
            measured.append(checked.measured)
            first = last
        self._sample(exact, np.concatenate(measured, axis=1))
        self.shots += len(shots)
        return np.concatenate(parts, axis=1)

    def _multiply(self, number: int, shots: Digits) -> CheckedShots:
        """Play shots on a tile and check them; note what has moved, and calibrate a tile again that has drifted."""
        code, tile = self._checked[number], self._tiles[number]

        def play(patterns: Digits) -> Floats:
            return self._play(number, patterns)

        tile.connect()
        if code is None:
            measured = play(shots)
            integers, none = np.rint(measured).astype(np.int64), np.zeros(len(shots), dtype=bool)
            return CheckedShots(integers, integers, measured, none, none)
        checked = check_shots(code, shots, play)
        if checked.alarm_share > max(DRIFTED, 2.0 * self._usual[number]):
            self._calibrate_again(number)
            again = check_shots(code, shots, play)
            self._usual[number] = again.alarm_share
            checked = checked.followed_by(again)
        moved = np.where(np.abs(checked.shift) > MOVED, checked.shift, 0.0)
        self._known[number][checked.lasting] += moved  # of a line that is in there twice, the last
        self._spent[number] += checked.repeated
        # Calibrating once as many shots as it takes were repeated costs at most twice the least there could be.
        if self._spent[number] > EACH * tile.calibration_shots:
            self._calibrate_again(number)
        return checked

    def _calibrate_again(self, number: int) -> None:
        """Measure each line of a tile alone once more, in a single round: what it moved by is seen in few shots."""
        tile = self._tiles[number]
        tile.fit(tile.respond(EACH))
        self._known[number] = tile.trim.known(self._above)
        self._spent[number] = 0
        self.recalibrated += 1

    def _use_trims(self) -> None:
        """Choose what is subtracted and the groups, for all tiles."""
        self._known = [tile.trim.known(self._above) for tile in self._tiles]
        left, noise = [], []
        for tile, known, code in zip(self._tiles, self._known, self._checked, strict=True):
            # The mean of as many repeats is subtracted, which has noise of its own.
            spread = tile.trim.noise * (1.0 + 1.0 / REPEATS) ** 0.5
            # Few cells are so restless, and the checksum finds what they do: they need not hold up all lines.
            counted = (spread < RESTLESS) | (code is None)
            # Nor need check columns: one that is wrong spoils nothing.
            data = slice(code and code.code.columns)
            left.append(np.where(counted, tile.trim.errors - known, 0.0)[:, data])
            noise.append(np.where(counted, spread, 0.0)[:, data])
        self.groups = group_lines(np.concatenate(left, axis=1), np.concatenate(noise, axis=1))

    def _patterns(self, vectors: Digits, bits: int) -> tuple[Digits, Digits, Floats]:
        """Return of each shot its vector's number, its binary pattern (shots, lines) and the weight of its integers."""
        magnitudes = np.maximum(vectors[:, None] * np.array((1, -1))[:, None], 0)
        powers = np.arange(bits)
        patterns = (magnitudes[:, :, None] >> powers[:, None]) & 1
        chosen = np.zeros((len(self.groups), vectors.shape[1]), np.int64)
        for mask, group in zip(chosen, self.groups, strict=True):
            mask[group] = 1
        shots = patterns[:, :, :, None] * chosen  # (vectors, signs, bits, groups, lines)
        weights = np.broadcast_to(np.multiply.outer((1.0, -1.0), 2.0**powers)[..., None], shots.shape[:-1])
        played = shots.any(axis=-1)
        return np.nonzero(played)[0], shots[played], weights[played]

    def _play(self, number: int, shots: Digits) -> Floats:
        """Return the columns' sums in digits, before rounding, without the errors that are known."""
        return self._tiles[number].sums(shots) - shots @ self._known[number]

    def _count(self, checked: CheckedShots, exact: Floats, has_code: bool) -> None:
        """Add to what is counted; `exact` is the oracle's."""
        self.checked_shots += len(checked.alarmed) if has_code else 0
        self.found += int(checked.alarmed.sum())
        self.repeated += checked.repeated
        self.corrected += checked.corrected
        self.checks_wrong += checked.checks_wrong
        self.compared += checked.compared
        self.unresolved += int(checked.unresolved.sum())
        wrong = checked.read != exact
        self.outputs += exact.size
        self.wrong += int(np.count_nonzero(checked.integers != exact))
        self.wrong_read += int(np.count_nonzero(wrong))
        self.wrong_found += int(np.count_nonzero(wrong[checked.alarmed]))
        self.false_alarms += int(np.count_nonzero(checked.alarmed & ~wrong.any(axis=1)))

    def _count_subtracted(self, checked: CheckedShots, exact: Floats, shots: Digits, known: Floats) -> None:
        """Add what was subtracted of the shots as read first, and what the array gave without that."""
        self.corrections += exact.size
        subtracted = known[:, : exact.shape[1]]
        if not subtracted.any():
            self.alone += int(np.count_nonzero(checked.read == exact))
            return
        active = shots.astype(np.float64)
        errors = active @ (subtracted != 0.0)
        self.corrections += int(errors.sum())
        self.subtracted += int(np.count_nonzero(errors))
        self.alone += int(np.count_nonzero(np.rint(checked.measured + active @ subtracted) == exact))

    def _sample(self, exact: Floats, measured: Floats) -> None:
        every = max(measured.size // SAMPLE, 1)
        self.sample = np.stack([exact.ravel()[::every], measured.ravel()[::every]])
