"""Every package that a lock names may be handed out with a program under the MIT licence."""

import re
from importlib.metadata import distributions

import pytest

from scripts import licences
from scripts.locks import LOCKS, ROOT, pins

EVERY = {name: (licence, by) for name, (licence, by) in licences.rows("Every package").items()}
OTHERS = licences.rows("Other licences, and why they do no harm")
VENDORED = ROOT / "diamond_pricing/web/page/static/vendor/README.md"


def test_every_locked_package_is_in_the_table_and_no_other():
    """`make licences` writes it anew."""
    assert set(EVERY) == {name for lock in LOCKS for name in pins(lock)}
    assert {name: by for name, (_, by) in EVERY.items()} == licences.packages()


def test_every_licence_is_allowed_or_explained():
    asking = {name for name, (licence, _) in EVERY.items() if not licences.allowed(licence)}
    assert asking == set(OTHERS)
    for name, (licence, why) in OTHERS.items():
        assert EVERY[name][0] == licence
        assert len(why) > 10


def test_what_is_installed_states_the_licence_in_the_table():
    by_hand = licences.by_hand()
    for name, licence in licences.licences(distributions()):
        if name in EVERY and name not in by_hand:
            assert EVERY[name][0] == licence, name


@pytest.mark.parametrize(
    "licence",
    ["AGPL-3.0-only", "MIT AND GPL-3.0-only", "LGPL-2.1-only OR SSPL-1.0", "BUSL-1.1"],
)
def test_what_asks_for_more_is_not_allowed(licence):
    assert not licences.allowed(licence)


@pytest.mark.parametrize("licence", ["MIT", "GPL-2.0-only OR MIT", "(MIT OR X) AND ISC"])
def test_what_asks_for_notices_is_allowed(licence):
    assert licences.allowed(licence)


def test_pricing_alone_asks_for_nothing_but_notices():
    for name, (licence, by) in EVERY.items():
        assert by != "pricing" or licences.allowed(licence), name


def test_vendored_files_are_allowed_and_keep_their_licences():
    found = re.findall(r"^\| \S+ \| [^|]+ \| ([^,|]+), ([^|]+) \|", VENDORED.read_text(), re.M)
    assert len(found) == 3
    for licence, files in found:
        assert licences.allowed(licence)
        assert all((VENDORED.parent / file.strip()).exists() for file in files.split(","))
