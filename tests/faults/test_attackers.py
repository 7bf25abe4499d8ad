"""Attackers on the wire, with a key or without: what they would try, tried."""

import os
import re
import socket
import statistics
import subprocess
import threading
import time

import httpx
import pytest

from diamond_pricing.errors import StoneError
from diamond_pricing.intake import Quarantined, quarantine_csv
from diamond_pricing.stones import Stone
from diamond_pricing.web.storage import Caller, Database, Keys, Spend, create_key
from diamond_pricing.web.storage.ledger import settled
from tests.web.conftest import STONE
from tests.web.serving import Server, command, make_key, serving
from tests.web.test_api import problem
from tests.web.test_batch import as_arrow

INSIDE = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEAD = b"POST /v1/quotes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
# Requests that a proxy and a server may take apart in two ways: each in one packet, with what
# would be smuggled behind it. A bare line feed ends a header here, as RFC 9112 (2.2) permits.
SMUGGLED = {
    "length and chunks": HEAD
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + INSIDE,
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + INSIDE,
    "a length with a sign": HEAD + b"Content-Length: +0\r\n\r\n" + INSIDE,
    "a length in two values": HEAD + b"Content-Length: 0, 44\r\n\r\n" + INSIDE,
    "a length that wraps": HEAD + b"Content-Length: 18446744073709551616\r\n\r\n" + INSIDE,
    "chunked, nearly": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + INSIDE,
    "chunked with a tab": HEAD
    + b"Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    + INSIDE,
    "chunked, not last": HEAD
    + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"
    + INSIDE,
    "a space before the colon": HEAD + b"Content-Length : 44\r\n\r\n" + INSIDE,
    "a folded header": HEAD + b"X: a\r\n Content-Length: 44\r\n\r\n" + INSIDE,
    "a chunk size that wraps": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n"
    + INSIDE,
    "no host": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
    "another's absolute address": b"GET http://evil.example/v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a null in a header": b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n",
}


def said(server, sent, seconds=4.0):
    """Statuses of all answers that a connection gets to some bytes, until it is quiet."""
    found = b""
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(sent)
        raw.settimeout(seconds)
        try:
            while read := raw.recv(1 << 16):
                found += read
                raw.settimeout(0.5)
        except TimeoutError:
            pass
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", found)]


@pytest.mark.parametrize("name", SMUGGLED)
def test_no_request_rides_within_another(server, api, name):
    """A request that can be read in two ways is refused, and nothing behind it is answered."""
    codes = said(server, SMUGGLED[name])
    assert 200 not in codes, codes
    assert all(400 <= code < 500 for code in codes), codes
    assert len(codes) <= 1
    assert said(server, INSIDE + INSIDE) == [200, 200]  # what is behind would be seen
    assert api.post("/v1/quotes", json=STONE).status_code == 201


def test_a_key_that_is_revoked_in_mid_stream_gets_the_rest_and_nothing_more(tmp_path, catalog):
    """What was charged is told to its end; the next request is refused."""
    key = make_key(tmp_path, "acme", "quote,batch")
    names = ("carat", "cut", "color", "clarity")
    columns = {name: catalog[name].astype(object).tolist() * 2 for name in names}
    body = as_arrow(columns)
    head = {"Authorization": f"Bearer {key}"}
    media = {"Content-Type": "application/vnd.apache.arrow.stream", "Accept": "text/csv"}
    with serving(tmp_path) as server, httpx.Client(base_url=server.url, timeout=60) as api:
        with api.stream(
            "POST", "/v1/quotes/batch", content=body, headers=head | media
        ) as answer:
            assert answer.status_code == 200
            parts = answer.iter_raw()
            read = len(next(parts))
            revoke = command("keys", "revoke", key, "--data", str(tmp_path))
            subprocess.run(revoke, check=True, capture_output=True)
            refused = api.post("/v1/quotes", json=STONE, headers=head)
            problem(refused, 401, "unauthorized")
            read += sum(map(len, parts))
        assert read > 60 * len(columns["carat"])


@pytest.fixture(params=["sqlite", "postgresql"])
def pair(request, tmp_path):
    """Two servers at one database, and a key of a tenant with a quota."""
    if request.param == "sqlite":
        options = ["--database", f"sqlite:///{tmp_path}/shared.db"]
    else:
        from sqlalchemy import create_engine, text

        url = request.getfixturevalue("postgres_url")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("DROP DATABASE IF EXISTS pair WITH (FORCE)"))
            connection.execute(text("CREATE DATABASE pair"))
        engine.dispose()
        options = ["--database", url.rsplit("/", 1)[0] + "/pair"]
    data = tmp_path / "data"
    key = make_key(data, "acme", "quote", "--quota", "60/day", *options)
    servers = [Server(data, *options), Server(data, *options)]
    yield servers, key
    for server in servers:
        server.stop()


def test_two_servers_at_one_database_are_one(pair):
    """One quota for both, one quote for a repeated order, and each reads what the other wrote."""
    servers, key = pair
    head = {"Authorization": f"Bearer {key}"}
    answers = []

    def ask(server, count):
        with httpx.Client(base_url=server.url, headers=head, timeout=30) as api:
            for i in range(count):
                same = {"Idempotency-Key": f"order {i // 2}"}
                answers.append((server.url, api.post("/v1/quotes", json=STONE, headers=same)))

    threads = [threading.Thread(target=ask, args=(s, 40)) for s in servers for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = [(url, a.json()["id"]) for url, a in answers if a.status_code == 201]
    assert len(stored) == len(answers) == 160
    assert len({name for _, name in stored}) == 20
    for name, url in {name: url for url, name in stored}.items():
        (other,) = {server.url for server in servers} - {url}
        assert httpx.get(f"{other}/v1/quotes/{name}", headers=head).status_code == 200
    # 20 of 60 are gone; both together give 40 more and no more.
    more = []

    def hurry(server):
        with httpx.Client(base_url=server.url, headers=head, timeout=30) as api:
            more.extend(api.post("/v1/quotes", json=STONE).status_code for _ in range(30))

    threads = [threading.Thread(target=hurry, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(more)) == [201, 429]
    assert more.count(201) == 40


def test_what_takes_a_key_apart_tells_nothing_by_its_time(tmp_path):
    """A key that exists, with a wrong secret, takes as long as one that does not exist.

    The two are asked in turn. Their medians may differ by a tenth, which is far less than
    what a network adds; a comparison that stops at the first wrong character of the secret,
    or an HMAC that is left out, differs by more.
    """
    database = Database(f"sqlite:///{tmp_path}/service.db")
    database.upgrade()
    secret = b"s" * 32
    token = create_key(database, secret, "acme", ["quote"], by="test")
    keys = Keys(database, secret)
    keys.refresh()
    head, part = token.rsplit("_", 1) if token.count("_") == 2 else (token[:15], token[16:])
    last = "A" if part[-1] != "A" else "B"
    kinds = {
        "right but for its last": f"{head}_{part[:-1]}{last}",
        "wrong from its first": f"{head}_{'A' * 43}",
        "unknown": f"dp_{'0' * 12}_{part}",
    }
    took = {kind: [] for kind in kinds}
    for _ in range(4000):
        for kind, wrong in kinds.items():
            began = time.perf_counter_ns()
            found = keys.caller(wrong)
            took[kind].append(time.perf_counter_ns() - began)
            assert found is None
    medians = {kind: statistics.median(times) for kind, times in took.items()}
    print({kind: f"{median / 1000:.2f} µs" for kind, median in medians.items()})
    assert max(medians.values()) < 1.15 * min(medians.values()), medians
    database.close()


@pytest.mark.parametrize("back", [1, 1800, 3599])
def test_a_clock_that_goes_back_gives_no_second_quota(tmp_path, back):
    database = Database(f"sqlite:///{tmp_path}/service.db")
    database.upgrade()
    caller = Caller("acme", quota=2, seconds=3600)
    now = 1_800_000_000.0 // 3600 * 3600

    def spend(at):
        with database.writing() as connection:
            return settled(connection, [Spend(caller, "quote", 1)], at)[0]

    assert [spend(now).refused, spend(now).refused] == ["", ""]
    assert spend(now - back).refused == "too_many_requests"
    assert spend(now + 1).refused == "too_many_requests"
    assert spend(now + 3600).refused == ""
    # From a clock that was years ahead and is right again nobody waits for years.
    assert spend(now + 1e9).refused == ""
    assert spend(now).refused == ""
    database.close()


def test_servers_with_other_clocks_share_what_is_kept(tmp_path):
    """One of a year ago and one of next year, through faketime where it is installed."""
    import shutil

    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("faketime is not installed")
    library = subprocess.run(
        [faketime, "-f", "+0", "printenv", "LD_PRELOAD"], capture_output=True, text=True
    ).stdout.strip()
    data = tmp_path / "data"
    head = {"Authorization": f"Bearer {make_key(data, 'acme', 'quote')}"}
    days = {}
    for jump in ("+0d", "-365d", "+400d"):
        away = {"LD_PRELOAD": library, "FAKETIME": jump, "DONT_FAKE_MONOTONIC": "1"}
        with (
            serving(data, TZ="Pacific/Kiritimati", **away) as server,
            # Under faketime a thread waits seconds for the interpreter's lock.
            httpx.Client(base_url=server.url, headers=head, timeout=60) as api,
        ):
            for name, day in days.items():
                assert api.get(f"/v1/quotes/{name}").json()["created"][:10] == day
            answer = api.post("/v1/quotes", json=STONE)
            assert answer.status_code == 201
            days[answer.json()["id"]] = answer.json()["created"][:10]
    now, before, after = (int(day[:4]) for day in days.values())
    assert (now - before, after - now) in ((1, 1), (1, 2))


def test_local_time_leaves_no_trace(tmp_path):
    """Two operators a day apart by their clocks write the same moment."""
    stamps = []
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu"):
        environment = {**os.environ, "TZ": zone, "SOURCE_DATE_EPOCH": "1800000000"}
        words = ["-c", "from diamond_pricing.cli.home import now; print(now())"]
        done = subprocess.run(
            [*command()[:1], *words],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        stamps.append(done.stdout.strip())
    assert stamps == ["2027-01-15T08:00:00Z"] * 3


def test_a_row_that_was_set_aside_is_no_formula_to_a_spreadsheet():
    row = Quarantined(3, "cut", "unknown", "=cmd|' /C calc'!A0,1.01")
    for text in quarantine_csv("=1+1.csv", [row]).decode().splitlines()[1:]:
        assert text.startswith("'=1+1.csv,3,")
        assert "'=cmd|" in text


# Letters that Unicode holds equal to ours, as full-width ones, are read as ours.
LOOKALIKES = [
    "Ideаl",
    "Ideal\u200b",
    "I\u0301deal",
    "\u202eladeI",
    "ideal\x00",
    "Ideal\ud800",
    "İdeal",
    "<b>Ideal</b>",
    "'; DROP TABLE quotes; --",
    "{{7*7}}",
    "%s%n",
    "../../etc/passwd",
    "Ideal" * 10_000,
]


@pytest.mark.parametrize("cut", LOOKALIKES, ids=range(len(LOOKALIKES)))
def test_a_grade_that_only_looks_like_one_is_none(cut):
    with pytest.raises(StoneError):
        Stone(1.01, cut, "E", "VS1")
