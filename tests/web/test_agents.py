"""An assistant asks for prices over the protocol, as its SDK's client does."""

import asyncio
import sys
from pathlib import Path

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from diamond_pricing import Stone
from tests.web.conftest import STONE

COMMAND = Path(sys.executable).with_name("diamond-pricing")


def asked(*calls):
    """Answers of `diamond-pricing mcp`, and the names of its tools."""

    async def session():
        server = StdioServerParameters(command=str(COMMAND), args=["mcp"])
        async with stdio_client(server) as pipes, ClientSession(*pipes) as client:
            await client.initialize()
            tools = [tool.name for tool in (await client.list_tools()).tools]
            return [await client.call_tool(*call) for call in calls], tools

    return asyncio.run(session())


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_an_assistant_explains_compares_assesses_and_finds_like_sales(packaged):
    dearer, heavy = STONE | {"color": "D"}, STONE | {"carat": 9}
    answers, tools = asked(
        ("explain", {"stone": STONE}),
        ("compare", {"first": STONE, "second": dearer}),
        ("assess", {"stone": heavy}),
        ("like_sales", {"stone": STONE, "count": 3}),
        ("price_table", {"carats": [1.01], "colors": ["E"], "clarities": ["VS1"]}),
        ("explain", {"stone": heavy}),
        ("explain", {"stone": STONE | {"sparkle": "high"}}),
    )
    assert tools == ["explain", "compare", "assess", "like_sales", "price_table"]
    explained, compared, assessed, like, table, declined, odd = answers
    why = packaged.explain(Stone(**STONE))
    found = explained.structured_content
    assert found["cents"] == why.cents == sum(line["cents"] for line in found["lines"])
    assert [found["range"]["low"], found["range"]["high"]] == pytest.approx(
        why.range(), abs=0.006
    )
    for answer in (explained, compared, assessed, like, table):
        assert answer.structured_content["model"] == packaged.sha256
        assert "not an offer" in answer.structured_content["note"]
    more = packaged.explain(Stone(**dearer)).cents - why.cents
    assert compared.structured_content["difference_cents"] == more
    assert assessed.structured_content["status"] == "declined"
    assert assessed.structured_content["reasons"][0]["nearest"] == 5.01
    assert len(like.structured_content["comparables"]) == 3
    assert table.structured_content["cells"][0]["price"] == round(why.price, 2)
    assert declined.is_error
    assert "outside what this model has seen" in declined.content[0].text
    assert odd.is_error
    assert "sparkle" in odd.content[0].text
