"""Tables as instruments and programs write them: one for each of the eleven kinds that `mho import` knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

RNG_SEED = 7


def sweep() -> tuple[np.ndarray, np.ndarray]:
    """A loop 0, 1.5, -1.5, 0 V of a cell that is set at 1.2 V and reset at -1.0 V, in V and A."""
    up, down = np.arange(0.0, 1.5, 0.05), np.arange(1.5, 0.0, -0.05)
    volts = np.concatenate([up, down, -up, -down, [0.0]])
    high, conductances = False, []
    for v in volts.tolist():
        high = (high or v >= 1.2) and not v <= -1.0
        conductances.append(3e-5 if high else 1e-6)
    return volts, volts * np.array(conductances)


def easyexpert() -> str:
    """Two I-V loops as Keysight EasyEXPERT exports them."""
    volts, amperes = sweep()
    block = [
        "SetupTitle, DC Sweep",
        "PrimitiveTest, I/V Sweep",
        "TestParameter, Channel.UnitType, SMU, SMU",
        "TestParameter, Measurement.Port.Compliance, 0.001, 0.001",
        "AnalysisSetup, Analysis.Setup.Vector.Graph.XAxis.Name, V1",
        f"Dimension1, {len(volts)}, {len(volts)}",
        "DataName, V1, I1",
        *(f"DataValue, {v:.6g}, {i:.6e}" for v, i in zip(volts, amperes, strict=True)),
        "",
    ]
    return "\n".join([*block, *block])


def endurance() -> str:
    """Both states by cycle, with decimal commas, of a window that closes."""
    lines = ["Zyklus;R_LRS (kOhm);R_HRS (kOhm)".replace("Zyklus", "Cycle")]
    for cycle in (1, 10, 100, 1000, 10_000, 100_000):
        high = 200.0 if cycle < 10_000 else 6.0
        lines.append(f"{cycle};5,1;{high:.1f}".replace(".", ","))
    return "\n".join(lines)


def retention() -> str:
    """Two cells over five decades of time, a column a cell."""
    times = np.geomspace(1.0, 1e5, 11)
    return "time (s)\tR_cell1 (kohm)\tR_cell2 (kohm)\n" + "".join(
        f"{t:.4g}\t{5.0 + 0.1 * np.log10(t):.4f}\t{9.0 + 0.2 * np.log10(t):.4f}\n" for t in times
    )


def forming() -> str:
    """A ramp at two cells, the units in a line of their own."""
    lines = ["Device,Vbl,Ibl,Vwl", ",V,A,V"]
    for cell, formed in ((3, 3.0), (4, 3.2)):
        for v in np.arange(2.0, formed + 0.01, 0.05):
            lines.append(f"{cell},{v:.2f},{1e-9 * v if v < formed - 0.01 else 2e-4:.3e},1.6")
    return "\n".join(lines)


def response() -> str:
    """Potentiation and depression by 50 pulses each."""
    return "Pulse number,Conductance (uS)\n" + "".join(
        f"{k},{5 + 30 * (1 - np.exp(-k / 20)) if k <= 50 else 5 + 27.5 * np.exp(-(k - 50) / 20):.4f}\n"
        for k in range(1, 101)
    )


def noise() -> str:
    """Currents at even times, with the voltage in a column, below the settings of an instrument."""
    draws = np.random.default_rng(RNG_SEED).normal(size=1024)
    head = "KickStart,2.11\nInstrument,2450\nSource,0.1 V\n\nIndex,Time (s),Voltage (V),Current (uA)\n"
    return head + "".join(f"{k},{k * 2e-3:.3f},0.1,{1.0 + 0.01 * x:.6f}\n" for k, x in enumerate(draws))


def read_map() -> str:
    """A matrix of resistances with numbers of rows and columns."""
    rows = ["," + ",".join(map(str, range(4)))]
    rows += [f"{r}," + ",".join(f"{1e-6 * (1 + 4 * r + c):.3e}" for c in range(4)) for r in range(3)]
    return "\n".join(rows)


def write_verify() -> str:
    """Pulses with their kinds in words, and targets."""
    head = "time (ms),row,col,Pulse,Amplitude (V),Width (ns),Vg (V),R (kOhm),target (uS)\n"
    lines, time = [], 0
    for col, last in ((0, 40.0), (1, 20.0)):
        for kind, volts, gate, read in (
            ("read", 0.2, 0, 500.0),
            ("SET", 2.0, 2.5, 30.0),
            ("Reset", 1.8, 4.0, last),
        ):
            lines.append(
                f"{time},0,{col},{kind},{volts},{0 if kind == 'read' else 100},{gate},{read},{1000 / last:.3f}\n"
            )
            time += 1
    return head + "".join(lines)


def bit_errors() -> str:
    """A curve of a link."""
    return "SNR (dB),BER\n" + "".join(f"{s},{0.5 * 10 ** (-s / 8):.4e}\n" for s in range(0, 16, 2))


def thresholds() -> str:
    """SET and RESET voltages of a cell by cycle, and both states, as a script extracts them."""
    rng = np.random.default_rng(RNG_SEED)
    return "Cycle,V_SET (V),V_RESET (V),R_LRS (kOhm),R_HRS (kOhm)\n" + "".join(
        f"{k + 1},{rng.normal(1.2, 0.1):.3f},{rng.normal(-1.0, 0.08):.3f},{rng.normal(5, 0.2):.3f},"
        f"{rng.normal(200, 20):.1f}\n"
        for k in range(30)
    )


def level_statistics() -> str:
    """Eight levels as pandas writes the mean and the deviation of groups."""
    return ",conductance,conductance,conductance\n,mean,std,count\nlevel,,,\n" + "".join(
        f"{k},{5e-6 + 1e-5 * k:.3e},{4e-7 + 1e-7 * k:.3e},256\n" for k in range(8)
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "iv": easyexpert, "endurance": endurance, "retention": retention, "form": forming, "response": response, "noise": noise,
    "reads": read_map, "program": write_verify, "ber": bit_errors,
    "switching": thresholds, "levels": level_statistics,
}  # fmt: skip
"""By the kind that each holds."""
