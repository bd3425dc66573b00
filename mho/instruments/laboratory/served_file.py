"""A bench file whose addresses are the sockets of served twins: drivers, checks and tests use it like a real bench's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import BenchFile, BenchSource
from mho.instruments.laboratory.serving import Endpoint
from mho.toml import parse_toml

FIRST_LINE = (
    "# Written by `mho bench serve`: simulated instruments on this computer's sockets, used as real ones."
)
_SIMULATION = re.compile(r"^\[simulation\][^\n]*\n(?:(?!\[)[^\n]*\n)*", re.MULTILINE)
# It would trip: the twins' virtual clock runs ahead of the computer's clock, by which the board is fed.
_WATCHDOG = re.compile(r"^watchdog\s*=[^\n]*\n", re.MULTILINE)
_NAME = re.compile(r'^(name\s*=\s*")([^"\n]*)"', re.MULTILINE)
_VISA = re.compile(r"^visa\s*=[^\n]*\n", re.MULTILINE)


def served_text(source: BenchSource, endpoints: Iterable[Endpoint]) -> str:
    """Return a bench file's text with sockets as addresses, a name that says so, and without its simulation and watchdog.

    Raises
    ------
    BenchError
        When the file is written in a form that cannot be edited in this way.
    """
    text = _WATCHDOG.sub("", _VISA.sub("", _SIMULATION.sub("", source.text)))
    for endpoint in endpoints:
        text = text.replace(f'"{endpoint.resource}"', f'"{endpoint.address}"')
    text = _NAME.sub(lambda found: f'{found[1]}{found[2]}, served"', text, count=1)
    text = f'{FIRST_LINE}\nvisa = "@py"\n{text}'
    bench = parse_toml(text, BenchFile, "the bench file as served", BenchError)
    served = {endpoint.address for endpoint in endpoints}
    if bench.simulation is not None or not served.issuperset(bench.instruments.addresses()):
        raise BenchError(
            "the bench file cannot be rewritten for its sockets: give it a section [simulation] of its own and its "
            'addresses in double quotes, as address = "…"'
        )
    return text


def write_served(path: Path, text: str) -> None:
    """Write the served bench file; raises `BenchError` when this fails, or another file is there."""
    try:
        if path.exists() and not path.read_text("utf-8", "replace").startswith(FIRST_LINE):
            raise BenchError(f"{path} was not written by `mho bench serve`: it stays; choose another name")
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BenchError(f"cannot write {path} ({error.strerror}); choose another place") from None
