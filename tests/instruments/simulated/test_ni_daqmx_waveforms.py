"""What else the simulated NI-DAQmx moves: waveforms, codes, clocked lines, settings of channels, and its events."""

import logging

import nidaqmx
import numpy as np
import pytest
from hightime import datetime, timedelta
from nidaqmx.constants import AcquisitionType, Edge, LineGrouping, Signal, TaskMode
from nidaqmx.error_codes import DAQmxErrors
from nidaqmx.errors import DaqError
from nidaqmx.stream_readers import AnalogUnscaledReader, DigitalMultiChannelReader
from nidaqmx.stream_writers import AnalogUnscaledWriter, DigitalMultiChannelWriter, DigitalSingleChannelWriter
from nitypes.waveform import AnalogWaveform, DigitalWaveform

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.nidaqmx.system import DaqSystem

FINITE, CONTINUOUS = AcquisitionType.FINITE, AcquisitionType.CONTINUOUS
TOGETHER, APART = LineGrouping.CHAN_FOR_ALL_LINES, LineGrouping.CHAN_PER_LINE


class Echo:
    """Input k carries what output k puts out."""

    def exchange(self, volts, period):
        return volts.copy()


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def system(clock):
    system = DaqSystem(
        {"Dev1": "PCIe-6363"}, clock, np.random.default_rng(3), Echo(), outputs=["Dev1/ao0:3"],
        inputs=["Dev1/ai0:3"], adc=lambda volts: volts, dac=lambda volts: volts,
    )  # fmt: skip
    with system.selected():
        yield system


@pytest.fixture
def task(system):
    tasks = []

    def make():
        tasks.append(nidaqmx.Task())
        return tasks[-1]

    yield make
    for made in tasks:
        if made._handle is not None:
            made.close()


@pytest.fixture
def reader(task):
    reader = task()
    reader.ai_channels.add_ai_voltage_chan("Dev1/ai0")
    return reader


@pytest.fixture
def driven(task):
    """Put 1 to 4 V on the outputs."""
    writer = task()
    writer.ao_channels.add_ao_voltage_chan("Dev1/ao0:3")
    writer.write([1.0, 2.0, 3.0, 4.0])
    writer.close()


def timed(task, samples=50, rate=1e3, mode=FINITE, **options):
    task.timing.cfg_samp_clk_timing(rate, sample_mode=mode, samps_per_chan=samples, **options)
    return task


# --- waveforms ---


def test_a_waveform_has_samples_name_unit_and_times(reader, driven, clock, system):
    clock.advance(1.5)
    waveform = timed(reader).read_waveform()
    assert waveform.sample_count == 50
    assert waveform.scaled_data == pytest.approx(np.ones(50))
    assert (waveform.channel_name, waveform.units) == ("Dev1/ai0", "Volts")
    assert waveform.timing.sample_interval == timedelta(seconds=1e-3)
    # A reading starts when it starts: after the write, which takes no time, and the wait.
    assert waveform.timing.timestamp == system._rack.date(1.5)
    assert system._rack.date(0.0).year == 2025


def test_the_second_part_of_a_run_is_dated_by_its_first_sample(reader, system):
    timed(reader)
    reader.start()
    first, second = reader.read_waveform(20), reader.read_waveform(30)
    assert second.timing.timestamp - first.timing.timestamp == timedelta(seconds=20e-3)
    assert isinstance(first.timing.timestamp, datetime)


def test_several_inputs_make_several_waveforms(task, driven):
    reader = task()
    reader.ai_channels.add_ai_voltage_chan("Dev1/ai0:2")
    waveforms = timed(reader, 10).read_waveform()
    assert [float(each.scaled_data[-1]) for each in waveforms] == pytest.approx([1.0, 2.0, 3.0])
    assert [each.channel_name for each in waveforms] == ["Dev1/ai0", "Dev1/ai1", "Dev1/ai2"]


def test_waveforms_are_written_each_to_its_output(task, system):
    writer = task()
    writer.ao_channels.add_ao_voltage_chan("Dev1/ao0:1")
    writer.write_waveform(
        [AnalogWaveform.from_array_1d(np.array([0.5, v])) for v in (1.5, 2.5)], auto_start=True
    )
    assert system.levels("Dev1/ao0:1").tolist() == [1.5, 2.5]
    with pytest.raises(DaqError, match="number of channels in the data") as error:
        writer.write_waveform([AnalogWaveform.from_array_1d(np.zeros(2))] * 3)
    assert error.value.error_code == DAQmxErrors.WRITE_NUM_CHANS_MISMATCH
    with pytest.raises(ValueError, match="same sample count"):
        writer.write_waveform([AnalogWaveform.from_array_1d(np.zeros(n)) for n in (2, 3)])


# --- converter codes ---


@pytest.mark.parametrize("bits", ["int16", "uint16", "int32", "uint32"])
def test_inputs_and_outputs_have_codes(task, system, bits):
    writer, reader = task(), task()
    writer.ao_channels.add_ao_voltage_chan("Dev1/ao0:1")
    reader.ai_channels.add_ai_voltage_chan("Dev1/ai0:1", min_val=-10.0, max_val=10.0)
    getattr(AnalogUnscaledWriter(writer.out_stream, auto_start=True), f"write_{bits}")(
        np.array([[3277], [6554]], dtype=bits)
    )
    assert system.levels("Dev1/ao0:1") == pytest.approx([1.00006, 2.00012], abs=1e-5)
    codes = np.zeros((2, 3), dtype=bits)
    getattr(AnalogUnscaledReader(reader.in_stream), f"read_{bits}")(codes, 3)
    assert codes.tolist() == [[3277] * 3, [6554] * 3]
    with pytest.raises(TypeError, match=bits):
        getattr(AnalogUnscaledReader(reader.in_stream), f"read_{bits}")(codes.astype(np.float64), 3)


# --- lines ---


def test_lines_follow_a_clocked_pattern_sample_by_sample(task, clock, system):
    pattern, watched = task(), task()
    pattern.do_channels.add_do_chan("Dev1/port0/line0:3", line_grouping=TOGETHER)
    watched.di_channels.add_di_chan("Dev1/port0/line0:3", line_grouping=TOGETHER)
    watched.di_channels.all.di_tristate = False  # or the lines are the other task's
    timed(pattern, 4, rate=10.0)
    timed(watched, 4, rate=10.0, source="/Dev1/do/SampleClock")
    pattern.write([1, 2, 4, 10])
    watched.start()
    begun = clock.now
    pattern.start()
    assert watched.read(4) == [1, 2, 4, 10]
    assert clock.now - begun == pytest.approx(0.4)
    assert system.lines("Dev1/port0/line0:3") == [False, True, False, True]
    assert pattern.is_task_done()


def test_lines_are_reserved_unless_their_inputs_are_tristate_free(task):
    written, watched = task(), task()
    written.do_channels.add_do_chan("Dev1/port0/line0")
    watched.di_channels.add_di_chan("Dev1/port0/line0")
    written.start()
    with pytest.raises(DaqError, match="reserved"):
        watched.start()
    assert watched.di_channels.all.di_tristate
    watched.di_channels.all.di_tristate = False
    watched.start()


def test_channels_of_unequal_width_fill_up_with_low(task):
    written, read = task(), task()
    for lines in ("Dev1/port0/line0", "Dev1/port0/line1:3"):
        written.do_channels.add_do_chan(lines, line_grouping=TOGETHER)
        read.di_channels.add_di_chan(lines, line_grouping=TOGETHER)
    DigitalMultiChannelWriter(written.out_stream, auto_start=True).write_one_sample_multi_line(
        np.array([[True, False, False], [True, False, True]])
    )
    seen = np.ones((2, 3), dtype=bool)
    DigitalMultiChannelReader(read.in_stream).read_one_sample_multi_line(seen)
    assert seen.tolist() == [[True, False, False], [True, False, True]]
    with pytest.raises(TypeError, match="bool"):
        DigitalMultiChannelReader(read.in_stream).read_one_sample_multi_line(np.ones((2, 3)))


def test_a_digital_waveform_names_its_lines_and_a_port_begins_with_its_highest(task, system):
    written = task()
    written.do_channels.add_do_chan("Dev1/port1", line_grouping=TOGETHER)
    written.write(0b10000010, auto_start=True)
    read = task()
    read.di_channels.add_di_chan("Dev1/port1", line_grouping=TOGETHER)
    waveform = timed(read, 2).read_waveform()
    assert waveform.data.tolist() == [[1, 0, 0, 0, 0, 0, 1, 0]] * 2
    assert waveform.signals[1].name == "Dev1/port1/line1"
    assert waveform.timing.sample_interval == timedelta(seconds=1e-3)
    written.close()
    back = task()
    back.do_channels.add_do_chan("Dev1/port1", line_grouping=TOGETHER)
    data = np.array([[0, 0, 0, 0, 0, 0, 0, 1]], dtype=np.uint8)
    DigitalSingleChannelWriter(back.out_stream, auto_start=True).write_waveform(
        DigitalWaveform(1, 8, data=data)
    )
    assert system.lines("Dev1/port1/line0:1") == [True, False]
    with pytest.raises(DaqError, match="number of lines") as error:
        back.write_waveform(DigitalWaveform(1, 3))
    assert error.value.error_code == DAQmxErrors.NUM_LINES_MISMATCH_IN_READ_OR_WRITE


def test_a_read_that_started_a_finite_task_stops_it_at_its_end(task):
    first, second = task(), task()
    for each in (first, second):
        each.di_channels.add_di_chan("Dev1/port0/line0")
        timed(each, 4)
    assert len(first.read(2)) == 2
    with pytest.raises(DaqError, match="reserved"):
        second.read(4)
    first.read(2)
    assert len(second.read(4)) == 4


# --- counters ---


def test_a_counter_clocks_outputs_and_inputs_that_sample_at_the_falling_edge(task, clock):
    counter, writer, reader = task(), task(), task()
    counter.co_channels.add_co_pulse_chan_freq("Dev1/ctr0", freq=100.0)
    counter.timing.cfg_implicit_timing(samps_per_chan=3)
    counter.control(TaskMode.TASK_COMMIT)
    writer.ao_channels.add_ao_voltage_chan("Dev1/ao0")
    reader.ai_channels.add_ai_voltage_chan("Dev1/_ao0_vs_aognd")
    reader.ai_channels.add_ai_voltage_chan("Dev1/ai0")
    for each, edge in ((writer, Edge.RISING), (reader, Edge.FALLING)):
        timed(each, 3, rate=100.0, source="/Dev1/Ctr0InternalOutput", active_edge=edge)
    writer.write([0.1, 0.2, 0.3])
    writer.start()
    reader.start()
    counter.start()
    assert reader.read(3)[1] == pytest.approx([0.1, 0.2, 0.3], abs=2e-3)
    assert clock.now == pytest.approx(0.03)
    with pytest.raises(DaqError):
        task().co_channels.add_co_pulse_chan_freq("Dev1/ctr4", freq=100.0)


# --- settings of channels ---


def test_limits_and_ranges_of_channels_can_be_set(task):
    reader = task()
    reader.ai_channels.add_ai_voltage_chan("Dev1/ai0:1", min_val=-10.0, max_val=10.0)
    reader.ai_channels[0].ai_max, reader.ai_channels[0].ai_min = 0.15, -0.1
    assert [channel.ai_rng_high for channel in reader.ai_channels] == [0.2, 10.0]
    reader.ai_channels.all.ai_rng_high = 5.0
    assert [channel.ai_rng_low for channel in reader.ai_channels] == [-5.0, -5.0]
    with pytest.raises(DaqError) as error:
        reader.ai_channels.all.ai_rng_high = 11.0
    assert error.value.error_code == DAQmxErrors.INVALID_ATTRIBUTE_VALUE
    timed(reader).start()
    with pytest.raises(DaqError, match="running"):
        reader.ai_channels.all.ai_max = 1.0


def test_an_outputs_limit_holds_for_what_is_written(task, system):
    writer = task()
    writer.ao_channels.add_ao_voltage_chan("Dev1/ao0")
    writer.ao_channels.all.ao_max = 2.0
    with pytest.raises(DaqError) as error:
        writer.write(3.0)
    assert error.value.error_code == DAQmxErrors.INVALID_AO_DATA_WRITE
    assert system.levels("Dev1/ao0") == [0.0]


@pytest.mark.parametrize("name", ["/Dev1/ai0", "/Dev1/ai0:1", "Dev1/ai0, /Dev1/ai1"])
def test_a_slash_before_the_device_means_nothing(task, name):
    reader = task()
    reader.ai_channels.add_ai_voltage_chan(name)
    assert reader.ai_channels[0].physical_channel.name == "Dev1/ai0"
    written = task()
    written.do_channels.add_do_chan("/Dev1/port0/line0:1", line_grouping=APART)
    assert written.number_of_channels == 2


# --- events ---


def test_a_finite_acquisition_tells_of_its_samples_and_then_of_its_end(reader, driven):
    seen = []

    def read(handle, kind, samples, data):
        seen.append((samples, reader.read(samples)))
        return 0

    timed(reader, 30)
    reader.register_every_n_samples_acquired_into_buffer_event(10, read)
    reader.register_done_event(lambda handle, status, data: seen.append(("done", status)) or 0)
    for _ in range(2):
        reader.start()
        reader.stop()
    assert seen == ([(10, [1.0] * 10)] * 3 + [("done", 0)]) * 2


def test_a_continuous_acquisition_tells_while_somebody_waits(reader, driven, clock):
    seen = []

    def read(handle, kind, samples, data):
        seen.append(len(reader.read(samples)))
        return 0

    timed(reader, 100, rate=1e3, mode=CONTINUOUS)
    reader.register_every_n_samples_acquired_into_buffer_event(100, read)
    reader.start()
    with pytest.raises(DaqError) as error:  # a continuous task is never done
        reader.wait_until_done(timeout=1.05)
    assert error.value.error_code == DAQmxErrors.WAIT_UNTIL_DONE_DOES_NOT_INDICATE_DONE
    assert seen == [100] * 10
    assert clock.now == pytest.approx(1.05)


def test_a_generation_tells_of_what_left_its_buffer(task):
    seen = []
    writer = task()
    writer.ao_channels.add_ao_voltage_chan("Dev1/ao0")
    timed(writer, 20)
    writer.register_every_n_samples_transferred_from_buffer_event(5, lambda *what: seen.append(what[2]) or 0)
    writer.write(np.zeros(20))
    writer.start()
    assert seen == [5, 5, 5, 5]


def test_a_callback_may_stop_and_close_its_task(reader):
    seen = []

    def close(handle, kind, samples, data):
        seen.append(samples)
        reader.stop()
        reader.close()
        return 0

    timed(reader, 30)
    reader.register_every_n_samples_acquired_into_buffer_event(10, close)
    reader.start()
    assert seen == [10]


def test_a_callbacks_exception_reaches_nobody_but_the_log(reader, caplog):
    timed(reader, 10)
    reader.register_done_event(lambda *what: 1 / 0)
    with caplog.at_level(logging.ERROR):
        reader.start()
    assert "ZeroDivisionError" in caplog.text


def test_events_are_registered_once_of_the_right_kind_and_before_the_start(task, reader):
    def nothing(*what):
        return 0

    writer = task()
    writer.ao_channels.add_ao_voltage_chan("Dev1/ao0")
    timed(reader, 10)
    codes = []
    for attempt in (
        lambda: reader.register_every_n_samples_transferred_from_buffer_event(5, nothing),
        lambda: writer.register_every_n_samples_acquired_into_buffer_event(5, nothing),
        lambda: reader.register_every_n_samples_acquired_into_buffer_event(0, nothing),
        lambda: [reader.register_done_event(nothing) for _ in range(2)],
        lambda: [reader.register_signal_event(Signal.SAMPLE_CLOCK, nothing) for _ in range(2)],
        lambda: reader.register_signal_event(Signal.CHANGE_DETECTION_EVENT, nothing),
        lambda: [reader.start(), reader.register_every_n_samples_acquired_into_buffer_event(5, nothing)],
    ):
        with pytest.raises(DaqError) as error:
            attempt()
        codes.append(int(error.value.error_code))
    assert codes == [-200980, -200981, -200077, -200950, -200949, -200077, -200479]


def test_every_sample_can_be_told_and_no_more_once_it_is_unregistered(reader):
    seen = []
    timed(reader, 3)
    reader.register_signal_event(
        Signal.SAMPLE_COMPLETE, lambda handle, signal, data: seen.append(signal) or 0
    )
    reader.start()
    assert seen == [Signal.SAMPLE_COMPLETE.value] * 3
    reader.stop()
    reader.register_signal_event(Signal.SAMPLE_COMPLETE, None)
    reader.start()
    assert len(seen) == 3
