"""``mho bench new``: a bench file for the instruments that are there, asked for step by step, and checked on twins."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mho.cli.bench_report import print_report
from mho.cli.exit_codes import UNFINISHED
from mho.cli.terminal.sentences import print_warning, say
from mho.cli.terminal.terminal import Terminal
from mho.errors import Aborted, InputError, MhoError
from mho.escaping import visible
from mho.lazy_names import late_imports

with late_imports():
    from mho import doctor
    from mho.procedures import quantities

QUESTIONS = {
    "read": "Which instrument reads cells, wired to the bit lines (DRIVER@ADDRESS)?",
    "gate": "Which holds the gate, wired to the word lines (DRIVER@ADDRESS, or DRIVER:CHANNEL@ADDRESS)?",
    "pulse": "Which pulses cells, channel 1 on the bit lines, 2 on the source lines (DRIVER@ADDRESS)?",
    "board": "At which address is the array board?",
    "vectors": "Which NI channels play and read vectors (OUTPUTS,INPUTS; - for the board's own converters)?",
    "chip": "Which chip map: a packaged one, or a path?",
    "bit_line": "How many volts does a cell bear at its bit line?",
    "source_line": "How many at its source line?",
    "word_line": "How many at its word line?",
    "current": "How much current (A)?",
    "pulse_width": "How long may a pulse be (s)?",
}
UNITS = {"bit_line": "V", "source_line": "V", "word_line": "V", "current": "A", "pulse_width": "s"}
OWN_CONVERTERS = "-"


def new(
    path: Annotated[Path, typer.Argument(help="the bench file (.toml) to write", show_default=False)],
    read: Annotated[str, typer.Option(help="reads cells: DRIVER@ADDRESS, DRIVER:CHANNEL@ADDRESS")] = "",
    gate: Annotated[str, typer.Option(help="holds the gate, likewise")] = "",
    pulse: Annotated[str, typer.Option(help="pulses cells, likewise")] = "",
    board: Annotated[str, typer.Option(help="address of the array board")] = "",
    vectors: Annotated[
        str, typer.Option(help="NI channels, OUTPUTS,INPUTS; - for the board's own converters")
    ] = "",
    chip: Annotated[str, typer.Option(help="a packaged chip map, or the path of one")] = "",
    bit_line: Annotated[str, typer.Option(help="what a cell bears at its bit line, as 4.6V")] = "",
    source_line: Annotated[str, typer.Option(help="at its source line")] = "",
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
    """Write a bench file for the instruments that are there, and check it on their simulated twins.

    What is not given as an option is asked for. No instrument is sent anything unless you agree to it.
    """
    if path.exists():
        raise InputError(f"{path} is there already, and stays as it is; name another file")
    given = {
        "read": read, "gate": gate, "pulse": pulse, "board": board, "vectors": vectors, "chip": chip,
        "bit_line": bit_line, "source_line": source_line, "word_line": word_line, "current": current,
        "pulse_width": pulse_width,
    }  # fmt: skip
    missing = [name for name, value in given.items() if not value]
    asking = sys.stdin.isatty()
    if missing and not asking:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
        raise InputError(f"nobody can be asked here: give {options}")
    suggested: dict[str, str] = {}
    if visa is None or (missing and asking):
        library, suggested = _look_at_buses(ask, asking)
        visa = library if visa is None else visa
    bench = _answered(path, given, suggested, visa)
    report = doctor.check_on_twins(bench, path)
    doctor.write_new(path, doctor.bench_text(bench))
    print_report(report, Terminal())
    say(f"{path}  checked on twins; `mho rehearse {path} read` tries a run on them, `mho bench check {path}` asks the "
        "instruments themselves")  # fmt: skip
    if not report.ok:
        raise typer.Exit(UNFINISHED)


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
    values: dict[str, Any] = {}
    suggested = {"chip": "reference", "vectors": OWN_CONVERTERS, "pulse_width": "10us", **suggested}
    for name in QUESTIONS:
        while name not in values:
            text = given[name] or _ask(QUESTIONS[name], suggested.get(name))
            try:
                values[name] = _value(name, text)
            except MhoError as error:
                if given[name]:
                    raise
                print_warning(error)
        if name == "chip":
            bears = doctor.chip_bears(values["chip"])
            suggested |= {one: f"{value:g}{UNITS[one]}" for one, value in bears.items()}
    outputs, inputs = values.pop("vectors")
    ratings = doctor.Ratings(**{name: values.pop(name) for name in UNITS})
    return doctor.NewBench(
        name=path.stem, ratings=ratings, outputs=outputs, inputs=inputs, visa=visa, **values
    )


def _ask(question: str, suggestion: str | None) -> str:
    try:
        return str(typer.prompt(visible(question), default=suggestion, prompt_suffix=" ", err=True)).strip()
    except typer.Abort:
        raise Aborted("stopped; nothing was written") from None


def _value(name: str, text: str) -> Any:
    """Return what an answer means; raises an `MhoError` for one that cannot be."""
    option = f"--{name.replace('_', '-')}"
    if name in UNITS:
        return quantities.parse_quantity(text, UNITS[name], option)
    if name in ("read", "gate", "pulse"):
        return doctor.Wired.parse(text, option)
    if name == "chip":
        doctor.chip_bears(text)  # there is such a map
    if name != "vectors":
        return text
    outputs, comma, inputs = (part.strip() for part in text.partition(","))
    if text != OWN_CONVERTERS and not (outputs and comma and inputs):
        raise InputError(f"--vectors is {text!r}; write OUTPUTS,INPUTS, as in Dev1/ao0:3,Dev1/ai0:3")
    return ("", "") if text == OWN_CONVERTERS else (outputs, inputs)
