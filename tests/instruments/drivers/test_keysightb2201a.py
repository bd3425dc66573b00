"""The B2201A's driver and its simulated twin, together through PyVISA and each against the manual's wire."""

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.test import expected_protocol
from wired_twins import ask, error_of

from mho.errors import InstrumentError, LimitError
from mho.instruments.bench_file.models import SWITCH_MATRICES
from mho.instruments.bench_file.switch_paths import NAMES, SLOTS
from mho.instruments.drivers.keysightb2201a import KeysightB2201A
from mho.instruments.roles import SwitchMatrix
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.keithley707b import CROSSPOINTS as OF_707B
from mho.instruments.simulated.keysightb2201a import CROSSPOINTS, SimulatedKeysightB2201A

ADDRESS = "GPIB0::22::INSTR"


@pytest.fixture
def moves():
    return []


@pytest.fixture
def twin(moves):
    clock = VirtualClock()
    return SimulatedKeysightB2201A(
        clock, np.random.default_rng(1), cards=2, on_switch=lambda closed: moves.append((clock.now, closed))
    )


@pytest.fixture
def matrix(rack):
    instrument = KeysightB2201A(ADDRESS, "bench@mho", cards=2)
    yield instrument
    instrument.close()


def send(device, message):
    device.write(message.encode("latin-1"))


# --- driver and twin together ---


def test_it_is_a_switch_matrix(matrix):
    assert isinstance(matrix, SwitchMatrix)
    assert matrix.identify() == "Keysight Technologies,B2201A,0,A.04.00"
    assert SWITCH_MATRICES["keysightb2201a"].load_driver() is KeysightB2201A
    assert SWITCH_MATRICES["keysightb2201a"].load_twin() is SimulatedKeysightB2201A


def test_paths_close_beside_each_other_and_open_together(matrix):
    assert matrix.closed() == ()
    matrix.close_paths(["10103", "10205"])
    assert matrix.closed() == ("10103", "10205")
    matrix.close_paths(["21412"])
    assert matrix.closed() == ("10103", "10205", "21412")
    matrix.close_paths([])
    matrix.open_paths(["10205", "10206"])
    assert matrix.closed() == ("10103", "21412")
    matrix.open_all()
    assert matrix.closed() == ()
    assert matrix.settings() == {"configuration": "NCON"}


def test_connecting_moves_no_relay_and_tells_what_is_closed_in_either_configuration(rack, twin, moves):
    send(twin, ":ROUT:CLOS (@00114,00201)")
    moves.clear()
    matrix = KeysightB2201A(ADDRESS, "bench@mho", cards=2)
    assert matrix.closed() == ("20102", "10201")
    assert matrix.configuration == "ACON"
    assert moves == []
    matrix.close_paths(["10101"])
    assert matrix.closed() == ("10101",)
    matrix.close()


def test_what_connects_ports_by_itself_is_switched_off_first(matrix, twin, moves):
    send(twin, ":ROUT:FUNC NCON;:ROUT:BIAS ALL,ON;:ROUT:CONN:RULE 1,SROU")
    assert len(twin.closed) == 24
    matrix.close_paths(["10101", "10102", "10201"])
    assert set(matrix.closed()) == {"10101", "10102", "10201"}
    send(twin, ":ROUT:OPEN:CARD ALL;:ROUT:AGND:CHAN:ENAB:CARD ALL;:ROUT:AGND ALL,ON")
    assert len(twin.closed) == 24
    matrix.make_safe()
    assert twin.closed == frozenset()


def test_relays_of_a_card_break_before_they_make(matrix, twin, moves):
    matrix.close_paths(["10101"])
    send(twin, ":ROUT:CONN:RULE 1,SROU")
    moves.clear()
    send(twin, ":ROUT:CLOS (@10102)")
    assert [state for _, state in moves] == [{"10101"}, set(), {"10102"}]


def test_a_relay_that_stays_closed_is_named(matrix, twin):
    matrix.close_paths(["10101", "20202"])
    twin.stuck_closed.add("20202")
    with pytest.raises(InstrumentError, match=r"20202 did not open after .*; take the card out of use"):
        matrix.open_all()
    with pytest.raises(InstrumentError, match="20202 did not open"):
        matrix.make_safe()


def test_a_relay_that_stays_open_is_named(matrix, twin):
    twin.stuck_open.add("10103")
    with pytest.raises(InstrumentError, match="10103 did not close after"):
        matrix.close_paths(["10103", "10104"])


@pytest.mark.parametrize(
    "path",
    ["00101", "30101", "11501", "10113", "10100", "1010", "101011", "", "1A01", "10101,10102", "10101)"],
)
def test_a_crosspoint_that_does_not_exist_is_refused_before_anything_moves(matrix, moves, path):
    with pytest.raises(InstrumentError, match=r"has no crosspoint .* cards are 1 to 2"):
        matrix.close_paths(["10101", path])
    assert moves == []


@pytest.mark.parametrize("cards", [0, 5, 1.5])
def test_a_mainframe_has_one_to_four_cards(cards):
    with pytest.raises(LimitError, match="number of cards"):
        KeysightB2201A(ADDRESS, "none@mho", cards=cards)


def test_a_card_that_is_not_there_is_said(rack):
    matrix = KeysightB2201A(ADDRESS, "bench@mho", cards=3)
    with pytest.raises(InstrumentError, match=r"refused .*:ROUT:CLOS:CARD\? 3.*no such card"):
        matrix.close_paths(["30101"])
    matrix.close()


@pytest.mark.parametrize("kind", ["timeout", "error", "disconnect"])
def test_make_safe_opens_everything_after_a_fault(matrix, rack, twin, kind):
    matrix.close_paths(["10101"])
    rack.faults.append(Fault(ADDRESS, kind, match=b":ROUT:CLOS (@"))
    with pytest.raises(InstrumentError):
        matrix.close_paths(["10202"])
    rack.faults.clear()
    matrix.make_safe()
    assert twin.closed == frozenset()


# --- rows and columns ---


@given(st.sampled_from(CROSSPOINTS))
def test_a_crosspoint_joins_an_input_of_the_mainframe_and_an_output_of_its_card(name):
    row, column = NAMES["keysightb2201a"].split(name)
    assert row == f"input {int(name[1:3])}"
    assert column == f"output {12 * (int(name[0]) - 1) + int(name[3:])}"


def test_no_two_crosspoints_join_the_same():
    for model, names in ((NAMES["keysightb2201a"], CROSSPOINTS), (SLOTS, OF_707B)):
        assert len({model.split(name) for name in names}) == len(names)


@given(st.text(alphabet="0123456789A", max_size=6))
def test_what_is_no_crosspoint_is_a_value_error_with_a_sentence(name):
    for model, names in ((NAMES["keysightb2201a"], CROSSPOINTS), (SLOTS, OF_707B)):
        if name in names:
            assert model.join(*model.split(name)) == name
        else:
            with pytest.raises(ValueError, match=r"is no crosspoint; write .* as in"):
                model.split(name)


def test_a_707bs_crosspoint_joins_a_row_and_a_column_of_its_slot():
    assert SLOTS.split("1A03") == ("1A", "103")
    assert SLOTS.join("1A", "203") is None


# --- the driver against the wire ---

FINE = '0,"No error"'
OPENING = [("*IDN?", "AGILENT,B2201A,0,A.01.00"), (":SYST:ERR?", FINE)]
PREPARE = (
    ":ROUT:BIAS ALL,OFF;:ROUT:AGND ALL,OFF;:ROUT:COUP ALL,OFF;:ROUT:CONN:RULE ALL,FREE;:ROUT:CONN:SEQ ALL,BBM;"
    ":ROUT:CLOS:CARD? 1;:SYST:ERR?"
)


def test_closing_over_the_wire():
    pairs = [
        *OPENING,
        (":ROUT:FUNC?", "NCON"),
        (PREPARE, f"(@10101);{FINE}"),
        (":ROUT:CLOS (@10103,10205);:ROUT:CLOS:CARD? 1;:SYST:ERR?", f"(@10101,10103,10205);{FINE}"),
        (":ROUT:FUNC?", "ACON"),
        (":ROUT:CLOS:CARD? 0;:SYST:ERR?", f"(@101,1412);{FINE}"),  # without the zeros in front
    ]
    with expected_protocol(KeysightB2201A, pairs) as matrix:
        matrix.close_paths(["10103", "10205"])
        assert matrix.closed() == ("10101", "11412")


def test_everything_is_opened_before_the_configuration_changes():
    alone = ":ROUT:BIAS ALL,OFF;:ROUT:AGND ALL,OFF;:ROUT:COUP ALL,OFF"
    pairs = [
        *OPENING,
        (":ROUT:FUNC?", "ACON"),
        (f"{alone};:ROUT:OPEN:CARD ALL;:SYST:ERR?", FINE),
        (":ROUT:FUNC NCON;:SYST:ERR?", FINE),
        (PREPARE, f"(@);{FINE}"),
        (":ROUT:OPEN:CARD ALL;:ROUT:CLOS:CARD? 1;:SYST:ERR?", f"(@);{FINE}"),
    ]
    with expected_protocol(KeysightB2201A, pairs) as matrix:
        matrix.open_all()


def test_a_refusal_and_nonsense_over_the_wire():
    pairs = [
        *OPENING,
        (":ROUT:FUNC?", "NCON"),
        (PREPARE, f"(@);{FINE}"),
        (":ROUT:OPEN:CARD ALL;:ROUT:CLOS:CARD? 1;:SYST:ERR?", '(@);-222,"Data out of range"'),
        (":SYST:ERR?", FINE),
        (":ROUT:FUNC?", "NCON"),
        (":ROUT:CLOS:CARD? 1;:SYST:ERR?", f"(@19999);{FINE}"),
        (":ROUT:FUNC?", "NCON"),
        (":ROUT:CLOS:CARD? 1;:SYST:ERR?", f"who knows;{FINE}"),
    ]
    with expected_protocol(KeysightB2201A, pairs) as matrix:
        with pytest.raises(InstrumentError, match=r"refused .*-222, Data out of range"):
            matrix.open_all()
        for reply in (r"\(@19999\)", "who knows"):
            with pytest.raises(InstrumentError, match=f"answered '{reply}'"):
                matrix.closed()


# --- the twin against the manual ---


def test_the_manuals_examples(twin):
    send(twin, ":ROUT:FUNC NCON;:ROUT:OPEN:CARD ALL;:ROUT:CLOS (@10101,10202)")
    assert ask(twin, ":ROUT:OPEN? (@10101,10102,10201,10202)") == "0,1,1,0"
    assert ask(twin, ":CLOS? (@10101:10103);:CLOS:CARD? 1;:CLOS:CARD? 2") == "1,0,0;(@10101,10202);(@)"
    send(twin, ":ROUT:BIAS:STAT ALL,ON")
    assert ask(twin, ":ROUT:BIAS:STAT? 2;:ROUT:BIAS:PORT? 1;:ROUT:AGND:PORT? 1") == "1;10;12"
    assert error_of(twin) == 0


def test_in_the_automatic_configuration_the_cards_are_one(twin):
    assert ask(twin, ":ROUT:FUNC?;:ROUT:CLOS (@00112,00113);:ROUT:CLOS:CARD? 0") == "ACON;(@00112,00113)"
    assert twin.closed == {"10112", "20101"}
    send(twin, ":ROUT:FUNC ACON")
    assert len(twin.closed) == 2
    send(twin, ":ROUT:FUNC NCON")
    assert twin.closed == frozenset()


@pytest.mark.parametrize(
    ("message", "code"),
    daily([(":CLOS (@10113)", -222), (":CLOS (@11501)", -222), (":CLOS (@30101)", -222), (":CLOS (@00101)", -222),
     (":CLOS (@10111:10114)", -222), (":CLOS 10101", -104), (":CLOS (@1x)", -170), (":CLOS:CARD? ALL", -104),
     (":CLOS:CARD? 3", -222), (":OPEN:CARD 0", -222), (":CONN:RULE 1,SOME", -224), (":COUP:PORT 1,'15'", -222),
     (":COUP:PORT 1,'a'", -104), (":BIAS 1,ON;:AGND 1,ON", -221), (":BIAS 1,ON;:CLOS (@11001)", -221),
     (":COUP:PORT 1,'1';:COUP 1,ON;:CLOS (@10102)", -221), (":BIAS:PORT 1,15", -222)], 6),
)  # fmt: skip
def test_what_the_instrument_refuses_moves_nothing_by_name(twin, message, code):
    send(twin, ":ROUT:FUNC NCON")
    send(twin, message)
    assert error_of(twin) == code
    assert twin._chosen == set()


def test_single_route_gives_each_port_of_a_card_one_connection(twin):
    send(twin, ":FUNC NCON;:CONN:RULE 1,SROU;:CLOS (@10101,20101,20102);:CLOS (@10201)")
    assert twin.closed == {"10201", "20101", "20102"}
    send(twin, ":CLOS (@10202)")
    assert twin.closed == {"10202", "20101", "20102"}


@pytest.mark.parametrize(
    ("sequence", "states", "seconds"),
    [("BBM", [{"10101"}, set(), {"10102"}], 10e-3), ("MBBR", [{"10101"}, {"10101", "10102"}, {"10102"}], 10e-3),
     ("NSEQ", [{"10101"}, set(), {"10102"}], 5e-3)],
)  # fmt: skip
def test_connection_sequences_and_settling(twin, moves, sequence, states, seconds):
    send(twin, f":FUNC NCON;:CONN:RULE 1,SROU;:CONN:SEQ 1,{sequence};:CLOS (@10101)")
    moves.clear()
    start = twin.clock.now
    send(twin, ":CLOS (@10102)")
    assert [state for _, state in moves] == states
    assert twin.clock.now - start == pytest.approx(seconds)


def test_coupled_ports_move_in_pairs(twin):
    send(twin, ":FUNC NCON;:COUP:PORT 1,'1,3';:COUP 1,ON;:CLOS (@10103,10402,10505)")
    assert twin.closed == {"10103", "10204", "10402", "10301", "10505"}
    send(twin, ":OPEN (@10204)")
    assert twin.closed == {"10402", "10301", "10505"}


def test_the_bias_port_takes_what_no_other_input_has(twin):
    send(twin, ":FUNC NCON;:BIAS:CHAN:DIS:CARD 1;:BIAS:CHAN:ENAB (@10101,10102);:BIAS 1,ON;:CLOS (@10301)")
    assert twin.closed == {"10301", "11002"}
    send(twin, ":BIAS:PORT 1,9;:OPEN:CARD 1")
    assert twin.closed == {"10901", "10902"}
    send(twin, ":BIAS:PORT 1,-1")
    assert twin.closed == frozenset()


def test_the_laboratory_is_told_before_and_after_and_not_without_a_move(twin, moves):
    send(twin, ":FUNC NCON;:CLOS (@10101)")
    assert [(when, set(state)) for when, state in moves] == [(0.0, set()), (pytest.approx(5e-3), {"10101"})]
    send(twin, ":CLOS (@10101)")
    assert len(moves) == 2


def test_reset_opens_everything(twin):
    send(twin, ":FUNC NCON;:CLOS (@10101);:CONN:SEQ 1,NSEQ;:BIAS 2,ON")
    send(twin, "*RST")
    assert twin.closed == frozenset()
    assert ask(twin, ":FUNC?;:CONN:SEQ? 0;:CONN:RULE? 0;:BIAS? 0;:COUP? 0") == "ACON;BBM;FREE;0;0"


@given(st.sets(st.sampled_from(CROSSPOINTS), max_size=40), st.randoms(use_true_random=False))
def test_any_list_is_closed_as_it_is_written(names, order):
    twin = SimulatedKeysightB2201A(VirtualClock(), np.random.default_rng(0), cards=4)
    listed = sorted(names)
    order.shuffle(listed)
    send(twin, ":FUNC NCON")
    if listed:
        send(twin, f":CLOS (@{','.join(order.choice((name, f' {name} ')) for name in listed)})")
    assert twin.closed == names
    assert error_of(twin) == 0


@given(st.text(alphabet="(@)012,: ", max_size=20))
def test_any_other_list_is_refused_or_closed(written):
    twin = SimulatedKeysightB2201A(VirtualClock(), np.random.default_rng(0))
    send(twin, ":FUNC NCON")
    send(twin, f":CLOS {written}")
    assert (error_of(twin) == 0) == bool(twin.closed)
