"""The opened instruments of a bench by role, and how all of them are made safe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mho.array_types import Floats
from mho.errors import BenchError, UnsafeError
from mho.instruments.bench.matrix_selection import MatrixBoard
from mho.instruments.bench.stand_ins import (
    MeterPulses,
    NoDaq,
    NoGate,
    NoMeter,
    NoPulser,
    OneDevice,
    ProductsFromReads,
)
from mho.instruments.bench.testers import (
    TesterBoard,
    TesterGate,
    TesterMeasurer,
    TesterMeter,
    TesterProgrammer,
    TesterPulser,
    TesterVectors,
)
from mho.instruments.bench_file.bench_file import BenchFile
from mho.instruments.roles import (
    ArrayBoard,
    Daq,
    Instrument,
    Oscilloscope,
    Prober,
    PulseGenerator,
    SourceMeter,
    SwitchMatrix,
    TemperatureController,
    VoltageSource,
)

if TYPE_CHECKING:  # for type checking only: a bench of real instruments does not load the twins
    from mho.instruments.laboratory.monitor import Incident
    from mho.instruments.simulated.clock import VirtualClock
    from mho.instruments.simulated.physics.chip import SimulatedChip
    from mho.instruments.simulated.physics.circuits.amplifiers import AmplifierPreset
    from mho.instruments.simulated.physics.circuits.loop_network import StepResponse
    from mho.instruments.simulated.physics.circuits.own_elements import CircuitElements


log = logging.getLogger(__name__)

# Bit line first, word line last; after that relays may move. The chip stands a heater for longer than any of them.
SAFE_ORDER = ("smu", "sink", "pulser", "daq", "tester", "board", "gate", "switch", "chuck", "prober", "scope")
LINE = 50.0  # Hz, the slower of the mains: a reading takes no longer
NO_OUTPUTS = ("prober", "scope")  # drive nothing: what they are asked for safety is that they stop
SOURCES = ("smu", "sink", "pulser", "gate")  # sources that may be wired to the rows of a switch matrix


class Simulated(Protocol):
    """Simulated parts of a bench in addition to its instruments."""

    clock: VirtualClock
    seed: int
    elements: CircuitElements | None  # of a user's own in the circuits

    @property
    def chip(self) -> SimulatedChip:
        """The simulated chip."""

    @property
    def amplifier(self) -> AmplifierPreset:
        """The type of the INV loop's amplifiers, and the capacitances around them."""

    @property
    def incidents(self) -> list[Incident]:
        """What could do damage on a real bench, or would not be told by its instruments, so far."""

    def live(self) -> tuple[str, ...]:
        """Roles that drive the chip now, read at the wires."""

    def step_response(self, volts: Floats, duration: float | None = None, points: int = 2000) -> StepResponse:
        """Waveforms of the connected INV loop after a step to `volts` (n,), V, at its inputs."""


@dataclass
class BenchInstruments:
    """The opened drivers by role, as far as the bench has them.

    `contacts` are those at further terminals of the chip, by terminal; `beside` those that serve no operation, by name.
    """

    smu: SourceMeter | None = None
    sink: SourceMeter | None = None
    gate: SourceMeter | VoltageSource | None = None
    pulser: PulseGenerator | None = None
    daq: Daq | None = None
    board: ArrayBoard | None = None
    switch: SwitchMatrix | None = None
    chuck: TemperatureController | None = None
    prober: Prober | None = None
    scope: Oscilloscope | None = None
    tester: Any = None  # an Instrument that serves operations by methods of its own
    contacts: Mapping[str, SourceMeter | VoltageSource] = field(default_factory=dict)
    beside: Mapping[str, Instrument] = field(default_factory=dict)

    def by_name(self) -> dict[str, Instrument]:
        """Return them by role in `SAFE_ORDER`, the order in which they are made safe, further contacts, those beside."""
        opened = {role: getattr(self, role) for role in SAFE_ORDER}
        return {role: one for role, one in opened.items() if one is not None} | {
            **self.contacts,
            **self.beside,
        }


class Operators(NamedTuple):
    """What carries out the bench's operations: its instruments, and a stand-in for each that it has not."""

    smu: Any  # a SourceMeter
    gate: Any  # a SourceMeter or a VoltageSource
    pulser: Any  # a PulseGenerator
    daq: Any  # a Daq
    board: Any  # an ArrayBoard
    programmer: Any  # a TesterProgrammer; None where the chip does not program itself
    switch: SwitchMatrix | None  # between the sources and the board; None where it is what selects
    measurer: Any  # measures while it pulses; None where nothing does
    roles: Mapping[str, str]  # whose output acts as `smu`, `pulser`, `daq` and `measurer`


def operators(instruments: BenchInstruments, file: BenchFile, wait: Callable[[float], None]) -> Operators:
    """Return what carries out each operation of a bench, decided once, when it is opened.

    `wait`: lets seconds pass on the bench's clock.
    """
    tester, by_tester, bench = instruments.tester, file.instruments.by_tester, file.name
    roles = {role: role for role in ("smu", "pulser", "daq", "measurer")}
    if any(":" in entry.driver for entry in file.instruments.by_role().values()):
        instruments = _guarded(instruments, file, wait)
    smu: Any = instruments.smu or NoMeter(bench)
    if by_tester("read") or by_tester("sweep"):
        smu, roles["smu"] = TesterMeter(tester, wait), "tester"
    wiring = file.instruments.cell_wiring
    halves = wiring is not None and wiring.bias == "V/2"
    if instruments.sink is not None:
        from mho.instruments.bench.half_select import HalvedPulses, MeterAcross  # only benches with two

        smu = MeterAcross(smu, instruments.sink, wait, file, halves)
    gate: Any = TesterGate(tester) if by_tester("gate") else instruments.gate or NoGate(bench)
    pulser: Any = instruments.pulser or NoPulser(bench)
    if by_tester("pulse"):
        pulser, roles["pulser"] = TesterPulser(tester), "tester"
    elif file.instruments.pulses_by_meter:
        row: Any = instruments.smu or smu
        column: Any = instruments.sink
        aperture = file.read.nplc / LINE
        pulser, roles["pulser"] = MeterPulses(row, aperture), "smu"
        if halves and column is not None:
            pulser = HalvedPulses(row, column, aperture)
    board: Any = instruments.board or (OneDevice(bench) if tester is None else TesterBoard(tester, bench))
    switch = instruments.switch
    if wiring is not None and switch is not None:
        board, switch = MatrixBoard(bench, switch, wiring), None
    daq: Any = instruments.daq or NoDaq(bench)
    if by_tester("multiply"):
        daq, roles["daq"] = TesterVectors(tester, board), "tester"
    if "multiply" in file.instruments.composed():
        daq = daq if by_tester("multiply") else ProductsFromReads(bench, file.read.nplc / LINE)
        roles["daq"] = roles["smu"]
    programmer: Any = TesterProgrammer(tester) if by_tester("program") else None
    measurer: Any = None
    if by_tester("pulse_measured"):
        measurer, roles["measurer"] = TesterMeasurer(tester), "tester"
    elif file.instruments.serves("pulse_measured"):
        own = "pulse_measured" not in file.instruments.composed()
        measurer = TesterMeasurer(smu) if own else MeterPulses(smu, file.read.nplc / LINE)
        roles["measurer"] = roles["smu"]
    return Operators(smu, gate, pulser, daq, board, programmer, switch, measurer, roles)


def _guarded(
    instruments: BenchInstruments, file: BenchFile, wait: Callable[[float], None]
) -> BenchInstruments:
    """Return the instruments with those by classes of a user's own behind checks of what they answer and raise."""
    from mho.instruments.bench.own_instruments import OwnBoard, OwnDaq, OwnInstrument, OwnMeter

    guards: dict[str, Callable[[Any], Any]] = {
        "smu": lambda driver: OwnMeter(driver, wait), "gate": OwnInstrument, "pulser": OwnInstrument,
        "daq": OwnDaq, "board": OwnBoard,
    }  # fmt: skip
    if file.simulation is not None and not file.simulation.instruments:
        return instruments  # the chip alone: no class of a user's own is there
    own = {role for role, entry in file.instruments.by_role().items() if ":" in entry.driver}
    if file.instruments.board_converts and "board" in own:
        own.add("daq")
    opened = {role: getattr(instruments, role) for role in guards if role in own}
    return replace(
        instruments, **{role: guards[role](one) for role, one in opened.items() if one is not None}
    )


def make_safe(
    instruments: Mapping[str, Instrument], missing: Mapping[str, Exception] | None = None
) -> dict[str, Exception]:
    """Make each instrument safe in this order, retry those that failed once, and return the errors by role.

    Relays do not move under a source that may still be on, as long as the board isolates the chip from that source, or
    there is no board: then the device stays connected, and that is said.

    `instruments`: by role, in `SAFE_ORDER`.
    `missing`: errors of instruments that could not be opened, by role; they are included in the result.
    """
    failed = dict(missing or {})
    failed |= _tried_twice(
        {role: one for role, one in instruments.items() if role not in ("switch", "chuck")}
    )
    if "switch" in instruments:
        live = [role for role in SOURCES if role in failed]
        if live and "board" not in failed:
            apart = (
                "the board keeps the chip apart" if "board" in instruments else "the device stays connected"
            )
            failed["switch"] = BenchError(
                f"left as it is, for a relay that moves under {' and '.join(live)} may weld; {apart}"
            )
        else:
            failed |= _tried_twice({"switch": instruments["switch"]})
    if "chuck" in instruments:
        failed |= _tried_twice({"chuck": instruments["chuck"]})
    return failed


def read_back(role: str, instrument: Any) -> bool | None:
    """Return whether the instrument of a role answers that an output is on, or the chip connected; None: cannot be asked.

    `InstrumentError` when it does not answer as its driver expects.
    """
    if role == "board" and hasattr(instrument, "standing_mode"):
        return bool(instrument.standing_mode() != "SAFE")
    if role == "switch":
        return bool(instrument.closed())
    enabled = getattr(instrument, "output_enabled", None)
    return None if enabled is None else bool(enabled)


def not_confirmed(
    failed: Mapping[str, Exception], left_on: Sequence[str] = (), title: Callable[[str], str] = str
) -> UnsafeError:
    """Log what `make_safe` could not confirm, and return it as an error to raise; `title` returns a role in words."""
    for role, error in failed.items():
        log.critical("%s is not confirmed safe: %s", title(role), error)
    return UnsafeError(
        "NOT CONFIRMED SAFE: "
        + "; ".join(f"{title(role)} ({error})" for role, error in failed.items())
        + ". Switch these outputs off by hand before touching the chip",
        live=tuple(failed),
        left_on=left_on,
    )


def _tried_twice(instruments: Mapping[str, Instrument]) -> dict[str, Exception]:
    failed = _each_made_safe(instruments)
    return _each_made_safe({role: instruments[role] for role in failed})


def _each_made_safe(instruments: Mapping[str, Instrument]) -> dict[str, Exception]:
    failed: dict[str, Exception] = {}
    for name, instrument in instruments.items():
        try:
            instrument.make_safe()
        except Exception as error:  # a failure must not keep the others from being made safe
            failed[name] = error
    return failed
