"""The structure of a run file: every group, dataset and NeXus attribute, created before the run starts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

import h5py
import numpy as np

from mho.errors import RunFileError
from mho.runs import schema
from mho.runs.conclusion import LINE_BYTES, WARNINGS_BYTES, Status
from mho.runs.figures import FIGURES, figures_text
from mho.runs.index.card import CARD, card_text
from mho.runs.integrity.seal import create_group, prepare_seal
from mho.runs.labels import CLASSES, PLACES, labels_in
from mho.runs.liveness import Writer
from mho.runs.provenance import text_hash
from mho.runs.reading.chunks import create_array, create_compressed_text, create_growing, create_plain
from mho.runs.reading.text import add_text_attribute, create_text

STATUS_BYTES = 16
FORMED = "formed"  # of the chip, its cells that are formed
TIME_BYTES = 40
REASON_BYTES = 2048
LEVEL_BYTES = 16
MESSAGE_BYTES = 1024
JSON_BYTES = 64 * 1024
ENTRIES = 16  # expected number of log entries of a run, an estimate for the size of its chunks

# Kinds of number a table or array may hold; a value fits a column of its own or a higher rank
KINDS = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}
_ENTRY = {
    "title", "start_time", "end_time", "status", "reason", "heartbeat", "summary", "result", "conclusion", "definition",
    "card", "writer", "procedure", "bench", "chip", "provenance", "maps", "arrays", FIGURES, "log", "seal", "publication",
    *(place.partition("/")[0] for place in PLACES.values()),
}  # fmt: skip


def check_layout(layout: schema.Layout) -> None:
    """Refuse a layout that no file can hold.

    `RunFileError` naming the table, column, map or array, and what is wrong with it.
    """
    for fault in _faults(layout):
        raise RunFileError(fault)


def _faults(layout: schema.Layout) -> Iterator[str]:
    for what, declared in (("tables", layout.tables), ("maps", layout.maps), ("arrays", layout.arrays)):
        yield from _indistinct(what, (one.name for one in declared))
    for table in layout.tables:
        yield from _faults_of(table)
    for image in layout.maps:
        if np.ndim(image.rows) != 1 or np.ndim(image.columns) != 1:
            yield f"map {image.name!r}: rows and columns must be one-dimensional"
        if not len(image.rows) or not len(image.columns):
            yield f"map {image.name!r} has no cells; give it rows and columns"
    for array in layout.arrays:
        if np.asarray(array.values).dtype.kind not in KINDS:
            yield f"array {array.name!r} holds {np.asarray(array.values).dtype}, not numbers"
    plots = [table.name for table in layout.tables] + [f"maps/{image.name}" for image in layout.maps]
    if layout.default and layout.default not in plots:
        yield f"default {layout.default!r} is not among the declared {', '.join(plots) or 'nothing'}"


def _indistinct(what: str, names: Iterable[str]) -> Iterator[str]:
    """Yield which names repeat, or cannot name an HDF5 object and a keyword alike."""
    for name, count in Counter(names).items():
        if not name.isidentifier():
            yield f"{what}: the name {name!r} is no identifier; use letters, digits and _"
        if count > 1:
            yield f"{what}: the name {name!r} is declared {count} times"


def _faults_of(table: schema.Table) -> Iterator[str]:
    if not table.columns:
        yield f"table {table.name!r} has no columns; declare at least one"
    if table.name in _ENTRY:
        yield f"table name {table.name!r} is taken by the file itself; choose another"
    names = [column.name for column in table.stored]
    yield from _indistinct(f"columns of table {table.name!r}", names)
    for plotted in (table.signal, table.axis, table.series or table.axis):
        if plotted not in names:
            yield f"table {table.name!r} cannot plot {plotted!r}, not one of its columns {', '.join(names)}"
    for column in table.columns:
        if 0 in column.shape:
            yield f"column {table.name}.{column.name} has shape {column.shape}: it holds nothing"
        if column.ragged and not column.shape:
            yield f"column {table.name}.{column.name} is ragged and has no shape; declare the longest a row may be"
        if schema.kind_of_number(column.dtype) not in KINDS:
            yield f"column {table.name}.{column.name} has dtype {column.dtype!r}: only numbers go into a table"


def lay_out(
    file: h5py.File, header: schema.RunHeader, layout: schema.Layout, writer: Writer, start: datetime
) -> None:
    """Create everything the run will write in an empty `file`."""
    file.attrs["NX_class"] = "NXroot"
    file.attrs["default"] = "entry"
    file.attrs["creator"] = "mho"
    file.attrs["mho_schema"] = schema.SCHEMA_VERSION
    file.attrs["file_time"] = start.isoformat(timespec="milliseconds")
    file.attrs["h5py_version"] = h5py.version.version
    file.attrs["HDF5_Version"] = h5py.version.hdf5_version

    entry = _group(file, "entry", "NXentry")
    definition = create_text(entry, "definition", schema.DEFINITION)
    definition.attrs["version"] = schema.DEFINITION_VERSION
    create_text(entry, "title", header.title)
    create_text(entry, "start_time", start.isoformat(timespec="milliseconds"))
    create_text(entry, "end_time", "", TIME_BYTES)
    create_text(entry, "status", Status.RUNNING, STATUS_BYTES)
    create_text(entry, "reason", "", REASON_BYTES)
    result = _group(entry, "result", "NXcollection")
    create_compressed_text(result, "values", b"{}", JSON_BYTES)
    create_compressed_text(result, "units", b"{}", JSON_BYTES)
    conclusion = _group(entry, "conclusion", "NXcollection")
    create_text(conclusion, "line", "", LINE_BYTES)
    create_text(conclusion, "unsafe", "", LINE_BYTES)
    create_compressed_text(conclusion, "warnings", b"[]", WARNINGS_BYTES)
    _number(conclusion, "measured", 1, "", "1 where anything was measured, else 0")
    _number(entry, "heartbeat", start.timestamp(), "s", "Unix time of the writer's last sign of life")

    process = _group(entry, "writer", "NXcollection")
    create_text(process, "host", writer.host)
    _number(process, "pid", writer.pid)
    _number(process, "process_start", writer.started, "s", "Unix time at which the writing process started")
    create_text(process, "process_birth", writer.birth)

    _header(entry, header)
    create_text(entry, CARD, card_text(header, layout.arrays, start))
    for table in layout.tables:
        _table(entry, table)
    maps = _group(entry, "maps", "NXcollection")
    for image in layout.maps:
        _map(maps, image)
    arrays = _group(entry, "arrays", "NXcollection")
    for array in layout.arrays:
        _array(arrays, array)
    create_text(entry, FIGURES, figures_text(layout.figures))
    _log(entry)
    _point_at_default(entry, layout)
    prepare_seal(_group(entry, "seal", "NXcollection"))


def _header(entry: h5py.Group, header: schema.RunHeader) -> None:
    """Write the facts that are known before the run starts: procedure, bench, chip, provenance."""
    procedure = _group(entry, "procedure", "NXprocess")
    create_text(procedure, "name", header.procedure)
    create_text(procedure, "version", header.version)
    if header.source:
        create_text(procedure, "source", header.source)
        create_text(procedure, "source_sha256", text_hash(header.source))
    parameters = _group(procedure, "parameters", "NXparameters")
    for name, parameter in header.parameters.items():
        _parameter(parameters, _plain_name(name, "parameter"), parameter)

    bench = _group(entry, "bench", "NXcollection")
    create_text(bench, "file", header.bench)
    for name, settings in header.instruments.items():
        if name == "file":
            raise RunFileError("an instrument cannot be called 'file'; rename it in the bench file")
        instrument = _group(bench, _plain_name(name, "instrument"), "NXcollection")
        create_text(instrument, "identity", settings.get("identity", ""))
        create_text(instrument, "settings", json.dumps(dict(settings), ensure_ascii=False))
        create_compressed_text(instrument, "settings_after", b"{}", JSON_BYTES)

    chip = _group(entry, "chip", "NXcollection")
    create_text(chip, "map", header.chip)
    create_text(chip, "sha256", text_hash(header.chip))
    if header.defects:
        create_text(chip, "defects", header.defects)
    if header.formed_bytes:
        create_compressed_text(chip, FORMED, header.formed.encode(), header.formed_bytes)
    create_text(chip, "cells", header.cells)

    provenance = _group(entry, "provenance", "NXcollection")
    labels = labels_in(header.provenance)
    for name, text in header.provenance.items():
        if name not in PLACES:
            create_text(provenance, _plain_name(name, "provenance item"), text)
    for name, label in labels.items():
        group, _, field = PLACES[name].rpartition("/")
        create_text(_group(entry, group, CLASSES[group]) if group else entry, field, label)
    if "operator" in labels:
        create_text(entry["user"], "role", "operator")


def _parameter(group: h5py.Group, name: str, parameter: schema.RecordedParameter) -> None:
    """Write one parameter; ``@kind`` says how to read it back, as None and huge integers are text."""
    value = parameter.value
    if isinstance(value, np.generic):
        value = value.item()
    match value:
        case None:
            kind, dataset = "none", create_text(group, name, "")
        case str():
            kind, dataset = "text", create_text(group, name, value)
        case bool():
            kind, dataset = "bool", create_plain(group, name, np.array(value))
        case int() if not -(2**63) <= value < 2**63:
            kind, dataset = "int", create_text(group, name, str(value))
        case int():
            kind, dataset = "int", create_plain(group, name, np.array(value, "i8"))
        case float():
            kind, dataset = "float", create_plain(group, name, np.array(value))
        case _:
            raise RunFileError(
                f"parameter {name!r} is a {type(value).__name__}; a number, text, bool or None fits"
            )
    add_text_attribute(dataset, "kind", kind)
    if parameter.origin:
        add_text_attribute(dataset, "origin", parameter.origin)
    _describe(dataset, parameter.unit, parameter.label)


def _table(entry: h5py.Group, table: schema.Table) -> None:
    group = _group(entry, table.name, "NXdata")
    group.attrs["signal"] = table.signal
    # NeXus wants a name for every dimension of the signal; a waveform's samples are plotted by number.
    stored = {column.name: column for column in table.stored}
    plain = table.axis != table.signal and not stored[table.axis].shape
    group.attrs["axes"] = [table.axis if plain else "."] + ["."] * len(stored[table.signal].shape)
    group.attrs["title"] = table.title or table.name
    if table.series:
        group.attrs["series"] = table.series
    for column in stored.values():
        dataset = create_growing(group, column.name, column.dtype, column.shape, table.rows)
        _describe(dataset, column.unit, column.description, column.digital)


def _map(maps: h5py.Group, image: schema.Map) -> None:
    group = _group(maps, image.name, "NXdata")
    group.attrs["signal"] = "value"
    group.attrs["axes"] = ["time", "row", "column"]
    group.attrs["title"] = image.title or image.name
    _describe(create_growing(group, "time", "f8", (), image.images), "s", "time since the run started")
    for name, numbers in (("row", image.rows), ("column", image.columns)):
        axis = create_plain(group, name, np.array(numbers, "i8"))
        axis.attrs["long_name"] = f"physical {name}"
    value = create_growing(group, "value", "f8", (len(image.rows), len(image.columns)), image.images)
    _describe(value, image.unit, image.title or image.name)


def _array(arrays: h5py.Group, array: schema.Array) -> None:
    group = _group(arrays, array.name, "NXdata")
    values = np.asarray(array.values)
    group.attrs["signal"] = "value"
    if values.ndim:
        group.attrs["axes"] = ["."] * values.ndim
    group.attrs["title"] = array.description or array.name
    _describe(create_array(group, "value", values), array.unit, array.description, array.digital)


def _log(entry: h5py.Group) -> None:
    group = _group(entry, "log", "NXcollection")
    _describe(create_growing(group, "time", "f8", (), ENTRIES), "s", "time since the run started")
    create_growing(group, "level", h5py.string_dtype("utf-8", LEVEL_BYTES), (), ENTRIES)
    create_growing(group, "message", h5py.string_dtype("utf-8", MESSAGE_BYTES), (), ENTRIES // 4)


def _point_at_default(entry: h5py.Group, layout: schema.Layout) -> None:
    """Set the chain of ``@default`` from the entry to the plot, one name a step as NeXus wants it."""
    plots = [table.name for table in layout.tables] + [f"maps/{image.name}" for image in layout.maps]
    default = layout.default or next(iter(plots), "")
    if not default:
        return
    first, _, image = default.partition("/")
    entry.attrs["default"] = first
    if image:
        entry[first].attrs["default"] = image


def _group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    group = create_group(parent, name)
    add_text_attribute(group, "NX_class", nx_class)
    return group


def _number(group: h5py.Group, name: str, value: float, unit: str = "", description: str = "") -> None:
    _describe(create_plain(group, name, np.array(value)), unit, description)


def _describe(dataset: h5py.Dataset, unit: str, description: str, digital: float = 0.0) -> None:
    add_text_attribute(dataset, "units", unit)
    if digital:
        dataset.attrs[schema.DIGITAL_ATTRIBUTE] = digital
    if description:
        add_text_attribute(dataset, "long_name", description)


def _plain_name(name: str, what: str) -> str:
    if not name or "/" in name or name == ".":
        raise RunFileError(f"{what} name {name!r} cannot stand in a run file; avoid / and empty names")
    return name
