"""Draw the figures of docs/cells.md and write its tables: ``python docs/make_cell_figures.py``.

Everything is measured on the simulated cells as on a bench: pulses, waits and reads, nothing is read out of
the presets except the parameter table itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import kurtosis, norm

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from chip_maps.chip import load_chip_map  # noqa: E402
from instruments.simulated.clock import VirtualClock  # noqa: E402
from instruments.simulated.physics.cells import FORMED, VIRGIN, CellArray  # noqa: E402
from instruments.simulated.physics.noise import FlickerNoise, TelegraphNoise  # noqa: E402
from instruments.simulated.physics.presets import CELL_PRESETS, CellPreset  # noqa: E402
from procedures.write_verify import WriteVerify, WriteVerifySettings  # noqa: E402

Floats = NDArray[np.float64]
Row = tuple[str, str, str, str]  # quantity, preset, measured, source

ALL = slice(None)
MICRO = 1e6
DAY = 86400.0
COLOURS = {"ideal": "#777777", "quiet": "#0072B2", "pku": "#009E73", "relaxing": "#D55E00"}
LEVELS = load_chip_map("reference").level_scale()
SETTINGS = WriteVerifySettings()


def main() -> None:
    """Draw all pictures and fill in the tables of the page."""
    mpl.rcParams.update({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "savefig.dpi": 130})
    (DOCS / "pictures").mkdir(exist_ok=True)
    rows = [
        row
        for draw in (set_curve, reset_curve, forming, levels, relaxation, noise, lifetime)
        for row in draw()
    ]
    page = DOCS / "cells.md"
    text = page.read_text(encoding="utf-8")
    text = between(text, "measured", table(("quantity", "preset", "measured", "source"), rows))
    text = between(text, "parameters", table(("parameter", "unit", *CELL_PRESETS, "source"), parameters()))
    page.write_text(text, encoding="utf-8")


# --- cells on the bench ---


def formed(preset: CellPreset, rows: int, columns: int) -> tuple[CellArray, VirtualClock]:
    """Cells formed as the write-verify procedure forms them, and reset."""
    clock = VirtualClock()
    array = CellArray(rows, columns, preset, clock, np.random.default_rng(2025))
    for voltage in SETTINGS.forming_voltages:
        array.set_cells(ALL, np.where(array.status() == VIRGIN, voltage, 0.0), 1e-6, SETTINGS.forming_gate)
    array.reset_cells(ALL, SETTINGS.reset_full, SETTINGS.width, SETTINGS.reset_gate)
    return array, clock


def write_verify(preset: CellPreset, count: int) -> tuple[CellArray, VirtualClock, Floats, Floats, Floats]:
    """Program `count` cells to each level; return their last reads, pulses and whether they verified."""
    array, clock = formed(preset, 8, count)
    reads, pulses, verified = np.zeros((8, count)), np.zeros((8, count)), np.zeros((8, count))
    for digit, column in np.ndindex(8, count):
        cell = digit, column
        window = (float(x[digit]) for x in (LEVELS.nominal, LEVELS.low, LEVELS.high))
        state = WriteVerify.towards(*window, SETTINGS)
        while True:
            clock.advance(5e-4)
            reads[cell] = array.read(cell)
            if state.done(reads[cell]) or state.exhausted:
                break
            pulse = state.next_pulse(reads[cell])
            act = array.set if pulse.kind == "set" else array.reset
            act(cell, pulse.voltage, pulse.width, pulse.gate)
        pulses[cell], verified[cell] = state.pulses, state.done(reads[cell])
    return array, clock, reads, pulses, verified


# --- the pictures ---


def set_curve() -> Iterator[Row]:
    """G after one SET from HRS against the gate voltage."""
    figure = Figure((9, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    gates = np.linspace(0.7, 3.0, 24)
    for name, preset in CELL_PRESETS.items():
        array, _ = formed(preset, len(gates), 1500)
        array.set_cells(ALL, 3.0, 100e-9, np.repeat(gates[:, None], 1500, axis=1))
        g = MICRO * array.conductance()
        axes[0].plot(gates, g.mean(axis=1), color=COLOURS[name], label=name)
        low, high = np.quantile(g, [0.16, 0.84], axis=1)
        axes[0].fill_between(gates, low, high, color=COLOURS[name], alpha=0.12, lw=0)
        if name != "ideal":
            slope = np.polyfit(gates[4:14], g.mean(axis=1)[4:14], 1)[0]
            yield (
                "slope of G(V_WL) in the 35 uS range",
                name,
                f"{slope:.1f} uS/V",
                "32: 0.5 mS/V [L], scaled, after 100 ns",
            )
    axes[0].set(
        xlabel="V_WL (V)", ylabel="G after one SET from HRS (uS)", title="SET, 3 V, 100 ns: mean, 68 %"
    )
    axes[0].legend()
    widths = np.geomspace(1e-9, 1e-6, 25)
    for voltage, style in ((1.1, ":"), (1.2, "--"), (3.0, "-")):
        array, _ = formed(CELL_PRESETS["pku"], len(widths), 1500)
        array.set_cells(ALL, voltage, np.repeat(widths[:, None], 1500, axis=1), 1.6)
        axes[1].semilogx(1e9 * widths, MICRO * array.conductance().mean(axis=1), style, color=COLOURS["pku"],
                         label=f"{voltage} V on the bit line")  # fmt: skip
    axes[1].set(xlabel="width (ns)", ylabel="mean G (uS)", title="pku, V_WL = 1.6 V: width and amplitude")
    axes[1].legend()
    save(figure, "set")
    lrs = _set_again(replace(CELL_PRESETS["pku"], deep_reset_loss=0.0))
    yield "LRS cycle to cycle, sd of log10 G", "pku", f"{lrs.std(axis=0).mean():.3f}", "0.056 [L]"
    yield "LRS device to device, sd of log10 G", "pku", f"{lrs.mean(axis=0).std():.3f}", "0.061 [L]"


def _set_again(preset: CellPreset) -> Floats:
    array, _ = formed(preset, 1, 3000)
    logs = []
    for _ in range(30):
        for _ in range(2):
            array.reset_cells(ALL, 3.0, 100e-9, 2.8)
        array.set_cells(ALL, 3.0, 100e-9, 1.4)
        logs.append(np.log10(array.conductance()[0]))
    return np.array(logs)


def reset_curve() -> Iterator[Row]:
    """G after one RESET from 35 uS against the source-line voltage."""
    figure = Figure((9, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    volts = np.linspace(0.8, 3.0, 23)
    for name, preset in CELL_PRESETS.items():
        array, _ = formed(preset, len(volts), 2000)
        array.set_cells(ALL, 3.0, 1e-6, 1.8)
        array.reset_cells(ALL, np.repeat(volts[:, None], 2000, axis=1), 100e-9, 2.8)
        g = MICRO * array.conductance()
        axes[0].semilogy(volts, np.median(g, axis=1), color=COLOURS[name], label=name)
        low, high = np.quantile(g, [0.16, 0.84], axis=1)
        axes[0].fill_between(volts, low, high, color=COLOURS[name], alpha=0.12, lw=0)
        if name in ("pku", "relaxing"):
            middle = np.log(g[np.argmin(abs(volts - 1.5))]).std()
            yield "sigma(ln G) after one RESET at 1.5 V", name, f"{middle:.2f}", "about 0.6 [L]"
    axes[0].set(xlabel="V_SL (V)", ylabel="G after one RESET from 35 uS (uS)",
                title="RESET, 100 ns, V_WL = 2.8 V: median, 68 %")  # fmt: skip
    axes[0].legend()
    for name in ("pku", "relaxing"):
        array, _ = formed(CELL_PRESETS[name], 1, 20000)
        array.set_cells(ALL, 3.0, 1e-6, 1.8)
        for _ in range(2):
            array.reset_cells(ALL, 3.0, 100e-9, 2.8)
        g = MICRO * array.conductance()[array.status() == FORMED]
        axes[1].hist(np.log10(g), np.linspace(-3.0, 1.0, 90), color=COLOURS[name], alpha=0.6, label=name)
        if name == "pku":
            low, high = np.quantile(g, [0.01, 0.97])
            yield (
                "G after strong RESET, 1 to 97 %",
                name,
                f"{low:.2f} to {high:.2f} uS",
                "0.22 to 0.52 uS [R]",
            )
        else:
            sd = np.log10(g).std()
            yield (
                "HRS, sd of log10 G over cells",
                name,
                f"{sd:.2f}",
                "0.33 cycle and 0.43 device, together 0.54 [L]",
            )
    axes[1].axvspan(np.log10(0.22), np.log10(0.52), color="k", alpha=0.15, label="published level 0 [R]")
    axes[1].set(xlabel="log10 of G (uS)", ylabel="cells", title="after two RESETs at 3 V")
    axes[1].legend()
    save(figure, "reset")


def forming() -> Iterator[Row]:
    """Share of cells that one forming pulse forms."""
    figure = Figure((9, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    volts, count = np.linspace(2.3, 4.2, 39), 2000
    preset = CELL_PRESETS["pku"]

    def share(width: float, gate: float) -> Floats:
        array = CellArray(len(volts), count, preset, VirtualClock(), np.random.default_rng(7))
        array.set_cells(ALL, np.repeat(volts[:, None], count, axis=1), width, gate)
        return (array.status() == FORMED).mean(axis=1)

    once = share(1e-6, 1.6)
    axes[0].plot(volts, once, "o", ms=3, color=COLOURS["pku"], label="pku, 1 us, V_WL = 1.6 V")
    axes[0].plot(volts, norm.cdf(volts, 3.15, 0.25), "k-", lw=0.8, label="3.15 V, sd 0.25 V [L]")
    axes[0].set(xlabel="V_BL (V)", ylabel="share formed", title="forming: distribution")
    for width, gate, style in ((1e-6, 1.6, "-"), (1e-7, 1.6, "--"), (1e-6, 1.2, ":")):
        label = f"{1e6 * width:g} us, V_WL = {gate} V"
        axes[1].plot(volts, share(width, gate), style, color=COLOURS["pku"], label=label)
    axes[1].set(xlabel="V_BL (V)", ylabel="share formed", title="forming: width and gate")
    for ax in axes:
        ax.legend()
    save(figure, "forming")
    density = np.diff(once)
    middle = 0.5 * (volts[1:] + volts[:-1])
    mean = (density * middle).sum() / density.sum()
    sd = np.sqrt((density * (middle - mean) ** 2).sum() / density.sum())
    yield "forming voltage, mean and sd", "pku", f"{mean:.2f} V, {sd:.2f} V", "3.15 V, 0.25 V [L]"


def levels() -> Iterator[Row]:
    """Histograms of the eight levels after write-verify, read an hour later."""
    figure = Figure((9, 7.2), layout="constrained")
    for ax, (name, preset) in zip(figure.subplots(4, 1, sharex=True), CELL_PRESETS.items(), strict=True):
        array, clock, _, pulses, verified = write_verify(preset, 500)
        clock.advance(3600.0)
        g = MICRO * array.conductance()
        for digit in range(8):
            ax.hist(g[digit], np.arange(-1, 42, 0.25), color=COLOURS[name], alpha=0.75)
            if digit:
                ax.axvspan(MICRO * LEVELS.low[digit], MICRO * LEVELS.high[digit], color="k", alpha=0.08, lw=0)
        ax.axvspan(0.22, 0.52, color="k", alpha=0.08, lw=0)
        ax.set(
            ylabel="cells",
            yscale="log",
            ylim=(0.7, 700),
            title=f"{name}: an hour after write-verify, {verified.mean():.2%} verified",
        )
        spread = g[1:].std(axis=1)
        if name == "pku":
            off = np.abs(g[1:] - MICRO * LEVELS.nominal[1:, None])
            yield (
                "sd of levels 1 to 7, an hour on",
                name,
                f"{spread.min():.2f} to {spread.max():.2f} uS",
                "0.6 to 0.7 uS [R]",
            )
            yield (
                "half width that holds 99 % of the cells",
                name,
                f"{np.quantile(off, 0.99):.2f} uS",
                "about 1.2 uS [R]",
            )
            low, high = g[0].min(), g[0].max()
            yield (
                "level 0, all cells",
                name,
                f"{low:.2f} to {high:.2f} uS",
                "0.22 to 0.52 uS [R]; verified below 0.6",
            )
        source = "all of 400 cells [P]" if name == "pku" else "0.94 to 0.996 with plain ISPP [L]"
        yield "write-verify success, 4000 cells", name, f"{verified.mean():.2%}", source
        yield "pulses a cell, forming apart", name, f"{pulses.mean():.1f}", "80 with plain ISPP [L]"
    ax.set(xlabel="G (uS); grey: verify windows, published range of level 0")
    save(figure, "levels")


def relaxation() -> Iterator[Row]:
    """Spread and mean of cells at 15 uS, none of which is touched after its pulse."""
    figure = Figure((9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    times = np.geomspace(1e-6, 10 * DAY, 80)
    sources = {"quiet": (0.41, 0.89, "0.41 + 0.042 ln t [C]"), "relaxing": (2.3, 4.0, "[L, W]")}
    for name, preset in CELL_PRESETS.items():
        same = replace(preset, set_cycle_spread=0.0, set_device_spread=0.0, stuck_on=0.0, stuck_off=0.0,
                       landing=0.0, landing_share=0.0)  # fmt: skip
        array, clock = formed(same, 1, 20000)
        array.set_cells(ALL, 3.0, 10e-6, 0.8 + 15 / 35)
        start, before = clock.now, array.conductance()
        spread, mean = [], []
        for moment in times:
            clock.advance(start + moment - clock.now)
            change = MICRO * (array.conductance() - before)
            spread.append(change.std())
            mean.append(change.mean())
        axes[0].semilogx(times, spread, color=COLOURS[name], label=name)
        axes[1].semilogx(times, mean, color=COLOURS[name], label=name)
        at = [np.interp(np.log(t), np.log(times), spread) for t in (1.0, 3600.0, DAY)]
        if name == "quiet":
            laws = [0.41 + 0.042 * np.log(t) for t in (1.0, 3600.0, DAY)]
            expected = ", ".join(f"{law:.2f}" for law in laws) + " uS [C]"
        else:
            expected = {"relaxing": "2.3, -, 4.0 uS [L, W]", "pku": "stays in its windows [P]", "ideal": "0"}[
                name
            ]
        yield "relaxation sd after 1 s, 1 h, 1 day", name, ", ".join(f"{s:.2f}" for s in at) + " uS", expected
        if name == "quiet":
            drop = np.interp(np.log(DAY), np.log(times), mean)
            yield "mean drift after a day", name, f"{drop:.2f} uS", f"{-0.089 * np.log(DAY):.2f} uS [C]"
            axes[0].plot(
                times[times > 1],
                0.41 + 0.042 * np.log(times[times > 1]),
                "k--",
                lw=0.8,
                label=sources[name][2],
            )
            axes[1].plot(
                times[times > 1], -0.089 * np.log(times[times > 1]), "k--", lw=0.8, label="-0.089 ln t [C]"
            )
        if name == "relaxing":
            axes[0].plot([1.0, DAY], [2.3, 4.0], "ko", label="measured [L, W]")
            yield "excess kurtosis after a day", name, f"{kurtosis(change[0]):.1f}", "heavy tails [L, W]"
    axes[0].set(
        xlabel="time since the pulse (s)",
        ylabel="sd of the change (uS)",
        title="relaxation of cells at 15 uS",
    )
    axes[1].set(xlabel="time since the pulse (s)", ylabel="mean change (uS)", title="drift")
    for ax in axes:
        ax.legend()
    save(figure, "relaxation")


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
    trap = replace(CELL_PRESETS["quiet"], rtn_fastest=0.3, rtn_slowest=0.3)
    telegraph = TelegraphNoise(np.ones((1, 1), bool), trap, np.random.default_rng(9))
    flicker = FlickerNoise((1, 1), CELL_PRESETS["quiet"], np.random.default_rng(9))
    times = np.arange(4000) * 2.5e-3
    trace = [float(telegraph.average((0, 0), t, 2e-4) + flicker.average((0, 0), t, 2e-4)) for t in times]
    axes[1].plot(times, 20 * (1 + np.array(trace)), color=COLOURS["quiet"], lw=0.6)
    axes[1].set(xlabel="time (s)", ylabel="read (uS)", title="quiet: a cell at 20 uS with a trap of 0.3 s")
    save(figure, "noise")
    for name, expected in (
        ("quiet", "1 %, 10 % [L]"),
        ("pku", "0.4 %, 1 % [P: integers exact]"),
        ("relaxing", "1 %, 10 % [L]"),
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


def lifetime() -> Iterator[Row]:
    """The window closing with cycles, and retention at three temperatures."""
    figure = Figure((9, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    cycles = np.geomspace(1e3, 1e8, 26)
    top, bottom = [], []
    for count in cycles:
        array, _ = formed(CELL_PRESETS["pku"], 1, 500)
        array.age(ALL, float(count))
        array.set_cells(ALL, 3.0, 1e-6, 2.5)
        top.append(np.median(array.conductance()))
        for _ in range(3):
            array.reset_cells(ALL, 3.0, 100e-9, 2.8)
        bottom.append(np.median(array.conductance()))
    axes[0].loglog(cycles, MICRO * np.array(top), color=COLOURS["pku"], label="after SET at V_WL = 2.5 V")
    axes[0].loglog(cycles, MICRO * np.array(bottom), "--", color=COLOURS["pku"], label="after RESET at 3 V")
    axes[0].set(xlabel="cycles", ylabel="median G (uS)", title="pku: endurance")
    axes[0].legend()
    still = replace(CELL_PRESETS["pku"], relaxation=0.0, drift=0.0)
    times = np.geomspace(1.0, 1e10, 60)
    half = {}
    for kelvin, style in ((398.15, "-"), (448.15, "--"), (498.15, ":")):
        array, clock = formed(still, 1, 50)
        array.set_cells(ALL, 3.0, 1e-6, 1.6)
        start, before = clock.now, array.conductance()
        array.temperature = kelvin
        kept = []
        for moment in times:
            clock.advance(start + moment - clock.now)
            kept.append((array.conductance() / before).mean())
        half[kelvin] = np.interp(-0.5, -np.array(kept), np.log(times))
        axes[1].semilogx(times, kept, style, color=COLOURS["pku"], label=f"{kelvin - 273.15:.0f} °C")
    axes[1].set(xlabel="time (s)", ylabel="share of G kept", title="pku: retention")
    axes[1].legend()
    save(figure, "lifetime")
    energy = 8.617333e-5 * (half[398.15] - half[498.15]) / (1 / 398.15 - 1 / 498.15)
    yield "activation energy of retention", "pku", f"{energy:.2f} eV", "2.25 eV [L]"


# --- the page ---


def save(figure: Figure, name: str) -> None:
    """Write the picture of that name."""
    figure.savefig(DOCS / "pictures" / f"cells-{name}.png")


def parameters() -> Iterator[tuple[str, ...]]:
    """Every number of every preset; what differs from `pku` is bold."""
    for parameter in fields(CellPreset)[1:]:
        values = [getattr(preset, parameter.name) for preset in CELL_PRESETS.values()]
        usual = getattr(CELL_PRESETS["pku"], parameter.name)
        shown = [f"{v:g}" if v == usual else f"**{v:g}**" for v in values]
        yield f"`{parameter.name}`", parameter.metadata["unit"], *shown, parameter.metadata["source"]


def table(head: tuple[str, ...], rows: list[Row] | Iterator[tuple[str, ...]]) -> str:
    """Return rows as a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def between(text: str, name: str, content: str) -> str:
    """Replace what stands between the comments `name` and `/name`."""
    head, _, rest = text.partition(f"<!-- {name} -->\n")
    _, mark, tail = rest.partition(f"\n<!-- /{name} -->")
    if not mark:
        raise SystemExit(f"docs/cells.md has no <!-- {name} --> … <!-- /{name} -->")
    return f"{head}<!-- {name} -->\n{content}{mark}{tail}"


if __name__ == "__main__":
    main()
