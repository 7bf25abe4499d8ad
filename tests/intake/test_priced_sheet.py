"""A stock list comes back as it was, with prices behind its own columns."""

import csv
import io

import openpyxl
import pytest

from diamond_pricing import Stone
from diamond_pricing.errors import RejectedFileError
from diamond_pricing.intake.priced_sheet import XLSX, priced_sheet
from diamond_pricing.model.words import ITALIAN

HEADER = ["Stock #", "Carat", "Color", "Clarity", "Cut", "Location"]
ROWS = [
    ["0017", 1.01, "E", "VS1", "Ideal", "Milan"],
    ["0018", 0.5, "G", "SI1", "Good", "Rome"],
    ["0019", 9.5, "E", "VS1", "Ideal", "Milan"],
]


def workbook() -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    page.append(["Stock of Monday"])
    page.append([])
    page.append(HEADER)
    for row in ROWS:
        page.append(row)
    page["B4"].number_format = "0.00"
    page.column_dimensions["A"].width = 31
    book.create_sheet("Notes").append(["kept"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_workbook_keeps_its_cells_and_gains_the_prices(packaged):
    made = priced_sheet("stock.xlsx", workbook(), packaged)
    assert (made.rows, made.priced, made.media) == (3, 2, XLSX)
    assert made.name == "stock-priced.xlsx"
    assert made.refused == {"weight_outside_range": 1}
    assert made.unread == ["Stock #", "Location"]
    assert ("Cut", "cut") in made.columns
    book = openpyxl.load_workbook(io.BytesIO(made.data))
    assert book["Notes"]["A1"].value == "kept"
    page = book.worksheets[0]
    assert page["A1"].value == "Stock of Monday"
    assert page["B4"].number_format == "0.00"
    assert page.column_dimensions["A"].width == 31
    rows = [list(row) for row in page.iter_rows(min_row=3, values_only=True)]
    assert [row[: len(HEADER)] for row in rows] == [HEADER, *ROWS]
    at = {str(name).partition(" (")[0]: i for i, name in enumerate(rows[0])}
    assert rows[0][at["Estimate"]] == f"Estimate (USD, 2008, {packaged.sha256[:12]})"
    for given, row in zip(ROWS[:2], rows[1:], strict=False):
        why = packaged.explain(Stone(given[1], given[4], given[2], given[3]))
        assert row[at["Estimate"]] == why.cents / 100
        assert [row[at["Low"]], row[at["High"]]] == pytest.approx(why.range(), abs=0.006)
        lines = [value for name, i in at.items() if ": " in str(name) for value in [row[i]]]
        assert round(sum(lines) * 100) == why.cents
        assert row[at["Estimate: clarity"]] == next(
            line.cents / 100 for line in why.lines if line.name == "clarity"
        )
    assert rows[3][at["Estimate"]] is None
    assert rows[3][at["Verdict"]] == "no price"
    assert "carat" in rows[3][at["Reason"]]


def test_csv_stays_csv_with_its_delimiter_and_decimal_sign(packaged):
    text = "Stima;Peso;Colore;Purezza;Taglio\nA1;1,01;E;VS1;Ideal\nA2;0,5;G;SI1;Good\n"
    made = priced_sheet("stock.csv", text.encode(), packaged, words=ITALIAN)
    header, first, _ = csv.reader(io.StringIO(made.data.decode("utf-8-sig")), delimiter=";")
    assert header[:5] == ["Stima", "Peso", "Colore", "Purezza", "Taglio"]
    assert header[5].startswith("Stima * (USD, 2008"), "the list has a column of that name"
    assert first[:5] == ["A1", "1,01", "E", "VS1", "Ideal"]
    cents = packaged.explain(Stone(1.01, "Ideal", "E", "VS1")).cents
    assert first[5] == f"{cents / 100:.2f}".replace(".", ",")
    assert made.total == sum(
        packaged.explain(s).cents
        for s in (Stone(1.01, "Ideal", "E", "VS1"), Stone(0.5, "Good", "G", "SI1"))
    )


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", b"Carat,Color\n1,E\n", "no column for"),
        ("a.csv", b"Carat,Color,Clarity\n1,E,VS1\n", "no column for cut"),
        ("a.xlsx", b"PK\x03\x04 broken", "cut off or damaged"),
        ("a.csv", b"%PDF-1.7", "is a PDF"),
        ("a.csv", b"Carat,Color,Clarity,Cut\n" + b"1,E,VS1,Ideal\n" * 4, "at most 3"),
    ],
)
def test_what_is_no_stock_list_is_refused(packaged, name, data, said):
    with pytest.raises(RejectedFileError, match=said):
        priced_sheet(name, data, packaged, most=3)


def test_titles_above_the_header_of_a_text_file_are_kept(packaged):
    data = b"Stock of Monday\nin Milan;and Rome\nCarat;Color;Clarity;Cut\n1,01;E;VS1;Ideal\n"
    made = priced_sheet("stock.csv", data, packaged)
    rows = list(csv.reader(io.StringIO(made.data.decode("utf-8-sig")), delimiter=";"))
    assert rows[:2] == [["Stock of Monday"], ["in Milan", "and Rome"]]
    assert rows[2][:5] == ["Carat", "Color", "Clarity", "Cut", rows[2][4]]
    assert rows[2][4].startswith("Estimate (USD, 2008")
    assert rows[3][:4] == ["1,01", "E", "VS1", "Ideal"]


def test_totals_are_no_stones_and_stones_are_called_by_their_number(packaged):
    data = "Stock #,Carat,Color,Clarity,Cut,Memo\n17,1.01,E,VS1,Ideal,\n18,9.5,E,VS1,Ideal,\n"
    made = priced_sheet("stock.csv", f"{data}Total,10.51,,,,\n".encode(), packaged)
    assert (made.rows, made.priced) == (2, 1)
    assert made.refused == {"weight_outside_range": 1}
    assert [cells[0] for cells in made.given] == ["17", "18", "Total"]
    last = list(csv.reader(io.StringIO(made.data.decode("utf-8-sig"))))[-1]
    assert last[:2] == ["Total", "10.51"]
    assert not any(last[2:])
