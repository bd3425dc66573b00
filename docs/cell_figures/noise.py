"""Read noise: its spectrum, a trap over time, and how much of it a read sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

from benchmarks import relaxation as benchmark
from docs.cell_figures.bench import ALL, COLOURS, MICRO, Floats, Row, formed, save
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.noise import FlickerNoise, noise_share
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS


def noise() -> Iterator[Row]:
    """Spectrum of the 1/f noise, and what a trap looks like over time."""
    figure = Figure((9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for name in ("quiet", "pku"):
        source = FlickerNoise((1, 100), CELL_PRESETS[name], np.random.default_rng(3))
        step, length = 1e-3, 1 << 14
        series = np.array([source.average((0, ALL), k * step, step) for k in range(length)])
        window = np.hanning(length)
        power = (np.abs(np.fft.rfft(series * window[:, None], axis=0)) ** 2).mean(axis=1)
        power *= 2 * step / (window**2).sum()
        frequency = np.fft.rfftfreq(length, step)
        band = (frequency > 0.3) & (frequency < 200.0)
        slope = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
        axes[0].loglog(
            frequency[2:], power[2:], color=COLOURS[name], lw=0.8, label=f"{name}, slope {slope:.2f}"
        )
        yield "slope of the noise spectrum", name, f"{slope:.2f}", "about -1 [L]"
    axes[0].loglog(frequency[2:], 6e-6 / frequency[2:], "k--", lw=0.8, label="1/f")
    axes[0].set(xlabel="frequency (Hz)", ylabel="relative noise (1/Hz)", title="1/f noise, 100 cells")
    axes[0].legend()
    preset = replace(
        CELL_PRESETS["relaxing"],
        rtn_share=1.0,
        rtn_fastest=0.1,
        rtn_slowest=0.3,
        relaxation=0.0,
        stuck_on=0.0,
        stuck_off=0.0,
    )
    array, clock = formed(preset, 1, 6)
    array.fix(ALL, 20e-6)
    times = np.arange(4000) * 2.5e-3
    traces = np.array([_read_on(array, clock, 2.5e-3) for _ in times])
    for k, trace in enumerate(MICRO * traces.T[:3]):
        axes[1].plot(times, trace + 4 * k, color=COLOURS["relaxing"], lw=0.5)
    axes[1].set(
        xlabel="time (s)", ylabel="read (uS), 4 uS apart", title="relaxing: cells at 20 uS with traps"
    )
    save(figure, "noise")
    for name, expected in (
        ("quiet", "1 %, 10 % [L]"),
        ("pku", "0.4 %, 1 % [P: integers exact]"),
        ("relaxing", "1 %, 10 % [L]; fitted to [M]"),
    ):
        still = replace(
            CELL_PRESETS[name], relaxation=0.0, drift=0.0, stuck_on=0.0, stuck_off=0.0, deep_reset_loss=0.0
        )
        sds = []
        for share in (0.0, 1.0):
            array, _ = formed(replace(still, rtn_share=share), 1, 20000)
            array.set_cells(ALL, 3.0, 10e-6, 1.3)
            sds.append((array.read(ALL, aperture=1e-5) / array.conductance()).std())
        text = f"{100 * sds[0]:.2f} %, {100 * np.sqrt(sds[1] ** 2 - sds[0] ** 2):.1f} %"
        yield "read noise of G: without a trap, of a trap", name, text, expected


def series() -> Iterator[tuple[str, ...]]:
    """Cells read at 400 Hz for 100 s beside five measured ones: spread, steps from read to read, slopes of spectra."""
    preset = replace(CELL_PRESETS["relaxing"], stuck_on=0.0, stuck_off=0.0)
    array, clock = formed(preset, 1, 200)
    array.fix(ALL, 20e-6)
    reads = np.array([_read_on(array, clock, 1 / 400) for _ in range(40_000)]) / array.conductance()
    noise = (reads - 1.0) / noise_share(preset, 20e-6)
    slopes = _slope(noise, 5.0, 100.0), _slope(noise, 0.05, 5.0)
    steps = np.diff(noise, axis=0)
    alone = 1.4826 * np.median(np.abs(steps - np.median(steps, axis=0)), axis=0) / np.sqrt(2.0)
    rows = benchmark.source()["noise"]["rows"]
    for mean, sd, differences, *_ in rows:
        size = mean * noise_share(preset, 1e-6 * mean)
        yield _beside(f"{mean:.3g} uS: sd, uS", size * noise.std(axis=0), sd)
        yield _beside(f"{mean:.3g} uS: sd of steps over sqrt 2, robust, uS", size * alone, differences)
    for name, ours, place in (("slope, 5 to 100 Hz", slopes[0], 3), ("slope below 5 Hz", slopes[1], 4)):
        for row in rows:
            yield _beside(f"{row[0]:.3g} uS: {name}", ours, row[place])


def _beside(name: str, ours: Floats, measured: float) -> tuple[str, ...]:
    low, median, high = np.quantile(ours, [0.05, 0.5, 0.95])
    p = benchmark.tail_probability(ours, measured)
    return name, f"{low:.2f}, {median:.2f}, {high:.2f}", f"{measured:.3g}", f"{p:.2f}"


def _read_on(array: CellArray, clock: VirtualClock, seconds: float) -> Floats:
    reads = array.read(ALL, aperture=1e-3)[0]
    clock.advance(seconds)
    return reads


def _slope(reads: Floats, low: float, high: float) -> Floats:
    """Slopes of the spectra of reads (time, cells) at 400 Hz between two frequencies, Hz, every octave counting alike."""
    window = np.hanning(len(reads))[:, None]
    power = np.abs(np.fft.rfft((reads - reads.mean(axis=0)) * window, axis=0)) ** 2
    frequency = np.fft.rfftfreq(len(reads), 1 / 400)
    edges = np.geomspace(low, high, 20)
    bands = [(frequency >= a) & (frequency < b) for a, b in pairwise(edges)]
    middles = [np.log(frequency[band]).mean() for band in bands if band.any()]
    means = [np.log(power[band].mean(axis=0)) for band in bands if band.any()]
    return np.polyfit(middles, means, 1)[0]
