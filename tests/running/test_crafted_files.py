"""No crafted file makes code of its own run: every place where a name can stand, every verb that reads one."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import run_samples
from command_line import Shell
from daily import daily

from mho import platforms, run
from mho.instruments.bench_file import is_mhos_own
from mho.procedures import Program
from mho.running.trust import code_of, foreign, foreign_library
from mho.runs import RunFile

CODE = '''
from pathlib import Path
Path({canary!r}).touch()
from mho.instruments.drivers.keithley2450 import Keithley2450
from mho.instruments.simulated.keithley2450.instrument import SimulatedKeithley2450
from mho.procedures import Program
from mho.procedures.cells.programming.write_verify import WriteVerify


class Pwn(Program):
    """A procedure."""


class Driver(Keithley2450):
    """A driver."""


class Twin(SimulatedKeithley2450):
    """A twin."""


class Halving(WriteVerify):
    """A strategy."""


class PwnVisaLibrary:
    """What PyVISA takes of a package of a backend."""


WRAPPER_CLASS = PwnVisaLibrary
'''

REPEATING = [
    ("rerun", "{}"),
    ("resume", "{}"),
    ("run", "read", "--after", "{}"),
    ("queue", "add", "read", "--after", "{}"),
    ("queue", "clone", "{}"),
    ("budget", "{}"),
]
READING = [
    ("show", "{}"),
    ("show", "{}", "--json"),
    ("verify", "{}"),
    ("plot", "{}", "--to", "out.png"),
    ("report", "{}", "--to", "out.html"),
    ("table", "{}"),
    ("export", "{}", "--to", "out"),
    ("compare", "{}", "{}"),
    ("runs", "--where", "status = 'finished'"),
    *[("calibrate", "{}", "--to", "mine.toml")][: bool(find_spec("mho.extensions.calibration"))],
    ("chip", "defects", "{}", "--to", "defects.toml"),
    ("recover", "{}"),
]

CLASS_NAMES = [
    "{evil}/pwn.py:Pwn",
    "pwn.py:Pwn",
    "./pwn.py:Pwn",
    "..\\evil\\pwn.py:Pwn",
    "C:\\evil\\pwn.py:Pwn",
    "//host/share/pwn.py:Pwn",
    "pwn:Pwn",
    "package.pwn:Pwn",
    "procedures:Pwn",  # names of former rooms of mho, in the current folder
    "procedures.pwn:Pwn",
    "mho.pwn:Pwn",  # beside a folder mho/
    "mho.py:Pwn",
    "mho/pwn.py:Pwn",
    "mho:{evil}/pwn.py:Pwn",
    "mho./{evil}/pwn:Pwn",
    "mho.procedures:Solve:{evil}/pwn.py:Pwn",
    "mho.procedures:pwn:Pwn",
    "\uff4dho.pwn:Pwn",  # a full-width m, a Cyrillic o
    "mh\u043e.pwn:Pwn",
    "MHO.pwn:Pwn",
    "mho .pwn:Pwn",
    " pwn:Pwn",
    ".pwn:Pwn",
    "mho.os:system",
    "mho.processes:subprocess",
    "mho.processes:Path",
    "os:system",
    "builtins:exec",
    "__main__:Pwn",
    "pwn:Pwn.check",
]
STRATEGIES = [
    name.replace(":Pwn", ":Halving") for name in CLASS_NAMES if ":Pwn" in name and "Pwn." not in name
]
INSTRUMENTS = [
    "pwn:{}",
    "procedures.pwn:{}",
    "instruments.drivers.pwn:{}",  # a name that was mho's own, translated when it is loaded
    "mho.pwn:{}",
    "MHO.pwn:{}",
    "mh\u043e.pwn:{}",
    "mho.os:system",
    "os:system",
]


JUDGED = ("procedure", "emptied", "strategy", "class", "earlier", "driver", "twin")


@dataclass(frozen=True)
class Place:
    """Where the crafted files lie, and what their code would touch."""

    folder: Path
    evil: Path
    canary: Path

    def named(self, name: str) -> str:
        return name.replace("{evil}", str(self.evil))


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `Program` with everything that can be named, named."""
    folder = tmp_path_factory.mktemp("honest")
    np.save(folder / "digits.npy", np.array([[1, 5]]))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        procedure = Program(digits="digits.npy", strategy="asap")
        return run(procedure, preset="quiet", seed=7, output=folder / "run.h5").path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The worst of folders to be in: the code of the files' author lies beside them, under every name that they use."""
    folder, evil = tmp_path / "here", tmp_path / "evil"
    canary = tmp_path / "canary"
    code = CODE.format(canary=str(canary))
    here = [
        "pwn", "os", "procedures", "package/pwn", "mho/__init__", "mho/pwn", "mho", "MHO/__init__", "MHO/pwn",
        "\uff4dho/__init__", "\uff4dho/pwn", "mh\u043e/__init__", "mh\u043e/pwn", "mho /pwn", "instruments/drivers/pwn",
        "mho.pwn", "pyvisa_pwn", "pyvisa_pwn/__init__",
    ]  # fmt: skip
    for root in (folder, evil):
        root.mkdir()
        for name in here if root == folder else ("pwn",):
            if platforms.here.path_trouble(root / name):
                continue
            (root / f"{name}.py").parent.mkdir(parents=True, exist_ok=True)
            (root / f"{name}.py").write_text(code, "utf-8")
    np.save(folder / "digits.npy", np.array([[1, 5]]))
    monkeypatch.chdir(folder)
    known = set(sys.modules)
    yield Place(folder, evil, canary)
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


Edit = Callable[[h5py.File, Place], None]


def texts(**said: str) -> Edit:
    """Put texts in the place of others: ``provenance__procedure`` is ``/entry/provenance/procedure``."""

    def edit(file: h5py.File, place: Place) -> None:
        for name, text in said.items():
            where = "entry/" + name.replace("__", "/")
            if where in file:
                del file[where]
            file[where] = np.bytes_(place.named(text).encode())

    return edit


def instrument(line: str) -> Edit:
    """Put lines in the place of the driver of the source-measure unit in the bench file."""

    def edit(file: h5py.File, place: Place) -> None:
        bench = file["entry/bench/file"][()].decode()
        assert 'driver = "keithley2450"' in bench
        texts(bench__file=bench.replace('driver = "keithley2450"', line, 1))(file, place)

    return edit


def parameter(name: str, value: str) -> Edit:
    def edit(file: h5py.File, place: Place) -> None:
        parameters = file["entry/procedure/parameters"]
        kept = dict(parameters[name].attrs)
        kept.pop("origin", None)
        del parameters[name]
        parameters[name] = np.bytes_(place.named(value).encode())
        parameters[name].attrs.update(kept)

    return edit


def without(name: str, then: Edit) -> Edit:
    def edit(file: h5py.File, place: Place) -> None:
        del file[f"entry/{name}"]
        then(file, place)

    return edit


def chip_with(text: str) -> Edit:
    def edit(file: h5py.File, place: Place) -> None:
        chip = file["entry/chip/map"][()].decode()
        texts(chip__map=chip + place.named(text))(file, place)

    return edit


def bench_with(text: str) -> Edit:
    def edit(file: h5py.File, place: Place) -> None:
        texts(bench__file=place.named(text) + file["entry/bench/file"][()].decode())(file, place)

    return edit


def linked(name: str, link: Callable[[Place], Any]) -> Edit:
    """Put a link in the place of a dataset; the file beside names the code."""

    def edit(file: h5py.File, place: Place) -> None:
        with h5py.File(place.folder / "other.h5", "w") as other:
            other["name"] = np.bytes_(place.named("{evil}/pwn.py:Pwn").encode())
        del file[f"entry/{name}"]
        file[f"entry/{name}"] = link(place)

    return edit


def virtual(file: h5py.File, place: Place) -> None:
    text = place.named("{evil}/pwn.py:Pwn").encode()
    with h5py.File(place.folder / "other.h5", "w") as other:
        other["name"] = np.array([text])
    layout = h5py.VirtualLayout((1,), f"S{len(text)}")
    layout[:] = h5py.VirtualSource(str(place.folder / "other.h5"), "name", (1,), f"S{len(text)}")
    del file["entry/provenance/procedure"]
    file.create_virtual_dataset("entry/provenance/procedure", layout)


class Pickled:
    """Touches the canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (self.canary,)


def pickled_input(file: h5py.File, place: Place) -> None:
    np.save(place.folder / "pickled.npy", np.array([Pickled(place.canary)], dtype=object), allow_pickle=True)
    parameter("digits", "pickled.npy")(file, place)
    texts(provenance__inputs="")(file, place)


def pickled_dataset(file: h5py.File, place: Place) -> None:
    del file["entry/arrays/digits"]
    file["entry/arrays/digits"] = np.void(pickle.dumps(Pickled(place.canary)))


def bench_of_the_file(file: h5py.File, place: Place) -> None:
    """The run names a bench file beside it, which brings a driver."""
    bench = file["entry/bench/file"][()].decode()
    own = 'driver = "pwn:Driver"\ntwin = "pwn:Twin"'
    (place.evil / "bench.toml").write_text(bench.replace('driver = "keithley2450"', own, 1), "utf-8")
    texts(provenance__bench="{evil}/bench.toml")(file, place)


def bench_with_visa(library: str) -> Edit:
    """The run names a bench file of real instruments in the current folder, which brings a VISA library."""

    def edit(file: h5py.File, place: Place) -> None:
        lines = file["entry/bench/file"][()].decode().splitlines()
        start = lines.index("[simulation]")
        end = next(n for n in range(start + 1, len(lines)) if lines[n].startswith("["))
        real = "\n".join([f'visa = "{place.named(library)}"', *lines[:start], *lines[end:]])
        (place.folder / "bench.toml").write_text(real, "utf-8")
        texts(provenance__bench="bench.toml")(file, place)

    return edit


def chained(file: h5py.File, place: Place) -> None:
    """The run went on from another one, whose name of its class is the code."""
    earlier = place.folder / "earlier.h5"
    file.flush()
    h5py.File(earlier, "w", libver="latest").close()
    with h5py.File(earlier, "r+", libver="latest") as first:
        file.copy("entry", first)
        first.attrs.update(file.attrs)
    with h5py.File(earlier, "r+", libver="latest") as first:
        texts(provenance__procedure="", procedure__name="{evil}/pwn.py:Pwn")(first, place)
    run_samples.seal_again(earlier)
    texts(provenance__after=str(earlier), provenance__after_run="x")(file, place)


CRAFTED: dict[str, Edit] = (
    {f"procedure {name}": texts(provenance__procedure=name) for name in CLASS_NAMES}
    | {f"emptied, class {name}": texts(provenance__procedure="", procedure__name=name) for name in CLASS_NAMES}
    | {f"strategy {name}": parameter("strategy", name) for name in STRATEGIES}
    | {
        f"{what} {name}": instrument(line.format(name.format(what.capitalize())))
        for name in INSTRUMENTS
        for what, line in (
            ("driver", 'driver = "{}"\ntwin = "mho.instruments.simulated.keithley2450:SimulatedKeithley2450"'),
            ("twin", 'driver = "mho.instruments.drivers.keithley2450:Keithley2450"\ntwin = "{}"'),
        )
    }
    | {
        "class with no provenance": without(
            "provenance/procedure", texts(procedure__name="{evil}/pwn.py:Pwn")
        ),
        "class beside an honest name": texts(procedure__name="{evil}/pwn.py:Pwn"),
        "strategy in the settings' text": parameter("write_verify", "strategy={evil}/pwn.py:Halving"),
        "strategy in the chip map": chip_with('\n[write_verify]\nstrategy = "{evil}/pwn.py:Halving"\n'),
        "strategy of a module in the chip map": chip_with('\n[write_verify]\nstrategy = "pwn:Halving"\n'),
        "library of the bench": bench_with('visa = "{evil}/pwn.so"\n'),
        "backend of the bench": bench_with('visa = "@pwn"\n'),
        "library of the bench by name": bench_with_visa("{evil}/pwn.so"),
        "backend of the bench by name": bench_with_visa("@pwn"),
        "bench of the virtual bench": bench_with_visa("{evil}/bench.toml@mho"),
        "bench file by name": bench_of_the_file,
        "external link": linked("provenance/procedure", lambda place: h5py.ExternalLink("other.h5", "/name")),
        "external link by class": linked("procedure/name", lambda place: h5py.ExternalLink("other.h5", "/name")),
        "soft link": linked("provenance/procedure", lambda place: h5py.SoftLink("/entry/procedure/name")),
        "virtual dataset": virtual,
        "pickled input": pickled_input,
        "pickled dataset": pickled_dataset,
        "folder of the author": texts(provenance__folder="{evil}"),
        "earlier run": chained,
        "preset of code": texts(provenance__preset="{evil}/pwn.py"),
    }
)  # fmt: skip


def crafted(honest: Path, place: Place, edit: Edit) -> Path:
    target = place.folder / "run.h5"
    target.write_bytes(honest.read_bytes())
    with h5py.File(target, "r+", libver="latest") as file:
        edit(file, place)
    return run_samples.seal_again(target)


@pytest.mark.parametrize("what", daily(CRAFTED, 3))
def test_no_verb_that_repeats_a_run_runs_code_of_its_file(what, honest, place, shell: Shell):
    path = crafted(honest, place, CRAFTED[what])
    kind = what.partition(" ")[0].rstrip(",")
    for verb in REPEATING:
        code, out, err = shell(*(word.format(path) for word in verb))
        assert not place.canary.exists(), (verb, out, err)
        assert "Traceback" not in err, verb
        # What is queued is loaded by another process, which asks nobody; what is mho's own by its name is not there. A
        # clone goes by the bench's name, not by its text.
        lined_up = "queue" in verb
        own = any(
            name in what for name in ("mho.pwn:", "mho.os:", "mho.processes:", "instruments.", " in the ")
        )
        if kind in JUDGED and not (lined_up and (own or (verb[1] == "clone" and kind in ("driver", "twin")))):
            assert code == 2, (verb, out, err)


@pytest.mark.parametrize(
    "what", daily(["driver pwn:{}", "emptied, class pwn:Pwn", "strategy pwn:Halving", "virtual dataset"], 1)
)
def test_no_verb_that_reads_a_run_runs_code_of_its_file(what, honest, place, shell: Shell):
    path = crafted(honest, place, CRAFTED[what])
    for verb in READING:
        _code, out, err = shell(*(word.format(path) for word in verb))
        assert not place.canary.exists(), (verb, out, err)
        assert "Traceback" not in err, (verb, err)


@pytest.mark.parametrize(
    ("what", "verbs"),
    [
        ("procedure pwn:Pwn", [("rerun", "{}"), ("resume", "{}"), ("queue", "clone", "{}")]),
        ("strategy pwn:Halving", [("rerun", "{}"), ("resume", "{}")]),
        ("driver pwn:{}", [("rerun", "{}"), ("run", "read", "--after", "{}")]),
        ("twin pwn:{}", [("rerun", "{}")]),
    ],
)
def test_the_canary_is_touched_where_somebody_agreed(what, verbs, honest, place, shell: Shell):
    path = crafted(honest, place, CRAFTED[what])
    shell(*(word.format(path) for word in verbs[0]), "--trust")
    assert place.canary.exists()


@pytest.mark.thorough
def test_what_packages_look_for_is_not_taken_from_the_current_folder(honest, place):
    """A name of mho's own imports packages, and these try whether others are installed."""
    module = "mho.analysis.datasets.xarray_values"  # by xarray
    for name in ("bottleneck", "cftime", "numbagg", "flox", "dask", "cupy", "sparse"):
        (place.folder / f"{name}.py").write_text(CODE.format(canary=str(place.canary)), "utf-8")
    crafted_by = {
        "procedure": texts(provenance__procedure=f"{module}:Pwn"),
        "strategy": parameter("strategy", f"{module}:Pwn"),
        "driver": instrument(f'driver = "{module}:Pwn"'),
        "driver of a room that imports when it is asked": instrument(
            'driver = "mho.extensions.linalg:Ridge"\ntwin = "mho.instruments.simulated.keithley2450:SimulatedKeithley2450"'
        ),
    }
    for what, edit in crafted_by.items():
        path = crafted(honest, place, edit)
        # a process of its own, in which no package is loaded yet
        command = "from mho.cli.main import main; main()"
        done = subprocess.run(
            [sys.executable, "-P", "-c", command, "rerun", str(path)],
            cwd=place.folder,
            capture_output=True,
            text=True,
        )
        assert ("is no SourceMeter" if "room" in what else "has no class 'Pwn'") in done.stderr
        assert not place.canary.exists()


def test_a_class_has_no_colon_in_its_name(honest, place, shell: Shell):
    path = crafted(honest, place, CRAFTED["class beside an honest name"])
    for verb in REPEATING:
        code, _out, err = shell(*(word.format(path) for word in verb), *["--trust"][: verb[0] != "budget"])
        assert code == 2
        assert "the name of a class has no colon" in err


def test_a_strategy_is_loaded_from_the_folder_where_it_was_judged(honest, place, shell: Shell):
    """Not from that of the run, in which its relative paths start."""
    (place.folder / "judged.py").write_text(CODE.format(canary=str(place.folder / "of here")), "utf-8")
    (place.evil / "judged.py").write_text(CODE.format(canary=str(place.canary)), "utf-8")
    np.save(place.evil / "digits.npy", np.array([[1, 5]]))

    def edit(file: h5py.File, place: Place) -> None:
        parameter("strategy", "judged:Halving")(file, place)
        texts(provenance__folder="{evil}")(file, place)

    shell("rerun", crafted(honest, place, edit), "--trust")
    assert (place.folder / "of here").exists()
    assert not place.canary.exists()


def test_what_is_judged_is_what_is_loaded(honest):
    with RunFile(honest) as file:
        names = code_of(file)
    assert names.procedure == "mho.procedures:Program"
    assert is_mhos_own(names.procedure)
    assert is_mhos_own(names.named["strategy"])
    # A strategy has no former names, so it is judged by the one that it is loaded by.
    assert foreign("", "", "x", ["procedures:Program"]) == ("procedures:Program",)


@pytest.mark.parametrize(
    ("visa", "loaded"),
    [("", ""), ("@py", ""), ("@ivi", ""), ("@mho", ""), ("@pwn", "@pwn"), ("a.so", "a.so"), ("b.toml@mho", "b.toml@mho")],
)  # fmt: skip
def test_the_library_of_a_bench_is_code_unless_pyvisa_brings_it(visa, loaded):
    assert foreign_library(visa) == loaded


@pytest.mark.parametrize("suffix", daily([".npy", ".npz", ".mtx", ".csv", ".toml"], [".npy"]))
@pytest.mark.parametrize("verb", [("solve", "{}"), ("run", "program", "{}"), ("import", "{}"), ("run", "{}")])
def test_an_input_file_is_no_pickle(suffix, verb, place, shell: Shell):
    path = place.folder / f"input{suffix}"
    pickled = np.array([Pickled(place.canary)], dtype=object)
    if suffix == ".npy":
        np.save(path, pickled, allow_pickle=True)
    elif suffix == ".npz":
        np.savez(path, digits=pickled)
    else:
        path.write_bytes(pickle.dumps(Pickled(place.canary)))
    _code, _out, err = shell(*(word.format(path) for word in verb))
    assert not place.canary.exists()
    assert "Traceback" not in err
