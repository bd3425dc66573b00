"""Packaged sets of assumptions: `published`, `fast` and `board`; that of a bench is made from its runs."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping

from mho.analysis.reports import COSTS
from mho.errors import InputError
from mho.extensions.projection.assumptions import Assumption, Assumptions

ZUO = "Zuo 2025, Fig. 5"
FROM_FIGURE = "from the published curve"
CHOICE = "engineering choice"
FITTED = "fitted to the published energies, with {} (`mho.extensions.projection.model`)"
_INF = math.inf
_EACH = tuple(
    Assumption(*one)
    for one in (
        # name, unit, value, low, high, source, meaning, whole, least, most
        ("loop_size", "", 32, 8, 128, ZUO, "lines of the largest loop, N0, where blocks are counted", True, 1, 4096),
        ("inv_time", "s", COSTS.inv_time, 20e-9, 450e-9, ZUO + "; high: this circuit at condition number 10",
         "one INV, until it has settled", False, 1e-12, 1.0),
        ("mvm_time", "s", COSTS.mvm_time, 10e-9, 120e-9, ZUO,
         "one MVM of binary inputs, until it has settled", False, 1e-12, 1.0),
        ("conversion_time", "s", COSTS.conversion_time, 1e-9, 50e-9,
         FROM_FIGURE + ": what 8 cycles of INV and MVM leave of 1.546 us", "converters, of one INV or MVM", False,
         0.0, 1.0),
        ("bits", "", 24, 12, 32, ZUO, "bits of A and of the answer", True, 1, 64),
        ("bits_per_cycle", "", 3, 2.4, 5,
         "Zuo 2025: about three; low: its ten cycles to 24 bits; high: mimo-16x16 on this bench",
         "bits that a cycle of refinement adds", False, 0.1, 64),
        ("slice_bits", "", 3, 1, 4, ZUO, "bits a cell holds", True, 1, 8),
        ("slices_at_once", "", 8, 1, 8, FROM_FIGURE + ": MVM takes 60 ns whatever the bits",
         "slices of A multiplied at the same time, in arrays of their own", True, 1, 64),
        ("vector_slices", "", 1, 1, 48, FROM_FIGURE + "; high: bit-serial with signs apart, as measured",
         "parts of a vector played one after the other", True, 1, 128),
        ("line_groups", "", 1, 1, 16, FROM_FIGURE + "; high: two lines of 32 at a time, which are always exact",
         "groups of lines played one after the other, so that integers are exact", True, 1, 4096),
        ("cells_per_element", "", 2, 1, 5, "a positive and a negative part (Zuo 2025)", "cells of a digit of A",
         False, 1, 16),
        ("inv_amplifiers", "", COSTS.inv_amplifiers, 1, 2, "one a line; two with inverters",
         "amplifiers of INV, of each line", False, 1, 8),
        ("amplifier_power", "W", COSTS.amplifier_power, 0.1e-3, 55e-3,
         FITTED.format("read_voltage") + "; high: the OPA690 of the measured 120 ns, 5.5 mA at 10 V",
         "quiescent power of an amplifier", False, 1e-9, 10.0),
        ("idle_share", "", 0, 0, 1, CHOICE, "share of that power that an amplifier takes while it waits", False, 0.0,
         1.0),
        ("conversion_energy", "J", COSTS.conversion_energy, 0.1e-12, 20e-12, CHOICE + ": four bits at 40 nm",
         "one conversion", False, 0.0, 1.0),
        ("adding_energy", "J", COSTS.adding_energy, 0.05e-12, 1e-12, CHOICE + ": 24 bits at 40 nm",
         "shifting and adding one integer", False, 0.0, 1.0),
        ("read_voltage", "V", 0.316, 0.05, 0.4,
         FITTED.format("amplifier_power") + "; high: the clamp of 0.4 V (Zuo 2025)",
         "root mean square across cells", False, 0.0, 5.0),
        ("mean_conductance", "S", 10e-6, 5e-6, 20e-6, "0.5 to 35 uS (Zuo 2025)", "mean conductance of cells", False,
         0.0, 1.0),
        ("write_pulses", "", 2.5, 1, 80, "asap on cells pku of the virtual bench; high: plain ISPP (docs/strategies.md)",
         "pulses that write-verify takes a cell", False, 1, 1e6),
        ("pulse_time", "s", 1e-6, 0.2e-6, 3e-3, CHOICE + "; high: a bench with one meter",
         "a pulse and its verify read", False, 1e-9, 1e3),
        ("pulse_energy", "J", 30e-12, 3e-12, 1e-9, "3 V, 100 uA, 100 ns",
         "a pulse and its verify read", False, 0.0, 1.0),
        ("cells_at_once", "", 32, 1, 1024, CHOICE + ": a line of one array; low: a bench with one meter",
         "cells written at the same time", True, 1, 1e9),
        ("cell_area", "m^2", 0.05e-12, 0.03e-12, 0.5e-12, CHOICE + ": 30 F^2 at 40 nm", "a cell", False, 0.0, 1.0),
        ("amplifier_area", "m^2", 1e-9, 0.2e-9, 10e-9, CHOICE + " at 40 nm", "an amplifier", False, 0.0, 1.0),
        ("converter_area", "m^2", 0.5e-9, 0.1e-9, 5e-9, CHOICE + ": four bits at 40 nm", "a converter", False, 0.0,
         1.0),
        ("cells_per_chip", "", 1048576, 65536, 1 << 30, "1 Mb (Zuo 2025)", "cells of a chip", True, 1, 1e15),
        ("bandwidth", "Hz", 300e6, 16e6, 20e9, "OPA690 data sheet; low: AD823", "gain-bandwidth product", False, 1.0,
         1e13),
        ("row_capacitance", "F", 3e-12, 0.05e-12, 8e-12, "docs/inv-circuit.md; low: on the chip itself",
         "at a row: amplifier, pad and board", False, 0.0, 1e-6),
        ("row_conductance", "S", 100e-6, 50e-6, 1e-3, "docs/inv-circuit.md", "all conductance at a row, D", False,
         1e-12, 1.0),
        ("cell_conductance", "S", 35e-6, 20e-6, 50e-6, "Zuo 2025", "strongest cell between an output and its row",
         False, 1e-12, 1.0),
        ("smallest_eigenvalue", "S", 5e-6, 0.5e-6, 20e-6, "docs/inv-circuit.md: published 4 x 4", "lambda_min of G",
         False, 1e-12, 1.0),
        ("settling_error", "", 0.01, 1e-4, 0.05, "docs/inv-circuit.md", "that is left when an INV is sampled", False,
         1e-9, 0.5),
        ("gpu_memory_rate", "B/s", 3.35e12, 2e12, 4.9e12, "H100 SXM data sheet; high: H200", "GPU memory", False, 1.0,
         _INF),
        ("gpu_rate", "op/s", 67e12, 51e12, 67e12, "H100 SXM data sheet, FP32 without tensor cores; low: PCIe", "GPU",
         False, 1.0, _INF),
        ("gpu_power", "W", 700, 350, 700, "H100 SXM data sheet; low: PCIe", "GPU", False, 1e-3, _INF),
        ("gpu_cores", "", 16896, 14592, 16896, "H100 SXM data sheet; low: PCIe", "FP32 cores of the GPU", True, 1,
         1e9),
        ("gpu_area", "m^2", 814e-6, 814e-6, 814e-6, "H100 data sheet", "die of the GPU", False, 1e-9, 1.0),
        ("gpu_reached", "", 1, 0.05, 1, "data-sheet limit; low: batched factorisations measured elsewhere",
         "share of its limit that the GPU reaches", False, 1e-6, 1.0),
        ("cpu_memory_rate", "B/s", 460.8e9, 200e9, 920e9, "EPYC 9654 data sheet: 12 x DDR5-4800", "CPU memory", False,
         1.0, _INF),
        ("cpu_rate", "op/s", 7.37e12, 2e12, 11e12, "EPYC 9654: 96 cores, 2.4 GHz, 32 FP32 operations a clock", "CPU",
         False, 1.0, _INF),
        ("cpu_power", "W", 360, 200, 400, "EPYC 9654 data sheet", "CPU", False, 1e-3, _INF),
        ("cpu_cores", "", 96, 32, 128, "EPYC 9654 data sheet", "cores of the CPU", True, 1, 1e6),
        ("core_rate", "op/s", COSTS.core_rate, 2.0e9, 4.0e9, ZUO + ": H100, one core; low: Vega 20",
         "the GPU core that the paper compares with", False, 1.0, _INF),
        ("core_efficiency", "op/J", COSTS.core_efficiency, 4.9e10, 6.7e10,
         ZUO + ": H100, 34 TFLOP/s of FP64 at 700 W; high: Vega 20", "operations per joule of that core", False, 1.0,
         _INF),
        ("gpu_fp64_rate", "op/s", 34e12, 26e12, 34e12, "H100 SXM and GH200 data sheets; low: PCIe",
         "GPU in FP64, without tensor cores", False, 1.0, _INF),
        ("gpu_fp64_tensor_rate", "op/s", 67e12, 51e12, 67e12, "H100 SXM and GH200 data sheets; low: PCIe",
         "GPU in FP64, tensor cores", False, 1.0, _INF),
        ("gpu_fp64_emulated_rate", "op/s", 80.2e12, 56.6e12, 80.2e12,
         "Ozaki scheme II on a GH200, large products (arXiv 2504.08009); at the power of its own FP64 (arXiv 2508.03984)",
         "GPU in FP64 emulated by INT8 tensor cores", False, 1.0, _INF),
        ("gpu_fp16_tensor_rate", "op/s", 989e12, 756e12, 989e12, "H100 SXM data sheet, dense; low: PCIe",
         "GPU in FP16, tensor cores", False, 1.0, _INF),
        ("gpu_fp16_bits", "", 10, 3, 11, CHOICE + ": 11 bits of FP16, less the condition number's",
         "bits that a cycle of digital refinement adds after a factorisation in FP16", False, 0.1, 64),
        ("superchip_memory_rate", "B/s", 4.0e12, 4.0e12, 4.9e12, "GH200 data sheet, HBM3; high: HBM3e",
         "GPU memory of a GH200", False, 1.0, _INF),
        ("superchip_power", "W", 1000, 450, 1000, "GH200 data sheet: CPU, GPU and memory, 450 to 1,000 W", "GH200",
         False, 1e-3, _INF),
    )
)  # fmt: skip

PUBLISHED = Assumptions(
    "published",
    "the measured times of the published circuit, its bits, its comparison",
    {one.name: one for one in _EACH},
)

FAST = PUBLISHED.over(
    {"inv_time": 20e-9, "mvm_time": 10e-9}, ZUO + ", with faster op amps; nobody has measured it"
)

BOARD = PUBLISHED.over(
    {
        "slices_at_once": 1, "vector_slices": 48, "amplifier_power": 55e-3, "idle_share": 1.0, "conversion_energy": 62.5e-9,
        "conversion_time": 5e-6, "pulse_time": 2.7e-3, "pulse_energy": 15e-6, "cells_at_once": 1,
    },
    "as a board of OPA690 and AD7606 with one meter and one array does it (docs/scaling.md)",
)  # fmt: skip

PRESETS: Mapping[str, Assumptions] = {
    "published": PUBLISHED,
    "fast": Assumptions("fast", "as published, with the faster amplifiers that its headline assumes",
                        FAST.each),
    "board": Assumptions("board", "discrete parts, one array, bits one after the other, one meter",
                         BOARD.each),
}  # fmt: skip

BENCH = "bench"  # the preset that is made from run files; see `mho.extensions.projection.measured.bench_runs`


def preset(name: str) -> Assumptions:
    """Return a packaged set of assumptions.

    Raises
    ------
    InputError
        There is none of that name.
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name, [*PRESETS, BENCH], 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join([*PRESETS, BENCH])}"
        raise InputError(f"no preset of assumptions is called {name!r}; {hint}")
    return PRESETS[name]
