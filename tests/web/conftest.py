"""Servers for the tests of the HTTP door."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.web.serving import Server, make_key, postgres, serving

STONE = {"carat": 1.01, "cut": "Ideal", "color": "E", "clarity": "VS1"}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without keys, as on the desk of a sales person."""
    with serving(tmp_path_factory.mktemp("open")) as found:
        yield found


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as found:
        yield found


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="dp-pg-"))
    with postgres(folder) as url:
        yield url
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/service.db"
        return
    from sqlalchemy import create_engine, text

    url = request.getfixturevalue("postgres_url")
    name = f"t{abs(hash(str(tmp_path))):x}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    yield str(url).rsplit("/", 1)[0] + f"/{name}"
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


class Keyed:
    """A server with keys, and the keys of two tenants."""

    def __init__(self, server: Server, keys: dict[str, str]) -> None:
        self.server, self.keys = server, keys

    def as_(self, name: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.server.url,
            timeout=30,
            headers={"Authorization": f"Bearer {self.keys[name]}"},
        )


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    data = tmp_path_factory.mktemp("keyed")
    keys = {
        "acme": make_key(data, "acme", "quote,batch,model"),
        "bolt": make_key(data, "bolt", "quote,batch"),
        "root": make_key(data, "house", "quote,batch,admin"),
        "small": make_key(data, "small", "quote", "--quota", "20/day"),
    }
    with serving(data) as server:
        yield Keyed(server, keys)


@pytest.fixture
def scarce(packaged):
    """A stone of the kind that the fewest errors of the packaged model were measured of."""
    ranges = packaged.ranges
    part = ranges.counts.index(min(ranges.counts))
    band = next(i for i, row in enumerate(ranges.part) if part in row)
    clarity = ranges.clarities[ranges.part[band].index(part)]
    carat = round(ranges.bands[band - 1] + 0.01, 2)
    return {"carat": carat, "cut": "Ideal", "color": "G", "clarity": clarity}
