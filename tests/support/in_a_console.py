"""Runs a command in this process's console and sends that Ctrl-C, once for every line on standard input (Windows)."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading


def press(process: subprocess.Popen[bytes]) -> None:
    import win32console

    for _ in sys.stdin:
        if process.poll() is None:
            win32console.GenerateConsoleCtrlEvent(0, 0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda number, frame: None)
    started = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=press, args=(started,), daemon=True).start()
    while True:
        try:
            sys.exit(started.wait(0.2))
        except subprocess.TimeoutExpired:
            continue
