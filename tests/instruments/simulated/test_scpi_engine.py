"""The SCPI engine speaks IEEE 488.2: syntax, parameters, status, and never breaks on what it is sent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wired_twins import ask

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.instrument import (
    IndexedSetting,
    ScpiDevice,
    ScpiError,
    ScpiPart,
    Setting,
    command,
    query,
)
from mho.instruments.simulated.scpi.language import (
    KNOWN_MESSAGES,
    expand,
    parse_unit,
    split_messages,
    split_units,
)
from mho.instruments.simulated.scpi.parameters import (
    BlockParameter,
    Boolean,
    ChannelList,
    Choice,
    Numeric,
    Text,
    block_text,
    quote,
    unquote,
)


class Toy(ScpiDevice):
    identity = "MHO,TOY,{serial},1"

    level = Setting(
        "[:SOURce[1]]:VOLTage[:LEVel][:IMMediate][:AMPLitude]", Numeric(0.5, -200.0, 200.0, unit="V")
    )
    resistance = Setting(":RESistance", Numeric(1.0, 0.0, 1e12, unit="OHM", names={"INFinity": 9.9e37}))
    count = Setting(":COUNt", Numeric(3, 1, 1000, integer=True))
    mode = Setting(":MODE", Choice("SAFE", ("SAFE", "PROGram", "MULTiply")))
    sense = Setting(":SENSe:FUNCtion", Choice("CURR:DC", ("CURRent[:DC]", "VOLTage[:DC]"), quoted=True))
    on = Setting(":OUTPut[:STATe]", Boolean(False))
    label = Setting(":LABel", Text("plain"))
    data = Setting(":DATA", BlockParameter(b""))
    channels = Setting(":ROUTe:SCAN", ChannelList())
    gain = IndexedSetting(":GAIN[1|2]", Numeric(1.0, 0.1, maximum=lambda device, index: 10.0 * index))

    def __init__(self, clock, rng, **kwargs):
        self.changes = []
        super().__init__(clock, rng, **kwargs)

    @level.check
    def forbid_thirteen(self, volts):
        if volts == 13.0:
            raise ScpiError(-221, "superstition")

    @level.on_change
    def note(self, volts):
        self.changes.append(volts)

    @gain.on_change
    def note_gain(self, index, value):
        self.changes.append((index, value))

    @query(":SUM", Numeric(repeated=True))
    def total(self, numbers):
        return self.real(sum(numbers))

    @query(":FAIL")
    def fail(self):
        raise ScpiError(-310)

    @command(":WAIT", Numeric(0.0, 0.0, unit="S"))
    def wait_for(self, seconds):
        self.clock.advance(seconds)


@pytest.fixture
def toy():
    device = Toy(VirtualClock(), np.random.default_rng(1), serial="T1")
    device.status.events = 0
    return device


def errors(device):
    codes = []
    while (reply := ask(device, "SYST:ERR?")) != '0,"No error"':
        codes.append(int(reply.split(",")[0]))
    return codes


@pytest.mark.parametrize(
    "header",
    [
        "VOLT",
        "volt",
        "SOUR:VOLT",
        ":source:voltage",
        "SOUR1:VOLT",
        "VOLT:LEV",
        "VOLTage:IMM:AMPL",
        "Sour:Volt:Ampl",
    ],
)
def test_a_header_may_be_short_long_or_leave_optional_nodes_out(toy, header):
    toy.write(f"{header} 2.5".encode())
    assert ask(toy, f"{header}?") == "2.500000E+00"
    assert errors(toy) == []


@pytest.mark.parametrize(
    "header", ["VOL", "VOLTA", "VOLT:AMPL:LEV", "SOUR", "FOO", "::VOLT", "VOLT:", "*FOO"]
)
def test_what_is_neither_short_nor_long_is_undefined(toy, header):
    toy.write(f"{header} 1".encode())
    assert errors(toy) == [-113]


def test_a_suffix_chooses_among_what_the_node_has(toy):
    toy.write(b"GAIN2 15;GAIN1 4;:GAIN 5")
    assert toy.gain == {1: 5.0, 2: 15.0}
    assert toy.changes == [(2, 15.0), (1, 4.0), (1, 5.0)]
    toy.write(b"GAIN3 1;:VOLT2 1;:SOUR2:VOLT 1")
    assert errors(toy) == [-114, -114, -114]


def test_a_header_after_a_semicolon_continues_at_the_path_of_the_one_before(toy):
    assert ask(toy, "SOUR:VOLT:LEV 3;IMM?;AMPL?;*ESR?;IMM?;:MODE?") == ";".join(
        ["3.000000E+00", "3.000000E+00", "0", "3.000000E+00", "SAFE"]
    )
    toy.write(b"SOUR:VOLT:LEV 3;MODE PROG")
    assert errors(toy) == [-113]
    assert toy.mode == "SAFE"


@pytest.mark.parametrize(
    ("text", "volts"),
    [("200mV", 0.2), ("1E-3", 1e-3), ("+1.5e+2", 150.0), ("-.5", -0.5), ("3.", 3.0), ("10 uV", 1e-5),
     ("0.1KV", 100.0), ("#H1F", 31.0), ("#B101", 5.0), ("#Q17", 15.0), ("MIN", -200.0), ("MAXimum", 200.0),
     ("DEF", 0.5), ("5 V", 5.0), ("1 E 1", 10.0)],
)  # fmt: skip
def test_a_number_may_have_a_unit_a_radix_or_be_a_keyword(toy, text, volts):
    toy.write(f"VOLT {text}".encode())
    assert errors(toy) == []
    assert toy.level == pytest.approx(volts, rel=1e-15)


def test_m_is_milli_for_volts_and_mega_for_ohms(toy):
    toy.write(b"RES 2 MOHM;:VOLT 2MV")
    assert (toy.resistance, toy.level) == (2e6, 2e-3)
    toy.write(b"RES 2 KOHM")
    assert toy.resistance == 2e3
    assert ask(toy, "RES INF;RES?") == "9.900000E+37"


@pytest.mark.parametrize(
    ("message", "code"),
    [("VOLT", -109), ("VOLT 1,2", -108), ("VOLT 201", -222), ("VOLT -1e3", -222), ("VOLT 1A", -131),
     ("COUN 3 V", -138), ("VOLT abc", -104), ('VOLT "1"', -104), ("VOLT 1e999", -123), ("VOLT nan", -104),
     ("VOLT inf", -104), ("VOLT 1_0", -104), ("VOLT 0x10", -131), ("VOLT 13", -221), ("MODE FOO", -224),
     ("MODE 3", -104), ("MODE 'SAFE'", -158), ("LAB plain", -104), ("LAB 'open", -151), ("DATA 5", -104),
     ("DATA #15ab", -161), ("ROUT:SCAN 101", -104), ("ROUT:SCAN (@101:x)", -170), ("VOLT?MAX", -102),
     ("&&&", -102), ("VOLT? 5", -108), ("OUTP maybe", -224), ("SENS:FUNC CURR", -104), ("FAIL?", -310),
     ("*TRG", -211), ("*ESE 256", -222)],
)  # fmt: skip
def test_what_is_wrong_gets_its_number_and_changes_nothing(toy, message, code):
    before = dict(toy.__dict__, _output=None, status=None, changes=None)
    toy.write(message.encode())
    assert errors(toy)[:1] == [code]
    assert dict(toy.__dict__, _output=None, status=None, changes=None) == before


@pytest.mark.parametrize(("message", "bit"), [("FOO", 32), ("VOLT 1e6", 16), ("FAIL?", 8), ("", 4)])
def test_an_error_sets_the_bit_of_its_class(toy, message, bit):
    toy.write(message.encode()) if message else toy.read()
    toy.write(b"*ESR?")
    first = toy.read()
    assert int(first) == bit
    assert ask(toy, "*ESR?") == "0"


def test_min_max_and_def_are_answered_without_setting(toy):
    assert ask(toy, "VOLT? MIN;VOLT? MAX;VOLT? DEF;VOLT?") == ";".join(
        ["-2.000000E+02", "2.000000E+02", "5.000000E-01", "5.000000E-01"]
    )
    assert ask(toy, "GAIN2? MAX") == "2.000000E+01"
    toy.write(b"GAIN1 15")
    assert errors(toy) == [-222]


def test_the_rest_of_a_message_is_carried_out_after_an_error(toy):
    assert ask(toy, "VOLT 7;:VOLT 900;:VOLT?;:SYST:ERR?") == '7.000000E+00;-222,"Data out of range"'


def test_strings_choices_switches_lists_and_blocks_come_back(toy):
    assert ask(toy, "LAB 'it''s; a \"b\"';LAB?") == '"it\'s; a ""b"""'
    assert ask(toy, 'SENS:FUNC "VOLT";FUNC?') == '"VOLT:DC"'
    assert ask(toy, "SENS:FUNC 'current:dc';FUNC?") == '"CURR:DC"'
    assert ask(toy, "MODE program;MODE?") == "PROG"
    assert ask(toy, "OUTP 1;OUTP?;:OUTP OFF;OUTP?;:OUTP 2.7;OUTP?") == "1;0;1"
    assert ask(toy, "ROUT:SCAN (@101:103, 110,105:104);SCAN?") == "(@101,102,103,110,105,104)"
    assert ask(toy, "COUN 4.6;COUN?") == "5"
    assert ask(toy, "SUM? 1,2, 3e0 ,4") == "1.000000E+01"


def test_a_block_may_hold_semicolons_line_feeds_quotes_and_commas(toy):
    content = bytes(range(256)) * 3
    message = b"DATA " + b"#3768" + content + b";:VOLT 4\n"
    for piece in (message[:3], message[3:8], message[8:200], message[200:]):
        toy.write(piece, end=False)
    assert toy.data == content
    assert toy.level == 4.0
    toy.write(b"DATA?;VOLT?\n")
    assert toy.read() == b"#3768" + content + b";4.000000E+00\n"
    toy.write(b"DATA #0a;b")
    assert toy.data == b"a;b"


def test_a_message_ends_at_a_line_feed_or_with_end(toy):
    toy.write(b"VOLT ", end=False)
    toy.write(b"1", end=False)
    assert toy.level == 0.5
    toy.write(b"2\nVOLT?", end=False)
    assert toy.level == 12.0
    assert toy.read() == b""
    toy.write(b"", end=True)
    assert toy.read() == b"1.200000E+01\n"


def test_an_unread_reply_is_interrupted_and_a_read_without_query_unterminated(toy):
    toy.write(b"*IDN?")
    toy.write(b"VOLT?")
    assert toy.read() == b"5.000000E-01\n"
    assert toy.read() == b""
    assert errors(toy) == [-410, -420]


def test_on_a_stream_replies_follow_each_other(toy):
    toy.stream = True
    toy.write(b"*IDN?\nVOLT?\n", end=False)
    toy.write(b"MODE?\n", end=False)
    assert toy.read() == b"MHO,TOY,T1,1\n5.000000E-01\nSAFE\n"
    assert toy.read() == b""
    toy.write(b"SYST:ERR?\n")
    assert toy.read() == b'0,"No error"\n'


def test_the_error_queue_is_first_in_first_out_and_ends_in_350(toy):
    toy.write(b"FOO;VOLT;VOLT 1e9")
    assert ask(toy, "SYST:ERR:COUN?") == "3"
    assert errors(toy) == [-113, -109, -222]
    for _ in range(toy.error_capacity + 5):
        toy.write(b"FOO")
    codes = errors(toy)
    assert len(codes) == toy.error_capacity
    assert codes[-1] == -350
    assert set(codes[:-1]) == {-113}
    toy.write(b"FOO;*CLS")
    assert errors(toy) == []


def test_reset_restores_every_setting_but_not_the_masks(toy):
    toy.write(b"VOLT 3;GAIN2 7;MODE PROG;*ESE 60;*SRE 32;*RST")
    assert (toy.level, toy.gain, toy.mode) == (0.5, {1: 1.0, 2: 1.0}, "SAFE")
    assert ask(toy, "*ESE?;*SRE?") == "60;32"


def test_the_status_byte_summarises_and_a_poll_releases_the_request(toy):
    toy.write(b"*ESE 32;*SRE 32")
    assert toy.service_requests == 0
    toy.write(b"FOO")
    assert toy.service_requests == 1
    assert toy.status_byte() & 0x40
    assert not toy.status_byte() & 0x40  # RQS is gone, the master summary stays
    assert int(ask(toy, "*STB?")) == 64 + 32 + 4
    toy.write(b"FOO")  # no new edge
    assert toy.service_requests == 1
    toy.write(b"*ESR?")
    toy.read()
    toy.write(b"FOO")
    assert toy.service_requests == 2


def test_message_available_can_request_service(toy):
    toy.write(b"*SRE 16")
    toy.write(b"*IDN?")
    assert toy.service_requests == 1
    assert toy.status_byte() == 64 + 16
    toy.read()
    assert toy.status_byte() == 0


def test_common_commands_answer(toy):
    assert ask(toy, "*OPC?;*TST?;*OPT?;:SYST:VERS?") == "1;0;0;1999.0"
    toy.write(b"*OPC;*WAI")
    assert ask(toy, "*ESR?") == "1"
    assert ask(toy, "STAT:OPER?;QUES?;OPER:COND?") == "0;0;0"


def test_device_clear_forgets_input_and_output_only(toy):
    toy.write(b"VOLT 9;VOLT?")
    toy.write(b"VOL", end=False)
    toy.clear()
    toy.write(b"VOLT?")
    assert toy.read() == b"9.000000E+00\n"


def test_time_passes_on_the_virtual_clock_only(toy):
    toy.write(b"WAIT 3600 S;WAIT 500 MS")
    assert toy.clock.now == 3600.5


def test_a_subclass_adds_to_the_vocabulary_and_overrides_handlers():
    class Child(Toy):
        extra = Setting(":EXTRa", Numeric(1.0))

        def total(self, numbers):
            return "none"

    child = Child(VirtualClock(), np.random.default_rng(0))
    assert ask(child, "SUM? 1;:EXTR?;:VOLT?") == "none;1.000000E+00;5.000000E-01"
    parent = Toy(VirtualClock(), np.random.default_rng(0))
    parent.write(b"EXTR 1")
    assert errors(parent) == [-113]


def test_a_pattern_expands_to_every_spelling():
    spellings = {
        ":".join(nodes[i].name for i in sorted(present)) for nodes, present in expand("[:A]:B[:C:D]")
    }
    assert spellings == {"B", "A:B", "B:C:D", "A:B:C:D"}
    with pytest.raises(ValueError, match="header pattern"):
        expand(":A[:B")


@pytest.mark.thorough
@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_quoting_and_reading_a_string_are_inverse(text):
    assert unquote(quote(text)) == text


@given(st.binary(max_size=300), st.binary(max_size=20).filter(lambda rest: b"#" not in rest))
def test_blocks_survive_the_splitter(content, rest):
    rest = rest.translate(None, b"\"'\n;")
    message = b"DATA " + block_text(content).encode("latin-1") + b";X" + rest + b"\n"
    messages, remainder = split_messages(message + b"Y")
    assert (messages, remainder) == ([message[:-1]], b"Y")
    units = split_units(messages[0].decode("latin-1"))
    assert parse_unit(units[0]).parameters == (block_text(content),)


@given(st.lists(st.sampled_from([b"VOLT 1", b"DATA #13a\nb", b"LAB 'x;y'", b"*IDN?"]), max_size=5), st.data())
def test_how_a_message_is_cut_into_pieces_does_not_matter(messages, data):
    whole = b"".join(message + b"\n" for message in messages)
    toy = Toy(VirtualClock(), np.random.default_rng(0))
    toy.stream = True
    position = 0
    while position < len(whole):
        size = data.draw(st.integers(1, 6))
        toy.write(whole[position : position + size], end=False)
        position += size
    assert toy.read() == b"MHO,TOY,SIM00000,1\n" * messages.count(b"*IDN?")
    assert ask(toy, "SYST:ERR?") == '0,"No error"'


@given(st.floats(-200, 200))
def test_a_number_sent_in_full_precision_arrives_exactly(volts):
    toy = Toy(VirtualClock(), np.random.default_rng(0))
    if volts != 13.0:
        toy.write(f"VOLT {volts!r}".encode())
        assert toy.level == volts


_fragments = st.sampled_from(
    ["VOLT", ":", ";", "?", " ", ",", "1", "MAX", "#", "#15", "'", '"', "(", ")", "@", "*IDN?", "\n", "GAIN",
     "2", "E", "-", ".", "SYST:ERR?", "DATA ", "LAB ", "MV", "é", "\x00"]
)  # fmt: skip


@settings(max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=40), st.lists(_fragments, max_size=12).map(lambda x: "".join(x).encode("latin-1"))
    )
)
def test_whatever_is_sent_the_instrument_stays_in_order(noise):
    toy = Toy(VirtualClock(), np.random.default_rng(0))
    toy.write(noise)
    toy.clear()
    toy.write(b"*CLS;*IDN?")
    assert toy.read() == b"MHO,TOY,SIM00000,1\n"
    assert -200.0 <= toy.level <= 200.0


def test_messages_that_are_known_as_they_come_do_what_new_ones_do(toy):
    for number in range(KNOWN_MESSAGES + 100):
        toy.write(b":RES %d\n" % number)
        assert toy.resistance == number
    assert 0 < len(Toy._language.known) <= KNOWN_MESSAGES
    for _ in range(2):  # known or not, what is refused stays so
        toy.write(b":VOLT 500;:GAIN2 15\n")
        assert (errors(toy), toy.gain[2]) == ([-222], 15.0)
        toy.write(b":GAIN1 15\n")
        assert errors(toy) == [-222]


@pytest.mark.parametrize(
    ("text", "units"),
    [
        (':LAB "a;b";:VOLT 1', [':LAB "a;b"', ":VOLT 1"]),
        (':LAB "a";:VOLT 1', [':LAB "a"', ":VOLT 1"]),
        (':LAB "a"";b";:VOLT 1', [':LAB "a"";b"', ":VOLT 1"]),
        (":LAB 'a;\"b';:VOLT 1", [":LAB 'a;\"b'", ":VOLT 1"]),
    ],
)
def test_a_semicolon_in_a_string_separates_nothing(text, units):
    assert split_units(text) == units


def test_a_comma_in_a_string_separates_nothing():
    assert parse_unit(':ROUT "a,b", 3,(@1,2)').parameters == ('"a,b"', "3", "(@1,2)")
    assert parse_unit(':ROUT "multiply",0,17').parameters == ('"multiply"', "0", "17")


# --- an instrument composed of parts ---


class Bellows(ScpiPart):
    depth = Setting(":DEPTh", Numeric(1.0, 0.0, 5.0))
    commands = {
        ":BLOW": lambda self: self.blow(1), ":BLOW?": lambda self: self.device.real(self.blown),
        ":PIPes?": lambda self: "0",
    }  # fmt: skip

    def __init__(self, device):
        super().__init__(device)
        self.reset()

    @depth.check
    def _check_depth(self, depth):
        if depth > self.device.ceiling:
            raise ScpiError(-221)

    def reset(self):
        self.blown = 0.0

    def blow(self, times):
        self.blown += times * self.depth


class Deep(Bellows):
    lid = Setting(":LID", Boolean(True))

    @command(":BLOW:TIMes", Numeric(1, 1, 9, integer=True))
    def blow_times(self, times):
        self.blow(times)


class Organ(ScpiDevice):
    real_format = "%.2f"
    parts = (Deep,)
    depth = Setting(":PEDal", Numeric(2.0))  # a name that a part has as well
    commands = {":PIPes?": lambda self: "61"}  # replaces the part's

    def __init__(self, clock, rng):
        super().__init__(clock, rng)
        self.ceiling = 4.0
        self.bellows = Deep(self)


@pytest.fixture
def organ():
    return Organ(VirtualClock(), np.random.default_rng(0))


def test_settings_and_commands_of_a_part_are_the_device_s(organ):
    assert ask(organ, ":DEPT?;:DEPTH? MAX;:PED?;:LID?;:PIP?") == "1.00;5.00;2.00;1;61"
    assert ask(organ, ":DEPT 3;:BLOW;:BLOW:TIM 2;:BLOW?;:PED?") == "9.00;2.00"
    assert (organ.bellows.depth, organ.depth) == (3.0, 2.0)
    organ.write(b":DEPT 4.5")
    assert errors(organ) == [-221]


def test_a_part_is_reset_with_its_device_and_belongs_to_no_other(organ):
    other = Organ(VirtualClock(), np.random.default_rng(0))
    organ.write(b":DEPT 3;:LID OFF;:PED 7;:BLOW")
    assert ask(other, ":DEPT?;:BLOW?") == "1.00;0.00"
    assert ask(organ, "*RST;:DEPT?;:BLOW?;:LID?;:PED?") == "1.00;0.00;1;2.00"


class Lenient(Toy):
    common_after_colon = True


def test_a_colon_before_a_common_command_is_for_some_instruments_only(toy):
    lenient = Lenient(VirtualClock(), np.random.default_rng(0))
    for device, code in ((toy, -102), (lenient, 0)):
        device.write(b":MODE PROG; :*ESE 4;:COUN 5")
        assert device.status.event_enable == (0 if code else 4)
        assert ask(device, ":SYST:ERR?").startswith(f"{code},")


class Pipe(ScpiPart):
    """One of two, by the suffix."""

    channels = (1, 2)
    pitch = Setting(":PIPE[1|2]:PITCh", Numeric(440.0, 20.0, 20e3, unit="HZ"))
    commands = {":PIPE[1|2]:NAME?": lambda self: self.name}

    def __init__(self, device, name):
        super().__init__(device)
        self.name, self.heard = name, []

    @pitch.check
    def check_pitch(self, hertz):
        if hertz == 666.0:
            raise ScpiError(-221)

    @pitch.on_change
    def _pitch_changed(self, hertz):
        self.heard.append(hertz)


class Reed(Pipe):
    pitch = Setting(":PIPE[1|2]:FREQuency", Numeric(220.0, 20.0, 2e3, unit="HZ"))


class Pair(ScpiDevice):
    parts = (Bellows, Reed)

    def __init__(self, clock, rng):
        super().__init__(clock, rng)
        self.bellows = Bellows(self)
        self.pipes = {1: Reed(self, "left"), 2: Reed(self, "right")}


@pytest.fixture
def pair():
    return Pair(VirtualClock(), np.random.default_rng(0))


def test_a_suffix_says_whose_a_command_is_where_each_channel_has_its_part(pair):
    pair.write(b":PIPE2:FREQ 300;:PIPE:FREQ 100")
    assert [pipe.pitch for pipe in pair.pipes.values()] == [100.0, 300.0]
    assert ask(pair, ":PIPE2:FREQ?;NAME?;:PIPE1:FREQ? MAX;NAME?") == "3.000000E+02;right;2.000000E+03;left"
    pair.write(b"*RST;:PIPE3:FREQ 100")
    assert [pipe.pitch for pipe in pair.pipes.values()] == [220.0, 220.0]
    assert ask(pair, ":SYST:ERR?").startswith("-114,")


def test_a_setting_declared_anew_keeps_what_is_checked_and_follows_and_loses_its_header(pair):
    pair.write(b":PIPE1:FREQ 666")
    assert ask(pair, ":SYST:ERR?").startswith("-221,")
    pair.write(b":PIPE1:FREQ 250;:PIPE1:PITC 500")
    assert (pair.pipes[1].heard, pair.pipes[2].heard) == ([250.0], [])
    assert ask(pair, ":SYST:ERR?").startswith("-113,")
