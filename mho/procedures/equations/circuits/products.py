"""Exact products through the bench: bit-serial vectors and digit columns give integers, which are summed digitally.

`SlicedProduct` is of one matrix whose tiles have check columns: shots that disagree with these are cleared, corrected, or
repeated with fewer lines. `IntegerProducts` are of many blocks that are played together, with vectors in two's complement
and without checksums: within a preconditioner a wrong integer costs bits of one cycle and nothing of the truth. Lines whose
cells' errors together might reach half a digit are not active at once; the noise of the reading counts once, not for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.checksums import CheckedTile
from mho.chip_maps.multiply_encoding import FixedPoint, MultiplyEncoding, group_lines, to_fixed_point
from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.tiles import (
    ProductOnChip,
    ProgrammedTile,
    TilesOnChip,
    Trim,
    bit_serial,
    bit_serial_columns,
    bit_serial_complement,
)

BLOCK_REPEATS = 4  # shots of each line alone in the calibration: half of those of products that must not err
BLOCK_SUBTRACTED = 0.07
"""Digits, known error of a cell from which on it is subtracted: with an offset for the sign few cells hold 0."""

JUMP = 0.07  # digits left for a cell that jumps after its calibration, as with telegraph noise


@dataclass(frozen=True)
class _Calibrated:
    """The tiles of one product with their factors, all their columns beside each other."""

    drives: list[Floats]  # list of (lines,): of each tile
    gains: Floats  # (columns,)
    # known, digits: (lines, columns): errors that are subtracted, and what is programmed
    known: Floats
    digits: Floats
    groups: list[Integers]  # lines that may be active at once

    @classmethod
    def of(cls, product: ProductOnChip, trims: Sequence[Trim]) -> _Calibrated:
        known = np.concatenate([trim.known(BLOCK_SUBTRACTED) for trim in trims], axis=1)
        errors = np.concatenate([trim.errors for trim in trims], axis=1)
        own = [
            trim.own_variance(tile.digits, BLOCK_REPEATS)
            for trim, tile in zip(trims, product.tiles, strict=True)
        ]
        reading = np.repeat([trim.reading for trim in trims], [one.shape[1] for one in own])
        # The mean of as many repeats is subtracted, which has noise of its own, and from a shot one with no line active.
        variance = np.concatenate(own, axis=1) * (1.0 + 1.0 / BLOCK_REPEATS) + reading**2 / BLOCK_REPEATS
        return cls(
            [trim.drive for trim in trims],
            np.concatenate([trim.gain for trim in trims]),
            known,
            product.encoding.digits.astype(np.float64),
            group_lines(errors - known, variance**0.5, reading=2.0**0.5 * reading, spare=JUMP),
        )


class IntegerProducts:
    """The programmed tiles of many blocks as functions v -> M v, v rounded to some bits.

    `bits`: of the vectors. `shots`: input patterns so far. `outputs`, `wrong`: integers so far, and those of them
    that differ from the digits' exact sum: a digital product, an oracle of simulated runs. No decision hangs on it.
    `corrections`: multiplications of the digital corrections, as those of `SlicedProduct`.
    """

    def __init__(self, on_chip: TilesOnChip, bits: int) -> None:
        self._on_chip, self._bits = on_chip, bits
        self._calibrated: list[_Calibrated] = []
        self.shots = self.outputs = self.wrong = self.corrections = 0

    def calibrate(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Play all lines alone, and choose those that may be active at once; `progress` as in `TilesOnChip.calibrated`."""
        trims = self._on_chip.calibrated(BLOCK_REPEATS, progress)
        self._calibrated = [
            _Calibrated.of(product, mine) for product, mine in zip(self._on_chip.products, trims, strict=True)
        ]

    def __call__(self, numbers: Sequence[int], vectors: Sequence[Floats]) -> list[Floats]:
        """Return M_k v (..., outputs) for each k of `numbers` and its v (..., inputs), none of them all zero."""
        if any(vector.ndim > 1 for vector in vectors):
            rows = [np.atleast_2d(vector) for vector in vectors]
            each = [number for number, one in zip(numbers, rows, strict=True) for _ in one]
            answers = iter(self(each, [row for one in rows for row in one]))
            return [
                np.stack([next(answers) for _ in one]).reshape(*vector.shape[:-1], -1)
                for one, vector in zip(rows, vectors, strict=True)
            ]
        products = [self._on_chip.products[number] for number in numbers]
        fixed = [to_fixed_point(vector, self._bits) for vector in vectors]
        played = [
            bit_serial_complement(vector, self._calibrated[number].groups)
            for number, vector in zip(numbers, fixed, strict=True)
        ]
        most = max(len(weights) for _, weights in played)  # of one length, they are played together
        tiles, volts = [], []
        for number, product, (patterns, _) in zip(numbers, products, played, strict=True):
            lines = np.zeros((most, patterns.shape[1]))
            lines[: len(patterns)] = patterns * self._on_chip.volts
            for tile, drive in zip(product.tiles, self._calibrated[number].drives, strict=True):
                tiles.append(tile)
                volts.append(lines * drive)
        currents = iter(self._on_chip.play(tiles, volts))
        results = []
        for number, product, vector, (patterns, weights) in zip(
            numbers, products, fixed, played, strict=True
        ):
            mine, shots = self._calibrated[number], len(weights)
            read = np.concatenate([next(currents)[:shots] for _ in product.tiles], axis=1)
            integers = np.rint(read * (mine.gains / self._on_chip.volts) - patterns @ mine.known)
            self.shots += shots
            self.outputs += integers.size
            self.corrections += integers.size
            self.corrections += int(patterns.sum(axis=0) @ np.count_nonzero(mine.known, axis=1))
            self.wrong += int(np.count_nonzero(integers != patterns @ mine.digits))
            sums = product.encoding.combine(weights @ integers, float(vector.integers.sum()))
            results.append(sums * (vector.scale * 2.0**-vector.bits))
        return results


DOUBTFUL = 0.4  # digits, distance from an integer from which a shot is compared though it agrees
TRIES = 2  # shots of a single line before its disagreement counts as lasting


@dataclass
class CheckedShots:
    """Integers of shots on one tile, and what their checksums showed."""

    integers: Integers  # (shots, columns): of the data columns
    read: Integers  # (shots, columns): as read first
    measured: Floats  # (shots, columns): before rounding, in digits
    # (shots,): disagreed when read first with their checksum and line sums: data columns were wrong
    alarmed: Booleans
    # (shots,): disagreed to the end, for a line that disagrees alone: its digits replaced its integers
    unresolved: Booleans
    # lasting, shift: (k,) and (k, columns + checks): these lines, and how much they differ from their digits
    lasting: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    shift: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    corrected: int = 0  # integers that were located and corrected, in shots or repeated ones
    # Shots, repeated ones too, that disagreed with their checksum but not with their line sums
    checks_wrong: int = 0
    repeated: int = 0  # further shots that were played
    compared: int = 0  # shots, repeated ones too, that were compared with their line sums

    @property
    def alarm_share(self) -> float:
        """Share of the shots that disagreed."""
        return float(self.alarmed.mean()) if len(self.alarmed) else 0.0

    def followed_by(self, again: CheckedShots) -> CheckedShots:
        """Return what the same shots, all repeated, gave `again`, with what they were read as first."""
        return replace(
            again, read=self.read, measured=self.measured, alarmed=self.alarmed,
            corrected=self.corrected + again.corrected, checks_wrong=self.checks_wrong + again.checks_wrong,
            repeated=self.repeated + again.repeated + len(self.alarmed),
            compared=self.compared + again.compared,
        )  # fmt: skip


@dataclass(frozen=True)
class _Read:
    """Integers (shots, columns) of data; of each shot: whether they agreed, whether they do now, how many were corrected.

    Those that were compared with their line sums agree or not with these; `checks_wrong` counts shots that disagreed with
    their checksum alone.
    """

    integers: Integers
    agreed: Booleans
    settled: Booleans
    corrected: Integers
    checks_wrong: int
    compared: int


def check_shots(tile: CheckedTile, shots: Integers, play: Callable[[Integers], Floats]) -> CheckedShots:
    """Play binary shots, and again with fewer lines where more is wrong than can be corrected.

    A shot that disagrees with its checksum is compared with its line sums. Where it agrees with these, a check column is
    wrong, and the data are right; up to two wrong integers are corrected. Any other one is played in two parts with half
    of its lines each, and these again, down to single lines. A single line that still disagrees holds cells that have
    moved: what it adds is known without a measurement, its digits, and what it measures tells the caller how far its
    cells have moved.

    A shot with an integer that was nearly rounded to the next one is compared as well: of several wrong integers one
    mostly is, and a few patterns of these agree with a checksum of so few bits. `tile`: as programmed; `shots`
    (shots, lines) array of 0 and 1; `play`: returns the columns' sums (shots, columns + checks) in digits, before
    rounding.
    """
    measured = play(shots)
    first = _read(tile, shots, measured)
    data = measured[:, : tile.code.columns]
    checked = CheckedShots(
        first.integers, np.rint(data).astype(np.int64), data, ~first.agreed,
        np.zeros(len(shots), dtype=bool), shift=np.zeros((0, tile.width)),
        corrected=int(first.corrected.sum()), checks_wrong=first.checks_wrong, compared=first.compared,
    )  # fmt: skip
    owners = np.flatnonzero(~first.settled)
    parts, tries = shots[owners], np.zeros(len(owners), np.int64)
    checked.integers[owners] = 0
    while len(parts):  # each turn halves the lines, or uses up a try
        parts, owners, tries = _halved(parts, owners, tries)
        parts, owners, tries = _play_again(tile, checked, parts, owners, tries, play)
    return checked


def _play_again(
    tile: CheckedTile, checked: CheckedShots, parts: Integers, owners: Integers, tries: Integers,
    play: Callable[[Integers], Floats],
) -> tuple[Integers, Integers, Integers]:  # fmt: skip
    """Play parts of shots and add what is settled to their owners; return what is not."""
    # Of many bits the same lines are left over.
    distinct, which = np.unique(parts, axis=0, return_inverse=True)
    which = which.reshape(-1)
    measured = play(distinct)
    again = _read(tile, distinct, measured)
    checked.repeated += len(distinct)
    checked.corrected += int(again.corrected.sum())
    checked.checks_wrong += again.checks_wrong
    checked.compared += again.compared
    tries = tries + (parts.sum(axis=1) == 1)
    given_up = np.zeros(len(distinct), dtype=bool)
    given_up[which[tries >= TRIES]] = True
    given_up &= ~again.settled
    lines = distinct[given_up].argmax(axis=1)
    again.integers[given_up] = tile.digits[lines, : tile.code.columns]
    checked.lasting = np.concatenate([checked.lasting, lines])
    checked.shift = np.concatenate([checked.shift, measured[given_up] - tile.digits[lines]])
    done = (again.settled | given_up)[which]
    np.add.at(checked.integers, owners[done], again.integers[which[done]])
    checked.unresolved[owners[given_up[which]]] = True
    return parts[~done], owners[~done], tries[~done]


def _read(tile: CheckedTile, shots: Integers, measured: Floats) -> _Read:
    """Round; compare what disagrees with its checksum, or is in doubt, with its line sums; correct what these locate."""
    every = np.rint(measured).astype(np.int64)
    wrong = tile.code.syndrome(every, shots.sum(axis=1)) != 0
    integers = every[:, : tile.code.columns]
    doubtful = np.abs(measured[:, : tile.code.columns] - integers).max(axis=1) > DOUBTFUL
    compared = np.flatnonzero(wrong | doubtful)
    if not len(compared):  # as of most
        right = ~wrong
        return _Read(integers, right, right, np.zeros(len(shots), np.int64), 0, 0)
    difference = tile.sums.difference(integers[compared], shots[compared])
    errors, located = tile.sums.locate(difference)
    integers[compared] -= errors
    agreed, settled, corrected = ~wrong, ~wrong, np.zeros(len(shots), np.int64)
    agreed[compared], settled[compared] = ~difference.any(axis=1), located
    corrected[compared] = np.count_nonzero(errors, axis=1)
    checks_wrong = int(np.count_nonzero(wrong & agreed))
    return _Read(integers, agreed, settled, corrected, checks_wrong, len(compared))


def _halved(parts: Integers, owners: Integers, tries: Integers) -> tuple[Integers, Integers, Integers]:
    """Return each pattern of several lines in two halves, and single lines as they are."""
    lines = parts.sum(axis=1)
    several = lines > 1
    first = parts * (np.cumsum(parts, axis=1) <= (lines // 2)[:, None])
    halves = np.concatenate([parts[~several], first[several], (parts - first)[several]])
    again = [one[~several] for one in (owners, tries)]
    split = [np.tile(one[several], 2) for one in (owners, tries)]
    return halves, np.concatenate([again[0], split[0]]), np.concatenate([again[1], split[1]])


SAMPLE = 256  # outputs of a product that are stored as measured
ROUNDS = 2  # of the calibration over all tiles, between which slow noise moves
EACH = 4  # shots per line in each
REPEATS = ROUNDS * EACH  # from which the noise is estimated
SUBTRACTED = 0.1  # digits, known error of a cell from which it is subtracted
RESTLESS = 0.05  # digits, noise from which a cell of a checked tile does not limit the lines active at once
DRIFTED = 0.25  # disagreeing share of a tile's shots from which too many integers are wrong to see them all
MOVED = 0.25  # digits, change from which a cell of a line that disagrees counts as moved


class SlicedProduct:
    """The programmed multiplying tiles as a function dx -> A dx.

    - `outputs`, `wrong`: number of integers so far, and of those that differ from the digits' exact sum as they were
      used.
    - `wrong_read`, `wrong_found`, `false_alarms`: integers that differ from it as they were read first; of these, in
      shots that the checksum has shown; shots that it has shown although all their integers were right. The exact sum
      is a digital product, an oracle of simulated runs: no decision hangs on it.
    - `shots`: input patterns of the products.
    - `checked_shots`, `found`, `repeated`: shots on tiles with a checksum; of these, shots that it has shown to be
      wrong; further shots played for that.
    - `corrected`, `checks_wrong`: integers that were located and corrected; shots that disagreed for check columns
      alone, and raised no alarm.
    - `compared`: shots, repeated ones too, that were compared with their line sums.
    - `subtracted`, `alone`: integers of shots with an active cell whose known error was subtracted digitally;
      integers that the array alone, with nothing subtracted, gave as the digits' exact sum, when they were read
      first: an oracle's number as well.
    - `corrections`: multiplications of the digital corrections: one a reading for its gain, one for each known error
      of an active line.
    - `unresolved`: shots that disagreed down to a line alone, whose digits were taken instead.
    - `recalibrated`: tiles calibrated again.
    - `groups`: lines that are active at once.
    - `sample` (2, k): even sample of the outputs of the last product: the digits' exact sums, and the measured values
      before rounding, in digits.

    `tiles`: the encoding's columns in order, cut into tiles; `step`: nominal conductance of one digit, S;
    `read_voltage`: voltage of a 1, V; `checked`: the tiles' digits with check columns: every shot is then checked,
    and repeated where it is wrong; `subtracted`: error of a cell, in digits, from which it is subtracted digitally
    once it is known.
    """

    def __init__(
        self, bench: Bench, encoding: MultiplyEncoding, tiles: Sequence[Block], step: float,
        read_voltage: float, *, checked: Sequence[CheckedTile] = (), subtracted: float = SUBTRACTED,
    ) -> None:  # fmt: skip
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
        self._usual = np.zeros(len(self._tiles))  # share of shots that disagree however a tile is calibrated
        self.groups: list[Integers] = []
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
        shots, weights = bit_serial(vector, self.groups)
        return self._encoding.combine(weights @ self._sums(shots)) * (vector.scale * 2.0**-vector.bits)

    def columns(self, vectors: Integers, bits: int, scales: Floats) -> Floats:
        """Multiply with many vectors at once.

        `vectors` (k, lines): integers of magnitudes below 2^bits; a vector may be all zeros. `scales` (k,): what
        2^bits stands for in each. Returns (k, outputs).
        """
        from scipy.sparse import csr_array  # loads slowly

        owners, shots, weights = bit_serial_columns(vectors, bits, self.groups)
        sums = np.zeros((len(vectors), self._encoding.digits.shape[1]))
        if len(shots):
            places = (owners, np.arange(len(shots)))
            sums = csr_array((weights, places), shape=(len(vectors), len(shots))) @ self._sums(shots)
        return np.asarray(self._encoding.combine(sums) * (scales * 2.0**-bits)[:, None])

    def _sums(self, shots: Integers) -> Integers:
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
        every = max(exact.size // SAMPLE, 1)
        self.sample = np.stack([one.ravel()[::every] for one in (exact, np.concatenate(measured, axis=1))])
        self.shots += len(shots)
        return np.concatenate(parts, axis=1)

    def _multiply(self, number: int, shots: Integers) -> CheckedShots:
        """Play shots on a tile and check them; note what has moved, and calibrate a tile again that has drifted."""
        code, tile = self._checked[number], self._tiles[number]

        def play(patterns: Integers) -> Floats:
            return tile.sums(patterns) - patterns @ self._known[number]

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

    def _count_subtracted(self, checked: CheckedShots, exact: Floats, shots: Integers, known: Floats) -> None:
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
