"""Makes one archive that installs mho where there is no internet: its wheel and those of all that it needs.

``python docs/make_archive.py --system windows --python 3.13 --extras exchange,report`` writes, on any system,
``mho-0.1.0-windows-python3.13.zip``; `docs/install.md` says what to do with it. Only wheels are taken, so that nothing is
compiled in the lab, and the versions of constraints.txt.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
GLIBC = range(
    34, 16, -1
)  # minor versions whose wheels are taken, the newest first: that of Debian 12 and Ubuntu 22.04
PLATFORMS = {
    "windows": ["win_amd64"],
    "linux": [*(f"manylinux_2_{one}_x86_64" for one in GLIBC), "manylinux2014_x86_64"],
    "macos": ["macosx_14_0_arm64"],
}
MARKERS = {
    "windows": {
        "sys_platform": "win32",
        "platform_system": "Windows",
        "os_name": "nt",
        "platform_machine": "AMD64",
    },
    "linux": {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": "x86_64",
    },
    "macos": {
        "sys_platform": "darwin",
        "platform_system": "Darwin",
        "os_name": "posix",
        "platform_machine": "arm64",
    },
}
HERE = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
README = """Installs mho {version} on {system}, Python {python}, without internet. In this folder:

    {create}
    {scripts}pip install --no-index --find-links wheels "mho{extras}"
    {scripts}mho solve mimo-16x16
"""


def main() -> None:
    """Read the command line, and make the archive."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--system", choices=PLATFORMS, default=HERE, help="of the lab's computer")
    asked.add_argument("--python", default="{}.{}".format(*sys.version_info), help="its Python, 3.13 for one")
    asked.add_argument("--extras", default="", help=f"with commas between: {', '.join(extras)}")
    asked.add_argument("--to", type=Path, default=Path(), help="folder of the archive")
    given = asked.parse_args()
    chosen = [one.strip() for one in given.extras.split(",") if one.strip()]
    if unknown := [one for one in chosen if one not in extras]:
        asked.error(f"no extra {', '.join(unknown)}; there are {', '.join(extras)}")
    try:
        print(make_archive(given.system, given.python, chosen, given.to))
    except subprocess.CalledProcessError as error:
        sys.exit(f"no archive was made: {error.stderr.strip().splitlines()[-1]}")


def make_archive(system: str, python: str, extras: list[str], folder: Path) -> Path:
    """Write the archive into a folder; return its path."""
    with tempfile.TemporaryDirectory() as temporary:
        wheels = Path(temporary)
        # Else setuptools packs modules that were removed since
        shutil.rmtree(ROOT / "build", ignore_errors=True)
        pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT))
        (own,) = wheels.glob("*.whl")
        wanted = [f"{own}[{','.join(extras)}]" if extras else str(own)]
        while wanted:  # pip follows the markers of the system that it runs on: what the lab's asks for beyond, it is told
            download(wanted, system, python, wheels)
            wanted = missing(wheels, system, python, extras)
        version = str(parse_wheel_filename(own.name)[1])
        archive = folder / f"mho-{version}-{system}-python{python}.zip"
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive, "w") as packed:  # wheels are compressed already
            packed.writestr("README.txt", readme(system, python, version, extras))
            packed.write(CONSTRAINTS, CONSTRAINTS.name)
            for one in sorted(wheels.glob("*.whl")):
                packed.write(one, f"wheels/{one.name}")
    return archive


def download(wanted: list[str], system: str, python: str, folder: Path) -> None:
    """Download the wheels of what is wanted, with all that they need, for another system."""
    platforms = [word for one in PLATFORMS[system] for word in ("--platform", one)]
    pip(
        "download", "--only-binary", ":all:", *platforms, "--python-version", python, "--implementation", "cp",
        "--find-links", str(folder), "--constraint", str(CONSTRAINTS), "--dest", str(folder), *wanted,
    )  # fmt: skip


def missing(wheels: Path, system: str, python: str, extras: list[str]) -> list[str]:
    """Return what the wheels of a folder ask for on a system and is not among them."""
    there = {parse_wheel_filename(one.name)[0]: one for one in wheels.glob("*.whl")}
    found: list[str] = []
    followed: set[tuple[str, str]] = set()
    waiting = [Requirement(f"mho[{','.join(extras)}]")]
    environment = default_environment() | MARKERS[system]
    environment |= {"python_version": python, "python_full_version": f"{python}.0"}
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name not in there:
            found.append(f"{one.name}{one.specifier}")
            continue
        for extra in {"", *one.extras}:
            if (name, extra) not in followed:
                followed.add((name, extra))
                waiting += [
                    each
                    for each in map(Requirement, requirements(there[name]))
                    if each.marker is None or each.marker.evaluate(environment | {"extra": extra})
                ]
    return found


def requirements(wheel: Path) -> list[str]:
    """Return what a wheel says that it needs."""
    with zipfile.ZipFile(wheel) as packed:
        (metadata,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(packed.read(metadata)).get_all("Requires-Dist", [])


def readme(system: str, python: str, version: str, extras: list[str]) -> str:
    """Return what stands beside the wheels."""
    if system == "windows":
        create, scripts = f"py -{python} -m venv .venv", ".venv\\Scripts\\"
    else:
        create, scripts = f"python{python} -m venv .venv", ".venv/bin/"
    named = f"[{','.join(extras)}]" if extras else ""
    return README.format(
        version=version, system=system, python=python, create=create, scripts=scripts, extras=named
    )


def pip(*words: str) -> None:
    """Run pip; what it says is kept for an error."""
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", *words], check=True, capture_output=True, text=True
    )


if __name__ == "__main__":
    main()
