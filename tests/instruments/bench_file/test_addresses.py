"""However an instrument's address is written, it is one instrument; and two instruments are never one."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.bench_file.entries import canonical_address, daq_devices, every_spelling


def any_case(text: str) -> st.SearchStrategy[str]:
    """Every letter of `text` in either case."""
    return st.lists(st.booleans(), min_size=len(text), max_size=len(text)).map(
        lambda upper: "".join(c.upper() if up else c.lower() for c, up in zip(text, upper, strict=True))
    )


@st.composite
def spellings(draw, head: str, middle: str, kind: str) -> str:
    """One way to write an address: board and class may be left out, letters are of either case."""
    board = draw(st.sampled_from(["0", ""]))
    end = draw(st.sampled_from([f"::{kind}"] + ([""] if kind == "INSTR" else [])))
    return draw(st.sampled_from(["", " "])) + draw(any_case(f"{head}{board}::{middle}{end}"))


HOSTS = st.sampled_from(["localhost", "127.0.0.1", "[::1]", "localhost.", "127.0.0.2", socket.gethostname()])


@given(
    spellings("USB", "0x05E6::0x2450::SIM00001", "INSTR"),
    spellings("USB", "1510::9296::SIM00001::0", "INSTR"),
)
def test_one_usb_instrument_is_one(one, other):
    assert canonical_address(one) == canonical_address(other) == "USB0::0x05E6::0x2450::SIM00001::INSTR"


@given(
    spellings("USB", "0x05E6::0x2450::SIM00001", "RAW"), spellings("USB", "1510::9296::SIM00001::0", "INSTR")
)
def test_one_usb_instrument_is_one_by_either_protocol(one, other):
    assert canonical_address(one) == canonical_address(other)


@given(
    spellings("GPIB", "16", "INSTR"),
    spellings("GPIB", "016", "INSTR") | spellings("GPIB", "16::65535", "INSTR"),
)
def test_one_gpib_address_is_one(one, other):
    assert canonical_address(one) == canonical_address(other) == "GPIB0::16::INSTR"


@given(HOSTS, HOSTS, st.integers(1, 65535), st.data())
def test_every_name_of_this_machine_is_one(one, other, port, data):
    first, second = (data.draw(spellings("TCPIP", f"{host}::{port}", "SOCKET")) for host in (one, other))
    assert canonical_address(first) == canonical_address(second)
    assert every_spelling(first) & every_spelling(second)


@given(
    st.sampled_from(["", "::inst0", "::INST0", "::hislip0", "::hislip0,4880"]),
    st.sampled_from(["", "0", "3"]),
)
def test_the_ways_to_one_instrument_on_the_network_are_one(device, board):
    plain = canonical_address("TCPIP0::192.168.1.5::5025::SOCKET")
    assert (
        canonical_address(f"tcpip{board}::192.168.1.5{device}::instr")
        == plain
        == "TCPIP0::192.168.1.5::INSTR"
    )


@pytest.mark.parametrize("written", ["gpib0,5", "GPIB0,05", "gpib0,005::INSTR"])
def test_one_instrument_behind_a_gateway_is_one(written):
    assert canonical_address(f"TCPIP::192.168.1.5::{written}") == "TCPIP0::192.168.1.5::gpib0,5::INSTR"


@pytest.mark.parametrize("written", ["COM3", "com3", "ASRL3", "asrl3::instr", "ASRLCOM3::INSTR", r"\\.\COM3"])
def test_one_serial_port_is_one(written):
    assert canonical_address(written) == "ASRL3::INSTR"


def test_a_serial_port_is_one_by_each_of_its_files(tmp_path: Path):
    device, link = tmp_path / "ttyUSB0", tmp_path / "by-id"
    device.touch()
    link.symlink_to(device)
    assert every_spelling(f"ASRL{link}::INSTR") & every_spelling(f"ASRL{device}")


DIFFERENT = [
    "USB0::0x05E6::0x2450::SIM00001::INSTR", "USB0::0x05E6::0x2450::SIM00002::INSTR", "GPIB0::16::INSTR",
    "GPIB0::17::INSTR", "GPIB1::16::INSTR", "GPIB0::16::1::INSTR", "ASRL3::INSTR", "ASRL4::INSTR", "ASRL/dev/ttyS3::INSTR",
    "TCPIP0::192.168.1.5::INSTR", "TCPIP0::192.168.1.6::INSTR", "TCPIP0::localhost::5026::SOCKET",
    "TCPIP0::localhost::5027::SOCKET", "TCPIP0::192.168.1.5::gpib0,5::INSTR", "TCPIP0::192.168.1.5::gpib0,50::INSTR",
    "GPIB0::16::0::INSTR", "TCPIP0::192.168.1.5::gpib0,5,1::INSTR", "TCPIP0::192.168.1.5::1234::SOCKET",
    "TCPIP0::[fe80::1]::INSTR", "TCPIP0::[fe80::2]::INSTR", "MY_SMU", "YOUR_SMU",
]  # fmt: skip


def test_two_instruments_are_never_one():
    assert len({canonical_address(address) for address in DIFFERENT}) == len(DIFFERENT)
    kept = [key for address in DIFFERENT for key in every_spelling(address, lambda host: ())]
    assert len(set(kept)) == len(kept)


@given(st.sampled_from(DIFFERENT))
def test_a_spelling_that_is_the_one_stays(address):
    once = canonical_address(address)
    assert canonical_address(once) == once


@given(st.text(max_size=40))
def test_any_text_has_a_spelling(text):
    assert canonical_address(text)


def test_a_host_is_one_by_its_name_and_its_number():
    table = {"smu.lab": ["192.168.1.5"], "192.168.1.5": ["192.168.1.5"]}
    by_name = every_spelling("TCPIP0::smu.lab::inst0::INSTR", table.__getitem__)
    assert by_name == {"TCPIP0::smu.lab::INSTR", "TCPIP0::192.168.1.5::INSTR"}
    assert by_name & every_spelling("TCPIP::192.168.1.5", table.__getitem__)
    here = every_spelling("TCPIP0::bench-pc.lab::5026::SOCKET", lambda host: ["127.0.0.1"])
    assert "TCPIP0::localhost::5026::SOCKET" in here


@given(any_case("dev1"), st.sampled_from(["/ao0:3", "/ai0", "/ao7, /{}/ao9"]), st.sampled_from(["", "/"]))
def test_a_daq_is_one_whatever_its_channels_are(device, channels, slash):
    assert daq_devices(slash + device + channels.format(device)) == {"DAQ DEV1"}


def test_every_device_of_a_list_counts():
    assert daq_devices("PXI1Slot2/ao0:31, Dev1/ao0") == {"DAQ PXI1SLOT2", "DAQ DEV1"}


def test_one_instrument_in_two_spellings_in_one_file_is_refused(tmp_path: Path):
    text = load_bench_file("simulated").text
    path = tmp_path / "bench.toml"
    path.write_text(
        text.replace("USB0::0x05E6::0x2450::SIM00002::INSTR", "usb::0x05e6::0x2450::sim00001"), "utf-8"
    )
    with pytest.raises(BenchError, match=r"name one instrument as USB0.* and usb::.*: write it alike"):
        load_bench_file(str(path))
    path.write_text(text.replace("USB0::0x0957::0x2C07::SIM00003::INSTR", "asrl3"), "utf-8")
    with pytest.raises(BenchError, match="two instruments share the address ASRL3"):
        load_bench_file(str(path))
