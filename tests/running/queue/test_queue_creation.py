"""A queue that several open at the moment in which it is made."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mho.running.queue import Queue

AT_ONCE, ROUNDS = 6, 25


def test_whoever_comes_while_it_is_made_finds_it_whole(tmp_path: Path) -> None:
    def open_and_look(path: Path, barrier: threading.Barrier) -> int:
        barrier.wait(10)
        with Queue(path) as queue:
            return len(queue.jobs())

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(ROUNDS):
            barrier = threading.Barrier(AT_ONCE)
            path = tmp_path / f"{number}.sqlite"
            found = [pool.submit(open_and_look, path, barrier) for _ in range(AT_ONCE)]
            assert [one.result(60) for one in found] == [0] * AT_ONCE
