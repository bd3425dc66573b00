"""The command line: which verbs there are, and how what goes wrong is answered."""

from __future__ import annotations

import codecs
import io
import logging
import os
import sys
import threading
from typing import Annotated, Any, NoReturn

import typer

from mho.cli.exit_codes import ABORTED, REFUSED
from mho.cli.terminal.sentences import print_warning
from mho.cli.verbs import MhoVerbs
from mho.errors import Aborted, MhoError

COMPLETING = "_MHO_COMPLETE"
"""The environment variable by which a shell asks what could be typed next."""

UsageError: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]  # Typer does not export it


def _no_code(result: object, **_: object) -> None:
    """Take what a verb returns for no exit code, whatever it is: a verb ends by `typer.Exit` with one."""


app = typer.Typer(
    cls=MhoVerbs,
    result_callback=_no_code,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Analogue matrix computing on RRAM chips: program, invert, refine, record, analyse, simulate.",
    epilog="Nothing needs hardware: without --bench a verb works on the simulated bench. "
    "`mho VERB --help` says more about one.",
)


def _tell_version(value: bool) -> None:
    if value:
        from importlib.metadata import version  # takes longer than all verbs together

        typer.echo(f"mho {version('mho')}")
        raise typer.Exit


@app.callback()
def before_the_verb(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_tell_version, help="Show the version and exit."),
    ] = False,
) -> None:
    """Understand what goes before a verb."""


def _print_errors() -> None:
    """Log to standard error what is an error; warnings, which reach the file of a run, only of what a list leaves out."""
    printer = logging.StreamHandler(sys.stderr)
    lists = sys.argv[1:2] in ([], ["-h"], ["--help"], ["procedures"]) and COMPLETING not in os.environ
    printer.setLevel(logging.WARNING if lists else logging.ERROR)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", handlers=[printer])


PLAIN = {
    "Ω": "Ohm",
    "µ": "u",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "…": "...",
    "×": "x",
    "−": "-",
    "²": "^2",
}
"""What is written for a character that an output cannot have, as one of a Windows in the encoding of its language."""


def _in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(
        PLAIN.get(character, "?") for character in error.object[error.start : error.end]
    ), error.end


def main(*, supervised: bool = True) -> NoReturn:
    """Run the command line; what a user did wrong is answered in one line, without a traceback.

    With `supervised`, runs are carried out by a process of their own, which this one looks after.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # closed by who started it: the run file would be opened in its place
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
    codecs.register_error("mho.plain", _in_plain_characters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="mho.plain")
    _print_errors()
    threads = threading.enumerate()
    try:
        code = app(prog_name="mho", standalone_mode=False, obj=supervised)
    except (UsageError, MhoError, OSError, KeyboardInterrupt) as error:
        if COMPLETING in os.environ:  # unreadable in the middle of a line
            sys.exit(REFUSED)
        print_warning(_in_words(error))
        code = ABORTED if isinstance(error, Aborted | KeyboardInterrupt) else REFUSED
    if supervised and set(threading.enumerate()) - set(threads):
        from mho.processes import leave, left_threads  # which would delay every start

        if left_threads(threads):  # of a procedure; Python would wait for them
            leave(code or 0)
    sys.exit(code or 0)


def _in_words(error: Any) -> str:
    """Print an error in one line."""
    match error:
        case UsageError():
            return _usage_in_words(error)
        case MhoError():
            return str(error)
        case OSError():  # a full disk, a folder without permission: nothing that a traceback explains
            return f"{error.filename or 'the output'}: {error.strerror or error}"
        case _:
            return str(error) or "interrupted"


def _usage_in_words(error: Any) -> str:
    """Print an error of Typer in the same form as others."""
    if possible := getattr(error, "possibilities", None):  # the nearest comes first
        return f"no such option: {error.option_name}; did you mean {possible[0]!r}?"
    message: str = error.format_message().rstrip(".").replace(". Did", "; did")
    if not message:  # without a verb; the help has been shown
        sys.exit(REFUSED)
    message = message[0].lower() + message[1:]
    verb = error.ctx.command_path if error.ctx else "mho"
    return message if message.endswith("?") else f"{message}; `{verb} --help` says more"


if __name__ == "__main__":
    main()
