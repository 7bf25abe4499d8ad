#!/bin/sh
# DuckDB 2.0.0: a CSV file of stones of one color, F, comes back with the color false.
#
# The sniffer of read_csv tries BOOLEAN before text, and takes F and T for it. A stock list that
# was filtered to F has a column in which every cell is F; SELECT color FROM 'f.csv' gives the
# boolean false for each, and casting it to text gives "false", no grade any more. One E in the
# first rows makes the same column text again, so that it depends on the list.
# Seen: type BOOLEAN, value False, cast "false"; with an E beside it VARCHAR, "F".
# Exits with 0 while that is so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet duckdb==2.0.0
cd "$folder"
printf 'carat,color,clarity,price\n1.01,F,VS1,6100\n0.70,F,SI1,2300\n' >f.csv
printf 'carat,color,clarity,price\n1.01,F,VS1,6100\n0.70,E,SI1,2400\n' >ef.csv
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb

of_f = duckdb.sql("SELECT color, typeof(color), CAST(color AS VARCHAR) FROM 'f.csv' LIMIT 1")
mixed = duckdb.sql("SELECT color, typeof(color) FROM 'ef.csv' LIMIT 1")
found = (of_f.fetchall()[0], mixed.fetchall()[0])
print(found)
assert found == ((False, "BOOLEAN", "false"), ("F", "VARCHAR")), "it has changed"
PYTHON
