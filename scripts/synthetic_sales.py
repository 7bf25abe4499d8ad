"""Make as many sales as are wanted, like the packaged ones, as one Parquet file.

    python scripts/synthetic_sales.py 5400000 sales.parquet
    python scripts/synthetic_sales.py 5400000 worst.parquet --independent

Each sale is one of the packaged ones drawn at random, its weight, sides, depth, table and
price moved a little, so that rows are hardly ever the same twice while the joint distribution
stays. With ``--independent`` every attribute is drawn from another sale and priced by the
packaged model: there are then as many combinations as there can be, the worst case for a
method that counts them.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from diamond_pricing import Stones, load_sales, packaged_model
from diamond_pricing.stones import ATTRIBUTES

CHUNK = 1_000_000
NOISE = 0.05  # standard deviation of log price that is added
GRADED = ("cut", "color", "clarity")
COLUMNS = ("carat", *GRADED, "depth", "table", "x", "y", "z", "price")


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--independent", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    frame = load_sales()
    stones = Stones.from_frame(frame)
    whole = np.all([stones.known(name) for name in ("depth", "table", "x", "y", "z")], axis=0)
    sold = {name: stones[name][whole] for name in COLUMNS[:-1]}
    sold["price"] = frame["price"].to_numpy(float)[whole]
    started, writer = time.time(), None
    for start in range(0, given.rows, CHUNK):
        n = min(CHUNK, given.rows - start)
        rng = np.random.default_rng([given.seed, start // CHUNK])
        drawn = (_independent if given.independent else _moved)(sold, n, rng)
        table = _table(drawn)
        writer = writer or pq.ParquetWriter(given.out, table.schema, compression="snappy")
        writer.write_table(table)
    assert writer is not None
    writer.close()
    size = given.out.stat().st_size / 1e9
    print(f"{given.rows:,} sales, {size:.2f} GB, {time.time() - started:.0f} s")


def _moved(sold: dict[str, Any], n: int, rng: np.random.Generator) -> dict[str, Any]:
    """Draw sales and move their numbers a little."""
    row = rng.integers(0, len(sold["price"]), n)
    drawn = {name: column[row] for name, column in sold.items()}
    return _sized(drawn, rng) | {
        "price": np.rint(drawn["price"] * np.exp(NOISE * rng.standard_normal(n, np.float32)))
    }


def _sized(drawn: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Give the stones sides of their own that agree with weight and depth."""
    n = len(drawn["carat"])
    heavier = rng.integers(0, 2, n) * (rng.random(n, np.float32) < 0.5)
    carat = np.round(drawn["carat"] + 0.01 * heavier, 2)
    grown = np.cbrt(carat / drawn["carat"])
    x, y = (
        np.round(drawn[side] * grown * (1 + 0.002 * rng.standard_normal(n, np.float32)), 2)
        for side in ("x", "y")
    )
    depth = np.round(drawn["depth"] + 0.1 * rng.integers(-1, 2, n), 1)
    table = np.round(drawn["table"] + 0.5 * rng.integers(-1, 2, n), 1)
    z = np.round(depth / 200 * (x + y) * (1 + 0.002 * rng.standard_normal(n, np.float32)), 2)
    return drawn | {"carat": carat, "x": x, "y": y, "z": z, "depth": depth, "table": table}


def _independent(sold: dict[str, Any], n: int, rng: np.random.Generator) -> dict[str, Any]:
    """Draw every attribute from a sale of its own."""
    drawn = {name: column[rng.integers(0, len(column), n)] for name, column in sold.items()}
    across = np.cbrt(drawn["carat"] / (0.00613 * drawn["depth"] / 100))
    wide = 1 + 0.01 * rng.standard_normal((2, n), np.float32)
    drawn["x"], drawn["y"] = (np.round(across * w, 2) for w in wide)
    drawn["z"] = np.round(drawn["depth"] / 200 * (drawn["x"] + drawn["y"]), 2)
    labels = {name: np.array(ATTRIBUTES[name].grades)[drawn[name]] for name in GRADED}
    stones = Stones.from_frame(pa.table(drawn | labels).drop_columns(["price"]).to_pandas())
    log_price = packaged_model().log_price(stones, extrapolate=True)
    noise = 0.1 * rng.standard_normal(n, np.float32)
    return drawn | {"price": np.maximum(np.rint(np.exp(log_price + noise)), 1.0)}


def _table(drawn: dict[str, Any]) -> pa.Table:
    columns = []
    for name in COLUMNS:
        if name in GRADED:
            codes = pa.array(drawn[name].astype(np.int8))
            grades = pa.array(ATTRIBUTES[name].grades)
            columns.append(pa.DictionaryArray.from_arrays(codes, grades))
        else:
            kind = np.int32 if name == "price" else float
            columns.append(pa.array(drawn[name].astype(kind)))
    return pa.table(columns, names=list(COLUMNS))


if __name__ == "__main__":
    main()
