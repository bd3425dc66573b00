"""Windows 10 and newer.

There is no fork: a worker is this command line started again. There are few signals: what POSIX sends, a pipe carries
here. What is closed or shut down announces itself to the console and to windows, for some seconds.
"""

from __future__ import annotations

import ctypes
import os
import queue
import secrets
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mho.platforms import system, windows_files
from mho.platforms.system import LOOPBACK, MARK, Divided, SupervisorSide, System, WorkerSide

assert sys.platform == "win32"  # for type checkers: what is imported below is there

import msvcrt  # noqa: E402

if TYPE_CHECKING:
    import psutil

PIPES = "MHO_PIPES"
"""Environment variable by which a worker is given its pipes: their handles, for reports and for signals."""

MINIMISED = 7  # winuser.h, SW_SHOWMINNOACTIVE: the console of an icon, where a program says what goes wrong

TERMINATED = 15
"""Exit code of a process that Python has killed."""

# ntstatus.h: how a process ends by its own fault
FAULTS = {
    0xC0000005: "an access violation", 0xC000001D: "an illegal instruction", 0xC0000094: "a division by zero",
    0xC00000FD: "a stack overflow", 0xC0000374: "a corrupted heap", 0xC0000409: "a buffer overrun or abort()",
    0xC0000142: "a DLL that cannot be initialised", 0xC0000135: "a DLL that is missing", 0xC000013A: "Ctrl-C",
}  # fmt: skip

# wincon.h: events of a console, after which Windows ends the process within seconds, whatever it answers
CLOSING = {2: "notice of the closed console", 5: "notice of the log-off", 6: "notice of the shutdown"}
MOST_HANDLES = 64  # opened to get one number again: Windows gives the one that was freed last
CLOSING_SECONDS = 60.0  # s to hold back the end of the process: Windows waits less, about 5 s


class Windows(System):
    """Windows.

    Locks of benches are locked files in a folder of all users' data, to which every user may write.
    """

    name = "Windows"
    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
    keys = (signal.SIGINT, signal.SIGBREAK)
    renames_open_files: ClassVar[bool] = False

    def __init__(self) -> None:
        self._job: Any = None  # that this process and all that it starts belong to
        self._end: Callable[[str], None] | None = None  # called when the console or session ends
        self._ending = ""  # why this process is about to be ended by the system

    # --- processes ---

    def divide(self) -> Divided:
        if pipes := os.environ.pop(PIPES, ""):
            return self._as_worker(*map(int, pipes.split(",")))
        mark = secrets.token_hex(16)
        job = self.hold_family(mark)
        (reports, tell), (leash, hold) = os.pipe(), os.pipe()
        handles = [msvcrt.get_osfhandle(end) for end in (tell, leash)]
        for handle in handles:
            os.set_handle_inheritable(handle, True)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        python, more = self.interpreter()
        worker = subprocess.Popen(
            [python, *sys.orig_argv[1:]], stdin=0, stdout=1, stderr=2,
            env=os.environ | more | {MARK: mark, PIPES: ",".join(map(str, handles))},
            startupinfo=subprocess.STARTUPINFO(lpAttributeList={"handle_list": handles}),
            # Ctrl-C in the console is the supervisor's to hand on
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
        )  # fmt: skip
        os.close(tell)
        os.close(leash)
        return _Spawned(self, worker, mark, job, reports, hold)

    def _as_worker(self, tell: int, leash: int) -> WorkerSide:
        reports = msvcrt.open_osfhandle(tell, os.O_WRONLY | os.O_BINARY)
        commands = msvcrt.open_osfhandle(leash, os.O_RDONLY | os.O_BINARY)
        self.adopt_orphans(os.environ.get(MARK, ""))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # The supervisor has the same console, and hands on what it hears.
        self._watch(keys=lambda event: True, closing=lambda words: None)

        def obey() -> None:
            while number := os.read(commands, 1):
                signal.raise_signal(number[0])

        return WorkerSide(reports, obey)

    def apart(self) -> dict[str, Any]:
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}

    def interpreter(self) -> tuple[str, dict[str, str]]:
        # Python in a virtual environment is a small program that starts the real one, whose process id is another.
        base = getattr(sys, "_base_executable", sys.executable)
        return base, {} if base == sys.executable else {"__PYVENV_LAUNCHER__": sys.executable}

    def adopt_orphans(self, mark: str = "") -> None:
        import win32api

        if mark and self._job is None:
            # Refused within a job that has no others beside it, as that of some services
            with suppress(win32api.error):
                job = self.hold_family(mark)
                _jobs().AssignProcessToJobObject(job, win32api.GetCurrentProcess())
                self._job = job

    def hold_family(self, mark: str) -> object:
        return _jobs().CreateJobObject(None, _name_of_job(mark))  # or opens the one that there is

    def has_children(self) -> bool:
        import psutil

        if self._job is not None:
            members = _members(self._job)
            return any(process.pid != os.getpid() and not self.is_the_systems(process) for process in members)
        return not all(map(self.is_the_systems, psutil.Process().children(recursive=True)))

    def relatives(self, leader: int | None, mark: str) -> set[psutil.Process]:
        import win32api

        if not mark:
            return set()
        try:
            job = _jobs().OpenJobObject(_jobs().JOB_OBJECT_QUERY, False, _name_of_job(mark))
        except win32api.error:  # nobody has kept it
            return set()
        return _members(job)

    def is_the_systems(self, process: psutil.Process) -> bool:
        import psutil

        for _ in range(10):
            try:
                return process.name().lower() in ("conhost.exe", "openconsole.exe")
            except psutil.Error:
                return False
            except OSError:  # of one that begins, or ends, at this moment
                time.sleep(0.05)
        return False

    def still_runs(self, process: psutil.Process) -> bool:
        import psutil
        import win32api
        import win32con
        import win32event
        import winerror

        try:  # psutil's own waiting leaves its frame, and all frames below it, to the collector
            handle = win32api.OpenProcess(win32con.SYNCHRONIZE, False, process.pid)
        except win32api.error as error:
            denied = error.winerror == winerror.ERROR_ACCESS_DENIED
            raise (psutil.AccessDenied if denied else psutil.NoSuchProcess)(process.pid) from None
        # One that has ended is listed as long as another one has a handle of it
        return win32event.WaitForSingleObject(handle, 0) == win32event.WAIT_TIMEOUT

    def birth_of(self, pid: int) -> str:
        import psutil

        try:
            process = psutil.Process(pid)
            return repr(process.create_time()) if self.still_runs(process) else ""
        except psutil.AccessDenied:  # a process of another user
            return repr(process.create_time())
        except psutil.Error:
            return ""

    def wait_unreaped(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()  # its handle keeps its id

    def exit_words(self, status: int) -> str:
        code = status & 0xFFFFFFFF
        if code in FAULTS:
            return f"was ended by {FAULTS[code]} ({code:#010x})"
        return "was killed" if code == TERMINATED else f"ended with exit code {code}"

    def is_kill(self, status: int) -> bool:
        return status == TERMINATED

    def kill_this(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)  # which is TerminateProcess here

    # --- signals ---

    def interrupt(self) -> None:
        # Heard as soon as the main thread is back in Python; it wakes time.sleep
        signal.raise_signal(signal.SIGINT)

    def signal_name(self, number: int) -> str:
        if number == signal.SIGBREAK:
            return self._ending or "Ctrl-Break"
        return signal.Signals(number).name

    def watch_console(self) -> None:
        if self._end is None:
            self._watch(keys=lambda event: False, closing=lambda words: signal.raise_signal(signal.SIGBREAK))

    def _watch(self, *, keys: Callable[[int], bool], closing: Callable[[str], None]) -> None:
        """Have functions called, in threads of their own, for keys, and for what is about to end this process.

        `keys`: given 0 for Ctrl-C, 1 for Ctrl-Break; returns whether nothing else is to be done about it.
        `closing`: given the reason; the process may work for some seconds afterwards.
        """
        import win32api

        def end(words: str) -> None:
            self._ending = self._ending or words
            closing(words)

        def on_console(event: int) -> bool:
            if event not in CLOSING:
                return keys(event)
            end(CLOSING[event])
            time.sleep(CLOSING_SECONDS)  # Windows ends the process when this returns
            return True

        self._end = end
        with suppress(win32api.error):  # without a console
            win32api.SetConsoleCtrlHandler(on_console, True)
        threading.Thread(target=_watch_session, args=(end,), name="session", daemon=True).start()

    def on_emergency(self, act: Callable[[], object]) -> None:
        import win32event

        event = win32event.CreateEvent(None, False, False, _name_of_emergency(os.getpid()))

        def wait() -> None:
            while win32event.WaitForSingleObject(event, win32event.INFINITE) == win32event.WAIT_OBJECT_0:
                act()

        threading.Thread(target=wait, name="emergency", daemon=True).start()

    def call_emergency(self, pid: int) -> None:
        import win32event

        with suppress(win32event.error):
            event = win32event.OpenEvent(win32event.EVENT_MODIFY_STATE, False, _name_of_emergency(pid))
            win32event.SetEvent(event)

    # --- users, locks, sockets ---

    def user(self) -> str:
        import win32api

        return str(win32api.GetUserName())

    def user_name(self, user: str) -> str:
        return user

    def shared_folder(self) -> Path:
        return Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / system.PREFIX

    def open_to_all(self, path: Path) -> None:
        import win32api
        import win32security

        with suppress(win32api.error):  # it belongs to another user, whose process has set this
            everyone = win32security.CreateWellKnownSid(win32security.WinAuthenticatedUserSid)
            entries = _entries(everyone, folder=path.is_dir())
            kind, wanted = win32security.SE_FILE_OBJECT, win32security.DACL_SECURITY_INFORMATION
            wanted |= win32security.UNPROTECTED_DACL_SECURITY_INFORMATION  # and what the folder above permits
            win32security.SetNamedSecurityInfo(str(path), kind, wanted, None, None, entries, None)

    def make_private(self, folder: Path) -> None:
        import win32api
        import win32file
        import win32security
        import winerror

        rights = win32security.SECURITY_DESCRIPTOR()
        rights.SetSecurityDescriptorDacl(True, _entries(_this_user(), folder=True), False)
        protected = win32security.SE_DACL_PROTECTED  # nothing of what the folder above permits
        rights.SetSecurityDescriptorControl(protected, protected)
        attributes = win32security.SECURITY_ATTRIBUTES()
        attributes.SECURITY_DESCRIPTOR = rights
        try:  # with its rights: whoever looks meanwhile takes one that is given them later for a stranger's
            win32file.CreateDirectoryW(str(folder), attributes)
        except win32api.error as error:
            if error.winerror != winerror.ERROR_ALREADY_EXISTS:
                raise OSError(error.winerror, error.strerror, str(folder)) from None

    def is_private(self, folder: Path) -> bool:
        import win32api
        import win32security

        attributes = folder.lstat().st_file_attributes
        if not attributes & stat.FILE_ATTRIBUTE_DIRECTORY or attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT:
            return False  # a file, or a link to another folder
        wanted = win32security.OWNER_SECURITY_INFORMATION | win32security.DACL_SECURITY_INFORMATION
        try:
            found = win32security.GetNamedSecurityInfo(str(folder), win32security.SE_FILE_OBJECT, wanted)
        except win32api.error as error:
            raise OSError(error.winerror, error.strerror, str(folder)) from None
        entries = found.GetSecurityDescriptorDacl()
        may = {str(one) for one in (_this_user(), *_administrators())}
        if entries is None or str(found.GetSecurityDescriptorOwner()) not in may:
            return False
        # CREATOR OWNER and OWNER RIGHTS are the owner's
        owners = {str(win32security.ConvertStringSidToSid(text)) for text in ("S-1-3-0", "S-1-3-4")}
        allowed = [entries.GetAce(i) for i in range(entries.GetAceCount())]
        kinds = (win32security.ACCESS_ALLOWED_ACE_TYPE,)
        return all(str(one[2]) in may | owners for one in allowed if one[0][0] in kinds and one[1])

    def listen(self, beside: Path, elsewhere: Path) -> socket.socket:
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            listener.bind((LOOPBACK, 0))
            listener.listen()
        except OSError:
            listener.close()
            raise
        return listener

    def connect_to(self, address: str | tuple[str, int]) -> socket.socket:
        return socket.socket()

    def set_patience(self, sock: socket.socket, seconds: float) -> None:
        time = struct.pack("@L", round(1e3 * seconds))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, time)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, time)

    # --- files ---

    def replace(self, draft: Path, target: Path) -> None:
        windows_files.replace(draft, target)

    def is_locked(self, error: BaseException | None) -> bool:
        # HDF5 sets no errno there, so that h5py raises a plain OSError
        return super().is_locked(error) or (
            isinstance(error, OSError) and "unable to lock file" in str(error)
        )

    def path_trouble(self, path: Path) -> str:
        import winreg

        place, long_paths = r"SYSTEM\CurrentControlSet\Control\FileSystem", 0
        with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
            long_paths, _ = winreg.QueryValueEx(key, "LongPathsEnabled")
        whole = len(os.path.abspath(path))
        return windows_files.path_trouble(str(path), whole, long_paths=bool(long_paths))

    def freeze(self, descriptor: int, path: Path) -> None:
        first = msvcrt.get_osfhandle(descriptor)
        # Not the file itself: as long as this was open nobody could remove it
        frozen = os.open(os.devnull, os.O_RDONLY)
        os.dup2(frozen, descriptor, inheritable=False)
        os.close(frozen)
        # HDF5 cuts its file by the handle that it got at first (H5FDsec2.c): no other file may get this number.
        taken = [descriptor]
        while msvcrt.get_osfhandle(taken[-1]) != first and len(taken) <= MOST_HANDLES:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        for one in taken[1:-1]:
            os.close(one)

    # --- the computer ---

    def put_icon(self, name: str, command: Sequence[str], folder: Path) -> list[Path]:
        import pythoncom
        from win32com.shell import shell, shellcon

        link: Any  # whose methods the stubs do not know
        files = []
        try:
            for place in (shellcon.CSIDL_DESKTOPDIRECTORY, shellcon.CSIDL_PROGRAMS):
                files.append(Path(shell.SHGetFolderPath(0, place, 0, 0)) / f"{name}.lnk")
                link = pythoncom.CoCreateInstance(
                    shell.CLSID_ShellLink, None, pythoncom.CLSCTX_INPROC_SERVER, shell.IID_IShellLink
                )
                link.SetPath(command[0])
                link.SetArguments(subprocess.list2cmdline(command[1:]))
                link.SetWorkingDirectory(str(folder))
                link.SetShowCmd(MINIMISED)
                link.QueryInterface(pythoncom.IID_IPersistFile).Save(str(files[-1]), True)
        except pythoncom.com_error as error:
            raise OSError(f"Windows refuses a shortcut: {error}") from error
        return files

    @contextmanager
    def kept_awake(self, reason: str) -> Iterator[str]:
        continuous, system_required = 0x80000000, 0x00000001  # winbase.h
        kernel = ctypes.WinDLL("kernel32")
        kernel.SetThreadExecutionState.argtypes = [ctypes.c_uint32]
        kernel.SetThreadExecutionState.restype = ctypes.c_uint32
        # Of this thread, and until it ends
        before = kernel.SetThreadExecutionState(continuous | system_required)
        try:
            yield "" if before else "Windows refuses"
        finally:
            kernel.SetThreadExecutionState(continuous | before)

    def clocks(self) -> tuple[float, float]:
        kernel = ctypes.WinDLL("kernel32")
        kernel.GetTickCount64.restype = ctypes.c_uint64  # ms
        awake = ctypes.c_uint64()  # 100 ns
        kernel.QueryUnbiasedInterruptTime(ctypes.byref(awake))
        return kernel.GetTickCount64() / 1e3, awake.value / 1e7

    def processor(self) -> str:
        import winreg

        place = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
            return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
        return ""


class _Spawned(SupervisorSide):
    """The process that has started a worker. What happens comes to one queue, from a thread a source."""

    def __init__(
        self,
        windows: Windows,
        worker: subprocess.Popen[bytes],
        mark: str,
        job: object,
        reports: int,
        hold: int,
    ) -> None:
        self.pid, self.mark = worker.pid, mark
        self._worker, self._job, self._hold = worker, job, hold
        self._events: queue.SimpleQueue[signal.Signals | None] = queue.SimpleQueue()
        self._reports: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        for number in windows.stopping:
            signal.signal(number, lambda received, frame: self._events.put(signal.Signals(received)))
        windows._watch(keys=self._on_key, closing=self._on_closing)
        self._reader = threading.Thread(target=self._collect, args=(reports,), name="reports", daemon=True)
        self._reader.start()
        threading.Thread(target=self._see_end, name="its end", daemon=True).start()

    def _on_key(self, event: int) -> bool:
        self._events.put(signal.SIGBREAK if event else signal.SIGINT)
        return True

    def _on_closing(self, words: str) -> None:
        self.hurried = True
        self._events.put(signal.SIGBREAK)

    def _collect(self, reports: int) -> None:
        with suppress(OSError):
            while chunk := os.read(reports, 1 << 12):
                self._reports.put(chunk)
                self._events.put(None)

    def _see_end(self) -> None:
        self._worker.wait()
        self._events.put(None)

    def runs(self) -> bool:
        return self._worker.poll() is None

    def wait(self, patience: float) -> list[signal.Signals]:
        came = []
        with suppress(queue.Empty):
            came.append(self._events.get(timeout=max(patience, 1e-3)))
            while True:
                came.append(self._events.get_nowait())
        return [number for number in came if number is not None]

    def send(self, number: signal.Signals) -> None:
        with suppress(OSError):  # it is gone
            os.write(self._hold, bytes([number]))

    def read(self) -> bytes:
        result = b""
        with suppress(queue.Empty):
            while True:
                result += self._reports.get_nowait()
        return result

    def reap(self) -> int:
        self._reader.join(2.0)
        return self._worker.wait()


def _jobs() -> Any:
    """Return the module of job objects, whose types are not right in its stubs."""
    import win32job

    return win32job


def _name_of_job(mark: str) -> str:
    # A name has no line break and no backslash, and is for this session alone.
    return "Local\\mho-" + mark.encode().hex()


def _name_of_emergency(pid: int) -> str:
    return f"Local\\mho-emergency-{pid}"


def _members(job: Any) -> set[psutil.Process]:
    """Return the processes of a job."""
    import psutil

    result = set()
    for pid in _jobs().QueryInformationJobObject(job, _jobs().JobObjectBasicProcessIdList):
        with suppress(psutil.Error, OSError):
            result.add(psutil.Process(pid))
    return result


def _watch_session(end: Callable[[str], None]) -> None:
    """Wait for the end of the session, which is told to windows: a console's event for it does not reach most programs.

    HandlerRoutine, Microsoft's documentation of consoles: not called for it in a process that has loaded user32.dll.
    """
    import win32api
    import win32con
    import win32gui

    def on_end(window: int, message: int, ending: int, how: int) -> int:
        if ending:
            end(CLOSING[5] if how & 0x80000000 else CLOSING[6])  # ENDSESSION_LOGOFF
            time.sleep(CLOSING_SECONDS)
        return 0

    kind: Any = win32gui.WNDCLASS()
    kind.lpszClassName = f"mho-{os.getpid()}-{threading.get_ident()}"
    kind.lpfnWndProc = {win32con.WM_QUERYENDSESSION: lambda *_: True, win32con.WM_ENDSESSION: on_end}
    with suppress(win32gui.error, win32api.error):  # a service has no windows
        place = win32gui.RegisterClass(kind)
        win32gui.CreateWindow(place, "mho", 0, 0, 0, 0, 0, 0, 0, 0, None)
        win32gui.PumpMessages()


def _this_user() -> Any:
    import win32api
    import win32security

    token = win32security.OpenProcessToken(win32api.GetCurrentProcess(), win32security.TOKEN_QUERY)
    return win32security.GetTokenInformation(token, win32security.TokenUser)[0]


def _administrators() -> list[Any]:
    import win32security

    kinds = (win32security.WinLocalSystemSid, win32security.WinBuiltinAdministratorsSid)
    return [win32security.CreateWellKnownSid(kind) for kind in kinds]


def _entries(whom: Any, *, folder: bool) -> Any:
    """Return what permits one user or group, and the administrators, all; of a `folder` also what will be in it."""
    import ntsecuritycon
    import win32security

    entries = win32security.ACL()
    within = win32security.OBJECT_INHERIT_ACE | win32security.CONTAINER_INHERIT_ACE if folder else 0
    for one in (whom, *_administrators()):
        entries.AddAccessAllowedAceEx(win32security.ACL_REVISION, within, ntsecuritycon.FILE_ALL_ACCESS, one)
    return entries
