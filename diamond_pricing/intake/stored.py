"""Accepted sales as a Parquet file whose bytes depend on nothing but its content."""

import io
from typing import TYPE_CHECKING

import numpy as np

from diamond_pricing.errors import StoneError
from diamond_pricing.intake.headers import understood
from diamond_pricing.stones import GRADES, MEASURES, OTHERS, Attribute, Measure
from diamond_pricing.stones.keys import IDENTITY

OTHER = "other:"  # before the name of a column that was kept as text

if TYPE_CHECKING:
    import pandas as pd


def written_sales(sales: "pd.DataFrame", source: str) -> bytes:
    """Write sales; the source of each stands beside it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {m.name: pa.float64() for m in MEASURES} | {g.name: pa.string() for g in GRADES}
    for other in OTHERS:
        if other.name in sales:
            kinds[other.name] = pa.float64() if isinstance(other, Measure) else pa.string()
    kinds |= {"price": pa.float64(), "row": pa.int64(), "source": pa.string()}
    if IDENTITY in sales:
        kinds[IDENTITY] = pa.string()
    texts = sorted(name for name in sales.columns if str(name).startswith(OTHER))
    kinds |= dict.fromkeys(texts, pa.string())
    sales = sales.assign(source=source)
    columns = {n: pa.array(sales[n], kind, from_pandas=True) for n, kind in kinds.items()}
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target, compression="zstd", store_schema=False)
    return target.getvalue()


def read_sales_file(data: bytes) -> "pd.DataFrame":
    """Read sales that `written_sales` wrote.

    An attribute that the table of attributes did not know at that time is read from the
    column of the file that was kept as text, where there was one and it can be read.
    """
    import pyarrow.parquet as pq

    frame: pd.DataFrame = pq.read_table(io.BytesIO(data)).to_pandas()
    kept = {
        understood(c.removeprefix(OTHER)): c for c in map(str, frame) if c.startswith(OTHER)
    }
    further = [other for other in OTHERS if (other.name, "", "") in kept]
    for attribute in (*MEASURES, *GRADES, *further):
        if attribute.name not in frame:
            column = kept.get((attribute.name, "", ""))
            texts = frame[column].tolist() if column else [None] * len(frame)
            known = {text: _parsed(attribute, text) for text in set(texts)}
            kind = float if isinstance(attribute, Measure) else object
            frame[attribute.name] = np.array([known[text] for text in texts], kind)
    return frame


def _parsed(attribute: Attribute, text: str | None) -> float | str | None:
    try:
        return attribute.parse(text) if text else None
    except StoneError:
        return None
