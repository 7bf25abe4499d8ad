#!/bin/sh
# pandas 3.1.1: read_csv takes fluorescence "None", the grade of most stones, for a missing cell.
#
# "None" is among the words that read_csv turns into NaN unless it is called with
# keep_default_na=False. Grading reports write None for a stone without fluorescence, so that
# the commonest grade of the column is gone, and a model fitted to the frame sees stones of
# which nothing is said in place of stones that do not fluoresce. Polars 2.1.0 keeps the word.
# Seen: pandas 2 of 3 missing, polars none.
# Exits with 0 while that is so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pandas==3.1.1 polars==2.1.0
cd "$folder"
printf 'carat,fluorescence,price\n1.01,None,6100\n0.70,Faint,2300\n0.90,None,4000\n' >stones.csv
"$folder/venv/bin/python" - <<'PYTHON'
import pandas as pd
import polars as pl

gone = int(pd.read_csv("stones.csv")["fluorescence"].isna().sum())
kept = pl.read_csv("stones.csv")["fluorescence"].null_count()
print(gone, kept)
assert (gone, kept) == (2, 0), "it has changed"
PYTHON
