"""The array board: page, twin and driver are one truth, and the firmware refuses what would be unsafe."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from importlib import resources
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.test import expected_protocol
from repository import ROOT
from wired_twins import registered

from mho.errors import InputError, InstrumentError, LimitError
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.drivers import array_board
from mho.instruments.drivers.array_board import MODES, PATHS, ArrayBoardDriver
from mho.instruments.laboratory.chip_basis import read_geometry
from mho.instruments.roles import ArrayBoard, Daq
from mho.instruments.simulated.array_board import (  # fmt: skip
    CODE,
    FULL,
    INPUT_RANGE,
    MEMORY,
    MODE_TIME,
    OUTPUT_RANGE,
    SWITCH_TIME,
    SimulatedArrayBoard,
    codes_of,
)
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.language import SettingBase, declared_headers
from mho.instruments.simulated.scpi.parameters import (
    BlockParameter,
    ChannelList,
    Choice,
    Numeric,
    Text,
    block_text,
)
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack

PAGE = (ROOT / "docs/array-board.md").read_text(encoding="utf-8")
CHIP = (resources.files("mho.chip_maps") / "maps/reference.toml").read_text("utf-8")
ADDRESS = "ASRL7::INSTR"


class Carrier:
    """The reference chip's arrays; notes what is told to it."""

    def __init__(self) -> None:
        self.sizes = {a.name: (a.rows, a.columns) for a in read_geometry(CHIP)} | {"small": (4, 4)}
        self.told: list[str] = []

    def array_size(self, array: str) -> tuple[int, int] | None:
        return self.sizes.get(array)

    def switching(self, what: str) -> None:
        self.told.append(what)

    def exchange(self, volts: np.ndarray, input_count: int, period: float) -> np.ndarray:
        """Minus the outputs, at the inputs of the same number."""
        return -volts[:, :input_count]


def new_board(channels: int = 32) -> SimulatedArrayBoard:
    return SimulatedArrayBoard(VirtualClock(), np.random.default_rng(0), Carrier(), channels=channels)


def talk(board: SimulatedArrayBoard, message: str) -> str:
    board.write(message.encode() + b"\n")
    return board.read().decode().rstrip("\n") if "?" in message else ""


def errors(board: SimulatedArrayBoard) -> list[int]:
    codes = []
    while (code := int(talk(board, ":SYST:ERR?").split(",")[0])) != 0:
        codes.append(code)
    return codes


def state(board: SimulatedArrayBoard) -> tuple[object, ...]:
    return board.mode, board.path, board.cell, board.block, board.negative


@pytest.fixture
def board() -> SimulatedArrayBoard:
    return new_board()


@pytest.fixture
def driver(board: SimulatedArrayBoard) -> Iterator[ArrayBoardDriver]:
    yield from driver_of(board)


def driver_of(board: SimulatedArrayBoard) -> Iterator[ArrayBoardDriver]:
    register_rack("board-test", SimpleNamespace(clock=board.clock, devices={ADDRESS: board}, faults=[]))
    opened = ArrayBoardDriver(ADDRESS, "board-test@mho")
    yield opened
    opened.close()
    unregister_rack("board-test")


# --- the page ---


def table(title: str) -> list[list[str]]:
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip().strip("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows[2:]]


def in_words(parameter: object) -> str:
    match parameter:
        case Choice():
            return " ".join(f"`{option}`" for option in parameter.options)
        case Numeric(integer=True):
            return f"integer {parameter.minimum:g} to {parameter.maximum:g}"
        case Numeric():
            return f"{parameter.minimum:g} to {parameter.maximum:g} {parameter.unit}"
        case Text():
            return "quoted name" + (" or `NONE`" if parameter.bare else "")
        case ChannelList():
            return "channel list"
        case BlockParameter():
            return "block"
    raise AssertionError(parameter)


def test_the_page_has_every_command_of_the_board_and_no_other():
    declared: dict[str, str] = {}
    for member in vars(SimulatedArrayBoard).values():
        if isinstance(member, SettingBase):
            declared[member.header] = in_words(member.parameter)
            declared[member.header + "?"] = ""
    for header, asks, parameters, _ in declared_headers(SimulatedArrayBoard):
        declared[header + "?" * asks] = "; ".join(map(in_words, parameters))
    documented: dict[str, str] = {}
    for commands, parameters, *_ in table("Commands"):
        first, *others = re.findall(r"`([^`]+)`", commands)
        for command in (first, *others):
            assert command not in documented
            documented[command] = (
                parameters if command is first else ""
            )  # a query beside its command has none
    assert documented == declared


def test_the_page_s_mnemonics_are_the_driver_s():
    replies = {row[0].split("`")[1]: re.findall(r"`(\w+)`", row[2]) for row in table("Commands")}
    assert replies[":MODE"] == list(MODES.values())
    assert replies[":ROUTe:PATH"] == list(PATHS.values())
    assert [re.findall(r"`(\w+)`", row[0])[0] for row in table("Modes")] == list(
        SimulatedArrayBoard.mode.parameter.options
    )


def test_the_page_s_times_are_the_board_s(board):
    (mode,) = (float(n) for n in re.findall(r"grounds all lines for (\S+) ms", PAGE))
    (switch,) = (float(n) for n in re.findall(r"Switches take (\S+) us", PAGE))
    assert (mode, switch) == (pytest.approx(MODE_TIME * 1e3), pytest.approx(SWITCH_TIME * 1e6))
    talk(board, ":MODE PROG")
    assert board.clock.now == pytest.approx(MODE_TIME)


def test_the_page_s_converters_are_the_board_s_and_the_driver_s():
    section = PAGE.split("## Converters")[1].split("\n## ")[0]
    (outputs, inputs) = re.findall(r"(\d+) (?:out|in)puts for|(\d+) inputs at", section)
    ends = [float(n) for n in re.findall(r"(\S+) V\s+for the", section)]
    board = new_board()
    assert (outputs[0], inputs[1]) == (str(board.output_count), str(board.input_count))
    assert ends == [OUTPUT_RANGE, INPUT_RANGE]
    assert f"keeps {MEMORY} codes" in section
    assert f"codes -{FULL} and {FULL}" in section
    assert (array_board.CODE, array_board.FULL, array_board.MEMORY) == (CODE, FULL, MEMORY)


@pytest.mark.parametrize(("code", "meaning", "example"), table("Errors"))
def test_the_page_s_examples_are_refused_and_change_nothing(board, code, meaning, example):
    *before, last = example.strip("`").split(";")
    for message in before:
        talk(board, message)
    assert errors(board) == []
    was = state(board)
    board.write(last.encode() + b"\n")
    assert errors(board) == [int(code)], meaning
    assert state(board) == was


def transcript() -> list[tuple[str, str]]:
    block = PAGE.split("## A programming step")[1].split("```")[1]
    sent = re.findall(r"^-> (.+)$", block, re.MULTILINE)
    answered = re.findall(r"^<- (.+)$", block, re.MULTILINE)
    return list(zip(sent, answered, strict=True))


def test_the_page_s_programming_step_is_what_the_board_answers(board):
    for message, reply in transcript():
        assert talk(board, message) == reply


def test_the_page_s_programming_step_is_what_the_bench_sends():
    with open_bench(preset="ideal", seed=0) as bench:
        sent = record(bench)
        bench.pulse(Cell("multiply", 3, 7), Pulse("set", 3.3, 1e-6, 1.6))
        bench.read(Cell("multiply", 3, 7))
        bench.read(Cell("multiply", 3, 8))
        bench.safe()
        messages = [message for message in sent if not message.startswith(("*", ":CONF", ":SYST:WDOG"))]
    assert messages == [message for message, _ in transcript()]


def record(bench: Bench) -> list[str]:
    assert bench.laboratory is not None
    board, sent = bench.laboratory.board, []
    write = board.write

    def noting(data: bytes, end: bool = True) -> None:
        sent.append(data.decode().strip())
        write(data, end)

    board.write = noting
    return sent


# --- the firmware ---


def test_it_wakes_up_safe(board):
    assert talk(board, "*IDN?").startswith("MHO,ARRAY BOARD,")
    assert talk(board, ":MODE?;:ROUT:PATH?;:ROUT:CELL?;:ROUT:BLOC?;:OUTP:SAFE?") == "SAFE;OPEN;NONE;NONE;1"
    assert talk(board, ":SYST:WDOG?;:CONF:INV:NEG?;:CONF:INV:DIAG:COUN?") == "0.000000E+00;NONE;0"


@pytest.mark.parametrize("way", [":OUTP:SAFE", "*RST", ":MODE SAFE"])
def test_every_way_to_safe_forgets_what_was_connected(board, way):
    talk(board, ':MODE INV;:CONF:INV:NEG "invert_negative";:ROUT:BLOC "invert_positive",(@0:3),(@3:0)')
    assert talk(board, ":ROUT:BLOC?") == '"invert_positive",(@0,1,2,3),(@3,2,1,0)'
    talk(board, way)
    assert state(board) == ("SAFE", "OPEN", None, None, None)
    assert errors(board) == []


def test_safe_works_with_a_path_closed(board):
    talk(board, ':MODE PROG;:ROUT:CELL "multiply",1,2;:ROUT:PATH SET')
    assert talk(board, ":OUTP:SAFE?;:OUTP:SAFE;:OUTP:SAFE?") == "0;1"


def test_every_switch_is_announced_to_the_carrier(board):
    talk(board, ':MODE PROG;:ROUT:CELL "multiply",1,2;:ROUT:PATH SET;:ROUT:PATH OPEN;:MODE MULT')
    talk(board, ':ROUT:BLOC "multiply",(@0,1),(@5)')
    assert board._carrier.told == ["mode", "path", "path", "mode", "block"]


def test_both_arrays_of_a_loop_must_have_its_lines(board):
    talk(board, ':MODE INV;:CONF:INV:NEG "small";:ROUT:BLOC "invert_positive",(@0:4),(@0:4)')
    assert errors(board) == [-222]
    assert board.block is None
    talk(board, ':ROUT:BLOC "invert_positive",(@0:3),(@0:3)')
    assert errors(board) == []


def test_a_silent_computer_makes_the_board_safe(board):
    talk(board, ':SYST:WDOG 2;:MODE PROG;:ROUT:CELL "multiply",1,2;:ROUT:PATH SET')
    for _ in range(5):  # any message is a heartbeat
        board.clock.advance(1.9)
        assert talk(board, ":ROUT:PATH?") == "SET"
    board.clock.advance(2.1)
    board.watch()  # what whoever sees the chip's lines does: no message has come
    assert (board.mode, board.path) == ("SAFE", "OPEN")
    assert errors(board) == [-300]
    board.clock.advance(100.0)
    assert talk(board, ":MODE?") == "SAFE"
    assert errors(board) == []


def test_without_a_watchdog_silence_changes_nothing(board):
    talk(board, ":MODE PROG")
    board.clock.advance(1e6)
    assert talk(board, ":MODE?") == "PROG"


actions = st.lists(
    st.one_of(
        st.sampled_from(["SAFE", "PROG", "MULT", "INV"]).map(":MODE {}".format),
        st.sampled_from(["OPEN", "READ", "SET", "RES"]).map(":ROUT:PATH {}".format),
        st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda rc: ':ROUT:CELL "small",{},{}'.format(*rc)),
        st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda rc: ':ROUT:BLOC "small",(@0:{}),(@0:{})'.format(*rc)),
        st.just(":OUTP:SAFE"),
    ),
    max_size=25,
)  # fmt: skip


@given(actions)
def test_no_sequence_of_commands_brings_it_into_an_unsafe_state(messages):
    board = new_board()
    for message in messages:
        before = board.path, board.mode
        talk(board, message)
        if board.path != "OPEN":  # a path only in PROGRAM, to a cell
            assert board.mode == "PROG"
            assert board.cell is not None
            assert before[0] in ("OPEN", board.path)  # never from one path straight to another
        if board.block is not None:
            assert board.mode in ("MULT", "INV")
        if board.mode != before[1] and board.mode != "SAFE" and message != ":OUTP:SAFE":
            assert before[0] == "OPEN"


def test_it_plays_its_samples_into_the_block_and_replies_what_the_inputs_read(board):
    talk(board, ':MODE MULT;:ROUT:BLOC "multiply",(@0,1),(@5)')
    samples = np.array([[1000, -2000], [0, 32767], [-32767, 5]], CODE)
    board.write(b":SOUR:DAC 2," + block_text(samples.tobytes()).encode("latin-1") + b";:READ:ARR? 2\n")
    reply = board.read()
    assert reply.startswith(b"#212")
    answers = np.frombuffer(reply[4:-1], CODE).reshape(3, 2)
    np.testing.assert_allclose(answers, -samples * (OUTPUT_RANGE / INPUT_RANGE), atol=0.51)
    assert talk(board, ":SOUR:DAC?") == "3,2"
    assert board.clock.now == pytest.approx(MODE_TIME + SWITCH_TIME + 3 * board.period)
    talk(board, ":OUTP:SAFE")
    assert talk(board, ":SOUR:DAC?") == "0,1"
    assert errors(board) == []


def test_it_refuses_more_samples_than_it_keeps(board):
    board.write(b":SOUR:DAC 1," + block_text(bytes(2 * MEMORY + 2)).encode("latin-1") + b"\n")
    assert errors(board) == [-223]


@given(st.floats(-20, 20))
def test_a_code_is_the_nearest_and_never_beyond_the_range(volts):
    code = int(codes_of(np.array([volts]), INPUT_RANGE)[0])
    wanted = min(max(volts, -INPUT_RANGE), INPUT_RANGE)
    assert abs(code * INPUT_RANGE / FULL - wanted) <= 0.5001 * INPUT_RANGE / FULL


# --- the driver ---


def test_the_driver_fills_its_role(driver):
    assert isinstance(driver, ArrayBoard)
    assert driver.transimpedance == pytest.approx(20e3)
    assert driver.input_conductance == pytest.approx(35e-6)
    assert driver.slice_ratio == 16.0
    assert driver.settings() == {
        "mode": "SAFE", "transimpedance": "20000.0", "input_conductance": "3.5e-05", "watchdog": "0.0",
    }  # fmt: skip


def test_the_driver_programs_connects_and_makes_safe(driver, board):
    driver.set_mode("PROGRAM")
    driver.select(Cell("multiply", 4, 9))
    driver.route("RESET")
    assert state(board)[:3] == ("PROG", "RES", ("multiply", 4, 9))
    driver.set_mode("MULTIPLY")
    driver.connect_multiply("multiply", [5, 3], [8, 1, 2])
    assert board.block == ("multiply", (5, 3), (8, 1, 2))
    driver.set_mode("INVERT")
    driver.connect_invert(
        "invert_positive",
        [0, 1],
        [1, 0],
        negative="invert_negative",
        diagonal=1.23456789e-5,
        diagonal_count=2,
    )
    assert (board.block, board.negative) == (("invert_positive", (0, 1), (1, 0)), "invert_negative")
    assert (board.diagonal, board.diagonal_count) == (pytest.approx(1.23456789e-5, rel=1e-9), 2)
    driver.connect_invert("invert_positive", [0], [0], negative=None, diagonal=0.0, diagonal_count=0)
    assert board.negative is None
    second = ("invert_negative", "multiply")
    driver.connect_invert(
        "invert_positive", [0], [0], negative=None, second_slice=second, diagonal=0.0, diagonal_count=0
    )
    assert board.second_slice == second
    driver.connect_invert("invert_positive", [0], [0], negative=None, diagonal=0.0, diagonal_count=0)
    assert board.second_slice is None, "a loop without one keeps none of the last"
    driver.connect_invert(
        "invert_positive", [0], [0], negative=None, diagonal=0.0, diagonal_count=0, bias=7e-6
    )
    assert board.bias == pytest.approx(7e-6, rel=1e-9)
    driver.connect_invert("invert_positive", [0], [0], negative=None, diagonal=0.0, diagonal_count=0)
    assert board.bias == 0.0, "nor the bias resistors of the last"
    driver.make_safe()
    assert state(board) == ("SAFE", "OPEN", None, None, None)


def test_connecting_and_closing_leave_the_board_as_it_is(board):
    talk(board, ':MODE PROG;:ROUT:CELL "multiply",1,2;:ROUT:PATH READ')
    was = state(board)
    with registered("board-left-alone", {ADDRESS: board}):
        ArrayBoardDriver(ADDRESS, "board-left-alone@mho").close()
    assert state(board) == was


def test_a_refusal_names_board_command_and_reason(driver):
    with pytest.raises(
        InstrumentError, match=r"ARRAY BOARD at ASRL7::INSTR refused .*ROUT:CELL.*-221.*mode PROGram"
    ):
        driver.select(Cell("multiply", 0, 0))


def test_a_stuck_switch_is_noticed_in_the_message_that_moves_it(driver, board):
    driver.set_mode("PROGRAM")
    driver.select(Cell("multiply", 0, 0))
    # The switch moves to SET, whichever path is asked for.
    board._path_changed = lambda path: board.__dict__.update(path="OPEN" if path == "OPEN" else "SET")
    with pytest.raises(
        InstrumentError, match=r"'OPEN;SET' instead of 'OPEN;READ'; a switch may be stuck: do not go"
    ):
        driver.route("READ")
    with pytest.raises(
        InstrumentError, match=r"""'OPEN;"multiply",0,1;SET' instead of 'OPEN;"multiply",0,1;READ'"""
    ):
        driver.connect_cell(Cell("multiply", 0, 1), "READ")


# --- its converters as a DAQ ---


def connected(driver: ArrayBoardDriver) -> Daq:
    driver.set_mode("MULTIPLY")
    driver.connect_multiply("multiply", [0, 1, 2], [5, 6])
    return driver.converters


def test_the_converters_fill_the_role_of_a_daq(driver):
    daq = connected(driver)
    assert isinstance(daq, Daq)
    assert (daq.output_count, daq.input_count) == (32, 32)
    assert daq.settings() == {
        "outputs": "32", "inputs": "32", "period": "1e-05 s", "output_range": "-2.5 V to 2.5 V", "input_range": "10 V",
    }  # fmt: skip
    volts = np.array([[0.1, -0.2, 0.3], [0.0, 1.0, -2.5]])
    answers = daq.exchange(volts)
    assert answers.shape == (2, 32)
    np.testing.assert_allclose(answers[:, :3], -volts, atol=0.51 * (INPUT_RANGE + OUTPUT_RANGE) / FULL)
    assert not answers[:, 3:].any()


def test_a_board_with_other_converters_has_as_many_as_it_says():
    for opened in driver_of(new_board(channels=48)):
        daq = connected(opened)
        assert (daq.output_count, daq.input_count) == (48, 48)
        volts = np.linspace(-1.0, 1.0, 96).reshape(2, 48)
        np.testing.assert_allclose(daq.exchange(volts), -volts, atol=1e-3)
        with pytest.raises(InputError, match=r"vectors of shape \(1, 49\) do not fit"):
            daq.exchange(np.zeros((1, 49)))


@pytest.mark.parametrize("message", [":SOUR:DAC 33,#12ab", ":SOUR:DAC 1,#12ab;:READ:ARR? 33"])
def test_the_firmware_refuses_channels_that_it_has_not(board, message):
    board.write(f':MODE MULT;:ROUT:BLOC "multiply",(@0),(@1);{message}\n'.encode())
    assert errors(board) == [-222]


def test_a_batch_is_one_message_and_what_the_board_cannot_keep_several(driver, board):
    daq = connected(driver)
    daq.exchange(np.zeros((1, 1)))
    heard = []
    write = board.write
    board.write = lambda data, end=True: (heard.append(data), write(data, end))[1]
    volts = np.linspace(-2.0, 2.0, 2000)[:, None]
    np.testing.assert_allclose(daq.exchange(volts)[:, :1], -volts, atol=1e-3)
    assert len(heard) == 1
    heard.clear()
    volts = np.linspace(-2.0, 2.0, 5000)[:, None]
    np.testing.assert_allclose(daq.exchange(volts)[:, :1], -volts, atol=1e-3)
    assert len(heard) == 3


@pytest.mark.parametrize("volts", [2.6, -2.6, np.nan, np.inf])
def test_an_output_beyond_its_range_is_refused_before_anything_is_sent(driver, board, volts):
    daq = connected(driver)
    with pytest.raises(
        LimitError, match=r"output 1: .* V \(sample 1\) is outside -2\.5 V to 2\.5 V; scale the vectors down"
    ):
        daq.exchange(np.array([[0.0, 0.0], [0.1, volts]]))
    assert talk(board, ":SOUR:DAC?") == "0,1"


def test_vectors_of_a_wrong_shape_are_refused(driver):
    with pytest.raises(InputError, match=r"vectors of shape \(1, 33\) do not fit"):
        connected(driver).exchange(np.zeros((1, 33)))


def test_without_a_block_the_board_refuses_to_convert(driver):
    with pytest.raises(InstrumentError, match=r"refused ':SOUR:DAC 1,': -221,.*connected block"):
        driver.converters.exchange(np.zeros((1, 1)))
    assert driver.identify()  # and it goes on


# --- the watchdog and its signs of life ---


def test_the_watchdog_is_armed_as_read_back_and_disarmed(driver, board):
    driver.arm_watchdog(1.23456)
    assert board.watchdog == pytest.approx(1.23456)
    driver.arm_watchdog(0.0)
    assert board.watchdog == 0.0


def test_signs_of_life_do_not_cut_into_a_message(driver, board):
    """Another thread's beats never get between a message and its reply."""
    answers: list[str] = []
    ended = threading.Event()

    def live() -> None:
        while not ended.is_set():
            driver.beat(0.5)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        answers.extend(driver.ask(":MODE?;:ROUT:PATH?") for _ in range(3000))
    finally:
        ended.set()
        thread.join()
    assert set(answers) == {"SAFE;OPEN"}
    assert errors(board) == []


# --- the driver against the page's wire ---

FINE = '0,"No error"'
OPENING = [("*IDN?", "MHO,ARRAY BOARD,1,1"), (":SYST:ERR?", FINE)]


def checked(message: str, reply: str = "") -> tuple[str, str]:
    """Return a message with the look at the error queue behind it, and the reply with what it finds."""
    return f"{message};:SYST:ERR?", f"{reply};{FINE}" if reply else FINE


def test_a_programming_step_over_the_wire() -> None:
    pairs = [
        *OPENING,
        checked(":ROUT:PATH OPEN;:MODE SAFE;:MODE?;:MODE PROG;:MODE?", "SAFE;PROG"),
        checked(':ROUT:CELL "multiply",3,7;:ROUT:CELL?', '"multiply",3,7'),
        checked(":ROUT:PATH OPEN;:ROUT:PATH?;:ROUT:PATH RES;:ROUT:PATH?", "OPEN;RES"),
        checked(
            ':ROUT:PATH OPEN;:ROUT:PATH?;:ROUT:CELL "multiply",3,8;:ROUT:CELL?;:ROUT:PATH READ;:ROUT:PATH?',
            'OPEN;"multiply",3,8;READ',
        ),
        checked(":ROUT:PATH OPEN;:ROUT:PATH?", "OPEN"),
        checked(":OUTP:SAFE;:OUTP:SAFE?", "1"),
    ]
    with expected_protocol(ArrayBoardDriver, pairs) as board:
        board.set_mode("PROGRAM")
        board.select(Cell("multiply", 3, 7))
        board.route("RESET")
        board.connect_cell(Cell("multiply", 3, 8), "READ")
        board.route("OPEN")
        board.make_safe()


def test_blocks_and_watchdog_over_the_wire() -> None:
    block = '"multiply",(@0,1,5),(@2)'
    loop = '"invert_positive",(@0),(@0)'
    pairs = [
        *OPENING,
        checked(f":ROUT:BLOC {block};:ROUT:BLOC?", block),
        (":CONF:MULT:RES?", "10000"),
        checked(':CONF:INV:NEG "invert_negative";:CONF:INV:DIAG 1.000000000e-04;:CONF:INV:DIAG:COUN 1'),
        checked(f":ROUT:BLOC {loop};:ROUT:BLOC?", loop),
        (":CONF:INV:COND?", "1E-4"),
        checked(":SYST:WDOG 2.000000000e+00;:SYST:WDOG?", "2"),
        ("*OPC?", "1"),
    ]
    with expected_protocol(ArrayBoardDriver, pairs) as board:
        board.connect_multiply("multiply", [0, 1, 5], [2])
        assert board.transimpedance == 10000.0
        assert board.transimpedance == 10000.0  # asked once
        board.connect_invert(
            "invert_positive", [0], [0], negative="invert_negative", diagonal=1e-4, diagonal_count=1
        )
        assert board.input_conductance == 1e-4
        board.arm_watchdog(2.0)
        board.beat(0.5)


def test_a_board_that_reports_something_else_is_not_believed() -> None:
    pairs = [
        *OPENING,
        checked(":ROUT:PATH OPEN;:ROUT:PATH?", "SET"),
        checked(":SYST:WDOG 2.000000000e+00;:SYST:WDOG?", "0"),
    ]
    with expected_protocol(ArrayBoardDriver, pairs) as board:
        with pytest.raises(InstrumentError, match="reports 'SET' instead of 'OPEN'"):
            board.route("OPEN")
        with pytest.raises(InstrumentError, match="watchdog is set to 0 s instead of 2 s"):
            board.arm_watchdog(2.0)
