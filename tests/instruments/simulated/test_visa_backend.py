"""The PyVISA backend behaves as a VISA library does: opening, framing, time outs, locks, events, faults."""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import pyvisa
from pyvisa import constants
from pyvisa.constants import EventMechanism, EventType, StatusCode

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.scpi.instrument import ScpiDevice, Setting
from mho.instruments.simulated.scpi.parameters import BlockParameter, Numeric
from mho.instruments.simulated.visa import backend
from mho.instruments.simulated.visa.backend import MhoVisaLibrary, register_rack, unregister_rack

USB = "USB0::0x05E6::0x2450::SIM00001::INSTR"
SERIAL = "ASRL3::INSTR"
SOCKET = "TCPIP0::192.168.1.5::5025::SOCKET"
LAN = "TCPIP0::scope.local::inst0::INSTR"
GPIB = "GPIB0::24::INSTR"
NAMES = (USB, SERIAL, SOCKET, LAN, GPIB)


class Meter(ScpiDevice):
    identity = "MHO,METER,{serial},1"
    level = Setting(":LEVel", Numeric(0.0, -10.0, 10.0, unit="V"))
    data = Setting(":DATA", BlockParameter())


@pytest.fixture
def rack():
    clock = VirtualClock()
    devices = {name: Meter(clock, np.random.default_rng(0), serial=str(i)) for i, name in enumerate(NAMES)}
    rack = SimpleNamespace(clock=clock, devices=devices, faults=[])
    register_rack("visa-test", rack)
    yield rack
    unregister_rack("visa-test")


@pytest.fixture
def manager(rack):
    return pyvisa.ResourceManager("visa-test@mho")


def opened(manager, name=USB, **options):
    return manager.open_resource(name, **{"read_termination": "\n", "write_termination": "\n", **options})


def status_of(error):
    return error.value.error_code


@pytest.mark.parametrize(("name", "number"), list(zip(NAMES, "01234", strict=True)))
def test_every_kind_of_resource_answers(manager, name, number):
    with opened(manager, name) as instrument:
        assert instrument.query("*IDN?") == f"MHO,METER,{number},1"
        assert instrument.last_status in (StatusCode.success, StatusCode.success_termination_character_read)


def test_resources_are_listed_by_expression(manager):
    assert manager.list_resources("?*") == NAMES
    assert manager.list_resources() == (USB, SERIAL, LAN, GPIB)
    assert manager.list_resources("USB?*") == (USB,)
    info = manager.list_resources_info("GPIB?*")[GPIB]
    assert (info.interface_type, info.interface_board_number) == (constants.InterfaceType.gpib, 0)


@pytest.mark.parametrize(
    "spelling",
    [
        "usb::0x05E6::0x2450::SIM00001",
        "USB0::0x05E6::0x2450::SIM00001::0::INSTR",
        "usb0::0x05e6::0x2450::sim00001",
    ],
)
def test_a_resource_is_found_under_any_spelling_of_its_name(manager, spelling):
    with opened(manager, spelling) as instrument:
        assert instrument.query("*IDN?") == "MHO,METER,0,1"


def test_an_unknown_resource_is_not_found(manager):
    with pytest.raises(pyvisa.VisaIOError) as error:
        manager.open_resource("GPIB0::1::INSTR")
    assert status_of(error) == StatusCode.error_resource_not_found


def test_reading_nothing_times_out_at_once_on_the_virtual_clock(manager, rack):
    with opened(manager, timeout=30_000) as instrument:
        with pytest.raises(pyvisa.VisaIOError) as error:
            instrument.read()
        assert status_of(error) == StatusCode.error_timeout
        assert instrument.last_status == StatusCode.error_timeout
        assert rack.clock.now == 30.0
        instrument.timeout = None
        with pytest.raises(pyvisa.VisaIOError):
            instrument.read()
        assert rack.clock.now == 30.0
        assert instrument.query("SYST:ERR?") == '-420,"Query UNTERMINATED"'


def test_a_reply_may_be_read_in_pieces(manager):
    with opened(manager, LAN) as instrument:
        instrument.write("*IDN?;*IDN?;*IDN?")
        assert instrument.read_bytes(3) == b"MHO"
        assert instrument.read_raw(2) == b",METER,3,1;MHO,METER,3,1;MHO,METER,3,1\n"


def test_binary_values_come_back(manager):
    with opened(manager) as instrument:
        values = np.arange(5000.0)
        instrument.write_binary_values("DATA ", values, datatype="d")
        back = instrument.query_binary_values("DATA?", datatype="d", container=np.array)
        assert np.array_equal(back, values)


@pytest.mark.parametrize("name", [SERIAL, SOCKET])
def test_streams_keep_every_reply_and_frame_on_line_feeds(manager, name):
    with opened(manager, name) as instrument:
        instrument.write("*IDN?")
        instrument.write("LEV?")
        assert instrument.read().startswith("MHO")
        assert instrument.read() == "+0.000000E+00".lstrip("+")
        assert instrument.query("SYST:ERR?") == '0,"No error"'
        instrument.write_raw(b"LE")
        instrument.write_raw(b"V 3\n")
        assert float(instrument.query("LEV?")) == 3.0


def test_an_instr_message_needs_no_terminator_and_interrupts_an_unread_reply(manager):
    with opened(manager, write_termination="") as instrument:
        instrument.write("*IDN?")
        assert float(instrument.query("LEV?")) == 0.0
        assert instrument.query("SYST:ERR?") == '-410,"Query INTERRUPTED"'
        instrument.send_end = False
        instrument.write("LE")
        instrument.send_end = True
        instrument.write("V 2")
        assert float(instrument.query("LEV?")) == 2.0


def test_attributes_have_visas_defaults_and_are_checked(manager):
    with opened(manager, SERIAL) as port:
        assert (port.baud_rate, port.data_bits, port.timeout) == (9600, 8, 2000)
        port.baud_rate = 115_200
        port.parity = constants.Parity.even
        assert (port.baud_rate, port.parity) == (115_200, constants.Parity.even)
        port.write("*IDN?")
        assert port.bytes_in_buffer == len("MHO,METER,1,1\n")
        port.flush(constants.BufferOperation.discard_read_buffer)
        assert port.bytes_in_buffer == 0
        for attribute, state in ((constants.ResourceAttribute.asrl_parity, 77), (0x3FFF_FFFF, 0)):
            with pytest.raises(pyvisa.VisaIOError):
                port.set_visa_attribute(attribute, state)
        with pytest.raises(pyvisa.VisaIOError) as error:
            port.set_visa_attribute(constants.ResourceAttribute.interface_type, 1)
        assert status_of(error) == StatusCode.error_attribute_read_only
    with opened(manager) as usb:
        assert (usb.manufacturer_id, usb.model_code, usb.serial_number) == (0x05E6, 0x2450, "SIM00001")
        assert usb.resource_class == "INSTR"
        assert usb.interface_type == constants.InterfaceType.usb
    with opened(manager, GPIB) as gpib:
        assert (gpib.primary_address, gpib.send_end) == (24, True)


def test_an_exclusive_lock_keeps_others_out(manager, rack):
    one, two = opened(manager), opened(manager)
    with one.lock_context():
        assert one.lock_state == constants.AccessModes.exclusive_lock
        with pytest.raises(pyvisa.VisaIOError) as error:
            two.query("*IDN?")
        assert status_of(error) == StatusCode.error_resource_locked
        with pytest.raises(pyvisa.VisaIOError):
            two.lock_excl(timeout=5000)
        assert rack.clock.now == 5.0
        assert one.query("*IDN?")
    assert two.query("*IDN?")
    with pytest.raises(pyvisa.VisaIOError) as error:
        two.unlock()
    assert status_of(error) == StatusCode.error_session_not_locked


def test_a_shared_lock_admits_those_who_know_the_key_and_ends_with_the_session(manager):
    one, two, three = opened(manager), opened(manager), opened(manager)
    key = one.lock()
    assert two.lock(requested_key=key) == key
    assert two.query("*IDN?")
    with pytest.raises(pyvisa.VisaIOError):
        three.lock(requested_key="guess")
    with pytest.raises(pyvisa.VisaIOError):
        three.query("*IDN?")
    with pytest.raises(pyvisa.VisaIOError):
        one.lock_excl()
    one.close()
    two.close()
    assert three.query("*IDN?")


def test_a_resource_may_be_locked_as_it_is_opened(manager):
    one = opened(manager, access_mode=constants.AccessModes.exclusive_lock)
    with pytest.raises(pyvisa.VisaIOError):
        opened(manager, access_mode=constants.AccessModes.exclusive_lock)
    one.close()
    opened(manager, access_mode=constants.AccessModes.exclusive_lock).close()


def test_service_requests_are_queued_one_by_one_with_fresh_contexts(manager, rack):
    with opened(manager) as instrument:
        instrument.write("*ESE 32;*SRE 32")
        instrument.enable_event(EventType.service_request, EventMechanism.queue)
        instrument.write("FOO")
        instrument.query("*ESR?")
        instrument.write("FOO")
        first = instrument.wait_on_event(EventType.service_request, 1000)
        second = instrument.wait_on_event(EventType.service_request, 1000)
        assert first.event.event_type == EventType.service_request
        assert first.event.context != second.event.context
        assert instrument.read_stb() & 0x40
        assert not instrument.read_stb() & 0x40
        late = instrument.wait_on_event(EventType.service_request, 2500, capture_timeout=True)
        assert late.timed_out
        assert rack.clock.now == 2.5
        instrument.disable_event(EventType.service_request, EventMechanism.queue)
        with pytest.raises(pyvisa.VisaIOError) as error:
            instrument.wait_on_event(EventType.service_request, 0)
        assert status_of(error) == StatusCode.error_not_enabled


def test_gpib_waits_for_a_service_request(manager):
    with opened(manager, GPIB) as instrument:
        instrument.enable_event(EventType.service_request, EventMechanism.queue)
        instrument.write("*ESE 1;*SRE 32;*CLS;*OPC")
        instrument.wait_for_srq(1000)
        assert int(instrument.query("*ESR?")) == 1


def test_handlers_hear_of_service_requests_once_each(manager, rack):
    with opened(manager) as instrument, opened(manager) as other:
        heard = []

        def handler(session, event_type, context, user_handle):
            kind, _ = instrument.visalib.get_attribute(context, constants.EventAttribute.event_type)
            heard.append((session, event_type, kind, user_handle))

        with pytest.raises(pyvisa.VisaIOError) as error:
            instrument.enable_event(EventType.service_request, EventMechanism.handler)
        assert status_of(error) == StatusCode.error_handler_not_installed
        instrument.install_handler(EventType.service_request, handler, "mine")
        instrument.write("*ESE 32;*SRE 32")
        instrument.write("FOO")
        instrument.query("*ESR?")
        instrument.enable_event(EventType.service_request, EventMechanism.handler)
        assert heard == []  # what was before does not count
        other.write("FOO")
        request = EventType.service_request
        assert heard == [(instrument.session, request, request, "mine")]
        instrument.query("*ESR?")
        instrument.disable_event(EventType.all_enabled, EventMechanism.all)
        instrument.write("FOO")
        assert len(heard) == 1
        instrument.uninstall_handler(EventType.service_request, handler, "mine")


def test_an_asynchronous_read_that_finds_nothing_completes_as_timed_out(manager):
    with opened(manager) as instrument:
        instrument.enable_event(EventType.io_completion, EventMechanism.queue)
        data, job, _ = instrument.visalib.read_asynchronously(instrument.session, 100)
        assert data == b""
        response = instrument.wait_on_event(EventType.all_enabled, 100)
        assert response.event.status == StatusCode.error_timeout
        assert (response.event.job_id, response.event.return_count) == (job, 0)
        assert instrument.wait_on_event(EventType.io_completion, 100, capture_timeout=True).timed_out


def test_a_message_before_the_reply_is_read_to_its_end_interrupts_it(manager):
    with opened(manager) as instrument:
        instrument.write("*IDN?")
        assert instrument.read_bytes(3) == b"MHO"
        assert float(instrument.query("LEV?")) == 0.0
        assert instrument.query("SYST:ERR?") == '-410,"Query INTERRUPTED"'


def test_the_end_of_a_message_counts_more_than_its_termination_character(manager):
    for name, status in ((USB, StatusCode.success), (SERIAL, StatusCode.success_termination_character_read)):
        with opened(manager, name) as instrument:
            instrument.write("*IDN?")
            assert instrument.visalib.read(instrument.session, 100)[1] == status


def test_clear_and_trigger_reach_the_instrument(manager):
    with opened(manager) as instrument:
        instrument.write("*IDN?")
        instrument.clear()
        instrument.assert_trigger()
        assert instrument.query("SYST:ERR?") == '-211,"Trigger ignored"'


def test_a_closed_session_refuses(manager):
    instrument = opened(manager)
    instrument.close()
    with pytest.raises(pyvisa.InvalidSession):
        instrument.query("*IDN?")
    with pytest.raises(pyvisa.VisaIOError) as error:
        manager.visalib.read(4711, 10)
    assert status_of(error) == StatusCode.error_invalid_object


def test_status_codes_are_explained(manager):
    text, _ = manager.visalib.status_description(manager.session, StatusCode.error_timeout)
    assert "Timeout" in text


def test_a_lost_reply_times_out_and_the_next_message_works(manager, rack):
    rack.faults.append(Fault(USB, "timeout", match=b"LEV", after=1))
    with opened(manager) as instrument:
        instrument.query("LEV?")
        with pytest.raises(pyvisa.VisaIOError) as error:
            instrument.query("LEV 4;LEV?")
        assert status_of(error) == StatusCode.error_timeout
        assert float(instrument.query("LEV?")) == 4.0


def test_an_injected_error_is_found_in_the_queue(manager, rack):
    rack.faults.append(Fault(USB, "error", match=b"LEV 1", code=-310, times=2))
    with opened(manager) as instrument:
        replies = [instrument.query(f"LEV {level};:SYST:ERR?") for level in (2, 1, 1, 1)]
        assert [int(reply.split(",")[0]) for reply in replies] == [0, -310, -310, 0]


def test_a_lost_connection_fails_until_it_is_back(manager, rack):
    fault = Fault(USB, "disconnect", match=b"LEV 1")
    rack.faults.append(fault)
    with opened(manager) as instrument, opened(manager, GPIB) as other:
        instrument.write("LEV 3")
        for attempt in (
            lambda: instrument.write("LEV 1"),
            instrument.read,
            instrument.read_stb,
            instrument.clear,
        ):
            with pytest.raises(pyvisa.VisaIOError) as error:
                attempt()
            assert status_of(error) == StatusCode.error_connection_lost
        assert other.query("*IDN?")
        rack.faults.clear()
        assert float(instrument.query("LEV?")) == 3.0


def test_one_name_is_one_manager_and_one_rack(manager, rack):
    assert pyvisa.ResourceManager("visa-test@mho") is manager
    with pytest.raises(ValueError, match="registered already"):
        register_rack("visa-test", SimpleNamespace(clock=VirtualClock(), devices={}))
    library = MhoVisaLibrary("visa-test")
    assert pyvisa.ResourceManager(library) is manager


def test_the_environment_may_choose_the_backend(rack, monkeypatch):
    monkeypatch.setenv("PYVISA_LIBRARY", "visa-test@mho")
    with opened(pyvisa.ResourceManager()) as instrument:
        assert instrument.query("*IDN?") == "MHO,METER,0,1"


def test_the_rack_outlives_a_manager_that_nobody_holds(rack):
    opened(pyvisa.ResourceManager("visa-test@mho")).write("LEV 5")
    gc.collect()
    with opened(pyvisa.ResourceManager("visa-test@mho")) as instrument:
        assert float(instrument.query("LEV?")) == 5.0


def test_an_unregistered_rack_is_let_go_and_its_name_is_free():
    clock = VirtualClock()
    first = SimpleNamespace(
        clock=clock, devices={GPIB: Meter(clock, np.random.default_rng(0), serial="first")}
    )
    register_rack("visa-again", first)
    instrument = opened(pyvisa.ResourceManager("visa-again@mho"), GPIB)
    assert "first" in instrument.query("*IDN?")
    device, library = weakref.ref(first.devices[GPIB]), weakref.ref(instrument.visalib)
    unregister_rack("visa-again")
    with pytest.raises(pyvisa.InvalidSession):
        instrument.query("*IDN?")
    second = SimpleNamespace(
        clock=clock, devices={GPIB: Meter(clock, np.random.default_rng(0), serial="next")}
    )
    register_rack("visa-again", second)
    other = opened(pyvisa.ResourceManager("visa-again@mho"), GPIB)
    assert "next" in other.query("*IDN?")  # although the old library is still alive
    unregister_rack("visa-again")
    del first, instrument, other
    gc.collect()
    assert device() is None
    assert library() is None


def test_the_backend_is_listed_for_pyvisa_info():
    assert "mho" in pyvisa.highlevel.list_backends()
    assert pyvisa.highlevel.get_wrapper_class("mho") is MhoVisaLibrary
    assert "simulated" in MhoVisaLibrary.get_debug_info()["Backend"]


def test_a_name_that_nobody_registered_is_built_by_who_was_named_for_it(rack, monkeypatch):
    asked = []
    monkeypatch.setattr(backend, "_builders", [])
    with pytest.raises(ValueError, match=r"no rack is named 'lab\.toml'; there are visa-test"):
        backend.find_rack("lab.toml")
    backend.build_others_by(lambda name: (asked.append(name), rack)[1])
    assert backend.find_rack("lab.toml") is backend.find_rack(backend.PACKAGED_BENCH) is rack
    assert asked == ["lab.toml", ""]
