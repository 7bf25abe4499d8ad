"""A home and an inbox whose fit is known beforehand, so that a refit takes a moment."""

import ctypes
import subprocess
import sys

import pytest

from diamond_pricing.cli import main
from diamond_pricing.refit import run as running
from diamond_pricing.refit.run import refit
from diamond_pricing.registry import LocalStore
from diamond_pricing.registry.signing import KEY, Signing, new_key
from tests.faults.scenarios import SAID, STONE, scenario
from tests.web.conftest import api, postgres_url, server

__all__ = ["api", "postgres_url", "server"]


@pytest.fixture(scope="session")
def ready(tmp_path_factory, sales, monotone):
    """A home with one model, and an inbox that leads to another."""
    place = tmp_path_factory.mktemp("ready")
    (place / "inbox").mkdir()
    columns = ["carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y", "z"]
    mixed = sales[columns].sample(frac=1, random_state=0)
    mixed.head(3000).to_csv(place / "inbox" / "a.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "fit", lambda *_, **__: monotone)
        assert refit(place / "inbox", LocalStore(place / "home"), **SAID).verdict == "promoted"
    mixed.tail(300).to_csv(place / "inbox" / "b.csv", index=False)
    return place


@pytest.fixture(scope="session")
def other(catalog):
    """Another model than the home's first."""
    from diamond_pricing.fitting import fit

    return fit(catalog[catalog["stone"] % 12 == 0].iloc[:-5])


@pytest.fixture(scope="session")
def signing(tmp_path_factory):
    """What a home is signed with."""
    file = tmp_path_factory.mktemp("keys") / "signing.pem"
    new_key(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY, str(file))
        return Signing.configured()


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """The page that a client is given."""
    file = tmp_path_factory.mktemp("page") / "page.html"
    assert main(["explain", *STONE, "--html", str(file)]) == 0
    return file.read_bytes()


@pytest.fixture
def scene(request, other, monkeypatch):
    """The scenario that a test names."""
    monkeypatch.setattr(running, "fit", lambda *_, **__: other)
    needs = {
        "refit": ["ready"],
        "first refit": ["ready"],
        "promotions": ["loglinear", "gam", "signing"],
        "page": ["page"],
        "score": ["sales"],
    }
    given = {name: request.getfixturevalue(name) for name in needs.get(request.param, [])}
    return scenario(request.param, given | {"other": other})


CLONE_NEWNS = 0x00020000  # linux/sched.h


@pytest.fixture(scope="session")
def mounts_of_its_own():
    """From here on this process's mounts are its own: they end with it, even if it is killed."""
    if sys.platform != "linux":
        pytest.skip("mounting is Linux's")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        pytest.skip(f"no file system can be mounted here: errno {ctypes.get_errno()}")
    subprocess.run(["mount", "--make-rprivate", "/"], check=False)  # not within a chroot


@pytest.fixture
def file_system(mounts_of_its_own, tmp_path):
    """Make and mount file systems, and unmount them at the end."""
    mounted = []

    def mount(kind, place, *words):
        place.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", *words, kind, str(place)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield mount
    for place in reversed(mounted):
        if place.is_mount():
            subprocess.run(["umount", str(place)], check=True)
