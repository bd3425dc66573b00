"""The 2602B, 2612B and 2614B: what they do not have in common with the 2636B, driver and twin together."""

import numpy as np
import pytest
from wired_twins import Resistor, registered
from wired_twins import ask_all as ask

from mho.errors import InstrumentError, LimitError
from mho.instruments.bench_file.models import SOURCE_METERS
from mho.instruments.drivers.keithley2636b import Keithley2602B, Keithley2636B
from mho.instruments.simulated.clock import VirtualClock

ADDRESS = "TCPIP0::192.0.2.26::inst0::INSTR"
SISTERS = ("2602B", "2612B", "2614B")
FAMILY = (*SISTERS, "2636B")


def new_twin(model, **options):
    clock = VirtualClock()
    twin = SOURCE_METERS[f"keithley{model.lower()}"].load_twin()
    return twin(
        clock, np.random.default_rng(3), {1: Resistor(20e-6, clock)}, accuracy=0.0, noise=0.0, **options
    )


@pytest.fixture(params=SISTERS)
def model(request):
    return request.param


@pytest.fixture
def twin(model):
    return new_twin(model)


@pytest.fixture
def instrument(model, twin):
    with registered("sisters", {ADDRESS: twin}):
        instrument = SOURCE_METERS[f"keithley{model.lower()}"].load_driver()(ADDRESS, "sisters@mho")
        yield instrument
        instrument.close()


def test_each_reads_sweeps_and_pulses(instrument, model):
    smu = instrument.channel(1)
    assert f"Model {model}," in smu.identify()
    smu.configure(current_limit=1e-3, current_range=1e-3, nplc=0.01)
    smu.autozero = "ONCE"
    smu.enable()
    assert smu.read(0.5).current == pytest.approx(1e-5)
    assert [point.current for point in smu.sweep([0.1, 0.2])] == pytest.approx([2e-6, 4e-6])
    assert smu.pulse([1.0], width=1e-3, period=1e-2)[0].current == pytest.approx(2e-5)
    smu.make_safe()
    assert not smu.output_enabled


LIMITS = {
    "2602B": {
        "source_voltage": (40.4, 40.5), "source_voltage_range": (40.0, 41.0), "voltage_limit": (0.01, 0.009),
        "current_range": (3.0, 3.1),
    },
    "2612B": {
        "source_voltage": (202.0, 203.0), "source_voltage_range": (200.0, 201.0), "voltage_limit": (0.02, 0.019),
        "current_range": (1.5, 1.6),
    },
}  # fmt: skip
LIMITS["2614B"] = LIMITS["2612B"]
SMALLEST = {"current_range": (1e-7, 9e-8), "current_limit": (1e-8, 9e-9), "output_off_limit": (1e-8, 9e-9)}


def test_driver_and_twin_have_the_models_limits(instrument, model):
    smu = instrument.channel(1)
    for name, (right, wrong) in (*LIMITS[model].items(), *SMALLEST.items()):
        setattr(smu, name, right)
        assert getattr(smu, name) == pytest.approx(right)
        with pytest.raises(LimitError, match="beyond what the instrument can do"):
            setattr(smu, name, wrong)
        if name == "source_voltage":
            smu.source_voltage = 0.0


def test_a_fixed_range_beyond_the_model_is_refused_before_anything_is_sent():
    with pytest.raises(LimitError, match="source range 200 V"):
        Keithley2602B(ADDRESS, "nobody@mho", voltage_range=200.0)


def test_another_model_of_the_family_is_refused(twin):
    with registered("sisters", {ADDRESS: twin}), pytest.raises(InstrumentError, match="expected a 2636B"):
        Keithley2636B(ADDRESS, "sisters@mho")


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ("smua.source.limiti = 3 smua.source.levelv = 5", {"2612B", "2614B", "2636B"}),
        ("smua.source.limiti = 1.5 smua.source.levelv = 7", {"2602B"}),
        ("smua.source.limiti = 1 smua.source.levelv = 40", {"2612B", "2614B", "2636B"}),
        ("smua.source.limiti = 0.1 smua.source.levelv = 41", {"2602B"}),
        ("smua.source.limiti = 5e-9", {"2602B", "2612B", "2614B"}),
        ("smua.source.limitv = 0.015", {"2612B", "2614B", "2636B"}),
        ("smua.trigger.source.listv({100})", {"2602B"}),
        ("smua.source.rangei = 2", {"2612B", "2614B", "2636B"}),
        ("smua.measure.rangev = 100", {"2602B"}),
    ],
)
@pytest.mark.parametrize("which", FAMILY)
def test_the_twin_refuses_what_its_model_cannot(which, settings, refused):
    twin = new_twin(which)
    ask(twin, settings)
    assert (twin.status.next_error().code != 0) == (which in refused)


def test_ranges_and_limits_after_a_reset(twin, model):
    ranges = "smua.source.rangev, smua.source.rangei, smua.measure.lowrangei, smua.source.limitv, smua.source.limiti"
    values = [float(each) for each in ask(twin, f"reset() print({ranges})")[0].split("\t")]
    expected = [0.1, 1e-7, 1e-7, 40.0, 1.0] if model == "2602B" else [0.2, 1e-7, 1e-7, 20.0, 0.1]
    assert values == pytest.approx(expected)


@pytest.mark.parametrize("which", FAMILY)
def test_volts_beyond_20_need_the_interlock_where_there_is_one(which):
    twin = new_twin(which, interlock=False)
    ask(twin, "smua.source.levelv = 30 smua.source.output = 1")
    assert twin.status.next_error().code == (0 if which == "2602B" else 802)


@pytest.mark.parametrize("which", FAMILY)
def test_a_2614b_has_no_contact_check(which):
    twin = new_twin(which)
    assert ask(twin, "print(smua.contact == nil)") == ["true" if which == "2614B" else "false"]
