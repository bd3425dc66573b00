"""Checksum columns: what they find of wrong integers injected and of those that bad chips make, and what that costs.

No other program computes with such columns, so there is no peer; beside the products with a checksum stand those of the
same cells without.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks._chip_samples import program_blocks
from benchmarks._solves import threads
from benchmarks.registry import Figure
from mho.array_types import Integers
from mho.chip_maps.checksums import SHARE, SUMS, CheckedTile, checked_tiles, place_checked
from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.multiply_encoding import encode_multiply, to_fixed_point
from mho.confidence import ratio_interval
from mho.instruments import open_bench
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.products import EACH, SlicedProduct

FOUND, FALSE = 0.999, 1e-4  # wanted: of the wrong integers, and of the shots whose integers are right
INJECTED = 1_000_000
SIZES, BITS, WIDTH = (8, 16, 32), 24, 32  # rows of A, its bits, columns measured at once
SHOTS, LINES = 500, 3  # of a tile, and lines active in a shot
TOO_MUCH = 12.0  # digits, of a cell that is stuck on
PRESETS, STUCK = ("pku", "quiet", "relaxing"), (0.0, 0.01, 0.05)
CHIP_SIZE, PRODUCTS = 16, 10  # rows of A on a chip, products before and after a wait
WAIT = 1e5  # s, a day: cells relax
VOLTS, CORRECTION_BITS = 0.2, 12

Shots = tuple[CheckedTile, Integers, Integers]
Fault = Callable[[np.random.Generator, CheckedTile, Integers], Integers]


def run(repeat: int) -> list[Figure]:
    """Inject a million wrong integers, then multiply on `repeat` chips of each kind."""
    figures, every = _injected(), []
    for preset in PRESETS:
        chips = {stuck: [_chip(preset, stuck, seed) for seed in range(1, repeat + 1)] for stuck in STUCK}
        figures += [_on_chips(f"{preset}, {stuck:.0%} stuck", counts) for stuck, counts in chips.items()]
        counts = [one for same in chips.values() for one in same]
        figures += _of_preset(preset, counts, _beyond(list(zip(*chips.values(), strict=True))))
        every += counts
    return [*figures, _columns(every)]


# --- injected ---


def _one(rng: np.random.Generator, tile: CheckedTile, shots: Integers) -> Integers:
    """One integer off by one."""
    return _in_columns(rng, tile, len(shots), np.ones(len(shots), np.int64), 1)


def _several(rng: np.random.Generator, tile: CheckedTile, shots: Integers) -> Integers:
    """Two to eight integers off by up to three."""
    return _in_columns(rng, tile, len(shots), rng.integers(2, 9, len(shots)), 3)


def _burst(rng: np.random.Generator, tile: CheckedTile, shots: Integers) -> Integers:
    """Noise on all columns."""
    return np.rint(rng.normal(0.0, 1.0, (len(shots), tile.width))).astype(np.int64)


def _stuck(rng: np.random.Generator, tile: CheckedTile, shots: Integers) -> Integers:
    """Two cells in a hundred stuck on or off since the calibration."""
    held = tile.digits + np.zeros(tile.digits.shape)
    held[rng.random(held.shape) < 0.01] = TOO_MUCH
    held[rng.random(held.shape) < 0.01] = 0.0
    return np.rint(shots @ (held - tile.digits)).astype(np.int64)


def _weak(rng: np.random.Generator, tile: CheckedTile, shots: Integers) -> Integers:
    """A line that is 5 to 50 % weak: all columns are off where it is active."""
    line = rng.integers(len(tile.digits))
    return np.rint(-rng.uniform(0.05, 0.5) * np.outer(shots[:, line], tile.digits[line])).astype(np.int64)


def _dead(rng: np.random.Generator, tile: CheckedTile, shots: Integers) -> Integers:
    """A line that is not driven: what is left is a right product, of other lines."""
    line = rng.integers(len(tile.digits))
    return -np.outer(shots[:, line], tile.digits[line])


def _relaxed(rng: np.random.Generator, tile: CheckedTile, shots: Integers) -> Integers:
    """Cells off by a normal error of half a digit, all of them."""
    return np.rint(shots @ rng.normal(0.0, 0.5, tile.digits.shape)).astype(np.int64)


FAULTS: dict[str, Fault] = {
    "one integer off by 1": _one,
    "2 to 8 integers off by up to 3": _several,
    "noise burst on all columns": _burst,
    "2 % of the cells stuck": _stuck,
    "a line 5 to 50 % weak": _weak,
    "a line not driven": _dead,
    "all cells relaxed by half a digit": _relaxed,
}


def _in_columns(
    rng: np.random.Generator, tile: CheckedTile, shots: int, count: Integers, most: int
) -> Integers:
    """Return errors of up to `most` in as many columns of each shot, data or check columns."""
    order = rng.random((shots, tile.width)).argsort(axis=1)
    sizes = rng.integers(1, most + 1, order.shape) * rng.choice([-1, 1], order.shape)
    return np.where(order < count[:, None], sizes, 0)


def _batches(rng: np.random.Generator) -> Iterator[Shots]:
    """Return shots on tiles of random matrices: tile, active lines, right integers."""
    for size in itertools.cycle(SIZES):
        matrix = rng.standard_normal((size, size))
        for tile in checked_tiles(encode_multiply(matrix, BITS).digits, WIDTH):
            shots = (rng.random((SHOTS, size)) < LINES / size).astype(np.int64)
            shots = shots[shots.any(axis=1)]
            yield tile, shots, shots @ tile.digits


def _injected() -> list[Figure]:
    rng = np.random.default_rng(0)
    counts = {name: _inject(rng, fault, INJECTED // len(FAULTS)) for name, fault in FAULTS.items()}
    wrong, found = (sum(count[key] for count in counts.values()) for key in ("wrong", "found"))
    right = sum(count["right shots"] for count in counts.values())
    false = sum(count["false"] for count in counts.values())
    checks = {name: f"{count['checks alone']} of {count['shots']}" for name, count in counts.items()}
    share = found / wrong
    return [
        Figure(
            f"injected: wrong integers found, of {wrong:,}",
            100.0 * share,
            "%",
            target=f">= {FOUND:.1%}",
            met=share >= FOUND,
            detail={name: f"{100.0 * c['found'] / c['wrong']:.4f} %" for name, c in counts.items()},
            threads=threads(),
        ),
        Figure(
            f"injected: false alarms, of {right:,} shots whose data were right",
            false / right,
            "",
            target=f"< {FALSE:g}",
            met=false < FALSE * right,
            detail={"shots in which check columns alone were wrong": checks},
            threads=threads(),
        ),
    ]


def _inject(rng: np.random.Generator, fault: Fault, most: int) -> Counter[str]:
    """Inject until as many data integers are wrong, and look at the syndromes, and where these say so at the line sums."""
    count: Counter[str] = Counter()
    for tile, shots, integers in _batches(rng):
        lines, code = shots.sum(axis=1), tile.code
        errors = fault(rng, tile, shots)
        data = errors[:, : code.columns] != 0
        last = int(np.searchsorted(np.cumsum(data.sum(axis=1)), most - count["wrong"])) + 1
        errors, data = errors[:last], data[:last]
        read, patterns = integers[:last] + errors, shots[:last]
        alarm = code.syndrome(read, lines[:last]) != 0
        alarm[alarm] = tile.sums.difference(read[alarm, : code.columns], patterns[alarm]).any(axis=1)
        unharmed = ~data.any(axis=1)
        count["shots"] += len(data)
        count["wrong"] += int(data.sum())
        count["found"] += int(data[alarm].sum())
        count["right shots"] += int(unharmed.sum())
        count["false"] += int((alarm & unharmed).sum())
        count["checks alone"] += int((errors.any(axis=1) & ~data.any(axis=1)).sum())
        if count["wrong"] >= most:
            return count
    return count


# --- on chips ---


@dataclass(frozen=True)
class ChipCount:
    """Counts of one chip, of products with a checksum and of the same cells without."""

    product: SlicedProduct
    plain: SlicedProduct
    data: int
    checks: int
    tiles: int
    subtracted: float

    @property
    def read(self) -> int:
        """Integers of data and check columns that were read, those of repeated shots and later calibrations included."""
        one = self.product
        shots = one.checked_shots + one.repeated + one.recalibrated * EACH * (CHIP_SIZE + 1)
        return round(shots * (self.data + self.checks) / self.tiles)


def _chip(preset: str, stuck: float, seed: int) -> ChipCount:
    """Program a random matrix, multiply, wait for a day, multiply again."""
    rng = np.random.default_rng(seed)
    encoding = encode_multiply(rng.standard_normal((CHIP_SIZE, CHIP_SIZE)), BITS)
    checked = checked_tiles(encoding.digits, WIDTH)
    with open_bench("arrays", preset=preset, seed=seed, stuck=stuck) as bench:
        array = parse_chip_map(bench.chip_text, bench.file.chip).arrays_for("multiply")[0]
        blocks = [Block(at, t.digits) for at, t in zip(place_checked(array, checked), checked, strict=True)]
        step = program_blocks(bench, blocks)
        product = SlicedProduct(bench, encoding, blocks, step, VOLTS, checked=checked)
        plain = SlicedProduct(
            bench, encoding, [_data(b, t) for b, t in zip(blocks, checked, strict=True)], step, VOLTS,
            subtracted=np.inf,
        )  # fmt: skip
        for one in (product, plain):
            one.calibrate()
        subtracted = product.subtracted_share
        for number in range(2 * PRODUCTS):
            if number == PRODUCTS:
                bench.rest()
                bench.wait_until(bench.now() + WAIT)
            vector = to_fixed_point(rng.standard_normal(CHIP_SIZE), CORRECTION_BITS)
            product(vector)
            plain(vector)
    return ChipCount(
        product,
        plain,
        encoding.digits.shape[1],
        sum(tile.code.checks for tile in checked),
        len(checked),
        subtracted,
    )


def _data(block: Block, tile: CheckedTile) -> Block:
    """Return the data columns of a programmed tile."""
    columns = tile.code.columns
    place = replace(block.placement, columns=block.placement.columns[:columns])
    return Block(place, tile.digits[:, :columns])


def _total(counts: list[ChipCount], name: str, of: str = "product") -> int:
    return sum(int(getattr(getattr(one, of), name)) for one in counts)


def _on_chips(name: str, counts: list[ChipCount]) -> Figure:
    outputs, shots = _total(counts, "outputs"), _total(counts, "checked_shots")
    plain = _total(counts, "wrong", "plain") / _total(counts, "outputs", "plain")
    per_shot = {
        key: _total(counts, key) / shots
        for key in ("found", "false_alarms", "repeated", "unresolved", "checks_wrong", "compared")
    }
    return Figure(
        f"{name}: wrong integers that were used",
        1e6 * _total(counts, "wrong") / outputs,
        "of 1e6",
        "the same cells without a checksum",
        1e6 * plain,
        detail={
            "integers": outputs,
            "wrong as read, of 1e6": 1e6 * _total(counts, "wrong_read") / outputs,
            "of these found": f"{_total(counts, 'wrong_found')} of {_total(counts, 'wrong_read')}",
            "a shot of a tile": {key: float(f"{value:.3g}") for key, value in per_shot.items()},
            "tiles calibrated again": _total(counts, "recalibrated"),
            "additions for line sums, of those of a digital product": SUMS
            * per_shot["compared"]
            * sum(one.tiles for one in counts)
            / sum(one.data for one in counts),
            "share of cells whose error is subtracted": float(np.mean([one.subtracted for one in counts])),
            "lines active at once": max(len(group) for one in counts for group in one.product.groups),
            "integers read, of those without a checksum": sum(one.read for one in counts)
            / _total(counts, "outputs", "plain"),
        },
        threads=threads(),
    )


def _beyond(chips: list[tuple[ChipCount, ...]]) -> list[float]:
    """Return the interval of the share of integers read beyond those without a checksum, over matrices and their chips."""
    read = [sum(one.read for one in same) for same in chips]
    ends = ratio_interval(read, [_total(list(same), "outputs", "plain") for same in chips])
    return [100.0 * (float(end) - 1.0) for end in ends]


def _of_preset(preset: str, counts: list[ChipCount], beyond: list[float]) -> list[Figure]:
    wrong, found = _total(counts, "wrong_read"), _total(counts, "wrong_found")
    shots, false = _total(counts, "checked_shots"), _total(counts, "false_alarms")
    read = sum(one.read for one in counts) / _total(counts, "outputs", "plain") - 1.0
    share = found / max(wrong, 1)
    figures = [
        (f"{preset}: wrong integers found, of {wrong:,}", 100.0 * share, "%", f">= {FOUND:.1%}", share >= FOUND),
        (f"{preset}: alarms although all data were right, of {shots:,} shots", false / shots, "", f"< {FALSE:g}",
         false < FALSE * shots),
        (f"{preset}: integers read for the same products, beyond those without a checksum", 100.0 * read, "%",
         f"<= {SHARE:.0%}", read <= SHARE),
    ]  # fmt: skip
    return [
        Figure(name, value, unit, target=target, met=met, detail=_ends(name, beyond), threads=threads())
        for name, value, unit, target, met in figures[0 if wrong else 1 :]
    ]


def _ends(name: str, beyond: list[float]) -> dict[str, list[float]]:
    return {"95 % over chips": beyond} if "integers read" in name else {}


def _columns(counts: list[ChipCount]) -> Figure:
    columns = sum(one.checks for one in counts) / sum(one.data for one in counts)
    return Figure(
        "check columns, of the data columns", 100.0 * columns, "%", target=f"<= {SHARE:.0%}", met=columns <= SHARE,
        threads=threads(),
    )  # fmt: skip
