"""Stock lists and spreadsheets as the trade sends them."""

import gzip
import io
import json
import re
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest

from diamond_pricing import PriceModel, Stone
from diamond_pricing.cli import main
from diamond_pricing.errors import StoneError
from diamond_pricing.intake import RejectedFileError, Source, guessed, read_sheet, take_in
from diamond_pricing.warehouse.relation import opened
from diamond_pricing.warehouse.scoring import score

PLAIN = "carat,cut,color,clarity,price\n1.01,Ideal,E,VS1,7000\n0.5,Good,F,SI1,1400\n"


def taken(text, name="a.csv", currency="USD", **source):
    data = text.encode() if isinstance(text, str) else text
    return take_in(name, data, Source(**source), currency=currency)


def prices(text, **source):
    return taken(text, **source).sales["price"].tolist()


def test_titles_totals_and_a_second_header_are_no_stones():
    rows = "1,RD,1.50,E,VS1,EX,7000\n2,RD,1.51,F,VS2,VG,6100\n"
    head = "Sr.No,Shape,Carats,Color,Clarity,Cut,Price/Cts\n"
    text = "Result,,,,,,\n,,,,,,\n,,3.01,,,,20000\n" + head + rows
    intake = taken(text + head + "3,RD,0.30,D,IF,EX,3000\n,,,,,,\nTotal,,3.31,,,,\n")
    assert [(q.row, q.field) for q in intake.quarantined] == [(10, "total")]
    assert intake.sales["price"].tolist() == [10500.0, 9211.0, 900.0]
    assert intake.sales["cut"].tolist() == ["Excellent", "Very Good", "Excellent"]
    assert intake.sales["row"].tolist() == [5, 6, 8]


def spreadsheet(rows):
    book = openpyxl.Workbook()
    book.create_sheet("Notes").append(["written by hand"])
    for row in rows:
        book.active.append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


@pytest.mark.parametrize("form", ["xlsx", "csv.gz", "zip", "json"])
def test_one_table_in_other_forms(form):
    rows = [line.split(",") for line in PLAIN.splitlines()]
    plain = taken(PLAIN).sales
    if form == "xlsx":
        numbers = [[float(c) if c[0].isdigit() else c for c in row] for row in rows]
        data = spreadsheet(
            [["Stock of May"], [], *numbers, ["Total", None, None, None, 8400.0]]
        )
    elif form == "csv.gz":
        data = gzip.compress(PLAIN.encode())
    elif form == "json":
        data = json.dumps([dict(zip(rows[0], row, strict=True)) for row in rows[1:]]).encode()
    else:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("list.csv", PLAIN)
        data = target.getvalue()
    intake = taken(data, f"a.{form}")
    assert [q.field for q in intake.quarantined] == ["total"] * (form == "xlsx")
    for name in ("carat", "cut", "color", "clarity", "price"):
        assert intake.sales[name].tolist() == plain[name].tolist()


def test_an_archive_of_several_files_or_a_damaged_one_is_refused():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.csv", PLAIN)
        archive.writestr("b.csv", PLAIN)
    with pytest.raises(RejectedFileError, match="holds 2 files"):
        taken(target.getvalue(), "a.zip")
    with pytest.raises(RejectedFileError, match="cut off or damaged"):
        taken(gzip.compress(PLAIN.encode())[:-9], "a.csv.gz")
    with pytest.raises(RejectedFileError, match="damaged"):
        taken(b"PK\x03\x04 and no more", "a.xlsx")


def test_a_spreadsheet_that_unpacks_to_too_much_is_refused(monkeypatch):
    data = spreadsheet([line.split(",") for line in PLAIN.splitlines()])
    monkeypatch.setattr("diamond_pricing.intake.reading.LARGEST", len(data))
    with pytest.raises(RejectedFileError, match="unpacks to over"):
        taken(data, "a.xlsx")


@pytest.mark.parametrize(
    ("header", "cells", "price"),
    [
        ("Rap,Disc", ("10000,-46.2", "10000,-30"), 5380.0),
        ("RapRate,%Rap", ("10000,43.67", "10000,12"), 5633.0),
        ("Rap Price,Discount", ("10000,0.25", "10000,0.5"), 7500.0),
        ("PPC", ("6500", "7000"), 6500.0),
        ("$/ct,Total", ("6500,6500", "7000,7000"), 6500.0),
        ("price,price_per_carat", (",6500", "7000,7000"), 6500.0),
        ("Amount,Total", ("6500,6500", "7000,7000"), 6500.0),
        ("price,pricepercarat", ("Was: $7000Now: $6500,6500", "$7000,7000"), 6500.0),
        ("price", ("6500*", "7000"), 6500.0),
    ],
)
def test_a_price_in_other_words(header, cells, price):
    text = f"carat,cut,color,clarity,{header}\n"
    text += "".join(f"1.00,Ideal,E,VS1,{cell}\n" for cell in cells)
    intake = taken(text)
    assert intake.quarantined == []
    assert intake.sales["price"].iloc[0] == price


@pytest.mark.parametrize(
    ("header", "cell", "reason"),
    [
        ("price,price_per_carat", "6500,5000", "the price is 13000, by price per carat 10000"),
        ("price,Rap,Disc", "6500,10000,-10", "by list price per carat 18000"),
        ("price", "Was: $7000Now: $6500", "may be $7000 or $6500: declare"),
    ],
)
def test_a_row_that_says_two_prices_is_set_aside(header, cell, reason):
    first, _, rest = cell.partition(",")
    cell = first.replace("6500", "13000") if rest else cell
    good = {"price,price_per_carat": "7000,7000", "price,Rap,Disc": "9000,10000,-10"}
    text = (
        f"carat,cut,color,clarity,{header}\n2.00,Ideal,E,VS1,{cell}{',' * bool(rest)}{rest}\n"
    )
    text += f"1.00,Ideal,E,VS1,{good[header]}\n" if rest else ""
    (aside,) = taken(text).quarantined
    assert reason in aside.reason


def test_signs_behind_grades_are_dropped_and_said(tmp_path, capsys):
    text = "Shape,Weight,DispColor,DispClarity,Cut,Amount\n"
    text += (
        "RD,1.5,F+,VS1-,EX,9000\nRD,1.51,G,VS2,EX+,8000\nRD,1.52,D -,VVS2 +,IdealIdeal,11000\n"
    )
    sales = taken(text).sales
    assert sales["color"].tolist() == ["F", "G", "D"]
    assert sales["clarity"].tolist() == ["VS1", "VS2", "VVS2"]
    assert sales["cut"].tolist() == ["Excellent", "Excellent", "Ideal"]
    assert len(taken(text, signs="refuse").quarantined) == 3
    (tmp_path / "a.csv").write_text(text)
    assert main(["inspect", str(tmp_path / "a.csv")]) == 0
    said = capsys.readouterr()
    assert 'signs = "drop"' in said.out
    assert "signs behind grades" in said.err


@pytest.mark.parametrize(
    ("header", "cell", "sides"),
    [
        ("M1,M2,M3", "6.43,6.40,3.97", (6.43, 6.4, 3.97)),
        ("Measurements,Height", "6.43*6.40,3.97", (6.43, 6.4, 3.97)),
        ("Width,Height,Depth %", "6.43,6.40,61.8", (6.43, 6.4, None)),
        ("Measurements", "0 x 0 x 0", (None, None, None)),
    ],
)
def test_measurements_in_other_words(header, cell, sides):
    intake = taken(f"carat,cut,color,clarity,price,{header}\n1.01,Ideal,E,VS1,7000,{cell}\n")
    assert intake.quarantined == []
    row = intake.sales.iloc[0]
    found = [None if np.isnan(row[side]) else row[side] for side in "xyz"]
    assert tuple(found) == sides


def test_a_laboratory_is_no_number_and_numbers_are():
    rows = "1.01,Ideal,G,SI1,EX,GIA,5200\n1.01,Ideal,G,SI1,VG,GIA,5200\n1.01,Ideal,G,SI1,EX,GIA,5200\n"
    text = "carat,cut,color,clarity,polish,{},price\n" + rows
    for header in ("Report", "Cert", "Grading Lab"):
        sales = taken(text.format(header)).sales
        assert len(sales) == 3, "nothing numbers the stones"
        assert set(sales["laboratory"]) == {"GIA"}
    numbered = text.format("Report")
    for number in ("2141438171", "2141438172", "2141438171"):
        numbered = numbered.replace(",GIA,", f",{number},", 1)
    assert [q.reason for q in taken(numbered).quarantined] == ["the same sale as row 2"]
    third = numbered[::-1].replace("2141438171"[::-1], "2141438173"[::-1], 1)[::-1]
    assert taken(third).quarantined == []


def test_the_cut_of_a_fancy_shape_may_be_missing():
    text = (
        "Shape,Weight,Color,Clarity,Cut,Total\nOval,1.50,F,VVS1,,8900\nPear,1.51,G,VS1,,7600\n"
    )
    assert set(taken(text).sales["cut"]) == {"Not graded"}
    assert set(taken(text.replace(",Cut", "").replace(",,", ",")).sales["cut"]) == {
        "Not graded"
    }


def test_a_comma_of_decimals_is_one_where_the_file_says_so():
    rows = "0,30;Ideal;D;VVS2;102,858\n1,01;Ideal;F;VS1;1285,725\n"
    head = "carat;cut;color;clarity;price\n"
    assert prices(head + rows, decimal=",") == [102.86, 1285.72]
    mixed = head + rows + "0,31;Ideal;E;VVS2;110,67\n"
    assert prices(mixed)[0] == 102.86
    (aside,) = taken(head + "0,30;Ideal;D;VVS2;102,858\n").quarantined
    assert "may have thousands or decimals" in aside.reason


def test_headers_of_another_script_are_told_by_what_stands_below(tmp_path, capsys):
    text = "Форма,Вес,Цвет,Чистота,Огранка,Цена\n"
    text += "".join(
        f"Round,{0.5 + i / 100},{'DEFG'[i % 4]},VVS2,Ideal,{1500 + 70 * i}\n" for i in range(40)
    )
    with pytest.raises(RejectedFileError, match="no column for carat"):
        taken(text)  # not without somebody who confirms it
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    assert main(["inspect", str(tmp_path / "a.csv")]) == 0
    declaration = capsys.readouterr().out
    assert 'carat = "Вес"' in declaration
    sales = take_in("a.csv", text.encode(), Source.from_toml(declaration)).sales
    assert len(sales) == 40
    assert sales["carat"].iloc[1] == 0.51
    assert sales["price"].iloc[1] == 1570.0
    assert set(sales["cut"]) == {"Ideal"}


def test_a_declaration_is_read_back_in_any_encoding():
    source = Source(columns={"carat": "Вес"}, identity="row")
    text = source.to_toml()
    for data in (text.encode(), text.encode("utf-8-sig"), text.encode("utf-16")):
        assert Source.from_toml(data) == source


def test_files_of_one_pattern_may_have_their_columns_in_another_order(tmp_path, packaged):
    rows = {"carat": [1.0], "cut": ["Ideal"], "color": ["E"], "clarity": ["VS1"]}
    pd.DataFrame(rows).to_csv(tmp_path / "p-1.csv", index=False)
    pd.DataFrame(rows)[["clarity", "color", "cut", "carat"]].to_csv(
        tmp_path / "p-2.csv", index=False
    )
    assert score(str(tmp_path / "p-*.csv"), tmp_path / "out.csv", packaged).priced == 2
    assert pd.read_csv(tmp_path / "out.csv")["price_cents"].nunique() == 1


def test_a_column_that_an_engine_takes_for_booleans_is_one_of_grades(tmp_path, catalog):
    some = catalog[catalog["color"] == "F"][["carat", "cut", "color", "clarity", "price"]].head(
        500
    )
    some.to_csv(tmp_path / "f.csv", index=False)
    with opened(str(tmp_path / "f.csv")) as relation:
        assert relation.table.count().execute() == 500


def test_fit_reads_what_inspect_reads(tmp_path, catalog, capsys):
    some = catalog[catalog["stone"] % 150 == 1]
    table = pd.DataFrame(
        {
            "Shape": "RD",
            "Size": some["carat"],
            "DispColor": some["color"].astype(str) + "+",
            "Clarity": some["clarity"],
            "Cut": some["cut"],
            "Total": "$" + some["price"].astype(str),
        }
    )
    table.to_csv(tmp_path / "list.csv", index=False)
    target = tmp_path / "model.json"
    assert main(["fit", "--data", str(tmp_path / "list.csv"), "--out", str(target)]) == 0
    assert PriceModel.from_json(target.read_text()).training.rows == len(some)
    with (tmp_path / "list.csv").open("a") as file:
        file.write("RD,1.0,G+,SI1,Lovely,$5000\nTotal,,,,,\n")
    capsys.readouterr()
    assert main(["fit", "--data", str(tmp_path / "list.csv"), "--out", str(target)]) == 2
    assert f"row {len(some) + 2}, cut: cut 'Lovely'" in capsys.readouterr().err
    again = ["fit", "--data", str(tmp_path / "list.csv"), "--leave-out", "--out", str(target)]
    assert main(again) == 0


def test_a_list_in_german_is_read_as_it_stands():
    head = (
        "Zertifikat-Nr.;Form;Gewicht (ct);Farbe;Reinheit;Schliff;Politur;Symmetrie;"
        "Fluoreszenz;Labor;Maße (mm);Preis (EUR)\n"
    )
    rows = (
        "21;Smaragd;1,01;E;VS1;;Exzellent;Sehr gut;Keine;GIA;6,10 x 4,40 x 2,90;4.100 €\n"
        "22;Rund;0,50;F;SI1;Exzellent;Gut;Gut;Sehr stark;IGI;5,10 x 5,12 x 3,15;1.400,50 €\n"
    )
    sales = taken((head + rows).encode("cp1252"), currency="EUR").sales
    assert sales["shape"].tolist() == ["Emerald", "Round"]
    assert sales["cut"].tolist() == ["Not graded", "Excellent"]
    assert sales["polish"].tolist() == ["Excellent", "Good"]
    assert sales["fluorescence"].tolist() == ["None", "Very Strong"]
    assert sales["laboratory"].tolist() == ["GIA", "IGI"]
    assert sales["x"].tolist() == [6.1, 5.1]
    assert sales["identity"].tolist() == ["21", "22"]
    assert sales["price"].tolist() == [4100, 1400.5]


@pytest.mark.parametrize("header", ["ask/ct", "Offer per carat", "US$/Cts"])
def test_an_amount_by_the_carat_is_never_a_price(header):
    assert prices(f"carat,color,clarity,{header}\n2.00,E,VS1,3000\n") == [6000]


def test_what_rises_less_than_the_weight_is_the_price_of_a_carat(tmp_path, capsys):
    carats = np.linspace(0.3, 3, 40)
    each = pd.DataFrame({"ширина": carats.round(2), "б": "E", "в": "VS1"})
    for power, name in ((0.6, "price_per_carat"), (1.6, "price")):
        each.assign(г=(5000 * carats**power).round()).to_csv(tmp_path / "a.csv", index=False)
        assert main(["inspect", str(tmp_path / "a.csv")]) == 0
        assert f'\n{name} = "г"\n' in capsys.readouterr().out


def test_a_column_of_per_cent_beside_a_list_price_is_taken_off_it():
    head = "carat,color,clarity,Rap,%\n"
    assert prices(head + "2.00,E,VS1,3000,-40\n") == [3600]


def test_what_stands_around_a_grade_is_neither_refused_nor_asked_about(tmp_path, capsys):
    text = "carat,cut,color,clarity,shape,price\n1,Ideal Cut,E color,VS1 Clarity,X1,5000\n"
    assert taken(text + "1,Ideal,E,VS1,round,5000\n").sales["color"].tolist() == ["E"]
    (tmp_path / "a.csv").write_text(text + "1,Ideal,E,VS1,round,5000\n")
    assert main(["inspect", str(tmp_path / "a.csv")]) == 0
    told = capsys.readouterr().out
    assert "[grades.color]" not in told
    assert '# [grades.shape]\n# "X1" = ""' in told


def test_a_spreadsheet_is_priced_and_so_is_a_list_below_its_title(packaged, tmp_path):
    rows = [["Carats", "Cut", "Color", "Clarity"], [1.01, "Ideal", "E", "VS1"]]
    (tmp_path / "a.xlsx").write_bytes(spreadsheet([["Stock of May"], [], *rows]))
    text = "\n".join(",".join(map(str, row)) for row in rows)
    (tmp_path / "a.csv").write_text(f"Stock of May\n\n{text}\n")
    for name in ("a.xlsx", "a.csv"):
        score(tmp_path / name, tmp_path / "out.csv", packaged)
        price = pd.read_csv(tmp_path / "out.csv")["price_cents"].tolist()
        assert price == [packaged.explain(Stone(1.01, "Ideal", "E", "VS1")).cents]


def test_a_column_of_shapes_is_one_whatever_it_is_called():
    text = "carat,color,clarity,Modell,price\n1,E,VS1,oval,5000\n1,E,VS1,BR,7000\n"
    assert taken(text, identity="row").sales["shape"].tolist() == ["Oval", "Round"]


def test_a_list_price_beside_the_stones_stops_no_score(packaged, tmp_path):
    head = "Carats,Cut,Color,Clarity,Rap,Disc,Length,Width,Height,Table"
    (tmp_path / "a.tsv").write_text(
        f"{head}\n1.01,Ideal,E,VS1,9000,-30,0,0,0,0\n".replace(",", "\t")
    )
    score(tmp_path / "a.tsv", tmp_path / "out.csv", packaged)
    price = pd.read_csv(tmp_path / "out.csv")["price_cents"].tolist()
    assert price == [packaged.explain(Stone(1.01, "Ideal", "E", "VS1")).cents]


def test_what_is_no_single_stone_or_no_whole_amount_is_not_taken_for_one():
    sound = "carat,color,clarity,price\n1,E,VS1,5000\n"
    assert prices(sound) == [5000]
    intake = taken(sound.replace("price", "price,Pcs").replace("5000", "5000,5"))
    assert [(q.field, q.reason) for q in intake.quarantined] == [
        ("total", "5 stones in one row")
    ]
    with pytest.raises(RejectedFileError, match="no column for price"):
        taken(sound.replace("price", "Price in cents"))


def test_amounts_grouped_as_in_india_and_the_currency_of_the_chosen_column():
    assert prices('carat,color,clarity,price\n1,E,VS1,"1,69,886"\n') == [169886]
    head = "carat,color,clarity,HKD Total,USD Total\n1,E,VS1,39000,5000\n"
    with pytest.raises(RejectedFileError, match="prices are in HKD, this home's in USD"):
        taken(head, columns={"price": "HKD Total"})


def test_a_column_that_is_there_twice_with_equal_cells_is_one():
    text = "carat,color,clarity,price,color\n1,E,VS1,5000,{}\n"
    assert prices(text.format("E")) == [5000]
    with pytest.raises(RejectedFileError, match="two columns are called 'color'"):
        taken(text.format("F"))


def test_objects_within_objects_are_laid_open():
    text = (
        b'[{"weight": {"value": 1.01, "unit": "ct"}, "price": {"amount": 6200.5},'
        b' "grading": {"color": "E", "clarity": "VS1", "cut": "Ideal"}}]'
    )
    sales = taken(text, "a.json").sales
    (row,) = sales[["carat", "cut", "color", "clarity", "price"]].to_numpy().tolist()
    assert row == [1.01, "Ideal", "E", "VS1", 6200.5]


def test_what_an_object_says_of_itself_is_not_another_column():
    text = (
        b'[{"carat": 1.01, "fluorescence": {"intensity": "Faint", "color": "Blue"},'
        b' "certificate": {"lab": "GIA", "number": "28111"}, "color": "E", "price": 6200,'
        b' "grading": {"clarity": "VS1", "cut": "Ideal"}}]'
    )
    found = taken(text, "a.json")
    row = found.sales.iloc[0]
    assert (row["fluorescence"], row["fluorescence_color"], row["color"]) == (
        "Faint",
        "Blue",
        "E",
    )
    assert row["laboratory"] == "GIA"


def test_fluorescence_with_its_color_is_the_fluorescence():
    text = "carat,cut,color,clarity,price,Fluorescence\n"
    for word in ("Faint Blue", "Strong Yellow", "None", "very strong blue"):
        text += f"1.01,Ideal,E,VS1,6200,{word}\n"
    assert taken(text).sales["fluorescence"].tolist() == [
        "Faint",
        "Strong",
        "None",
        "Very Strong",
    ]


@pytest.mark.parametrize("header", ["Prix HT (€)", "Prix € HT", "Montant HT (EUR)"])
def test_the_currency_is_read_from_any_header(header):
    text = f"Poids (ct);Taille;Couleur;Pureté;{header}\n"
    for i in range(30):
        text += f"{1 + i / 100:.2f};Excellent;E;VS1;{6000 + 97 * i},50\n".replace(".", ",")
    found = guessed(read_sheet("a.csv", text.encode()), Source(), by_cells=True)
    assert found.currency == "EUR"


@pytest.mark.parametrize(
    ("header", "amount", "currency"),
    [
        ("Price HK$", "6,000", "HKD"),
        ("price$", "6000", "USD"),
        ("Price(₹)", "₹ 5,12,000", "INR"),
        ("Price", "Rs. 512,000", "INR"),
        ("Price R$", "R$ 1,389", "BRL"),
        ("Price", "NT$ 6,000", "TWD"),
        ("Price", "CN¥6,000", "CNY"),
        ("Price", "₹1,11,120/-", "INR"),
        ("Price ₩", "₩6,000", "KRW"),
        ("Price A$", "A$6,000.50", "AUD"),
        ("Price ¥", "¥900,000", "JPY"),
    ],
)
def test_signs_of_other_currencies_are_not_dollars(header, amount, currency):
    text = f"Carat,Cut,Color,Clarity,{header}\n"
    text += "".join(f'{1 + i / 100:.2f},Ideal,E,VS1,"{amount}"\n' for i in range(30))
    assert guessed(read_sheet("a.csv", text.encode()), Source()).currency == currency
    digits = re.sub(r"[^\d.]", "", amount.removeprefix("Rs."))
    assert set(taken(text, currency=currency).sales["price"]) == {float(digits)}
    with pytest.raises(RejectedFileError, match=currency):
        taken(text, currency="CHF")


def test_words_that_are_lost_are_named(tmp_path, capsys):
    text = "carat,cut,color,clarity,price,fluorescence,Supplier\n"
    for i in range(20):
        word = "glowing" if i < 2 else "Faint"
        text += f"1.0{i % 9},Ideal,E,VS1,{6200 + i},{word},{'AB'[i % 2]}\n"
    (tmp_path / "a.csv").write_text(text)
    assert main(["inspect", str(tmp_path / "a.csv")]) == 0
    said = capsys.readouterr().err
    assert "fluorescence 'glowing' (2 rows) is not a grade known here" in said
    assert "or it counts as not given" in said
    assert "Supplier names several whose prices may differ throughout" in said


@pytest.mark.parametrize(
    ("header", "natural", "grown"),
    [
        ("Type", "GIA", "IGI Lab-Grown"),
        ("Kind of stone", "Natural", "Lab grown"),
        ("Sort", "HRD natural", "GIA Laboratory Grown"),
        ("Quelle", "natürlich", "CVD"),
    ],
)
def test_grown_stones_are_never_taken_for_natural_ones(header, natural, grown):
    text = f"Carat,Cut,Color,Clarity,{header},Price\n"
    text += "".join(
        f"1.0{i % 10},Ideal,E,VS1,{grown if i % 2 else natural},{6000 - 4000 * (i % 2)}\n"
        for i in range(40)
    )
    assert taken(text).sales["origin"].tolist() == ["Natural", "Laboratory-grown"] * 20


@pytest.mark.parametrize("cell", ["GIA", "Type IIa", "Ring"])
def test_the_type_of_something_else_is_no_origin(cell):
    text = "Carat,Cut,Color,Clarity,Type,Price\n"
    text += "".join(f"1.0{i % 10},Ideal,E,VS1,{cell},6000\n" for i in range(40))
    assert guessed(read_sheet("a.csv", text.encode()), Source()).columns.get("origin") is None


def test_measurements_are_known_by_their_cells():
    text = "Carat,Cut,Color,Clarity,Messurements,Seen,Total Sales Price\n"
    row = "1.00,Ideal,E,VS1,6.39-6.43×3.95,2026-11-23,6000\n"
    sales = taken(text + row * 40).sales
    assert sales[["x", "y", "z"]].iloc[0].tolist() == [6.39, 6.43, 3.95]
    assert set(sales["price"]) == {6000.0}


@pytest.mark.parametrize(
    ("cell", "girdle"),
    [
        ("Medium to Slightly Thick", "Slightly Thick"),
        ("Thin - Medium", "Thin"),
        ("M-STK", "Slightly Thick"),
        ("very thin to thick", "Thick"),
        ("Medium to Medium", "Medium"),
        ("Slightly Thin", "Thin"),
    ],
)
def test_of_a_range_of_girdles_the_end_farther_from_medium_counts(cell, girdle):
    assert Stone(1.0, "Ideal", "E", "VS1", girdle=cell).girdle == girdle
    text = f"Carat,Cut,Color,Clarity,Girdle,Price\n1.0,Ideal,E,VS1,{cell},6000\n"
    assert taken(text).sales["girdle"].tolist() == [girdle]


def test_a_column_of_certificates_that_names_laboratories_is_the_laboratory():
    text = "Carat,Cut,Color,Clarity,Cert,Price\n"
    houses = ["GIA", "EGL USA", "OTHER", "EGL Intl.", "IGI"]
    text += "".join(f"1.0{i % 10},Ideal,E,VS1,{houses[i % 5]},6000\n" for i in range(40))
    found = taken(text).sales["laboratory"].fillna("").tolist()
    assert found[:5] == ["GIA", "EGL", "", "EGL", "IGI"]


def test_sides_called_by_their_letters_are_sides():
    text = "Cts,Cut,Color,Clarity,L,W,H,Amt$\n" + "1.00,Ideal,E,VS1,6.39,6.43,3.95,6000\n" * 40
    sales = taken(text).sales
    assert sales[["x", "y", "z", "price"]].iloc[0].tolist() == [6.39, 6.43, 3.95, 6000.0]


def test_lists_of_german_and_italian_houses_are_read():
    german = "Artikelnummer;Schliffform;Gewicht in ct;Farbe;Reinheit;Schliff;Preis\n"
    german += "".join(
        f"D{i:05d};Brillant;1,0{i % 9};{'Hochfeines Weiß+' if i % 2 else 'Weiß'};lupenrein;"
        f"Sehr gut;6.{i + 100} €\n"
        for i in range(40)
    )
    sales = taken(german, currency="EUR").sales
    assert sales["color"].tolist() == ["H", "D"] * 20
    assert sales["price"].tolist() == [6100.0 + i for i in range(40)]
    italian = german.replace("Artikelnummer;Schliffform", "Codice;Forma")
    sales = taken(italian.replace("Brillant;", "Brillante;"), currency="EUR").sales
    assert sales["shape"].tolist() == ["Round"] * 40


def test_a_color_that_stands_for_two_is_named_with_both():
    with pytest.raises(StoneError, match="may be I or J"):
        Stone(1.0, "Ideal", "slightly tinted white", "VS1")
