"""Drivers of installed packages: their entry points are names that a bench file takes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from repository import ROOT

from mho.doctor.installation import check_packages
from mho.doctor.new_bench import Wired
from mho.errors import BenchError, InputError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.roles import Cell
from mho.running.trust import foreign

PROBES = (ROOT / "docs/benches/probe-station.toml").read_text("utf-8")
DEVICE = Cell("device", 0, 0)
SOURCE = """
from mho.instruments.drivers.keithley2400 import Keithley2400

class Meter(Keithley2400):
    twin = "mho.instruments.simulated.keithley2400:SimulatedKeithley2400"

class Gauge:
    twin = 3
    def __init__(self, address, visa_library=""): pass
    def identify(self): return "a gauge"
    def settings(self): return {}
    def make_safe(self): pass
    def close(self): pass
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a package of a lab with a module of drivers and their names."""

    def make(package: str, requires: str = "", **points: str) -> None:
        info = tmp_path / f"{package}-1.5.dist-info"
        info.mkdir()
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n{needs}")
        lines = (f"{name} = {package}_drivers:{kind}" for name, kind in points.items())
        (info / "entry_points.txt").write_text("[mho.instruments]\n" + "\n".join(lines) + "\n")
        (tmp_path / f"{package}_drivers.py").write_text(SOURCE)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, f"{package}_drivers", raising=False)

    return make


def bench(folder: Path, driver: str, more: str = "") -> str:
    """Return the path of a bench file whose meter is of another driver."""
    assert PROBES.count('driver = "keithley2400"') == 1
    text = PROBES.replace('driver = "keithley2400"', f'driver = "{driver}"') + more
    (folder / "probes.toml").write_text(text, "utf-8")
    for chip in (ROOT / "docs/benches").glob("*.toml"):
        if chip.name != "probes.toml":
            (folder / chip.name).write_bytes(chip.read_bytes())
    return str(folder / "probes.toml")


def test_a_name_of_an_installed_package_is_a_driver_with_its_twin(install, tmp_path):
    install("lab", LabMeter="Meter", gauge="Gauge")
    beside = '\n[instruments.chamber]\ndriver = "gauge"\nserves = []\n'
    source = load_bench_file(bench(tmp_path, "labmeter", beside))
    meter, gauge = source.bench.instruments.smu, source.bench.instruments.entry("chamber")
    assert (meter.driver, meter.kind) == ("lab_drivers:Meter", "source meter")
    assert (gauge.driver, gauge.kind, gauge.twin) == ("lab_drivers:Gauge", "beside", "")
    with open_rehearsal(source, seed=1) as opened:
        assert type(opened.instruments.smu).__name__ == "Meter"
        assert abs(opened.read(DEVICE)) < 1e-7
    # What the file's own `twin` names goes before the class's.
    other = "mho.instruments.simulated.keithley2450:SimulatedKeithley2450"
    own = load_bench_file(bench(tmp_path, f'labmeter"\ntwin = "{other}'))
    assert own.bench.instruments.smu.twin.endswith("SimulatedKeithley2450")


def test_the_kind_comes_from_the_class_whatever_the_instrument_is_called(install, tmp_path):
    install("lab", labmeter="Meter", gauge="Gauge")
    path = Path(bench(tmp_path, "labmeter"))
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("serves")]
    path.write_text("\n".join(lines), "utf-8")
    entries = load_bench_file(str(path)).bench.instruments
    assert entries.smu.kind == "source meter"


def test_a_package_s_driver_is_agreed_to_as_one_by_its_class(install, tmp_path):
    install("lab", labmeter="Meter")
    assert foreign("", 'driver = "labmeter"', "it") == ("lab_drivers:Meter",)
    assert foreign("", 'driver = "keithley2400"', "it") == ()
    assert foreign("", 'driver = "nowhere"', "it") == ()


def test_what_is_offered_is_listed(install, tmp_path):
    install("lab", labmeter="Meter")
    kind = PROBES.replace('driver = "keithley2400"', 'kind = "source meter"\ndriver = "labmetre"')
    (tmp_path / "wrong.toml").write_text(kind, "utf-8")
    with pytest.raises(
        BenchError, match=r"no such driver here; there are keithley.*packages offer labmeter of lab 1\.5$"
    ):
        load_bench_file(str(tmp_path / "wrong.toml"))
    with pytest.raises(
        InputError, match=r"there are keithley.*Installed packages offer labmeter of lab 1\.5"
    ):
        Wired.parse("labmetre@GPIB0::1::INSTR", "read")
    found = {one.topic: one.found for one in check_packages(None)}
    assert found["drivers"] == "labmeter of lab 1.5"


def test_a_name_that_two_packages_give_or_one_for_another_mho_is_told(install, tmp_path):
    for package in ("lab", "labtwo"):
        install(package, labmeter="Meter")
    said = "several packages have a driver 'labmeter'; name one as lab_drivers:Meter or labtwo_drivers:Meter"
    for more in ("", 'labmeter"\nkind = "source meter'):
        with pytest.raises(BenchError, match=said):
            load_bench_file(bench(tmp_path, more or "labmeter"))
    assert load_bench_file(bench(tmp_path, "labtwo_drivers:Meter")).bench.instruments.smu is not None
    install("old", "mho>=99", oldmeter="Meter")
    with pytest.raises(BenchError, match=r"old 1\.5 is made for mho >=99"):
        load_bench_file(bench(tmp_path, "oldmeter"))
