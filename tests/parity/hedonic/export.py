"""The dated sales that R is given: packaged ones, moved along a drawn path of prices.

python -m tests.parity.hedonic.export
Rscript tests/parity/hedonic/reference.R tests/parity/hedonic tests/parity/hedonic
"""

from pathlib import Path

import numpy as np
import pandas as pd

from diamond_pricing import load_sales

FOLDER = Path(__file__).parent
SEED, SALES, MONTHS, THIN = 31, 700, 12, 4
WINDOWS = (2, 5, 6)


def dated() -> pd.DataFrame:
    """700 sales over a year; in its fifth month there are four."""
    rng = np.random.default_rng(SEED)
    sales = load_sales()[["carat", "cut", "color", "clarity", "price"]]
    some = sales.iloc[rng.choice(len(sales), SALES, replace=False)].reset_index(drop=True)
    month = rng.integers(0, MONTHS, SALES)
    thin = np.flatnonzero(month == THIN)
    month[thin[4:]] = THIN + 1
    starts = pd.date_range("2025-03-01", periods=MONTHS, freq="MS")
    days = starts[month] + pd.to_timedelta(rng.integers(0, 28, SALES), unit="D")
    path = np.cumsum(rng.normal(0, 0.02, MONTHS))
    price = (some["price"] * np.exp(path[month])).round(2)
    return some.assign(sold=days.strftime("%Y-%m-%d"), price=price)


if __name__ == "__main__":
    dated().to_csv(FOLDER / "sales.csv", index=False)
