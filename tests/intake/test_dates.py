"""Dates of sale in the forms that files have."""

from datetime import date, timedelta

import pytest

from diamond_pricing.cli import main
from diamond_pricing.errors import RejectedFileError
from diamond_pricing.intake import Source, take_in
from diamond_pricing.intake.dates import DAY_FIRST, MONTH_FIRST, day_in, order_of

DAY = date(2026, 9, 30)


@pytest.mark.parametrize(
    "text",
    [
        "2026-09-30",
        "2026/09/30",
        "2026-09-30T10:15:00Z",
        "20260930",
        "30/09/2026",
        "30.9.2026",
        "9/30/2026",
        "30-Sep-2026",
        "Sep 30, 2026",
        "30 septembre 2026",
        "30. September 2026",
        "September 30th 2026",
        "30 settembre 2026",
        "46295",
        "mercredi 30 septembre 2026",
        "46295.5",
        "30/09/2026 14:30",
    ],
)
def test_a_date_is_read_in_any_form(text):
    assert day_in(text) == DAY.toordinal()


@pytest.mark.parametrize(
    "text", ["06/01/2026", "15/Jan/26", "1/2/26", "31/02/2026", "", "soon"]
)
def test_what_may_be_two_days_or_none_is_not_guessed(text):
    assert day_in(text) is None


def test_a_day_of_the_week_is_no_month():
    assert day_in("mardi 29 septembre 2026") == DAY.toordinal() - 1
    assert day_in("martedì 29 settembre 2026") == DAY.toordinal() - 1


def test_an_order_is_told_by_all_dates():
    assert order_of(["06/01/2026", "13/01/2026", ""]) == DAY_FIRST
    assert order_of(["06/01/2026", "1/13/2026"]) == MONTH_FIRST
    assert order_of(["2026-01-06", "05/05/2026"]) == ""
    assert order_of(["06/01/2026", "05/02/2026"]) is None
    assert order_of(["15/Jan/26", "16/Jan/26"]) is None
    assert day_in("06/01/2026", DAY_FIRST) == date(2026, 1, 6).toordinal()
    assert day_in("06/01/26", MONTH_FIRST) == date(2026, 6, 1).toordinal()
    assert day_in("15/Jan/26", DAY_FIRST) == date(2026, 1, 15).toordinal()


def listed(*days):
    text = "carat,cut,color,clarity,price,Sale date\n"
    for i, day in enumerate(days):
        text += f"1.0{i % 9},Ideal,E,VS1,{6200 + i},{day}\n"
    return text.encode()


def sold(*days, **source):
    sales = take_in("a.csv", listed(*days), Source(**source), currency="USD").sales
    return [None if d != d else date.fromordinal(int(d)).isoformat() for d in sales["sold"]]


def test_a_column_of_dates_is_read_as_one():
    assert sold("06/01/2026", "13/01/2026", "") == ["2026-01-06", "2026-01-13", None]
    declared = {"columns": {"sold": "Sale date"}, "dates": "month first"}
    assert sold("06/01/2026", "07/01/2026", **declared) == ["2026-06-01", "2026-07-01"]
    with pytest.raises(
        RejectedFileError, match="the dates of 'Sale date' may be read in two ways"
    ):
        sold("06/01/2026", "07/01/2026", columns={"sold": "Sale date"})


def test_days_that_may_be_months_are_asked_about(tmp_path, capsys):
    (tmp_path / "a.csv").write_bytes(listed("06/01/2026", "07/02/2026"))
    assert main(["inspect", str(tmp_path / "a.csv")]) == 0
    told = capsys.readouterr()
    assert "sold" not in told.out
    assert (
        "the dates of 'Sale date' may be read in two ways and are not read: declare" in told.err
    )


def test_a_date_in_the_future_sets_its_row_aside():
    late = (date.today() + timedelta(days=400)).isoformat()
    intake = take_in("a.csv", listed("2026-01-06", late), Source(), currency="USD")
    assert len(intake.sales) == 1
    assert "lies in the future" in intake.quarantined[0].reason


def test_dates_that_are_not_read_are_told_where_a_model_is_fitted(catalog, tmp_path, capsys):
    some = catalog.head(120)[["carat", "cut", "color", "clarity", "price"]]
    days = ["2026-01-06"] * 117 + ["soon", "2025-02-30", ""]
    some.assign(date=days).to_csv(tmp_path / "a.csv", index=False)
    words = ["fit", "--family", "loglinear", "--data", str(tmp_path / "a.csv")]
    assert main([*words, "--out", str(tmp_path / "m.json")]) == 0
    assert (
        "2 dates of 'date' cannot be read, or can be none of a sale" in capsys.readouterr().err
    )
    some.assign(date="15/Jan/26").to_csv(tmp_path / "a.csv", index=False)
    assert main([*words, "--out", str(tmp_path / "m.json")]) == 0
    assert "the dates of 'date' may be read in two ways" in capsys.readouterr().err
