"""The examples of the documents, copied out and run against a server."""

import random

import httpx
import pytest

from diamond_pricing import Stone
from diamond_pricing.errors import ServiceError
from diamond_pricing.web.client import ApiError, Client
from tests.web.conftest import STONE
from tests.web.serving import free_port


@pytest.fixture
def client(server):
    with Client(server.url) as found:
        yield found


def test_the_client_asks_for_everything(client, packaged):
    stone = Stone(**STONE)
    quote = client.quote(**STONE)
    assert quote.cents == packaged.explain(stone).cents
    assert client.read(quote.id) == quote
    assert client.sheet(quote.id).startswith(b"%PDF")
    assert b"<html" in client.sheet(quote.id, "html")
    assert httpx.get(client.share(quote.id)).status_code == 200
    assert client.compare(STONE, STONE | {"color": "G"}).difference_cents < 0
    assert len(client.comparables(3, **STONE).comparables) == 3
    assert client.what_if(**STONE).cents == quote.cents
    assert len(client.price_list("Good", [1.0], ["E"], ["VS1", "SI1"]).cells) == 2
    assert client.models().models[0].id == packaged.sha256
    assert client.model(packaged.sha256[:8]) == packaged
    columns = {name: [value] for name, value in STONE.items()}
    assert client.batch(columns, level=0.5)["columns"]["cents"] == [quote.cents]
    assert {u.kind for u in client.usage().usage} >= {"quote", "batch"}


def test_quotes_are_new_ones_though_a_script_seeds_its_random_numbers(client):
    random.seed(0)
    first = client.quote(**STONE)
    random.seed(0)
    assert client.quote(**STONE).id != first.id
    random.seed(0)
    client.quote(**STONE | {"color": "G"})


def test_the_client_raises_a_problem_with_its_code(client):
    with pytest.raises(ApiError, match="did you mean Ideal") as caught:
        client.quote(**STONE | {"cut": "Idael"})
    assert caught.value.problem.code == "unknown_grade"
    assert caught.value.problem.errors[0].pointer == "/cut"


def test_the_client_says_when_nobody_answers():
    with (
        Client(f"http://127.0.0.1:{free_port()}", tries=2) as client,
        pytest.raises(ServiceError, match=r"127\.0\.0\.1"),
    ):
        client.quote(**STONE)
