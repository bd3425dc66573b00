"""Whatever is in the place of a run file, every verb answers in one sentence, soon, and shows no other file."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
import run_samples
from command_line import Shell
from daily import daily
from matplotlib.figure import Figure

from mho.analysis.reports.collection import tabulate
from mho.errors import RunFileError
from mho.gui.app import show_run
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.runs import RunFile
from mho.runs.index.index import RunIndex
from mho.runs.reading.chunks import create_growing

SECRET = "the key of the house"
HANGING = 60  # s after which a verb hangs


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return run_samples.whole_run(tmp_path_factory.mktemp("whole") / "run.h5").read_bytes()


@contextmanager
def not_for_ever() -> Iterator[None]:
    if not hasattr(signal, "SIGALRM"):  # there pytest ends a test that hangs
        yield
        return

    def hanging(*_: object) -> None:
        raise AssertionError(f"still busy after {HANGING} s")

    previous = signal.signal(signal.SIGALRM, hanging)
    signal.alarm(HANGING)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@contextmanager
def changed(path: Path, whole: bytes, *, sealed: bool = True) -> Iterator[h5py.Group]:
    path.write_bytes(whole)
    with h5py.File(path, "r+", libver="latest") as file:
        yield file["entry"]
    if sealed:
        run_samples.seal_again(path)


def replace(entry: h5py.Group, name: str, value: object) -> None:
    del entry[name]
    entry[name] = value


def pipe(path: Path, whole: bytes) -> None:
    os.mkfifo(path)


def device(path: Path, whole: bytes) -> None:
    path.symlink_to("/dev/zero")


def unix_socket(path: Path, whole: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listening, pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)  # a socket's path is short
        listening.bind(path.name)


def folder(path: Path, whole: bytes) -> None:
    path.mkdir()


def nowhere(path: Path, whole: bytes) -> None:
    path.symlink_to(path.parent / "nowhere")


def empty(path: Path, whole: bytes) -> None:
    path.touch()


def cut_short(path: Path, whole: bytes) -> None:
    path.write_bytes(whole[: len(whole) // 3])


def external_link(path: Path, whole: bytes) -> None:
    other = path.with_name("other.h5")
    other.write_bytes(whole)
    with changed(path, whole) as entry:
        entry["stolen"] = h5py.ExternalLink(str(other), "/entry/cycles")


def external_title(path: Path, whole: bytes) -> None:
    with changed(path, whole) as entry:
        del entry["title"]
        entry["title"] = h5py.ExternalLink("other.h5", "/entry/title")


def external_entry(path: Path, whole: bytes) -> None:
    path.with_name("other.h5").write_bytes(whole)
    path.write_bytes(whole)
    with h5py.File(path, "r+", libver="latest") as file:
        del file["entry"]
        file["entry"] = h5py.ExternalLink("other.h5", "/entry")


def deep_external_link(path: Path, whole: bytes) -> None:
    with changed(path, whole) as entry:
        entry["arrays/solution/more"] = h5py.SoftLink("/entry/maps/way")
        entry["maps/way"] = h5py.ExternalLink("other.h5", "/entry/cycles")


def external_storage(path: Path, whole: bytes) -> None:
    secret = path.with_name("secret.txt")
    secret.write_text(SECRET)
    with changed(path, whole) as entry:
        for name in ("title", "result/values", "card", "status"):
            del entry[name]
            text = h5py.string_dtype("utf-8", len(SECRET))
            entry.create_dataset(name, shape=(1,), dtype=text, external=[(str(secret), 0, len(SECRET))])


def virtual(path: Path, whole: bytes) -> None:
    with h5py.File(path.with_name("other.h5"), "w") as other:
        other["values"] = np.arange(16.0).reshape(4, 4)
    with changed(path, whole) as entry:
        layout = h5py.VirtualLayout(shape=(4, 4), dtype="f8")
        layout[...] = h5py.VirtualSource(str(path.with_name("other.h5")), "values", shape=(4, 4))
        del entry["arrays/matrix_achieved/value"]
        entry["arrays/matrix_achieved"].create_virtual_dataset("value", layout)


def endless_rows(path: Path, whole: bytes) -> None:
    with changed(path, whole, sealed=False) as entry:
        for name, column in list(entry["cycles"].items()):
            endless = create_growing(entry, "endless", column.dtype, column.shape[1:])
            endless.attrs.update(column.attrs)
            endless.resize(2**34, axis=0)
            del entry["cycles"][name]
            entry.move("endless", f"cycles/{name}")


def endless_chunks(path: Path, whole: bytes) -> None:
    with changed(path, whole, sealed=False) as entry:
        del entry["pulses/time"]
        entry["pulses"].create_dataset("time", (2**27,), "f8", chunks=(1,), maxshape=(None,))


def endless_array(path: Path, whole: bytes) -> None:
    with changed(path, whole, sealed=False) as entry:
        del entry["arrays/matrix_achieved/value"]
        entry["arrays/matrix_achieved"].create_dataset("value", (2**17, 2**17), "f8", chunks=(1, 2**17))


def endless_text(path: Path, whole: bytes) -> None:
    with changed(path, whole, sealed=False) as entry:
        del entry["title"]
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
        plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        kind = h5py.h5t.py_create(h5py.string_dtype("utf-8", 2**31 - 1))
        h5py.h5d.create(entry.id, b"title", kind, h5py.h5s.create(h5py.h5s.SCALAR), plist)


def many_declared(path: Path, whole: bytes) -> None:
    with changed(path, whole, sealed=False) as entry:
        for number in range(64):
            group = entry["arrays"].create_group(f"a{number}")
            group.create_dataset("value", (2**12, 2**13), "f8", chunks=(128, 2**13))


def deep_groups(path: Path, whole: bytes) -> None:
    path.write_bytes(whole)
    with h5py.File(path, "r+", libver="latest") as file:
        group = file["entry"].id
        for _ in range(5000):
            group = h5py.h5g.create(group, b"a")


REFUSED: dict[Callable[[Path, bytes], None], str] = {
    pipe: "is a pipe, a device or a socket, no file",
    device: "is a pipe, a device or a socket, no file",
    unix_socket: "is a pipe, a device or a socket, no file",
    folder: "is a folder",
    nowhere: "there is no run file",
    empty: "is not an HDF5 file",
    cut_short: "is damaged",
    external_link: "/stolen is a link into another file",
    external_title: "/title is a link into another file",
    external_entry: "entry is a link into another file",
    deep_external_link: "/maps/way is a link into another file",
    external_storage: "are in another file",
    virtual: "/entry/arrays/matrix_achieved/value are in another file",
    endless_rows: "declares",
    endless_chunks: "declares",
    endless_array: "declares",
    endless_text: "/entry/title declares 2.15 GB",
    many_declared: "it declares 17.2 GB",
    deep_groups: "deep within each other",
}

EVERY_DAY = (device, nowhere, cut_short, external_link, external_storage, virtual, endless_rows)


def verbs(path: Path) -> list[list[object]]:
    return [
        ["show", path], ["verify", path], ["recover", path], ["plot", path],
        *([["report", path]] if find_spec("mho.extensions.report_pages") else []),
        ["compare", path], ["export", path, "--to", "csv"],
        ["export", path, "--to", "folder"], ["export", path, "--to", "mat"], ["rerun", path, "--trust"], ["gui", path],
        ["run", "read", "--after", path], ["queue", "clone", path, "--trust"], ["queue", "add", "read", "--after", path],
    ]  # fmt: skip


def one_sentence(code: int, out: str, err: str, verb: object) -> str:
    """Check that a verb has refused, in words; return these."""
    assert code in (1, 2), verb
    said = " ".join((out if verb == "verify" else err).split())
    assert "Traceback" not in out + err
    assert SECRET not in out + err
    if verb != "verify":
        assert len(err.splitlines()) == 1
        assert err.startswith("mho: ")
    return said


@pytest.mark.parametrize(
    "make",
    daily(REFUSED, EVERY_DAY),
    ids=lambda make: make.__name__,
)
def test_every_verb_refuses(make, whole: bytes, tmp_path: Path, shell: Shell):
    place = tmp_path / "in"
    place.mkdir()
    path = place / "run.h5"
    make(path, whole)
    before = sorted(place.iterdir())
    for words in verbs(path):
        if words[0] == "gui" and make is cut_short:
            continue
        if words[0] in ("report", "compare") and make in (folder, nowhere):  # a folder may be meant
            continue
        with not_for_ever():
            said = one_sentence(*shell(*words), words[0])
        if (words[:2], make) not in ((["queue", "add"], folder), (["queue", "add"], nowhere)):
            known = (
                (REFUSED[make], "there is no run file", "is a folder")
                if words[0] == "queue"
                else (REFUSED[make],)
            )
            assert any(one in said for one in known), (words, said)
    assert sorted(place.iterdir()) == before
    with not_for_ever():
        said = one_sentence(*shell("import", path), "import")


@pytest.mark.parametrize(
    "make",
    daily(REFUSED, EVERY_DAY),
    ids=lambda make: make.__name__,
)
def test_a_folder_that_holds_one_is_listed_watched_and_tabulated(
    make, whole: bytes, tmp_path: Path, shell: Shell
):
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "good.h5").write_bytes(whole)
    (runs / "bad").mkdir()
    path = runs / "bad" / "run.h5"
    make(path, whole)
    with not_for_ever():
        code, out, err = shell("runs")
        assert code == 0
        assert "good.h5" in out
        assert SECRET not in out
        assert "Traceback" not in err
        with RunIndex(runs) as index:
            index.update()
            states = {run.path.name: run.status for run in index.search() if run.path.parent.name == "bad"}
        if make not in (folder, nowhere):
            card_is_whole = make not in (
                external_storage,
                external_entry,
                pipe,
                device,
                unix_socket,
                empty,
                cut_short,
            )
            assert states["run.h5"] == (
                "finished" if card_is_whole and states["run.h5"] != "unreadable" else "unreadable"
            )
        _, skipped = tabulate([runs], tmp_path / "table.csv")
        if make not in (folder, nowhere):  # the card of a run is all that list and table read
            assert (path in [one.path for one in skipped]) is (states["run.h5"] == "unreadable")
        assert SECRET not in (tmp_path / "table.csv").read_text()
        if find_spec("mho.extensions.watch"):
            assert import_module("mho.extensions.watch").look_at_run(path).trouble or make is folder


@pytest.mark.thorough
def test_what_is_tangled_but_harmless_is_walked_through_once(whole: bytes, tmp_path: Path, shell: Shell):
    """Every group links twice to the next: 2^40 ways through it, and one back."""
    path = tmp_path / "run.h5"
    path.write_bytes(whole)
    with h5py.File(path, "r+", libver="latest") as file:
        group = file["entry"].create_group("tangle")
        group["back"] = file["entry"]
        for _ in range(25):
            below = group.create_group("a")
            group["b"] = below
            group = below
    with not_for_ever():
        code, out, _ = shell("verify", path)
        assert (code, "changed" in out) == (1, True)
        assert shell("show", path)[0] == 0
        assert shell("plot", path)[0] == 0


def texts(path: Path, whole: bytes, name: str, text: str) -> Path:
    with changed(path, whole) as entry:
        replace(entry, name, np.bytes_(text.encode()))
    return path


DEEP_TOML = "a = " + "[" * 50_000 + "]" * 50_000
DEEP_JSON = '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}"


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["bench/file", "chip/map"])
@pytest.mark.parametrize(
    "text", [DEEP_TOML, "a" + ".a" * 5000 + " = 1", f"a = {'9' * 5000}", "a = '\0'", "\udcff"]
)
def test_toml_that_is_beyond_reading_is_said_in_one_sentence(
    name, text, whole, tmp_path, monkeypatch, shell: Shell
):
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, target, **options: None
    )  # no word of it is in a figure
    path = tmp_path / "run.h5"
    with changed(path, whole) as entry:
        replace(entry, name, np.bytes_(text.encode("utf-8", "surrogateescape")))
    for words in verbs(path):
        if words[0] == "gui":
            continue
        with not_for_ever():
            code, out, err = shell(*words)
        assert "Traceback" not in out + err
        if words[0] in ("rerun", "run"):
            one_sentence(code, out, err, words[0])
    bench = tmp_path / "bench.toml"
    bench.write_bytes(text.encode("utf-8", "surrogateescape"))
    one_sentence(*shell("run", "read", "--bench", bench), "run")


HUGE_ROWS = run_samples.CHIP.replace("rows = 1024", "rows = 999999991024")


@pytest.mark.thorough
@pytest.mark.parametrize("text", [DEEP_TOML, HUGE_ROWS, "%%%", "arrays = 3"])
def test_a_chip_map_that_is_beyond_reading_is_said_in_one_sentence(text, tmp_path, shell: Shell):
    (tmp_path / "chip.toml").write_text(text, "utf-8")
    np.save(tmp_path / "a.npy", np.eye(4))
    for name in ("simulated", "arrays"):
        bench = tmp_path / f"{name}.toml"
        text, count = re.subn(r'chip = "\w+"', 'chip = "chip.toml"', load_bench_file(name).text)
        assert count == 1
        bench.write_text(text, "utf-8")
        for words in (["run", "read", "--bench", bench], ["solve", tmp_path / "a.npy", "--bench", bench],
                      ["rehearse", bench, "solve", tmp_path / "a.npy"]):  # fmt: skip
            said = one_sentence(*shell(*words), words[0])
            assert "chip map chip.toml" in said
    assert "chip map" in one_sentence(*shell("bench", "check", tmp_path / "simulated.toml"), "bench")


@pytest.mark.parametrize("name", daily(["result/values", "result/units", "card"], 1))
def test_json_that_is_beyond_reading_is_damage(name, whole: bytes, tmp_path: Path, shell: Shell):
    path = texts(tmp_path / "run.h5", whole, name, DEEP_JSON)
    with RunIndex(tmp_path) as index:
        index.update()
        assert [run.status for run in index.search()] == ["unreadable"]
    if name != "card":
        assert "is damaged" in one_sentence(*shell("show", path), "show")


CHANGES: list[tuple[str, object, str]] = [
    (
        "cycles/relative_error",
        np.zeros((5, 2, 2)),
        "cycles/relative_error has the shape (5, 2, 2), not 1 dimensions",
    ),
    ("cycles/cycle", np.zeros((5, 2)), "cycles/cycle has the shape (5, 2), not 1 dimensions"),
    ("cycles/residual", np.array([b"a"] * 5), "cycles/residual holds |S1, not numbers"),
    ("cycles/residual", None, "cycles/residual is a group, where values are expected"),
    ("cycles/residual", 1.0, "cycles/residual is a single number, no column"),
    ("cycles@signal", "nope", "cycles is to be plotted by 'nope', which it does not have"),
    ("cycles@axes", 7, "cycles is to be plotted by '7', which it does not have"),
    ("cycles@series", "nope", "cycles is to be plotted by 'nope', which it does not have"),
    ("maps/multiply_conductance/value", np.zeros(3), "value has the shape (3,), not 3 dimensions"),
    (
        "maps/multiply_conductance/value",
        np.zeros((1, 3, 4)),
        "has images of (3, 4) for 12 rows and 20 columns",
    ),
    ("maps/multiply_conductance/value", np.array([b"a"]), "value holds |S1, not numbers"),
    ("maps/multiply_conductance/row", np.zeros((12, 1), int), "row has the shape (12, 1), not 1 dimensions"),
    ("maps/multiply_conductance/time", np.array([b"a"]), "time holds |S1, not numbers"),
    ("arrays/solution/value", np.array([b"=1+1"]), "arrays/solution/value holds |S4, not numbers"),
    ("arrays/solution/value", None, "arrays/solution/value is a group, where values are expected"),
    ("log/message", np.arange(5), "log/message holds int64, not text"),
    ("figures", np.array([b"[{}]"]), "a declaration of its figures is no Figure"),
    ("figures", np.arange(5), "figures is no text of at most 262144 bytes"),
]


@pytest.mark.parametrize(
    ("name", "value", "told"), daily(CHANGES, 6), ids=[f"{n}-{t[-12:]}" for n, _, t in CHANGES]
)
def test_columns_and_images_of_wrong_kind_or_shape_are_damage(
    name, value, told, whole, tmp_path, shell: Shell
):
    path = tmp_path / "run.h5"
    with changed(path, whole) as entry:
        place, _, attribute = name.partition("@")
        if attribute:
            entry[place].attrs[attribute] = value
        else:
            attributes = dict(entry[place].attrs)
            del entry[place]
            if value is None:
                entry.create_group(place)
            else:
                entry[place] = value
            entry[place].attrs.update(attributes)
    code, out, err = shell("verify", path)
    assert (code, "damaged" in out, told in " ".join(out.split()), err) == (1, True, True, "")
    refused = 0
    for words in (
        ["show", path],
        ["plot", path],
        ["export", path, "--to", "csv"],
        ["export", path, "--to", "mat"],
    ):
        code, out, err = shell(*words)
        assert "Traceback" not in out + err
        if code:
            assert told in one_sentence(code, out, err, words[0])
            assert "is damaged" in err
            refused += 1
    assert refused, "no verb reads it"


FACTS: list[tuple[str, object]] = [
    ("card", {"run_id": [1]}), ("card", {"facts": {"run_id": [1]}, "parameters": {}}),
    ("card", {"facts": {"start": "x"}, "parameters": {}}), ("card", {"facts": {}, "parameters": 7}),
    ("card", {"facts": {}, "parameters": {"bits": [1, [2]]}}), ("card", []), ("result/values", [1, 2]),
    ("result/values", None), ("result/units", [1, 2]), ("result/units", {"bits": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), daily(FACTS, 3))
def test_a_card_or_summary_that_is_none_is_damage_for_verify_and_all(
    name, value, whole, tmp_path, shell: Shell
):
    path = texts(tmp_path / "run.h5", whole, name, json.dumps(value))
    code, out, _ = shell("verify", path)
    assert (code, "damaged" in out) == (1, True)
    with RunIndex(tmp_path) as index:
        index.update()
        assert [run.status for run in index.search()] == ["unreadable"]


def test_a_parameter_that_is_a_group_is_damage(whole: bytes, tmp_path: Path, shell: Shell):
    path = tmp_path / "run.h5"
    with changed(path, whole) as entry:
        entry.create_group("procedure/parameters/evil")
    code, out, _ = shell("verify", path)
    assert (code, "damaged" in out) == (1, True)
    assert "is damaged" in one_sentence(*shell("show", path), "show")


def test_a_summary_of_other_kinds_is_shown_all_the_same(whole: bytes, tmp_path: Path, shell: Shell):
    told = {"converged": "yes", "bits": "x", "certificate": 7, "solution": {"a": 1}, "cycles": 3, "forecast_rho": None,
            "mvm_outputs": [], "encoding": 5, "reason": [1], "bits_asked": {}, "virtual_seconds": "long"}  # fmt: skip
    path = texts(tmp_path / "run.h5", whole, "result/values", json.dumps(told))
    code, out, err = shell("show", path, "--all")
    assert (code, err) == (0, "")
    assert "yes" in out


TITLE = "\x1b]0;gone\x07\x1b[2J<script>alert(1)</script> [/bold];=1+1 | `x` $\\x$ \u202etxt"
FORMULA = '=HYPERLINK("http://evil","x")'


@pytest.fixture
def hostile_texts(whole: bytes, tmp_path: Path, shell: Shell) -> Path:
    shell.folder.mkdir()
    path = shell.folder / "run.h5"
    with changed(path, whole) as entry:
        replace(entry, "title", np.bytes_(TITLE.encode()))
        replace(entry, "reason", np.bytes_(FORMULA.encode()))
        card = json.loads(entry["card"][()])
        card["facts"]["title"] = TITLE
        replace(entry, "card", np.bytes_(json.dumps(card).encode()))
        matrix = entry["procedure/parameters/matrix"]
        attributes = dict(matrix.attrs) | {"long_name": TITLE, "units": "\x1b[31m<b>"}
        replace(entry, "procedure/parameters/matrix", np.bytes_(FORMULA.encode()))
        entry["procedure/parameters/matrix"].attrs.update(attributes)
        entry["cycles"].attrs["title"] = TITLE
        entry["cycles/residual"].attrs["units"] = "\x1b[31m"
        entry["cycles"].move("mvm_outputs", "=1+1")
        entry["log/message"][0] = TITLE.encode()
        entry["provenance/platform"] = np.bytes_("7\x9b31m;=1+1".encode())
        entry["arrays"].move("solution", "\x1b[31m;=1+1")
        entry["arrays/\x1b[31m;=1+1/value"].attrs["long_name"] = "of x,=1+1\u202e"
    return path


def harmless(text: str) -> bool:
    return not any((ord(mark) < 32 and mark not in "\n\t\r") or mark in "\x7f\x9b\u202e" for mark in text)


@pytest.mark.thorough
def test_no_text_of_a_file_commands_terminal_or_spreadsheet(
    hostile_texts: Path, shell: Shell, tmp_path: Path
):
    for words in (["show", hostile_texts], ["runs"], ["runs", "--json"], ["runs", "about", hostile_texts],
                  ["verify", hostile_texts], ["plot", hostile_texts], ["queue", "clone", hostile_texts]):  # fmt: skip
        _, out, err = shell(*words)
        assert harmless(out + err), words
        assert "Traceback" not in out + err
    assert "\\x1b]0;gone" in shell("show", hostile_texts)[1]
    code, out, _ = shell("export", hostile_texts, "--to", "folder", "--output", tmp_path / "out")
    assert code == 0
    readme = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert harmless(readme)
    assert "<script>" not in readme
    assert readme.startswith("# \\\\x1b\\]0;gone")
    for table in (tmp_path / "out").rglob("*.csv"):
        text = table.read_text("utf-8")
        assert harmless(str(table) + text), table
        assert not [
            part for part in re.split(r"[\n\t,;|]", text) if part.strip(' "').startswith(("=", "@"))
        ], table
    assert harmless((tmp_path / "out" / "manifest-sha256.txt").read_text("utf-8"))
    for name in ("datacite", "ro-crate-metadata", "data/run/run"):
        assert harmless((tmp_path / "out" / f"{name}.json").read_text("utf-8"))


def test_no_text_of_a_file_is_html_on_the_page(hostile_texts: Path):
    watch = pytest.importorskip("mho.extensions.watch")
    page = watch.body(watch.Glance(0.0, run=watch.look_at_run(hostile_texts)))
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert harmless(page)


def test_the_window_says_what_is_wrong_before_it_opens(whole: bytes, tmp_path: Path):
    pipe(tmp_path / "run.h5", whole)
    with not_for_ever(), pytest.raises(RunFileError, match="is a pipe"):
        show_run(tmp_path / "run.h5")


def test_soft_links_within_a_file_are_followed(whole: bytes, tmp_path: Path):
    path = tmp_path / "run.h5"
    with changed(path, whole) as entry:
        entry["maps/again"] = h5py.SoftLink("/entry/maps/multiply_target")
    with RunFile(path) as run:
        assert run.map("again").shape == (12, 20)
