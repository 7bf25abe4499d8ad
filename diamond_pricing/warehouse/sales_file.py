"""Accepted sales as a Parquet file whose bytes depend on nothing but its content."""

import io
from typing import TYPE_CHECKING

from diamond_pricing.stones import GRADES, MEASURES

if TYPE_CHECKING:
    import pandas as pd


def written_sales(sales: "pd.DataFrame", source: str) -> bytes:
    """Write sales; the source of each stands beside it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    others = sorted(name for name in sales.columns if str(name).startswith("other:"))
    columns = {
        m.name: pa.array(sales[m.name], pa.float64(), from_pandas=True) for m in MEASURES
    }
    columns |= {g.name: pa.array(sales[g.name], pa.string(), from_pandas=True) for g in GRADES}
    columns |= {
        "price": pa.array(sales["price"], pa.float64()),
        "row": pa.array(sales["row"], pa.int64()),
        "source": pa.array([source] * len(sales), pa.string()),
    }
    columns |= {name: pa.array(sales[name], pa.string(), from_pandas=True) for name in others}
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target, compression="zstd", store_schema=False)
    return target.getvalue()


def read_sales_file(data: bytes) -> "pd.DataFrame":
    """Read sales that `written_sales` wrote."""
    import pyarrow.parquet as pq

    frame: pd.DataFrame = pq.read_table(io.BytesIO(data)).to_pandas()
    return frame
