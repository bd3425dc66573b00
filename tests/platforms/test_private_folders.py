"""A private folder is private from its first moment: a client looks at it while the runner makes it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from mho import platforms


def test_it_is_private_to_whoever_looks_while_it_is_made(tmp_path: Path):
    both = Barrier(2)

    def make(folder: Path) -> bool:
        both.wait()
        platforms.here.make_private(folder)
        return platforms.here.is_private(folder)

    with ThreadPoolExecutor(2) as threads:
        for i in range(50):
            assert list(threads.map(make, [tmp_path / f"{i}"] * 2)) == [True, True]


def test_it_can_be_written_to(tmp_path: Path):
    platforms.here.make_private(tmp_path / "own")
    (tmp_path / "own" / "file").write_text("kept", encoding="utf-8")
    assert (tmp_path / "own" / "file").read_text("utf-8") == "kept"


def test_one_that_others_see_stays_so_and_is_told_from_a_private_one(tmp_path: Path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    platforms.here.make_private(folder)
    assert not platforms.here.is_private(folder)
