"""Findings on the folder of runs: whether it can be written, how much is free, on which kind of file system it is."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from mho.doctor.findings import Ending, Finding
from mho.doctor.machine import Machine

LITTLE, HARDLY_ANY = 20e9, 1e9  # bytes: a week of reads takes some 10 GB
SLOW = 0.1  # s to reach the disk: a run is flushed every 50 ms at most
ELSEWHERE = "name a local folder: MHO_RUNS, or --output; copy the runs when they have ended"

NETWORK = re.compile(
    r"nfs|cifs|smb|afpfs|9p|afs|ceph|gluster|lustre|beegfs|gpfs|davfs|webdav|sshfs|rclone|gvfs|vboxsf|prl_fs|vmhgfs",
    re.IGNORECASE,
)  # fmt: skip
IN_MEMORY = ("tmpfs", "ramfs")
LONGEST_PATH = (
    259  # characters of a path on a Windows that was not told to allow more (MAX_PATH less the end)
)
LONGEST_NAME = 80  # characters of a run file, with what is added beside it
SYNCHRONISED = re.compile(
    r"OneDrive.*|Dropbox.*|Google ?Drive.*|My Drive|iCloud ?Drive|Mobile Documents|CloudStorage|Nextcloud.*|ownCloud.*|"
    r"Seafile|pCloud ?Drive|Box|Box Sync|Syncthing|Sync", re.IGNORECASE,
)  # fmt: skip
"""Names of folders that a program copies to a server whenever a file in them changes."""


def check_storage(machine: Machine) -> Iterator[Finding]:
    """Find the folder of runs, or the nearest folder that is there, and write a file in it as a run is written."""
    say = Ending("runs folder")
    wanted = machine.runs.expanduser().resolve()
    folder = next(one for one in (wanted, *wanted.parents) if one.is_dir())
    where = str(wanted) if folder == wanted else f"{wanted} (not there yet; {folder} is)"
    if not os.access(folder, os.W_OK | os.X_OK):
        yield say.wrong(f"{where} may not be written by this user", "name another: MHO_RUNS, or --output")
    else:
        yield say.ok(where)
    yield from _place(machine, folder)
    yield from _long_names(machine, wanted)
    free = shutil.disk_usage(folder).free
    disk = Ending("disk")
    what = f"{free / 1e9:.1f} GB free"
    if free < HARDLY_ANY:
        yield disk.wrong(what, "make room: a run that fills the disk ends, with what it has")
    elif free < LITTLE:
        yield disk.note(what, "enough for most runs; a week of reads may take 10 GB")
    else:
        yield disk.ok(what)
    if os.access(folder, os.W_OK | os.X_OK):
        yield from _trial(machine, folder)


def _place(machine: Machine, folder: Path) -> Iterator[Finding]:
    say = Ending("file system")
    kind, options = file_system(machine, folder)
    if NETWORK.search(kind) or "remote" in options or str(folder).startswith(r"\\"):
        yield say.note(
            f"{kind or 'remote'}, on the network: a run that is read while it is written may look damaged there",
            ELSEWHERE,
        )
    elif kind in IN_MEMORY:
        yield say.note(f"{kind}: in memory, and gone when the machine stops", ELSEWHERE)
    else:
        yield say.ok(kind or "not known")
    if service := cloud_folder(machine, folder):
        yield Ending("synchronised").note(
            f"the folder of runs is within {service!r}, which copies a file while it is written, and may lock it",
            ELSEWHERE,
        )


def _long_names(machine: Machine, folder: Path) -> Iterator[Finding]:
    """Find whether a run's path may be as long as it becomes (Windows)."""
    if machine.system != "win32":
        return
    say = Ending("long names")
    key, value, length = (
        r"HKLM\SYSTEM\CurrentControlSet\Control\FileSystem",
        "LongPathsEnabled",
        len(str(folder)),
    )
    if machine.registry(key).get(value) == 1:
        yield say.ok(f"paths of more than {LONGEST_PATH} characters are allowed")
    elif length + 1 + LONGEST_NAME > LONGEST_PATH:
        yield say.wrong(
            f"the folder of runs has {length} characters, and a run up to {LONGEST_NAME}: together more than the "
            f"{LONGEST_PATH} that this Windows allows",
            "a shorter folder: MHO_RUNS, or --output; or as administrator "
            f"`reg add {key} /v {value} /t REG_DWORD /d 1 /f`, and log in anew",
        )
    else:
        yield say.ok(f"the folder of runs has {length} of {LONGEST_PATH} characters")


def file_system(machine: Machine, folder: Path) -> tuple[str, str]:
    """Return the kind of file system that a folder is on, and the options it is mounted with; "" where not known."""
    best: tuple[int, str, str] = (-1, "", "")
    for place, kind, options in machine.partitions():
        mounted = Path(place)
        if (folder == mounted or mounted in folder.parents) and len(mounted.parts) >= best[0]:
            best = (len(mounted.parts), kind, options)  # of two at one place the later hides the earlier
    return best[1], best[2]


def cloud_folder(machine: Machine, folder: Path) -> str:
    """Return the name of the folder above that a program synchronises with a server; "" where there is none."""
    for name in (
        "ONEDRIVE",
        "ONEDRIVECOMMERCIAL",
        "ONEDRIVECONSUMER",
    ):  # Python has Windows' names in capitals
        place = machine.environ.get(name)
        if place and (folder == Path(place) or Path(place) in folder.parents):
            return Path(place).name
    return next((part for part in folder.parts if SYNCHRONISED.fullmatch(part)), "")


def _trial(machine: Machine, folder: Path) -> Iterator[Finding]:
    say = Ending("HDF5")
    there = machine.probe("hdf5", str(folder))
    what = f"{there['hdf5']}; a file reached the disk in {1e3 * there['sync']:.0f} ms"
    if setting := machine.environ.get("HDF5_USE_FILE_LOCKING"):
        what += f"; HDF5_USE_FILE_LOCKING={setting}"
    if not there["read_meanwhile"]:
        yield say.wrong(f"{what}, but could not be read while it was written", ELSEWHERE)
    elif there["sync"] > SLOW:
        yield say.note(
            f"{what}, and was read while it was written", "a slow disk holds up a fast run; " + ELSEWHERE
        )
    else:
        yield say.ok(f"{what}, and was read while it was written")
