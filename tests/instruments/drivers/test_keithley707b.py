"""The 707B's driver and its simulated twin, together through PyVISA and each against the manual's wire."""

import random

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.test import expected_protocol
from wired_twins import ask_all as ask

from mho.errors import InstrumentError
from mho.instruments.drivers.keithley707b import Keithley707B
from mho.instruments.roles import SwitchMatrix
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.keithley707b import CROSSPOINTS, SimulatedKeithley707B

ADDRESS = "GPIB0::16::INSTR"


@pytest.fixture
def moves():
    return []


@pytest.fixture
def twin(moves):
    clock = VirtualClock()
    return SimulatedKeithley707B(
        clock,
        np.random.default_rng(1),
        serial="S7",
        on_switch=lambda closed: moves.append((clock.now, closed)),
    )


@pytest.fixture
def matrix(rack):
    instrument = Keithley707B(ADDRESS, "bench@mho")
    yield instrument
    instrument.close()


def closed(device):
    return ask(device, 'print(channel.getclose("allslots"))')[0]


# --- driver and twin together ---


def test_it_is_a_switch_matrix(matrix):
    assert isinstance(matrix, SwitchMatrix)
    assert matrix.identify() == "Keithley Instruments Inc., Model 707B, S7, 1.22a"


def test_paths_close_beside_each_other_and_open_together(matrix):
    assert matrix.closed() == ()
    matrix.close_paths(["1A03", "1b05"])
    assert matrix.closed() == ("1A03", "1B05")
    matrix.close_paths(["6H12"])
    assert matrix.closed() == ("1A03", "1B05", "6H12")
    matrix.close_paths([])
    matrix.connect_only(["2C01"])
    assert matrix.closed() == ("2C01",)
    matrix.open_all()
    assert matrix.closed() == ()


def test_relays_break_before_they_make(matrix, moves):
    matrix.close_paths(["1A01"])
    moves.clear()
    matrix.connect_only(["1A02"])
    assert [state for _, state in moves] == [{"1A01"}, set(), {"1A02"}]


def test_connecting_moves_no_relay(rack, twin, moves):
    ask(twin, 'channel.close("1A01")')
    moves.clear()
    Keithley707B(ADDRESS, "bench@mho").close()
    assert moves == []
    assert closed(twin) == "1A01"


def test_a_relay_that_stays_closed_is_named(matrix, twin):
    matrix.close_paths(["1A01", "2B02"])
    twin.stuck_closed.add("2B02")
    with pytest.raises(InstrumentError, match=r"2B02 did not open after .*; take the card out of use"):
        matrix.open_all()
    with pytest.raises(InstrumentError, match="2B02 did not open"):
        matrix.make_safe()


def test_a_relay_that_stays_open_is_named(matrix, twin):
    twin.stuck_open.add("1A03")
    with pytest.raises(InstrumentError, match="1A03 did not close after"):
        matrix.close_paths(["1A03", "1A04"])


@pytest.mark.parametrize(
    "path", ["7A01", "1I01", "1A13", "1A00", "1A1", "allslots", "", '1A01")os.exit("', "1A01,1A02"]
)
def test_a_crosspoint_that_does_not_exist_is_refused_before_anything_moves(matrix, moves, path):
    with pytest.raises(InstrumentError, match="has no crosspoint"):
        matrix.close_paths(["1A01", path])
    assert moves == []


def test_closures_are_counted(matrix):
    for _ in range(3):
        matrix.close_paths(["1A01"])
        matrix.close_paths(["1A01"])
        matrix.open_all()
    assert matrix.ask('print(channel.getcount("1A01,1A02"))').strip() == "3,0"


def test_make_safe_opens_everything_after_a_lost_reply(matrix, rack, twin):
    rack.faults.append(Fault(ADDRESS, "timeout", match=b"channel.close"))
    with pytest.raises(InstrumentError, match="VI_ERROR_TMO"):
        matrix.close_paths(["1A01"])
    assert closed(twin) == "1A01"
    matrix.make_safe()
    assert closed(twin) == "nil"


def test_the_connection_rule_is_set_and_kept(matrix, twin):
    ask(twin, "channel.connectrule = channel.MAKE_BEFORE_BREAK")
    assert matrix.connect_rule == "MAKE_BEFORE_BREAK"
    matrix.close_paths(["1A01"])
    assert matrix.settings() == {"connect_rule": "BREAK_BEFORE_MAKE"}


# --- the driver against the wire ---

FINE = "0.00000e+00\tQueue Is Empty\t0.00000e+00\t1.00000e+00"
OPENING = [
    ("*IDN?", "Keithley Instruments Inc., Model 707B, 1234567, 1.22a"),
    ("print(errorqueue.next())", FINE),
]
ASK = 'print(channel.getclose("allslots"))'
RULE = "channel.connectrule = channel.BREAK_BEFORE_MAKE "
CHECK = " print(errorqueue.next())"


def test_closing_over_the_wire():
    pairs = [
        *OPENING,
        (ASK, "1A01"),
        (f'{RULE}channel.close("1A03,1B05"){CHECK}', FINE),
        (ASK, "1A01;1A03;1B05"),
        (f'{RULE}channel.open("allslots"){CHECK}', FINE),
        (ASK, "nil"),
    ]
    with expected_protocol(Keithley707B, pairs) as matrix:
        matrix.close_paths(["1A03", "1B05"])
        matrix.open_all()


def test_a_refusal_and_nonsense_over_the_wire():
    refusal = "1.11500e+03\tInvalid channel specified\t2.00000e+01\t1.00000e+00"
    pairs = [
        *OPENING,
        (f'{RULE}channel.exclusiveclose("1A03"){CHECK}', refusal),
        ("print(errorqueue.next())", FINE),
        (ASK, "who knows"),
    ]
    with expected_protocol(Keithley707B, pairs) as matrix:
        with pytest.raises(InstrumentError, match=r"refused .*1115, Invalid channel specified"):
            matrix.connect_only(["1A03"])
        with pytest.raises(InstrumentError, match="answered 'who knows'"):
            matrix.closed()


# --- the twin against the manual ---


def test_the_manuals_lists(twin):
    ask(twin, 'channel.close("1A03, 1A05")')
    assert closed(twin) == "1A03;1A05"
    ask(twin, "channel.close('1B01:1B03; 2c04')")
    assert closed(twin) == "1A03;1A05;1B01;1B02;1B03;2C04"
    assert ask(twin, 'print(channel.getclose("slot2")) print(channel.getclose("1B01:1B12"))') == [
        "2C04",
        "1B01;1B02;1B03",
    ]
    assert ask(twin, 'print(channel.getstate("1A03,1A04"), channel.getcount("1A03,1A04"))') == ["1,0\t1,0"]
    ask(twin, 'channel.open("slot1")')
    assert closed(twin) == "2C04"
    assert not twin.status.errors


def test_exclusive_closing(twin):
    ask(twin, 'channel.close("1A01,2A01") channel.exclusiveslotclose("1B01")')
    assert closed(twin) == "1B01;2A01"
    ask(twin, 'channel.exclusiveclose("3A01")')
    assert closed(twin) == "3A01"
    ask(twin, 'channel.exclusiveclose("")')
    assert closed(twin) == "nil"


def test_patterns(twin):
    ask(twin, 'channel.pattern.setimage("1A01,1B02", "read") channel.close("read,1C03")')
    assert closed(twin) == "1A01;1B02;1C03"
    ask(twin, 'channel.pattern.snapshot("all")')
    assert ask(twin, 'print(channel.pattern.getimage("all"), channel.pattern.catalog())') == [
        "1A01,1B02,1C03\tall,read"
    ]
    ask(twin, 'channel.pattern.delete("read") channel.close("read")')
    assert twin.status.next_error().code == 1116


@pytest.mark.parametrize(
    ("command", "code"),
    daily([('close("9A01")', 1115), ('close("1A13")', 1115), ('close("nowhere")', 1116), ('close("")', 1114),
     ('close("1A01,,1A02")', 1114),
     ('close("1A05:1A01")', 1114), ('close("1A01:2A01")', 1114), ('close("allslots")', 1117), ('close("slot1")', 1117),
     ("close(nil)", -104), ("close(5)", -104), ("close({})", -104), ('setdelay("1A01", -1)', 1102), ("connectrule = 3", 0),
     ("open(channel.getclose('allslots'))", -104)], 5),
)  # fmt: skip
def test_what_the_instrument_refuses_moves_nothing(twin, moves, command, code):
    ask(twin, f"channel.{command}")
    assert twin.status.next_error().code == (code or 1101)
    assert moves == []


def test_forbidden_channels_do_not_close(twin, moves):
    ask(twin, 'channel.setforbidden("1A01") channel.close("1A01,1A02")')
    assert twin.status.next_error().code == 1118
    assert moves == []
    assert ask(twin, 'print(channel.getforbidden("allslots"))') == ["1A01"]
    ask(twin, 'channel.clearforbidden("1A01") channel.close("1A01")')
    assert closed(twin) == "1A01"


@pytest.mark.parametrize(
    ("rule", "states", "seconds"),
    [("BREAK_BEFORE_MAKE", [{"1A01"}, set(), {"1A02"}], 2e-3),
     ("MAKE_BEFORE_BREAK", [{"1A01"}, {"1A01", "1A02"}, {"1A02"}], 2e-3), ("OFF", [{"1A01"}, {"1A02"}], 1e-3)],
)  # fmt: skip
def test_connection_rules_and_settling(twin, moves, rule, states, seconds):
    ask(twin, f'channel.connectrule = channel.{rule} channel.close("1A01")')
    moves.clear()
    start = twin.clock.now
    ask(twin, 'channel.exclusiveclose("1A02")')
    assert [state for _, state in moves] == states
    assert twin.clock.now - start == pytest.approx(seconds)


def test_sequential_connection_and_delays_take_longer(twin):
    ask(twin, 'channel.connectsequential = channel.ON channel.setdelay("1A01,1A02", 0.01)')
    ask(twin, 'channel.close("1A01:1A03")')
    assert twin.clock.now == pytest.approx(3e-3 + 0.02)


def test_the_laboratory_is_told_before_and_after_and_not_without_a_move(twin, moves):
    ask(twin, 'channel.close("1A01")')
    assert [(when, set(state)) for when, state in moves] == [(0.0, set()), (pytest.approx(1e-3), {"1A01"})]
    ask(twin, 'channel.close("1A01")')
    assert len(moves) == 2


def test_reset_opens_everything(twin):
    ask(twin, 'channel.close("1A01") channel.connectrule = 2 channel.pattern.setimage("1A01", "p") *RST')
    twin.write(b"*RST")
    assert closed(twin) == "nil"
    assert ask(twin, "print(channel.connectrule, channel.pattern.catalog())") == ["1.00000e+00\tnil"]


def test_cards_identify_themselves(twin):
    assert ask(twin, "print(slot[1].idn)")[0].startswith("7174A,8x12")
    assert ask(twin, "print(slot[6].rows.matrix, slot[6].columns.matrix, slot[7])") == [
        "8.00000e+00\t1.20000e+01\tnil"
    ]


@given(st.sets(st.sampled_from(CROSSPOINTS), max_size=40), st.randoms(use_true_random=False))
def test_any_list_is_closed_as_it_is_written(names, order):
    twin = _shared_twin()
    listed = sorted(names)
    order.shuffle(listed)
    written = ",".join(order.choice((name, name.lower(), f" {name} ")) for name in listed)
    ask(twin, f'channel.exclusiveclose("{written}")')
    assert closed(twin) == (";".join(sorted(names)) or "nil")
    assert not twin.status.errors


@given(st.text(alphabet="19AHIallslotsX0123,;: '-", max_size=20))
def test_any_other_list_is_refused_or_closed(written):
    twin = _shared_twin()
    ask(twin, 'channel.exclusiveclose("")')
    ask(twin, f'channel.close("{written}")')
    if twin.status.errors:
        assert twin.status.next_error().code in (1114, 1115, 1116, 1117)
        assert closed(twin) == "nil"
    else:
        assert closed(twin) != "nil"


_twins = []


def _shared_twin():
    if not _twins:
        _twins.append(SimulatedKeithley707B(VirtualClock(), np.random.default_rng(0)))
    return _twins[0]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_thousand_random_messages_neither_crash_nor_hang_it(monkeypatch):
    monkeypatch.setattr("mho.instruments.simulated.tsp.lua.CALLS", 50_000)
    monkeypatch.setattr("mho.instruments.simulated.tsp.lua.INSTRUCTIONS", 10_000_000)
    words = (
        "channel close open exclusiveclose exclusiveslotclose getclose getstate getcount setdelay connectrule pattern "
        "setimage snapshot delete catalog reset slot print '1A01' '1A01:1B03' 'allslots' 'slot3' 'p' '9Z99' nil 0 1 2 { } "
        "( ) [ ] . , = .. for i do end while true if then function return *RST *CLS *IDN? errorqueue next clear pcall"
    )
    draw = random.Random(8)
    twin = SimulatedKeithley707B(VirtualClock(), np.random.default_rng(0))
    for number in range(100_000):
        if draw.random() < 0.5:
            call = draw.choice(
                ("close", "open", "exclusiveclose", "getclose", "getstate", "setforbidden", "reset")
            )
            message = f"print(channel.{call}({draw.choice(words.split())}))"
        else:
            message = " ".join(draw.choices(words.split(), k=draw.randint(1, 12)))
        twin.write(message.encode())
        twin.read()
        if number % 50 == 0:
            twin.clear()
            assert all(isinstance(entry.code, int) and entry.text for entry in twin.status.errors)
            twin.status.errors.clear()
            assert twin.closed <= set(CROSSPOINTS)
