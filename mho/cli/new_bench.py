"""``mho bench new``: a bench file for the instruments that are there, asked for step by step and checked on twins."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mho.cli.abilities import print_abilities
from mho.cli.bench_report import print_report
from mho.cli.exit_codes import UNFINISHED
from mho.cli.terminal.sentences import print_warning, say
from mho.cli.terminal.terminal import Terminal
from mho.errors import Aborted, InputError, MhoError
from mho.escaping import visible
from mho.lazy_names import late_imports

with late_imports():
    from mho import doctor
    from mho.instruments import bench_file
    from mho.procedures import manifest, quantities

NONE, ITSELF, OWN_CONVERTERS = "none", "read", "-"
QUESTIONS = {
    "read": "Which instrument reads, wired to the bit line ([NAME=]DRIVER@ADDRESS, DRIVER:CHANNEL@ADDRESS; of your own: "
    "FILE.py:Class,FILE.py:TwinClass@ADDRESS; none where one addresses cells by itself)?",
    "tester": "Which instrument of your own addresses cells by itself (FILE.py:Class,FILE.py:TwinClass@ADDRESS)?",
    "serves": "Which operations does it serve (select, read, sweep, gate, pulse, multiply)?",
    "gate": "Which holds the gate, wired to the word line (likewise; another channel of the same unit; none)?",
    "pulse": "Which generator pulses, channel 1 on the bit line (likewise; read: the unit that reads by itself; none)?",
    "board": "At which address is the array board that selects cells (none)?",
    "matrix": "Which switch matrix selects cells instead (keithley707b@ADDRESS, keysightb2201a@ADDRESS; none)?",
    "rows": "What is at its rows (read=1A, gate=1B, pulse=1C, pulse 2=1D, ground=1E)?",
    "bit_columns": "At which of its columns are the bit lines, in their order (101:108)?",
    "source_columns": "At which the source lines (none where they are grounded for good)?",
    "word_columns": "At which the word lines (none where they are not switched)?",
    "bias_tee": "Do the generator and the unit that reads join in a bias tee (y/n)?",
    "vectors": "Which NI channels play and read vectors (OUTPUTS,INPUTS; - for the board's own converters; none)?",
    "chip": "Which chip map: a packaged one, or a path?",
    "bit_line": "How many volts does a cell bear at its bit line?",
    "source_line": "How many at its source line, where the generator's channel 2 is (none, where it is not)?",
    "word_line": "How many at its word line?",
    "current": "How much current (A)?",
    "pulse_width": "How long may a pulse be (s)?",
}
UNITS = {"bit_line": "V", "source_line": "V", "word_line": "V", "current": "A", "pulse_width": "s"}
SLOW = 10e-3  # s: a source-measure unit's pulses take 200 us and more, whatever the chip's own take
OPTIONAL = (
    "read", "gate", "pulse", "board", "matrix", "source_columns", "word_columns", "vectors", "source_line",
)  # fmt: skip
"""What may be none."""
TWO_SOURCES = (
    "the generator and the unit that reads would both be at the bit line: answer y, or name the array board, or the switch "
    "matrix, that switches between them"
)


def new(
    path: Annotated[Path, typer.Argument(help="the bench file (.toml) to write", show_default=False)],
    read: Annotated[
        str,
        typer.Option(
            help="reads: DRIVER@ADDRESS, DRIVER:CHANNEL@ADDRESS, NAME=DRIVER@ADDRESS, DRIVER,TWIN@ADDRESS; none"
        ),
    ] = "",
    tester: Annotated[str, typer.Option(help="addresses cells by itself, where none reads, likewise")] = "",
    serves: Annotated[str, typer.Option(help="the operations that it serves, as select,read")] = "",
    gate: Annotated[str, typer.Option(help="holds the gate, likewise; none")] = "",
    pulse: Annotated[
        str, typer.Option(help="pulses, likewise; read: the unit that reads, by itself; none")
    ] = "",
    board: Annotated[str, typer.Option(help="address of the array board; none")] = "",
    matrix: Annotated[str, typer.Option(help="switch matrix that selects cells, DRIVER@ADDRESS; none")] = "",
    rows: Annotated[str, typer.Option(help="what is at its rows, as read=1A,ground=1B")] = "",
    bit_columns: Annotated[str, typer.Option(help="its columns at the bit lines, as 101:108")] = "",
    source_columns: Annotated[str, typer.Option(help="at the source lines; none")] = "",
    word_columns: Annotated[str, typer.Option(help="at the word lines; none")] = "",
    bias_tee: Annotated[
        bool, typer.Option("--bias-tee", help="the generator and the unit that reads join in one")
    ] = False,
    vectors: Annotated[
        str, typer.Option(help="NI channels, OUTPUTS,INPUTS; - for the board's own converters; none")
    ] = "",
    chip: Annotated[str, typer.Option(help="a packaged chip map, or the path of one")] = "",
    bit_line: Annotated[str, typer.Option(help="what a cell bears at its bit line, as 4.6V")] = "",
    source_line: Annotated[
        str, typer.Option(help="at its source line; none where the generator has no channel there")
    ] = "",
    word_line: Annotated[str, typer.Option(help="at its word line")] = "",
    current: Annotated[str, typer.Option(help="through it, as 1mA")] = "",
    pulse_width: Annotated[str, typer.Option(help="the longest pulse, as 10us")] = "",
    visa: Annotated[
        str | None, typer.Option(help="PyVISA's library, as @py; found out when left out")
    ] = None,
    ask: Annotated[
        bool | None, typer.Option("--ask/--no-ask", help="ask what is on the buses for its identity (*IDN?)")
    ] = None,
) -> None:
    """Write a bench file for the instruments that are there, check it on their twins, and say what the bench can do.

    What is not given as an option is asked for. No instrument is sent anything unless you agree to it.
    """
    if path.exists():
        raise InputError(f"{path} is there already, and stays as it is; name another file")
    given = {
        "read": read, "tester": tester, "serves": serves, "gate": gate, "pulse": pulse, "board": board, "matrix": matrix,
        "rows": rows, "bit_columns": bit_columns, "source_columns": source_columns, "word_columns": word_columns,
        "bias_tee": "y" if bias_tee else "", "vectors": vectors, "chip": chip, "bit_line": bit_line,
        "source_line": source_line, "word_line": word_line, "current": current, "pulse_width": pulse_width,
    }  # fmt: skip
    with bench_file.modules_beside(path.absolute().parent):
        _write(path, _bench(path, given, visa, ask))


def _bench(path: Path, given: dict[str, str], visa: str | None, ask: bool | None) -> doctor.NewBench:
    """Return the bench of these answers, and of those that are asked for."""
    asking = sys.stdin.isatty()
    if not asking and not given["matrix"] and given["board"] == NONE:
        given["matrix"] = NONE
    missing = [name for name, text in given.items() if not text and _is_asked(name, given)]
    if missing and not asking:
        raise InputError(f"nobody can be asked here: give {', '.join(map(_option, missing))}")
    suggested: dict[str, str] = {}
    if visa is None or (missing and asking):
        library, suggested = _look_at_buses(ask, asking)
        visa = library if visa is None else visa
    return _answered(path, given, suggested, visa)


def _write(path: Path, bench: doctor.NewBench) -> None:
    """Check a bench on twins, write it, and say what it can do."""
    report = doctor.check_on_twins(bench, path)
    doctor.write_new(path, doctor.bench_text(bench))
    print_report(report, Terminal())
    written = bench_file.load_bench_file(str(path)).bench
    print_abilities(written, list(manifest.known_entries().values()), Terminal(soft_wrap=True))
    say(f"{path}  checked on twins; `mho rehearse {path} read` tries a run on them, `mho bench check {path}` asks the "
        "instruments themselves")  # fmt: skip
    if not report.ok:
        raise typer.Exit(UNFINISHED)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _is_asked(name: str, answers: Mapping[str, str]) -> bool:
    """Return whether a question has a sense after the answers to those before it; "" is one that is not known yet."""
    pulse, board, matrix = answers["pulse"], answers["board"], answers["matrix"]
    generator, by_tester = pulse not in (NONE, ITSELF), answers["read"] == NONE
    serves = answers["serves"].replace(" ", "").split(",")
    match name:
        case "tester" | "serves":
            return by_tester
        case "word_line":
            return "gate" in serves if by_tester else answers["gate"] != NONE
        case "pulse_width":
            return "pulse" in serves if by_tester else pulse != NONE
        case "read" | "chip" | "bit_line" | "current":
            return True
        case _ if by_tester:
            return False
        case "matrix":
            return board == NONE
        case "rows" | "bit_columns" | "source_columns" | "word_columns":
            return board == NONE and matrix not in (NONE, "")
        case "bias_tee":
            return generator and bool(pulse) and board == NONE and matrix in (NONE, "")
        case "vectors":
            return board != NONE
        case "source_line":
            return generator
    return True


def _look_at_buses(ask: bool | None, asking: bool) -> tuple[str, dict[str, str]]:
    """List what is on the buses, and, if that is agreed to, ask it what it is; return library and suggestions."""
    machine = doctor.Machine()
    try:
        library, resources = doctor.found_instruments(machine)
    except (MhoError, TimeoutError, RuntimeError) as error:
        say(f"the buses could not be looked at: {error}", err=True)
        return "", {}
    if not asking:
        return library, {}
    say(f"on the buses: {', '.join(resources) or 'nothing that is listed'}", err=True)
    quiet = doctor.may_be_asked(resources)
    if quiet and ask is None:
        ask = (
            _ask("Ask them what they are (*IDN?)? Not while one measures. (y/n)", "n").lower().startswith("y")
        )
    if not (quiet and ask):
        return library, {}
    identities: dict[str, str] = {}
    for address, answer in doctor.ask_identities(machine, library or "@ivi", quiet):
        say(f"{address}: {answer.get('identity') or answer['trouble']}", err=True)
        identities |= {address: answer["identity"]} if "identity" in answer else {}
    return library, doctor.suggestions(identities)


def _answered(path: Path, given: dict[str, str], suggested: dict[str, str], visa: str) -> doctor.NewBench:
    """Ask for what is not given, with what may be meant, until it can be used; return the bench."""
    answers, values = dict(given), dict[str, Any]()
    suggested = {
        "gate": NONE, "pulse": ITSELF, "board": NONE, "matrix": NONE, "source_columns": NONE, "word_columns": NONE,
        "vectors": OWN_CONVERTERS, **suggested,
    }  # fmt: skip
    for name in QUESTIONS:
        if not _is_asked(name, answers):
            if given[name]:
                raise InputError(f"{_option(name)} has no use on this bench: leave it out")
            continue
        if name == "chip":
            suggested |= _likely_chip(answers)
        while name not in values:
            answers[name] = given[name] or _ask(QUESTIONS[name], suggested.get(name))
            try:
                value = _value(name, answers[name], answers)
                if name == "gate" and value is not None:
                    _check_apart(value, values["read"])
                values[name] = value
            except MhoError as error:
                if given[name]:
                    raise
                print_warning(error)
        if name == "chip":
            bears = doctor.chip_suggests(values["chip"])
            if answers["pulse"] == ITSELF:
                bears["pulse_width"] = max(bears["pulse_width"], SLOW)
            suggested |= {one: f"{value:g}{UNITS[one]}" for one, value in bears.items()}
    if answers["pulse"] == ITSELF:
        values["pulse"] = values["read"]
    ratings = doctor.Ratings(**{name: values.pop(name) for name in UNITS if name in values})
    values["board"] = values.get("board") or ""
    unit = values.pop("matrix", None)
    rows = values.pop("rows", {})
    lines = [values.pop(f"{one}_columns", None) or () for one in ("bit", "source", "word")]
    matrix = None if unit is None else doctor.Matrix(unit, rows, *lines)
    return doctor.NewBench(name=path.stem, ratings=ratings, visa=visa, matrix=matrix, **values)


def _likely_chip(answers: Mapping[str, str]) -> dict[str, str]:
    """Return the suggestion for the chip map; none for a chip of one's own size."""
    if answers["read"] == NONE or answers["matrix"] not in (NONE, ""):
        return {}
    return {"chip": "device" if answers["board"] == NONE else "reference"}


def _check_apart(gate: doctor.Wired, read: doctor.Wired) -> None:
    """Raise `InputError` where one output would both read and hold the gate."""
    if gate.is_unit_of(read) and gate.channel == read.channel:
        raise InputError(
            f"--gate is channel {gate.channel} of {gate.driver}@{gate.address}, which reads: name another one, or none"
        )


def _ask(question: str, suggestion: str | None) -> str:
    try:
        return str(typer.prompt(visible(question), default=suggestion, prompt_suffix=" ", err=True)).strip()
    except typer.Abort:
        raise Aborted("stopped; nothing was written") from None


def _value(name: str, text: str, answers: Mapping[str, str]) -> Any:
    """Return what an answer means, None for none; raises an `MhoError` for one that cannot be.

    `answers`: all so far, among them the switch matrix's, whose columns are called as its driver says.
    """
    if text == NONE and name in OPTIONAL:
        return None
    if name in UNITS:
        return quantities.parse_quantity(text, UNITS[name], _option(name))
    if name == "bias_tee":
        if not text.lower().startswith("y"):
            raise InputError(TWO_SOURCES)
        return True
    if name == "pulse" and text == ITSELF:
        return None
    if name in ("read", "gate", "pulse", "matrix", "tester"):
        return doctor.Wired.parse(text, name)
    if name == "serves":
        return doctor.operations_of(text)
    if name == "rows":
        return doctor.rows_of(text)
    if name.endswith("_columns"):
        driver = doctor.Wired.parse(answers["matrix"], "matrix").driver
        return doctor.columns_of(text, driver, _option(name).removeprefix("--"))
    if name == "chip":
        doctor.chip_suggests(text)  # there is such a map
    if name != "vectors":
        return text
    outputs, comma, inputs = (part.strip() for part in text.partition(","))
    if text != OWN_CONVERTERS and not (outputs and comma and inputs):
        raise InputError(f"--vectors is {text!r}; write OUTPUTS,INPUTS, as in Dev1/ao0:3,Dev1/ai0:3")
    return ("", "") if text == OWN_CONVERTERS else (outputs, inputs)
