"""The same sales give the same bytes, whatever way of adding a machine would choose."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from diamond_pricing import PriceModel, packaged_model

COMMAND = Path(sys.executable).with_name("diamond-pricing")
CPU = Path("/proc/cpuinfo")

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or (CPU.exists() and "avx2" not in CPU.read_text()),
    reason="this processor has no AVX2",
)


def fitted(out: Path, *options: str, **environment: str) -> bytes:
    subprocess.run(
        [COMMAND, "fit", "--out", out, *options],
        env=os.environ | environment, check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    return out.read_bytes()


def test_kernels_and_threads_leave_no_trace(catalog, tmp_path):
    data = tmp_path / "sales.csv"
    catalog.sample(1_200, random_state=1).to_csv(data, index=False)
    made = [
        fitted(tmp_path / "model.json", "--data", str(data), **environment)
        for environment in (
            {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"},
            {"OPENBLAS_CORETYPE": "Sandybridge", "OPENBLAS_NUM_THREADS": "2"},
        )
    ]
    assert made[0] == made[1]


def test_the_packaged_model_is_the_one_that_the_command_makes(tmp_path):
    made = fitted(tmp_path / "model.json")
    assert PriceModel.from_json(made.decode()).sha256 == packaged_model().sha256
