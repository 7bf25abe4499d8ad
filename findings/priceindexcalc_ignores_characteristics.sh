#!/bin/sh
# PriceIndexCalc 0.7 (pandas 1.5.3): time_dummy is not hedonic; it ignores its characteristics.
#
# The docstring promises a time dummy hedonic index where characteristics are given and a time
# product dummy index where they are not. The argument is read nowhere: both are the second.
# Here diamonds cost 1.7 times their weight in logs and 10 % more in the second month, in which
# lighter ones are sold; of what is sold in both months one stone is dearer by 30 %. A hedonic
# index is 1.10. Both calls say what that one stone did.
# Seen: 1.30 with characteristics, 1.30 without; least squares by numpy 1.10.
# Exits with 0 while that is so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet PriceIndexCalc==0.7 pandas==1.5.3 numpy==1.26.4 \
  scipy==1.11.4 statsmodels==0.14.0 scikit-learn==1.3.2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import pandas as pd
from PriceIndexCalc.pandas_modules.multilateral import time_dummy

rng = np.random.default_rng(0)
rows = []
for month, (carats, level) in enumerate(((rng.uniform(0.9, 2, 200), 1.0),
                                         (rng.uniform(0.3, 1.2, 200), 1.1)), 1):
    for i, carat in enumerate(carats):
        rows.append((f"2026-0{month}", f"{month}-{i}", carat, 5000 * carat**1.7 * level))
rows += [("2026-01", "both", 1.0, 5000.0), ("2026-02", "both", 1.0, 6500.0)]
sales = pd.DataFrame(rows, columns=["month", "id", "carat", "price"])
sales = sales.assign(quantity=1, log_carat=np.log(sales["carat"]), weights=1.0)
told = [
    float(time_dummy(sales.copy(), characteristics=given).iloc[1])
    for given in (["log_carat"], None)
]
X = np.column_stack([np.ones(len(sales)), sales["log_carat"], sales["month"] == "2026-02"])
hedonic = float(np.exp(np.linalg.lstsq(X, np.log(sales["price"]), rcond=None)[0][2]))
print([round(v, 2) for v in told], round(hedonic, 2))
assert abs(told[0] - told[1]) < 1e-9 and abs(told[0] - 1.3) < 0.01, "it has changed"
assert abs(hedonic - 1.1) < 0.01
PYTHON
