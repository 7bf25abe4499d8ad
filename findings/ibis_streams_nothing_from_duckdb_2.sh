#!/bin/sh
# Ibis 12.0.0 with DuckDB 2.0.0: a table of sales can be fetched whole but not in batches.
#
# The extra "duckdb" of Ibis asks for duckdb>=0.10.3 without an upper end, so that the two are
# installed together. Table.to_pyarrow(), to_parquet() and to_csv() work, so that nothing looks
# wrong; Table.to_pyarrow_batches(), which the docs offer for what does not fit into memory,
# returns a reader whose first batch raises AttributeError: it calls fetch_record_batch, which
# connections of DuckDB 2 do not have any more. With DuckDB 1.5.6 the same batches come.
# Seen: ['whole', 'parquet', 'csv'] work, 'batches' raises AttributeError; with 1.5.6 it works.
# Exits with 0 while that is so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
cat >sales.csv <<'CSV'
carat,color,clarity,price
1.01,E,VS1,6100
0.70,G,SI1,2300
CSV
cat >try.py <<'PYTHON'
import sys

import ibis

sales = ibis.duckdb.connect().read_csv("sales.csv")
ways = {
    "whole": lambda: sales.to_pyarrow(),
    "parquet": lambda: sales.to_parquet("out.parquet"),
    "csv": lambda: sales.to_csv("out.csv"),
    "batches": lambda: list(sales.to_pyarrow_batches(chunk_size=1)),
}
found = {}
for name, way in ways.items():
    try:
        way()
        found[name] = "works"
    except Exception as error:
        found[name] = type(error).__name__
print(found)
wanted = dict.fromkeys(ways, "works") | {"batches": sys.argv[1]}
assert found == wanted, "it has changed"
PYTHON
for pair in '2.0.0 AttributeError' '1.5.6 works'; do
    set -- $pair
    "$folder/venv/bin/pip" install --quiet 'ibis-framework[duckdb]==12.0.0' "duckdb==$1"
    "$folder/venv/bin/python" try.py "$2"
done
