"""Touches by hand: what each instrument offers, limits before anything is sent, and a chip that stays unharmed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mho
from mho.errors import InputError, LimitError, MhoError
from mho.instruments import Bench
from mho.instruments.bench import WATCH, Hands, touchables
from mho.instruments.bench_file import load_bench_file
from mho.instruments.opening import open_rehearsal

ROOT = Path(__file__).parents[3]
REAL = ROOT / "docs/benches"
HARMLESS = {"source on nothing"}  # a person may measure an open line


@pytest.fixture
def bench() -> Iterator[Bench]:
    with mho.open_bench("simulated", seed=1, preset="quiet") as bench:
        yield bench


@pytest.fixture
def hands(bench: Bench) -> Hands:
    return Hands(bench)


def incidents(bench: Bench) -> list[object]:
    assert bench.laboratory is not None
    return [one for one in bench.laboratory.incidents if one.kind not in HARMLESS]


def form(bench: Bench, cell: mho.Cell) -> None:
    bench.pulse(cell, mho.Pulse("set", 4.0, 1e-6, gate=1.6))


def test_what_is_offered_follows_from_what_each_instrument_serves() -> None:
    source = load_bench_file("heated")
    by_role = {one.role: one for one in touchables(source.bench, source.chip_text)}
    names = {role: [touch.name for touch in one.touches] for role, one in by_role.items()}
    assert names["smu"] == ["source", "measure", "off", "look", WATCH]
    assert names["gate"] == [
        "source",
        "measure",
        "off",
        "look",
    ]  # watching it would take the word line through 0 V
    assert names["pulser"] == ["pulse", "off", "look"]
    assert names["board"] == ["connect", "off", "look"]
    assert names["chuck"] == ["heat", "off", "look", WATCH]
    voltage, limit = by_role["smu"].touch("source").values
    assert (voltage.lowest, voltage.highest, limit.highest) == (-4.6, 4.6, 1e-3)  # those of the bench file
    kelvin, _ = by_role["chuck"].touch("heat").values
    assert (kelvin.lowest, kelvin.highest) == (290.0, 430.0)
    assert dict(by_role["chuck"].readings) == {"temperature": "K"}


def test_a_bench_of_arrays_has_nothing_to_touch() -> None:
    source = load_bench_file("arrays")
    assert touchables(source.bench, source.chip_text) == ()


def test_a_connected_cell_is_measured_as_the_bench_reads_it(bench: Bench, hands: Hands) -> None:
    cell = mho.Cell("multiply", 3, 4)
    form(bench, cell)
    expected = bench.read(cell)
    bench.safe()
    open_line = hands.touch("smu", "measure", {"voltage": 0.2}).readings["current"]
    hands.touch("board", "connect", {"array": "multiply", "row": 3.0, "column": 4.0})
    read = hands.touch("smu", "measure", {"voltage": 0.2}).readings
    assert read["current"] / read["voltage"] == pytest.approx(expected, rel=0.03)
    assert (
        abs(open_line) < 0.02 * read["current"]
    )  # else it would say the same of a cell that is not connected
    hands.touch("smu", "source", {"voltage": 0.1})
    assert hands.read("smu")["voltage"] == pytest.approx(0.1, abs=1e-3)
    assert bench.states()["smu"].value == "ON, 0.1 V"
    hands.rest()
    assert not bench.live()
    assert not incidents(bench)


def test_a_source_is_at_zero_while_another_cell_is_connected(bench: Bench, hands: Hands) -> None:
    for row in (0.0, 1.0):
        hands.touch("board", "connect", {"array": "multiply", "row": row})
        hands.touch("smu", "source", {"voltage": 0.3})
    assert not incidents(bench)  # a relay that moves under a voltage is one


def test_pulses_by_hand_form_a_cell_and_no_more_than_it_bears_goes_to_a_formed_one(
    bench: Bench, hands: Hands
) -> None:
    hands.touch("board", "connect", {"array": "multiply", "path": "SET", "gate": 1.6})
    hands.touch("pulser", "pulse", {"line": "bit line", "voltage": 4.0})
    hands.rest()
    assert bench.read(mho.Cell("multiply", 0, 0)) > 5e-6
    hands = Hands(bench)
    hands.touch("board", "connect", {"array": "multiply", "path": "SET", "gate": 1.6})
    with pytest.raises(LimitError, match=r"beyond the .* a formed cell bears"):
        hands.touch("pulser", "pulse", {"line": "bit line", "voltage": 4.4})
    assert bench.damage.lost() == ()


@pytest.mark.parametrize(
    ("role", "name", "values", "words"),
    [
        ("smu", "source", {"voltage": 5.0}, r"smu, source: voltage is 5 V, beyond -4.6 to 4.6 V"),
        ("smu", "source", {"voltage": math.nan}, r"give a finite number"),
        ("smu", "source", {"current_limit": 1.0}, r"current_limit is 1 A, beyond 0 to 0.001 A"),
        ("smu", "source", {"volts": 1.0}, r"source takes no volts"),
        ("smu", "fly", {}, r"smu cannot 'fly'; it can source, measure"),
        ("nobody", "off", {}, r"no instrument 'nobody'; there are smu"),
        ("pulser", "pulse", {"width": 1.0}, r"width is 1 s, beyond"),
        ("pulser", "pulse", {"count": 1.5}, r"count is 1.5; give a whole number"),
        ("pulser", "pulse", {"line": "word line"}, r"line is 'word line'; there are bit line, source line"),
        ("daq", "exchange", {"voltages": "0.1, x"}, r"give numbers with commas"),
        ("daq", "exchange", {"voltages": "2"}, r"voltage of 2 V exceeds the limit of 1 V"),
        ("board", "connect", {"row": 1.5}, "row is 1.5; give a whole number"),
        ("board", "connect", {"row": 1024.0}, "row is 1024, beyond 0 to 1023"),
    ],
)
def test_what_is_not_allowed_is_refused_in_a_sentence_before_anything_is_sent(
    bench: Bench, hands: Hands, role: str, name: str, values: dict[str, object], words: str
) -> None:
    assert bench.laboratory is not None
    before = bench.now()
    with pytest.raises((InputError, LimitError), match=words):
        hands.touch(role, name, values)
    assert bench.now() == before  # a message takes time on the virtual bench
    assert not hands.touched


def test_relays_of_a_matrix_do_not_move_under_a_source() -> None:
    with mho.open_bench("switched", seed=1) as bench:
        hands = Hands(bench)
        hands.touch("smu", "source", {"voltage": 0.5})
        with pytest.raises(InputError, match="may weld: switch them off first"):
            hands.touch("switch", "close", {"crosspoints": "1A03"})
        hands.touch("smu", "off", {})
        point = sorted(next(iter(bench.file.instruments.switch.crosspoints().values())))[0]
        assert hands.touch("switch", "close", {"crosspoints": point}).words == f"closed: {point}"
        hands.rest()
        assert bench.instruments.switch.closed() == ()
        assert not incidents(bench)


def test_a_device_is_not_driven_past_a_word_line_that_floats() -> None:
    with open_rehearsal(load_bench_file(str(REAL / "two-channels.toml")), seed=0, force=True) as bench:
        hands = Hands(bench)
        with pytest.raises(InputError, match="the word line floats"):
            hands.touch("smu", "measure", {"voltage": 0.1})
        hands.touch("gate", "source", {"voltage": 1.0})
        hands.touch("smu", "source", {"voltage": 0.1})
        hands.touch("gate", "off", {})
        assert bench.states()["smu"].value == "ON, 0 V"
        assert not incidents(bench)


def test_heat_goes_on_between_touches_and_after_a_run_has_switched_it_off() -> None:
    with mho.open_bench("heated", seed=1) as bench:
        hands = Hands(bench)
        hands.touch("chuck", "heat", {"temperature": 310.0})
        bench.wait_until(bench.now() + 60.0)
        warm = hands.read("chuck")["temperature"]
        assert warm > 302.0
        hands.touch("smu", "source", {"voltage": 0.1})
        hands.rest()
        bench.wait_until(bench.now() + 60.0)
        assert hands.read("chuck")["temperature"] > warm
        bench.safe()  # as a run does at its end
        hands.heat_again()
        bench.wait_until(bench.now() + 120.0)
        assert hands.read("chuck")["temperature"] == pytest.approx(310.0, abs=1.0)
        hands.touch("chuck", "off", {})
        hands.heat_again()
        assert bench.states()["chuck"].value == "off"


@pytest.mark.parametrize("name", ["simulated", "heated", "switched", "stanford", "zuo2025", "integrated64"])
def test_every_touch_of_every_packaged_bench_works_at_its_first_values(name: str) -> None:
    with mho.open_bench(name, seed=1) as bench:
        every_touch(bench)


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(REAL.glob("*.toml")) if "\n[instruments" in path.read_text("utf-8")],
    ids=lambda path: path.stem,
)
def test_every_touch_of_the_benches_of_the_docs_works_on_their_twins(path: Path) -> None:
    with open_rehearsal(load_bench_file(str(path)), seed=0, force=True) as bench:
        every_touch(bench)


def every_touch(bench: Bench) -> None:
    hands = Hands(bench)
    roles = sorted(hands.touchables, key=lambda role: role != "gate")  # a word line first
    for role in roles:
        for touch in hands.touchables[role].touches:
            if touch.name in (WATCH, "off"):
                continue
            if any(value.name == "crosspoints" for value in touch.values):
                continue  # which has no first value
            assert hands.touch(role, touch.name, {}).words
        assert set(hands.read(role)) == set(hands.touchables[role].readings)
    for role in roles:
        if any(touch.name == "off" for touch in hands.touchables[role].touches):
            hands.touch(role, "off", {})
    hands.rest()
    assert not bench.live() or set(bench.live()) <= {"tester"}
    assert not incidents(bench)


TOUCHES = st.sampled_from(
    [("smu", "source"), ("smu", "measure"), ("smu", "off"), ("gate", "source"), ("gate", "off"), ("pulser", "pulse"),
     ("board", "connect"), ("board", "off"), ("daq", "exchange"), ("pulser", "off")]
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    st.lists(
        st.tuples(
            TOUCHES,
            st.floats(-6, 6),
            st.sampled_from(["READ", "SET", "RESET"]),
            st.sampled_from(["bit line", "source line"]),
        ),
        max_size=8,
    )
)
def test_no_order_of_touches_harms_a_cell_or_leaves_an_output_on(
    steps: list[tuple[tuple[str, str], float, str, str]],
) -> None:
    with mho.open_bench("simulated", seed=1) as bench:
        hands = Hands(bench)
        for (role, name), volts, path, line in steps:
            values: dict[str, object] = {
                "voltage": volts, "path": path, "line": line, "gate": abs(volts) / 2, "voltages": f"{volts}",
            }  # fmt: skip
            known = {value.name for value in hands.touchables[role].touch(name).values}
            with suppress(MhoError):
                hands.touch(role, name, {key: value for key, value in values.items() if key in known})
        hands.rest()
        assert not bench.simulated.live()  # at the wires
        assert not incidents(bench)
        assert bench.damage.lost() == ()
