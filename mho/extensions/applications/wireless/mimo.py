"""Massive MIMO: users detected, or served, with the inverse on the chip; bit errors beside those of single precision.

    x = b H (H^H H + l I)^-1 s        the users hear H^H x + n; l = 0: zero forcing; l = users * variance of n: MMSE

The way down is the way up in reverse (reciprocity), so the matrix on the chip is the same as for detection. b brings the
mean power of all antennas together to 1, and users know it. The SNR is what a user would hear of that power through one
path of the channel's mean gain, over the variance of its noise: at the same number of dB zero forcing errs about as often
down as up. MMSE is the regularised inversion of Peel, Hochwald and Swindlehurst, IEEE Trans. Commun. 53, 195 (2005).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Bytes, Complexes, Floats
from mho.confidence import clustered_binomial_interval, difference_of
from mho.errors import InputError
from mho.extensions.applications.application import (
    Application,
    ApplicationResult,
    MatrixHolder,
    Prepared,
    is_blank,
    record_rows,
)
from mho.extensions.applications.wireless import published_rates
from mho.extensions.applications.wireless.detection import (
    COMPLEX,
    METHODS,
    MMSE,
    ZERO_FORCING,
    Link,
    Uplink,
    circular,
    gains,
    load_channel,
    matched_filter,
    noise_ratios,
    normal_matrix,
    rayleigh,
    share_of_a_vector,
    signal_to_interference,
    solve_single,
)
from mho.extensions.applications.wireless.mimo_record import (
    SYMBOLS_KEPT,
    constellation_table,
    image_map,
    mimo_layout,
    receivers,
)
from mho.extensions.applications.wireless.picture import DEPTH, from_bits, load_picture, to_bits
from mho.extensions.applications.wireless.qam import SIZES, Constellation
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource
from mho.procedures import (
    Estimate,
    HeldMatrix,
    IntegerParameter,
    ListParameter,
    Parameter,
    Stream,
    counted,
    percent,
)
from mho.procedures.cells import PULSES_PER_CELL
from mho.runs import Layout


@dataclass(frozen=True)
class ErrorRate:
    """How many of how many bits are wrong."""

    errors: int
    bits: int
    # low, high: interval of the rate, 95 %, vectors being independent: users of one share its noise, so that
    # its bits are not
    low: float
    high: float

    @property
    def rate(self) -> float:
        """Errors over bits."""
        return self.errors / self.bits

    def holds(self, rate: float) -> bool:
        """Return whether a rate lies within the interval."""
        return self.low <= rate <= self.high


@dataclass(frozen=True)
class Paired:
    """Two receivers of the same bits: where exactly one of them errs."""

    # only_first, only_second: bits that only the first, and only the second, has wrong
    only_first: int
    only_second: int
    # difference, low, high: rate of the first less that of the second, with its 95 % interval, from those of
    # the rates at which only one of them errs, vectors being independent
    difference: float
    low: float
    high: float
    p: float  # of McNemar's exact test that each errs as often as the other, taking bits as independent

    @property
    def agree(self) -> bool:
        """Whether a difference of 0 lies within the interval."""
        return self.low <= 0.0 <= self.high


def count(sent: NDArray[np.uint8], decided: NDArray[np.uint8]) -> ErrorRate:
    """Count the bits (vectors, bits of a vector) that differ."""
    return ErrorRate(int(np.count_nonzero(sent != decided)), sent.size, *_ends(sent != decided))


def paired(sent: NDArray[np.uint8], first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Paired:
    """Compare what two receivers decided for the same bits.

    `sent`, `first`, `second` (vectors, bits of a vector).
    """
    wrong, wrong_too = first != sent, second != sent
    apart = wrong_too & ~wrong, wrong & ~wrong_too
    counts = [int(one.sum()) for one in apart]
    rates = [one / sent.size for one in counts]
    low, high = difference_of(_ends(apart[0]), _ends(apart[1]), (rates[0], rates[1]))
    return Paired(
        counts[1], counts[0], rates[1] - rates[0], float(low), float(high), mcnemar(counts[1], counts[0])
    )


def _ends(errors: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the interval of the share of bits (vectors, ...) with a property; those of a vector are one cluster."""
    bits = errors.reshape(len(errors), -1)
    low, high = clustered_binomial_interval(bits.sum(axis=1), np.full(len(bits), bits.shape[1]))
    return float(low), float(high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p of McNemar's exact test: of a fair coin thrown for each bit on which two receivers differ."""
    from scipy.special import bdtr  # loads slowly

    fewer, every = min(only_first, only_second), only_first + only_second
    return min(1.0, 2.0 * float(bdtr(fewer, every, 0.5))) if every else 1.0


@dataclass(frozen=True)
class Point:
    """What came of one signal-to-noise ratio: of float32 first, then of the chip after each cycle."""

    snr: float  # dB
    rates: tuple[ErrorRate, ...]
    pairs: tuple[Paired, ...]  # each receiver beside float32
    deviations: tuple[float, ...]  # ||x - x64|| / ||x64|| of all solutions after each cycle, beside float64
    closed_form: float  # bit error rate expected of exact detection; NaN where there is no formula

    @property
    def agrees(self) -> bool:
        """Whether float32's rate lies within the interval of the chip's after the last cycle."""
        return self.rates[-1].holds(self.rates[0].rate)

    def plain(self, names: Sequence[str]) -> dict[str, Any]:
        """Return it as numbers by name, for a run's result; `names` are those of the receivers."""
        last = self.pairs[-1]
        return {
            "snr": self.snr, "bits": self.rates[0].bits,
            "closed_form": None if math.isnan(self.closed_form) else self.closed_form,
            **{name: rate.rate for name, rate in zip(names, self.rates, strict=True)},
            "interval": [self.rates[-1].low, self.rates[-1].high], "agrees": self.agrees,
            "difference": last.difference,
            "difference_interval": [last.low, last.high] if math.isfinite(last.high) else None, "p": last.p,
            "deviation": self.deviations[-1],
        }  # fmt: skip


def shortcomings(points: Sequence[Point]) -> list[str]:
    """Return what is to be warned of: ratios at which the chip is not as good as float32, cycles that do not converge."""
    said = []
    cycles = len(points[0].deviations)
    if off := [point.snr for point in points if not point.agrees]:
        said.append(
            f"after cycle {cycles} the bit error rate differs from that of float32 at "
            f"{', '.join(f'{snr:g}' for snr in off)} dB; allow more --cycles"
        )
    if any(point.deviations[-1] > point.deviations[0] > 0.0 for point in points):
        said.append("the cycles do not converge: the solutions are worse after the last than after the first")
    return said


def summary_of(points: Sequence[Point], names: Sequence[str]) -> dict[str, Any]:
    """Return what all points came to, and each of them."""
    return {
        "points": len(points),
        "agree": sum(point.agrees for point in points),
        "bits_sent": sum(point.rates[0].bits for point in points),
        **{
            f"errors_{name.replace(' ', '_')}": sum(point.rates[number].errors for point in points)
            for number, name in enumerate(names)
        },
        "deviation": max(point.deviations[-1] for point in points),
        "by_snr": [point.plain(names) for point in points],
    }


@dataclass(frozen=True)
class Downlink:
    """The base station sends, users hear."""

    channel: Complexes  # (antennas, users)
    loading: float
    rhs: Complexes  # (users, vectors): the symbols
    noise: Complexes  # (users, vectors): as the users hear it, where 1 is the mean power that is sent

    @classmethod
    def at(
        cls, snr: float, channel: Complexes, symbols: Complexes, noise: Complexes, method: str, energy: float
    ) -> Self:
        """Send symbols with noise (users, vectors) of any size, scaled to `snr`, dB; `energy` is not needed here."""
        variance = float(np.mean(np.abs(channel) ** 2)) * 10.0 ** (-snr / 10.0)
        scaled = noise * np.sqrt(variance / np.mean(np.abs(noise) ** 2))
        loading = channel.shape[1] * variance if method == MMSE else 0.0
        return cls(channel, loading, symbols, np.asarray(scaled))

    def estimates(self, solutions: Complexes, diagonal: Floats) -> Complexes:
        """Return the symbols as the users hear them, scaled back."""
        return self._heard(self.channel @ solutions, diagonal)

    def estimates_single(self) -> Complexes:
        """Return the same where the precoder is of single precision."""
        narrow = self.channel.astype(np.complex64)
        solutions, diagonal = solve_single(narrow, self.rhs.astype(np.complex64), self.loading)
        return self._heard((narrow @ solutions).astype(np.complex128), diagonal)

    def _heard(self, sent: Complexes, diagonal: Floats) -> Complexes:
        root_power = np.linalg.norm(sent) / np.sqrt(sent.shape[1])
        heard = self.channel.conj().T @ sent + root_power * self.noise
        return np.asarray(heard / gains(diagonal, self.loading)[:, None])


UPLINK, DOWNLINK = "uplink", "downlink"
LINKS: dict[str, type[Uplink] | type[Downlink]] = {UPLINK: Uplink, DOWNLINK: Downlink}
AT_ONCE = 2048  # vectors that are solved together
MOST_RECEIVED = 2**25  # antennas times vectors of a point at most: half a gigabyte of what is received


@dataclass(frozen=True)
class LinkSetting:
    """What is sent over which channel."""

    channel: Complexes  # (antennas, users)
    constellation: Constellation
    ratios: tuple[float, ...]  # signal-to-noise ratios, dB, ascending
    picture: NDArray[np.uint8] | None

    @property
    def users(self) -> int:
        """Users, each with a symbol in every vector."""
        return int(self.channel.shape[1])


class Mimo(Application[ApplicationResult]):
    """Detect the users of a massive-MIMO uplink, or precode the downlink, and count bit errors beside float32."""

    version: ClassVar[str] = "2"  # in version 1 intervals held less often than 95 %
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "2": (
            "agree", "by_snr.agrees", "by_snr.*interval", "error_rates/low", "error_rates/high",
            "error_rates/difference_*",
        ),
    }  # fmt: skip
    title: ClassVar[str] = "Massive MIMO"
    leading: ClassVar[tuple[str, ...]] = ("antennas", "users", "constellation", "snr", "detector")

    antennas = IntegerParameter("Antennas", minimum=1, maximum=4096, default=published_rates.ANTENNAS)
    users = IntegerParameter("Users", minimum=1, maximum=512, default=published_rates.USERS)
    channel = Parameter("File of the channel, antennas x users, instead of Rayleigh fading")
    constellation = ListParameter("Points of the constellation", choices=list(SIZES),
                                  default=published_rates.POINTS)  # fmt: skip
    snr: Parameter[Any] = Parameter("Signal-to-noise ratios in dB, as 1.33, 5.42",
                    default=", ".join(map(str, published_rates.RATIOS)))  # fmt: skip
    detector = ListParameter("zf, zero forcing, or mmse, minimum mean square error", choices=list(METHODS),
                             default=ZERO_FORCING)  # fmt: skip
    link = ListParameter("uplink, detection, or downlink, precoding", choices=list(LINKS), default=UPLINK)
    cycles = IntegerParameter("Cycles", minimum=1, maximum=50, default=3)
    bits_per_point = IntegerParameter("Bits sent at each ratio, up to whole vectors", minimum=1,
                                      maximum=100_000_000, default=100_000)  # fmt: skip
    image = Parameter("Image sent instead of random bits, sample or a file")
    bits = IntegerParameter("Precision with which the matrix is held", units="bit", minimum=3, maximum=44,
                            default=12)  # fmt: skip
    correction_bits = IntegerParameter("Precision of what a cycle adds, as the products take it", units="bit",
                                       minimum=3, maximum=24, default=6)  # fmt: skip
    encoding = ListParameter("Encoding of INV", choices=["auto", "bias", "differential"], default="auto")

    def check(self) -> LinkSetting:
        """Read or draw the channel, read the ratios and the image; refuse what cannot be told apart."""
        super().check()
        ratios = noise_ratios(self.snr)
        constellation = Constellation(int(self.constellation))
        picture = None if is_blank(self.image) else load_picture(str(self.image))
        if not is_blank(self.channel):
            return self._checked(LinkSetting(load_channel(self.channel), constellation, ratios, picture))
        if self.users > self.antennas:
            raise InputError(
                f"{self.antennas} antennas give a channel of rank {self.antennas}, below the {self.users} users, who "
                "cannot be told apart; give as many antennas as users or more"
            )
        channel = rayleigh(int(self.antennas), int(self.users), np.random.default_rng(self.seed))
        return self._checked(LinkSetting(channel, constellation, ratios, picture))

    def _checked(self, setting: LinkSetting) -> LinkSetting:
        """Refuse more than fits the memory."""
        bits = int(self.bits_per_point) if setting.picture is None else DEPTH * setting.picture.size
        antennas, vectors = len(setting.channel), -(-bits // (setting.users * setting.constellation.bits))
        if antennas * vectors > MOST_RECEIVED:
            raise InputError(
                f"{bits} bits are {vectors} vectors of {setting.users} users; {antennas} antennas take "
                f"{MOST_RECEIVED // antennas} at most, so send fewer bits at each ratio"
            )
        return setting

    def layout(self, plan: Prepared) -> Layout:
        """Declare error rates, deviations, constellations, images and their figures."""
        setting: LinkSetting = plan.given
        return mimo_layout(
            int(self.cycles), len(setting.ratios), setting.picture, self._as_published(setting),
            self._words(setting),
        )  # fmt: skip

    def describe_cells(self, plan: Prepared) -> str:
        """Return what the chip holds; where is known once the encoding is chosen."""
        size = 2 * plan.given.users
        return f"{size} x {size} real numbers, placed when they are programmed"

    def run_title(self) -> str:
        """Return the size, the constellation and the method."""
        what = f"{self.antennas} x {self.users}" if is_blank(self.channel) else "channel of a file"
        return f"Massive MIMO, {what}, {self.constellation}-QAM, {self.detector} {self.link}"

    def estimate(self, given: LinkSetting, source: BenchSource) -> Estimate:
        """Estimate the pulses from the number of cells: a slice of 3 bits each, and the loop, all signs apart."""
        matrices = len(given.ratios) if self.detector == MMSE else 1
        slices = -(-int(self.bits) // 3) + 1
        return Estimate(pulses=round(matrices * PULSES_PER_CELL * 2 * slices * (2 * given.users) ** 2))

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Hold the matrix, send at one ratio after the other, decide after every cycle, count."""
        setting: LinkSetting = plan.given
        if setting.picture is not None:
            stream.snapshot(image_map(None), setting.picture.astype(float), bench.now())
        points: list[Point] = []
        chip_matrix: HeldMatrix | None = None
        with self.holding(plan, bench, stream) as chip:
            for number, snr in enumerate(setting.ratios):
                stream.progress("transmitting", number, len(setting.ratios))
                bits, link = self._sent(setting, number, snr)
                if chip_matrix is None or link.loading:
                    chip_matrix = self._hold(chip, setting, link, stream)
                points.append(self._point(setting, bits, link, chip_matrix, snr, bench, stream))
            stream.progress("transmitting", len(setting.ratios), len(setting.ratios))
            sent = sum(point.rates[0].bits for point in points)
            _count(chip, setting, sent // (setting.users * setting.constellation.bits))
            costs = chip.costs()
            assert chip_matrix is not None
            encoding = chip_matrix.summary()["encoding"]
        for text in shortcomings(points):
            stream.say(text, "WARNING")
        antennas, users = setting.channel.shape
        return ApplicationResult.of({
            "antennas": antennas, "users": users, "condition": float(np.linalg.cond(setting.channel) ** 2),
            **summary_of(points, receivers(int(self.cycles))),
            "share_of_a_vector_on_chip": share_of_a_vector(antennas, users, int(self.cycles)),
            "encoding": encoding, **costs,
        })  # fmt: skip

    def findings(self, summary: Mapping[str, Any]) -> Sequence[str]:
        """Return at how many ratios the chip's bit error rate agrees with that of float32."""
        points = summary["points"]
        return (
            f"bit error rate as of float32 at {summary['agree']:,} of {counted(points, 'signal-to-noise ratio')}",
            f"solutions within {percent(summary['deviation'])} of the digital ones",
        )

    # --- one signal-to-noise ratio ---

    def _sent(self, setting: LinkSetting, number: int, snr: float) -> tuple[Bytes, Link]:
        """Return the bits (vectors, users, bits of a symbol) of a point, and what is on its way; its noise is its own."""
        rng = np.random.default_rng((int(self.seed), number + 1))
        users, size = setting.users, setting.constellation.bits
        if setting.picture is None:
            vectors = -(-int(self.bits_per_point) // (users * size))
            bits = rng.integers(0, 2, (vectors, users, size), dtype=np.uint8)
        else:
            bits = to_bits(setting.picture, size, users)
        listeners = setting.channel.shape[0] if self.link == UPLINK else users
        noise = circular(rng, (listeners, len(bits)))
        symbols = setting.constellation.modulate(bits).T
        energy = setting.constellation.energy
        return bits, LINKS[self.link].at(snr, setting.channel, symbols, noise, str(self.detector), energy)

    def _hold(self, chip: MatrixHolder, setting: LinkSetting, link: Link, stream: Stream) -> HeldMatrix:
        chip_matrix = chip.hold(
            normal_matrix(setting.channel, link.loading),
            correction_bits=int(self.correction_bits),
            encoding=str(self.encoding),
        )
        summary = chip_matrix.summary()
        rho = summary["forecast_rho"]
        text = "not known" if rho is None else f"{rho:.3f}"
        stream.say(f"{summary['size']} users on {summary['cells']} cells, {summary['encoding']}, rho {text}")
        return chip_matrix

    def _point(
        self, setting: LinkSetting, bits: Bytes, link: Link, chip_matrix: HeldMatrix, snr: float, bench: Bench,
        stream: Stream,
    ) -> Point:  # fmt: skip
        solutions, diagonals = _solved(chip_matrix, link, int(self.cycles), stream)
        exact = np.linalg.solve(normal_matrix(setting.channel, link.loading), link.rhs)
        estimates = [
            link.estimates_single(),
            *(link.estimates(one, diagonal) for one, diagonal in zip(solutions, diagonals, strict=True)),
        ]
        decided = [setting.constellation.demodulate(one.T) for one in estimates]
        flat = [one.reshape(len(bits), -1) for one in (bits, *decided)]
        point = Point(
            snr,
            tuple(count(bits, one) for one in decided),
            tuple(paired(flat[0], one, flat[1]) for one in flat[1:]),
            tuple(float(np.linalg.norm(one - exact) / np.linalg.norm(exact)) for one in solutions),
            self._closed_form(setting, link),
        )
        self._record(setting, point, bench, stream, decided)
        if snr == setting.ratios[-1]:
            _record_constellations(stream, snr, bits, decided, estimates)
        return point

    def _closed_form(self, setting: LinkSetting, link: Link) -> float:
        """Return the bit error rate that exact detection comes to in the mean; NaN for precoding."""
        if not isinstance(link, Uplink):
            return float(np.nan)
        ratio = signal_to_interference(
            setting.channel, link.variance, setting.constellation.energy, str(self.detector)
        )
        return float(setting.constellation.error_rate(ratio).mean())

    def _record(
        self, setting: LinkSetting, point: Point, bench: Bench, stream: Stream, decided: Sequence[Bytes]
    ) -> None:
        for receiver, (rate, pair) in enumerate(zip(point.rates, point.pairs, strict=True)):
            stream.emit(
                "error_rates", receiver=receiver, snr=point.snr, errors=rate.errors, bits=rate.bits,
                rate=rate.rate, low=rate.low, high=rate.high, only_this=pair.only_first,
                only_single=pair.only_second, difference=pair.difference, difference_low=pair.low,
                difference_high=pair.high, p=pair.p, closed_form=point.closed_form,
            )  # fmt: skip
        for cycle, deviation in enumerate(point.deviations, 1):
            stream.record("deviations", cycle=cycle, snr=point.snr, deviation=deviation)
        if setting.picture is not None:
            rows, columns = setting.picture.shape
            for receiver, bits in enumerate(decided):
                image = from_bits(bits, (rows, columns)).astype(float)
                stream.snapshot(image_map(receiver), image, bench.now())

    def _as_published(self, setting: LinkSetting) -> bool:
        """Return whether it is the set-up of the published rates."""
        sizes = (*setting.channel.shape, setting.constellation.points)
        return (
            sizes == (published_rates.ANTENNAS, published_rates.USERS, published_rates.POINTS)
            and (self.link, self.detector) == (UPLINK, ZERO_FORCING)
            and is_blank(self.channel)
            and setting.picture is None
        )

    def _words(self, setting: LinkSetting) -> str:
        antennas, users = setting.channel.shape
        return f"{antennas} x {users}, {setting.constellation.points}-QAM, {self.detector} {self.link}"


def _solved(
    chip_matrix: HeldMatrix, link: Link, cycles: int, stream: Stream
) -> tuple[Complexes, Sequence[NDArray[np.float64]]]:
    """Return solutions after each cycle (cycles, users, vectors), and the diagonals of the inverse.

    With a loading, the diagonal comes from unit vectors that are solved beside the others.
    """
    users = len(link.rhs)
    units = [np.eye(users, dtype=np.complex128)] if link.loading else []
    rhs = np.concatenate([*units, link.rhs], axis=1)
    parts = []
    for first in range(0, rhs.shape[1], AT_ONCE):
        stream.check()
        parts.append(chip_matrix.solve(rhs[:, first : first + AT_ONCE], cycles=cycles).each)
    each = np.concatenate(parts, axis=2)
    if not link.loading:
        return each, [np.zeros(users)] * cycles
    return each[:, :, users:], [one[:, :users].diagonal().real for one in each]


def _count(chip: MatrixHolder, setting: LinkSetting, vectors: int) -> None:
    """Count what is digital beside the solves: H^H H of each matrix, and H^H y, or H x on the way down."""
    antennas, users = setting.channel.shape
    matrices = chip.operations()["matrices"]
    chip.beside.digital["beside"] += matrices * COMPLEX * antennas * users**2
    chip.beside.digital["beside"] += vectors * matched_filter(antennas, users)


def _record_constellations(
    stream: Stream, snr: float, bits: Bytes, decided: Sequence[Bytes], estimates: Sequence[Complexes]
) -> None:
    every = bits.shape[0] * bits.shape[1]
    shown = np.unique(np.linspace(0, every - 1, min(every, SYMBOLS_KEPT)).astype(int))
    for receiver, (decisions, symbols) in enumerate(zip(decided, estimates, strict=True)):
        points = symbols.T.ravel()[shown]
        wrong = (decisions != bits).any(axis=2).ravel()[shown]
        record_rows(
            stream, constellation_table(receiver), snr=snr, in_phase=points.real, quadrature=points.imag,
            wrong=wrong.astype(np.uint8),
        )  # fmt: skip
