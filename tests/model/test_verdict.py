"""Priced, priced with caution or declined, with the same codes at every door."""

import json

import pandas as pd
import pytest

from diamond_pricing import Stone
from diamond_pricing.cli import main
from diamond_pricing.errors import (
    ContradictionError,
    DiamondPricingError,
    UnsupportedStoneError,
)

DECLINED = [
    (Stone(0.1, "Ideal", "G", "VS1"), "weight_outside_range", 0.2),
    (Stone(9.0, "Ideal", "G", "VS1"), "weight_outside_range", 5.01),
    (Stone(1.0, "Ideal", "M", "VS1"), "grade_not_seen", "J"),
    (Stone(1.0, "Ideal", "G", "FL"), "grade_not_seen", "IF"),
    (Stone(1.0, "Ideal", "G", "VS1", depth=35.0), "measure_outside_range", 50.8),
    (Stone(4.5, "Ideal", "D", "IF"), "cell_without_support", None),
]


@pytest.mark.parametrize(("stone", "code", "nearest"), DECLINED)
def test_a_stone_that_was_not_seen_is_declined_with_its_code(packaged, stone, code, nearest):
    verdict = packaged.assess(stone)
    assert verdict.status == "declined"
    found = {reason.code: reason for reason in verdict.reasons}
    assert found[code].nearest == nearest
    assert found[code].remedy
    with pytest.raises(UnsupportedStoneError) as caught:
        packaged.explain(stone)
    assert caught.value.code == verdict.reasons[0].code
    assert caught.value.nearest == verdict.reasons[0].nearest


def test_contradicting_measurements_are_declined_with_their_code(packaged):
    stone = Stone(1.0, "Ideal", "G", "VS1", x=4.0, y=4.0)
    verdict = packaged.assess(stone)
    assert verdict.status == "declined"
    assert verdict.reasons[0].code == "size_contradicts_weight"
    with pytest.raises(ContradictionError) as caught:
        packaged.explain(stone)
    assert caught.value.code == "size_contradicts_weight"


def test_thin_evidence_is_priced_with_caution_and_says_so(packaged):
    stone = Stone(3.2, "Good", "F", "SI2")
    assert packaged.assess(stone).status == "priced_with_caution"
    why = packaged.explain(stone)
    assert why.verdict.reasons[0].code == "thin_support"
    assert "based on only 5 stones of about this weight" in str(why)
    assert json.dumps(why.to_dict()["verdict"])


def test_a_common_stone_is_simply_priced(packaged):
    assert packaged.assess(Stone(1.01, "Ideal", "E", "VS1")).status == "priced"


def test_the_command_line_says_the_same(capsys, packaged, tmp_path):
    file = tmp_path / "model.json"
    file.write_text(packaged.to_json())
    words = "explain --carat 3.2 --cut Good --color F --clarity SI2 --json --model"
    assert main([*words.split(), str(file)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"]["status"] == "priced_with_caution"
    assert answer["range"]["low"] < answer["price"] < answer["range"]["high"]


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (lambda m: m.explain("1.01 Ideal E VS1"), "give a Stone"),
        (lambda m: m.price(pd.DataFrame({"carat": [1.0]})), "Stones.from_frame"),
        (lambda m: m.range(Stone(1.0, "Ideal", "E", "VS1")), "Stones.of"),
        (lambda m: m.from_json(None), "is text"),
    ],
)
def test_what_is_no_stone_gets_a_plain_error(packaged, ask, complaint):
    with pytest.raises(DiamondPricingError, match=complaint):
        ask(packaged)
