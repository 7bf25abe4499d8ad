"""Stones chosen to do harm: prices that fall, cents that are lost, doors that differ.

Half of the stones are drawn at random, with weights at, a hair below and a hair above every
place where a curve bends or a magic weight lies; the rest are bred from those whose price
rose least when they improved. ADVERSARIES sets how many; `make torture` tries a million.
"""

import io
import os

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from diamond_pricing import Stone, Stones
from diamond_pricing.intake.judged import judged
from diamond_pricing.stones import Coded
from diamond_pricing.warehouse.scoring import sql
from tests.strategies import CLARITIES, COLORS, CUTS
from tests.warehouse.test_scoring_sql import (
    COLUMNS,
    DDL,
    GRADES,
    MEASURES,
    odd_stones,
    random_stones,
)

COUNT = int(os.environ.get("ADVERSARIES", "6000"))
AT_ONCE = 50_000
SCALES = {"cut": CUTS, "color": COLORS, "clarity": CLARITIES}
LISTS = ("blend", "x<y")  # on the list x>y a mark-up, as observed, falls where a band ends
HEAVIER = (0.0, 1e-9, 0.0005, 0.001, 0.01, 0.03, 0.1, 0.5)  # carats; none is the next number


def chunks(count=COUNT):
    """How many stones at once, and a seed for each."""
    return [(min(AT_ONCE, count - done), done) for done in range(0, count, AT_ONCE)]


def priced(model, frame, listing):
    """Cents of each stone; NaN where the model declines it."""
    stones = Stones.from_frame(frame)
    cents = np.full(len(frame), np.nan)
    fine = np.flatnonzero(model.supports(stones))
    cents[fine] = model.itemise(stones.take(fine), listing=listing).sum(axis=1)
    return cents


def improved(frame, chance):
    """Each stone better in one way: a grade better, or heavier with its size grown along."""
    better = frame.copy()
    way = chance.choice([*GRADES, "carat"], len(frame))
    for name, scale in SCALES.items():
        place = frame[name].map({grade: i for i, grade in enumerate(scale)}).to_numpy()
        rows = (way == name) & (place < len(scale) - 1)
        better.loc[rows, name] = np.array(scale, object)[place[rows] + 1]
    rows = way == "carat"
    more = chance.choice(HEAVIER, len(frame))
    carat = frame["carat"].to_numpy()
    heavier = np.where(more > 0, carat + more, np.nextafter(carat, 9))
    growth = np.cbrt(heavier / carat)
    better.loc[rows, "carat"] = heavier[rows]
    for name in ("x", "y", "z"):
        better.loc[rows, name] = (frame[name] * growth)[rows]
    return better, way


def bred(frame, chance):
    """Stones near others."""
    near = frame.sample(frac=1, replace=True, random_state=chance.integers(1 << 31)).copy()
    factor = np.exp(chance.normal(0, chance.choice([1e-12, 1e-6, 1e-3, 0.02]), len(near)))
    near["carat"] = np.where(
        chance.random(len(near)) < 0.3, near["carat"].round(2), near["carat"] * factor
    )
    for name in ("x", "y", "z"):
        near[name] *= np.cbrt(factor)
    other = near.copy()
    for name, scale in SCALES.items():
        changed = chance.random(len(near)) < 0.3
        other.loc[changed, name] = chance.choice(scale, changed.sum())
    return other.reset_index(drop=True)


def test_no_price_falls_when_a_stone_improves(packaged):
    compared, least = 0, np.inf
    for count, seed in chunks():
        chance = np.random.default_rng(seed)
        frame = random_stones(packaged, max(count // 2, 1), seed)
        for _ in range(6):
            better, way = improved(frame, chance)
            worst = np.full(len(frame), np.inf)
            for listing in LISTS:
                before, after = (priced(packaged, f, listing) for f in (frame, better))
                fell = after < before
                assert not fell.any(), (listing, way[fell][0], frame[fell].iloc[0].to_dict())
                worst = np.fmin(worst, (after - before) / before)
                compared += int(np.isfinite(after - before).sum())
            moved = (better != frame).any(axis=1).to_numpy() & np.isfinite(worst)
            least = min(least, worst[moved].min())
            frame = bred(frame[moved].iloc[np.argsort(worst[moved])[: count // 20 + 1]], chance)
            frame = pd.concat([frame] * 2, ignore_index=True).head(max(count // 10, 1))
    print(f"{compared:,} pairs of {COUNT:,} stones, the least rise {100 * least:.4f} %")
    assert compared > COUNT


@pytest.fixture(scope="module")
def database(packaged):
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(DDL.format(d="DOUBLE", t="VARCHAR"))
    connection.execute(sql(packaged, "duckdb", columns=COLUMNS))
    return connection


def test_all_doors_say_the_same_cents_and_they_sum(packaged, api, database):
    lines = list(packaged.lines)
    reference = packaged.explain(packaged.reference).cents
    stones = declined = 0
    for count, seed in chunks():
        frame = pd.concat([random_stones(packaged, count, seed + 1), odd_stones()])
        frame = frame.reset_index(drop=True)[["carat", *GRADES, *MEASURES[1:]]]
        columns = {n: frame[n].to_numpy(float) for n in MEASURES}
        for name in GRADES:
            codes, texts = pd.factorize(frame[name])
            columns[name] = Coded([*texts, None], np.where(codes < 0, len(texts), codes))
        batch = judged(packaged, columns, len(frame), 0.9, "blend")
        fine = batch.status != 2
        # In SQL.
        database.execute("DELETE FROM stones")
        numbered = frame.assign(id=range(len(frame)))
        database.register("given", numbered[list(COLUMNS)])
        database.execute("INSERT INTO stones SELECT * FROM given")
        kinds = ("price", "low", "high", "reference", *lines)
        names = ", ".join(f"{kind}_cents" for kind in kinds)
        found = database.execute(f"SELECT {names} FROM diamond_prices ORDER BY id").fetchnumpy()
        told = {kind: np.ma.filled(found[f"{kind}_cents"], -1) for kind in kinds}
        # Over HTTP.
        answer = _asked(api, frame)
        for i, line in enumerate(["reference", *lines]):
            cents = batch.cents[:, i]
            np.testing.assert_array_equal(told[line][fine], cents[fine], err_msg=line)
            np.testing.assert_array_equal(answer[line][fine], cents[fine], err_msg=line)
        for name in ("low", "high"):
            ends = np.round(100 * getattr(batch, name)[fine])
            np.testing.assert_array_equal(told[name][fine], ends)
            np.testing.assert_array_equal(np.round(100 * answer[name][fine]), ends)
        assert (told["price"][~fine] == -1).all()
        assert (answer["cents"][~fine] == -1).all()
        # One by one, and whether a range holds its price.
        total, records = batch.cents.sum(axis=1), frame.to_dict("records")
        for i in np.flatnonzero(fine).tolist():
            given = {n: v for n, v in records[i].items() if v == v and v is not None}
            why = packaged.explain(Stone(**given))
            each = [line.cents for line in why.lines]
            assert (sum(each), why.cents) == (total[i], total[i]), given
            low, high = why.range()
            assert low < why.price < high, given
        for i in np.flatnonzero(~fine).tolist():
            given = {n: v for n, v in records[i].items() if v == v and v is not None}
            with pytest.raises((ValueError, TypeError)):
                packaged.explain(Stone(**given))
        stones += int(fine.sum())
        declined += int((~fine).sum())
    print(f"{stones:,} stones priced the same by four doors, {declined:,} declined by all")
    assert reference > 0
    assert stones > 0.6 * COUNT


def _asked(api, frame):
    """Columns of the answer to a batch in Arrow; -1 where there is none."""
    table = pa.table(
        {n: pa.array(frame[n], from_pandas=True) for n in frame if frame[n].notna().any()}
    )
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    answer = api.post(
        "/v1/quotes/batch",
        content=out.getvalue(),
        timeout=300,
        headers={"Content-Type": "application/vnd.apache.arrow.stream"},
    )
    assert answer.status_code == 200, answer.text
    found = pa.ipc.open_stream(answer.content).read_all()
    return {
        name: found[name].to_pandas().fillna(-1).to_numpy()
        for name in found.column_names
        if not pa.types.is_string(found[name].type)
        and not pa.types.is_dictionary(found[name].type)
    }
