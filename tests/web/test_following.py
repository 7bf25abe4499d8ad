"""The active model follows the registry while requests come in."""

import asyncio
import os
import re
import subprocess

import httpx
import pytest

from diamond_pricing import Stone
from diamond_pricing.registry import Registry, open_store
from diamond_pricing.registry.signing import KEY, TRUSTED, new_key
from tests.conftest import MEASURES
from tests.web.conftest import STONE
from tests.web.serving import command, free_port, serving, until
from tests.web.test_api import problem

NOTE = {"at": "2026-11-23T00:00:00Z", "by": "test", "reason": "test"}
SWAPS = int(os.environ.get("TORTURE_SWAPS", "6"))


@pytest.fixture
def home(tmp_path, loglinear, gam):
    registry = Registry(open_store(str(tmp_path / "home")))
    for model in (loglinear, gam):
        registry.add(model)
    registry.promote(loglinear.sha256, **NOTE)
    return registry


def become(api, model):
    until(lambda: api.get("/health/ready").json()["model"] == model.sha256)


def test_a_promotion_and_a_rollback_are_followed_and_quotes_stay(
    tmp_path, home, loglinear, gam, packaged
):
    with (
        serving(tmp_path / "data", "--home", str(home.store)) as server,
        httpx.Client(base_url=server.url) as api,
    ):
        first = api.post("/v1/quotes", json=STONE).json()
        assert first["cents"] == loglinear.explain(Stone(**STONE)).cents
        home.promote(gam.sha256, **NOTE)
        become(api, gam)
        second = api.post("/v1/quotes", json=STONE).json()
        assert second["cents"] == gam.explain(Stone(**STONE)).cents != first["cents"]
        assert api.get(f"/v1/quotes/{first['id']}").json() == first
        pinned = api.post("/v1/quotes", json=STONE, params={"model": loglinear.sha256})
        assert pinned.json()["cents"] == first["cents"]
        listed = {m["id"]: m["active"] for m in api.get("/v1/models").json()["models"]}
        assert listed == {gam.sha256: True, loglinear.sha256: False, packaged.sha256: False}
        home.rollback(**NOTE)
        become(api, loglinear)
        assert api.get(f"/v1/quotes/{second['id']}").json() == second
        changes = api.get("/v1/models/changes").json()["changes"]
        told = [(c["action"], c["model"], c["before"]) for c in changes]
        one, two = loglinear.sha256, gam.sha256
        assert told == [("promote", one, ""), ("promote", two, one), ("rollback", one, two)]
        newer = api.get("/v1/models/changes", params={"after": changes[1]["number"]}).json()
        assert newer["changes"] == changes[2:]


def test_a_damaged_model_is_not_taken(tmp_path, home, loglinear, gam):
    file = tmp_path / "home" / "models" / f"{gam.sha256}.json"
    whole = file.read_text()
    file.write_text(whole.replace("0.1", "0.2", 1))
    with (
        serving(tmp_path / "data", "--home", str(home.store)) as server,
        httpx.Client(base_url=server.url) as api,
    ):
        home.append("promote", active=gam.sha256, **NOTE)
        until(lambda: "the active model stays" in server.log.read_text())
        assert api.get("/health/ready").json()["model"] == loglinear.sha256
        assert api.post("/v1/quotes", json=STONE).status_code == 201
        assert "diamond_pricing_model_faults 0.0" not in api.get("/metrics").text
        problem(
            api.post("/v1/quotes", json=STONE, params={"model": gam.sha256}),
            404,
            "model_not_found",
        )
        file.write_text(whole)
        become(api, gam)


def test_a_server_does_not_start_on_a_home_that_it_cannot_read(tmp_path, home, loglinear):
    """The packaged model's prices are not this home's."""
    file = tmp_path / "home" / "models" / f"{loglinear.sha256}.json"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    words = ["serve", "--port", str(free_port()), "--home", str(home.store)]
    done = subprocess.run(
        command(*words, "--data", str(tmp_path / "data")),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "does not agree with its sha256" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_log_that_goes_is_noticed(tmp_path, home, loglinear):
    """Not by prices that are another home's."""
    import shutil

    from diamond_pricing.errors import RegistryError
    from diamond_pricing.web.models import Models

    models = Models(str(home.store))
    shutil.rmtree(tmp_path / "home" / "log")
    models.refresh()
    assert (models.faults, models.active.sha256) == (1, loglinear.sha256)
    with pytest.raises(RegistryError, match="no log that says which is active"):
        Models(str(home.store))


def test_a_home_of_many_models_lists_each_once_read(home, loglinear, monkeypatch):
    from diamond_pricing.web import models as module

    models = module.Models(str(home.store))
    listed = models.listed()
    assert {m.id: m.active for m in listed}[loglinear.sha256]
    monkeypatch.setattr(models.registry, "model", None)  # none is read a second time
    assert models.listed() == listed


def test_a_server_that_trusts_a_key_follows_nothing_else(tmp_path, loglinear, gam, monkeypatch):
    (tmp_path / "trusted.pem").write_text(new_key(tmp_path / "key.pem"))
    monkeypatch.setenv(KEY, str(tmp_path / "key.pem"))
    ours = Registry(open_store(str(tmp_path / "home")))
    monkeypatch.delenv(KEY)
    ours.promote(ours.add(loglinear), **NOTE)
    with (
        serving(
            tmp_path / "data",
            "--home",
            str(ours.store),
            **{TRUSTED: str(tmp_path / "trusted.pem")},
        ) as server,
        httpx.Client(base_url=server.url) as api,
    ):
        Registry(open_store(str(tmp_path / "home"))).add(gam)
        pinned = api.post("/v1/quotes", json=STONE, params={"model": gam.sha256})
        problem(pinned, 404, "model_not_found")
        before = api.get("/health/ready").json()
        Registry(open_store(str(tmp_path / "home"))).promote(gam.sha256, **NOTE)
        until(lambda: re.search("active model stays .* is not signed", server.log.read_text()))
        assert api.get("/health/ready").json() == before
        ours.sign()
        become(api, gam)


def test_swaps_under_load_lose_no_request_and_every_answer_prices_again(
    tmp_path, home, loglinear, gam
):
    models = {m.sha256: m for m in (loglinear, gam)}

    async def asking(api, answers, stop):
        n = 0
        while not stop.is_set():
            stone = STONE | {"carat": round(0.5 + (n % 100) / 100, 2)}
            found = await api.post("/v1/quotes", json=stone)
            answers.append((stone, found.status_code, found.json()))
            n += 1

    async def run(url):
        answers, stop = [], asyncio.Event()
        async with httpx.AsyncClient(base_url=url, timeout=20) as api:
            tasks = [asyncio.create_task(asking(api, answers, stop)) for _ in range(4)]
            for i in range(SWAPS):
                wanted = (gam, loglinear)[i % 2].sha256
                await asyncio.to_thread(home.promote, wanted, **NOTE)
                for _ in range(400):
                    ready = (await api.get("/health/ready")).json()
                    if ready["model"] == wanted:
                        break
                    await asyncio.sleep(0.05)
                else:
                    raise AssertionError("the server did not follow")
            stop.set()
            await asyncio.gather(*tasks)
        return answers

    with serving(tmp_path / "data", "--home", str(home.store)) as server:
        answers = asyncio.run(run(server.url))
    assert {status for _, status, _ in answers} == {201}
    assert {found["model"] for _, _, found in answers} == set(models)
    for stone, _, found in answers:
        assert models[found["model"]].explain(Stone(**stone)).cents == found["cents"]


def test_an_effective_date_finds_the_model_that_has_it(tmp_path, home, sales):
    from diamond_pricing.fitting import fit

    later = fit(sales.assign(price=sales["price"] * 1.5), "loglinear", effective="2026-05")
    home.add(later)
    home.promote(later.sha256, **NOTE)
    with (
        serving(tmp_path / "data", "--home", str(home.store)) as server,
        httpx.Client(base_url=server.url) as api,
    ):
        now = api.post("/v1/quotes", json=STONE).json()
        then = api.post("/v1/quotes", json=STONE | {"effective": "2008"}).json()
        assert (now["effective"], then["effective"]) == ("2026-05", "2008")
        assert now["cents"] > 1.3 * then["cents"]
        wrong = api.post("/v1/quotes", json=STONE | {"effective": "1999"})
        allowed = problem(wrong, 422, "effective_not_known")["errors"][0]["allowed"]
        assert set(allowed) == {"2026-05", "2008"}


def test_a_home_without_a_model_serves_the_packaged_one(tmp_path, packaged):
    (tmp_path / "home").mkdir()
    with serving(tmp_path / "data", "--home", str(tmp_path / "home")) as server:
        ready = httpx.get(f"{server.url}/health/ready").json()
    assert ready == {"status": "ready", "model": packaged.sha256}


def test_comparables_of_a_home_are_its_own_sales(tmp_path, sales):
    """Through the refit, as an operator makes a home."""
    from diamond_pricing.cli import main

    inbox, home = tmp_path / "inbox", tmp_path / "home"
    inbox.mkdir()
    mine = sales.assign(price=(sales["price"] * 1.07).astype(int)).drop(
        columns=["stone", "listing", *MEASURES]
    )
    mine.to_csv(inbox / "sales.csv", index=False)
    (home / "sources").mkdir(parents=True)
    (home / "home.toml").write_text('effective = "2026"\n')
    code = main(["refit", "--inbox", str(inbox), "--home", str(home)])
    assert code == 0
    with serving(tmp_path / "data", "--home", str(home)) as server:
        found = httpx.post(
            f"{server.url}/v1/comparables", json={"stone": STONE}, timeout=60
        ).json()
    assert found["effective"] == "2026"
    for sale in found["comparables"]:
        assert sale["price"] in set(mine["price"])
