"""Networks from case files of MATPOWER, and the IEEE 14-bus test case.

A case file assigns matrices: ``mpc.bus = [ ... ];``. Of a bus its number, type and load are read, of a generator bus, power
and status, of a branch ends, reactance, tap, shift and status (MATPOWER User's Manual, appendix B, tables B-1 to B-3).
Nothing in it is run.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.input_files import check_ordinary
from mho.procedures.applications.control.power_network import Network

Floats = NDArray[np.float64]

LARGEST = 1 << 22
"""Bytes of a case file at most."""

REFERENCE, ISOLATED = 3, 4
"""Types of buses."""

COLUMNS = {"bus": 3, "gen": 8, "branch": 11}
"""Columns that each matrix needs."""

IEEE14_LOADS = (0.0, 21.7, 94.2, 47.8, 7.6, 11.2, 0.0, 0.0, 29.5, 9.0, 3.5, 6.1, 13.5, 14.9)
"""MW, buses 1 to 14; generators: 232.4 MW at bus 1, 40 MW at bus 2."""

IEEE14_LINES = (
    (1, 2, 0.05917, 1.0),
    (1, 5, 0.22304, 1.0),
    (2, 3, 0.19797, 1.0),
    (2, 4, 0.17632, 1.0),
    (2, 5, 0.17388, 1.0),
    (3, 4, 0.17103, 1.0),
    (4, 5, 0.04211, 1.0),
    (4, 7, 0.20912, 0.978),
    (4, 9, 0.55618, 0.969),
    (5, 6, 0.25202, 0.932),
    (6, 11, 0.1989, 1.0),
    (6, 12, 0.25581, 1.0),
    (6, 13, 0.13027, 1.0),
    (7, 8, 0.17615, 1.0),
    (7, 9, 0.11001, 1.0),
    (9, 10, 0.0845, 1.0),
    (9, 14, 0.27038, 1.0),
    (10, 11, 0.19207, 1.0),
    (12, 13, 0.19988, 1.0),
    (13, 14, 0.34802, 1.0),
)
"""From, to, reactance per unit of 100 MVA, tap (University of Washington, Power Systems Test Case Archive, IEEE 14 bus)."""

IEEE14_PLACES = (
    (0.5, 2.0),
    (1.2, 0.6),
    (4.6, 0.3),
    (4.3, 1.8),
    (2.0, 2.0),
    (2.0, 3.4),
    (5.0, 2.8),
    (6.2, 2.8),
    (4.6, 3.6),
    (3.9, 4.1),
    (2.9, 4.1),
    (0.9, 4.6),
    (1.9, 5.0),
    (3.6, 5.1),
)
"""x and y of the buses in pictures, about as the archive's diagram has them."""

NETWORKS = ("ieee14",)


def load_network(source: str | Path) -> Network:
    """Return a network by its name or from a case file, checked.

    Raises
    ------
    InputError
        The file is missing, too large or no case; a number is wrong; the network has an island.
    """
    network = ieee14() if str(source) == "ieee14" else _case(Path(source))
    network.check()
    return network


def ieee14() -> Network:
    """Return the IEEE 14-bus test case, a part of the American Electric Power system of 1962."""
    loads = np.array(IEEE14_LOADS)
    generation = np.zeros(14)
    generation[:2] = 232.4, 40.0
    lines = np.array(IEEE14_LINES)
    return Network(
        "ieee14",
        np.arange(1, 15),
        generation - loads,
        loads,
        0,
        lines[:, :2].astype(np.int64) - 1,
        1.0 / (lines[:, 2] * lines[:, 3]),
        np.zeros(len(lines)),
        places=np.array(IEEE14_PLACES),
    )


def _case(path: Path) -> Network:
    text = _text(path)
    base = re.search(r"mpc\.baseMVA\s*=\s*([^;\n]+)", text)
    matrices = {name: _matrix(text, name, path) for name in COLUMNS}
    bus, gen, branch = matrices["bus"], matrices["gen"], matrices["branch"]
    bus = bus[bus[:, 1] != ISOLATED]
    buses = bus[:, 0].astype(np.int64)
    if len(np.unique(buses)) < len(buses):
        raise InputError(f"{path}: two buses have one number; give each its own")
    index = {number: place for place, number in enumerate(buses.tolist())}
    reference = np.flatnonzero(bus[:, 1] == REFERENCE)
    if len(reference) != 1:
        raise InputError(f"{path} has {len(reference)} reference buses (type 3); a DC power flow needs one")
    injections = -bus[:, 2]
    for number, power in gen[gen[:, 7] > 0][:, :2]:
        injections[_place(index, number, "generator", path)] += power
    branch = branch[branch[:, 10] > 0]
    if not len(branch):
        raise InputError(f"{path} has no branch in service")
    ends = np.array([[_place(index, end, "branch", path) for end in line[:2]] for line in branch])
    taps = np.where(branch[:, 8] == 0.0, 1.0, branch[:, 8])
    reactances = branch[:, 3] * taps
    susceptances = np.divide(1.0, reactances, out=np.full(len(branch), np.inf), where=reactances != 0.0)
    return Network(
        path.stem,
        buses,
        injections,
        bus[:, 2].copy(),
        int(reference[0]),
        ends,
        susceptances,
        np.deg2rad(branch[:, 9]),
        _number(base[1], "baseMVA", path) if base else 100.0,
    )


def _text(path: Path) -> str:
    if path.suffix.lower() != ".m":
        raise InputError(f"{path} is no network: give {', '.join(NETWORKS)}, or a case file of MATPOWER, .m")
    try:
        check_ordinary(path)
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} has {path.stat().st_size} bytes; {LARGEST} is the most of a case file")
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the path of a case file") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check path and rights") from None
    return re.sub(r"%[^\n]*", "", text)


def _matrix(text: str, name: str, path: Path) -> Floats:
    """Return one matrix of a case file, columns that are needed at least."""
    found = re.search(rf"mpc\.{name}\s*=\s*\[([^\]]*)\]", text)
    if not found:
        raise InputError(f"{path} has no mpc.{name} = [...]; it is no case file of version 2")
    rows = [re.split(r"[\s,]+", row.strip()) for row in re.split(r"[;\n]", found[1]) if row.strip(" \t\r,")]
    if not rows and name != "gen":
        raise InputError(f"{path}: mpc.{name} is empty")
    short = [number for number, row in enumerate(rows, 1) if len(row) < COLUMNS[name]]
    if short or len(set(map(len, rows))) > 1:
        at = short[0] if short else 1 + next(n for n, row in enumerate(rows) if len(row) != len(rows[0]))
        raise InputError(
            f"{path}: row {at} of mpc.{name} has {len(rows[at - 1])} values; all need the same number, "
            f"{COLUMNS[name]} or more"
        )
    values = np.array([[_number(one, f"mpc.{name}", path) for one in row] for row in rows])
    return values.reshape(len(rows), -1) if rows else np.empty((0, COLUMNS[name]))


def _number(text: str, what: str, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{path}: {text.strip()[:40]!r} in {what} is no number") from None
    if np.isnan(value):
        raise InputError(f"{path}: {what} holds NaN; give a number")
    return value


def _place(index: dict[int, int], number: float, what: str, path: Path) -> int:
    if number not in index:
        raise InputError(f"{path}: a {what} is at bus {number:g}, which mpc.bus does not have")
    return index[int(number)]
