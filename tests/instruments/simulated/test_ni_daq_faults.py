"""Whatever NI-DAQmx answers a call with, and whichever call: the error is named, the outputs end at 0 V, and it goes on."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing, suppress
from functools import partial

import nidaqmx
import numpy as np
import pytest
from daily import daily
from nidaqmx.constants import AcquisitionType
from nidaqmx.errors import DaqError, DaqReadError, DaqWriteError

from mho.errors import InstrumentError
from mho.instruments import open_bench
from mho.instruments.drivers.ni_daq import ADVICE, NIDaq
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import DaqFault, Fault
from mho.instruments.simulated.nidaqmx.system import DaqSystem

OUTPUTS, INPUTS = "PXI1Slot2/ao0:3", "Dev1/ai0:3"
VECTORS = np.linspace(0.5, 5.0, 24).reshape(6, 4)
CODES = {
    "timeout": {-200284, -200292, -200560, -200474}, "reset": {-88709}, "removal": {-201003}, "overrun": {-200279},
    "underflow": {-200290}, "reserved": {-50103}, "refusal": {-200361},
}  # fmt: skip


class Wires:
    def exchange(self, volts: np.ndarray, period: float) -> np.ndarray:
        return volts.copy()


class Lab:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.faults: list[Fault | DaqFault] = []
        self.system = DaqSystem(
            {"PXI1Slot2": "PXIe-6738", "Dev1": "USB-6363"}, self.clock, np.random.default_rng(5), Wires(),
            outputs=[OUTPUTS], inputs=[INPUTS], faults=self.faults,
        )  # fmt: skip

    def open(self) -> NIDaq:
        return NIDaq(OUTPUTS, INPUTS, session=self.system.selected, lines="PXI1Slot2/port0/line0:1")

    def at_rest(self) -> bool:
        return bool(np.abs(self.system.levels(OUTPUTS)).max() < 5e-3)


@pytest.fixture
def lab() -> Lab:
    return Lab()


class Listener(DaqFault):
    """A fault that never strikes, but notes the calls."""

    def __init__(self) -> None:
        super().__init__("timeout")
        self.heard: list[str] = []

    def strikes(self, devices: Collection[str], call: str) -> bool:
        self.heard.append(call)
        return False


def work(daq: NIDaq) -> None:
    daq.write([1.0, 2.0])
    daq.write_lines([True, False])
    daq.exchange(VECTORS)
    daq.settings()
    daq.make_safe()


def calls(act: Callable[[Lab], object]) -> list[str]:
    lab, listener = Lab(), Listener()
    lab.faults.append(listener)
    act(lab)
    return listener.heard


def complaint(act: Callable[[], object]) -> str:
    """What the driver says went wrong; nothing when nothing did."""
    try:
        act()
    except InstrumentError as error:
        return str(error)
    return ""


def from_opening_to_closing(lab: Lab) -> None:
    with closing(lab.open()) as daq:
        try:
            work(daq)
        except InstrumentError:  # as a bench does
            with suppress(InstrumentError):
                daq.make_safe()
            raise


@pytest.mark.parametrize("kind", daily(CODES, 2))
def test_a_fault_at_any_call_is_named_and_leaves_outputs_at_rest(kind) -> None:
    heard = calls(from_opening_to_closing)
    assert len(heard) > 50
    for index, call in enumerate(heard):
        lab, where = Lab(), f"{kind} at call {index}, {call}"
        lab.faults.append(DaqFault(kind, after=index, code=-200361 if kind == "refusal" else 0))
        said = complaint(partial(from_opening_to_closing, lab))
        named = any(f"DAQmx error {code}" in said for code in CODES[kind])
        # What gives up resources is carried out, and who asks for it wants nothing more.
        assert named or (not said and call in ("task_control", "clear_task", "stop_task")), (where, said)
        assert lab.at_rest(), where
        lab.faults.clear()
        from_opening_to_closing(lab)  # no fault is for ever
        assert lab.at_rest(), where
        assert not any(lab.system.lines("PXI1Slot2/port0/line0:1")), where


@pytest.mark.parametrize("kind", daily(CODES, 2))
def test_the_same_driver_goes_on_after_a_fault(kind):
    heard = calls(from_opening_to_closing)
    opening = len(calls(lambda lab: lab.open().close()))
    for index in range(opening, len(heard)):
        lab = Lab()
        with closing(lab.open()) as daq:
            fault = DaqFault(kind, after=index - opening, code=-200361 if kind == "refusal" else 0)
            lab.faults.append(fault)
            complaint(partial(work, daq))
            lab.faults.clear()
            work(daq)
            assert daq.exchange(VECTORS) == pytest.approx(VECTORS, abs=5e-3), (kind, index)
        assert lab.at_rest()


@pytest.mark.parametrize("kind", CODES)
def test_there_is_advice_for_every_code(kind):
    assert kind == "refusal" or CODES[kind] <= ADVICE.keys()


def test_errors_are_nidaqmxs_own(lab):
    lab.faults += [
        DaqFault("reserved", match="start_task"),
        DaqFault("timeout", match="read_analog_f64"),
        DaqFault("underflow", match="write_analog_f64", times=2),
    ]
    with lab.system.selected(), nidaqmx.Task() as inputs, nidaqmx.Task() as outputs:
        inputs.ai_channels.add_ai_voltage_chan(INPUTS)
        outputs.ao_channels.add_ao_voltage_chan(OUTPUTS)
        with pytest.raises(DaqError, match=r"The specified resource is reserved\.[\s\S]*Status Code: -50103"):
            inputs.start()
        inputs.start()
        now = lab.clock.now
        with pytest.raises(DaqReadError, match=r"not yet been acquired[\s\S]*Device: Dev1[\s\S]*-200284"):
            inputs.read(timeout=3.0)
        assert lab.clock.now - now == pytest.approx(3.0)
        assert len(inputs.read()) == 4
        with pytest.raises(DaqWriteError, match=r"prevent the regeneration of old samples[\s\S]*-200290"):
            outputs.write([1.0] * 4, auto_start=True)
    assert lab.at_rest()


def test_only_calls_to_the_named_device_are_struck(lab):
    fault = DaqFault("refusal", device="Dev1", code=-200361, times=10_000)
    with closing(lab.open()) as daq:
        lab.faults.append(fault)
        daq.write([1.0])
        assert fault.seen == 0
        with pytest.raises(InstrumentError, match=r"-200361.*\(Device: Dev1\)"):
            daq.exchange(VECTORS)
    assert lab.at_rest()


def test_faults_of_the_bus_and_of_the_daq_pass_each_other_over(lab):
    on_the_bus = Fault("", "timeout")
    lab.faults.append(on_the_bus)
    with closing(lab.open()) as daq:
        work(daq)
    assert on_the_bus.seen == 0
    in_the_daq = DaqFault("timeout", times=10_000)
    with open_bench("simulated", seed=1) as bench:
        bench.laboratory.faults.append(in_the_daq)
        bench.instruments.smu.identify()
        assert in_the_daq.seen == 0
        bench.laboratory.faults.clear()


def test_an_underflow_leaves_the_outputs_where_they_were(lab):
    with closing(lab.open()) as daq:
        lab.faults.append(DaqFault("underflow", match="wait_until_task_done"))
        with pytest.raises(InstrumentError, match="-200290"):
            daq.exchange(VECTORS)
    assert lab.at_rest()  # the driver has seen to that
    with lab.system.selected(), nidaqmx.Task() as task:
        task.ao_channels.add_ao_voltage_chan(OUTPUTS)
        task.timing.cfg_samp_clk_timing(1e3, sample_mode=AcquisitionType.FINITE, samps_per_chan=6)
        task.write(VECTORS.T.tolist(), auto_start=False)
        task.start()
        lab.faults.append(DaqFault("underflow", match="wait_until_task_done"))
        with pytest.raises(DaqError, match="-200290"):
            task.wait_until_done(1.0)
    assert lab.system.levels(OUTPUTS) == pytest.approx(VECTORS[3], abs=5e-3)


def test_an_overrun_loses_the_samples(lab):
    with lab.system.selected(), nidaqmx.Task() as task:
        task.ai_channels.add_ai_voltage_chan(INPUTS)
        task.timing.cfg_samp_clk_timing(1e3, sample_mode=AcquisitionType.FINITE, samps_per_chan=10)
        task.start()
        lab.faults.append(DaqFault("overrun", match="read_analog"))
        with pytest.raises(DaqReadError, match=r"not able to keep up[\s\S]*-200279"):
            task.read(5, timeout=1.0)
        with pytest.raises(DaqReadError, match="-200278"):
            task.read(5, timeout=1.0)


def test_a_reset_aborts_the_devices_tasks_and_no_others(lab):
    with lab.system.selected(), nidaqmx.Task() as inputs, nidaqmx.Task() as outputs:
        inputs.ai_channels.add_ai_voltage_chan(INPUTS)
        outputs.ao_channels.add_ao_voltage_chan(OUTPUTS)
        inputs.start()
        outputs.write([1.0, 2.0, 3.0, 4.0], auto_start=True)
        lab.faults.append(DaqFault("reset", device="PXI1Slot2", match="is_task_done"))
        with pytest.raises(DaqError, match=r"reset or removed[\s\S]*-88709"):
            outputs.is_task_done()
        assert lab.at_rest()
        assert len(inputs.read()) == 4


def test_a_removed_device_stays_away_until_the_fault_is_taken_out(lab):
    with closing(lab.open()) as daq:
        daq.write([1.0, 2.0])
        lab.faults.append(DaqFault("removal", device="PXI1Slot2", match="wait_until_task_done"))
        with pytest.raises(InstrumentError, match="-201003") as caught:
            daq.exchange(VECTORS)
        assert "NOT confirmed" in "".join(caught.value.__notes__)
        for _ in range(3):
            with pytest.raises(InstrumentError, match=r"-201003.*check its cable"):
                daq.make_safe()
        assert lab.at_rest()  # without power
        lab.faults.clear()
        assert daq.exchange(VECTORS) == pytest.approx(VECTORS, abs=5e-3)


def test_a_bench_meets_them_too():
    with open_bench("simulated", seed=1) as bench:
        bench.laboratory.faults.append(DaqFault("overrun", device="Dev1", match="read_analog_f64"))
        daq = bench.instruments.daq
        with pytest.raises(InstrumentError, match=r"DAQmx error -200279: .*lower the rate"):
            daq.exchange(np.zeros((3, 2)))
        assert daq.exchange(np.zeros((3, 2))).shape == (3, 32)
