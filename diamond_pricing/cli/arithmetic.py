"""The same sales give the same bytes on any x86-64 processor that has AVX2 (2013 and later).

NumPy and OpenBLAS choose at their start how to add and how to take logarithms, by what the
processor can do, and the last digits differ between those ways. Commands that fit begin anew
with the way that all of these processors have.
"""

import os
import platform
import sys

import numpy as np

FITTING = ("fit", "refit")
WITH_AVX2 = "X86_V3"  # NumPy's names
BEYOND = ("X86_V4", "AVX512_ICL", "AVX512_SPR")


def alike() -> None:
    """Begin this process anew, with the same arguments, unless its arithmetic is that already.

    Where the processor has no AVX2, or the system cannot replace a process, it goes on.
    """
    found = np.show_config("dicts")["SIMD Extensions"]["found"]
    if os.name != "posix" or platform.machine() != "x86_64" or WITH_AVX2 not in found:
        return
    wanted = {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"}
    if beyond := " ".join(name for name in BEYOND if name in found):
        wanted["NPY_DISABLE_CPU_FEATURES"] = beyond
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        again = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, again, os.environ | wanted)  # noqa: S606  ourselves
