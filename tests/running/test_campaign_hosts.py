"""Campaigns on a dask cluster of several hosts: workers that are killed, a scheduler that is lost, certificates."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pyarrow.parquet
import pytest
from dask_hosts import end, scheduler_process, start_worker

from mho.errors import InputError, RunFileError, WorkersLostError
from mho.running.campaign import Campaign, Row, carry_out
from mho.running.plan import parse_plan
from mho.runs import GOING_ON, RunFile, Status
from mho.runs.integrity import compare_runs
from mho.runs.integrity.comparison import OF_THE_MOMENT
from mho.runs.liveness import HEARTBEAT_LIMIT
from mho.workers import Certificates, dask_workers

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]

HOSTS = ("one", "two")
PLAN = """
name = "reads"
[[steps]]
procedure = "read"
parameters = {{ rows = "0:{lines}", columns = "0:{lines}" }}
[[sweep]]
seed = {{ from = 1, to = {runs} }}
"""


def campaign(folder: Path, runs: int, lines: int) -> Campaign:
    return Campaign(parse_plan(PLAN.format(lines=lines, runs=runs), folder), folder)


class Hosts:
    """Two workers, each under a host name of its own, which a thread kills in the middle of runs."""

    def __init__(self, scheduler: str, folder: Path, runs: Path, kills: int, seed: int) -> None:
        self._scheduler, self._folder, self._runs = scheduler, folder, runs
        self._rng, self._over = random.Random(seed), threading.Event()
        self._workers = {host: start_worker(scheduler, host, folder) for host in HOSTS}
        self.killed: list[str] = []
        self._thread = threading.Thread(target=self._kill, args=(kills,))
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        end(*self._workers.values())

    def _kill(self, kills: int) -> None:
        while len(self.killed) < kills and not self._over.wait(self._rng.uniform(0.1, 1.0)):
            while not (writing := self._writing()):
                if self._over.wait(0.02):  # runs of small matrices take some tenths of a second
                    return
            host = self._rng.choice(writing)
            end(self._workers[host])
            self.killed.append(host)
            self._workers[host] = start_worker(self._scheduler, host, self._folder)

    def _writing(self) -> list[str]:
        """Return the hosts that are in the middle of a run."""
        writers = set()
        for path in sorted(self._runs.glob("[0-9]*[0-9].h5"))[
            -8:
        ]:  # runs begin in the order of their numbers
            with suppress(RunFileError), RunFile(path, whole=False) as file:
                if file.status in GOING_ON:
                    writers.add(file.writer.pid)
        return [host for host, worker in self._workers.items() if worker.pid in writers]


def killed_meanwhile(todo: Campaign, folder: Path, kills: int, seed: int) -> tuple[list[Row], Hosts]:
    """Carry out a campaign over two host names, while workers are killed; return its rows."""
    with ExitStack() as stack:
        _, address = stack.enter_context(scheduler_process(folder))
        hosts = Hosts(address, folder, todo.folder / "runs", kills, seed)
        stack.callback(hosts.end)
        workers = stack.enter_context(dask_workers(scheduler=address))
        return todo.carry_out(workers), hosts


def interrupted(done: Campaign) -> list[Path]:
    """Return the files that killed workers have left, once this host, too, knows by their heartbeats that they are gone.

    A worker of a killed one's own host sees at once that its process is gone, and does not wait for that.
    """
    found = sorted((done.folder / "runs").glob("*.failed-*.h5"))
    deadline = time.monotonic() + 2 * HEARTBEAT_LIMIT
    for path in found:
        while (status := status_of(path)) in GOING_ON and time.monotonic() < deadline:
            time.sleep(0.2)
        assert status == "interrupted"
    return found


def status_of(path: Path) -> Status:
    with RunFile(path) as file:
        return file.status


def lasting(rows: list[Row]) -> list[Row]:
    """Return what two campaigns have in common."""
    return [
        {name: value for name, value in row.items() if name.removeprefix("result.") not in OF_THE_MOMENT}
        for row in rows
    ]


def check_undisturbed(folder: Path, rows: list[Row], quiet: Campaign) -> None:
    """Check rows, table and run files against those of a campaign that nobody disturbs."""
    assert {row["status"] for row in rows} == {"finished"}
    assert pyarrow.parquet.read_table(folder / "table.parquet").to_pylist() == rows
    assert lasting(rows) == lasting([carry_out(task) for task in quiet.tasks()])
    for row in rows:
        differing = [
            one for one in compare_runs(folder / row["file"], quiet.folder / row["file"]) if not one.equal
        ]
        assert differing == []


def test_a_worker_that_is_killed_on_one_host_is_followed_by_another_on_the_other(tmp_path):
    todo = campaign(tmp_path / "out", 5, 16)
    rows, hosts = killed_meanwhile(todo, tmp_path, 1, seed=1)
    assert len(hosts.killed) == 1
    assert len(interrupted(todo)) <= 1
    check_undisturbed(todo.folder, rows, campaign(tmp_path / "quiet", 5, 16))


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_twenty_kills_over_two_hosts_fail_no_run_and_mix_none(tmp_path):
    todo = campaign(tmp_path / "out", 60, 24)
    rows, hosts = killed_meanwhile(todo, tmp_path, 20, seed=2)
    assert (len(hosts.killed), set(hosts.killed)) == (20, set(HOSTS))
    assert len(interrupted(todo)) >= 10  # a run may end between the look and the kill
    check_undisturbed(todo.folder, rows, campaign(tmp_path / "quiet", 60, 24))


def test_a_lost_scheduler_is_said_in_one_sentence_and_the_same_command_goes_on(tmp_path):
    todo = campaign(tmp_path / "out", 30, 8)
    with scheduler_process(tmp_path) as (process, address):
        worker = start_worker(address, "one", tmp_path)

        def observe(row: Row) -> None:
            if row["number"] == 3:
                end(process)

        try:
            with (
                pytest.raises(
                    WorkersLostError, match=r"at tcp://.* is lost; nothing is lost: \d+ of 30 runs are fin"
                ),
                dask_workers(scheduler=address) as workers,
            ):
                todo.carry_out(workers, observe)
        finally:
            end(worker)
    begun = pyarrow.parquet.read_table(tmp_path / "out/table.parquet").num_rows
    assert begun >= 3
    again = campaign(tmp_path / "out", 30, 8)
    assert len(again.finished_before) >= begun
    assert {carry_out(task)["status"] for task in again.tasks()} == {"finished"}


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An authority with a certificate for this host, and one that nobody trusts."""
    folder = tmp_path_factory.mktemp("certificates")
    files = {name: folder / f"{name}.pem" for name in ("ca", "cert", "key", "stranger")}
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(files["ca"])
    issued.cert_chain_pems[0].write_to_path(files["cert"])
    issued.private_key_pem.write_to_path(files["key"])
    trustme.CA().cert_pem.write_to_path(files["stranger"])
    return files


def options(pem: dict[str, Path]) -> tuple[str, ...]:
    return "--tls-ca-file", str(pem["ca"]), "--tls-cert", str(pem["cert"]), "--tls-key", str(pem["key"])


def test_a_scheduler_behind_tls_is_joined_with_certificates(tmp_path, pem, monkeypatch):
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path))
    with scheduler_process(tmp_path, "--protocol", "tls", *options(pem)) as (_, address):
        assert address.startswith("tls://127.0.0.1:")
        worker = start_worker(address, "one", tmp_path, "--protocol", "tls", *options(pem))
        try:
            mine = Certificates(pem["ca"], pem["cert"], pem["key"])
            with dask_workers(scheduler=address, certificates=mine) as workers:
                rows = campaign(tmp_path / "out", 3, 2).carry_out(workers)
            assert [row["status"] for row in rows] == ["finished"] * 3
            with pytest.raises(
                InputError, match="asks for certificates: give --tls-ca, --tls-cert and --tls-key"
            ):
                dask_workers(scheduler=address).__enter__()
            strange = Certificates(pem["stranger"], pem["cert"], pem["key"])
            monkeypatch.setattr("mho.workers.CONNECTING", 3.0)
            with pytest.raises(InputError, match="TLS certificate does not match"):
                dask_workers(scheduler=address, certificates=strange).__enter__()
        finally:
            end(worker)


@pytest.mark.parametrize(
    ("scheduler", "names", "said"),
    [
        ("tls://127.0.0.1:1", ("ca", "nowhere", "key"), r"the certificate file .*nowhere\.pem is not there"),
        (
            "tcp://127.0.0.1:1",
            ("ca", "cert", "key"),
            "certificates are for a scheduler at tls://, not for 'tcp",
        ),
        ("tls://127.0.0.1:1", ("ca", "ca", "ca"), "cannot be used"),
    ],
)
def test_certificates_that_cannot_be_used_are_said_before_anything_is_sent(pem, scheduler, names, said):
    files = pem | {"nowhere": pem["ca"].with_name("nowhere.pem")}
    with (
        pytest.raises(InputError, match=said),
        dask_workers(scheduler=scheduler, certificates=Certificates(*(files[name] for name in names))),
    ):
        pass
