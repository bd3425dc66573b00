"""What solves many small systems at once: this machine's LAPACK, and a CUDA GPU through torch or cupy.

A library gives the work of a method on data that it holds already: what is timed is the work, not the way there.
Everything of torch and cupy that is used stands in this module.

Energy counters: NVML of an NVIDIA GPU, RAPL of a CPU. Where there is none, a sentence says why.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

RAPL = Path("/sys/class/powercap")
MILLI, MICRO = 1e-3, 1e-6


class EnergyMeter(Protocol):
    """Counts the joules that a processor has taken."""

    name: str

    def joules(self) -> float:
        """Return the counter, J; only differences mean something."""
        ...


class NvmlMeter:
    """The energy counter of the first NVIDIA GPU, through NVML (Volta and newer).

    `nvml`: ``pynvml``, of the package nvidia-ml-py.
    """

    def __init__(self, nvml: Any) -> None:
        nvml.nvmlInit()
        self._nvml, self._device = nvml, nvml.nvmlDeviceGetHandleByIndex(0)
        self.name = "NVML"
        self.joules()  # a GPU that has no such counter says so now

    def joules(self) -> float:
        """Return the counter, J."""
        return MILLI * float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._device))


class RaplMeter:
    """The energy counters of all CPU packages, which the kernel keeps in microjoules and which wrap around.

    `packages`: folders such as ``intel-rapl:0``.
    """

    def __init__(self, packages: list[Path]) -> None:
        self.name = "RAPL"
        self._packages = packages
        self._ranges = [_number(one / "max_energy_range_uj") for one in packages]
        self._last = [_number(one / "energy_uj") for one in packages]
        self._sum = 0

    def joules(self) -> float:
        """Return the counter, J."""
        now = [_number(one / "energy_uj") for one in self._packages]
        for before, after, span in zip(self._last, now, self._ranges, strict=True):
            self._sum += after - before if after >= before else after - before + span
        self._last = now
        return MICRO * self._sum


def gpu_meter(load: Callable[[str], Any] = import_module) -> EnergyMeter | str:
    """Return the GPU's energy counter, or the sentence that says why there is none."""
    try:
        nvml = load("pynvml")
    except ImportError:
        return "the GPU's energy is not measured: nvidia-ml-py is not installed (pip install nvidia-ml-py)"
    try:
        return NvmlMeter(nvml)
    except Exception as error:  # NVMLError, which is not there to be named before the import
        return f"the GPU's energy is not measured: NVML says {error}"


def cpu_meter(folder: Path = RAPL) -> EnergyMeter | str:
    """Return the CPU's energy counter, or the sentence that says why there is none."""
    packages = sorted(one for one in folder.glob("intel-rapl:*") if one.name.count(":") == 1)
    if not packages:
        return f"the CPU's energy is not measured: there is no RAPL counter in {folder}"
    try:
        return RaplMeter(packages)
    except (OSError, ValueError) as error:
        return (
            f"the CPU's energy is not measured: {packages[0].name} cannot be read ({error}); root may read it, "
            "or a user who is given that right"
        )


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


Floats = NDArray[np.floating[Any]]
Work = Callable[[], Any]

# potrf and potrs of a new A; getrf and getrs of a new A; product of a stored inverse with many vectors
CHOLESKY, LU, KEPT = "Cholesky", "LU", "kept"
METHODS = (CHOLESKY, LU, KEPT)


class SolverLibrary(Protocol):
    """A library of linear algebra, and the processor that it uses."""

    name: str
    methods: tuple[str, ...]
    largest: int
    longest: int

    def work(self, method: str, matrices: Floats, vectors: Floats) -> Work:
        """Return the function that solves all systems and waits until they are solved.

        `matrices` (k, n, n): of new matrices; (n, n), the inverse, of one that is kept. `vectors` (k, n, 1).
        """
        ...

    def answer(self, array: Any) -> Floats:
        """Return what the work returned as an array of numpy, shaped as the vectors."""
        ...


class Lapack:
    """LAPACK and BLAS as numpy and scipy bring them, on the cores that they may use.

    LU of a batch is one call of numpy; Cholesky is one call of LAPACK a matrix from Python, which takes about 2 us more.
    """

    methods: tuple[str, ...] = METHODS
    largest, longest = 1 << 24, 1 << 16

    def __init__(self, processor: str) -> None:
        self.name = f"LAPACK on {processor}"

    def work(self, method: str, matrices: Floats, vectors: Floats) -> Work:
        """See `SolverLibrary`."""
        if method == KEPT:
            return lambda: matrices @ vectors
        if method == LU:
            return lambda: np.linalg.solve(matrices, vectors)
        solve: Any = lapack.sposv if matrices.dtype == np.float32 else lapack.dposv
        return lambda: np.stack([solve(one, b)[1] for one, b in zip(matrices, vectors, strict=True)])

    def answer(self, array: Any) -> Floats:
        """See `SolverLibrary`."""
        return np.asarray(array)


class Torch:
    """A CUDA GPU through torch. FP32 is FP32: products in TF32 are switched off while it is used."""

    methods: tuple[str, ...] = METHODS
    largest, longest = 1 << 29, 1 << 22

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        torch.backends.cuda.matmul.allow_tf32 = False
        self.name = f"torch {torch.__version__} on {torch.cuda.get_device_name(0)}"

    def work(self, method: str, matrices: Floats, vectors: Floats) -> Work:
        """See `SolverLibrary`."""
        torch = self._torch
        a, b = (torch.from_numpy(one).to("cuda") for one in (matrices, vectors))

        def work() -> Any:
            if method == KEPT:
                answer = torch.matmul(a, b)
            elif method == LU:
                factors, pivots, _ = torch.linalg.lu_factor_ex(a)
                answer = torch.linalg.lu_solve(factors, pivots, b)
            else:
                factor, _ = torch.linalg.cholesky_ex(a)
                answer = torch.cholesky_solve(b, factor)
            torch.cuda.synchronize()
            return answer

        return work

    def answer(self, array: Any) -> Floats:
        """See `SolverLibrary`."""
        return np.asarray(array.cpu().numpy())


class Cupy:
    """A CUDA GPU through cupy, which solves batches by LU only."""

    methods: tuple[str, ...] = (LU, KEPT)
    largest, longest = 1 << 29, 1 << 22

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        name = cupy.cuda.runtime.getDeviceProperties(0)["name"]
        self.name = f"cupy {cupy.__version__} on {name.decode() if isinstance(name, bytes) else name}"

    def work(self, method: str, matrices: Floats, vectors: Floats) -> Work:
        """See `SolverLibrary`."""
        cupy = self._cupy
        a, b = cupy.asarray(matrices), cupy.asarray(vectors)

        def work() -> Any:
            answer = cupy.matmul(a, b) if method == KEPT else cupy.linalg.solve(a, b)
            cupy.cuda.Stream.null.synchronize()
            return answer

        return work

    def answer(self, array: Any) -> Floats:
        """See `SolverLibrary`."""
        return np.asarray(self._cupy.asnumpy(array))


def find_gpu(load: Callable[[str], Any] = import_module) -> SolverLibrary | str:
    """Return the library that uses a CUDA GPU, torch before cupy; or the sentence that says why there is none."""
    reasons = []
    for name, counted, library in (
        ("torch", lambda module: int(module.cuda.is_available()), Torch),
        ("cupy", lambda module: module.cuda.runtime.getDeviceCount(), Cupy),
    ):
        try:
            module = load(name)
        except ImportError:
            reasons.append(f"{name} is not installed")
            continue
        try:
            if counted(module):
                on_gpu: SolverLibrary = library(module)
                return on_gpu
            reasons.append(f"{name} finds no CUDA GPU")
        except Exception as error:  # a driver that is missing or too old: its own class of errors
            reasons.append(f"{name} finds no CUDA GPU ({error})")
    return f"no GPU is measured: {' and '.join(reasons)} (pip install torch on a machine that has one)"
