"""Energy counters: NVML of an NVIDIA GPU, RAPL of a CPU. Where there is none, a sentence says why."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

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
        return "the GPU's energy is not measured: nvidia-ml-py is not installed (pip install 'mho[gpu]')"
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
