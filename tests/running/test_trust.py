"""A run file makes no code run but mho's own, unless a person agrees, and then not from a folder that the file names."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import pytest
import run_samples
from command_line import Shell
from daily import daily, spread

from mho import run
from mho.cli.terminal import run_display as procedures_terminal
from mho.errors import InputError, QueueError, RunFileError
from mho.procedures import Program, Read
from mho.running import trust
from mho.running.continuing import rerun
from mho.running.queue.orders import order_of_run
from mho.running.trust import Code, allow_all, foreign
from mho.runs import RunFile, Verdict
from mho.runs.integrity.seal import Verification

DIGITS = np.array([[1, 5]])
IMPORTED = ("os:system", "subprocess:Popen", "numpy:ndarray", "run_samples:SampleRun")

MODULE = '''
from pathlib import Path
Path(r"{mark}").touch()
from mho.instruments.drivers.keithley2450 import Keithley2450
from mho.instruments.simulated.keithley2450.instrument import SimulatedKeithley2450
from mho.procedures import Program


class Mine(Program):
    """One of the user's own."""


class Driver(Keithley2450):
    """A driver of the user's own."""


class Twin(SimulatedKeithley2450):
    """Its twin."""
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a module of somebody's own, of a name that no other test uses, which says when it is imported."""
    folder = tmp_path / "place"
    folder.mkdir()
    name = f"strange_{abs(hash(tmp_path)):x}"
    np.save(folder / "digits.npy", DIGITS)
    (folder / f"{name}.py").write_text(MODULE.format(mark=tmp_path / "imported"), "utf-8")
    monkeypatch.chdir(tmp_path)
    yield folder / f"{name}.py"
    sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("honest")
    np.save(folder / "digits.npy", DIGITS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return run(Program(digits="digits.npy"), preset="quiet", seed=7, output=folder / "run.h5").path


def forged(honest: Path, place: Path, what: str, target: Path) -> Path:
    """A run file that names the module, and the folder where it lies, in one of the ways in which a file can."""
    target.write_bytes(honest.read_bytes())
    with RunFile(honest) as file:
        bench = file.bench
    texts = {"provenance/folder": str(place.parent)}
    if what == "procedure":
        texts["provenance/procedure"] = f"{place.stem}:Mine"
    else:
        own = f'driver = "{place.stem}:Driver"\ntwin = "{place.stem}:Twin"'
        texts["bench/file"] = bench.replace('driver = "keithley2450"', own, 1)
        assert own in texts["bench/file"]
    if what == "bench file":
        (place.parent / "bench.toml").write_text(texts.pop("bench/file"), "utf-8")
        texts["provenance/bench"] = str(place.parent / "bench.toml")
    with h5py.File(target, "r+") as file:
        for name, text in texts.items():
            del file[f"entry/{name}"]
            file[f"entry/{name}"] = np.bytes_(text.encode())
    return run_samples.seal_again(target)


def refused(shell: Shell, *words: object) -> str:
    """Run what must be refused, though a verb of the queue leaves an empty queue."""
    code, out, err = shell(*words)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert not list(shell.folder.glob("*.h5"))
    return line


def imported(tmp_path: Path) -> bool:
    return (tmp_path / "imported").exists()


@pytest.mark.parametrize("what", ["procedure", "driver"])
def test_no_verb_runs_code_that_a_file_names(what, honest, place, tmp_path, shell: Shell, monkeypatch):
    path = forged(honest, place, what, tmp_path / "forged.h5")
    for verb in (["rerun"], ["run", "read", "--after"], ["queue", "add", "read", "--after"]):
        said = refused(shell, *verb, path)
        assert "is none of mho's own" in said
        assert "a folder that the file names is not searched" in said
    # Not even with everybody's blessing from the folder that the file names.
    assert "there is no module" in refused(shell, "rerun", path, "--trust")
    assert not imported(tmp_path)
    # In this folder, it is found; and still nobody has agreed.
    monkeypatch.chdir(place.parent)
    said = refused(shell, "rerun", path)
    assert f"from {place}" in said
    assert "say --trust" in said
    assert not imported(tmp_path)


@pytest.mark.parametrize(
    ("what", "name"), daily(product(("procedure", "twin"), IMPORTED), spread(("procedure", "twin"), IMPORTED))
)
def test_that_a_module_is_imported_already_is_no_trust(what, name, honest, tmp_path, shell: Shell):
    path = tmp_path / "forged.h5"
    path.write_bytes(honest.read_bytes())
    with h5py.File(path, "r+") as file:
        if what == "procedure":
            texts = {"provenance/procedure": name}
        else:
            own = f'driver = "mho.instruments.drivers.keithley2450:Keithley2450"\ntwin = "{name}"'
            bench = file["entry/bench/file"][()].decode()
            texts = {"bench/file": bench.replace('driver = "keithley2450"', own, 1)}
        for place, text in texts.items():
            del file[f"entry/{place}"]
            file[f"entry/{place}"] = np.bytes_(text.encode())
    run_samples.seal_again(path)
    for verb in (["rerun"], ["run", "read", "--after"]):
        said = refused(shell, *verb, path)
        assert f"would run {name} from " in said
        assert "say --trust" in said


@pytest.mark.parametrize("what", daily(["procedure", "driver"], ["driver"]))
def test_with_trust_it_is_repeated_from_this_folder(what, honest, place, tmp_path, shell: Shell, monkeypatch):
    path = forged(honest, place, what, tmp_path / "forged.h5")
    monkeypatch.chdir(place.parent)
    _code, out, err = shell("rerun", path, "--trust")
    assert imported(tmp_path), err
    assert "repeated as" in out


@pytest.mark.parametrize("what", daily(["procedure", "bench file"], ["procedure"]))
def test_a_clone_asks_too(what, honest, place, tmp_path, shell: Shell, monkeypatch):
    path = forged(honest, place, what, tmp_path / "forged.h5")
    assert place.stem in refused(shell, "queue", "clone", path)
    assert place.stem in refused(shell, "queue", "clone", path, "--trust")
    assert not imported(tmp_path)
    monkeypatch.chdir(place.parent)
    assert "say --trust" in refused(shell, "queue", "clone", path)
    assert not imported(tmp_path)
    code, _out, err = shell("queue", "clone", path, "--trust")
    assert (code, err, imported(tmp_path)) == (0, "", True)


def test_a_bench_file_that_a_run_names_is_only_read(honest, place, tmp_path):
    path = forged(honest, place, "bench file", tmp_path / "forged.h5")
    again = rerun(path, output=tmp_path / "again.h5")
    assert again.equal
    assert "has changed since: the one in the run file is used" in again.remarks[0]
    assert not imported(tmp_path)


def test_a_clone_has_no_folder_of_the_files_choice(honest, place, tmp_path):
    path = forged(honest, place, "procedure", tmp_path / "forged.h5")
    with h5py.File(path, "r+") as file:
        del file["entry/provenance/procedure"]
        file["entry/provenance/procedure"] = np.bytes_(b"mho.procedures.cells.reading.read:Read")
    run_samples.seal_again(path)
    order = order_of_run(path)
    assert order.folder == tmp_path
    assert order.parameters["digits"] == str(place.parent / "digits.npy")


def test_what_went_on_with_a_chip_has_that_chip_s_preset(tmp_path):
    first = run(Read(rows="0:1", columns="0:1"), preset="quiet", output=tmp_path / "first.h5").path
    second = run(Read(rows="0:1", columns="0:1"), after=first, output=tmp_path / "second.h5").path
    fresh, later = order_of_run(first), order_of_run(second)
    assert (fresh.preset, fresh.after) == ("quiet", None)
    assert (later.preset, later.after) == (None, str(first))


def test_drivers_that_a_bench_file_brings_are_taken_from_the_folder_that_one_is_in(
    honest, place, tmp_path, monkeypatch
):
    path = forged(honest, place, "bench file", tmp_path / "forged.h5")
    with pytest.raises(
        InputError, match=f"brings drivers of its own .*{place.stem}:Driver.*go to that file's folder"
    ):
        order_of_run(path, allow_all)
    monkeypatch.chdir(place.parent)
    asked: list[str] = []
    order = order_of_run(path, lambda code: asked.append(code.name) or True)
    assert order.bench == str(place.parent / "bench.toml")
    assert asked == [f"{place.stem}:Driver", f"{place.stem}:Twin"]
    assert not imported(tmp_path)


def test_a_run_that_does_not_say_enough_is_not_cloned(honest, tmp_path):
    """As a run on a bench that a script had open does not say the bench."""
    path = tmp_path / "run.h5"
    path.write_bytes(honest.read_bytes())
    with h5py.File(path, "r+") as file:
        del file["entry/provenance/bench"], file["entry/provenance/folder"]
    with pytest.raises(QueueError, match="does not say its bench and folder; add the job by `mho queue add`"):
        order_of_run(path)


def test_modules_are_not_found_in_the_folder_of_a_run_while_it_is_repeated(
    honest, place, tmp_path, monkeypatch
):
    path = tmp_path / "elsewhere.h5"
    path.write_bytes(honest.read_bytes())
    with h5py.File(path, "r+") as file:
        del file["entry/provenance/folder"]
        file["entry/provenance/folder"] = np.bytes_(str(place.parent).encode())
    found = []
    check = Program.check

    def look(self: Program) -> np.ndarray:
        found.append((Path.cwd(), importlib.util.find_spec(place.stem)))
        return check(self)

    monkeypatch.syspath_prepend("")  # as `python -c` and an interactive Python have it
    monkeypatch.setattr(Program, "check", look)
    rerun(run_samples.seal_again(path), output=tmp_path / "again.h5")
    assert found[0] == (place.parent, None)
    assert "" in sys.path  # what was relative is so again


@pytest.mark.parametrize("verb", [["rerun"], ["run", "read", "--after"], ["queue", "clone"]])
@pytest.mark.parametrize("emptied", [False, True])
def test_a_changed_file_is_refused_whatever_is_trusted(verb, emptied, honest, tmp_path, shell: Shell):
    path = tmp_path / "changed.h5"
    path.write_bytes(honest.read_bytes())
    with h5py.File(path, "r+") as file:
        file["entry/pulses/conductance"][0] = 1.0
        if emptied:
            file["entry/seal/sha256"][0] = b""
    said = refused(shell, *verb, path, "--trust")
    found = "seal is missing or not filled in" if emptied else "pulses/conductance was changed"
    assert f"is changed, so it is not repeated: /entry/{found}" in said


@pytest.mark.parametrize(
    ("name", "text", "told"),
    daily(
        [
            ("seed", "abc", "its seed is 'abc', no whole number from 0"),
            ("seed", "-5", "its seed is '-5'"),
            ("seed", "7²", "its seed is '7²'"),
            ("seed", "9" * 5000, "of at most 4000 digits"),
            ("chip_seed", "abc", "its chip_seed is 'abc'"),
            ("inputs", "digits", "its list of input files is not of names and hashes"),
            ("inputs", "nonsense\ndigits  ", "its list of input files"),
        ],
        4,
    ),
)
def test_a_provenance_that_says_nonsense_is_damage(name, text, told, honest, tmp_path, shell: Shell):
    path = tmp_path / "forged.h5"
    path.write_bytes(honest.read_bytes())
    with h5py.File(path, "r+") as file:
        file["entry/provenance"].pop(name, None)
        file[f"entry/provenance/{name}"] = np.bytes_(text.encode())
    run_samples.seal_again(path)
    for verb in (["rerun"], ["run", "read", "--after"], ["queue", "clone"], ["show"]):
        if not (verb == ["show"] and name != "seed") and not (
            verb == ["queue", "clone"] and name == "chip_seed"
        ):
            said = refused(shell, *verb, path)
            assert f"{path} is damaged" in said
            assert told in said


@pytest.mark.thorough
def test_a_chain_is_asked_for_from_its_beginning(honest, place, tmp_path, monkeypatch):
    first = forged(honest, place, "procedure", tmp_path / "forged.h5")
    second = run(Read(rows="0:1", columns="0:2"), after=honest, output=tmp_path / "read.h5").path
    with h5py.File(second, "r+") as file:
        del file["entry/provenance/after"]
        file["entry/provenance/after"] = np.bytes_(str(first).encode())
    run_samples.seal_again(second)
    monkeypatch.chdir(place.parent)
    asked: list[Code] = []
    with pytest.raises(InputError, match=r"forged\.h5 would run"):
        rerun(second, output=tmp_path / "again.h5", trust=lambda code: bool(asked.append(code)))
    assert [(code.name, code.place) for code in asked] == [(f"{place.stem}:Mine", str(place))]
    assert not imported(tmp_path)


@pytest.mark.parametrize("answer", ["y\n", "n\n", ""])
def test_on_a_terminal_a_person_is_asked(answer, monkeypatch):
    import typer

    class Terminal:
        def isatty(self) -> bool:
            return True

    told = []

    def confirm(question: str, **_: object) -> bool:
        told.append(question)
        return answer == "y\n"

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(typer, "confirm", confirm)
    procedures_terminal._ask.cache_clear()
    code = Code(Path("a\x1b[31m.h5"), "strange:Mine", "/where/strange.py")
    agreed = procedures_terminal.asking(False)
    assert agreed(code) is (answer == "y\n")
    assert agreed(code) is (answer == "y\n")  # asked once
    assert told == [
        "a\\x1b[31m.h5 names strange:Mine, which is none of mho's own. It would run /where/strange.py\nRun it?"
    ]
    assert procedures_terminal.asking(True) is allow_all


def test_what_is_mhos_own_needs_no_trust():
    bench = '[instruments.smu]\ndriver = "mho.instruments.drivers.keithley2450:Keithley2450"\ntwin = "os:system"\n'
    assert foreign("mho.procedures.cells.reading.read:Read", bench, "x") == ("os:system",)
    assert foreign("proceduresx.read:Read", "", "x") == ("proceduresx.read:Read",)
    with pytest.raises(InputError, match="nested deeper"):
        foreign("", "a = " + "[" * 9999 + "]" * 9999, "x")


def test_a_file_that_is_no_run_is_refused(tmp_path):
    (tmp_path / "no.h5").write_text("no")
    with pytest.raises(RunFileError):
        order_of_run(tmp_path / "no.h5")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_is_damaged_or_changed_is_not_repeated_whatever_it_names(
    verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.h5"
    monkeypatch.setattr(
        trust, "verify", lambda given: Verification(given, verdict, findings=("a column differs",))
    )
    if verdict in (Verdict.CHANGED, Verdict.DAMAGED, Verdict.UNREADABLE):
        with pytest.raises(RunFileError, match=f"is {verdict}, so it is not repeated: a column differs"):
            trust.check_unchanged(path)
    else:
        trust.check_unchanged(path)


def test_every_place_of_a_file_that_names_a_class_is_looked_at() -> None:
    bench = (
        '[a]\ndriver = "lab.one:Driver"\n[[b]]\n[b.c]\ntwin = "lab.two:Twin"\n[d]\nnote = "lab.three:Note"\n'
    )
    assert set(foreign("", bench, "the file")) == {"lab.one:Driver", "lab.two:Twin"}
    assert foreign("lab:Own", "", "the file", ["plans:Strategy"]) == ("lab:Own", "plans:Strategy")
    assert foreign("mho.procedures:Read", '[a]\ndriver = "keithley2450"', "the file") == ()
    assert foreign("mhonster:Read", "", "the file") == ("mhonster:Read",)
    assert foreign("mho/own.py:Read", "", "the file", ["mho.py:Plan"]) == ("mho/own.py:Read", "mho.py:Plan")


def test_nobody_is_asked_about_mho_s_own_and_who_does_not_agree_stops_it(tmp_path: Path) -> None:
    asked: list[Code] = []

    def refuse(code: Code) -> bool:
        asked.append(code)
        return False

    trust.check_trusted(tmp_path, (), refuse)
    assert asked == []
    with pytest.raises(InputError, match="nobody has agreed"):
        trust.check_trusted(tmp_path, ("json.tool:main",), refuse)
    assert [one.name for one in asked] == ["json.tool:main"]
    with pytest.raises(InputError, match="no module 'nowhere_at_all'"):
        trust.check_trusted(tmp_path, ("nowhere_at_all:Class",), allow_all)
    assert trust.deny_all(asked[0]) is False


def test_what_runs_here_already_is_asked_about_where_another_process_will_import_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Code] = []
    monkeypatch.setattr(trust, "AGREED", {"json.tool:main"})
    importlib.import_module("json.tool")
    trust.check_trusted(tmp_path, ("json.tool:main",), lambda code: asked.append(code) or True)
    assert asked == []
    trust.check_trusted(
        tmp_path, ("json.tool:main",), lambda code: asked.append(code) or True, elsewhere=True
    )
    assert [one.name for one in asked] == ["json.tool:main"]


def test_a_run_that_is_repeated_here_is_asked_about_once_and_one_that_is_queued_again(
    honest: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(place.parent))
    importlib.import_module(place.stem)
    monkeypatch.setattr(trust, "AGREED", {f"{place.stem}:{name}" for name in ("Mine", "Driver", "Twin")})
    asked: list[str] = []
    agree = lambda code: asked.append(code.name) or True  # noqa: E731
    with RunFile(forged(honest, place, "procedure", tmp_path / "mine.h5")) as file:
        trust.check_code(file, agree)
        assert asked == []
        trust.check_code(file, agree, elsewhere=True)
    assert asked == [f"{place.stem}:Mine"]
    monkeypatch.chdir(place.parent)
    order_of_run(forged(honest, place, "bench file", tmp_path / "driver.h5"), agree)
    assert asked[1:] == [f"{place.stem}:Driver", f"{place.stem}:Twin"]


def edited(run: Path, target: Path, **texts: str) -> Path:
    """A copy of a run file with other texts in its provenance."""
    target.write_bytes(run.read_bytes())
    with h5py.File(target, "r+") as file:
        for name, text in texts.items():
            file["entry/provenance"].pop(name, None)
            file[f"entry/provenance/{name}"] = np.bytes_(text.encode())
    return target


def test_each_run_of_a_chain_is_asked_about_to_its_beginning(
    honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Code] = []
    importlib.import_module("json.tool")
    monkeypatch.setattr(trust, "AGREED", {"json.tool:main"})  # here; another process will import it
    first = edited(honest, tmp_path / "first.h5", procedure="json.tool:main")
    second = edited(
        honest, tmp_path / "second.h5", procedure="mho.procedures.cells.reading.read:Read", after=str(first)
    )
    third = edited(honest, tmp_path / "third.h5", procedure="json.encoder:Mine", after=str(second))
    trust.check_chain(third, lambda code: asked.append(code) or True)
    assert [(one.run, one.name) for one in asked] == [(third, "json.encoder:Mine"), (first, "json.tool:main")]
    edited(honest, first, after=str(third))  # a circle ends, too
    trust.check_chain(third, allow_all)
    first.unlink()
    with pytest.raises(
        InputError, match=r"second\.h5 went on with the chip that .*first\.h5 left, .* put it back"
    ):
        trust.check_chain(third, allow_all)


def test_a_file_of_code_is_looked_for_in_this_folder_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("lab.py:Mine", "/elsewhere/lab.py:Mine", "..\\elsewhere\\lab.py:Mine"):
        assert trust.file_here(name) == tmp_path / "lab.py"
        assert trust.name_here(name) == f"{tmp_path / 'lab.py'}:Mine"
        assert trust.place_of(name) == ""
    (tmp_path / "lab.py").touch()
    assert trust.place_of("/elsewhere/lab.py:Mine") == str(tmp_path / "lab.py")
    assert trust.name_here("lab:Mine") == "lab:Mine"
    (tmp_path / "own.py").write_text(
        "from mho.procedures.cells.programming.strategies.literature import Ispp\n", "utf-8"
    )
    assert trust.code_here("strategy", "/elsewhere/own.py:Ispp") == f"{tmp_path / 'own.py'}:Ispp"


def test_a_run_of_a_procedure_that_is_gone_says_by_which_name_it_was_looked_for(
    honest: Path, tmp_path: Path
) -> None:
    with (
        RunFile(edited(honest, tmp_path / "gone.h5", procedure="gone")) as file,
        pytest.raises(InputError, match="no procedure 'gone'; ") as refused,
    ):
        trust.code_of(file)
    assert "give the command that made it" not in str(refused.value)


def test_a_run_that_no_procedure_made_says_that_its_command_makes_it_again(tmp_path: Path) -> None:
    with (
        RunFile(run_samples.empty_run(tmp_path / "run.h5")) as file,
        pytest.raises(InputError, match=r"is a run of Nothing, and there is no procedure 'Nothing'.*command"),
    ):
        trust.code_of(file)
