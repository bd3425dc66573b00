"""What is measured: LAPACK for real; torch, cupy and NVML by small stand-ins at their seam; energy counters; bench runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import mho
from mho.errors import InputError
from mho.extensions.projection import PUBLISHED, project, read_runs, save
from mho.extensions.projection.measured.digital_measurement import MeasurementEffort, measure, measure_machine
from mho.extensions.projection.measured.libraries import (
    CHOLESKY,
    KEPT,
    LU,
    Lapack,
    cpu_meter,
    find_gpu,
    gpu_meter,
)
from mho.runs import RunFile

QUICK = MeasurementEffort(timing=0.0, energy=0.0, repeats=1)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


class OnGpu:
    """An array of the stand-in torch: usable only by it, as one on a GPU is."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def cpu(self) -> SimpleNamespace:
        return SimpleNamespace(numpy=lambda: self.values)


class Torch:
    """The part of torch that is used, computed by numpy; it notes what was asked of it."""

    __version__ = "2.x"

    def __init__(self, gpus: int = 1) -> None:
        self.waits, self.dtypes = 0, set()
        self.cuda = SimpleNamespace(
            is_available=lambda: bool(gpus), get_device_name=lambda number: "H100", synchronize=self._wait
        )
        self.backends = SimpleNamespace(cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=True)))
        self.linalg = SimpleNamespace(
            lu_factor_ex=lambda a: (a, None, None),
            lu_solve=lambda a, pivots, b: OnGpu(np.linalg.solve(a.values, b.values)),
            cholesky_ex=lambda a: (OnGpu(np.linalg.cholesky(a.values)), None),
        )

    def _wait(self) -> None:
        self.waits += 1

    def from_numpy(self, values: Any) -> SimpleNamespace:
        self.dtypes.add(values.dtype)
        return SimpleNamespace(to=lambda device: OnGpu(values) if device == "cuda" else pytest.fail(device))

    def matmul(self, a: OnGpu, b: OnGpu) -> OnGpu:
        return OnGpu(a.values @ b.values)

    def cholesky_solve(self, b: OnGpu, factor: OnGpu) -> OnGpu:
        lower = factor.values
        return OnGpu(np.linalg.solve(lower @ np.swapaxes(lower, -1, -2), b.values))


class Nvml:
    """NVML whose counter grows by two joules at each look."""

    def __init__(self) -> None:
        self.millijoules = 0

    def nvmlInit(self) -> None:  # noqa: N802
        """As NVML has it."""

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        return number

    def nvmlDeviceGetTotalEnergyConsumption(self, device: int) -> int:  # noqa: N802
        self.millijoules += 2000
        return self.millijoules


def loading(**modules: Any):
    """Return the stand-in of `import_module`: what is not named is not installed."""

    def load(name: str) -> Any:
        if name not in modules:
            raise ImportError(name)
        return modules[name]

    return load


def cupy(gpus: int = 1) -> SimpleNamespace:
    runtime = SimpleNamespace(
        getDeviceCount=lambda: gpus, getDeviceProperties=lambda number: {"name": b"A100"}
    )
    waiting = SimpleNamespace(null=SimpleNamespace(synchronize=lambda: None))
    return SimpleNamespace(
        __version__="13", cuda=SimpleNamespace(runtime=runtime, Stream=waiting), linalg=np.linalg, asarray=np.asarray,
        asnumpy=np.asarray, matmul=np.matmul,
    )  # fmt: skip


@pytest.mark.thorough
def test_lapack_solves_every_method_and_size_and_is_timed() -> None:
    points = measure(Lapack("here"), "CPU", None, rng(), sizes=[4, 16], effort=QUICK)
    assert [(one.size, one.precision, one.method) for one in points] == [
        (size, bits, method) for size in (4, 16) for bits in (32, 64) for method in (CHOLESKY, LU, KEPT)
    ]
    assert all(one.seconds > 0.0 and np.isnan(one.joules) for one in points)
    assert all(one.residual < (1e-4 if one.precision == 32 else 1e-11) for one in points)


@pytest.mark.thorough
def test_a_library_that_answers_wrongly_is_not_measured() -> None:
    class Wrong(Lapack):
        def answer(self, found: Any) -> Any:
            return 1.001 * np.asarray(found)

    with pytest.raises(
        InputError, match=r"Cholesky of 4 x 4 in FP32 leaves a residual of 1.0e-03, which is wrong"
    ):
        measure(Wrong("here"), "CPU", None, rng(), sizes=[4], effort=QUICK)


@pytest.mark.thorough
def test_a_clock_decides_the_time_of_a_solve_and_a_counter_its_energy() -> None:
    ticks = iter(range(10_000))
    meter = gpu_meter(loading(pynvml=Nvml()))
    assert not isinstance(meter, str)
    points = measure(
        Lapack("here"), "CPU", meter, rng(), sizes=[4], effort=QUICK, clock=lambda: float(next(ticks))
    )
    assert all(one.seconds == pytest.approx(1.0 / one.batch) for one in points)
    assert all(one.joules == pytest.approx(2.0 / one.batch) for one in points)


def test_torch_is_used_in_full_fp32_and_waited_for() -> None:
    torch = Torch()
    library = find_gpu(loading(torch=torch, cupy=cupy()))
    assert not isinstance(library, str)
    assert library.name == "torch 2.x on H100"
    assert torch.backends.cuda.matmul.allow_tf32 is False
    library.largest = 1 << 16
    points = measure(library, "GPU", None, rng(), sizes=[4, 8], effort=QUICK)
    assert {one.method for one in points} == {CHOLESKY, LU, KEPT}
    assert torch.waits >= 2 * len(points)  # once for the answer, once for the time
    assert torch.dtypes == {np.dtype(np.float32), np.dtype(np.float64)}


def test_cupy_takes_over_where_torch_has_no_gpu_and_has_no_batched_cholesky() -> None:
    library = find_gpu(loading(torch=Torch(gpus=0), cupy=cupy()))
    assert not isinstance(library, str)
    assert library.name == "cupy 13 on A100"
    library.largest = 1 << 16
    assert {one.method for one in measure(library, "GPU", None, rng(), sizes=[4], effort=QUICK)} == {LU, KEPT}


@pytest.mark.parametrize(
    ("modules", "why"),
    [
        ({}, "torch is not installed and cupy is not installed"),
        ({"torch": Torch(gpus=0)}, "torch finds no CUDA GPU and cupy is not installed"),
        ({"cupy": cupy(gpus=0)}, "torch is not installed and cupy finds no CUDA GPU"),
        ({"cupy": SimpleNamespace(cuda=None)}, "cupy finds no CUDA GPU ("),
    ],
    ids=["neither", "torch", "cupy", "broken"],
)
def test_a_gpu_that_is_absent_is_said_in_one_sentence(modules: dict[str, Any], why: str) -> None:
    told = find_gpu(loading(**modules))
    assert isinstance(told, str)
    assert told.startswith("no GPU is measured: ")
    assert why in told


@pytest.mark.thorough
def test_a_gpu_that_fails_is_said_and_the_cpu_is_measured_all_the_same() -> None:
    class Failing(Torch):
        def matmul(self, a: OnGpu, b: OnGpu) -> OnGpu:
            raise RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB")

    library = find_gpu(loading(torch=Failing()))
    library.largest = 1 << 16
    found = measure_machine(rng(), sizes=[4], effort=QUICK, gpu=lambda: library, cpu_energy=lambda: "x")
    assert {one.device for one in found.points} == {"CPU"}
    assert found.remarks[-1] == "torch 2.x on H100 is not measured: CUDA out of memory."


def test_energy_that_cannot_be_counted_is_said(tmp_path: Path) -> None:
    class Refusing(Nvml):
        def nvmlInit(self) -> None:  # noqa: N802
            raise RuntimeError("Driver Not Loaded")

    assert "nvidia-ml-py is not installed" in str(gpu_meter(loading()))
    assert "NVML says Driver Not Loaded" in str(gpu_meter(loading(pynvml=Refusing())))
    assert "there is no RAPL counter" in str(cpu_meter(tmp_path))
    (tmp_path / "intel-rapl:0").mkdir()
    assert "intel-rapl:0 cannot be read" in str(cpu_meter(tmp_path))


def test_rapl_adds_its_packages_up_and_knows_that_they_wrap(tmp_path: Path) -> None:
    for number, energy in ((0, 900), (1, 10)):
        folder = tmp_path / f"intel-rapl:{number}"
        folder.mkdir()
        (folder / "max_energy_range_uj").write_text("1000\n")
        (folder / "energy_uj").write_text(f"{energy}\n")
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of a package is not counted twice
    meter = cpu_meter(tmp_path)
    assert not isinstance(meter, str)
    begin = meter.joules()
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("100\n")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("60\n")
    assert meter.joules() - begin == pytest.approx(250e-6)


@pytest.mark.thorough
def test_a_measured_machine_is_in_the_run_file_with_what_is_missing(tmp_path: Path) -> None:
    torch = Torch()
    library = find_gpu(loading(torch=torch))
    library.largest = 1 << 16
    measured = measure_machine(
        rng(), sizes=[4, 32], effort=QUICK, gpu=lambda: library, gpu_energy=lambda: gpu_meter(loading(pynvml=Nvml())),
        cpu_energy=lambda: "the CPU's energy is not measured: because",
    )  # fmt: skip
    found = project(PUBLISHED, [32], draws=20, measured=measured.readings)
    path = save(found, tmp_path / "p.h5", measured=measured, remarks=measured.remarks)
    keys = [one.key for one in found.readings[32]]
    assert {"measured_cpu_cholesky", "measured_gpu_kept"} <= set(keys)
    with RunFile(path) as run:
        table = run.table("measured")
        assert set(table["device"]) == {0, 1}
        assert np.isnan(table["energy"][table["device"] == 0]).all()
        assert (table["energy"][table["device"] == 1] > 0.0).all()
        np.testing.assert_allclose(table["rate"] * table["time"], 1.0)
        assert {"measured_rate", "measured_energy"} <= {one.name for one in run.figures}
        assert any("energy is not measured: because" in entry.message for entry in run.log())
        assert len(run.summary["measured_on"]) == 2


@pytest.mark.thorough
def test_runs_of_a_bench_take_the_place_of_what_is_published(tmp_path: Path) -> None:
    solved, inverted, read = (tmp_path / f"{name}.h5" for name in ("solve", "invert", "read"))
    mho.run(mho.Solve(matrix="mimo-16x16", bits=12), "arrays", seed=1, output=solved)
    mho.run(mho.Invert(conditions="3", size=4, vectors=2, steps=2), "arrays", seed=1, output=inverted)
    mho.run(mho.Read(rows="0", columns="0"), "arrays", seed=1, output=read)
    told = read_runs([solved, inverted])
    with RunFile(solved) as run:
        summary = run.summary
    assert told.values["bits_per_cycle"] == pytest.approx(12 / summary["cycles_to_goal"])
    with RunFile(inverted) as run:
        assert told.values["inv_time"] == pytest.approx(run.summary["settling_time"])
    assert told.counts["write_pulses"] == 2
    assert told.values["vector_slices"] > 8  # bit by bit, and some lines at a time
    found = told.over(PUBLISHED, "bench")
    assert found.parameters.bits == 12
    assert found["inv_time"].source == "simulated, median of 1 run(s)"
    assert found["mvm_time"] == PUBLISHED["mvm_time"]
    with pytest.raises(InputError, match=r"read.h5 is a run of Read, which tells nothing"):
        read_runs([read])
    with pytest.raises(InputError, match="no run is named"):
        read_runs([])
