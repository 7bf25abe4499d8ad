"""Bytes that change on the disk: what is read is what was written, or an error says so.

Of model documents and the log every byte is tried in tests/model and tests/registry; here what
else a home and a server keep.
"""

import os
import random
import shutil
import sqlite3

import pytest
from sqlalchemy import select

from diamond_pricing.cli import main
from diamond_pricing.errors import DocumentError, StorageError
from diamond_pricing.registry import LocalStore, Registry
from diamond_pricing.warehouse import sums
from diamond_pricing.warehouse.moments_file import read_moments, written_moments
from diamond_pricing.web.storage import Caller, Database, NewQuote, Spend
from diamond_pricing.web.storage.ledger import settled
from diamond_pricing.web.storage.tables import quotes

BYTES = int(os.environ.get("TORTURE_BYTES", "300"))


def places(size):
    """Some or all places of a file, the first and the last among them."""
    if size <= BYTES:
        return list(range(size))
    chance = random.Random(size)
    return [0, size - 1, *chance.sample(range(size), BYTES - 2)]


def flipped(content, place, bit):
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed)


def test_every_byte_of_what_a_home_keeps_is_vouched_for(ready, tmp_path):
    place = tmp_path / "home"
    shutil.copytree(ready / "home", place)
    registry = Registry(LocalStore(place))
    assert registry.verify() == []
    tried = 0
    for folder in ("sales", "records", "models", "log"):
        (file, *_) = sorted((place / folder).iterdir())
        content = file.read_bytes()
        for at in places(len(content))[: max(BYTES // 10, 20)]:
            file.write_bytes(flipped(content, at, at % 8))
            assert registry.verify(), (folder, at)
            tried += 1
        for kept in (0, 1, len(content) // 2, len(content) - 1):
            file.write_bytes(content[:kept])
            assert registry.verify(), (folder, kept)
        file.write_bytes(content)
        assert registry.verify() == []
    print(f"{tried} flipped bits of a home, all noticed")


def test_every_byte_of_sums_over_sales_is_vouched_for(sales):
    content = written_moments(sums(sales))
    whole = written_moments(read_moments(content))
    for at in places(len(content))[: max(BYTES // 5, 40)]:
        try:
            found = read_moments(flipped(content, at, at % 8))
        except DocumentError:
            continue
        # Parquet has bytes that no reader looks at; then what was read is what was written.
        assert written_moments(found) == whole, at
    for kept in (0, 4, len(content) // 2, len(content) - 1):
        with pytest.raises(DocumentError):
            read_moments(content[:kept])


def stored(folder):
    """A database with one quote, in one file."""
    database = Database(f"sqlite:///{folder}/service.db")
    database.upgrade()
    with database.writing() as connection:
        spend = Spend(Caller("acme"), "quote", 1, NewQuote("m" * 64, "{}", 12345))
        settled(connection, [spend], 1.8e9)
    database.close()
    with sqlite3.connect(folder / "service.db", isolation_level=None) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    plain.close()
    return (folder / "service.db").read_bytes()


def test_every_byte_of_a_databases_header(tmp_path):
    """It is refused, or holds what it held; SQLite has fields that it writes and never reads."""
    content = stored(tmp_path)
    refused = 0
    for at in range(100):
        for bit in (0, 3, 7):
            for left in tmp_path.iterdir():
                left.unlink()
            (tmp_path / "service.db").write_bytes(flipped(content, at, bit))
            database = Database(f"sqlite:///{tmp_path}/service.db")
            try:
                database.upgrade()
                with database.reading() as connection:
                    found = connection.execute(select(quotes.c.cents)).scalars().all()
                assert found == [12345], (at, bit)
            except StorageError:
                refused += 1
            finally:
                database.close()
    print(f"{refused} of 300 headers refused, the others held what they had held")
    assert refused > 60


@pytest.mark.parametrize("kept", [0, 3, 100, 4000])
def test_a_parquet_file_that_was_cut_off_is_rejected_with_its_reason(
    kept, ready, tmp_path, sales, capsys
):
    shutil.copytree(ready / "home", tmp_path / "home")
    (tmp_path / "inbox").mkdir()
    file = tmp_path / "inbox" / "new.parquet"
    sales.drop(columns=["stone", "listing"]).to_parquet(file)
    file.write_bytes(file.read_bytes()[: kept or None][:kept])
    words = ["refit", "--inbox", str(tmp_path / "inbox"), "--home", str(tmp_path / "home")]
    assert main(words) == 12
    said = capsys.readouterr().out
    assert "rejected" in said
    assert "new.parquet" in said
