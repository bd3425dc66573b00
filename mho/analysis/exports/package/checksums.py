"""The files of a package: what each is, its size and SHA-256, and the manifest that ``sha256sum -c`` takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mho.runs.provenance import file_hash

MANIFEST = "manifest-sha256.txt"

FORMATS = {
    ".h5": "application/x-hdf5", ".csv": "text/csv", ".json": "application/json", ".md": "text/markdown",
    ".toml": "application/toml", ".txt": "text/plain", ".diff": "text/x-diff", ".py": "text/x-python",
    ".xml": "application/xml", ".png": "image/png", ".svg": "image/svg+xml", ".pdf": "application/pdf",
}  # fmt: skip
"""Media types by suffix."""


@dataclass(frozen=True)
class PackagedFile:
    """A file of a package."""

    path: PurePosixPath  # from the package's folder
    size: int  # bytes
    sha256: str

    @property
    def media_type(self) -> str:
        """The media type, by its suffix."""
        return FORMATS.get(self.path.suffix, "application/octet-stream")


def packaged_files(folder: Path) -> tuple[PackagedFile, ...]:
    """Return all files of a folder, in the order of their paths."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return tuple(
        PackagedFile(PurePosixPath(path.relative_to(folder).as_posix()), path.stat().st_size, file_hash(path))
        for path in sorted(found, key=lambda path: path.relative_to(folder).as_posix())
    )


def write_manifest(folder: Path) -> None:
    """Write the checksums of all files, one a line."""
    lines = [f"{one.sha256}  {one.path}\n" for one in packaged_files(folder)]
    (folder / MANIFEST).write_text("".join(lines), encoding="utf-8")
