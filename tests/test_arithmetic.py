"""The same sales give the same bytes, whatever way of adding a machine would choose."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("diamond-pricing")
CPU = Path("/proc/cpuinfo")

ALIKE = platform.machine() == "x86_64" and CPU.exists() and "avx2" in CPU.read_text()


def fitted(out: Path, *options: str, **environment: str) -> bytes:
    subprocess.run(
        [COMMAND, "fit", "--out", out, *options],
        env=os.environ | environment,
        check=True,
        capture_output=True,
        timeout=300,
    )
    return out.read_bytes()


@pytest.mark.skipif(not ALIKE, reason="this is no Linux on a processor with AVX2")
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
