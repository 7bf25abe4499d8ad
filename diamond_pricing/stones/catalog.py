"""The sales that ship with the package: 53,940 stones and what they fetched in 2008.

Where they come from, and their licence, stands in ``stones/data/PROVENANCE.md``.
"""

import csv
import hashlib
import io
import lzma
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.errors import DocumentError, MissingExtraError
from diamond_pricing.stones.keys import stone_keys
from diamond_pricing.stones.stones import Stones
from diamond_pricing.stones.trade import GRADES, LISTING

if TYPE_CHECKING:
    import pandas as pd

SHA256 = "9574730b03aba241d899c4a97511c5061b19358fab89510774fb6c24168345c4"


def load_sales() -> "pd.DataFrame":
    """Read the packaged sales.

    Returns
    -------
    DataFrame
        53,940 rows: carat, cut, color, clarity, depth, table, price, x, y, z as recorded,
        errors included, and two columns derived here:

        ``stone``
            equal for rows that describe the same stone, see `stone_keys`;
        ``listing``
            ``x>y``, ``x<y`` or ``x=y``: the price list that the row was recorded in.

        ``attrs`` holds currency and effective date. Grades are ordered categories, worst
        first.

    Raises
    ------
    MissingExtraError
        Without pandas: the extra ``fit`` brings it.
    DocumentError
        When the packaged file is damaged.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("load_sales", "fit") from error
    sales = pd.read_csv(io.BytesIO(_text()))
    for grade in (grade for grade in GRADES if grade.name in sales):
        seen = [name for name in grade.grades if (sales[grade.name] == name).any()]
        sales[grade.name] = pd.Categorical(sales[grade.name], seen, ordered=True)
    sales["stone"] = stone_keys(Stones.from_frame(sales))
    x, y = sales["x"].to_numpy(), sales["y"].to_numpy()
    order = 1 + (x > y).astype(np.int64) - (x < y)
    sales["listing"] = pd.Categorical(np.array(LISTING.grades)[order], LISTING.grades)
    sales.attrs.update(currency="USD", effective="2008")
    return sales


class Columns(dict[str, NDArray[Any]]):
    """Columns by name, with as much of a data frame's manners as our own code needs."""

    attrs: ClassVar[dict[str, str]] = {"currency": "USD", "effective": "2008"}

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self)


def load_columns() -> Columns:
    """Read the packaged sales as `load_sales` does, without pandas, as recorded."""
    head, *rows = csv.reader(io.StringIO(_text().decode()))
    found = Columns()
    for name, values in zip(head, zip(*rows, strict=True), strict=True):
        grade = name in {g.name for g in GRADES}
        found[name] = np.array(values, object if grade else np.float64)
    return found


def _text() -> bytes:
    packed = files("diamond_pricing.stones").joinpath("data/catalog.csv.xz").read_bytes()
    try:
        text = lzma.decompress(packed)
    except lzma.LZMAError as error:
        raise DocumentError("the packaged sales are damaged; install again.") from error
    if hashlib.sha256(text).hexdigest() != SHA256:
        raise DocumentError("the packaged sales differ from their hash; install again.")
    return text
