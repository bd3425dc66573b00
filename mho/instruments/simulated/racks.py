"""A rack without a chip: simulated instruments by address, each wired to a load, for tests of anybody's drivers.

Nothing else of mho is needed, no bench file either; PyVISA opens them as ``pyvisa.ResourceManager(rack.visa_library)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from itertools import count
from typing import Any, Literal

import numpy as np
from pyvisa import rname

from mho.errors import BenchError, nearest
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import DaqFault, Fault
from mho.instruments.simulated.loads import Load, Open, Resistor
from mho.instruments.simulated.ports import Device, Traffic
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack
from mho.instruments.simulated.visa.sessions import canonical

Wiring = Literal["source", "sources", "inputs", "stage", "none"]
AMBIENT = 298.15  # K, of a controller's stage
AMPERES_FROM = 121  # first channel of the DAQ6510 that measures current


@dataclass(frozen=True)
class TwinModel:
    """A model by its twin's class: what it is wired to, and by which channels; `slots` may be chosen freely among them."""

    twin: str  # ``module:Class`` below this package
    wiring: Wiring = "source"
    channels: tuple[int, ...] = (1,)
    slots: tuple[int, ...] = ()

    def load_class(self) -> Callable[..., Any]:
        """Import the twin's class."""
        module, _, name = self.twin.partition(":")
        twin: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), name)
        return twin


MODELS: dict[str, TwinModel] = {
    "agilentb1500": TwinModel("agilentb1500:SimulatedAgilentB1500", "sources", (1, 2), tuple(range(1, 11))),
    "keithley2450": TwinModel("keithley2450:SimulatedKeithley2450"),
    "keithley2636b": TwinModel("keithley2636b:SimulatedKeithley2636B", "sources", (1, 2)),
    "keithley707b": TwinModel("keithley707b:SimulatedKeithley707B", "none", ()),
    "keithleydaq6510": TwinModel(
        "keithleydaq6510:SimulatedKeithleyDAQ6510", "inputs", (), tuple(range(101, 123))
    ),
    "keysight33522b": TwinModel("keysight33522b:SimulatedKeysight33522B", "sources", (1, 2)),
    "keysight33622a": TwinModel("keysight33522b:SimulatedKeysight33622A", "sources", (1, 2)),
    "keysightb2912a": TwinModel("keysightb2912a:SimulatedKeysightB2912A", "sources", (1, 2)),
    "lakeshore335": TwinModel("lakeshore335:SimulatedLakeShore335", "stage", ()),
    "lakeshore336": TwinModel("lakeshore335:SimulatedLakeShore336", "stage", ()),
    "tektronixafg31000": TwinModel("tektronixafg31000:SimulatedTektronixAFG31000", "sources", (1, 2)),
}
"""Models that a rack takes by name."""

Model = str | Callable[..., Any]
OneLoad = Load | Callable[[float], float] | float
Loads = OneLoad | Mapping[int, OneLoad]

_numbers = count(1)


class BareRack:
    """Simulated instruments on one clock, without a chip; made by `rack`.

    Attributes
    ----------
    visa_library : str
        What `pyvisa.ResourceManager`, and drivers of other packages, are given to find them.
    devices : dict
        Simulated instrument by address.
    loads : dict
        By address, the load by channel; a channel that was not named has an open circuit.
    clock : VirtualClock
        The time of all: `clock.now` in seconds, `clock.advance(seconds)` lets it pass.
    faults : list of Fault
        What goes wrong on the bus: append to it.
    traffic : dict
        Messages by address, counted.

    Examples
    --------
    >>> from mho.instruments import simulated
    >>> with simulated.rack({"GPIB0::24::INSTR": "keithley2450"}) as rack:
    ...     rack.clock.advance(3600.0)
    ...     rack.clock.now, rack.loads["GPIB0::24::INSTR"][1].volts
    (3600.0, 0.0)
    """

    def __init__(
        self, instruments: Mapping[str, Model], load: Loads | Mapping[str, Loads] | None = None, *,
        seed: int = 0, exact: bool = False,
    ) -> None:  # fmt: skip
        self.clock = VirtualClock()
        self.faults: list[Fault | DaqFault] = []
        self.traffic: dict[str, Traffic] = {}
        self.devices: dict[str, Device] = {}
        self.loads: dict[str, dict[int, Load]] = {}
        self.visa_library = f"rack-{next(_numbers)}@mho"
        self._followed: set[int] = set()  # loads that the clock tells of time that passes
        _check_addresses(instruments)
        loads = _by_address(load, instruments)
        for number, (address, model) in enumerate(instruments.items(), 1):
            twin, wiring, wires = self._wires(address, model, loads.get(address))
            options: dict[str, Any] = {"serial": f"SIM{number:05}"}
            if exact:
                offered = signature(twin).parameters
                options |= {name: 0.0 for name in ("accuracy", "noise") if name in offered}
            rng = np.random.default_rng([seed, number])
            self.devices[address] = twin(self.clock, rng, *wires.pop("output", ()), **options, **wires)
            if wiring in ("source", "sources"):
                self._listen(address)

    def _wires(
        self, address: str, model: Model, load: Any
    ) -> tuple[Callable[..., Any], Wiring, dict[str, Any]]:
        """Return an instrument's class, what kind of wires it has, and its arguments for them; keep its loads."""
        if isinstance(model, str):
            if model not in MODELS:
                raise BenchError(f"{address}: no model {model!r}; {nearest(model, MODELS)}")
            kind = MODELS[model]
            twin = kind.load_class()
        elif callable(model):
            # A class of the user's own has a port, or a dict of ports by channel where its loads are given so
            by_channel = isinstance(load, Mapping)
            channels = tuple(load) if by_channel else (1,)
            kind, twin = TwinModel("", "sources" if by_channel else "source", channels), model
        else:
            raise BenchError(f"{address}: {model!r} is no model; give its name, or the class of a twin")
        if kind.wiring == "inputs":
            return twin, kind.wiring, self._inputs(address, kind, load)
        if kind.wiring == "none":
            return twin, kind.wiring, {}
        if kind.wiring == "stage":
            from mho.instruments.simulated.physics.heated_stage import HeatedStage

            return twin, kind.wiring, {"output": (HeatedStage(self.clock, AMBIENT),)}
        ports = self._ports(address, kind, load)
        self.loads[address] = ports
        return twin, kind.wiring, {"output": (ports[1] if kind.wiring == "source" else ports,)}

    @staticmethod
    def _ports(address: str, kind: TwinModel, load: Any) -> dict[int, Load]:
        if not isinstance(load, Mapping):
            return {channel: _load_of(load, address) for channel in kind.channels}
        _check_channels(address, load, kind.slots or kind.channels)
        channels = tuple(load) if kind.slots else kind.channels
        return {channel: _load_of(load.get(channel), address) for channel in channels}

    def _inputs(self, address: str, kind: TwinModel, load: Any) -> dict[str, Any]:
        """Return what a DAQ's channels see: volts, or amperes from 121 on, as numbers; ohms as resistors."""
        volts: dict[int, Any] = {}
        resistors: dict[int, Any] = {}
        currents: dict[int, Any] = {}
        if isinstance(load, Mapping):
            _check_channels(address, load, kind.slots)
            for channel, each in load.items():
                if isinstance(each, Resistor):
                    resistors[channel] = _constant(each.ohms)
                elif isinstance(each, int | float) or (callable(each) and not isinstance(each, Load)):
                    inputs = currents if channel >= AMPERES_FROM else volts
                    inputs[channel] = each if callable(each) else _constant(each)
                else:
                    raise BenchError(
                        f"{address}, channel {channel}: {each!r} is nothing that a DAQ measures; give a number "
                        "(V; A from channel 121 on), a function of the aperture (s) that returns it, or a Resistor"
                    )
        return {"output": (volts,), "resistors": resistors, "currents": currents}

    def _listen(self, address: str) -> None:
        """Let the loads of a generator see what it plays without a trigger."""
        device = self.devices[address]
        if not hasattr(device, "running"):
            return
        from mho.instruments.simulated.generators import waveform_of

        for channel, load in self.loads[address].items():
            load.listen(waveform_of(device, channel))
            if id(load) not in self._followed:
                self._followed.add(id(load))
                self.clock.follow(load.pass_time)


def _check_addresses(instruments: Mapping[str, Model]) -> None:
    """Refuse addresses that are none, or twice the same."""
    if not instruments:
        raise BenchError("a rack without instruments; name one as {'GPIB0::24::INSTR': 'keithley2450'}")
    spelled: dict[str, str] = {}
    for address in instruments:
        try:
            name = canonical(address)
        except (rname.InvalidResourceName, AttributeError, TypeError):
            raise BenchError(f"{address!r} is no VISA address; write one like 'GPIB0::24::INSTR'") from None
        if name in spelled:
            raise BenchError(f"{spelled[name]!r} and {address!r} are the same address; use another")
        spelled[name] = address


def _by_address(load: Any, instruments: Mapping[str, Model]) -> Mapping[str, Any]:
    """Return the load of each address; refuses one where no instrument is."""
    if not (isinstance(load, Mapping) and any(isinstance(key, str) for key in load)):
        return dict.fromkeys(instruments, load)
    for address in load:
        if address not in instruments:
            raise BenchError(
                f"a load for {address!r}, where no instrument is; {nearest(str(address), instruments)}"
            )
    return load


def _constant(value: float) -> Callable[[float], float]:
    return lambda aperture: float(value)


def _check_channels(address: str, load: Mapping[Any, Any], channels: tuple[int, ...]) -> None:
    for channel in load:
        if channel not in channels:
            raise BenchError(
                f"{address}: no channel {channel!r}; there are {', '.join(map(str, channels)) or 'none'}"
            )


def _load_of(load: Any, address: str) -> Load:
    if load is None:
        return Open()
    if isinstance(load, Load):
        return load
    if callable(load):
        return Load(load)
    raise BenchError(
        f"{address}: {load!r} is no load; give one like Resistor(1e4), or a function of the volts that returns amperes"
    )


@contextmanager
def rack(
    instruments: Mapping[str, Model], load: Loads | Mapping[str, Loads] | None = None, *, seed: int = 0,
    exact: bool = False,
) -> Iterator[BareRack]:  # fmt: skip
    """Offer simulated instruments to PyVISA while the block lasts: each at its address, wired to a load.

    Parameters
    ----------
    instruments : mapping
        By VISA address the name of a model (`keithley2450`; an unknown one is answered with all there are), or the class
        of a twin of one's own: called with clock, generator, its port (a dict of ports by channel where its loads are
        given by channel) and `serial`.
    load : Load or callable or mapping, optional
        For all terminals; or by channel, `{1: Resistor(1e4), 2: Open()}`; or either by address. A function of the volts
        that returns amperes is a load. What has none is open. For a Keithley DAQ6510: by channel what is at the inputs.
    seed : int
        Of the instruments' errors and noise.
    exact : bool
        Whether source-measure units and DAQs have neither.

    Yields
    ------
    BareRack
        Its `visa_library` is what PyVISA is given; sessions that are open at the end are closed.

    Raises
    ------
    BenchError
        For an address, a model, a channel or a load that cannot be.

    Examples
    --------
    >>> import pyvisa
    >>> from mho.instruments import simulated
    >>> with simulated.rack({"GPIB0::24::INSTR": "keithley2450"}, simulated.Resistor(1e4), exact=True) as rack:
    ...     smu = pyvisa.ResourceManager(rack.visa_library).open_resource("GPIB0::24::INSTR")
    ...     smu.write(":SOUR:VOLT 1;:OUTP ON")
    ...     float(smu.query(":MEAS:CURR?"))
    23
    0.0001
    """
    built = BareRack(instruments, load, seed=seed, exact=exact)
    name = built.visa_library.removesuffix("@mho")
    register_rack(name, built)
    try:
        yield built
    finally:
        unregister_rack(name)
