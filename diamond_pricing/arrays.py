"""Names for the arrays we pass around, and one way to make them read-only.

Letters used in shapes everywhere: n stones, p coefficients, k lines, w columns of a basis.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


def doubles(values: NDArray[Any]) -> Vector:
    """Numbers of any width as float64, shape as given.

    Of fewer bits the decimal is meant that they stand for: 0.7 in single precision is
    0.69999999, which is below a weight that prices jump at.
    """
    if values.dtype.name == "float16":
        values = values.astype(str)
    wide: Vector = np.array(values, np.float64)
    return np.round(wide, 4) if values.dtype.name == "float32" else wide


def frozen(values: ArrayLike) -> NDArray[np.float64]:
    """Copy ``values`` to a float array that can never be written to."""
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array
