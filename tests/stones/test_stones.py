import numpy as np
import pandas as pd
import pytest

from diamond_pricing import Stone, Stones
from diamond_pricing.errors import StoneError, UnknownGradeError
from diamond_pricing.stones import Coded

FRAME = pd.DataFrame(
    {
        "Carat Weight": [1.01, 0.7, 2.0],
        "CUT": ["ideal", "VG", "Premium"],
        "colour": ["e", "G", "J"],
        "Clarity": ["VS1", "si1", "IF"],
        "depth": [62.9, np.nan, 61.0],
        "length": [6.41, 5.7, 0.0],
        "y": [6.45, 5.68, 8.1],
        "seller": ["a", "b", "c"],
    }
)


def test_a_frame_is_read_as_people_write_it():
    stones = Stones.from_frame(FRAME)
    assert len(stones) == 3
    assert stones.stone(0) == Stone(1.01, "Ideal", "E", "VS1", depth=62.9, x=6.41, y=6.45)
    assert stones.stone(1) == Stone(0.7, "Very Good", "G", "SI1", x=5.7, y=5.68)
    assert stones.labels("listing").tolist() == ["x<y", "x>y", ""]


def test_a_zero_dimension_counts_as_missing_and_is_listed():
    stones = Stones.from_frame(FRAME)
    ((row, problem),) = stones.left_out
    assert (row, problem.attribute, problem.code) == (2, "x", "impossible_dimension")
    assert problem.reason == "x is 0 mm; no stone is"
    assert stones.stone(2).x is None
    assert stones.take([2, 0]).left_out == ((0, problem),)
    assert stones.take([1, 0]).left_out == ()


def test_a_batch_gives_the_reasons_that_single_stones_give(catalog):
    stones = Stones.from_frame(catalog)
    checked = 0
    for row in {row for row, _ in stones.left_out}:
        recorded = catalog.iloc[row]
        names = ("carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z")
        if min(recorded[["x", "y", "z"]]) <= 0 or recorded["y"] > 40 or recorded["z"] > 30:
            continue  # a single stone is refused outright
        alone = Stone(**{name: recorded[name] for name in names}).problems()
        assert alone == tuple(problem for r, problem in stones.left_out if r == row)
        checked += 1
    assert checked > 30


def test_a_frame_and_single_stones_make_the_same_columns(sales):
    few = sales.head(200)
    batch = Stones.from_frame(few)
    single = Stones.of(batch.stone(row) for row in range(len(batch)))
    for name, column in batch.columns.items():
        np.testing.assert_array_equal(column, single[name], err_msg=name)


def test_categories_and_text_are_read_alike(sales):
    text = sales.astype(dict.fromkeys(("cut", "color", "clarity"), str))
    for name in ("cut", "color", "clarity"):
        np.testing.assert_array_equal(
            Stones.from_frame(sales)[name], Stones.from_frame(text)[name]
        )


@pytest.mark.parametrize("how", ["nullable", "object", "polars-like", "odd index"])
def test_frames_of_every_make_are_read_alike(sales, how):
    few = sales.head(300)
    expected = Stones.from_frame(few)
    few = few.astype(dict.fromkeys(("cut", "color", "clarity"), str))
    given = {
        "nullable": lambda: few.convert_dtypes(),
        "object": lambda: few.astype(object),
        "polars-like": lambda: Columns({name: few[name].tolist() for name in few}),
        "odd index": lambda: few.set_index(np.repeat([7, 3, 1], 100)),
    }[how]()
    read = Stones.from_frame(given)
    for name, column in expected.columns.items():
        np.testing.assert_array_equal(column, read[name], err_msg=name)


class Columns(dict):
    """A frame that is none of pandas': names, and a sequence for each."""

    @property
    def columns(self):
        return list(self)


def test_missing_values_of_every_make_are_missing():
    frame = FRAME.assign(depth=pd.array([62.9, pd.NA, None], dtype="Float64"))
    assert np.isnan(Stones.from_frame(frame)["depth"]).tolist() == [False, True, True]
    frame = FRAME.assign(colour=pd.array(["e", pd.NA, "J"], dtype="string"))
    with pytest.raises(UnknownGradeError, match=r"color is missing.*row 1,"):
        Stones.from_frame(frame)


def test_columns_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        Stones.from_frame(FRAME)["carat"][0] = 2
    with pytest.raises(TypeError):
        Stones.from_frame(FRAME).columns["carat"] = np.ones(3)


def test_reading_does_not_change_the_frame(sales):
    before = sales.copy()
    Stones.from_frame(sales)
    pd.testing.assert_frame_equal(sales, before)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"colour": ["e", "Q1", "J"]}, UnknownGradeError, r"1 of 3 rows: color 'Q1'.*row 1,"),
        ({"colour": ["e", None, "J"]}, UnknownGradeError, "color is missing"),
        ({"Carat Weight": [1.01, np.nan, 2]}, StoneError, r"carat must be .* not nan.*row 1,"),
        ({"Carat Weight": [-1, 0, 200]}, StoneError, r"3 of 3 rows: .*row 0, 1, 2,"),
        ({"Carat Weight": ["1", "2", "3"]}, StoneError, "row 0, counted from 0, is '1'"),
        ({"Carat Weight": [1.0, 2.0, "3"]}, StoneError, "row 2, counted from 0, is '3'"),
        ({"Carat Weight": [1.0, True, 2]}, StoneError, "row 1, counted from 0, is True"),
        ({"Carat Weight": [[1], [2], [3]]}, StoneError, "must hold numbers of ct"),
        ({"CUT": [["Ideal"], "VG", "Premium"]}, StoneError, "must hold grades; row 0"),
        ({"y": [6.4, 1e308, 8]}, StoneError, "y must be"),
        ({"depth": [62, 1000, 61]}, StoneError, "depth must be"),
        ({"y": [6.4, np.inf, 8]}, StoneError, "y must be"),
        ({"carat": [1, 1, 1]}, StoneError, "both mean carat"),
    ],
)
def test_bad_columns_are_refused_with_rows_and_reason(change, error, says):
    with pytest.raises(error, match=says):
        Stones.from_frame(FRAME.assign(**change))


def test_a_missing_column_is_named():
    with pytest.raises(StoneError, match="no column for clarity; the frame has Carat Weight"):
        Stones.from_frame(FRAME.drop(columns="Clarity"))
    with pytest.raises(StoneError, match="no columns"):
        Stones.from_frame(pd.DataFrame())


def test_no_stones_are_stones_too(packaged):
    nothing = Stones.from_frame(FRAME.head(0))
    assert len(nothing) == 0
    assert packaged.price(nothing).shape == (0,)
    assert packaged.itemise(nothing).shape == (0, 1 + len(packaged.lines))
    assert packaged.price(Stones.of([])).shape == (0,)


def test_rows_and_not_texts_are_counted_where_texts_stand_for_many():
    codes = np.array([0, 1, 0, 1, 1])
    frame = {
        "carat": np.ones(5),
        "cut": Coded(["Ideal", "Idael", "Nothing"], codes),
        "color": ["E"] * 5,
        "clarity": ["VS1"] * 5,
    }
    with pytest.raises(UnknownGradeError, match=r"3 of 5 rows: .*row 1, 3, 4, counted from 0"):
        Stones.from_frame(frame)
    fine = Stones.from_frame(frame | {"cut": Coded(["Ideal", "Idael"], codes * 0)})
    assert set(fine.labels("cut")) == {"Ideal"}
