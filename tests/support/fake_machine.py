"""A machine that is given: its files in a folder, what its programs print, what its vendors' libraries answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mho.doctor import Finding, Machine

DISK = [("/", "ext4", "rw")]


def machine(
    root: Path, *, programs: Mapping[str, str] | None = None, probes: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None, partitions: list[tuple[str, str, str]] = DISK, **facts: Any,
) -> Machine:  # fmt: skip
    """Return a machine whose files lie below `root`; `programs` by their words, `probes` by name, may be functions."""
    for name, text in (files or {}).items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def program(*words: str) -> str | None:
        return next(
            (text for name, text in (programs or {}).items() if " ".join(words).startswith(name)), None
        )

    def probe(name: str, *words: str) -> Any:
        answer = (probes or {})[name]
        return answer(*words) if isinstance(answer, Callable) else answer

    plain = {
        "system": "linux",
        "python": "win-amd64",
        "encoding": "utf-8",
        "battery": lambda: None,
        "environ": {},
        "home": root / "home" / "anna",
        "user": "anna",
        "host": "cryo7",
    }
    return Machine(
        **{**plain, "runs": root / "runs", **facts}, root=root, program=program, probe=probe,
        partitions=lambda: partitions,
    )  # fmt: skip


def verdicts(findings: Any) -> dict[str, str]:
    """Return the worst verdict of each topic."""
    order = ("ok", "note", "wrong")
    worst: dict[str, str] = {}
    for one in findings:
        worst[one.topic] = max(worst.get(one.topic, "ok"), one.verdict, key=order.index)
    return worst


def only(findings: Any, topic: str) -> Finding:
    """Return the one finding of a topic."""
    (found,) = (one for one in findings if one.topic == topic)
    return found
