"""The description of a run in its file: status, parameters, bench, chip and provenance.

Opening every dataset of a file to check it takes long: who reads three of each of thousands of files has these checked.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py

from mho.errors import RunFileError
from mho.runs.conclusion import GOING_ON, Conclusion, Status
from mho.runs.labels import CLASSES, PLACES
from mho.runs.liveness import Writer
from mho.runs.reading import opening
from mho.runs.reading.text import decode, read_text
from mho.runs.schema import RecordedParameter


class OwnItems:
    """Opens the items of a run file by their names within the entry, only the file's own ones.

    `whole`: the whole file has been checked already.
    `RunFileError` by every method: the file was closed, or what is asked for lies in another file, or
    declares, with what was asked for before, more than the file can hold; `KeyError` where it is not there.
    """

    def __init__(self, path: Path, file: h5py.File, *, whole: bool) -> None:
        self._path = path
        self._file = file
        self._whole = whole
        self._live = bool(file.swmr_mode)
        self._links: set[str] = set()
        self._counted: set[str] = set()
        self._opened: dict[str, h5py.HLObject] = {}
        self._declared = opening.Declared(path)

    def item(self, name: str) -> h5py.HLObject:
        """Return a group or dataset; "" is the entry. One that a writer may change is opened anew each time."""
        self._check_open()
        if name in self._opened:
            return self._opened[name]
        place = f"entry/{name}" if name else "entry"
        if not self._whole:
            self._leads(place)  # where it leads to nothing, opening says so
        opened = h5py.h5o.open(self._file.id, place.encode())
        if isinstance(opened, h5py.h5g.GroupID):
            return self._opened.setdefault(name, h5py.Group(opened))
        if not isinstance(opened, h5py.h5d.DatasetID):
            return h5py.Datatype(opened)
        if not self._whole and place not in self._counted:
            self._declared.add(opened)
            self._declared.check()
            self._counted.add(place)
        dataset = h5py.Dataset(opened, readonly=True)
        if not self._live:
            self._opened[name] = dataset
        return dataset

    def text(self, name: str) -> str:
        """Return a text as it stands in the file now."""
        self._check_open()
        place = f"entry/{name}"
        if not self._whole:
            self._leads(place)
        dataset = h5py.h5d.open(self._file.id, place.encode())
        if not self._whole:
            opening.check_values(self._path, dataset)
        return read_text(dataset)

    def has(self, group: str, name: str) -> bool:
        """Return whether a group holds something of this name; neither is opened."""
        self._check_open()
        place = f"{group}/{name}".lstrip("/")
        return bool(name) and not set(name) & {"/", ".", "\0"} and self._leads(f"entry/{place}")

    def close(self) -> None:
        """Let go of what was opened."""
        self._opened.clear()

    def members(self, name: str) -> dict[str, h5py.HLObject | None]:
        """Return what a group holds, by name; None for a link that leads nowhere."""
        return {one: self._member(f"{name}/{one}".lstrip("/")) for one in self.names(name)}

    def _member(self, name: str) -> h5py.HLObject | None:
        try:
            return self.item(name)
        except KeyError:
            return None

    def names(self, name: str) -> list[str]:
        """Return the names of what a group holds; nothing of it is opened."""
        return list(self.item(name))

    def check_all(self) -> None:
        """Check the whole file, as opening with ``whole=True`` does."""
        if not self._whole and self._file:
            opening.check_contained(self._path, self._file)
            self._whole = True

    def _check_open(self) -> None:
        if not self._file:
            raise RunFileError(f"run file {self._path} was closed; open it again to read it")

    def _leads(self, place: str) -> bool:
        """Check the links on the way to `place` where none was followed yet; return whether there is one to it."""
        if place in self._links:
            return True
        above = place.rpartition("/")[0]
        if above and not self._leads(above):
            return False
        kind = opening.link_kind(self._file.id, place.encode())
        if kind is None:
            return False
        if not self._whole:
            if kind == h5py.h5l.TYPE_SOFT:  # it may lead anywhere: mho writes none
                self.check_all()
            else:
                opening.check_link(self._path, place.encode(), kind)
        self._links.add(place)
        return True


RESULT_SINCE = 3  # schema from which on the result is a group, with units
CONCLUSION_SINCE = 5  # schema from which on a run file has a conclusion
SEED_DIGITS = 4000  # Python reads no more


class StoredText:
    """A text of a run file, read whenever it is asked for; "" where a file of an older version has none in its `group`."""

    def __init__(self, place: str, group: str = "") -> None:
        self._place, self._group = place, group

    def __get__(self, record: RunRecord | None, kind: type[RunRecord]) -> str:
        return self._place if record is None else record.text(self._place, self._group)


@opening.intact_members
class RunRecord:
    """The part of an open run file that describes the run; `mho.runs.reading.reader.RunFile` adds its data.

    Every member reads the file when it is asked, and raises `RunFileError` when it meets damage.

    `whole`: all of the file has been checked to be its own; else what is asked for is checked then.
    """

    title = StoredText("title")  # one line for lists and plots
    reason = StoredText("reason")  # why the run failed or was aborted; empty otherwise
    procedure = StoredText("procedure/name")  # the procedure's class name
    version = StoredText("procedure/version")  # the procedure's own version
    source = StoredText("procedure/source", "procedure")  # of a user's own procedure; "" for mho's own
    bench = StoredText("bench/file")  # the bench file
    chip = StoredText("chip/map")  # the chip map
    defects = StoredText("chip/defects", "chip")  # the list of defects that the run went by; "" for none
    formed = StoredText("chip/formed", "chip")  # the chip's cells that were formed when the run ended
    cells = StoredText("chip/cells")  # the arrays and cell ranges in use

    def __init__(self, path: Path, file: h5py.File, *, whole: bool = True) -> None:
        self.path = path
        self._file = file
        self._items = OwnItems(path, file, whole=whole)

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def schema(self) -> int:
        """Number of the schema by which the file is laid out."""
        self._group("")
        return opening.schema_of(self._file)

    @property
    def is_open(self) -> bool:
        """Whether the file was not closed yet."""
        return bool(self._file)

    @property
    def status(self) -> Status:
        """Present status of the run; INTERRUPTED when the file says running and its writer is gone."""
        status = Status(self._text("status"))
        if status in GOING_ON and not self.writer.lives(float(self._group("heartbeat")[()]), time.time()):
            # It may have finished and left between the two looks.
            status = Status(self._text("status"))
            return Status.INTERRUPTED if status in GOING_ON else status
        return status

    @property
    def is_unclosed(self) -> bool:
        """Whether no writer has closed the file: it is being written, or its writer was killed."""
        return bool(self._file.swmr_mode) or self._text("status") in GOING_ON or opening.is_marked(self.path)

    @property
    def conclusion(self) -> Conclusion | None:
        """What the run concludes; None in files of older versions.

        Of a run that goes on or did not finish it has no line, and the warnings so far.
        """
        if self.schema < CONCLUSION_SINCE:
            return None
        line, unsafe, warnings = (self._text(f"conclusion/{name}") for name in ("line", "unsafe", "warnings"))
        return conclusion_from(line, unsafe, warnings, int(self._group("conclusion/measured")[()]))

    @property
    def start_time(self) -> datetime:
        """When the run started, with its time zone."""
        return datetime.fromisoformat(self._text("start_time"))

    @property
    def end_time(self) -> datetime | None:
        """When the run ended, with its time zone; None while it runs, and for an interrupted one.

        Of a recovered run it is the last sign of life.
        """
        text = self._text("end_time")
        return datetime.fromisoformat(text) if text else None

    @property
    def last_sign(self) -> float:
        """When the run ended, or its writer last gave a sign of life, Unix time, s."""
        if self.end_time is not None:
            return self.end_time.timestamp()
        return float(self._group("heartbeat")[()])

    @property
    def parameters(self) -> dict[str, RecordedParameter]:
        """The procedure's parameters by name, as they were set."""
        stored = self._items.members("procedure/parameters")
        return {name: _parameter(dataset) for name, dataset in stored.items()}

    @property
    def given(self) -> dict[str, bool | int | float | str]:
        """The values of the parameters that were given, by name."""
        return {
            name: one.value
            for name, one in self.parameters.items()
            if one.value is not None and not one.origin
        }

    @property
    def instruments(self) -> dict[str, dict[str, str]]:
        """For each instrument its ``identity`` and its settings before the run."""
        return self._settings("settings")

    @property
    def settings_after(self) -> dict[str, dict[str, str]]:
        """For each instrument its settings after the run; empty where none were stored."""
        return self._settings("settings_after")

    @property
    def provenance(self) -> dict[str, str]:
        """Provenance of the run, see `mho.runs.provenance.collect`; its labels are among it."""
        stored = self._items.members("provenance")
        return {name: _text_of(dataset) for name, dataset in stored.items()} | self.labels

    @property
    def labels(self) -> dict[str, str]:
        """Sample, operator and project, those that were given; see `mho.runs.labels`."""
        there = {name: place for name, place in PLACES.items() if self._has_label(place)}
        return {name: label for name, place in there.items() if (label := self._text(place))}

    def _has_label(self, place: str) -> bool:
        """Return whether the file has a label there; in older ones a table may have the name of its group."""
        group, _, name = place.rpartition("/")
        if group and not self._items.has("", group):
            return False
        ours = not group or self._group(group).attrs.get("NX_class") == CLASSES[group]
        return bool(ours and self._items.has(group, name))

    @property
    def preset(self) -> str:
        """The cell preset of a simulated bench; "" on another one."""
        return self._provenance_text("preset")

    @property
    def seed(self) -> int | None:
        """The seed of everything random in the run; None where it is missing."""
        return self._seed("seed")

    @property
    def chip_seed(self) -> int | None:
        """The seed of a simulated chip's cells; None where it is missing."""
        return self._seed("chip_seed")

    def _seed(self, name: str) -> int | None:
        text = self._provenance_text(name)
        if text and not (text.isascii() and text.isdecimal() and len(text) <= SEED_DIGITS):
            raise ValueError(
                f"its {name} is {text[:40]!r}, no whole number from 0 of at most {SEED_DIGITS} digits"
            )
        return int(text) if text else None

    @property
    def input_hashes(self) -> dict[str, str]:
        """SHA-256 of the input files, by the names of their parameters."""
        lines = [line.split(" ") for line in self.provenance.get("inputs", "").splitlines()]
        if not all(len(words) == 2 for words in lines):
            raise ValueError("its list of input files is not of names and hashes")
        return dict(lines)

    @property
    def summary(self) -> dict[str, Any]:
        """The result in a few numbers and words; empty until the procedure stores one."""
        return self._json("result/values" if self._keeps_units() else "summary")

    @property
    def result_units(self) -> dict[str, str]:
        """The units of what `summary` holds, by name, of what lies in a mapping by ``NAME.KEY``; "" has no entry."""
        units = self._json("result/units") if self._keeps_units() else {}
        if not all(isinstance(unit, str) for unit in units.values()):
            raise ValueError("its result has units that are no text")
        return units

    def _keeps_units(self) -> bool:
        """Whether the file is of schema 3 or later."""
        return self.schema >= RESULT_SINCE

    def text(self, place: str, optional_in: str = "") -> str:
        """Return a text by its place; "" where the group that it is optional in has none."""
        missing = optional_in and place.rpartition("/")[2] not in self._group(optional_in)
        return "" if missing else self._text(place)

    def _group(self, name: str) -> h5py.Group:
        return self._items.item(name)

    def _provenance_text(self, name: str) -> str:
        """Return one text of the provenance; "" where it is missing."""
        there = self._items.has("provenance", name)
        return self._text(f"provenance/{name}") if there else ""

    def _text(self, name: str) -> str:
        # Opened anew each time: an open dataset would answer from its buffer.
        for _ in range(opening.ATTEMPTS if self._file and self._file.swmr_mode else 0):
            dataset = self._group(name)
            with contextlib.suppress(OSError):  # its writer may be at it
                dataset.refresh()  # the position of a chunk may be cached from an earlier read
                return _text_of(dataset)
            time.sleep(opening.PAUSE)
        return self._items.text(name)

    @property
    def writer(self) -> Writer:
        """The process that writes, or has written, the file."""
        return opening.writer_of(self._group(""))

    def _json(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self._text(name)))

    def _settings(self, which: str) -> dict[str, dict[str, str]]:
        members = self._items.members("bench")
        names = [name for name, item in members.items() if isinstance(item, h5py.Group)]
        return {name: self._json(f"bench/{name}/{which}") for name in names}


def conclusion_from(line: str, unsafe: str, warnings: str, measured: int) -> Conclusion:
    """Return a conclusion from what a run file stores of it; `ValueError` where that is no conclusion."""
    texts = json.loads(warnings)
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
        raise ValueError("its warnings are not a list of texts")
    return Conclusion(line, tuple(texts), bool(measured), unsafe)


def _parameter(dataset: h5py.Dataset) -> RecordedParameter:
    """Return a parameter as `mho.runs.writing.structure` stored it."""
    read = _READ[dataset.attrs["kind"]]
    label, origin = (str(dataset.attrs.get(name, "")) for name in ("long_name", "origin"))
    return RecordedParameter(read(dataset[()]), unit_of(dataset), label, origin)


def _text_of(dataset: h5py.Dataset) -> str:
    return read_text(dataset.id)


def unit_of(dataset: h5py.Dataset) -> str:
    """Return a dataset's unit."""
    return str(dataset.attrs["units"])


_READ: dict[str, Callable[[Any], bool | int | float | str | None]] = {
    "none": lambda _: None, "text": decode, "bool": bool, "float": float, "int": int,
}  # fmt: skip
