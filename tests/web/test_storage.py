import asyncio
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier, Thread

import msgspec
import pytest
from sqlalchemy import text

from diamond_pricing.errors import ServiceError, StorageError
from diamond_pricing.web.storage import (
    Caller,
    Database,
    Keys,
    Ledger,
    NewQuote,
    Spend,
    audit_faults,
    audited,
    create_key,
    revoke_key,
)
from diamond_pricing.web.storage.database import PATIENCE
from diamond_pricing.web.storage.keys import OPEN
from diamond_pricing.web.storage.tables import metadata

SECRET = b"s" * 32


@pytest.fixture
def database(database_url):
    found = Database(database_url)
    found.upgrade()
    yield found
    found.close()


def settle(database, spends, *, at_once=True):
    """Settle spends in a ledger of their own, together or one after another."""

    async def run():
        ledger = Ledger(database, 100)
        ledger.start()
        try:
            if at_once:
                return await asyncio.gather(*(ledger.settle(s) for s in spends))
            return [await ledger.settle(s) for s in spends]
        finally:
            await asyncio.to_thread(ledger.stop)

    return asyncio.run(run())


def quote(n=1, idempotency=""):
    return NewQuote("m" * 64, f'{{"n":{n}}}', 100 * n, idempotency)


def test_the_migrations_make_the_tables_that_the_code_reads(database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    database.upgrade()  # again, to no effect


def at_once(number, do):
    """What went wrong when a number of threads did something at the same time."""
    barrier, errors = Barrier(number), []

    def run():
        barrier.wait()
        try:
            do()
        except Exception as error:
            errors.append(error)

    threads = [Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_servers_that_start_at_once_wait_for_each_other(database_url):
    def upgrade():
        with closing(Database(database_url)) as database:
            database.upgrade()

    assert at_once(4, upgrade) == []


def test_a_new_file_that_many_open_at_once_is_opened_by_all(tmp_path):
    """SQLite refuses some of them without waiting, unless they ask again."""

    def opening():
        with closing(Database(url)) as database, database.reading() as connection:
            connection.execute(text("SELECT 1"))

    for attempt in range(100):
        url = f"sqlite:///{tmp_path}/{attempt}.db"
        assert at_once(4, opening) == []


def test_a_server_that_starts_waits_for_one_that_takes_its_time(database_url):
    with closing(Database(database_url)) as first, closing(Database(database_url)) as second:
        with first.writing() as connection:
            if not first.sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(7242024)"))
            starting = ThreadPoolExecutor(1).submit(second.upgrade)
            time.sleep(1.5 * PATIENCE)
            assert not starting.done()
        starting.result(timeout=60)


def test_a_database_of_a_later_program_is_left_alone(database):
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ServiceError, match="newer than this program"):
        database.upgrade()


def test_a_quote_that_was_acknowledged_is_there(database):
    caller = Caller("acme")
    receipts = settle(database, [Spend(caller, "quote", 1, quote(n)) for n in range(50)])
    ledger = Ledger(database, 0)
    for n, receipt in enumerate(receipts):
        stored = ledger.quote(receipt.quote.id, "acme")
        assert stored == receipt.quote
        assert stored.cents == 100 * n
        assert ledger.quote(receipt.quote.id, "bolt") is None
        assert ledger.quote(receipt.quote.id, None) == stored
    (row,) = ledger.used("acme", "2000", "3000")
    assert (row["kind"], row["requests"], row["units"]) == ("quote", 50, 50)


@pytest.mark.parametrize("at_once", [True, False])
def test_an_idempotency_key_makes_one_quote_however_it_arrives(database, at_once):
    a, b = Caller("acme"), Caller("bolt")
    spends = [
        Spend(a, "quote", 1, quote(1, "k")),
        Spend(a, "quote", 1, quote(1, "k")),
        Spend(a, "quote", 1, quote(2, "k")),
        Spend(b, "quote", 1, quote(1, "k")),
    ]
    first, again, other, stranger = settle(database, spends, at_once=at_once)
    assert again.quote == first.quote
    assert (first.replayed, again.replayed) == (False, True)
    assert other.refused == "idempotency_key_reused"
    assert stranger.quote.id != first.quote.id
    (row,) = Ledger(database, 0).used("acme", "2000", "3000")
    assert row["units"] == 1


def test_quotes_are_numbered_without_gaps_and_found_again(database_url, database):
    """By each tenant and year, by two servers at once as by one."""
    caller, rival = Caller("acme"), Caller("bolt")
    stones = ["1.01 ct Ideal E VS1", "0.50 ct Good H SI1"]

    def spends(of, n):
        return [
            Spend(
                of,
                "quote",
                1,
                NewQuote(
                    "m" * 64,
                    "{}",
                    i,
                    title=stones[i % 2],
                    currency="USD",
                    client=f"Client {i}",
                    client_reference=f"PO-{i:03}",
                    words="GIA 2141 100%_sure",
                ),
            )
            for i in range(n)
        ]

    other = Database(database_url)
    at_once(2, lambda: settle(other, spends(caller, 20)))
    settle(database, spends(rival, 3))
    ledger = Ledger(database, 0)
    found = ledger.quotes("acme", most=100)
    assert sorted(q.number for q in found) == list(range(1, 41))
    year = found[0].created[:4]
    assert {q.label for q in ledger.quotes("bolt")} == {f"Q-{year}-{n:06}" for n in (1, 2, 3)}
    assert [q.number for q in found] == list(range(40, 0, -1))
    page, seen = ledger.quotes("acme", most=7), []
    while page:
        seen += page
        page = ledger.quotes("acme", before=page[-1].id, most=7)
    assert seen == found
    assert ledger.quotes("acme", "po-007 ideal") == []
    one = ledger.quotes("acme", "GOOD po-007")
    assert {q.client for q in one} == {"Client 7"}
    assert len(one) == 2, "by each of the two servers"
    assert ledger.quotes("acme", one[0].label.lower()) == [one[0]]
    assert len(ledger.quotes("acme", "100%_sure", most=100)) == 40
    assert ledger.quotes("acme", "100x_sure") == []
    assert ledger.quotes("acme", since="2999-01-01") == []
    assert ledger.quotes("acme", before=ledger.quotes("bolt")[0].id) is None
    assert ledger.quote(one[0].label, "acme") == one[0]
    assert ledger.quote(one[0].label, None) is None, "a number is nobody's but the tenant's"
    ledger.revoke_links(one[0].id, "bolt")
    assert ledger.quote(one[0].id, "acme").shares == 0
    ledger.revoke_links(one[0].id, "acme")
    assert ledger.quote(one[0].id, "acme").shares == 1
    other.close()


def test_quotes_of_before_are_still_there(database_url):
    """A database of the first schema, with a quote and a key, brought up to date."""
    from alembic import command as alembic
    from alembic.config import Config

    database = Database(database_url)
    config = Config()
    config.set_main_option("script_location", "diamond_pricing.web.storage:migrations")
    with database.writing() as connection:
        config.attributes["connection"] = connection
        alembic.upgrade(config, "0001")
        name = "q_" + "a" * 32
        connection.execute(
            text(
                "INSERT INTO quotes (id, tenant, created, model, asked, cents) VALUES "
                "(:n, 'acme', '2025-01-02T03:04:05Z', 'm', '{}', 5)"
            ),
            {"n": name},
        )
        connection.execute(text("INSERT INTO tenants (name, created) VALUES ('acme', 'x')"))
        connection.execute(
            text(
                "INSERT INTO keys (id, tenant, hash, scopes, created) VALUES "
                "('k', 'acme', 'h', 'quote', 'x')"
            )
        )
    database.upgrade()
    ledger = Ledger(database, 0)
    old = ledger.quote(name, "acme")
    assert (old.cents, old.label, old.shares) == (5, name, 0)
    assert ledger.quotes("acme") == [old]
    settle(database, [Spend(Caller("acme"), "quote", 1, quote())])
    assert [q.number for q in ledger.quotes("acme")] == [1, None]
    keys = Keys(database, SECRET)
    keys.refresh()
    assert keys.origins == frozenset()
    database.close()


def test_a_quota_is_never_overdrawn_by_requests_at_once(database):
    caller = Caller("acme", quota=30, seconds=86400)
    receipts = settle(database, [Spend(caller, "quote", 1, quote(n)) for n in range(50)])
    told = [r for r in receipts if not r.refused]
    assert len(told) == 30
    assert {r.refused for r in receipts} == {"", "too_many_requests"}
    assert min(r.left for r in told) == 0
    assert all(0 < r.reset <= 86400 for r in receipts)
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM quotes")).scalar() == 30


def test_a_quota_holds_across_servers(database_url, database):
    """Two ledgers at one database, as two servers have them."""
    caller = Caller("acme", quota=100, seconds=86400)

    async def run():
        databases = [Database(database_url), Database(database_url)]
        ledgers = [Ledger(d, 0) for d in databases]
        for ledger in ledgers:
            ledger.start()
        try:
            return await asyncio.gather(
                *(ledgers[i % 2].settle(Spend(caller, "quote", 3, quote(i))) for i in range(80))
            )
        finally:
            for ledger in ledgers:
                await asyncio.to_thread(ledger.stop)
            for d in databases:
                d.close()

    receipts = asyncio.run(run())
    assert sum(3 for r in receipts if not r.refused) == 99


def test_a_window_ends(database):
    caller = Caller("acme", quota=1, seconds=1)
    (first,) = settle(database, [Spend(caller, "quote", 1)])
    time.sleep(1.1)
    (later,) = settle(database, [Spend(caller, "quote", 1)])
    assert (first.refused, later.refused) == ("", "")


def test_a_key_is_kept_only_as_a_hash_and_can_be_revoked_and_expire(database):
    token = create_key(database, SECRET, "acme", ["quote"], by="me", quota="5/hour", days=1)
    keys = Keys(database, SECRET)
    keys.refresh()
    caller = keys.caller(token)
    assert (caller.tenant, caller.quota, caller.seconds) == ("acme", 5, 3600)
    secret_part = token.rpartition("_")[2] if token.count("_") == 2 else token.split("_", 2)[2]
    with database.reading() as connection:
        for table in metadata.tables.values():
            for row in connection.execute(table.select()):
                assert secret_part not in str(row)
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    for bad in ("", "dp_", wrong, token.upper(), token + "x", "dp_" + "0" * 12 + token[15:]):
        assert keys.caller(bad) is None
    assert Keys(database, b"another secret").caller(token) is None
    assert settle(database, [Spend(caller, "quote", 1)])[0].refused == ""
    revoke_key(database, SECRET, caller.key, by="me")
    # A server that has not looked again yet still cannot write for it.
    assert settle(database, [Spend(caller, "quote", 1, quote())])[0].refused == "unauthorized"
    keys.refresh()
    assert keys.caller(token) is None
    assert keys.any
    with pytest.raises(ServiceError, match="no key"):
        revoke_key(database, SECRET, caller.key, by="me")


def test_an_expired_key_is_none(database):
    token = create_key(database, SECRET, "acme", ["quote"], by="me", days=1)
    with database.writing() as connection:
        connection.execute(text("UPDATE keys SET expires = '2020-01-01T00:00:00Z'"))
    keys = Keys(database, SECRET)
    keys.refresh()
    assert keys.caller(token) is None


@pytest.mark.parametrize(
    ("tenant", "scopes", "quota"),
    [
        ("", ["quote"], None),
        ("Acme", ["quote"], None),
        ("a" * 41, ["quote"], None),
        ("a/b", ["quote"], None),
        ("acme", [], None),
        ("acme", ["all"], None),
        ("acme", ["quote"], "0/hour"),
        ("acme", ["quote"], "5/week"),
        ("acme", ["quote"], "x"),
        ("local", ["quote"], None),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(database, tenant, scopes, quota):
    with pytest.raises(ServiceError):
        create_key(database, SECRET, tenant, scopes, by="me", quota=quota)
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM keys")).scalar() == 0


def test_the_audit_log_only_grows_and_shows_what_was_changed(database):
    for n in range(3):
        create_key(database, SECRET, f"t{n}", ["quote"], by="me")
    with database.reading() as connection:
        entries = audited(connection)
        assert [e["number"] for e in entries] == [1, 2, 3]
        assert audit_faults(connection, SECRET) == []
    for change in ("UPDATE audit SET actor = 'you'", "DELETE FROM audit"):
        with pytest.raises(StorageError, match="only grows"), database.writing() as connection:
            connection.execute(text(change))
    drop = (
        ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"]
        if database.sqlite
        else ["DROP TRIGGER audit_kept ON audit"]
    )
    with database.writing() as connection:
        for statement in drop:
            connection.execute(text(statement))
        connection.execute(text("UPDATE audit SET actor = 'you' WHERE number = 2"))
    with database.reading() as connection:
        assert audit_faults(connection, SECRET) == ["entry 2 of the audit log was changed."]
    with database.writing() as connection:
        connection.execute(text("DELETE FROM audit WHERE number = 2"))
    with database.reading() as connection:
        assert "entry 2 of the audit log is missing." in audit_faults(connection, SECRET)
        assert len(audit_faults(connection, b"another secret")) >= 2
        newest = audited(connection)[-1]["subject"]
    with database.writing() as connection:  # cut off at its end
        connection.execute(text("DELETE FROM audit WHERE number = 3"))
    with database.reading() as connection:
        missing = f"the audit log does not say 'key created' of {newest}."
        assert missing in audit_faults(connection, SECRET)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE keys SET revoked = NULL", "was revoked, but"),
        ("UPDATE keys SET tenant = 'bolt'", "tenant of key"),
        ("UPDATE keys SET scopes = 'admin,quote'", "scopes of key"),
        ("UPDATE keys SET origins = 'https://evil.example'", "origins of key"),
        ("UPDATE keys SET expires = '2999-01-01T00:00:00Z'", "expires of key"),
        ("UPDATE tenants SET quota = 1000000 WHERE name = 'acme'", "another quota of acme"),
    ],
)
def test_a_key_or_quota_that_was_changed_past_us_is_told(database, change, said):
    kept = create_key(database, SECRET, "acme", ["quote"], by="me", quota="5/hour", days=1)
    create_key(database, SECRET, "bolt", ["batch"], by="me")
    create_key(database, SECRET, "acme", ["quote"], by="me")
    revoke_key(database, SECRET, kept, by="me")
    with database.writing() as connection:
        assert audit_faults(connection, SECRET) == []
        connection.execute(text(change))
        assert any(said in fault for fault in audit_faults(connection, SECRET))


def test_what_was_told_while_nothing_could_be_written_is_charged_later(tmp_path):
    url = f"sqlite:///{tmp_path}/service.db"
    database = Database(url)
    database.upgrade()
    other = sqlite3.connect(tmp_path / "service.db", isolation_level=None)
    caller = Caller(OPEN)

    async def run():
        ledger = Ledger(database, 5)
        ledger.start()
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="locked"):
                await ledger.settle(Spend(caller, "quote", 1, quote()))
            assert ledger.owe(Spend(caller, "quote", 4, quote()))
            assert not ledger.owe(Spend(caller, "quote", 2, quote()))
            other.execute("ROLLBACK")
            return await ledger.settle(Spend(caller, "quote", 1, quote()))
        finally:
            await asyncio.to_thread(ledger.stop)

    assert asyncio.run(run()).quote is not None
    (row,) = Ledger(database, 0).used(OPEN, "2000", "3000")
    assert row["units"] == 5
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM quotes")).scalar() == 1


def test_a_database_that_is_none_is_told_plainly(tmp_path):
    (tmp_path / "service.db").write_bytes(b"this is no database, but long enough " * 40)
    with pytest.raises(StorageError, match="not a database"):
        Database(f"sqlite:///{tmp_path}/service.db").upgrade()
    for url in ("mysql://x/y", "nonsense", "sqlite+nothing:///x"):
        with pytest.raises(ServiceError):
            Database(url)


def test_a_stored_request_can_be_read_by_anybody_who_has_the_model(database, packaged):
    from diamond_pricing.web.messages import QuoteIn
    from diamond_pricing.web.pricing import priced

    asked = msgspec.convert(
        {"carat": 1.01, "cut": "Ideal", "color": "E", "clarity": "VS1", "level": 0.5}, QuoteIn
    )
    text_ = msgspec.json.encode(asked).decode()
    new = NewQuote(packaged.sha256, text_, priced(packaged, asked).cents)
    (receipt,) = settle(database, [Spend(Caller("acme"), "quote", 1, new)])
    again = msgspec.json.decode(receipt.quote.asked, type=QuoteIn)
    assert again == asked
    assert priced(packaged, again).cents == receipt.quote.cents


def test_a_database_that_is_deleted_under_a_server_is_noticed(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/service.db")
    database.upgrade()
    assert settle(database, [Spend(Caller("acme"), "quote", 1, quote())])[0].quote
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(StorageError, match="gone"):
        settle(database, [Spend(Caller("acme"), "quote", 1, quote())])
    (tmp_path / "service.db").touch()
    with pytest.raises(StorageError, match="another file"):
        settle(database, [Spend(Caller("acme"), "quote", 1, quote())])


def test_a_lock_of_somebody_else_is_not_waited_for_without_end(database_url, database):
    if database.sqlite:
        pytest.skip("its own test is above")
    other = Database(database_url)
    with other.engine.connect() as connection:
        connection.execute(text("LOCK TABLE quotes IN ACCESS EXCLUSIVE MODE"))
        began = time.monotonic()
        with pytest.raises(StorageError):
            settle(database, [Spend(Caller("acme"), "quote", 1, quote())])
        assert time.monotonic() - began < 10
    assert settle(database, [Spend(Caller("acme"), "quote", 1, quote())])[0].quote
    other.close()


def test_the_same_key_with_another_pinned_model_is_another_request(database):
    caller = Caller("acme")
    one = NewQuote("m" * 64, "{}", 1, "k", "m" * 64)
    two = NewQuote("n" * 64, "{}", 1, "k", "n" * 64)
    first, second = settle(database, [Spend(caller, "quote", 1, q) for q in (one, two)])
    assert (first.refused, second.refused) == ("", "idempotency_key_reused")
    assert Ledger(database, 0).repeated("acme", one) == first.quote
    assert Ledger(database, 0).repeated("acme", two) is None
    assert Ledger(database, 0).repeated("bolt", one) is None


def test_what_is_owed_never_passes_its_limit_while_the_database_fails(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/service.db")
    database.upgrade()
    other = sqlite3.connect(tmp_path / "service.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    told = 0

    async def one(ledger):
        nonlocal told
        spend = Spend(Caller("acme"), "batch", 4)
        for _ in range(4):
            try:
                await ledger.settle(spend)
            except StorageError:
                told += 4 if ledger.owe(spend) else 0

    async def run():
        ledger = Ledger(database, 10)
        ledger.start()
        await asyncio.gather(*(one(ledger) for _ in range(3)))
        other.execute("ROLLBACK")
        await ledger.settle(Spend(Caller("acme"), "batch", 1))
        await asyncio.to_thread(ledger.stop)

    asyncio.run(run())
    assert told == 8
    (row,) = Ledger(database, 0).used("acme", "2000", "3000")
    assert row["units"] == 9
    other.close()
