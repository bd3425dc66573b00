"""What every kind of DAQ must do on a bench: NI's clocked one, NI outputs with a scanning DAQ6510, the board's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from daily import daily

from mho import run
from mho.errors import BenchError, ConnectionRestored, InputError, InstrumentError, LimitError
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.twins_for_real import stand_in
from mho.instruments.roles import Daq
from mho.instruments.simulated.faults import Fault
from mho.procedures import Solve

TEXT = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
NI = TEXT[TEXT.index("[instruments.daq]") : TEXT.index("[instruments.board]")]
METER = "USB0::0x05E6::0x6510::SIM00006::INSTR"
SECTIONS = {
    "ni_daq": NI,
    "keithleydaq6510": f"""[instruments.daq]
driver = "keithleydaq6510"
address = "{METER}"
inputs = "101:108,110"
outputs = "PXI1Slot2/ao0:7"
nplc = 0.01
products = {{ PXI1Slot2 = "PXIe-6738" }}

""",
    "array_board": '[instruments.daq]\ndriver = "array_board"\n\n',
}
FORM = Pulse("set", 4.0, 1e-6, 1.6)


def bench_file(folder: Path, section: str, *changes: tuple[str, str]) -> str:
    text = TEXT.replace(NI, section)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "bench.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture(params=SECTIONS)
def path(request, tmp_path) -> str:
    return bench_file(tmp_path, SECTIONS[request.param])


@pytest.fixture
def bench(path) -> Iterator[Bench]:
    with open_bench(path, preset="ideal", seed=1) as opened:
        yield opened


@pytest.fixture
def formed(bench) -> Bench:
    """A bench with a block of two rows and two columns, its diagonal formed."""
    for number in range(2):
        bench.pulse(Cell("multiply", number, number), FORM)
    bench.diagonal = np.array([bench.read(Cell("multiply", number, number)) for number in range(2)])
    bench.connect_multiply("multiply", [0, 1], [0, 1])
    return bench


def held(bench: Bench) -> float:
    """Largest magnitude at the outputs, V."""
    return float(np.abs(bench.laboratory.held_vector()).max(initial=0.0))


def test_it_fills_its_role(bench):
    daq = bench.instruments.daq
    assert isinstance(daq, Daq)
    outputs, inputs = bench.vector_size
    assert outputs >= 5
    assert inputs >= 5
    assert daq.identify()
    assert "output_range" in daq.settings()
    assert bench.identities()["daq"]["identity"] == daq.identify()


@pytest.mark.parametrize("samples", daily([1, 2, 7], [7]))
def test_each_vector_has_its_product_and_the_outputs_end_at_zero(formed, samples):
    volts = np.random.default_rng(3).uniform(-0.3, 0.3, (samples, 2))
    currents = formed.multiply(volts)
    assert currents.shape == (samples, 2)
    np.testing.assert_allclose(currents, volts * formed.diagonal, rtol=0.02, atol=0.05e-6)
    assert held(formed) < 5e-3
    assert formed.laboratory.incidents == []


def test_fewer_vectors_elements_than_outputs_leave_the_others_at_zero(formed):
    answer = formed.instruments.daq.exchange(np.array([[0.2]]))
    assert answer.shape == (1, formed.vector_size[1])
    assert answer[0, 0] < -0.05
    assert abs(answer[0, 1]) < 0.01


def test_a_loop_is_inverted(path):
    with open_bench(path, preset="ideal", seed=1) as bench:
        cell = Cell("invert_positive", 0, 0)
        bench.pulse(cell, FORM)
        g = bench.read(cell)
        bench.connect_invert("invert_positive", [0], [0])
        volts = np.array([[0.1], [-0.2]])
        np.testing.assert_allclose(bench.invert(volts), -volts * bench.input_conductance / g, rtol=0.02)


@pytest.mark.parametrize("volts", daily([11.0, -11.0, np.nan, np.inf], [11.0, np.nan]))
def test_a_vector_beyond_the_outputs_is_refused_before_anything_is_sent(formed, volts):
    before = {name: traffic.messages for name, traffic in formed.laboratory.traffic.items()}
    with pytest.raises(LimitError, match=r"sample 1"):
        formed.instruments.daq.exchange(np.array([[0.0, 0.0], [0.1, volts]]))
    after = {name: traffic.messages for name, traffic in formed.laboratory.traffic.items()}
    assert {name for name in after if after[name] != before.get(name)} <= {
        "ASRL3::INSTR"
    }  # it may ask for its range
    assert held(formed) < 5e-3


def test_vectors_of_a_wrong_shape_are_refused(formed):
    with pytest.raises(InputError, match=r"shape \(1, 99\)"):
        formed.instruments.daq.exchange(np.zeros((1, 99)))


@pytest.mark.parametrize(("rows", "columns"), [(99, 1), (1, 99)])
def test_a_block_wider_than_its_channels_is_refused(bench, rows, columns):
    with pytest.raises(
        BenchError, match=rf"a block of {rows} rows and {columns} columns does not fit the DAQ's"
    ):
        bench.connect_multiply("multiply", range(rows), range(columns))
    assert bench.laboratory.board.mode == "SAFE"


def test_it_is_made_safe_and_used_again(formed):
    formed.instruments.daq.make_safe()
    formed.instruments.daq.make_safe()
    assert held(formed) < 5e-3
    formed.safe()
    formed.connect_multiply("multiply", [0, 1], [0, 1])
    assert np.isfinite(formed.multiply(np.array([[0.1, 0.1]]))).all()


@pytest.mark.thorough
def test_a_matrix_is_solved(tmp_path, path, request):
    root = request.config.rootpath / "mho/chip_maps/matrices"
    solved = run(
        Solve(matrix=str(root / "zuo2025-4x4.mtx"), rhs=str(root / "zuo2025-4x4-rhs.mtx"), bits=6),
        bench=path,
        preset="pku",
        seed=5,
        output=tmp_path / "run.h5",
    )
    assert solved.converged


# --- the scanned one ---


@pytest.fixture
def scanned(tmp_path) -> Iterator[Bench]:
    with open_bench(bench_file(tmp_path, SECTIONS["keithleydaq6510"]), preset="ideal", seed=1) as opened:
        opened.connect_multiply("multiply", [0, 1], [0, 1])
        yield opened


@pytest.mark.parametrize("kind", ["timeout", "error", "disconnect"])
def test_a_scanner_that_fails_leaves_the_outputs_at_zero(scanned, kind):
    scanned.laboratory.faults.append(Fault(METER, kind, match=b":INIT"))
    with pytest.raises(InstrumentError, match="DAQ6510"):
        scanned.multiply(np.full((3, 2), 0.2))
    assert held(scanned) < 5e-3
    scanned.laboratory.faults.clear()


def test_a_scanner_in_the_middle_of_a_vector_is_interrupted_with_the_outputs_at_zero(scanned, monkeypatch):
    meter = scanned.laboratory.devices[METER]
    scans = []

    def interrupted(channel):
        scans.append(held(scanned))
        raise KeyboardInterrupt

    monkeypatch.setattr(meter, "_measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scanned.instruments.daq.exchange(np.full((3, 2), 0.2))
    assert scans == [pytest.approx(0.2, rel=0.02)]
    assert held(scanned) < 5e-3


def test_connecting_configures_no_scanner_and_its_relays_end_open(scanned):
    meter = scanned.laboratory.devices[METER]
    assert set(meter._channels[101].nplc.values()) == {1.0}
    scanned.multiply(np.zeros((1, 2)))
    assert meter._channels[101].nplc["VOLT"] == 0.01
    assert meter._channels[109].nplc["VOLT"] == 1.0  # not in use
    meter.write(b":ROUT:CLOS (@101)\n")
    scanned.safe()
    assert not meter.closed


def test_a_scanner_whose_connection_comes_back_is_configured_anew(tmp_path):
    section = SECTIONS["keithleydaq6510"].replace("nplc =", "reconnect = { tries = 3, wait = 0.1 }\nnplc =")
    with open_bench(bench_file(tmp_path, section), preset="ideal", seed=1) as bench:
        bench.connect_multiply("multiply", [0], [0])
        bench.multiply(np.zeros((1, 1)))
        bench.laboratory.faults.append(Fault(METER, "disconnect", match=b":INIT", opens=1))
        with pytest.raises(ConnectionRestored, match="was lost during 'exchange' and is back"):
            bench.instruments.daq.exchange(np.zeros((1, 1)))
        bench.laboratory.devices[METER].write(b"*RST\n")
        bench.connect_multiply("multiply", [0], [0])
        assert abs(bench.multiply(np.zeros((1, 1)))[0, 0]) < 1e-6
        assert bench.laboratory.devices[METER]._channels[101].nplc["VOLT"] == 0.01


@pytest.mark.parametrize("lost", [b":READ:ARR", b":ROUT:PATH", b":ROUT:BLOC"])
def test_a_board_whose_connection_comes_back_serves_both_of_its_roles_again(tmp_path, lost, caplog):
    again = (
        'address = "ASRL3::INSTR"',
        'address = "ASRL3::INSTR"\nreconnect = { tries = 3, wait = 0.1 }',
    )
    with open_bench(bench_file(tmp_path, SECTIONS["array_board"], again), preset="ideal", seed=1) as bench:

        def use() -> float:
            g = bench.read(Cell("multiply", 0, 0))
            bench.connect_multiply("multiply", [0], [0])
            return g + float(bench.multiply(np.full((1, 1), 0.1))[0, 0])

        bench.pulse(Cell("multiply", 0, 0), FORM)
        expected = use()
        bench.laboratory.faults.append(Fault("ASRL3::INSTR", "disconnect", match=lost, opens=2))
        assert use() == pytest.approx(expected, rel=0.05)
        assert "is connected again, its outputs off" in caplog.text
        bench.laboratory.clock.advance(60.0)  # somebody looks into it; the board is fed meanwhile
        assert use() == pytest.approx(expected, rel=0.05)
        assert bench.laboratory.board.watchdog == 2.0
        assert bench.laboratory.incidents == []


# --- in the bench file ---


@pytest.mark.parametrize(
    ("driver", "change", "complaint"),
    [
        ("ni_daq", ('inputs = "Dev1/ai0:31"\n', ""), "`inputs` is missing: driver ni_daq needs outputs and inputs"),
        ("ni_daq", ('outputs =', 'address = "GPIB0::3::INSTR"\noutputs ='), "driver ni_daq has no use for `address`"),
        ("keithleydaq6510", (f'address = "{METER}"\n', ""), "`address` is missing: driver keithleydaq6510 needs"),
        ("keithleydaq6510", ('"101:108,110"', '"ai0:3"'), "inputs 'ai0:3' are no channels of a DAQ6510"),
        ("keithleydaq6510", ('"101:108,110"', '"101:104,103"'), "inputs '101:104,103': no channel, or one twice"),
        ("keithleydaq6510", ("nplc = 0.01", "nplc = 20"), "nplc (line 31): Input should be less than or equal to 12"),
        ("keithleydaq6510", (METER, "ASRL3::INSTR"), "two instruments share the address ASRL3::INSTR"),
        ("array_board", ('driver = "array_board"', 'driver = "array_board"\ninputs = "0:31"'),
         "driver array_board has no use for `inputs`: leave it out"),
        ("array_board", ('driver = "array_board"', 'driver = "array_board"\nreconnect = { tries = 1 }'),
         "the board's converters share its connection: give `reconnect` to the board"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_its_section_is_said(tmp_path, driver, change, complaint):
    with pytest.raises(BenchError) as refused:
        load_bench_file(bench_file(tmp_path, SECTIONS[driver], change))
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("driver", SECTIONS)
def test_a_real_bench_is_rehearsed_with_it(tmp_path, driver):
    start, end = "[simulation]", "[instruments.smu]"
    path = Path(bench_file(tmp_path, SECTIONS[driver].replace("products", "# products")))
    text = path.read_text("utf-8")
    path.write_text(text[: text.index(f"\n{start}")] + "\n" + text[text.index(end) :], encoding="utf-8")
    source = stand_in(load_bench_file(str(path)), "ideal")
    wanted = {"ni_daq": {"PXI1Slot2", "Dev1"}, "keithleydaq6510": {"PXI1Slot2"}, "array_board": set()}
    assert set(source.bench.instruments.daq.products) == wanted[driver]


def test_the_board_is_opened_once_for_both_of_its_roles_and_closed_twice_without_harm(tmp_path):
    with contextlib.closing(open_bench(bench_file(tmp_path, SECTIONS["array_board"]), seed=1)) as bench:
        assert bench.instruments.daq is bench.instruments.board.converters
