"""How fast prices are served, beside constants and black boxes; ratios of one run.

    python scripts/benchmark_serving.py [--seconds 4] [--rounds 3] [--soak 200000] [--swaps 0]

Each server runs alone on one core, the load on another: as many connections as `CONNECTIONS`,
each asking again as soon as it has its answer, with stones drawn at random. Servers take turns,
round by round, so that a slow spell of the machine meets them all. Needs the extras `bench` and
`refit` (for Arrow).
"""

import argparse
import asyncio
import gc
import http.client
import io
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

CONNECTIONS = 32
PORT = 18_700
MEASURES = ["depth", "table", "x", "y", "z"]  # missing in the questions
GRADES = {
    "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    "color": list("JIHGFED"),
    "clarity": ["SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1"],
}
PLACE = {name: {g: float(i) for i, g in enumerate(seen)} for name, seen in GRADES.items()}


# ------------------------------------------------------------------------ servers


def serve(name: str, port: int, data: str) -> None:
    """Be one of the servers; runs in a process of its own."""
    os.sched_setaffinity(0, {0})
    if name in ("fastapi", "flask"):
        {"fastapi": fastapi_lightgbm, "flask": flask_forest}[name](port)
        return
    from granian import Granian
    from granian.constants import Interfaces

    os.environ["BENCH_APP"], os.environ["BENCH_DATA"] = name, data
    Granian(
        "scripts.benchmark_serving:application",
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        websockets=False,
        log_level="warning",
    ).serve()


def application() -> Any:
    """The applications that granian serves."""
    from diamond_pricing.web.app import create_app
    from diamond_pricing.web.settings import Settings

    name, data = os.environ["BENCH_APP"], Path(os.environ["BENCH_DATA"])
    if name == "constant":
        return constant()
    access = logging.getLogger("diamond_pricing.access")
    access.addHandler(logging.FileHandler(data / "access.log"))
    access.propagate = False
    access.setLevel("INFO" if name == "full" else "ERROR")
    app = create_app(Settings(data=data, store=name == "full", access_log=name == "full"))
    gc.collect()
    gc.freeze()
    return app


def constant() -> Any:
    """The same Litestar, which reads the same question and answers one quote for all."""
    import msgspec
    from litestar import Litestar, post
    from litestar.params import JSONBody

    from diamond_pricing import packaged_model
    from diamond_pricing.web.messages import QuoteIn, QuoteOut
    from diamond_pricing.web.pricing import priced, quoted

    model = packaged_model()
    asked = msgspec.convert(
        {"carat": 1.01, "cut": "Ideal", "color": "E", "clarity": "VS1"}, QuoteIn
    )
    answer = quoted(priced(model, asked), model, asked)

    @post("/v1/quotes")
    async def quote(data: JSONBody[QuoteIn]) -> QuoteOut:  # type: ignore[valid-type]
        return answer

    return Litestar([quote], openapi_config=None, logging_config=None)


def _trained(kind: str) -> Any:
    """A black box over all nine columns, as good as the accuracy table has them."""
    import numpy as np
    from lightgbm import LGBMRegressor, early_stopping
    from sklearn.ensemble import RandomForestRegressor

    from diamond_pricing import load_sales

    sales = load_sales()
    frame = sales[["carat", *GRADES, *MEASURES]].copy()
    for name, place in PLACE.items():
        frame[name] = frame[name].astype(str).map(place).fillna(0.0)
    target = np.log(sales["price"].to_numpy())
    if kind == "forest":
        return RandomForestRegressor(100, min_samples_leaf=3, n_jobs=1).fit(frame, target)
    held = sales["stone"].to_numpy() % 5 == 0
    model = LGBMRegressor(
        n_estimators=4000, learning_rate=0.04, num_leaves=31, n_jobs=1, verbose=-1
    )
    X = frame.to_numpy()
    return model.fit(
        X[~held],
        target[~held],
        eval_set=[(X[held], target[held])],
        callbacks=[early_stopping(100, verbose=False)],
    )


def fastapi_lightgbm(port: int) -> None:
    """The usual way: FastAPI, LightGBM, SHAP contributions by `pred_contrib`."""
    import numpy as np
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    booster = _trained("lightgbm").booster_
    app = FastAPI()

    class Asked(BaseModel):
        carat: float
        cut: str
        color: str
        clarity: str

    @app.post("/v1/quotes")
    async def quote(asked: Asked) -> dict[str, Any]:
        row = [asked.carat, *(PLACE[n][getattr(asked, n)] for n in GRADES), *[np.nan] * 5]
        shap = booster.predict(np.array([row]), pred_contrib=True, num_threads=1)[0]
        return {
            "price": float(np.exp(shap.sum())),
            "contributions": dict(
                zip(("carat", *GRADES, *MEASURES, "base"), shap.tolist(), strict=True)
            ),
        }

    uvicorn.run(app, port=port, log_level="warning", access_log=False)


def flask_forest(port: int) -> None:
    """The first way: Flask, a random forest, a DataFrame of one row; no reasons."""
    import numpy as np
    import pandas as pd
    from flask import Flask, request
    from waitress import serve as waitress

    forest = _trained("forest")
    app = Flask("peer")

    @app.post("/v1/quotes")
    def quote() -> dict[str, Any]:
        asked = request.get_json()
        grades = {name: place[asked[name]] for name, place in PLACE.items()}
        stone = {"carat": asked["carat"], **grades, **dict.fromkeys(MEASURES, np.nan)}
        frame = pd.DataFrame([stone])
        return {"price": float(np.exp(forest.predict(frame)[0]))}

    logging.getLogger("waitress").setLevel("ERROR")
    waitress(app, port=port, threads=4)


# --------------------------------------------------------------------------- load


def bodies(n: int, key: str) -> list[bytes]:
    """Questions about stones drawn at random, whole requests."""
    draw = random.Random(0)  # noqa: S311  stones, no secrets  # nosec B311
    found = []
    for _ in range(n):
        stone = {"carat": round(draw.uniform(0.3, 1.5), 2)}
        stone |= {name: draw.choice(seen) for name, seen in GRADES.items()}
        body = json.dumps(stone).encode()
        bearer = f"Authorization: Bearer {key}\r\n" if key else ""
        head = (
            f"POST /v1/quotes HTTP/1.1\r\nHost: 127.0.0.1\r\n{bearer}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


async def load(
    port: int, key: str, seconds: float, most: int = 0
) -> tuple[float, list[float], int]:
    """Requests a second, their times, and how many were not answered by a price."""
    questions = bodies(4000, key)
    end = time.perf_counter() + seconds
    times: list[float] = []
    wrong = 0

    async def one(start: int) -> None:
        nonlocal wrong
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        i = start
        while time.perf_counter() < end and (not most or len(times) < most):
            began = time.perf_counter()
            writer.write(questions[i % len(questions)])
            head = await reader.readuntil(b"\r\n\r\n")
            low = head.lower()
            size = int(low.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(size)
            wrong += head[9:12] not in (b"200", b"201")
            times.append(time.perf_counter() - began)
            i += CONNECTIONS
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(i) for i in range(CONNECTIONS)))
    return len(times) / (time.perf_counter() - began), times, wrong


class Process:
    """A server under load."""

    def __init__(self, name: str, port: int, data: Path, key: str) -> None:
        self.port, self.key = port, key
        data.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(  # noqa: S603  ourselves
            [sys.executable, __file__, "--serve", name, str(port), str(data)],
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": str(Path(__file__).parents[1]),
            },
        )
        for _ in range(600):
            try:
                self.asked(0.05)
                return
            except (OSError, asyncio.IncompleteReadError, IndexError):
                time.sleep(0.1)
        raise SystemExit(f"{name} did not start")

    def asked(self, seconds: float, most: int = 0) -> tuple[float, list[float], int]:
        """Put it under load."""
        return asyncio.run(load(self.port, self.key, seconds, most))

    def memory(self) -> float:
        """Resident MB of the process and its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        total = 0.0
        for pid in (str(self.process.pid), *children.read_text().split()):
            text = Path(f"/proc/{pid}/status").read_text()
            total += int(text.split("VmRSS:")[1].split()[0]) / 1024
        return total

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)


def batches(port: int) -> dict[str, float]:
    """Stones a second for batches of 10,000."""
    import pyarrow as pa

    draw = random.Random(1)  # noqa: S311  stones, no secrets  # nosec B311
    n = 10_000
    columns: dict[str, list[Any]] = {
        "carat": [round(draw.uniform(0.3, 1.5), 2) for _ in range(n)]
    }
    columns |= {name: [draw.choice(seen) for _ in range(n)] for name, seen in GRADES.items()}
    table = pa.table(columns)
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    found = {}
    for name, content, media in (
        ("JSON columns", json.dumps({"columns": columns}).encode(), "application/json"),
        ("Arrow IPC", out.getvalue(), "application/vnd.apache.arrow.stream"),
    ):
        times = []
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(22):
            began = time.perf_counter()
            connection.request("POST", "/v1/quotes/batch", content, {"Content-Type": media})
            answer = connection.getresponse()
            size = len(answer.read())
            times.append(time.perf_counter() - began)
            if answer.status != 200 or size < n:
                raise SystemExit(f"{name}: {answer.status}")
        found[name] = n / median(times[2:])
    return found


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--seconds", type=float, default=4)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument(
        "--soak", type=int, default=200_000, help="requests for the memory; 0: none"
    )
    ask.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    ask.add_argument(
        "--serve", nargs=3, metavar=("NAME", "PORT", "DATA"), help=argparse.SUPPRESS
    )
    given = ask.parse_args()
    if given.serve:
        name, port, data = given.serve
        serve(name, int(port), data)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(given, Path(folder))


def measure(given: Any, folder: Path) -> None:
    """Everything, in one run."""
    from diamond_pricing.web.settings import Settings
    from diamond_pricing.web.storage import Database, create_key

    os.sched_setaffinity(0, {1})
    settings = Settings(data=folder / "full")
    database = Database(settings.url)
    database.upgrade()
    key = create_key(
        database,
        settings.secret(),
        "bench",
        ["quote", "batch"],
        by="bench",
        quota="900000000000/day",
    )
    database.close()
    names = ["constant", "quote", "full", *(["fastapi", "flask"] if given.peers else [])]
    rates: dict[str, list[float]] = {name: [] for name in names}
    tails: dict[str, list[float]] = {name: [] for name in names}
    servers = {
        name: Process(name, PORT + i, folder / name, key if name == "full" else "")
        for i, name in enumerate(names)
    }
    try:
        for round_ in range(given.rounds + 1):
            for name, server in servers.items():
                rate, times, wrong = server.asked(given.seconds)
                if wrong:
                    raise SystemExit(f"{name}: {wrong} answers were no price")
                if round_:  # the first warms up
                    rates[name].append(rate)
                    tails[name].append(sorted(times)[int(0.99 * len(times))])
        print(
            f"{CONNECTIONS} connections, {given.rounds} rounds of {given.seconds:g} s, medians"
        )
        for name in names:
            print(
                f"{name:10} {median(rates[name]):8,.0f} a second, "
                f"p99 {1000 * median(tails[name]):6.1f} ms"
            )
        for pair in ("quote/constant", "full/constant", "quote/fastapi", "quote/flask"):
            over, under = pair.split("/")
            if under in rates:
                ratios = [a / b for a, b in zip(rates[over], rates[under], strict=True)]
                spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
                print(f"{over} / {under}: {median(ratios):.2f}  {spread}")
        for name, rate in batches(servers["quote"].port).items():
            print(f"batch of 10,000, {name}: {rate:,.0f} stones a second")
        if given.soak:
            soak(servers["full"], given.soak)
    finally:
        for server in servers.values():
            server.stop()


def soak(server: Process, requests: int) -> None:
    """Memory of the full server over many requests, in ten parts."""
    seen = []
    for _ in range(10):
        server.asked(3600, requests // 10)
        seen.append(server.memory())
    print(f"memory over {requests:,} requests, MB: " + " ".join(f"{m:.0f}" for m in seen))
    late = seen[-1] - seen[2]
    print(f"growth over the last seven tenths: {late:+.1f} MB")


if __name__ == "__main__":
    main()
