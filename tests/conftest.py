"""Settings of all tests: the repository's packages, no window on the screen, no run file in the checkout.

``pytest --bench=BENCH.toml`` runs the tests in tests/hardware, and only these, on the instruments of that bench; without
it they run with all others, on the simulated bench.

The tests of every day or of every change, as a whole or a folder of them, are spread over the cores; with ``-n 0``, of
one file, and on a bench they run one after the other in this process.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import random
import secrets
import shutil
import signal
import warnings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before anything imports Qt
os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # before numpy: the cores have tests to run, each with a small matrix

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the tests start hundreds of processes

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import device_draws
import elsewhere
import hdf5_lock
import psutil
import pytest
import run_samples
from command_line import Shell
from hypothesis import settings
from repository import ROOT
from run_writers import WriterProcess
from system_packages import skipped, why_no_qt

from mho import platforms
from mho.errors import BenchError, MhoError
from mho.instruments import Bench, open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.simulated.physics.cells import cells
from mho.platforms import system
from mho.runs import provenance
from mho.runs.writing import live_file
from mho.runs.writing.repacking import repack

HARDWARE = ROOT / "tests/hardware"
EVERY_DAY = "not thorough and not slow and not hardware"  # as in pyproject.toml
EVERY_CHANGE = "not slow and not hardware"  # as in .ci/run
GROWTH = 300_000_000  # bytes of memory after which benches of earlier tests are freed


# A background job ignores SIGINT, one under `nohup` SIGHUP, and so do its children; the tests send these signals.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

settings.register_profile("mho", deadline=None, derandomize=True)
settings.register_profile("every day", settings.get_profile("mho"), max_examples=25)
settings.load_profile("mho")

pytest.register_assert_rewrite("safety_runs")

this_process = psutil.Process()
resident = this_process.memory_info().rss


@pytest.fixture(scope="session", autouse=True)
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Write run files to a folder of this session, never to ``data/runs``."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MHO_RUNS", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def spared_work() -> Iterator[None]:
    """Query git once, draw equal devices of large arrays once, and leave run files as large as they are, see `packed`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "git_state", cache(provenance.git_state))
        patch.setattr(cells, "draw_devices", device_draws.remembered)
        patch.setattr(live_file, "repack", lambda path: False)
        yield


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repack the files of runs in this process, as every other process does; half of what writing a short run costs."""
    monkeypatch.setattr(live_file, "repack", repack)


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest) -> None:
    """Let a soak test run for an hour without the timeout's dump of running code, which may crash it."""
    if request.node.get_closest_marker("slow"):
        faulthandler.cancel_dump_traceback_later()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--bench",
        default="",
        metavar="BENCH.toml",
        help="run the hardware tests, and only these, on this bench",
    )
    parser.addoption(
        "--random-order",
        type=int,
        metavar="SEED",
        help="shuffle the files, and the tests within each, as this seed says",
    )


if why_no_qt():

    @pytest.fixture
    def qtbot() -> None:
        """Replace pytest-qt's fixture, which cannot be loaded."""
        pytest.skip(why_no_qt())

    qapp = qtbot


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    skipped(report, str(collector.path))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    skipped(report, str(item.path))
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Spread the tests over the cores, unless the user chose otherwise, few are selected, or a bench has to be shared."""
    if why_no_qt() and config.pluginmanager.hasplugin("pytest-qt"):
        config.pluginmanager.unregister(name="pytest-qt")
    option = config.option
    if hasattr(config, "workerinput") or not config.pluginmanager.hasplugin("xdist"):
        return
    if option.numprocesses is None and option.dist == "no" and _are_many(config):
        # One more than there are cores: tests wait for processes that they have started.
        option.numprocesses, option.dist = _cores() + 1, "worksteal"


def _are_many(config: pytest.Config) -> bool:
    option = config.option
    few = option.markexpr not in (EVERY_DAY, EVERY_CHANGE)
    alone = few or option.bench or option.collectonly or option.usepdb
    return not alone and all(Path(name).is_dir() for name in config.args)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(elsewhere)
    if config.option.markexpr == EVERY_DAY:
        settings.load_profile("every day")  # before the modules of the tests, whose own numbers stay
    if config.getoption("bench"):
        config.option.markexpr = "hardware"
        try:
            load_bench_file(config.getoption("bench"))
        except BenchError as error:
            raise pytest.UsageError(str(error)) from None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Read no other tests for those on a bench."""
    path = collection_path
    if config.getoption("bench") and not (HARDWARE.is_relative_to(path) or path.is_relative_to(HARDWARE)):
        return True
    return None


def pytest_collection() -> None:
    """Let go of a database that QCoDeS leaves open when it is imported; pytest forgets this filter after the collection."""
    warnings.filterwarnings("ignore", "unclosed database", ResourceWarning)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if config.getoption("bench") and item.path.is_relative_to(HARDWARE):
            item.add_marker("hardware")
    if config.getoption("random_order") is not None:
        _shuffle(items, random.Random(config.getoption("random_order")))


def _shuffle(items: list[pytest.Item], rng: random.Random) -> None:
    """Shuffle files, then the tests of each, so that a file is set up once; every process of xdist finds the same order."""
    files = {path: rng.random() for path in dict.fromkeys(item.path for item in items)}
    rng.shuffle(items)
    items.sort(key=lambda item: files[item.path])


def pytest_collection_finish() -> None:
    """Exclude modules and tests from later garbage collections, which then take milliseconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # see `pytest_runtest_teardown`


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Free the benches of earlier tests when memory has grown: each is a cycle, of 30 MB once a cell was used.

    An exception that is a parameter lives on: its traceback must not keep the bench that it was raised on.
    """
    global resident
    callspec = getattr(item, "callspec", None)
    for value in callspec.params.values() if callspec else ():
        if isinstance(value, BaseException):
            value.__traceback__ = value.__context__ = None
    if this_process.memory_info().rss > resident + GROWTH:
        gc.collect()
        resident = this_process.memory_info().rss
    if not hdf5_lock.is_free():
        pytest.fail(
            "h5py's lock is still held: by an iterator over a group's items() or values(), see `items_of`"
        )


@pytest.fixture(scope="session")
def bench_name(pytestconfig: pytest.Config) -> str:
    """The bench that the hardware tests use: that of ``--bench``, or the simulated one."""
    return str(pytestconfig.getoption("bench") or "simulated")


@pytest.fixture(scope="module")
def open_for_module(bench_name: str) -> Iterator[Bench]:
    try:
        opened = open_bench(bench_name)
    except MhoError as error:  # a missing package is reported once, not for every test
        pytest.exit(f"bench {bench_name}: {error}", returncode=pytest.ExitCode.TESTS_FAILED)
    with opened:
        opened.safe()
        yield opened


@pytest.fixture
def bench(open_for_module: Bench) -> Iterator[Bench]:
    """A bench of instruments, real or simulated, that is safe before and after each test."""
    yield open_for_module
    open_for_module.safe()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """`mho` with run files in a folder of its own."""
    return Shell(tmp_path / "runs", monkeypatch, capsys)


@pytest.fixture
def solved(tmp_path: Path) -> Path:
    return run_samples.whole_run(tmp_path / "solved.h5")


@pytest.fixture
def own_locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep locks of benches apart from all other tests': these use benches of the same addresses."""
    monkeypatch.setattr(system, "PREFIX", f"{system.PREFIX}-{secrets.token_hex(4)}")
    yield
    shutil.rmtree(platforms.here.shared_folder(), ignore_errors=True)


@pytest.fixture(scope="session")
def killed_half_way(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("killed") / "run.h5"
    writer = WriterProcess(path)
    writer.tell("half")
    writer.kill()
    return path


@pytest.fixture
def interrupted(tmp_path: Path, killed_half_way: Path) -> Path:
    """A run whose writer was killed after half the programming."""
    return shutil.copy(killed_half_way, tmp_path / "interrupted.h5")


@pytest.fixture
def start_writer() -> Iterator[Callable[[Path], WriterProcess]]:
    writers: list[WriterProcess] = []

    def start(path: Path) -> WriterProcess:
        writers.append(WriterProcess(path))
        return writers[-1]

    yield start
    for writer in writers:
        writer.kill()
