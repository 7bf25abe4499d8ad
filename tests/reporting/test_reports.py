"""Every report, rendered on few real sales, says what the model and the data say."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader

from diamond_pricing import PriceModel, Stone
from diamond_pricing.cli import main
from diamond_pricing.errors import ReportError
from diamond_pricing.fitting import fit
from diamond_pricing.model.money import written
from diamond_pricing.model.words import ITALIAN
from diamond_pricing.reporting import Inputs
from diamond_pricing.reporting.inputs import samples
from diamond_pricing.stones import Stones, stone_keys
from tests.conftest import MEASURES

STONE = ("--stone", "0.5 Ideal G VS2")


@pytest.fixture(scope="module")
def some(sales, tmp_path_factory):
    """Sales of a few hundred stones as a file, two rows of which cannot be right."""
    frame = samples(sales, (950,))[0].drop(columns=["stone", "listing"])
    frame = frame.astype({"price": float})
    frame.loc[3, "price"] = -1.0
    frame.loc[4, "x"] = 0.0
    file = tmp_path_factory.mktemp("data") / "stones.csv"
    frame.to_csv(file, index=False)
    return file


@pytest.fixture
def report(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DIAMOND_PRICING_HOME", raising=False)

    def run(*words, code=0):
        assert main(["report", *map(str, words), "--out", str(tmp_path / "out")]) == code
        done = capsys.readouterr()
        return tmp_path / "out", done

    return run


def text_of(pdf):
    return " ".join(" ".join(p.extract_text() for p in PdfReader(pdf).pages).split())


@pytest.mark.parametrize("language", ["en", "it"])
def test_a_quote_is_the_clients_sheet_of_the_house(
    report, packaged, tmp_path, language, sales, monkeypatch
):
    stone = "0.70 very good G VS2 depth=61.5 x=5.71 y=5.74"
    out, done = report(
        "quote",
        "--stone",
        stone,
        "--language",
        language,
        "--client",
        "Maria Bianchi",
        "--report-number",
        "GIA 7",
        "--json",
    )
    stem = "quote" if language == "en" else "quote.it"
    names = {Path(f).name for f in json.loads(done.out)["files"]}
    assert names == {f"{stem}.html", f"{stem}.pdf"}
    assert len(PdfReader(out / f"{stem}.pdf").pages) == 1
    text = text_of(out / f"{stem}.pdf").replace(" ", "")
    page = (out / f"{stem}.html").read_text()
    why = packaged.explain(Stone.parse(stone))
    for line in why.lines:
        amount = (
            written(line.cents, "USD", sign=line.name != "reference")
            if language == "en"
            else ITALIAN.amount(line.cents, "USD", sign=line.name != "reference")
        )
        assert amount.replace(" ", "") in text, line.name
        assert amount in page, line.name
    assert packaged.sha256[:12] in text
    assert "MariaBianchi" in text
    assert "GIA7" in text
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?/""", page), "it asks nobody"
    told = (
        ("fluorescence", "laboratory") if language == "en" else ("fluorescenza", "laboratorio")
    )
    assert all(word in text for word in told)


def test_a_price_list_comes_with_its_figures(report, packaged, some):
    out, _ = report("price_list", "--cut", "premium", "--data", some, "--to", "html")
    cells = pd.read_csv(out / "price_list.csv")
    row = cells[cells["price"].notna()].iloc[40]
    why = packaged.explain(Stone(row["carat"], "Premium", row["color"], row["clarity"]))
    assert row["price"] == why.price
    page = (out / "price_list.html").read_text()
    ends = f"{row['low_per_carat']:,.0f}–{row['high_per_carat']:,.0f}"
    cell = f"{row['per_carat']:,.0f}<br />{ends}<br />{row['support']:,} seen"
    assert cell in " ".join(page.split()).replace("<br /> ", "<br />")
    assert (out / "price_list.xlsx").stat().st_size > 5_000


def test_an_audit_lists_what_was_planted_and_what_has_no_price(
    report, some, tmp_path, packaged
):
    frame = pd.read_csv(some)
    fine = packaged.supports(Stones.from_frame(frame)) & (frame["price"] > 0)
    rows = np.flatnonzero(fine)[[20, 300, 600]]
    frame.loc[rows, "price"] *= np.array([3.0, 1 / 3, 3.0])
    spoiled = tmp_path / "spoiled.csv"
    frame.to_csv(spoiled, index=False)
    out, _ = report("inventory_audit", "--data", spoiled, "--to", "html,ipynb")
    listed = pd.read_csv(out / "inventory_audit.csv")
    assert set(rows + 2) <= set(listed["row"])  # as lines of the file, the header first
    assert pd.api.types.is_integer_dtype(listed["difference_USD"])
    assert (
        listed["price_USD"] - listed["expected_USD"] - listed["difference_USD"]
    ).abs().max() < 2
    page = (out / "inventory_audit.html").read_text()
    assert "price must be positive" in page
    assert "too few to fit a model to" in page


def test_a_model_card_says_which_model_and_how_it_was_tried(report, some, packaged):
    out, _ = report("model_card", "--data", some, "--to", "html")
    page = " ".join((out / "model_card.html").read_text().split())
    assert packaged.sha256[:12] in page
    assert f"{packaged.certificate.compared:,}" in page
    assert "nan" not in re.sub(r"<[^>]*>|data:[^\"']*", "", page).casefold().split()


def test_the_development_runs_on_any_sales(report, some, tmp_path):
    plain = tmp_path / "plain.csv"  # fitted in a third of the time
    pd.read_csv(some).drop(columns=MEASURES).to_csv(plain, index=False)
    out, _ = report("model_development", "--data", plain, "--to", "html")
    page = (out / "model_development.html").read_text()
    for name in ("OLS: log carat", "additive (pyGAM)", "default", "CatBoost"):
        assert name in page
    assert page.count("<figure") >= 6


def test_a_refit_is_told_from_its_home(report, some, tmp_path):
    inbox, home = tmp_path / "inbox", tmp_path / "home"
    inbox.mkdir()
    home.mkdir()
    (home / "home.toml").write_text('effective = "2008"\n')
    frame = pd.read_csv(some)
    frame = frame[frame["price"] > 0].drop(columns=MEASURES)
    keys = stone_keys(Stones.from_frame(frame))
    frame[keys % 4 > 0].to_csv(inbox / "first.csv", index=False)
    assert main(["refit", "--inbox", str(inbox), "--home", str(home)]) == 0
    out, _ = report("refit", "--home", home, "--to", "html")
    page = (out / "refit.html").read_text()
    assert "This is the first model of the home" in page
    frame[keys % 4 == 0].to_csv(inbox / "more.csv", index=False)
    assert main(["refit", "--inbox", str(inbox), "--home", str(home), "--force", "a test"]) == 0
    report("refit", "--home", home, "--to", "html")
    page = (out / "refit.html").read_text()
    assert "more.csv" in page
    # The table is of the very sales that the gates judged.
    said = re.search(r"The typical error is ([\d.]+) %, the champion.{1,6}s ([\d.]+) %", page)
    table = re.findall(r"(champion|candidate) \w{12}</td>\s*<td[^>]*>([\d.]+)<", page)
    found = {role: float(value) for role, value in table}
    assert [100 * found["candidate"], 100 * found["champion"]] == pytest.approx(
        [float(value) for value in said.groups()], abs=0.006
    )
    assert "champion" in page
    assert page.count("<figure") == 3
    log = json.loads(_shown(main, ["registry", "list", "--home", str(home), "--json"]))
    assert log[-1]["active"][:12] in page
    # A refit that took nothing in is told too.
    frame.assign(price=frame["price"] * 40).to_csv(inbox / "wrong.csv", index=False)
    assert main(["refit", "--inbox", str(inbox), "--home", str(home)]) == 12
    report("refit", "--home", home, "--to", "html")
    page = (out / "refit.html").read_text()
    assert "wrong.csv" in page
    assert "Nothing was fitted" in page
    report("refit", "--home", home, "--entry", "1", "--to", "html")
    assert "first.csv" in (out / "refit.html").read_text()
    # The active model of a home is what its other reports speak of.
    report("quote", "--home", home, "--stone", "0.5 Ideal G VS2", "--to", "html")
    page = (out / "quote.html").read_text()
    active = log[-1]["active"]
    assert active[:12] in page
    words = ["--carat", "0.5", "--cut", "Ideal", "--color", "G", "--clarity", "VS2"]
    (document,) = home.rglob(f"*{active[:12]}*.json")
    told = json.loads(_shown(main, ["explain", *words, "--model", str(document), "--json"]))
    assert written(told["cents"], "USD") in page


def _shown(run, words):
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as shown:
        assert run(words) == 0
    return shown.getvalue()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["refit"], "needs a home"),
        (["quote"], "needs --stone"),
        (["quote", *STONE, "--cut", "Ideal"], "the report quote takes no --cut"),
        (["model_card", "--stone", "1 Ideal E VS1"], "takes no --stone"),
        (["model_card", "--model", "nothing"], "no model 'nothing'"),
        (["quote", *STONE, "--model", "nothing"], "nothing: No such file"),
        (["quote", "--to", "docx"], "none of html, pdf, ipynb"),
        (["quote", "--stone", "1 Ideal"], "is not a stone"),
        (["quote", "--stone", "9 Ideal E VS1"], "outside what this model has seen"),
        (["price_list", "--cut", "Poor"], "cut Poor"),
        (["price_list", "--language", "it"], "in English alone"),
        (["nothing"], "model_development"),
        (["quote", *STONE, "--data", "missing.csv"], "does not exist"),
        (["quote", *STONE, "--to", "ipynb"], "written as html or pdf"),
        (["quote", *STONE, "--client", "x" * 200], "length"),
        (["refit", "--home", "missing"], "no home"),
    ],
)
def test_what_cannot_be_reported_is_one_clear_line(report, words, said):
    out, done = report(*words, code=2)
    assert said in done.err
    assert done.err.strip().count("\n") <= 1
    assert "Traceback" not in done.err
    assert not out.exists() or not list(out.iterdir())


def test_a_model_without_ranges_is_told_apart(report, some, tmp_path, sales):
    file = tmp_path / "plain.json"
    file.write_text(fit(sales, "loglinear").to_json())
    _, done = report("model_card", "--model", file, "--data", some, code=2)
    assert "states ranges" in done.err
    out, _ = report("quote", *STONE, "--model", file, "--to", "html")
    assert (
        PriceModel.from_json(file.read_text()).sha256[:12] in (out / "quote.html").read_text()
    )


def test_sales_in_other_money_are_no_comparables(report, some, tmp_path, sales):
    file = tmp_path / "euro.json"
    file.write_text(fit(sales, "gam", currency="EUR", effective="2026-05").to_json())
    out, _ = report("quote", *STONE, "--model", file, "--to", "html")
    page = (out / "quote.html").read_text()
    assert "euros of 2026-05" in page
    with pytest.raises(ReportError, match="US dollars of 2008"):
        _ = Inputs.read(model=str(file)).sales


def test_where_one_report_cannot_be_the_others_are_made(report, some, tmp_path):
    few = tmp_path / "few.csv"
    pd.read_csv(some).iloc[10:55].to_csv(few, index=False)
    out, done = report("all", *STONE, "--data", few, "--to", "html", code=2)
    assert "model_development: " in done.err
    assert "needs 600 sales" in done.err
    made = {file.name for file in out.iterdir()}
    assert {"inventory_audit.html", "price_list.html", "quote.html"} <= made


def test_an_installed_package_brings_its_reports():
    import tomllib

    root = Path(__file__).resolve().parents[2]
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    brought = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    sources = {f"reports/{f.name}" for f in (root / "reports").glob("*.qmd")}
    assert sources | {"docs/explanation/accuracy.json"} == set(brought)
    for target in brought.values():
        assert target.startswith("diamond_pricing/reporting/sources/")


def test_few_sales_are_priced_by_the_model_and_many_by_a_fit_of_their_own(
    some, sales, tmp_path
):
    few = Inputs.read(data=str(some))
    assert "too few" in few.priced.how
    assert {q.field for q in few.quarantined} >= {"duplicate", "price"}
    file = tmp_path / "many.csv"
    sales.drop(columns=["stone", "listing", *MEASURES]).to_csv(file, index=False)
    many = Inputs.read(data=str(file))
    model, unseen = many.trial
    keys = stone_keys(Stones.from_frame(pd.concat(many.parted)))
    split = len(many.parted[0])
    assert not set(keys[:split]) & set(keys[split:])
    assert split < len(keys) == len(many.frame)
    assert model.training.rows <= split
    assert len(unseen.sales) <= len(keys) - split
    assert "five folds by stone" in many.priced.how
    assert abs(np.median(many.priced.error)) < 0.02
