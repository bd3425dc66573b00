"""The NI DAQ driver, through the real nidaqmx package, on simulated devices."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import nidaqmx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mho.errors import InputError, InstrumentError, LimitError
from mho.instruments.drivers.ni_daq import NIDaq
from mho.instruments.roles import Daq
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.nidaqmx.system import DaqSystem

ERROR = 5e-3  # V: gain, offset and noise of both converters together


class Mixer:
    """Inputs carry a fixed linear mixture of the outputs; remembers what was played."""

    def __init__(self, outputs: int, inputs: int) -> None:
        self.matrix = np.random.default_rng(3).uniform(-1.0, 1.0, (outputs, inputs)) / outputs
        self.played: list[np.ndarray] = []
        self.fails: BaseException | None = None

    def exchange(self, volts: np.ndarray, period: float) -> np.ndarray:
        self.played.append(volts.copy())
        if self.fails is not None:
            raise self.fails
        return np.asarray(volts @ self.matrix)


class Lab:
    def __init__(self, devices: dict[str, str], outputs: str, inputs: str, counts: tuple[int, int]) -> None:
        self.clock = VirtualClock()
        self.mixer = Mixer(*counts)
        self.outputs, self.inputs = outputs, inputs
        rng = np.random.default_rng(11)
        self.system = DaqSystem(devices, self.clock, rng, self.mixer, outputs=[outputs], inputs=[inputs])
        self.opened: list[NIDaq] = []

    def open(self, **options: object) -> NIDaq:
        daq = NIDaq(self.outputs, self.inputs, session=self.system.selected, **options)
        self.opened.append(daq)
        return daq

    def levels(self) -> np.ndarray:
        return self.system.levels(self.outputs)


def two_chassis() -> Lab:
    devices = {"PXI1Slot2": "PXIe-6738", "Dev1": "USB-6363"}
    return Lab(devices, "PXI1Slot2/ao0:31", "Dev1/ai0:31", (32, 32))


def one_chassis() -> Lab:
    devices = {"PXI1Slot2": "PXIe-6738", "PXI1Slot3": "PXIe-6368"}
    return Lab(devices, "PXI1Slot2/ao0:15", "PXI1Slot3/ai0:15", (16, 16))


def one_device() -> Lab:
    return Lab({"Dev1": "USB-6363"}, "Dev1/ao0:3", "Dev1/ai0:7", (4, 8))


Build = Callable[[], Lab]


@pytest.fixture(params=[two_chassis, one_chassis, one_device])
def any_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    lab = request.param()
    yield lab
    for daq in lab.opened:
        daq.close()


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = two_chassis()
    yield lab
    for daq in lab.opened:
        daq.close()


@pytest.fixture
def small() -> Iterator[Lab]:
    lab = one_device()
    yield lab
    for daq in lab.opened:
        daq.close()


def vectors(samples: int, outputs: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-9.0, 9.0, (samples, outputs))


# --- exchange --------------------------------------------------------------------------------------


def test_every_vector_gets_its_own_settled_answer(any_lab: Lab) -> None:
    daq = any_lab.open()
    assert isinstance(daq, Daq)
    volts = vectors(50, daq.output_count)
    answer = daq.exchange(volts)
    assert answer.shape == (50, daq.input_count)
    assert_allclose(answer, volts @ any_lab.mixer.matrix, atol=ERROR)


def test_all_outputs_end_at_zero(any_lab: Lab) -> None:
    daq = any_lab.open()
    daq.exchange(vectors(5, daq.output_count))
    assert_allclose(any_lab.mixer.played[-1][-1], 0.0, atol=ERROR)
    assert_allclose(any_lab.levels(), 0.0, atol=ERROR)


def test_outputs_that_get_no_column_stay_at_zero_even_after_a_wider_exchange(lab: Lab) -> None:
    daq = lab.open()
    daq.exchange(vectors(4, 32))
    volts = vectors(4, 3)
    answer = daq.exchange(volts)
    assert_allclose(lab.mixer.played[-1][:, 3:], 0.0, atol=ERROR)
    assert_allclose(answer, volts @ lab.mixer.matrix[:3], atol=ERROR)


def test_the_number_of_vectors_may_change_from_one_exchange_to_the_next(any_lab: Lab) -> None:
    daq = any_lab.open()
    for seed, samples in enumerate((1, 7, 7, 2, 300)):
        volts = vectors(samples, daq.output_count, seed)
        assert_allclose(daq.exchange(volts), volts @ any_lab.mixer.matrix, atol=ERROR)


def test_one_vector_may_be_given_flat(small: Lab) -> None:
    assert small.open().exchange([1.0, 2.0]).shape == (1, 8)


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 1000))
def test_any_shape_that_fits_is_answered(samples: int, outputs: int, seed: int) -> None:
    lab = one_device()
    daq = lab.open()
    volts = vectors(samples, outputs, seed)
    assert_allclose(daq.exchange(volts), volts @ lab.mixer.matrix[:outputs], atol=ERROR)
    daq.close()


def test_an_exchange_takes_its_time_on_the_virtual_clock_only(lab: Lab) -> None:
    daq = lab.open(rate=10.0)
    began = time.perf_counter()
    daq.exchange(vectors(9_999, 2))
    assert lab.clock.now == pytest.approx(1000.0)
    assert time.perf_counter() - began < lab.clock.now


def test_answers_are_the_caller_s_to_keep(small: Lab) -> None:
    daq = small.open()
    first = daq.exchange(vectors(5, 4))
    kept = first.copy()
    daq.exchange(vectors(5, 4, seed=1))
    assert_array_equal(first, kept)


# --- rate ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "rate"),
    [
        (two_chassis, 1 / (20e-6 + 33e-6)),  # settle, then 32 conversions and a spare at 1 MS/s
        (one_chassis, 1 / 20e-6),  # settle
        (one_device, 1 / (20e-6 + 9e-6)),
    ],
)
def test_the_rate_in_force_is_what_the_devices_allow(
    build: Build, rate: float, caplog: pytest.LogCaptureFixture
) -> None:
    lab = build()
    with caplog.at_level(logging.INFO):
        daq = lab.open(rate=1e6)
    assert daq.rate == pytest.approx(rate)
    assert "instead of 1e+06" in caplog.text
    assert daq.settings()["rate_wanted"] == "1000000 1/s"
    daq.exchange(vectors(3, 1))
    daq.close()


def test_a_rate_the_devices_can_serve_is_kept(lab: Lab) -> None:
    daq = lab.open(rate=5e3)
    assert daq.rate == 5e3
    daq.exchange(vectors(9, 1))
    assert lab.clock.now == pytest.approx(10 / 5e3)


def test_converting_before_the_outputs_settle_reads_the_vector_before(lab: Lab) -> None:
    # The simulated 6738 settles in 10 us: a settle that is too short is seen, not forgiven.
    volts = vectors(20, 32)
    answer = lab.open(rate=5e3, settle=1e-6).exchange(volts)
    assert np.abs(answer[:, 0] - (volts @ lab.mixer.matrix)[:, 0]).max() > 0.1


# --- refusals before anything is sent --------------------------------------------------------------


@pytest.mark.parametrize("value", [10.001, -10.001, float("nan"), float("inf")])
def test_a_value_beyond_the_range_is_refused_with_its_channel(lab: Lab, value: float) -> None:
    daq = lab.open()
    volts = np.zeros((6, 8))
    volts[4, 5] = value
    with pytest.raises(
        LimitError, match=rf"PXI1Slot2/ao5: {value:g} V \(sample 4\) is outside -10 V to 10 V"
    ):
        daq.exchange(volts)
    assert lab.mixer.played == []


def test_the_output_range_of_the_bench_is_the_limit(lab: Lab) -> None:
    daq = lab.open(output_range=(-0.5, 1.0))
    with pytest.raises(LimitError, match=r"-0\.6 V .* outside -0\.5 V to 1 V"):
        daq.exchange([[-0.6]])
    with pytest.raises(LimitError, match=r"ao1: 1\.1 V"):
        daq.write([1.0, 1.1])
    assert_array_equal(lab.levels(), 0.0)


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (2, 5), (2, 2, 2)])
def test_a_shape_that_does_not_fit_is_refused(small: Lab, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"do not fit; give \(samples, 1 to 4 outputs\)"):
        small.open().exchange(np.zeros(shape))
    assert small.mixer.played == []


def test_a_rate_of_nothing_is_refused(small: Lab) -> None:
    with pytest.raises(InputError, match="rate 0"):
        small.open(rate=0.0)


# --- static outputs, digital lines, safety ---------------------------------------------------------


def test_static_levels_hold_and_give_way_to_a_waveform(any_lab: Lab) -> None:
    daq = any_lab.open()
    daq.write([1.0, -2.0])
    assert_allclose(any_lab.levels()[:3], [1.0, -2.0, 0.0], atol=ERROR)
    volts = vectors(3, 2)
    assert_allclose(daq.exchange(volts), volts @ any_lab.mixer.matrix[:2], atol=ERROR)
    daq.write([0.0, 3.0])
    assert_allclose(any_lab.levels()[:3], [0.0, 3.0, 0.0], atol=ERROR)


def test_static_levels_are_one_vector(small: Lab) -> None:
    with pytest.raises(InputError, match="one vector, not 2"):
        small.open().write(np.zeros((2, 4)))


def test_digital_lines_are_set_and_made_safe(small: Lab) -> None:
    daq = small.open(lines="Dev1/port0/line0:2")
    daq.write_lines([True, False, True])
    assert small.system.lines("Dev1/port0/line0:2") == [True, False, True]
    with pytest.raises(InputError, match="2 states for 3 digital lines"):
        daq.write_lines([True, False])
    daq.make_safe()
    assert small.system.lines("Dev1/port0/line0:2") == [False, False, False]


def test_one_digital_line_is_enough(small: Lab) -> None:
    daq = small.open(lines="Dev1/port0/line4")
    daq.write_lines([True])
    assert small.system.lines("Dev1/port0/line4") == [True]
    daq.make_safe()
    assert small.system.lines("Dev1/port0/line4") == [False]


def test_lines_that_were_not_named_cannot_be_set(small: Lab) -> None:
    with pytest.raises(InputError, match="without digital lines"):
        small.open().write_lines([True])


def test_connecting_changes_no_output(any_lab: Lab) -> None:
    any_lab.open().write([4.0])
    before = any_lab.levels()
    any_lab.open()
    any_lab.opened[-1].close()
    assert_array_equal(any_lab.levels(), before)
    assert any_lab.mixer.played == []


def test_closing_changes_no_output_and_may_be_repeated(any_lab: Lab) -> None:
    daq = any_lab.open()
    daq.write([4.0])
    before = any_lab.levels()
    daq.close()
    daq.close()
    assert_array_equal(any_lab.levels(), before)


def test_making_safe_brings_every_output_to_zero(any_lab: Lab) -> None:
    daq = any_lab.open()
    daq.write(np.full(daq.output_count, 7.0))
    daq.make_safe()
    assert_allclose(any_lab.levels(), 0.0, atol=ERROR)


def test_making_safe_reads_the_outputs_back_where_the_device_can(
    small: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    daq = small.open()
    daq.write([0.0, 5.0])
    monkeypatch.setattr(
        daq._level_writer, "write_one_sample", lambda levels: None
    )  # a write that does nothing
    with pytest.raises(InstrumentError, match=r"Dev1/ao1 still reads 5 V"):
        daq.make_safe()


def test_an_interrupted_exchange_leaves_the_outputs_at_zero(lab: Lab) -> None:
    daq = lab.open()
    daq.write([5.0])
    lab.mixer.fails = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        daq.exchange(vectors(4, 4))
    assert_allclose(lab.levels(), 0.0, atol=ERROR)
    lab.mixer.fails = None
    volts = vectors(4, 4)
    assert_allclose(daq.exchange(volts), volts @ lab.mixer.matrix[:4], atol=ERROR)


# --- errors ----------------------------------------------------------------------------------------


def test_a_device_that_is_gone_is_named_and_the_unsafe_state_is_said(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    daq = lab.open()
    daq.exchange(vectors(4, 4))
    lab.system.unplug("PXI1Slot2")
    with pytest.raises(
        InstrumentError, match=r"playing a waveform .* -201003.*PXI1Slot2.*check its cable"
    ) as error:
        daq.exchange(vectors(4, 4))
    assert "NOT confirmed" in error.value.__notes__[0]
    assert "NOT confirmed" in caplog.text
    with pytest.raises(InstrumentError, match=r"outputs to 0 V \(NOT confirmed\)"):
        daq.make_safe()


def test_outputs_go_to_zero_even_when_the_inputs_are_gone(lab: Lab) -> None:
    daq = lab.open()
    daq.write([5.0])
    lab.system.unplug("Dev1")
    daq.make_safe()
    assert_allclose(lab.levels(), 0.0, atol=ERROR)


def test_digital_lines_go_low_even_when_the_outputs_are_gone(lab: Lab) -> None:
    daq = lab.open(lines="Dev1/port0/line0:1")
    daq.write_lines([True, True])
    lab.system.unplug("PXI1Slot2")
    with pytest.raises(InstrumentError, match="NOT confirmed"):
        daq.make_safe()
    assert lab.system.lines("Dev1/port0/line0:1") == [False, False]


def test_closing_a_device_that_is_gone_warns_and_lets_go(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    daq = lab.open()
    lab.system.unplug("PXI1Slot2")
    daq.close()
    assert "Device cannot be accessed" in caplog.text


@pytest.mark.parametrize(
    ("outputs", "inputs", "message"),
    [
        (
            "PXI1Slot2/ao0:32",
            "Dev1/ai0",
            r"connecting failed .* -200170.*Physical Channel Name: ao32.*bench file",
        ),
        ("PXI1Slot7/ao0", "Dev1/ai0", r"-200220: Device identifier is invalid.*check the device name"),
        ("PXI1Slot2/ao0", "PXI1Slot2/ai0", "-200170"),
    ],
)
def test_a_channel_that_does_not_exist_says_which(lab: Lab, outputs: str, inputs: str, message: str) -> None:
    with pytest.raises(InstrumentError, match=message):
        NIDaq(outputs, inputs, session=lab.system.selected)


def test_an_input_range_the_device_lacks_is_refused(lab: Lab) -> None:
    with pytest.raises(InstrumentError, match=r"-200077.*Maximum Value: 10.*choose ranges"):
        lab.open(input_range=20.0)


def test_without_a_clock_wire_two_chassis_cannot_share_a_clock(lab: Lab) -> None:
    with pytest.raises(InstrumentError, match=r"-89125.*wire the clock"):
        lab.open(clock_wire=None).exchange(vectors(2, 2))


def test_one_chassis_shares_the_clock_over_its_backplane() -> None:
    lab = one_chassis()
    daq = lab.open(clock_wire=None)
    volts = vectors(6, 16)
    assert_allclose(daq.exchange(volts), volts @ lab.mixer.matrix, atol=ERROR)
    daq.close()


def test_another_task_on_the_outputs_is_reported(lab: Lab) -> None:
    daq = lab.open()
    with lab.system.selected(), nidaqmx.Task() as other:
        other.ao_channels.add_ao_voltage_chan("PXI1Slot2/ao3")
        other.timing.cfg_samp_clk_timing(1e3)
        other.write(np.zeros(1000))
        other.start()
        with pytest.raises(InstrumentError, match=r"-50103.*PXI1Slot2/ao3.*close the other program"):
            daq.write([1.0])


def test_a_closed_daq_says_so() -> None:
    lab = one_device()
    daq = lab.open()
    daq.close()
    with pytest.raises(InstrumentError, match="it has been closed"):
        daq.write([1.0])


def test_without_ni_daqmx_the_message_says_how_to_go_on() -> None:
    try:
        nidaqmx.Task().close()
    except nidaqmx.errors.Error:
        with pytest.raises(InstrumentError, match=r"NI-DAQmx is not installed.*use the simulated bench"):
            NIDaq("Dev1/ao0", "Dev1/ai0")
    else:
        pytest.skip("NI-DAQmx is installed here")


# --- what goes into the run file -------------------------------------------------------------------


def test_identity_names_products_and_serial_numbers(lab: Lab) -> None:
    daq = lab.open()
    assert daq.identify().startswith("NI PXIe-6738 (PXI1Slot2, serial ")
    assert "NI USB-6363 (Dev1, serial " in daq.identify()


def test_settings_say_how_vectors_were_timed(lab: Lab) -> None:
    settings = lab.open(rate=10e3, input_range=4.0).settings()
    assert settings["outputs"] == "PXI1Slot2/ao0:31"
    assert settings["rate"] == "10000 1/s"
    assert settings["settle"] == "2e-05 s"
    assert settings["conversion_rate"] == "412500 1/s"
    assert settings["input_range"] == "5 V"  # the range of the device that holds 4 V
    assert settings["sample_clock"] == "/Dev1/PFI0"


@pytest.mark.slow
def test_a_million_vectors_in_one_exchange() -> None:
    lab = one_device()
    daq = lab.open()
    volts = vectors(1_000_000, 4)
    assert_allclose(daq.exchange(volts), volts @ lab.mixer.matrix, atol=ERROR)
    daq.close()


@pytest.mark.slow
def test_ten_thousand_exchanges_leave_nothing_behind() -> None:
    lab = two_chassis()
    daq = lab.open()
    for k in range(10_000):
        lab.mixer.played.clear()
        daq.exchange(vectors(1 + k % 3, 4, k))
    assert len(lab.system._interpreter._tasks) == 3
    assert len(lab.system._interpreter._clock._armed) == 0
    daq.close()
    assert lab.system._rack.held == {}
