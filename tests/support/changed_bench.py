"""Packaged benches with lines of their own in the section [simulation]."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from mho.instruments import Bench, open_bench


def opened(folder: Path, name: str, *lines: str) -> Bench:
    """Open a packaged bench with ideal cells and these lines in its [simulation]."""
    text = (resources.files("mho.instruments") / f"benches/{name}.toml").read_text("utf-8")
    names = {line.split(" ")[0] for line in lines}
    kept = [line for line in text.splitlines() if line.split(" ")[0] not in names]
    kept[kept.index("[simulation]") : kept.index("[simulation]") + 1] = ["[simulation]", *lines]
    path = folder / "bench.toml"
    path.write_text("\n".join(kept), encoding="utf-8")
    return open_bench(str(path), preset="ideal", seed=1)
