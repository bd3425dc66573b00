"""What one pulse does: SET, RESET and forming against voltage, width and gate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from docs.cell_figures.bench import ALL, COLOURS, GRADUAL, MICRO, Floats, Row, formed, save
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import FORMED, CellArray
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS, CellPreset


def set_curve() -> Iterator[Row]:
    """G after one SET from HRS against the gate voltage."""
    figure = Figure((9, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    gates = np.linspace(0.7, 3.0, 24)
    for name, preset in GRADUAL.items():
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


def limited_set() -> Iterator[Row]:
    """What a source-measure unit's current limit leaves of a DC SET."""
    preset, gate = CELL_PRESETS["pku"], 2.5
    for current in (1e-6, 1e-5, 1e-4):
        array, _ = formed(preset, 1, 400)
        for column in range(400):
            array.set((0, column), 3.0, 20e-3, gate, current=current)
        g = np.median(array.conductance())
        yield (
            f"G after a DC SET within {MICRO * current:g} uA, V_WL = {gate} V; limit/G",
            "pku",
            f"{MICRO * g:.3g} uS; {current / g:.2f} V",
            "a voltage over the limit: 0.4 V in Ielmini, TED 58, 4309 (2011) (?), until the gate limits",
        )


def reset_curve() -> Iterator[Row]:
    """G after one RESET from 35 uS against the source-line voltage."""
    figure = Figure((9, 3.4), layout="constrained")
    axes = figure.subplots(1, 2)
    volts = np.linspace(0.8, 3.0, 23)
    for name, preset in GRADUAL.items():
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
