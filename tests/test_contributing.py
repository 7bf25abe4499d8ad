"""What CONTRIBUTING.md says of adding an attribute is enough, done to a copy of the package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from diamond_pricing import Stone, packaged_model
from diamond_pricing.warehouse import take_in, written_sales

PACKAGE = Path(__file__).resolve().parent.parent / "diamond_pricing"

ENTRIES = """
    Grade(
        "fluorescence", "Fluorescence",
        ("Very Strong", "Strong", "Medium", "Faint", "None"), "fluorescence",
        aliases=("fluor",),
    ),
    Measure("crown", "Crown angle", "°", 20, 50, "crown"),
"""

USE = r"""
import csv
from pathlib import Path

import numpy as np
import statsmodels.formula.api as smf
from diamond_pricing import PriceModel, Stone, Stones, load_sales, packaged_model
from diamond_pricing.cli import main
from diamond_pricing.fitting import fit, from_statsmodels
from diamond_pricing.warehouse import read_sales_file, take_in, written_sales

# Models that know nothing of the new attributes go on as they are.
plain = packaged_model()
assert plain.explain(Stone(1.01, "Ideal", "E", "VS1")).cents == CENTS
assert set(fit(load_sales().head(4000), "loglinear").lines) < set(plain.lines)

sales = load_sales().head(4000).copy()
rng = np.random.default_rng(0)
strength = np.array(["None", "Faint", "Strong"])[rng.integers(0, 3, len(sales))]
sales["crown"] = rng.uniform(30, 40, len(sales)).round(1)
sales["price"] *= np.where(strength == "Strong", 0.8, 1.0) * np.exp(0.02 * (sales["crown"] - 35))
sales["fluorescence"] = np.where(rng.random(len(sales)) < 0.1, None, strength)
formula = "np.log(price) ~ np.log(carat) + C(cut) + C(color) + C(clarity) + C(fluorescence) + crown"
model = from_statsmodels(smf.ols(formula, sales).fit())
assert PriceModel.from_json(model.to_json()) == model

stone = Stone(0.9, "Ideal", "E", "VS1", fluorescence="strong", crown=35.0)
lines = {line.name: line for line in model.explain(stone).lines}
none = Stone(0.9, "Ideal", "E", "VS1", fluorescence="None", crown=35.0)
(step,) = [x for x in model.compare(none, stone).lines if x.name == "fluorescence"]
assert abs(step.factor - 0.8) < 0.02, step
assert step.note == "Strong rather than None"
assert lines["crown"].note == "35 °", lines["crown"]
silent = model.explain(Stone(0.9, "Ideal", "E", "VS1"))
assert sum(line.cents for line in silent.lines) == silent.cents
average = {line.name: line for line in silent.lines}["fluorescence"]
assert average.note == "not given: averaged over Ideal stones of about 0.90 ct", average
dearest, cheapest = (model.explain(s).cents for s in (none, stone))
assert cheapest < silent.cents < dearest

frame = sales[["carat", "cut", "color", "clarity"]].assign(Fluor=sales["fluorescence"])
read = Stones.from_frame(frame)
assert (read["fluorescence"] < 0).sum() == sales["fluorescence"].isna().sum()
assert (model.itemise(read).sum(axis=1) > 0).all()
Path("model.json").write_text(model.to_json())

# Files of others are read by it, and sales that were kept before it was known.
head = "carat,cut,color,clarity,price,Fluor,Crown (°),Polish\n"
intake = take_in("a.csv", (head + "1,Ideal,E,VS1,5000,faint,34.5,EX\n1,Ideal,E,VS1,6000,Blue,34,EX\n").encode())
assert intake.sales[["fluorescence", "crown", "other:Polish"]].values.tolist() == [["Faint", 34.5, "EX"]]
assert intake.quarantined[0].field == "fluorescence"
assert read_sales_file(written_sales(intake.sales, "a")).fluorescence.tolist() == ["Faint"]
old = read_sales_file(Path("old.parquet").read_bytes())
assert old.fluorescence.dropna().tolist() == ["Strong"], old
assert old.crown.isna().all()
Path("s.csv").write_text("carat,cut,color,clarity,Fluor\n0.9,Ideal,E,VS1,\n0.9,Ideal,E,VS1,None\n0.9,Ideal,E,VS1,Blue\n")
for words, refused in ((["--model", "model.json"], 1), ([], 0)):  # and by one that knows none
    assert main(["score", "s.csv", "p.csv", *words]) == 0
    with open("p.csv") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["status"] == "refused" for row in rows) == refused, rows
assert rows[0]["price_cents"] == rows[1]["price_cents"] == rows[2]["price_cents"]
assert main(["export-sql", "--dialect", "duckdb", "--out", "p.sql"]) == 0
none = take_in("a.csv", (head + "1,Ideal,E,VS1,5000,None,34.5,EX\n1,Ideal,E,VS1,6000,,34,EX\n").encode())
assert none.sales["fluorescence"][0] == "None", none.sales
assert none.sales["fluorescence"].isna().tolist() == [False, True], none.sales
assert not none.quarantined
words = "explain --carat 0.9 --cut Ideal --color E --clarity VS1 --fluor faint --crown 35"
assert main([*words.split(), "--model", "model.json"]) == 0
"""


def test_an_attribute_is_added_by_one_entry_and_one_field(tmp_path):
    cents = packaged_model().explain(Stone(1.01, "Ideal", "E", "VS1")).cents
    shutil.copytree(PACKAGE, tmp_path / "diamond_pricing")
    table = tmp_path / "diamond_pricing" / "stones" / "attributes.py"
    before = "    # Not of the stone but of its sale"
    table.write_text(table.read_text().replace(before, ENTRIES + before))
    stone = tmp_path / "diamond_pricing" / "stones" / "stone.py"
    fields = "    fluorescence: str | None = None\n    crown: float | None = None\n"
    last = "    z: float | None = None\n"
    stone.write_text(stone.read_text().replace(last, last + fields, 1))
    before = b"carat,cut,color,clarity,price,Fluor\n1,Ideal,E,VS1,5000,strong\n1,Ideal,E,VS1,6000,?\n"
    kept = take_in("a.csv", before).sales
    (tmp_path / "old.parquet").write_bytes(written_sales(kept, "a"))
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE.replace("CENTS", str(cents))],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert "Fluorescence: Faint " in answer.stdout
