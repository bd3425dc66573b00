"""A serial port that another program has: both would be given it on Linux, and each some of the replies."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mho import platforms
from mho.errors import InstrumentError
from mho.instruments.drivers.yokogawags210 import YokogawaGS210

HOLDING = "import os, sys, time; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print('held', flush=True); time.sleep(600)"

pytestmark = pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")


@pytest.fixture
def port() -> Iterator[str]:
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)
    os.close(theirs)
    yield name
    os.close(ours)


@pytest.mark.skipif(
    type(platforms.here).users_of is platforms.System.users_of, reason="this system does not tell it"
)
def test_the_program_that_has_a_port_is_named(port: str) -> None:
    assert platforms.here.users_of(port) == []
    with subprocess.Popen([sys.executable, "-c", HOLDING, port], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        said = rf"cannot be opened: process {holder.pid} \(.*python.*\) has {re.escape(port)} open, and would take"
        with pytest.raises(InstrumentError, match=said):
            YokogawaGS210(f"ASRL{port}::INSTR", "@py")
        holder.kill()
    assert platforms.here.users_of(port) == []


def test_who_has_a_port_does_not_matter_to_a_twin(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(platforms.here), "users_of", lambda self, device: [1])
    with pytest.raises(InstrumentError) as told:  # there is no twin at this port
        YokogawaGS210(f"ASRL{port}::INSTR", "@mho")
    assert "has" not in str(told.value)


@pytest.mark.parametrize(
    ("error", "taken"),
    [
        ("could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)", True),
        ("[Errno 16] Device or resource busy: '/dev/ttyUSB0'", True),
        (
            "could not open port 'COM9': FileNotFoundError(2, 'The system cannot find the file specified.', None, 2)",
            False,
        ),
    ],
)
def test_a_port_that_the_system_refuses_is_said_to_be_in_use_only_when_it_is(
    error: str, taken: bool, monkeypatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(error)

    monkeypatch.setattr("mho.instruments.drivers.languages.bus.VISAAdapter", refuse)
    with pytest.raises(InstrumentError) as told:
        YokogawaGS210("ASRL3::INSTR", "@py")
    assert ("another program has the port open" in str(told.value)) is taken
