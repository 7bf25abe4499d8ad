"""A home over its life, through the command line: what comes in, what is decided, what stays."""

import csv
import json
import shutil
import time

import numpy as np
import pandas as pd
import pytest

from diamond_pricing.cli import main
from diamond_pricing.cli.home import CODES
from diamond_pricing.model import PriceModel
from diamond_pricing.refit.home import deliveries_of, held_out, offsets_of
from diamond_pricing.refit.ledger import ledger
from diamond_pricing.registry import Entry, LocalStore, Registry
from diamond_pricing.stones import Stones
from tests.conftest import MEASURES

COLUMNS = ["carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y", "z"]


BARE = [name for name in COLUMNS if name not in MEASURES]


@pytest.fixture(scope="module")
def measured(catalog):
    """A first delivery of one stone in eight, and later ones of other stones."""
    first = catalog[catalog["stone"] % 8 == 0][COLUMNS]
    rest = catalog[catalog["stone"] % 8 == 1][COLUMNS]
    rest = rest.sample(frac=1, random_state=3).reset_index(drop=True)
    return first, [rest.iloc[k * 700 : (k + 1) * 700] for k in range(6)]


@pytest.fixture(scope="module")
def feeds(measured):
    first, later = measured
    return first[BARE], [feed[BARE] for feed in later]


@pytest.fixture(scope="module")
def founded(tmp_path_factory, measured):
    """A home after its first delivery, which had faults."""
    first = measured[0].copy()
    first.iloc[5, first.columns.get_loc("price")] = -1
    first.iloc[9, first.columns.get_loc("price")] *= 10
    first.iloc[12, [first.columns.get_loc(c) for c in "xyz"]] = 0
    first = pd.concat([first, first.iloc[[20]]])
    return home_of(first, tmp_path_factory.mktemp("founded"))


@pytest.fixture(scope="module")
def founded_bare(tmp_path_factory, feeds):
    return home_of(feeds[0], tmp_path_factory.mktemp("bare"))


def home_of(first, place):
    deliver(place, first, "first.csv")
    assert refit(place) == "promoted"
    return place


@pytest.fixture
def place(founded_bare, tmp_path):
    """A copy of that home, to do something to."""
    shutil.copytree(founded_bare, tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def measured_place(founded, tmp_path):
    shutil.copytree(founded, tmp_path / "measured")
    return tmp_path / "measured"


def refit(place, *words):
    code = main(
        ["refit", "--inbox", str(place / "inbox"), "--home", str(place / "home"), *words]
    )
    return {v: k for k, v in CODES.items()}.get(code, f"error {code}")


def registry(place):
    return Registry(LocalStore(place / "home"))


def last_record(place):
    entry = registry(place).entries()[-1]
    return json.loads((place / "home" / entry.details["record"]).read_text())


def files(place):
    return {p.relative_to(place): p.read_bytes() for p in place.rglob("*") if p.is_file()}


def deliver(place, feed, name="next.csv"):
    target = place / "inbox" / name
    target.parent.mkdir(exist_ok=True)
    feed.to_csv(target, index=False)


def test_the_first_delivery_founds_a_home(founded, measured):
    (entry,) = registry(founded).entries()
    assert entry.active == entry.anchor != ""
    (delivery,) = entry.details["deliveries"]
    assert (
        delivery["read"]
        == len(measured[0]) + 1
        == delivery["accepted"] + delivery["quarantined"]
    )
    with (founded / "home" / delivery["quarantine"]).open() as table:
        aside = {int(row["row"]): row for row in csv.DictReader(table)}
    assert "must be positive" in aside[7]["reason"]
    assert "times what its other sales" in aside[11]["reason"]
    assert 14 not in aside, "a length of zero is not measured"
    assert "the same sale as row 22" in aside[len(measured[0]) + 2]["reason"]
    assert registry(founded).verify() == []


def test_no_model_was_fitted_on_the_frozen_stones(founded, measured):
    record = last_record(founded)
    sales = pd.read_parquet(founded / "home" / record["deliveries"][0]["sales"])
    frozen = held_out(sales)
    assert record["trained_on"] + record["not_used"] == (~frozen).sum()
    assert 0.07 < frozen.mean() < 0.13
    # Whichever other sales stand beside it, a stone stays on its side.
    some = sales.sample(500, random_state=0)
    np.testing.assert_array_equal(held_out(some), frozen[some.index])
    turned = sales.rename(columns={"x": "y", "y": "x"})
    np.testing.assert_array_equal(held_out(turned), frozen)


def test_nothing_new_changes_nothing(place):
    before = files(place)
    assert refit(place) == "nothing new"
    shutil.copy(place / "inbox" / "first.csv", place / "inbox" / "renamed.csv")
    assert refit(place) == "nothing new", "a file is known by what is in it"
    (place / "inbox" / "renamed.csv").unlink()
    after = files(place)
    after.pop(next((p for p in after if p.name == ".lock"), None), None)
    before.pop(next((p for p in before if p.name == ".lock"), None), None)
    assert after == before


def test_clean_sales_are_promoted_with_a_ledger_that_adds_up(
    measured_place, measured, monkeypatch
):
    deliver(measured_place, measured[1][0], "partner/monthly.csv")
    before = registry(measured_place).active()
    dry = files(measured_place)
    assert refit(measured_place, "--dry-run") == "promoted"
    assert files(measured_place) == dry, "a dry run writes nothing"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1760000000")
    twin = measured_place.parent / "twin"
    shutil.copytree(measured_place, twin)
    assert refit(measured_place) == "promoted"
    after = registry(measured_place).active()
    assert after != before
    record = last_record(measured_place)
    assert record["deliveries"][0]["source"] == "partner"
    assert all(f["passed"] for f in record["findings"])
    with (measured_place / "home" / record["ledger"]).open() as table:
        rows = list(csv.DictReader(table))
    lines = [c for c in rows[0] if c.startswith("change ")]
    assert len(lines) == len(after.lines) + 1
    for row in rows[:200] + rows[-200:]:
        parts = sum(round(100 * float(row[name])) for name in lines)
        assert parts == round(100 * float(row["change"]))
        assert round(100 * (float(row["new"]) - float(row["old"]))) == parts
    # The same home and inbox give the same bytes.
    assert refit(twin) == "promoted"
    assert files(twin) == files(measured_place)


def test_poisoned_sales_are_held_and_the_model_stays(place, feeds):
    active = registry(place).active()
    feed = feeds[1][1]
    deliver(place, feed.assign(price=(feed["price"] * 1.12).round()))
    assert refit(place) == "data rejected"
    (held,) = registry(place).entries()[-1].details["deliveries"]
    assert held["status"] == "held"
    assert "lie +1" in held["reason"]
    assert registry(place).active() == active
    assert refit(place) == "nothing new"
    # Nothing of it is in what is fitted next.
    deliver(place, feeds[1][2], "good.csv")
    assert refit(place) == "promoted"
    fitted = last_record(place)["trained_on"] + last_record(place)["judged_on"]
    accepted = sum(
        d["accepted"]
        for e in registry(place).entries()
        for d in e.details["deliveries"]
        if d["status"] == "accepted"
    )
    assert fitted == accepted


def test_force_promotes_what_was_held_and_says_why(place, feeds, capsys):
    feed = feeds[1][3]
    deliver(place, feed.assign(price=(feed["price"] * 1.06).round()))
    assert refit(place) == "data rejected"
    assert refit(place, "--force", " ") == refit(place, "--force", "") == "error 2"
    capsys.readouterr()
    assert refit(place, "--force", "prices rose, says Don Francesco") == "promoted"
    out = capsys.readouterr().out
    assert "promoted by force: prices rose, says Don Francesco" in out
    assert "Against it stood: the prices of next.csv lie" in out
    entry = registry(place).entries()[-1]
    assert entry.reason == "prices rose, says Don Francesco"
    assert entry.details["deliveries"][0]["status"] == "accepted"
    assert refit(place) == "nothing new"


def test_a_candidate_that_fails_a_gate_is_not_let_in(place, feeds):
    (place / "home" / "gates.toml").write_text("largest_move = 1e-9\n")
    active = registry(place).active()
    deliver(place, feeds[1][4])
    assert refit(place) == "kept"
    assert registry(place).active() == active
    record = last_record(place)
    assert [f["gate"] for f in record["findings"] if not f["passed"]] == ["largest_move"]
    assert "the active model is kept" in record["says"]
    assert refit(place) == "nothing new"


def test_files_that_cannot_be_right_are_rejected_with_their_reason(place, measured):
    (place / "inbox" / "cut.csv").write_text("carat,cut,color,clarity,price\n1.0,Ide")
    feed = measured[1][5]
    deliver(place, feed.assign(x=feed["x"] / 10, y=feed["y"] / 10, z=feed["z"] / 10), "cm.csv")
    assert refit(place) == "data rejected"
    found = {d["file"]: d for d in registry(place).entries()[-1].details["deliveries"]}
    assert "cut off" in found["cut.csv"]["reason"]
    assert "none of its" in found["cm.csv"]["reason"]
    assert found["cm.csv"]["quarantined"] == found["cm.csv"]["read"] == 700


def test_the_same_sales_in_two_files_count_once(place, feeds, capsys):
    """The second file then has nothing of its own, and a held one is not used twice."""
    (place / "home" / "gates.toml").write_text("largest_move = 1e-9\n")
    deliver(place, feeds[1][5], "one.csv")
    deliver(place, feeds[1][5].iloc[::-1], "two.csv")
    capsys.readouterr()
    assert refit(place, "--dry-run", "--json") == "kept"
    one, two = json.loads(capsys.readouterr().out)["record"]["deliveries"]
    assert one["accepted"] > 690
    assert (two["accepted"], two["status"]) == (0, "rejected")


def test_a_file_that_is_held_takes_no_sales_from_another(place, feeds):
    feed = feeds[1][5]
    dear = pd.concat([feed.head(200), feed.tail(500).assign(price=feed["price"] * 1.2)])
    deliver(place, dear, "a-dear.csv")
    deliver(place, feed.head(300), "b-right.csv")
    assert refit(place) == "promoted"
    found = {d["file"]: d for d in last_record(place)["deliveries"]}
    assert found["a-dear.csv"]["status"] == "held"
    assert found["b-right.csv"]["accepted"] > 290


def test_a_new_experts_bias_is_fitted_instead_of_taught(place, feeds):
    """With an offset to be fitted, sales that lie 8 % high move no price by so much."""
    anna = feeds[1][4].assign(price=(feeds[1][4]["price"] * 1.08).round())
    deliver(place, anna, "anna/june.csv")
    before = registry(place).active()
    assert refit(place) == "data rejected", "without a word about anna, they are held"
    (place / "home" / "sources").mkdir()
    (place / "home" / "sources" / "anna.toml").write_text('offset = "fitted"\n')
    assert refit(place) == "promoted"
    record = last_record(place)
    (offset,) = record["offsets"]
    assert (offset["source"], offset["low"] < np.log(1.08) < offset["high"]) == ("anna", True)
    assert "The prices of anna lie +" in record["says"]
    assert {f["gate"] for f in record["findings"]} >= {"first_offset", "residual"}
    stones = Stones.from_frame(feeds[0].head(500))
    rows = before.supports(stones)
    moved = registry(place).active().log_price(stones.take(rows)) - before.log_price(
        stones.take(rows)
    )
    assert abs(np.median(moved)) < 0.004
    # From then on the offset is known, and a month at another level is held.
    more = feeds[1][3].assign(price=(feeds[1][3]["price"] * 1.14).round())
    deliver(place, more, "anna/july.csv")
    assert refit(place) == "data rejected"
    assert "lie +" in last_record(place)["deliveries"][0]["reason"]
    july = feeds[1][3].assign(price=(feeds[1][3]["price"] * 1.08).round())
    deliver(place, july, "anna/july.csv")
    assert refit(place) == "promoted"


def test_offsets_are_those_of_the_active_model():
    """After a rollback those of the model gone back to, not of the one that was left."""

    def entry(number, action, active, *offsets):
        details = {
            "offsets": [
                {"source": "anna", "n": 20, "log": o, "low": o, "high": o} for o in offsets
            ]
        }
        return Entry(number, "", "", action, active, "", "", "", details if offsets else {})

    log = [entry(1, "refit", "a", 0.05), entry(2, "refit", "b", 0.2)]
    assert offsets_of(log)["anna"].log == 0.2
    assert offsets_of([*log, entry(3, "rollback", "a")])["anna"].log == 0.05


def test_an_offset_that_is_too_large_is_no_experts(place, feeds):
    (place / "home" / "sources").mkdir()
    (place / "home" / "sources" / "anna.toml").write_text('offset = "fitted"\n')
    deliver(place, feeds[1][4].assign(price=feeds[1][4]["price"] * 1.3), "anna/june.csv")
    assert refit(place) == "data rejected"
    assert "an offset of ±15 % is allowed" in last_record(place)["says"]


def test_drift_is_told_of_every_measure(place, feeds):
    flat = feeds[1][5].assign(table=feeds[1][5]["table"] + 2)
    deliver(place, flat)
    refit(place)
    told = {f["gate"]: f["value"] for f in last_record(place)["findings"]}
    assert told["ks_table"] > 0.3 > 0.1 > told["ks_carat"]


def test_what_a_rollback_withdrew_can_be_sent_again_under_another_name(place, feeds):
    deliver(place, feeds[1][3], "may.csv")
    assert refit(place) == "promoted"
    fresh = registry(place).active().sha256
    home = ["--home", str(place / "home")]
    for name in ("may-again.csv", "may-for-the-third-time.csv"):
        assert main(["registry", "rollback", *home, "--reason", "a mistake"]) == 0
        assert refit(place) == "nothing new"  # though the files still lie there
        deliver(place, feeds[1][3], name)
        assert refit(place) == "promoted"
        assert registry(place).active().sha256 == fresh
        assert refit(place) == "nothing new"


def test_a_copy_that_lay_there_does_not_bring_back_what_a_rollback_withdrew(
    place, feeds, capsys
):
    deliver(place, feeds[1][3], "may.csv")
    deliver(place, feeds[1][3], "may-copy.csv")
    assert refit(place) == "promoted"
    time.sleep(1.1)  # the log counts in seconds
    home = ["--home", str(place / "home")]
    assert main(["registry", "rollback", *home, "--reason", "a mistake"]) == 0
    assert refit(place) == "nothing new"
    assert "may.csv is left alone: a rollback withdrew" in capsys.readouterr().err


def test_leaving_a_model_that_was_promoted_by_hand_withdraws_nothing(place, feeds):
    first = registry(place).active().sha256
    deliver(place, feeds[1][3], "may.csv")
    assert refit(place) == "promoted"
    second = registry(place).active().sha256
    home = ["--home", str(place / "home")]
    before = deliveries_of(registry(place).entries())
    assert main(["registry", "promote", first, *home, "--reason", "may looks odd"]) == 0
    assert main(["registry", "rollback", *home, "--reason", "may was right"]) == 0
    assert registry(place).active().sha256 == second
    assert deliveries_of(registry(place).entries()) == before
    # The first model was left by a rollback, and is not gone back to.
    assert main(["registry", "rollback", *home, "--reason", "once more"]) == 2


def test_a_rollback_withdraws_the_sales_that_led_to_the_model(place, feeds):
    good = registry(place).active().sha256
    may = feeds[1][3].assign(price=(feeds[1][3]["price"] * 1.2).round())
    deliver(place, may, "may.csv")
    assert refit(place, "--force", "list price went up") == "promoted"
    home = ["--home", str(place / "home")]
    assert main(["registry", "rollback", *home, "--reason", "a partner complained"]) == 0
    assert registry(place).active().sha256 == good
    assert refit(place) == "nothing new"
    assert main(["registry", "rollback", *home, "--reason", "once more"]) == 2
    deliver(place, feeds[1][4], "june.csv")
    assert refit(place) == "promoted"
    record = last_record(place)
    first = len(
        pd.read_parquet(
            place / "home" / registry(place).entries()[0].details["deliveries"][0]["sales"]
        )
    )
    june = record["deliveries"][0]["accepted"]
    assert record["trained_on"] + record["judged_on"] + record["not_used"] == first + june
    (place / "home" / "gates.toml").write_text("worse_error = 0.02\n")
    assert refit(place) == "nothing new", "other settings do not bring it back"


def test_settings_may_begin_with_the_mark_that_some_editors_write(place, feeds, capsys):
    (place / "home" / "gates.toml").write_text("\ufeffworse_error = 0.5\n")
    (place / "home" / "home.toml").write_text('\ufeffcurrency = "EUR"\n')
    deliver(place, feeds[1][5])
    assert refit(place) == "error 2"
    assert "begin another home" in capsys.readouterr().err, "they were read"


def test_a_home_stays_in_its_currency(place, feeds, capsys):
    (place / "home" / "home.toml").write_text('currency = "EUR"\n')
    deliver(place, feeds[1][5])
    assert refit(place) == "error 2"
    assert "begin another home" in capsys.readouterr().err


def test_sales_that_no_model_can_use_are_told(measured_place, measured):
    bare = measured[1][5].assign(x=np.nan, y=np.nan, z=np.nan)
    deliver(measured_place, bare)
    refit(measured_place)
    record = last_record(measured_place)
    assert record["not_used"] >= 600  # all that are not held out
    assert "sales could not be used: measurement missing" in record["says"]
    assert (
        record["trained_on"]
        == registry(measured_place).model(record["candidate"]).training.rows
    )


def test_a_file_moved_to_its_source_is_read_again(place, feeds):
    feed = feeds[1][5].rename(columns={"price": "Was kostet es"})
    deliver(place, feed, "july.csv")
    assert refit(place) == "data rejected"
    (place / "home" / "sources").mkdir()
    (place / "home" / "sources" / "partner.toml").write_text(
        '[columns]\nprice = "Was kostet es"\n'
    )
    assert refit(place) == "data rejected", "settings changed, it is read again"
    (place / "inbox" / "Partner").mkdir()
    (place / "inbox" / "july.csv").rename(place / "inbox" / "Partner" / "july.csv")
    assert refit(place, "--dry-run") == "promoted"


def test_stones_of_kinds_that_the_model_does_not_know_are_held(place, feeds):
    points = feeds[1][5].assign(carat=feeds[1][5]["carat"] * 100)[
        ["carat", "cut", "color", "clarity", "price"]
    ]
    deliver(place, points[points["carat"] < 100])
    assert refit(place) == "data rejected"
    assert "of kinds that the active model does not price" in last_record(place)["says"]


@pytest.mark.parametrize("fault", ["points", "thousandth"])
def test_a_first_delivery_is_held_against_the_packaged_model(tmp_path, feeds, fault):
    first = feeds[0].head(1500)[["carat", "cut", "color", "clarity", "price"]]
    if fault == "points":
        first = first[first["carat"] < 1].assign(carat=(first["carat"] * 100).round())
    else:
        first = first.assign(price=first["price"] / 1000)
        first["price"] = first["price"].map("{:.4f}".format)
    (tmp_path / "inbox").mkdir()
    first.to_csv(tmp_path / "inbox" / "first.csv", index=False)
    assert refit(tmp_path) == "data rejected"
    assert "packaged model" in last_record(tmp_path)["says"]


def test_a_stock_that_cannot_be_read_is_told_before_the_fit(place, feeds, capsys):
    (place / "home" / "stock.csv").write_text("carat,cut,color,clarity\n1,Lovely,E,VS1\n")
    deliver(place, feeds[1][5])
    capsys.readouterr()
    assert refit(place) == "error 2"
    told = capsys.readouterr().err
    assert "stock.csv" in told
    assert "Fitting" not in told


def test_json_is_json_whatever_happens(place, capsys):
    (place / "home" / "gates.toml").write_text("no")
    capsys.readouterr()
    assert refit(place, "--json") == "error 2"
    assert json.loads(capsys.readouterr().out)["verdict"] == "error"
    with LocalStore(place / "home").writing(wait=False):
        (place / "home" / "gates.toml").unlink()
        assert refit(place, "--json") == "busy"
    assert json.loads(capsys.readouterr().out)["verdict"] == "busy"


def test_old_sales_among_the_new_are_no_fault(place, feeds, capsys):
    both = pd.concat([feeds[0].head(2000), feeds[1][5].head(300)])
    deliver(place, both, "all.csv")
    capsys.readouterr()
    assert refit(place, "--dry-run", "--json") == "promoted"
    (delivery,) = json.loads(capsys.readouterr().out)["record"]["deliveries"]
    assert delivery["faults"]["duplicate"] > 1990
    assert delivery["read"] == 2300 == delivery["accepted"] + delivery["quarantined"]


def test_what_was_refused_is_read_again_with_other_settings(place, feeds):
    feed = feeds[1][5].rename(columns={"price": "Price (EUR)"})
    deliver(place, feed)
    assert refit(place) == "data rejected"
    assert refit(place) == "nothing new"
    (place / "home" / "sources").mkdir()
    (place / "home" / "sources" / "default.toml").write_text("[rates]\nEUR = 1.0\n")
    assert refit(place, "--dry-run") == "promoted"


def test_missing_and_foreign_files_of_a_home(place, capsys):
    record = registry(place).entries()[-1].details["record"]
    (place / "home" / "log" / ".DS_Store").write_text("x")
    (place / "home" / "log" / "Copy of 1.json").write_text("x")
    assert registry(place).verify() == []
    (place / "home" / record).unlink()
    assert "is missing" in registry(place).verify()[0]
    assert main(["registry", "verify", "--home", str(place / "nowhere")]) == 2
    assert "there is no home" in capsys.readouterr().err


def test_changed_sales_are_not_fitted(place, feeds, capsys):
    (sales,) = (place / "home" / "sales").iterdir()
    sales.write_bytes(sales.read_bytes() + b"x")
    deliver(place, feeds[1][5])
    assert refit(place) == "error 2"
    assert "not what its name says" in capsys.readouterr().err


def test_a_home_in_its_own_inbox_is_refused(place, capsys):
    code = main(["refit", "--inbox", str(place), "--home", str(place / "home")])
    assert code == 2
    assert "keep them apart" in capsys.readouterr().err


def test_a_second_run_is_told_that_it_is_busy(place, feeds):
    deliver(place, feeds[1][5])
    with LocalStore(place / "home").writing(wait=True):
        assert refit(place) == "busy"


def test_a_file_that_cannot_be_read_is_told_and_stops_nothing(place, capsys):
    (place / "inbox" / "m.csv").symlink_to("/proc/self/mem")
    with (place / "inbox" / "big.csv").open("wb") as file:
        file.truncate(2**40)
    assert refit(place) == "nothing new"
    told = capsys.readouterr().err
    assert "m.csv is left alone" in told
    assert "big.csv is left alone: it is too large" in told


def test_a_file_that_is_still_being_written_is_left_alone(place):
    (place / "inbox" / "big.csv.part").write_text("half")
    (place / "inbox" / ".hidden.csv").write_text("half")
    assert refit(place) == "nothing new"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("gates.toml", "psy = 1"),
        ("gates.toml", "outlier_factor = 0.5"),
        ("gates.toml", "most_quarantined = 10"),
        ("gates.toml", "prd_low = 1.2"),
        ("home.toml", "curency = 'EUR'"),
        ("home.toml", "currency = 'usd'"),
        ("home.toml", "family = 'foo'"),
    ],
)
def test_a_setting_that_is_misspelt_is_told(place, feeds, capsys, file, text):
    (place / "home" / file).write_text(text)
    deliver(place, feeds[1][5])
    assert refit(place) == "error 2"
    assert file in capsys.readouterr().err


def test_no_inbox_and_a_full_disk_are_errors_that_name_the_place(place, capsys):
    shutil.rmtree(place / "inbox")
    assert refit(place) == "error 2"
    assert "inbox" in capsys.readouterr().err


def test_the_ledger_turns_round_exactly(loglinear, gam, sales):
    stones = Stones.from_frame(sales.head(300))
    there, back = ledger(loglinear, gam, stones), ledger(gam, loglinear, stones)
    np.testing.assert_array_equal(there.old, back.new)
    assert (there.parts.sum(axis=1) == there.new - there.old).all()
    assert isinstance(loglinear, PriceModel)


def test_registry_commands_answer(founded, place, capsys):
    home = ["--home", str(place / "home")]
    name = registry(place).active().sha256
    for words in (["list"], ["show", name[:8]], ["diff", name[:8], name], ["verify"]):
        assert main(["registry", *words, *home]) == 0
        assert capsys.readouterr().out.strip()
    assert main(["registry", "rollback", *home, "--reason", "x"]) == 2
    assert "no earlier model" in capsys.readouterr().err
    assert main(["registry", "pin", name, *home, "--reason", "checked"]) == 0
    assert main(["registry", "show", "ffffffff", *home]) == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: f.assign(depth=(f["depth"] / 100).round(3)), 'depth = "fraction"'),
        (lambda f: f.assign(carat=(f["carat"] * 100).round()), 'carat = "pt"'),
        (
            lambda f: f.assign(
                Measurements=[
                    f"{x / 10:.3f} x {y / 10:.3f} x {z / 10:.3f}"
                    for x, y, z in zip(f["x"], f["y"], f["z"], strict=True)
                ]
            ).drop(columns=["x", "y", "z"]),
            'measurements = "cm"',
        ),
        (lambda f: f.drop(columns=["x", "y", "z", "depth", "table"]), "carat"),
    ],
)
def test_inspect_tells_units_by_what_real_stones_are(tmp_path, measured, capsys, change, told):
    change(measured[1][0].head(200)).to_csv(tmp_path / "theirs.csv", index=False)
    capsys.readouterr()
    assert main(["inspect", str(tmp_path / "theirs.csv")]) == 0
    answer = capsys.readouterr()
    assert told in answer.out
    assert "200 rows: 200 would be accepted" in answer.err
    assert "Warning" not in answer.err


def test_a_log_that_was_cut_off_shows_against_a_head_noted_elsewhere(place, capsys):
    home = ["--home", str(place / "home")]
    assert (
        main(["registry", "pin", registry(place).active().sha256, *home, "--reason", "x"]) == 0
    )
    capsys.readouterr()
    assert main(["registry", "verify", *home]) == 0
    head = capsys.readouterr().out.split()[-1]
    assert main(["registry", "verify", *home, "--head", head]) == 0
    (place / "home" / "log" / "00000002.json").unlink()
    assert main(["registry", "verify", *home]) == 0
    assert main(["registry", "verify", *home, "--head", head]) == 2
    assert "cut off or written anew" in capsys.readouterr().err


def test_inspect_shows_a_source_that_works(tmp_path, measured, capsys):
    feed = measured[1][0].rename(columns={"price": "Total Price", "carat": "Carat Weight"})
    feed = feed.assign(x=feed["x"] / 10, y=feed["y"] / 10, z=feed["z"] / 10)
    feed["cut"] = feed["cut"].astype(str).replace("Ideal", "AAA")
    feed.to_csv(tmp_path / "theirs.csv", index=False)
    assert main(["inspect", str(tmp_path / "theirs.csv")]) == 0
    told = capsys.readouterr()
    assert 'x = "cm"' in told.out
    assert "AAA" in told.err
    assert '# "AAA" = "Ideal"' in told.out
    (tmp_path / "source.toml").write_text(told.out + '\n[grades.cut]\nAAA = "Ideal"\n')
    words = ["inspect", str(tmp_path / "theirs.csv"), "--source", str(tmp_path / "source.toml")]
    assert main(words) == 0
    assert "700 rows: 700 would be accepted" in capsys.readouterr().err
