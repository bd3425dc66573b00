"""The TOML file that describes a bench: entries, addresses, models, and limits that can be meant."""

from mho.instruments.bench_file.bench_file import (
    BenchFile,
    BenchSource,
    ReadSettings,
    is_real,
    load_bench_file,
    packaged_benches,
    read_bench_texts,
    with_circuit,
)
from mho.instruments.bench_file.chip_requirements import read_chip_text
from mho.instruments.bench_file.models import (
    PULSE_GENERATORS,
    SOURCE_METERS,
    SWITCH_MATRICES,
    VOLTAGE_SOURCES,
    Model,
    find_model,
    lacking,
    offered_class,
    offered_drivers,
)
from mho.instruments.bench_file.operations import (
    OPERATIONS,
    SELDOM,
    Operation,
    check_operations,
    missing_operations,
)
from mho.instruments.bench_file.plausibility import check_limits
from mho.own_code import AGREED, installed_only, is_mhos_own, modules_beside

__all__ = [
    "AGREED", "OPERATIONS", "PULSE_GENERATORS", "SELDOM", "SOURCE_METERS", "SWITCH_MATRICES", "VOLTAGE_SOURCES",
    "BenchFile", "BenchSource", "Model", "Operation", "ReadSettings", "check_limits", "check_operations", "find_model",
    "installed_only", "is_mhos_own", "is_real", "lacking", "load_bench_file", "missing_operations", "modules_beside",
    "offered_class", "offered_drivers", "packaged_benches", "read_bench_texts", "read_chip_text", "with_circuit",
]  # fmt: skip
