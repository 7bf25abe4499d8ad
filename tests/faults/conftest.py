"""A home and an inbox whose fit is known beforehand, so that a refit takes a moment."""

import pytest

from diamond_pricing.refit import run as running
from diamond_pricing.refit.run import refit
from diamond_pricing.registry import LocalStore

SAID = {"at": "2026-01-01T00:00:00Z", "by": "test"}


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def other(catalog):
    """Another model than the home's first."""
    from diamond_pricing.fitting import fit

    return fit(catalog[catalog["stone"] % 12 == 0].iloc[:-5])
