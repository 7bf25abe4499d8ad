"""Names for the arrays we pass around, and one way to make them read-only.

Letters used in shapes everywhere: n stones, p coefficients, k lines, w columns of a basis.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Integers = NDArray[np.int64]


def frozen(values: ArrayLike) -> NDArray[np.float64]:
    """Copy ``values`` to a float array that can never be written to."""
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array
