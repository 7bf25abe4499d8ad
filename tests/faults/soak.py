"""Hours of everything at once, while models are refitted: errors, memory, files, patience.

    python -m tests.faults.soak [--minutes 60] [--refit-every 120]

A server with keys follows a home in which sales arrive and are refitted in another process.
Clients ask for quotes, read them back, compare, step, send batches, open pages and sheets, send
nonsense, and come with keys that are made and revoked meanwhile. Every ten seconds the memory,
threads and open files of the process that answers are noted, and the time of each kind of
request. At the end the table tells whether any of it grew.
"""

import argparse
import os
import random
import re
import subprocess
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from diamond_pricing import load_sales
from tests.web.serving import Server, command, make_key

CLIENTS = 4
PAUSE = 0.01  # seconds between two requests of a client; the machine has refits to do too
GRADES = {
    "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    "color": list("JIHGFED"),
    "clarity": ["SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1"],
}
COLUMNS = ["carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y", "z"]
# What is asked, and how often beside the others.
WEIGHTS = {
    "quote": 40,
    "read": 12,
    "compare": 8,
    "what if": 6,
    "list": 1,
    "batch": 3,
    "page": 8,
    "sheet": 1,
    "nonsense": 6,
    "breaks off": 2,
    "comparables": 1,
    "model": 1,
}
DECLINED = "stone_declined"  # a home of few sales prices few kinds of stones
MEANT = {"nonsense": {400, 404, 405, 413, 415, 422}}


class Load:
    """Clients that ask until they are told to stop."""

    def __init__(self, server: Server, keys: list[str]) -> None:
        self.server, self.keys = server, keys
        self.stop = threading.Event()
        self.times: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.wrong: list[str] = []
        self.quotes: dict[str, int] = {}
        self.threads = [
            threading.Thread(target=self._client, args=(i,)) for i in range(CLIENTS)
        ]

    def _client(self, seed: int) -> None:
        chance = random.Random(seed)
        key = self.keys[seed % len(self.keys)]
        head = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=self.server.url, headers=head, timeout=30) as api:
            while not self.stop.is_set():
                (kind,) = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
                began = time.perf_counter()
                try:
                    fault = self._ask(kind, api, chance)
                except httpx.HTTPError as error:
                    fault = repr(error)
                if fault:
                    self.wrong.append(f"{kind}: {fault}"[:300])
                self.times[kind].append((time.time(), time.perf_counter() - began))
                time.sleep(PAUSE)

    def _ask(self, kind: str, api: httpx.Client, chance: random.Random) -> str:
        """Ask something; say what was wrong with the answer, if anything was."""
        stone: dict[str, Any] = {name: chance.choice(of) for name, of in GRADES.items()}
        stone["carat"] = round(chance.uniform(0.3, 2.0), 2)
        if kind == "quote":
            answer = api.post("/v1/quotes", json=stone)
            if answer.status_code != 201:
                return "" if DECLINED in answer.text else _told(answer)
            quote = answer.json()
            self.quotes[quote["id"]] = quote["cents"]
            lines = sum(line["cents"] for line in quote["lines"])
            return "" if lines == quote["cents"] else "the lines do not sum"
        if kind == "read":
            mine = list(self.quotes)[-500:]
            if not mine:
                return ""
            name = chance.choice(mine)
            answer = api.get(f"/v1/quotes/{name}")
            if answer.status_code == 404:  # another tenant's
                return ""
            same = answer.status_code == 200 and answer.json()["cents"] == self.quotes[name]
            return "" if same else _told(answer)
        if kind == "breaks off":
            hasty = httpx.Client(base_url=self.server.url, timeout=0.004)
            with suppress(httpx.TransportError), hasty:
                hasty.get("/health/live")
            return ""
        answer = self._other(kind, api, chance, stone)
        fine = answer.status_code in MEANT.get(kind, {200}) or DECLINED in answer.text
        return "" if fine else _told(answer)

    def _other(
        self, kind: str, api: httpx.Client, chance: random.Random, stone: dict[str, Any]
    ) -> httpx.Response:
        if kind == "compare":
            other = stone | {"carat": round(stone["carat"] + 0.1, 2)}
            return api.post("/v1/comparisons", json={"first": stone, "second": other})
        if kind == "what if":
            return api.post("/v1/what-if", json={"stone": stone})
        if kind == "comparables":
            return api.post("/v1/comparables", json={"stone": stone})
        if kind == "list":
            return api.get("/v1/price-list", params={"cut": stone["cut"]})
        if kind == "model":
            return api.get("/v1/models")
        if kind == "batch":
            rows = [stone | {"carat": round(0.3 + i / 100, 2)} for i in range(150)]
            return api.post("/v1/quotes/batch", json={"rows": rows})
        if kind == "nonsense":
            path, body = chance.choice(
                [
                    ("/v1/quotes", b"[" * 5000),
                    ("/v1/quotes", b'{"carat": "x"}'),
                    ("/v1/nothing", b"{}"),
                    ("/v1/quotes", b" " * 70_000),
                    ("/v1/quotes/batch", b'{"rows": 5}'),
                    ("/v1/quotes", b'{"carat": 1e999}'),
                ]
            )
            return api.post(path, content=body, headers={"Content-Type": "application/json"})
        if kind == "sheet" and self.quotes:
            name = chance.choice(list(self.quotes)[-50:])
            sheet = api.get(f"/v1/quotes/{name}.pdf")
            if sheet.status_code != 404:  # 404: another tenant's
                return sheet
        return api.get("/", params=stone)


def _told(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text[:200]}"


def state(process: int) -> tuple[float, int, int]:
    """Memory in MB, open files, threads."""
    status = Path(f"/proc/{process}/status").read_text()
    memory = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024
    threads = int(re.search(r"Threads:\s+(\d+)", status)[1])
    return memory, len(list(Path(f"/proc/{process}/fd").iterdir())), threads


def deliver(inbox: Path, sales: Any, number: int) -> None:
    """Put another delivery of 400 sales into the inbox."""
    part = sales.sample(400, random_state=number)
    aside = inbox / f".{number}.part"
    part.to_csv(aside, index=False)
    aside.rename(inbox / f"{number:04}.csv")


def refitted(inbox: Path, home: Path) -> str:
    """Refit in a process of its own; give the verdict."""
    done = subprocess.run(
        command("refit", "--inbox", str(inbox), "--home", str(home)),
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return done.stdout.split(".")[0].strip().lower() or f"error: {done.stderr[-300:]}"


def soak(folder: Path, seconds: float, refit_every: float) -> dict[str, Any]:
    """Run it; give what was seen."""
    sales = load_sales()[COLUMNS].sample(frac=1, random_state=0)
    inbox, home, data = folder / "inbox", folder / "home", folder / "data"
    inbox.mkdir()
    sales.head(3000).to_csv(inbox / "0000.csv", index=False)
    refits = [refitted(inbox, home)] if refit_every else []
    keys = [make_key(data, f"t{i}", "quote,batch,model") for i in range(2)]
    options = ["--home", str(home)] if refit_every else []
    server = Server(data, *options)
    load = Load(server, keys)
    seen: list[tuple[float, float, int, int]] = []
    try:
        for thread in load.threads:
            thread.start()
        began, worker = time.time(), server.worker()
        next_refit, next_key, number = began + refit_every / 4, began + 20, 1
        refitting: threading.Thread | None = None
        while time.time() < began + seconds:
            time.sleep(min(10.0, seconds / 8))
            seen.append((time.time() - began, *state(worker)))
            if time.time() > next_key:
                key = make_key(data, "t1", "quote")
                subprocess.run(
                    command("keys", "revoke", key, "--data", str(data)),
                    check=True,
                    capture_output=True,
                )
                next_key += 60
            idle = refitting is None or not refitting.is_alive()
            if refit_every and idle and time.time() > next_refit:
                deliver(inbox, sales.iloc[3000:], number)
                number, next_refit = number + 1, time.time() + refit_every
                refitting = threading.Thread(
                    target=lambda: refits.append(refitted(inbox, home))
                )
                refitting.start()
        load.stop.set()
        for thread in load.threads:
            thread.join()
        if refitting is not None:
            refitting.join()
        lost = _lost(server, keys, load.quotes)
    finally:
        load.stop.set()
        server.stop()
    log = server.log.read_text()
    faults = re.findall(r"^\S+ \S+ (?:ERROR|CRITICAL) .*$|^Traceback.*$", log, re.M)
    return {
        "seen": seen,
        "times": load.times,
        "wrong": load.wrong,
        "refits": refits,
        "quotes": len(load.quotes),
        "lost": lost,
        "log": faults,
    }


def _lost(server: Server, keys: list[str], quotes: dict[str, int]) -> int:
    """How many of the last quotes that were acknowledged cannot be read with their cents."""
    lost = 0
    names = list(quotes)
    for name in random.Random(0).sample(names, min(500, len(names))):
        found = [
            httpx.get(
                f"{server.url}/v1/quotes/{name}", headers={"Authorization": f"Bearer {key}"}
            )
            for key in keys
        ]
        good = [a for a in found if a.status_code == 200]
        lost += len(good) != 1 or good[0].json()["cents"] != quotes[name]
    return lost


def slope(seen: list[tuple[float, float, int, int]]) -> tuple[float, float]:
    """MB an hour over the second half, and two standard errors of it.

    The errors are those of averages over sixths of the time, since neighbours are alike.
    """
    half = np.array(seen[len(seen) // 2 :])
    parts = [part[:, :2].mean(axis=0) for part in np.array_split(half, 6) if len(part)]
    t, memory = np.array(parts).T
    t = t / 3600
    centred = t - t.mean()
    b = float(centred @ memory / (centred @ centred))
    residual = memory - memory.mean() - b * centred
    error = float(np.sqrt(residual @ residual / max(len(t) - 2, 1) / (centred @ centred)))
    return b, 2 * error


def main() -> None:
    """Soak, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--refit-every", type=float, default=120, help="seconds; 0: never")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(Path(folder), 60 * given.minutes, given.refit_every)
    seen, times = found["seen"], found["times"]
    total = sum(map(len, times.values()))
    print(
        f"{total:,} requests in {given.minutes:g} minutes, {len(found['wrong'])} wrong, "
        f"{found['quotes']:,} quotes, {found['lost']} lost"
    )
    verdicts = Counter(found["refits"])
    print("refits:", ", ".join(f"{n} {verdict}" for verdict, n in verdicts.items()) or "none")
    for fault in found["wrong"][:10] + found["log"][:10]:
        print("  ", fault)
    b, error = slope(seen)
    print(
        f"memory {seen[0][1]:.0f} MB at first, {seen[len(seen) // 2][1]:.0f} half way, "
        f"{seen[-1][1]:.0f} at the end; {b:+.1f} ± {error:.1f} MB an hour in the second half"
    )
    for what, i in (("open files", 2), ("threads", 3)):
        values = [row[i] for row in seen]
        print(f"{what}: {min(values)} to {max(values)}, {values[-1]} at the end")
    print(f"{'':>12} {'requests':>9} {'median ms':>10} {'p99 ms by sixths of the time':>30}")
    first = min(t for of in times.values() for t, _ in of)
    for kind, of in sorted(times.items()):
        when, took = np.array(of).T
        part = np.minimum((6 * (when - first) / (60 * given.minutes)).astype(int), 5)
        tails = [
            f"{1000 * np.quantile(took[part == k], 0.99):.0f}"
            for k in range(6)
            if (part == k).any()
        ]
        print(
            f"{kind:>12} {len(took):>9,} {1000 * np.median(took):>10.1f} {' '.join(tails):>30}"
        )


if __name__ == "__main__":
    main()
