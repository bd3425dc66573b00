"""The simulated NI-DAQmx, seen through the real nidaqmx package."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import nidaqmx
import nidaqmx.utils
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nidaqmx._base_interpreter import BaseInterpreter
from nidaqmx.constants import (
    READ_ALL_AVAILABLE,
    AcquisitionType,
    LineGrouping,
    OverwriteMode,
    TaskMode,
    TerminalConfiguration,
    VoltageUnits,
)
from nidaqmx.errors import DaqError, DaqFunctionNotSupportedError, DaqNotFoundError, DaqNotSupportedError
from nidaqmx.stream_readers import AnalogMultiChannelReader
from nidaqmx.stream_writers import AnalogMultiChannelWriter
from nidaqmx.system import System
from nidaqmx.types import DriverVersion
from numpy.testing import assert_allclose, assert_array_equal

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.nidaqmx.converters import to_analogue, to_digital
from mho.instruments.simulated.nidaqmx.interpreter import SimulatedInterpreter
from mho.instruments.simulated.nidaqmx.system import DaqSystem

FINITE, CONTINUOUS = AcquisitionType.FINITE, AcquisitionType.CONTINUOUS
DEVICES = {"Dev1": "USB-6363", "PXI1Slot2": "PXIe-6738", "PXI1Slot3": "PXIe-6368"}
ERROR = 5e-3  # V: gain, offset and noise of both converters together


class Loopback:
    """Input k carries what output k puts out; remembers what was played."""

    def __init__(self) -> None:
        self.played: list[tuple[np.ndarray, float]] = []

    def exchange(self, volts: np.ndarray, period: float) -> np.ndarray:
        self.played.append((volts.copy(), period))
        return volts.copy()


class Lab:
    """Three devices; four outputs of the 6738 on four inputs of the 6363 and of the 6368 each."""

    def __init__(self, seed: int = 7) -> None:
        self.clock = VirtualClock()
        self.port = Loopback()
        self.wired = Doubled(self.port)
        self.system = DaqSystem(
            DEVICES,
            self.clock,
            np.random.default_rng(seed),
            self.wired,
            outputs=["PXI1Slot2/ao0:3"],
            inputs=["Dev1/ai0:3", "PXI1Slot3/ai0:3"],
        )


class Doubled:
    def __init__(self, port: Loopback) -> None:
        self.port = port

    def exchange(self, volts: np.ndarray, period: float) -> np.ndarray:
        return np.tile(self.port.exchange(volts, period), (1, 2))


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    with lab.system.selected():
        yield lab


@pytest.fixture
def task(lab: Lab) -> Iterator[Callable[[], nidaqmx.Task]]:
    tasks: list[nidaqmx.Task] = []

    def make() -> nidaqmx.Task:
        tasks.append(nidaqmx.Task())
        return tasks[-1]

    yield make
    for made in tasks:
        if made._handle is not None:
            made.close()


Make = Callable[[], nidaqmx.Task]


def outputs(task: nidaqmx.Task, names: str = "PXI1Slot2/ao0:3") -> nidaqmx.Task:
    task.ao_channels.add_ao_voltage_chan(names)
    return task


def inputs(task: nidaqmx.Task, names: str = "Dev1/ai0:3", largest: float = 10.0) -> nidaqmx.Task:
    wiring = TerminalConfiguration.DEFAULT
    task.ai_channels.add_ai_voltage_chan(names, terminal_config=wiring, min_val=-largest, max_val=largest)
    return task


def ramp(samples: int, channels: int = 4) -> np.ndarray:
    return np.arange(1, samples + 1)[:, None] * 0.1 + np.arange(channels)[None, :]


def code_of(error: pytest.ExceptionInfo[DaqError]) -> int:
    return error.value.error_code


# --- the private interface -------------------------------------------------------------------------


def test_nidaqmx_is_the_release_whose_private_interface_is_simulated() -> None:
    assert nidaqmx.__version__.startswith("1.7.")
    assert list(inspect.signature(nidaqmx.utils._select_interpreter).parameters) == [
        "grpc_options",
        "interpreter",
    ]


def test_every_simulated_call_has_the_arguments_nidaqmx_passes() -> None:
    simulated = [
        name
        for name, member in inspect.getmembers(SimulatedInterpreter, inspect.isfunction)
        if name in BaseInterpreter.__abstractmethods__ and member.__name__ != "refuse"
    ]
    fixed = [name for name in simulated if "attribute" not in name]
    assert len(fixed) > 25
    for name in fixed:
        expected = list(inspect.signature(getattr(BaseInterpreter, name)).parameters)
        assert list(inspect.signature(getattr(SimulatedInterpreter, name)).parameters) == expected, name


def test_a_call_that_is_not_simulated_is_refused_by_name(task: Make) -> None:
    with pytest.raises(DaqFunctionNotSupportedError, match="create_ai_thrmcpl_chan"):
        task().ai_channels.add_ai_thrmcpl_chan("Dev1/ai0")


def test_a_property_that_is_not_simulated_is_refused_with_its_number(task: Make) -> None:
    reader = inputs(task())
    with pytest.raises(DaqError, match="0x2F") as error:
        _ = reader.in_stream.accessory_insertion_or_removal_detected
    assert code_of(error) == -200452


# --- selection -------------------------------------------------------------------------------------


def no_task_can_be_made() -> bool:
    try:
        nidaqmx.Task().close()
    except (DaqNotFoundError, DaqNotSupportedError):
        return True
    return False


ni_installed = pytest.mark.skipif(not no_task_can_be_made(), reason="NI-DAQmx is installed here")


@ni_installed
def test_outside_the_context_nidaqmx_looks_for_ni_s_own_library() -> None:
    lab = Lab()
    with lab.system.selected():
        nidaqmx.Task().close()
    with pytest.raises((DaqNotFoundError, DaqNotSupportedError)):
        nidaqmx.Task()


@ni_installed
def test_an_error_inside_the_context_ends_the_selection() -> None:
    lab = Lab()
    with pytest.raises(RuntimeError), lab.system.selected():
        raise RuntimeError
    assert no_task_can_be_made()


def test_a_thread_that_is_started_within_a_selection_begins_with_it(lab: Lab) -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(no_task_can_be_made()))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as pool:
        found.append(pool.submit(no_task_can_be_made).result())
    assert found == [False, False]


@ni_installed
def test_a_thread_that_was_there_before_is_not_selected() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(no_task_can_be_made).result()
        with Lab().system.selected():
            assert pool.submit(no_task_can_be_made).result()
            inner = threading.Thread(target=lambda: None)
            inner.start()
            inner.join()


def test_systems_nest_and_a_task_stays_with_the_system_it_was_made_in() -> None:
    first, second = Lab(), Lab()
    with first.system.selected():
        with second.system.selected(), nidaqmx.Task() as inner:
            outputs(inner).write([1.0, 0.0, 0.0, 0.0])
        with nidaqmx.Task() as outer:
            outputs(outer).write([2.0, 0.0, 0.0, 0.0])
            with second.system.selected():
                outer.write([3.0, 0.0, 0.0, 0.0])
    assert_allclose(first.system.levels("PXI1Slot2/ao0"), [3.0], atol=ERROR)
    assert_allclose(second.system.levels("PXI1Slot2/ao0"), [1.0], atol=ERROR)


def test_two_threads_use_two_systems_at_once() -> None:
    labs = [Lab(seed) for seed in (1, 2)]
    barrier = threading.Barrier(2, timeout=10)

    def work(lab: Lab, volts: float) -> None:
        with lab.system.selected(), nidaqmx.Task() as task:
            barrier.wait()
            outputs(task).write([volts] * 4)

    threads = [threading.Thread(target=work, args=(lab, k + 1.0)) for k, lab in enumerate(labs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [round(float(lab.system.levels("PXI1Slot2/ao1")[0]), 2) for lab in labs] == [1.0, 2.0]


# --- devices ---------------------------------------------------------------------------------------


def test_the_system_lists_devices_products_and_channels(lab: Lab) -> None:
    system = System.local()
    assert system.driver_version == DriverVersion(25, 3, 0)
    assert {device.name: device.product_type for device in system.devices} == DEVICES
    dev1, slot3 = system.devices["Dev1"], system.devices["PXI1Slot3"]
    assert dev1.is_simulated
    assert dev1.serial_num != slot3.serial_num
    assert dev1.ai_physical_chans.channel_names == [f"Dev1/ai{k}" for k in range(32)]
    assert len(system.devices["PXI1Slot2"].ao_physical_chans) == 32
    assert len(system.devices["PXI1Slot2"].ai_physical_chans) == 0
    assert slot3.ai_simultaneous_sampling_supported
    assert not dev1.ai_simultaneous_sampling_supported
    assert dev1.ai_voltage_rngs[-2:] == [-10.0, 10.0]
    assert "Dev1/port0/line31" in dev1.do_lines.channel_names


def test_an_unknown_product_or_terminal_is_refused() -> None:
    def build(devices: dict[str, str], outputs: str) -> DaqSystem:
        rng = np.random.default_rng(0)
        return DaqSystem(devices, VirtualClock(), rng, Loopback(), outputs=[outputs], inputs=[])

    with pytest.raises(ValueError, match="no simulated NI product 'PCI-6024E'"):
        build({"Dev1": "PCI-6024E"}, "Dev1/ao0")
    with pytest.raises(ValueError, match="wired to Dev1/ao4"):
        build({"Dev1": "USB-6363"}, "Dev1/ao0:4")


# --- static values ---------------------------------------------------------------------------------


def test_a_static_output_stays_until_it_is_written_again(lab: Lab, task: Make) -> None:
    writer, reader = outputs(task()), inputs(task())
    assert writer.write([1.0, 2.0, -3.0, 0.5]) == 1
    for _ in range(2):
        assert_allclose(reader.read(), [1.0, 2.0, -3.0, 0.5], atol=ERROR)
    writer.stop()
    assert_allclose(reader.read(), [1.0, 2.0, -3.0, 0.5], atol=ERROR)


def test_reading_one_channel_gives_a_number_and_advances_the_clock(lab: Lab, task: Make) -> None:
    reader = inputs(task(), "Dev1/ai0")
    assert isinstance(reader.read(), float)
    assert lab.clock.now == pytest.approx(0.5e-6)  # one conversion at 2 MS/s
    assert np.shape(reader.read(number_of_samples_per_channel=5)) == (5,)
    assert lab.clock.now == pytest.approx(3.0e-6)


def test_an_open_input_reads_nothing_but_offset_and_noise(task: Make) -> None:
    assert_allclose(inputs(task(), "Dev1/ai8").read(100), 0.0, atol=ERROR)


def test_readings_are_codes_of_the_range_with_its_noise(task: Make) -> None:
    for largest, scale, noise in ((10.0, 10.0, 315e-6), (3.0, 5.0, 157e-6), (0.2, 0.2, 21e-6)):
        reader = inputs(task(), "Dev1/ai0", largest)
        assert reader.ai_channels[0].ai_rng_high == scale
        data = np.array(reader.read(4000))
        step = 2 * scale / 65536
        assert_allclose(data / step, np.rint(data / step), atol=1e-6)
        assert data.std() == pytest.approx(np.hypot(noise, step / np.sqrt(12)), rel=0.1)
        reader.close()


def test_a_small_range_clips(task: Make) -> None:
    outputs(task()).write([1.0, -1.0, 0.0, 0.0])
    top = 0.2 * (1 - 2 / 65536)
    assert_allclose(inputs(task(), largest=0.2).read()[:2], [top, -0.2], rtol=1e-12)


def test_gain_and_offset_belong_to_the_channel_and_to_the_seed() -> None:
    def offsets(seed: int) -> list[np.ndarray]:
        lab = Lab(seed)
        with lab.system.selected(), nidaqmx.Task() as task:
            inputs(task)
            return [np.mean(task.read(4000), axis=1) for _ in range(2)]

    first, again = offsets(1)
    assert_allclose(first, again, atol=4 * 315e-6 / np.sqrt(2000))
    assert np.ptp(first) > 5e-5  # the channels differ
    assert_array_equal(first, offsets(1)[0])
    assert not np.array_equal(first, offsets(2)[0])


def test_an_internal_channel_reads_the_device_s_own_output_back(task: Make) -> None:
    outputs(task(), "Dev1/ao0:1").write([0.7, -1.2])
    assert_allclose(inputs(task(), "Dev1/_ao0_vs_aognd, Dev1/_ao1_vs_aognd").read(), [0.7, -1.2], atol=ERROR)


# --- waveforms -------------------------------------------------------------------------------------


def finite(task: nidaqmx.Task, rate: float, samples: int, source: str = "") -> nidaqmx.Task:
    task.timing.cfg_samp_clk_timing(rate, source=source, sample_mode=FINITE, samps_per_chan=samples)
    return task


def test_inputs_on_the_output_clock_answer_each_update_once_settled(lab: Lab, task: Make) -> None:
    wave = ramp(50)
    writer = finite(outputs(task()), 10e3, 50)
    writer.export_signals.samp_clk_output_term = "/PXI1Slot2/PFI0"
    reader = finite(inputs(task()), 10e3, 50, "/Dev1/PFI0")
    reader.timing.delay_from_samp_clk_delay = 20e-6
    AnalogMultiChannelWriter(writer.out_stream).write_many_sample(np.ascontiguousarray(wave.T))
    data = np.zeros((4, 50))
    reader.start()
    writer.start()
    writer.wait_until_done()
    assert AnalogMultiChannelReader(reader.in_stream).read_many_sample(data, 50) == 50

    assert_allclose(data.T, wave, atol=ERROR)
    [(played, period)] = lab.port.played
    assert_allclose(played, wave, atol=ERROR)
    assert period == pytest.approx(1e-4)
    assert lab.clock.now == pytest.approx(50e-4)
    assert_allclose(lab.system.levels("PXI1Slot2/ao0:3"), wave[-1], atol=ERROR)


def test_inputs_converted_at_the_edge_still_see_the_update_before(lab: Lab, task: Make) -> None:
    wave = ramp(20)
    outputs(task()).write([5.0] * 4)
    writer = finite(outputs(task()), 10e3, 20)
    reader = finite(inputs(task(), "PXI1Slot3/ai0:3"), 10e3, 20, "/PXI1Slot2/ao/SampleClock")
    writer.write(np.ascontiguousarray(wave.T))
    reader.start()
    writer.start()
    assert_allclose(np.transpose(reader.read(20)), np.vstack([[5.0] * 4, wave[:-1]]), atol=ERROR)
    assert len(lab.port.played) == 1


def test_late_channels_of_a_multiplexer_see_the_next_update_only_if_they_are_late(task: Make) -> None:
    wave = ramp(20)
    writer = finite(outputs(task()), 20e3, 20)
    writer.export_signals.samp_clk_output_term = "/PXI1Slot2/PFI0"
    reader = finite(inputs(task()), 20e3, 20, "/Dev1/PFI0")
    reader.timing.ai_conv_rate = 1 / 6e-6  # 0, 6, 12, 18 us after the edge; outputs settle in 10 us
    writer.write(np.ascontiguousarray(wave.T))
    reader.start()
    writer.start()
    data = np.transpose(reader.read(20))
    assert_allclose(data[1:, :2], wave[:-1, :2], atol=ERROR)
    assert_allclose(data[:, 2:], wave[:, 2:], atol=ERROR)


def test_inputs_started_by_the_output_s_trigger_keep_their_own_rate(lab: Lab, task: Make) -> None:
    wave = ramp(10)
    writer = finite(outputs(task()), 1e3, 10)
    reader = finite(inputs(task(), "PXI1Slot3/ai0:3"), 4e3, 60)
    reader.triggers.start_trigger.cfg_dig_edge_start_trig("/PXI1Slot2/ao/StartTrigger")
    reader.triggers.start_trigger.delay = 100e-6
    writer.write(np.ascontiguousarray(wave.T))
    reader.start()
    writer.start()
    data = np.transpose(reader.read(60))
    assert_allclose(data[:40], np.repeat(wave, 4, axis=0), atol=ERROR)
    assert_allclose(data[40:], np.repeat(wave[-1:], 20, axis=0), atol=ERROR)  # the outputs hold
    assert lab.clock.now == pytest.approx(15e-3 + 100e-6)


def test_outputs_can_follow_the_inputs_trigger(lab: Lab, task: Make) -> None:
    wave = ramp(10)
    writer = finite(outputs(task()), 1e3, 10)
    writer.triggers.start_trigger.cfg_dig_edge_start_trig("/PXI1Slot3/ai/StartTrigger")
    reader = finite(inputs(task(), "PXI1Slot3/ai0:3"), 1e3, 10)
    reader.triggers.start_trigger.delay = 0.0
    writer.write(np.ascontiguousarray(wave.T))
    writer.start()
    assert not writer.is_task_done()
    reader.start()
    assert writer.is_task_done()
    assert_allclose(np.transpose(reader.read(10))[1:], wave[:-1], atol=ERROR)


def test_a_generation_without_inputs_still_reaches_the_chip_once(lab: Lab, task: Make) -> None:
    writer = finite(outputs(task(), "PXI1Slot2/ao1"), 1e3, 5)
    writer.write([1.0, 2.0, 3.0, 4.0, 5.0], auto_start=True)
    [(played, _)] = lab.port.played
    assert_allclose(played, np.outer([1, 2, 3, 4, 5], [0, 1, 0, 0]), atol=ERROR)


def test_a_waveform_shorter_than_the_generation_repeats(lab: Lab, task: Make) -> None:
    writer = finite(outputs(task(), "PXI1Slot2/ao0"), 1e3, 6)
    writer.write([1.0, 2.0], auto_start=True)
    assert_allclose(lab.port.played[0][0][:, 0], [1, 2, 1, 2, 1, 2], atol=ERROR)


def test_a_task_runs_again_with_new_samples(task: Make) -> None:
    writer = finite(outputs(task(), "PXI1Slot2/ao0"), 10e3, 3)
    writer.control(TaskMode.TASK_COMMIT)
    reader = finite(inputs(task(), "PXI1Slot3/ai0"), 10e3, 3, "/PXI1Slot2/ao/SampleClock")
    for level in (1.0, 2.0):
        writer.write([level] * 3)
        reader.start()
        writer.start()
        writer.wait_until_done()
        assert_allclose(reader.read(READ_ALL_AVAILABLE)[1:], [level] * 2, atol=ERROR)
        reader.stop()
        writer.stop()


def test_an_output_that_drives_no_column_goes_nowhere(lab: Lab, task: Make) -> None:
    outputs(task(), "PXI1Slot2/ao9").write(4.0)
    inputs(task()).read()
    assert lab.port.played[0][0].shape == (1, 4)
    assert_allclose(lab.port.played[0][0], 0.0, atol=ERROR)


# --- continuous tasks ------------------------------------------------------------------------------


def continuous(task: nidaqmx.Task, rate: float, samples: int = 1000) -> nidaqmx.Task:
    task.timing.cfg_samp_clk_timing(rate, sample_mode=CONTINUOUS, samps_per_chan=samples)
    return task


def test_continuous_samples_become_available_as_virtual_time_passes(lab: Lab, task: Make) -> None:
    reader = continuous(inputs(task(), "PXI1Slot3/ai0"), 1e3)
    reader.start()
    assert reader.in_stream.avail_samp_per_chan == 0
    lab.clock.advance(0.025)
    assert reader.in_stream.avail_samp_per_chan == 25
    assert len(reader.read(READ_ALL_AVAILABLE)) == 25
    assert len(reader.read(100, timeout=1.0)) == 100
    assert lab.clock.now == pytest.approx(0.125)


def test_unread_samples_are_lost_when_the_buffer_overflows(lab: Lab, task: Make) -> None:
    reader = continuous(inputs(task(), "PXI1Slot3/ai0"), 1e3)
    reader.in_stream.input_buf_size = 2000
    reader.start()
    lab.clock.advance(2.5)
    with pytest.raises(DaqError) as error:
        reader.read(10)
    assert code_of(error) == -200279
    reader.stop()
    reader.in_stream.overwrite = OverwriteMode.OVERWRITE_UNREAD_SAMPLES
    reader.start()
    lab.clock.advance(2.5)
    assert len(reader.read(10)) == 10
    assert reader.in_stream.curr_read_pos == 510


def test_a_continuous_generation_repeats_until_it_is_stopped(lab: Lab, task: Make) -> None:
    writer = continuous(outputs(task(), "PXI1Slot2/ao0"), 1e3)
    writer.write([0.0, 1.0, 2.0, 3.0], auto_start=True)
    assert not writer.is_task_done()
    reader = finite(inputs(task(), "PXI1Slot3/ai0"), 1e3, 12)
    assert_allclose(reader.read(12), [0, 1, 2, 3] * 3, atol=ERROR)
    lab.clock.advance(2e-3)
    writer.stop()
    assert_allclose(lab.system.levels("PXI1Slot2/ao0"), [2.0], atol=ERROR)


# --- digital lines ---------------------------------------------------------------------------------


def test_digital_lines_are_set_and_read_back(lab: Lab, task: Make) -> None:
    port, single = task(), task()
    port.do_channels.add_do_chan("Dev1/port0/line0:7", line_grouping=LineGrouping.CHAN_FOR_ALL_LINES)
    assert port.write(0b1010_0001) == 1
    assert lab.system.lines("Dev1/port0/line0:7") == [True, False, False, False, False, True, False, True]
    single.do_channels.add_do_chan("Dev1/port1/line0:2", line_grouping=LineGrouping.CHAN_PER_LINE)
    single.write([True, False, True])
    assert lab.system.lines("Dev1/port1/line0:2") == [True, False, True]

    word, bits, one = task(), task(), task()
    word.di_channels.add_di_chan("Dev1/port0", line_grouping=LineGrouping.CHAN_FOR_ALL_LINES)
    assert word.read() == 0b1010_0001
    bits.di_channels.add_di_chan("Dev1/port1/line0:2", line_grouping=LineGrouping.CHAN_PER_LINE)
    assert bits.read() == [True, False, True]
    one.di_channels.add_di_chan("Dev1/port1/line2")
    assert one.read() is True


def test_resetting_a_device_brings_it_to_its_power_up_state(lab: Lab, task: Make) -> None:
    outputs(task(), "Dev1/ao0").write(3.0)
    lines = task()
    lines.do_channels.add_do_chan("Dev1/port0/line0")
    lines.write(True)
    System.local().devices["Dev1"].reset_device()
    assert lab.system.levels("Dev1/ao0") == [0.0]
    assert lab.system.lines("Dev1/port0/line0") == [False]


# --- errors ----------------------------------------------------------------------------------------


def refuse_unknown_device(task: Make) -> None:
    inputs(task(), "Dev9/ai0")


def refuse_unknown_channel(task: Make) -> None:
    inputs(task(), "Dev1/ai32")


def refuse_input_of_an_output_device(task: Make) -> None:
    inputs(task(), "PXI1Slot2/ai0")


def refuse_range(task: Make) -> None:
    inputs(task(), "Dev1/ai0", 11.0)


def refuse_output_range(task: Make) -> None:
    task().ao_channels.add_ao_voltage_chan("PXI1Slot2/ao0", max_val=12.0)


def refuse_single_ended_wiring(task: Make) -> None:
    task().ai_channels.add_ai_voltage_chan("PXI1Slot3/ai0", terminal_config=TerminalConfiguration.RSE)


def refuse_a_differential_input_without_a_partner(task: Make) -> None:
    task().ai_channels.add_ai_voltage_chan("Dev1/ai8", terminal_config=TerminalConfiguration.DIFF)


def refuse_pseudodifferential_wiring(task: Make) -> None:
    task().ai_channels.add_ai_voltage_chan("Dev1/ai0", terminal_config=TerminalConfiguration.PSEUDO_DIFF)


def refuse_a_scale_of_ones_own(task: Make) -> None:
    units = VoltageUnits.FROM_CUSTOM_SCALE
    task().ao_channels.add_ao_voltage_chan("PXI1Slot2/ao0", units=units, custom_scale_name="mine")


def refuse_single_points_timed_by_hardware(task: Make) -> None:
    mode = AcquisitionType.HW_TIMED_SINGLE_POINT
    inputs(task()).timing.cfg_samp_clk_timing(1e3, sample_mode=mode)


def refuse_the_same_channel_twice(task: Make) -> None:
    inputs(inputs(task()), "Dev1/ai3")


def refuse_inputs_beside_outputs(task: Make) -> None:
    inputs(outputs(task()))


def refuse_value_beyond_range(task: Make) -> None:
    outputs(task()).write([0.0, 0.0, 10.1, 0.0])


def refuse_nan(task: Make) -> None:
    outputs(task()).write([0.0, float("nan"), 0.0, 0.0])


def refuse_to_start_without_channels(task: Make) -> None:
    task().start()


def refuse_to_start_an_empty_buffer(task: Make) -> None:
    finite(outputs(task()), 1e3, 10).start()


def refuse_more_samples_than_the_buffer_holds(task: Make) -> None:
    writer = finite(outputs(task()), 1e3, 10)
    writer.out_stream.output_buf_size = 5
    writer.write(np.zeros((4, 10)))


def refuse_static_write_without_start(task: Make) -> None:
    outputs(task()).write([0.0] * 4, auto_start=False)


def refuse_update_rate(task: Make) -> None:
    finite(outputs(task(), "PXI1Slot2/ao0:31"), 1e6, 10).control(TaskMode.TASK_VERIFY)


def refuse_input_rate(task: Make) -> None:
    finite(inputs(task(), "PXI1Slot3/ai0"), 3e6, 10).start()


def refuse_conversions_beyond_the_period(task: Make) -> None:
    finite(inputs(task(), "Dev1/ai0:31"), 100e3, 10).start()


def refuse_delay_beyond_the_period(task: Make) -> None:
    reader = finite(inputs(task()), 10e3, 10)
    reader.timing.delay_from_samp_clk_delay = 1e-4
    reader.start()


def refuse_delay_without_convert_clock(task: Make) -> None:
    finite(inputs(task(), "PXI1Slot3/ai0"), 10e3, 10).timing.delay_from_samp_clk_delay = 1e-6


def refuse_clock_across_chassis(task: Make) -> None:
    finite(inputs(task()), 1e3, 10, "/PXI1Slot2/ao/SampleClock").start()


def refuse_unknown_terminal(task: Make) -> None:
    finite(inputs(task()), 1e3, 10, "/Dev7/PFI0").start()


def refuse_second_user_of_a_channel(task: Make) -> None:
    first = finite(outputs(task()), 1e3, 10)
    first.control(TaskMode.TASK_RESERVE)
    outputs(task(), "PXI1Slot2/ao2").write(1.0)


def refuse_second_task_on_the_adc(task: Make) -> None:
    continuous(inputs(task()), 1e3).start()
    inputs(task(), "Dev1/ai9").read()


def refuse_to_configure_while_running(task: Make) -> None:
    reader = continuous(inputs(task()), 1e3)
    reader.start()
    finite(reader, 1e3, 10)


def refuse_to_start_twice(task: Make) -> None:
    reader = continuous(inputs(task()), 1e3)
    reader.start()
    reader.start()


def refuse_samples_beyond_the_last(task: Make) -> None:
    reader = finite(inputs(task(), "Dev1/ai0"), 1e3, 10)
    reader.start()
    reader.read(10)
    reader.read(1)


def refuse_a_cleared_task(task: Make) -> None:
    reader = inputs(task())
    handle = reader._handle
    interpreter = reader._interpreter
    reader.close()
    interpreter.start_task(handle)


def refuse_the_same_task_name(task: Make) -> None:
    with nidaqmx.Task("twice"):
        nidaqmx.Task("twice")


def refuse_to_read_outputs(task: Make) -> None:
    outputs(task()).read()


def refuse_to_write_inputs(task: Make) -> None:
    inputs(task()).write([0.0] * 4)


def refuse_unknown_line(task: Make) -> None:
    task().do_channels.add_do_chan("Dev1/port1/line8")


def refuse_lines_clocked_too_fast(task: Make) -> None:
    lines = task()
    lines.do_channels.add_do_chan("Dev1/port0/line0")
    finite(lines, 20e6, 10)
    lines.write([True] * 10, auto_start=True)


def refuse_to_clock_a_counter(task: Make) -> None:
    counter = task()
    counter.co_channels.add_co_pulse_chan_freq("Dev1/ctr0", freq=1e3)
    finite(counter, 1e3, 10)


REFUSALS = {
    refuse_unknown_device: -200220,
    refuse_unknown_channel: -200170,
    refuse_input_of_an_output_device: -200170,
    refuse_range: -200077,
    refuse_output_range: -200077,
    refuse_single_ended_wiring: -200077,
    refuse_a_differential_input_without_a_partner: -200077,
    refuse_pseudodifferential_wiring: -200077,
    refuse_a_scale_of_ones_own: -200077,
    refuse_single_points_timed_by_hardware: -200077,
    refuse_the_same_channel_twice: -200489,
    refuse_inputs_beside_outputs: -200559,
    refuse_value_beyond_range: -200561,
    refuse_nan: -200561,
    refuse_to_start_without_channels: -200478,
    refuse_to_start_an_empty_buffer: -200462,
    refuse_more_samples_than_the_buffer_holds: -200292,
    refuse_static_write_without_start: -200802,
    refuse_update_rate: -200332,
    refuse_input_rate: -200332,
    refuse_conversions_beyond_the_period: -200081,
    refuse_delay_beyond_the_period: -200081,
    refuse_delay_without_convert_clock: -200452,
    refuse_clock_across_chassis: -89125,
    refuse_unknown_terminal: -89120,
    refuse_second_user_of_a_channel: -50103,
    refuse_second_task_on_the_adc: -50103,
    refuse_to_configure_while_running: -200479,
    refuse_to_start_twice: -200479,
    refuse_samples_beyond_the_last: -200278,
    refuse_a_cleared_task: -200088,
    refuse_the_same_task_name: -200089,
    refuse_to_read_outputs: -200460,
    refuse_to_write_inputs: -200459,
    refuse_unknown_line: -200170,
    refuse_lines_clocked_too_fast: -200332,
    refuse_to_clock_a_counter: -200077,
}


@pytest.mark.parametrize(
    ("misuse", "code"), REFUSALS.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_misuse_gives_ni_s_error(lab: Lab, task: Make, misuse: Callable[[Make], None], code: int) -> None:
    with pytest.raises(DaqError) as error:
        misuse(task)
    assert code_of(error) == code
    assert f"Status Code: {code}" in str(error.value)
    assert lab.system._interpreter.get_error_string(code).partition("\n")[0] in str(error.value)


def test_an_input_whose_clock_never_comes_times_out_in_virtual_time(lab: Lab, task: Make) -> None:
    reader = finite(inputs(task()), 1e3, 10, "/Dev1/PFI0")
    reader.start()
    with pytest.raises(DaqError) as error:
        reader.read(10, timeout=2.0)
    assert code_of(error) == -200284
    assert lab.clock.now == pytest.approx(2.0)
    with pytest.raises(DaqError) as error:
        reader.wait_until_done(timeout=3.0)
    assert code_of(error) == -200560
    assert lab.clock.now == pytest.approx(5.0)


def test_a_clock_with_too_few_edges_leaves_samples_missing(task: Make) -> None:
    writer = finite(outputs(task(), "PXI1Slot2/ao0"), 1e3, 5)
    reader = finite(inputs(task(), "PXI1Slot3/ai0"), 1e3, 8, "/PXI1Slot2/ao/SampleClock")
    reader.start()
    writer.write([1.0] * 5, auto_start=True)
    with pytest.raises(DaqError) as error:
        reader.read(8)
    assert code_of(error) == -200284
    assert error.value.samps_per_chan_read == 5


def test_an_unplugged_device_fails_every_call_until_it_is_plugged_in(lab: Lab, task: Make) -> None:
    writer = outputs(task())
    writer.write([1.0] * 4)
    lab.system.unplug("PXI1Slot2")
    assert_array_equal(lab.system.levels("PXI1Slot2/ao0:3"), 0.0)
    for attempt in (lambda: writer.write([1.0] * 4), lambda: outputs(task())):
        with pytest.raises(DaqError) as error:
            attempt()
        assert code_of(error) == -201003
    lab.system.plug("PXI1Slot2")
    writer.write([1.0] * 4)


def test_a_refused_value_changes_no_output(lab: Lab, task: Make) -> None:
    writer = outputs(task())
    writer.write([1.0] * 4)
    before = lab.system.levels("PXI1Slot2/ao0:3")
    with pytest.raises(DaqError):
        writer.write([2.0, 2.0, 2.0, 99.0])
    assert_array_equal(lab.system.levels("PXI1Slot2/ao0:3"), before)


# --- converters ------------------------------------------------------------------------------------

volt = st.floats(-10.0, 10.0 * (1 - 1 / 32768))


@given(st.lists(volt, min_size=1, max_size=20), st.integers(0, 2**32 - 1))
def test_perfect_converters_are_off_by_half_a_step_at_most(volts: list[float], seed: int) -> None:
    values, zero, full = np.array([volts]), np.zeros(len(volts)), np.full(len(volts), 10.0)
    sent = to_analogue(values, 10.0, zero, zero)
    half = 10.0 / 65536
    assert np.abs(sent - values).max() <= half * (1 + 1e-9)
    read = to_digital(sent, full, zero, zero, zero, np.random.default_rng(seed))
    assert_allclose(read, sent, atol=1e-12)  # what a DAC can put out an ADC of the same range can read


@given(st.floats(-1e3, 1e3), st.sampled_from([0.1, 1.0, 10.0]))
def test_no_reading_leaves_its_range(volts: float, scale: float) -> None:
    one = np.ones(1)
    read = to_digital(
        np.array([[volts]]), scale * one, 0 * one, 0 * one, 1e-3 * one, np.random.default_rng(0)
    )
    assert -scale <= read.item() < scale


# --- terminals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "asked", "used"),
    [("Dev1/ai0", "DEFAULT", "DIFF"), ("Dev1/ai8", "DEFAULT", "RSE"), ("Dev1/ai23", "DEFAULT", "DIFF"),
     ("Dev1/ai31", "DEFAULT", "RSE"), ("Dev1/ai7", "DIFF", "DIFF"), ("Dev1/ai0", "RSE", "RSE"),
     ("Dev1/ai9", "NRSE", "NRSE"), ("PXI1Slot3/ai9", "DEFAULT", "DIFF"), ("Dev1/_ao0_vs_aognd", "DEFAULT", "DIFF")],
)  # fmt: skip
def test_an_input_is_connected_as_the_device_can(task: Make, name: str, asked: str, used: str) -> None:
    channel = task().ai_channels.add_ai_voltage_chan(name, terminal_config=TerminalConfiguration[asked])
    assert channel.ai_term_cfg is TerminalConfiguration[used]


def test_a_differential_input_reads_the_difference_to_its_partner() -> None:
    """ai0 less ai8: what is connected to ai8 alone comes with the other sign."""
    system = DaqSystem(
        DEVICES, VirtualClock(), np.random.default_rng(0), Loopback(), outputs=["Dev1/ao0:1"], inputs=["Dev1/ai0,Dev1/ai8"]
    )  # fmt: skip
    with system.selected(), nidaqmx.Task() as out, nidaqmx.Task() as differential, nidaqmx.Task() as single:
        out.ao_channels.add_ao_voltage_chan("Dev1/ao0:1")
        out.write([3.0, 1.0])
        differential.ai_channels.add_ai_voltage_chan("Dev1/ai0")
        single.ai_channels.add_ai_voltage_chan("Dev1/ai0", terminal_config=TerminalConfiguration.RSE)
        assert differential.read() == pytest.approx(2.0, abs=5e-3)
        assert single.read() == pytest.approx(3.0, abs=5e-3)


def test_what_outputs_do_without_a_measurement_is_told_to_the_port(lab: Lab, task: Make) -> None:
    told: list[tuple[float, float]] = []
    lab.wired.hold = lambda volts, period: told.append((float(np.abs(volts).max()), period))  # type: ignore[attr-defined]
    outputs(task(), "PXI1Slot2/ao0").write(2.0)
    generator = continuous(outputs(task(), "PXI1Slot2/ao1"), 1e3)
    generator.write([0.0, 5.0, -7.0])
    generator.start()
    assert told == [(pytest.approx(2.0, abs=5e-3), 0.0), (pytest.approx(7.0, abs=5e-3), 1e-3)]
    assert lab.system.reach("PXI1Slot2/ao0:1").tolist() == pytest.approx([2.0, 7.0], abs=5e-3)
